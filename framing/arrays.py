"""Records as arrays, with one column a logit in the codebook's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framing.codebook import Codebook
from framing.errors import DataError, unknown_name
from framing.records import Annotation, Prediction

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class LabelArray:
    """Labels of n sentences.

    Attributes:
        values: Shape (n, logits), 0 or 1; in single_label heads at most one 1 a row. Rows of
            heads that were not coded are 0.
        coded: Shape (n, heads); whether a head was coded for a sentence.
    """

    values: BoolArray
    coded: BoolArray


def label_array(annotations: Sequence[Mapping[str, tuple[str, ...]]], book: Codebook) -> LabelArray:
    """Turn head -> labels mappings into arrays.

    Args:
        annotations: One mapping a sentence, such as `Annotation.values` or `Prediction.labels`.
        book: Gives columns and heads.

    Returns:
        The labels in the order given.

    Raises:
        DataError: A label is not in the codebook.
    """
    values = np.zeros((len(annotations), book.n_logits), dtype=bool)
    coded = np.zeros((len(annotations), len(book.heads)), dtype=bool)
    for column, head in enumerate(book.heads):
        index = {label: head.start + k for k, label in enumerate(head.labels)}
        for row, mapping in enumerate(annotations):
            labels = mapping.get(head.name)
            if labels is None:
                continue
            coded[row, column] = True
            for label in labels:
                if label not in index:
                    raise DataError(f"{head.name}: {unknown_name('label', label, index)}")
                values[row, index[label]] = True
    return LabelArray(values, coded)


def gold_array(gold: Iterable[Annotation], book: Codebook) -> LabelArray:
    """`label_array` of annotations."""
    return label_array([annotation.values for annotation in gold], book)


def probability_array(predictions: Sequence[Prediction], book: Codebook) -> FloatArray:
    """Probabilities of n predictions, shape (n, logits)."""
    out = np.empty((len(predictions), book.n_logits))
    for row, prediction in enumerate(predictions):
        for head in book.heads:
            out[row, head.slice] = prediction.probabilities[head.name]
    return out


def row_scaled(table: FloatArray, limit: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A table as int8 and one scale a row.

    Args:
        table: Shape (rows, width).
        limit: Largest absolute value of an entry.

    Returns:
        int8 values of the same shape and float32 scales of shape (rows, 1): their product is the
        table but for half a step, which is 1/limit of each row's largest entry.
    """
    largest = np.abs(table).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest / limit, 1.0).astype(np.float32)
    return np.rint(table / scale).astype(np.int8), scale
