"""Running a model's graph, or the two that it has, on tokenized sentences.

A model that reads sentence and context apart in its lower layers has two graphs. The first reads
sequences by themselves. What stands before one sentence is a sentence itself, so in a document that
is labelled whole each is read once, whether it is labelled, looked at by the next one, or both. The
second joins what was read and gives logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framing.arrays import FloatArray
from framing.encoding import (
    OWN_PLACES,
    PAIR_INPUTS,
    TokenizedSentence,
    graph_inputs,
    pad_ids,
    parted,
)
from framing.inference.batching import TOKEN_BUDGET, batches

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

#: Name of the output of a model's graph, of shape (n, logits), and of that which reads.
GRAPH_OUTPUT, READ_OUTPUT = "logits", "states"
#: Names of the inputs of the graph that reads, and of the one that joins what was read.
READ_INPUTS = ("input_ids", "attention_mask")
JOINED_INPUTS = ("own_states", "own_mask", "context_states", "context_mask")
#: Names of the inputs that batches can fill.
GRAPH_INPUTS = (*PAIR_INPUTS, *JOINED_INPUTS)

#: Sentences whose states are held in memory together, some 40 kB each.
_READ_TOGETHER = 1024

#: A batch for a graph: name of an input -> array.
Feeds = Mapping[str, NDArray[np.int64] | NDArray[np.float32]]
#: A sentence's token ids, and those of what stands before it.
_Parts = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Graphs:
    """The opened graph of a model, or its two.

    Attributes:
        session: Gives logits.
        inputs: Names of its inputs, of `GRAPH_INPUTS`.
        pad_id: Token id of padding.
        reading: The graph that reads sentences and contexts apart, where the model has one.
    """

    session: InferenceSession
    inputs: Sequence[str]
    pad_id: int
    reading: InferenceSession | None = None

    def run(
        self,
        tokens: Sequence[TokenizedSentence],
        token_budget: int = TOKEN_BUDGET,
        output: str = GRAPH_OUTPUT,
    ) -> FloatArray:
        """Run the model on sentences, those of like length together.

        Args:
            tokens: Tokenized sentences.
            token_budget: Most tokens of a batch.
            output: Name of the output wanted, of shape (batch, width).

        Returns:
            Shape (n, width), in the order given; (0, 0) for no sentences.
        """
        order: list[int] = []
        parts = []
        for group, feeds in self.feeds(tokens, token_budget):
            parts.append(self.session.run([output], dict(feeds))[0])
            order += group
        if not parts:
            return np.empty((0, 0))
        stacked = np.concatenate(parts).astype(np.float64)
        out: FloatArray = np.empty_like(stacked)
        out[order] = stacked
        return out

    def feeds(
        self, tokens: Sequence[TokenizedSentence], token_budget: int = TOKEN_BUDGET
    ) -> Iterator[tuple[list[int], Feeds]]:
        """Batches for the graph that gives logits.

        Args:
            tokens: Tokenized sentences.
            token_budget: Most tokens of a batch.

        Yields:
            Indices into `tokens`, each once, and what the graph takes for them.
        """
        if self.reading is not None:
            yield from self._joined_feeds(tokens, token_budget, self.reading)
            return
        own = [sum(t.type_ids) for t in tokens] if OWN_PLACES in self.inputs else None
        for group in batches([len(t.ids) for t in tokens], token_budget, own):
            yield group, graph_inputs([tokens[k] for k in group], self.pad_id, self.inputs)

    def read_feeds(
        self, tokens: Sequence[TokenizedSentence], token_budget: int = TOKEN_BUDGET
    ) -> Iterator[Feeds]:
        """Batches for the graph that reads, each sequence in one of them.

        Args:
            tokens: Tokenized sentences.
            token_budget: Most tokens of a batch.
        """
        for _, feeds in self._read_batches(_distinct(map(parted, tokens)), token_budget):
            yield feeds

    def _read_batches(
        self, sequences: Sequence[Sequence[int]], token_budget: int
    ) -> Iterator[tuple[list[int], Feeds]]:
        for group in batches([len(ids) for ids in sequences], token_budget):
            arrays = pad_ids([sequences[k] for k in group], self.pad_id)
            yield group, dict(zip(READ_INPUTS, arrays, strict=True))

    def _joined_feeds(
        self, tokens: Sequence[TokenizedSentence], token_budget: int, reading: InferenceSession
    ) -> Iterator[tuple[list[int], Feeds]]:
        for start in range(0, len(tokens), _READ_TOGETHER):
            parts = [parted(t) for t in tokens[start : start + _READ_TOGETHER]]
            states = self._read(_distinct(parts), token_budget, reading)
            own, context = ([len(pair[side]) for pair in parts] for side in (0, 1))
            # A token of the sentence costs six times what one of its context does.
            for group in batches(own, token_budget, context):
                arrays = [
                    array
                    for side in (0, 1)
                    for array in _padded_states([states[parts[k][side]] for k in group])
                ]
                yield [start + k for k in group], dict(zip(JOINED_INPUTS, arrays, strict=True))

    def _read(
        self, sequences: Sequence[tuple[int, ...]], token_budget: int, reading: InferenceSession
    ) -> dict[tuple[int, ...], NDArray[np.float32]]:
        """States of each sequence, shape (its length, hidden)."""
        out: dict[tuple[int, ...], NDArray[np.float32]] = {}
        for group, feeds in self._read_batches(sequences, token_budget):
            states = reading.run([READ_OUTPUT], dict(feeds))[0]
            for row, k in zip(states, group, strict=True):
                out[sequences[k]] = row[: len(sequences[k])]
        return out


def _distinct(parts: Iterable[_Parts]) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(sequence for pair in parts for sequence in pair))


def _padded_states(
    rows: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """States of a batch, zero behind the last, and 1 where there are some."""
    lengths = np.array([len(row) for row in rows])
    states = np.zeros((len(rows), lengths.max(), rows[0].shape[1]), dtype=np.float32)
    for k, row in enumerate(rows):
        states[k, : len(row)] = row
    mask = np.arange(lengths.max()) < lengths[:, None]
    return states, mask.astype(np.int64)
