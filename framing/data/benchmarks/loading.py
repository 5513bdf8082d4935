"""Reading a benchmark from the folder where a user keeps it; hashes are checked on every read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from framing.artifacts import sha256_file
from framing.data.benchmarks.card import BenchmarkFile, Card
from framing.data.benchmarks.formats import READERS
from framing.data.corpus import Corpus, make_corpus
from framing.data.splits import Splits, make_splits, splits_by_value
from framing.errors import DataError, all_problems
from framing.records import Annotation


def load_benchmark(card: Card, root: Path) -> Corpus:
    """Check a benchmark's files and read them.

    Args:
        card: Its card.
        root: Folder that holds the card's files.

    Returns:
        The corpus.

    Raises:
        DataError: A file is missing or differs from the one that the card describes.
    """
    check_files(card, root)
    return read_files(card, root)


def read_files(card: Card, root: Path) -> Corpus:
    """Read a benchmark's files without checking their hashes.

    Raises:
        DataError: A file cannot be read or is not in the benchmark's form.
    """
    sentences, annotations = READERS[card.name](root, card.codebook)
    return make_corpus(card.name, card.codebook, sentences, annotations)


def check_files(card: Card, root: Path) -> None:
    """Compare a benchmark's files with its card.

    Raises:
        DataError: With every file that is missing or differs, and how to get them.
    """
    if not root.is_dir():
        raise DataError(
            f"{root}: no such folder; it should hold the files of {card.name}. Get "
            f"them: {card.how_to_get}"
        )
    problems = [text for file in card.files if (text := _problem(file, root))]
    if problems:
        heading = f"{root}: not the files of {card.name} that its card describes"
        raise DataError(f"{all_problems(heading, problems)}\nGet them: {card.how_to_get}")


def _problem(file: BenchmarkFile, root: Path) -> str:
    path = root / file.path
    if not path.is_file():
        return f"{file.path}: expected a file of {file.rows:,} rows, found none"
    found = sha256_file(path)
    if found == file.sha256:
        return ""
    with path.open("rb") as lines:
        n = sum(1 for _ in lines)
    return (
        f"{file.path}: expected SHA-256 {file.sha256}, found {found} ({n:,} lines). Another "
        "version, or line ends changed on the way (git: core.autocrlf=false)"
    )


def benchmark_splits(card: Card, corpus: Corpus, gold: Sequence[Annotation]) -> Splits:
    """Divide a benchmark as its card says.

    Args:
        card: Its card.
        corpus: What `load_benchmark` gave.
        gold: Gold annotations.

    Returns:
        The splits.
    """
    plan = card.splits
    if plan.column:
        return splits_by_value(
            corpus, gold, plan.column, plan.values, dev_share=plan.dev_share, seed=plan.seed
        )
    return make_splits(corpus, gold, plan.fractions, plan.seed)
