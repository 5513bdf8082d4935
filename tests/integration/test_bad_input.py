"""Bad input: one clear error, exit status 2, nothing half written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from framing.artifacts import BUNDLE, RUN, SEEDS
from framing.cli.main import main

GOOD = '{"id": "a", "text": "the minister says prices hurts people"}\n'

Stderr = Callable[..., str]


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Stderr:
    def run(*arguments: object) -> str:
        assert main([str(a) for a in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"framing {arguments[0]}: ")
        assert "Traceback" not in captured.err
        return captured.err

    return run


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jsonl", b"", "expected at least one row, found none"),
        ("empty.txt", b"", "empty"),
        ("broken.jsonl", GOOD.encode() + b'{"id": "b", "text"\n', "broken.jsonl:2: not JSON"),
        (
            "latin.jsonl",
            GOOD.encode() + '{"text": "caf\xe9"}\n'.encode("latin-1"),
            "latin.jsonl:2: expected UTF-8, found byte 0xe9",
        ),
        ("latin.txt", "Das Caf\xe9 ist zu.".encode("latin-1"), "expected UTF-8"),
        ("other.csv", b"id,body\n1,hello\n", "text"),
        ("ragged.csv", b"id,text\n1,hello,there\n", "ragged.csv:2: expected 2 cells"),
        ("data.xlsx", b"PK", "unknown format '.xlsx'"),
    ],
)
def test_predict_on_bad_files(
    name: str, content: bytes, message: str, run_folder: Path, tmp_path: Path, stderr: Stderr
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    out = tmp_path / "out.jsonl"
    # Without --strict a single bad row would go to a side file.
    assert message in stderr("predict", "--strict", "--model", run_folder, source, "--out", out)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_existing_output_is_kept(run_folder: Path, tmp_path: Path, stderr: Stderr) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(GOOD, encoding="utf-8")
    out.write_text("precious", encoding="utf-8")
    assert "exists already" in stderr("predict", "--model", run_folder, source, "--out", out)
    assert out.read_text(encoding="utf-8") == "precious"


def test_missing_model(tmp_path: Path, stderr: Stderr) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(GOOD, encoding="utf-8")
    assert "no such folder" in stderr("predict", "--model", tmp_path / "none", source)
    assert "neither a run nor a bundle" in stderr("predict", "--model", tmp_path, source)


def test_missing_input(run_folder: Path, tmp_path: Path, stderr: Stderr) -> None:
    assert "no such file" in stderr("predict", "--model", run_folder, tmp_path / "none.txt")


def test_altered_bundle(run_folder: Path, tmp_path: Path, stderr: Stderr) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(run_folder / RUN.bundle, bundle)
    decisions = bundle / BUNDLE.decisions
    decisions.write_text(decisions.read_text().replace("0.5", "0.6"), encoding="utf-8")
    source = tmp_path / "in.jsonl"
    source.write_text(GOOD, encoding="utf-8")
    assert "hash differs" in stderr("predict", "--model", bundle, source)


def test_altered_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: Stderr) -> None:
    from framing import corpora

    copy = tmp_path / "corpora" / "security_talks"
    shutil.copytree(Path(corpora.__path__[0]) / "security_talks", copy)
    sentences = copy / "sentences.jsonl"
    sentences.write_text(sentences.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    monkeypatch.setattr("framing.data.bundled.corpus_folder", lambda _: copy)
    config = tmp_path / "run.yaml"
    config.write_text("name: a\ndata: {corpus: security_talks}\n", encoding="utf-8")
    message = stderr("train", config, "--runs", tmp_path / "runs")
    assert "sentences.jsonl: hash differs" in message
    assert not (tmp_path / "runs").exists()


def test_runs_that_cannot_be_a_folder(study: Path, tmp_path: Path, stderr: Stderr) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for runs in (tmp_path / "file", tmp_path / "file" / "deeper"):
        message = stderr("train", study / "own.yaml", "--runs", runs)
        assert f"{runs}: cannot be a folder: {tmp_path / 'file'} is a file" in message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("encoder.context=[title]", "encoder.context: [title]: no sentence of coded has a title"),
        ("encoder.context=[target]", "no sentence of coded has a target; say under data.columns"),
        ("encoder.mark_target=true", "encoder.mark_target: no sentence of coded has a target_sta"),
        ("data.train_where={source: []}", "data.train_where: the values given and data.hold_out"),
        (
            "data.train_weights={source: {paper 0: 0, paper 1: 0, paper 2: 0, paper 3: 0}}",
            "data.train_weights: the values given give weight to none of the ",
        ),
        ("data.where={source: []}", "in the train split; each split needs at least one document ("),
        ("seeds=7", "seeds: expected a list, such as [7]; found 7"),
        ("data.where={source: [3]}", "expected text; write the number in quotation marks: '3'"),
    ],
)
def test_what_would_be_trained_without(
    setting: str, message: str, study: Path, tmp_path: Path, stderr: Stderr
) -> None:
    runs = tmp_path / "runs"
    assert message in stderr("train", study / "own.yaml", "--runs", runs, "--set", setting)
    assert not runs.exists()


def test_reports_of_what_is_no_finished_run(
    run_folder: Path, tmp_path: Path, stderr: Stderr
) -> None:
    shutil.copy(run_folder / RUN.config, tmp_path / RUN.config)
    assert "this run is unfinished; run its training command again" in stderr("report", tmp_path)
    seeds = tmp_path / "own-seeds"
    seeds.mkdir()
    (seeds / SEEDS.report).write_text("Seeds.", encoding="utf-8")
    assert "own-seeds: a summary of seeds, whose report is summary.md" in stderr("report", seeds)


def test_unknown_column(study: Path, run_folder: Path, tmp_path: Path, stderr: Stderr) -> None:
    columns = tmp_path / "columns.yaml"
    columns.write_text("text: sentense\n", encoding="utf-8")
    data = study / "new.csv"
    out = tmp_path / "out"
    message = stderr(
        "evaluate", "--model", run_folder, "--data", data, "--columns", columns, "--out", out
    )
    assert "'sentense'" in message
    assert "known: " in message
