"""`framing tasks INPUT ... --out FILE`: which sentences to code next, as tasks for coders."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from framing.artifacts import read_seen, refuse_existing
from framing.cli.predict import check_place
from framing.cli.reading import add_reading, column_fields
from framing.errors import ConfigError, DataError, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from framing.annotation.choice import Chosen
    from framing.arrays import FloatArray
    from framing.codebook import Codebook
    from framing.data.columns import ColumnMapping
    from framing.inference.bundle import Bundle
    from framing.inference.pool import Pool
    from framing.records import Sentence

#: Sentences from which is chosen; of more, so many are drawn.
MOST = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Choose sentences to be coded, and write them as a sheet for spreadsheets (.csv) or as "
        "tasks with a labelling screen for Label Studio (.json and .xml). What coders enter is "
        "read again as it is: data: {path: FILE}. Nothing that a model says of a sentence is shown."
    )
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="articles, tables, folders: as for predict"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .json")
    parser.add_argument("--codebook", type=Path, help="what is coded; all are chosen at random")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="RUN",
        help="a run or bundle: most are chosen where it is least sure, and none of which it has "
        "learnt; what is coded says its codebook",
    )
    _add_choice(parser.add_argument_group("choice"))
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    add_reading(parser.add_argument_group("reading"))


def _add_choice(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--count", type=int, default=300, metavar="N", help="sentences (default: 300)"
    )
    group.add_argument(
        "--random",
        type=float,
        default=0.25,
        metavar="SHARE",
        help="share chosen at random even with --model (default: 0.25); only these say how "
        "frequent something is",
    )
    group.add_argument(
        "--known",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="FILE",
        help="tables whose texts are left out, such as those coded or handed out already",
    )
    group.add_argument("--seed", type=int, default=0, help="draws the sentences (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from framing.annotation.choice import choose, new_sentences
    from framing.annotation.tasks import task_files, write_tasks

    _check(args)
    files = task_files(args.out)
    for file in files:
        refuse_existing(file, args.overwrite)
        check_place(file)
    book, bundle = _book(args)
    pool = _pool(args, bundle)
    rows = new_sentences(pool.sentences, _known(args))
    sentences = [pool.sentences[row] for row in rows]
    if not sentences:
        raise DataError(
            f"expected sentences to be coded, found none new among {pool.read:,}{pool.unread}; "
            "name other files"
        )
    import numpy as np

    unsure = {} if bundle is None else _unsure(bundle, sentences)
    rng = np.random.default_rng(args.seed)
    chosen = choose(sentences, unsure, args.count, args.random, rng)
    write_tasks(args.out, chosen, book, args.overwrite)
    for line in _told(chosen, pool, len(sentences)):
        print(line)
    print(f"{' and '.join(map(str, files))}: written")
    return 0


def _check(args: argparse.Namespace) -> None:
    if (args.codebook is None) == (args.model is None):
        raise ConfigError("expected one of --codebook and --model, which say what is coded")
    if args.count < 1:
        raise ConfigError(f"--count: expected at least 1, found {args.count}")
    if not 0 <= args.random <= 1:
        raise ConfigError(f"--random: expected a share between 0 and 1, found {args.random}")


def _book(args: argparse.Namespace) -> tuple[Codebook, Bundle | None]:
    if args.model is None:
        from framing.codebook import load_codebook

        return load_codebook(args.codebook), None
    from framing.inference.bundle import load_bundle

    bundle = load_bundle(args.model)
    return bundle.codebook, bundle


def _columns(args: argparse.Namespace) -> ColumnMapping:
    from framing.data.columns import ColumnMapping

    return ColumnMapping.from_dict(column_fields(args.column, args.text_column))


def _pool(args: argparse.Namespace, bundle: Bundle | None) -> Pool:
    from framing.inference.pool import draw
    from framing.inference.sources import SourceSettings, find_inputs, read_inputs

    mark = bundle is not None and bundle.settings.mark_target
    settings = SourceSettings(args.plain, args.segment, _columns(args), mark_target=mark)
    return draw(read_inputs(find_inputs(args.inputs), settings), MOST)


def _known(args: argparse.Namespace) -> set[str]:
    """Hashes of the texts that need no coding."""
    from framing.data.leakage import text_hash
    from framing.data.readers import iter_sentences

    known = set() if args.model is None else set(read_seen(args.model) or ())
    for path in args.known:
        known.update(text_hash(s.text) for s in iter_sentences(path, _columns(args)))
    return known


def _unsure(bundle: Bundle, sentences: Sequence[Sentence]) -> dict[str, FloatArray]:
    from framing.annotation.choice import uncertainty
    from framing.encoding import tokenize
    from framing.inference.labeller import Labeller

    tokens = tokenize(bundle.tokenizer, sentences, bundle.input_settings)
    logits = Labeller(bundle).logits(tokens)
    return uncertainty(logits, bundle.codebook, bundle.decisions)


def _told(chosen: Sequence[Chosen], pool: Pool, new: int) -> Iterator[str]:
    drawn = f", of which {len(pool.sentences):,} were drawn" if pool.read > MOST else ""
    yield f"{counted(pool.read, 'sentence')} read{pool.unread}{drawn}; {new:,} new"
    reasons = Counter(one.reason for one in chosen)
    parts = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    yield f"{counted(len(chosen), 'task')}: {parts}"
