"""`framing train CONFIG [--set section.key=value ...]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from framing.errors import DependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("config", type=Path, help="run config, a YAML file")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override a config value, such as training.epochs=2 or seeds=[1,2,3]",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder for runs (default: runs)"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    try:
        from framing.config import load_config
        from framing.train import train
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"training needs the package {error.name!r}; "
            "install the extra: pip install 'framing[train]'"
        ) from None
    config = load_config(args.config, args.overrides)
    train(config, args.runs)
    return 0
