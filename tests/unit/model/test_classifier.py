from pathlib import Path

import numpy as np
import pytest
import torch

from framing.codebook import Codebook
from framing.config import EncoderConfig
from framing.errors import ArtifactError, ConfigError
from framing.model.classifier import (
    LossWeights,
    SentenceClassifier,
    freeze_embeddings,
    load_classifier,
    new_classifier,
)
from framing.model.encoder import attention_for, find_encoder, load_encoder, load_fast_tokenizer
from tests.tiny import save_tiny_encoder


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), ["a", "b", "c"])


@pytest.fixture
def model(encoder_folder: Path, book: Codebook) -> SentenceClassifier:
    source = find_encoder(EncoderConfig(path=str(encoder_folder)))
    return new_classifier(load_encoder(source, "eager"), book, dropout=0.0).eval()


def test_padding_does_not_change_logits(model: SentenceClassifier) -> None:
    ids = torch.tensor([[2, 5, 6, 3, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    with torch.no_grad():
        padded = model(ids, mask, torch.zeros_like(ids)).logits
        alone = model(ids[:, :4], mask[:, :4], torch.zeros_like(ids[:, :4])).logits
    assert torch.allclose(padded, alone, atol=1e-5)


def test_segments_matter(model: SentenceClassifier) -> None:
    ids = torch.tensor([[2, 5, 3, 6, 3]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        one = model(ids, mask, torch.tensor([[0, 0, 0, 1, 1]])).logits
        other = model(ids, mask, torch.zeros_like(ids)).logits
    assert not torch.allclose(one, other)


def test_loss_by_hand(model: SentenceClassifier) -> None:
    logits = torch.zeros(1, 10)
    logits[0, 8] = np.log(3)
    labels = torch.zeros(1, 10)
    labels[0, 0], labels[0, 2], labels[0, 8] = 1, 1, 1
    weights = torch.tensor([[1.0, 0.5, 0.0, 1.0]])
    # topics: 2 ln 2; view.prices: half of ln 3; view.jobs: masked; speaker: -ln(3/4).
    expected = 2 * np.log(2) + 0.5 * np.log(3) - np.log(0.75)
    assert model.loss(logits, labels, weights).item() == pytest.approx(expected, rel=1e-5)
    model.loss_weights = LossWeights((2.0, 1.0, 1.0, 0.0), torch.tensor([3.0] + [1.0] * 9))
    expected = 2 * (3 * np.log(2) + np.log(2)) + 0.5 * np.log(3)
    assert model.loss(logits, labels, weights).item() == pytest.approx(expected, rel=1e-5)


def test_masked_heads_get_no_gradient(model: SentenceClassifier) -> None:
    ids = torch.tensor([[2, 5, 3]])
    labels = torch.full((1, 10), 0.5)
    weights = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    model(ids, torch.ones_like(ids), None, labels, weights).loss.backward()
    gradient = model.linear.weight.grad
    assert gradient is not None
    assert gradient[:2].abs().sum() > 0
    assert gradient[2:].abs().sum() == 0


def test_checkpoint_round_trip(model: SentenceClassifier, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    again = load_classifier(tmp_path)
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        found = again(ids, torch.ones_like(ids)).logits
        assert torch.allclose(found, model(ids, torch.ones_like(ids)).logits, atol=1e-6)
    assert again.config.heads == model.config.heads


def test_frozen_embeddings(model: SentenceClassifier) -> None:
    freeze_embeddings(model)
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["encoder.embeddings.word_embeddings.weight"]


def test_default_encoder_is_found_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_encoder(EncoderConfig()).name == "sentence-transformers/all-MiniLM-L6-v2"
    monkeypatch.setattr("framing.model.encoder._WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ArtifactError, match="not the weights this package was tested with"):
        find_encoder(EncoderConfig())


def test_missing_encoder_says_what_to_do(tmp_path: Path) -> None:
    source = find_encoder(EncoderConfig(path=str(tmp_path / "none")))
    with pytest.raises(ConfigError, match=r"cannot load encoder .*allow_download: true"):
        load_encoder(source, "eager")
    source = find_encoder(EncoderConfig(path="some-org/some-model"))
    with pytest.raises(ConfigError, match=r"cannot load encoder 'some-org/some-model'"):
        load_fast_tokenizer(source)


def test_attention_choice() -> None:
    assert attention_for(EncoderConfig(), "cpu") == "eager"
    assert attention_for(EncoderConfig(), "cuda") == "sdpa"
    assert attention_for(EncoderConfig(max_length=512), "cpu") == "sdpa"
    assert attention_for(EncoderConfig(attention="sdpa"), "cpu") == "sdpa"
