import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from framing.codebook import load_codebook, parse_codebook
from framing.data.gold import gold_annotations
from framing.decisions import Decisions, calibrated_probabilities, to_predictions
from framing.errors import ConfigError, DataError
from framing.evaluation import schema
from framing.evaluation.details import Coded, suspects
from framing.evaluation.scoring import (
    DataDescription,
    EvaluationSettings,
    System,
    evaluate_systems,
)
from framing.evaluation.units import people_answers, system_answers
from framing.records import Annotation, Sentence
from tests.unit.evaluation.conftest import PROBABILITIES

REPOSITORY = Path(__file__).parents[3]
REAL = REPOSITORY.parent / "shared" / "real"


@pytest.fixture(scope="module")
def scores(example):
    return example.scores()


@pytest.mark.parametrize(
    ("key", "value", "support"),
    [
        (("f1", "topics", "topics", "economy"), 1 / 2, 2),
        (("f1", "topics", "topics", "health"), 1, 2),
        (("f1", "topics", "topics", "macro"), 3 / 4, 4),
        (("f1", "topics", "topics", "micro"), 6 / 8, 4),
        (("exact_match", "topics", "topics", ""), 1 / 2, 4),
        (("average_precision", "topics", "topics", "economy"), 5 / 6, 2),
        (("average_precision", "topics", "topics", "macro"), 11 / 12, 4),
        (("brier", "topics", "topics", "economy"), (0.01 + 0.36 + 0.36 + 0.01) / 4, 2),
        # One probability a bin: the mean gap between p and y.
        (("calibration_error", "topics", "topics", "economy"), (0.1 + 0.6 + 0.6 + 0.1) / 4, 2),
        # Given gold's topics: good/good, bad/bad, neutral/good.
        (("f1", "tone", "", "macro"), (2 / 3 + 1 + 0) / 3, 3),
        (("accuracy", "tone", "", ""), 2 / 3, 3),
        (("accuracy", "tone", "tone.economy", ""), 1, 2),
        (("accuracy", "tone", "tone.health", ""), 0, 1),
        (("f1", "tone", "tone.economy", "macro"), 1, 2),
        # End to end: one pair found, two wrongly given, two missed.
        (("f1", "tone", "", "pairs"), 2 / 6, 3),
        (("precision", "tone", "", "pairs"), 1 / 3, 3),
        (("f1", "voice", "voice", "micro"), 2 / 3, 3),
        (("kappa", "voice", "voice", ""), 0.4, 3),
        (("brier", "voice", "voice", ""), (0.02 + 0.18 + 0.72) / 3, 3),
        (("exact_match", "all", "", ""), 1 / 3, 3),
    ],
)
def test_figures_by_hand(scores, score, key, value, support):
    found = score(scores, *key)
    assert found.value == pytest.approx(value)
    assert found.support == support


def test_every_figure_stands_once(scores):
    for system in scores.systems:
        keys = [(s.metric, s.variable, s.head, s.label) for s in system.scores]
        assert len(keys) == len(set(keys))


def test_absent_labels_are_undefined_and_named(scores, score):
    absent = score(scores, "f1", "tone", "tone.economy", "neutral")
    assert absent.value is None
    assert absent.low is None
    assert absent.note == "neither gold nor predicted instances"
    macro = score(scores, "f1", "tone", "tone.economy", "macro")
    assert macro.note.startswith("without absent labels: neutral")
    nothing = score(scores, "precision", "tone", "", "neutral")
    assert nothing.value == 0
    assert nothing.note.startswith("nothing predicted, counted as 0")


def test_uncoded_heads_are_counted(scores):
    assert scores.data.uncoded == {
        "topics": 0,
        "tone.economy": 0,
        "tone.health": 1,
        "voice": 1,
    }
    assert (scores.data.sentences, scores.data.documents) == (4, 3)
    assert scores.signature.resamples == 50


def test_json_there_and_back(scores):
    text = json.dumps(schema.to_dict(scores), allow_nan=False)
    assert schema.from_dict(json.loads(text)) == scores


def test_the_order_of_predictions_and_gold_does_not_count(example, scores):
    system = example.system()
    turned = dataclasses.replace(system, predictions=list(reversed(system.predictions)))
    assert example.scores([turned], gold=tuple(reversed(example.gold))) == scores


def test_the_same_seed_gives_the_same_intervals(example, scores):
    assert example.scores() == scores
    other = example.scores(settings=EvaluationSettings(resamples=50, seed=1))
    assert other.systems != scores.systems


