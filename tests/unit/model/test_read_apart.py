"""Sentence and context read apart in the lower layers, and joined in the upper ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from framing.codebook import Codebook
from framing.encoding import PAIR_INPUTS, TokenizedSentence, graph_inputs, parted
from framing.export import POOLED, check_parity, export_graph, export_model
from framing.inference.bundle import open_graphs, open_session
from framing.inference.graphs import JOINED_INPUTS, Graphs
from framing.model.classifier import SentenceClassifier, load_classifier, new_classifier
from framing.model.own_tokens import apart_states, joined_states
from tests.unit.model.test_own_tokens import tiny_encoder

#: A document whose second sentence stands before the third, and one that has none before it.
ROWS = [
    TokenizedSentence((3, 5, 6, 7, 3), (0, 1, 1, 1, 1)),
    TokenizedSentence((5, 6, 7, 3, 8, 9, 3), (0, 0, 0, 0, 1, 1, 1)),
    TokenizedSentence((8, 9, 3, 10, 3), (0, 0, 0, 1, 1)),
    TokenizedSentence((3, 4, 3), (0, 1, 1)),
]


def classifier(book: Codebook, pooling: str = "log_mean_exp", **options: Any) -> SentenceClassifier:
    return new_classifier(
        tiny_encoder("bert"),
        book,
        0.0,
        pooling=pooling,
        pair=True,
        context_layers=1,
        read_apart=True,
        **options,
    ).eval()


def logits(model: SentenceClassifier, rows: Sequence[TokenizedSentence]) -> Any:
    given = graph_inputs(rows, 0, PAIR_INPUTS[:3])
    with torch.no_grad():
        return model(**{k: torch.from_numpy(v) for k, v in given.items()}).logits.numpy()


def by_whole_layers(encoder: Any, row: TokenizedSentence, through: int) -> Tensor:
    """One pair through transformers' own layers, its parts hidden from each other in the lowest."""
    own = torch.tensor(row.type_ids) == 1
    place = torch.tensor([n + 1 for part in reversed(parted(row)) for n in range(len(part))])
    ids = torch.tensor([row.ids])
    states = encoder.embeddings(
        input_ids=ids, token_type_ids=torch.zeros_like(ids), position_ids=place[None]
    )
    apart = torch.where(own[:, None] == own[None, :], 0.0, -1e4)[None, None]
    table = encoder.embeddings.token_type_embeddings.weight
    for number, layer in enumerate(encoder.encoder.layer):
        if number == through:
            states = torch.where(own[None, :, None], states, states + table[1] - table[0])
        after = layer(states, apart if number < through else torch.zeros_like(apart))
        after = after[0] if isinstance(after, tuple) else after
        keeps = ~own[None, :, None] & (number >= through)
        states = torch.where(keeps, states, after)
    return states[0, own]


@pytest.mark.parametrize("through", [0, 1, 2])
def test_neither_looks_at_the_other_before_they_are_joined(through: int) -> None:
    encoder = tiny_encoder("bert")
    for row in ROWS:
        read = []
        with torch.no_grad():
            for part in parted(row):
                ids = torch.tensor([part])
                mask = torch.ones_like(ids)
                read.append((apart_states(encoder, ids, mask, through), mask))
            found = joined_states(encoder, *read, through)
            expected = by_whole_layers(encoder, row, through)
        assert torch.allclose(found[0], expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "log_mean_exp"])
def test_a_sentence_has_the_same_logits_in_any_batch(book: Codebook, pooling: str) -> None:
    model = classifier(book, pooling)
    together = logits(model, ROWS)
    for row, expected in zip(ROWS, together, strict=True):
        np.testing.assert_allclose(logits(model, [row])[0], expected, atol=1e-5)
    # And what stands before it matters.
    other = TokenizedSentence((8, 9, 9, 3, 10, 3), (0, 0, 0, 0, 1, 1))
    assert np.abs(logits(model, [other])[0] - together[2]).max() > 1e-3


@pytest.mark.parametrize("pooling", ["mean", "log_mean_exp"])
def test_two_graphs_give_the_logits(book: Codebook, pooling: str, tmp_path: Path) -> None:
    model = classifier(book, pooling)
    inputs = export_model(model, tmp_path)
    assert inputs == JOINED_INPUTS
    check_parity(model, tmp_path, inputs)
    graphs = open_graphs(tmp_path, inputs, pad_id=0)
    np.testing.assert_allclose(graphs.run(ROWS), logits(model, ROWS), atol=1e-4)
    model.save_pretrained(tmp_path)
    np.testing.assert_allclose(
        logits(load_classifier(tmp_path), ROWS), logits(model, ROWS), atol=1e-6
    )


def test_one_graph_of_pairs_gives_them_too(book: Codebook, tmp_path: Path) -> None:
    model = classifier(book, special=[0, 3])
    # Logits of n-grams are those of pairs.
    inputs = export_model(model, tmp_path)
    assert inputs == PAIR_INPUTS
    check_parity(model, tmp_path, inputs)
    path = tmp_path / "pooled.onnx"
    inputs = export_graph(model, path, POOLED)
    states = Graphs(open_session(path), inputs, pad_id=0).run(ROWS, output=POOLED)
    given = {k: torch.from_numpy(v) for k, v in graph_inputs(ROWS, 0, PAIR_INPUTS[:3]).items()}
    with torch.no_grad():
        np.testing.assert_allclose(states, model.pooled(**given).numpy(), atol=1e-4)


class Watched:
    """A session that notes what it was given."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.sequences: list[tuple[int, ...]] = []

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Any]) -> Any:
        for ids, mask in zip(feeds["input_ids"], feeds["attention_mask"], strict=True):
            self.sequences.append(tuple(ids[mask == 1].tolist()))
        return self.session.run(outputs, feeds)


def test_each_sentence_is_read_once(book: Codebook, tmp_path: Path) -> None:
    model = classifier(book)
    graphs = open_graphs(tmp_path, export_model(model, tmp_path), pad_id=0)
    watched: Any = Watched(graphs.reading)
    found = Graphs(graphs.session, graphs.inputs, 0, watched).run([*ROWS, *ROWS], token_budget=12)
    assert sorted(watched.sequences) == sorted({part for row in ROWS for part in parted(row)})
    np.testing.assert_allclose(found, np.tile(logits(model, ROWS), (2, 1)), atol=1e-4)


def test_gradients_reach_all_layers_and_both_segments(book: Codebook) -> None:
    model = classifier(book).train()
    given = graph_inputs(ROWS, 0, PAIR_INPUTS[:3])
    model(**{k: torch.from_numpy(v) for k, v in given.items()}).logits.sum().backward()
    without = {name for name, p in model.encoder.named_parameters() if p.grad is None}
    assert without == set()
    segments = model.encoder.embeddings.token_type_embeddings.weight.grad
    assert segments is not None
    assert segments.abs().sum(dim=1).min() > 0
