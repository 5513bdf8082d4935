"""Sentences to predictions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from framing.arrays import FloatArray
from framing.decisions import calibrated_probabilities, to_predictions
from framing.encoding import TokenizedSentence, pad, tokenize
from framing.inference.batching import TOKEN_BUDGET, batches
from framing.inference.bundle import GRAPH_OUTPUT, Bundle, BundleSettings
from framing.records import Prediction, Sentence

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

#: Sentences held in memory at a time when streaming.
CHUNK = 1024


class Labeller:
    """Labels sentences with an opened bundle.

    Args:
        bundle: The model.
        token_budget: Most tokens of a batch, see `framing.inference.batching.batches`.
    """

    def __init__(self, bundle: Bundle, token_budget: int = TOKEN_BUDGET) -> None:
        self.bundle = bundle
        self.token_budget = token_budget

    def label(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Label sentences.

        Args:
            sentences: Any number of them.

        Returns:
            One prediction a sentence, in the order given.
        """
        bundle = self.bundle
        if not sentences:
            return []
        tokens = tokenize(bundle.tokenizer, sentences, bundle.input_settings)
        probabilities = calibrated_probabilities(
            self.logits(tokens), bundle.codebook, bundle.decisions
        )
        ids = [sentence.id for sentence in sentences]
        return to_predictions(ids, probabilities, bundle.codebook, bundle.decisions, bundle.hash)

    def label_stream(
        self, sentences: Iterable[Sentence], chunk: int = CHUNK
    ) -> Iterator[tuple[Sentence, Prediction]]:
        """Label sentences as they come; memory use does not grow with their number.

        Args:
            sentences: Read `chunk` at a time.
            chunk: Sentences labelled together.

        Yields:
            Each sentence with its prediction, in the order given.
        """
        source = iter(sentences)
        while part := list(itertools.islice(source, chunk)):
            yield from zip(part, self.label(part), strict=True)

    def logits(self, tokens: Sequence[TokenizedSentence]) -> FloatArray:
        """Run the graph.

        Args:
            tokens: Tokenized sentences.

        Returns:
            Shape (n, logits), in the order given.
        """
        return run_graph(
            self.bundle.session, GRAPH_OUTPUT, tokens, self.bundle.settings, self.token_budget
        )


def run_graph(
    session: InferenceSession,
    output: str,
    tokens: Sequence[TokenizedSentence],
    settings: BundleSettings,
    token_budget: int = TOKEN_BUDGET,
) -> FloatArray:
    """Run a graph on sentences, those of like length together.

    Args:
        session: The opened graph.
        output: Name of the output wanted, of shape (batch, width).
        tokens: Tokenized sentences.
        settings: Name the inputs and the id of padding.
        token_budget: Most tokens of a batch.

    Returns:
        Shape (n, width), in the order given; (0, 0) for no sentences.
    """
    groups = batches([len(t.ids) for t in tokens], token_budget)
    parts = []
    for group in groups:
        arrays = pad([tokens[index] for index in group], settings.pad_id)
        feeds = {name: arrays[name] for name in settings.inputs}
        parts.append(session.run([output], feeds)[0])
    if not parts:
        return np.empty((0, 0))
    stacked = np.concatenate(parts).astype(np.float64)
    out: FloatArray = np.empty_like(stacked)
    out[[index for group in groups for index in group]] = stacked
    return out
