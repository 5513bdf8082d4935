"""Another encoder in place of a BERT: the whole way from config to labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from framing.artifacts import RUN, read_json
from framing.cli.main import main
from tests.integration.conftest import make_study, rows
from tests.tiny import save_tiny_encoder

WORDS = " ".join(row["text"] for row in rows()).split()
SET = ["encoder.context=[previous]", "encoder.pooling=log_mean_exp", "encoder.ngrams=true",
       "training.epochs=1"]  # fmt: skip


def trained(config: Path, *overrides: str) -> int:
    runs = str(config.parent / "runs")
    options = [part for override in (*SET, *overrides) for part in ("--set", override)]
    return main(["train", str(config), "--runs", runs, *options])


def test_an_encoder_without_segments(tmp_path: Path) -> None:
    config = make_study(tmp_path)
    save_tiny_encoder(tmp_path / "other", WORDS, kind="roberta", pairs=False)
    assert trained(config, "encoder.path=./other", "encoder.freeze_layers=1") == 0
    run = tmp_path / "runs" / "own"
    names = {system["name"] for system in read_json(run / RUN.scores)["systems"]}
    assert "frozen_encoder" in names
    out = tmp_path / "labels.jsonl"
    new = str(tmp_path / "new.csv")
    assert main(["predict", "--model", str(run), new, "--out", str(out)]) == 0
    again = str(tmp_path / "evaluation")
    assert main(["evaluate", "--model", str(run), "--data", new, "--out", again]) == 0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("t5", "expected an encoder"),
        ("xlnet", "cannot be written as a graph for offline labelling"),
    ],
)
def test_encoders_that_cannot_serve_leave_no_run(
    tmp_path: Path, kind: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_study(tmp_path)
    save_tiny_encoder(tmp_path / "other", WORDS, kind=kind, pairs=False)
    assert trained(config, "encoder.path=./other") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
