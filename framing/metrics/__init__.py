"""Metrics as pure functions over NumPy arrays.

Three types of input are kept apart and nothing guesses which it was given: *labels* are Boolean
arrays or label indices, *probabilities* are floats in [0, 1], *scores* are any finite floats of
which only the order counts. Every function checks shapes and types, counts, then reduces.
"""

from framing.metrics.calibration import (
    BinSums,
    binary_brier,
    binary_calibration_error,
    binary_log_loss,
    binary_log_losses,
    binary_squared_errors,
    calibration_error_from_bins,
    categorical_brier,
    categorical_log_loss,
    categorical_log_losses,
    categorical_squared_errors,
    reliability_bins,
    top_label_calibration_error,
)
from framing.metrics.confusion import accuracy, cohen_kappa, confusion_matrix, counts_of_confusion
from framing.metrics.counts import (
    ABSENT_RULE,
    Counts,
    count,
    exact_match,
    f1,
    macro,
    pooled,
    precision,
    recall,
)
from framing.metrics.official import OFFICIAL_METRICS, mean_f1, share_right
from framing.metrics.prevalence import detection_rates, true_prevalence
from framing.metrics.ranking import (
    CurvePoints,
    average_precision,
    micro_average_precision,
    precision_recall_curve,
    weighted_average_precision,
)

__all__ = [
    "ABSENT_RULE",
    "OFFICIAL_METRICS",
    "BinSums",
    "Counts",
    "CurvePoints",
    "accuracy",
    "average_precision",
    "binary_brier",
    "binary_calibration_error",
    "binary_log_loss",
    "binary_log_losses",
    "binary_squared_errors",
    "calibration_error_from_bins",
    "categorical_brier",
    "categorical_log_loss",
    "categorical_log_losses",
    "categorical_squared_errors",
    "cohen_kappa",
    "confusion_matrix",
    "count",
    "counts_of_confusion",
    "detection_rates",
    "exact_match",
    "f1",
    "macro",
    "mean_f1",
    "micro_average_precision",
    "pooled",
    "precision",
    "precision_recall_curve",
    "recall",
    "reliability_bins",
    "share_right",
    "top_label_calibration_error",
    "true_prevalence",
    "weighted_average_precision",
]
