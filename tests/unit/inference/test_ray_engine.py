from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
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


@needs_ray
@pytest.mark.slow
def test_two_workers_give_what_one_process_gives(tmp_path: Path, tiny_bundle: Path) -> None:
    table = tmp_path / "in.jsonl"
    rows = [{"text": "Inflation " * (1 + k % 4), "doc_id": f"d{k // 3}"} for k in range(3 * CHUNK)]
    table.write_text("{\n" + "".join(json.dumps(row) + "\n" for row in rows))
    # A process of its own: Ray opens sockets, and leaves warnings.
    command = [sys.executable, "-m", "framing", "predict", "--model", tiny_bundle, table, "--out"]
    local, spread = tmp_path / "local.jsonl", tmp_path / "spread.jsonl"
    subprocess.run([*command, local], check=True, capture_output=True)
    done = subprocess.run(
        [*command, spread, "--engine", "ray", "--workers", "2"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "labelled 3,072 sentences -> " in done.stderr
    assert spread.read_bytes() == local.read_bytes()
    bad = Path(f"{spread}.bad.jsonl").read_bytes()
    assert bad == Path(f"{local}.bad.jsonl").read_bytes()


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
    ("address", "where"), [(None, "started here"), ("10.0.0.1:6379", "reached at 10.0.0.1:6379")]
)
def test_ray_does_not_start(
    monkeypatch: pytest.MonkeyPatch, address: str | None, where: str
) -> None:
    ray = _Ray("no port is free")
    monkeypatch.setitem(sys.modules, "ray", ray)
    for name in ("data", "exceptions"):
        monkeypatch.setitem(sys.modules, f"ray.{name}", _Ray(""))
    with pytest.raises(DependencyError, match=f"Ray cannot be {where}: no port is free"):
        ray_engine._started(address, 2)
