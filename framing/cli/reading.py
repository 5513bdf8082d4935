"""Options on how sentences and articles are read, for every command that reads them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from framing.artifacts import printable
from framing.errors import DataError


def add_reading(group: argparse._ArgumentGroup) -> None:
    """Add the options that files of every kind may need."""
    group.add_argument(
        "--plain", action="store_true", help="keep everything: an article is its whole text"
    )
    group.add_argument(
        "--segment", action="store_true", help="rows of a table are articles, not sentences"
    )
    group.add_argument(
        "--text-column", metavar="NAME", help="column with the text (default: text or sentence)"
    )
    group.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="FIELD=NAME",
        help="column of another field: id, doc_id, position, previous, target, title, ...; "
        "ignore=NAME, also several times, leaves a column unread",
    )


def column_fields(given: Sequence[str], text_column: str | None) -> dict[str, Any]:
    """What the options say of columns.

    Args:
        given: Each ``FIELD=NAME``; ``ignore`` may be given several times.
        text_column: Column with the text, another way to say ``text=NAME``.

    Returns:
        Field -> column, for `ColumnMapping.from_dict`.

    Raises:
        DataError: One is of another form, or a field is given two columns.
    """
    columns: dict[str, Any] = {}
    ignored = []
    for text in [*given, *([f"text={text_column}"] if text_column else [])]:
        name, equals, column = text.partition("=")
        if not (name and equals and column):
            raise DataError(f"--column: expected FIELD=NAME, found {text!r}")
        if printable(text) != text:
            raise DataError(f"--column: expected a name in UTF-8, found {printable(column)}")
        if name == "ignore":
            ignored.append(column)
        elif columns.setdefault(name, column) != column:
            raise DataError(
                f"--column: expected one column for {name}, found {columns[name]} and {column}; "
                "name one"
            )
    return columns | ({"ignore": ignored} if ignored else {})
