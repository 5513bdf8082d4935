import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from framing.codebook import parse_codebook
from framing.data.benchmarks import OfficialFigure, Published
from framing.decisions import Decisions, to_predictions
from framing.evaluation.schema import from_dict, to_dict
from framing.evaluation.scoring import (
    DataDescription,
    EvaluationSettings,
    System,
    evaluate_systems,
)
from framing.evaluation.seeds import summarise_seeds
from framing.records import Annotation, Sentence
from framing.report import render_seed_summary

BOOK = parse_codebook("""
name: stances
variables:
  - {id: stance, kind: single_label, labels: [{id: none}, {id: against}, {id: favor}]}
""")
N = 60
FIGURE = OfficialFigure(
    name="Mean F1",
    metric="mean_f1",
    variable="stance",
    labels=("against", "favor"),
    scale=100,
    n=N,
    protocol="Pooled.",
    published=(Published("Best", 72.9, "its paper", "125M"),),
)


def scored(*figures: OfficialFigure, unscored: str = ""):
    """Two targets; the model right in about two thirds, a baseline that always says against."""
    rng = np.random.default_rng(0)
    labels = BOOK.variables[0].label_ids
    gold = rng.integers(0, 3, N)
    model = np.where(rng.random(N) < 0.6, gold, rng.integers(0, 3, N))
    sentences = [
        Sentence(str(k), "t", str(k), target="ab"[k % 2], metadata={"set": "xy"[k % 2]})
        for k in range(N)
    ]
    answers = {"model": model, "majority": np.ones(N, dtype=int)}
    ids = [s.id for s in sentences]
    decisions = Decisions.identity(3)
    scores = evaluate_systems(
        run="r",
        bundle="",
        book=BOOK,
        data=DataDescription("stances", "test", "", "", official=figures),
        sentences=sentences,
        annotations=[],
        gold=[
            Annotation(i, "gold", {"stance": (labels[g],)}) for i, g in zip(ids, gold, strict=True)
        ],
        systems=[
            System(
                name,
                "model" if name == "model" else "baseline",
                "",
                to_predictions(ids, np.eye(3)[found] * 0.8 + 0.2 / 3, BOOK, decisions, name),
                unscored={"stance": "no keywords"} if name == unscored else {},
            )
            for name, found in answers.items()
        ],
        decisions=decisions,
        settings=EvaluationSettings(resamples=200),
        leakage=None,
        facts={},
    )
    return scores, gold, answers


def expected(gold, predicted, labels=(1, 2)):
    return 100 * f1_score(gold, predicted, labels=labels, average="macro", zero_division=0)


def test_an_official_figure_of_model_and_baselines():
    scores, gold, answers = scored(FIGURE)
    (found,) = scores.official
    assert found.value == pytest.approx(expected(gold, answers["model"]))
    assert found.low < found.value < found.high
    assert (found.n, found.scale, found.protocol, found.note) == (N, 100, "Pooled.", "")
    (baseline,) = found.baselines
    assert baseline.system == "majority"
    assert baseline.value == pytest.approx(expected(gold, answers["majority"]))
    assert [(p.system, p.value, p.parameters) for p in found.published] == [("Best", 72.9, "125M")]
    assert from_dict(json.loads(json.dumps(to_dict(scores)))) == scores


def test_a_baseline_with_nothing_to_go_on_has_no_official_figure():
    scores, _, _ = scored(FIGURE, unscored="majority")
    (found,) = scores.official
    assert found.value is not None
    assert found.baselines == ()


def test_the_interval_is_that_of_the_other_figures():
    all_labels = OfficialFigure("Macro-F1", "mean_f1", "stance", N, "All labels.")
    scores, _, _ = scored(all_labels)
    (found,) = scores.official
    macro = next(s for s in scores.systems[0].scores if (s.metric, s.label) == ("f1", "macro"))
    assert (found.value, found.low, found.high) == pytest.approx(
        (macro.value, macro.low, macro.high)
    )


@pytest.mark.parametrize(("field", "value"), [("set", "y"), ("target", "b")])
def test_only_the_sentences_of_the_protocol_count(field: str, value: str):
    part = OfficialFigure("Part", "mean_f1", "stance", N // 2, "Odd.", where={field: value})
    scores, gold, answers = scored(part)
    (found,) = scores.official
    assert 100 * found.value == pytest.approx(
        expected(gold[1::2], answers["model"][1::2], labels=(0, 1, 2))
    )
    assert (found.n, found.note) == (N // 2, "")


def test_other_sentences_than_the_protocol_names_are_told():
    whole = OfficialFigure("Whole", "accuracy", "stance", 1249, "All.")
    nothing = OfficialFigure("None", "accuracy", "stance", 1249, "All.", where={"set": "z"})
    scores, gold, answers = scored(whole, nothing)
    (found,) = scores.official
    assert found.value == pytest.approx((gold == answers["model"]).mean())
    assert found.note.startswith("60 test sentences instead of the 1,249 of the protocol")


def test_other_data_have_no_official_figures():
    scores, _, _ = scored()
    assert scores.official == ()


def test_seeds_summarise_official_figures():
    scores, _, _ = scored(FIGURE)
    other = replace(scores, run="s", official=(replace(scores.official[0], value=50.0),))
    summary = summarise_seeds([scores, other])
    found = next(s for s in summary.scores if s.metric == "official")
    assert (found.label, found.n) == ("Mean F1", 2)
    assert found.mean == pytest.approx((scores.official[0].value + 50) / 2)
    assert "| All variables | Mean F1 | Official |" in render_seed_summary(summary, scores)
