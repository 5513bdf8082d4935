"""The share of sentences that truly have a label, from the share that a model labels."""

from __future__ import annotations

import numpy as np

from framing.arrays import FloatArray
from framing.metrics.counts import Counts


def detection_rates(counts: Counts) -> tuple[FloatArray, FloatArray]:
    """How often a label is given where it should be, and where it should not.

    Args:
        counts: Outcomes, shape (..., labels).

    Returns:
        True positive rate TP / (TP + FN) and false positive rate FP / (FP + TN), each of the shape
        of the counts; NaN where no sentence has the label, or every one.
    """
    return _rate(counts.tp, counts.fn), _rate(counts.fp, counts.tn)


def _rate(given: FloatArray, withheld: FloatArray) -> FloatArray:
    total = given + withheld
    return np.where(total > 0, given / np.where(total > 0, total, 1.0), np.nan)


def true_prevalence(labelled: FloatArray, tpr: FloatArray, fpr: FloatArray) -> FloatArray:
    """Correct a share of labelled sentences for missed ones and false alarms.

    The labelled share q is made of both: q = p * tpr + (1 - p) * fpr. Solved for the true share
    (Rogan and Gladen 1978, "Estimating prevalence from the results of a screening test")::

        p = (q - fpr) / (tpr - fpr), cut off at 0 and 1

    Args:
        labelled: Shares q, between 0 and 1.
        tpr: True positive rates.
        fpr: False positive rates; all three of one shape, or shapes that broadcast.

    Returns:
        Shares; NaN where a rate is, and where tpr <= fpr: such a model says nothing of a label.
    """
    difference = tpr - fpr
    informative = difference > 0
    shares = (labelled - fpr) / np.where(informative, difference, 1.0)
    return np.where(informative, np.clip(shares, 0.0, 1.0), np.nan)
