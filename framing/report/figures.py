"""Figures as inline SVG: forest plots, precision-recall, reliability and confusion.

Small panels that keep their letters' size on a telephone; the page puts them side by side where
there is room. Names of what is shown stand in the page's captions, not in the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from framing.codebook import Variable
from framing.evaluation.schema import (
    BESIDE,
    Confusion,
    PrecisionRecallCurve,
    Reliability,
    SystemScores,
)
from framing.report import svg
from framing.report.formatting import count, estimate, number, things
from framing.report.tables import reliability_name
from framing.report.view import View, variable_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Names longer than this stand as ids beside a confusion matrix.
_LONG_NAME = 24
_STYLES = {
    "model": ("o", svg.MODEL),
    "other": ("^", svg.INK),
    "ceiling": ("D", svg.CODERS),
    "baseline": ("s", svg.BASELINE),
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure for a page.

    Attributes:
        caption: What it shows.
        svg: The ``<svg>`` element.
    """

    caption: str
    svg: str


def forest(view: View, variable: Variable) -> Drawing | None:
    """Macro-F1 of coders, models and baselines with intervals; None where all is undefined."""
    systems = [s for s in view.others if s.kind == "ceiling"]
    systems += [view.model, *(s for s in view.others if s.kind != "ceiling")]
    drawn = [s for s in systems if _macro(view, variable, s)[0] is not None]
    if not drawn:
        return None
    with svg.drawing():
        figure, axes = _panel(2.0, 0.28 * len(drawn) + 0.1)
        _band(axes, _macro(view, variable, view.model))
        for row, system in enumerate(drawn):
            _forest_row(axes, view, variable, system, row)
        axes.set_yticks(range(len(drawn)), [view.system_name(s.name) for s in drawn])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set(xlim=(0, 1), ylim=(len(drawn) - 0.5, -0.5), xticks=[0, 0.25, 0.5, 0.75, 1])
        axes.set_xticklabels(["0", "", "0.5", "", "1"])
        axes.grid(axis="x")
        found = {s.name: view.score("f1", variable, "macro", system=s.name) for s in drawn}
        values = "; ".join(f"{view.system_name(n)} {estimate(score)}" for n, score in found.items())
        name = variable_name(variable)
        text = f"Macro-F1 of {name} with intervals: {values}"
        drawing = svg.to_svg(figure, f"forest-{variable.id}", text)
    return Drawing(f"Macro-F1 of {name}, with intervals", drawing)


def _macro(
    view: View, variable: Variable, system: SystemScores
) -> tuple[float | None, float | None, float | None]:
    score = view.score("f1", variable, "macro", system=system.name)
    return (None, None, None) if score is None else (score.value, score.low, score.high)


def _band(axes: Axes, macro: tuple[float | None, float | None, float | None]) -> None:
    """The model's interval behind all rows, so that the eye can compare."""
    _, low, high = macro
    if low is not None and high is not None:
        axes.axvspan(low, high, color=svg.MODEL, alpha=0.13, linewidth=0)


def _forest_row(axes: Axes, view: View, variable: Variable, system: SystemScores, row: int) -> None:
    marker, colour = _STYLES[system.kind]
    if system.name == BESIDE:
        colour = svg.MODEL
    value, low, high = _macro(view, variable, system)
    if value is None:
        return
    if low is not None and high is not None:
        axes.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot([value], [row], marker, color=colour, markersize=5.5, clip_on=False)
    score = view.score("f1", variable, "macro", system=system.name)
    axes.text(1.06, row, estimate(score), va="center", fontsize=8.5)


def curves(view: View, variable: Variable) -> Iterator[Drawing]:
    """Precision and recall of each label, with threshold and prevalence."""
    for curve in view.scores.curves:
        if curve.head == variable.id:
            yield _curve(view, variable, curve)


