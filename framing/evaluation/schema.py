"""The schema of ``scores.json``: what evaluation writes and reports format.

Plain frozen dataclasses; `to_dict` and `from_dict` carry them through JSON.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

SystemKind = Literal["model", "other", "baseline", "ceiling"]
#: In the differences of a learning curve: the run without sentences added.
NOTHING_ADDED = "nothing_added"
#: Names of the two ceilings: the coders, and the model measured as they are.
CODERS, BESIDE = "coders", "model_beside_coders"
#: Documents below which percentile intervals are too narrow and paired tests find too much: of two
#: systems that are equally good, 95% intervals told apart 48% in a simulation with 2 documents, 17%
#: with 5, 9% with 10 and 6% with 20.
LEAST_DOCUMENTS = 20
#: Documents below which that is so bad that a difference says nothing of better and worse.
LEAST_JUDGED_DOCUMENTS = 10
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything needed to compute a score again.

    Attributes:
        labels: Label ids, in the codebook's order.
        absent: The rule for labels with neither gold nor predicted instances.
        n: Sentences counted.
        documents: Documents they stand in; the unit of resampling.
        resamples: Bootstrap resamples.
        confidence: Of the interval, such as 0.95.
        seed: Of the bootstrap.
        version: Of this package.
    """

    labels: tuple[str, ...]
    absent: str
    n: int
    documents: int
    resamples: int
    confidence: float
    seed: int
    version: str


@dataclass(frozen=True, slots=True)
class Score:
    """One figure with its interval.

    Attributes:
        metric: precision, recall, f1, average_precision, accuracy, brier, calibration_error,
            log_loss, exact_match, kappa.
        variable: Variable id, or "all" for figures over every variable.
        head: Head name, or "" where heads are pooled.
        label: Label id, or "macro", "micro", "" for figures that belong to no label.
        value: None where the figure is undefined (the reason stands in `note`).
        low: Lower end of the interval.
        high: Upper end.
        support: Gold instances of the label, or sentences counted.
        note: Why a value is missing or special, or "".
        documents: Those that hold something the figure is made of (`evaluation.figures.Figure`);
            None in scores of earlier versions.
    """

    metric: str
    variable: str
    head: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    support: int
    note: str = ""
    documents: int | None = None


@dataclass(frozen=True, slots=True)
class SystemScores:
    """All figures of the model, of another one, of one baseline, or of the coders.

    Attributes:
        name: model, majority, metadata, keywords, tfidf, frozen_encoder, coders, or that of
            another model.
        kind: What it is.
        description: One sentence for people.
        scores: The figures.
        basis: The metadata that the metadata-only baseline looks at, where they are others than
            source and genre; else "".
        unscored: Variable id -> why the system has nothing to go on there, and so no figures.
    """

    name: str
    kind: SystemKind
    description: str
    scores: tuple[Score, ...]
    basis: str = ""
    unscored: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Paired comparison of the model with another system on the same sentences.

    Attributes:
        other: Name of the other system.
        metric: Such as f1.
        variable: Variable id.
        label: Label id or "macro".
        difference: Model minus other.
        low: Lower end of the interval of the difference.
        high: Upper end.
        p_value: Two-sided, from the paired bootstrap over documents.
        documents: Those that hold something which either figure is made of; None in scores of
            earlier versions.
    """

    other: str
    metric: str
    variable: str
    label: str
    difference: float
    low: float
    high: float
    p_value: float
    documents: int | None = None


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """Precision and recall of one label over all thresholds (at most 200 points kept).

    Attributes:
        head: Head name.
        label: Label id.
        precision: At each point.
        recall: At each point.
        threshold: The one stored with the model.
        at_precision: Precision at that threshold, None where nothing is predicted.
        at_recall: Recall at that threshold, None where the label has no gold instance.
        prevalence: Share of gold instances.
    """

    head: str
    label: str
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    threshold: float
    at_precision: float | None
    at_recall: float | None
    prevalence: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability diagram.

    Attributes:
        low: Lower edge of the probability.
        high: Upper edge.
        mean_probability: Mean in the bin.
        observed: Share of gold instances in the bin.
        count: Probabilities in the bin.
    """

    low: float
    high: float
    mean_probability: float
    observed: float
    count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Reliability of a variable's probabilities; label "" pools its labels."""

    variable: str
    label: str
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion of a single_label variable; rows are gold, columns predicted.

    Attributes:
        variable: Variable id; heads of a `per` variable are pooled.
        labels: Of rows and columns.
        counts: Row by row.
    """

    variable: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class ConfidentError:
    """A sentence that the model gets wrong with great confidence.

    Attributes:
        sentence_id: Its id.
        doc_id: Its document.
        text: Its text.
        previous: The sentence before.
        source: Source or genre, or "".
        head: Head name.
        gold: Gold labels (ids).
        predicted: Decided labels.
        label: The label that is wrong.
        probability: The model's probability of that label.
        coders: Label -> for each coder what he gave, such as {"A": "favor", "B": "against"}.
    """

    sentence_id: str
    doc_id: str
    text: str
    previous: str
    source: str
    head: str
    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    label: str
    probability: float
    coders: dict[str, str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of the coders on one label, or on a whole single_label head.

    Attributes:
        variable: Variable id.
        head: Head name.
        label: Label id, or "" for the head as a whole.
        alpha: Krippendorff's alpha (nominal), None where undefined.
        units: Sentences with at least two coders.
        coders: Number of coders.
    """

    variable: str
    head: str
    label: str
    alpha: float | None
    units: int
    coders: int


