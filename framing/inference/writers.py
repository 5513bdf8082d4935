"""Labelled sentences as JSON lines, CSV or Parquet, with every probability beside the decisions."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from framing.codebook import Codebook, Head
from framing.errors import OutputError
from framing.records import Prediction, Sentence

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv", "parquet")
_ENDINGS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
_DIGITS = 6
_SENTENCE_COLUMNS = ("id", "doc_id", "position", "text", "start", "end")
#: Rows that are turned into Parquet together.
_ROW_GROUP = 16_384


def format_of(path: Path) -> Format:
    """The format that a file name asks for.

    Raises:
        OutputError: Its ending says nothing.
    """
    try:
        return _ENDINGS[path.suffix.lower()]
    except KeyError:
        raise OutputError(
            f"{path}: expected an output that ends in {', '.join(_ENDINGS)}; or say --format "
            f"{', '.join(FORMATS)}"
        ) from None


def json_line(value: Mapping[str, Any]) -> str:
    """A line of JSON."""
    return json.dumps(value, ensure_ascii=False) + "\n"


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


def further_fields(sentence: Sentence) -> tuple[str, ...]:
    """The columns that a sentence has in a table beside those which every sentence has."""
    return (*sentence.metadata, *(["target"] if sentence.target else []))


def label_columns(book: Codebook) -> Iterator[tuple[Head, str | None, str]]:
    """The columns of labels and probabilities in tables, in their order.

    Yields:
        The head, the label whose probability the column holds (None for that of the decided
        labels), and the column's name.
    """
    for head in book.heads:
        yield head, None, head.name
        yield from ((head, label, f"p.{head.name}.{label}") for label in head.labels)


def decided(head: Head, labels: Mapping[str, Sequence[str]]) -> list[str] | str | None:
    """What a table holds of the decided labels of a head: a list, one label, or nothing."""
    found = labels.get(head.name)
    if found is None:
        return None
    return list(found) if head.kind == "multi_label" else found[0]


class TableShape:
    """The columns of a table of labelled sentences.

    Args:
        book: The codebook of the predictions.
        further: Names of the input's own columns.

    Attributes:
        header: Names of all columns. One of the input whose name is taken already is called
            ``metadata.<name>``.
    """

    def __init__(self, book: Codebook, further: Sequence[str]) -> None:
        self.book = book
        self.further = tuple(further)
        own = [*_SENTENCE_COLUMNS, *(name for _, _, name in label_columns(book)), "bundle"]
        taken = {*own, *(name for name in further if name not in own)}
        self.header = list(own)
        for name in further:
            self.header.append(name if name not in own else _free_name(name, taken))

    def row(self, fields: Mapping[str, Any]) -> list[Any]:
        """A record's values, one a column; None where it has none."""
        labels, probabilities = fields["labels"], fields["probabilities"]
        further = {**fields.get("metadata", {})}
        if "target" in fields:
            further["target"] = fields["target"]
        start, end = fields.get("span") or (None, None)
        row = [fields["id"], fields["doc_id"], fields["position"], fields["text"], start, end]
        for head, label, _ in label_columns(self.book):
            found = probabilities[head.name]
            row.append(decided(head, labels) if label is None else found[label])
        row.append(fields["bundle"])
        return row + [further.get(name) for name in self.further]


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"metadata.{name}"
    taken.add(name)
    return name


def write_csv(file: IO[str], records: Iterable[str], shape: TableShape) -> None:
    """Write CSV.

    Args:
        file: Where to; stays open.
        records: Lines of JSON, see `record`.
        shape: The columns.
    """
    # A cell with a line break of either kind must stand in quotation marks; before Python 3.13 only
    # those of the writer's own line ends do.
    out = csv.writer(_LineFeeds(file), lineterminator="\r\n")
    out.writerow(shape.header)
    for line in records:
        out.writerow([_cell(value) for value in shape.row(json.loads(line))])


class _LineFeeds:
    """Takes rows that end in a carriage return and a line feed, and writes only the latter."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.{_DIGITS}f}"
    return ";".join(value) if isinstance(value, list) else value


def write_parquet(path: Path, records: Iterable[str], shape: TableShape) -> None:
    """Write Parquet; needs the memory of one row group.

    Args:
        path: The file.
        records: Lines of JSON, see `record`.
        shape: The columns.
    """
    import pyarrow.parquet as pq

    schema = parquet_schema(shape)
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for rows in _groups(records, shape):
            out.write_table(_table(rows, schema))


def parquet_schema(shape: TableShape) -> pa.Schema:
    """The types of a table's columns: those of the input are text."""
    import pyarrow as pa

    integer, text = pa.int64(), pa.string()
    types = [text, text, integer, text, integer, integer]
    types += [label_type(head, label) for head, label, _ in label_columns(shape.book)]
    types += [text] * (1 + len(shape.further))
    return pa.schema(list(zip(shape.header, types, strict=True)))


def label_type(head: Head, label: str | None) -> pa.DataType:
    """The type of one of the `label_columns`: a list of labels, one label, or a probability."""
    import pyarrow as pa

    if label is not None:
        return pa.float64()
    return pa.list_(pa.string()) if head.kind == "multi_label" else pa.string()


def _groups(records: Iterable[str], shape: TableShape) -> Iterator[list[list[Any]]]:
    rows: list[list[Any]] = []
    for line in records:
        rows.append(shape.row(json.loads(line)))
        if len(rows) == _ROW_GROUP:
            yield rows
            rows = []
    if rows:
        yield rows


def _table(rows: list[list[Any]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
