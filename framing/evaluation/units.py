"""What is scored: for every variable, its units with gold and decided labels.

A unit is a sentence, or for a variable that is coded once per present label of another, a
sentence with such a label. Units that gold or the system left uncoded are not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framing.arrays import (
    BoolArray,
    FloatArray,
    LabelArray,
    label_array,
    probability_array,
)
from framing.codebook import Codebook, Head, Variable
from framing.errors import DataError, all_problems
from framing.metrics.checks import SUM_TOLERANCE, IndexArray
from framing.records import Annotation, Prediction

#: Problems listed in one message.
_MOST_PROBLEMS = 10


@dataclass(frozen=True)
class Answers:
    """What one system, coder or gold standard says of n sentences.

    Attributes:
        labels: Decided labels. Of a system, heads that depend on a label hold the most probable
            value whether or not that label was decided.
        probabilities: Shape (n, logits), None for people.
    """

    labels: LabelArray
    probabilities: FloatArray | None


@dataclass(frozen=True)
class MultiUnits:
    """Units of a multi_label head.

    Attributes:
        variable: Variable id.
        head: Head name.
        labels: Label ids.
        gold: Shape (units, labels).
        predicted: Same shape.
        probabilities: Same shape, None for people.
        rows: Shape (units,); the sentence of every unit.
    """

    variable: str
    head: str
    labels: tuple[str, ...]
    gold: BoolArray
    predicted: BoolArray
    probabilities: FloatArray | None
    rows: IndexArray


@dataclass(frozen=True)
class SingleUnits:
    """Units of a single_label head, or of all heads of a `per` variable.

    Attributes:
        variable: Variable id.
        head: Head name, "" where heads are pooled.
        labels: Label ids.
        gold: Label indices, shape (units,).
        predicted: Label indices, shape (units,).
        probabilities: Shape (units, labels), None for people.
        rows: Shape (units,); the sentence of every unit.
    """

    variable: str
    head: str
    labels: tuple[str, ...]
    gold: IndexArray
    predicted: IndexArray
    probabilities: FloatArray | None
    rows: IndexArray


@dataclass(frozen=True)
class PairUnits:
    """End-to-end units of a `per` variable: a label of its parent together with its own value.

    Attributes:
        variable: Variable id.
        gold: Shape (units, labels); all False where the parent's label is absent.
        predicted: Same shape.
        rows: Shape (units,); the sentence of every unit.
    """

    variable: str
    gold: BoolArray
    predicted: BoolArray
    rows: IndexArray


@dataclass(frozen=True)
class JointUnits:
    """Sentences of which everything was coded.

    Attributes:
        right: Shape (units,); whether every value is right.
        rows: Shape (units,); the sentence of every unit.
    """

    right: BoolArray
    rows: IndexArray


def people_answers(annotations: Sequence[Annotation], book: Codebook) -> Answers:
    """Answers of a coder or of gold, in the order given."""
    return Answers(label_array([a.values for a in annotations], book), None)


def system_answers(predictions: Sequence[Prediction], book: Codebook, system: str) -> Answers:
    """Answers of a model or baseline, in the order given.

    Args:
        predictions: With probabilities for every head, decided labels for every head that
            depends on no label.
        book: The codebook.
        system: Name for messages.

    Returns:
        The answers, with heads that depend on a label filled from their probabilities.

    Raises:
        DataError: A prediction lacks a head, or its probabilities do not fit the codebook.
    """
    _check_heads(predictions, book, system)
    probabilities = probability_array(predictions, book)
    _check_probabilities(predictions, probabilities, book, system)
    decided = label_array([p.labels for p in predictions], book)
    values, coded = decided.values.copy(), decided.coded.copy()
    for column, head in enumerate(book.heads):
        if head.condition is not None:
            best = probabilities[:, head.slice].argmax(axis=1)
            values[:, head.slice] = np.eye(len(head.labels), dtype=bool)[best]
            coded[:, column] = True
    return Answers(LabelArray(values, coded), probabilities)


def _check_heads(predictions: Sequence[Prediction], book: Codebook, system: str) -> None:
    problems: list[str] = []
    for prediction in predictions:
        problems += [f"{prediction.sentence_id}: {p}" for p in _head_problems(prediction, book)]
        if len(problems) >= _MOST_PROBLEMS:
            break
    if problems:
        raise DataError(
            all_problems(
                f"predictions of {system!r} do not fit codebook {book.name!r} "
                "(were they made with another one?)",
                problems[:_MOST_PROBLEMS],
            )
        )


def _head_problems(prediction: Prediction, book: Codebook) -> list[str]:
    problems = []
    for head in book.heads:
        values = prediction.probabilities.get(head.name)
        if values is None:
            problems.append(f"no probabilities for head {head.name!r}")
        elif len(values) != len(head.labels):
            problems.append(
                f"head {head.name!r}: expected {len(head.labels)} probabilities, "
                f"found {len(values)}"
            )
        if head.condition is None and not _decided(prediction, head):
            problems.append(f"no decided label for head {head.name!r}")
    return problems


def _decided(prediction: Prediction, head: Head) -> bool:
    labels = prediction.labels.get(head.name)
    if labels is None:
        return False
    return head.kind == "multi_label" or len(labels) == 1


def _check_probabilities(
    predictions: Sequence[Prediction], values: FloatArray, book: Codebook, system: str
) -> None:
    good = np.isfinite(values) & (values >= 0) & (values <= 1)
    if not good.all():
        row, column = (int(i) for i in np.argwhere(~good)[0])
        raise DataError(
            f"predictions of {system!r}, sentence {predictions[row].sentence_id!r}: expected "
            f"probabilities in [0, 1], found {values[row, column]}"
        )
    for head in book.heads:
        gaps = np.abs(values[:, head.slice].sum(axis=1) - 1)
        if head.kind == "single_label" and gaps.size and gaps.max() > SUM_TOLERANCE:
            row = int(gaps.argmax())
            raise DataError(
                f"predictions of {system!r}, sentence {predictions[row].sentence_id!r}: "
                f"probabilities of head {head.name!r} must sum to 1, found "
                f"{values[row, head.slice].sum():.4g}"
            )


def multi_units(head: Head, gold: Answers, answers: Answers, book: Codebook) -> MultiUnits:
    """Units of one multi_label head."""
    rows = np.flatnonzero(gradable(head, gold.labels, answers.labels, book))
    return MultiUnits(
        head.variable,
        head.name,
        head.labels,
        gold.labels.values[rows, head.slice],
        answers.labels.values[rows, head.slice],
        _pick(answers.probabilities, rows, head),
        rows,
    )


def single_units(head: Head, gold: Answers, answers: Answers, book: Codebook) -> SingleUnits:
    """Units of one single_label head."""
    rows = np.flatnonzero(gradable(head, gold.labels, answers.labels, book))
    return SingleUnits(
        head.variable,
        head.name,
        head.labels,
        gold.labels.values[rows, head.slice].argmax(axis=1),
        answers.labels.values[rows, head.slice].argmax(axis=1),
        _pick(answers.probabilities, rows, head),
        rows,
    )


def pool(parts: Sequence[SingleUnits]) -> SingleUnits:
    """Units of all heads of one `per` variable as one."""
    probabilities = [p.probabilities for p in parts if p.probabilities is not None]
    return SingleUnits(
        parts[0].variable,
        "",
        parts[0].labels,
        np.concatenate([p.gold for p in parts]),
        np.concatenate([p.predicted for p in parts]),
        np.concatenate(probabilities) if probabilities else None,
        np.concatenate([p.rows for p in parts]),
    )


def head_units(
    head: Head, gold: Answers, answers: Answers, book: Codebook
) -> MultiUnits | SingleUnits:
    """Units of one head of either kind."""
    if head.kind == "multi_label":
        return multi_units(head, gold, answers, book)
    return single_units(head, gold, answers, book)


def variable_units(
    variable: Variable, gold: Answers, answers: Answers, book: Codebook
) -> MultiUnits | SingleUnits:
    """Units of a variable; the heads of a `per` variable are pooled."""
    heads = variable_heads(variable, book)
    if variable.per is None:
        return head_units(heads[0], gold, answers, book)
    return pool([single_units(head, gold, answers, book) for head in heads])


def variable_heads(variable: Variable, book: Codebook) -> list[Head]:
    """The heads of a variable, in the codebook's order."""
    return [head for head in book.heads if head.variable == variable.id]


