from __future__ import annotations

import csv
import errno
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from framing.artifacts import BUNDLE, write_manifest
from framing.cli.main import main
from framing.codebook import parse_codebook
from framing.inference.development import save_outcomes
from framing.inference.labeller import Labeller
from framing.records import Prediction, Sentence
from tests.conftest import ROOT, SMALL_CODEBOOK
from tests.unit.inference.tiny_bundle import SMALL_WORDS, tiny_outcomes, write_tiny_bundle

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
    assert err.splitlines() == [
        "labelled 2 sentences, left out 1 other lines of pages",
        "  topics: prices 1 (50.0%), jobs 0 (0.0%)",
        "  view.prices: good 0 (0.0%), bad 1 (100.0%), open 0 (0.0%)",
        "  speaker: government 1 (50.0%), opposition 1 (50.0%)",
    ]


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


def test_estimates_below_a_table(
    measured: Path,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    summary = archive.with_suffix(".summary")
    assert _run(measured, archive, "--summary", summary) == 0
    first, _, prices, _ = capsys.readouterr().err.splitlines()
    assert first == f"summary -> {summary}"
    assert prices.startswith("  topics: prices 12.0% (")
    assert json.loads(summary.read_text())["sentences"] == 200


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


def test_several_columns_can_be_ignored(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "a.csv"
    table.write_text("text,position,span,n\nInflation rose.,front,p. 3,1\n")
    assert _run(bundle, table) == 2
    assert "pass --column ignore=span" in capsys.readouterr().err
    ignored = ["--column", "ignore=position", "--column", "ignore=span"]
    assert _run(bundle, table, *ignored, "--column", "id=n", "--column", "id=n") == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["id"], row["position"], "metadata" in row) == ("1", 0, False)


def test_columns_stand_in_the_order_of_the_header(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "a.csv", tmp_path / "out.parquet"
    table.write_text("b,text,coder,a,title,c\n,Inflation rose.,,,,\n,So on.,Ana,x,,y\n")
    for arguments in ([], ["--overwrite"]):
        assert _run(bundle, table, "--format", "csv") == 0
        assert capsys.readouterr().out.splitlines()[0].endswith(",bundle,b,coder,a,title,c")
        assert _run(bundle, table, "--out", out, *arguments) == 0
        assert pq.read_schema(out).names[-5:] == ["b", "coder", "a", "title", "c"]
        table.write_text(table.read_text().replace(",So on.,Ana,x,,y", "x,So on.,,,,"))


def _child(bundle: Path, *arguments: object, **options: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "framing", "predict", "--model", bundle, *arguments]
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_standard_output_is_utf8_in_any_locale(bundle: Path, tmp_path: Path, kind: str) -> None:
    text = "Inflation – «très» terrible."
    article = tmp_path / "a.txt"
    article.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = _child(bundle, article, "--format", kind, env=environment, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert text.encode() in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_full_standard_output(bundle: Path, article: Path, kind: str) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = _child(bundle, article, "--format", kind, stdout=full)
    assert done.returncode == 2
    message = "framing predict: standard output: cannot write: No space left on device\n"
    assert done.stderr.decode() == message


@pytest.mark.parametrize("out", [[], ["--out", "out.jsonl"]])
@pytest.mark.parametrize("option", ["--html", "--summary"])
def test_a_disk_that_is_full_in_the_end(
    bundle: Path,
    article: Path,
    out: list[str],
    option: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(article.parent)

    write = Path.write_text

    def full(path: Path, *arguments: str, **options: str) -> int:
        if "new.file" in path.name:
            raise OSError(28, "No space left on device")
        return write(path, *arguments, **options)

    command = [bundle, article, *out, option, "new.file"]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert _run(*command) == 2
    error = capsys.readouterr().err
    assert "framing predict: new.file: cannot write: No space left on device" in error
    assert ("mend this, then run the same command again: it continues" in error) == bool(out)
    assert not Path("new.file").exists()
    assert _run(*command) == 0
    assert Path("new.file").exists()


def test_a_full_disk_for_temporary_files(
    bundle: Path,
    article: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: Full())
    assert _run(bundle, article, "--format", "csv") == 2
    assert "predict: temporary file: cannot write: No space left" in capsys.readouterr().err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_beside_rows_that_go_elsewhere(
    bundle: Path,
    flawed: Path,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a terminal the rows themselves show how far the work has come."""
    monkeypatch.setattr("framing.inference.progress._QUIET", 0)
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr(sys, "stdout", _Terminal() if terminal else io.StringIO())
    assert _run(bundle, flawed, "--format", "jsonl") == 0
    said = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert said.startswith(f"left out: {flawed}:2")
    assert ("\r2 sentences" in said) != terminal


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
        (["--html", "x.h", "--summary", "./x.h"], "--html and --summary both name x.h"),
        (["--out", "x.csv", "--summary", "y/../x.csv"], "--out and --summary both name x.csv"),
        (["--out", "x.csv", "--summary", "./x.csv.bad.jsonl"], "is for the bad rows of --out"),
        (["--out", "x.csv", "--html", "x.csv.bad.jsonl"], "is for the bad rows of --out"),
        (["--out", "x.csv", "--summary", "x.csv.parts"], "is for the unfinished work of --out"),
        (["--out", "x.csv", "--summary", "x.csv.parts/s"], "--summary: x.csv.parts/s is for the"),
        (["--out", "x.csv", "--html", "x.csv.parts/a/b"], "--html: x.csv.parts/a/b is for the unf"),
        (["--summary", "."], "is a folder; name a file in it"),
        (["--column", "id"], "--column: expected FIELD=NAME, found 'id'"),
        (["--column", "idd=x"], "Did you mean 'id'?"),
        (["--column", "id=x", "--column", "id=y"], "expected one column for id, found x and y;"),
        (["--column", "text=x", "--text-column", "y"], "one column for text, found x and y;"),
        (["--html", "."], "is a folder; name a file in it"),
        (["--out", f"{__file__}/new/x.csv"], "test_predict.py is no folder"),
        (["--html", f"{__file__}/x.html"], "test_predict.py is no folder"),
        (["--out", "x" * 300 + ".csv"], "cannot write here: File name too long"),
        (["--format", "parquet"], "Parquet goes to a file only; name it with --out"),
        (["--workers", "2"], "--workers is for --engine ray only"),
        (["--engine", "ray"], "--engine ray writes to --out FILE only"),
        (["--engine", "ray", "--out", "o.csv", "--workers", "0"], "expected at least 1, found 0"),
    ],
)
def test_mistakes_in_options(
    bundle: Path,
    article: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(article.parent)
    assert _run(bundle, article, *arguments) == 2
    assert message in capsys.readouterr().err
    assert list(article.parent.iterdir()) == [article]


def test_other_processes_cannot_read_standard_input(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bundle, "-", "--engine", "ray", "--out", "o.csv") == 2
    assert "cannot read standard input; name files" in capsys.readouterr().err


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Inflation."}\n{"text": \n{"text": "Fine."}\n')
    return path


def test_bad_rows_go_to_a_side_file(
    bundle: Path, flawed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    assert _run(bundle, flawed, "--out", out) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        f"labelled 2 sentences -> {out}",
        f"could not read 1 row; see {out}.bad.jsonl",
    ]
    assert lines[2].startswith(
        "warning: 33% of the rows could not be read, so that what is counted"
    )
    (bad,) = map(json.loads, Path(f"{out}.bad.jsonl").read_text().splitlines())
    assert (bad["file"], bad["line"], bad["raw"]) == (str(flawed), 2, '{"text": ')
    # They are gone when the next run finds none.
    flawed.write_text('{"text": "Inflation."}\n')
    assert _run(bundle, flawed, "--out", out, "--overwrite") == 0
    assert not Path(f"{out}.bad.jsonl").exists()


def test_bad_rows_are_told_where_there_is_no_side_file(
    bundle: Path, flawed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("jsonl", "csv"):
        assert _run(bundle, flawed, "--format", kind) == 0
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 2 + (kind == "csv")
        assert f"left out: {flawed}:2: not JSON" in err
        assert "could not read 1 row\n" in err


def test_the_output_is_no_input(
    bundle: Path, flawed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    assert _run(bundle, tmp_path, "--out", out) == 0
    assert _run(bundle, tmp_path, "--out", out, "--overwrite") == 0
    assert len(out.read_text().splitlines()) == 2
    assert _run(bundle, flawed, "--out", flawed, "--overwrite") == 2
    assert "is an input and would be written; name another output" in capsys.readouterr().err


def test_stopped_in_the_last_step(
    bundle: Path,
    article: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, html = tmp_path / "out.jsonl", tmp_path / "out.html"

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    def stop() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("framing.inference.job.Job._clean_up", interrupt)
            assert _run(bundle, article, "--out", out, "--overwrite") == 130

    for arguments in ([], ["--html", html]):
        stop()
        assert _run(bundle, article, "--out", out, *arguments) == 0
        assert "was done already" in capsys.readouterr().err
    assert "Inflation is terrible" in html.read_text()
    html.unlink()
    stop()
    assert _run(bundle, article, "--out", out, "--plain") == 2
    assert f"{out}: exists already" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.jsonl", "talks.txt"]


@pytest.mark.parametrize(
    "where",
    [
        "framing.inference.summary.write_summary",
        "framing.inference.article_view.write_view",
        "framing.inference.job.Job._clean_up",
    ],
)
def test_a_view_after_a_stop_in_the_last_step(
    bundle: Path,
    article: Path,
    tmp_path: Path,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, html, whole = tmp_path / "out.jsonl", tmp_path / "out.html", tmp_path / "whole.html"
    assert _run(bundle, article, "--html", whole) == 0
    command = [bundle, article, "--out", out, "--html", html, "--summary", tmp_path / "s.json"]

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, interrupt)
        assert _run(*command) == 130
        made = out.stat().st_ino
        assert _run(*command) == 130
    capsys.readouterr()
    assert _run(*command) == 0
    assert capsys.readouterr().err.startswith(f"{out}: was done already\nlabelled 2 sentences")
    assert html.read_bytes() == whole.read_bytes()
    assert out.stat().st_ino == made
    names = ["out.html", "out.jsonl", "s.json", "talks.txt", "whole.html"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert _run(*command) == 2
    assert f"{out}: exists already" in capsys.readouterr().err


def test_an_existing_view_is_refused_before_the_model_is_opened(
    article: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = tmp_path / "view.html"
    html.write_text("mine")
    for arguments in ([], ["--out", tmp_path / "out.jsonl"]):
        assert _run(tmp_path / "no-model", article, "--html", html, *arguments) == 2
        assert f"{html}: exists already; name another output" in capsys.readouterr().err
    assert html.read_text() == "mine"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that knows how often it errs."""
    folder = tmp_path_factory.mktemp("measured") / "bundle"
    write_tiny_bundle(folder, parse_codebook(SMALL_CODEBOOK), SMALL_WORDS)
    save_outcomes(folder / BUNDLE.development, tiny_outcomes())
    write_manifest(folder, BUNDLE.manifest)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """200 sentences, 28 of them on prices."""
    path = tmp_path / "archive.jsonl"
    texts = ["Inflation." if k < 28 else "Fine." for k in range(200)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def test_estimates_come_with_counts(
    measured: Path, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for arguments in ([], ["--format", "csv"], ["--out", tmp_path / "out.csv"]):
        assert _run(measured, archive, *arguments) == 0
        told.append(capsys.readouterr().err.splitlines()[1:])
    assert told[0] == told[1] == told[2]
    assert told[0][0] == "  topics: prices 28 (14.0%), jobs 0 (0.0%)"
    header, prices, jobs = told[0][-3:]
    assert header.startswith("true shares of these sentences, if the model errs here as on its")
    assert prices.startswith("  topics: prices 12.0% (")
    assert jobs.startswith("  topics: jobs cannot be estimated: only 0 development sentences")


def test_bundles_without_a_development_split_say_so(
    bundle: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bundle, archive) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("no estimates of true shares: this")


def test_a_summary_for_every_output(
    measured: Path, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name, arguments in (("a", []), ("b", ["--out", tmp_path / "out.jsonl"])):
        files.append(tmp_path / "new" / f"{name}.json")
        assert _run(measured, archive, *arguments, "--summary", files[-1]) == 0
        assert str(files[-1]) in capsys.readouterr().err.splitlines()[0]
    assert files[0].read_bytes() == files[1].read_bytes()
    fields = json.loads(files[0].read_text())
    prices = fields["heads"][0]["labels"][0]
    assert (prices["count"], prices["estimate"]["share"]) == (28, 0.12)
    assert (fields["estimates"]["resamples"], fields["estimates"]["seed"]) == (1000, 0)
    assert [path.name for path in sorted(files[0].parent.iterdir())] == ["a.json", "b.json"]


def test_an_existing_summary_is_refused_before_the_model_is_opened(
    measured: Path, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.json"
    path.write_text("mine")
    for arguments in ([], ["--out", tmp_path / "out.jsonl"]):
        assert _run(tmp_path / "no-model", archive, *arguments, "--summary", path) == 2
        assert f"{path}: exists already; name another output" in capsys.readouterr().err
        assert path.read_text() == "mine"
    assert _run(measured, archive, "--summary", path, "--overwrite") == 0
    assert json.loads(path.read_text())["sentences"] == 200


@pytest.mark.parametrize(
    "where",
    [
        "framing.inference.summary.write_summary",
        "framing.inference.job.Job._clean_up",
    ],
)
def test_a_summary_after_a_stop_in_the_last_step(
    measured: Path,
    archive: Path,
    tmp_path: Path,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, whole, path = tmp_path / "out.jsonl", tmp_path / "whole.json", tmp_path / "s.json"
    assert _run(measured, archive, "--summary", whole) == 0

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, interrupt)
        assert _run(measured, archive, "--out", out, "--summary", path) == 130
    capsys.readouterr()
    assert _run(measured, archive, "--out", out, "--summary", path) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        f"{out}: was done already",
        f"labelled 200 sentences -> {out}, {path}",
        "  topics: prices 28 (14.0%), jobs 0 (0.0%)",
    ]
    assert lines[-2].startswith("  topics: prices 12.0% (")
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "archive.jsonl",
        "out.jsonl",
        "s.json",
        "whole.json",
    ]


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sentences each call of the labeller was given."""
    calls: list[int] = []
    label = Labeller.label

    def noted(labeller: Labeller, sentences: Sequence[Sentence]) -> list[Prediction]:
        calls.append(len(sentences))
        return label(labeller, sentences)

    monkeypatch.setattr(Labeller, "label", noted)
    return calls


@pytest.mark.parametrize("changed", [False, True])
def test_overwriting_after_a_summary_that_could_not_be_written(
    measured: Path,
    archive: Path,
    tmp_path: Path,
    changed: bool,
    labelled: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, whole, path = tmp_path / "out.jsonl", tmp_path / "whole.jsonl", tmp_path / "s.json"

    write = Path.write_text

    def full(path: Path, *arguments: str, **options: str) -> int:
        if "s.json" in path.name:
            raise OSError(28, "No space left on device")
        return write(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert _run(measured, archive, "--out", out, "--summary", path) == 2
    assert "No space left on device; mend this" in capsys.readouterr().err
    path.write_text("mine")
    assert _run(measured, archive, "--out", out, "--summary", path) == 2
    assert f"{path}: exists already" in capsys.readouterr().err
    assert labelled == [200]
    if changed:
        archive.write_text(archive.read_text().replace("Fine.", "Unemployment."))
    assert _run(measured, archive, "--out", out, "--summary", path, "--overwrite") == 0
    # What was labelled is good for the same input only.
    assert labelled == [200, 200] if changed else [200]
    counts = [x["count"] for x in json.loads(path.read_text())["heads"][0]["labels"]]
    assert counts == ([28, 172] if changed else [28, 0])
    assert _run(measured, archive, "--out", whole) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert not Path(f"{out}.parts").exists()


def test_a_damaged_development_file_is_told_before_work(
    tmp_path: Path, labelled: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_bundle(tmp_path / "bundle", parse_codebook(SMALL_CODEBOOK), SMALL_WORDS)
    (folder / BUNDLE.development).write_bytes(b"no archive")
    write_manifest(folder, BUNDLE.manifest)
    # Many small files make a large input.
    tables = [tmp_path / f"{k}.csv" for k in range(10)]
    for table in tables:
        table.write_text("text\n" + "Inflation.\n" * 1000)
    assert _run(folder, *tables) == 2
    assert "development.npz: not labels of a development split" in capsys.readouterr().err
    assert labelled == []
    # An article needs no estimates.
    table.write_text("text\nInflation.\n")
    assert _run(folder, table) == 0


def test_a_row_with_a_wrong_place_of_the_target(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    write_tiny_bundle(folder, parse_codebook(SMALL_CODEBOOK), SMALL_WORDS, mark_target=True)
    table, out = tmp_path / "a.csv", tmp_path / "out.jsonl"
    table.write_text("text,target_start,target_end\nIt rose.,0,2\nIt fell.,0,99\n")
    assert _run(folder, table, "--out", out) == 0
    assert len(out.read_text().splitlines()) == 1
    assert "found 0 to 99" in Path(f"{out}.bad.jsonl").read_text()


def test_shares_of_screened_sentences(
    bundle: Path, article: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    label = Labeller.label

    def dismissing(labeller: Labeller, sentences: Sequence[Sentence]) -> list[Prediction]:
        first, *others = label(labeller, sentences)
        return [first, *(replace(other, labels={"topics": ()}) for other in others)]

    monkeypatch.setattr(Labeller, "label", dismissing)
    assert _run(bundle, article) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "  topics: prices 1 (50.0%), jobs 0 (0.0%)" in lines
    assert "  speaker: government 0 (0.0%), opposition 1 (100.0%)" in lines


def test_strict_stops_and_leaves_no_output(
    bundle: Path, flawed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(bundle, flawed, "--out", tmp_path / "out.jsonl", "--strict") == 2
    assert f"{flawed}:2" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [flawed]


def test_parquet_with_html(bundle: Path, article: Path, tmp_path: Path) -> None:
    out, html = tmp_path / "out.parquet", tmp_path / "view.html"
    assert _run(bundle, article, "--out", out, "--html", html) == 0
    assert pq.read_table(out)["topics"].to_pylist() == [["prices"], []]
    assert "Inflation is terrible" in html.read_text()


def test_interrupted_without_a_file(
    bundle: Path,
    article: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("framing.inference.labeller.Labeller.label", interrupt)
    assert _run(bundle, article) == 130
    assert capsys.readouterr().err == "framing: interrupted\n"
    assert _run(bundle, article, "--out", article.with_suffix(".csv")) == 130
    assert "the same command continues the work" in capsys.readouterr().err


def test_no_model(tmp_path: Path, article: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path / "none", article) == 2
    assert "no such folder; name a finished run or a bundle" in capsys.readouterr().err


def test_heavy_packages_stay_out(measured: Path, archive: Path, tmp_path: Path) -> None:
    heavy = (
        "torch transformers datasets evaluate sklearn scipy pandas pyarrow matplotlib jinja2 "
        "pydantic ray yaml"
    )
    code = (
        "import sys; from framing.cli.main import main; status = main(sys.argv[2:]); "
        "print(sorted(set(sys.argv[1].split()) & set(sys.modules))); sys.exit(status)"
    )
    out = ["--out", str(tmp_path / "o.csv"), "--html", str(tmp_path / "o.html")]
    out += ["--summary", str(tmp_path / "o.json")]
    command = [sys.executable, "-c", code, heavy, "predict", "--model", str(measured), *out]
    done = subprocess.run([*command, str(archive)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_outputs_that_are_no_files(
    bundle: Path, article: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, link, gone = tmp_path / "target.jsonl", tmp_path / "link.jsonl", tmp_path / "gone.html"
    target.write_text("mine")
    link.symlink_to(target)
    gone.symlink_to("nowhere.html")
    pipe = tmp_path / "pipe.csv"
    # A device would be lost to the whole machine if this failed.
    os.mkfifo(pipe)
    for option, path, message in (
        ("--out", pipe, "is a device or pipe, no file; name a file, or leave out --out"),
        ("--summary", pipe, "is a device or pipe"),
        ("--out", link, "is a link; name the file that it leads to"),
        ("--html", gone, "is a link"),
    ):
        assert _run(bundle, article, option, path, "--overwrite") == 2
        assert f"{path}: {message}" in capsys.readouterr().err
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert target.read_text() == "mine"


@pytest.mark.parametrize("option", ["--out", "--html", "--summary"])
def test_folders_that_take_no_files(
    bundle: Path,
    article: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
) -> None:
    def refused(*_: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(options.get("dir")))

    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    monkeypatch.setattr(Labeller, "label", lambda *_: pytest.fail("labelled"))
    assert _run(bundle, article, option, tmp_path / "new" / "x.csv") == 2
    assert "x.csv: cannot write here: Read-only file system" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [article.name]


def test_a_column_whose_name_is_not_utf8(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "in.csv"
    table.write_text("text\nInflation.\n")
    name = os.fsdecode(b"ignore=caf\xe9")
    assert _run(bundle, table, "--column", name, "--out", tmp_path / "out.csv") == 2
    assert r"--column: expected a name in UTF-8, found caf\xe9" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("closed", "arguments", "status", "message"),
    [
        ("<&-", "-", 2, "stdin: expected the text of an article, found nothing"),
        (">&-", "talks.txt", 2, "standard output: cannot write: not writable"),
        (">&-", "talks.txt --format csv", 2, "standard output: cannot write: not writable"),
        (">&-", "talks.txt --out out.jsonl", 0, "labelled 2 sentences"),
        ("2>&-", "talks.txt --out out.jsonl", 0, ""),
        ("2>&-", "gone.txt", 2, ""),
        ("<&- >&- 2>&-", "talks.txt --out out.jsonl", 0, ""),
    ],
)
def test_closed_standard_streams(
    bundle: Path, article: Path, closed: str, arguments: str, status: int, message: str
) -> None:
    command = f"{sys.executable} -m framing predict --model {bundle} {arguments} {closed}"
    found = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        cwd=article.parent,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert found.returncode == status
    assert message in found.stderr
    assert "Traceback" not in found.stderr
    assert found.stdout == ""
    if "--out" in arguments:
        assert len((article.parent / "out.jsonl").read_text().splitlines()) == 2


def test_outputs_whose_names_cannot_be_used(
    bundle: Path, article: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    arguments = [article, "--out", tmp_path / "loop" / "x.jsonl", "--html", tmp_path / "y.html"]
    assert _run(bundle, *arguments) == 2
    assert "cannot write here" in capsys.readouterr().err
    long = tmp_path / ("x" * 244 + ".jsonl")
    assert _run(bundle, article, "--out", long) == 2
    assert "the name has 250 bytes" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path != article) == ["loop"]
