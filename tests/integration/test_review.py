"""What coders should look at again: codes that a model of other documents would not give."""

import csv
import io
import json
from pathlib import Path

import pytest

import framing.review
from framing.artifacts import REVIEW, RUN, write_json, write_text
from framing.cli.main import main
from framing.config import load_config
from framing.folds import train_and_label
from framing.records import Prediction
from tests.integration.conftest import make_study, rows, write_csv

WRONG = ("s7", "s50", "s101")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's recipe, for a study whose coders agreed on the wrong topic of three sentences."""
    folder = tmp_path_factory.mktemp("review")
    config = make_study(folder)
    table = rows()
    for row in table:
        if row["id"] in WRONG:
            row["topics"] = "" if row["topics"] else "jobs"
            row["view.prices"] = row["view.jobs"] = ""
    write_csv(folder / "coded.csv", table)
    # Of the run itself a review needs no more than its recipe.
    own = folder / "runs" / "own"
    write_text(own / RUN.config, load_config(config).to_yaml())
    write_json(own / RUN.record, {"seed": 1})
    return own.resolve()


def test_wrong_codes_are_found_and_stopped_work_continues(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []

    def stopped(*args: object) -> list[Prediction]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_and_label(*args)  # type: ignore[arg-type]

    arguments = ["review", str(run), "--folds", "3"]
    monkeypatch.setattr(framing.review, "train_and_label", stopped)
    assert main(arguments) == 130
    out = run.with_name(f"{run.name}-{REVIEW.folder}") / REVIEW.table
    assert not out.exists()
    monkeypatch.undo()
    capsys.readouterr()
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.count("finished already") == 2
    assert "topics: macro-F1 0." in printed
    found = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert f"{len({r['id'] for r in found})} of 240 sentences have a code" in printed
    probabilities = [float(r["gold_probability"]) for r in found]
    assert probabilities == sorted(probabilities)
    # Coder C errs in a fifth of the sentences, but is outvoted: gold is wrong in three alone.
    topics = [r for r in found if r["variable"] == "topics"]
    assert set(WRONG) <= {r["id"] for r in topics[:12]}
    agreed = next(r for r in topics if r["id"] == WRONG[0])
    assert agreed["coder.A"] == agreed["coder.B"] == (agreed["gold"] or "(none present)")
    assert agreed["model"] != agreed["gold"]
    topics_of = {(r["id"], r["coder"]): r["topics"] for r in rows()}
    for row in topics:
        if row["id"] not in WRONG:
            given = {topics_of[row["id"], coder] == row["label"] for coder in "ABC"}
            assert row["coders"] == ("differ" if len(given) == 2 else "agree")
    assert {r["coders"] for r in topics} == {"agree", "differ"}
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


def test_each_document_is_left_out_once(run: Path) -> None:
    folder = run.with_name(f"{run.name}-{REVIEW.folder}")
    parts = [json.loads(path.read_text())["documents"] for path in folder.glob("fold-*.json")]
    tested = [document for part in parts for document in part["test"]]
    assert len(parts) == 3
    assert sorted(tested) == sorted({r["doc_id"] for r in rows()})
    for part in parts:
        assert not set(part["test"]) & {*part["train"], *part["dev"]}


def test_what_cannot_be_reviewed(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", str(tmp_path)]) == 2
    assert "not a run's folder" in capsys.readouterr().err
    assert main(["review", str(run), "--folds", "2", "--out", str(tmp_path / "x.csv")]) == 2
    assert "expected at least 3 folds" in capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()
