from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from framing.errors import DependencyError
from framing.inference import ray_engine
from framing.inference.labeller import CHUNK

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
