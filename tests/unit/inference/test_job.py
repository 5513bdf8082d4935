from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from framing.errors import DataError, OutputError
from framing.inference.bundle import Bundle, load_bundle
from framing.inference.job import Job, LocalEngine, Outcome, Plan
from framing.inference.labeller import CHUNK, Labeller
from framing.inference.parts import PartSummary
from framing.inference.sources import SourceSettings, find_inputs
from framing.inference.writers import Format
from tests.unit.inference.tiny_bundle import SMALL_WORDS

WORDS = [*SMALL_WORDS, "and", "so", "nobody", "came"]


class Stopped(Exception):  # noqa: N818 - it stands for a kill
    pass


class Stops:
    """A watcher that stops the job after some parts, as a kill would."""

    def __init__(self, after: int = 10**9) -> None:
        self.after = after
        self.new = 0
        self.restarts = 0

    def restart(self) -> None:
        self.restarts += 1

    def advance(self, outcome: Outcome) -> None:
        self.new += outcome.text is not None
        if self.new == self.after:
            raise Stopped


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return _write(tmp_path / "in.jsonl", 3 * CHUNK + 10)


def _write(path: Path, rows: int, seed: int = 0) -> Path:
    chance = random.Random(seed)
    with path.open("w") as file:
        for k in range(rows):
            text = " ".join(chance.choices(WORDS, k=chance.randint(1, 5)))
            bad = k % 1000 == 500
            file.write("{\n" if bad else json.dumps({"doc_id": f"d{k // 5}", "text": text}) + "\n")
    return path


def _plan(table: Path, bundle: Bundle, **settings: object) -> Plan:
    return Plan(find_inputs([str(table)]), SourceSettings(**settings), bundle.hash)  # type: ignore[arg-type]


def _job(
    out: Path,
    table: Path,
    bundle: Bundle,
    after: int = 10**9,
    kind: Format = "jsonl",
    overwrite: bool = False,
    **settings: object,
) -> tuple[PartSummary, int]:
    plan = _plan(table, bundle, **settings)
    watcher = Stops(after)
    job = Job(out, kind, overwrite)
    return job.run(plan, LocalEngine(Labeller(bundle)), bundle.codebook, watcher), watcher.new


