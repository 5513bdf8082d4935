"""Rows of CSV, TSV, JSON lines, Parquet and saved `datasets`, one at a time.

Every format gives the same rows, so that what a column means is decided in one place
(`framing.data.columns`), and memory use does not grow with the file.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from framing.data.problems import Place
from framing.errors import DataError, DependencyError

#: Where rows come from: a file, a folder of `datasets`, "-" for standard input, or open text.
Source = Path | TextIO
STDIN = Path("-")
_BATCH = 4096
_DELIMITERS = ",;\t"


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
    """Read the rows of a file.

    Args:
        source: ``.csv``, ``.tsv``, ``.jsonl`` (each also ``.gz``), ``.parquet``, a folder that
            `datasets` saved, ``-`` for JSON lines from standard input, or open JSON lines.

    Yields:
        The rows, one at a time.

    Raises:
        DataError: The file is missing, empty, of an unknown format, or broken; with its line.
        DependencyError: A folder of `datasets`, and that package is not installed.
    """
    number = 0
    for row in _reader(source)(source):
        number += 1
        yield row
    if not number:
        raise DataError(f"{source_name(source)}: expected at least one row, found none")


def source_name(source: Source) -> str:
    """The name of a source in messages."""
    if isinstance(source, Path):
        return "stdin" if source == STDIN else str(source)
    return str(getattr(source, "name", "stdin")).strip("<>")


def source_stem(source: Source) -> str:
    """The file name without folder and endings, from which missing ids are made."""
    return Path(source_name(source)).name.split(".")[0] or "row"


def is_saved_dataset(path: Path) -> bool:
    """Whether `datasets` wrote this folder."""
    return (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file()


def _reader(source: Source) -> Callable[[Any], Iterator[Row]]:
    if not isinstance(source, Path) or source == STDIN:
        return _json_lines
    if source.is_dir():
        if is_saved_dataset(source):
            return _saved_dataset
        raise DataError(
            f"{source}: expected a file or a folder saved by `datasets`, found another folder"
        )
    if not source.exists():
        raise DataError(f"{source}: no such file")
    readers = {".csv": _csv, ".tsv": _tsv, ".jsonl": _json_lines, ".ndjson": _json_lines}
    name = source.name.lower()
    ending = Path(name.removesuffix(".gz")).suffix
    if name.endswith(".parquet"):
        return _parquet
    if ending not in readers:
        raise DataError(
            f"{source}: unknown format {''.join(source.suffixes) or '(no ending)'!r}; known: "
            f"{', '.join([*readers, '.parquet'])}, the first four also with .gz"
        )
    return readers[ending]


def _open(source: Source) -> AbstractContextManager[TextIO]:
    if not isinstance(source, Path):
        return nullcontext(source)
    if source == STDIN:
        return _standard_input()
    try:
        if source.name.lower().endswith(".gz"):
            return gzip.open(source, "rt", encoding="utf-8-sig", newline="")
        return source.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataError(f"{source}: cannot read: {error.strerror}") from None


@contextmanager
def _standard_input() -> Iterator[TextIO]:
    """Standard input as UTF-8, whatever the locale says."""
    wrapper = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
    try:
        yield wrapper
    finally:
        # Otherwise the wrapper would close standard input when it is collected.
        wrapper.detach()


def _lines(source: Source) -> Iterator[str]:
    """Lines of a text, with encoding and compression errors told in the user's terms."""
    number = 0
    try:
        with _open(source) as file:
            for line in file:
                number += 1
                yield line
    except UnicodeDecodeError as error:
        raise DataError(_encoding_problem(source, error, number)) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{source_name(source)}: not a whole gzip file: {error}; get it again"
        ) from None


