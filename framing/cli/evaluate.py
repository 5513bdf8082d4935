"""`framing evaluate --model RUN --data PATH`: the report of a run on other coded data."""

from __future__ import annotations

import argparse
from pathlib import Path

from framing.artifacts import RUN, refuse_existing
from framing.errors import ArtifactError, ConfigError, DataError, DependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_data_arguments(parser)
    parser.add_argument(
        "--benchmark",
        metavar="NAME",
        help="PATH holds the files of this benchmark (see framing data list); its test split is "
        "scored",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing evaluation")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names a run, other coded data and where the report goes."""
    parser.add_argument("--model", type=Path, required=True, metavar="RUN", help="a run's folder")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="PATH",
        help="coded data: a file, or a folder with sentences.* and annotations.*",
    )
    parser.add_argument(
        "--columns",
        type=Path,
        metavar="FILE",
        help="YAML file that says which column holds what (see docs/data.md); default: as in the "
        "run's config",
    )
    parser.add_argument(
        "--adjudicator",
        help="coder whose word is final where coders differ (default: as in the run's config, if "
        "that coder is among those of these data)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: RUN/evaluations/<name of the data>"
    )
    parser.add_argument(
        "--origin",
        default="",
        metavar="TEXT",
        help="where texts and codes come from, for the report",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    try:
        from framing.external import evaluate_external
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"evaluation needs the package {error.name!r}; "
            "install the extra: pip install 'framing[train]'"
        ) from None
    if args.benchmark is not None:
        _refuse_own(args)
    out = output_folder(args, args.benchmark or "")
    refuse_existing(out, args.overwrite)
    scores = evaluate_external(
        args.model.resolve(),
        args.data,
        out,
        columns=args.columns,
        adjudicator=args.adjudicator,
        origin=args.origin,
        benchmark=args.benchmark,
    )
    print(f"{scores.data.sentences} sentences; report: {out / RUN.report_html}")
    return 0


def _refuse_own(args: argparse.Namespace) -> None:
    given = [name for name in ("columns", "origin") if getattr(args, name)]
    if given:
        raise ConfigError(
            f"--{' and --'.join(given)}: for data of your own; the card of the benchmark "
            f"{args.benchmark} says this already"
        )


def output_folder(args: argparse.Namespace, name: str = "") -> Path:
    """Where the report goes, after run and data were found to be there.

    Args:
        args: Of the command line.
        name: Of the data; "" takes that of the file or folder.

    Raises:
        ArtifactError: There is no such run.
        DataError: There are no such data.
    """
    if not (args.model / RUN.record).is_file():
        raise ArtifactError(f"{args.model}: not a run's folder (no {RUN.record} in it)")
    if not args.data.exists():
        raise DataError(f"{args.data}: no such file or folder")
    out: Path | None = args.out
    return out or args.model.resolve() / RUN.evaluations / (name or args.data.resolve().stem)
