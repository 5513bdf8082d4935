"""Which sentences of a pool coders should code next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from framing.arrays import FloatArray
from framing.codebook import Codebook
from framing.data.leakage import text_hash
from framing.decisions import Decisions, calibrated_probabilities, margins
from framing.records import Sentence

#: Why a sentence was chosen, if no model was asked.
AT_RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A sentence to be coded.

    Attributes:
        sentence: The sentence.
        reason: `AT_RANDOM`, or the decision of which the model is unsure, such as
            ``frames=economy`` or ``holder``.
    """

    sentence: Sentence
    reason: str


def new_sentences(sentences: Sequence[Sentence], known: Collection[str]) -> list[int]:
    """Rows of sentences that need to be coded.

    Args:
        sentences: The pool.
        known: Hashes of texts that are coded already (`framing.data.leakage.text_hash`).

    Returns:
        Rows in the pool's order: of sentences with one text the first, and none whose text is
        known.
    """
    seen = set(known)
    found = []
    for row, sentence in enumerate(sentences):
        digest = text_hash(sentence.text)
        if digest not in seen:
            seen.add(digest)
            found.append(row)
    return found


def uncertainty(logits: FloatArray, book: Codebook, decisions: Decisions) -> dict[str, FloatArray]:
    """How unsure a model is of each decision that every sentence needs.

    Args:
        logits: Shape (n, logits).
        book: The codebook.
        decisions: Calibration and thresholds.

    Returns:
        Decision -> values of shape (n,), the higher the more unsure: for each label of a
        multi_label variable its distance from the boundary in calibrated log-odds, for a
        single_label variable the log-odds between the two most probable labels; both negative.
    """
    found: dict[str, FloatArray] = {}
    probabilities = calibrated_probabilities(logits, book, decisions)
    for head in book.heads:
        if head.kind == "multi_label":
            above = margins(logits, decisions, range(head.start, head.stop))
            for column, label in enumerate(head.labels):
                found[f"{head.name}={label}"] = -np.abs(above[:, column])
        elif head.condition is None:
            best = np.sort(probabilities[:, head.slice], axis=1)[:, -2:]
            with np.errstate(divide="ignore"):
                found[head.name] = np.log(best[:, 0]) - np.log(best[:, 1])
    return found


def choose(
    sentences: Sequence[Sentence],
    unsure: dict[str, FloatArray],
    count: int,
    at_random: float,
    rng: np.random.Generator,
) -> list[Chosen]:
    """Choose sentences: a share at random, the others by turns where a decision is least sure.

    Args:
        sentences: The pool.
        unsure: From `uncertainty`, for the same sentences; empty: all are chosen at random.
        count: How many; fewer where the pool holds no more.
        at_random: Share chosen at random, 0 to 1.
        rng: Draws them.

    Returns:
        What was chosen, in random order, so that coders do not come to expect anything.
    """
    count = min(count, len(sentences))
    drawn = rng.permutation(len(sentences))[: round(count * at_random) if unsure else count]
    reasons = dict.fromkeys(drawn.tolist(), AT_RANDOM)
    for row, reason in _by_turns(unsure):
        if len(reasons) == count:
            break
        reasons.setdefault(row, reason)
    rows = rng.permutation(list(reasons)).tolist()
    return [Chosen(sentences[row], reasons[row]) for row in rows]


def _by_turns(unsure: dict[str, FloatArray]) -> Iterator[tuple[int, str]]:
    """Rows from the least sure on, of one decision after the other; some come several times."""
    orders = [np.argsort(-values, kind="stable") for values in unsure.values()]
    for rows in zip(*orders, strict=True):
        yield from zip(map(int, rows), unsure, strict=True)