def gradable(head: Head, gold: LabelArray, answers: LabelArray, book: Codebook) -> BoolArray:
    """Which sentences can be scored on a head.

    Gold and the answers must have coded it, and where it depends on a label, that label must be
    among gold's.

    Returns:
        Shape (n,).
    """
    good = coded(head, gold, book) & coded(head, answers, book)
    if head.condition is not None:
        good &= condition_present(head, gold, book)
    return good


def coded(head: Head, labels: LabelArray, book: Codebook) -> BoolArray:
    """Which sentences have a value for a head; an empty single_label value counts as none."""
    given: BoolArray = labels.coded[:, book.heads.index(head)]
    if head.kind == "single_label":
        given = given & labels.values[:, head.slice].any(axis=1)
    return given


def condition_present(head: Head, labels: LabelArray, book: Codebook) -> BoolArray:
    """Which sentences carry the label that a head depends on; all for a head without one."""
    parent = book.variable(head.variable).per
    if parent is None or head.condition is None:
        return np.ones(len(labels.values), dtype=bool)
    owner = book.head(parent)
    column = owner.start + owner.labels.index(head.condition)
    present: BoolArray = labels.values[:, column] & coded(owner, labels, book)
    return present


def pair_units(variable: str, gold: Answers, answers: Answers, book: Codebook) -> PairUnits:
    """End-to-end units of a `per` variable: one a sentence and label of the parent.

    A unit needs the parent coded on both sides and, where a side has the label, its value too.
    """
    owner = book.head(str(book.variable(variable).per))
    both = coded(owner, gold.labels, book) & coded(owner, answers.labels, book)
    gold_parts, predicted_parts, rows = [], [], []
    for head in (h for h in book.heads if h.variable == variable):
        keep = both & _complete(head, gold.labels, book) & _complete(head, answers.labels, book)
        kept = np.flatnonzero(keep)
        gold_parts.append(_given(head, gold.labels, book)[kept])
        predicted_parts.append(_given(head, answers.labels, book)[kept])
        rows.append(kept)
    return PairUnits(
        variable, np.concatenate(gold_parts), np.concatenate(predicted_parts), np.concatenate(rows)
    )


def joint_units(gold: Answers, answers: Answers, book: Codebook) -> JointUnits:
    """Sentences with everything coded, and whether every value of each is right."""
    n = len(gold.labels.values)
    keep, right = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    for head in book.heads:
        keep &= _complete(head, gold.labels, book) & _complete(head, answers.labels, book)
        same = _given(head, gold.labels, book) == _given(head, answers.labels, book)
        right &= same.all(axis=1)
    rows = np.flatnonzero(keep)
    return JointUnits(right[rows], rows)


def _complete(head: Head, labels: LabelArray, book: Codebook) -> BoolArray:
    """Whether a head is coded wherever it applies."""
    return coded(head, labels, book) | ~condition_present(head, labels, book)


def _given(head: Head, labels: LabelArray, book: Codebook) -> BoolArray:
    """A head's values where it applies, else all False."""
    applies = condition_present(head, labels, book)
    given: BoolArray = labels.values[:, head.slice] & applies[:, None]
    return given


def _pick(values: FloatArray | None, rows: IndexArray, head: Head) -> FloatArray | None:
    return None if values is None else values[rows, head.slice]
