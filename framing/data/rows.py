"""From rows to sentences: fields, metadata, and what can be filled in."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framing.data.columns import METADATA, ColumnMapping, as_text
from framing.data.problems import BadRow
from framing.data.tables import Row
from framing.data.values import whole_number
from framing.errors import DataError, unknown_name
from framing.records import Sentence

_OWN_NAMES = ("id", "text", "doc_id", "position", "previous", "target", "span", *METADATA)
#: Fields that stand beside further columns in outputs, by their own names.
_CARRIED_FIELDS = ("target", *METADATA)

#: Places are stored in 64 bits.
_MOST_CHARACTERS = 2**63
#: Characters of a wrong cell in a message.
_SHOWN = 100

#: Raises a `DataError` for a sentence that cannot be used.
Check = Callable[[Sentence], None]


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence as far as its own row tells.

    Attributes:
        sentence: With position 0 and previous "" where the row does not say.
        position: None where the row does not say.
        previous: None where the row does not say.
        has_id: Whether the row has an id, so that several rows can be about one sentence.
        has_document: Whether the row says which document the sentence stands in.
    """

    sentence: Sentence
    position: int | None
    previous: str | None
    has_id: bool
    has_document: bool

    def completed(self, position: int, previous: str) -> Sentence:
        """The sentence, with what the row itself says before what is given here."""
        return replace(
            self.sentence,
            position=position if self.position is None else self.position,
            previous=previous if self.previous is None else self.previous,
        )


