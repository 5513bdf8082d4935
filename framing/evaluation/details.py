"""What a report shows beside figures: curves, reliability, confusions, errors, slices."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.codebook import Codebook, Head
from framing.data.gold import gave
from framing.decisions import Decisions
from framing.evaluation import schema
from framing.evaluation.bootstrap import Interval, Resamples
from framing.evaluation.figures import figure_interval, macro_f1
from framing.evaluation.units import (
    Answers,
    MultiUnits,
    SingleUnits,
    coded,
    condition_present,
    head_units,
    multi_units,
    variable_units,
)
from framing.metrics.calibration import BinSums, reliability_bins
from framing.metrics.confusion import confusion_matrix
from framing.metrics.counts import count
from framing.metrics.ranking import precision_recall_curve
from framing.records import Annotation, Sentence

#: Points kept of a precision-recall curve.
MOST_POINTS = 200


def curves(
    gold: Answers, model: Answers, book: Codebook, decisions: Decisions
) -> Iterator[schema.PrecisionRecallCurve]:
    """Precision-recall curves of every label of every multi_label head that was coded.

    Args:
        gold: Taken as true.
        model: With probabilities.
        book: The codebook.
        decisions: Gives the thresholds to mark.

    Yields:
        One curve a label with at least one gold instance.
    """
    for head in book.heads:
        if head.kind != "multi_label":
            continue
        units = multi_units(head, gold, model, book)
        for k in np.flatnonzero(units.gold.any(axis=0)):
            yield _curve(units, int(k), decisions.threshold[head.start + int(k)])


def _curve(units: MultiUnits, k: int, threshold: float) -> schema.PrecisionRecallCurve:
    gold = units.gold[:, k]
    points = precision_recall_curve(gold, _probabilities(units)[:, k])
    keep = _thinned(len(points.recall))
    counts = count(units.gold, units.predicted)
    tp, fp, fn = float(counts.tp[k]), float(counts.fp[k]), float(counts.fn[k])
    return schema.PrecisionRecallCurve(
        head=units.head,
        label=units.labels[k],
        precision=tuple(points.precision[keep].tolist()),
        recall=tuple(points.recall[keep].tolist()),
        threshold=threshold,
        at_precision=tp / (tp + fp) if tp + fp else None,
        at_recall=tp / (tp + fn) if tp + fn else None,
        prevalence=float(gold.mean()),
    )


def _thinned(n: int) -> slice | list[int]:
    """Which points of a curve to keep: evenly spaced, with both ends."""
    if n <= MOST_POINTS:
        return slice(None)
    return [round(x) for x in np.linspace(0, n - 1, MOST_POINTS).tolist()]


def reliability(
    gold: Answers, model: Answers, book: Codebook, n_bins: int
) -> Iterator[schema.Reliability]:
    """Reliability of every variable's probabilities.

    Args:
        gold: Taken as true.
        model: With probabilities.
        book: The codebook.
        n_bins: Bins of equal width; empty ones are left out.

    Yields:
        Of multi_label variables one a label and "" for all pooled; of single_label variables
        "", the most probable label's probability against whether it is right.
    """
    for variable in book.variables:
        units = variable_units(variable, gold, model, book)
        probabilities = _probabilities(units)
        if isinstance(units, SingleUnits):
            right = probabilities.argmax(axis=1) == units.gold
            sums = reliability_bins(right, probabilities.max(axis=1), n_bins)
            yield schema.Reliability(variable.id, "", _filled(sums))
            continue
        for k, label in enumerate(units.labels):
            sums = reliability_bins(units.gold[:, k], probabilities[:, k], n_bins)
            yield schema.Reliability(variable.id, label, _filled(sums))
        sums = reliability_bins(units.gold.ravel(), probabilities.ravel(), n_bins)
        yield schema.Reliability(variable.id, "", _filled(sums))


def _filled(sums: BinSums) -> tuple[schema.ReliabilityBin, ...]:
    return tuple(
        schema.ReliabilityBin(
            low=float(sums.edges[m]),
            high=float(sums.edges[m + 1]),
            mean_probability=float(sums.probability[m] / sums.count[m]),
            observed=float(sums.observed[m] / sums.count[m]),
            count=int(sums.count[m]),
        )
        for m in np.flatnonzero(sums.count)
    )


def confusions(gold: Answers, model: Answers, book: Codebook) -> Iterator[schema.Confusion]:
    """Confusion of every single_label variable.

    Yields:
        One matrix a variable, rows gold.
    """
    for variable in book.variables:
        units = variable_units(variable, gold, model, book)
        if isinstance(units, SingleUnits):
            matrix = confusion_matrix(units.gold, units.predicted, len(units.labels))
            rows = tuple(tuple(int(x) for x in row) for row in matrix)
            yield schema.Confusion(variable.id, units.labels, rows)


def prevalence(gold: Answers, model: Answers, book: Codebook) -> Iterator[schema.Prevalence]:
    """Instances of every label in gold and in the decided labels.

    Yields:
        One a head and label; heads that depend on a label count where gold has it.
    """
    for head in book.heads:
        units = head_units(head, gold, model, book)
        if isinstance(units, MultiUnits):
            there, given = units.gold.sum(axis=0), units.predicted.sum(axis=0)
        else:
            there = np.bincount(units.gold, minlength=len(units.labels))
            given = np.bincount(units.predicted, minlength=len(units.labels))
        for k, label in enumerate(units.labels):
            yield schema.Prevalence(head.name, label, int(there[k]), int(given[k]), len(units.rows))


def uncoded(gold: Answers, book: Codebook) -> dict[str, int]:
    """Sentences in which a head applies but has no gold value.

    Returns:
        Head -> number, of all heads.
    """
    counts = {}
    for head in book.heads:
        missing = condition_present(head, gold.labels, book) & ~coded(head, gold.labels, book)
        counts[head.name] = int(missing.sum())
    return counts


def ties(
    gold: Answers, annotations: Sequence[Annotation], ids: Sequence[str], book: Codebook
) -> dict[str, int]:
    """Sentences that coders coded and that have no gold value since they were tied.

    Args:
        gold: In the order of the ids.
        annotations: Of coders, without adjudicator.
        ids: Of the sentences.
        book: The codebook.

    Returns:
        Head -> number, of all heads; they are among those of `uncoded`.
    """
    given: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        given.setdefault(annotation.sentence_id, []).append(annotation)
    counts = {}
    for head in book.heads:
        missing = condition_present(head, gold.labels, book) & ~coded(head, gold.labels, book)
        of_missing = [given.get(ids[int(row)], []) for row in np.flatnonzero(missing)]
        counts[head.name] = sum(
            sum(gave(a, head, book) and head.name in a.values for a in coders) > 1
            for coders in of_missing
        )
    return counts


@dataclass(frozen=True)
class _Mistake:
    confidence: float
    gold_probability: float
    row: int
    head: Head
    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A code that a model would not have given.

    Attributes:
        gold_probability: That the model gives the code.
        error: Sentence, code, decision, and what every coder gave.
        given: Coder -> the code alone: of a multi_label head whether the label is there, else the
            label. Those who did not code it are not in it.
    """

    gold_probability: float
    error: schema.ConfidentError
    given: Mapping[str, str | bool]


