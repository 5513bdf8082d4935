"""Annotations from every shape that docs/data.md does not show (see test_docs.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framing.codebook import Codebook
from framing.data.corpus import Corpus
from framing.data.readers import ColumnMapping, iter_sentences, read_corpus
from framing.errors import ConfigError, DataError

Coded = dict[tuple[str, str], dict[str, tuple[str, ...]]]


def read(book: Codebook, path: Path, content: str, **variables: Any) -> Corpus:
    path.write_text(content, encoding="utf-8")
    return read_corpus(path, book, ColumnMapping.from_dict({"variables": variables}))


def coded(corpus: Corpus) -> Coded:
    return {(a.sentence_id, a.coder): dict(a.values) for a in corpus.annotations}


def lines(*records: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, records))


# ---- flags -------------------------------------------------------------------------------------


@pytest.mark.parametrize("yes", ["1", "1.0", "TRUE", "yes", "x", " Y ", "WAHR", "Ja"])
@pytest.mark.parametrize("no", ["0", "0.0", "False", "no", "", "falsch", "NEIN"])
def test_flags(book: Codebook, tmp_path: Path, yes: str, no: str) -> None:
    content = f"id,text,topics.prices,topics.jobs\na,T,{no},{yes}\n"
    corpus = read(book, tmp_path / "x.csv", content)
    assert coded(corpus) == {("a", "gold"): {"topics": ("jobs",)}}


def test_flags_of_another_kind(book: Codebook, tmp_path: Path) -> None:
    content = "id,text,topics.prices,topics.jobs\na,T,0,2\nb,T,maybe,1\n"
    with pytest.raises(DataError) as caught:
        read(book, tmp_path / "x.csv", content)
    message = str(caught.value)
    assert "x.csv:2: column 'topics.jobs': expected 0 or 1, found '2'; read as 1: 1," in message
    assert "as 0: 0, 0.0, false, no, n, falsch, nein and nothing; in any case" in message
    assert "x.csv:3: column 'topics.prices': expected 0 or 1, found 'maybe'" in message


def test_a_missing_flag_means_not_coded(book: Codebook, tmp_path: Path) -> None:
    content = "id,text,p,j\na,T,1,NA\nb,T,0,1\n"
    spec = {"columns": {"prices": "p", "jobs": "j"}, "missing": ["NA"]}
    corpus = read(book, tmp_path / "x.csv", content, topics=spec)
    assert coded(corpus) == {("b", "gold"): {"topics": ("jobs",)}}


def test_every_label_needs_its_column(book: Codebook, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"topics: some labels have a column .* none: jobs; add"):
        read(book, tmp_path / "x.csv", "id,text,topics.prices\na,T,1\n")
    with pytest.raises(DataError, match=r"column 'topics\.prizes': unknown label 'prizes'.*mean"):
        read(book, tmp_path / "x.csv", "id,text,topics.prizes\na,T,1\n")


# ---- cells -------------------------------------------------------------------------------------


def test_order_is_the_codebooks_and_doubles_count_once(book: Codebook, tmp_path: Path) -> None:
    corpus = read(book, tmp_path / "x.csv", "id,text,topics\na,T,jobs; prices ;jobs;\n")
    assert coded(corpus) == {("a", "gold"): {"topics": ("prices", "jobs")}}


def test_values_that_are_numbers(book: Codebook, tmp_path: Path) -> None:
    spec = {"column": "who", "values": {0: "", 1: "government", 2: "opposition"}, "missing": [9]}
    content = lines(*({"id": str(k), "text": "T", "who": k} for k in (0, 1, 2.0, 9)))
    corpus = read(book, tmp_path / "x.jsonl", content, speaker=spec)
    assert coded(corpus) == {
        ("1", "gold"): {"speaker": ("government",)},
        ("2.0", "gold"): {"speaker": ("opposition",)},
    }


def test_unknown_value_names_line_and_known(book: Codebook, tmp_path: Path) -> None:
    content = "id,text,topics,speaker\na,T,jobs,goverment\nb,T,prizes,\n"
    with pytest.raises(DataError) as caught:
        read(book, tmp_path / "x.csv", content)
    message = str(caught.value)
    assert "x.csv:2: column 'speaker': speaker: unknown label 'goverment'; known:" in message
    assert "Did you mean 'government'?" in message
    assert "x.csv:3: column 'topics': topics: unknown label 'prizes'" in message


def test_parquet_lists_and_nulls(book: Codebook, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {"id": ["a", "b", "c"], "text": ["T"] * 3, "topics": [["jobs"], [], None]}
    pq.write_table(pa.table({**columns, "speaker": [None, "government", None]}), path)
    assert coded(read_corpus(path, book)) == {
        ("a", "gold"): {"topics": ("jobs",)},
        ("b", "gold"): {"topics": (), "speaker": ("government",)},
    }


def test_object_for_a_view_without_topics(book: Codebook, tmp_path: Path) -> None:
    content = lines({"id": "a", "text": "T", "view": {"jobs": "bad"}, "topics": ["prices"]})
    with pytest.raises(DataError, match=r"x\.jsonl:1: .*view\.jobs is coded, but 'jobs' is not"):
        read(book, tmp_path / "x.jsonl", content)


def test_a_view_cannot_stand_in_one_cell(book: Codebook, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'once for each label of topics: .*\{"prices": "good"\}'):
        read(book, tmp_path / "x.csv", "id,text,topics,view\na,T,jobs,bad\n")


def test_json_lines_may_leave_variables_out(book: Codebook, tmp_path: Path) -> None:
    content = lines(
        {"id": "a", "text": "T", "topics": ["jobs"]},
        {"id": "b", "text": "T"},
        {"id": "c", "text": "T", "speaker": "government", "topics": None},
    )
    corpus = read(book, tmp_path / "x.jsonl", content)
    assert len(corpus.sentences) == 3
    assert coded(corpus) == {
        ("a", "gold"): {"topics": ("jobs",)},
        ("c", "gold"): {"speaker": ("government",)},
    }


# ---- counts and coders -------------------------------------------------------------------------


def test_counts_of_floats_and_nothing(book: Codebook, tmp_path: Path) -> None:
    spec = {"counts": {"government": "g", "opposition": "o"}}
    corpus = read(book, tmp_path / "x.csv", "id,text,g,o\na,T,2.0,\nb,T,0,0\n", speaker=spec)
    assert coded(corpus) == {("a", c): {"speaker": ("government",)} for c in "12"}
    with pytest.raises(DataError, match=r"x\.csv:2: column 'o': expected a whole number, found"):
        read(book, tmp_path / "x.csv", "id,text,g,o\na,T,1,-2\n", speaker=spec)


def test_rows_by_several_coders(book: Codebook, tmp_path: Path) -> None:
    content = "id,doc_id,text,coder,topics\na,d,T,A,jobs\nb,d,U,A,\na,d,T,B,prices\n"
    corpus = read(book, tmp_path / "x.csv", content)
    assert [(s.id, s.position, s.previous) for s in corpus.sentences] == [
        ("a", 0, ""),
        ("b", 1, "T"),
    ]
    assert corpus.coders == ("A", "B")
    assert not any(sentence.metadata for sentence in corpus.sentences)


@pytest.mark.parametrize(
    ("documents", "fields", "lacking"),
    [
        ("d,,", {}, {"b", "c"}),
        (",,", {}, set()),
        ("d,d,d", {}, set()),
        ("d,,", {"missing_doc_id": "sentence"}, set()),
        ("d,,", {"missing_doc_id": "file"}, set()),
    ],
)
def test_sentences_that_name_no_document_although_others_do(
    book: Codebook, tmp_path: Path, documents: str, fields: dict[str, str], lacking: set[str]
) -> None:
    rows = [f"{s},{d},T {s},jobs" for s, d in zip("abc", documents.split(","), strict=True)]
    (tmp_path / "x.csv").write_text("\n".join(["id,doc_id,text,topics", *rows]) + "\n")
    corpus = read_corpus(tmp_path / "x.csv", book, ColumnMapping.from_dict(fields))
    assert corpus.without_document == lacking
    own = "x" if fields.get("missing_doc_id") == "file" else "b"
    assert corpus.sentences[1].doc_id == (documents.split(",")[1] or own)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text,coder,topics\na,T,A,\na,U,B,\n", "x.csv:3: sentence 'a' has another text"),
        (
            "id,doc_id,text,coder,topics\n1,d,T,A,\n1,e,U,A,\n",
            "x.csv:3: sentence '1' stands in document 'e', in its first row in 'd'; where numbers",
        ),
        (
            "id,doc_id,text,topics\n1,d,T,\n1,e,U,\n",
            "stands twice, first at {file}:2, in another document; where numbers begin anew",
        ),
        (
            "id,text,target,coder,topics\na,T,x,A,\na,T,y,B,\n",
            "x.csv:3: sentence 'a' has target 'y', in its first row 'x'. Sentences with several",
        ),
        (
            "id,text,position,coder,topics\na,T,1,A,\na,T,2,B,\n",
            "x.csv:3: sentence 'a' has another position than in its first row",
        ),
        (
            "id,text,previous,coder,topics\na,T,P,A,\na,T,Q,B,\n",
            "x.csv:3: sentence 'a' has another previous sentence than in its first row",
        ),
        ("id,text,coder,topics\na,T,A,\na,T,A,\n", "sentence 'a', coder 'A': coded twice"),
        (
            "id,text,topics\na,T,jbs\nb,T,jobs\nc,T,jbs\nd,T,jbs\n",
            "x.csv:2: column 'topics': topics: unknown label 'jbs'; known: prices, jobs. Did you "
            "mean 'jobs'? (the same in 2 further places)",
        ),
        ("text,coder,topics\nT,A,\n", "x.csv:2: expected a sentence id, since column 'coder'"),
        ("id,text,coder,topics\na,T,,\n", "column 'coder': expected the coder's name"),
        ("id,text,topics\na,T,\na,T,\n", "stands twice, first at "),
        ("id,text,mood\na,T,x\n", "no annotations; expected values of at least one of topics"),
    ],
)
def test_rows_that_do_not_fit(book: Codebook, tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(book, tmp_path / "x.csv", content)
    assert message.format(file=tmp_path / "x.csv") in str(caught.value)


def test_rows_of_a_sentence_that_differ_in_metadata(book: Codebook, tmp_path: Path) -> None:
    content = (
        "id,doc_id,text,source,date,note,coder,topics\n"
        "a,d,T,Post,1 May,x,A,\na,d,T,Post,2 May,y,B,\na,,T,Post,,z,C,\n"
    )
    corpus = read(book, tmp_path / "x.csv", content)
    assert corpus.differing_fields == {"date": "a"}
    assert corpus.sentences[0].metadata == {"source": "Post", "date": "1 May", "note": "x"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"topic": "t"}, "unknown variable 'topic'; known: topics, view, speaker"),
        ({"speaker": {"columns": {"government": "g"}}}, "`columns` is for multi_label"),
        ({"topics": {"counts": {"jobs": "j"}}}, "`counts` is for single_label"),
        ({"view": {"coders": ["A", "B"]}}, "`coders` cannot hold a `per` variable"),
        ({"topics": {"columns": {"job": "j"}}}, "topics.columns: unknown label 'job'"),
        ({"topics": {"column": "t", "values": {"1": "job"}}}, "topics.values: unknown label"),
        (
            {"topics": {"columns": {"jobs": "j", "prices": "p"}, "values": {"2": "jobs"}}},
            "topics: `values` has no effect beside `columns`, whose cells say 1 or 0",
        ),
    ],
)
def test_mapping_that_does_not_fit_the_codebook(
    book: Codebook, tmp_path: Path, variables: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(book, tmp_path / "x.csv", "id,text,t\na,T,\n", **variables)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_named_column_that_no_row_has(book: Codebook, tmp_path: Path, name: str) -> None:
    row = {"id": "a", "text": "T", "topic": "jobs"}
    content = lines(row) if name == "x.jsonl" else "id,text,topic\na,T,jobs\n"
    with pytest.raises(DataError, match=r"unknown column 'topic_1'; known: .*mean 'topic'"):
        read(book, tmp_path / name, content, topics="topic_1")


# ---- folders -----------------------------------------------------------------------------------


def folder(path: Path, annotations: str, sentences: str = '{"id": "a", "text": "T"}') -> Path:
    (path / "sentences.jsonl").write_text(sentences)
    (path / "annotations.jsonl").write_text(annotations)
    return path


def test_folder(book: Codebook, tmp_path: Path) -> None:
    corpus = read_corpus(folder(tmp_path, lines({"id": "a", "coder": "A", "topics": []})), book)
    assert coded(corpus) == {("a", "A"): {"topics": ()}}
    assert corpus.name == tmp_path.name
    assert read_corpus(tmp_path, book, name="mine").name == "mine"
    assert [s.id for s in iter_sentences(tmp_path)] == ["a"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": "b", "coder": "A", "topics": []}, "annotations.jsonl:1: sentence 'b', coder 'A'"),
        ({"coder": "A", "topics": []}, "annotations.jsonl:1: expected the id of a sentence"),
        ({"id": "a", "coder": "A", "topic": []}, "unknown key 'topic'; known: id, coder, topics"),
    ],
)
def test_annotations_that_do_not_fit(
    book: Codebook, tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_corpus(folder(tmp_path, lines(record)), book)
    assert message in str(caught.value)


def test_ignored_key(book: Codebook, tmp_path: Path) -> None:
    record = {"id": "a", "coder": "A", "topics": [], "minutes": 3}
    corpus = read_corpus(folder(tmp_path, lines(record)), book, ColumnMapping(ignore=("minutes",)))
    assert corpus.coders == ("A",)


def test_folder_without_or_with_two_files(book: Codebook, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected one of sentences\.jsonl, sentences\.csv"):
        read_corpus(tmp_path, book)
    folder(tmp_path, "{}")
    (tmp_path / "sentences.csv").write_text("id,text\n")
    with pytest.raises(DataError, match=r"found sentences\.jsonl, sentences\.csv; keep one"):
        read_corpus(tmp_path, book)
