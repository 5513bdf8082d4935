from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from framing.artifacts import RUN, write_text
from framing.cli.main import main
from framing.codebook import parse_codebook
from framing.data.leakage import text_hash
from tests.conftest import SMALL_CODEBOOK
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle

TEXTS = ["Critics say so.", "Unemployment rose.", "It rained.", "It snowed.", "IT RAINED!"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as that of a run which has learnt from "It snowed."."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    write_tiny_bundle(folder / RUN.bundle, parse_codebook(SMALL_CODEBOOK), SMALL_WORDS)
    write_text(folder / RUN.seen, text_hash("It snowed.") + "\n")
    return folder


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS), encoding="utf-8")
    return path


def sheet(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["text"]: row["chosen"] for row in csv.DictReader(file)}


def test_where_a_model_is_least_sure(
    run: Path, pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tasks.csv"
    command = ["tasks", str(pool), "--model", str(run), "--out", str(out), "--count", "2"]
    assert main([*command, "--random", "0"]) == 0
    # Of equal ones the first.
    assert sheet(out) == {"Critics say so.": "unsure", "Unemployment rose.": "unsure"}
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "5 sentences read; 3 new"
    assert said[1].startswith("2 tasks: ")
    assert said[2] == f"{out}: written"
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err


def test_at_random_without_those_known(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, known, out = tmp_path / "book.yaml", tmp_path / "known.csv", tmp_path / "tasks.json"
    book.write_text(SMALL_CODEBOOK, encoding="utf-8")
    known.write_text("id,text\n1,it rained\n", encoding="utf-8")
    command = ["tasks", str(pool), "--codebook", str(book), "--out", str(out)]
    assert main([*command, "--known", str(known)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "5 sentences read; 3 new",
        "3 tasks: random 3",
        f"{out} and {out.with_suffix('.xml')}: written",
    ]
    texts = {task["data"]["text"] for task in json.loads(out.read_text(encoding="utf-8"))}
    assert texts == {"Critics say so.", "Unemployment rose.", "It snowed."}
    # Nor those that were handed out, as tasks or as a sheet.
    more, sheet_path = tmp_path / "more.csv", tmp_path / "other.csv"
    arguments = ["tasks", str(pool), "--codebook", str(book), "--known", str(out), "--out"]
    assert main([*arguments, str(more)]) == 0
    assert set(sheet(more)) == {"It rained."}
    assert main([*arguments, str(sheet_path), "--known", str(more)]) == 2
    assert "found none new among 5" in capsys.readouterr().err
    assert main([*command, "--known", str(pool), "--overwrite"]) == 2
    assert "expected sentences to be coded, found none new among 5;" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "x.csv"], "expected one of --codebook and --model"),
        (["--out", "x.csv", "--codebook", "b", "--count", "0"], "--count: expected at least 1"),
        (["--out", "x.csv", "--codebook", "b", "--random", "2"], "--random: expected a share"),
        (["--out", "x.txt", "--codebook", "b"], "x.txt: expected a name that ends in .csv"),
        (["--out", "x.csv", "--codebook", "b.yaml"], "b.yaml: no such codebook file"),
    ],
)
def test_bad_options(
    options: list[str], message: str, pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks", str(pool), *options]) == 2
    assert message in capsys.readouterr().err
