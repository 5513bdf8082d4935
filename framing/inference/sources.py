"""What to label: article files, folders, tables of sentences, standard input."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from framing.artifacts import JOB, printable
from framing.data.columns import ColumnMapping
from framing.data.compression import (
    COMPRESSED,
    DAMAGED,
    Meter,
    damage,
    open_bytes,
    without_compression,
)
from framing.data.problems import BadRow, Place
from framing.data.readers import sentences_file
from framing.data.rows import Check, Completer, Draft, SentenceReader
from framing.data.tables import is_saved_dataset, read_rows
from framing.errors import DataError, OutputError
from framing.records import Sentence

if TYPE_CHECKING:
    from framing.data.page import Page

#: Standard input.
STDIN = "-"
StdinFormat = Literal["text", "jsonl", "csv", "tsv"]
_ARTICLES = (".txt", ".text", ".md")
_TABLES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_KNOWN = (*_ARTICLES, *_TABLES)
#: Fields of a sentence that say nothing of a whole article.
_PLACES = ("position", "previous", "span")
_ALL_KNOWN = f"{', '.join(_KNOWN)}, all but the last also with {', '.join(COMPRESSED)}"

#: What reading gives: the sentences of an article, one sentence of a table, or a bad row.
Item: TypeAlias = "Page | Sentence | BadRow"
#: Names of columns in the order in which they were met.
Columns = dict[str, None]


@dataclass(frozen=True)
class SourceSettings:
    """How inputs are read.

    Attributes:
        plain: Take the whole text of an article, page furniture and all.
        segment: Rows of tables hold whole articles, which are split into sentences.
        columns: Which column of a table holds what.
        stdin: What standard input holds; None to look at how it begins: JSON lines if with
            ``{``, else the text of one article.
        strict: Stop at the first bad row.
        mark_target: The model marks targets, so that rows with a wrong place of it are bad.
    """

    plain: bool = False
    segment: bool = False
    columns: ColumnMapping = field(default_factory=ColumnMapping)
    stdin: StdinFormat | None = None
    strict: bool = False
    mark_target: bool = False


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to be read.

    Attributes:
        path: As it was named or found, to be opened; `STDIN` for standard input.
        stem: From which missing ids are made: the name without its ending, as text.
        size: Bytes; None where that is not known before it is read.
    """

    path: str
    stem: str
    size: int | None


def find_inputs(names: Iterable[str], outputs: Iterable[Path] = ()) -> tuple[InputFile, ...]:
    """Find everything that was named; nothing is read yet.

    Args:
        names: Article files, tables, folders (with all such files in them), patterns such as
            ``data/*.csv`` or ``data/**/*.txt``, or ``-`` for standard input.
        outputs: Files that will be written. They are passed over in folders and patterns, as are
            the folders of unfinished work.

    Returns:
        The files in the order named; those of a folder or pattern in the order of their names.

    Raises:
        DataError: Something is missing, cannot be looked at, is of an unknown format, or is named
            twice.
        OutputError: An output is named as an input.
    """
    finder = _Finder(frozenset(_real(path) for path in outputs))
    found: dict[str, InputFile] = {}
    for name in names:
        for file in finder.named(name):
            # A link beside its file has a name of its own, and is there on purpose.
            path = STDIN if file.path == STDIN else os.path.abspath(file.path)  # noqa: PTH100
            if path in found:
                raise DataError(
                    f"{printable(file.path)}: is named twice, and its sentences would be labelled "
                    "twice; name it once (a folder or pattern stands for all files in it)"
                )
            found[path] = file
    return tuple(found.values())


def _real(path: Path) -> str:
    """What a path leads to; `Path.resolve` raises where links lead in a circle."""
    return os.path.realpath(path)


class _Finder:
    """Finds files, but for outputs."""

    def __init__(self, outputs: frozenset[str]) -> None:
        self.outputs = outputs

    def named(self, name: str) -> Iterator[InputFile]:
        """The files of one name."""
        if name == STDIN:
            yield InputFile(STDIN, "stdin", None)
            return
        try:
            yield from self._existing(name) if Path(name).exists() else self._pattern(name)
        except OSError as error:
            raise DataError(f"{error.filename or name}: cannot read: {error.strerror}") from None

    def _existing(self, name: str) -> Iterator[InputFile]:
        for file in self._found(Path(name)):
            if self._is_output(Path(file.path)):
                raise OutputError(
                    f"{file.path}: is an input and would be written; name another output"
                )
            yield file

    def _pattern(self, name: str) -> Iterator[InputFile]:
        if not glob.has_magic(name):
            raise DataError(f"{name}: no such file or folder")
        found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - Path.glob takes no "../"
        above, anywhere, _ = name.partition("**")
        if anywhere:
            # It passes over folders that cannot be read.
            for folder in glob.glob(above or "."):  # noqa: PTH207
                deque(_walk(Path(folder)), maxlen=0)
        # "**" finds folders and what is in them.
        matches = [Path(m) for m in found if "**" not in name or not Path(m).is_dir()]
        wanted = [m for m in matches if not self._is_output(m) and not _is_part(m, Path(name))]
        if not wanted:
            raise DataError(f"{name}: no file or folder fits this pattern")
        for match in wanted:
            yield from self._found(match)

    def _is_output(self, path: Path) -> bool:
        return bool(self.outputs) and _real(path) in self.outputs

    def _found(self, path: Path) -> Iterator[InputFile]:
        if not path.is_dir():
            if _suffix(path) and _suffix(path) not in _KNOWN:
                inner = without_compression(path.name)
                ending = f"{Path(inner).suffix}{path.name[len(inner) :]}"
                raise DataError(
                    f"{path}: unknown format {ending!r}; known: {_ALL_KNOWN}. "
                    "Save the text of a web page or document as .txt"
                )
            yield _file(path, Path(path.name))
        elif is_saved_dataset(path):
            size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
            yield InputFile(str(path), printable(path.resolve().name), size)
        elif any(_is_corpus_table(file) for file in path.glob("sentences.*")):
            file = sentences_file(path)
            yield _file(file, Path(file.name))
        else:
            yield from (_file(file, file.relative_to(path)) for file in self._files(path))

    def _files(self, folder: Path) -> list[Path]:
        """All files of known formats below a folder, in order of name; hidden ones left out."""
        found = [
            path
            for path in sorted(_walk(folder))
            if _suffix(path) in _KNOWN
            # Of a link that leads nowhere is told as of any other file that cannot be read.
            and (path.is_file() or (path.is_symlink() and not path.exists()))
            and not path.name.startswith(".")
            and not self._is_output(path)
            and not _is_part(path, folder)
        ]
        if not found:
            raise DataError(f"{folder}: expected files that end in {_ALL_KNOWN}; found none")
        return found


def _walk(folder: Path) -> Iterator[Path]:
    """All that is no folder below one, but for what is in hidden folders.

    Raises:
        OSError: A folder cannot be read.
    """
    for path, folders, names in os.walk(folder, onerror=_raised):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(path, name) for name in names)


