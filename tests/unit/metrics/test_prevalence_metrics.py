import numpy as np
import pytest

from framing.metrics import Counts, detection_rates, true_prevalence


def test_by_hand() -> None:
    # 20 sentences with the label, 16 of them found; 80 without, 4 of them labelled.
    counts = Counts(*(np.array([x]) for x in (16.0, 4.0, 4.0, 76.0)))
    tpr, fpr = detection_rates(counts)
    assert (tpr[0], fpr[0]) == (0.8, 0.05)
    # (0.14 - 0.05) / (0.8 - 0.05)
    assert true_prevalence(np.array([0.14]), tpr, fpr) == pytest.approx([0.12])


def test_it_undoes_what_errors_do() -> None:
    true = np.linspace(0, 1, 11)
    tpr, fpr = np.array(0.7), np.array(0.02)
    assert true_prevalence(true * tpr + (1 - true) * fpr, tpr, fpr) == pytest.approx(true)


def test_a_perfect_model_is_believed() -> None:
    shares = np.array([0.0, 0.3, 1.0])
    assert true_prevalence(shares, np.array(1.0), np.array(0.0)) == pytest.approx(shares)


def test_shares_stay_shares() -> None:
    found = true_prevalence(np.array([0.0, 0.02, 1.0]), np.array(0.8), np.array(0.05))
    assert found.tolist() == [0, 0, 1]


@pytest.mark.parametrize(("tpr", "fpr"), [(0.3, 0.3), (0.1, 0.3), (np.nan, 0.1), (0.9, np.nan)])
def test_a_model_that_says_nothing(tpr: float, fpr: float) -> None:
    assert np.isnan(true_prevalence(np.array([0.2]), np.array([tpr]), np.array([fpr]))).all()


def test_rates_without_sentences() -> None:
    nothing, some = np.zeros(2), np.array([3.0, 0.0])
    tpr, fpr = detection_rates(Counts(tp=some, fp=nothing, fn=nothing, tn=some[::-1]))
    assert tpr[0] == 1
    assert fpr[1] == 0
    assert np.isnan([tpr[1], fpr[0]]).all()
