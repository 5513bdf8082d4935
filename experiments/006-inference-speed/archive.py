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
from framing.inference.screen import IntArray, Screen
from framing.model.ngrams import NgramLogits, imitate_logits, ngram_rows
from framing.records import Sentence
from framing.study import load_study

FOLDS = 5
NOTHING: FloatArray = np.empty(0)
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
        heads, old = found.heads, self.stored
        return Screen(
            found.idf, heads.weights, heads.bias, old.special, old.pair, NOTHING, NOTHING, NOTHING
        )


def tell(name: str, scores: FloatArray, labelled: BoolArray, limit: float) -> None:
    """Print recall and what is kept."""
    kept = scores >= limit
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
    own = base.scores(dev)[dev_labelled]
    for name, (these, m) in (*found.items(), ("archive", (tokens, answers))):
        tell(
            f"{name}, screen of today", base.scores(these), (m >= 0).any(axis=1), least(own, recall)
        )
    names = np.random.default_rng(args.seed).permutation(sorted({s.doc_id for s in archive}))
    place = {name: k for k, name in enumerate(names)}
    order = np.array([place[s.doc_id] for s in archive])
    compare(
        fitter,
        train=(train, wanted),
        dev=(dev, dev_labelled),
        archive=(tokens, answers),
        order=order,
        recall=recall,
    )


def least(scores: FloatArray, recall: float, archive: FloatArray = NOTHING) -> float:
    """The limit of a screen that gives labelled sentences these scores."""
    screen = Screen(
        NOTHING,
        NOTHING,
        NOTHING,
        NOTHING,
        True,
        np.sort(scores),
        NOTHING,
        NOTHING,
        np.sort(archive),
    )
    return screen.limit(recall)


def compare(
    fitter: Fitter,
    *,
    train: tuple[Tokens, FloatArray],
    dev: tuple[Tokens, BoolArray],
    archive: tuple[Tokens, FloatArray],
    order: IntArray,
    recall: float,
) -> None:
    """Learn from the first half of an archive's documents, and score the second."""
    tokens, answers = archive
    labelled = (answers >= 0).any(axis=1)
    first = order < (order.max() + 1) // 2
    a, b = np.flatnonzero(first), np.flatnonzero(~first)
    half = [tokens[k] for k in b]

    def learnt(rows: IntArray) -> Screen:
        return fitter.fit(
            [*train[0], *(tokens[k] for k in rows)], np.concatenate([train[1], answers[rows]])
        )

    base, screen, scores = learnt(a[:0]), learnt(a), np.zeros(len(a))
    for fold in range(FOLDS):
        inside = order[a] % FOLDS == fold
        scores[inside] = learnt(a[~inside]).scores([tokens[k] for k in a[inside]])
    before = base.scores([tokens[k] for k in a])[labelled[a]]
    for name, found, limit in (
        ("not learnt, limit of development", base, least(base.scores(dev[0])[dev[1]], recall)),
        ("not learnt, limit of the archive", base, least(before, recall)),
        ("learnt, limit of development", screen, least(screen.scores(dev[0])[dev[1]], recall)),
        (
            "learnt, both limits",
            screen,
            least(screen.scores(dev[0])[dev[1]], recall, scores[labelled[a]]),
        ),
    ):
        tell(name, found.scores(half), labelled[b], limit)


if __name__ == "__main__":
    main()
