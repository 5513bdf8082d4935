"""Whole corpora and streams of sentences, as files bring them."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from framing.codebook import Codebook, load_codebook, parse_codebook
from framing.data.readers import ColumnMapping, iter_sentences, read_corpus
from framing.errors import DataError
from framing.records import GOLD
from tests.conftest import ROOT

Row = Mapping[str, Any]


def lines(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def folder(tmp_path: Path, sentences: Sequence[Row], annotations: Sequence[Row]) -> Path:
    lines(tmp_path / "sentences.jsonl", sentences)
    lines(tmp_path / "annotations.jsonl", annotations)
    return tmp_path


def test_native_folder(tmp_path: Path, book: Codebook) -> None:
    sentences = [
        {"id": "a", "doc_id": "d", "position": 4, "text": "One.", "url": "u", "n": 3, "z": None},
        {"id": "b", "doc_id": "d", "position": 5, "text": "Two.", "span": [5, 9]},
        {"id": "c", "doc_id": "d", "position": 7, "text": "Three.", "target": "tax", "date": ""},
    ]
    annotations = [
        {"id": "a", "coder": "A", "topics": ["jobs", "prices"], "view": {"jobs": "good"}},
        {"id": "a", "coder": "B", "topics": {"jobs": "bad", "prices": None}, "speaker": None},
        {"id": "b", "coder": "A", "topics": [], "speaker": "government"},
        {"id": "c", "coder": "A"},
    ]
    corpus = read_corpus(folder(tmp_path, sentences, annotations), book)
    assert corpus.name == tmp_path.name
    one, two, three = corpus.sentences
    assert (one.position, one.previous, dict(one.metadata)) == (4, "", {"url": "u", "n": "3"})
    assert (two.previous, two.span) == ("One.", (5, 9))
    assert (three.previous, three.target, dict(three.metadata)) == ("", "tax", {})
    assert [dict(a.values) for a in corpus.annotations] == [
        {"topics": ("prices", "jobs"), "view.jobs": ("good",)},
        {"topics": ("prices", "jobs"), "view.jobs": ("bad",)},
        {"topics": (), "speaker": ("government",)},
    ]


def test_every_mistake_has_its_line_whatever_stands_before_it(
    tmp_path: Path, book: Codebook
) -> None:
    annotations = [
        {"id": "a", "coder": "A", "topics": ["job"]},
        {"coder": "A", "topics": []},
        {"id": "a", "coder": "B", "topic": ["jobs"]},
        {"id": "a", "coder": " ", "topics": ["jobs"]},
        {"id": "a", "coder": "C", "topics": {"jbs": "good"}},
        {"id": "a", "coder": "D", "topics": {"jobs": "god"}},
    ]
    with pytest.raises(DataError) as caught:
        read_corpus(folder(tmp_path, [{"id": "a", "text": "One."}], annotations), book)
    found = str(caught.value).splitlines()
    assert found[0].endswith("6 problems")
    for number, (line, message) in enumerate(
        zip(
            found[1:],
            [
                "unknown label 'job'",
                "expected the id of a sentence",
                "unknown key 'topic'",
                "expected the coder's name",
                "unknown label 'jbs'",
                "unknown label 'god'",
            ],
            strict=True,
        ),
        start=1,
    ):
        assert f"annotations.jsonl:{number}: " in line
        assert message in line


def test_problems_between_the_files_have_lines_too(tmp_path: Path, book: Codebook) -> None:
    path = folder(
        tmp_path,
        [{"id": "a", "text": "One."}, {"id": "a", "text": "Two."}],
        [{"id": "x", "topics": []}, {"id": "a", "topics": [], "view": {"jobs": "good"}}],
    )
    with pytest.raises(DataError) as caught:
        read_corpus(path, book)
    message = str(caught.value)
    assert "sentences.jsonl:2: sentence id 'a' stands twice, first at" in message
    assert "annotations.jsonl:1: sentence 'x', coder 'gold': no sentence has this id" in message
    assert "annotations.jsonl:2: sentence 'a', coder 'gold': view.jobs is coded, but" in message


def test_labels_never_reach_the_metadata(tmp_path: Path, book: Codebook) -> None:
    """The codebook's variable `speaker` is called like a metadata field."""
    path = tmp_path / "x.csv"
    path.write_text("text,speaker,topics.prices,topics.jobs,theme\nOne.,government,1,0,prices\n")
    assert dict(read_corpus(path, book).sentences[0].metadata) == {"theme": "prices"}
    mapping = ColumnMapping.from_dict({"variables": {"topics": "theme"}, "ignore": "topics.jobs"})
    assert dict(read_corpus(path, book, mapping).sentences[0].metadata) == {"topics.prices": "1"}


