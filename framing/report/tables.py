"""Tables of figures, made from scores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from framing.codebook import Head, Variable
from framing.evaluation.schema import (
    Agreement,
    Comparison,
    Official,
    PrecisionRecallCurve,
    Score,
)
from framing.report.blocks import Column, Row, Table
from framing.report.formatting import (
    UNDEFINED,
    count,
    difference,
    estimate,
    listed,
    number,
    p_value,
    plain,
    scaled_estimate,
    titled,
)
from framing.report.view import METRIC_TITLES, MODEL, View, variable_name


def systems_table(view: View, variable: Variable) -> Table:
    """All systems on one variable, with the difference to the model."""
    names = [view.model.name, *(s.name for s in view.others_on(variable))]
    shown = {
        title: tuple(view.score(metric, variable, label, system=n) for n in names)
        for title, metric, label in _summary_metrics(variable)
    }
    shown["End-to-end F1"] = tuple(view.pairs("f1", variable, system=n) for n in names)
    shown = {title: scores for title, scores in shown.items() if any(scores)}
    rows, compared = [], []
    for k, name in enumerate(names):
        found = view.comparison(name, "f1", variable, "macro")
        compared += [found] if found else []
        tested = (difference(found), _p_value(view, found)) if found else ("", "")
        cells = (view.system_name(name), *(estimate(s[k]) for s in shown.values()), *tested)
        rows.append(Row(cells, strong=name == view.model.name))
    columns = (*shown, "Difference", "p")
    notes = _notes(
        (view.system_name(name), title, scores[k])
        for title, scores in shown.items()
        for k, name in enumerate(names)
    )
    return Table(
        id=f"systems-{variable.id}",
        caption=f"{variable_name(variable)}: all systems, and the model's macro-F1 minus theirs",
        columns=_columns("System", columns),
        rows=tuple(rows),
        notes=(*notes, *_compared_labels(view, variable, names), *_untested(view, compared)),
    )


def _compared_labels(view: View, variable: Variable, names: Sequence[str]) -> Iterator[str]:
    """Labels that some system's mean counts and that differences leave out."""
    left_out = [
        view.label_name(variable.id, label)
        for label in variable.label_ids
        if any(
            score is not None and score.value is not None and not score.support
            for score in (view.score("f1", variable, label, system=name) for name in names)
        )
    ]
    if left_out:
        yield f"Difference: over the labels that gold has, without {listed(left_out)}."


def _p_value(view: View, found: Comparison) -> str:
    return UNDEFINED if view.unjudged(found) else p_value(found.p_value)


def _untested(view: View, found: Sequence[Comparison]) -> Iterator[str]:
    """Why differences have no p-value, where they have none."""
    if few := view.too_few_documents(*found):
        yield f"p: too few documents to test differences ({few})."
    if any(view.unjudged(c) and not view.too_few_documents(c) for c in found):
        yield "p: no test of a difference that is the same in every resample."


def _summary_metrics(variable: Variable) -> tuple[tuple[str, str, str], ...]:
    if variable.kind == "multi_label":
        return (
            ("Macro-F1", "f1", "macro"),
            ("Micro-F1", "f1", "micro"),
            ("Average precision", "average_precision", "macro"),
            ("Exact match", "exact_match", ""),
        )
    return (
        ("Macro-F1", "f1", "macro"),
        ("Accuracy", "accuracy", ""),
        ("Cohen's kappa", "kappa", ""),
    )


def label_table(view: View, variable: Variable) -> Table:
    """Precision, recall and F1 of every label, and their means."""
    metrics, means = ["precision", "recall", "f1"], ["macro"]
    if variable.kind == "multi_label":
        metrics.append("average_precision")
        means.append("micro")
    thresholds = {c.label: c for c in view.scores.curves if c.head == variable.id}
    rows, found = [], []
    for label in (*variable.label_ids, *means):
        scores = [view.score(metric, variable, label) for metric in metrics]
        if not any(scores):
            continue
        name = view.label_name(variable.id, label)
        found += [(name, METRIC_TITLES[m], s) for m, s in zip(metrics, scores, strict=True)]
        cells = [name, _support(variable, label, scores), *map(_present, scores)]
        if thresholds:
            cells.append(_threshold(thresholds.get(label)))
        rows.append(Row(tuple(cells), strong=label == "macro"))
    columns = ["Gold instances", *(METRIC_TITLES[m] for m in metrics)]
    return Table(
        id=f"labels-{variable.id}",
        caption=f"{variable_name(variable)}: the model label by label",
        columns=_columns("Label", [*columns, "Threshold"] if thresholds else columns),
        rows=tuple(rows),
        notes=_notes(found),
    )


