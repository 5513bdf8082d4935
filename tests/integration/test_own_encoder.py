"""The encoder that comes with the package knows documents of its corpus."""

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
        assert found.startswith("The encoder was trained further on training documents") == told


def test_earlier_records_say_nothing_of_it() -> None:
    assert splits_of_encoder({"data": {"splits": "any"}}) == ""
