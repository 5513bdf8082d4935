"""Every shipped config runs, with a tiny encoder and few steps."""

from pathlib import Path

import pytest

from framing.artifacts import RUN, check_manifest
from framing.cli.main import main
from tests.conftest import ROOT
from tests.tiny import save_tiny_encoder

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def test_number_of_configs() -> None:
    assert [path.name for path in CONFIGS] == ["security_talks.yaml"]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_config_runs(config: Path, tmp_path: Path) -> None:
    encoder = save_tiny_encoder(tmp_path / "encoder", ["talks", "guarantees", "nato"])
    arguments = ["train", str(config), "--runs", str(tmp_path / "runs")]
    for change in (
        f"encoder.path={encoder}",
        "encoder.max_length=24",
        "encoder.freeze_layers=1",
        "training.epochs=0.1",
        "evaluation.resamples=20",
        "evaluation.baselines=[majority, metadata, keywords]",
    ):
        arguments += ["--set", change]
    assert main(arguments) == 0
    run = tmp_path / "runs" / config.stem
    check_manifest(run.resolve(), RUN.manifest)


def test_configs_say_how_to_run_them() -> None:
    for path in CONFIGS:
        assert f"framing train configs/{path.name}" in path.read_text(encoding="utf-8")