def _support(variable: Variable, label: str, scores: Sequence[Score | None]) -> str:
    if label not in variable.label_ids:
        return ""
    return next((count(s.support) for s in scores if s is not None), UNDEFINED)


def _present(score: Score | None) -> str:
    """An estimate; empty for a figure that this row does not have."""
    return "" if score is None else estimate(score)


def _threshold(curve: PrecisionRecallCurve | None) -> str:
    return "" if curve is None else number(curve.threshold)


def heads_table(view: View, variable: Variable) -> Table:
    """A `per` variable for each label that it depends on, and end to end."""
    columns = (("Macro-F1", "f1", "macro"), ("Accuracy", "accuracy", ""), ("Kappa", "kappa", ""))
    rows, found = [], []
    for head in view.heads(variable):
        scores = [view.score(m, variable, label, head=head.name) for _, m, label in columns]
        name = _condition_name(view, variable, head)
        found += [(name, c[0], s) for c, s in zip(columns, scores, strict=True)]
        units = next((count(s.support) for s in scores if s is not None), UNDEFINED)
        rows.append(Row((name, units, *map(estimate, scores))))
    return Table(
        id=f"heads-{variable.id}",
        caption=f"{variable_name(variable)}: the model by the label that the value depends on",
        columns=_columns("Where gold has", ["Sentences", *(title for title, _, _ in columns)]),
        rows=tuple(rows),
        notes=_notes(found),
    )


def _condition_name(view: View, variable: Variable, head: Head) -> str:
    return view.label_name(variable.per or variable.id, head.condition or "")


def pairs_table(view: View, variable: Variable) -> Table:
    """A `per` variable end to end: a value counts only where its label was found too."""
    metrics = ("precision", "recall", "f1")
    rows, found = [], []
    for system in (view.model, *view.others_on(variable)):
        scores = [view.pairs(metric, variable, system=system.name) for metric in metrics]
        if not any(scores):
            continue
        name = view.system_name(system.name)
        found += [(name, METRIC_TITLES[m], s) for m, s in zip(metrics, scores, strict=True)]
        rows.append(Row((name, *map(estimate, scores)), strong=system is view.model))
    return Table(
        id=f"pairs-{variable.id}",
        caption=f"{variable_name(variable)} end to end: label and value both right",
        columns=_columns("System", [METRIC_TITLES[m] for m in metrics]),
        rows=tuple(rows),
        notes=_notes(found),
    )


def official_table(view: View, figure: Official) -> Table:
    """An official figure of this run's systems, then what others report."""
    model = (figure.value, figure.low, figure.high)
    own = [(MODEL, model), *((b.system, (b.value, b.low, b.high)) for b in figure.baselines)]
    rows = [
        Row(
            (view.system_name(name), scaled_estimate(*values, scale=figure.scale), "", "this run"),
            strong=name == MODEL,
        )
        for name, values in own
    ]
    rows += [
        Row((plain(p.system), f"{p.value:g}", plain(p.parameters), plain(p.source)))
        for p in figure.published
    ]
    names = (("System", False), (plain(figure.name), True), ("Parameters", True), ("From", False))
    return Table(
        id=f"official-{re.sub('[^a-z0-9]+', '-', figure.name.lower())}",
        caption=f"{plain(figure.name)} of {count(figure.n)} test sentences",
        columns=tuple(Column(name, numeric=numeric) for name, numeric in names),
        rows=tuple(rows),
    )


def comparisons_table(view: View) -> Table:
    """Every comparison of the model with another system."""
    rows = tuple(
        Row(
            (
                view.system_name(c.other),
                variable_name(view.book.variable(c.variable)),
                view.label_name(c.variable, c.label),
                METRIC_TITLES.get(c.metric, titled(c.metric)),
                difference(c),
                _p_value(view, c),
            )
        )
        for c in view.scores.comparisons
    )
    columns = [Column(t, numeric=False) for t in ("Model minus", "Variable", "Label", "Figure")]
    return Table(
        id="comparisons",
        caption="All comparisons of the model with other systems",
        columns=(*columns, Column("Difference"), Column("p")),
        rows=rows,
        notes=tuple(_untested(view, view.scores.comparisons)),
        folded=True,
    )


