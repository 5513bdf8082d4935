"""How well one coder meets the others: the ceiling that stands beside every model score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from framing.arrays import BoolArray, FloatArray, LabelArray, label_array
from framing.codebook import Codebook, Head
from framing.data.gold import rest_of_coders
from framing.errors import counted
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.figures import Figure, all_figures, average_figures
from framing.evaluation.schema import BESIDE, CODERS
from framing.evaluation.units import Answers, coded, condition_present
from framing.records import Annotation, Sentence

#: Of the sentences of the coder who shared most with others, below which a coder is left out.
_LEAST_SHARE = 0.1


def coder_figures(
    annotations: Sequence[Annotation],
    sentences: Sequence[Sentence],
    model: Answers,
    book: Codebook,
    resamples: Resamples,
) -> dict[str, list[Figure]]:
    """Figures of each coder against the gold of the rest, averaged over coders.

    The rest are fewer people than those who made the gold that systems are scored against, so a
    coder's figures cannot be compared with a system's. The model is therefore scored in each
    coder's place too, on the same sentences against the same rest.

    Each coder counts alike, so one who shared a handful of sentences would weigh as much as one who
    shared a thousand, and bring in mostly chance: those with fewer than `_LEAST_SHARE` of the
    sentences of the one with the most are left out, as notes say.

    Labels of people have no probabilities, so there are only figures of labels. A value that
    depends on a label is compared where the coder and the rest both give that label; end to end, a
    label that the coder missed is one missed, as of any system.

    Args:
        annotations: Of coders who worked apart, without adjudicators, of these sentences.
        sentences: The sentences scored.
        model: Of the same sentences.
        book: The codebook.
        resamples: Of the same sentences, so that figures can be paired.

    Returns:
        `BESIDE` -> the model's figures, `CODERS` -> the coders'; empty where no two coders share a
        sentence.
    """
    coders, beside = [], []
    decided = Answers(model.labels, None)
    pairs = rest_of_coders(annotations, book).values()
    most = max((len(own) for own, _ in pairs), default=0)
    kept = [(own, rest) for own, rest in pairs if len(own) >= _LEAST_SHARE * most]
    for own, rest in kept:
        answers = _answers(own, sentences, book)
        others = _answers(rest, sentences, book)
        gold = _masked(others, [coded(head, answers.labels, book) for head in book.heads], book)
        whole = _masked(others, [_said(head, answers, book) for head in book.heads], book)
        own_figures = all_figures(gold, answers, book, resamples, bins=1, whole=whole)
        of_model = all_figures(gold, decided, book, resamples, bins=1, whole=whole)
        both = [_where_both(*same) for same in zip(own_figures, of_model, strict=True)]
        coders.append([one for one, _ in both])
        beside.append([other for _, other in both])
    if not coders:
        return {}
    left_out = len(pairs) - len(kept)
    note = f"{counted(left_out, 'coder')} of few sentences left out" if left_out else ""
    return {BESIDE: average_figures(beside, note), CODERS: average_figures(coders, note)}


def _said(head: Head, answers: Answers, book: Codebook) -> BoolArray:
    """Whether a coder said something of a head, be it that what it depends on is absent."""
    said = coded(head, answers.labels, book)
    parent = book.variable(head.variable).per
    if parent is None:
        return said
    absent = ~condition_present(head, answers.labels, book)
    return said | (absent & coded(book.head(parent), answers.labels, book))


def _masked(gold: Answers, said: Sequence[BoolArray], book: Codebook) -> Answers:
    """Gold without what a coder left open, so that the model is scored on no more than he is."""
    labels = gold.labels
    shared = [
        coded(head, labels, book) & by_head for head, by_head in zip(book.heads, said, strict=True)
    ]
    values = labels.values.copy()
    for head, given in zip(book.heads, shared, strict=True):
        values[~given, head.slice] = False
    return Answers(LabelArray(values, np.stack(shared, axis=1)), None)


def _where_both(own: Figure, of_model: Figure) -> tuple[Figure, Figure]:
    """A coder's figure and the model's in his place, undefined where either is.

    Means over coders are then over the same coders on both sides.
    """
    missing = np.isnan(own.values) | np.isnan(of_model.values)
    return _without(own, missing), _without(of_model, missing)


def _without(figure: Figure, missing: BoolArray) -> Figure:
    def masked(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else np.where(missing, np.nan, values)

    return replace(
        figure,
        values=np.where(missing, np.nan, figure.values),
        upper=masked(figure.upper),
        compared=masked(figure.compared),
    )


def _answers(
    annotations: Sequence[Annotation], sentences: Sequence[Sentence], book: Codebook
) -> Answers:
    """Answers in the order of the sentences; those not annotated are uncoded."""
    values = {a.sentence_id: a.values for a in annotations}
    labels: LabelArray = label_array([values.get(s.id, {}) for s in sentences], book)
    return Answers(labels, None)
