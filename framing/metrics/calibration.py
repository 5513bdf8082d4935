"""How well probabilities match outcomes: Brier score, calibration error, log loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.errors import DataError
from framing.metrics.checks import (
    IndexArray,
    check_distribution,
    check_indices,
    check_labels,
    check_probabilities,
    check_same_length,
    check_same_shape,
)

#: Probabilities are kept this far from 0 and 1 in log losses, which one certain mistake would
#: otherwise make infinite. It is the last decimal that predictions files keep.
LOG_LOSS_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class BinSums:
    """Sums over equal-width bins of probability; the last axis is bins.

    Bin m of M holds the probabilities in (m/M, (m+1)/M], the first also 0.

    Attributes:
        edges: Shape (bins + 1,).
        count: Probabilities in each bin.
        probability: Sum of the probabilities.
        observed: Sum of the outcomes.
    """

    edges: FloatArray
    count: FloatArray
    probability: FloatArray
    observed: FloatArray


def binary_squared_errors(gold: BoolArray, probabilities: FloatArray) -> FloatArray:
    """(p - y)^2 of every row and label.

    Args:
        gold: Labels, shape (n, labels).
        probabilities: Same shape.

    Returns:
        Shape (n, labels).

    Raises:
        DataError: Shapes or types do not fit.
    """
    gold, probabilities = _binary(gold, probabilities)
    return (probabilities - gold) ** 2


def categorical_squared_errors(gold: IndexArray, probabilities: FloatArray) -> FloatArray:
    """Sum over labels of (p_k - y_k)^2 of every row.

    Args:
        gold: Label indices, shape (n,).
        probabilities: Shape (n, labels), rows sum to one.

    Returns:
        Shape (n,).

    Raises:
        DataError: Shapes or types do not fit.
    """
    gold, probabilities = _categorical(gold, probabilities)
    onehot = np.eye(probabilities.shape[1])[gold]
    return np.asarray(((probabilities - onehot) ** 2).sum(axis=1))


def binary_log_losses(gold: BoolArray, probabilities: FloatArray) -> FloatArray:
    """-log of the probability given to what is true, of every row and label, in nats.

    Args:
        gold: Labels, shape (n, labels).
        probabilities: Same shape; kept `LOG_LOSS_FLOOR` away from 0 and 1.

    Returns:
        Shape (n, labels).

    Raises:
        DataError: Shapes or types do not fit.
    """
    gold, probabilities = _binary(gold, probabilities)
    return -_floored_log(np.where(gold, probabilities, 1 - probabilities))


def categorical_log_losses(gold: IndexArray, probabilities: FloatArray) -> FloatArray:
    """-log of the probability given to the gold label, of every row, in nats.

    Args:
        gold: Label indices, shape (n,).
        probabilities: Shape (n, labels), rows sum to one; kept `LOG_LOSS_FLOOR` away from 0
            and 1.

    Returns:
        Shape (n,).

    Raises:
        DataError: Shapes or types do not fit.
    """
    gold, probabilities = _categorical(gold, probabilities)
    return -_floored_log(probabilities[np.arange(len(gold)), gold])


def binary_brier(gold: BoolArray, probabilities: FloatArray) -> FloatArray:
    """Mean of `binary_squared_errors` by label (Brier 1950, halved as is usual for two outcomes).

    Args:
        gold: Labels, shape (n, labels).
        probabilities: Same shape.

    Returns:
        Shape (labels,), 0 is perfect and 1 worst; NaN without rows.

    Raises:
        DataError: Shapes or types do not fit.
    """
    return _mean(binary_squared_errors(gold, probabilities))


def categorical_brier(gold: IndexArray, probabilities: FloatArray) -> float:
    """Mean of `categorical_squared_errors` (Brier 1950).

    Args:
        gold: Label indices, shape (n,).
        probabilities: Shape (n, labels), rows sum to one.

    Returns:
        0 is perfect and 2 worst; NaN without rows.

    Raises:
        DataError: Shapes or types do not fit.
    """
    return float(_mean(categorical_squared_errors(gold, probabilities)))


def binary_log_loss(gold: BoolArray, probabilities: FloatArray) -> FloatArray:
    """Mean of `binary_log_losses` by label.

    Args:
        gold: Labels, shape (n, labels).
        probabilities: Same shape.

    Returns:
        Shape (labels,); NaN without rows.

    Raises:
        DataError: Shapes or types do not fit.
    """
    return _mean(binary_log_losses(gold, probabilities))


def categorical_log_loss(gold: IndexArray, probabilities: FloatArray) -> float:
    """Mean of `categorical_log_losses`.

    Args:
        gold: Label indices, shape (n,).
        probabilities: Shape (n, labels), rows sum to one.

    Returns:
        At least 0; NaN without rows.

    Raises:
        DataError: Shapes or types do not fit.
    """
    return float(_mean(categorical_log_losses(gold, probabilities)))


def binary_calibration_error(
    gold: BoolArray, probabilities: FloatArray, n_bins: int = 10
) -> FloatArray:
    """Expected calibration error of each label's probability.

    ECE = sum over bins of (n_b / n) ``|mean probability - share of gold instances|``, with bins of
    equal width (Naeini et al. 2015; Guo et al. 2017, "On Calibration of Modern Neural
    Networks"), here of the probability that the label is present.

    Args:
        gold: Labels, shape (n, labels).
        probabilities: Same shape.
        n_bins: Number of bins.

    Returns:
        Shape (labels,); NaN without rows.

    Raises:
        DataError: Shapes or types do not fit.
    """
    gold, probabilities = _binary(gold, probabilities)
    columns = range(gold.shape[1])
    errors = [
        calibration_error_from_bins(reliability_bins(gold[:, k], probabilities[:, k], n_bins))
        for k in columns
    ]
    return np.array(errors, dtype=np.float64).reshape(len(columns))


def top_label_calibration_error(
    gold: IndexArray, probabilities: FloatArray, n_bins: int = 10
) -> float:
    """Expected calibration error of the most probable label.

    As `binary_calibration_error`, of the highest probability of each row against whether that
    label is right, as in Guo et al. 2017.

    Args:
        gold: Label indices, shape (n,).
        probabilities: Shape (n, labels), rows sum to one. Ties go to the first label.
        n_bins: Number of bins.

    Returns:
        Between 0 and 1; NaN without rows.

    Raises:
        DataError: Shapes or types do not fit.
    """
    gold, probabilities = _categorical(gold, probabilities)
    right = probabilities.argmax(axis=1) == gold
    bins = reliability_bins(right, probabilities.max(axis=1), n_bins)
    return float(calibration_error_from_bins(bins))


def reliability_bins(gold: BoolArray, probabilities: FloatArray, n_bins: int = 10) -> BinSums:
    """Sort probabilities into bins of equal width.

    Args:
        gold: Outcomes, shape (n,).
        probabilities: Shape (n,).
        n_bins: Number of bins.

    Returns:
        Sums of shape (n_bins,).

    Raises:
        DataError: Shapes or types do not fit, or `n_bins` is below one.
    """
    check_labels("gold", gold, 1)
    probabilities = check_probabilities("probabilities", probabilities, 1)
    check_same_shape("gold", gold, "probabilities", probabilities)
    edges = bin_edges(n_bins)
    index = bin_index(probabilities, edges)
    return BinSums(
        edges,
        np.bincount(index, minlength=n_bins).astype(np.float64),
        np.bincount(index, weights=probabilities, minlength=n_bins).astype(np.float64),
        np.bincount(index, weights=gold, minlength=n_bins).astype(np.float64),
    )


def bin_edges(n_bins: int) -> FloatArray:
    """Edges of equal-width bins, shape (n_bins + 1,).

    Raises:
        DataError: `n_bins` is below one.
    """
    if n_bins < 1:
        raise DataError(f"bins: expected at least 1, found {n_bins}")
    return np.linspace(0.0, 1.0, n_bins + 1)


def bin_index(probabilities: FloatArray, edges: FloatArray) -> IndexArray:
    """Bin of every probability; a probability on an edge belongs to the bin below it."""
    return np.searchsorted(edges[1:-1], probabilities, side="left")


def calibration_error_from_bins(bins: BinSums) -> FloatArray:
    """Expected calibration error from sums over bins.

    Args:
        bins: Sums of shape (..., bins).

    Returns:
        Shape (...); NaN where all bins are empty.
    """
    total = bins.count.sum(axis=-1)
    gap = np.abs(bins.probability - bins.observed).sum(axis=-1)
    return np.where(total > 0, gap / np.where(total > 0, total, 1.0), np.nan)


def _binary(gold: BoolArray, probabilities: FloatArray) -> tuple[BoolArray, FloatArray]:
    check_labels("gold", gold, 2)
    probabilities = check_probabilities("probabilities", probabilities, 2)
    check_same_shape("gold", gold, "probabilities", probabilities)
    return gold, probabilities


def _categorical(gold: IndexArray, probabilities: FloatArray) -> tuple[IndexArray, FloatArray]:
    probabilities = check_distribution("probabilities", probabilities)
    gold = check_indices("gold", gold, probabilities.shape[1])
    check_same_length("gold", gold, "probabilities", probabilities)
    return gold, probabilities


def _floored_log(probabilities: FloatArray) -> FloatArray:
    return np.log(np.clip(probabilities, LOG_LOSS_FLOOR, 1 - LOG_LOSS_FLOOR))


def _mean(values: FloatArray) -> FloatArray:
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    return np.asarray(values.mean(axis=0))
