"""Is it worth coding where a model is least sure, in place of a random sample?

    python experiments/010-what-to-code-next/run.py --root FOLDER --out results.json

Starts with 300 sentences, adds 300 at a time as `framing tasks` would choose them, and scores a
logistic regression on the default encoder's mean states after each round. FOLDER holds the folder
unscon/ with the files of that benchmark. Data of which the output holds results are passed over.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score

from framing.annotation.choice import choose, uncertainty
from framing.arrays import BoolArray, FloatArray, gold_array
from framing.artifacts import write_text
from framing.codebook import Codebook, Variable
from framing.config import EncoderConfig, load_config
from framing.decisions import Decisions
from framing.encoding import InputSettings, pad, tokenize
from framing.model.encoder import find_encoder, load_encoder, load_fast_tokenizer
from framing.records import Sentence
from framing.study import Study, load_study
from framing.train import hide_loading_bars

ROOT = Path(__file__).parents[2]
START, STEP, ROUNDS = 300, 300, 4
DRAWS = 20
#: Sentences of a split, drawn where it has more.
MOST = {"train": 6000, "test": 3000}
#: Share of sentences with each label of security_talks, as in the news.
RARE = 0.06
#: Strategy -> share chosen at random.
STRATEGIES = {"random": 1.0, "unsure": 0.0, "unsure, a quarter at random": 0.25}
STRATEGIES["unsure, half at random"] = 0.5


@dataclass(frozen=True)
class Coded:
    """Sentences as a classifier sees them.

    Attributes:
        sentences: The sentences.
        states: Mean states, shape (n, hidden).
        gold: Shape (n, labels).
    """

    sentences: Sequence[Sentence]
    states: FloatArray
    gold: BoolArray

    def __getitem__(self, rows: NDArray[np.int64]) -> Coded:
        """Some of them."""
        return Coded([self.sentences[row] for row in rows], self.states[rows], self.gold[rows])


@torch.no_grad()
def mean_states(sentences: Sequence[Sentence]) -> FloatArray:
    """States of the default encoder, shape (n, hidden)."""
    source = find_encoder(EncoderConfig(path="default"))
    encoder = load_encoder(source, "sdpa").eval()
    tokenizer = load_fast_tokenizer(source).backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokens = tokenize(tokenizer, sentences, InputSettings(max_length=64))
    out = np.zeros((len(tokens), encoder.config.hidden_size))
    order = np.argsort([len(t.ids) for t in tokens], kind="stable")
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        inputs = {n: torch.from_numpy(a) for n, a in pad([tokens[r] for r in rows], 0).items()}
        present = inputs["attention_mask"][..., None].float()
        states = encoder(**inputs).last_hidden_state
        out[rows] = ((states * present).sum(1) / present.sum(1)).numpy()
    return out


def coded(study: Study, split: str, rare: float | None) -> Coded:
    """A split, thinned until each label has a share of `rare`."""
    sentences = study.split(split)
    variable = study.book.variables[0]
    gold = gold_array(study.gold_of(sentences), study.book).values[:, : len(variable.labels)]
    rows = np.arange(len(sentences))
    if rare is not None:
        rng = np.random.default_rng(0)
        odds = rare / (1 - rare) * (1 - gold.mean(0)) / gold.mean(0)
        kept = np.where(gold, odds, 1.0).min(axis=1)
        rows = np.flatnonzero(rng.random(len(sentences)) < kept)
    rows = np.sort(np.random.default_rng(1).permutation(rows)[: MOST[split]])
    chosen = [sentences[row] for row in rows]
    return Coded(chosen, mean_states(chosen), gold[rows])


def fit(data: Coded) -> list[LogisticRegression | None]:
    """A classifier for each label; None where nobody gave it."""
    found: list[LogisticRegression | None] = []
    for column in data.gold.T:
        model = LogisticRegression(C=10, max_iter=300)
        found.append(model.fit(data.states, column) if 0 < column.sum() < len(column) else None)
    return found


def logits(models: Sequence[LogisticRegression | None], states: FloatArray) -> FloatArray:
    """Shape (n, labels); of labels that nobody gave -9."""
    columns = [
        np.full(len(states), -9.0) if m is None else m.decision_function(states) for m in models
    ]
    return np.stack(columns, axis=1)


def thresholds(scores: FloatArray, gold: BoolArray) -> tuple[float, ...]:
    """Probabilities above which as many sentences lie as have the label, at most one half."""
    found = []
    for column, label in zip(scores.T, gold.T, strict=True):
        limit = np.sort(column)[-max(int(label.sum()), 1)]
        found.append(float(min(1 / (1 + np.exp(-limit)), 0.5)))
    return tuple(found)


def figures(
    models: Sequence[LogisticRegression | None], test: Coded, train: Coded
) -> dict[str, float]:
    """Mean average precision, and macro-F1 at the thresholds."""
    scores = logits(models, test.states)
    limit = np.array(thresholds(logits(models, train.states), train.gold))
    given = 1 / (1 + np.exp(-scores)) >= limit
    labels = range(test.gold.shape[1])
    return {
        "ap": float(mean(average_precision_score(test.gold[:, k], scores[:, k]) for k in labels)),
        "f1": float(mean(f1_score(test.gold[:, k], given[:, k], zero_division=0) for k in labels)),
    }


def simulate(
    pool: Coded, test: Coded, book: Codebook, at_random: float, seed: int
) -> list[dict[str, float]]:
    """Figures after every round of one strategy."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(pool.sentences))[:START]
    place = {s.id: row for row, s in enumerate(pool.sentences)}
    found = []
    for turn in range(ROUNDS + 1):
        models = fit(pool[rows])
        found.append({"sentences": len(rows), **figures(models, test, pool[rows])})
        if turn == ROUNDS:
            break
        rest = np.setdiff1d(np.arange(len(pool.sentences)), rows)
        limits = thresholds(logits(models, pool.states[rows]), pool.gold[rows])
        ones = (1.0,) * len(limits)
        decisions = Decisions(ones, (0.0,) * len(limits), limits)
        unsure = uncertainty(logits(models, pool.states[rest]), book, decisions)
        chosen = choose(pool[rest].sentences, unsure, STEP, at_random, rng)
        rows = np.concatenate([rows, [place[c.sentence.id] for c in chosen]])
    return found


