from __future__ import annotations

import numpy as np
import pytest

from framing.codebook import Codebook, parse_codebook
from framing.data.gold import gold_annotations, label_counts, rest_of_coders, soft_labels
from framing.records import GOLD, Annotation
from tests.unit.data.helpers import note


def gold(book: Codebook, *annotations: Annotation) -> dict[str, tuple[str, ...]]:
    found = gold_annotations(annotations, book)
    assert [a.coder for a in found] == [GOLD]
    return dict(found[0].values)


def test_majority_of_three(book: Codebook) -> None:
    assert gold(
        book,
        note("s", "A", topics=["prices", "jobs"], view__prices=["good"], speaker=["government"]),
        note("s", "B", topics=["prices"], view__prices=["bad"], speaker=["government"]),
        note("s", "C", topics=["prices"], view__prices=["bad"], speaker=["opposition"]),
    ) == {"topics": ("prices",), "view.prices": ("bad",), "speaker": ("government",)}


def test_ties_of_two(book: Codebook) -> None:
    values = gold(
        book,
        note("s", "A", topics=["prices"], view__prices=["good"], speaker=["government"]),
        note("s", "B", topics=["prices", "jobs"], view__prices=["bad"], speaker=["opposition"]),
    )
    assert values == {"topics": ("prices",)}


def test_ties_of_eight(book: Codebook) -> None:
    half = [note("s", f"c{k}", topics=["jobs"] if k < 4 else []) for k in range(8)]
    assert gold(book, *half) == {"topics": ()}
    assert gold(book, *half, note("s", "c8", topics=["jobs"])) == {"topics": ("jobs",)}


def test_only_coders_who_gave_the_frame_decide_its_value(book: Codebook) -> None:
    assert gold(
        book,
        note("s", "A", topics=["jobs"], view__jobs=["good"]),
        note("s", "B", topics=["jobs"], view__jobs=["good"]),
        note("s", "C", topics=[]),
    ) == {"topics": ("jobs",), "view.jobs": ("good",)}
    # Given by a minority, the topic is absent, and its view is not coded.
    assert gold(
        book,
        note("s", "A", topics=["jobs"], view__jobs=["good"]),
        note("s", "B", topics=[]),
        note("s", "C", topics=[]),
    ) == {"topics": ()}


def test_only_coders_who_coded_a_head_count(book: Codebook) -> None:
    assert gold(
        book,
        note("s", "A", topics=["jobs"]),
        note("s", "B", speaker=["opposition"]),
        note("s", "C", speaker=["opposition"]),
    ) == {"topics": ("jobs",), "speaker": ("opposition",)}


def test_adjudicator_decides(book: Codebook) -> None:
    coders = [
        note("s", "A", topics=["jobs"], view__jobs=["good"], speaker=["government"]),
        note("s", "B", topics=["jobs"], view__jobs=["good"], speaker=["government"]),
    ]
    final = note(
        "s", "adjudicator", topics=["prices"], view__prices=["bad"], speaker=["opposition"]
    )
    assert gold(book, *coders, final) == dict(final.values)
    # What he left open is decided by the coders.
    assert gold(book, *coders, note("s", "adjudicator", topics=[])) == {
        "topics": (),
        "speaker": ("government",),
    }
    other = gold_annotations([*coders, note("s", "Zoe", topics=[])], book, adjudicator="Zoe")
    assert other[0].values["topics"] == ()


def test_given_gold_decides_but_the_adjudicator_is_above_it(book: Codebook) -> None:
    coders = [note("s", c, topics=["jobs"]) for c in "AB"]
    given = note("s", GOLD, topics=["prices"])
    assert gold(book, *coders, given) == {"topics": ("prices",)}
    assert gold(book, given) == {"topics": ("prices",)}
    assert gold(book, given, note("s", "adjudicator", topics=[])) == {"topics": ()}


def test_order_of_first_appearance_and_nothing(book: Codebook) -> None:
    found = gold_annotations([note(s, "A", topics=[]) for s in "bab"], book)
    assert [a.sentence_id for a in found] == ["b", "a"]
    assert gold_annotations([], book) == []