def _curve(view: View, variable: Variable, curve: PrecisionRecallCurve) -> Drawing:
    label = view.label_name(variable.id, curve.label)
    with svg.drawing():
        figure, axes = _panel(2.35, 2.35)
        axes.plot(curve.recall, curve.precision, color=svg.MODEL, linewidth=1.7)
        axes.axhline(curve.prevalence, color=svg.MUTED, linewidth=1, linestyle=(0, (4, 3)))
        low = curve.prevalence < 0.85
        axes.text(
            0.02,
            curve.prevalence + (0.02 if low else -0.02),
            f"prevalence {number(curve.prevalence)}",
            color=svg.MUTED,
            fontsize=8,
            va="bottom" if low else "top",
        )
        _mark_threshold(axes, curve)
        _unit_square(axes, "Recall", "Precision")
        text = (
            f"Precision against recall for {label}: at the threshold {number(curve.threshold)} "
            f"precision {number(curve.at_precision)}, recall {number(curve.at_recall)}; "
            f"prevalence {number(curve.prevalence)}"
        )
        name = f"curve-{variable.id}-{curve.label}"
        return Drawing(label, svg.to_svg(figure, name, text))


def _mark_threshold(axes: Axes, curve: PrecisionRecallCurve) -> None:
    if curve.at_precision is None or curve.at_recall is None:
        return
    axes.plot([curve.at_recall], [curve.at_precision], "o", color=svg.MODEL, markersize=6)
    left = curve.at_recall > 0.5
    axes.annotate(
        f"threshold {number(curve.threshold)}",
        (curve.at_recall, curve.at_precision),
        xytext=(-6 if left else 6, -6 if curve.at_precision > 0.3 else 6),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top" if curve.at_precision > 0.3 else "bottom",
        fontsize=8,
    )


def reliability(view: View, variable: Variable) -> Iterator[Drawing]:
    """Reliability diagrams of a variable, its labels pooled first."""
    found = [r for r in view.scores.reliability if r.variable == variable.id and r.bins]
    for each in sorted(found, key=lambda r: r.label != ""):
        yield _reliability(view, each)


def _reliability(view: View, found: Reliability) -> Drawing:
    name = reliability_name(view, found.variable, found.label)
    bins = found.bins
    with svg.drawing():
        figure, axes = _panel(2.35, 2.05)
        axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(
            [b.mean_probability for b in bins],
            [b.observed for b in bins],
            "o-",
            color=svg.MODEL,
            linewidth=1.4,
            markersize=4.5,
            clip_on=False,
        )
        _unit_square(axes, "", "Observed share")
        axes.set_xticklabels([])
        figure.align_ylabels([axes, _bin_counts(figure, found)])
        points = "; ".join(
            f"{number(b.mean_probability)} observed {number(b.observed)} ({count(b.count)})"
            for b in bins
        )
        identifier = f"reliability-{found.variable}-{found.label or 'pooled'}"
        text = f"Observed share by mean probability (number) for {name}: {points}"
        return Drawing(name, svg.to_svg(figure, identifier, text))


