"""Two processes train together, on this machine's processors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framing.artifacts import RUN, SEEDS, check_manifest, read_json
from framing.cli.main import main
from tests.conftest import ROOT
from tests.integration.conftest import make_study


def test_two_processes_finish_every_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, runs = make_study(tmp_path), tmp_path / "runs"
    arguments = ["train", str(config), "--runs", str(runs)]
    for change in ("training.epochs=1", "evaluation.baselines=[majority]", "seeds=[1, 2]"):
        arguments += ["--set", change]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "framing", *arguments],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folders = sorted(path for path in runs.glob("own-*-s[12]"))
    assert len(folders) == 2
    for folder in folders:
        check_manifest(folder, RUN.manifest)
        # Half the steps that one process takes for the 168 sentences in batches of 8.
        assert read_json(folder / RUN.record)["training"]["steps"] == 11
        assert done.stdout.count(f"{folder}: fine-tuning") == 1
    assert (runs / "own").resolve() == folders[0]
    (summary,) = runs.glob(f"own-*-{SEEDS.folder}")
    assert (summary / SEEDS.report).is_file()
    # Another process than the main one leaves finished runs and says nothing.
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    (runs / "own").unlink()
    assert main(arguments) == 0
    assert capsys.readouterr().out == ""
    assert not (runs / "own").is_symlink()
