"""A stream of sentences in parts: what is labelled together, written at once, and resumed from.

Where a part ends depends on the input alone, so that the same input always gives the same parts.
All sentences of a part go through the model in one call, whichever engine runs it: the last digits
of a probability may depend on the sentences beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

from framing.codebook import Codebook
from framing.data.compression import Meter
from framing.data.problems import BadRow, Place
from framing.errors import DataError
from framing.inference.labeller import CHUNK, Labeller
from framing.inference.sources import Columns, InputFile, Item, SourceSettings, read_inputs
from framing.inference.writers import further_fields, json_line, record
from framing.records import Prediction, Sentence

if TYPE_CHECKING:
    from framing.data.page import Page

#: Characters of a bad row that are kept.
_MOST_RAW = 100_000


@dataclass(frozen=True)
class InputPart:
    """Sentences that are labelled together.

    Attributes:
        number: Counts from 0.
        sentences: Of any documents, in the order of the input.
        bad: Rows among them that cannot be read.
        left_out: Lines of pages that were not counted as sentences.
        columns: Further columns of tables that begin in this part, then those of its sentences.
        position: Bytes of the input read so far.
        pages: Pages that begin in this part.
    """

    number: int
    sentences: tuple[Sentence, ...]
    bad: tuple[BadRow, ...] = ()
    left_out: int = 0
    columns: tuple[str, ...] = ()
    position: int = 0
    pages: tuple[Page, ...] = ()

    @cached_property
    def content(self) -> str:
        """As JSON: everything that the part's output depends on, without the pages."""
        return json.dumps(
            [
                self.number,
                [_sentence_fields(sentence) for sentence in self.sentences],
                [bad_row_fields(row) for row in self.bad],
                self.left_out,
                self.columns,
            ],
            ensure_ascii=False,
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @classmethod
    def from_content(cls, content: str) -> InputPart:
        """Read what `content` gives."""
        number, sentences, bad, left_out, columns = json.loads(content)
        return cls(
            number,
            tuple(_sentence(fields) for fields in sentences),
            tuple(
                BadRow(Place(row["file"], row["row"], row["line"]), row["reason"], row["raw"])
                for row in bad
            ),
            left_out,
            tuple(columns),
        )


#: Sees labelled parts as they pass.
Watch = Callable[[InputPart, Sequence[Prediction]], None]


def _sentence_fields(s: Sentence) -> list[Any]:
    return [s.id, s.text, s.doc_id, s.position, s.previous, s.target, dict(s.metadata), s.span]


def _sentence(fields: list[Any]) -> Sentence:
    sentence_id, text, doc_id, position, previous, target, metadata, span = fields
    where = None if span is None else (span[0], span[1])
    return Sentence(sentence_id, text, doc_id, position, previous, target, metadata, where)


def bad_row_fields(row: BadRow) -> dict[str, Any]:
    """A bad row as it stands in the side file."""
    return {
        "file": row.place.file,
        "row": row.place.row,
        "line": row.place.line,
        "reason": row.reason,
        "raw": row.raw[:_MOST_RAW],
    }


def read_parts(
    files: Sequence[InputFile], settings: SourceSettings, size: int = CHUNK
) -> Iterator[InputPart]:
    """Read files part by part.

    Args:
        files: What to read.
        settings: How.
        size: Sentences and bad rows of a part.

    Yields:
        The parts, at least one; all but the last are of that size.

    Raises:
        DataError: The first part holds bad rows only, so that the whole input is most likely not
            what it was taken for; or `settings.strict`, and a row is bad.
    """
    meter, columns = Meter(), Columns()
    return _split(read_inputs(files, settings, meter, columns), meter, columns, size)


def _split(items: Iterable[Item], meter: Meter, columns: Columns, size: int) -> Iterator[InputPart]:
    number, drawer = 0, _Drawer()
    for item in items:
        # Columns belong where their table begins, also when it goes on in the next part.
        drawer.columns.update(columns)
        columns.clear()
        for piece in drawer.open(item):
            drawer.put(piece)
            if drawer.count == size:
                yield drawer.close(number, meter.position)
                number += 1
    if drawer.count or drawer.pages or not number:
        yield drawer.close(number, meter.position)


class _Drawer:
    """Collects one part."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.count = 0
        self.left_out = 0
        self.sentences: list[Sentence] = []
        self.bad: list[BadRow] = []
        self.pages: list[Page] = []
        self.columns = Columns()

    def open(self, item: Item) -> Sequence[Sentence | BadRow]:
        """What an item gives."""
        if isinstance(item, (Sentence, BadRow)):
            return (item,)
        self.pages.append(item)
        self.left_out += len(item.dropped)
        return item.sentences

    def put(self, piece: Sentence | BadRow) -> None:
        self.count += 1
        if isinstance(piece, BadRow):
            self.bad.append(piece)
        else:
            self.sentences.append(piece)
            self.columns.update(dict.fromkeys(further_fields(piece)))

    def close(self, number: int, position: int) -> InputPart:
        if not number and self.bad and not self.sentences:
            raise _nothing_readable(self.bad)
        part = InputPart(
            number,
            tuple(self.sentences),
            tuple(self.bad),
            self.left_out,
            tuple(self.columns),
            position,
            tuple(self.pages),
        )
        self._clear()
        return part


def _nothing_readable(bad: Sequence[BadRow]) -> DataError:
    first = str(bad[0].error())
    if len(bad) == 1:
        return DataError(first)
    return DataError(f"{first}\n  nor can any of the {len(bad) - 1} rows be read that follow")


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What a labelled part holds, or several of them together.

    Attributes:
        digest: Of the part's input; "" for several parts.
        sentences: Labelled.
        bad_rows: Rows that could not be read.
        bad_files: Files that could not be read, or not to their end.
        left_out: Lines of pages that were not counted as sentences.
        labels: Head -> label -> sentences with it.
        columns: Further columns of tables and sentences, in the order in which they were met.
    """

    digest: str = ""
    sentences: int = 0
    bad_rows: int = 0
    bad_files: int = 0
    left_out: int = 0
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> PartSummary:
        """Read what `dataclasses.asdict` gives, by way of JSON."""
        return cls(**{**fields, "columns": tuple(fields["columns"])})


def summarize(part: InputPart, predictions: Sequence[Prediction]) -> PartSummary:
    """Count what a part holds."""
    counts: dict[str, Counter[str]] = {}
    for prediction in predictions:
        for head, labels in prediction.labels.items():
            counts.setdefault(head, Counter()).update(labels)
    bad_files = sum(not row.place.row for row in part.bad)
    return PartSummary(
        digest=part.digest,
        sentences=len(part.sentences),
        bad_rows=len(part.bad) - bad_files,
        bad_files=bad_files,
        left_out=part.left_out,
        labels={head: dict(found) for head, found in counts.items()},
        columns=part.columns,
    )


def total(summaries: Iterable[PartSummary]) -> PartSummary:
    """The summary of several parts together."""
    counts: dict[str, Counter[str]] = {}
    columns: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for summary in summaries:
        columns.update(dict.fromkeys(summary.columns))
        for head, found in summary.labels.items():
            counts.setdefault(head, Counter()).update(found)
        for name in ("sentences", "bad_rows", "bad_files", "left_out"):
            numbers[name] += getattr(summary, name)
    labels = {head: dict(found) for head, found in counts.items()}
    return PartSummary(
        sentences=numbers["sentences"],
        bad_rows=numbers["bad_rows"],
        bad_files=numbers["bad_files"],
        left_out=numbers["left_out"],
        labels=labels,
        columns=tuple(columns),
    )


def label_part(labeller: Labeller, part: InputPart, watch: Watch | None = None) -> str:
    """Label a part: what every engine runs.

    Args:
        labeller: The model.
        part: Its input.
        watch: Called with the part and its predictions.

    Returns:
        The text of the part's file, see `part_text`.
    """
    predictions = labeller.label(part.sentences)
    if watch is not None:
        watch(part, predictions)
    return part_text(part, predictions, labeller.bundle.codebook)


def part_text(part: InputPart, predictions: Sequence[Prediction], book: Codebook) -> str:
    """The file of a labelled part: a line with its summary, its bad rows, its sentences.

    Args:
        part: The input.
        predictions: One a sentence.
        book: The codebook of the predictions.

    Returns:
        JSON lines.
    """
    lines = [json_line(asdict(summarize(part, predictions)))]
    lines += [json_line(bad_row_fields(row)) for row in part.bad]
    lines += [
        json_line(record(sentence, prediction, book))
        for sentence, prediction in zip(part.sentences, predictions, strict=True)
    ]
    return "".join(lines)


def read_summary(file: IO[str]) -> PartSummary:
    """Read the first line of a labelled part's file; `read_bad` reads on.

    Args:
        file: The open file of a labelled part.
    """
    return PartSummary.from_dict(json.loads(file.readline()))


def read_bad(file: IO[str], summary: PartSummary) -> str:
    """Read the lines of bad rows of a labelled part's file; the rest of it are the records."""
    return "".join(file.readline() for _ in range(summary.bad_rows + summary.bad_files))
