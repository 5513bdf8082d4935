from __future__ import annotations

from dataclasses import replace

from framing.codebook import Codebook
from framing.data.corpus import Corpus, make_corpus
from framing.data.notices import notices as all_notices
from framing.records import Annotation, Sentence
from tests.unit.data.helpers import note

ADVICE = 'say so with `missing: [""]` and write a code for none: docs/data.md, "Empty cells"'


def notices(corpus: Corpus, adjudicator: str = "adjudicator") -> list[str]:
    """All but those of variables that these small corpora leave uncoded."""
    found = all_notices(corpus, adjudicator)
    return [line for line in found if "coded in no sentence" not in line]


def corpus_with(book: Codebook, *annotations: Annotation) -> Corpus:
    ids = dict.fromkeys(a.sentence_id for a in annotations)
    return make_corpus("x", book, [Sentence(i, f"Text {i}.", "d") for i in ids], annotations)


def test_nothing_to_note(book: Codebook) -> None:
    annotations = [
        note("a", "Ana", topics=["jobs"]),
        note("a", "Ben", topics=["jobs"]),
        note("b", "Ana", topics=["prices"]),
        note("b", "Ben", topics=[]),
        note("b", "adjudicator", topics=[]),
        note("c", "Cem", topics=["jobs"]),
        note("a", "adjudicator", topics=["jobs"]),
    ]
    assert notices(corpus_with(book, *annotations)) == []


def test_coders_who_coded_other_sentences_in_columns_of_their_own(book: Codebook) -> None:
    given = {("a", "Ana"), ("b", "Ben"), ("c", "Cem")}
    annotations = [
        note(s, c, topics=["jobs"] if (s, c) in given else [])
        for s in "abc"
        for c in ("Ana", "Ben", "Cem")
    ]
    (line,) = notices(corpus_with(book, *annotations))
    assert line.startswith("topics: wherever Ana, Ben and Cem gave a label, every other coder of ")
    assert line.endswith(ADVICE)
    # One label that two share is no sign any more, for these two.
    annotations[1] = note("a", "Ben", topics=["prices"])
    (line,) = notices(corpus_with(book, *annotations))
    assert line.startswith("topics: wherever Cem gave a label")


def test_a_coder_without_any_label(book: Codebook) -> None:
    ana = [note(s, "Ana", topics=["jobs"]) for s in "ab"]
    others = [note(s, f"c{k}", topics=[]) for s in "cd" for k in range(7)]
    (line,) = notices(corpus_with(book, *ana, *others))
    assert line.startswith(
        "topics: no label at all by c0 (coded 2 sentences), c1 (coded 2 sentences), "
    )
    assert "c4 (coded 2 sentences) and 2 more, though others gave some." in line
    assert line.endswith(ADVICE)
    assert notices(corpus_with(book, *others)) == []


def test_an_adjudicator_who_filled_in_what_was_disputed(book: Codebook) -> None:
    annotations = [
        *(note(s, c, topics=["jobs"], speaker=["government"]) for s in "ab" for c in "AB"),
        note("a", "Zoe", topics=[], speaker=["opposition"]),
        note("b", "Zoe", topics=["jobs"]),
    ]
    (line,) = notices(corpus_with(book, *annotations), "Zoe")
    assert line.startswith(
        "topics: Zoe gave no label on 1 sentence on which all coders gave the same labels, and"
    )
    assert line.endswith(ADVICE)
    never, overruled = notices(corpus_with(book, *annotations[:-1]), "Zoe")
    assert never.startswith("topics: no label at all by Zoe (coded 1 sentence), though others")
    assert overruled == line


def test_documents_that_are_not_told(book: Codebook) -> None:
    corpus = corpus_with(book, note("a", "Ana", topics=["jobs"]), note("b", "Ana", topics=[]))
    corpus = replace(corpus, without_document=frozenset("a"), unordered_documents=frozenset("d"))
    documents, order = notices(corpus)
    assert documents.startswith("1 sentence without a doc_id, though others have one, such as 'a'")
    assert "`missing_doc_id: sentence`" in documents
    assert order.startswith("1 document whose rows do not tell the order of sentences, such as 'd'")
    assert order.endswith("give a column position")


def test_a_variable_whose_column_is_misspelt(book: Codebook) -> None:
    corpus = make_corpus(
        "x",
        book,
        [Sentence("a", "Text.", "d", metadata={"Speaker": "government", "view_jobs": "bad"})],
        [note("a", "Ana", topics=["jobs"])],
    )
    view, speaker = all_notices(corpus)
    assert view.startswith("view: coded in no sentence. Check the name of its column")
    assert speaker.startswith("speaker: coded in no sentence.")
    assert speaker.endswith("Columns that hold no variable: Speaker, view_jobs")


def test_a_coder_of_half_of_the_sentences(book: Codebook) -> None:
    full = {"topics": [], "speaker": ["government"]}
    annotations = [note(f"s{k}", "Ana", **full) for k in range(40)]
    half = [note(f"s{k}", "Cem", **(full if k % 2 else {"topics": []})) for k in range(40)]
    annotations.append(note("s40", "Ana", topics=["jobs"], speaker=["government"]))
    half.append(note("s40", "Cem", topics=["jobs"], speaker=["government"]))
    (line,) = notices(corpus_with(book, *annotations, *half))
    assert line.startswith("no code of any variable by Cem (20 sentences of 41), though speaker")
    assert line.endswith(ADVICE)
    # A few that were overlooked, and a coder who never codes that variable, are nothing to note.
    assert notices(corpus_with(book, *annotations, *half[21:])) == []
    never = [note(f"s{k}", "Cem", topics=["jobs"] if k > 30 else []) for k in range(41)]
    found = notices(corpus_with(book, *annotations, *never))
    assert not any("no code of any variable" in line for line in found)


def test_ties_of_two_coders(book: Codebook) -> None:
    def coded(ties: int) -> Corpus:
        first = [note(f"s{k}", "Ana", topics=["jobs"]) for k in range(20)]
        second = [note(f"s{k}", "Ben", topics=["jobs"] * (k >= ties)) for k in range(20)]
        return corpus_with(book, *first, *second)

    assert notices(coded(9)) == []
    (line,) = notices(coded(10))
    assert line.startswith("topics: in 10 of the 20 sentences with any label, half of the coders")
    corpus = coded(10)
    decided = [note(f"s{k}", "adjudicator", topics=["jobs"]) for k in range(20)]
    assert notices(replace(corpus, annotations=(*corpus.annotations, *decided))) == []


def test_a_final_coder_whose_word_does_not_count(book: Codebook) -> None:
    corpus = corpus_with(book, note("a", "Ana", topics=[]), note("a", "Adjudicator", topics=[]))
    (line,) = notices(corpus)
    assert line.startswith(
        "coder 'Adjudicator' is taken as one of the coders. If his word is final"
    )
    assert line.endswith("--adjudicator Adjudicator")
    assert notices(corpus, "Adjudicator") == []


def test_fields_in_which_rows_of_a_sentence_differ(book: Codebook) -> None:
    corpus = replace(corpus_with(book, note("a", "Ana", topics=[])), differing_fields={"date": "a"})
    (line,) = notices(corpus)
    assert line.startswith(
        "date: rows of one sentence differ, such as those of 'a'; what the first"
    )
