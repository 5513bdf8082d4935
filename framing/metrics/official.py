"""Figures by which benchmarks compare systems, exactly as their authors count them.

All are functions of counts, shape (..., labels), and of the labels that are averaged over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from framing.arrays import FloatArray
from framing.metrics.counts import Counts, f1


def mean_f1(counts: Counts, labels: Sequence[int]) -> FloatArray:
    """Mean F1 of some labels; a label without gold and predicted instances counts as 0.

    That is what scikit-learn's ``f1_score(labels=..., average="macro")`` gives, which the official
    scripts use, and differs from this package's own rule (`framing.metrics.ABSENT_RULE`). False
    positives of the other labels count, since they are false negatives of these (SemEval-2016
    task 6: Mohammad et al. 2016, section 5, where the label "none" is not averaged over).

    Args:
        counts: Shape (..., labels).
        labels: Indices of the labels averaged over.

    Returns:
        Shape (...).
    """
    values = f1(counts)[..., list(labels)]
    mean: FloatArray = np.where(np.isnan(values), 0.0, values).mean(axis=-1)
    return mean


def share_right(counts: Counts, labels: Sequence[int]) -> FloatArray:
    """Accuracy: share of the units with one of these gold labels that got it.

    Args:
        counts: Of a single_label variable, shape (..., labels).
        labels: Indices of the gold labels; all of them for the accuracy as usual.

    Returns:
        Shape (...); NaN without units.
    """
    chosen = list(labels)
    right = counts.tp[..., chosen].sum(axis=-1)
    units = right + counts.fn[..., chosen].sum(axis=-1)
    return np.where(units > 0, right / np.where(units > 0, units, 1.0), np.nan)


#: Name in a benchmark's card -> figure.
OFFICIAL_METRICS: Mapping[str, Callable[[Counts, Sequence[int]], FloatArray]] = {
    "mean_f1": mean_f1,
    "accuracy": share_right,
}
