"""Train variants of the shipped config and score them on composed and on real sentences.

    python experiments/003-real-news/run.py NAME [--set KEY=VALUE ...] [--seeds 1 2] [--real FOLDER]

Appends a line for each seed to results.jsonl. Without --real the real sentences are not looked at.
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

from framing.arrays import FloatArray, LabelArray, gold_array
from framing.artifacts import RUN, read_json
from framing.config import load_config
from framing.data.gold import gold_annotations
from framing.data.readers import read_corpus
from framing.decisions import calibrated_probabilities
from framing.encoding import tokenize
from framing.export import pad_id
from framing.metrics import average_precision
from framing.model.calibration import fit_decisions
from framing.model.classifier import load_classifier
from framing.model.finetune import model_logits
from framing.provenance import machine
from framing.records import Sentence
from framing.study import load_study
from framing.train import Stage, examples, fine_tune, hide_loading_bars

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "configs" / "security_talks.yaml"
#: Share of sentences with a frame in the news; average precision depends on it.
SHARE = 0.06


def weighted_average_precision(scores: FloatArray, gold: np.ndarray, share: float) -> float:
    """Average precision of one label as if its share of the sentences were `share`."""
    order = np.argsort(-scores, kind="stable")
    y = gold[order]
    weight = np.where(y, share / y.mean(), (1 - share) / (1 - y.mean()))
    hits = np.cumsum(weight * y)
    precision = hits / np.cumsum(weight)
    return float((precision * weight * y).sum() / (weight * y).sum())


def figures(logits: FloatArray, gold: LabelArray, decisions: Any, book: Any) -> dict[str, Any]:
    """Figures of the frames on one set."""
    (head,) = [h for h in book.heads if h.variable == "frames"]
    z, y = logits[:, head.slice], gold.values[:, head.slice]
    p = calibrated_probabilities(logits, book, decisions)[:, head.slice]
    decided = p >= np.array(decisions.threshold)[head.slice]
    hits = (decided & y).sum(axis=0)
    f1 = 2 * hits / np.maximum(decided.sum(axis=0) + y.sum(axis=0), 1)
    best = [best_f1(z[:, k], y[:, k]) for k in range(y.shape[1])]
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = [abs(p[bins == b].sum() - y[bins == b].sum()) for b in range(10)]
    return {
        "n": len(y),
        "ap": average_precision(y, z).round(4).tolist(),
        "ap_at_share": [
            round(weighted_average_precision(z[:, k], y[:, k], SHARE), 4) for k in range(y.shape[1])
        ],
        "f1": f1.round(4).tolist(),
        "best_f1": np.round(best, 4).tolist(),
        "calibration_error": round(float(np.sum(gaps)) / y.size, 4),
    }


def best_f1(scores: FloatArray, gold: np.ndarray) -> float:
    """Highest F1 over all thresholds: what a perfect choice of the threshold would give."""
    hits = np.cumsum(gold[np.argsort(-scores, kind="stable")])
    return float((2 * hits / (np.arange(1, len(gold) + 1) + gold.sum())).max())


def run(name: str, overrides: Sequence[str], seed: int, real: Path | None) -> dict[str, Any]:
    """Train one variant with one seed and score it."""
    config = load_config(CONFIG, overrides)
    study = load_study(config)
    with tempfile.TemporaryDirectory() as temporary:
        stage = Stage(config, study, seed, Path(temporary), print)
        fine_tune(stage)
        checkpoint = stage.folder / RUN.checkpoint
        model = load_classifier(checkpoint)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint, local_files_only=True)
        training = read_json(stage.folder / RUN.record)["training"]
        sets = {}
        for split in ("dev", "test"):
            found = examples(stage, tokenizer, split)
            sets[split] = (
                model_logits(model, found.sentences, pad_id(tokenizer)),
                found.gold,
                study.split(split),
            )
        if real is not None:
            sets["real"] = real_set(real, stage, model, tokenizer)
    logits, gold, _ = sets["dev"]
    decisions = fit_decisions(logits, gold, study.book, config.decisions.prevalence)
    scores = {
        set_name: figures(z, y, decisions, study.book) for set_name, (z, y, _) in sets.items()
    }
    return {
        "name": name,
        "set": list(overrides),
        "seed": seed,
        "seconds": round(training["seconds"]),
        "machine": machine(),
        "scores": scores,
    }


def real_set(
    folder: Path, stage: Stage, model: Any, tokenizer: Any
) -> tuple[FloatArray, LabelArray, list[Sentence]]:
    """Logits and gold of the real sentences."""
    corpus = read_corpus(folder, stage.study.book)
    found = gold_annotations(corpus.annotations, stage.study.book)
    gold = {annotation.sentence_id: annotation for annotation in found}
    sentences = [s for s in corpus.sentences if s.id in gold]
    tokens = tokenize(tokenizer.backend_tokenizer, sentences, stage.settings)
    logits = model_logits(model, tokens, pad_id(tokenizer))
    return logits, gold_array([gold[s.id] for s in sentences], stage.study.book), sentences


def main() -> None:
    """Run the variants asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--real", type=Path)
    args = parser.parse_args()
    hide_loading_bars()
    for seed in args.seeds:
        result = run(args.name, args.overrides, seed, args.real)
        with (HERE / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        for name, found in result["scores"].items():
            means = {k: np.mean(v).round(3) for k, v in found.items() if k != "n"}
            print(args.name, seed, result["seconds"], name, means, flush=True)


if __name__ == "__main__":
    main()
