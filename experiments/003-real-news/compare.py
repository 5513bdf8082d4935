"""Two trained runs on the same coded sentences: frames, with paired intervals over documents.

    python experiments/003-real-news/compare.py RUN OTHER --data FOLDER

A run's folder needs its config.yaml and checkpoint/; calibration and thresholds are fitted on the
development split for the config's prevalence, as in the training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from run import real_set
from transformers import PreTrainedTokenizerFast

from framing.arrays import FloatArray
from framing.artifacts import RUN
from framing.config import load_config
from framing.decisions import calibrated_probabilities, to_predictions
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.figures import all_figures
from framing.evaluation.units import Answers, system_answers
from framing.export import pad_id
from framing.model.calibration import fit_decisions
from framing.model.classifier import load_classifier
from framing.model.finetune import model_logits
from framing.study import load_study
from framing.train import Stage, examples, hide_loading_bars

WANTED = ("f1", "average_precision")


def figures(folder: Path, data: Path) -> dict[str, FloatArray]:
    """Figures of the frames, each with its resamples below it."""
    config = load_config(folder / RUN.config)
    stage = Stage(config, load_study(config), config.seeds[0], folder, print)
    model, book = load_classifier(folder / RUN.checkpoint), stage.study.book
    tokenizer = PreTrainedTokenizerFast.from_pretrained(
        folder / RUN.checkpoint, local_files_only=True
    )
    dev = examples(stage, tokenizer, "dev")
    decisions = fit_decisions(
        model_logits(model, dev.sentences, pad_id(tokenizer)),
        dev.gold,
        book,
        config.decisions.prevalence,
    )
    logits, gold, sentences = real_set(data, stage, model, tokenizer)
    probabilities = calibrated_probabilities(logits, book, decisions)
    ids = [sentence.id for sentence in sentences]
    predictions = to_predictions(ids, probabilities, book, decisions, folder.name)
    documents = [sentence.doc_id for sentence in sentences]
    resamples = Resamples.draw(documents, 1000, np.random.default_rng(0))
    answers = system_answers(predictions, book, folder.name)
    found = all_figures(Answers(gold, None), answers, book, resamples, bins=10)
    return {
        f"{figure.metric} {figure.label}": figure.values
        for figure in found
        if figure.head == "frames" and figure.metric in WANTED
    }


def told(values: FloatArray) -> str:
    """A figure with its 95% interval."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return f"{values[0]:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Score both, and what lies between them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    hide_loading_bars()
    first, second = figures(args.run, args.data), figures(args.other, args.data)
    for name, values in first.items():
        print(name, told(values), told(second[name]), "difference", told(second[name] - values))


if __name__ == "__main__":
    main()
