"""Rows of CSV, TSV, JSON lines, Parquet and saved `datasets`, one at a time.

Every format gives the same rows, so that what a column means is decided in one place
(`framing.data.columns`), and memory use does not grow with the file.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from framing.artifacts import printable
from framing.data.compression import (
    COMPRESSED,
    DAMAGED,
    Meter,
    damage,
    open_bytes,
    without_compression,
)
from framing.data.problems import BadRow, Place
from framing.errors import DataError, DependencyError, counted

if TYPE_CHECKING:
    import pyarrow as pa

#: Where rows come from: a file, a folder of `datasets`, "-" for standard input, or open text.
Source = Path | TextIO
STDIN = Path("-")
_BATCH = 4096
#: Bytes of a Parquet column that are read at a time.
_PARQUET_BUFFER = 2**20
#: Delimiter -> its name in messages.
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
#: A quoted cell: its mark stands at the start of the line or after a delimiter. Where a line break
#: stands in the cell, the line ends before its closing mark.
_QUOTED = re.compile(r'(?<![^,;\t])"(?:[^"]|"")*(?:"|\Z)')
_BOM = "\ufeff"
_SAVE_AS = "save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
#: Characters of a CSV field.
_LONGEST_FIELD = 2**24
#: Characters of a CSV row in all, beyond which no further line is taken into it.
_LONGEST_ROW = 2**25
#: How often a line is read again on average, at most, because of broken rows before it.
_MOST_AGAIN = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        values: Column -> value; text in CSV, JSON values otherwise.
        place: Where it stands.
        tabular: Whether all rows have the same columns; not so in JSON lines.
    """

    values: Mapping[str, Any]
    place: Place
    tabular: bool


def iter_rows(source: Source) -> Iterator[Row]:
    """Read the rows of a file, all of which must be sound.

    Args:
        source: As for `read_rows`.

    Yields:
        The rows, one at a time.

    Raises:
        DataError: The file is missing, empty, of an unknown format, or broken; with its line.
        DependencyError: A folder of `datasets`, and that package is not installed.
    """
    for row in read_rows(source):
        if isinstance(row, BadRow):
            raise row.error()
        yield row


def read_rows(
    source: Source, meter: Meter | None = None, ending: str = ""
) -> Iterator[Row | BadRow]:
    """Read the rows of a file, also of one in which some are broken.

    Args:
        source: ``.csv``, ``.tsv``, ``.jsonl``, ``.json`` (each also compressed: ``.gz``, ``.bz2``,
            ``.xz``, ``.zst``), ``.parquet``, a folder that `datasets` saved, ``-`` for standard
            input, or open JSON lines.
        meter: Follows how many bytes were read.
        ending: What standard input holds: ``.csv``, ``.tsv``, or JSON lines by default.

    Yields:
        The rows, one at a time.

    Raises:
        DataError: The file is missing, empty, of an unknown format, or cannot be read on.
        DependencyError: A folder of `datasets`, and that package is not installed.
    """
    number = 0
    for row in _reader(source, ending)(source, meter):
        number += 1
        yield row
    if not number:
        raise DataError(f"{source_name(source)}: expected at least one row, found none")


def source_name(source: Source) -> str:
    """The name of a source in messages."""
    if isinstance(source, Path):
        return "stdin" if source == STDIN else printable(source)
    return str(getattr(source, "name", "stdin")).strip("<>")


def source_stem(source: Source) -> str:
    """The file name without folder and endings, from which missing ids are made."""
    return Path(source_name(source)).name.split(".")[0] or "row"


