"""Agreement between coders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framing.codebook import Codebook, Head
from framing.data.gold import by_sentence, gave, is_coder
from framing.records import ADJUDICATOR, Annotation

IntArray = NDArray[np.int64]
MISSING = -1


@dataclass(frozen=True, slots=True)
class HeadAgreement:
    """Agreement on one label of a multi_label head, or on a whole single_label head.

    Attributes:
        variable: Variable id.
        head: Head name.
        label: Label id, or "" for a whole head.
        alpha: Krippendorff's alpha (nominal); None where it is undefined.
        units: Sentences that at least two coders coded.
        coders: Coders with at least one of these sentences.
    """

    variable: str
    head: str
    label: str
    alpha: float | None
    units: int
    coders: int


def alpha(values: IntArray) -> float | None:
    """Krippendorff's alpha for nominal values.

    Source: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: observed
    over expected disagreement, both from the matrix of coincidences of values within units.

    Args:
        values: Shape (coders, units); whole numbers, -1 where a coder has no value.

    Returns:
        1 for perfect agreement, about 0 for chance. None where no unit has two values, or all
        values are the same, so that chance would agree too.
    """
    categories = np.unique(values[values != MISSING])
    counts = np.stack([(values == c).sum(axis=0) for c in categories]) if len(categories) else None
    if counts is None:
        return None
    per_unit = counts.sum(axis=0)
    pairable = per_unit >= 2
    counts, per_unit = counts[:, pairable], per_unit[pairable]
    n = int(per_unit.sum())
    totals = counts.sum(axis=1)
    expected = float(n**2 - (totals**2).sum())
    if expected == 0:
        return None
    observed = float(((per_unit**2 - (counts**2).sum(axis=0)) / (per_unit - 1)).sum())
    return 1 - observed * (n - 1) / expected


def agreement(
    annotations: Iterable[Annotation], book: Codebook, adjudicator: str = ADJUDICATOR
) -> list[HeadAgreement]:
    """Agreement on every label of multi_label heads and on every single_label head.

    Args:
        annotations: By any number of coders; the adjudicator's are left out.
        book: The codebook.
        adjudicator: His name.

    Returns:
        In the codebook's order; empty where fewer than two coders coded. Heads that depend on a
        label count the sentences where at least two coders gave it.
    """
    own = [a for a in annotations if is_coder(a, adjudicator)]
    if len({a.coder for a in own}) < 2:
        return []
    groups = list(by_sentence(own).values())
    return [record for head in book.heads for record in _head_agreement(groups, head, book)]


def _head_agreement(
    groups: Sequence[Sequence[Annotation]], head: Head, book: Codebook
) -> Iterator[HeadAgreement]:
    units = []
    for group in groups:
        voters = [a for a in group if head.name in a.values and gave(a, head, book)]
        if len(voters) >= 2:
            units.append(voters)
    coders = sorted({a.coder for voters in units for a in voters})
    for label in head.labels if head.kind == "multi_label" else ("",):
        values = _matrix(units, coders, head, label)
        yield HeadAgreement(head.variable, head.name, label, alpha(values), len(units), len(coders))


def _matrix(
    units: Sequence[Sequence[Annotation]], coders: Sequence[str], head: Head, label: str
) -> IntArray:
    rows = {coder: row for row, coder in enumerate(coders)}
    values = np.full((len(coders), len(units)), MISSING, dtype=np.int64)
    for column, voters in enumerate(units):
        for annotation in voters:
            given = annotation.values[head.name]
            value = int(label in given) if label else head.labels.index(given[0])
            values[rows[annotation.coder], column] = value
    return values


def pair_f1(
    annotations: Iterable[Annotation], book: Codebook, first: str, second: str
) -> dict[str, float | None]:
    """F1 of one coder against another for every label of multi_label heads.

    It is the same in both directions: 2 both / (given by the one + given by the other).

    Args:
        annotations: Of all coders.
        book: The codebook.
        first: A coder.
        second: Another.

    Returns:
        ``head.label`` -> F1 on the sentences both coded; None where neither gave the label.
    """
    groups = by_sentence(a for a in annotations if a.coder in (first, second))
    out: dict[str, float | None] = {}
    for head in book.heads:
        if head.kind != "multi_label":
            continue
        shared = [g for g in groups.values() if sum(head.name in a.values for a in g) == 2]
        for label in head.labels:
            given = [sum(label in a.values[head.name] for a in g) for g in shared]
            total = sum(given)
            out[f"{head.name}.{label}"] = 2 * given.count(2) / total if total else None
    return out
