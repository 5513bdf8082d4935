"""Train variants of a benchmark's config and count its official figures on dev and test.

    python experiments/004-public-benchmarks/run.py NAME CONFIG --root DIR [--set KEY=VALUE ...]
        [--seeds 1 2] [--dev-only] [--logits FOLDER]

Appends a line for each seed to results.jsonl. With --dev-only the test split is not looked at;
--logits keeps every run's logits and gold labels in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast

from framing.arrays import FloatArray, LabelArray
from framing.artifacts import RUN, read_json
from framing.config import load_config
from framing.data.benchmarks import OfficialFigure
from framing.decisions import calibrated_probabilities
from framing.export import pad_id
from framing.metrics import count
from framing.metrics.official import OFFICIAL_METRICS
from framing.model.calibration import fit_decisions
from framing.model.classifier import load_classifier
from framing.model.finetune import model_logits
from framing.provenance import machine
from framing.records import Sentence
from framing.study import Study, load_study
from framing.train import Stage, examples, fine_tune, hide_loading_bars

HERE = Path(__file__).parent


def official(  # noqa: PLR0917
    figure: OfficialFigure,
    study: Study,
    sentences: Sequence[Sentence],
    gold: LabelArray,
    logits: FloatArray,
    decisions: Any,
) -> float | None:
    """One official figure, None where nothing it counts is in the split."""
    inside = [all(s.value(k) == v for k, v in figure.where.items()) for s in sentences]
    rows = np.flatnonzero(inside)
    if not len(rows):
        return None
    head = next(h for h in study.book.heads if h.variable == figure.variable)
    p = calibrated_probabilities(logits, study.book, decisions)[rows][:, head.slice]
    decided = p >= np.array(decisions.threshold)[head.slice]
    if head.kind == "single_label":
        decided = np.eye(len(head.labels), dtype=bool)[p.argmax(axis=1)]
    names = figure.labels or head.labels
    labels = [head.labels.index(name) for name in names]
    counts = count(gold.values[rows][:, head.slice], decided)
    return round(figure.scale * float(OFFICIAL_METRICS[figure.metric](counts, labels)), 3)


def run(
    config_file: Path, overrides: Sequence[str], seed: int, splits: Sequence[str], keep: Path | None
) -> Any:
    """Train one variant with one seed and count the official figures."""
    config = load_config(config_file, overrides)
    study = load_study(config)
    with tempfile.TemporaryDirectory() as temporary:
        stage = Stage(config, study, seed, Path(temporary), print)
        fine_tune(stage)
        checkpoint = stage.folder / RUN.checkpoint
        model = load_classifier(checkpoint)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint, local_files_only=True)
        seconds = read_json(stage.folder / RUN.record)["training"]["seconds"]
        found = {}
        decisions = None
        for split in ("dev", *splits):
            data = examples(stage, tokenizer, split)
            logits = model_logits(model, data.sentences, pad_id(tokenizer))
            if keep is not None:
                keep.parent.mkdir(parents=True, exist_ok=True)
                np.savez(f"{keep}-{split}.npz", logits=logits, gold=data.gold.values)
            if decisions is None:
                decisions = fit_decisions(logits, data.gold, study.book, {})
            found[split] = {
                figure.name: official(
                    figure, study, study.split(split), data.gold, logits, decisions
                )
                for figure in study.official
            }
    return {
        "config": config_file.stem,
        "set": [o for o in overrides if not o.startswith("data.root=")],
        "seed": seed,
        "seconds": round(seconds),
        "machine": machine(),
        "official": found,
    }


def main() -> None:
    """Run the variants asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("config", type=Path)
    parser.add_argument("--root", required=True)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--dev-only", action="store_true")
    parser.add_argument("--logits", type=Path)
    args = parser.parse_args()
    hide_loading_bars()
    for seed in args.seeds:
        overrides = [f"data.root={Path(args.root).resolve()}", *args.overrides]
        splits = () if args.dev_only else ("test",)
        keep = None if args.logits is None else args.logits / f"{args.name}-s{seed}"
        result = {"name": args.name, **run(args.config, overrides, seed, splits, keep)}
        with (HERE / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(args.name, seed, result["seconds"], result["official"], flush=True)


if __name__ == "__main__":
    main()