class SentenceReader:
    """Reads sentences from the rows of one file.

    Args:
        mapping: Which column holds what.
        stem: From which missing ids are made.
        check: Makes rows bad that could be read otherwise.
        unread: Fields that are not looked for; columns of these names are further columns.

    Attributes:
        columns: What the columns of the row that was read last are carried along as, in its order:
            metadata and the target.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        stem: str,
        check: Check | None = None,
        unread: Collection[str] = (),
    ) -> None:
        self.mapping = mapping
        self.stem = stem
        self.check = check
        self.unread = unread
        self.columns: tuple[str, ...] = ()
        self._keys: tuple[str, ...] | None = None
        self._column: dict[str, str] = {}
        self._metadata: list[tuple[str, str]] = []

    def resolve(self, row: Row) -> None:
        """Find the columns of a row; quick where they are those of the row before.

        Raises:
            DataError: A column that is needed or was named is missing; with the place.
        """
        if row.tabular and tuple(row.values) != self._keys:
            check_columns(row, self.mapping.named().values())
        try:
            self._resolve(row)
        except DataError as error:
            raise DataError(f"{row.place}: {error}") from None

    def draft(self, row: Row) -> Draft:
        """Read one row, which must be sound.

        Raises:
            DataError: A column is missing or a cell holds what it cannot hold; with the place.
        """
        found = self.read(row)
        if isinstance(found, BadRow):
            raise found.error()
        return found

    def read(self, row: Row) -> Draft | BadRow:
        """Read one row, as far as it can be read.

        Raises:
            DataError: A table lacks a column, so that none of its rows can be read.
        """
        if row.tabular:
            self.resolve(row)
        try:
            self._resolve(row)
            draft = self._draft(row)
            if self.check is not None:
                self.check(draft.sentence)
            return draft
        except DataError as error:
            return BadRow(row.place, str(error), _raw(row))

    def _resolve(self, row: Row) -> None:
        keys = tuple(row.values)
        if keys != self._keys:
            self._find_columns(row)
            self._keys = keys

    def _find_columns(self, row: Row) -> None:
        passed = {*self.mapping.ignore, *self.unread}
        own = {n: n for n in _OWN_NAMES if n in row.values and n not in passed}
        named = self.mapping.named()
        found = own | {n: column for n, column in named.items() if n not in self.unread}
        if self.mapping.text is None and "text" not in row.values:
            found["text"] = "sentence"
        # Nothing is kept of a row without a text: the next one may be as those before.
        if found["text"] not in row.values:
            raise DataError(_no_text(self.mapping, row))
        self._column = found
        self._metadata = [(name, found[name]) for name in METADATA if name in found]
        # A column without a name is the index that data frames write.
        used = {*found.values(), *self.mapping.ignore, ""}
        others = [name for name in row.values if name not in used]
        self._metadata += [(self._carried_name(name, row), name) for name in others]
        self.columns = self._in_order(row)

    def _in_order(self, row: Row) -> tuple[str, ...]:
        """Names of what is carried along, by the places of its columns in a row."""
        carried = list(self._metadata)
        if "target" in self._column:
            carried.append(("target", self._column["target"]))
        places = {column: place for place, column in enumerate(row.values)}
        carried.sort(key=lambda pair: places.get(pair[1], len(places)))
        return tuple(name for name, _ in carried)

    def _carried_name(self, column: str, row: Row) -> str:
        """What a further column is called: not as a field that was said to stand in another."""
        name = column
        if name in self.mapping.named() and name in _CARRIED_FIELDS:
            while name in row.values:
                name = f"metadata.{name}"
        return name

    def has(self, field: str) -> bool:
        """Whether the row that was read last has a column for a field."""
        return field in self._column

    def _draft(self, row: Row) -> Draft:
        def cell(name: str) -> Any:
            return row.values.get(self._column[name]) if name in self._column else None

        def text_of(name: str) -> str:
            return _text(row, self._column[name]) if name in self._column else ""

        text = text_of("text")
        if isinstance(cell("text"), (bool, list, dict)):
            raise DataError(f"column {self._column['text']!r}: expected a text, found {text}")
        if not text.strip():
            raise DataError(f"column {self._column['text']!r}: expected a sentence, found nothing")
        found = text_of("id").strip()
        sentence_id = found or f"{self.stem}-{row.place.row}"
        document = text_of("doc_id").strip()
        default = self.stem if self.mapping.missing_doc_id == "file" else sentence_id
        sentence = Sentence(
            id=sentence_id,
            text=text,
            doc_id=document or default,
            target=text_of("target"),
            metadata={
                name: value for name, column in self._metadata if (value := _metadata(row, column))
            },
            span=_span(cell("span")),
        )
        return Draft(
            sentence,
            _position(cell("position"), self._column.get("position", "")),
            None if cell("previous") is None else text_of("previous"),
            bool(found),
            bool(document),
        )


def _raw(row: Row) -> str:
    try:
        return json.dumps(dict(row.values), ensure_ascii=False, default=str)
    except RecursionError:
        return ""


def check_columns(row: Row, columns: Iterable[str]) -> None:
    """Check that a table has the columns that were named.

    Raises:
        DataError: One is missing; with the nearest.
    """
    for column in columns:
        if column not in row.values:
            message = unknown_name("column", column, row.values)
            raise DataError(f"{row.place.file}: {message}")


def _no_text(mapping: ColumnMapping, row: Row) -> str:
    if mapping.text is not None:
        return unknown_name("column", mapping.text, row.values)
    return (
        f"no column text (or sentence) here; found: {', '.join(row.values) or '(nothing)'}. "
        "Say which column holds the sentence: `columns: {text: NAME}` in a run config, "
        "`text: NAME` in the file of --columns, or --text-column NAME"
    )


def _leave_out(column: str) -> str:
    return (
        f"to leave the column unread pass --column ignore={column}, or name it under "
        "`columns: {ignore: [...]}` in a run config"
    )


def _text(row: Row, column: str, advice: str = "") -> str:
    try:
        return as_text(row.values.get(column))
    except DataError as error:
        raise DataError(f"column {column!r}: {error}{advice}") from None


def _metadata(row: Row, column: str) -> str:
    return _text(row, column, f"; {_leave_out(column)}")


def _position(cell: Any, column: str) -> int | None:
    if as_text(cell).strip() == "":
        return None
    try:
        return whole_number(cell, column)
    except DataError as error:
        # A column that was named for the position is read on purpose.
        advice = f"; {_leave_out(column)}" if column == "position" else ""
        raise DataError(f"{error}{advice}") from None


def _span(cell: Any) -> tuple[int, int] | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, list) and len(cell) == 2 and all(type(x) is int for x in cell):
        start, end = cell
        if 0 <= start <= end < _MOST_CHARACTERS:
            return start, end
    raise DataError(
        "span: expected two whole numbers [start, end] from 0 on, the first not above the second, "
        f"found {as_text(cell)[:_SHOWN]!r}; {_leave_out('span')}"
    )


def order_is_known(rows: Sequence[tuple[str, str]]) -> bool:
    """Whether the rows of several coders tell in which order a document's sentences stand.

    In a table sorted by coder, what the second coder alone coded comes after everything that the
    first did, wherever it stands in the document.

    Args:
        rows: Coder and sentence id of each row of one document, in the file's order.

    Returns:
        Whether every coder's rows follow the order in which sentences come first, and either one
        coder coded all of them or the rows go from sentence to sentence.
    """
    place: dict[str, int] = {}
    of_coder: defaultdict[str, list[int]] = defaultdict(list)
    for coder, sentence in rows:
        of_coder[coder].append(place.setdefault(sentence, len(place)))
    if any(places != sorted(places) for places in of_coder.values()):
        return False
    whole = any(len(places) == len(place) for places in of_coder.values())
    by_sentence = _together([sentence for _, sentence in rows])
    return whole or (by_sentence and not _together([coder for coder, _ in rows]))


def _together(names: Sequence[str]) -> bool:
    """Whether equal names stand side by side."""
    return len([*itertools.groupby(names)]) == len(set(names))


def complete_all(
    drafts: Sequence[Draft], unordered: Collection[str] = frozenset()
) -> list[Sentence]:
    """Fill missing positions and previous sentences, wherever a document's rows stand.

    Positions count a document's rows. The previous sentence is the one whose position is lower
    by one, so that a sample with gaps gets no wrong context.

    Args:
        drafts: One or more for each sentence.
        unordered: Documents in which no previous sentence is filled in.
    """
    counted: defaultdict[str, int] = defaultdict(int)
    places: dict[tuple[str, str, str], int] = {}
    positions, texts = [], {}
    for draft in drafts:
        document = draft.sentence.doc_id
        # Rows with one id and text, such as those of several coders, are about one sentence.
        key = (document, draft.sentence.id, draft.sentence.text)
        place = places.setdefault(key, counted[document])
        counted[document] += place == counted[document]
        position = place if draft.position is None else draft.position
        positions.append(position)
        if document not in unordered:
            texts[document, position] = draft.sentence.text
    return [
        draft.completed(position, texts.get((draft.sentence.doc_id, position - 1), ""))
        for draft, position in zip(drafts, positions, strict=True)
    ]


class Completer:
    """As `complete_all`, in constant memory: a document's rows must stand together in order.

    Bad rows pass. The sentence after one has no previous sentence, since that is not known. Rows
    with one id and text that follow each other, such as those of several coders, are about one
    sentence.
    """

    def __init__(self) -> None:
        self._document: str | None = None
        self._id = ""
        self._position = 0
        self._previous = ""
        self._text = ""

    def complete(self, draft: Draft | BadRow) -> Sentence | BadRow:
        """The next row's sentence."""
        if isinstance(draft, BadRow):
            self._text = ""
            return draft
        same = draft.sentence.doc_id == self._document
        again = same and (draft.sentence.id, draft.sentence.text) == (self._id, self._text)
        default = self._position + (not again) if same else 0
        position = default if draft.position is None else draft.position
        if not again:
            follows = same and position == self._position + 1
            self._previous = self._text if follows else ""
        sentence = draft.completed(position, self._previous)
        self._document, self._id = sentence.doc_id, sentence.id
        self._position, self._text = sentence.position, sentence.text
        return sentence


def complete_stream(drafts: Iterable[Draft | BadRow]) -> Iterator[Sentence | BadRow]:
    """Complete rows one at a time, see `Completer`."""
    return map(Completer().complete, drafts)
