from pathlib import Path

import numpy as np
import pytest

from framing.config import RunConfig, load_config
from framing.data.bundled import load_bundled, load_bundled_splits
from framing.study import Study, load_study
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return load_config(ROOT / "configs" / "security_talks.yaml")


@pytest.fixture(scope="module")
def study(config: RunConfig) -> Study:
    return load_study(config)


def test_a_bundled_corpus_comes_with_its_frozen_splits(study: Study) -> None:
    frozen = load_bundled_splits("security_talks", load_bundled("security_talks"))
    assert study.splits == frozen
    for name in ("train", "dev", "test"):
        assert {s.doc_id for s in study.split(name)} == set(frozen.documents[name])


def test_given_splits_replace_the_frozen_ones(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("name: a\ndata: {corpus: security_talks, splits: {seed: 5}}", encoding="utf-8")
    assert load_study(load_config(path)).splits.seed == 5


def test_training_sentences_are_those_asked_for(study: Study, config: RunConfig) -> None:
    chosen = study.training_sentences(config.data)
    parts = {s.metadata["part"] for s in chosen}
    assert parts == set(config.data.train_where["part"])
    assert {s.doc_id for s in chosen} <= set(study.splits.documents["train"])


def test_factors(study: Study, config: RunConfig) -> None:
    weights = {"part": {"w1": 0.5}, "genre": {"wire": 0.1}}
    data = config.data.model_copy(update={"train_weights": weights})
    sentences = study.split("train")
    factors = study.training_factors(sentences, data)
    expected = [
        (0.5 if s.metadata["part"] == "w1" else 1.0)
        * (0.1 if s.metadata["genre"] == "wire" else 1.0)
        for s in sentences
    ]
    assert factors == pytest.approx(np.array(expected))
    assert len(set(factors)) > 2
