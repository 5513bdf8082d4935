"""`framing curve --model RUN --data PATH`: scores by number of own sentences added to training."""

from __future__ import annotations

import argparse

from framing.artifacts import RUN
from framing.cli.evaluate import add_data_arguments, output_folder
from framing.errors import ConfigError, DependencyError

#: In place of a number of sentences: as many as the folds leave.
_ALL = "all"


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
        default="0,150,300,600,all",
        metavar="N,N,...",
        help="sentences added to the run's training data, and `all` for as many as the folds "
        "leave (default: 0,150,300,600,all, without sizes that all does not reach); each size "
        "but 0 is trained once for every fold",
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
    sizes, largest = _sizes(args.sizes)
    plan = CurvePlan(sizes, args.folds, args.seed, args.weight, largest)
    out = output_folder(args)
    # The curve belongs into the evaluation of the same data, which is made again with it.
    source = Source(args.data, args.columns, args.adjudicator, args.origin)
    scores = learning_curve(args.model, source, out, plan)
    print(
        f"learning curve with {len(scores.learning_curve)} points; report: {out / RUN.report_html}"
    )
    return 0


def _sizes(text: str) -> tuple[tuple[int, ...], bool]:
    """The numbers, and whether `all` stands among them."""
    parts = [part.strip() for part in text.split(",")]
    try:
        return tuple(int(part) for part in parts if part != _ALL), _ALL in parts
    except ValueError:
        raise ConfigError(
            "--sizes: expected whole numbers, or the word all, with commas between them, found "
            f"{text!r}"
        ) from None
