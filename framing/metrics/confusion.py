"""Figures of single_label variables from their confusion matrix.

The reducing functions take matrices of shape (..., labels, labels), rows gold and columns
predicted, so that they serve the matrices of many resamples at once.
"""

from __future__ import annotations

import numpy as np

from framing.arrays import FloatArray
from framing.metrics.checks import IndexArray, check_indices, check_same_shape
from framing.metrics.counts import Counts


def confusion_matrix(gold: IndexArray, predicted: IndexArray, n_labels: int) -> FloatArray:
    """Count every pair of gold and predicted label.

    Args:
        gold: Label indices, shape (n,).
        predicted: Label indices, shape (n,).
        n_labels: Number of labels in the codebook, whether or not they occur.

    Returns:
        Shape (n_labels, n_labels); rows are gold.

    Raises:
        DataError: Not indices of that many labels, or lengths differ.
    """
    gold = check_indices("gold", gold, n_labels)
    predicted = check_indices("predicted", predicted, n_labels)
    check_same_shape("gold", gold, "predicted", predicted)
    cells = np.bincount(gold * n_labels + predicted, minlength=n_labels**2)
    return cells.reshape(n_labels, n_labels).astype(np.float64)


def counts_of_confusion(confusion: FloatArray) -> Counts:
    """One-against-the-rest counts of every label.

    Args:
        confusion: Shape (..., labels, labels).

    Returns:
        Counts of shape (..., labels).
    """
    tp = np.diagonal(confusion, axis1=-2, axis2=-1)
    fp = confusion.sum(axis=-2) - tp
    fn = confusion.sum(axis=-1) - tp
    total = confusion.sum(axis=(-2, -1))[..., None]
    return Counts(tp, fp, fn, total - tp - fp - fn)


def accuracy(confusion: FloatArray) -> FloatArray:
    """Share of units whose label is right; with one label a unit this is micro-F1.

    Args:
        confusion: Shape (..., labels, labels).

    Returns:
        Shape (...); NaN without units.
    """
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return _divide(right, confusion.sum(axis=(-2, -1)))


def cohen_kappa(confusion: FloatArray) -> FloatArray:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e) (Cohen 1960).

    Args:
        confusion: Shape (..., labels, labels).

    Returns:
        Shape (...), at most 1; NaN without units, and where both sides give one and the same
        label throughout, since chance alone then explains all.
    """
    total = confusion.sum(axis=(-2, -1))
    # In counts, not shares: p_e = 1 is then found exactly.
    chance = (confusion.sum(axis=-1) * confusion.sum(axis=-2)).sum(axis=-1)
    observed = np.trace(confusion, axis1=-2, axis2=-1) * total
    return _divide(observed - chance, total**2 - chance)


def _divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, np.nan)