def test_a_variable_may_stand_before_the_one_it_depends_on() -> None:
    book = parse_codebook(
        "name: x\nvariables:\n"
        "  - {id: v, kind: single_label, per: t, labels: [{id: p}, {id: q}]}\n"
        "  - {id: t, kind: multi_label, labels: [{id: a}]}\n"
    )
    assert gold(book, note("s", "A", t=["a"], v__a=["q"])) == {"v.a": ("q",), "t": ("a",)}


def test_soft_labels_by_hand(book: Codebook) -> None:
    annotations = [
        note("s", "A", topics=["prices"], view__prices=["good"], speaker=["government"]),
        note("s", "B", topics=["prices"], view__prices=["bad"], speaker=["opposition"]),
        note("s", "C", topics=["prices", "jobs"], view__prices=["bad"], view__jobs=["open"]),
        note("s", "adjudicator", topics=[]),
        note("t", "A", topics=["jobs"]),
    ]
    values, weights = soft_labels(annotations, ["t", "s", "nobody"], book)
    # prices jobs | good bad open of prices | of jobs | government opposition
    assert values[1] == pytest.approx([3 / 4, 1 / 4, 1 / 3, 2 / 3, 0, 0, 0, 1, 0.5, 0.5])
    assert weights[1] == pytest.approx([1, 3 / 4, 1 / 4, 1])
    assert values[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    # The view of jobs was not coded although the topic was given.
    assert weights[0].tolist() == [1, 0, 0, 0]
    assert not values[2].any()
    assert not weights[2].any()
    assert values.dtype == np.float64


def test_rest_of_coders(book: Codebook) -> None:
    annotations = [
        note("s", "A", topics=["jobs"]),
        note("s", "B", topics=["jobs"]),
        note("s", "C", topics=[]),
        note("s", "adjudicator", topics=["prices"]),
        note("t", "A", topics=["prices"]),
        note("t", "B", topics=[]),
        note("alone", "C", topics=["jobs"]),
        note("alone", "adjudicator", topics=["jobs"]),
    ]
    pairs = rest_of_coders(annotations, book)
    assert list(pairs) == ["A", "B", "C"]
    mine, rest = pairs["A"]
    assert [a.sentence_id for a in mine] == [a.sentence_id for a in rest] == ["s", "t"]
    # B has no vote on s, since B and C would be tied.
    assert [a.values["topics"] for a in rest] == [(), ()]
    assert {a.coder for a in rest} == {GOLD}
    mine, rest = pairs["C"]
    assert [a.sentence_id for a in mine] == ["s"]
    assert rest[0].values["topics"] == ("jobs",)
    assert rest_of_coders([note("s", "A", topics=[])], book) == {}


def test_each_of_an_even_number_has_no_vote_in_turn(book: Codebook) -> None:
    annotations = [
        note(f"s{k}", coder, topics=topics, speaker=[speaker])
        for k in range(3)
        for coder, topics, speaker in (
            ("A", [], "government"),
            ("B", ["jobs"], "government"),
            ("C", [], "opposition"),
        )
    ]
    _, rest = rest_of_coders(annotations, book)["A"]
    assert [a.values["topics"] for a in rest] == [(), ("jobs",), ()]
    assert [a.values["speaker"] for a in rest] == [
        ("opposition",),
        ("government",),
        ("opposition",),
    ]


def test_rest_of_eight_coders(book: Codebook) -> None:
    annotations = [note("s", f"c{k}", topics=["jobs"] if k < 5 else []) for k in range(8)]
    pairs = rest_of_coders(annotations, book)
    # Without one of the five, four of seven gave it; without one of the three, five of seven.
    assert {coder: rest[0].values["topics"] for coder, (_, rest) in pairs.items()} == {
        f"c{k}": ("jobs",) for k in range(8)
    }


def test_label_counts(book: Codebook) -> None:
    counts = label_counts([note("s", "A", topics=["jobs"], view__jobs=["bad"])], book)
    assert counts["topics"] == {"prices": 0, "jobs": 1}
    assert counts["view.jobs"] == {"good": 0, "bad": 1, "open": 0}
    assert counts["speaker"] == {"government": 0, "opposition": 0}
