"""True and false positives and negatives, and the figures made from them.

The reducing functions work on the last axis, so the same formula serves one set of counts,
shape (labels,), and the counts of many resamples, shape (resamples, labels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.metrics.checks import check_labels, check_same_shape

#: Part of every score's signature. A label that occurs nowhere says nothing of a system, and
#: counting it as 0 or as 1 would move the mean by the number of labels alone (Forman and Scholz
#: 2010, "Apples-to-apples in cross-validation studies", discuss the undefined cases). A label
#: that occurs on one side only is a mistake and counts as such.
ABSENT_RULE = (
    "a label with neither gold nor predicted instances is undefined and left out of macro means; "
    "with either, 0/0 counts as 0"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes by label; the last axis is labels, weights may make them fractional.

    Attributes:
        tp: True positives.
        fp: False positives.
        fn: False negatives.
        tn: True negatives.
    """

    tp: FloatArray
    fp: FloatArray
    fn: FloatArray
    tn: FloatArray


def count(gold: BoolArray, predicted: BoolArray) -> Counts:
    """Count outcomes label by label.

    Args:
        gold: Labels, shape (n, labels).
        predicted: Labels, same shape.

    Returns:
        Counts of shape (labels,).

    Raises:
        DataError: Not Boolean arrays of one shape.
    """
    check_labels("gold", gold, 2)
    check_labels("predicted", predicted, 2)
    check_same_shape("gold", gold, "predicted", predicted)
    tp = (gold & predicted).sum(axis=0, dtype=np.float64)
    fp = predicted.sum(axis=0, dtype=np.float64) - tp
    fn = gold.sum(axis=0, dtype=np.float64) - tp
    return Counts(tp, fp, fn, len(gold) - tp - fp - fn)


def pooled(counts: Counts) -> Counts:
    """Add the counts of all labels, for micro figures; the last axis keeps length 1."""
    return Counts(
        *(x.sum(axis=-1, keepdims=True) for x in (counts.tp, counts.fp, counts.fn, counts.tn))
    )


def precision(counts: Counts) -> FloatArray:
    """TP / (TP + FP) by label.

    Returns:
        Shape of the counts; 0 where nothing is predicted, NaN where gold is empty too.
    """
    return _ratio(counts.tp, counts.tp + counts.fp, counts)


def recall(counts: Counts) -> FloatArray:
    """TP / (TP + FN) by label.

    Returns:
        Shape of the counts; 0 where gold is empty, NaN where nothing is predicted either.
    """
    return _ratio(counts.tp, counts.tp + counts.fn, counts)


def f1(counts: Counts) -> FloatArray:
    """2 TP / (2 TP + FP + FN) by label, the harmonic mean of precision and recall.

    Returns:
        Shape of the counts; NaN where a label has neither gold nor predicted instances.
    """
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, counts)


def macro(values: FloatArray) -> FloatArray:
    """Mean over the last axis, leaving out NaN.

    Macro-F1 is the mean of the labels' F1, not the F1 of mean precision and mean recall (Opitz
    and Burst 2019, "Macro F1 and Macro F1").

    Args:
        values: Shape (..., labels).

    Returns:
        Shape (...); NaN where every value is NaN.
    """
    defined = ~np.isnan(values)
    n = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def macro_of(values: FloatArray, labels: BoolArray, *, undefined: float) -> FloatArray:
    """Mean over the same labels in every row, for the resamples of a macro figure.

    Args:
        values: Shape (..., labels).
        labels: Those that count, shape (labels,).
        undefined: What NaN counts as.

    Returns:
        Shape (...); NaN where no label counts or all that do are NaN.
    """
    counted = values[..., labels]
    missing = np.isnan(counted)
    total = np.where(missing, undefined, counted).sum(axis=-1)
    return np.where(missing.all(axis=-1), np.nan, total / max(counted.shape[-1], 1))


def exact_match(gold: BoolArray, predicted: BoolArray) -> float:
    """Share of rows whose set of labels is exactly right.

    Args:
        gold: Labels, shape (n, labels).
        predicted: Labels, same shape.

    Returns:
        Between 0 and 1; NaN without rows.

    Raises:
        DataError: Not Boolean arrays of one shape.
    """
    check_labels("gold", gold, 2)
    check_labels("predicted", predicted, 2)
    check_same_shape("gold", gold, "predicted", predicted)
    return float((gold == predicted).all(axis=1).mean()) if len(gold) else float("nan")


def _ratio(numerator: FloatArray, denominator: FloatArray, counts: Counts) -> FloatArray:
    occurs = counts.tp + counts.fp + counts.fn > 0
    value = numerator / np.where(denominator > 0, denominator, 1.0)
    return np.where(occurs, value, np.nan)