def _raised(error: OSError) -> None:
    raise error


def _is_part(path: Path, named: Path) -> bool:
    """Whether a path is, or leads through, a folder of unfinished work that was not named."""
    return any(
        folder.name.endswith(JOB.folder_suffix)
        and folder.name not in named.parts
        and any((folder / name).exists() for name in (JOB.lock, JOB.record))
        for folder in (path, *path.parents)
    )


def _is_corpus_table(path: Path) -> bool:
    """Whether a file is named as that with the sentences of a corpus."""
    return path.is_file() and _suffix(path) in _TABLES and _stem(Path(path.name)) == "sentences"


def _file(path: Path, name: Path) -> InputFile:
    size: int | None = 0
    if path.exists():
        # How much comes through a pipe is not known before it is read.
        size = path.stat().st_size if path.is_file() else None
    return InputFile(str(path), printable(_stem(name)), size)


def _suffix(path: Path) -> str:
    """The ending that tells the format."""
    name = path.name.lower()
    inner = Path(without_compression(name)).suffix
    return path.suffix.lower() if inner == ".parquet" else inner


def _stem(path: Path) -> str:
    """The path without its ending, with slashes on every platform."""
    whole = without_compression(path.as_posix())
    return whole[: len(whole) - len(_suffix(path))]


def read_inputs(
    files: Iterable[InputFile],
    settings: SourceSettings,
    meter: Meter | None = None,
    columns: Columns | None = None,
) -> Iterator[Item]:
    """Read files, one page or one sentence at a time, in constant memory.

    Args:
        files: From `find_inputs`.
        settings: How they are read.
        meter: Follows how many bytes were read.
        columns: Is given what a table carries along, before the table's first sentence.

    Yields:
        A page for every article, a sentence for every row of a table of sentences, and a bad row
        for each that cannot be read. A file that cannot be read on counts as one bad row.

    Raises:
        DataError: `settings.strict`, and a row or file is bad.
    """
    reader = _Reader(settings, meter or Meter(), {} if columns is None else columns)
    items = reader.all(files)
    return _sound(items) if settings.strict else items


def _sound(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, BadRow):
            raise item.error()
        yield item


def target_check() -> Check:
    """What makes rows bad whose target is said to stand where no place in the text is."""
    # It loads NumPy, which finding inputs needs not.
    from framing.encoding import InputSettings, second_segment

    settings = InputSettings(mark_target=True)

    def check(sentence: Sentence) -> None:
        second_segment(sentence, settings)

    return check


def _refuse_targets(article: Sentence) -> None:
    fields = [name for name in ("target_start", "target_end") if article.metadata.get(name)]
    if fields:
        raise DataError(
            f"{fields[0]} is a place in a sentence, but this row is a whole article; rename the "
            "column or label its sentences"
        )


