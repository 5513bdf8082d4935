"""The encoder that comes with the package knows documents of its corpus."""

from pathlib import Path

import pytest

from framing.config import DataConfig, EncoderConfig
from framing.data.bundled import load_bundled, load_bundled_splits
from framing.data.corpus import Corpus
from framing.model.encoder import find_encoder
from framing.scoring import splits_of_encoder
from framing.train import encoder_splits

NAME = "security_talks"
OWN_DATA = DataConfig(path=Path(NAME), codebook=Path("codebook.yaml"))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_bundled(NAME)


def test_splits_that_the_encoder_does_not_keep_are_told(corpus: Corpus) -> None:
    bundled = DataConfig(corpus=NAME)
    plain, own = (find_encoder(EncoderConfig(path=path)) for path in ("default", NAME))
    assert encoder_splits(bundled, corpus, plain) is None
    learnt = encoder_splits(bundled, corpus, own)
    splits = load_bundled_splits(NAME, corpus).hash
    assert learnt == splits
    for found, told in ((splits, False), ("others", True)):
        text = splits_of_encoder({"encoder_splits": learnt, "data": {"splits": found}})
        assert text.startswith("The encoder was trained further on texts of this corpus") == told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (DataConfig(benchmark="unscon"), True),
        (DataConfig(benchmark="newsmtsc"), True),
        (DataConfig(benchmark="gwsd"), False),
        (OWN_DATA, False),
    ],
)
def test_benchmarks_that_the_encoder_has_read_are_told(
    corpus: Corpus, data: DataConfig, told: bool
) -> None:
    # Of other sentences than the bundled ones, under the bundled ones' name: nobody else's splits.
    part = corpus.subset([corpus.sentences[0].id])
    learnt = encoder_splits(data, part, find_encoder(EncoderConfig(path=NAME)))
    text = splits_of_encoder({"encoder_splits": learnt, "data": {"splits": "any"}})
    assert text.endswith("too high. Set encoder.path to default.") == told


def test_earlier_records_say_nothing_of_it() -> None:
    assert splits_of_encoder({"data": {"splits": "any"}}) == ""
