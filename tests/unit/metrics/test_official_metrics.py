import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from framing.metrics import OFFICIAL_METRICS, confusion_matrix, count, counts_of_confusion
from framing.metrics.official import mean_f1, share_right

# Labels: none, against, favor.
GOLD = np.array([0, 1, 1, 1, 2, 2])
PREDICTED = np.array([1, 1, 1, 2, 2, 0])


def counts(gold: np.ndarray, predicted: np.ndarray):
    return counts_of_confusion(confusion_matrix(gold, predicted, 3))


def test_mean_f1_by_hand():
    # against: TP 2, FP 1 (a "none"), FN 1; favor: TP 1, FP 1, FN 1.
    assert mean_f1(counts(GOLD, PREDICTED), [1, 2]) == pytest.approx((2 / 3 + 1 / 2) / 2)
    # none: nothing right.
    assert mean_f1(counts(GOLD, PREDICTED), [0, 1, 2]) == pytest.approx((0 + 2 / 3 + 1 / 2) / 3)


def test_share_right_by_hand():
    assert share_right(counts(GOLD, PREDICTED), [0, 1, 2]) == pytest.approx(3 / 6)
    assert share_right(counts(GOLD, PREDICTED), [1]) == pytest.approx(2 / 3)
    assert np.isnan(share_right(counts(GOLD[:0], PREDICTED[:0]), [0, 1, 2]))


def test_an_absent_label_counts_as_nothing():
    gold = predicted = np.array([1, 1, 0])
    assert mean_f1(counts(gold, predicted), [1, 2]) == pytest.approx(1 / 2)
    expected = f1_score(gold, predicted, labels=[1, 2], average="macro", zero_division=0)
    assert mean_f1(counts(gold, predicted), [1, 2]) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_oracle(seed: int):
    rng = np.random.default_rng(seed)
    gold, predicted = rng.integers(0, 3, 40), rng.integers(0, 3, 40)
    found = counts(gold, predicted)
    for labels in ([1, 2], [0, 1, 2]):
        expected = f1_score(gold, predicted, labels=labels, average="macro", zero_division=0)
        assert mean_f1(found, labels) == pytest.approx(expected)
    assert share_right(found, [0, 1, 2]) == pytest.approx(accuracy_score(gold, predicted))


def test_oracle_of_several_labels_a_unit():
    rng = np.random.default_rng(1)
    gold, predicted = rng.random((30, 4)) < 0.3, rng.random((30, 4)) < 0.3
    expected = f1_score(gold, predicted, average="macro", zero_division=0)
    assert mean_f1(count(gold, predicted), range(4)) == pytest.approx(expected)


def test_the_last_axis_is_labels():
    stacked = np.stack([confusion_matrix(GOLD, PREDICTED, 3), confusion_matrix(GOLD, GOLD, 3)])
    for metric in OFFICIAL_METRICS.values():
        values = metric(counts_of_confusion(stacked), [1, 2])
        assert values.shape == (2,)
        assert values[1] == 1
