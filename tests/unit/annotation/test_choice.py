from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from framing.annotation.choice import AT_RANDOM, choose, new_sentences, uncertainty
from framing.codebook import Codebook
from framing.data.leakage import text_hash
from framing.decisions import Decisions
from framing.records import Sentence

POOL = [Sentence(f"s{k}", f"Text number {k}.", "d") for k in range(20)]


def test_texts_that_are_known_or_stand_twice_need_no_coding() -> None:
    pool = [Sentence(str(k), text, "d") for k, text in enumerate(("One.", "Two.", "ONE", "Three."))]
    assert new_sentences(pool, {text_hash("three")}) == [0, 1]
    assert new_sentences(pool, ()) == [0, 1, 3]


def test_uncertainty_is_the_distance_from_a_decision(book: Codebook) -> None:
    logits = np.zeros((3, book.n_logits))
    logits[:, 0] = [3, 0, -2]
    logits[:, 8] = [0, 2, -1]
    decisions = Decisions((1.0,) * 10, (0.0,) * 10, (0.5, 0.9, *[0.5] * 8))
    found = uncertainty(logits, book, decisions)
    # A view is asked for where its topic is present only.
    assert list(found) == ["topics=prices", "topics=jobs", "speaker"]
    assert found["topics=prices"] == pytest.approx([-3, 0, -2])
    assert found["topics=jobs"] == pytest.approx([-np.log(9)] * 3)
    assert found["speaker"] == pytest.approx([0, -2, -1])


def test_decisions_take_turns_and_none_is_chosen_twice() -> None:
    rows = np.arange(20.0)
    unsure = {"a": -rows, "b": -np.abs(rows - 1), "c": rows}
    chosen = choose(POOL, unsure, 6, 0.0, np.random.default_rng(1))
    assert {(c.sentence.id, c.reason) for c in chosen} == {
        ("s0", "a"),
        ("s1", "b"),
        ("s19", "c"),
        # a and b have no other next one.
        ("s18", "c"),
        ("s2", "a"),
        ("s17", "c"),
    }


def test_a_share_at_random() -> None:
    unsure = {"a": -np.arange(20.0)}
    chosen = choose(POOL, unsure, 8, 0.25, np.random.default_rng(3))
    assert Counter(c.reason for c in chosen) == {AT_RANDOM: 2, "a": 6}
    assert len({c.sentence.id for c in chosen}) == 8
    again = choose(POOL, unsure, 8, 0.25, np.random.default_rng(3))
    assert again == chosen
    assert [c.sentence.id for c in chosen] != sorted(c.sentence.id for c in chosen)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_pool_that_is_too_small_is_taken_whole(share: float) -> None:
    for unsure in ({}, {"a": np.zeros(20)}):
        chosen = choose(POOL, unsure, 50, share, np.random.default_rng(0))
        assert {c.sentence.id for c in chosen} == {s.id for s in POOL}


def test_without_a_model_all_are_random() -> None:
    chosen = choose(POOL, {}, 5, 0.0, np.random.default_rng(0))
    assert [c.reason for c in chosen] == [AT_RANDOM] * 5
