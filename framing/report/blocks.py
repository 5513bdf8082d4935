"""What a report is made of, before it becomes HTML or Markdown.

Texts in blocks are plain: whoever renders a block escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from framing.codebook import Variable

FigureKind = Literal["curves", "reliability", "confusions", "learning"]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; numeric ones are set flush right."""

    name: str
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A table's row; the first cell names it, strong rows stand out."""

    cells: tuple[str, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        id: Unique within a report.
        caption: What it shows.
        columns: The first one holds the rows' names.
        rows: As many cells each as there are columns.
        notes: Below it.
        folded: Shown only on demand, where that is possible.
    """

    kind: ClassVar[str] = "table"
    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model scores on one variable, in sentences.

    Attributes:
        variable: Its id.
        title: Its name.
        value: Macro-F1.
        interval: Of the value, or "".
        lead: The first sentence.
        sentences: One for each other system, and what else there is to say.
    """

    kind: ClassVar[str] = "verdict"
    variable: str
    title: str
    value: str
    interval: str
    lead: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs."""

    kind: ClassVar[str] = "text"
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; alarming ones are warnings."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]
    alarming: bool = False


@dataclass(frozen=True, slots=True)
class Definitions:
    """Terms with their values; code is set in a fixed width."""

    kind: ClassVar[str] = "definitions"
    items: tuple[tuple[str, str], ...]
    code: bool = False


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines to be typed."""

    kind: ClassVar[str] = "commands"
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Where figures of some variables stand; renderers without figures leave them out."""

    kind: ClassVar[str] = "figures"
    figures: FigureKind
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A confident error, all fields ready to be read.

    Attributes:
        heading: What is wrong.
        origin: Sentence, document and source.
        previous: The sentence before, or "".
        text: The sentence.
        fields: Gold, predicted, coders.
    """

    heading: str
    origin: str
    previous: str
    text: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Confident errors."""

    kind: ClassVar[str] = "mistakes"
    items: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A variable of the codebook."""

    kind: ClassVar[str] = "definition"
    variable: Variable
    name: str
    how: str


Block = Table | Verdict | Text | Bullets | Definitions | Commands | Figures | Mistakes | Definition


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a report.

    Attributes:
        id: Unique within a report.
        title: Its heading.
        blocks: In order.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]
