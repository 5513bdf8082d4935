"""A benchmark's official figures, with intervals from the same resamples as all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from framing.arrays import FloatArray
from framing.codebook import Codebook
from framing.data.benchmarks import OfficialFigure
from framing.evaluation import schema
from framing.evaluation.bootstrap import Resamples, constant, percentile_interval
from framing.evaluation.details import select
from framing.evaluation.figures import resampled_counts
from framing.evaluation.units import Answers, variable_units
from framing.metrics.official import OFFICIAL_METRICS
from framing.records import Sentence


def official_results(
    figures: Sequence[OfficialFigure],
    *,
    book: Codebook,
    sentences: Sequence[Sentence],
    gold: Answers,
    answers: Mapping[str, Answers],
    resamples: Resamples,
    confidence: float,
) -> Iterator[schema.Official]:
    """Compute official figures of the model and of every baseline.

    Args:
        figures: From the benchmark's card.
        book: The codebook.
        sentences: The sentences scored.
        gold: Of the same sentences.
        answers: System -> answers, the model first.
        resamples: Of the same sentences.
        confidence: Of the intervals.

    Yields:
        One result a figure; a figure of which nothing was scored is left out.
    """
    for figure in figures:
        inside = np.array([_counted(figure, sentence) for sentence in sentences], dtype=bool)
        found = {
            name: _values(figure, book, gold, theirs, inside=inside, resamples=resamples)
            for name, theirs in answers.items()
        }
        n = next(iter(found.values()))[1]
        if n:
            results = tuple(_result(name, v, confidence) for name, (v, _) in found.items())
            yield _official(figure, results, n)


def _counted(figure: OfficialFigure, sentence: Sentence) -> bool:
    return all(sentence.value(field) == value for field, value in figure.where.items())


def _values(
    figure: OfficialFigure,
    book: Codebook,
    gold: Answers,
    answers: Answers,
    *,
    inside: np.typing.NDArray[np.bool_],
    resamples: Resamples,
) -> tuple[FloatArray, int]:
    """The figure and its resamples, shape (1 + resamples,), and the units counted."""
    variable = book.variable(figure.variable)
    units = select(variable_units(variable, gold, answers, book), inside)
    names = figure.labels or variable.label_ids
    labels = [variable.label_ids.index(name) for name in names]
    values = OFFICIAL_METRICS[figure.metric](resampled_counts(units, resamples), labels)
    return values * figure.scale, len(units.rows)


def _result(name: str, values: FloatArray, confidence: float) -> schema.OfficialResult:
    # Without spread the resamples show nothing of what could vary.
    shown = values[:1] if constant(values) else values
    interval = percentile_interval(shown, confidence)
    value = None if np.isnan(values[0]) else float(values[0])
    return schema.OfficialResult(name, value, interval.low, interval.high)


def _official(
    figure: OfficialFigure, results: Sequence[schema.OfficialResult], n: int
) -> schema.Official:
    model, *baselines = results
    note = ""
    if n != figure.n:
        note = (
            f"{n:,} test sentences instead of the {figure.n:,} of the protocol: not to be compared "
            "with published results"
        )
    return schema.Official(
        name=figure.name,
        value=model.value,
        low=model.low,
        high=model.high,
        n=n,
        scale=figure.scale,
        protocol=figure.protocol,
        note=note,
        baselines=tuple(baselines),
        published=tuple(
            schema.PublishedResult(p.system, p.value, p.parameters, p.source)
            for p in figure.published
        ),
    )
