from __future__ import annotations

import numpy as np
import pytest

from framing.codebook import Codebook
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.ceiling import coder_figures
from framing.evaluation.figures import Figure
from framing.evaluation.schema import BESIDE, CODERS
from framing.evaluation.units import people_answers
from framing.records import Annotation, Sentence

SENTENCES = [Sentence(f"s{k}", "Text.", f"d{k}") for k in range(20)]
RESAMPLES = Resamples.draw([s.doc_id for s in SENTENCES], 20, np.random.default_rng(0))


def coded(coder: str, prices: set[int], rows: range = range(20)) -> list[Annotation]:
    """Who finds prices there, and views them well; all speakers are the government."""
    found = []
    for k in rows:
        values: dict[str, tuple[str, ...]] = {"topics": (), "speaker": ("government",)}
        if k in prices:
            values |= {"topics": ("prices",), "view.prices": ("good",)}
        found.append(Annotation(f"s{k}", coder, values))
    return found


def figure(found: list[Figure], metric: str, variable: str, label: str) -> Figure:
    (one,) = [f for f in found if (f.metric, f.variable, f.label) == (metric, variable, label)]
    return one


def test_a_label_that_a_coder_missed_is_missed_end_to_end(book: Codebook) -> None:
    annotations = coded("Ana", set(range(20))) + coded("Ben", set(range(0, 20, 2)))
    model = people_answers(coded("model", set(range(20))), book)
    found = coder_figures(annotations, SENTENCES, model, book, RESAMPLES)
    # Each is right in half of what one of the two has more than the other.
    for name, recall in ((CODERS, 0.75), (BESIDE, 1.0)):
        assert figure(found[name], "precision", "view", "pairs").values[0] == pytest.approx(0.75)
        assert figure(found[name], "recall", "view", "pairs").values[0] == pytest.approx(recall)
    right = figure(found[CODERS], "exact_match", "all", "")
    assert (right.values[0], right.support) == (0.5, 20)
    # The value alone is compared where both give the label, and there it is the same.
    accuracy = [f for f in found[CODERS] if (f.metric, f.head) == ("accuracy", "view.prices")]
    assert [(f.values[0], f.support) for f in accuracy] == [(1.0, 10)]


def test_means_are_over_the_same_coders_on_both_sides(book: Codebook) -> None:
    first, second = range(10), range(10, 20)
    annotations = [
        *(a for name in ("Ana", "Ben") for a in coded(name, {1, 2}, first)),
        *(a for name in ("Cem", "Dan") for a in coded(name, set(), second)),
    ]
    # Where Cem and Dan find no prices, the model does once: a mean with 0 for its F1 there would
    # stand beside one of Ana and Ben alone.
    model = people_answers(coded("model", {1, 2, 15}), book)
    found = coder_figures(annotations, SENTENCES, model, book, RESAMPLES)
    for name in (CODERS, BESIDE):
        prices = figure(found[name], "f1", "topics", "prices")
        assert prices.values[0] == 1
        assert prices.note == "mean of 2 coders"
