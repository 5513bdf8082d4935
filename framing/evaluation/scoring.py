"""Predictions and gold -> scores: the one way to a `schema.Scores`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import framing
from framing.codebook import Codebook
from framing.data.agreement import agreement
from framing.data.benchmarks import OfficialFigure
from framing.decisions import Decisions, uncalibrated
from framing.errors import ConfigError, DataError, all_problems
from framing.evaluation import ceiling, details, schema
from framing.evaluation.bootstrap import (
    Resamples,
    constant,
    paired_p_value,
    percentile_interval,
)
from framing.evaluation.figures import Figure, Key, all_figures, to_score
from framing.evaluation.official import official_results
from framing.evaluation.units import (
    Answers,
    coded,
    condition_present,
    people_answers,
    system_answers,
    variable_heads,
)
from framing.metrics.counts import ABSENT_RULE
from framing.records import ADJUDICATOR, GOLD, Annotation, Prediction, Sentence

#: Share of a variable's coded units that may be left out as ties without a warning.
_MOST_TIES = 0.05
#: Ids shown in one message.
_MOST_IDS = 5


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How scores are made.

    Attributes:
        resamples: Of the bootstrap over documents; 0 gives figures without intervals.
        confidence: Of the intervals, between 0 and 1.
        seed: Of the bootstrap.
        bins: Of calibration errors and reliability.
        slice_fields: Metadata fields whose values are scored on their own.
        slice_least: Units that such a part must have.
        max_slices: Parts kept, the largest.
        max_errors: Confident errors kept.
    """

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0
    bins: int = 10
    slice_fields: tuple[str, ...] = ("source", "genre")
    slice_least: int = 30
    max_slices: int = 20
    max_errors: int = 25

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: With all problems.
        """
        least = {"resamples": 0, "seed": 0, "bins": 1, "slice_least": 1, "max_slices": 0}
        problems = [
            f"{name} must be at least {low}, found {getattr(self, name)}"
            for name, low in (least | {"max_errors": 0}).items()
            if getattr(self, name) < low
        ]
        if not 0 < self.confidence < 1:
            problems.append(f"confidence must be between 0 and 1, found {self.confidence}")
        if problems:
            raise ConfigError(all_problems("evaluation settings", problems))


@dataclass(frozen=True, slots=True)
class DataDescription:
    """What the caller knows of the data and the sentences do not say.

    Attributes:
        name: Of the corpus or file.
        split: Such as "test", or "all".
        gold_rule: How gold was made from coders, in a sentence.
        hash: SHA-256 of the sentences and annotations used.
        adjudicator: Name under which decisions on disputed sentences stand among the
            annotations; he is no coder in agreement and ceiling.
        official: Figures of the benchmark that the data are, () for other data.
    """

    name: str
    split: str
    gold_rule: str
    hash: str
    adjudicator: str = ADJUDICATOR
    official: tuple[OfficialFigure, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """A model or baseline with its predictions.

    Attributes:
        name: As in `schema.SystemScores`.
        kind: "model", "other" (another model) or "baseline".
        description: One sentence for people.
        predictions: One for every sentence scored, in any order.
        basis: As in `schema.SystemScores`.
        unscored: As in `schema.SystemScores`; figures over all variables are left out with any.
    """

    name: str
    kind: schema.SystemKind
    description: str
    predictions: Sequence[Prediction]
    basis: str = ""
    unscored: Mapping[str, str] = field(default_factory=dict)


#: What coders reach, and the model in their place.
_CEILINGS = {
    schema.BESIDE: "The model in each coder's place: against the gold of the other coders.",
    schema.CODERS: "Each coder against the gold of the other coders, averaged over coders.",
}


@dataclass(frozen=True)
class _Material:
    """Everything aligned with the sentences."""

    book: Codebook
    sentences: Sequence[Sentence]
    annotations: Sequence[Annotation]
    adjudicator: str
    gold: Answers
    answers: Mapping[str, Answers]
    unscored: Mapping[str, Mapping[str, str]]
    resamples: Resamples
    settings: EvaluationSettings

    def answers_on(self, variable: str) -> dict[str, Answers]:
        """Answers of the systems that are scored on a variable."""
        return {n: found for n, found in self.answers.items() if variable not in self.unscored[n]}

    @property
    def coder_annotations(self) -> list[Annotation]:
        """Annotations of coders, without adjudicator."""
        return [a for a in self.annotations if a.coder != self.adjudicator]


def evaluate_systems(
    *,
    run: str,
    bundle: str,
    book: Codebook,
    data: DataDescription,
    sentences: Sequence[Sentence],
    annotations: Sequence[Annotation],
    gold: Sequence[Annotation],
    systems: Sequence[System],
    decisions: Decisions,
    settings: EvaluationSettings,
    leakage: schema.Leakage | None,
    facts: Mapping[str, str],
) -> schema.Scores:
    """Score systems against gold and the coders against each other.

    Args:
        run: Name of the run.
        bundle: Hash of the bundle that made the model's predictions.
        book: The codebook.
        data: What is scored.
        sentences: The sentences scored, each once.
        annotations: Of all coders; those of other sentences and of `GOLD` are passed over.
        gold: One for every sentence. Heads it leaves uncoded are not scored there.
        systems: The model first, then other models and baselines.
        decisions: Of the model; gives the thresholds marked on curves, and what is uncalibrated.
        settings: Resamples, bins, slices.
        leakage: Of the sentences against the training data, None where unknown.
        facts: For the report's head; warnings are added to them.

    Returns:
        The scores, the same for the same input and seed whatever the order of predictions.

    Raises:
        DataError: Ids do not match, or predictions do not fit the codebook.
    """
    _check_systems(systems)
    material = _material(
        book=book,
        data=data,
        sentences=sentences,
        annotations=annotations,
        gold=gold,
        systems=systems,
        settings=settings,
    )
    return _scores(
        material,
        systems,
        run=run,
        bundle=bundle,
        data=data,
        decisions=decisions,
        leakage=leakage,
        facts=facts,
    )


def _material(
    *,
    book: Codebook,
    data: DataDescription,
    sentences: Sequence[Sentence],
    annotations: Sequence[Annotation],
    gold: Sequence[Annotation],
    systems: Sequence[System],
    settings: EvaluationSettings,
) -> _Material:
    ids = _unique_ids((s.id for s in sentences), "sentences")
    wanted = set(ids)
    rng = np.random.default_rng(settings.seed)
    return _Material(
        book=book,
        sentences=sentences,
        annotations=[a for a in annotations if a.sentence_id in wanted and a.coder != GOLD],
        adjudicator=data.adjudicator,
        gold=people_answers(_aligned_gold(gold, ids), book),
        answers={
            s.name: system_answers(_aligned_predictions(s, ids), book, s.name) for s in systems
        },
        unscored={s.name: s.unscored for s in systems},
        resamples=Resamples.draw([s.doc_id for s in sentences], settings.resamples, rng),
        settings=settings,
    )


def _scores(
    material: _Material,
    systems: Sequence[System],
    *,
    run: str,
    bundle: str,
    data: DataDescription,
    decisions: Decisions,
    leakage: schema.Leakage | None,
    facts: Mapping[str, str],
) -> schema.Scores:
    book, gold = material.book, material.gold
    model = material.answers[systems[0].name]
    figures = _figures(material)
    return schema.Scores(
        run=run,
        bundle=bundle,
        codebook=book.to_dict(),
        data=_data(material, data),
        signature=_signature(material),
        systems=tuple(_system_scores(systems, figures, material.settings.confidence)),
        comparisons=tuple(_comparisons(figures, book, material.settings.confidence)),
        curves=tuple(details.curves(gold, model, book, decisions)),
        reliability=tuple(details.reliability(gold, model, book, material.settings.bins)),
        confusions=tuple(details.confusions(gold, model, book)),
        errors=tuple(_errors(material, model)),
        agreement=tuple(_agreement(material)),
        prevalence=tuple(details.prevalence(gold, model, book)),
        slices=tuple(_slices(material, model)),
        leakage=leakage,
        facts={**facts, **_warnings(material)},
        official=tuple(_official(material, data.official)),
        uncalibrated=tuple(uncalibrated(decisions, book)),
    )


def _figures(material: _Material) -> dict[str, list[Figure]]:
    """System name -> its figures, the model first, the coders and the model beside them last."""
    out = {name: _system_figures(material, name) for name in material.answers}
    return out | ceiling.coder_figures(
        material.coder_annotations,
        material.sentences,
        next(iter(material.answers.values())),
        material.book,
        material.resamples,
    )


def _system_figures(material: _Material, name: str) -> list[Figure]:
    """Figures of the variables on which a system is scored, and over all if it is on each."""
    left_out = set(material.unscored[name])
    if left_out:
        left_out.add("all")
    answers, bins = material.answers[name], material.settings.bins
    found = all_figures(material.gold, answers, material.book, material.resamples, bins)
    return [figure for figure in found if figure.variable not in left_out]


def _system_scores(
    systems: Sequence[System], figures: Mapping[str, Sequence[Figure]], confidence: float
) -> Iterator[schema.SystemScores]:
    for system in systems:
        scores = tuple(to_score(f, confidence) for f in figures[system.name])
        yield schema.SystemScores(
            system.name,
            system.kind,
            system.description,
            scores,
            system.basis,
            dict(system.unscored),
        )
    for name, description in _CEILINGS.items():
        if name in figures:
            scores = tuple(to_score(f, confidence) for f in figures[name])
            yield schema.SystemScores(name, "ceiling", description, scores)


def _comparisons(
    figures: Mapping[str, Sequence[Figure]], book: Codebook, confidence: float
) -> Iterator[schema.Comparison]:
    (_, first), *others = figures.items()
    keyed = {name: {figure.key: figure for figure in theirs} for name, theirs in others}
    beside = keyed.pop(schema.BESIDE, {})
    for name, other in keyed.items():
        model = beside if name == schema.CODERS else {figure.key: figure for figure in first}
        for key in _compared(book):
            if key in model and key in other:
                yield from paired_comparison(name, model[key], other[key], confidence)


def paired_comparison(
    name: str, model: Figure, other: Figure, confidence: float
) -> Iterator[schema.Comparison]:
    """Compare two systems in one figure.

    Args:
        name: Of the other system.
        model: Its figure.
        other: The same of the other system, from the same resamples.
        confidence: Of the interval.

    Yields:
        One comparison, or none where the difference or all its resamples are undefined.
    """
    differences = model.paired - other.paired
    interval = percentile_interval(differences, confidence)
    if interval.low is None or interval.high is None:
        return
    low, high = interval.low, interval.high
    if constant(differences):
        # Equal ends tell reports that there is nothing to judge by; rounding must not part them.
        low = high = float(differences[0])
    metric, variable, _, label = model.key
    yield schema.Comparison(
        other=name,
        metric=metric,
        variable=variable,
        label=label,
        difference=float(differences[0]),
        low=low,
        high=high,
        p_value=paired_p_value(differences),
        documents=int((model.documents | other.documents).sum()),
    )


def _compared(book: Codebook) -> Iterator[Key]:
    """The figures on which systems are compared."""
    for variable in book.variables:
        head = variable.id if variable.per is None else ""
        yield ("f1", variable.id, head, "macro")
        if variable.kind == "multi_label":
            for label in variable.label_ids:
                yield ("f1", variable.id, head, label)
            yield ("average_precision", variable.id, head, "macro")


def _official(material: _Material, figures: Sequence[OfficialFigure]) -> Iterator[schema.Official]:
    for figure in figures:
        yield from official_results(
            [figure],
            book=material.book,
            sentences=material.sentences,
            gold=material.gold,
            answers=material.answers_on(figure.variable),
            resamples=material.resamples,
            confidence=material.settings.confidence,
        )


def _errors(material: _Material, model: Answers) -> Iterator[schema.ConfidentError]:
    settings = material.settings
    coded = details.Coded(
        gold=material.gold,
        model=model,
        book=material.book,
        sentences=material.sentences,
        annotations=material.annotations,
        source_fields=settings.slice_fields,
    )
    return details.confident_errors(coded, settings.max_errors)


def _slices(material: _Material, model: Answers) -> Iterator[schema.Slice]:
    settings = material.settings
    parts = details.SliceSettings(
        settings.slice_fields, settings.slice_least, settings.max_slices, settings.confidence
    )
    return details.slices(
        material.gold,
        model,
        material.book,
        material.sentences,
        resamples=material.resamples,
        settings=parts,
    )


def _agreement(material: _Material) -> Iterator[schema.Agreement]:
    if len({a.coder for a in material.coder_annotations}) < 2:
        return
    for found in agreement(material.annotations, material.book, material.adjudicator):
        yield schema.Agreement(
            found.variable, found.head, found.label, found.alpha, found.units, found.coders
        )


def _data(material: _Material, data: DataDescription) -> schema.Data:
    return schema.Data(
        name=data.name,
        split=data.split,
        sentences=len(material.sentences),
        documents=material.resamples.n_documents,
        coders=tuple(sorted({a.coder for a in material.coder_annotations})),
        gold_rule=data.gold_rule,
        hash=data.hash,
        uncoded=details.uncoded(material.gold, material.book),
    )


def _signature(material: _Material) -> schema.Signature:
    return schema.Signature(
        labels=(),
        absent=ABSENT_RULE,
        n=len(material.sentences),
        documents=material.resamples.n_documents,
        resamples=material.resamples.n,
        confidence=material.settings.confidence,
        seed=material.settings.seed,
        version=framing.__version__,
    )


def _warnings(material: _Material) -> dict[str, str]:
    found = {
        "warning_documents": _few_documents(
            material.resamples.n_documents, material.settings.resamples
        ),
        "warning_ties": _many_ties(material),
    }
    return {name: text for name, text in found.items() if text}


def _many_ties(material: _Material) -> str:
    """Variables of which more than `_MOST_TIES` of the coded units are left out as ties."""
    book, gold = material.book, material.gold
    tied = details.ties(gold, material.coder_annotations, [s.id for s in material.sentences], book)
    parts = []
    for variable in book.variables:
        heads = variable_heads(variable, book)
        left_out = sum(tied[head.name] for head in heads)
        scored = sum(
            int((coded(head, gold.labels, book) & condition_present(head, gold.labels, book)).sum())
            for head in heads
        )
        if left_out > _MOST_TIES * (left_out + scored):
            parts.append(f"{variable.id} ({left_out:,} of {left_out + scored:,})")
    if not parts:
        return ""
    return (
        f"More than {_MOST_TIES:.0%} of what was coded is left out, since coders were tied: "
        f"{', '.join(parts)}. These are the harder ones, so figures are for the easier rest; an "
        "adjudicator's decision brings them in."
    )


def _few_documents(documents: int, resamples: int) -> str:
    """What to mind where documents are too few for intervals and tests, "" where they are not."""
    if documents == 1:
        return (
            "All sentences stand in one document, so there are no intervals and no comparisons: "
            "they need documents to resample."
        )
    if documents >= schema.LEAST_DOCUMENTS or not resamples:
        return ""
    unjudged = ""
    if documents < schema.LEAST_JUDGED_DOCUMENTS:
        unjudged = f", and below {schema.LEAST_JUDGED_DOCUMENTS} no difference is judged"
    return (
        f"The sentences stand in only {documents} documents. With fewer than "
        f"{schema.LEAST_DOCUMENTS} intervals are too narrow and tests find differences where "
        f"there are none, more often than the confidence says{unjudged}. Score more documents."
    )


def _check_systems(systems: Sequence[System]) -> None:
    if not systems or systems[0].kind != "model":
        found = f"{systems[0].name!r} ({systems[0].kind})" if systems else "no systems"
        raise DataError(f"expected the model as first system to score, found {found}")
    names = Counter([*_CEILINGS, *(s.name for s in systems)])
    twice = [name for name, n in names.items() if n > 1]
    if twice:
        raise DataError(
            f"system names must differ and {' and '.join(_CEILINGS)} are kept for the coders; "
            f"found more than once: {', '.join(twice)}"
        )


def _unique_ids(ids: Iterable[str], what: str) -> list[str]:
    out = list(ids)
    twice = [sentence_id for sentence_id, n in Counter(out).items() if n > 1]
    if twice:
        raise DataError(
            f"{what}: expected every sentence once, found more than once: {_some(twice)}"
        )
    return out


def _aligned_predictions(system: System, ids: Sequence[str]) -> list[Prediction]:
    what = f"predictions of {system.name!r}"
    _check_ids(_unique_ids((p.sentence_id for p in system.predictions), what), ids, what)
    by_id = {p.sentence_id: p for p in system.predictions}
    return [by_id[sentence_id] for sentence_id in ids]


def _aligned_gold(gold: Sequence[Annotation], ids: Sequence[str]) -> list[Annotation]:
    _check_ids(_unique_ids((a.sentence_id for a in gold), "gold"), ids, "gold")
    by_id = {a.sentence_id: a for a in gold}
    return [by_id[sentence_id] for sentence_id in ids]


def _check_ids(found: Sequence[str], expected: Sequence[str], what: str) -> None:
    have, wanted = set(found), set(expected)
    missing = [i for i in expected if i not in have]
    extra = [i for i in found if i not in wanted]
    problems = []
    if missing:
        problems.append(f"{len(missing)} sentence(s) missing: {_some(missing)}")
    if extra:
        problems.append(f"{len(extra)} not among the sentences scored: {_some(extra)}")
    if problems:
        raise DataError(
            all_problems(f"{what}: expected one for each of {len(expected)} sentences", problems)
        )


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    return ", ".join(ids[:_MOST_IDS]) + more
