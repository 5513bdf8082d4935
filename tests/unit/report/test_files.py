from __future__ import annotations

import json
from pathlib import Path

import pytest

from framing.artifacts import RUN, check_manifest, write_manifest
from framing.cli.main import main
from framing.errors import ArtifactError, CodebookError
from framing.evaluation.schema import Scores, to_dict
from framing.report import load_scores, write_report
from tests.unit.report import examples


def test_written_scores_can_be_loaded(study: Scores, tmp_path: Path) -> None:
    write_report(tmp_path, study)
    assert load_scores(tmp_path) == study
    assert load_scores(tmp_path / RUN.scores) == study
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {RUN.scores, RUN.report_html, RUN.report_markdown, RUN.card}


def test_missing_scores(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"scores\.json: no such file"):
        load_scores(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected scores as a JSON object, found a list"),
        ("null", "found null"),
        ('{"scores": 1}', r"Scores has no field \['scores'\]"),
        ("{}", "missing 16 required"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / RUN.scores).write_text(text)
    with pytest.raises(ArtifactError, match=message):
        load_scores(tmp_path)


def test_scores_of_another_form_are_refused(flagship: Scores, tmp_path: Path) -> None:
    value = to_dict(flagship)
    value["systems"][0]["scores"][0]["mean"] = 0.5
    (tmp_path / RUN.scores).write_text(json.dumps(value))
    with pytest.raises(ArtifactError, match=r"Score has no field \['mean'\]; score the run again"):
        load_scores(tmp_path)


def test_nothing_is_written_when_rendering_fails(flagship: Scores, tmp_path: Path) -> None:
    value = to_dict(flagship)
    value["codebook"]["variables"] = []
    (tmp_path / RUN.scores).write_text(json.dumps(value))
    with pytest.raises(CodebookError, match="at least one variable"):
        main_report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [RUN.scores]


def main_report(folder: Path) -> None:
    from framing.cli.report import remake

    remake([folder])


def test_command_remakes_and_keeps_the_manifest_true(
    flagship: Scores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_report(tmp_path, flagship)
    (tmp_path / "config.yaml").write_text("name: x\n")
    write_manifest(tmp_path, RUN.manifest)
    expected = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / RUN.report_html).write_text("old")
    (tmp_path / RUN.report_markdown).unlink()
    assert main(["report", str(tmp_path)]) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == expected
    check_manifest(tmp_path, RUN.manifest)
    assert str(tmp_path / RUN.report_html) in capsys.readouterr().out


def test_command_does_not_vouch_for_other_files(flagship: Scores, tmp_path: Path) -> None:
    write_report(tmp_path, flagship)
    (tmp_path / "config.yaml").write_text("name: x\n")
    write_manifest(tmp_path, RUN.manifest)
    (tmp_path / "config.yaml").write_text("name: y\n")
    assert main(["report", str(tmp_path)]) == 0
    with pytest.raises(ArtifactError, match=r"config\.yaml: hash differs"):
        check_manifest(tmp_path, RUN.manifest)


def test_command_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "none: no such run; expected a folder with scores.json" in capsys.readouterr().err


def test_command_over_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for seed in (1, 2, 3):
        scores = examples.with_seed(seed)
        folder = tmp_path / scores.run
        write_report(folder, scores)
        folders.append(str(folder))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert main(["report", "--seeds", *folders]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Issues of the day: scores over seeds")
    assert "| Main issue | Macro | F1 |" in out
    assert {path: path.read_bytes() for path in before} == before
