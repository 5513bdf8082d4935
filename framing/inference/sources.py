"""What to label: article files, folders, tables of sentences, standard input."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from framing.data.columns import ColumnMapping
from framing.data.page import Page, article_sentences
from framing.data.readers import iter_sentences
from framing.data.tables import is_saved_dataset
from framing.errors import DataError
from framing.records import Sentence

#: Standard input.
STDIN = "-"
_ARTICLES = (".txt", ".text", ".md")
_TABLES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_COMPRESSED = tuple(f"{ending}.gz" for ending in _TABLES if ending != ".parquet")
_KNOWN = (*_ARTICLES, *_TABLES, *_COMPRESSED)


@dataclass(frozen=True)
class SourceSettings:
    """How inputs are read.

    Attributes:
        plain: Take the whole text of an article, page furniture and all.
        segment: Rows of tables hold whole articles, which are split into sentences.
        columns: Which column of a table holds what.
    """

    plain: bool = False
    segment: bool = False
    columns: ColumnMapping = field(default_factory=ColumnMapping)


def iter_inputs(inputs: Iterable[str], settings: SourceSettings) -> Iterator[Page | Sentence]:
    """Read everything that was named, one page or one sentence at a time.

    Args:
        inputs: Article files, tables, folders (with all such files in them), or ``-`` for
            standard input: JSON lines if it starts with ``{``, else the text of one article.
        settings: How they are read.

    Yields:
        A page for every article, a sentence for every row of a table of sentences.

    Raises:
        DataError: An input is missing, empty, of an unknown format or broken.
    """
    return _Inputs(settings).all(inputs)


class _Inputs:
    """Reads inputs and keeps the ids of documents apart."""

    def __init__(self, settings: SourceSettings) -> None:
        self.settings = settings
        self.doc_ids: set[str] = set()

    def all(self, inputs: Iterable[str]) -> Iterator[Page | Sentence]:
        for name in inputs:
            if name == STDIN:
                yield from self.standard_input()
            else:
                yield from self.path(Path(name))

    def path(self, path: Path) -> Iterator[Page | Sentence]:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        if not path.is_dir():
            yield from self.file(path, _stem(Path(path.name)))
        elif is_saved_dataset(path) or any(path.glob("sentences.*")):
            yield from self.table(path)
        else:
            for file in _files(path):
                yield from self.file(file, _stem(file.relative_to(path)))

    def file(self, path: Path, name: str) -> Iterator[Page | Sentence]:
        ending = _ending(path)
        if ending in _ARTICLES or not path.suffix:
            yield self.article(read_text(path), name, {}, str(path))
        elif ending in _KNOWN:
            yield from self.table(path)
        else:
            raise DataError(
                f"{path}: unknown format {path.suffix!r}; known: {', '.join(_KNOWN)}. "
                "Save the text of a web page or document as .txt"
            )

    def standard_input(self) -> Iterator[Page | Sentence]:
        if _looks_like_json_lines():
            yield from self.table(STDIN)
        else:
            yield self.article(decode(sys.stdin.buffer.read(), "stdin"), "stdin", {}, "stdin")

    def table(self, source: Path | str) -> Iterator[Page | Sentence]:
        sentences = iter_sentences(source, self.settings.columns)
        if not self.settings.segment:
            yield from sentences
            return
        for row in sentences:
            yield self.article(row.text, row.id, row.metadata, f"{source}: row {row.id}")

    def article(self, text: str, name: str, metadata: Mapping[str, str], where: str) -> Page:
        if not text.strip():
            raise DataError(f"{where}: expected the text of an article, found nothing")
        return article_sentences(text, self.unique(name), metadata, self.settings.plain)

    def unique(self, name: str) -> str:
        """The name, with a number where another document has it already."""
        doc_id, number = name, 1
        while doc_id in self.doc_ids:
            number += 1
            doc_id = f"{name}-{number}"
        self.doc_ids.add(doc_id)
        return doc_id


def _ending(path: Path) -> str:
    name = path.name.lower()
    return next((e for e in _COMPRESSED if name.endswith(e)), path.suffix.lower())


def _stem(path: Path) -> str:
    """The path without its ending, with slashes on every platform."""
    whole = path.as_posix()
    return whole[: len(whole) - len(_ending(path))]


def _files(folder: Path) -> list[Path]:
    """All files of known formats below a folder, in order of name; hidden ones left out."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and _ending(path) in _KNOWN
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise DataError(f"{folder}: expected files that end in {', '.join(_KNOWN)}; found none")
    return found


def _looks_like_json_lines() -> bool:
    head = sys.stdin.buffer.peek(64) if isinstance(sys.stdin.buffer, io.BufferedReader) else b""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def read_text(path: Path) -> str:
    """Read an article.

    Raises:
        DataError: The file cannot be read or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror}") from None
    return decode(data, str(path))


def decode(data: bytes, where: str) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        DataError: The bytes are something else; with the offset of the first bad one.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{where}: expected UTF-8, found UTF-16; save the file as UTF-8")
    if b"\0" in data:
        raise DataError(
            f"{where}: expected text, found a zero byte at offset {data.index(0)}; "
            "save the article as plain text"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: expected UTF-8, found byte 0x{data[error.start]:02x} at offset "
            f"{error.start}; save the file as UTF-8"
        ) from None
