"""Screening: a linear model dismisses sentences that the full one would not label.

Frames are rare in large archives, and most sentences are far from any. The screen scores token
n-grams (the same as `framing.model.ngrams`) a hundred times faster than the encoder runs. It
imitates how far the full model's calibrated logits lie above the thresholds of their labels
(`framing.decisions.margins`), so that labels can be compared: on the training split and, where some
were given, on sentences of an archive like those to be labelled. How low a score may be and still
not be dismissed is read off the development split, where the full model's labels are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framing.arrays import BoolArray, FloatArray
from framing.encoding import TokenizedSentence, pad
from framing.inference.stored import load_arrays, save_arrays

IntArray = NDArray[np.int64]

#: Larger than any vocabulary, so that pairs of tokens differ from tokens before the modulo.
PAIR_STEP = 1_000_003
#: Weight of context tokens beside those of the sentence.
CONTEXT_WEIGHT = 0.5
#: Fewer labelled development sentences say nothing about a recall near one.
LEAST_LABELLED = 50

_BATCH = 256
#: How far a score may be off: screens are kept in float32, and sums depend on the batch.
_ROUNDING = 1e-5
_ARRAYS = ("idf", "weights", "bias", "special", "pair", "labelled", "others", "probabilities")
_OF_ARCHIVE = ("archive_labelled", "archive_others")


@dataclass(frozen=True)
class Screen:
    """A fitted screen.

    Attributes:
        idf: Inverse document frequency of each bucket, shape (buckets,).
        weights: Shape (buckets, labels), for the labels of all multi_label variables.
        bias: Shape (labels,).
        special: Token ids that belong to no text.
        pair: Whether sentences are the second segment of a pair.
        labelled: Scores of development sentences that the full model labels, rising.
        others: Scores of those that it does not, rising.
        probabilities: What the full model says of the latter on average, shape (logits,).
        archive_labelled: As `labelled`, of an archive's sentences, by screens that learnt from
            its other documents; empty where there was no archive.
        archive_others: As `others`, likewise.
    """

    idf: FloatArray
    weights: FloatArray
    bias: FloatArray
    special: IntArray
    pair: bool
    labelled: FloatArray
    others: FloatArray
    probabilities: FloatArray
    archive_labelled: FloatArray = field(default_factory=lambda: np.empty(0))
    archive_others: FloatArray = field(default_factory=lambda: np.empty(0))

    def scores(self, tokens: Sequence[TokenizedSentence]) -> FloatArray:
        """The largest of the labels' margins for each sentence, shape (n,)."""
        out = np.zeros(len(tokens))
        for start in range(0, len(tokens), _BATCH):
            batch = pad(tokens[start : start + _BATCH], 0)
            out[start : start + _BATCH] = self._scores(batch)
        return out

    def _scores(self, batch: dict[str, NDArray[np.int64]]) -> FloatArray:
        buckets, factors = ngram_buckets(batch, self.special, self.pair, len(self.idf))
        values = factors * self.idf[buckets]
        length = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
        values /= np.maximum(length, 1e-6)
        margins = np.einsum("nk,nkl->nl", values, self.weights[buckets]) + self.bias
        out: FloatArray = margins.max(axis=1)
        return out

    def limit(self, recall: float) -> float:
        """The score below which sentences are dismissed.

        Args:
            recall: Share of the development sentences labelled by the full model, and of those of
                the archive, that must not be dismissed, in (0, 1].
        """
        limits: list[float] = []
        for scores in (self.labelled, self.archive_labelled):
            lost = int(np.floor((1 - recall) * len(scores) + 1e-9))
            limits += scores[lost : lost + 1].tolist()
        # A sentence that scores just this must not be lost for a last digit.
        return min(limits) - _ROUNDING

    def kept(self, tokens: Sequence[TokenizedSentence], recall: float) -> BoolArray:
        """Which sentences are not dismissed, shape (n,)."""
        out: BoolArray = self.scores(tokens) >= self.limit(recall)
        return out

    def share_kept(self, recall: float) -> float:
        """Share of the development sentences without labels that are not dismissed."""
        return _share(self.others, self.limit(recall))

    def promise(self, recall: float) -> str:
        """What a recall means on the development split and an archive, in a sentence for people."""
        limit = self.limit(recall)
        text = (
            f"screen: of the development sentences it keeps {(self.labelled >= limit).sum()} of "
            f"the {len(self.labelled)} that the model labels, and {self.share_kept(recall):.0%} "
            "of the others"
        )
        if not len(self.archive_others):
            return text
        return (
            f"{text}; of the archive's, "
            f"{(self.archive_labelled >= limit).sum()} of {len(self.archive_labelled)} and "
            f"{_share(self.archive_others, limit):.0%}"
        )


def _share(scores: FloatArray, limit: float) -> float:
    return float((scores >= limit).mean()) if len(scores) else 0.0


def ngram_buckets(
    batch: dict[str, NDArray[np.int64]], special: IntArray, pair: bool, buckets: int
) -> tuple[IntArray, FloatArray]:
    """Buckets of tokens, token pairs and context tokens, with their weights before idf.

    The NumPy twin of `framing.model.ngrams.NgramLogits.features`.

    Args:
        batch: As `framing.encoding.pad` gives it, each of shape (n, length).
        special: Token ids that belong to no text.
        pair: Whether sentences are the second segment of a pair.
        buckets: Entries of the table.

    Returns:
        Two arrays of shape (n, 3 * length); weight 0 marks positions where no n-gram stands.
    """
    ids, types = batch["input_ids"], batch["token_type_ids"]
    real = (batch["attention_mask"] == 1) & ~np.isin(ids, special)
    own = real & (types == 1) if pair else real
    context = real & (types == 0) if pair else np.zeros_like(real)
    after, both = np.zeros_like(ids), np.zeros_like(own)
    after[:, :-1] = ids[:, 1:]
    both[:, :-1] = own[:, :-1] & own[:, 1:]
    keys = np.concatenate([ids, ids * PAIR_STEP + after, ids + buckets // 2], axis=1)
    weights = np.concatenate([own, both, CONTEXT_WEIGHT * context], axis=1)
    return keys % buckets, weights.astype(np.float64)


def save_screen(path: Path, screen: Screen) -> None:
    """Write a screen atomically."""
    names = (*_ARRAYS, *_OF_ARCHIVE)
    arrays: dict[str, Any] = {name: np.asarray(getattr(screen, name)) for name in names}
    # Half the size; a screen's scores need no more than seven digits.
    small = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in arrays.items()}
    save_arrays(path, small)


def load_screen(path: Path) -> Screen:
    """Read what `save_screen` wrote.

    Raises:
        ArtifactError: The file is no screen.
    """
    arrays = load_arrays(path, _ARRAYS, "a screen", optional=_OF_ARCHIVE)
    pair = bool(arrays.pop("pair"))
    special = arrays.pop("special").astype(np.int64)
    floats = {name: array.astype(np.float64) for name, array in arrays.items()}
    return Screen(special=special, pair=pair, **floats)
