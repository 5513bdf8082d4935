"""How well one coder meets the others: the ceiling that stands beside every model score."""

from __future__ import annotations

from collections.abc import Sequence

from framing.arrays import LabelArray, label_array
from framing.codebook import Codebook
from framing.data.gold import rest_of_coders
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.figures import Figure, all_figures, average_figures
from framing.evaluation.units import Answers
from framing.records import Annotation, Sentence

NAME = "coders"


def coder_figures(
    annotations: Sequence[Annotation],
    sentences: Sequence[Sentence],
    book: Codebook,
    resamples: Resamples,
) -> list[Figure]:
    """Figures of each coder against the gold of the rest, averaged over coders.

    Labels have no probabilities, so there are only figures of labels. A value that depends on a
    label is compared where the coder and the rest both give that label.

    Args:
        annotations: Of coders who worked apart, without adjudicators, of these sentences.
        sentences: The sentences scored.
        book: The codebook.
        resamples: Of the same sentences, so that figures can be paired with a system's.

    Returns:
        The figures, empty where no two coders share a sentence.
    """
    parts = []
    for own, rest in rest_of_coders(annotations, book).values():
        both = {a.sentence_id for a in own} & {a.sentence_id for a in rest}
        if both:
            gold, answers = _answers(rest, sentences, book), _answers(own, sentences, book)
            parts.append(all_figures(gold, answers, book, resamples, bins=1))
    return average_figures(parts) if parts else []


def _answers(
    annotations: Sequence[Annotation], sentences: Sequence[Sentence], book: Codebook
) -> Answers:
    """Answers in the order of the sentences; those not annotated are uncoded."""
    values = {a.sentence_id: a.values for a in annotations}
    labels: LabelArray = label_array([values.get(s.id, {}) for s in sentences], book)
    return Answers(labels, None)
