from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from framing.errors import DependencyError, OutputError
from framing.inference import ray_engine
from framing.inference.job import Plan
from framing.inference.labeller import CHUNK
from framing.inference.ray_engine import RayEngine
from framing.inference.sources import SourceSettings

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install '.[scale]'"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three parts of sentences after one bad row."""
    rows = [{"text": "Inflation " * (1 + k % 4), "doc_id": f"d{k // 3}"} for k in range(3 * CHUNK)]
    file = tmp_path / "in.jsonl"
    file.write_text("{\n" + "".join(json.dumps(row) + "\n" for row in rows))
    return file


def _predict(bundle: Path, table: Path, out: Path, *options: str) -> str:
    """Run the command in a process of its own: Ray opens sockets, and leaves warnings."""
    command = [sys.executable, "-m", "framing", "predict", "--model", str(bundle), str(table)]
    done = subprocess.run(
        [*command, "--out", str(out), *options], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def _check_alike(bundle: Path, table: Path, *options: str) -> None:
    local, spread = table.with_name("local.jsonl"), table.with_name("spread.jsonl")
    _predict(bundle, table, local)
    said = _predict(bundle, table, spread, "--engine", "ray", *options)
    assert "labelled 3,072 sentences -> " in said
    assert spread.read_bytes() == local.read_bytes()
    bad = Path(f"{spread}.bad.jsonl").read_bytes()
    assert bad == Path(f"{local}.bad.jsonl").read_bytes()


@needs_ray
@pytest.mark.slow
def test_two_workers_give_what_one_process_gives(table: Path, tiny_bundle: Path) -> None:
    _check_alike(tiny_bundle, table, "--workers", "2")


@needs_ray
@pytest.mark.slow
def test_a_cluster_gives_what_one_process_gives(
    table: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ray asks for a token where an earlier run left one in the home folder, else not.
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray = str(Path(sys.executable).with_name("ray"))
    # Ray's own sockets lie below this folder, whose path must be short.
    folder = tempfile.mkdtemp(prefix="ray")
    start = [ray, "start", "--head", "--port", "0", "--num-cpus", "3", "--temp-dir", folder]
    start += ["--include-dashboard", "false", "--disable-usage-stats"]
    said = subprocess.run(start, check=True, capture_output=True, text=True).stdout
    found = re.search(r"--address='([^']+)'", said)
    assert found, said
    try:
        _check_alike(tiny_bundle, table, "--workers", "2", "--address", found[1])
    finally:
        subprocess.run([ray, "stop", "--force"], check=True, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'framing\[scale\]'"):
        ray_engine._started(None, 2)


class _Ray:
    """As much of Ray as is needed to fail."""

    class exceptions:  # noqa: N801
        RayError = OSError

    def __init__(self, message: str) -> None:
        self.message = message
        self.stopped = False

    def shutdown(self) -> None:
        self.stopped = True

    def init(self, *_: object, **__: object) -> None:
        raise ConnectionError(self.message)


@pytest.mark.parametrize(
    ("message", "reason"), [("", "OSError"), ("a trace\nthe reason\n", "the reason")]
)
def test_ray_gives_up(monkeypatch: pytest.MonkeyPatch, message: str, reason: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(message)

    ray = _Ray(message)
    monkeypatch.setattr(ray_engine, "_started", lambda *_: ray)
    monkeypatch.setattr(RayEngine, "_dataset", fail)
    with pytest.raises(OutputError, match=f"the work stopped in Ray: {reason}; mend this"):
        list(RayEngine(Path("x"), None, 2).run(Plan((), SourceSettings(), ""), frozenset()))
    assert ray.stopped


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "started here: no port is free$"),
        ("10.0.0.1:6379", "reached at 10.0.0.1:6379: no port is free; compare the address with"),
    ],
)
def test_ray_does_not_start(
    monkeypatch: pytest.MonkeyPatch, address: str | None, said: str
) -> None:
    ray = _Ray("no port is free")
    monkeypatch.setitem(sys.modules, "ray", ray)
    for name in ("data", "exceptions"):
        monkeypatch.setitem(sys.modules, f"ray.{name}", _Ray(""))
    with pytest.raises(DependencyError, match=f"Ray cannot be {said}"):
        ray_engine._started(address, 2)
