import numpy as np
import pytest

from framing.arrays import LabelArray
from framing.codebook import parse_codebook
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.figures import all_figures, fold_figures
from framing.evaluation.units import Answers

BOOK = parse_codebook(
    "name: one\nvariables:\n  - {id: themes, kind: multi_label, labels: [{id: x}, {id: y}]}"
)
#: Documents of four sentences, dealt into two folds.
DOCUMENT = np.repeat(np.arange(40), 4)
FOLD = DOCUMENT % 2


def answers(values: np.ndarray, probabilities: np.ndarray | None = None) -> Answers:
    return Answers(LabelArray(values, np.ones((len(values), 1), dtype=bool)), probabilities)


def study() -> tuple[Answers, np.ndarray, Resamples]:
    """Gold, scores of one model that ranks well, and resamples."""
    rng = np.random.default_rng(0)
    gold = rng.random((160, 2)) < 0.3
    scores = np.clip(0.3 + 0.2 * gold + rng.normal(0, 0.1, gold.shape), 0.01, 0.59)
    resamples = Resamples.draw([f"d{d:02}" for d in DOCUMENT], 50, rng)
    return answers(gold), scores, resamples


def by_metric(figures):
    return {figure.metric: figure for figure in figures}


def test_models_with_scales_of_their_own_rank_as_well_as_one():
    gold, scores, resamples = study()
    decided = scores >= 0.4
    shifted = scores + 0.4 * FOLD[:, None]
    one, two = (
        by_metric(fold_figures(gold, answers(decided, s), FOLD, BOOK, resamples))
        for s in (scores, shifted)
    )
    np.testing.assert_allclose(two["average_precision"].values, one["average_precision"].values)
    pooled = all_figures(gold, answers(decided, shifted), BOOK, resamples, bins=1)
    (together,) = [f for f in pooled if (f.metric, f.label) == ("average_precision", "macro")]
    assert together.values[0] < two["average_precision"].values[0] - 0.05


def test_average_precision_is_the_mean_of_the_folds_and_f1_of_all_counts():
    gold, scores, resamples = study()
    given = answers(scores >= 0.4, scores)
    found = by_metric(fold_figures(gold, given, FOLD, BOOK, resamples))
    parts = []
    for k in (0, 1):
        inside = np.equal(FOLD, k)
        part = Resamples.draw([f"d{d:02}" for d in DOCUMENT[inside]], 0, np.random.default_rng(0))
        sides = answers(gold.labels.values[inside]), answers(scores[inside] >= 0.4, scores[inside])
        figures = all_figures(*sides, BOOK, part, bins=1)
        parts += [f for f in figures if (f.metric, f.label) == ("average_precision", "macro")]
    mean = np.mean([f.values[0] for f in parts])
    assert found["average_precision"].values[0] == pytest.approx(mean)
    whole = all_figures(gold, given, BOOK, resamples, bins=1)
    (f1,) = [f for f in whole if (f.metric, f.label) == ("f1", "macro")]
    np.testing.assert_array_equal(found["f1"].values, f1.values)


def test_people_have_no_scores_to_rank_by():
    gold, _, resamples = study()
    with pytest.raises(ValueError, match="no probabilities to rank by"):
        fold_figures(gold, gold, FOLD, BOOK, resamples)
