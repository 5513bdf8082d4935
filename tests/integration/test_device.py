"""`--device`: a run's torch model in place of the graph, on the small study."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import framing
from framing.artifacts import RUN
from framing.cli.main import main
from framing.device import TorchSession, device_labeller
from framing.errors import ConfigError, DependencyError, OutputError
from framing.inference.bundle import load_bundle
from framing.inference.graphs import GRAPH_OUTPUT
from framing.inference.labeller import Labeller
from framing.model.classifier import load_classifier
from framing.records import Sentence

TEXTS = [f"the {who} says {what} pleases people" for who in ("minister", "critic") for what in
         ("prices", "jobs", "rain")]  # fmt: skip
SENTENCES = [Sentence(str(k), text, "d") for k, text in enumerate(TEXTS)]
ACCELERATOR = torch.accelerator.current_accelerator(check_available=True)


def test_the_torch_model_gives_what_the_graph_gives(run_folder: Path) -> None:
    bundle = load_bundle(run_folder)
    graph, found = Labeller(bundle), device_labeller(bundle, run_folder, "cpu:0")
    assert isinstance(found.bundle.graphs.session, TorchSession)
    expected = graph.label(SENTENCES)
    for a, b in zip(expected, found.label(SENTENCES), strict=True):
        assert (a.labels, a.sentence_id, a.bundle) == (b.labels, b.sentence_id, b.bundle)
        for head, values in a.probabilities.items():
            assert np.allclose(values, b.probabilities[head], atol=1e-4)
    assert framing.load(run_folder, device="cpu:0").label(TEXTS)[0].labels == expected[0].labels


def test_half_precision_changes_logits_little(run_folder: Path) -> None:
    model = load_classifier(run_folder / RUN.checkpoint, "sdpa")
    generator = np.random.default_rng(0)
    ids = generator.integers(5, model.config.encoder["vocab_size"], (8, 12))
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    full, half = (
        TorchSession(model, torch.device("cpu"), half=half).run([GRAPH_OUTPUT], feeds)[0]
        for half in (False, True)
    )
    assert half.dtype == np.float32
    assert 0 < np.abs(full - half).max() < 0.05


@pytest.mark.skipif(ACCELERATOR is None, reason="needs a GPU or another accelerator")
def test_labels_of_an_accelerator(run_folder: Path) -> None:
    assert ACCELERATOR is not None
    bundle = load_bundle(run_folder)
    found = device_labeller(bundle, run_folder, ACCELERATOR.type)
    sentences = SENTENCES * 50
    expected = Labeller(bundle).label(sentences)
    same = [a.labels == b.labels for a, b in zip(expected, found.label(sentences), strict=True)]
    assert np.mean(same) > 0.98


def test_the_program_labels_on_a_device(run_folder: Path, study: Path, tmp_path: Path) -> None:
    new, run = str(study / "new.csv"), str(run_folder)
    for name, device in (("graph", "cpu"), ("torch", "cpu:0")):
        out = str(tmp_path / f"{name}.jsonl")
        assert main(["predict", "--model", run, new, "--out", out, "--device", device]) == 0
    graph, found = (
        (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        for name in ("graph", "torch")
    )
    assert len(graph) == len(found) == 90
    for a, b in zip(map(json.loads, graph), map(json.loads, found), strict=True):
        assert a["labels"] == b["labels"]


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("toaster", "expected a name such as cpu, cuda, cuda:1, mps or xpu, found 'toaster'"),
        ("cuda:99", "device: 'cuda:99' is not here: torch "),
    ],
)
def test_devices_that_are_not_there(
    run_folder: Path, study: Path, device: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", "--model", str(run_folder), str(study / "new.csv")]
    assert main([*arguments, "--device", device]) == 2
    assert message in capsys.readouterr().err


def test_ray_labels_on_processors(
    run_folder: Path, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", "--model", str(run_folder), str(study / "new.csv"), "--engine", "ray"]
    out = str(tmp_path / "out.jsonl")
    assert main([*arguments, "--device", "cuda", "--out", out]) == 2
    assert "--engine ray labels on processors" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_bundle_alone_has_no_torch_model(
    run_folder: Path, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run_folder / RUN.bundle, tmp_path / "bundle")
    arguments = ["predict", "--model", str(tmp_path / "bundle"), str(study / "new.csv")]
    assert main([*arguments, "--device", "cpu:0"]) == 2
    assert "name the run's folder in place of a bundle's" in capsys.readouterr().err


def test_without_torch(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "framing.model.classifier", None)
    with pytest.raises(DependencyError, match="install the extra"):
        framing.load(run_folder, device="cuda")


def test_a_device_without_memory(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = device_labeller(load_bundle(run_folder), run_folder, "cpu:0")
    session = found.bundle.graphs.session
    assert isinstance(session, TorchSession)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(session.model, "forward", full)
    with pytest.raises(OutputError, match="its memory is too small"):
        found.label(SENTENCES)
    monkeypatch.setattr(type(session.model), "to", full)
    with pytest.raises(OutputError, match="its memory is too small"):
        device_labeller(load_bundle(run_folder), run_folder, "cpu:0")


def test_an_unknown_device_of_the_function(run_folder: Path) -> None:
    with pytest.raises(ConfigError, match="expected a name such as"):
        framing.load(run_folder, device="toaster")
