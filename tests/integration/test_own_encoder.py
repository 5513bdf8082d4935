"""The encoder that comes with the package knows documents of its corpus."""

from dataclasses import replace
from pathlib import Path

from framing.config import load_config
from framing.model.encoder import find_encoder
from framing.scoring import splits_of_encoder
from framing.study import load_study
from framing.train import Stage, encoder_splits
from tests.conftest import ROOT


def test_splits_that_the_encoder_does_not_keep_are_told(tmp_path: Path) -> None:
    config = load_config(ROOT / "configs" / "security_talks.yaml")
    study = load_study(config)
    stage = Stage(config, study, 1, tmp_path, print)
    plain = config.encoder.model_copy(update={"path": "default"})
    assert encoder_splits(stage, find_encoder(plain)) is None
    learnt = encoder_splits(stage, find_encoder(config.encoder))
    assert learnt == study.splits.hash
    for splits, told in ((study.splits.hash, False), ("others", True)):
        found = splits_of_encoder({"encoder_splits": learnt, "data": {"splits": splits}})
        assert found.startswith("The encoder was trained further on texts of this corpus") == told


def test_benchmarks_that_the_encoder_has_read_are_told(tmp_path: Path) -> None:
    config = load_config(ROOT / "configs" / "security_talks.yaml")
    study = load_study(config)
    own = find_encoder(config.encoder)
    for name, told in (("unscon", True), ("newsmtsc", True), ("gwsd", False)):
        other = replace(study, corpus=replace(study.corpus, name=name))
        learnt = encoder_splits(Stage(config, other, 1, tmp_path, print), own)
        found = splits_of_encoder({"encoder_splits": learnt, "data": study.hashes()})
        assert found.endswith("too high. Set encoder.path to default.") == told


def test_earlier_records_say_nothing_of_it() -> None:
    assert splits_of_encoder({"data": {"splits": "any"}}) == ""
