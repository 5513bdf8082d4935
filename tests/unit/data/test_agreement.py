from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framing.codebook import Codebook
from framing.data.agreement import IntArray, agreement, alpha, pair_f1
from tests.unit.data.helpers import note

NO = -1


def matrix(*rows: list[int]) -> IntArray:
    return np.array(rows, dtype=np.int64)


def pairwise_alpha(values: IntArray) -> float | None:
    """Alpha from its definition: mean disagreement of pairs within units over that of all pairs."""
    units = [[int(v) for v in column if v != NO] for column in values.T]
    units = [unit for unit in units if len(unit) >= 2]
    pool = [v for unit in units for v in unit]
    if len(set(pool)) < 2:
        return None
    observed = sum(
        sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units
    ) / len(pool)
    expected = sum(a != b for a, b in permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return 1 - observed / expected


def test_worked_example_of_krippendorff_2011() -> None:
    # Section C, nominal data, four observers, twelve units, missing values: alpha = 0.743.
    values = matrix(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
        [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
    )
    assert alpha(values) == pytest.approx(0.743, abs=5e-4)


def test_worked_example_of_two_observers() -> None:
    # Section A: two observers, ten units, binary, no missing values: alpha = 0.095.
    values = matrix([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
    assert alpha(values) == pytest.approx(0.095, abs=5e-4)


def test_perfect_and_systematic_disagreement() -> None:
    assert alpha(matrix([0, 1, 0, 1], [0, 1, 0, 1])) == 1
    assert alpha(matrix([0, 1], [1, 0])) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    "values",
    [
        matrix([0, 0], [0, 0]),
        matrix([0, NO], [NO, 1]),
        matrix([NO], [NO]),
        np.empty((0, 0), dtype=np.int64),
    ],
)
def test_undefined(values: IntArray) -> None:
    assert alpha(values) is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda coders: st.lists(
            st.lists(st.integers(-1, 2), min_size=coders, max_size=coders), min_size=1, max_size=8
        )
    )
)
def test_definition_by_pairs(units: list[list[int]]) -> None:
    values = np.array(units, dtype=np.int64).T
    expected = pairwise_alpha(values)
    found = alpha(values)
    if expected is None:
        assert found is None
    else:
        assert found == pytest.approx(expected)


def test_by_head(book: Codebook) -> None:
    annotations = [
        note("s", "A", topics=["prices"], view__prices=["good"], speaker=["government"]),
        note("s", "B", topics=["prices"], view__prices=["good"], speaker=["government"]),
        note("s", "adjudicator", topics=["jobs"], speaker=["opposition"]),
        note("t", "A", topics=["prices", "jobs"], view__prices=["bad"], speaker=["opposition"]),
        note("t", "B", topics=["prices"], view__prices=["bad"]),
        note("u", "A", topics=[]),
        note("u", "B", topics=[]),
        note("v", "A", topics=["jobs"]),
    ]
    found = {(a.head, a.label): a for a in agreement(annotations, book)}
    assert list(found) == [
        ("topics", "prices"),
        ("topics", "jobs"),
        ("view.prices", ""),
        ("view.jobs", ""),
        ("speaker", ""),
    ]
    prices = found["topics", "prices"]
    assert (prices.variable, prices.alpha, prices.units, prices.coders) == ("topics", 1, 3, 2)
    # One 1 among six values, in a unit that disagrees: 1 - 2 * 5 / (36 - 26).
    assert found["topics", "jobs"].alpha == pytest.approx(0)
    assert (found["view.prices", ""].alpha, found["view.prices", ""].units) == (1, 2)
    assert (found["view.jobs", ""].alpha, found["view.jobs", ""].units) == (None, 0)
    assert (found["speaker", ""].alpha, found["speaker", ""].units) == (None, 1)


def test_one_coder_has_no_agreement(book: Codebook) -> None:
    annotations = [note("s", "A", topics=[]), note("s", "adjudicator", topics=[])]
    assert agreement(annotations, book) == []
    assert len(agreement(annotations, book, adjudicator="Zoe")) == 5


def test_pair_f1(book: Codebook) -> None:
    annotations = [
        note("s", "A", topics=["jobs"]),
        note("s", "B", topics=["jobs"]),
        note("t", "A", topics=["jobs"]),
        note("t", "B", topics=[]),
        note("t", "C", topics=["jobs"]),
        note("u", "A", topics=["jobs"]),
        note("v", "A", topics=["jobs"]),
        note("v", "B", speaker=["government"]),
    ]
    # Both gave it once, A twice on the sentences that both coded: 2 / (2 + 1).
    expected = {"topics.prices": None, "topics.jobs": pytest.approx(2 / 3)}
    assert pair_f1(annotations, book, "A", "B") == expected
    assert pair_f1(annotations, book, "B", "A") == expected
