"""`framing predict --model RUN INPUT ...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from framing.artifacts import refuse_existing
from framing.errors import DataError, OutputError
from framing.inference.writers import FORMATS, Format, format_of

if TYPE_CHECKING:
    from framing.codebook import Codebook
    from framing.data.page import Page
    from framing.inference.sources import SourceSettings
    from framing.records import Prediction, Sentence

    Labelled = tuple[Sentence, Prediction]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="article (.txt), sentences (.jsonl, .csv, .tsv, .parquet), a folder of these, or "
        "- for standard input",
    )
    parser.add_argument(
        "--model", type=Path, required=True, metavar="RUN", help="folder of a run or of a bundle"
    )
    _add_output(parser.add_argument_group("output"))
    _add_reading(parser.add_argument_group("reading"))


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write .jsonl or .csv; without it: a table on a terminal, else JSON lines",
    )
    group.add_argument("--format", choices=FORMATS, help="instead of what --out ends in")
    group.add_argument(
        "--html", type=Path, metavar="FILE", help="write a view of the articles with their labels"
    )
    group.add_argument("--overwrite", action="store_true", help="replace existing outputs")


def _add_reading(group: argparse._ArgumentGroup) -> None:
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
        help="column of another field: id, doc_id, position, previous, target, title, ...",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    kind = _checked_outputs(args)
    from framing.inference.bundle import bundle_folder, load_bundle
    from framing.inference.labeller import Labeller

    bundle_folder(args.model)
    settings = _source_settings(args)
    bundle = load_bundle(args.model)
    keep_pages = args.html is not None
    feed = _Feed(args.inputs, settings, keep_pages)
    labelled = Labeller(bundle).label_stream(feed)
    table = args.out is None and args.format is None and sys.stdout.isatty()
    kept = _Kept(table or keep_pages)
    _write(kept.through(labelled), args, kind, table, bundle.codebook)
    if table:
        _print_table(kept.labelled, bundle.codebook, feed.left_out)
    if args.html is not None:
        from framing.inference.article_view import write_view

        write_view(args.html, feed.pages, kept.labelled, bundle.codebook, bundle.settings.run)
    if not table:
        _report(args, feed, kept.count)
    return 0


def _checked_outputs(args: argparse.Namespace) -> Format:
    """The format to write; everything that can be wrong with outputs is told before work."""
    kind: Format = args.format or (format_of(args.out) if args.out else "jsonl")
    outputs = [path for path in (args.out, args.html) if path is not None]
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise OutputError(f"--out and --html both name {args.out}; name two files")
    for path in outputs:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file in it")
        refuse_existing(path, args.overwrite)
    return kind


def _source_settings(args: argparse.Namespace) -> SourceSettings:
    from framing.data.columns import ColumnMapping
    from framing.inference.sources import SourceSettings

    columns: dict[str, str] = {}
    for text in args.column:
        name, equals, column = text.partition("=")
        if not (name and equals and column):
            raise DataError(f"--column: expected FIELD=NAME, found {text!r}")
        columns[name] = column
    if args.text_column:
        columns["text"] = args.text_column
    return SourceSettings(args.plain, args.segment, ColumnMapping.from_dict(columns))


class _Feed:
    """The sentences of all inputs; notes pages and what was left out as they pass."""

    def __init__(self, inputs: Iterable[str], settings: SourceSettings, keep_pages: bool) -> None:
        from framing.inference.sources import iter_inputs

        self.items = iter_inputs(inputs, settings)
        self.keep_pages = keep_pages
        self.pages: list[Page] = []
        self.left_out = 0

    def __iter__(self) -> Iterator[Sentence]:
        from framing.records import Sentence

        for item in self.items:
            if isinstance(item, Sentence):
                yield item
                continue
            self.left_out += len(item.dropped)
            if self.keep_pages:
                self.pages.append(item)
            yield from item.sentences


@dataclass
class _Kept:
    """Counts what passes, and keeps it where it is shown later."""

    wanted: bool
    labelled: list[Labelled] = field(default_factory=list)
    count: int = 0

    def through(self, labelled: Iterable[Labelled]) -> Iterator[Labelled]:
        for pair in labelled:
            self.count += 1
            if self.wanted:
                self.labelled.append(pair)
            yield pair


def _write(
    labelled: Iterator[Labelled],
    args: argparse.Namespace,
    kind: Format,
    table: bool,
    book: Codebook,
) -> None:
    from framing.inference.writers import open_writer, stream_writer

    if table or (args.out is None and args.html is not None and args.format is None):
        for _ in labelled:
            pass
        return
    opened = (
        stream_writer(sys.stdout, kind, book)
        if args.out is None
        else open_writer(args.out, kind, book)
    )
    with opened as writer:
        for sentence, prediction in labelled:
            writer.write(sentence, prediction)


def _print_table(labelled: list[Labelled], book: Codebook, left_out: int) -> None:
    from rich.console import Console

    from framing.inference.readout import read_out
    from framing.inference.table import print_table

    readouts = [read_out(sentence, prediction, book) for sentence, prediction in labelled]
    print_table(readouts, book, Console(highlight=False), left_out)


def _report(args: argparse.Namespace, feed: _Feed, count: int) -> None:
    """Say on standard error what was done, so that standard output stays data."""
    files = [str(path) for path in (args.out, args.html) if path is not None]
    where = f" -> {', '.join(files)}" if files else ""
    left_out = f", left out {feed.left_out} other lines of pages" if feed.left_out else ""
    print(f"labelled {count} sentence{'' if count == 1 else 's'}{left_out}{where}", file=sys.stderr)
