from __future__ import annotations

import numpy as np
import pytest

from framing.evaluation.prevalence import Estimate, estimate_prevalence
from framing.metrics import Counts

TPR, FPR = 0.8, 0.02


def development(
    rng: np.random.Generator,
    share: float = 0.15,
    documents: int = 150,
    each: int = 12,
    fpr: float = FPR,
) -> Counts:
    """Outcomes of a model with these rates, by document, of one label."""
    true = rng.random((documents, each)) < rng.beta(1, 1 / share - 1, (documents, 1))
    return _counts(true, _labelled(true, rng, fpr))


def _labelled(true: np.ndarray, rng: np.random.Generator, fpr: float = FPR) -> np.ndarray:
    found: np.ndarray = rng.random(true.shape) < np.where(true, TPR, fpr)
    return found


def _counts(true: np.ndarray, labelled: np.ndarray) -> Counts:
    cells = (true & labelled, ~true & labelled, true & ~labelled, ~true & ~labelled)
    return Counts(*(cell.sum(axis=1, keepdims=True).astype(float) for cell in cells))


def plain(tp: int, fp: int, fn: int, tn: int, documents: int = 20) -> Counts:
    """The same outcomes in every document."""
    return Counts(*(np.full((documents, 1), float(x)) for x in (tp, fp, fn, tn)))


def uncertain() -> Counts:
    """Rates that lie far apart for the sake of one document: elsewhere nothing is found."""
    cells = ([38] + [0] * 19, [1] * 20, [2] + [3] * 19, [19] * 20)
    return Counts(*(np.array(cell, dtype=float)[:, None] for cell in cells))


def estimate(counts: Counts, labelled: int, sentences: int, resamples: int = 400) -> Estimate:
    (found,) = estimate_prevalence(
        counts,
        np.array([labelled]),
        sentences,
        resamples=resamples,
        confidence=0.95,
        rng=np.random.default_rng(0),
    )
    return found


def coverage(share: float, sentences: int, documents: int, fpr: float) -> float:
    """How often intervals hold the truth, in 200 repetitions."""
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(200):
        true = rng.random((1, sentences)) < share
        labelled = int(_labelled(true, rng, fpr).sum())
        counts = development(rng, documents=documents, fpr=fpr)
        found = estimate(counts, labelled, sentences, resamples=200)
        assert found.low is not None
        assert found.high is not None
        inside.append(found.low <= true.mean() <= found.high)
    return float(np.mean(inside))


@pytest.mark.parametrize(("share", "sentences"), [(0.05, 200), (0.05, 20_000), (0.4, 2_000)])
def test_intervals_hold_the_truth_as_often_as_they_say(share: float, sentences: int) -> None:
    # Three standard errors below 95%; above, the draws of q count the input's chance twice.
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    assert coverage(share, sentences, documents=150, fpr=FPR) > least


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_intervals_hold_the_truth_after_hardly_a_false_alarm(share: float) -> None:
    # About two on the whole development split, and often none.
    assert coverage(share, 5_000, documents=60, fpr=0.003) >= 0.95


def test_estimates_are_right_on_average_where_counts_are_not() -> None:
    rng = np.random.default_rng(6)
    shares = [estimate(development(rng), 590, 10_000, resamples=1).share for _ in range(200)]
    # Labelled: 5.9% = 0.05 * 0.8 + 0.95 * 0.02.
    assert np.mean([share for share in shares if share is not None]) == pytest.approx(
        0.05, abs=0.002
    )


def test_by_hand() -> None:
    found = estimate(plain(4, 1, 1, 19), 140, 1000)
    assert (found.tpr, found.fpr, found.note) == (0.8, 0.05, "")
    assert found.share == pytest.approx(0.12)
    # The documents are all alike, so that little but q varies: Beta(140.5, 860.5).
    drawn = np.random.default_rng(1).beta(140.5, 860.5, 100_000)
    low, high = (np.quantile(drawn, [0.025, 0.975]) - 0.05) / 0.75
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_the_same_draws_give_the_same_estimate() -> None:
    counts = development(np.random.default_rng(0))
    assert estimate(counts, 30, 500) == estimate(counts, 30, 500)


def test_intervals_are_wider_over_documents_that_differ() -> None:
    alike = estimate(plain(4, 1, 1, 19), 14_000, 100_000)
    differing = Counts(
        *(
            np.array(x, dtype=float)[:, None]
            for x in ([8, 0] * 10, [2, 0] * 10, [0, 2] * 10, [18, 20] * 10)
        )
    )
    found = estimate(differing, 14_000, 100_000)
    assert found.share == alike.share
    assert found.high - found.low > 3 * (alike.high - alike.low)  # type: ignore[operator]