def test_an_uninterrupted_job(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    out = tmp_path / "new" / "out.jsonl"
    summary, new = _job(out, table, bundle)
    assert new == 4
    assert (summary.sentences, summary.bad_rows) == (3 * CHUNK + 7, 3)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == summary.sentences
    assert [row["position"] for row in rows[:6]] == [0, 1, 2, 3, 4, 0]
    bad = [json.loads(line) for line in Path(f"{out}.bad.jsonl").read_text().splitlines()]
    assert bad[0] == {
        "file": str(table),
        "row": 501,
        "line": 501,
        "reason": "not JSON: Expecting property name enclosed in double quotes at character 3; "
        "one object a line is expected",
        "raw": "{",
    }
    assert sorted(p.name for p in out.parent.iterdir()) == ["out.jsonl", "out.jsonl.bad.jsonl"]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_stopped_job_goes_on(tmp_path: Path, table: Path, bundle: Bundle, kind: Format) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    _job(whole, table, bundle, kind=kind)
    for after in (1, 2):
        with pytest.raises(Stopped):
            _job(out, table, bundle, after, kind)
        assert not out.exists()
    summary, new = _job(out, table, bundle, kind=kind)
    assert new == 1
    assert out.read_bytes() == whole.read_bytes()
    if kind == "csv":
        with out.open(newline="") as file:
            assert len(list(csv.DictReader(file))) == summary.sentences
    if kind == "parquet":
        assert pq.read_metadata(out).num_rows == summary.sentences


def test_killed_twice(tmp_path: Path, tiny_bundle: Path) -> None:
    table = _write(tmp_path / "in.jsonl", 8 * CHUNK)
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "framing", "predict", "--model", tiny_bundle, table, "--out"]
    first = random.randint(0, 3)
    for number in (first, random.randint(first + 1, 6)):
        process = subprocess.Popen([*command, out], stderr=subprocess.DEVNULL)
        part = Path(f"{out}.parts") / f"part-{number:06d}.jsonl"
        for _ in _patience():
            if part.exists():
                break
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not out.exists()
    subprocess.run([*command, out], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([*command, whole], check=True, stderr=subprocess.DEVNULL)
    assert out.read_bytes() == whole.read_bytes()
    assert Path(f"{out}.bad.jsonl").read_bytes() == Path(f"{whole}.bad.jsonl").read_bytes()
    assert not Path(f"{out}.parts").exists()


def _patience() -> Iterator[None]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        yield
        time.sleep(0.002)
    pytest.fail("the job wrote no such part")


def test_other_work_is_not_continued(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(Stopped):
        _job(out, table, bundle, 1)
    with pytest.raises(OutputError, match=r"--overwrite to give up .*\n  - plain: False, now True"):
        _job(out, table, bundle, plain=True)
    other = _write(tmp_path / "other.jsonl", 20)
    with pytest.raises(
        OutputError, match=r"inputs: \S*other.jsonl is new\n  - inputs: \S*in.jsonl"
    ):
        _job(out, other, bundle)
    elsewhere = replace(_plan(table, bundle), device="cuda")
    with pytest.raises(OutputError, match=r"What differs:\n  - device: cpu, now cuda$"):
        Job(out, "jsonl", False).run(
            elsewhere, LocalEngine(Labeller(bundle)), bundle.codebook, Stops()
        )
    # That a job stops at bad rows now makes no other job of it.
    with pytest.raises(DataError, match=r"in\.jsonl:501: not JSON"):
        _job(out, table, bundle, strict=True)
    summary, new = _job(out, other, bundle, overwrite=True)
    assert (summary.sentences, new) == (20, 1)


def test_overwriting_continues_the_same_work(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    with pytest.raises(Stopped):
        _job(out, table, bundle, 2, overwrite=True)
    assert out.read_text() == "old"
    assert _job(out, table, bundle, overwrite=True)[1] == 2


def test_a_changed_input_is_noticed(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(Stopped):
        _job(out, table, bundle, 2)
    lines = table.read_text().splitlines()
    # What was not labelled yet may still be mended ...
    table.write_text("\n".join([*lines[:-1], '{"text": "mended"}']) + "\n")
    with pytest.raises(Stopped):
        _job(out, table, bundle, 1)
    # ... what was labelled may not.
    table.write_text("\n".join(['{"text": "other"}', *lines[1:]]) + "\n")
    with pytest.raises(OutputError, match=r"the input has changed .*part-000000\.jsonl"):
        _job(out, table, bundle)
    # Then --overwrite begins again, and leaves what a job without a past would.
    watcher, seen = Stops(), []
    engine = LocalEngine(Labeller(bundle), lambda part, _: seen.append(part.number))
    Job(out, "jsonl", True).run(_plan(table, bundle), engine, bundle.codebook, watcher)
    assert watcher.restarts == 1
    assert seen == [0, 0, 1, 2, 3]
    _job(tmp_path / "whole.jsonl", table, bundle)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_overwriting_a_broken_record(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(Stopped):
        _job(out, table, bundle, 1)
    (tmp_path / "out.jsonl.parts" / "job.json").write_text("{")
    with pytest.raises(OutputError, match=r"job\.json: not valid JSON.*pass --overwrite"):
        _job(out, table, bundle)
    assert _job(out, table, bundle, overwrite=True)[1] == 4


def test_nothing_is_left_of_a_job_that_could_not_begin(tmp_path: Path, bundle: Bundle) -> None:
    table = tmp_path / "in.jsonl"
    table.write_text("{\n")
    with pytest.raises(DataError, match=r"in\.jsonl:1: not JSON"):
        _job(tmp_path / "out.jsonl", table, bundle)
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_others_is_left_alone(
    tmp_path: Path, table: Path, bundle: Bundle, overwrite: bool
) -> None:
    out, folder = tmp_path / "out.jsonl", tmp_path / "out.jsonl.parts"
    message = (
        r"out\.jsonl\.parts: expected no such .* found something else; move it or name another"
    )
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=message):
        Job(out, "jsonl", overwrite).refuse_existing()
    with pytest.raises(OutputError, match=message):
        _job(out, table, bundle, overwrite=overwrite)
    assert [p.name for p in folder.iterdir()] == ["thesis.txt"]
    (folder / "thesis.txt").unlink()
    folder.rmdir()
    folder.write_text("a file")
    with pytest.raises(OutputError, match=message):
        Job(out, "jsonl", overwrite).refuse_existing()


def test_files_of_others_stay_beside_parts(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    out, folder = tmp_path / "out.jsonl", tmp_path / "out.jsonl.parts"
    with pytest.raises(Stopped):
        _job(out, table, bundle, 2)
    (folder / ".part-000003.jsonl.x1y2").write_text("half")
    others = {"part-old.jsonl", "notes.txt", ".hidden"}
    for name in others:
        (folder / name).write_text("mine")
    (folder / "part-0").mkdir()
    assert _job(out, table, bundle)[1] == 2
    assert {p.name for p in folder.iterdir()} == {*others, "part-0"}


def test_two_processes_do_not_meet(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "out.jsonl"
    lock = tmp_path / "out.jsonl.parts" / "lock"
    lock.parent.mkdir()
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another process is at this work"):
            _job(out, table, bundle)


def _stop(*_: object) -> None:
    raise Stopped


def _stop_before_cleaning_up(
    out: Path, table: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Job, "_clean_up", _stop)
        with pytest.raises(Stopped):
            _job(out, table, bundle)


@pytest.mark.parametrize("settings", [{}, {"plain": True}])
def test_stopped_between_the_last_step_and_cleaning_up(
    tmp_path: Path,
    table: Path,
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, bool],
) -> None:
    out = tmp_path / "out.jsonl"
    _stop_before_cleaning_up(out, table, bundle, monkeypatch)
    assert out.exists()
    plan = _plan(table, bundle)
    assert not Job(out, "jsonl", overwrite=True).finish_joined(plan)
    job = Job(out, "jsonl", overwrite=False)
    job.refuse_existing()
    assert job.finish_joined(_plan(table, bundle, **settings)) == (not settings)
    # It is an output like any other now.
    assert not (tmp_path / "out.jsonl.parts").exists()
    assert not job.finish_joined(plan)
    with pytest.raises(OutputError, match=r"out\.jsonl: exists already"):
        job.refuse_existing()


def test_all_is_labelled_again_for_what_comes_after_the_labels(
    tmp_path: Path, table: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, plan = tmp_path / "out.jsonl", _plan(table, bundle)
    _stop_before_cleaning_up(out, table, bundle, monkeypatch)
    made, seen, watcher = out.stat().st_ino, list[int](), Stops()
    engine = LocalEngine(Labeller(bundle), lambda part, _: seen.append(part.number))
    finished: list[PartSummary] = []
    job = Job(out, "jsonl", overwrite=False)
    # It may be stopped there too, and when it cleans up.
    with pytest.raises(Stopped):
        job.finish_joined(plan, _stop, (engine, watcher))
    part = tmp_path / "out.jsonl.parts" / "part-000001.jsonl"
    part.unlink()
    before = table.read_text()
    table.write_text(before.replace("inflation", "deflation"))
    with pytest.raises(OutputError, match="the input has changed since this work began"):
        job.finish_joined(plan, finished.append, (engine, watcher))
    table.write_text(before)
    seen.clear()
    assert job.finish_joined(plan, finished.append, (engine, watcher))
    assert seen == [0, 1, 2, 3]
    assert [summary.sentences for summary in finished] == [3 * CHUNK + 7]
    assert out.stat().st_ino == made
    assert not part.parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the names of files are text")
def test_names_that_are_not_utf8(tmp_path: Path, bundle: Bundle) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    _write(folder / os.fsdecode(b"caf\xe9.jsonl"), CHUNK + 5)
    (folder / "b.txt").write_text("Inflation rose.")
    out = tmp_path / "out.jsonl"
    with pytest.raises(Stopped):
        _job(out, folder, bundle, 1)
    record = json.loads((tmp_path / "out.jsonl.parts" / "job.json").read_text())
    assert record["inputs"] == [f"{folder}/b.txt", rf"{folder}/caf\xe9.jsonl"]
    summary, new = _job(out, folder, bundle)
    assert (summary.sentences, summary.bad_rows, new) == (CHUNK + 5, 1, 1)
    assert r'"id": "caf\\xe9-1"' in out.read_text()
    assert r"in/caf\\xe9.jsonl" in Path(f"{out}.bad.jsonl").read_text()


def test_another_file_is_not_taken_for_the_output(
    tmp_path: Path, table: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    replace = Path.replace

    def stop(path: Path, target: Path) -> Path:
        if target == out:
            raise Stopped
        return replace(path, target)

    out.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(Stopped):
            _job(out, table, bundle, overwrite=True)
    assert not Job(out, "jsonl", overwrite=False).finish_joined(_plan(table, bundle))
    assert out.read_text() == "old"
    assert _job(out, table, bundle, overwrite=True)[1] == 0
    assert out.read_text() != "old"


def test_a_full_disk(
    tmp_path: Path, table: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="cannot write: No space left on device; mend this"):
            _job(tmp_path / "out.jsonl", table, bundle)
    assert _job(tmp_path / "out.jsonl", table, bundle)[1] == 4


def test_the_side_file_of_other_work_is_kept(tmp_path: Path, table: Path, bundle: Bundle) -> None:
    out, bad = tmp_path / "out.jsonl", tmp_path / "out.jsonl.bad.jsonl"
    bad.write_text("mine")
    with pytest.raises(OutputError, match=r"out\.jsonl\.bad\.jsonl: exists already"):
        _job(out, table, bundle)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", bad.name]
    _job(out, table, bundle, overwrite=True)
    assert len(bad.read_text().splitlines()) == 3


def test_the_side_file_of_the_same_work_is_replaced(
    tmp_path: Path, table: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, bad = tmp_path / "out.jsonl", tmp_path / "out.jsonl.bad.jsonl"
    replace = Path.replace

    def stop(path: Path, target: Path) -> Path:
        if target == out:
            raise Stopped
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(Stopped):
            _job(out, table, bundle)
    assert bad.exists()
    Job(out, "jsonl", overwrite=False).refuse_existing()
    assert _job(out, table, bundle)[1] == 0
    assert len(bad.read_text().splitlines()) == 3


def test_all_is_on_the_disk_before_parts_are_removed(
    tmp_path: Path, table: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    events: list[str] = []
    sync, clean_up = os.fsync, Job._clean_up

    def noted(descriptor: int) -> None:
        status = os.fstat(descriptor)
        same = [p.name for p in tmp_path.rglob("*") if os.path.samestat(p.stat(), status)]
        events.append(*same or ["folder"])
        sync(descriptor)

    def cleaned(job: Job) -> None:
        events.append("clean-up")
        with pytest.raises(OutputError, match="another process is at this work"):
            _job(out, table, bundle, overwrite=True)
        clean_up(job)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", noted)
        patch.setattr(Job, "_clean_up", cleaned)
        _job(out, table, bundle)
    assert [name for name in events if not name.startswith(".")] == [
        "bad",
        "joined",
        "folder",
        "clean-up",
    ]
