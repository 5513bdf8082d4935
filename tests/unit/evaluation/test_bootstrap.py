from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score

from framing.errors import DataError
from framing.evaluation.bootstrap import (
    Resamples,
    calibration_interval,
    constant,
    flawless_share,
    paired_p_value,
    percentile_interval,
)
from framing.evaluation.figures import _calibration_figures, figure_interval
from framing.evaluation.schema import LEAST_DOCUMENTS, LEAST_JUDGED_DOCUMENTS

DOCUMENTS = ["b", "a", "b", "c", "a", "b"]


def draw(documents=DOCUMENTS, n=50, seed=0):
    return Resamples.draw(documents, n, np.random.default_rng(seed))


def test_row_zero_is_the_data_itself_and_each_resample_has_as_many_documents():
    resamples = draw()
    assert resamples.weights.shape == (51, 3)
    assert resamples.weights[0].tolist() == [1, 1, 1]
    assert (resamples.weights.sum(axis=1) == 3).all()
    assert resamples.document.tolist() == [1, 0, 1, 2, 0, 1]


def test_weights_do_not_depend_on_the_order_of_sentences():
    np.testing.assert_array_equal(draw().weights, draw(sorted(DOCUMENTS)).weights)


def test_totals_repeat_whole_documents():
    resamples = draw()
    values = np.arange(12.0).reshape(6, 2)
    total = resamples.total(values, np.arange(6))
    for weights, found in zip(resamples.weights, total, strict=True):
        expected = sum(weights[d] * v for d, v in zip(resamples.document, values, strict=True))
        np.testing.assert_allclose(found, expected)


def test_cells_by_hand():
    resamples = draw(n=5)
    cells = resamples.cells(np.array([0, 1, 1]), np.array([0, 1, 3]), 2)
    np.testing.assert_array_equal(cells[:, 0], resamples.weights[:, 1])
    np.testing.assert_array_equal(cells[:, 1], resamples.weights[:, 0] + resamples.weights[:, 2])


def test_average_precision_of_resamples_against_scikit_learn(monkeypatch):
    monkeypatch.setattr("framing.evaluation.bootstrap._BLOCK", 200)  # several blocks
    rng = np.random.default_rng(4)
    document = rng.integers(0, 12, 60)
    gold, scores = rng.random(60) < 0.4, np.round(rng.random(60), 1)
    resamples = draw([f"d{d:02}" for d in document], n=20)
    found = resamples.average_precision(gold, scores, np.arange(60))
    assert len(found) == 21
    for weights, value in zip(resamples.weights.astype(int), found, strict=True):
        times = weights[resamples.document]
        expected = average_precision_score(np.repeat(gold, times), np.repeat(scores, times))
        assert value == pytest.approx(expected)


def test_one_document_gives_no_resamples_and_no_interval():
    resamples = draw(["a", "a"])
    assert resamples.n == 0
    interval = percentile_interval(resamples.total(np.ones(2), np.arange(2)), 0.95)
    assert (interval.low, interval.high, interval.undefined) == (None, None, 0)


def test_no_sentences():
    with pytest.raises(DataError, match="at least one sentence to score, found none"):
        draw([])


def test_interval_by_hand():
    values = np.concatenate([[50.0], np.arange(101.0)])
    interval = percentile_interval(values, 0.9)
    assert (interval.low, interval.high) == (pytest.approx(5), pytest.approx(95))


def test_undefined_resamples_are_left_out_and_counted():
    values = np.array([0.5, np.nan, 0.4, 0.6, np.nan])
    interval = percentile_interval(values, 0.5)
    assert (interval.low, interval.high) == (pytest.approx(0.45), pytest.approx(0.55))
    assert interval.undefined == 2
    assert percentile_interval(np.array([np.nan, 0.4]), 0.95).low is None
    assert percentile_interval(np.array([0.4, np.nan]), 0.95).low is None


def test_values_without_spread():
    assert constant(np.array([1.0, 1.0, np.nan, 1.0 - 1e-15]))
    assert not constant(np.array([1.0, 1.0, 0.9]))
    assert not constant(np.array([1.0, np.nan]))
    assert not constant(np.array([1.0]))


