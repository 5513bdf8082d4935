from __future__ import annotations

import pytest

from framing.evaluation.schema import Comparison, Score
from framing.report import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7314, "0.731"), (None, "n/a"), (-0.25, "−0.250"), (-0.0001, "0.000"), (1.0, "1.000")],
)
def test_number(value: float | None, text: str) -> None:
    assert formatting.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.2, "+0.200"), (0.0004, "0.000"), (-0.0004, "0.000"), (-0.2, "−0.200")]
)
def test_signed_gives_zero_no_sign(value: float, text: str) -> None:
    assert formatting.signed(value) == text


def test_estimate_leaves_out_what_is_missing() -> None:
    score = Score("f1", "v", "v", "macro", 0.5, 0.4, 0.6, 10)
    assert formatting.estimate(score) == "0.500 [0.400, 0.600]"
    assert formatting.estimate(Score("f1", "v", "v", "macro", 0.5, None, None, 10)) == "0.500"
    assert formatting.estimate(Score("f1", "v", "v", "macro", None, None, None, 0)) == "n/a"
    assert formatting.estimate(None) == "n/a"


def test_difference_signs_its_interval() -> None:
    found = Comparison("tfidf", "f1", "v", "macro", 0.01, -0.02, 0.04, 0.5)
    assert formatting.difference(found) == "+0.010 [−0.020, +0.040]"


def test_p_value_never_claims_zero() -> None:
    assert formatting.p_value(0.0001) == "< 0.001"
    assert formatting.p_value(0.0001, equals="= ") == "< 0.001"
    assert formatting.p_value(0.0021, equals="= ") == "= 0.002"


def test_plain_shows_what_is_hidden() -> None:
    assert formatting.plain("a\x00b\u202ec\td\n e") == "a\ufffdb\ufffdc d e"


def test_listed() -> None:
    assert formatting.listed([]) == ""
    assert formatting.listed(["a"]) == "a"
    assert formatting.listed(("a", "b", "c")) == "a, b and c"


def test_things_and_percent() -> None:
    assert formatting.things(1, "label") == "1 label"
    assert formatting.things(1200, "label") == "1,200 labels"
    assert formatting.percent(0.95) == "95%"
    assert formatting.percent(0.995) == "99.5%"
