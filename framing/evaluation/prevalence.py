"""Estimates of how many sentences truly have a label, with intervals, from a model's labels.

A model misses sentences and gives false alarms, so the share that it labels is not the share that
has the label, above all where a label is rare. The development split shows how often it errs;
`framing.metrics.prevalence` has the formula. Whoever uses it takes for granted that the model errs
in other texts as on the development split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from framing.arrays import FloatArray
from framing.errors import counted
from framing.evaluation.bootstrap import percentile_interval
from framing.evaluation.schema import LEAST_DOCUMENTS
from framing.metrics.checks import IndexArray
from framing.metrics.counts import Counts
from framing.metrics.prevalence import detection_rates, true_prevalence

METHOD = (
    "share of the sentences labelled, not of a population of articles that they may be a sample "
    "of; Rogan and Gladen (1978), (q - fpr) / (tpr - fpr) cut off at 0 and 1; percentile interval "
    "over resampled development documents, one with a sentence of each outcome added, and Jeffreys "
    "draws of q"
)
#: Of each outcome, in a document that is added to those drawn from.
_ADDED = 1.0
#: Development sentences with a label, and without it, below which its rates mean little; they must
#: stand in `LEAST_DOCUMENTS`.
LEAST_SENTENCES = 20
#: What tpr - fpr must surely exceed. An error of q or fpr is divided by it.
LEAST_DIFFERENCE = 0.1


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated share of sentences that truly have a label.

    Attributes:
        share: Between 0 and 1; None where nothing can be said.
        low: Lower end of the interval, None with the share.
        high: Upper end.
        tpr: True positive rate on the development split; None without sentences with the label.
        fpr: False positive rate there; None without sentences that lack it.
        note: Why there is no share, or what to mind when reading it; "" for nothing.
    """

    share: float | None
    low: float | None
    high: float | None
    tpr: float | None
    fpr: float | None
    note: str


def estimate_prevalence(
    development: Counts,
    labelled: IndexArray,
    sentences: int,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Estimate true shares from labelled sentences.

    Two things are uncertain. Which documents the development split happens to hold: they are drawn
    with replacement, each with all its sentences (see `framing.evaluation.bootstrap`). To them a
    document is added with one sentence of each outcome, or else a model with no false alarm or few
    in a small split would be taken for one that hardly ever gives any; the estimate itself is made
    without it. And how many of the sentences a model with just these rates happens to label: q is
    drawn from Beta(k + 1/2, n - k + 1/2), k of n sentences being labelled (Jeffreys; Brown, Cai and
    DasGupta 2001, "Interval Estimation for a Binomial Proportion"). What is estimated is the share
    of the sentences labelled themselves. Of all articles that these are a sample of it says less:
    totals do not tell which sentences stand in one article and resemble each other. Each label has
    draws of its own, so that its interval does not depend on how often others are given.

    Args:
        development: Outcomes on the development split, shape (documents, labels).
        labelled: Sentences with each label, shape (labels,).
        sentences: How many were looked at, at least 1.
        resamples: How many.
        confidence: Such as 0.95.
        rng: Source of the draws.

    Returns:
        One estimate a label.
    """
    of_documents, *of_labels = rng.spawn(1 + len(labelled))
    tpr, fpr = detection_rates(_resampled(development, resamples, of_documents))
    drawn = [
        _shares(int(k), sentences, resamples, of_label)
        for k, of_label in zip(labelled, of_labels, strict=True)
    ]
    shares = true_prevalence(np.stack(drawn, axis=1), tpr, fpr)
    return [
        _estimate(
            _Figures(int(labelled[k]), shares[:, k], tpr[:, k], fpr[:, k]), missing, confidence
        )
        for k, missing in enumerate(_too_few(development))
    ]


@dataclass(frozen=True, slots=True)
class _Figures:
    """Of one label; in arrays of shape (1 + resamples,) the first is the figure itself."""

    labelled: int
    shares: FloatArray
    tpr: FloatArray
    fpr: FloatArray


def _resampled(development: Counts, resamples: int, rng: np.random.Generator) -> Counts:
    """Outcomes on the split itself, then on its resamples; shape (1 + resamples, labels)."""
    parts = (development.tp, development.fp, development.fn, development.tn)
    rows = np.concatenate(parts, axis=1)
    # Documents with the same outcomes are drawn together: where sentences are documents of their
    # own, a handful of numbers stands for thousands.
    distinct, times = np.unique(rows, axis=0, return_counts=True)
    n = len(rows) + 1
    drawn = rng.multinomial(n, np.append(times, 1) / n, size=resamples).astype(np.float64)
    added = np.vstack([distinct, np.full(rows.shape[1], _ADDED)])
    totals = np.vstack([times @ distinct, drawn @ added])
    return Counts(*np.split(totals, len(parts), axis=1))


def _shares(labelled: int, sentences: int, resamples: int, rng: np.random.Generator) -> FloatArray:
    """The labelled share of one label and its draws, shape (1 + resamples,)."""
    drawn = rng.beta(labelled + 0.5, sentences - labelled + 0.5, size=resamples)
    return np.append(labelled / sentences, drawn)


def _too_few(development: Counts) -> Iterator[str]:
    """Why development sentences are too few for a label's rates, "" where not; label by label."""
    kinds = (
        (("has", "have"), development.tp + development.fn),
        (("lacks", "lack"), development.fp + development.tn),
    )
    for k in range(development.tp.shape[1]):
        notes = (_too_few_of(verb, by_document[:, k]) for verb, by_document in kinds)
        yield next(filter(None, notes), "")


def _too_few_of(verb: tuple[str, str], by_document: FloatArray) -> str:
    sentences, documents = int(by_document.sum()), int((by_document > 0).sum())
    if sentences >= LEAST_SENTENCES and documents >= LEAST_DOCUMENTS:
        return ""
    return (
        f"only {counted(sentences, 'development sentence')}, in {counted(documents, 'document')}, "
        f"{verb[sentences != 1]} it; "
        f"{LEAST_SENTENCES} sentences in {LEAST_DOCUMENTS} documents are needed"
    )


def _too_close(figures: _Figures, confidence: float) -> str:
    """Why the rates do not surely lie far enough apart; "" where they do."""
    differences = figures.tpr - figures.fpr
    low = percentile_interval(differences, confidence).low
    if low is not None and low > LEAST_DIFFERENCE:
        return ""
    why = "how far these lie apart is too uncertain"
    if differences[0] <= LEAST_DIFFERENCE:
        why = f"the first must be more than {100 * LEAST_DIFFERENCE:.0f} points higher"
    return (
        f"on the development split the model gives it to {figures.tpr[0]:.0%} of the sentences "
        f"that have it and to {figures.fpr[0]:.0%} of those that lack it; {why}"
    )


def _estimate(figures: _Figures, missing: str, confidence: float) -> Estimate:
    note = missing or _too_close(figures, confidence)
    rates = _known(figures.tpr[0]), _known(figures.fpr[0])
    if note:
        return Estimate(None, None, None, *rates, note)
    share = float(figures.shares[0])
    interval = percentile_interval(figures.shares, confidence)
    # Where none is labelled or all are, q is at an end that its draws never reach.
    low, high = min(share, interval.low or 0.0), max(share, interval.high or 0.0)
    if figures.labelled and low == 0:
        note = "false alarms alone may give this many"
    return Estimate(share, low, high, *rates, note)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
