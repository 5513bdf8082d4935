"""`framing codebook show|check FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from framing.codebook import Codebook, Label, Variable, load_codebook

if TYPE_CHECKING:
    from rich.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in (
        ("show", "print a codebook for people"),
        ("check", "report all mistakes of a codebook, with line numbers"),
    ):
        sub = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.add_argument("file", type=Path, help="codebook, a YAML file")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    book = load_codebook(args.file)
    if args.action == "check":
        kinds = ", ".join(f"{v.id} ({len(v.labels)} labels)" for v in book.variables)
        print(f"{args.file}: no mistakes; {book.name} version {book.version}: {kinds}")
        return 0
    from rich.console import Console

    show(book, Console(highlight=False))
    return 0


def show(book: Codebook, console: Console) -> None:
    """Print a codebook."""
    from rich.markup import escape

    console.print(f"[bold]{escape(book.title or book.name)}[/bold]")
    console.print(f"{book.name}, version {book.version}, language {book.language}")
    if book.description:
        console.print(escape(book.description))
    for variable in book.variables:
        _show_variable(variable, console)


def _show_variable(variable: Variable, console: Console) -> None:
    from rich.markup import escape

    how = {
        "multi_label": "any number of labels",
        "single_label": "exactly one label",
    }[variable.kind]
    if variable.per:
        how += f" for each present label of {variable.per}"
    console.print(f"\n[bold]{escape(variable.name)}[/bold] ({variable.id}): {how}")
    if variable.definition:
        console.print(escape(variable.definition))
    for rule in variable.rules:
        console.print(f"  rule: {escape(rule)}")
    for label in variable.labels:
        _show_label(label, console)


def _show_label(label: Label, console: Console) -> None:
    from rich.markup import escape

    console.print(f"  [bold]{label.id}[/bold]  {escape(label.name)}")
    if label.definition:
        console.print(f"    {escape(label.definition)}")
    if label.proposition:
        console.print(f"    proposition: {escape(label.proposition)}")
    for text in label.include:
        console.print(f"    + {escape(text)}")
    for text in label.exclude:
        console.print(f"    - {escape(text)}")
    if label.keywords:
        console.print(f"    keywords: {escape(', '.join(label.keywords))}")
