"""One training of many whose predictions alone are kept: for curves and cross-validation."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from framing.artifacts import FOLD, read_predictions, write_predictions
from framing.config import RunConfig
from framing.data.corpus import sentences_hash
from framing.records import Prediction, Sentence
from framing.study import load_study
from framing.train import (
    Say,
    Stage,
    check,
    ensure_checkpoint,
    label_with_checkpoint,
    run_digest,
)


def train_and_label(
    config: RunConfig, sentences: Sequence[Sentence], folder: Path, say: Say
) -> list[Prediction]:
    """Train, and label sentences with the outcome; what was finished before is read again.

    Args:
        config: Of the training, with one seed.
        sentences: What is to be labelled.
        folder: Keeps the predictions, and the training while it is unfinished.
        say: Receives one line for each step.

    Returns:
        One prediction a sentence, in the order given.

    Raises:
        ConfigError: The config names what is not there.
        DataError: The data cannot be read, or a variable is coded nowhere.
    """
    study = load_study(config)
    check(config, study)
    digest = run_digest(config, study)
    training = folder / f"{digest}.{FOLD.training}"
    done = folder / f"{digest}-{sentences_hash(sentences)[:8]}.{FOLD.predictions}"
    if done.is_file():
        say(f"{done}: finished already")
        predictions = read_predictions(done)
    else:
        stage = Stage(config, study, config.seeds[0], training, say)
        ensure_checkpoint(stage)
        predictions = label_with_checkpoint(stage, sentences)
        write_predictions(done, predictions)
    # A checkpoint of 90 MB has done its work.
    shutil.rmtree(training, ignore_errors=True)
    return predictions
