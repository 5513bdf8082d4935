"""Gold labels and soft labels from several coders, for 1, 2, 3 or more of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from framing.arrays import FloatArray
from framing.codebook import Codebook, Head
from framing.records import ADJUDICATOR, GOLD, Annotation

GOLD_RULE = (
    "What an adjudicator coded is gold; else a label of a multi_label variable is gold when more "
    "than half of the coders gave it (ties: absent), and a single_label variable takes the most "
    "frequent label (ties: left out); values that belong to a label count only from coders who "
    "gave that label."
)
Heads = dict[str, tuple[str, ...]]


def by_sentence(annotations: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """Annotations grouped by sentence, in order of first appearance."""
    groups: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        groups.setdefault(annotation.sentence_id, []).append(annotation)
    return groups


def is_coder(annotation: Annotation, adjudicator: str = ADJUDICATOR) -> bool:
    """Whether this is one coder's own judgement, neither adjudicated nor derived."""
    return annotation.coder not in (adjudicator, GOLD)


def gave(annotation: Annotation, head: Head, book: Codebook) -> bool:
    """Whether a coder gave the label that a head depends on; True for heads that depend on none."""
    parent = book.variable(head.variable).per
    return parent is None or head.condition in annotation.values.get(parent, ())


def gold_annotations(
    annotations: Iterable[Annotation], book: Codebook, adjudicator: str = ADJUDICATOR
) -> list[Annotation]:
    """Derive gold labels.

    The adjudicator's values (or, failing him, those of a coder named "gold") decide; a head he did
    not code is decided by the coders as `GOLD_RULE` says.

    Args:
        annotations: By any number of coders.
        book: The codebook.
        adjudicator: The coder whose word is final.

    Returns:
        One annotation by the coder `GOLD` for each sentence, in order of first appearance. Heads
        on which coders are tied are left out.
    """
    groups = by_sentence(annotations)
    return [
        Annotation(sentence_id, GOLD, _decided(group, book, adjudicator))
        for sentence_id, group in groups.items()
    ]


def _decided(
    group: Sequence[Annotation], book: Codebook, adjudicator: str, turn: int | None = None
) -> Heads:
    ranked = {a.coder: a.values for a in group if not is_coder(a, adjudicator)}
    final = ranked.get(adjudicator, ranked.get(GOLD, {}))
    coders = [a for a in group if is_coder(a, adjudicator)]
    decided: Heads = {}
    # What a head depends on is decided first, wherever it stands in the codebook.
    for head in sorted(book.heads, key=lambda h: h.condition is not None):
        parent = book.variable(head.variable).per
        if parent is not None and head.condition not in decided.get(parent, ()):
            continue
        labels = final.get(head.name)
        if labels is None:
            labels = _majority([a for a in coders if gave(a, head, book)], head, turn)
        if labels is not None:
            decided[head.name] = labels
    return {head.name: decided[head.name] for head in book.heads if head.name in decided}


def _majority(coders: Sequence[Annotation], head: Head, turn: int | None) -> tuple[str, ...] | None:
    """What most gave; with a `turn`, one of an even number of coders has no vote."""
    given = [a.values[head.name] for a in coders if head.name in a.values]
    if not given:
        return None
    if turn is not None and len(given) % 2 == 0:
        del given[turn % len(given)]
    votes = Counter(label for labels in given for label in labels)
    if head.kind == "multi_label":
        return tuple(label for label in head.labels if 2 * votes[label] > len(given))
    most = max(votes.values())
    best = [label for label in head.labels if votes[label] == most]
    return (best[0],) if len(best) == 1 else None


def soft_labels(
    annotations: Iterable[Annotation], ids: Sequence[str], book: Codebook
) -> tuple[FloatArray, FloatArray]:
    """Shares of coders, to learn from their disagreement.

    Args:
        annotations: By any number of coders; an adjudicator counts as one of them.
        ids: Sentence ids, one a row.
        book: The codebook.

    Returns:
        Values, shape (n, logits): the share of coders who gave each label, among those who coded
        the head and, where it depends on a label, gave that label. Weights, shape (n, heads): 0
        where not coded; for heads that depend on a label the share of coders who gave it and
        coded the head; else 1.
    """
    groups = by_sentence(annotations)
    values = np.zeros((len(ids), book.n_logits))
    weights = np.zeros((len(ids), len(book.heads)))
    for row, sentence_id in enumerate(ids):
        group = groups.get(sentence_id, [])
        for column, head in enumerate(book.heads):
            voters = [a for a in group if head.name in a.values and gave(a, head, book)]
            if voters:
                values[row, head.slice] = _shares(voters, head)
                weights[row, column] = len(voters) / _asked(group, head, book, len(voters))
    return values, weights


def _shares(voters: Sequence[Annotation], head: Head) -> list[float]:
    votes = Counter(label for a in voters for label in a.values[head.name])
    return [votes[label] / len(voters) for label in head.labels]


def _asked(group: Sequence[Annotation], head: Head, book: Codebook, voters: int) -> int:
    """How many coders could have come to this head."""
    parent = book.variable(head.variable).per
    return voters if parent is None else sum(parent in a.values for a in group)


def rest_of_coders(
    annotations: Iterable[Annotation], book: Codebook, adjudicator: str = ADJUDICATOR
) -> dict[str, tuple[list[Annotation], list[Annotation]]]:
    """Each coder against the gold of the others: what a model can be expected to reach.

    Where an even number of others coded a head, each of them has no vote in turn. Even numbers can
    be tied, a tie is no label, and coders would meet such a gold less often than one another.

    Args:
        annotations: By any number of coders.
        book: The codebook.
        adjudicator: Left out, since he has seen the coders' judgements.

    Returns:
        Coder -> his annotations, and the gold of the others on the same sentences in the same
        order; only sentences that at least one other coded. Coders without any are left out.
    """
    own = [a for a in annotations if is_coder(a, adjudicator)]
    groups = by_sentence(own)
    pairs: dict[str, tuple[list[Annotation], list[Annotation]]] = {}
    for annotation in own:
        others = [a for a in groups[annotation.sentence_id] if a.coder != annotation.coder]
        if others:
            mine, rest = pairs.setdefault(annotation.coder, ([], []))
            values = _decided(others, book, adjudicator, turn=len(rest))
            mine.append(annotation)
            rest.append(Annotation(annotation.sentence_id, GOLD, values))
    return dict(sorted(pairs.items()))


def label_counts(gold: Iterable[Annotation], book: Codebook) -> Mapping[str, Mapping[str, int]]:
    """How often each label is given: head -> label -> count, absent labels included."""
    counts = {head.name: dict.fromkeys(head.labels, 0) for head in book.heads}
    for annotation in gold:
        for head, labels in annotation.values.items():
            for label in labels:
                counts[head][label] += 1
    return counts
