"""`framing report RUN [RUN ...]`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from framing.artifacts import RUN, SEEDS, check_run, update_manifest
from framing.errors import ArtifactError, DependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--seeds",
        action="store_true",
        help="print, as Markdown, the spread of the figures over runs that differ in their seed "
        "alone; writes nothing",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    for folder in args.runs:
        if not folder.is_dir():
            raise ArtifactError(f"{folder}: no such run; expected a folder with {RUN.scores}")
        if (folder / RUN.scores).is_file():
            continue
        if (folder / SEEDS.report).is_file():
            raise ArtifactError(
                f"{folder}: a summary of seeds, whose report is {SEEDS.report}; to print one, name "
                "the runs: framing report --seeds RUN RUN ..."
            )
        if (folder / RUN.config).is_file():
            check_run(folder)
    try:
        summarise(args.runs) if args.seeds else remake(args.runs)
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"reports need the package {error.name!r}; "
            "install the extra: pip install 'framing[train]'"
        ) from None
    return 0


def remake(runs: Sequence[Path]) -> None:
    """Make report and model card of each run again; scores stay as they are."""
    from framing.report import load_scores, write_pages

    loaded = [(folder, load_scores(folder)) for folder in runs]
    for folder, scores in loaded:
        written = write_pages(folder, scores)
        if (folder / RUN.manifest).is_file():
            update_manifest(folder, RUN.manifest, [path.name for path in written])
        for path in written:
            print(path)


def summarise(runs: Sequence[Path]) -> None:
    """Print the spread over seeds."""
    from framing.evaluation.seeds import summarise_seeds
    from framing.report import load_scores, render_seed_summary

    scores = [load_scores(folder) for folder in runs]
    print(render_seed_summary(summarise_seeds(scores), scores[0]), end="")
