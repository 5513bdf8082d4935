from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from framing.codebook import Codebook
from framing.errors import OutputError
from framing.inference.writers import (
    TableShape,
    format_of,
    json_line,
    record,
    write_csv,
    write_parquet,
)
from framing.records import Prediction, Sentence


def _labelled(number: int, **metadata: str) -> tuple[Sentence, Prediction]:
    sentence = Sentence(f"d.{number}", 'A "b";\nc.', "d", number, metadata=metadata, span=(3, 9))
    probabilities = {
        "topics": (0.9, 0.1234567),
        "view.prices": (0.2, 0.7, 0.1),
        "view.jobs": (0.3, 0.3, 0.4),
        "speaker": (0.75, 0.25),
    }
    labels = {"topics": ("prices",), "view.prices": ("bad",), "speaker": ("government",)}
    return sentence, Prediction(sentence.id, probabilities, labels, "hash")


def _line(book: Codebook, number: int, **metadata: str) -> str:
    return json_line(record(*_labelled(number, **metadata), book))


def _csv(book: Codebook, lines: list[str], further: list[str]) -> list[dict[str, str]]:
    file = io.StringIO(newline="")
    write_csv(file, lines, TableShape(book, further))
    return list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))


def test_json_lines(book: Codebook) -> None:
    assert json.loads(_line(book, 0, outlet="X")) == {
        "id": "d.0",
        "doc_id": "d",
        "position": 0,
        "text": 'A "b";\nc.',
        "span": [3, 9],
        "metadata": {"outlet": "X"},
        "labels": {"topics": ["prices"], "view.prices": ["bad"], "speaker": ["government"]},
        "probabilities": {
            "topics": {"prices": 0.9, "jobs": 0.123457},
            "view.prices": {"good": 0.2, "bad": 0.7, "open": 0.1},
            "view.jobs": {"good": 0.3, "bad": 0.3, "open": 0.4},
            "speaker": {"government": 0.75, "opposition": 0.25},
        },
        "bundle": "hash",
    }
    assert "metadata" not in json.loads(_line(book, 1))


def test_csv(book: Codebook) -> None:
    lines = [_line(book, 0, outlet="X"), _line(book, 1, topics="mine", date="2022")]
    rows = _csv(book, lines, ["outlet", "topics", "date"])
    assert rows[0]["text"] == 'A "b";\nc.'
    assert (rows[0]["start"], rows[0]["end"]) == ("3", "9")
    assert rows[0]["topics"] == "prices"
    assert rows[0]["p.topics.jobs"] == "0.123457"
    assert (rows[0]["view.prices"], rows[0]["view.jobs"]) == ("bad", "")
    assert rows[0]["p.view.jobs.open"] == "0.400000"
    assert (rows[0]["speaker"], rows[0]["bundle"]) == ("government", "hash")
    assert [(r["outlet"], r["metadata.topics"], r["date"]) for r in rows] == [
        ("X", "", ""),
        ("", "mine", "2022"),
    ]


def test_parquet(book: Codebook, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    lines = [_line(book, 0, outlet="X"), _line(book, 1, topics="mine")]
    write_parquet(path, lines, TableShape(book, ["outlet", "topics", "metadata.topics"]))
    first, second = pq.read_table(path).to_pylist()
    assert (first["position"], first["start"], first["end"]) == (0, 3, 9)
    assert (first["topics"], first["view.prices"], first["view.jobs"]) == (["prices"], "bad", None)
    assert (first["p.topics.jobs"], first["outlet"]) == (0.123457, "X")
    assert second["metadata.metadata.topics"] == "mine"
    write_parquet(path, [], TableShape(book, []))
    assert pq.read_table(path).num_rows == 0


def test_line_breaks_of_all_kinds_stand_in_quotation_marks(book: Codebook) -> None:
    for text in ("One.\rTwo.", "One.\r\nTwo.", "One.\nTwo.", "One.\r", "One. Two."):
        found = record(Sentence("1", text, "d"), _labelled(0)[1], book)
        file = io.StringIO(newline="")
        write_csv(file, [json_line(found)], TableShape(book, []))
        assert [
            row["text"] for row in csv.DictReader(io.StringIO(file.getvalue(), newline=""))
        ] == [text]
        quoted = f'"{text}"' if text != "One. Two." else text
        assert f"\n1,d,0,{quoted},,,prices," in file.getvalue()
        assert file.getvalue().endswith(",hash\n")


def test_several_labels_stand_in_one_cell(book: Codebook) -> None:
    sentence, prediction = _labelled(0)
    both = {**prediction.labels, "topics": ("prices", "jobs"), "view.jobs": ("open",)}
    found = record(sentence, Prediction("d.0", prediction.probabilities, both, "h"), book)
    assert _csv(book, [json_line(found)], [])[0]["topics"] == "prices;jobs"


def test_no_sentences_still_give_a_header(book: Codebook) -> None:
    file = io.StringIO()
    write_csv(file, [], TableShape(book, []))
    assert file.getvalue().startswith("id,doc_id,position,text,start,end,topics,p.topics.prices,")


def test_a_target_is_kept(book: Codebook) -> None:
    sentence = Sentence("1", "x", "d", target="the plan")
    found = record(sentence, _labelled(0)[1], book)
    assert found["target"] == "the plan"
    assert _csv(book, [json_line(found)], ["target"])[0]["target"] == "the plan"
    sentence = Sentence("1", "x", "d", target="the plan", metadata={"target": "other"})
    found = record(sentence, _labelled(0)[1], book)
    assert _csv(book, [json_line(found)], ["target"])[0]["target"] == "the plan"


def test_formats_by_ending() -> None:
    assert format_of(Path("a.CSV")) == "csv"
    assert format_of(Path("a.ndjson")) == "jsonl"
    assert format_of(Path("a.parquet")) == "parquet"
    with pytest.raises(OutputError, match=r"a\.xlsx: expected an output that ends in \.jsonl"):
        format_of(Path("a.xlsx"))
