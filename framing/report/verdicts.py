"""The report's head: what the model scores and what to be wary of, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from framing.codebook import Variable
from framing.decisions import MIN_INSTANCES
from framing.evaluation.schema import (
    BESIDE,
    CODERS,
    LEAST_DOCUMENTS,
    LEAST_JUDGED_DOCUMENTS,
    Comparison,
    Score,
    SystemScores,
)
from framing.report.blocks import Verdict
from framing.report.formatting import (
    count,
    difference,
    estimate,
    interval,
    listed,
    number,
    p_value,
    percent,
    plain,
    things,
)
from framing.report.view import METRIC_TITLES, View, variable_name

#: A label with fewer gold instances gets a warning: each one moves its recall by 5 points.
FEW_INSTANCES = 20

_OTHER_TRAININGS = (
    " The intervals say nothing of what another training of the same recipe would give; the spread "
    "over seeds does (`framing report --seeds`)."
)
_SUBJECTS = {
    "keywords": "The codebook's keyword list",
    "metadata": "Guessing from outlet or genre without reading the sentence",
    "tfidf": "TF-IDF with logistic regression",
    "frozen_encoder": "A logistic regression on the encoder before training",
    "majority": "Always giving the same answer",
}
_EXPECTED = {
    CODERS: "coders",
    "keywords": "keyword list",
    "metadata": "outlet or genre guess",
    "tfidf": "TF-IDF",
}


def verdict(view: View, variable: Variable) -> Verdict:
    """What the model scores on a variable and how it compares."""
    score = view.score("f1", variable, "macro")
    baselines = [s for s in view.others_on(variable) if s.kind == "baseline"]
    sentences = [*_beside_coders(view, variable), *beside_others(view, variable)]
    sentences += [_beside(view, variable, other) for other in baselines]
    missing = list(_missing(view, variable))
    if missing:
        sentences.append(f"Not scored beside the model: {listed(missing)}.")
    return Verdict(
        variable=variable.id,
        title=variable_name(variable),
        value=number(score.value if score else None),
        interval=interval(score.low, score.high) if score else "",
        lead=_lead(view, variable, score),
        sentences=tuple(sentences),
    )


def beside_others(view: View, variable: Variable) -> list[str]:
    """How the model compares with other models."""
    return [_beside(view, variable, other) for other in view.other_models]


def overall(view: View) -> str:
    """How many sentences are right in every variable, or ""."""
    score = view.all_right()
    if score is None or score.value is None or len(view.book.variables) < 2:
        return ""
    return (
        f"Every variable at once is right in a share of {estimate(score)} of the "
        f"{count(score.support)} sentences in which everything was coded."
    )


def how_to_read(view: View) -> str:
    """What the brackets and p-values are."""
    signature = view.scores.signature
    if not signature.resamples:
        return "No intervals were computed, so chance differences cannot be told from real ones."
    tests = (
        "P-values are two-sided and not adjusted for the number of comparisons; there is none "
        f"where fewer than {LEAST_JUDGED_DOCUMENTS} documents hold what is compared."
    )
    if signature.documents < LEAST_JUDGED_DOCUMENTS:
        documents = things(signature.documents, "document")
        tests = f"No p-values are shown ({documents}, {LEAST_JUDGED_DOCUMENTS} are needed)."
    return (
        f"Brackets are {percent(signature.confidence)} intervals from {count(signature.resamples)} "
        f"bootstrap resamples of the {things(signature.documents, 'document')}. A difference is "
        "the model's score minus the other's on the same resamples; where its interval holds 0, "
        f"the choice of documents alone could account for it. {tests} Coders, and the model where "
        "it stands beside them, are measured against the other coders. These are fewer people than "
        "made gold, so figures against them are usually lower than against gold."
        f"{_OTHER_TRAININGS if view.other_models else ''}"
    )


def learning_gains(view: View) -> Iterator[str]:
    """What the most sentences added to the training are worth, by variable and figure."""
    last = view.scores.learning_curve[-1]
    sentences = things(round(last.sentences), "sentence")
    for found in last.differences:
        name = variable_name(view.book.variable(found.variable))
        metric = METRIC_TITLES.get(found.metric, found.metric)
        yield f"{name}, {metric} with {sentences} added: {_judgement(view, found)}"


def warnings(view: View) -> tuple[str, ...]:
    """Everything that weakens the figures, most general first."""
    facts = view.scores.facts.items()
    found = [plain(text) for key, text in facts if key.startswith("warning")]
    found += _leakage(view)
    found += _coder_warnings(view)
    for variable in view.book.variables:
        found += _undecided(view, variable)
    found += _uncalibrated(view)
    found += _few_documents(view)
    found += _few_instances(view)
    found += _undefined(view)
    return tuple(found)


def _missing(view: View, variable: Variable) -> Iterator[str]:
    """Systems that one would look for and that are not scored, with the reason where known."""
    scored = {system.name for system in view.others_on(variable)}
    unscored = view.unscored_on(variable)
    for name, text in _EXPECTED.items():
        if name in unscored:
            guess = f"{unscored[name].basis} guess" if unscored[name].basis else text
            yield f"{plain(guess)} ({plain(unscored[name].unscored[variable.id])})"
        elif name not in scored:
            yield text


def _lead(view: View, variable: Variable, score: Score | None) -> str:
    if score is None:
        return "Macro-F1 was not computed."
    if score.value is None:
        return f"Macro-F1 is undefined: {plain(score.note) or 'no reason is recorded'}."
    units = things(score.support, "sentence")
    if variable.per is not None:
        parent = variable_name(view.book.variable(variable.per))
        units = f"{things(score.support, 'value')}, one for each label of {parent} that gold has"
    ends = ""
    if score.low is not None and score.high is not None:
        confidence = percent(view.scores.signature.confidence)
        ends = f" ({confidence} interval {number(score.low)} to {number(score.high)})"
    labels = _labels_counted(view, variable)
    return f"The model's macro-F1 is {number(score.value)}{ends} over {labels} and {units}."


def _labels_counted(view: View, variable: Variable) -> str:
    """The number of labels in the macro mean, with those that it leaves out as undefined."""
    scores = {label: view.score("f1", variable, label) for label in variable.label_ids}
    absent = [label for label, score in scores.items() if score and score.value is None]
    counted = things(len(scores) - len(absent), "label")
    if not absent:
        return counted
    return f"{counted} (without: {', '.join(view.label_name(variable.id, x) for x in absent)})"


def _beside_coders(view: View, variable: Variable) -> list[str]:
    """What a coder reaches, and the model in his place."""
    if not any(system.name == CODERS for system in view.others):
        return []
    score = view.score("f1", variable, "macro", system=CODERS)
    if score is None or score.value is None:
        return ["A coder against the other coders has no defined score here."]
    unit = "sentence" if variable.per is None else "value"
    details = [plain(score.note)] if score.note else []
    details.append(f"{things(score.support, unit)} each")
    text = f"A coder against the other coders scores {number(score.value)} ({', '.join(details)})"
    model = view.score("f1", variable, "macro", system=BESIDE)
    found = view.comparison(CODERS, "f1", variable, "macro")
    judgement = _judgement(view, found)
    if model is None or model.value is None:
        return [f"{text}; {judgement}"]
    return [f"{text}, the model in the coder's place {number(model.value)}; {judgement}"]


def _beside(view: View, variable: Variable, other: SystemScores) -> str:
    subject = _subject(view, other)
    score = view.score("f1", variable, "macro", system=other.name)
    if score is None or score.value is None:
        return f"{subject} has no defined score here."
    found = view.comparison(other.name, "f1", variable, "macro")
    judgement = _judgement(view, found)
    return f"{subject} scores {number(score.value)}; {judgement}"


def _subject(view: View, other: SystemScores) -> str:
    if other.kind == "other":
        return f"The other model {view.system_name(other.name)}"
    if other.basis:
        return f"Guessing from {plain(other.basis)} without reading the sentence"
    return _SUBJECTS.get(other.name, view.system_name(other.name))


def _judgement(view: View, found: Comparison | None) -> str:
    if found is None:
        return "the difference was not tested."
    if why := view.unjudged(found):
        return f"the difference is {difference(found)}, with {why}."
    evidence = f"{difference(found)}, p {p_value(found.p_value, equals='= ')}"
    if (side := _clear(view, found)) is None:
        return f"the difference cannot be told from noise ({evidence})."
    return f"the model is {side} by more than chance explains ({evidence})."


def _clear(view: View, found: Comparison) -> Literal["better", "worse"] | None:
    """On which side of the other system the model clearly is, None where on neither."""
    # Interval and p-value come from the same resamples, but near the border they may disagree.
    if found.p_value >= 1 - view.scores.signature.confidence:
        return None
    return "better" if found.low > 0 else "worse" if found.high < 0 else None


def _leakage(view: View) -> Iterator[str]:
    leakage = view.scores.leakage
    if leakage is None:
        yield "It is not known whether scored sentences stand in the training data."
    elif leakage.exact or leakage.near:
        yield (
            f"Of the scored sentences, {count(leakage.exact)} stand in the training data word "
            f"for word and {count(leakage.near)} more nearly so (similarity at least "
            f"{number(leakage.threshold)}); figures may be too high."
        )


def _coder_warnings(view: View) -> Iterator[str]:
    if len(view.scores.data.coders) < 2:
        yield (
            f"The data have {things(len(view.scores.data.coders), 'coder')}, so how well people "
            "agree on these variables is not known."
        )


def _undecided(view: View, variable: Variable) -> Iterator[str]:
    """Baselines that the model does not clearly beat, where documents are enough to tell."""
    pairs = [
        (other, view.comparison(other.name, "f1", variable, "macro"))
        for other in view.others_on(variable)
        if other.kind == "baseline"
    ]
    equal = [
        view.system_name(other.name)
        for other, found in pairs
        if found and not view.unjudged(found) and _clear(view, found) != "better"
    ]
    if equal:
        yield (
            f"{variable_name(variable)}: the model is not better than this baseline by more than "
            f"chance explains: {listed(equal)}."
        )


def _uncalibrated(view: View) -> Iterator[str]:
    """Labels and heads whose probabilities and thresholds the development split could not fit."""
    labels = [
        f"{view.head_name(head)} / {view.label_name(view.book.head(head).variable, label)}"
        for head, label in view.scores.uncalibrated
        if label
    ]
    if labels:
        yield (
            f"Not calibrated, since fewer than {MIN_INSTANCES} development sentences have the "
            "label or lack it; where fewer have it, its threshold is 0.5 too: "
            f"{'; '.join(labels)}."
        )
    heads = [view.head_name(head) for head, label in view.scores.uncalibrated if not label]
    if heads:
        yield (
            f"Not calibrated, since there are fewer than {MIN_INSTANCES} development sentences a "
            f"label: {'; '.join(heads)}."
        )


def _few_documents(view: View) -> Iterator[str]:
    """Figures of fewer documents than intervals need, where the data as a whole have enough."""
    if view.scores.signature.documents < LEAST_DOCUMENTS or not view.scores.signature.resamples:
        return
    rare = []
    for variable in view.book.variables:
        scores = {
            variable_name(variable): view.score("f1", variable, "macro"),
            **{
                f"{variable_name(variable)} / {view.label_name(variable.id, label)}": view.score(
                    "f1", variable, label
                )
                for label in variable.label_ids
            },
        }
        if variable.per is not None:
            scores |= {
                view.head_name(head.name): view.score("f1", variable, "macro", head=head.name)
                for head in view.heads(variable)
            }
        rare += [
            f"{name} ({count(view.documents(score))})"
            for name, score in scores.items()
            if score and score.value is not None and view.documents(score) < LEAST_DOCUMENTS
        ]
    if rare:
        yield (
            f"Fewer than {LEAST_DOCUMENTS} documents hold what these figures are made of, so their "
            "intervals are too narrow and differences are found where there are none; below "
            f"{LEAST_JUDGED_DOCUMENTS} no difference is judged: {'; '.join(rare)}."
        )


def _few_instances(view: View) -> Iterator[str]:
    rare = [
        f"{view.head_name(p.head)} / {view.label_name(view.book.head(p.head).variable, p.label)} "
        f"({count(p.gold)})"
        for p in view.scores.prevalence
        if p.gold < FEW_INSTANCES
    ]
    if rare:
        yield (
            f"Fewer than {FEW_INSTANCES} gold instances, so the label's figures say little: "
            f"{'; '.join(rare)}."
        )


def _undefined(view: View) -> Iterator[str]:
    """Undefined figures of the model by their reason."""
    reasons: dict[str, list[Score]] = {}
    for score in view.model.scores:
        if score.value is None:
            reasons.setdefault(plain(score.note) or "no reason is recorded", []).append(score)
    for reason, scores in reasons.items():
        yield f"Undefined ({reason}): {'; '.join(_figure_names(view, scores))}."


def _figure_names(view: View, scores: Iterable[Score]) -> list[str]:
    """Names of figures, those of one label together."""
    groups: dict[str, list[str]] = {}
    for score in scores:
        where = "all variables"
        if score.variable != "all":
            variable = view.book.variable(score.variable)
            where = view.head_name(score.head) if score.head else variable_name(variable)
            if score.label:
                where += f" / {view.label_name(score.variable, score.label)}"
        groups.setdefault(where, []).append(METRIC_TITLES.get(score.metric, score.metric))
    return [f"{where}: {', '.join(metrics)}" for where, metrics in groups.items()]