def test_nothing_labelled() -> None:
    found = estimate(plain(4, 1, 1, 19), 0, 1000)
    assert (found.share, found.low, found.high, found.note) == (0, 0, 0, "")
    # Without a false alarm in sight, that none is labelled does not mean that none is there.
    found = estimate(plain(4, 0, 1, 20), 0, 1000)
    assert (found.share, found.low, found.note) == (0, 0, "")
    assert found.high == pytest.approx(0.002, abs=0.001)


def test_a_small_split_without_false_alarms_promises_nothing() -> None:
    found = estimate(plain(3, 0, 1, 4), 200, 10_000)
    assert found.fpr == 0
    assert found.share == pytest.approx(0.02 / 0.75)
    # 80 sentences without the label may hide a rate of 2%.
    assert (found.low, found.note) == (0, "false alarms alone may give this many")
    assert found.high == pytest.approx(0.029, abs=0.003)


def test_everything_labelled() -> None:
    found = estimate(plain(4, 1, 1, 19), 1000, 1000)
    assert (found.share, found.high, found.note) == (1, 1, "")


@pytest.mark.parametrize("labelled", [30, 55])
def test_no_more_than_false_alarms(labelled: int) -> None:
    found = estimate(plain(4, 1, 1, 19), labelled, 1000)
    assert found.share == pytest.approx(max(0, (labelled / 1000 - 0.05) / 0.75))
    assert found.low == 0
    assert found.note == "false alarms alone may give this many"


@pytest.mark.parametrize(
    ("counts", "note"),
    [
        (
            plain(0, 1, 0, 19),
            "only 0 development sentences, in 0 documents, have it; 20 sentences in 20 documents",
        ),
        (plain(0, 1, 1, 19, 19), "only 19 development sentences, in 19 documents, have it; 20"),
        (
            plain(0, 1, 1, 19, 1),
            "only 1 development sentence, in 1 document, has it; 20",
        ),
        (plain(4, 1, 1, 19, 19), "only 95 development sentences, in 19 documents, have it"),
        (plain(4, 0, 1, 0), "only 0 development sentences, in 0 documents, lack it"),
        (plain(1, 1, 4, 4), "that have it and to 20% of those that lack it; the first must"),
        (plain(1, 4, 4, 1), "gives it to 20% of the sentences that have it and to 80% of those"),
        (
            uncertain(),
            "to 39% of the sentences that have it and to 5% of those that lack it; how far",
        ),
    ],
)
def test_where_nothing_can_be_said(counts: Counts, note: str) -> None:
    found = estimate(counts, 50, 1000)
    assert (found.share, found.low, found.high) == (None, None, None)
    assert note in found.note


def test_rates_that_do_not_exist_are_none() -> None:
    found = estimate(plain(0, 1, 0, 19), 50, 1000)
    assert (found.tpr, found.fpr) == (None, 0.05)


def test_labels_do_not_mix() -> None:
    first, second = plain(4, 1, 1, 19), plain(5, 0, 0, 20)
    both = Counts(
        *(
            np.hstack([getattr(c, name) for c in (first, second)])
            for name in ("tp", "fp", "fn", "tn")
        )
    )
    found = estimate_prevalence(
        both, np.array([140, 70]), 1000, resamples=50, confidence=0.95, rng=np.random.default_rng(0)
    )
    assert [x.share for x in found] == pytest.approx([0.12, 0.07])


def test_an_interval_does_not_depend_on_counts_of_other_labels() -> None:
    counts = development(np.random.default_rng(0))
    both = Counts(*(np.hstack([getattr(counts, name)] * 2) for name in ("tp", "fp", "fn", "tn")))
    first, second = (
        estimate_prevalence(
            both,
            np.array([other, 60]),
            1000,
            resamples=50,
            confidence=0.95,
            rng=np.random.default_rng(0),
        )
        for other in (3, 700)
    )
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_sentences_that_are_documents_of_their_own() -> None:
    rng = np.random.default_rng(0)
    counts = development(rng, documents=1500, each=1)
    found = estimate(counts, 60, 1000)
    # Against the variance of the formula (Rogan and Gladen 1978, equation 7).
    true, false = counts.tp.sum() + counts.fn.sum(), counts.fp.sum() + counts.tn.sum()
    assert found.share is not None
    assert found.tpr is not None
    assert found.fpr is not None
    variance = (
        0.06 * 0.94 / 1000
        + found.share**2 * found.tpr * (1 - found.tpr) / true
        + (1 - found.share) ** 2 * found.fpr * (1 - found.fpr) / false
    ) / (found.tpr - found.fpr) ** 2
    width = 2 * 1.96 * np.sqrt(variance)
    assert found.high - found.low == pytest.approx(width, rel=0.15)  # type: ignore[operator]