def test_a_system_equal_to_the_model_differs_by_nothing(example):
    found = example.scores([example.system(), example.system("twin", "baseline")])
    assert {(c.other, c.difference, c.low, c.high, c.p_value) for c in found.comparisons} == {
        ("twin", 0, 0, 0, 1)
    }
    assert [(c.metric, c.variable, c.label) for c in found.comparisons] == [
        ("f1", "topics", "macro"),
        ("f1", "topics", "economy"),
        ("f1", "topics", "health"),
        ("average_precision", "topics", "macro"),
        ("f1", "tone", "macro"),
        ("f1", "voice", "macro"),
    ]


def test_a_system_has_no_figures_where_it_has_nothing_to_go_on(example):
    unscored = {"tone": "no keywords", "voice": "no keywords"}
    part = dataclasses.replace(example.system("keywords", "baseline"), unscored=unscored)
    found = example.scores([example.system(), part])
    model, keywords = found.systems
    assert {s.variable for s in model.scores} == {"topics", "tone", "voice", "all"}
    assert {s.variable for s in keywords.scores} == {"topics"}
    assert keywords.unscored == unscored
    assert {c.variable for c in found.comparisons} == {"topics"}
    assert schema.from_dict(json.loads(json.dumps(schema.to_dict(found)))) == found


def test_differences_are_model_minus_other(example):
    worse = np.full((4, example.book.n_logits), 0.0)
    for head in example.book.heads:
        worse[:, head.start] = 1.0
    found = example.scores([example.system(), example.system("first", "baseline", worse)])
    one = next(c for c in found.comparisons if c.label == "health")
    assert one.difference == 1.0
    assert one.low > 0


def test_perfect_predictions(example, score):
    columns = {
        label: head.start + k
        for head in example.book.heads
        for k, label in enumerate(f"{head.name}:{x}" for x in head.labels)
    }
    perfect = np.zeros((4, example.book.n_logits))
    for row, gold in enumerate(example.gold):
        for head in example.book.heads:
            if head.kind == "single_label" and not gold.values.get(head.name):
                perfect[row, head.start] = 1
            for label in gold.values.get(head.name, ()):
                perfect[row, columns[f"{head.name}:{label}"]] = 1
    found = example.scores([example.system(probabilities=perfect)])
    for one in found.systems[0].scores:
        best = 0 if one.metric in ("brier", "calibration_error", "log_loss") else 1
        if one.value is None:
            assert one.note
        else:
            assert one.value == pytest.approx(best, abs=1e-5), one
    assert found.errors == ()


def test_one_document_gives_figures_without_intervals(example):
    sentences = tuple(dataclasses.replace(s, doc_id="d") for s in example.sentences)
    found = example.scores(
        [example.system(), example.system("twin", "baseline")], sentences=sentences
    )
    assert all(s.low is None and s.high is None for s in found.systems[0].scores)
    assert found.comparisons == ()
    assert found.signature.resamples == 0
    assert "one document" in found.facts["warning_documents"]
    assert found.facts["encoder"] == "tiny"


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        (9, ["only 9 documents", "fewer than 20", "below 10 no difference is judged"]),
        (19, ["only 19 documents", "fewer than 20"]),
        (20, []),
    ],
)
def test_few_documents_are_a_warning(example, documents, said):
    found = many_documents(example, documents).facts.get("warning_documents", "")
    assert [text for text in said if text not in found] == []
    assert bool(found) == bool(said)
    assert ("no difference is judged" in found) == (documents < 10)


def many_documents(example, n):
    """Scores of the example's four sentences, again and again, in n documents."""
    copies = [
        (dataclasses.replace(s, id=f"{s.id}-{k}", doc_id=f"d{k}"), gold)
        for k in range(n)
        for s, gold in zip(example.sentences, example.gold, strict=True)
    ]
    large = dataclasses.replace(
        example,
        sentences=tuple(s for s, _ in copies),
        gold=tuple(dataclasses.replace(gold, sentence_id=s.id) for s, gold in copies),
    )
    predictions = example.system().predictions * n
    found = [
        dataclasses.replace(p, sentence_id=s.id)
        for p, s in zip(predictions, large.sentences, strict=True)
    ]
    return large.scores([System("model", "model", "The model.", found)])


