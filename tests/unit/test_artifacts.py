from pathlib import Path

import pytest

from framing.artifacts import (
    atomic_path,
    check_manifest,
    printable,
    read_json,
    read_predictions,
    refuse_existing,
    write_json,
    write_manifest,
    write_output,
    write_predictions,
    writing,
)
from framing.errors import ArtifactError, DiskError, OutputError
from framing.records import Prediction


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")

    def fail_half_way() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_existing_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        refuse_existing(tmp_path)
    refuse_existing(tmp_path, overwrite=True)
    refuse_existing(tmp_path / "new")


def test_manifest_sees_changed_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    (tmp_path / "y").write_text("2")
    (tmp_path / "skip").write_text("3")
    first = write_manifest(tmp_path, "M", leave_out=["skip"])
    assert check_manifest(tmp_path, "M") == first
    (tmp_path / "skip").write_text("4")
    assert check_manifest(tmp_path, "M") == first
    (tmp_path / "a" / "x").write_text("changed")
    with pytest.raises(ArtifactError, match=r"a/x: hash differs from M"):
        check_manifest(tmp_path, "M")
    (tmp_path / "a" / "x").unlink()
    with pytest.raises(ArtifactError, match=r"a/x: named in M, but missing"):
        check_manifest(tmp_path, "M")


def test_predictions_round_trip(tmp_path: Path) -> None:
    made = [Prediction("a", {"v": (0.25, 0.75)}, {"v": ("x",)}, "h")]
    write_predictions(tmp_path / "p.jsonl", made)
    assert read_predictions(tmp_path / "p.jsonl") == made
    (tmp_path / "p.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(ArtifactError, match=r"p.jsonl:1: not a prediction"):
        read_predictions(tmp_path / "p.jsonl")
    with pytest.raises(ArtifactError, match="no such predictions file"):
        read_predictions(tmp_path / "none.jsonl")


def test_json_errors(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"k": "\u00e9"})
    assert read_json(tmp_path / "a.json") == {"k": "\u00e9"}
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ArtifactError, match="not valid JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(ArtifactError, match="no such file"):
        read_json(tmp_path / "b.json")


def test_a_full_disk(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"

    def fill() -> None:
        with atomic_path(target):
            raise OSError(28, "No space left on device")

    with pytest.raises(DiskError, match=r"out\.txt: cannot write: No space left on device$"):
        fill()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BrokenPipeError), writing("standard output"):
        raise BrokenPipeError


def test_names_that_are_not_utf8() -> None:
    assert printable(Path("/a/caf\udce9.txt")) == r"/a/caf\xe9.txt"
    assert printable("Café") == "Café"


def test_an_output_that_stands_there_already(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    write_output(path, "é", overwrite=False)
    made = path.stat().st_ino
    write_output(path, "é", overwrite=False)
    assert path.stat().st_ino == made
    with pytest.raises(OutputError, match="exists already"):
        write_output(path, "other", overwrite=False)
    write_output(path, "other", overwrite=True)
    assert path.read_text() == "other"
