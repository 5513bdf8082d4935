"""Checks of metric inputs; each says what was expected, what was found and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from framing.arrays import BoolArray, FloatArray
from framing.errors import DataError

IndexArray = NDArray[np.intp]

#: How far the probabilities of a single_label head may be from summing to one; predictions
#: files keep six decimals a label.
SUM_TOLERANCE = 1e-3


def check_labels(name: str, values: NDArray[Any], ndim: int) -> BoolArray:
    """Check that an array holds labels as Booleans.

    Args:
        name: Of the argument, for messages.
        values: The array.
        ndim: Dimensions it must have.

    Returns:
        The array.

    Raises:
        DataError: Another type or another number of dimensions.
    """
    if values.dtype != np.bool_:
        raise DataError(
            f"{name}: expected labels as a Boolean array, found {values.dtype}; "
            "decide labels from probabilities first, or convert 0/1 with .astype(bool)"
        )
    _check_ndim(name, values, ndim)
    return values


def check_probabilities(name: str, values: NDArray[Any], ndim: int) -> FloatArray:
    """Check that an array holds probabilities.

    Args:
        name: Of the argument, for messages.
        values: The array.
        ndim: Dimensions it must have.

    Returns:
        The array as float64.

    Raises:
        DataError: Not floats, not finite or outside [0, 1], or another number of dimensions.
    """
    floats = check_scores(name, values, ndim)
    if floats.size and (floats.min() < 0 or floats.max() > 1):
        raise DataError(
            f"{name}: expected probabilities in [0, 1], found values from {floats.min():.4g} to "
            f"{floats.max():.4g}; logits must go through a sigmoid or softmax first"
        )
    return floats


def check_scores(name: str, values: NDArray[Any], ndim: int) -> FloatArray:
    """Check that an array holds finite floats.

    Args:
        name: Of the argument, for messages.
        values: The array.
        ndim: Dimensions it must have.

    Returns:
        The array as float64.

    Raises:
        DataError: Not floats, not finite, or another number of dimensions.
    """
    if not np.issubdtype(values.dtype, np.floating):
        raise DataError(
            f"{name}: expected floats, found {values.dtype}; labels are not scores, pass the "
            "model's probabilities"
        )
    _check_ndim(name, values, ndim)
    finite = np.isfinite(values)
    if not finite.all():
        raise DataError(
            f"{name}: expected finite numbers, found {int((~finite).sum())} NaN or infinite "
            f"value(s), the first at {tuple(int(i) for i in np.argwhere(~finite)[0])}"
        )
    return values.astype(np.float64, copy=False)


def check_distribution(name: str, values: NDArray[Any]) -> FloatArray:
    """Check that every row holds probabilities that sum to one.

    Args:
        name: Of the argument, for messages.
        values: Shape (n, labels).

    Returns:
        The array as float64.

    Raises:
        DataError: Not probabilities, or a row sums to something else than one.
    """
    floats = check_probabilities(name, values, 2)
    gaps = np.abs(floats.sum(axis=1) - 1)
    if gaps.size and gaps.max() > SUM_TOLERANCE:
        row = int(gaps.argmax())
        raise DataError(
            f"{name}: expected rows that sum to 1, found {floats[row].sum():.4g} in row {row}; "
            "one-of-many labels need the probabilities of a softmax"
        )
    return floats


def check_indices(name: str, values: NDArray[Any], n_labels: int) -> IndexArray:
    """Check that an array holds label indices.

    Args:
        name: Of the argument, for messages.
        values: Shape (n,).
        n_labels: Number of labels; indices run from 0 to one below.

    Returns:
        The array.

    Raises:
        DataError: Not whole numbers, or an index out of range.
    """
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(
            f"{name}: expected label indices as whole numbers, found {values.dtype}; use the "
            "position of each label in the codebook"
        )
    _check_ndim(name, values, 1)
    if values.size and (values.min() < 0 or values.max() >= n_labels):
        raise DataError(
            f"{name}: expected indices from 0 to {n_labels - 1}, found values from "
            f"{values.min()} to {values.max()}"
        )
    return values.astype(np.intp, copy=False)


def check_same_shape(
    first_name: str, first: NDArray[Any], second_name: str, second: NDArray[Any]
) -> None:
    """Check that two arrays belong to the same sentences and labels.

    Raises:
        DataError: Their shapes differ.
    """
    if first.shape != second.shape:
        raise DataError(
            f"{first_name} and {second_name} must have one shape, found {first.shape} and "
            f"{second.shape}; both need the same sentences and the same labels in one order"
        )


def check_same_length(
    first_name: str, first: NDArray[Any], second_name: str, second: NDArray[Any]
) -> None:
    """Check that two arrays have the same number of rows.

    Raises:
        DataError: Their lengths differ.
    """
    if len(first) != len(second):
        raise DataError(
            f"{first_name} and {second_name} must have the same number of rows, found "
            f"{len(first)} and {len(second)}"
        )


def _check_ndim(name: str, values: NDArray[Any], ndim: int) -> None:
    if values.ndim != ndim:
        shape = {1: "(n,)", 2: "(n, labels)"}[ndim]
        raise DataError(f"{name}: expected shape {shape}, found {values.shape}")
