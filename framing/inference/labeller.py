"""Sentences to predictions."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from framing.arrays import FloatArray
from framing.decisions import calibrated_probabilities, to_predictions
from framing.encoding import TokenizedSentence, tokenize
from framing.errors import ArtifactError, DataError
from framing.inference.batching import TOKEN_BUDGET
from framing.inference.bundle import Bundle
from framing.inference.screen import LEAST_LABELLED, Screen
from framing.records import Prediction, Sentence

#: Sentences held in memory at a time when streaming.
CHUNK = 1024


class Labeller:
    """Labels sentences with an opened bundle.

    Args:
        bundle: The model.
        token_budget: Most tokens of a batch, see `framing.inference.batching.batches`.
        recall: Dismiss sentences that the model would hardly label, and keep this share of those
            that it would (`framing.inference.screen`); None screens nothing.

    Raises:
        ArtifactError: The bundle has no screen.
        DataError: `recall` is no share that can be asked for.
    """

    def __init__(
        self, bundle: Bundle, token_budget: int = TOKEN_BUDGET, recall: float | None = None
    ) -> None:
        self.bundle = bundle
        self.token_budget = token_budget
        self.recall = recall
        self.screen = None if recall is None else _checked_screen(bundle, recall)

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
        # Archives repeat themselves: what is the same to the model is computed once.
        places: dict[TokenizedSentence, int] = {}
        place = [places.setdefault(sentence, len(places)) for sentence in tokens]
        distinct = list(places)
        kept = list(range(len(distinct)))
        if self.screen is not None and self.recall is not None:
            kept = np.flatnonzero(self.screen.kept(distinct, self.recall)).tolist()
        found = self._predictions([distinct[k] for k in kept])
        by_place = dict(zip(kept, found, strict=True))
        dismissed = self._dismissed()
        return [
            dataclasses.replace(by_place.get(where, dismissed), sentence_id=sentence.id)
            for where, sentence in zip(place, sentences, strict=True)
        ]

    def _predictions(self, tokens: Sequence[TokenizedSentence]) -> list[Prediction]:
        if not tokens:
            return []
        bundle = self.bundle
        probabilities = calibrated_probabilities(
            self.logits(tokens), bundle.codebook, bundle.decisions
        )
        ids = [""] * len(tokens)
        return to_predictions(ids, probabilities, bundle.codebook, bundle.decisions, bundle.hash)

    def _dismissed(self) -> Prediction:
        """Of a dismissed sentence: no label is present, single_label variables are left open."""
        book = self.bundle.codebook
        if self.screen is None:
            return Prediction("", {}, {}, self.bundle.hash)
        mean = self.screen.probabilities
        return Prediction(
            sentence_id="",
            probabilities={h.name: tuple(float(p) for p in mean[h.slice]) for h in book.heads},
            labels={h.name: () for h in book.heads if h.kind == "multi_label"},
            bundle=self.bundle.hash,
        )

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
        return self.bundle.graphs.run(tokens, self.token_budget)


def _checked_screen(bundle: Bundle, recall: float) -> Screen:
    if not 0.5 <= recall <= 1:
        raise DataError(f"screening: expected a recall between 0.5 and 1, found {recall}")
    if bundle.screen is None:
        raise ArtifactError(
            f"{bundle.folder}: this bundle has no screen; make one with `framing export RUN` "
            f"(which needs {LEAST_LABELLED} development sentences that the model labels), or label "
            "without screening"
        )
    return bundle.screen