def _encoding_problem(source: Source, error: UnicodeDecodeError, lines_read: int) -> str:
    """Say which byte is not UTF-8; the decoder only knows its place in a buffer."""
    advice = "save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
    if not isinstance(source, Path) or source == STDIN:
        found = f"byte 0x{error.object[error.start]:02x} after line {lines_read}"
        return f"{source_name(source)}: expected UTF-8, found {found}; {advice}"
    opener = gzip.open if source.name.lower().endswith(".gz") else open
    offset = 0
    with opener(source, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as bad:
                byte = f"byte 0x{line[bad.start]:02x} at offset {offset + bad.start}"
                return f"{source}:{number}: expected UTF-8, found {byte}; {advice}"
            offset += len(line)
    return f"{source}: expected UTF-8, found other bytes; {advice}"


def _csv(path: Path) -> Iterator[Row]:
    return _delimited(path, None)


def _tsv(path: Path) -> Iterator[Row]:
    return _delimited(path, "\t")


def _delimited(path: Path, delimiter: str | None) -> Iterator[Row]:
    # The limit of 128 KiB a field is there for no reason that matters here.
    csv.field_size_limit(2**31 - 1)
    lines = _lines(path)
    first = next(lines, "")
    if delimiter is None:
        # Spreadsheets write semicolons where the comma is the decimal sign.
        delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(_chain(first, lines), delimiter=delimiter, strict=True)
    header: list[str] = []
    name = str(path)
    start, row = 1, 0
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not header:
                header = _header(cells, path)
            elif cells:
                row += 1
                yield Row(_cells(header, cells, path, line), Place(name, row, line), True)
    except csv.Error as error:
        raise DataError(
            f"{path}:{start}: broken row: {error}; a quotation mark within a quoted field must "
            "be doubled, and every opened one closed"
        ) from None


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _header(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in names:
        if name and names.count(name) > 1:
            raise DataError(f"{path}:1: column {name!r} stands twice in the header; rename one")
    return names


def _cells(header: list[str], cells: list[str], path: Path, line: int) -> dict[str, str]:
    if len(cells) != len(header):
        raise DataError(
            f"{path}:{line}: expected {len(header)} cells as in the header, found {len(cells)}; "
            "a text with the delimiter or a line break in it must stand in quotation marks"
        )
    # A column without a name is the index that data frames write.
    return {name: cell for name, cell in zip(header, cells, strict=True) if name}


def _json_lines(source: Source) -> Iterator[Row]:
    name = source_name(source)
    row = 0
    for number, line in enumerate(_lines(source), start=1):
        if line.strip():
            row += 1
            yield Row(_json_object(line, f"{name}:{number}"), Place(name, row, number), False)


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: not JSON: {error.msg} at character {error.pos + 1}; one object a line is "
            "expected"
        ) from None
    except RecursionError:
        raise DataError(f"{where}: not usable JSON: nested too deeply") from None
    if not isinstance(value, dict):
        found = type(value).__name__
        raise DataError(f'{where}: expected an object such as {{"text": ...}}, found {found}')
    if "\\ud" in line or "\\uD" in line:
        _refuse_surrogates(value, where)
    return value


def _refuse_surrogates(value: Mapping[str, Any], where: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{where}: holds half of a character (a lone surrogate \\ud8xx); write the text "
            "again from its source"
        ) from None


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for values in batch.to_pylist():
                    row += 1
                    yield Row(values, Place(str(path), row), True)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from None


def _saved_dataset(path: Path) -> Iterator[Row]:
    try:
        import datasets
    except ModuleNotFoundError:
        raise DependencyError(
            f"{path}: reading a folder saved by `datasets` needs that package; "
            "install the extra: pip install 'framing[train]', or save the data as Parquet"
        ) from None
    try:
        found = datasets.load_from_disk(str(path))
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{path}: not a readable folder of `datasets`: {error}") from None
    parts = found.items() if isinstance(found, datasets.DatasetDict) else [("", found)]
    row = 0
    for split, part in parts:
        names = _class_names(part.features)
        for record in part:
            row += 1
            values = {key: _named(value, names.get(key)) for key, value in record.items()}
            if split:
                values.setdefault("split", str(split))
            yield Row(values, Place(str(path), row), True)


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
