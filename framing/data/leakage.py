"""Sentences that stand more than once: in a corpus, or in training data and an evaluated split."""

from __future__ import annotations

import hashlib
import heapq
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from framing.arrays import FloatArray
from framing.records import Sentence

THRESHOLD = 0.8
#: Shorter sentences ("He agreed.") recur by chance; they are counted apart.
LEAST_WORDS = 4
EXAMPLES = 10
_NGRAM = 5
# Columns of hashed n-grams: about a million, so that different n-grams seldom meet.
_COLUMNS = 2**20
_BLOCK = 64
_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """What two sets of sentences share.

    Attributes:
        exact: Evaluated sentences with the same text as a training sentence, but for case,
            white space and punctuation; those of at least four words.
        near: Further sentences whose nearest training sentence is at least `threshold` alike.
        threshold: Cosine of counts of character 5-grams.
        examples: At most ten (evaluated id, training id, similarity), most alike first.
        short: Sentences of fewer than four words with the same text, counted nowhere else.
    """

    exact: int
    near: int
    threshold: float
    examples: tuple[tuple[str, str, float], ...]
    short: int = 0


@dataclass(frozen=True, slots=True)
class RepeatReport:
    """Sentences of a corpus that repeat an earlier one.

    Attributes:
        same: Sentences with the text and the target of an earlier one, but for case, white space
            and punctuation; those of at least four words.
        across: Those of them of which an earlier one stands in another document.
        examples: At most ten of the latter: id, id of the first such sentence.
        short: Sentences of fewer than four words that repeat another, counted nowhere else.
    """

    same: int
    across: int
    examples: tuple[tuple[str, str], ...]
    short: int


def normalised(text: str) -> str:
    """Lower-case words with single spaces, compatible characters made one."""
    return _NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def text_hash(text: str) -> str:
    """16 hexadecimal digits that tell a text from others, but for case, space and punctuation."""
    return hashlib.sha256(normalised(text).encode()).hexdigest()[:16]


def text_hashes(sentences: Iterable[Sentence]) -> frozenset[str]:
    """The hashes of sentences' texts."""
    return frozenset(text_hash(sentence.text) for sentence in sentences)


def find_repeats(sentences: Sequence[Sentence]) -> RepeatReport:
    """Look for sentences that stand in a corpus more than once.

    Args:
        sentences: Of one corpus.

    Returns:
        Counts and examples.
    """
    earlier: defaultdict[tuple[str, str], list[Sentence]] = defaultdict(list)
    same, short, across = 0, 0, []
    for sentence in sentences:
        text = normalised(sentence.text)
        before = earlier[text, sentence.target]
        if before and _is_short(text):
            short += 1
        elif before:
            same += 1
            if any(s.doc_id != sentence.doc_id for s in before):
                across.append((sentence.id, before[0].id))
        before.append(sentence)
    return RepeatReport(same, len(across), tuple(across[:EXAMPLES]), short)


def _is_short(text: str) -> bool:
    return len(text.split()) < LEAST_WORDS


def find_leakage(
    training: Sequence[Sentence], evaluated: Sequence[Sentence], threshold: float = THRESHOLD
) -> LeakageReport:
    """Look for evaluated sentences among training sentences.

    The default threshold lies where one changed word in a sentence of a dozen still counts as the
    same and two sentences on the same matter do not (see docs/data.md).

    Args:
        training: Such as the training split.
        evaluated: Such as the test split.
        threshold: Cosine from which a sentence is a near duplicate, in (0, 1].

    Returns:
        Counts and examples.
    """
    known = {normalised(s.text): s.id for s in reversed(training)}
    exact, short, rest = [], 0, []
    for sentence in evaluated:
        text = normalised(sentence.text)
        few = _is_short(text)
        if text in known and few:
            short += 1
        elif text in known:
            exact.append((sentence.id, known[text], 1.0))
        elif not few:
            rest.append(sentence)
    near = list(_near(rest, training, threshold))
    examples = heapq.nsmallest(EXAMPLES, exact + near, key=lambda e: (-e[2], e[0]))
    return LeakageReport(len(exact), len(near), threshold, tuple(examples), short)


def _near(
    evaluated: Sequence[Sentence], training: Sequence[Sentence], threshold: float
) -> Iterator[tuple[str, str, float]]:
    if not evaluated or not training:
        return
    rows, columns = _vectors(evaluated), _vectors(training).T.tocsr()
    for start in range(0, len(evaluated), _BLOCK):
        nearest, similarity = _best(rows[start : start + _BLOCK] @ columns)
        for offset in np.flatnonzero(similarity >= threshold):
            found = training[int(nearest[offset])].id
            yield evaluated[start + int(offset)].id, found, round(float(similarity[offset]), 3)


def _vectors(sentences: Sequence[Sentence]) -> Any:
    """Sparse counts of character n-grams, shape (n, columns), rows of length one."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer="char",
        ngram_range=(_NGRAM, _NGRAM),
        n_features=_COLUMNS,
        alternate_sign=False,
        lowercase=False,
        dtype=np.float32,
    )
    return vectorizer.transform([normalised(s.text) for s in sentences])


def _best(product: Any) -> tuple[Any, FloatArray]:
    """Nearest training row and its similarity, for each row of a sparse product."""
    nearest = np.asarray(product.argmax(axis=1)).ravel()
    similarity: FloatArray = np.asarray(product.max(axis=1).todense()).ravel()
    return nearest, similarity