@pytest.mark.parametrize(
    ("key", "documents"),
    [
        # Economy is gold in d1 and given in d1 and d2; health is gold and given in d1 and d3.
        (("precision", "topics", "topics", "economy"), 2),
        (("recall", "topics", "topics", "economy"), 1),
        (("f1", "topics", "topics", "economy"), 2),
        (("average_precision", "topics", "topics", "economy"), 1),
        (("recall", "topics", "topics", "macro"), 2),
        (("f1", "topics", "topics", "macro"), 3),
        (("f1", "topics", "topics", "micro"), 3),
        (("brier", "topics", "topics", "economy"), 3),
        # The stance of s1 and s2 alone is coded.
        (("f1", "tone", "", "macro"), 1),
        (("accuracy", "tone", "tone.health", ""), 1),
        (("recall", "tone", "", "pairs"), 1),
        (("precision", "tone", "", "pairs"), 2),
        (("accuracy", "voice", "voice", ""), 2),
        (("exact_match", "all", "", ""), 2),
    ],
)
def test_documents_are_those_that_hold_what_a_figure_is_made_of(scores, score, key, documents):
    assert score(scores, *key).documents == documents


def test_a_difference_rests_on_the_documents_of_both_systems(example):
    other = np.array(PROBABILITIES)
    other[:, 0] = [0.9, 0.9, 0.1, 0.9]  # economy in d1 and d3 in place of d1 and d2
    found = example.scores([example.system(), example.system("x", "baseline", other)])
    documents = {(c.variable, c.label, c.metric): c.documents for c in found.comparisons}
    assert documents["topics", "economy", "f1"] == 3
    assert documents["topics", "health", "f1"] == 2
    assert documents["tone", "macro", "f1"] == 1


def test_scores_without_documents_of_figures_can_be_read(scores):
    old = schema.to_dict(scores)
    for score in old["systems"][0]["scores"]:
        del score["documents"]
    assert schema.from_dict(old).systems[0].scores[0].documents is None


def test_no_resamples_give_figures_without_intervals(example, score):
    found = example.scores(settings=EvaluationSettings(resamples=0))
    one = score(found, "f1", "topics", "topics", "macro")
    assert (one.value, one.low, one.high) == (0.75, None, None)


def test_resamples_without_a_label_are_counted(scores, score):
    one = score(scores, "f1", "topics", "topics", "economy")
    assert "of 50 resamples, which are left out" in one.note
    assert one.low <= one.value <= one.high


def test_a_figure_in_one_document_has_no_interval(scores, score):
    one = score(scores, "average_precision", "topics", "topics", "economy")
    assert (one.value, one.low, one.high) == (pytest.approx(5 / 6), None, None)
    assert one.note == "stands in one document, so no interval"


@pytest.mark.parametrize(
    ("right", "metric", "label", "interval"),
    [
        (True, "recall", "x", (0.05 ** (1 / 25), 1)),
        (True, "f1", "x", (0.05 ** (1 / 25), 1)),
        (True, "exact_match", "", (0.05 ** (1 / 25), 1)),
        (True, "f1", "macro", (None, None)),
        (True, "average_precision", "x", (None, None)),
        (False, "recall", "x", (0, 1 - 0.05 ** (1 / 25))),
        (False, "f1", "x", (0, 2 * (1 - 0.05 ** (1 / 25)) / (2 - 0.05 ** (1 / 25)))),
    ],
)
def test_what_is_the_same_in_every_resample_is_not_certain(
    example, score, right, metric, label, interval
):
    """25 documents with one instance each, all of them found or none."""
    _, arguments = rare(given=[])
    sentences = [Sentence(f"s{k:02}", "t", f"d{k:02}") for k in range(25)]
    probabilities = np.tile([0.9 if right else 0.1, 0.0], (25, 1))
    predictions = to_predictions(
        [s.id for s in sentences], probabilities, arguments["book"], Decisions.identity(2), "m"
    )
    found = example.scores(
        **arguments
        | {
            "sentences": sentences,
            "gold": [Annotation(s.id, "gold", {"themes": ("x",)}) for s in sentences],
            "systems": [System("model", "model", "", predictions)],
        }
    )
    one = score(found, metric, "themes", "themes", label)
    assert one.value == right
    assert (one.low, one.high) == pytest.approx(interval)
    assert "the same in every resample" in one.note


def annotations(example, *coders):
    return [
        Annotation(s.id, name, values)
        for name, rows in coders
        for s, values in zip(example.sentences, rows, strict=True)
    ]