@dataclass(frozen=True)
class Coded:
    """Coded sentences and what a model says of them.

    Attributes:
        gold: Taken as true.
        model: With probabilities.
        book: The codebook.
        sentences: In the order of gold and model.
        annotations: Of all coders.
        source_fields: Metadata fields of which the first that is filled is shown.
    """

    gold: Answers
    model: Answers
    book: Codebook
    sentences: Sequence[Sentence]
    annotations: Sequence[Annotation]
    source_fields: Sequence[str]

    def mistakes(self) -> list[_Mistake]:
        """Where the model decides otherwise than gold, by head and sentence."""
        units = [(head_units(h, self.gold, self.model, self.book), h) for h in self.book.heads]
        return [mistake for found, head in units for mistake in _mistakes(found, head)]

    @functools.cached_property
    def _coded_by(self) -> dict[str, list[Annotation]]:
        found: dict[str, list[Annotation]] = {}
        for annotation in sorted(self.annotations, key=lambda a: a.coder):
            found.setdefault(annotation.sentence_id, []).append(annotation)
        return found

    def given(self, mistake: _Mistake) -> dict[str, str | bool]:
        """What every coder said of one code, see `Suspect`."""
        head = mistake.head
        many = head.kind == "multi_label"
        return {
            a.coder: mistake.label in labels if many else labels[0]
            for a in self._coded_by.get(self.sentences[mistake.row].id, [])
            if (labels := a.values.get(head.name)) is not None
        }

    def told(self, mistakes: Iterable[_Mistake]) -> Iterator[schema.ConfidentError]:
        """Mistakes with their sentences and what every coder gave."""
        for mistake in mistakes:
            sentence = self.sentences[mistake.row]
            coders = self._coded_by.get(sentence.id, [])
            given = {a.coder: _given(a, mistake.head, self.book) for a in coders}
            source = next((v for f in self.source_fields if (v := sentence.value(f))), "")
            yield _confident_error(mistake, sentence, source, given)


