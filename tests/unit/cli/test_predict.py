from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from framing.cli.main import main
from framing.codebook import parse_codebook
from tests.conftest import SMALL_CODEBOOK
from tests.unit.inference.tiny_bundle import SMALL_WORDS, write_tiny_bundle

ARTICLE = (
    "Inflation is terrible, say critics.\n\nOpen in App\n\nNobody came to the hall that night."
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "bundle"
    return write_tiny_bundle(folder, parse_codebook(SMALL_CODEBOOK), SMALL_WORDS).parent


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "talks.txt"
    path.write_text(ARTICLE)
    return path


def _run(bundle: Path, *arguments: object) -> int:
    return main(["predict", "--model", str(bundle), *map(str, arguments)])


def test_json_lines_to_standard_output(
    bundle: Path, article: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bundle, article) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["labels"]["topics"] for row in rows] == [["prices"], []]
    assert rows[0]["labels"]["view.prices"] == ["bad"]
    assert err == "labelled 2 sentences, left out 1 other lines of pages\n"


def test_plain_labels_everything(
    bundle: Path, article: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bundle, article, "--plain") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_csv_and_html(bundle: Path, article: Path, tmp_path: Path) -> None:
    out, html = tmp_path / "new" / "out.csv", tmp_path / "view.html"
    assert _run(bundle, article, "--out", out, "--html", html) == 0
    with out.open(newline="") as file:
        assert [row["topics"] for row in csv.DictReader(file)] == ["prices", ""]
    assert "Inflation is terrible" in html.read_text()


def test_html_alone_leaves_standard_output_empty(
    bundle: Path, article: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bundle, article, "--html", tmp_path / "view.html") == 0
    assert capsys.readouterr().out == ""


def test_a_table_on_a_terminal(
    bundle: Path, article: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert _run(bundle, article) == 0
    assert "2 sentences · Prices 1 · Jobs 0" in screen.getvalue()
    assert "Prices 0.98" in screen.getvalue()


def test_columns_can_be_named(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "a.csv"
    table.write_text("nr,body\n7,Inflation rose. Nobody came.\n")
    assert _run(bundle, table, "--text-column", "body", "--column", "id=nr") == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["id"] == "7"
    assert _run(bundle, table, "--text-column", "body", "--segment", "--format", "csv") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_existing_outputs_are_refused_before_the_model_is_opened(
    article: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    assert _run(tmp_path / "no-model", article, "--out", out) == 2
    assert "exists already; name another output, or pass --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_overwriting(bundle: Path, article: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    assert _run(bundle, article, "--out", out, "--overwrite") == 0
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.xlsx"], "expected an output that ends in .jsonl, .ndjson, .csv"),
        (["--out", "x.csv", "--html", "x.csv"], "--out and --html both name x.csv"),
        (["--column", "id"], "--column: expected FIELD=NAME, found 'id'"),
        (["--column", "idd=x"], "Did you mean 'id'?"),
        (["--html", "."], "is a folder; name a file in it"),
    ],
)
def test_mistakes_in_options(
    bundle: Path,
    article: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(bundle, article, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_broken_input_leaves_no_output(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "a.jsonl", tmp_path / "out.jsonl"
    table.write_text('{"text": "Fine."}\n{"text": \n')
    assert _run(bundle, table, "--out", out) == 2
    assert f"{table}:2" in capsys.readouterr().err
    assert not out.exists()


def test_no_model(tmp_path: Path, article: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path / "none", article) == 2
    assert "no such folder; name a finished run or a bundle" in capsys.readouterr().err


def test_heavy_packages_stay_out(bundle: Path, article: Path, tmp_path: Path) -> None:
    heavy = "torch transformers datasets evaluate sklearn pandas pyarrow matplotlib jinja2 pydantic"
    code = (
        "import sys; from framing.cli.main import main; status = main(sys.argv[2:]); "
        "print(sorted(set(sys.argv[1].split()) & set(sys.modules))); sys.exit(status)"
    )
    out = ["--out", str(tmp_path / "o.csv"), "--html", str(tmp_path / "o.html")]
    command = [sys.executable, "-c", code, heavy, "predict", "--model", str(bundle), *out]
    done = subprocess.run([*command, str(article)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
