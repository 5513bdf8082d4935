"""Another encoder in place of a BERT: the whole way from config to labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framing.artifacts import BUNDLE, RUN, read_json
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


APART = ("encoder.ngrams=false", "encoder.read_apart=true", "encoder.context_layers=1",
         "evaluation.baselines=[majority, frozen_encoder]")  # fmt: skip


def test_sentences_read_apart_from_their_contexts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(make_study(tmp_path), *APART) == 0
    run, small, new = tmp_path / "runs" / "own", tmp_path / "int8", str(tmp_path / "new.csv")
    assert main(["export", str(run), "--out", str(small)]) == 0
    labels = []
    for model, options in ((run, []), (run, ["--device", "cpu"]), (small, [])):
        out = tmp_path / f"{len(labels)}.jsonl"
        arguments = ["predict", "--model", str(model), new, "--out", str(out), *options]
        assert main(arguments) == 0
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        labels.append([row["probabilities"]["topics"]["prices"] for row in rows])
    assert labels[1] == pytest.approx(labels[0], abs=1e-4)
    assert labels[2] == pytest.approx(labels[0], abs=0.1)
    assert len(set(labels[0])) > 10
    (small / BUNDLE.reading).unlink()
    capsys.readouterr()
    assert main(["predict", "--model", str(small), new, "--out", str(tmp_path / "x.csv")]) == 2
    assert BUNDLE.reading in capsys.readouterr().err


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
