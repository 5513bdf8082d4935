"""Every shipped config runs, with a tiny encoder and few steps."""

from pathlib import Path

import pytest

from framing.artifacts import RUN, check_manifest
from framing.cli.main import main
from framing.corpora import BENCHMARKS
from framing.report import load_scores
from tests.benchmarks import write_root
from tests.conftest import ROOT
from tests.tiny import save_tiny_encoder

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
OFFICIAL = {
    "gvfc": ["Accuracy of the first frame"],
    "gwsd": ["Accuracy", "Macro-F1"],
    "newsmtsc": ["Macro-F1, rw", "Macro-F1, mt"],
    "tweeteval_stance": ["Mean F1 of against and favor"],
    "unscon": ["Macro-F1 of conflict"],
}


def test_number_of_configs() -> None:
    names = ["gvfc", "gwsd", "newsmtsc", "security_talks", "tweeteval_stance", "unscon"]
    assert [path.stem for path in CONFIGS] == names


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_config_runs(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    if config.stem in BENCHMARKS:
        arguments += ["--set", f"data.root={write_root(config.stem, tmp_path, monkeypatch)}"]
    assert main(arguments) == 0
    run = tmp_path / "runs" / config.stem
    check_manifest(run.resolve(), RUN.manifest)
    official = load_scores(run).official
    assert [figure.name for figure in official] == OFFICIAL.get(config.stem, [])
    report = (run / RUN.report_markdown).read_text(encoding="utf-8")
    assert ("## Beside published results" in report) == bool(official)


def test_configs_say_how_to_run_them() -> None:
    for path in CONFIGS:
        assert f"framing train configs/{path.name}" in path.read_text(encoding="utf-8")