A = (
    {"topics": ("economy",), "tone.economy": ("good",), "voice": ("paper",)},
    {"topics": ("health",), "tone.health": ("bad",), "voice": ("quoted",)},
    {"topics": (), "voice": ("paper",)},
    {"topics": ("health",), "tone.health": ("good",), "voice": ("paper",)},
)
B = (
    {"topics": ("economy",), "tone.economy": ("good",), "voice": ("quoted",)},
    {"topics": ("economy", "health"), "tone.economy": ("bad",), "tone.health": ("bad",),
     "voice": ("quoted",)},
    {"topics": (), "voice": ("paper",)},
    {"topics": (), "voice": ("paper",)},
)  # fmt: skip


def test_the_ceiling_is_each_coder_against_the_rest(example, score):
    found = example.scores(annotations=annotations(example, ("A", A), ("B", B)))
    coders = found.systems[-1]
    assert (coders.name, coders.kind) == ("coders", "ceiling")
    assert score(found, "f1", "topics", "topics", "economy", system=-1).value == pytest.approx(
        2 / 3
    )
    assert score(found, "f1", "topics", "topics", "health", system=-1).value == pytest.approx(2 / 3)
    # A's precision is B's recall: their mean is that of 1 and 1/2.
    assert score(
        found, "precision", "topics", "topics", "economy", system=-1
    ).value == pytest.approx(0.75)
    assert score(found, "accuracy", "voice", "voice", "", system=-1).value == pytest.approx(3 / 4)
    # Only where both give the topic: s1 economy, s2 health.
    tone = score(found, "accuracy", "tone", "", "", system=-1)
    assert (tone.value, tone.support) == (1, 2)
    assert "mean of 2 coders" in tone.note
    assert {s.metric for s in coders.scores} == {
        "precision", "recall", "f1", "exact_match", "accuracy", "kappa",
    }  # fmt: skip
    compared = [c for c in found.comparisons if c.other == "coders"]
    assert {c.metric for c in compared} == {"f1"}
    assert found.data.coders == ("A", "B")
    assert found.agreement


def test_the_model_stands_in_each_coders_place(example, score):
    found = example.scores(annotations=annotations(example, ("A", A), ("B", B)))
    beside = found.systems[-2]
    assert (beside.name, beside.kind) == ("model_beside_coders", "ceiling")
    # The model gives economy to s1 and s3; A to s1 only, B to s1 and s2.
    economy = score(found, "f1", "topics", "topics", "economy", system=-2).value
    assert economy == pytest.approx((2 / 3 + 1 / 2) / 2)
    (compared,) = [
        c
        for c in found.comparisons
        if (c.other, c.variable, c.label, c.metric) == ("coders", "topics", "economy", "f1")
    ]
    assert compared.difference == pytest.approx(economy - 2 / 3)
    assert not [c for c in found.comparisons if c.other == "model_beside_coders"]
    assert {s.metric for s in beside.scores} == {s.metric for s in found.systems[-1].scores}


def test_the_model_is_scored_on_no_more_than_a_coder_coded(example, score):
    # B left the voice of s2 open; there the model is not measured against A either.
    rows = (B[0], {"topics": ("economy", "health")}, B[2], B[3])
    found = example.scores(annotations=annotations(example, ("A", A), ("B", rows)))
    for system in (-2, -1):
        assert score(found, "accuracy", "voice", "voice", "", system=system).support == 3


def test_a_coder_of_few_sentences_is_not_in_the_ceiling(example, score):
    """C coded 2 of 40 sentences, and those wrong: he must not count as much as A and B."""
    sentences = [Sentence(f"s{k:02}", "t", f"d{k:02}") for k in range(40)]
    given = [
        Annotation(s.id, coder, {"topics": ("economy",) * (k % 2), "voice": ("paper",)})
        for coder in "AB"
        for k, s in enumerate(sentences)
    ]
    wrong = [Annotation(s.id, "C", {"topics": ("health",)}) for s in sentences[:2]]
    probabilities = np.tile(PROBABILITIES[0], (40, 1))
    decisions, ids = Decisions.identity(example.book.n_logits), [s.id for s in sentences]
    predictions = to_predictions(ids, probabilities, example.book, decisions, "m")
    found = example.scores(
        [System("model", "model", "", predictions)],
        sentences=sentences,
        annotations=given + wrong,
        gold=gold_annotations(given, example.book),
    )
    economy = score(found, "recall", "topics", "topics", "economy", system=-1)
    assert economy.note.startswith("mean of 2 coders, 1 coder of few sentences left out")
    assert "left out" in score(found, "f1", "topics", "topics", "macro", system=-2).note