def only(variable: Variable) -> Codebook:
    """A codebook of one variable."""
    return Codebook("one", 1, (variable,))


def study_of(name: str, root: Path) -> Study:
    """The bundled corpus's documents, or a benchmark's."""
    overrides = [f"data.root={(root / name).resolve()}"] if name == "unscon" else []
    return load_study(load_config(ROOT / "configs" / f"{name}.yaml", overrides))


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    hide_loading_bars()
    results = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    for name, rare in (("security_talks", RARE), ("unscon", None)):
        if name in results:
            continue
        study = study_of(name, args.root)
        book = only(study.book.variables[0])
        pool, test = coded(study, "train", rare), coded(study, "test", rare)
        found = {
            strategy: [simulate(pool, test, book, share, seed) for seed in range(DRAWS)]
            for strategy, share in STRATEGIES.items()
        }
        shares = [round(float(share), 4) for share in pool.gold.mean(0)]
        results[name] = {
            "pool": len(pool.sentences),
            "test": len(test.sentences),
            "shares": shares,
            "rounds": found,
        }
        told(name, found)
        write_text(args.out, json.dumps(results, indent=1) + "\n")


def told(name: str, found: dict[str, list[list[dict[str, float]]]]) -> None:
    """Print means over the draws, and what a strategy has more than chance, with a 95% interval."""
    for figure in ("ap", "f1"):
        print(f"{name}: {figure}")
        base = np.array([[r[figure] for r in run] for run in found["random"]])
        for strategy, runs in found.items():
            values = np.array([[r[figure] for r in run] for run in runs])
            more = values - base
            half = 2.09 * more.std(0, ddof=1) / np.sqrt(len(more))
            line = "  ".join(
                f"{v:.3f} ({m:+.3f} +- {h:.3f})"
                for v, m, h in zip(values.mean(0), more.mean(0), half, strict=True)
            )
            print(f"  {strategy:28s} {line}", flush=True)


if __name__ == "__main__":
    main()
