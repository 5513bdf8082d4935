"""A sample of the sentences of any number of files, each with the same chance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from framing.data.problems import BadRow
from framing.errors import counted
from framing.inference.sources import Item
from framing.records import Sentence


@dataclass(frozen=True)
class Pool:
    """What was drawn.

    Attributes:
        sentences: In no order where not all were kept.
        read: Sentences read.
        bad: Rows that could not be read.
    """

    sentences: list[Sentence]
    read: int
    bad: int

    @property
    def unread(self) -> str:
        """What to say of rows that could not be read, "" where there were none."""
        return f" ({counted(self.bad, 'row')} could not be read)" if self.bad else ""


def draw(items: Iterable[Item], most: int, read: int | None = None) -> Pool:
    """Draw sentences in one pass, in memory for `most` of them.

    Vitter 1985, "Random Sampling with a Reservoir", algorithm R.

    Args:
        items: From `framing.inference.sources.read_inputs`.
        most: How many are kept.
        read: After how many no further item is read; None reads all.

    Returns:
        All sentences, or `most` of them.
    """
    rng = np.random.default_rng(0)
    drawn: list[Sentence] = []
    number = bad = 0
    for item in items:
        if isinstance(item, BadRow):
            bad += 1
            continue
        for sentence in (item,) if isinstance(item, Sentence) else item.sentences:
            full = number >= most
            place = int(rng.integers(number + 1)) if full else number
            if place < most:
                drawn[place : place + 1] = [sentence]
            number += 1
        if read is not None and number >= read:
            break
    return Pool(drawn, number, bad)
