"""How well one coder meets the others: the ceiling that stands beside every model score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from framing.arrays import LabelArray, label_array
from framing.codebook import Codebook
from framing.data.gold import rest_of_coders
from framing.errors import counted
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.figures import Figure, all_figures, average_figures
from framing.evaluation.schema import BESIDE, CODERS
from framing.evaluation.units import Answers, coded
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
    depends on a label is compared where the coder and the rest both give that label.

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
        gold = _where_coded(_answers(rest, sentences, book), answers, book)
        coders.append(all_figures(gold, answers, book, resamples, bins=1))
        beside.append(all_figures(gold, decided, book, resamples, bins=1))
    if not coders:
        return {}
    left_out = len(pairs) - len(kept)
    note = f"{counted(left_out, 'coder')} of few sentences left out" if left_out else ""
    return {BESIDE: average_figures(beside, note), CODERS: average_figures(coders, note)}


def _where_coded(gold: Answers, answers: Answers, book: Codebook) -> Answers:
    """Gold without what a coder left open, so that the model is scored on no more than he is."""
    labels = gold.labels
    shared = [coded(head, labels, book) & coded(head, answers.labels, book) for head in book.heads]
    values = labels.values.copy()
    for head, given in zip(book.heads, shared, strict=True):
        values[~given, head.slice] = False
    return Answers(LabelArray(values, np.stack(shared, axis=1)), None)


def _answers(
    annotations: Sequence[Annotation], sentences: Sequence[Sentence], book: Codebook
) -> Answers:
    """Answers in the order of the sentences; those not annotated are uncoded."""
    values = {a.sentence_id: a.values for a in annotations}
    labels: LabelArray = label_array([values.get(s.id, {}) for s in sentences], book)
    return Answers(labels, None)
