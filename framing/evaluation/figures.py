"""From units to figures, each with its value and its value in every resample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.codebook import Codebook
from framing.evaluation import schema
from framing.evaluation.bootstrap import (
    Interval,
    Resamples,
    calibration_interval,
    constant,
    flawless_share,
    percentile_interval,
)
from framing.evaluation.units import (
    Answers,
    JointUnits,
    MultiUnits,
    PairUnits,
    SingleUnits,
    joint_units,
    multi_units,
    pair_units,
    pool,
    single_units,
    variable_heads,
)
from framing.metrics.calibration import (
    BinSums,
    bin_edges,
    bin_index,
    binary_log_losses,
    binary_squared_errors,
    calibration_error_from_bins,
    categorical_log_losses,
    categorical_squared_errors,
)
from framing.metrics.checks import IndexArray
from framing.metrics.confusion import accuracy, cohen_kappa, counts_of_confusion
from framing.metrics.counts import Counts, f1, macro, macro_of, pooled, precision, recall

Key = tuple[str, str, str, str]

#: Shares of units, which `flawless_share` bounds; F1 is no lower than such a share.
_BOUNDED = ("precision", "recall", "f1", "accuracy", "exact_match")
_COUNT_METRICS = (("precision", precision), ("recall", recall), ("f1", f1))


@dataclass(frozen=True)
class Figure:
    """One figure and its resamples.

    Attributes:
        metric: As in `schema.Score`.
        variable: Variable id, or "all".
        head: Head name, or "".
        label: Label id, "macro", "micro", "pairs" or "".
        values: Shape (1 + resamples,); row 0 is the figure itself, NaN where undefined. A macro
            figure is in every resample the mean over the labels that it is over in row 0; one that
            is undefined there counts as 0.
        support: Gold instances of the label, or units counted.
        documents: Shape (documents,); those that hold something the figure is made of: of precision
            a predicted instance, of recall and average precision a gold one, of f1 either (of any
            label where it is of several), of other figures a unit.
        note: Why the value is missing or special, or "".
        upper: Of a macro figure the same with 1 in place of what is undefined in a resample; None
            for other figures.
        compared: Of a macro figure the same as `values` over the labels that gold has, so that all
            systems are compared on the same labels; None for other figures.
        noise: Of a calibration error what it would be in each resample if probabilities were exact,
            shape (resamples,); None for other figures.
    """

    metric: str
    variable: str
    head: str
    label: str
    values: FloatArray
    support: int
    documents: BoolArray
    note: str = ""
    upper: FloatArray | None = None
    compared: FloatArray | None = None
    noise: FloatArray | None = None

    @property
    def key(self) -> Key:
        """What the figure is, without its value."""
        return self.metric, self.variable, self.head, self.label

    @property
    def highest(self) -> FloatArray:
        """Where the upper end of the interval is from."""
        return self.values if self.upper is None else self.upper

    @property
    def paired(self) -> FloatArray:
        """What is subtracted in a comparison."""
        return self.values if self.compared is None else self.compared


def all_figures(
    gold: Answers,
    answers: Answers,
    book: Codebook,
    resamples: Resamples,
    bins: int,
    *,
    whole: Answers | None = None,
) -> list[Figure]:
    """Every figure of one system or coder.

    Args:
        gold: Taken as true.
        answers: Of the same sentences. Figures of probabilities are left out where it has none.
        book: The codebook.
        resamples: Of the same sentences.
        bins: Of calibration errors.
        whole: Gold for figures end to end, where it holds more than what is compared head by head;
            None: the same.

    Returns:
        Variables in the codebook's order, then figures over all variables.
    """
    out: list[Figure] = []
    whole = gold if whole is None else whole
    for variable in book.variables:
        heads = variable_heads(variable, book)
        if variable.kind == "multi_label":
            out += multi_figures(multi_units(heads[0], gold, answers, book), resamples, bins)
            continue
        parts = [single_units(head, gold, answers, book) for head in heads]
        if variable.per is not None:
            out += single_figures(pool(parts), resamples, bins)
            out += pair_figures(pair_units(variable.id, whole, answers, book), resamples)
        for part in parts:
            out += single_figures(part, resamples, bins)
    out.append(joint_figure(joint_units(whole, answers, book), resamples))
    return out


def fold_figures(
    gold: Answers, answers: Answers, fold: IndexArray, book: Codebook, resamples: Resamples
) -> list[Figure]:
    """Macro-F1 and mean average precision of what several models answered, one a fold.

    Each model has decided, so counts of all folds are added up. Their scores are on scales of
    their own: ranked together they give a lower average precision than each model's. So average
    precision is computed fold by fold and averaged (Forman and Scholz 2010, "Apples-to-apples in
    cross-validation studies", for both).

    Args:
        gold: Taken as true.
        answers: Of the same sentences, with probabilities.
        fold: Number of the fold of every sentence, shape (sentences,).
        book: The codebook.
        resamples: Of the same sentences.

    Returns:
        f1 of every head and average_precision of every multi_label head, macro alone.
    """
    decided = all_figures(gold, Answers(answers.labels, None), book, resamples, bins=1)
    ranked = [
        _fold_precision(multi_units(head, gold, answers, book), fold, resamples)
        for head in book.heads
        if head.kind == "multi_label"
    ]
    return [f for f in decided if (f.metric, f.label) == ("f1", "macro")] + ranked


def _fold_precision(units: MultiUnits, fold: IndexArray, resamples: Resamples) -> Figure:
    """Mean average precision; a label without a gold instance in a fold is left out there."""
    if units.probabilities is None:
        raise ValueError("these answers have no probabilities to rank by")
    of_folds = [
        _average_precisions(units, units.probabilities, resamples, fold[units.rows] == k)
        for k in np.unique(fold)
    ]
    basis = _together(units, resamples.holding(units.gold, units.rows))
    return _macro_figure("average_precision", units, _mean_of(of_folds), basis)


def _average_precisions(
    units: MultiUnits, probabilities: FloatArray, resamples: Resamples, inside: BoolArray
) -> FloatArray:
    """By label on some of the units, shape (1 + resamples, labels)."""
    gold, scores, rows = units.gold[inside], probabilities[inside], units.rows[inside]
    by_label = [
        resamples.average_precision(gold[:, k], scores[:, k], rows)
        for k in range(len(units.labels))
    ]
    return np.stack(by_label, axis=-1)


def multi_figures(units: MultiUnits, resamples: Resamples, bins: int) -> Iterator[Figure]:
    """Figures of a multi_label head.

    Yields:
        precision, recall and f1 by label, macro and micro; exact_match; with probabilities
        average_precision, brier, log_loss and calibration_error by label, macro and micro.
    """
    counts = _resampled_counts(units.gold, units.predicted, units.rows, resamples)
    yield from _count_figures(counts, units, resamples)
    yield from _micro_figures(counts, units, resamples)
    right = (units.gold == units.predicted).all(axis=1)
    exact = _mean(right.astype(float), units.rows, resamples)
    yield _figure("exact_match", units, "", exact, _all_units(units, resamples))
    if units.probabilities is not None:
        yield from _ranking_figures(units, units.probabilities, resamples)
        yield from _error_figures(units, units.probabilities, resamples)
        yield from _calibration_figures(units, units.probabilities, resamples, bins)


def single_figures(units: SingleUnits, resamples: Resamples, bins: int) -> Iterator[Figure]:
    """Figures of a single_label head, or of the pooled heads of a `per` variable.

    Yields:
        precision, recall and f1 by label and macro; f1 micro, accuracy and kappa; with
        probabilities brier, log_loss and calibration_error of the most probable label.
    """
    confusion = _resampled_confusion(units, resamples)
    counts = counts_of_confusion(confusion)
    yield from _count_figures(counts, units, resamples)
    basis = _all_units(units, resamples)
    yield _figure("f1", units, "micro", f1(pooled(counts))[:, 0], basis)
    yield _figure("accuracy", units, "", accuracy(confusion), basis)
    kappa = cohen_kappa(confusion)
    note = "both sides give one label throughout" if np.isnan(kappa[0]) else ""
    yield _figure("kappa", units, "", kappa, basis, note=note)
    if units.probabilities is not None:
        yield from _softmax_figures(units, units.probabilities, resamples, bins)


def macro_f1(units: MultiUnits | SingleUnits, resamples: Resamples) -> Figure:
    """Macro-F1 alone, for slices."""
    found = _count_figures(resampled_counts(units, resamples), units, resamples)
    return next(figure for figure in found if (figure.metric, figure.label) == ("f1", "macro"))


def resampled_counts(units: MultiUnits | SingleUnits, resamples: Resamples) -> Counts:
    """Counts of the data and of every resample, shape (1 + resamples, labels)."""
    if isinstance(units, MultiUnits):
        return _resampled_counts(units.gold, units.predicted, units.rows, resamples)
    return counts_of_confusion(_resampled_confusion(units, resamples))


def pair_figures(units: PairUnits, resamples: Resamples) -> Iterator[Figure]:
    """End-to-end precision, recall and f1 of (parent label, value) pairs, pooled."""
    counts = _resampled_counts(units.gold, units.predicted, units.rows, resamples)
    documents = _documents(units.gold, units.predicted, units.rows, resamples)
    support = int(units.gold.sum())
    for metric, formula in _COUNT_METRICS:
        values, held = formula(pooled(counts))[:, 0], _any_label(documents[metric])
        note = "no pair in gold or predictions" if np.isnan(values[0]) else ""
        yield Figure(metric, units.variable, "", "pairs", values, support, held, note)


def joint_figure(units: JointUnits, resamples: Resamples) -> Figure:
    """Share of fully coded sentences with every value right."""
    total = len(units.rows)
    values = _mean(units.right.astype(float), units.rows, resamples)
    note = "" if total else "no sentence has everything coded"
    documents = resamples.holding(np.ones(total, dtype=bool), units.rows)
    return Figure("exact_match", "all", "", "", values, total, documents, note)


def average_figures(parts: Sequence[Sequence[Figure]], remark: str = "") -> list[Figure]:
    """Mean of the same figures of several coders, in every resample.

    Args:
        parts: One sequence of figures a coder, all of the same keys.
        remark: For the notes, such as who is not among them.

    Returns:
        The means; a coder whose figure is undefined is left out of its mean. Documents are those of
        any coder.
    """
    out = []
    for same in zip(*parts, strict=True):
        support = round(sum(figure.support for figure in same) / len(same))
        defined = sum(not np.isnan(figure.values[0]) for figure in same)
        note = f"mean of {defined} coders" if defined else same[0].note
        note = ", ".join(text for text in (note, remark) if text)
        documents = np.logical_or.reduce([figure.documents for figure in same])
        out.append(
            replace(
                same[0],
                values=_mean_of([figure.values for figure in same]),
                support=support,
                documents=documents,
                note=note,
                upper=_mean_of([figure.highest for figure in same]),
                compared=_mean_of([figure.paired for figure in same]),
            )
        )
    return out


def _mean_of(values: Sequence[FloatArray]) -> FloatArray:
    return macro(np.stack(values, axis=-1))


def figure_interval(figure: Figure, confidence: float) -> Interval:
    """The interval of a figure.

    A label in few documents is undefined in many resamples. A mean over the others alone would jump
    in them to what these come to. What the label would be there is not known: it counts as 0 for
    the lower end and as 1 for the upper. In a simulation of macro-F1 with labels in 2 of 60
    documents such intervals held the true value in 91 to 97% of the cases; in 72 to 93% where it
    counted as 0 for both ends, and in 69 to 88% without the resamples in question.

    Resampling cannot show what was never seen: a figure that is the same in every resample gets
    an interval only where it is 0 or 1 and `flawless_share` bounds it.

    Args:
        figure: With its resamples.
        confidence: Of the interval.

    Returns:
        The interval, with a note where there is none or another one.
    """
    documents = int(figure.documents.sum())
    if documents < 2:
        known = len(figure.values) > 1 and documents and not np.isnan(figure.values[0])
        return Interval(None, None, 0, "stands in one document, so no interval" if known else "")
    if constant(figure.values) and constant(figure.highest):
        return _border_interval(figure, documents, confidence)
    if figure.noise is not None:
        return calibration_interval(figure.values, figure.noise, confidence)
    lower = percentile_interval(figure.values, confidence)
    return replace(lower, high=percentile_interval(figure.highest, confidence).high)


def _border_interval(figure: Figure, documents: int, confidence: float) -> Interval:
    value, share = float(figure.values[0]), flawless_share(documents, confidence)
    undefined = int(np.isnan(figure.values[1:]).sum())
    if figure.metric in _BOUNDED and figure.label != "macro":
        note = "the same in every resample: a bound by documents in place of the interval"
        if np.isclose(value, 1):
            return Interval(share, 1.0, undefined, note)
        if np.isclose(value, 0):
            # F1 = 2 J / (1 + J), J being the right share of all instances, gold or predicted.
            high = 1 - share
            high = 2 * high / (1 + high) if figure.metric == "f1" else high
            return Interval(0.0, high, undefined, note)
    return Interval(None, None, undefined, "the same in every resample, so no interval")


def to_score(figure: Figure, confidence: float) -> schema.Score:
    """A figure with its interval, as it is stored.

    Args:
        figure: With its resamples.
        confidence: Of the interval.

    Returns:
        The score; the note names undefined resamples.
    """
    interval = figure_interval(figure, confidence)
    notes = [text for text in (figure.note, interval.note) if text]
    if interval.undefined and interval.low is not None:
        n = len(figure.values) - 1
        notes.append(f"undefined in {interval.undefined} of {n} resamples, which are left out")
    value = float(figure.values[0])
    return schema.Score(
        *figure.key,
        None if np.isnan(value) else value,
        interval.low,
        interval.high,
        figure.support,
        "; ".join(notes),
        int(figure.documents.sum()),
    )


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a figure rests on: its support and its documents, as in `Figure`."""

    support: int
    documents: BoolArray


def _all_units(units: MultiUnits | SingleUnits, resamples: Resamples) -> _Basis:
    return _Basis(len(units.rows), resamples.holding(np.ones(len(units.rows), bool), units.rows))


def _count_figures(
    counts: Counts, units: MultiUnits | SingleUnits, resamples: Resamples
) -> Iterator[Figure]:
    gold, predicted = _flags(units)
    support, documents = gold.sum(axis=0), _documents(gold, predicted, units.rows, resamples)
    for metric, formula in _COUNT_METRICS:
        values, held = formula(counts), documents[metric]
        for k, label in enumerate(units.labels):
            note = _label_note(metric, counts, k)
            basis = _Basis(int(support[k]), held[:, k])
            yield _figure(metric, units, label, values[:, k], basis, note=note)
        yield _macro_figure(metric, units, values, _together(units, held))


def _macro_figure(
    metric: str, units: MultiUnits | SingleUnits, values: FloatArray, basis: _Basis
) -> Figure:
    """The mean over labels, from their values of shape (1 + resamples, labels)."""
    counted, gold = ~np.isnan(values[0]), _flags(units)[0].any(axis=0)
    note = _absent_note(values[0], units.labels)
    figure = _figure(
        metric, units, "macro", macro_of(values, counted, undefined=0), basis, note=note
    )
    return replace(
        figure,
        upper=macro_of(values, counted, undefined=1),
        compared=macro_of(values, counted & gold, undefined=0),
    )


def _micro_figures(counts: Counts, units: MultiUnits, resamples: Resamples) -> Iterator[Figure]:
    documents = _documents(units.gold, units.predicted, units.rows, resamples)
    for metric, formula in _COUNT_METRICS:
        values, basis = formula(pooled(counts))[:, 0], _together(units, documents[metric])
        note = "no label in gold or predictions" if np.isnan(values[0]) else ""
        yield _figure(metric, units, "micro", values, basis, note=note)


def _flags(units: MultiUnits | SingleUnits) -> tuple[BoolArray, BoolArray]:
    """Gold and decided labels, each of shape (units, labels)."""
    if isinstance(units, MultiUnits):
        return units.gold, units.predicted
    each = np.eye(len(units.labels), dtype=bool)
    return each[units.gold], each[units.predicted]


def _documents(
    gold: BoolArray, predicted: BoolArray, rows: IndexArray, resamples: Resamples
) -> dict[str, BoolArray]:
    """Metric -> documents with something that it counts, shape (documents, labels)."""
    there, given = resamples.holding(gold, rows), resamples.holding(predicted, rows)
    return {"precision": given, "recall": there, "f1": there | given}


def _together(units: MultiUnits | SingleUnits, held: BoolArray) -> _Basis:
    """The basis of a figure of several labels, from the documents of each."""
    return _Basis(len(units.rows), _any_label(held))


def _any_label(held: BoolArray) -> BoolArray:
    found: BoolArray = np.logical_or.reduce(held, axis=1)
    return found


def _ranking_figures(
    units: MultiUnits, probabilities: FloatArray, resamples: Resamples
) -> Iterator[Figure]:
    values = _average_precisions(units, probabilities, resamples, np.ones(len(units.rows), bool))
    support, held = units.gold.sum(axis=0), resamples.holding(units.gold, units.rows)
    for k, label in enumerate(units.labels):
        note, basis = "" if support[k] else "no gold instance", _Basis(int(support[k]), held[:, k])
        yield _figure("average_precision", units, label, values[:, k], basis, note=note)
    basis = _together(units, held)
    yield _macro_figure("average_precision", units, values, basis)
    micro = resamples.average_precision(
        units.gold.ravel(), probabilities.ravel(), np.repeat(units.rows, len(units.labels))
    )
    note = "" if support.any() else "no gold instance"
    yield _figure("average_precision", units, "micro", micro, basis, note=note)


def _error_figures(
    units: MultiUnits, probabilities: FloatArray, resamples: Resamples
) -> Iterator[Figure]:
    terms = {
        "brier": binary_squared_errors(units.gold, probabilities),
        "log_loss": binary_log_losses(units.gold, probabilities),
    }
    for metric, values in terms.items():
        means = _mean(values, units.rows, resamples)
        yield from _spread(metric, units, means, means.mean(axis=-1), resamples)


def _calibration_figures(
    units: MultiUnits, probabilities: FloatArray, resamples: Resamples, bins: int
) -> Iterator[Figure]:
    by_label = [
        _resampled_bins(units.gold[:, k], probabilities[:, k], units.rows, resamples, bins)
        for k in range(len(units.labels))
    ]
    values = np.stack([calibration_error_from_bins(b) for b in by_label], axis=-1)
    together = BinSums(
        by_label[0].edges,
        np.sum([b.count for b in by_label], axis=0),
        np.sum([b.probability for b in by_label], axis=0),
        np.sum([b.observed for b in by_label], axis=0),
    )
    micro = calibration_error_from_bins(together)
    found = _spread("calibration_error", units, values, micro, resamples)
    by_label_noise = [_calibration_noise(b) for b in by_label]
    macro_noise = np.mean(by_label_noise, axis=0)
    noises = [*by_label_noise, macro_noise, _calibration_noise(together)]
    for figure, noise in zip(found, noises, strict=True):
        yield replace(figure, noise=noise)


def _calibration_noise(bins: BinSums) -> FloatArray:
    """Distances of resampled gaps from the gaps, as calibration errors of shape (resamples,)."""
    total = bins.count.sum(axis=-1, keepdims=True)
    gaps = (bins.probability - bins.observed) / np.where(total > 0, total, np.nan)
    noise: FloatArray = np.abs(gaps[1:] - gaps[0]).sum(axis=-1)
    return noise


def _spread(
    metric: str, units: MultiUnits, values: FloatArray, micro: FloatArray, resamples: Resamples
) -> Iterator[Figure]:
    """Figures by label, their mean as macro, and the pooled one as micro."""
    basis = _all_units(units, resamples)
    for k, label in enumerate(units.labels):
        of_label = replace(basis, support=int(units.gold[:, k].sum()))
        yield _figure(metric, units, label, values[:, k], of_label)
    yield _figure(metric, units, "macro", macro(values), basis)
    yield _figure(metric, units, "micro", micro, basis)


def _softmax_figures(
    units: SingleUnits, probabilities: FloatArray, resamples: Resamples, bins: int
) -> Iterator[Figure]:
    basis = _all_units(units, resamples)
    squares = categorical_squared_errors(units.gold, probabilities)
    yield _figure("brier", units, "", _mean(squares, units.rows, resamples), basis)
    losses = categorical_log_losses(units.gold, probabilities)
    yield _figure("log_loss", units, "", _mean(losses, units.rows, resamples), basis)
    right = probabilities.argmax(axis=1) == units.gold
    sums = _resampled_bins(right, probabilities.max(axis=1), units.rows, resamples, bins)
    figure = _figure("calibration_error", units, "", calibration_error_from_bins(sums), basis)
    yield replace(figure, noise=_calibration_noise(sums))


def _figure(
    metric: str,
    units: MultiUnits | SingleUnits,
    label: str,
    values: FloatArray,
    basis: _Basis,
    *,
    note: str = "",
) -> Figure:
    if not len(units.rows):
        note = "no unit was coded"
    where = metric, units.variable, units.head, label
    return Figure(*where, values, basis.support, basis.documents, note)


def _label_note(metric: str, counts: Counts, k: int) -> str:
    tp, fp, fn = float(counts.tp[0, k]), float(counts.fp[0, k]), float(counts.fn[0, k])
    if tp + fp + fn == 0:
        return "neither gold nor predicted instances"
    if metric == "precision" and tp + fp == 0:
        return "nothing predicted, counted as 0"
    if metric == "recall" and tp + fn == 0:
        return "no gold instance, counted as 0"
    return ""


def _absent_note(values: FloatArray, labels: tuple[str, ...]) -> str:
    absent = [label for label, value in zip(labels, values, strict=True) if np.isnan(value)]
    return f"without absent labels: {', '.join(absent)}" if absent else ""


def _resampled_counts(
    gold: BoolArray, predicted: BoolArray, rows: IndexArray, resamples: Resamples
) -> Counts:
    tp = resamples.total(gold & predicted, rows)
    fp = resamples.total(~gold & predicted, rows)
    fn = resamples.total(gold & ~predicted, rows)
    return Counts(tp, fp, fn, resamples.total(~gold & ~predicted, rows))


def _resampled_confusion(units: SingleUnits, resamples: Resamples) -> FloatArray:
    k = len(units.labels)
    cells = resamples.cells(units.gold * k + units.predicted, units.rows, k * k)
    return cells.reshape(-1, k, k)


def _resampled_bins(
    gold: BoolArray, probabilities: FloatArray, rows: IndexArray, resamples: Resamples, bins: int
) -> BinSums:
    edges = bin_edges(bins)
    index = bin_index(probabilities, edges)
    return BinSums(
        edges,
        resamples.cells(index, rows, bins),
        resamples.cell_totals(probabilities, index, rows, bins),
        resamples.cell_totals(gold.astype(np.float64), index, rows, bins),
    )


def _mean(values: FloatArray, rows: IndexArray, resamples: Resamples) -> FloatArray:
    """Weighted mean over units, NaN in resamples without any."""
    n = resamples.total(np.ones(len(rows)), rows)
    n = n.reshape(-1, *[1] * (values.ndim - 1))
    total = resamples.total(values, rows)
    return np.where(n > 0, total / np.where(n > 0, n, 1.0), np.nan)