def is_saved_dataset(path: Path) -> bool:
    """Whether `datasets` wrote this folder."""
    return (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file()


def _reader(source: Source, ending: str) -> Reader:
    if not isinstance(source, Path) or source == STDIN:
        return _READERS[ending] if ending else _json_lines
    if source.is_dir():
        if is_saved_dataset(source):
            return _saved_dataset
        raise DataError(
            f"{source}: expected a file or a folder saved by `datasets`, found another folder"
        )
    if not source.exists():
        raise DataError(f"{source}: no such file")
    if source.name.lower().endswith(".parquet"):
        return _parquet
    ending = Path(without_compression(source.name.lower())).suffix
    if ending not in _READERS:
        raise DataError(
            f"{source}: unknown format {''.join(source.suffixes) or '(no ending)'!r}; known: "
            f"{', '.join([*_READERS, '.parquet'])}, all but the last also with "
            f"{', '.join(COMPRESSED)}"
        )
    return _READERS[ending]


@contextmanager
def _open(source: Source, meter: Meter | None) -> Iterator[TextIO]:
    """Text in which bytes that are not UTF-8 stand as lone surrogates."""
    if not isinstance(source, Path):
        yield source
    elif source == STDIN:
        wrapper = _text(sys.stdin.buffer)
        try:
            yield wrapper
        finally:
            # Otherwise the wrapper would close standard input when it is collected.
            wrapper.detach()
    else:
        with open_bytes(source, meter) as file, _text(file) as wrapper:
            yield wrapper


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    """UTF-8, whatever the locale says."""
    return io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")


def _checked_lines(source: Source, meter: Meter | None) -> Iterator[tuple[str, str]]:
    """Lines, each with what is wrong with its encoding, or ""."""
    offset = 0
    try:
        with _open(source, meter) as file:
            for line in file:
                if not offset and line.startswith(_BOM):
                    line, offset = line.removeprefix(_BOM), len(_BOM.encode())  # noqa: PLW2901
                data = line.encode("utf-8", "surrogateescape")
                yield line, "" if line.isascii() else _encoding_fault(data, offset)
                offset += len(data)
    except DAMAGED as error:
        raise damage(source_name(source), error) from None


def _encoding_fault(line: bytes, offset: int) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        where = f"byte 0x{line[error.start]:02x} at offset {offset + error.start}"
        return f"expected UTF-8, found {where}; {_SAVE_AS}"
    return ""


class _Lines:
    """Lines of a text, of which those that were read last can be read again.

    Attributes:
        number: Lines read.
        taken: Those since `take` was called last, each with what is wrong with its encoding, or "".
    """

    def __init__(self, source: Source, meter: Meter | None) -> None:
        self.number = 0
        self.taken: list[tuple[str, str]] = []
        self._unread = _checked_lines(source, meter)
        self._returned: deque[tuple[str, str]] = deque()
        # Characters of the lines taken, of all lines, and of all that were given back.
        self._length = self._read = self._again = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._length > _LONGEST_ROW:
            raise csv.Error(f"row larger than the limit ({_LONGEST_ROW})")
        if not self._returned:
            self._returned.append(next(self._unread))
            self._read += len(self._returned[0][0])
        found = self._returned.popleft()
        self.number += 1
        self.taken.append(found)
        self._length += len(found[0])
        return found[0]

    def peek(self) -> str:
        """The next line, which is still to be read; "" after the last."""
        line = next(self, "")
        if line:
            self._return(0)
        return line

    def give_back(self) -> int:
        """Let the lines taken be read again, but for the first.

        Returns:
            How many these are; 0 also where it would take too long, because that happens with
            every other line of a large file.
        """
        self._again += self._length - len(self.taken[0][0])
        return self._return(1) if self._again <= _LONGEST_ROW + _MOST_AGAIN * self._read else 0

    def _return(self, kept: int) -> int:
        returned = self.taken[kept:]
        self._returned.extendleft(reversed(returned))
        del self.taken[kept:]
        self.number -= len(returned)
        self._length = sum(len(line) for line, _ in self.taken)
        return len(returned)

    def take(self) -> tuple[str, str]:
        """The text read since the last call, and what is wrong with its encoding."""
        text = "".join(line for line, _ in self.taken).rstrip("\r\n")
        fault = next((fault for _, fault in self.taken if fault), "")
        self.taken.clear()
        self._length = 0
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), fault


def _csv(path: Path, meter: Meter | None) -> Iterator[Row | BadRow]:
    return _delimited(path, None, meter)


def _tsv(path: Path, meter: Meter | None) -> Iterator[Row | BadRow]:
    return _delimited(path, "\t", meter)


def _delimited(path: Path, delimiter: str | None, meter: Meter | None) -> Iterator[Row | BadRow]:
    # Python's limit of 128 KiB is too low for articles; without any, a quotation mark that is
    # never closed would take the rest of the file into memory.
    csv.field_size_limit(_LONGEST_FIELD)
    source = _Lines(path, meter)
    # Not tabs: they may be a header of empty names.
    while (first := source.peek()) and not first.strip("\r\n "):
        next(source)
        source.take()
    if delimiter is None:
        delimiter = _delimiter(first)
    rows = csv.reader(source, delimiter=delimiter, strict=True)
    name = source_name(path)
    header = _read_header(rows, source, name)
    number = 0
    while True:
        place = Place(name, number + 1, source.number + 1)
        cells, fault = _next_cells(rows, source, header, delimiter)
        if cells is None:
            return
        raw, encoding = source.take()
        # Spreadsheets write rows of nothing but delimiters below a table.
        if not fault and not any(cell.strip() for cell in cells):
            continue
        number += 1
        if fault or encoding:
            yield BadRow(place, encoding or fault, raw)
        else:
            yield Row(_named_cells(header, cells), place, True)


