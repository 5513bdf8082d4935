from __future__ import annotations

from dataclasses import replace

import pytest

from framing.codebook import Codebook
from framing.data.corpus import check_adjudicator, make_corpus, value_problems
from framing.errors import DataError
from framing.records import Sentence
from tests.unit.data.helpers import corpus_of, note


def test_all_problems_are_told_at_once(book: Codebook) -> None:
    sentences = [
        Sentence("a", "Prices rose.", "d"),
        Sentence("a", "Again.", "d"),
        Sentence("b", " ", "d"),
    ]
    annotations = [
        note("a", "A", topics=["prizes"]),
        note("a", "A", topics=[]),
        note("zz", "A", speaker=["government"]),
        note("b", "A", topics=["jobs"], view__prices=["good"]),
        note("b", "B", speaker=["government", "opposition"], mood=["x"]),
    ]
    with pytest.raises(DataError) as caught:
        make_corpus("mine", book, sentences, annotations)
    message = str(caught.value)
    assert message.startswith("mine: the data have mistakes: 8 problems")
    assert "sentence id 'a' stands twice" in message
    assert "sentence 'b' has no text" in message
    assert "topics: unknown label 'prizes'; known: prices, jobs. Did you mean 'prices'?" in message
    assert "sentence 'a', coder 'A': coded twice" in message
    assert "sentence 'zz', coder 'A': no sentence has this id" in message
    assert "view.prices is coded, but 'prices' is not among its topics" in message
    assert "speaker: expected exactly one label, found 2" in message
    assert "unknown variable 'mood'" in message


def test_only_twenty_problems_are_shown(book: Codebook) -> None:
    sentences = [Sentence(f"s{k}", " ", "d") for k in range(30)]
    with pytest.raises(DataError, match=r"(?s)30 problems.*'s19' has no text\n  and 10 more\Z"):
        make_corpus("mine", book, sentences, [])


def test_equal_problems_are_told_once(book: Codebook) -> None:
    sentences = [Sentence("a", "Prices rose.", "d")] * 31 + [Sentence("b", " ", "d")]
    with pytest.raises(DataError) as caught:
        make_corpus("mine", book, sentences, [])
    heading, twice, empty = str(caught.value).split("\n")
    assert heading == "mine: the data have mistakes: 31 problems"
    assert twice.startswith("  - sentence id 'a' stands twice")
    assert twice.endswith(" (the same in 29 further places)")
    assert empty == "  - sentence 'b' has no text"


def test_a_corpus_needs_a_sentence(book: Codebook) -> None:
    with pytest.raises(DataError, match="expected at least one sentence, found none"):
        make_corpus("mine", book, [], [])


def test_values_that_are_well_have_no_problems(book: Codebook) -> None:
    values = {"topics": ("prices",), "view.prices": ("good",), "speaker": ("government",)}
    assert value_problems(values, book) == []
    assert value_problems({}, book) == []


def test_stance_without_its_variable_is_a_problem(book: Codebook) -> None:
    assert len(value_problems({"view.jobs": ("good",)}, book)) == 1


def test_hash_depends_on_content_but_not_on_order(book: Codebook) -> None:
    one = corpus_of(book, [("a", "d", ["jobs"]), ("b", "d", [])])
    turned = make_corpus("other", book, one.sentences[::-1], one.annotations[::-1])
    assert turned.hash == one.hash
    changed = [replace(one.sentences[0], text="Else."), one.sentences[1]]
    assert make_corpus("small", book, changed, one.annotations).hash != one.hash
    recoded = [note("a", "A", topics=[]), one.annotations[1]]
    assert make_corpus("small", book, one.sentences, recoded).hash != one.hash


def test_subset_and_where(book: Codebook) -> None:
    rows = [("a", "d", ["jobs"]), ("b", "e", []), ("c", "e", [])]
    corpus = corpus_of(book, rows, source=["x", "y", "x"])
    part = corpus.where({"source": {"x"}})
    assert [s.id for s in part.sentences] == ["a", "c"]
    assert [a.sentence_id for a in part.annotations] == ["a", "c"]
    assert part.documents == ("d", "e")
    assert part.coders == ("A",)
    assert part.hash != corpus.hash
    assert corpus.subset(["a", "b", "c"]) == corpus
    assert corpus.where({"source": {"z"}}).sentences == ()
    with pytest.raises(DataError, match=r"1 of the sentence ids wanted .* such as 'q'"):
        corpus.subset(["q"])
    with pytest.raises(DataError, match=r"unknown metadata field 'sorce'.*Did you mean 'source'"):
        corpus.where({"sorce": {"x"}})


def test_an_adjudicator_must_be_among_the_coders(book: Codebook) -> None:
    corpus = make_corpus("x", book, [Sentence("a", "Prices rose.", "d")], [note("a", "Ana")])
    check_adjudicator(corpus, "Ana", "data.adjudicator")
    message = r"x: data\.adjudicator: unknown coder 'Anna'; known: Ana\. Did you mean 'Ana'\? Leave"
    with pytest.raises(DataError, match=message):
        check_adjudicator(corpus, "Anna", "data.adjudicator")
    # Nobody's word is lost where nobody coded.
    check_adjudicator(make_corpus("x", book, corpus.sentences, []), "Anna", "data.adjudicator")