def test_the_bound_of_a_share_at_its_end_is_that_of_clopper_and_pearson():
    for n in (2, 25, 300):
        assert flawless_share(n, 0.95) == pytest.approx(stats.beta.ppf(0.05, n, 1))
    # The rule of three.
    assert flawless_share(300, 0.95) == pytest.approx(1 - 3 / 300, abs=1e-4)


def test_calibration_interval_by_hand():
    # Resampling raises the figure by 0.02, and chance alone gives no more than 0.1.
    values, noise = np.array([0.3, *np.linspace(0.22, 0.42, 101)]), np.linspace(0, 0.1, 101)
    interval = calibration_interval(values, noise, 0.9)
    assert (interval.low, interval.high) == (pytest.approx(0.23 - 0.04), pytest.approx(0.41 - 0.02))
    # Of 101 values of chance five are as large: more than 5% with the added ones.
    noise[:5] = 0.3
    assert calibration_interval(values, noise, 0.9).low == 0
    assert calibration_interval(values, noise[5:], 0.9).low > 0
    assert calibration_interval(np.array([0.3]), np.array([]), 0.95).low is None


@pytest.mark.parametrize("together", [0, 0.5])
def test_the_interval_of_a_calibration_error_holds_that_of_exact_probabilities(together):
    """Also where sentences of a document share their chance."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(60):
        p, document = rng.random(300), np.arange(300) // 5
        shared = rng.random(300) < together
        y = np.where(shared, rng.random(60)[document], rng.random(300)) < p
        resamples = Resamples.draw([f"d{d:02}" for d in document], 200, rng)
        answers = SimpleNamespace(
            labels=("x",), variable="v", head="v", rows=np.arange(300), gold=y[:, None]
        )
        figure = next(_calibration_figures(answers, p[:, None], resamples, 10))
        covered += figure_interval(figure, 0.95).low == 0
    assert covered / 60 >= 0.9


def test_p_value_by_hand():
    # Of nine resamples one is not above 0: 2 * (1 + 1) / (9 + 1).
    values = np.array([0.3, -0.1, *np.full(8, 0.2)])
    assert paired_p_value(values) == pytest.approx(0.4)
    assert paired_p_value(-values) == pytest.approx(0.4)


def test_p_value_ends():
    assert paired_p_value(np.zeros(100)) == 1
    assert paired_p_value(np.ones(100)) == pytest.approx(2 / 100)
    assert paired_p_value(np.array([0.1, np.nan, 0.2])) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8))
def test_the_interval_of_a_share_holds_it(seed, share):
    rng = np.random.default_rng(seed)
    document = [f"d{k % 40}" for k in range(200)]
    right = rng.random(200) < share
    resamples = Resamples.draw(document, 400, rng)
    rows = np.arange(200)
    values = resamples.total(right, rows) / resamples.total(np.ones(200), rows)
    interval = percentile_interval(values, 0.95)
    assert values[0] == pytest.approx(right.mean())
    assert interval.low <= values[0] <= interval.high


def test_the_interval_covers_the_true_share_about_as_often_as_it_says():
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(200):
        # Documents differ, so that sentences of one resemble each other.
        level = np.repeat(rng.beta(4, 4, 60), 5)
        right = rng.random(300) < level
        resamples = Resamples.draw([f"d{k // 5:02}" for k in range(300)], 300, rng)
        rows = np.arange(300)
        values = resamples.total(right, rows) / resamples.total(np.ones(300), rows)
        interval = percentile_interval(values, 0.95)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_few_documents_tell_equal_systems_apart_too_often():
    few, some, enough = (
        told_apart(n, np.random.default_rng(3))
        for n in (2, LEAST_JUDGED_DOCUMENTS - 1, LEAST_DOCUMENTS)
    )
    assert few > 0.3
    assert few > some > enough
    assert enough < 0.1


def told_apart(documents, rng):
    """How often the interval of the difference of two equally good systems leaves out 0."""
    times = 0
    for _ in range(400):
        resamples = Resamples.draw([f"d{k:02}" for k in range(documents)], 300, rng)
        rows = np.arange(documents)
        # A document's share of right decisions less that of the other system.
        differences = rng.beta(8, 2, documents) - rng.beta(8, 2, documents)
        interval = percentile_interval(resamples.total(differences, rows) / documents, 0.95)
        times += interval.low > 0 or interval.high < 0
    return times / 400