def confident_errors(coded: Coded, most: int) -> Iterator[schema.ConfidentError]:
    """The wrong decisions that the model was surest of.

    A wrongly given label is as confident as its probability p, a wrongly missing one as 1 - p.

    Args:
        coded: Sentences, gold and model.
        most: How many.

    Yields:
        Most confident first; equally confident ones in the order of the sentences.
    """
    ranked = sorted(coded.mistakes(), key=lambda m: (-m.confidence, m.row))
    yield from coded.told(ranked[:most])


def suspects(coded: Coded) -> Iterator[Suspect]:
    """Codes that may be wrong, those that the model finds least probable first.

    Self-confidence in the words of Northcutt et al. 2021, "Confident Learning: Estimating
    Uncertainty in Dataset Labels": the probability of the given label, by a model that has not
    learnt from the sentence.

    Args:
        coded: Sentences, gold and such a model.

    Yields:
        One for each label of a multi_label head and each single_label head that the model would
        have coded otherwise.
    """
    ranked = sorted(coded.mistakes(), key=lambda m: (m.gold_probability, m.row))
    for mistake, error in zip(ranked, coded.told(ranked), strict=True):
        yield Suspect(mistake.gold_probability, error, coded.given(mistake))


def _confident_error(
    mistake: _Mistake, sentence: Sentence, source: str, given: Mapping[str, str]
) -> schema.ConfidentError:
    return schema.ConfidentError(
        sentence_id=sentence.id,
        doc_id=sentence.doc_id,
        text=sentence.text,
        previous=sentence.previous,
        source=source,
        head=mistake.head.name,
        gold=mistake.gold,
        predicted=mistake.predicted,
        label=mistake.label,
        probability=mistake.probability,
        coders={coder: text for coder, text in given.items() if text},
    )


def _mistakes(units: MultiUnits | SingleUnits, head: Head) -> Iterator[_Mistake]:
    probabilities = _probabilities(units)
    if isinstance(units, SingleUnits):
        for i in np.flatnonzero(units.gold != units.predicted):
            k = int(units.predicted[i])
            p, label = float(probabilities[i, k]), units.labels[k]
            right = int(units.gold[i])
            truth, p_gold = units.labels[right], float(probabilities[i, right])
            yield _Mistake(p, p_gold, int(units.rows[i]), head, (truth,), (label,), label, p)
        return
    for i, k in np.argwhere(units.gold != units.predicted):
        p = float(probabilities[i, k])
        confidence = p if units.predicted[i, k] else 1 - p
        gold, predicted = _names(units, units.gold[i]), _names(units, units.predicted[i])
        row, label = int(units.rows[i]), units.labels[k]
        yield _Mistake(confidence, 1 - confidence, row, head, gold, predicted, label, p)


