import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from framing.errors import DataError
from framing.metrics import (
    binary_brier,
    binary_calibration_error,
    binary_log_loss,
    categorical_brier,
    categorical_log_loss,
    reliability_bins,
    top_label_calibration_error,
)

GOLD = np.array([[1], [0], [1], [0]], dtype=bool)
P = np.array([[0.9], [0.8], [0.3], [0.1]])
ONE_OF = np.array([0, 1, 2])
SOFTMAX = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.0, 0.0, 1.0]])


def test_brier_by_hand():
    assert binary_brier(GOLD, P).tolist() == [pytest.approx((0.01 + 0.64 + 0.49 + 0.01) / 4)]
    # Rows: .16+.09+.01, .25+.36+.01, 0.
    assert categorical_brier(ONE_OF, SOFTMAX) == pytest.approx((0.26 + 0.62) / 3)


def test_log_loss_by_hand():
    expected = -np.log([0.9, 0.2, 0.3, 0.9]).mean()
    assert binary_log_loss(GOLD, P)[0] == pytest.approx(expected)
    expected = -(np.log(0.6) + np.log(0.4)) / 3
    assert categorical_log_loss(ONE_OF, SOFTMAX) == pytest.approx(expected, abs=1e-5)


def test_a_certain_mistake_costs_a_bounded_loss():
    value = binary_log_loss(np.array([[True]]), np.array([[0.0]]))
    assert value[0] == pytest.approx(-np.log(1e-6))


def test_calibration_error_by_hand():
    # Two bins: (0.3, 0.1) mean 0.2, half positive; (0.9, 0.8) mean 0.85, half positive.
    value = binary_calibration_error(GOLD, P, n_bins=2)
    assert value[0] == pytest.approx(0.5 * 0.3 + 0.5 * 0.35)


def test_top_label_calibration_error_by_hand():
    # Top labels 0 (0.6, right), 0 (0.5, wrong), 2 (1.0, right); bins (0, .5] and (.5, 1].
    value = top_label_calibration_error(ONE_OF, SOFTMAX, n_bins=2)
    assert value == pytest.approx(abs(0.5 - 0) / 3 + abs(1.6 - 2) / 3)


def test_edges_belong_to_the_bin_below():
    bins = reliability_bins(np.zeros(5, bool), np.array([0.0, 0.1, 0.3, 0.7, 1.0]), 10)
    assert np.flatnonzero(bins.count).tolist() == [0, 2, 6, 9]
    assert bins.count[0] == 2


def test_calibrated_probabilities_have_a_small_error():
    rng = np.random.default_rng(1)
    p = rng.random((20_000, 1))
    assert binary_calibration_error(rng.random(p.shape) < p, p)[0] < 0.02


def test_against_scikit_learn():
    rng = np.random.default_rng(2)
    p, gold = rng.uniform(0.01, 0.99, 100), rng.random(100) < 0.5
    assert binary_brier(gold[:, None], p[:, None])[0] == pytest.approx(brier_score_loss(gold, p))
    assert binary_log_loss(gold[:, None], p[:, None])[0] == pytest.approx(log_loss(gold, p))
    softmax, label = rng.dirichlet(np.ones(4), 100), rng.integers(0, 4, 100)
    expected = brier_score_loss(label, softmax, labels=range(4), scale_by_half=False)
    assert categorical_brier(label, softmax) == pytest.approx(expected)
    expected = log_loss(label, softmax, labels=range(4))
    assert categorical_log_loss(label, softmax) == pytest.approx(expected, rel=1e-4)


def test_no_rows_are_undefined():
    assert np.isnan(binary_brier(np.zeros((0, 2), bool), np.zeros((0, 2)))).all()
    assert np.isnan(binary_calibration_error(np.zeros((0, 2), bool), np.zeros((0, 2)))).all()
    assert np.isnan(categorical_brier(np.zeros(0, int), np.zeros((0, 3))))


def test_errors():
    with pytest.raises(DataError, match=r"values from -2 to 3; logits must go through a sigmoid"):
        binary_brier(np.array([[True], [False]]), np.array([[3.0], [-2.0]]))
    with pytest.raises(DataError, match=r"rows that sum to 1, found 1\.2 in row 1"):
        categorical_brier(np.array([0, 1]), np.array([[0.5, 0.5], [0.6, 0.6]]))
    with pytest.raises(DataError, match="same number of rows, found 1 and 3"):
        categorical_brier(np.array([0]), SOFTMAX)
    with pytest.raises(DataError, match="bins: expected at least 1, found 0"):
        reliability_bins(GOLD[:, 0], P[:, 0], 0)
