"""`framing review RUN`: which codes coders should look at again."""

from __future__ import annotations

import argparse
from pathlib import Path

from framing.artifacts import REVIEW, check_run, refuse_existing
from framing.cli.predict import check_place
from framing.errors import DependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Deal the documents into parts; for each, train the run's recipe on the others (one of "
        "them for development), and list the codes that these models would not give to documents "
        "which they did not see. Takes as long as one training for every part; finished ones are "
        "kept beside the run."
    )
    parser.add_argument("model", type=Path, metavar="RUN", help="a finished run's folder")
    parser.add_argument(
        "--folds", type=int, default=5, help="parts of the documents (default: 5, at least 3)"
    )
    parser.add_argument("--seed", type=int, default=0, help="deals the documents (default: 0)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"CSV table, most suspect first (default: RUN-{REVIEW.folder}/{REVIEW.table})",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing table")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    check_run(args.model)
    try:
        from framing.review import review, review_folder, told, write_review
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"a review needs the package {error.name!r}; "
            "install the extra: pip install 'framing[train]'"
        ) from None
    out: Path = args.out or review_folder(args.model) / REVIEW.table
    refuse_existing(out, args.overwrite)
    check_place(out)
    found = review(args.model, args.folds, args.seed)
    write_review(out, found)
    for line in told(found):
        print(line)
    print(f"{out}: the table, most suspect first")
    return 0
