import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from framing.errors import DataError
from framing.metrics import (
    accuracy,
    cohen_kappa,
    confusion_matrix,
    counts_of_confusion,
    f1,
    macro,
    pooled,
)

GOLD = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 0])


def test_confusion_by_hand():
    matrix = confusion_matrix(GOLD, PREDICTED, 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_counts_and_macro_leave_out_the_absent_label():
    counts = counts_of_confusion(confusion_matrix(GOLD, PREDICTED, 4))
    assert counts.tp.tolist() == [2, 1, 0, 0]
    assert counts.fp.tolist() == [2, 1, 0, 0]
    assert counts.fn.tolist() == [1, 1, 1, 0]
    assert counts.tn.tolist() == [1, 3, 5, 6]
    assert macro(f1(counts)) == pytest.approx((4 / 7 + 1 / 2 + 0) / 3)


def test_accuracy_is_micro_f1():
    matrix = confusion_matrix(GOLD, PREDICTED, 4)
    assert accuracy(matrix) == pytest.approx(0.5)
    assert f1(pooled(counts_of_confusion(matrix)))[0] == pytest.approx(0.5)


def test_kappa_by_hand():
    # p_o = 3/6; p_e = (3*4 + 2*2 + 1*0) / 36 = 16/36.
    matrix = confusion_matrix(GOLD, PREDICTED, 4)
    assert cohen_kappa(matrix) == pytest.approx((18 / 36 - 16 / 36) / (1 - 16 / 36))


def test_kappa_is_undefined_with_one_label_and_without_units():
    assert np.isnan(cohen_kappa(confusion_matrix(np.zeros(3, int), np.zeros(3, int), 2)))
    empty = confusion_matrix(np.zeros(0, int), np.zeros(0, int), 2)
    assert np.isnan(cohen_kappa(empty))
    assert np.isnan(accuracy(empty))


def test_against_scikit_learn():
    rng = np.random.default_rng(0)
    gold, predicted = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    matrix = confusion_matrix(gold, predicted, 5)
    np.testing.assert_array_equal(matrix, sklearn_confusion(gold, predicted))
    assert cohen_kappa(matrix) == pytest.approx(cohen_kappa_score(gold, predicted))
    assert accuracy(matrix) == pytest.approx(accuracy_score(gold, predicted))
    ours = macro(f1(counts_of_confusion(matrix)))
    assert ours == pytest.approx(f1_score(gold, predicted, average="macro"))


def test_many_matrices_at_once():
    one = confusion_matrix(GOLD, PREDICTED, 3)
    stack = np.stack([one, np.eye(3), np.zeros((3, 3))])
    assert cohen_kappa(stack)[0] == pytest.approx(float(cohen_kappa(one)))
    assert cohen_kappa(stack)[1] == 1
    assert np.isnan(cohen_kappa(stack)[2])


def test_errors():
    with pytest.raises(
        DataError, match="gold: expected indices from 0 to 1, found values from 0 to 2"
    ):
        confusion_matrix(GOLD, PREDICTED, 2)
    with pytest.raises(
        DataError, match="predicted: expected label indices as whole numbers, found"
    ):
        confusion_matrix(GOLD, PREDICTED.astype(float), 4)