def test_no_ceiling_without_two_coders_on_a_sentence(example):
    one = example.scores(annotations=annotations(example, ("A", A)))
    assert [s.name for s in one.systems] == ["model"]
    assert one.agreement == ()
    apart = annotations(example, ("A", A))[:2] + annotations(example, ("B", B))[2:]
    assert [s.name for s in example.scores(annotations=apart).systems] == ["model"]


@pytest.mark.parametrize(("tied", "said"), [(0, ""), (1, ""), (2, "voice (2 of 21)")])
def test_many_ties_are_a_warning(example, tied, said):
    """21 sentences of two coders, who disagree on the voice of some."""
    sentences = [Sentence(f"s{k:02}", "t", f"d{k:02}") for k in range(21)]
    voices = [("quoted" if k < tied else "paper", "paper") for k in range(21)]
    given = [
        Annotation(s.id, coder, {"topics": (), "voice": (voice,)})
        for s, pair in zip(sentences, voices, strict=True)
        for coder, voice in zip("AB", pair, strict=True)
    ]
    decisions = Decisions.identity(example.book.n_logits)
    probabilities = np.tile(PROBABILITIES[0], (21, 1))
    ids = [s.id for s in sentences]
    predictions = to_predictions(ids, probabilities, example.book, decisions, "m")
    found = example.scores(
        [System("model", "model", "", predictions)],
        sentences=sentences,
        annotations=given,
        gold=gold_annotations(given, example.book),
    )
    text = found.facts.get("warning_ties", "")
    assert said in text
    assert bool(text) == bool(said)


def test_what_gold_leaves_open_is_no_tie_of_a_single_coder(example):
    found = example.scores(annotations=annotations(example, ("A", A)))
    assert found.data.uncoded["voice"] == 1
    assert "warning_ties" not in found.facts


def test_adjudicator_and_gold_are_no_coders(example):
    found = example.scores(
        annotations=annotations(example, ("A", A), ("adjudicator", B), ("gold", B))
    )
    assert found.data.coders == ("A",)
    assert [s.name for s in found.systems] == ["model"]


def test_confident_errors(example):
    found = example.scores(annotations=annotations(example, ("A", A), ("B", B)))
    wrong = [(e.sentence_id, e.head, e.label, e.probability) for e in found.errors]
    # Missed economy in s2 (1 - 0.4), given economy and quoted in s3 (0.6), tone in s2 (0.5).
    assert wrong == [
        ("s2", "topics", "economy", 0.4),
        ("s3", "topics", "economy", 0.6),
        ("s3", "voice", "quoted", 0.6),
        ("s2", "tone.health", "good", 0.5),
    ]
    first, second = found.errors[:2]
    assert (first.gold, first.predicted) == (("economy", "health"), ("health",))
    assert first.coders == {"A": "health", "B": "economy, health"}
    assert (first.previous, first.source) == ("Prices fell.", "North")
    assert second.coders == {"A": "(none present)", "B": "(none present)"}
    assert len(example.scores(settings=EvaluationSettings(resamples=0, max_errors=2)).errors) == 2


def test_suspects_are_ranked_by_the_probability_of_the_code(example):
    probabilities = PROBABILITIES.copy()
    probabilities[1, 5:8] = (0.6, 0.2, 0.2)
    probabilities[2, 0], probabilities[2, 8:] = 0.75, (0.35, 0.65)
    coded = Coded(
        gold=people_answers(example.gold, example.book),
        model=system_answers(
            example.system(probabilities=probabilities).predictions, example.book, "model"
        ),
        book=example.book,
        sentences=example.sentences,
        annotations=annotations(example, ("A", A)),
        source_fields=("source",),
    )
    found = list(suspects(coded))
    # What the model gives to the code itself: a single_label head's decided label would leave
    # 0.4 and 0.35, an economy that gold lacks has 1 - 0.75.
    assert [(s.error.sentence_id, s.error.head, s.error.label) for s in found] == [
        ("s2", "tone.health", "good"),
        ("s3", "topics", "economy"),
        ("s3", "voice", "quoted"),
        ("s2", "topics", "economy"),
    ]
    assert [s.gold_probability for s in found] == pytest.approx([0.2, 0.25, 0.35, 0.4])
    assert found[1].error.source == "South"
    # A says of s2 that health is there and of economy nothing; only that label counts.
    assert found[3].given == {"A": "economy" in A[1]["topics"]}
    assert found[2].given == {"A": A[2]["voice"][0]}


