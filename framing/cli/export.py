"""`framing export RUN`: a bundle to be given away, with what it loses against the run's model."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from framing.artifacts import BUNDLE, check_run, refuse_existing
from framing.cli.reading import add_reading, column_fields
from framing.errors import DataError, DependencyError, OutputError

if TYPE_CHECKING:
    from framing.inference.bundle import Parity
    from framing.release import Archive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", type=Path, metavar="RUN", help="a finished run's folder")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: beside the run, <run>-<precision>"
    )
    parser.add_argument(
        "--precision",
        choices=("int8", "float32"),
        default="int8",
        help="of the weights (default: int8)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")
    group = parser.add_argument_group("screen")
    group.add_argument(
        "--archive",
        nargs="+",
        default=[],
        metavar="INPUT",
        help="files like those to be labelled, as `framing predict` reads them, without codes: the "
        "screen learns from some of their sentences, and dismisses more of the others",
    )
    add_reading(group)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    run_folder: Path = args.model.resolve()
    check_run(args.model)
    out: Path = args.out or run_folder.with_name(f"{run_folder.name}-{args.precision}")
    if out.resolve().is_relative_to(run_folder):
        raise OutputError(f"{out}: lies in the run, which stays as it is; name a folder outside it")
    _check_replaceable(out, args.overwrite)
    try:
        from framing.release import release
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"export needs the package {error.name!r}; "
            "install the extra: pip install 'framing[train]'"
        ) from None
    parity = release(run_folder, out, args.precision, archive=_archive(args))
    _print_parity(parity)
    named = shlex.quote(str(out))
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    print(f"{out}: the bundle, {size:.0f} MB; label with: framing predict --model {named} INPUT")
    return 0


def _archive(args: argparse.Namespace) -> Archive | None:
    """The files from which the screen shall learn.

    Raises:
        DataError: One cannot be found, or it is said how they are read where there are none.
    """
    if not args.archive:
        if args.plain or args.segment or args.text_column or args.column:
            raise DataError(
                "--plain, --segment, --text-column and --column say how --archive is read; name "
                "its files, or leave them out"
            )
        return None
    from framing.data.columns import ColumnMapping
    from framing.inference.sources import SourceSettings, find_inputs
    from framing.release import Archive

    columns = ColumnMapping.from_dict(column_fields(args.column, args.text_column))
    return Archive(find_inputs(args.archive), SourceSettings(args.plain, args.segment, columns))


def _check_replaceable(out: Path, overwrite: bool) -> None:
    refuse_existing(out, overwrite)
    if out.exists() and not (out / BUNDLE.settings).is_file():
        raise OutputError(f"{out}: not a bundle, so it is not replaced; name another folder")


def _print_parity(parity: Parity) -> None:
    print(
        f"parity on {parity.sentences} development sentences: the same labels for "
        f"{100 * parity.agreement:.1f}%, probabilities within {parity.largest_difference:.3f}"
    )
    for name, score in parity.macro_f1.items():
        before = parity.macro_f1_torch[name]
        print(f"  macro-F1 of {name}: {before:.3f} in torch, {score:.3f} in the bundle")
