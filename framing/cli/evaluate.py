"""`framing evaluate --model RUN`: the report of a run on other coded data, or beside other runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from framing.artifacts import RUN, check_run, refuse_existing
from framing.errors import ConfigError, DataError, DependencyError

if TYPE_CHECKING:
    from framing.evaluation.schema import Scores


#: Characters of other models' names, above which a folder is called after their number.
_LONG_NAME = 120
#: Warnings of a report that weaken differences between models.
_OF_DIFFERENCES = ("warning_left_out", "warning_other", "warning_teacher", "warning_encoder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_data_arguments(parser, needed=False)
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="RUN",
        help="other runs or bundles with the same variables, such as last week's: the report says "
        "whether the difference is noise (without --data: on the run's own test split, less the "
        "documents from which only one of them has learnt)",
    )
    parser.add_argument(
        "--benchmark",
        metavar="NAME",
        help="PATH holds the files of this benchmark (see framing data list); its test split is "
        "scored",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing evaluation")


def add_data_arguments(parser: argparse.ArgumentParser, *, needed: bool = True) -> None:
    """Add what names a run, other coded data and where the report goes.

    Args:
        parser: Of the command.
        needed: Whether there must be other coded data.
    """
    parser.add_argument("--model", type=Path, required=True, metavar="RUN", help="a run's folder")
    parser.add_argument(
        "--data",
        type=Path,
        required=needed,
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
        "--out",
        type=Path,
        metavar="FOLDER",
        help="default: in RUN/evaluations, named after the data",
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
    if args.data is None:
        _refuse_without_data(args)
    out = output_folder(args, _name(args))
    refuse_existing(out, args.overwrite)
    scores = evaluate_external(
        args.model.resolve(),
        args.data,
        out,
        columns=args.columns,
        adjudicator=args.adjudicator,
        origin=args.origin,
        benchmark=args.benchmark,
        against=args.against,
    )
    for line in _differences(scores):
        print(line)
    print(f"{scores.data.sentences} sentences; report: {out / RUN.report_html}")
    return 0


def _name(args: argparse.Namespace) -> str:
    """Of the folder where the report goes by default, "" for that of the data."""
    if not args.against:
        return args.benchmark or ""
    data = args.benchmark or (args.data.resolve().stem if args.data else "test_split")
    names = "-".join(path.resolve().name for path in args.against)
    if len(names) > _LONG_NAME:
        names = f"{len(args.against)}-models"
    return f"{data}-against-{names}"


def _differences(scores: Scores) -> Iterator[str]:
    """How the model compares with other models, a line for each variable and model."""
    from framing.report.verdicts import beside_others
    from framing.report.view import View, variable_name

    view = View(scores)
    if not view.other_models:
        return
    for key, text in scores.facts.items():
        if key.startswith(_OF_DIFFERENCES):
            yield f"warning: {text}"
    for variable in view.book.variables:
        score = view.score("f1", variable, "macro")
        value = "undefined" if score is None or score.value is None else f"{score.value:.3f}"
        for sentence in beside_others(view, variable):
            yield f"{variable_name(variable)}, macro-F1 {value}. {sentence}"


def _refuse_without_data(args: argparse.Namespace) -> None:
    """Refuse what says how other data are to be read where there are none.

    Raises:
        ConfigError: There is such an option, or nothing to score at all.
    """
    if not args.against:
        raise ConfigError(
            "evaluate: expected --data with coded data, or --against with another run to compare "
            "with on the run's own test split; found neither"
        )
    given = [n for n in ("columns", "adjudicator", "origin", "benchmark") if getattr(args, n)]
    if given:
        raise ConfigError(
            f"--{' and --'.join(given)}: for other coded data; name them (--data), or leave it out"
        )


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
    check_run(args.model)
    if args.data is not None and not args.data.exists():
        raise DataError(f"{args.data}: no such file or folder")
    out: Path | None = args.out
    return out or args.model.resolve() / RUN.evaluations / (name or args.data.resolve().stem)
