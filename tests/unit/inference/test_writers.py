from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from framing.codebook import Codebook
from framing.errors import OutputError
from framing.inference.writers import format_of, open_writer, record, stream_writer
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


def test_json_lines(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "new" / "out.jsonl"
    with open_writer(path, "jsonl", book) as writer:
        writer.write(*_labelled(0, outlet="X"))
        writer.write(*_labelled(1))
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
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
    assert "metadata" not in second


def test_csv(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "out.csv"
    with open_writer(path, "csv", book) as writer:
        writer.write(*_labelled(0, outlet="X"))
        writer.write(*_labelled(1, topics="mine", date="2022"))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
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


def test_several_labels_stand_in_one_cell(book: Codebook) -> None:
    sentence, prediction = _labelled(0)
    both = {**prediction.labels, "topics": ("prices", "jobs"), "view.jobs": ("open",)}
    file = io.StringIO()
    with stream_writer(file, "csv", book) as writer:
        writer.write(sentence, Prediction("d.0", prediction.probabilities, both, "h"))
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert row["topics"] == "prices;jobs"


def test_no_sentences_still_give_a_header(book: Codebook) -> None:
    file = io.StringIO()
    with stream_writer(file, "csv", book):
        pass
    assert file.getvalue().startswith("id,doc_id,position,text,start,end,topics,p.topics.prices,")


def test_a_target_is_kept(book: Codebook) -> None:
    sentence = Sentence("1", "x", "d", target="the plan")
    assert record(sentence, _labelled(0)[1], book)["target"] == "the plan"


def test_nothing_half_written(tmp_path: Path, book: Codebook) -> None:
    path = tmp_path / "out.jsonl"

    def fail() -> None:
        with open_writer(path, "jsonl", book) as writer:
            writer.write(*_labelled(0))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_formats_by_ending() -> None:
    assert format_of(Path("a.CSV")) == "csv"
    assert format_of(Path("a.ndjson")) == "jsonl"
    with pytest.raises(OutputError, match=r"a\.xlsx: expected an output that ends in \.jsonl"):
        format_of(Path("a.xlsx"))
