import numpy as np
import pytest
from scipy.sparse import csr_matrix

from framing.arrays import LabelArray, label_array
from framing.codebook import Codebook, parse_codebook
from framing.decisions import calibrated_probabilities, uncalibrated
from framing.model.calibration import best_threshold, fit_decisions
from framing.model.linear import fit_linear_heads, fit_separate_labels

ONE = parse_codebook("name: a\nvariables: [{id: v, kind: multi_label, labels: [{id: x}]}]")


def draw(scale: float, shift: float, n: int = 4000) -> tuple[np.ndarray, LabelArray]:
    """Labels drawn from sigmoid(scale * logit + shift)."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (n, 1))
    p = 1 / (1 + np.exp(-(scale * logits + shift)))
    return logits, LabelArray(generator.random((n, 1)) < p, np.ones((n, 1), dtype=bool))


def test_platt_scaling_finds_the_generating_parameters() -> None:
    logits, gold = draw(0.5, -1.0)
    fitted = fit_decisions(logits, gold, ONE)
    assert fitted.scale[0] == pytest.approx(0.5, abs=0.06)
    assert fitted.bias[0] == pytest.approx(-1.0, abs=0.12)
    assert list(uncalibrated(fitted, ONE)) == []
    p = calibrated_probabilities(logits, ONE, fitted)
    assert p.mean() == pytest.approx(gold.values.mean(), abs=0.005)


def test_probabilities_for_a_rarer_label() -> None:
    logits, gold = draw(1.0, 0.0, 20_000)
    fitted = fit_decisions(logits, gold, ONE, {"v": {"x": 0.05}})
    # Texts in which the label is rarer: instances thinned to one in twenty sentences.
    y = gold.values[:, 0]
    keep = ~y | (np.random.default_rng(3).random(len(y)) < 0.05 / 0.95)
    p = calibrated_probabilities(logits[keep], ONE, fitted)[:, 0]
    assert y[keep].mean() == pytest.approx(0.05, abs=0.005)
    assert p.mean() == pytest.approx(y[keep].mean(), abs=0.005)
    # Saerens et al. (2002): the odds change by the ratio of the odds of the shares.
    plain = fit_decisions(logits, gold, ONE)
    shift = np.log(0.05 / 0.95) - np.log(y.mean() / (1 - y.mean()))
    assert fitted.bias[0] - plain.bias[0] == pytest.approx(shift, abs=0.1)
    assert fitted.scale[0] == pytest.approx(plain.scale[0], abs=0.05)


@pytest.mark.parametrize("share", [0.01, 0.003, 0.6, 0.99])
def test_smoothing_leaves_a_share_expected_as_it_is(share: float) -> None:
    """A small split: smoothing must not give 400 sentences more than 100 weighted instances are."""
    generator = np.random.default_rng(1)
    y = np.arange(500) < 100
    logits = generator.normal(np.where(y, 2.5, 0.0), 1)[:, None]
    gold = LabelArray(y[:, None], np.ones((500, 1), dtype=bool))
    fitted = fit_decisions(logits, gold, ONE, {"v": {"x": share}})
    p = calibrated_probabilities(logits, ONE, fitted)[:, 0]
    weights = np.where(y, share / 0.2, (1 - share) / 0.8)
    assert np.average(p, weights=weights) == pytest.approx(share, rel=0.01)


def test_the_share_expected_moves_the_threshold() -> None:
    p = np.array([0.3] * 10 + [0.6] * 10 + [0.9] * 10)
    gold = np.array([False] * 10 + [True] * 3 + [False] * 7 + [True] * 10)
    assert best_threshold(p, gold) > 0.6
    assert best_threshold(p, gold, np.where(gold, 10.0, 1.0)) <= 0.6


def test_calibration_never_reverses_the_order() -> None:
    logits, gold = draw(1.0, 0.0)
    reversed_gold = LabelArray(~gold.values, gold.coded)
    assert fit_decisions(logits, reversed_gold, ONE).scale[0] > 0


def test_few_instances_keep_the_identity() -> None:
    gold = LabelArray(np.array([[True]] * 4 + [[False]] * 50), np.ones((54, 1), dtype=bool))
    fitted = fit_decisions(np.linspace(3, -3, 54)[:, None], gold, ONE)
    assert (fitted.scale, fitted.bias, fitted.threshold) == ((1.0,), (0.0,), (0.5,))
    assert list(uncalibrated(fitted, ONE)) == [("v", "x")]


def test_temperature_of_a_softmax() -> None:
    book = parse_codebook(
        "name: a\nvariables: [{id: v, kind: single_label, labels: [{id: x}, {id: y}, {id: z}]}]"
    )
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 1, (5000, 3))
    gumbel = generator.gumbel(size=logits.shape)
    values = np.eye(3, dtype=bool)[(logits + gumbel).argmax(axis=1)]
    fitted = fit_decisions(logits * 4, LabelArray(values, np.ones((5000, 1), dtype=bool)), book)
    assert fitted.scale == pytest.approx((0.25,) * 3, abs=0.02)
    assert fitted.bias == (0.0,) * 3
    assert list(uncalibrated(fitted, book)) == []


def test_best_threshold_separates() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    gold = np.array([False, False, False, True, True, True])
    assert 0.3 < best_threshold(p, gold) < 0.7


def test_linear_heads_learn_every_kind_of_head(book: Codebook) -> None:
    rows = [
        {"topics": ("prices",), "view.prices": ("good",), "speaker": ("government",)},
        {"topics": ("prices",), "view.prices": ("bad",), "speaker": ("opposition",)},
        {"topics": ("jobs",), "view.jobs": ("open",), "speaker": ("opposition",)},
        {"topics": (), "speaker": ("government",)},
    ] * 5
    features = np.tile(np.eye(4), (5, 1))
    heads = fit_linear_heads(features, label_array(rows, book), book, c=100)
    logits = heads.logits(np.eye(4))
    assert (logits[:, 0] > 0).tolist() == [True, True, False, False]
    assert (logits[:, 1] > 0).tolist() == [False, False, True, False]
    assert logits[:2, 2:5].argmax(axis=1).tolist() == [0, 1]
    # view.jobs only ever was "open": the head says so without a regression.
    assert logits[:, 5:8].argmax(axis=1).tolist() == [2] * 4
    assert logits[:, 8:].argmax(axis=1).tolist() == [0, 1, 1, 0]


def test_linear_heads_without_any_coded_row(book: Codebook) -> None:
    rows = [{"topics": ("prices",)}, {"topics": ()}]
    heads = fit_linear_heads(np.eye(2), label_array(rows, book), book, c=1)
    assert heads.bias[8:].tolist() == [0, 0]
    assert heads.bias[1] < -5


def test_separate_labels_learn_every_kind_of_head(book: Codebook) -> None:
    rows = [
        {"topics": ("prices",), "view.prices": ("good",), "speaker": ("government",)},
        {"topics": ("prices",), "view.prices": ("bad",), "speaker": ("opposition",)},
        {"topics": (), "speaker": ("government",)},
    ] * 5
    features = csr_matrix(np.tile(np.eye(3), (5, 1)))
    gold = label_array(rows, book)
    logits = fit_separate_labels(features, gold, book, 100, np.ones(15)).logits(np.eye(3))
    assert ((logits[:, 0] > 0) == [True, True, False]).all()
    # Nobody coded a view of jobs; no sentence is about jobs.
    assert (logits[:, book.head("view.jobs").slice] == 0).all()
    assert (logits[:, 1] < -5).all()
    speaker = logits[:, book.head("speaker").slice].argmax(axis=1)
    assert speaker.tolist() == gold.values[:3, book.head("speaker").slice].argmax(axis=1).tolist()


def test_factors_count_as_copies_do(book: Codebook) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 4))
    y = (x[:, 0] + rng.normal(size=40) > 0)[:, None]
    factors = rng.integers(1, 4, 40)
    one = LabelArray(y, np.ones((40, 1), dtype=bool))
    copies = np.repeat(np.arange(40), factors)
    many = LabelArray(y[copies], np.ones((len(copies), 1), dtype=bool))
    weighted = fit_separate_labels(csr_matrix(x), one, ONE, 1.0, factors.astype(float))
    copied = fit_separate_labels(csr_matrix(x[copies]), many, ONE, 1.0, np.ones(len(copies)))
    assert weighted.weights == pytest.approx(copied.weights, abs=0.02)
