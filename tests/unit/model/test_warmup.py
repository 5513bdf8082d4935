from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from framing.arrays import label_array
from framing.codebook import parse_codebook
from framing.encoding import InputSettings, tokenize
from framing.model.classifier import SentenceClassifier, new_classifier
from framing.model.dataset import hard_targets
from framing.model.finetune import Examples, model_logits
from framing.model.warmup import (
    contrastive_loss,
    contrastive_warm_up,
    label_vectors,
    linear_start,
)
from framing.records import Sentence
from tests.conftest import SMALL_CODEBOOK
from tests.tiny import save_tiny_encoder

BOOK = parse_codebook(SMALL_CODEBOOK)
ONE = parse_codebook(
    "name: a\nvariables: [{id: v, kind: single_label, labels: [{id: x}, {id: y}]}]"
)
WORDS = ["the", "minister", "says", "inflation", "unemployment", "hurts", "pleases", "people"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), WORDS)


def study(encoder: Path) -> tuple[SentenceClassifier, Examples]:
    """Label y where "hurts" stands, x where "pleases" does."""
    texts = [
        f"the minister says {topic} {word} people"
        for topic in ("inflation", "unemployment", "minister", "people")
        for word in ("pleases", "hurts")
    ]
    tokenizer = AutoTokenizer.from_pretrained(encoder).backend_tokenizer
    tokenizer.no_padding()
    sentences = [Sentence(str(k), text, str(k)) for k, text in enumerate(texts)]
    tokens = tokenize(tokenizer, sentences, InputSettings((), 24))
    gold = label_array([{"v": ("y" if "hurts" in t else "x",)} for t in texts], ONE)
    torch.manual_seed(0)
    model = new_classifier(AutoModel.from_pretrained(encoder), ONE, 0.0).eval()
    factors = np.ones(len(texts))
    return model, Examples(tokens, gold, hard_targets(gold), factors, [s.id for s in sentences])


def test_loss_by_hand() -> None:
    # Two like sentences at right angles to a third: similarity 1 and 0, over 0.1.
    states = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    likeness = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    # Each of the two: -log(e^10 / (e^10 + 1)); the third has no other like it and does not count.
    expected = np.log1p(np.exp(-10))
    assert contrastive_loss(states, likeness).item() == pytest.approx(expected, abs=1e-6)


def test_loss_without_any_pair_is_nothing() -> None:
    states = torch.eye(3, requires_grad=True)
    loss = contrastive_loss(states, torch.eye(3))
    loss.backward()
    assert loss.item() == 0


def test_likeness_counts_shared_labels() -> None:
    coded = {"speaker": ("government",)}
    gold = label_array(
        [
            {"topics": ("prices", "jobs"), **coded},
            {"topics": ("prices",), **coded},
            {"topics": (), **coded},
            {"topics": (), "speaker": ("opposition",)},
        ],
        BOOK,
    )
    vectors = label_vectors(gold, BOOK)
    found = vectors @ vectors.T
    assert np.diag(found) == pytest.approx(np.ones(4))
    # Of labels (prices, jobs, government) and (prices, government) two are shared.
    assert found[0, 1] == pytest.approx(2 / np.sqrt(6))
    # Both lack every topic, and share no speaker.
    assert found[2, 3] == pytest.approx(0.5)
    assert found[0, 3] == 0


def test_warm_up_parts_what_differs(encoder: Path) -> None:
    model, train = study(encoder)
    layer = model.linear.weight.detach().clone()

    def gap() -> float:
        batch = [torch.tensor([list(s.ids) for s in train.sentences])]
        batch.append(torch.ones_like(batch[0]))
        with torch.no_grad():
            states = torch.nn.functional.normalize(model.eval().pooled(*batch), dim=1)
        like = (states @ states.T).numpy()
        same = np.equal.outer(train.gold.values[:, 0], train.gold.values[:, 0])
        return float(like[same].mean() - like[~same].mean())

    before = gap()
    rng = np.random.default_rng(0)
    contrastive_warm_up(model, train, ONE, pad_id=0, steps=20, learning_rate=3e-3, rng=rng)
    assert gap() > before + 0.3
    assert torch.equal(model.linear.weight, layer)


def test_linear_start_fits_the_training_sentences(encoder: Path) -> None:
    model, train = study(encoder)
    linear_start(model, train, ONE, pad_id=0)
    found = model_logits(model, train.sentences, 0)
    assert (found.argmax(axis=1) == train.gold.values.argmax(axis=1)).all()