def _names(units: MultiUnits, flags: BoolArray) -> tuple[str, ...]:
    return tuple(label for label, flag in zip(units.labels, flags, strict=True) if flag)


def _given(annotation: Annotation, head: Head, book: Codebook) -> str:
    """What a coder gave, as text; "" where he did not code the head."""
    labels = annotation.values.get(head.name)
    if labels is not None:
        return ", ".join(labels) or "(none present)"
    parent = annotation.values.get(book.variable(head.variable).per or "")
    if parent is not None and head.condition not in parent:
        return f"({head.condition} absent)"
    return ""


@dataclass(frozen=True, slots=True)
class SliceSettings:
    """Which parts of the data are scored on their own.

    Attributes:
        fields: Metadata fields.
        least: Units that a part must have.
        most: Parts kept, the largest of all fields.
        confidence: Of the intervals.
    """

    fields: tuple[str, ...]
    least: int
    most: int
    confidence: float


def slices(
    gold: Answers,
    model: Answers,
    book: Codebook,
    sentences: Sequence[Sentence],
    *,
    resamples: Resamples,
    settings: SliceSettings,
) -> Iterator[schema.Slice]:
    """The model's macro-F1 on parts of the data.

    The resamples are those of all documents, so a part varies in size between them.

    Args:
        gold: Taken as true.
        model: Of the same sentences.
        book: The codebook.
        sentences: In the order of gold and model.
        resamples: Of the same sentences.
        settings: Which parts.

    Yields:
        By field and value, largest first, then by variable; of a variable only where a part
        has enough units. A part of one document has no interval.
    """
    units = [variable_units(v, gold, model, book) for v in book.variables]
    for field, value in _slice_values(sentences, settings):
        inside = np.array([s.value(field) == value for s in sentences])
        for whole in units:
            part = select(whole, inside)
            if len(part.rows) < settings.least:
                continue
            documents = len(np.unique(resamples.document[part.rows]))
            figure = macro_f1(part, resamples)
            interval = figure_interval(figure, settings.confidence)
            if documents < 2:
                interval = Interval(None, None, 0)
            f1 = float(figure.values[0])
            yield schema.Slice(
                field=field,
                value=value,
                variable=part.variable,
                n=len(np.unique(part.rows)),
                documents=documents,
                f1=None if np.isnan(f1) else f1,
                low=interval.low,
                high=interval.high,
            )


def _slice_values(sentences: Sequence[Sentence], settings: SliceSettings) -> list[tuple[str, str]]:
    sizes = Counter(
        (field, value)
        for field in settings.fields
        for sentence in sentences
        if (value := sentence.value(field))
    )
    large = [(n, key) for key, n in sizes.items() if n >= settings.least]
    large.sort(key=lambda item: (-item[0], item[1]))
    order = {field: k for k, field in enumerate(settings.fields)}
    return sorted((key for _, key in large[: settings.most]), key=lambda key: order[key[0]])


def select(units: MultiUnits | SingleUnits, inside: BoolArray) -> MultiUnits | SingleUnits:
    """The units that stand in some sentences; without probabilities, which slices do not need."""
    keep = inside[units.rows]
    rows = units.rows[keep]
    if isinstance(units, MultiUnits):
        gold, predicted = units.gold[keep], units.predicted[keep]
        return replace(units, gold=gold, predicted=predicted, rows=rows, probabilities=None)
    first, second = units.gold[keep], units.predicted[keep]
    return replace(units, gold=first, predicted=second, rows=rows, probabilities=None)


def _probabilities(units: MultiUnits | SingleUnits) -> FloatArray:
    if units.probabilities is None:
        raise ValueError("these units were made from people's labels, which have no probabilities")
    return units.probabilities
