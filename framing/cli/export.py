"""`framing export RUN`: a bundle to be given away, with what it loses against the run's model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from framing.artifacts import BUNDLE, RUN, refuse_existing
from framing.errors import ArtifactError, DependencyError, OutputError

if TYPE_CHECKING:
    from framing.inference.bundle import Parity


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


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    run_folder: Path = args.model.resolve()
    if not (run_folder / RUN.record).is_file():
        raise ArtifactError(f"{args.model}: not a run's folder (no {RUN.record} in it)")
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
    parity = release(run_folder, out, args.precision)
    _print_parity(parity)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    print(f"{out}: the bundle, {size:.0f} MB; label with: framing predict --model {out} INPUT")
    return 0


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
