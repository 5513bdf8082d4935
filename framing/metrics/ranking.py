"""Average precision and precision-recall curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.errors import DataError
from framing.metrics.checks import (
    IndexArray,
    check_labels,
    check_same_length,
    check_same_shape,
    check_scores,
)


@dataclass(frozen=True, slots=True)
class CurvePoints:
    """Points of a precision-recall curve, recall rising.

    Attributes:
        precision: At each point.
        recall: At each point; NaN where gold is empty.
        threshold: A label is given where its score is at least this; falling.
    """

    precision: FloatArray
    recall: FloatArray
    threshold: FloatArray


def average_precision(gold: BoolArray, scores: FloatArray) -> FloatArray:
    """Average precision of each label.

    AP = sum over k of (R_k - R_(k-1)) P_k over the distinct scores, from the highest down: step
    by step, without interpolation, and equal scores enter together. This is the definition of
    scikit-learn's ``average_precision_score``.

    Args:
        gold: Labels, shape (n, labels).
        scores: Probabilities or other scores, same shape; only their order counts.

    Returns:
        Shape (labels,); NaN where a label has no gold instance.

    Raises:
        DataError: Shapes or types do not fit.
    """
    check_labels("gold", gold, 2)
    scores = check_scores("scores", scores, 2)
    check_same_shape("gold", gold, "scores", scores)
    ones = np.ones((1, len(gold)))
    columns = range(gold.shape[1])
    return np.array(
        [weighted_average_precision(gold[:, k], scores[:, k], ones)[0] for k in columns]
    )


def micro_average_precision(gold: BoolArray, scores: FloatArray) -> float:
    """Average precision of all labels ranked together.

    Args:
        gold: Labels, shape (n, labels).
        scores: Probabilities that are comparable between labels, same shape.

    Returns:
        Between 0 and 1; NaN without gold instances.

    Raises:
        DataError: Shapes or types do not fit.
    """
    check_labels("gold", gold, 2)
    scores = check_scores("scores", scores, 2)
    check_same_shape("gold", gold, "scores", scores)
    return float(average_precision(gold.reshape(-1, 1), scores.reshape(-1, 1))[0])


def weighted_average_precision(
    gold: BoolArray, scores: FloatArray, weights: FloatArray
) -> FloatArray:
    """Average precision of one label under many weightings, from one sort.

    A sentence of weight w counts as w sentences, so multinomial weights give the figure of a
    bootstrap resample exactly.

    Args:
        gold: Labels, shape (n,).
        scores: Shape (n,).
        weights: Not negative, shape (weightings, n).

    Returns:
        Shape (weightings,); NaN where the gold instances have no weight.

    Raises:
        DataError: Shapes or types do not fit.
    """
    check_labels("gold", gold, 1)
    scores = check_scores("scores", scores, 1)
    check_same_shape("gold", gold, "scores", scores)
    if weights.ndim != 2 or weights.shape[1] != len(gold):
        raise DataError(f"weights: expected shape (weightings, {len(gold)}), found {weights.shape}")
    order, ends = _descending(scores)
    hit = np.flatnonzero(gold[order])
    if not len(hit):
        return np.full(len(weights), np.nan)
    # Recall rises only at scores of gold instances, so precision is needed at these alone.
    run = np.searchsorted(ends, hit)
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    ordered = weights[:, order]
    gained = np.add.reduceat(ordered[:, hit], starts, axis=1)
    hits = np.cumsum(gained, axis=1)
    everything = np.cumsum(ordered, axis=1, out=ordered)[:, ends[run[starts]]]
    area = (gained * hits / np.where(everything > 0, everything, 1.0)).sum(axis=1)
    total = hits[:, -1]
    return np.where(total > 0, area / np.where(total > 0, total, 1.0), np.nan)


def precision_recall_curve(gold: BoolArray, scores: FloatArray) -> CurvePoints:
    """Precision and recall at every distinct score.

    Args:
        gold: Labels, shape (n,).
        scores: Shape (n,).

    Returns:
        One point a distinct score. No point is added at recall 0, where precision is undefined.

    Raises:
        DataError: Shapes or types do not fit.
    """
    check_labels("gold", gold, 1)
    scores = check_scores("scores", scores, 1)
    check_same_length("gold", gold, "scores", scores)
    order, ends = _descending(scores)
    hits = np.cumsum(gold[order], dtype=np.float64)[ends]
    positives = float(gold.sum())
    found = hits / positives if positives else np.full(len(ends), np.nan)
    return CurvePoints(hits / (ends + 1), found, scores[order][ends])


def _descending(scores: FloatArray) -> tuple[IndexArray, IndexArray]:
    """Order of falling scores, and in that order the last place of every run of equal ones."""
    order = np.argsort(-scores, kind="stable")
    last = np.diff(scores[order], append=-np.inf) != 0
    return order, np.flatnonzero(last)
