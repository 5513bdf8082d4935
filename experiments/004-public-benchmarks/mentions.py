"""Where a NewsMTSC run errs: macro-F1 by how many persons a sentence names, and other parts.

    python experiments/004-public-benchmarks/mentions.py RUN --root DIR

Prints a table. Mentions of one sentence are those with the same text.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from framing.artifacts import RUN, read_predictions
from framing.config import load_config
from framing.metrics import count, f1, macro
from framing.records import Sentence
from framing.study import load_study


def parts(
    test: Sequence[Sentence], gold: Sequence[str], known: set[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and mask of every part."""
    of_text = defaultdict(set)
    mentions: defaultdict[str, int] = defaultdict(int)
    for sentence, label in zip(test, gold, strict=True):
        of_text[sentence.text].add(label)
        mentions[sentence.text] += 1
    several = np.array([mentions[s.text] > 1 for s in test])
    mixed = np.array([len(of_text[s.text]) > 1 for s in test])
    seen = np.array([s.target.lower() in known for s in test])
    words = np.array([len(s.text.split()) for s in test])
    yield "all", np.ones(len(test), dtype=bool)
    yield "one mention coded in the sentence", ~several
    yield "several, of one polarity", several & ~mixed
    yield "several, of different polarities", mixed
    yield "mention occurs in training", seen
    yield "mention does not", ~seen
    yield "up to 19 words", words <= 19
    yield "20 to 30 words", (words > 19) & (words <= 30)
    yield "more than 30 words", words > 30


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--root", required=True)
    args = parser.parse_args()
    config = load_config(args.run / RUN.config, [f"data.root={Path(args.root).resolve()}"])
    study = load_study(config)
    (head,) = study.book.heads
    test = study.split("test")
    made = {p.sentence_id: p for p in read_predictions(args.run / RUN.predictions / "test.jsonl")}
    gold = [study.gold[s.id].values[head.name][0] for s in test]
    found = [made[s.id].labels[head.name][0] for s in test]
    hot = np.eye(len(head.labels), dtype=bool)
    y, p = (hot[[head.labels.index(label) for label in labels]] for labels in (gold, found))
    known = {s.target.lower() for split in ("train", "dev") for s in study.split(split)}
    print(f"| part | mentions | macro-F1 | {' | '.join(head.labels)} |")
    print("| --- |" + " --- |" * (2 + len(head.labels)))
    for name, rows in parts(test, gold, known):
        scores = 100 * f1(count(y[rows], p[rows]))
        cells = " | ".join(f"{score:.1f}" for score in scores)
        print(f"| {name} | {rows.sum():,} | {float(macro(scores)):.1f} | {cells} |")


if __name__ == "__main__":
    main()
