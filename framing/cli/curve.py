"""`framing curve --model RUN --data PATH`: scores by number of own sentences added to training."""

from __future__ import annotations

import argparse

from framing.artifacts import RUN
from framing.cli.evaluate import add_data_arguments, output_folder
from framing.errors import ConfigError, DependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Train the run's recipe again with some of the data's own sentences added, and show what "
        "they are worth in the report. Takes as long as one training for every fold of every "
        "size but 0; finished ones are kept beside the run. An evaluation of the same data is "
        "made again."
    )
    add_data_arguments(parser)
    parser.add_argument(
        "--sizes",
        default="0,150,300,600",
        metavar="N,N,...",
        help="sentences added to the run's training data (default: 0,150,300,600); each size but "
        "0 is trained once for every fold",
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=2,
        help="parts of the documents; each is scored by models trained on others (default: 2)",
    )
    parser.add_argument(
        "--weight",
        type=float,
        default=1.0,
        help="factor on the loss of the sentences added (default: 1)",
    )
    parser.add_argument("--seed", type=int, default=0, help="deals the documents (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    try:
        from framing.curve import CurvePlan, Source, learning_curve
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"a learning curve needs the package {error.name!r}; "
            "install the extra: pip install 'framing[train]'"
        ) from None
    plan = CurvePlan(_sizes(args.sizes), args.folds, args.seed, args.weight)
    out = output_folder(args)
    # The curve belongs into the evaluation of the same data, which is made again with it.
    source = Source(args.data, args.columns, args.adjudicator, args.origin)
    learning_curve(args.model, source, out, plan)
    print(f"learning curve with {len(plan.sizes)} points; report: {out / RUN.report_html}")
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--sizes: expected whole numbers with commas between them, found {text!r}"
        ) from None