class _Reader:
    """Reads inputs and keeps the names from which ids are made apart."""

    def __init__(self, settings: SourceSettings, meter: Meter, columns: Columns) -> None:
        self.settings = settings
        self.meter = meter
        self.columns = columns
        self.doc_ids: dict[str, int] = {}
        self.tables: dict[str, int] = {}
        self.check: Check | None = None
        if settings.mark_target:
            self.check = _refuse_targets if settings.segment else target_check()

    def all(self, files: Iterable[InputFile]) -> Iterator[Item]:
        for file in files:
            try:
                yield from self.file(file)
            except DataError as error:
                yield BadRow(Place(printable(file.path), 0), printable(str(error)))
            self.meter.finish(file.size or 0)

    def file(self, file: InputFile) -> Iterator[Item]:
        path = Path(file.path)
        if file.path == STDIN:
            yield from self.standard_input()
        elif not path.is_dir() and _suffix(path) not in _TABLES:
            text = _refuse_json(read_text(path), file)
            yield self.article(text, _unique(file.stem, self.doc_ids), {}, file.path)
        else:
            yield from self.table(path, "", file.stem)

    def standard_input(self) -> Iterator[Item]:
        kind = self.settings.stdin or ("jsonl" if _looks_like_json_lines() else "text")
        if kind == "text":
            text = decode(sys.stdin.buffer.read(), "stdin")
            yield self.article(text, _unique("stdin", self.doc_ids), {}, "stdin")
        else:
            yield from self.table(Path(STDIN), f".{kind}", "stdin")

    def table(self, source: Path, ending: str, stem: str) -> Iterator[Item]:
        drafts = self.drafts(source, ending, _unique(stem, self.tables))
        if not self.settings.segment:
            yield from map(Completer().complete, drafts)
            return
        for draft in drafts:
            yield draft if isinstance(draft, BadRow) else self.article_of(draft, source)

    def drafts(self, source: Path, ending: str, stem: str) -> Iterator[Draft | BadRow]:
        segment = self.settings.segment
        unread = _PLACES if segment else ()
        reader = SentenceReader(self.settings.columns, stem, self.check, unread)
        known: tuple[str, ...] | None = None
        for row in read_rows(source, self.meter, ending):
            if isinstance(row, BadRow):
                yield row
                continue
            draft = reader.read(row)
            if row.tabular and reader.columns is not known:
                known = reader.columns
                self.columns.update(dict.fromkeys(known))
                if segment and reader.has("id") and reader.has("doc_id"):
                    self.columns["doc_id"] = None
            yield draft

    def article_of(self, draft: Draft, source: Path) -> Page:
        """The article that a row holds."""
        row = draft.sentence
        metadata = dict(row.metadata)
        if draft.has_id and draft.has_document and row.doc_id != row.id:
            metadata["doc_id"] = row.doc_id
        # Ids of sentences are made from those of rows, since rows without one may share a document.
        # The ids of rows are the table's own affair: to compare them all takes memory.
        return self.article(
            row.text,
            row.id if draft.has_id else row.doc_id,
            metadata,
            f"{source}: row {row.id}",
            target=row.target,
            stem=row.id,
        )

    def article(
        self,
        text: str,
        doc_id: str,
        metadata: Mapping[str, str],
        where: str,
        *,
        target: str = "",
        stem: str = "",
    ) -> Page:
        if not text.strip():
            raise DataError(f"{where}: expected the text of an article, found nothing")
        # Its patterns take time to compile, and tables need none of them.
        from framing.data.page import article_sentences

        return article_sentences(
            text, doc_id, metadata, self.settings.plain, target=target, stem=stem
        )


def _unique(name: str, taken: dict[str, int]) -> str:
    """The name, with a number where another file has it already; it is taken then.

    Args:
        name: The name.
        taken: Name -> the last number that it was given, 1 for none.
    """
    number = taken.get(name, 1)
    found = name if number == 1 else f"{name}-{number}"
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    taken[name] = number
    taken.setdefault(found, 1)
    return found


def _looks_like_json_lines() -> bool:
    head = sys.stdin.buffer.peek(64) if isinstance(sys.stdin.buffer, io.BufferedReader) else b""
    return _begins_as_json(head.decode("utf-8", "replace"))


def _begins_as_json(text: str) -> bool:
    return text.removeprefix("\ufeff").lstrip().startswith("{")


def _refuse_json(text: str, file: InputFile) -> str:
    """The text of an article in a file whose name says nothing of its format.

    Raises:
        DataError: It begins as JSON lines do.
    """
    if not _suffix(Path(file.path)) and _begins_as_json(text):
        raise DataError(
            f"{file.path}: expected the text of an article, since the name has no ending, found "
            "JSON; call it .jsonl, or pass it through standard input (framing predict -)"
        )
    return text


def read_text(path: Path) -> str:
    """Read an article.

    Raises:
        DataError: The file cannot be read or is not UTF-8.
    """
    try:
        with open_bytes(path) as file:
            data = file.read()
    except DAMAGED as error:
        raise damage(path, error) from None
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
