"""`framing data list|show|check`: bundled corpora and the cards of public benchmarks."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from framing.errors import DataError, all_problems

if TYPE_CHECKING:
    from framing.data.benchmarks import Card, OfficialFigure
    from framing.data.corpus import Corpus

_WIDTH = 100


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from framing.data.benchmarks import load_card

    if args.action == "list":
        print("\n".join(_names()))
        return 0
    card = load_card(args.benchmark)
    if args.action == "show":
        print("\n".join(_card(card)))
        return 0
    return _check(card, args)


def _names() -> Iterator[str]:
    from framing.corpora import BENCHMARKS, BUNDLED
    from framing.data.benchmarks import load_card
    from framing.data.bundled import load_card as load_bundled_card

    yield "Bundled corpora (data: {corpus: NAME}):"
    for name in BUNDLED:
        yield f"  {name:18} {load_bundled_card(name)['title']}"
    yield "Benchmarks, whose files you get yourself (data: {benchmark: NAME, root: DIR}):"
    for name in BENCHMARKS:
        card = load_card(name)
        yield f"  {name:18} {card.title}; {card.counts['sentences']:,} sentences"


def _card(card: Card) -> Iterator[str]:
    yield f"{card.name}: {card.title}"
    fields = {
        "Unit": card.unit,
        "Language": card.language,
        "Origin": card.origin,
        "Reference": card.reference,
        "Licence": card.licence,
        "How to get it": card.how_to_get,
        "On the Hub": _hub(card),
        "Counts": ", ".join(f"{name} {n:,}" for name, n in card.counts.items()),
        "Splits": card.splits.protocol,
    }
    for name, text in fields.items():
        yield _paragraph(name, text)
    for figure in card.official:
        yield from _official(figure)
    for text in card.limits:
        yield _paragraph("Note", text)
    yield "Files:"
    for file in card.files:
        yield f"  {file.sha256}  {file.path} ({file.rows:,} rows)"


def _hub(card: Card) -> str:
    if not card.hub:
        return "no copy known"
    revision = card.hub_revision or "not known"
    return f"{card.hub} (revision: {revision}), in another form; see docs/benchmarks.md"


def _official(figure: OfficialFigure) -> Iterator[str]:
    yield _paragraph("Figure", f"{figure.name}. {figure.protocol}")
    for found in figure.published:
        size = f" [{found.parameters}]" if found.parameters else ""
        yield f"  {found.value:>7g}  {found.system}{size}: {found.source}"


def _paragraph(name: str, text: str) -> str:
    return textwrap.fill(f"{name}: {text}", _WIDTH, subsequent_indent="  ")


def _check(card: Card, args: argparse.Namespace) -> int:
    from framing.data.benchmarks import load_benchmark

    corpus = load_benchmark(card, args.root)
    found = _counts(card, corpus)
    problems = [
        f"{name}: expected {n:,}, found {found[name]:,}"
        for name, n in card.counts.items()
        if found[name] != n
    ]
    if problems:
        raise DataError(all_problems(f"{args.root}: other counts than the card's", problems))
    counts = ", ".join(f"{name} {n:,}" for name, n in found.items())
    print(f"{args.root}: all {len(card.files)} files are those of {card.name}: {counts}")
    return 0


def _counts(card: Card, corpus: Corpus) -> dict[str, int]:
    from framing.data.benchmarks import benchmark_splits
    from framing.data.gold import gold_annotations

    gold = gold_annotations(corpus.annotations, corpus.codebook)
    splits = benchmark_splits(card, corpus, gold)
    counts = {"sentences": len(corpus.sentences), "documents": len(corpus.documents)}
    return counts | {name: splits.counts[name]["sentences"] for name in splits.documents}
