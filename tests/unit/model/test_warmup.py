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
from framing.model.warmup import linear_start
from framing.records import Sentence
from tests.tiny import save_tiny_encoder

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


def test_linear_start_fits_the_training_sentences(encoder: Path) -> None:
    model, train = study(encoder)
    linear_start(model, train, ONE, pad_id=0)
    found = model_logits(model, train.sentences, 0)
    assert (found.argmax(axis=1) == train.gold.values.argmax(axis=1)).all()