def baseline_labels_table(view: View, variable: Variable) -> Table:
    """F1 of every label for every system."""
    systems = (view.model, *view.others_on(variable))
    rows = tuple(
        Row(
            (
                view.label_name(variable.id, label),
                *(estimate(view.score("f1", variable, label, system=s.name)) for s in systems),
            )
        )
        for label in variable.label_ids
    )
    return Table(
        id=f"systems-labels-{variable.id}",
        caption=f"{variable_name(variable)}: F1 by label and system",
        columns=_columns("Label", [view.system_name(s.name) for s in systems]),
        rows=rows,
        folded=True,
    )


def calibration_table(view: View) -> Table:
    """How far probabilities are from observed shares."""
    metrics = ("brier", "calibration_error", "log_loss")
    rows, found = [], []
    for variable in view.book.variables:
        labels: tuple[str, ...] = ("",)
        if variable.kind == "multi_label":
            labels = (*variable.label_ids, "macro", "micro")
        for label in labels:
            scores = [view.score(metric, variable, label) for metric in metrics]
            if not any(scores):
                continue
            name = variable_name(variable)
            if label:
                name += f" / {view.label_name(variable.id, label)}"
            found += [(name, METRIC_TITLES[m], s) for m, s in zip(metrics, scores, strict=True)]
            rows.append(Row((name, *map(_present, scores))))
    return Table(
        id="calibration-figures",
        caption="Calibration of the model's probabilities; lower is better",
        columns=_columns("Variable", [METRIC_TITLES[m] for m in metrics]),
        rows=tuple(rows),
        notes=_notes(found),
    )


def bins_table(view: View) -> Table:
    """The numbers of the reliability diagrams."""
    rows = []
    for found in view.scores.reliability:
        name = reliability_name(view, found.variable, found.label)
        for part in found.bins:
            numbers = (number(part.mean_probability), number(part.observed), count(part.count))
            rows.append(Row((name, f"{number(part.low)} to {number(part.high)}", *numbers)))
    return Table(
        id="bins",
        caption="Bins of the reliability diagrams",
        columns=(
            Column("Probabilities of", numeric=False),
            *map(Column, ("Bin", "Mean probability", "Observed share", "Number")),
        ),
        rows=tuple(rows),
        folded=True,
    )


def reliability_name(view: View, variable_id: str, label: str) -> str:
    """What a reliability diagram is of."""
    variable = view.book.variable(variable_id)
    if label:
        return f"{variable_name(variable)} / {view.label_name(variable_id, label)}"
    return variable_name(variable) + (
        " / all labels" if variable.kind == "multi_label" else " / decided label"
    )


def confusion_tables(view: View, variable: Variable) -> Iterator[Table]:
    """Counts of gold against decided labels."""
    for found in view.scores.confusions:
        if found.variable != variable.id:
            continue
        names = [view.label_name(variable.id, label) for label in found.labels]
        yield Table(
            id=f"confusion-{variable.id}",
            caption=f"{variable_name(variable)}: gold (rows) against predicted (columns)",
            columns=_columns("Gold", names),
            rows=tuple(
                Row((name, *map(count, row))) for name, row in zip(names, found.counts, strict=True)
            ),
            folded=True,
        )


def prevalence_table(view: View) -> Table:
    """How often gold and the model give each label."""
    rows = tuple(
        Row(
            (
                view.head_name(p.head),
                view.label_name(view.book.head(p.head).variable, p.label),
                count(p.gold),
                count(p.predicted),
                count(p.n),
            )
        )
        for p in view.scores.prevalence
    )
    columns = [Column("Variable", numeric=False), Column("Label", numeric=False)]
    return Table(
        id="prevalence-counts",
        caption="Instances of each label in gold and in the model's decisions",
        columns=(*columns, *map(Column, ("Gold", "Predicted", "Sentences"))),
        rows=rows,
    )


def slices_table(view: View, variable: Variable) -> Table | None:
    """The model's macro-F1 on parts of the data, None where none was large enough."""
    found = [s for s in view.scores.slices if s.variable == variable.id]
    if not found:
        return None
    rows = []
    for part in found:
        score = Score("f1", variable.id, "", "macro", part.f1, part.low, part.high, part.n)
        sizes = (count(part.n), count(part.documents))
        rows.append(Row((f"{titled(part.field)}: {plain(part.value)}", *sizes, estimate(score))))
    return Table(
        id=f"slices-{variable.id}",
        caption=f"{variable_name(variable)}: the model's macro-F1 on parts of the data",
        columns=_columns("Part", ["Sentences", "Documents", "Macro-F1"]),
        rows=tuple(rows),
    )


