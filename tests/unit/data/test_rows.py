from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framing.data.problems import BadRow, Place
from framing.data.readers import ColumnMapping, iter_sentences, read_sentences
from framing.data.rows import Draft, SentenceReader, complete_all, order_is_known
from framing.data.tables import Row, iter_rows
from framing.errors import ConfigError, DataError
from framing.records import Sentence


def read(tmp_path: Path, content: str, name: str = "x.csv", **fields: object) -> list[Sentence]:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return list(iter_sentences(path, ColumnMapping.from_dict(fields)))


def test_every_field_by_its_own_name(tmp_path: Path) -> None:
    names = "id,text,doc_id,position,previous,target,source,date,speaker,title,genre,outlet"
    (sentence,) = read(tmp_path, f"{names}\ns,T.,d,4,P.,a tax,Post,2022-01-02,Lee,Tt,wire,x\n")
    assert sentence == Sentence(
        "s",
        "T.",
        "d",
        4,
        "P.",
        "a tax",
        {
            "source": "Post",
            "date": "2022-01-02",
            "speaker": "Lee",
            "title": "Tt",
            "genre": "wire",
            "outlet": "x",
        },
    )


def test_named_columns_win_over_own_names(tmp_path: Path) -> None:
    text = "text,clean,outlet,coder,note\nRaw,Clean,Post,Ana,n\n"
    (sentence,) = read(tmp_path, text, text="clean", source="outlet", ignore=["note", "text"])
    assert sentence.text == "Clean"
    # In labelling nobody codes, so that this is a column like any other.
    assert sentence.metadata == {"source": "Post", "coder": "Ana"}
    (sentence,) = read(tmp_path, text, text="clean", coder="coder", ignore=["note", "text"])
    assert sentence.metadata == {"outlet": "Post"}


@pytest.mark.parametrize("field", ["title", "date", "source", "speaker", "genre"])
def test_a_field_in_another_column_is_not_shadowed(tmp_path: Path, field: str) -> None:
    for header in (f"text,{field},mine", f"text,mine,{field}"):
        own_first = header.endswith("mine")
        cells = "theirs,wanted" if own_first else "wanted,theirs"
        (sentence,) = read(tmp_path, f"{header}\nOne,{cells}\n", **{field: "mine"})
        assert sentence.value(field) == "wanted"
        assert sentence.metadata[f"metadata.{field}"] == "theirs"


def test_a_target_in_another_column_is_not_shadowed(tmp_path: Path) -> None:
    text = "text,target,metadata.target,person\nOne,theirs,more,wanted\n"
    (sentence,) = read(tmp_path, text, target="person")
    assert (sentence.target, sentence.value("target")) == ("wanted", "wanted")
    assert sentence.metadata == {"metadata.metadata.target": "theirs", "metadata.target": "more"}
    (sentence,) = read(tmp_path, text, target="person", ignore=["target"])
    assert sentence.metadata == {"metadata.target": "more"}


def test_bytes_are_text_in_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {
        "text": ["Café.".encode(), b"caf\xe9", b"Three.", None],
        "outlet": [b"Post", b"Post", b"\x89PNG", b"Post"],
    }
    pq.write_table(pa.table({k: pa.array(v, pa.binary()) for k, v in columns.items()}), path)
    found = list(read_sentences(path))
    assert isinstance(found[0], Sentence)
    assert (found[0].text, found[0].metadata) == ("Café.", {"outlet": "Post"})
    reasons = [item.reason for item in found if isinstance(item, BadRow)]
    assert reasons[0] == "column 'text': expected text in UTF-8, found byte 0xe9 at offset 3"
    assert "column 'outlet': expected text in UTF-8, found byte 0x89 at offset 0; " in reasons[1]
    assert "--column ignore=outlet" in reasons[1]
    assert "expected a sentence, found nothing" in reasons[2]


def test_a_further_column_of_a_fields_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found 'front'; to leave .*--column ignore=position"):
        read(tmp_path, "text,position\nOne,front\n")
    with pytest.raises(DataError, match=r"found '3-4'; to leave .*--column ignore=span"):
        read(tmp_path, "text,span\nOne,3-4\n")
    with pytest.raises(DataError, match=r"column 'nr': expected a whole number, found 'a'$"):
        read(tmp_path, "text,nr\nOne,a\n", position="nr")


def test_columns_that_are_carried_along() -> None:
    row = Row({"b": "", "text": "One", "target": "", "headline": "", "a": "x"}, Place("x", 1), True)
    reader = SentenceReader(ColumnMapping(title="headline"), "x")
    draft = reader.read(row)
    assert isinstance(draft, Draft)
    assert draft.sentence.metadata == {"a": "x"}
    assert reader.columns == ("b", "target", "title", "a")


