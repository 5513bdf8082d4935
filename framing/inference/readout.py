"""A prediction in words for people: what the article view and the printed table show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from framing.codebook import Codebook, Head, Variable
from framing.records import Prediction, Sentence


@dataclass(frozen=True, slots=True)
class Value:
    """One decided label.

    Attributes:
        variable: The variable's name for people.
        label_id: The label.
        label: The label's name for people.
        probability: Calibrated.
    """

    variable: str
    label_id: str
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Mark:
    """One label of the variable that sentences are marked by.

    Attributes:
        value: The label.
        index: Its place in the codebook, which gives colour and line.
        dependents: What was decided for this label, such as its stance.
    """

    value: Value
    index: int
    dependents: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Readout:
    """A labelled sentence for people.

    Attributes:
        sentence: The sentence.
        marks: Its labels of the `marking_variable`.
        others: Decided labels of the other variables that depend on none.
    """

    sentence: Sentence
    marks: tuple[Mark, ...]
    others: tuple[Value, ...]


def marking_variable(book: Codebook) -> Variable:
    """The variable that sentences are marked by: the first multi_label one, else the first."""
    many = (variable for variable in book.variables if variable.kind == "multi_label")
    return next(many, book.variables[0])


def read_out(sentence: Sentence, prediction: Prediction, book: Codebook) -> Readout:
    """Put a prediction into words.

    Args:
        sentence: The sentence labelled.
        prediction: What the model says of it.
        book: The codebook of the prediction.

    Returns:
        Its decided labels with names and probabilities.
    """
    main = marking_variable(book)
    others = [
        value
        for head in book.heads
        if head.condition is None and head.variable != main.id
        for value in _values(head, prediction, book)
    ]
    marks = [
        Mark(value, main.label_ids.index(value.label_id), _dependents(value, prediction, book))
        for value in _values(book.head(main.id), prediction, book)
    ]
    return Readout(sentence, tuple(marks), tuple(others))


def _dependents(value: Value, prediction: Prediction, book: Codebook) -> tuple[Value, ...]:
    main = marking_variable(book)
    return tuple(
        dependent
        for variable in book.dependents(main.id)
        for dependent in _values(book.head(f"{variable.id}.{value.label_id}"), prediction, book)
    )


def _values(head: Head, prediction: Prediction, book: Codebook) -> list[Value]:
    variable = book.variable(head.variable)
    names = {label.id: label.name for label in variable.labels}
    found = dict(zip(head.labels, prediction.probabilities[head.name], strict=True))
    return [
        Value(variable.name, label, names[label], found[label])
        for label in prediction.labels.get(head.name, ())
    ]


def count_marks(readouts: Iterable[Readout], book: Codebook) -> dict[str, int]:
    """How many sentences have each label of the marking variable.

    Args:
        readouts: Labelled sentences.
        book: Gives labels and their order.

    Returns:
        Label name -> sentences, in the codebook's order.
    """
    counts = Counter(mark.value.label_id for r in readouts for mark in r.marks)
    return {label.name: counts[label.id] for label in marking_variable(book).labels}
