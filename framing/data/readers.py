"""Corpora and sentences from files, in every format that `framing.data.tables` reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from framing.codebook import Codebook
from framing.data.columns import METADATA, ColumnMapping, VariableColumns, as_text
from framing.data.compression import COMPRESSED, Meter
from framing.data.corpus import Corpus, make_corpus
from framing.data.problems import BadRow, Place, Problems
from framing.data.rows import (
    Check,
    Draft,
    SentenceReader,
    check_columns,
    complete_all,
    complete_stream,
    order_is_known,
)
from framing.data.tables import (
    Row,
    Source,
    is_saved_dataset,
    iter_rows,
    read_rows,
    source_name,
    source_stem,
)
from framing.data.values import Heads, VariableReader, variable_readers
from framing.errors import DataError, unknown_name
from framing.records import GOLD, Annotation, Sentence

__all__ = [
    "ColumnMapping",
    "VariableColumns",
    "iter_sentences",
    "read_corpus",
    "read_sentences",
    "sentences_file",
]

_PLAIN = (".jsonl", ".csv", ".tsv", ".parquet")
_TEXTS = (".jsonl", ".csv", ".tsv", ".ndjson")
_ENDINGS = (*_PLAIN, ".ndjson", *(text + end for end in COMPRESSED for text in _TEXTS))


def iter_sentences(
    source: Path | str | TextIO, columns: ColumnMapping | None = None
) -> Iterator[Sentence]:
    """Read sentences one at a time from rows that must all be sound.

    Args:
        source: As for `read_sentences`.
        columns: Which column holds what.

    Yields:
        Sentences in the file's order.

    Raises:
        DataError: The file cannot be read, or a row is broken; with its line.
    """
    for item in read_sentences(source, columns):
        if isinstance(item, BadRow):
            raise item.error()
        yield item


def read_sentences(
    source: Path | str | TextIO,
    columns: ColumnMapping | None = None,
    meter: Meter | None = None,
    ending: str = "",
    *,
    stem: str = "",
    check: Check | None = None,
) -> Iterator[Sentence | BadRow]:
    """Read sentences one at a time; memory use does not grow with the file.

    Args:
        source: A file, a folder with sentences.*, ``-`` for standard input, or open JSON lines.
        columns: Which column holds what.
        meter: Follows how many bytes were read.
        ending: What standard input holds: ``.csv``, ``.tsv``, or JSON lines by default.
        stem: From which missing ids are made; by default the file's name.
        check: Makes rows bad that could be read otherwise.

    Yields:
        Sentences in the file's order. A missing `previous` is filled where a document's rows
        stand together.

    Raises:
        DataError: The file cannot be read at all, or not to its end.
    """
    if isinstance(source, str):
        source = Path(source)
    if isinstance(source, Path) and source.is_dir() and not is_saved_dataset(source):
        source = sentences_file(source)
    reader = SentenceReader(columns or ColumnMapping(), stem or source_stem(source), check)
    rows = read_rows(source, meter, ending)
    yield from complete_stream(r if isinstance(r, BadRow) else reader.read(r) for r in rows)


def sentences_file(folder: Path) -> Path:
    """The file with the sentences of a corpus.

    Raises:
        DataError: There is none, or more than one.
    """
    return _part(folder, "sentences")


def read_corpus(
    path: Path | str,
    codebook: Codebook,
    columns: ColumnMapping | None = None,
    name: str | None = None,
) -> Corpus:
    """Read a corpus with its annotations.

    Args:
        path: A folder with sentences.* and annotations.*, or one file (or folder saved by
            `datasets`) whose rows hold both.
        codebook: What was coded.
        columns: Which column holds what.
        name: Of the corpus; by default that of the file or folder.

    Returns:
        The corpus.

    Raises:
        DataError: With every problem found, each with file and line.
        ConfigError: `columns` does not fit the codebook.
    """
    path, columns = Path(path), columns or ColumnMapping()
    columns.check_variables(codebook)
    reader = _CorpusReader(codebook, columns)
    folder = path.is_dir() and not is_saved_dataset(path)
    if folder:
        reader.read_sentences(_part(path, "sentences"))
        reader.read_annotations(_part(path, "annotations"))
    else:
        reader.read_both(path)
    stem = path.resolve().name if folder else source_stem(path)
    return reader.corpus(name or stem, source_name(path))


def _part(folder: Path, stem: str) -> Path:
    found = [folder / (stem + ending) for ending in _ENDINGS if (folder / (stem + ending)).exists()]
    if not found:
        names = ", ".join(f"{stem}{ending}" for ending in _PLAIN)
        raise DataError(
            f"{folder}: expected one of {names}; give a folder that holds it, or one file"
        )
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{folder}: expected one {stem} file, found {names}; keep one")
    return found[0]


def _differences(first: Draft, draft: Draft) -> Iterator[str]:
    """In what two rows of one id are not about one sentence."""
    one, other = first.sentence, draft.sentence
    if first.has_document and draft.has_document and one.doc_id != other.doc_id:
        yield (
            f"stands in document {other.doc_id!r}, in its first row in {one.doc_id!r}; where "
            "numbers begin anew in each document, write document and number together"
        )
    elif one.text != other.text:
        yield "has another text than in its first row"
    if one.target != other.target:
        yield (
            f"has target {other.target!r}, in its first row {one.target!r}. Sentences with several "
            "targets need an id for each"
        )
    for name, before, now in (
        ("position", first.position, draft.position),
        ("previous sentence", first.previous, draft.previous),
    ):
        if before is not None and now is not None and before != now:
            yield f"has another {name} than in its first row"


class _CorpusReader:
    """Collects drafts and annotations, with their places and all problems."""

    def __init__(self, book: Codebook, mapping: ColumnMapping) -> None:
        self.book = book
        self.mapping = mapping
        self.problems = Problems()
        self.drafts: list[Draft] = []
        self.draft_places: list[Place] = []
        self.annotations: list[Annotation] = []
        self.annotation_places: list[Place] = []
        self.coded_rows: list[tuple[str, str]] = []
        self.seen: set[str] = set()
        self.differing: dict[str, str] = {}
        self._keys: tuple[str, ...] | None = None
        self._variables: tuple[VariableReader, ...] = ()

    def corpus(self, name: str, where: str) -> Corpus:
        if self.seen:
            self._check_named(where)
        self.problems.raise_any(f"{where}: the data have mistakes")
        if not self.annotations:
            raise DataError(f"{where}: {self._nothing_coded()}")
        unordered = self._unordered_documents()
        corpus = make_corpus(
            name,
            self.book,
            complete_all(self.drafts, unordered),
            self.annotations,
            sentence_places=self.draft_places,
            annotation_places=self.annotation_places,
        )
        without = self._without_document()
        return replace(
            corpus,
            without_document=without,
            unordered_documents=unordered,
            differing_fields=self.differing,
        )

    def _without_document(self) -> frozenset[str]:
        lacking = [draft.sentence.id for draft in self.drafts if not draft.has_document]
        meant = self.mapping.missing_doc_id is not None or len(lacking) == len(self.drafts)
        return frozenset() if meant else frozenset(lacking)

    def _unordered_documents(self) -> frozenset[str]:
        """Documents of which coders' rows should tell the order of sentences, but do not."""
        rows: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        document = {d.sentence.id: d.sentence.doc_id for d in self.drafts}
        for coder, sentence in self.coded_rows:
            rows[document[sentence]].append((coder, sentence))
        asked = [d for d in self.drafts if d.position is None and d.previous is None]
        documents = {draft.sentence.doc_id for draft in asked}
        return frozenset(name for name in documents & set(rows) if not order_is_known(rows[name]))

    def _nothing_coded(self) -> str:
        known = ", ".join(v.id for v in self.book.variables)
        return (
            f"no annotations; expected values of at least one of {known}. "
            f"Columns found: {', '.join(sorted(self.seen))}. Say under `columns` where the values "
            "stand"
        )

    def _check_named(self, where: str) -> None:
        """JSON lines have no header, so a wrong name shows only when no line had it."""
        named = [*self.mapping.named().values()]
        named += [n for spec in self.mapping.variables.values() for n in spec.names]
        for column in named:
            if column not in self.seen:
                raise DataError(f"{where}: {unknown_name('column', column, sorted(self.seen))}")

    def read_sentences(self, path: Source) -> None:
        ignore = (*self.mapping.ignore, "coder")
        mapping = replace(self.mapping, coder=None, ignore=ignore)
        reader = SentenceReader(mapping, source_stem(path))
        for row in iter_rows(path):
            self.seen.update(row.values)
            self._draft(reader, row)

    def read_annotations(self, path: Source) -> None:
        for row in iter_rows(path):
            self.seen.update(row.values)
            sentence_id = as_text(row.values.get(self.mapping.id or "id")).strip()
            if sentence_id:
                self._annotate(row, sentence_id, strict=True)
            else:
                self.problems.add(row.place, "expected the id of a sentence, found none")

    def read_both(self, path: Source) -> None:
        ignore = (*self.mapping.ignore, *self._value_columns(), self._coder_column)
        reader = SentenceReader(replace(self.mapping, ignore=ignore), source_stem(path))
        first: dict[str, Draft] = {}
        for row in iter_rows(path):
            self.seen.update(row.values)
            draft = self._draft(reader, row)
            if draft is None:
                continue
            if self._coder_column in row.values:
                self.coded_rows.append((self._coder(row), draft.sentence.id))
                self._keep_once(draft, row, first)
            self._annotate(row, draft.sentence.id)

    @property
    def _coder_column(self) -> str:
        return self.mapping.coder or "coder"

    def _coder(self, row: Row) -> str:
        return as_text(row.values[self._coder_column]).strip()

    def _value_columns(self) -> list[str]:
        """Columns that hold values of variables, which are no metadata then."""
        names: list[str] = []
        for variable in self.book.variables:
            spec = self.mapping.variables.get(variable.id)
            parent = variable if variable.per is None else self.book.variable(variable.per)
            own = [variable.id, *(f"{variable.id}.{label}" for label in parent.label_ids)]
            names += own if spec is None else spec.names
        fields = self.mapping.named().values()
        return [name for name in names if name not in fields]

    def _draft(self, reader: SentenceReader, row: Row) -> Draft | None:
        reader.resolve(row)
        draft = reader.read(row)
        if isinstance(draft, BadRow):
            self.problems.add(draft.place, draft.reason)
            return None
        self.drafts.append(draft)
        self.draft_places.append(row.place)
        return draft

    def _keep_once(self, draft: Draft, row: Row, first: dict[str, Draft]) -> None:
        """Rows by several coders: keep the sentence of the first of them."""
        if not draft.has_id:
            text = (
                f"expected a sentence id, since column {self._coder_column!r} says that rows are "
                "by several coders; name its column under `columns: {id: ...}`"
            )
            self.problems.add(row.place, text)
            return
        before = first.setdefault(draft.sentence.id, draft)
        if before is draft:
            return
        self.drafts.pop()
        self.draft_places.pop()
        for text in _differences(before, draft):
            self.problems.add(row.place, f"sentence {draft.sentence.id!r} {text}")
        for name in METADATA:
            if before.sentence.value(name) != draft.sentence.value(name):
                self.differing.setdefault(name, draft.sentence.id)

    def _annotate(self, row: Row, sentence_id: str, strict: bool = False) -> None:
        try:
            self._resolve(row, strict)
            by_coder = self._values(row)
        except DataError as error:
            self.problems.add(row.place, str(error))
            if row.tabular and tuple(row.values) != self._keys:
                # Not to be read at all: every further row would say the same.
                self.problems.raise_any(f"{row.place.file}: the data have mistakes")
            return
        for coder, heads in by_coder.items():
            self.annotations.append(Annotation(sentence_id, coder, heads))
            self.annotation_places.append(row.place)

    def _values(self, row: Row) -> dict[str, Heads]:
        column = self._coder_column
        own = self._coder(row) if column in row.values else GOLD
        by_coder: dict[str, Heads] = {}
        for reader in self._variables:
            for coder, heads in reader.read(row.values):
                by_coder.setdefault(coder or own, {}).update(heads)
        if "" in by_coder:
            raise DataError(f"column {column!r}: expected the coder's name, found nothing")
        return by_coder

    def _resolve(self, row: Row, strict: bool) -> None:
        keys = tuple(row.values)
        if keys == self._keys:
            return
        if row.tabular:
            for spec in self.mapping.variables.values():
                check_columns(row, spec.names)
        variables = variable_readers(self.book, self.mapping, keys)
        if strict:
            self._refuse_others(row, variables)
        self._keys, self._variables = keys, variables

    def _refuse_others(self, row: Row, variables: Sequence[VariableReader]) -> None:
        """A key that nothing reads in an annotation file is most likely a misspelt variable."""
        own = (self.mapping.id or "id", self._coder_column)
        read = {*own, *self.mapping.ignore}
        read |= {name for reader in variables for name in reader.spec.names}
        for key in row.values:
            if key not in read:
                known = [*own, *(v.id for v in self.book.variables)]
                raise DataError(
                    f"{unknown_name('key', key, known)} Name it under `columns: {{ignore: [...]}}` "
                    "to leave it unread"
                )
