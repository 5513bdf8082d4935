"""Fitting calibration and thresholds on the development split.

Where a label is rarer in the texts to be labelled than in the development split, its instances
there are weighted down to the share expected: the fitted probabilities and thresholds are then
those for the expected share. With one weight for instances and one for the rest this is the
correction of Saerens, Latinne and Decaestecker (2002), "Adjusting the Outputs of a Classifier to
New a Priori Probabilities", for a share that is known.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from framing.arrays import BoolArray, FloatArray, LabelArray
from framing.codebook import Codebook, Head
from framing.decisions import MIN_INSTANCES, Decisions, calibrated_probabilities


def fit_decisions(
    logits: FloatArray,
    gold: LabelArray,
    book: Codebook,
    prevalence: Mapping[str, Mapping[str, float]] | None = None,
) -> Decisions:
    """Fit Platt scaling, temperatures and thresholds.

    Args:
        logits: Of the development split, shape (n, logits).
        gold: Its gold labels.
        book: The codebook.
        prevalence: multi_label variable -> label -> share of sentences expected in the texts to
            be labelled; the development split's own share where not named.

    Returns:
        Calibration that minimises log loss, and thresholds that maximise each label's F1 on
        calibrated probabilities.
    """
    scale, bias = np.ones(book.n_logits), np.zeros(book.n_logits)
    weights = _prior_weights(gold, book, prevalence or {})
    for column, head in enumerate(book.heads):
        rows = gold.coded[:, column]
        z, y = logits[rows, head.slice], gold.values[rows, head.slice]
        if head.kind == "multi_label":
            fitted_head = _platt(z, y, weights[rows, head.slice])
        else:
            fitted_head = _temperature(z, y)
        scale[head.slice], bias[head.slice] = fitted_head
    fitted = Decisions(tuple(scale.tolist()), tuple(bias.tolist()), (0.5,) * book.n_logits)
    probabilities = calibrated_probabilities(logits, book, fitted)
    threshold = np.full(book.n_logits, 0.5)
    for column, head in enumerate(book.heads):
        if head.kind == "multi_label":
            threshold[head.slice] = _thresholds(head, probabilities, gold, column, weights)
    return Decisions(fitted.scale, fitted.bias, tuple(threshold.tolist()))


def _prior_weights(
    gold: LabelArray, book: Codebook, prevalence: Mapping[str, Mapping[str, float]]
) -> FloatArray:
    """Weights that give each label the share expected, shape (n, logits); 1 where none is."""
    out = np.ones(gold.values.shape)
    for column, head in enumerate(book.heads):
        expected = prevalence.get(head.variable, {})
        for k, label in enumerate(head.labels, head.start):
            y = gold.values[gold.coded[:, column], k]
            if label in expected and 0 < y.sum() < len(y):
                share = y.mean()
                present = expected[label] / share
                absent = (1 - expected[label]) / (1 - share)
                out[:, k] = np.where(gold.values[:, k], present, absent)
    return out


def _platt(
    logits: FloatArray, gold: BoolArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Platt scaling of each column, with Platt's smoothed targets.

    Platt (1999), "Probabilistic Outputs for Support Vector Machines", section 2.2, gives about as
    much of an instance to all sentences without the label together as it takes from those with
    it. So that this holds for weighted sentences too, and their share stays as it is, both are
    measured by the smaller of the two weights. Otherwise what is given would be a whole sentence
    beside instances of a rare label that may weigh two or three together.

    Args:
        logits: Shape (n, labels).
        gold: Same shape.
        weights: Same shape; one value for the instances of a label, one for the rest.

    Returns:
        Slopes and biases, shape (labels,); 1 and 0 where there are too few instances.
    """
    n = logits.shape[1]
    scale, bias = np.ones(n), np.zeros(n)
    for k in range(n):
        z, y, weight = logits[:, k], gold[:, k], weights[:, k]
        positive, negative = int(y.sum()), int((~y).sum())
        if min(positive, negative) < MIN_INSTANCES:
            continue
        present, absent = weight[y][0], weight[~y][0]
        least = min(present, absent)
        taken, given = least / present / (positive + 2), least / absent / (negative + 2)
        target = np.where(y, 1 - taken, given)
        scale[k], bias[k] = _logistic(z, target, weight)
    return scale, bias


def _logistic(z: FloatArray, target: FloatArray, weight: FloatArray) -> tuple[float, float]:
    from scipy.optimize import minimize

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        # exp keeps the slope positive: calibration must never turn a model's order round.
        slope = np.exp(x[0])
        margin = slope * z + x[1]
        value = np.mean(weight * (np.logaddexp(0, margin) - target * margin))
        residual = weight * (1 / (1 + np.exp(-np.clip(margin, -500, 500))) - target)
        return float(value), np.array([np.mean(residual * z) * slope, np.mean(residual)])

    best = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-20, 20)])
    return float(np.exp(best.x[0])), float(best.x[1])


def _temperature(logits: FloatArray, gold: BoolArray) -> tuple[FloatArray, FloatArray]:
    """One temperature for a softmax (Guo et al. 2017), no bias."""
    from scipy.optimize import minimize_scalar

    n = logits.shape[1]
    if len(logits) < MIN_INSTANCES * n:
        return np.ones(n), np.zeros(n)

    def loss(log_scale: float) -> float:
        z = logits * np.exp(log_scale)
        top = z.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(z - top).sum(axis=1)) + top[:, 0]
        return float(np.mean(log_sum - (z * gold).sum(axis=1)))

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return np.full(n, float(np.exp(best.x))), np.zeros(n)


def _thresholds(
    head: Head,
    probabilities: FloatArray,
    gold: LabelArray,
    column: int,
    weights: FloatArray,
) -> list[float]:
    rows = gold.coded[:, column]
    out = []
    for k in range(head.start, head.stop):
        p, y = probabilities[rows, k], gold.values[rows, k]
        weight = weights[rows, k]
        out.append(best_threshold(p, y, weight) if y.sum() >= MIN_INSTANCES else 0.5)
    return out


def best_threshold(
    probabilities: FloatArray, gold: BoolArray, weights: FloatArray | None = None
) -> float:
    """The threshold with the highest expected F1.

    F1 as a function of the threshold is jagged on a few hundred sentences, and its peak a
    matter of chance. Averaging it over bootstrap weights would cost more than it gives; instead
    the middle of all thresholds within half a standard error of the peak is taken.

    Args:
        probabilities: Shape (n,).
        gold: Shape (n,).
        weights: Of the sentences, shape (n,); None: all alike.

    Returns:
        A probability between 0.02 and 0.98.
    """
    weights = np.ones(len(gold)) if weights is None else weights
    grid = np.linspace(0.02, 0.98, 97)
    predicted = probabilities[None, :] >= grid[:, None]
    hits = (predicted & gold) @ weights
    total = predicted @ weights + gold @ weights
    f1 = 2 * hits / np.where(total > 0, total, 1)
    error = np.sqrt(f1.max() * (1 - f1.max()) / max(int(gold.sum()), 1))
    good = grid[f1 >= f1.max() - 0.5 * error]
    middle = np.median(good)
    distance = np.abs(good - middle)
    # Where they lie in two parts, their middle may be between them.
    found = good[distance.argmin()] if distance.min() > grid[1] - grid[0] else middle
    return float(np.round(found, 4))
