"""What a screen keeps of an archive, with and without having learnt from it.

    python experiments/006-inference-speed/archive.py BUNDLE CONFIG ARCHIVE.jsonl [--seed 0]

BUNDLE is int8, of the run that CONFIG trained; ARCHIVE has a `text`, and may have `previous` and
`doc_id`. Half of its documents are learnt from, the other half is scored. All recalls are of what
the full model labels, no codes are used.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.config import load_config
from framing.decisions import margins
from framing.encoding import TokenizedSentence, tokenize
from framing.inference.bundle import load_bundle
from framing.inference.labeller import Labeller
from framing.inference.screen import Screen
from framing.model.ngrams import NgramLogits, imitate_logits, ngram_rows
from framing.records import Sentence
from framing.study import load_study

FOLDS = 5
Tokens = Sequence[TokenizedSentence]


class Fitter:
    """Fits screens that imitate one bundle's model."""

    def __init__(self, bundle_folder: str) -> None:
        self.bundle = load_bundle(bundle_folder)
        self.labeller = Labeller(self.bundle)
        self.wanted = self.bundle.codebook.multi_label_logits
        screen = self.bundle.screen
        assert screen is not None, "the bundle has no screen"
        self.stored = screen
        self.module = NgramLogits(len(self.wanted), screen.special.tolist(), screen.pair)

    def answers(self, sentences: Sequence[Sentence]) -> tuple[Tokens, FloatArray]:
        """Tokens and the full model's margins."""
        tokens = tokenize(self.bundle.tokenizer, sentences, self.bundle.input_settings)
        return tokens, margins(self.labeller.logits(tokens), self.bundle.decisions, self.wanted)

    def fit(self, tokens: Tokens, wanted: FloatArray) -> Screen:
        """A screen without limits."""
        found = imitate_logits(ngram_rows(self.module, tokens), wanted)
        nothing: FloatArray = np.empty(0)
        old = self.stored
        heads = found.heads
        return Screen(
            found.idf, heads.weights, heads.bias, old.special, old.pair, nothing, nothing, nothing
        )


def limit(scores: FloatArray, recall: float) -> float:
    """The score below which a share of 1 - recall lies."""
    return float(np.sort(scores)[int(np.floor((1 - recall) * len(scores) + 1e-9))]) - 1e-5


def tell(name: str, scores: FloatArray, labelled: BoolArray, least: float) -> None:
    """Print recall and what is kept."""
    kept = scores >= least
    print(
        f"{name}: {kept[labelled].sum()} of {labelled.sum()} ({kept[labelled].mean():.3f}), of the "
        f"others {kept[~labelled].mean():.3f}",
        flush=True,
    )


def main() -> None:
    """Compare screens on one archive."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("config", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recall", type=float, default=0.99)
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.archive.read_text(encoding="utf-8").splitlines()]
    archive = [
        Sentence(str(k), r["text"], str(r.get("doc_id", k)), previous=r.get("previous", ""))
        for k, r in enumerate(rows)
    ]
    config = load_config(args.config)
    study, fitter, recall = load_study(config), Fitter(args.bundle), args.recall
    train, wanted = fitter.answers(study.training_sentences(config.data))
    base = fitter.fit(train, wanted)
    found = {name: fitter.answers(study.split(name)) for name in ("dev", "test")}
    dev, dev_margins = found["dev"]
    dev_labelled = (dev_margins >= 0).any(axis=1)
    tokens, answers = fitter.answers(archive)
    labelled = (answers >= 0).any(axis=1)
    usual = limit(base.scores(dev)[dev_labelled], recall)
    for name, (these, m) in (*found.items(), ("archive", (tokens, answers))):
        tell(f"{name}, screen of today", base.scores(these), (m >= 0).any(axis=1), usual)
    # Halves of the archive's documents.
    names = np.random.default_rng(args.seed).permutation(sorted({s.doc_id for s in archive}))
    place = {name: k for k, name in enumerate(names)}
    order = np.array([place[s.doc_id] for s in archive])
    first = order < len(names) // 2
    a, b = np.flatnonzero(first), np.flatnonzero(~first)
    half = [tokens[k] for k in b]
    scores = base.scores([tokens[k] for k in a])
    tell("not learnt, limit of development", base.scores(half), labelled[b], usual)
    least = limit(scores[labelled[a]], recall)
    tell("not learnt, limit of the archive", base.scores(half), labelled[b], least)
    for fold in range(FOLDS):
        inside = order[a] % FOLDS == fold
        rest = a[~inside]
        screen = fitter.fit(
            [*train, *(tokens[k] for k in rest)], np.concatenate([wanted, answers[rest]])
        )
        scores[inside] = screen.scores([tokens[k] for k in a[inside]])
    screen = fitter.fit([*train, *(tokens[k] for k in a)], np.concatenate([wanted, answers[a]]))
    own = limit(screen.scores(dev)[dev_labelled], recall)
    tell("learnt, limit of development", screen.scores(half), labelled[b], own)
    least = min(own, limit(scores[labelled[a]], recall))
    tell("learnt, both limits", screen.scores(half), labelled[b], least)


if __name__ == "__main__":
    main()
