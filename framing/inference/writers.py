"""Predictions as JSON lines or CSV, with every probability beside the decisions."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from framing.artifacts import atomic_path
from framing.codebook import Codebook
from framing.errors import OutputError
from framing.records import Prediction, Sentence

Format = Literal["jsonl", "csv"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv")
_DIGITS = 6
_SENTENCE_COLUMNS = ("id", "doc_id", "position", "text", "start", "end")


def format_of(path: Path) -> Format:
    """The format that a file name asks for.

    Raises:
        OutputError: Its ending says nothing.
    """
    endings: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
    try:
        return endings[path.suffix.lower()]
    except KeyError:
        raise OutputError(
            f"{path}: expected an output that ends in {', '.join(endings)}; or say --format "
            f"{' or '.join(FORMATS)}"
        ) from None


class Writer(Protocol):
    """Takes labelled sentences one by one."""

    def write(self, sentence: Sentence, prediction: Prediction) -> None:
        """Write one sentence with its prediction."""


@contextmanager
def open_writer(path: Path, kind: Format, book: Codebook) -> Iterator[Writer]:
    """Write to a file, which stands there only when the block succeeds.

    Args:
        path: The file; missing folders are made.
        kind: Its format.
        book: The codebook of the predictions.

    Yields:
        The writer.

    Raises:
        OutputError: The file cannot be written.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
        stream_writer(file, kind, book) as writer,
    ):
        yield writer


@contextmanager
def stream_writer(file: IO[str], kind: Format, book: Codebook) -> Iterator[Writer]:
    """Write to an open text stream.

    Args:
        file: Where to; stays open.
        kind: The format.
        book: The codebook of the predictions.

    Yields:
        The writer. CSV appears when the block ends, since its columns are known only then.
    """
    if kind == "jsonl":
        yield _JsonLines(file, book)
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8") as rows:
        table = _Csv(rows, book)
        yield table
        table.copy_to(file)


def record(sentence: Sentence, prediction: Prediction, book: Codebook) -> dict[str, Any]:
    """A labelled sentence as one JSON object."""
    fields: dict[str, Any] = {
        "id": sentence.id,
        "doc_id": sentence.doc_id,
        "position": sentence.position,
        "text": sentence.text,
        "span": None if sentence.span is None else list(sentence.span),
        "target": sentence.target,
        "metadata": dict(sentence.metadata),
    }
    fields = {name: value for name, value in fields.items() if value not in (None, "", {})}
    fields["labels"] = {name: list(labels) for name, labels in prediction.labels.items()}
    fields["probabilities"] = {
        head.name: {
            label: round(p, _DIGITS)
            for label, p in zip(head.labels, prediction.probabilities[head.name], strict=True)
        }
        for head in book.heads
    }
    fields["bundle"] = prediction.bundle
    return fields


class _JsonLines:
    def __init__(self, file: IO[str], book: Codebook) -> None:
        self.file = file
        self.book = book

    def write(self, sentence: Sentence, prediction: Prediction) -> None:
        fields = record(sentence, prediction, self.book)
        self.file.write(json.dumps(fields, ensure_ascii=False) + "\n")


class _Csv:
    """Keeps rows aside until every column of metadata has been seen."""

    def __init__(self, rows: IO[str], book: Codebook) -> None:
        self.rows = rows
        self.book = book
        self.columns = [*_SENTENCE_COLUMNS, *_label_columns(book), "bundle"]
        #: Metadata field -> its place among the further columns.
        self.fields: dict[str, int] = {}

    def write(self, sentence: Sentence, prediction: Prediction) -> None:
        start, end = sentence.span or ("", "")
        fields = dict(sentence.metadata)
        if sentence.target:
            fields["target"] = sentence.target
        for name in fields:
            self.fields.setdefault(name, len(self.fields))
        row = [sentence.id, sentence.doc_id, sentence.position, sentence.text, start, end]
        row += [*_label_cells(prediction, self.book), prediction.bundle]
        row += [fields.get(name, "") for name in self.fields]
        self.rows.write(json.dumps(row) + "\n")

    def header(self) -> list[str]:
        own = set(self.columns)
        further = [f"metadata.{name}" if name in own else name for name in self.fields]
        return self.columns + further

    def copy_to(self, file: IO[str]) -> None:
        header = self.header()
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        self.rows.seek(0)
        for line in self.rows:
            row = json.loads(line)
            out.writerow(row + [""] * (len(header) - len(row)))


def _label_columns(book: Codebook) -> Iterator[str]:
    for head in book.heads:
        yield head.name
        yield from (f"p.{head.name}.{label}" for label in head.labels)


def _label_cells(prediction: Prediction, book: Codebook) -> Iterator[str]:
    for head in book.heads:
        yield ";".join(prediction.labels.get(head.name, ()))
        yield from (f"{p:.{_DIGITS}f}" for p in prediction.probabilities[head.name])
