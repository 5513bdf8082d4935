import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from sklearn.metrics import precision_recall_curve as sklearn_curve

from framing.errors import DataError
from framing.metrics import (
    average_precision,
    micro_average_precision,
    precision_recall_curve,
    weighted_average_precision,
)


def column(values, dtype):
    return np.array(values, dtype=dtype).reshape(-1, 1)


def test_average_precision_by_hand():
    # Ranked: hit, miss, hit: 1/2 * 1 + 1/2 * 2/3.
    value = average_precision(column([1, 0, 1], bool), column([0.9, 0.5, 0.1], float))
    assert value.tolist() == [pytest.approx(5 / 6)]


def test_equal_scores_enter_together():
    # All three at once: precision 1/3 at recall 1, in whatever order they stand.
    for gold in ([1, 0, 0], [0, 1, 0], [0, 0, 1]):
        value = average_precision(column(gold, bool), column([0.5, 0.5, 0.5], float))
        assert value.tolist() == [pytest.approx(1 / 3)]


def test_a_label_without_gold_is_undefined():
    gold = np.array([[0, 1], [0, 0]], dtype=bool)
    value = average_precision(gold, np.array([[0.3, 0.4], [0.2, 0.1]]))
    assert np.isnan(value[0])
    assert value[1] == 1


def test_no_rows():
    assert np.isnan(average_precision(np.zeros((0, 1), bool), np.zeros((0, 1)))).all()
    assert len(precision_recall_curve(np.zeros(0, bool), np.zeros(0)).recall) == 0


@pytest.mark.parametrize("decimals", [1, 6])
def test_against_scikit_learn(decimals):
    rng = np.random.default_rng(5)
    gold = rng.random((300, 4)) < 0.2
    scores = np.round(rng.random((300, 4)), decimals)
    for average, ours in (
        (None, average_precision(gold, scores)),
        ("micro", micro_average_precision(gold, scores)),
    ):
        np.testing.assert_allclose(ours, average_precision_score(gold, scores, average=average))


def test_weights_count_as_repeated_sentences():
    rng = np.random.default_rng(7)
    gold, scores = rng.random(40) < 0.4, np.round(rng.random(40), 1)
    weights = rng.integers(0, 3, (20, 40)).astype(float)
    ours = weighted_average_precision(gold, scores, weights)
    for row, value in zip(weights.astype(int), ours, strict=True):
        repeated = average_precision_score(np.repeat(gold, row), np.repeat(scores, row))
        assert value == pytest.approx(repeated)


def test_weightings_without_gold_are_undefined():
    gold = np.array([True, False])
    weights = np.array([[0.0, 3.0], [0.0, 0.0], [1.0, 0.0]])
    value = weighted_average_precision(gold, np.array([0.2, 0.8]), weights)
    assert np.isnan(value[:2]).all()
    assert value[2] == 1


def test_curve_by_hand():
    points = precision_recall_curve(
        np.array([True, False, True, False]), np.array([0.9, 0.5, 0.5, 0.1])
    )
    assert points.threshold.tolist() == [0.9, 0.5, 0.1]
    assert points.recall.tolist() == [0.5, 1.0, 1.0]
    assert points.precision.tolist() == [1.0, pytest.approx(2 / 3), 0.5]


def test_curve_against_scikit_learn():
    rng = np.random.default_rng(11)
    gold, scores = rng.random(100) < 0.3, np.round(rng.random(100), 2)
    points = precision_recall_curve(gold, scores)
    precision, recall, thresholds = sklearn_curve(gold, scores)
    np.testing.assert_allclose(points.precision[::-1], precision[:-1])
    np.testing.assert_allclose(points.recall[::-1], recall[:-1])
    np.testing.assert_allclose(points.threshold[::-1], thresholds)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30))
def test_only_the_order_of_scores_counts(rows):
    gold = column([g for g, _ in rows], bool)
    scores = column([s for _, s in rows], float)
    value = average_precision(gold, scores)
    np.testing.assert_allclose(value, average_precision(gold, np.exp(scores)))
    np.testing.assert_allclose(value, average_precision(gold[::-1], scores[::-1]))
    if gold.any():
        assert 0 < value[0] <= 1


def test_errors():
    with pytest.raises(DataError, match="scores: expected finite numbers, found 1 NaN or infinite"):
        average_precision(column([1, 0], bool), column([0.2, np.nan], float))
    with pytest.raises(DataError, match="scores: expected floats, found bool; labels are not"):
        average_precision(column([1, 0], bool), column([1, 0], bool))
    with pytest.raises(DataError, match=r"weights: expected shape \(weightings, 2\), found \(2,\)"):
        weighted_average_precision(np.array([True, False]), np.array([0.1, 0.2]), np.ones(2))