def test_a_row_without_a_text_leaves_the_others_as_they_are() -> None:
    for mapping in (ColumnMapping(), ColumnMapping(text="text")):
        reader = SentenceReader(mapping, "x")
        good = {"id": "a", "doc_id": "d", "position": 3, "text": "One"}
        values = [good, {"error": "fetch failed"}, good, good]
        found = [reader.read(Row(v, Place("x", k + 1), False)) for k, v in enumerate(values)]
        assert isinstance(found.pop(1), BadRow)
        for draft in found:
            assert isinstance(draft, Draft)
            assert draft == Draft(Sentence("a", "One", "d"), 3, None, True, True)


def test_a_column_without_a_name_is_no_field() -> None:
    for tabular in (False, True):
        reader = SentenceReader(ColumnMapping(), "x")
        draft = reader.read(Row({"": 7, "text": "One", "outlet": "a"}, Place("x", 1), tabular))
        assert draft == Draft(
            Sentence("x-1", "One", "x-1", metadata={"outlet": "a"}), None, None, False, False
        )
        assert reader.columns == ("outlet",)


@pytest.mark.parametrize("span", [[-1, 3], [3, 1], [0, 2**63], [2**70, 2**71], [1], ["0", "1"]])
def test_spans_that_are_no_places(span: list[object]) -> None:
    row = Row({"text": "One", "span": span}, Place("x", 1), False)
    found = SentenceReader(ColumnMapping(), "x").read(row)
    assert isinstance(found, BadRow)
    assert found.reason.startswith("span: expected two whole numbers [start, end] from 0 on, ")
    good = SentenceReader(ColumnMapping(), "x").draft(
        Row({"text": "One", "span": [0, 2**63 - 1]}, Place("x", 1), False)
    )
    assert good.sentence.span == (0, 2**63 - 1)


@pytest.mark.parametrize("name", ["note", "text", "span", "position"])
def test_cells_of_very_many_levels(name: str) -> None:
    cell: list[object] = []
    for _ in range(3000):
        cell = [cell]
    row = Row({"text": "One", name: cell}, Place("x", 1), False)
    found = SentenceReader(ColumnMapping(), "x").read(row)
    assert isinstance(found, BadRow)
    assert "expected lists and objects of few levels, found too many" in found.reason


def test_missing_ids_and_documents(tmp_path: Path) -> None:
    sentences = read(tmp_path, "sentence\nOne\nTwo\n", "talk.v2.csv")
    assert [(s.id, s.doc_id, s.position) for s in sentences] == [
        ("talk-1", "talk-1", 0),
        ("talk-2", "talk-2", 0),
    ]
    sentences = read(tmp_path, "sentence\nOne\nTwo\n", "talk.csv", missing_doc_id="file")
    assert [(s.id, s.doc_id, s.position, s.previous) for s in sentences] == [
        ("talk-1", "talk", 0, ""),
        ("talk-2", "talk", 1, "One"),
    ]


def test_previous_is_filled_within_a_document_only(tmp_path: Path) -> None:
    text = "doc_id,position,text\nd,3,a\nd,4,b\nd,6,c\ne,7,f\ne,,g\n"
    assert [(s.position, s.previous) for s in read(tmp_path, text)] == [
        (3, ""),
        (4, "a"),
        (6, ""),
        (7, ""),
        (8, "f"),
    ]


def test_previous_that_is_given_is_kept(tmp_path: Path) -> None:
    text = "doc_id,text,previous\nd,a,\nd,b,Another.\nd,c,\n"
    assert [s.previous for s in read(tmp_path, text)] == ["", "Another.", ""]


def test_json_lines_may_differ_and_null_is_missing() -> None:
    lines = '{"text": "a", "doc_id": "d", "n": 3.0}\n{"text": "b", "doc_id": "d", "previous": null}'
    first, second = iter_sentences(io.StringIO(lines))
    assert first.metadata == {"n": "3"}
    assert (second.previous, second.metadata) == ("a", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,txt\na,One\n", r"no column text \(or sentence\) here; found: id, txt. Say which"),
        ("id,text\na,One\nb,\n", r"x\.csv:3: column 'text': expected a sentence, found nothing"),
        ("text,position\nOne,-1\n", r"x\.csv:2: column 'position': expected a whole number"),
        ("text,position\nOne,1.5\n", r"expected a whole number, found '1\.5'"),
        (f"text,position\nOne,{'9' * 5000}\n", "expected a whole number, found '9999"),
    ],
)
def test_rows_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_span(tmp_path: Path) -> None:
    (sentence,) = read(tmp_path, '{"text": "a", "span": [3, 4]}', "x.jsonl")
    assert sentence.span == (3, 4)
    for wrong in ("[3]", "[3, true]", '"3-4"'):
        with pytest.raises(DataError, match=r"x\.jsonl:1: span: expected two whole numbers"):
            read(tmp_path, f'{{"text": "a", "span": {wrong}}}', "x.jsonl")