def _delimiter(header: str) -> str:
    """What divides a header: spreadsheets write semicolons where the comma is the decimal sign."""
    outside = _QUOTED.sub("", header)
    return max(_DELIMITERS, key=outside.count)


def _next_cells(
    rows: Iterator[list[str]], source: _Lines, header: list[str], delimiter: str
) -> tuple[list[str] | None, str]:
    """The next row's cells, None after the last, and what is wrong with them, or ""."""
    try:
        cells = next(rows, None)
    except csv.Error as error:
        return [], (
            f"broken row: {error}; a quotation mark within a quoted field must be doubled, and "
            f"every opened one closed{_further_lines(source)}"
        )
    if not cells or len(cells) == len(header):
        return cells, ""
    lines = len(source.taken)
    where = f" in {lines:,} lines" if lines > 1 else ""
    return cells, (
        f"expected {len(header)} cells as in the header, found {len(cells)}{where}, divided by "
        f"{_DELIMITERS[delimiter]}; a text with one of these or a line break in it must stand in "
        "quotation marks"
    )


def _further_lines(source: _Lines) -> str:
    """Let what a broken row took with it be read again; tells how much that is."""
    again = source.give_back()
    if again:
        return (
            f". The row seemed to go on for {counted(again, 'line')} more; only its first is left "
            "out, the others are read again"
        )
    more = len(source.taken) - 1
    return (
        f". Left out with it: {counted(more, 'line')} that it seemed to go on for" if more else ""
    )


def _read_header(rows: Iterator[list[str]], source: _Lines, name: str) -> list[str]:
    try:
        cells = next(rows, [])
    except csv.Error as error:
        raise DataError(f"{name}:1: broken header: {error}") from None
    _, fault = source.take()
    if fault:
        raise DataError(f"{name}:1: {fault}")
    return _header(cells, name)


def _header(cells: list[str], file: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    refuse_twice(filter(None, names), f"{file}:1", " in the header")
    return names


def refuse_twice(columns: Iterable[str], where: str, inside: str = "") -> None:
    """Refuse columns of the same name, of which only the last would be read.

    Raises:
        DataError: There are such.
    """
    for name, count in Counter(columns).items():
        if count > 1:
            raise DataError(f"{where}: column {name!r} stands twice{inside}; rename one")


def _named_cells(header: list[str], cells: list[str]) -> dict[str, str]:
    # A column without a name is the index that data frames write.
    return {name: cell for name, cell in zip(header, cells, strict=True) if name}


def _json_lines(source: Source, meter: Meter | None) -> Iterator[Row | BadRow]:
    name = source_name(source)
    row = 0
    lines = _Lines(source, meter)
    for line in lines:
        raw, fault = lines.take()
        if not line.strip():
            continue
        row += 1
        place = Place(name, row, lines.number)
        try:
            if fault:
                raise DataError(fault)
            yield Row(_json_object(line), place, False)
        except DataError as error:
            yield BadRow(place, str(error), raw)


def _json_object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON: {error.msg} at character {error.pos + 1}; one object a line is expected"
        ) from None
    except RecursionError:
        raise DataError("not usable JSON: nested too deeply") from None
    except ValueError:
        raise DataError("not usable JSON: a number of too many digits") from None
    if not isinstance(value, dict):
        found = type(value).__name__
        raise DataError(f'expected an object such as {{"text": ...}}, found {found}')
    if "\\ud" in line or "\\uD" in line:
        _refuse_surrogates(value)
    return value


def _refuse_surrogates(value: Mapping[str, Any]) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise DataError("not usable JSON: nested too deeply") from None
    except UnicodeEncodeError:
        raise DataError(
            "holds half of a character (a lone surrogate \\ud8xx); write the text again from its "
            "source"
        ) from None


def _json(path: Path, meter: Meter | None) -> Iterator[Row | BadRow]:
    # It makes rows as this module does.
    from framing.data.label_studio import json_rows

    return json_rows(path, meter)


