from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from framing.config import OWN_ENCODERS, EncoderConfig
from framing.corpora import corpus_folder
from framing.errors import ArtifactError
from framing.model.difference import add_difference, write_difference
from framing.model.encoder import find_encoder, fingerprint, load_encoder
from tests.tiny import save_tiny_encoder


def tiny(folder: Path) -> AutoModel:
    return AutoModel.from_pretrained(save_tiny_encoder(folder / "encoder", ["a"]))


def test_what_was_learnt_comes_back(tmp_path: Path) -> None:
    model, rng, path = tiny(tmp_path), np.random.default_rng(0), tmp_path / "x.safetensors"
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    learnt = {
        name: 0.1 * rng.standard_normal(p.shape)
        for name, p in before.items()
        if ".layer.0." in name
    }
    write_difference(path, learnt, "tiny")
    add_difference(model, path)
    for name, p in model.named_parameters():
        change = (p - before[name]).detach().numpy()
        if name not in learnt:
            assert not change.any()
            continue
        # Half a step of a row's largest entry, or what float16 leaves of a vector.
        steps = np.abs(learnt[name]).max(axis=-1, keepdims=True) / 127
        assert (np.abs(change - learnt[name]) <= 0.51 * steps + 1e-6).all()
        assert change.any()


def test_a_difference_of_another_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_difference(path, {"encoder.layer.7.weight": np.ones((2, 2))}, "another")
    with pytest.raises(ArtifactError, match=r"layer\.7\.weight, of shape \(2, 2\), is no param"):
        add_difference(tiny(tmp_path), path)


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"x\.safetensors: expected the weights .* reinstall"):
        add_difference(tiny(tmp_path), path)


@pytest.mark.parametrize("name", OWN_ENCODERS)
def test_encoders_of_this_package(name: str) -> None:
    own = find_encoder(EncoderConfig(path=name))
    plain = find_encoder(EncoderConfig(layers=own.layers))
    assert own.learnt_from is not None
    assert corpus_folder(own.learnt_from).is_dir()
    assert fingerprint(own) != fingerprint(plain)
    assert own.difference is not None
    card = (own.difference.parent / "README.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("all-MiniLM-L6-v2", "Licence", "What it has not seen"))
    before, after = (load_encoder(source, "eager").state_dict() for source in (plain, own))
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed
    assert all(".layer." in key for key in changed)


def test_an_encoder_that_was_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framing.model.encoder._OWN", tmp_path)
    with pytest.raises(ArtifactError, match="expected an encoder of this package; reinstall"):
        find_encoder(EncoderConfig(path=OWN_ENCODERS[0]))