def test_saved_dataset(tmp_path: Path, book: Codebook) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "sentence": datasets.Value("string"),
            "topics": datasets.Sequence(datasets.ClassLabel(names=["jobs", "prices"])),
        }
    )
    data = {"sentence": ["One.", "Two."], "topics": [[0], []]}
    datasets.Dataset.from_dict(data, features=features).save_to_disk(tmp_path / "set")
    corpus = read_corpus(tmp_path / "set", book)
    assert [(a.sentence_id, a.coder, a.values["topics"]) for a in corpus.annotations] == [
        ("set-1", GOLD, ("jobs",)),
        ("set-2", GOLD, ()),
    ]


def test_two_dependents_need_lists(tmp_path: Path) -> None:
    book = parse_codebook(
        "name: x\nversion: 1\nvariables:\n"
        "  - {id: t, kind: multi_label, labels: [{id: a}]}\n"
        "  - {id: v, kind: single_label, per: t, labels: [{id: p}, {id: q}]}\n"
        "  - {id: w, kind: single_label, per: t, labels: [{id: p}, {id: q}]}\n"
    )
    path = lines(tmp_path / "x.jsonl", [{"text": "One.", "t": {"a": "p"}}])
    with pytest.raises(DataError, match="but it has 2; give a list of labels instead"):
        read_corpus(path, book)
    lines(path, [{"text": "One.", "t": ["a"], "v": {"a": "p"}, "w": {"a": "q"}}])
    values = read_corpus(path, book).annotations[0].values
    assert dict(values) == {"t": ("a",), "v.a": ("p",), "w.a": ("q",)}


def test_a_corpus_may_bring_its_rows_in_any_order(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "x.csv"
    path.write_text("doc_id,position,text,topics\nd,1,Two.,\ne,0,Else.,\nd,0,One.,\nd,3,Four.,\n")
    assert [s.previous for s in read_corpus(path, book).sentences] == ["One.", "", "", ""]
    assert [s.previous for s in iter_sentences(path)] == ["", "", "", ""]


def sorted_by_coder(tmp_path: Path, header: str, rows: Sequence[str]) -> Path:
    path = tmp_path / "x.csv"
    path.write_text("\n".join([f"id,doc_id,text,coder,topics{header}", *rows]) + "\n")
    return path


def test_no_previous_sentence_where_coders_rows_do_not_tell_the_order(
    tmp_path: Path, book: Codebook
) -> None:
    rows = ["a,d,One.,A,", "c,d,Three.,A,", "x,e,Else.,A,", "y,e,More.,A,"]
    rows += ["a,d,One.,B,", "b,d,Two.,B,", "x,e,Else.,B,"]
    corpus = read_corpus(sorted_by_coder(tmp_path, "", rows), book)
    assert corpus.unordered_documents == {"d"}
    previous = {s.id: s.previous for s in corpus.sentences}
    assert previous == dict.fromkeys("abcx", "") | {"y": "Else."}
    assert corpus.subset(["x", "y"]).unordered_documents == frozenset()
    positions = {"a": 0, "b": 1, "c": 2, "x": 0, "y": 1}
    placed = [f"{row},{positions[row[0]]}" for row in rows]
    corpus = read_corpus(sorted_by_coder(tmp_path, ",position", placed), book)
    assert corpus.unordered_documents == frozenset()
    assert {s.id: s.previous for s in corpus.sentences}["c"] == "Two."


def test_stream_from_folder_and_open_text(tmp_path: Path) -> None:
    (tmp_path / "sentences.csv").write_text("id,text\na,One.\n")
    assert [s.id for s in iter_sentences(tmp_path)] == ["a"]
    stream = io.StringIO('{"text": "One."}\n{"text": "Two."}\n')
    assert [s.id for s in iter_sentences(stream)] == ["stdin-1", "stdin-2"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / "x.csv"
        with path.open("w") as file:
            file.write("id,doc_id,text\n")
            file.writelines(f"{k},{k // 9},Sentence number {k} of them.\n" for k in range(rows))
        tracemalloc.start()
        assert sum(1 for _ in iter_sentences(path)) == rows
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)
    small, large = peak(500), peak(5_000)
    assert large < 1.5 * small + 50_000


@pytest.mark.shared
@pytest.mark.parametrize(("name", "sentences"), [("real", 1197), ("security_talks", 6603)])
def test_development_data(shared: Path, name: str, sentences: int) -> None:
    book = load_codebook(ROOT / "framing/corpora/security_talks/codebook.yaml")
    corpus = read_corpus(shared / name, book)
    assert len(corpus.sentences) == sentences
    assert all("frames" in a.values and "holder" in a.values for a in corpus.annotations)
    assert list(iter_sentences(shared / name)) == list(corpus.sentences)
