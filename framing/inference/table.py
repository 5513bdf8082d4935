"""Labelled sentences as a table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from framing.codebook import Codebook
from framing.inference.readout import Mark, Readout, Value, count_marks, marking_variable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red", "bright_cyan", "bright_yellow")


def print_table(
    readouts: Sequence[Readout], book: Codebook, console: Console, left_out: int
) -> None:
    """Print sentences with their labels, document by document, and counts below.

    Args:
        readouts: Labelled sentences; those of a document stand together.
        book: Their codebook.
        console: Where to.
        left_out: Stretches of pages that were not taken for sentences.
    """
    from rich.text import Text

    for doc_id, group in groupby(readouts, key=lambda r: r.sentence.doc_id):
        console.print(_table(doc_id, list(group), book))
    # Names stand in `Text` everywhere: in plain strings square brackets would be markup.
    console.print(Text(_summary(readouts, book, left_out), style="dim"))


def _table(doc_id: str, readouts: Sequence[Readout], book: Codebook) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = readouts[0].sentence.metadata.get("title", "")
    heading = Text(title or doc_id, style="bold")
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, expand=True)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("Sentence", ratio=5)
    table.add_column(Text(marking_variable(book).name), ratio=3)
    for name in _other_columns(book):
        table.add_column(Text(name), ratio=2)
    for readout in readouts:
        table.add_row(*_cells(readout, book))
    return table


def _other_columns(book: Codebook) -> list[str]:
    main = marking_variable(book)
    return [v.name for v in book.variables if v.per is None and v.id != main.id]


def _cells(readout: Readout, book: Codebook) -> list[Text]:
    from rich.text import Text

    style = "bold" if readout.marks else "dim"
    marks = Text("\n").join(_mark(mark) for mark in readout.marks)
    others = [
        Text("\n").join(Text(_value(v), style=style) for v in readout.others if v.variable == name)
        for name in _other_columns(book)
    ]
    number = Text(str(readout.sentence.position + 1))
    return [number, Text(readout.sentence.text, style=style), marks, *others]


def _mark(mark: Mark) -> Text:
    from rich.text import Text

    text = Text(_value(mark.value), style=_COLOURS[mark.index % len(_COLOURS)])
    for dependent in mark.dependents:
        text.append(f"\n  {_value(dependent)}", style="not bold")
    return text


def _value(value: Value) -> str:
    return f"{value.label} {value.probability:.2f}"


def _summary(readouts: Sequence[Readout], book: Codebook, left_out: int) -> str:
    total = len(readouts)
    parts = [f"{total} sentence{'' if total == 1 else 's'}"]
    parts += [f"{name} {count}" for name, count in count_marks(readouts, book).items()]
    if left_out:
        parts.append(f"{left_out} other lines of pages left out (--plain keeps them)")
    return " · ".join(parts)