def test_curves_carry_the_threshold_and_the_point_there(example):
    decisions = Decisions((1.0,) * 10, (0.0,) * 10, (0.5, 0.45, *(0.5,) * 8))
    economy, health = example.scores(decisions=decisions).curves
    assert (economy.label, economy.threshold, health.threshold) == ("economy", 0.5, 0.45)
    assert (economy.at_precision, economy.at_recall, economy.prevalence) == (0.5, 0.5, 0.5)
    assert economy.recall == (0.5, 0.5, 1.0, 1.0)


def test_what_is_not_calibrated_is_kept(example):
    n = example.book.n_logits
    raw = example.scores().uncalibrated
    assert raw[0] == ("topics", "economy")
    assert raw[-1] == ("voice", "")
    fitted = Decisions((0.9,) * n, (0.1,) * n, (0.5,) * n)
    assert example.scores(decisions=fitted).uncalibrated == ()


def test_reliability_confusion_and_prevalence(scores):
    pooled = next(r for r in scores.reliability if (r.variable, r.label) == ("topics", ""))
    assert sum(b.count for b in pooled.bins) == 8
    tone = next(c for c in scores.confusions if c.variable == "tone")
    assert tone.counts == ((1, 0, 0), (0, 1, 0), (1, 0, 0))
    voice = next(p for p in scores.prevalence if (p.head, p.label) == ("voice", "quoted"))
    assert (voice.gold, voice.predicted, voice.n) == (1, 2, 3)


def test_slices(example):
    settings = EvaluationSettings(resamples=20, slice_least=2)
    (found,) = [s for s in example.scores(settings=settings).slices if s.variable == "topics"]
    assert (found.field, found.value, found.n, found.documents) == ("source", "North", 2, 1)
    # economy: one of two found; health: one of one.
    assert found.f1 == pytest.approx((2 / 3 + 1) / 2)
    assert found.low is None
    settings = EvaluationSettings(resamples=20, slice_least=1, max_slices=2)
    assert len({(s.field, s.value) for s in example.scores(settings=settings).slices}) == 2


def many(n_sentences, seed=0):
    """Sentences and gold of a codebook with one multi_label variable."""
    book = parse_codebook(
        "name: one\nvariables:\n  - {id: themes, kind: multi_label, labels: [{id: x}, {id: y}]}"
    )
    rng = np.random.default_rng(seed)
    sentences = [Sentence(f"s{k}", "t", f"d{k // 4}") for k in range(n_sentences)]
    flags = rng.random((n_sentences, 2)) < 0.3
    gold = [
        Annotation(s.id, "gold", {"themes": tuple(x for x, f in zip("xy", row, strict=True) if f)})
        for s, row in zip(sentences, flags, strict=True)
    ]
    probabilities = np.clip(0.3 + 0.3 * flags + rng.normal(0, 0.2, flags.shape), 0, 1)
    predictions = to_predictions(
        [s.id for s in sentences], probabilities, book, Decisions.identity(2), "m"
    )
    return {
        "book": book,
        "sentences": sentences,
        "gold": gold,
        "systems": [System("model", "model", "", predictions)],
        "decisions": Decisions.identity(2),
    }


def test_long_curves_are_thinned_and_intervals_hold_their_figures(example):
    found = example.scores(**many(1000))
    for curve in found.curves:
        assert len(curve.recall) == 200
        assert curve.recall[-1] == 1
        assert list(curve.recall) == sorted(curve.recall)
    for one in found.systems[0].scores:
        assert one.low <= one.value <= one.high, one