def _parquet(path: Path, meter: Meter | None) -> Iterator[Row | BadRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    name, row = source_name(path), 0
    try:
        # Arrow itself opens only files whose names are UTF-8.
        # Arrow would read all row groups ahead, and keep them until the file is closed.
        kept = {"pre_buffer": False, "buffer_size": _PARQUET_BUFFER}
        with path.open("rb") as opened, pq.ParquetFile(opened, **kept) as file:
            if meter is not None:
                size, rows = path.stat().st_size, max(file.metadata.num_rows, 1)
                meter.follow(lambda: size * row // rows)
            for batch in file.iter_batches(batch_size=_BATCH):
                for found in batch_rows(batch, name, row):
                    row += 1
                    yield found
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: not a readable Parquet file: {error}") from None


#: What Arrow raises for cells that Python cannot hold: dates after the year 9999, text that is not
#: UTF-8, unknown time zones.
_NOT_HELD = (ArithmeticError, LookupError, ValueError)


def batch_rows(batch: pa.RecordBatch, file: str, before: int) -> Iterator[Row | BadRow]:
    """The rows of a batch of Arrow records; those with a cell that Python cannot hold are bad.

    Args:
        batch: The records.
        file: Named in the rows' places.
        before: How many rows of the file were read before.

    Yields:
        The rows, one at a time.

    Raises:
        DataError: Two columns have the same name.
    """
    refuse_twice(batch.schema.names, file)
    batch = _in_microseconds(batch)
    try:
        records = batch.to_pylist()
    except _NOT_HELD:
        records = None
    for k in range(batch.num_rows):
        place = Place(file, before + k + 1)
        if records is None:
            yield _row_by_itself(batch.slice(k, 1), place)
        else:
            yield Row(records[k], place, True)


def _in_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without nanoseconds, for which Arrow would load pandas, if that is there."""
    import pyarrow as pa

    schema = pa.schema([field.with_type(_coarser(field.type)) for field in batch.schema])
    if schema == batch.schema:
        return batch
    arrays = [
        column.cast(field.type, safe=False)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _coarser(kind: pa.DataType) -> pa.DataType:
    """A type with microseconds in the place of nanoseconds, however deep they stand in it."""
    import pyarrow as pa

    if pa.types.is_nested(kind):
        return _coarser_nested(kind)
    if getattr(kind, "unit", "") != "ns":
        return kind
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")


def _coarser_nested(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_coarser(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_coarser(kind.key_type), _coarser(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(_coarser(kind.value_type)))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_coarser(kind.value_type)), kind.list_size)
    return kind


def _row_by_itself(batch: pa.RecordBatch, place: Place) -> Row | BadRow:
    values: dict[str, Any] = {}
    faults = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            values[name] = column.to_pylist()[0]
        except _NOT_HELD as error:
            faults.append(f"column {name!r}: holds what cannot be read: {error}")
    if not faults:
        return Row(values, place, True)
    raw = json.dumps(values, ensure_ascii=False, default=str)
    return BadRow(place, "; ".join(faults), raw)


def _saved_dataset(path: Path, _: Meter | None) -> Iterator[Row]:
    try:
        import datasets
    except ModuleNotFoundError:
        raise DependencyError(
            f"{path}: reading a folder saved by `datasets` needs that package; "
            "install the extra: pip install 'framing[train]', or save the data as Parquet"
        ) from None
    try:
        yield from _dataset_rows(datasets.load_from_disk(str(path)), source_name(path))
    except _DAMAGED_DATASET as error:
        kind = type(error).__name__
        raise DataError(
            f"{path}: not a readable folder of `datasets`: {kind}: {error}; save it again"
        ) from None


#: What `datasets` raises for files that are missing, cut off or hold something else.
_DAMAGED_DATASET = (AttributeError, LookupError, OSError, TypeError, ValueError)


def _dataset_rows(found: Any, name: str) -> Iterator[Row]:
    """The rows of a data set, or of all splits of several."""
    parts = found.items() if isinstance(found, Mapping) else [("", found)]
    row = 0
    for split, part in parts:
        names = _class_names(part.features)
        for record in part:
            row += 1
            values = {key: _named(value, names.get(key)) for key, value in record.items()}
            if split:
                values.setdefault("split", str(split))
            yield Row(values, Place(name, row), True)


def _class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of the classes that `datasets` stores as numbers, by column."""
    found = {}
    for column, feature in features.items():
        inner = getattr(feature, "feature", feature)
        if hasattr(inner, "int2str"):
            found[column] = list(inner.names)
    return found


def _named(value: Any, names: list[str] | None) -> Any:
    if names is None or value is None:
        return value
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    # -1 is how `datasets` writes a class that is not known.
    return names[value] if value >= 0 else None


#: What reads the rows of a source of one format.
Reader = Callable[[Any, Meter | None], Iterator[Row | BadRow]]
_READERS: dict[str, Reader] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
}