def learning_curve_table(view: View) -> Table:
    """Macro-F1 and mean average precision by sentences added to the training."""
    keys = [
        (variable, metric)
        for variable in view.book.variables
        for metric in ("f1", "average_precision")
        if metric == "f1" or variable.kind == "multi_label"
    ]
    rows = []
    for point in view.scores.learning_curve:
        found = {(s.variable, s.metric): s for s in point.scores if s.head in ("", s.variable)}
        cells = [estimate(found.get((variable.id, metric))) for variable, metric in keys]
        weight = f"{point.weight:g}" if point.folds else ""
        sentences, documents = count(round(point.sentences)), count(round(point.documents))
        rows.append(Row((sentences, documents, weight, count(point.folds), *cells)))
    named = [
        f"{variable_name(v)}, {'macro-F1' if m == 'f1' else 'average precision'}" for v, m in keys
    ]
    columns = _columns("Sentences added", ["Documents", "Weight", "Trainings", *named])
    return Table(
        id="learning-curve-points",
        caption="The same recipe with sentences of these data added to its training",
        columns=columns,
        rows=tuple(rows),
    )


def learning_gains_tables(view: View) -> Iterator[Table]:
    """Every point of a learning curve against the run itself; none of earlier versions."""
    found = [(p, c) for p in view.scores.learning_curve for c in p.differences]
    if not found:
        return
    rows = tuple(
        Row(
            (
                count(round(point.sentences)),
                variable_name(view.book.variable(c.variable)),
                METRIC_TITLES.get(c.metric, titled(c.metric)),
                difference(c),
                _p_value(view, c),
            )
        )
        for point, c in found
    )
    columns = (Column("Variable", numeric=False), Column("Figure, macro", numeric=False))
    yield Table(
        id="learning-curve-differences",
        caption="Each point less the run without sentences added",
        columns=(Column("Sentences added"), *columns, Column("Difference"), Column("p")),
        rows=rows,
        notes=tuple(_untested(view, [c for _, c in found])),
    )


def agreement_table(view: View) -> Table:
    """Krippendorff's alpha of the coders."""
    rows = tuple(
        Row(
            (
                view.head_name(a.head),
                _agreement_label(view, a),
                number(a.alpha),
                count(a.units),
                count(a.coders),
            )
        )
        for a in view.scores.agreement
    )
    columns = [Column("Variable", numeric=False), Column("Label", numeric=False)]
    return Table(
        id="agreement-alpha",
        caption="Krippendorff's alpha (nominal) of the coders",
        columns=(*columns, *map(Column, ("Alpha", "Sentences", "Coders"))),
        rows=rows,
    )


def _agreement_label(view: View, found: Agreement) -> str:
    return view.label_name(found.variable, found.label) if found.label else "(as a whole)"


def leakage_table(examples: Sequence[tuple[str, str, float]]) -> Table:
    """Scored sentences with their likeness in the training data."""
    columns = (Column("Scored sentence", numeric=False), Column("Training sentence", numeric=False))
    return Table(
        id="leakage-examples",
        caption="Scored sentences that stand in the training data too (at most ten)",
        columns=(*columns, Column("Similarity")),
        rows=tuple(Row((plain(a), plain(b), number(c))) for a, b, c in examples),
    )


def uncoded_table(view: View, uncoded: Mapping[str, int]) -> Table:
    """Sentences left out because coders were tied or did not code."""
    return Table(
        id="uncoded",
        caption="Sentences left out, since coders were tied or did not code them",
        columns=_columns("Variable", ["Sentences"]),
        rows=tuple(Row((view.head_name(head), count(n))) for head, n in uncoded.items() if n),
    )


def _columns(first: str, rest: Sequence[str]) -> tuple[Column, ...]:
    return (Column(first, numeric=False), *map(Column, rest))


def _notes(found: Iterable[tuple[str, str, Score | None]]) -> tuple[str, ...]:
    """Notes of figures, given as row, column and score; the same note stands once."""
    groups: dict[str, dict[str, list[str]]] = {}
    for row, column, score in found:
        if score is not None and score.note:
            groups.setdefault(plain(score.note), {}).setdefault(row, []).append(column)
    return tuple(f"{_note_subject(rows)}: {note}." for note, rows in groups.items())


def _note_subject(rows: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{row} ({', '.join(columns)})" for row, columns in rows.items())