@dataclass(frozen=True, slots=True)
class Prevalence:
    """How often a label is given by gold and by the model."""

    head: str
    label: str
    gold: int
    predicted: int
    n: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The model's macro-F1 of one variable on the sentences of one source, genre and so on.

    Attributes:
        field: Metadata field.
        value: Its value.
        variable: Variable id.
        n: Sentences.
        documents: Documents.
        f1: Macro-F1, None where undefined.
        low: Lower end of the interval.
        high: Upper end.
    """

    field: str
    value: str
    variable: str
    n: int
    documents: int
    f1: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class OfficialResult:
    """A baseline's value of an official figure.

    Attributes:
        system: Its name.
        value: None where undefined.
        low: Lower end of the interval.
        high: Upper end.
    """

    system: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """What others report of the same figure.

    Attributes:
        system: Its name.
        value: In the figure's scale.
        parameters: Size of the model, "" where its source does not state it.
        source: Where the value is from.
    """

    system: str
    value: float
    parameters: str
    source: str


@dataclass(frozen=True, slots=True)
class Official:
    """The figure by which a benchmark's systems are compared.

    Attributes:
        name: For people.
        value: The model's, None where undefined.
        low: Lower end of the interval, from the same resamples as all others.
        high: Upper end.
        n: Test sentences counted.
        scale: 1, or 100 where results are published so.
        protocol: What is counted, on what, and how.
        note: Why the value cannot be compared with others, or "".
        baselines: The baselines' values.
        published: What others report.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    scale: int
    protocol: str
    note: str
    baselines: tuple[OfficialResult, ...]
    published: tuple[PublishedResult, ...]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What the same recipe scores with some of the scored data's own sentences in training.

    Each sentence is scored by a model that was trained on other documents of these data, so every
    point is scored on all sentences.

    Attributes:
        asked: Sentences asked for.
        sentences: Added to the training, mean over the folds.
        documents: The same of their documents.
        folds: Models trained for this point; 0 where nothing is added and the run itself counts.
        scores: Macro-F1 of the variables, over all folds together, and mean average precision, the
            mean over the folds.
        weight: Factor on the loss of the sentences added.
        differences: The point less what the run itself scores, with nothing added; () where nothing
            is, and in scores of earlier versions, whose average precision is of all folds together.
    """

    asked: int
    sentences: float
    documents: float
    folds: int
    scores: tuple[Score, ...]
    weight: float = 1.0
    differences: tuple[Comparison, ...] = ()


@dataclass(frozen=True, slots=True)
class Leakage:
    """Sentences of the evaluated data that stand in the training data too.

    Attributes:
        exact: Sentences with the same text but for case, white space and punctuation.
        near: Further sentences whose nearest training sentence is at least `threshold` alike.
        threshold: Cosine of character n-grams.
        examples: At most ten (evaluated id, training id, similarity).
    """

    exact: int
    near: int
    threshold: float
    examples: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True, slots=True)
class Data:
    """What was scored.

    Attributes:
        name: Of the corpus or file.
        split: Such as "test", or "all".
        sentences: Number of sentences.
        documents: Number of documents.
        coders: Names of the coders.
        gold_rule: How gold was made from coders, in a sentence.
        hash: SHA-256 of the sentences and annotations used.
        uncoded: Head -> sentences left out there since coders were tied or did not code it.
    """

    name: str
    split: str
    sentences: int
    documents: int
    coders: tuple[str, ...]
    gold_rule: str
    hash: str
    uncoded: dict[str, int]


@dataclass(frozen=True, slots=True)
class Scores:
    """All that a report needs.

    Attributes:
        run: Name of the run.
        bundle: Hash of the bundle that made the predictions.
        codebook: The codebook in its dictionary form.
        data: What was scored.
        signature: Shared by all figures but for labels, which is () here.
        systems: The model first, then baselines, then the coders.
        comparisons: The model against each other system.
        curves: One a label of each multi_label head.
        reliability: By variable and label.
        confusions: One a single_label variable.
        errors: Most confident first.
        agreement: Of the coders, empty with one coder.
        prevalence: By label.
        slices: By metadata field.
        leakage: Against the training data, None where it was not available.
        facts: Further facts for the report's head: key -> text (encoder, epochs, training time,
            machine, versions, seeds, warnings under keys that start with "warning").
        learning_curve: By sentences added, empty where none was made.
        official: Figures of the benchmark scored on, empty for other data.
        uncalibrated: Head name and label of what the development split was too small to calibrate;
            "" in place of the label for whole single_label heads.
    """

    run: str
    bundle: str
    codebook: dict[str, Any]
    data: Data
    signature: Signature
    systems: tuple[SystemScores, ...]
    comparisons: tuple[Comparison, ...]
    curves: tuple[PrecisionRecallCurve, ...]
    reliability: tuple[Reliability, ...]
    confusions: tuple[Confusion, ...]
    errors: tuple[ConfidentError, ...]
    agreement: tuple[Agreement, ...]
    prevalence: tuple[Prevalence, ...]
    slices: tuple[Slice, ...]
    leakage: Leakage | None
    facts: dict[str, str]
    learning_curve: tuple[CurvePoint, ...] = ()
    official: tuple[Official, ...] = ()
    uncalibrated: tuple[tuple[str, str], ...] = ()


#: JSON writes whole floats without a point at times, so an int will do for a float.
_SCALARS: dict[type, tuple[type, ...]] = {str: (str,), int: (int,), float: (float, int)}


def to_dict(scores: Scores) -> dict[str, Any]:
    """Scores as plain JSON values."""
    return dataclasses.asdict(scores)


def from_dict(value: dict[str, Any]) -> Scores:
    """Build scores from what `to_dict` gave, also after a way through JSON.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is unknown or of another form.
    """
    return _build(Scores, value)


def _build(cls: type[T], value: dict[str, Any]) -> T:
    hints = typing.get_type_hints(cls)
    unknown = value.keys() - hints.keys()
    if unknown:
        raise TypeError(f"{cls.__name__} has no field {sorted(unknown)}")
    return cls(**{name: _convert(hints[name], item) for name, item in value.items()})


def _convert(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value)  # type: ignore[arg-type]
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(arguments[0], item) for item in value)
        return tuple(_convert(a, item) for a, item in zip(arguments, value, strict=True))
    if hint in _SCALARS and (isinstance(value, bool) or not isinstance(value, _SCALARS[hint])):
        raise TypeError(f"expected {hint.__name__}, found {value!r}")
    return value
