"""Logistic regression for every head of a codebook on given features."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from framing.arrays import FloatArray, LabelArray
from framing.codebook import Codebook, Head

#: Features and classes -> a fitted regression.
Regress = Callable[[Any, Any], Any]

#: Log-odds given to a label that never, or always, occurs in the training data.
_NEVER = -8.0


@dataclass(frozen=True)
class LinearHeads:
    """A linear map from features to logits.

    Attributes:
        weights: Shape (features, logits).
        bias: Shape (logits,).
    """

    weights: FloatArray
    bias: FloatArray

    def logits(self, features: Any) -> FloatArray:
        """Logits of dense or sparse features of shape (n, features)."""
        out: FloatArray = np.asarray(features @ self.weights) + self.bias
        return out


def fit_linear_heads(
    features: Any, gold: LabelArray, book: Codebook, c: float, factors: FloatArray | None = None
) -> LinearHeads:
    """Fit one logistic regression a label (multi_label) or head (single_label).

    Args:
        features: Dense or sparse, shape (n, features).
        gold: Labels of the same sentences; uncoded heads are left out.
        book: The codebook.
        c: Inverse strength of the L2 penalty.
        factors: Factor on the loss of each sentence, shape (n,); None: 1.

    Returns:
        The fitted map.
    """
    weights = np.zeros((features.shape[1], book.n_logits))
    bias = np.full(book.n_logits, _NEVER)
    factors = np.ones(features.shape[0]) if factors is None else factors
    for column, head in enumerate(book.heads):
        rows = np.flatnonzero(gold.coded[:, column] & (factors > 0))
        if len(rows) == 0:
            bias[head.slice] = 0
            continue
        x, y = features[rows], gold.values[rows][:, head.slice]
        fit = _fit_sigmoids if head.kind == "multi_label" else _fit_softmax
        regress = functools.partial(_regression, c=c, factors=factors[rows])
        weights[:, head.slice], bias[head.slice] = fit(x, y, regress, head)
    return LinearHeads(weights, bias)


def _regression(x: Any, y: Any, c: float, factors: FloatArray) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, max_iter=2000).fit(x, y, factors)


def _fit_sigmoids(x: Any, y: Any, regress: Regress, head: Head) -> tuple[FloatArray, FloatArray]:
    weights = np.zeros((x.shape[1], len(head.labels)))
    bias = np.full(len(head.labels), _NEVER)
    for k in range(len(head.labels)):
        if y[:, k].all():
            bias[k] = -_NEVER
        elif y[:, k].any():
            fitted = regress(x, y[:, k])
            weights[:, k], bias[k] = fitted.coef_[0], fitted.intercept_[0]
    return weights, bias


def _fit_softmax(x: Any, y: Any, regress: Regress, head: Head) -> tuple[FloatArray, FloatArray]:
    weights = np.zeros((x.shape[1], len(head.labels)))
    bias = np.full(len(head.labels), _NEVER)
    classes = y.argmax(axis=1)
    seen = np.unique(classes)
    if len(seen) == 1:
        bias[seen[0]] = 0
        return weights, bias
    fitted = regress(x, classes)
    if len(seen) == 2:
        # scikit-learn keeps one column for two classes: the log-odds of the second.
        weights[:, seen[1]], bias[seen[1]] = fitted.coef_[0], fitted.intercept_[0]
        bias[seen[0]] = 0
    else:
        weights[:, seen], bias[seen] = fitted.coef_.T, fitted.intercept_
    return weights, bias


def fit_separate_labels(
    features: Any, gold: LabelArray, book: Codebook, c: float, factors: FloatArray
) -> LinearHeads:
    """Fit every label by itself against all others, single_label heads included.

    Their logits are no log-odds of a softmax, but order the labels as well, and fitting takes an
    eighth of the time: coordinate descent on the dual problem (Hsieh et al. 2008, "A Dual
    Coordinate Descent Method for Large-scale Linear SVM").

    Args:
        features: Sparse, shape (n, features).
        gold: Labels of the same sentences; uncoded heads are left out.
        book: The codebook.
        c: Inverse strength of the L2 penalty.
        factors: Factor on the loss of each sentence, shape (n,).

    Returns:
        The fitted map.
    """
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((features.shape[1], book.n_logits))
    bias = np.zeros(book.n_logits)
    for column, head in enumerate(book.heads):
        rows = np.flatnonzero(gold.coded[:, column] & (factors > 0))
        x = features[rows]
        for k in range(head.start, head.stop):
            y = gold.values[rows, k]
            if y.all() or not y.any():
                bias[k] = -_NEVER if len(y) and y.all() else (_NEVER if len(y) else 0)
                continue
            fitted = LogisticRegression(
                C=c, solver="liblinear", dual=True, tol=0.01, max_iter=1000, random_state=0
            ).fit(x, y, factors[rows])
            weights[:, k], bias[k] = fitted.coef_[0], fitted.intercept_[0]
    return LinearHeads(weights, bias)
