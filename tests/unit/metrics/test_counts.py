import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import precision_recall_fscore_support

from framing.errors import DataError
from framing.metrics import Counts, count, exact_match, f1, macro, pooled, precision, recall
from framing.metrics.counts import macro_of

# Columns: ordinary, absent, gold only, predicted only.
GOLD = np.array([[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
PREDICTED = np.array([[1, 0, 0, 0], [1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)

label_pairs = st.tuples(st.integers(1, 12), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)


def test_counts_by_hand():
    counts = count(GOLD, PREDICTED)
    assert counts.tp.tolist() == [2, 0, 0, 0]
    assert counts.fp.tolist() == [1, 0, 0, 1]
    assert counts.fn.tolist() == [1, 0, 1, 0]
    assert counts.tn.tolist() == [0, 4, 3, 3]


def test_figures_by_hand_and_the_absent_rule():
    counts = count(GOLD, PREDICTED)
    for formula in (precision, recall, f1):
        values = formula(counts)
        assert values[0] == pytest.approx(2 / 3)
        assert np.isnan(values[1])
        assert values[2:].tolist() == [0, 0]
        assert macro(values) == pytest.approx(2 / 9)


def test_micro_pools_counts():
    counts = pooled(count(GOLD, PREDICTED))
    assert f1(counts).tolist() == [pytest.approx(4 / (4 + 2 + 2))]


def test_macro_of_nothing_defined_is_undefined():
    assert np.isnan(macro(np.array([np.nan, np.nan])))


def test_macro_is_not_the_f1_of_means():
    gold = np.array([[1, 1], [1, 0], [0, 0]], dtype=bool)
    predicted = np.array([[1, 1], [0, 1], [0, 1]], dtype=bool)
    counts = count(gold, predicted)
    # F1 is 2/3 and 1/2; mean precision 2/3 and mean recall 3/4 would give 0.706.
    assert macro(f1(counts)) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_leading_axes_are_kept():
    tp = np.array([[2.0, 0.0], [0.0, 0.0]])
    counts = Counts(tp, np.zeros((2, 2)), np.array([[2.0, 1.0], [0.0, 0.0]]), np.ones((2, 2)))
    values = f1(counts)
    assert values[0].tolist() == [pytest.approx(2 / 3), 0]
    assert np.isnan(values[1]).all()
    assert macro(values)[0] == pytest.approx(1 / 3)
    assert np.isnan(macro(values)[1])


def test_exact_match_by_hand():
    assert exact_match(GOLD, PREDICTED) == 0.0
    assert exact_match(GOLD, GOLD) == 1.0
    one = np.array([[True, False], [False, False]])
    other = np.array([[True, False], [True, False]])
    assert exact_match(one, other) == 0.5
    assert np.isnan(exact_match(np.zeros((0, 2), bool), np.zeros((0, 2), bool)))


def test_against_scikit_learn():
    rng = np.random.default_rng(3)
    gold, predicted = rng.random((200, 5)) < 0.3, rng.random((200, 5)) < 0.4
    counts = count(gold, predicted)
    ours = (precision, recall, f1)
    for average, reduce in (("macro", macro), (None, lambda v: v)):
        expected = precision_recall_fscore_support(gold, predicted, average=average)
        for formula, value in zip(ours, expected[:3], strict=True):
            np.testing.assert_allclose(reduce(formula(counts)), value)
    micro = precision_recall_fscore_support(gold, predicted, average="micro")
    for formula, value in zip(ours, micro[:3], strict=True):
        np.testing.assert_allclose(formula(pooled(counts))[0], value)


@given(label_pairs)
def test_f1_lies_between_precision_and_recall(pair):
    counts = count(*pair)
    low = np.minimum(precision(counts), recall(counts))
    high = np.maximum(precision(counts), recall(counts))
    value = f1(counts)
    defined = ~np.isnan(value)
    assert ((value >= 0) & (value <= 1))[defined].all()
    assert ((value >= low - 1e-12) & (value <= high + 1e-12))[defined].all()


@given(label_pairs, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_count(pair, random):
    order = list(range(len(pair[0])))
    random.shuffle(order)
    np.testing.assert_array_equal(
        f1(count(pair[0][order], pair[1][order])), f1(count(pair[0], pair[1]))
    )


@given(label_pairs)
def test_perfect_predictions_score_one(pair):
    value = f1(count(pair[0], pair[0]))
    assert (value[pair[0].any(axis=0)] == 1).all()
    assert np.isnan(value[~pair[0].any(axis=0)]).all()


def test_probabilities_are_not_taken_for_labels():
    with pytest.raises(DataError, match=r"predicted: expected labels as a Boolean array, found fl"):
        count(GOLD, PREDICTED.astype(float))


def test_shapes_must_agree():
    with pytest.raises(DataError, match=r"one shape, found \(4, 4\) and \(3, 4\)"):
        count(GOLD, PREDICTED[:3])
    with pytest.raises(DataError, match=r"gold: expected shape \(n, labels\), found \(4,\)"):
        count(GOLD[:, 0], PREDICTED)


def test_mean_over_the_same_labels_in_every_row():
    values = np.array([[0.5, 1.0, np.nan], [np.nan, 0.8, 0.2], [np.nan, np.nan, 0.2]])
    labels = np.array([True, True, False])
    np.testing.assert_allclose(macro_of(values, labels, undefined=0), [0.75, 0.4, np.nan])
    np.testing.assert_allclose(macro_of(values, labels, undefined=1), [0.75, 0.9, np.nan])
    assert np.isnan(macro_of(values, np.zeros(3, bool), undefined=0)).all()