def test_named_column_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv: unknown column 'Sentense'; .*mean 'Sentence'"):
        read(tmp_path, "Sentence\nOne\n", text="Sentense")


def test_all_mistakes_of_a_mapping_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        ColumnMapping.from_dict(
            {
                "txt": "Sentence",
                "id": ["a"],
                "missing_doc_id": "page",
                "variables": {
                    "topics": {"column": "t", "columns": {"jobs": "j"}},
                    "view": {"colum": "v"},
                    "speaker": {"column": "s", "separator": ""},
                },
            }
        )
    message = str(caught.value)
    for part in (
        "columns: mistakes: 7 problems",
        "unknown key 'txt'",
        "id: expected text, found ['a']",
        "missing_doc_id: expected sentence or file, found 'page'",
        "variables.topics: expected exactly one of column, columns, coders, counts",
        "variables.view: unknown key 'colum'",
        "variables.view: expected exactly one of",
        "variables.speaker.separator: expected at least one character",
    ):
        assert part in message


def test_a_text_must_be_text() -> None:
    for value in ('["One."]', '{"en": "One."}', "true"):
        with pytest.raises(DataError, match="column 'text': expected a text, found"):
            list(iter_sentences(io.StringIO(f'{{"text": {value}}}\n')))


def test_after_a_bad_row_the_sentence_before_is_not_known() -> None:
    lines = "".join(
        f'{{"doc_id": "d", "text": "{text}"}}\n' for text in ("One.", "Two.", "", "Four.", "Five.")
    )
    found = list(read_sentences(io.StringIO(lines)))
    assert [type(item).__name__ for item in found].index("BadRow") == 2
    assert isinstance(found[2], BadRow)
    assert found[2].raw == '{"doc_id": "d", "text": ""}'
    sentences = [item for item in found if isinstance(item, Sentence)]
    assert [s.previous for s in sentences] == ["", "One.", "", "Four."]
    assert [s.position for s in sentences] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("rows", "known"),
    [
        ("A1 A2 A3", True),
        # Sorted by coder: A coded everything, so B's gaps do no harm.
        ("A1 A2 A3 B1 B3", True),
        # Who coded everything comes second, and sentence 1 stands behind what follows it.
        ("B2 A1 A2 A3", False),
        # Nobody coded everything, so that 2 comes after 3.
        ("A1 A3 B1 B2", False),
        ("A1 A3 B2 B4", False),
        # Sorted by sentence, each coded by two of three.
        ("A1 B1 B2 C2 A3 C3", True),
        ("A1 B2 A3 B4", True),
        ("A1 A2 A3 B3 B2 B1", False),
        ("A1 A2 B1 B3 A4 B5", False),
    ],
)
def test_what_coders_rows_tell_of_the_order(rows: str, known: bool) -> None:
    assert order_is_known([(row[0], row[1:]) for row in rows.split()]) is known


def test_rows_of_several_coders_are_one_sentence(tmp_path: Path) -> None:
    rows = "id,doc_id,coder,text\ns1,d,A,One\ns1,d,B,One\ns2,d,A,Two\ns2,d,B,Two\ns3,d,A,Three\n"
    read_alone = read(tmp_path, rows)
    assert [(s.position, s.previous) for s in read_alone] == [
        (0, ""),
        (0, ""),
        (1, "One"),
        (1, "One"),
        (2, "Two"),
    ]
    # The same where rows need not stand together.
    (tmp_path / "x.csv").write_text(rows, encoding="utf-8")
    reader = SentenceReader(ColumnMapping(), "x")
    together = complete_all([reader.draft(row) for row in iter_rows(tmp_path / "x.csv")])
    assert together == read_alone


def test_sentences_of_one_id_are_not_one_sentence(tmp_path: Path) -> None:
    # As where the id is that of an article.
    found = read(tmp_path, "id,doc_id,text\n1,d,One\n1,d,Two\n1,d,Three\n")
    assert [(s.position, s.previous) for s in found] == [(0, ""), (1, "One"), (2, "Two")]


def test_rows_of_one_id_without_a_document_have_nothing_before_them(tmp_path: Path) -> None:
    found = read(tmp_path, "id,text\ns1,One\ns1,One\ns2,One\n")
    assert [(s.position, s.previous) for s in found] == [(0, "")] * 3