def rare(given):
    """Two systems on 60 documents: one label in every document, one in the first alone.

    Args:
        given: Documents in which the second system gives the rare label.
    """
    book = parse_codebook(
        "name: one\nvariables:\n  - {id: themes, kind: multi_label, labels: [{id: x}, {id: y}]}"
    )
    rng = np.random.default_rng(0)
    sentences = [Sentence(f"s{k:03}", "t", f"d{k // 4:02}") for k in range(240)]
    usual = rng.random(240) < 0.4
    found = np.where(usual, rng.random(240) < 0.9, rng.random(240) < 0.05).astype(float)
    first = np.stack([found, np.zeros(240)], axis=1)
    second = np.stack([found, np.isin(np.arange(240) // 4, given)], axis=1)

    def system(name, kind, probabilities):
        predictions = to_predictions(
            [s.id for s in sentences], probabilities, book, Decisions.identity(2), name
        )
        return System(name, kind, "", predictions)

    def gold(documents):
        return [
            Annotation(
                s.id, "gold", {"themes": ("x",) * bool(u) + ("y",) * (s.doc_id in documents)}
            )
            for s, u in zip(sentences, usual, strict=True)
        ]

    return gold, {
        "book": book,
        "sentences": sentences,
        "systems": [system("model", "model", first), system("other", "baseline", second)],
        "decisions": Decisions.identity(2),
        "settings": EvaluationSettings(resamples=400),
    }


def macro_comparison(scores):
    return next(c for c in scores.comparisons if (c.metric, c.label) == ("f1", "macro"))


def test_a_label_that_gold_lacks_decides_no_comparison(example, score):
    gold, arguments = rare(given=[5, 20, 40])
    found = example.scores(gold=gold(()), **arguments)
    one = macro_comparison(found)
    assert (one.difference, one.low, one.high, one.p_value) == (0, 0, 0, 1)
    # The other system's own figure counts its mistake.
    model, other = (score(found, "f1", "themes", "themes", "macro", system=k) for k in (0, 1))
    assert other.value == pytest.approx(model.value / 2)


def test_systems_are_averaged_over_the_same_labels_in_every_resample(example):
    """Resamples without the rare label must not set a mean of one label against one of two."""
    gold, arguments = rare(given=[5, 20, 40])
    one = macro_comparison(example.scores(gold=gold(("d00",)), **arguments))
    assert one.difference == 0
    assert (one.low, one.high) == (0, 0)


def test_a_label_in_one_document_leaves_its_macro_figure_uncertain_by_no_more_than_it_counts(
    example, score
):
    gold, arguments = rare(given=[0])
    found = example.scores(gold=gold(("d00",)), **arguments)
    never, always = (score(found, "f1", "themes", "themes", "macro", system=k) for k in (0, 1))
    label = score(found, "f1", "themes", "themes", "x")
    # Found by neither or by all: where it is not drawn it may be worth nothing or half the mean.
    assert never.low < label.low / 2 + 0.01
    assert never.high > label.value / 2 + 0.45
    assert always.low < label.value / 2
    assert always.high < (1 + label.high) / 2 + 0.01


def test_a_codebook_of_one_single_label_variable(example, score):
    book = parse_codebook(
        "name: one\nvariables:\n  - {id: side, kind: single_label, labels: [{id: l}, {id: r}]}"
    )
    gold = [Annotation(s.id, "gold", {"side": ("l",)}) for s in example.sentences]
    predictions = to_predictions(
        [s.id for s in example.sentences],
        np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]]),
        book,
        Decisions.identity(2),
        "m",
    )
    found = example.scores(
        [System("model", "model", "", predictions)],
        book=book,
        gold=gold,
        decisions=Decisions.identity(2),
    )
    assert score(found, "accuracy", "side", "side").value == 0.75
    assert score(found, "exact_match", "all").value == 0.75
    # r is predicted once and never gold: its F1 is 0 and counts.
    assert score(found, "f1", "side", "side", "macro").value == pytest.approx((6 / 7 + 0) / 2)
    assert score(found, "kappa", "side", "side").value == 0


def test_nothing_coded_for_a_variable(example, score):
    gold = [Annotation(s.id, "gold", {"topics": ()}) for s in example.sentences]
    found = example.scores(gold=gold)
    one = score(found, "f1", "voice", "voice", "macro")
    assert (one.value, one.note) == (None, "no unit was coded")
    assert score(found, "exact_match", "all").note == "no sentence has everything coded"
    assert score(found, "average_precision", "topics", "topics", "macro").value is None
    assert found.curves == ()
    json.dumps(schema.to_dict(found), allow_nan=False)


