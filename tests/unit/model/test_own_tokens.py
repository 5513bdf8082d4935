"""Layers that compute the sentence's own tokens alone, against transformers' own layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel

from framing.codebook import Codebook
from framing.encoding import OWN_PLACES, TokenizedSentence, graph_inputs
from framing.export import check_parity, export_graph
from framing.model.classifier import SentenceClassifier, load_classifier, new_classifier
from framing.model.own_tokens import own_places, own_states

ROWS = [
    TokenizedSentence((2, 5, 6, 3, 7, 8, 9, 3), (0, 0, 0, 0, 1, 1, 1, 1)),
    TokenizedSentence((2, 3, 7, 3), (0, 0, 1, 1)),
    TokenizedSentence((2, 5, 6, 7, 8, 9, 3, 4, 3), (0, 0, 0, 0, 0, 0, 0, 1, 1)),
]
NAMES = ("input_ids", "attention_mask", "token_type_ids", OWN_PLACES)


def tiny_encoder(kind: str, attention: str = "eager") -> Any:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        vocab_size=12,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        type_vocab_size=2,
        pad_token_id=0,
        # The usual spread would leave nearly equal attention.
        initializer_range=1.0,
    )
    return AutoModel.from_config(config, attn_implementation=attention).eval()


def batch() -> dict[str, Tensor]:
    arrays = graph_inputs(ROWS, 0, NAMES)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def by_whole_layers(encoder: Any, inputs: dict[str, Tensor], own: Tensor, through: int) -> Tensor:
    """All tokens through every layer, after which the context gets its old states back."""
    mask = (1 - inputs["attention_mask"][:, None, None, :].float()) * -1e4
    states = encoder.embeddings(
        input_ids=inputs["input_ids"], token_type_ids=inputs["token_type_ids"]
    )
    for number, layer in enumerate(encoder.encoder.layer):
        after = layer(states, mask)
        after = after[0] if isinstance(after, tuple) else after
        keeps = (own.unsqueeze(2) == 0) & (number >= through)
        states = torch.where(keeps, states, after)
    return states


def test_places_of_own_tokens() -> None:
    given = batch()
    own = given["attention_mask"] * given["token_type_ids"]
    expected = [[4, 5, 6, 7], [2, 3, -1, -1], [7, 8, -1, -1]]
    assert own_places(own).tolist() == given[OWN_PLACES].tolist() == expected
    assert graph_inputs([], 0, NAMES)[OWN_PLACES].shape == (0, 0)


@pytest.mark.parametrize("kind", ["bert", "camembert", "roberta", "xlm-roberta"])
@pytest.mark.parametrize("through", [0, 1, 2])
def test_own_tokens_look_at_what_the_context_was(kind: str, through: int) -> None:
    encoder, given = tiny_encoder(kind), batch()
    places = given.pop(OWN_PLACES)
    own = given["attention_mask"] * given["token_type_ids"]
    with torch.no_grad():
        found = own_states(encoder, given, own, places, through)
        expected = by_whole_layers(encoder, given, own, through)
        whole = encoder(**given).last_hidden_state
    for row, chosen in enumerate(places):
        here = chosen[chosen >= 0]
        assert torch.allclose(found[row, : len(here)], expected[row, here], atol=1e-5)
        same = torch.allclose(expected[row, here], whole[row, here], atol=1e-5)
        # What the last layer makes of the context nothing looks at.
        assert same == (through == 2)


def test_both_implementations_of_attention_agree() -> None:
    given = batch()
    places = given.pop(OWN_PLACES)
    own = given["attention_mask"] * given["token_type_ids"]
    with torch.no_grad():
        eager, sdpa = (
            own_states(tiny_encoder("bert", name), given, own, places, 1)
            for name in ("eager", "sdpa")
        )
    assert torch.allclose(eager[places >= 0], sdpa[places >= 0], atol=1e-5)


def classifier(book: Codebook, through: int) -> SentenceClassifier:
    return new_classifier(
        tiny_encoder("bert"),
        book,
        0.0,
        pooling="log_mean_exp",
        pair=True,
        special=[0, 2, 3],
        context_layers=through,
    ).eval()


def test_logits_do_not_depend_on_who_finds_the_places(book: Codebook) -> None:
    model, given = classifier(book, 1), batch()
    with torch.no_grad():
        told = model(**given).logits
        given.pop(OWN_PLACES)
        assert torch.equal(model(**given).logits, told)
        model.config.context_layers = None
        assert not torch.allclose(model(**given).logits, told, atol=1e-3)


def test_a_sentence_is_labelled_the_same_in_any_batch(book: Codebook) -> None:
    model = classifier(book, 1)
    with torch.no_grad():
        together = model(**batch()).logits.numpy()
        for row, expected in zip(ROWS, together, strict=True):
            arrays = graph_inputs([row], 0, NAMES)
            alone = model(**{k: torch.from_numpy(v) for k, v in arrays.items()}).logits[0]
            np.testing.assert_allclose(alone.numpy(), expected, atol=1e-5)


def test_graph_and_checkpoint_keep_it(book: Codebook, tmp_path: Path) -> None:
    model = classifier(book, 1)
    inputs = export_graph(model, tmp_path / "model.onnx")
    assert inputs == NAMES
    check_parity(model, tmp_path, inputs)
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        again = load_classifier(tmp_path)(**batch()).logits
        assert torch.allclose(again, model(**batch()).logits, atol=1e-6)


def test_gradients_reach_all_layers(book: Codebook) -> None:
    model = classifier(book, 1).train()
    model(**batch()).logits.sum().backward()
    without = {name for name, p in model.encoder.named_parameters() if p.grad is None}
    assert without == set()