def _bin_counts(figure: Figure, found: Reliability) -> Axes:
    """Bars below the diagram: how many probabilities each bin holds."""
    height = figure.get_figheight()
    axes = figure.add_axes((0.0, -0.62 / height, 1.0, 0.5 / height))
    bins = found.bins
    axes.bar(
        [b.low for b in bins],
        [b.count for b in bins],
        [0.94 * (b.high - b.low) for b in bins],
        align="edge",
        color=svg.MODEL,
        alpha=0.55,
    )
    top = 10 ** math.ceil(math.log10(max(b.count for b in bins) + 1))
    axes.set_yscale("log")
    axes.set(xlim=(0, 1), ylim=(0.7, top), xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_xticklabels(["0", "0.25", "0.5", "0.75", "1"])
    axes.set_yticks([1, top], ["1", count(top)])
    axes.minorticks_off()
    axes.set_xlabel("Probability")
    axes.set_ylabel("Number")
    return axes


def confusions(view: View, variable: Variable) -> Iterator[Drawing]:
    """Confusion matrices; darker cells hold more of their row."""
    for found in view.scores.confusions:
        if found.variable == variable.id:
            yield _confusion(view, variable, found)


def _confusion(view: View, variable: Variable, found: Confusion) -> Drawing:
    names = [_short_name(view, variable, label) for label in found.labels]
    n = len(names)
    with svg.drawing():
        figure, axes = _panel(0.46 * n, 0.36 * n)
        for i, row in enumerate(found.counts):
            _confusion_row(axes, i, row)
        axes.set(xlim=(0, n), ylim=(n, 0))
        axes.set_xticks(
            [k + 0.5 for k in range(n)], names, rotation=40, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks([k + 0.5 for k in range(n)], names)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set(xlabel="Predicted", ylabel="Gold")
        name = variable_name(variable)
        text = f"Confusion matrix of {name}, {things(n, 'label')}; the counts follow as a table"
        drawing = svg.to_svg(figure, f"confusion-figure-{variable.id}", text)
    return Drawing(f"{name}: gold against predicted; shades are shares of the row", drawing)


def _confusion_row(axes: Axes, i: int, row: tuple[int, ...]) -> None:
    from matplotlib.patches import Rectangle

    total = sum(row)
    for j, n in enumerate(row):
        share = n / total if total else 0.0
        axes.add_patch(
            Rectangle((j + 0.02, i + 0.03), 0.96, 0.94, color=svg.HEAT, alpha=0.06 + 0.94 * share)
        )
        weight = "bold" if i == j else "normal"
        axes.text(j + 0.5, i + 0.5, count(n), ha="center", va="center", fontsize=8.5, weight=weight)


def _short_name(view: View, variable: Variable, label: str) -> str:
    name = view.label_name(variable.id, label)
    return name if len(name) <= _LONG_NAME else label


def learning(view: View, variable: Variable) -> Iterator[Drawing]:
    """Macro-F1 by sentences added to the training, with intervals.

    Coders are not in it: they are scored against the other coders, the points against gold.
    """
    points = [
        (point.sentences, score)
        for point in view.scores.learning_curve
        for score in point.scores
        if score.variable == variable.id
        and score.metric == "f1"
        and score.head in ("", variable.id)
        and score.value is not None
    ]
    if not points:
        return
    name = variable_name(variable)
    with svg.drawing():
        figure, axes = _panel(2.6, 2.1)
        x = [n for n, _ in points]
        axes.plot(x, [s.value for _, s in points], "o-", color=svg.MODEL, linewidth=1.7)
        for n, score in points:
            if score.low is not None and score.high is not None:
                axes.plot([n, n], [score.low, score.high], color=svg.MODEL, linewidth=1.2)
        axes.set(ylim=(0, 1.02), yticks=[0, 0.25, 0.5, 0.75, 1], xlabel="Sentences added")
        axes.set(ylabel="Macro-F1", xticks=x)
        axes.set_xticklabels([count(round(n)) for n in x])
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        values = "; ".join(f"{count(round(n))}: {estimate(score)}" for n, score in points)
        text = f"Macro-F1 of {name} by sentences added to the training: {values}"
        drawing = svg.to_svg(figure, f"learning-{variable.id}", text)
    yield Drawing(f"{name}: macro-F1 by sentences added", drawing)


def _unit_square(axes: Axes, x: str, y: str) -> None:
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xticks=ticks, yticks=ticks, xlabel=x, ylabel=y)
    axes.set_xticklabels(["0", "0.25", "0.5", "0.75", "1"])
    axes.set_yticklabels(["0", "0.25", "0.5", "0.75", "1"])
    axes.grid()
    axes.set_axisbelow(True)


def _panel(width: float, height: float) -> tuple[Figure, Any]:
    """A figure whose axes have a size in inches; labels stand outside and are added to it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_axes((0.0, 0.0, 1.0, 1.0))