def test_id_errors(example):
    system = example.system()
    short = dataclasses.replace(system, predictions=system.predictions[1:])
    with pytest.raises(
        DataError, match=r"'model': expected one for each of 4 [^$]*1 sentence\(s\) missing: s1"
    ):
        example.scores([short])
    with pytest.raises(DataError, match="2 not among the sentences scored: s3, s4"):
        example.scores(sentences=example.sentences[:2])
    twice = dataclasses.replace(system, predictions=[*system.predictions, system.predictions[0]])
    with pytest.raises(
        DataError, match="'model': expected every sentence once, found more than once: s1"
    ):
        example.scores([twice])
    with pytest.raises(DataError, match="gold: expected one for each of 4 sentences: 1 problem"):
        example.scores(gold=example.gold[:3])
    with pytest.raises(DataError, match="sentences: expected every sentence once"):
        example.scores(sentences=[*example.sentences, example.sentences[0]])


def test_system_errors(example):
    with pytest.raises(DataError, match=r"model as first system to score, found 'x' \(baseline\)"):
        example.scores([example.system("x", "baseline")])
    with pytest.raises(DataError, match="found more than once: coders"):
        example.scores([example.system(), example.system("coders", "baseline")])


def test_predictions_of_another_codebook(example):
    system = example.system()
    first = dataclasses.replace(
        system.predictions[0], probabilities={"topics": (0.1, 0.2, 0.3)}, labels={"topics": ()}
    )
    changed = dataclasses.replace(system, predictions=[first, *system.predictions[1:]])
    with pytest.raises(DataError, match="do not fit codebook 'markets'") as caught:
        example.scores([changed])
    text = str(caught.value)
    assert "s1: head 'topics': expected 2 probabilities, found 3" in text
    assert "s1: no probabilities for head 'voice'" in text
    assert "s1: no decided label for head 'voice'" in text


@pytest.mark.parametrize(
    ("head", "values", "message"),
    [
        ("topics", (1.5, 0.2), r"expected probabilities in \[0, 1\], found 1.5"),
        ("voice", (float("nan"), 0.2), r"expected probabilities in \[0, 1\], found nan"),
        ("voice", (0.9, 0.2), r"head 'voice' must sum to 1, found 1.1"),
    ],
)
def test_bad_probabilities(example, head, values, message):
    system = example.system()
    first = system.predictions[0]
    first = dataclasses.replace(first, probabilities={**first.probabilities, head: values})
    changed = dataclasses.replace(system, predictions=[first, *system.predictions[1:]])
    with pytest.raises(DataError, match=f"'model', sentence 's1'.*{message}"):
        example.scores([changed])


def test_settings_report_every_problem():
    with pytest.raises(ConfigError) as caught:
        EvaluationSettings(resamples=-1, confidence=1.0, bins=0)
    text = str(caught.value)
    assert "3 problems" in text
    assert "resamples must be at least 0, found -1" in text
    assert "confidence must be between 0 and 1, found 1.0" in text


def json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_dir(), reason="no development data beside the checkout")
def test_real_sentences(score):
    book = load_codebook(REPOSITORY / "framing/corpora/security_talks/codebook.yaml")
    rows = json_lines(REAL / "sentences.jsonl")
    sentences = [
        Sentence(r["id"], r["text"], r["doc_id"], metadata={"source": r["source"]}) for r in rows
    ]
    coded = json_lines(REAL / "annotations.jsonl")
    given = [
        Annotation(
            r["id"],
            r["coder"],
            {"frames": tuple(r["frames"]), "holder": (r["holder"],)}
            | {f"stance.{frame}": (stance,) for frame, stance in r["frames"].items()},
        )
        for r in coded
    ]
    gold = gold_annotations(given, book, "adjudicator")
    decisions = Decisions.identity(book.n_logits)
    logits = np.random.default_rng(0).normal(size=(len(sentences), book.n_logits))
    probabilities = calibrated_probabilities(logits, book, decisions)
    predictions = to_predictions([s.id for s in sentences], probabilities, book, decisions, "m")
    found = evaluate_systems(
        run="r",
        bundle="b",
        book=book,
        data=DataDescription("real", "all", "Majority of three coders.", "0"),
        sentences=sentences,
        annotations=given,
        gold=gold,
        systems=[System("model", "model", "", predictions)],
        decisions=decisions,
        settings=EvaluationSettings(resamples=50),
        leakage=None,
        facts={},
    )
    assert found.data.documents == 272
    ceiling = score(found, "f1", "frames", "frames", "macro", system=-1)
    assert 0.9 < ceiling.low < ceiling.value < ceiling.high < 1
    assert 0 < len({(s.field, s.value) for s in found.slices}) <= 20
