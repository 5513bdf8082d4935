"""The metrics as `evaluate.Metric` classes, for training loops written against that library.

Make an object of a class here; ``evaluate.load`` is not used, since it asks a server first::

    from framing.metrics.shells import MultiLabelAveragePrecision, MultiLabelF1
    metric = evaluate.combine([MultiLabelF1(), MultiLabelAveragePrecision()])
    metric.add_batch(predictions=labels, prediction_scores=probabilities, references=gold)
    metric.compute()  # {"f1_macro": ..., "f1_micro": ..., "average_precision_macro": ...}

Labels of multi_label variables are rows of 0 and 1 with a column for every label of the codebook,
those of single_label variables are indices. Probabilities have an input of their own,
``prediction_scores``, so that they are never taken for labels.

This module imports ``evaluate`` and ``datasets``; `framing.metrics` itself does not.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.errors import DataError
from framing.metrics import calibration, confusion, counts, ranking
from framing.metrics.checks import IndexArray

_LABEL_ROWS = datasets.Sequence(datasets.Value("float64"))
_PROBABILITY_ROWS = datasets.Sequence(datasets.Value("float64"))
_INDEX = datasets.Value("float64")


class _Shell(evaluate.Metric):  # type: ignore[misc]
    """Base of the shells.

    Every column is declared as floats: `datasets` would cut 0.7 down to 0 in a column of whole
    numbers, and a probability would pass for a label.
    """

    description = ""
    inputs = ""
    columns: dict[str, Any]

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.description,
            citation="",
            inputs_description=self.inputs,
            features=datasets.Features(self.columns),
        )


class MultiLabelF1(_Shell):
    """Macro-F1 and micro-F1 of a multi_label variable."""

    description = f"Macro-F1 and micro-F1. Absent labels: {counts.ABSENT_RULE}."
    inputs = "predictions, references: rows of 0 and 1, a column for every label."
    columns = {"predictions": _LABEL_ROWS, "references": _LABEL_ROWS}  # noqa: RUF012

    def _compute(
        self,
        *,
        predictions: Any,
        references: Any,
        prediction_scores: Any = None,  # noqa: ARG002 - combine() hands all inputs to all
    ) -> dict[str, float]:
        found = counts.count(_labels("references", references), _labels("predictions", predictions))
        return {
            "f1_macro": float(counts.macro(counts.f1(found))),
            "f1_micro": float(counts.f1(counts.pooled(found))[0]),
        }


class MultiLabelExactMatch(_Shell):
    """Share of sentences whose set of labels is exactly right."""

    description = "Share of rows whose labels are all right."
    inputs = "predictions, references: rows of 0 and 1, a column for every label."
    columns = {"predictions": _LABEL_ROWS, "references": _LABEL_ROWS}  # noqa: RUF012

    def _compute(
        self,
        *,
        predictions: Any,
        references: Any,
        prediction_scores: Any = None,  # noqa: ARG002 - combine() hands all inputs to all
    ) -> dict[str, float]:
        gold, predicted = _labels("references", references), _labels("predictions", predictions)
        return {"exact_match": counts.exact_match(gold, predicted)}


class MultiLabelAveragePrecision(_Shell):
    """Macro and micro average precision of a multi_label variable."""

    description = "Average precision, step by step; labels without gold instances are left out."
    inputs = "prediction_scores: rows of probabilities; references: rows of 0 and 1."
    columns = {"prediction_scores": _PROBABILITY_ROWS, "references": _LABEL_ROWS}  # noqa: RUF012

    def _compute(self, *, prediction_scores: Any, references: Any) -> dict[str, float]:
        gold = _labels("references", references)
        scores = _rows("prediction_scores", prediction_scores)
        return {
            "average_precision_macro": float(counts.macro(ranking.average_precision(gold, scores))),
            "average_precision_micro": ranking.micro_average_precision(gold, scores),
        }


class MultiLabelCalibration(_Shell):
    """Brier score and expected calibration error of a multi_label variable, labels pooled."""

    description = "Brier score and expected calibration error (10 bins of equal width)."
    inputs = "prediction_scores: rows of probabilities; references: rows of 0 and 1."
    columns = {"prediction_scores": _PROBABILITY_ROWS, "references": _LABEL_ROWS}  # noqa: RUF012

    def _compute(self, *, prediction_scores: Any, references: Any) -> dict[str, float]:
        gold = _labels("references", references).reshape(-1, 1)
        scores = _rows("prediction_scores", prediction_scores).reshape(-1, 1)
        return {
            "brier": float(calibration.binary_brier(gold, scores)[0]),
            "calibration_error": float(calibration.binary_calibration_error(gold, scores)[0]),
        }


class SingleLabelF1(_Shell):
    """Macro-F1, accuracy and Cohen's kappa of a single_label variable.

    Args:
        n_labels: Labels of the codebook, whether or not they occur in the data.
        settings: Passed on to `evaluate.Metric`, such as ``cache_dir``.
    """

    description = f"Macro-F1, accuracy and kappa. Absent labels: {counts.ABSENT_RULE}."
    inputs = "predictions, references: label indices."
    columns = {"predictions": _INDEX, "references": _INDEX}  # noqa: RUF012

    def __init__(self, n_labels: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.n_labels = n_labels

    def _compute(
        self,
        *,
        predictions: Any,
        references: Any,
        prediction_scores: Any = None,  # noqa: ARG002 - combine() hands all inputs to all
    ) -> dict[str, float]:
        matrix = confusion.confusion_matrix(
            _indices("references", references),
            _indices("predictions", predictions),
            self.n_labels,
        )
        return {
            "f1_macro": float(counts.macro(counts.f1(confusion.counts_of_confusion(matrix)))),
            "accuracy": float(confusion.accuracy(matrix)),
            "kappa": float(confusion.cohen_kappa(matrix)),
        }


class SingleLabelCalibration(_Shell):
    """Brier score and top-label calibration error of a single_label variable."""

    description = "Brier score and top-label calibration error (10 bins of equal width)."
    inputs = "prediction_scores: rows of probabilities that sum to 1; references: label indices."
    columns = {"prediction_scores": _PROBABILITY_ROWS, "references": _INDEX}  # noqa: RUF012

    def _compute(self, *, prediction_scores: Any, references: Any) -> dict[str, float]:
        gold = _indices("references", references)
        scores = _rows("prediction_scores", prediction_scores)
        return {
            "brier": calibration.categorical_brier(gold, scores),
            "calibration_error": calibration.top_label_calibration_error(gold, scores),
        }


def _rows(name: str, values: Any) -> FloatArray:
    widths = {len(row) for row in values}
    if len(widths) != 1:
        raise DataError(f"{name}: expected rows of one length, found lengths {sorted(widths)}")
    return np.array(values, dtype=np.float64)


def _labels(name: str, values: Any) -> BoolArray:
    rows = _rows(name, values)
    if not np.isin(rows, (0.0, 1.0)).all():
        raise DataError(
            f"{name}: expected labels, 0 or 1, found values from {rows.min():.4g} to "
            f"{rows.max():.4g}; probabilities go to prediction_scores"
        )
    return rows.astype(bool)


def _indices(name: str, values: Any) -> IndexArray:
    column = np.array(values, dtype=np.float64)
    if not (column == np.floor(column)).all():
        raise DataError(f"{name}: expected label indices, whole numbers; found fractions")
    return column.astype(np.intp)
