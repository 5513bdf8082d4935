import numpy as np
import pytest

from framing.arrays import label_array, probability_array
from framing.codebook import Codebook
from framing.decisions import (
    Decisions,
    calibrated_probabilities,
    decide,
    margins,
    to_predictions,
    uncalibrated,
)
from framing.errors import DataError


def test_probabilities_by_hand(book: Codebook) -> None:
    logits = np.zeros((1, 10))
    logits[0, 0] = np.log(3)
    logits[0, 8] = np.log(4)
    p = calibrated_probabilities(logits, book, Decisions.identity(10))[0]
    assert p[0] == pytest.approx(0.75)
    assert p[2:5] == pytest.approx([1 / 3] * 3)
    assert p[8:] == pytest.approx([0.8, 0.2])


def test_calibration_scales_and_shifts(book: Codebook) -> None:
    decisions = Decisions((2.0,) * 10, (1.0,) * 10, (0.5,) * 10)
    p = calibrated_probabilities(np.full((1, 10), 0.5), book, decisions)[0]
    assert p[0] == pytest.approx(1 / (1 + np.exp(-2)))


def test_the_identity_is_named_as_uncalibrated(book: Codebook) -> None:
    assert list(uncalibrated(Decisions.identity(10), book)) == [
        ("topics", "prices"),
        ("topics", "jobs"),
        ("view.prices", ""),
        ("view.jobs", ""),
        ("speaker", ""),
    ]
    scale, bias = np.ones(10), np.zeros(10)
    scale[2:5], bias[1] = 0.7, -0.2
    fitted = Decisions(tuple(scale), tuple(bias), (0.5,) * 10)
    assert list(uncalibrated(fitted, book)) == [
        ("topics", "prices"),
        ("view.jobs", ""),
        ("speaker", ""),
    ]


def test_extreme_logits_do_not_overflow(book: Codebook) -> None:
    logits = np.array([[1e4, -1e4] + [1e4, -1e4, 0] * 2 + [-1e4, 1e4]])
    p = calibrated_probabilities(logits, book, Decisions.identity(10))
    assert np.isfinite(p).all()
    assert p[0, :2].tolist() == [1.0, 0.0]


def test_margins_by_hand() -> None:
    decisions = Decisions((1.0, 2.0, 0.5), (0.0, -1.0, 3.0), (0.5, 0.75, 0.2))
    found = margins(np.array([[1.0, 1.0, 1.0]]), decisions, [1, 2])
    # Odds of 3 to 1 and of 1 to 4 at the boundaries.
    assert found[0] == pytest.approx([2 - 1 - np.log(3), 0.5 + 3 + np.log(4)])


def test_margins_are_zero_where_labels_are_decided(book: Codebook) -> None:
    rng = np.random.default_rng(0)
    scale, bias, threshold = rng.uniform(0.3, 2, 10), rng.normal(size=10), rng.uniform(size=10)
    decisions = Decisions(tuple(scale), tuple(bias), tuple(threshold))
    logits = rng.normal(0, 3, (500, 10))
    labels = decide(calibrated_probabilities(logits, book, decisions), book, decisions)
    expected = [[label in row["topics"] for label in ("prices", "jobs")] for row in labels]
    assert (margins(logits, decisions, [0, 1]) >= 0).tolist() == expected


def test_margins_of_thresholds_that_decide_all_or_nothing() -> None:
    decisions = Decisions((1.0,) * 2, (0.0,) * 2, (0.0, 1.0))
    assert margins(np.zeros((1, 2)), decisions, [0, 1]).tolist() == [[np.inf, -np.inf]]


def test_decisions_follow_thresholds_and_conditions(book: Codebook) -> None:
    p = np.array([[0.4, 0.6, 0.2, 0.5, 0.3, 0.4, 0.4, 0.2, 0.5, 0.5]])
    decisions = Decisions((1.0,) * 10, (0.0,) * 10, (0.5, 0.6) + (0.5,) * 8)
    # jobs is exactly at its threshold; its view is a tie, as is the speaker: first label wins.
    assert decide(p, book, decisions) == [
        {"topics": ("jobs",), "view.jobs": ("good",), "speaker": ("government",)}
    ]


def test_predictions_and_arrays_agree(book: Codebook) -> None:
    p = np.random.default_rng(0).random((3, 10))
    made = to_predictions(["a", "b", "c"], p, book, Decisions.identity(10), "hash")
    assert [m.sentence_id for m in made] == ["a", "b", "c"]
    assert probability_array(made, book) == pytest.approx(p)
    labels = label_array([m.labels for m in made], book)
    assert (labels.values[:, :2] == (p[:, :2] >= 0.5)).all()
    assert labels.coded[:, 1].tolist() == (p[:, 0] >= 0.5).tolist()


def test_unknown_label_is_an_error(book: Codebook) -> None:
    with pytest.raises(DataError, match=r"topics: unknown label 'job'.*Did you mean 'jobs'"):
        label_array([{"topics": ("job",)}], book)


def test_json_round_trip() -> None:
    decisions = Decisions((1.5, 2.0), (0.1, -0.1), (0.3, 0.4))
    assert Decisions.from_json(decisions.to_json()) == decisions
