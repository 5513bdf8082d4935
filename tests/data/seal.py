"""Makes the counted parts of the bundled corpora again: `python -m tests.data.seal`.

Run after a change to a corpus. Writes splits.json, the facts in card.yaml, README.md and the
manifest of hashes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from framing.artifacts import write_manifest, write_text
from framing.codebook import load_codebook
from framing.corpora import BUNDLED, CORPUS, corpus_folder
from framing.data.corpus import Corpus, sentences_hash
from framing.data.facts import corpus_facts
from framing.data.gold import gold_annotations
from framing.data.readers import read_corpus
from framing.data.splits import Splits, make_splits, save_splits, split_counts

FIELDS = ("part", "genre")
FRACTIONS = {"train": 0.8, "dev": 0.1, "test": 0.1}
SEED = 0
STRATIFY = ("part",)
#: Parts that were added together.
ROUNDS = (range(1, 16), range(16, 31), range(31, 39))


def read_unchecked(folder: Path) -> Corpus:
    return read_corpus(folder, load_codebook(folder / CORPUS.codebook))


def splits_of(corpus: Corpus) -> Splits:
    """Documents stay where they were dealt when their parts came; each round is dealt by itself."""
    gold = gold_annotations(corpus.annotations, corpus.codebook)
    documents: dict[str, list[str]] = {name: [] for name in FRACTIONS}
    for numbers in ROUNDS:
        parts = {f"w{k}" for k in numbers}
        chosen = corpus.where({"part": parts})
        ids = {s.id for s in chosen.sentences}
        coded = [a for a in gold if a.sentence_id in ids]
        dealt = make_splits(chosen, coded, FRACTIONS, SEED, STRATIFY)
        for name, found in dealt.documents.items():
            documents[name] += found
    ordered = {name: tuple(sorted(found)) for name, found in documents.items()}
    return Splits(
        documents=ordered,
        corpus=corpus.hash,
        sentences=sentences_hash(corpus.sentences),
        counts=split_counts(corpus, ordered, gold),
        seed=SEED,
        fractions=FRACTIONS,
        stratify=STRATIFY,
    )


def card_text(text: str, corpus: Corpus, splits: Splits) -> str:
    """The card with its facts counted anew."""
    prose = text[: text.index("\nfacts:") + 1]
    facts = {"facts": corpus_facts(corpus, splits, FIELDS)}
    return prose + yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)


def readme(card: dict[str, Any]) -> str:
    """The card for people."""
    facts = card["facts"]
    lines = [f"# {card['title']}", "", card["origin"].strip(), ""]
    lines += [
        f"{facts['sentences']:,} sentences in {facts['documents']:,} documents; "
        f"{sum(facts['annotations'].values()):,} annotations "
        f"({', '.join(f'{coder} {n:,}' for coder, n in facts['annotations'].items())}). "
        f"Licence: {card['licence']}. Hash: `{facts['hash'][:16]}`.",
        "",
        "This page is made from `card.yaml`.",
        "",
    ]
    for heading in ("coding", "limits", "use"):
        lines += [f"## {heading.capitalize()}", "", *(f"- {x}" for x in card[heading]), ""]
    for heading in ("parts", "fields"):
        lines += [f"## {heading.capitalize()}", ""]
        lines += [f"- {key}: {text}" for key, text in card[heading].items()]
        lines.append("")
    lines += ["## Agreement of A and B", "", *_agreement_table(facts), ""]
    lines += ["## Splits", "", *_splits_table(facts), ""]
    for field in FIELDS:
        lines += [f"## By {field}", "", *_by_table(field, facts), ""]
    return "\n".join(lines)


def _table(header: list[str], rows: list[list[Any]]) -> list[str]:
    cells = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in cells]


def _agreement_table(facts: dict[str, Any]) -> list[str]:
    f1 = facts["agreement"]["f1"]["A and B"]
    rows = [
        [name, f"{a['alpha']:.3f}", f"{f1[name]:.3f}" if name in f1 else "", f"{a['units']:,}"]
        for name, a in facts["agreement"]["alpha"].items()
    ]
    return _table(["label or variable", "Krippendorff's alpha", "F1", "sentences"], rows)


def _splits_table(facts: dict[str, Any]) -> list[str]:
    splits = facts["splits"]
    keys = list(next(iter(splits.values())))
    rows = [[key, *(f"{splits[name][key]:,}" for name in splits)] for key in keys]
    return _table(["", *splits], rows)


def _by_table(field: str, facts: dict[str, Any]) -> list[str]:
    groups = facts["by"][field]
    labels = list(next(iter(groups.values()))["shares"])
    rows = [
        [value, group["documents"], group["sentences"], *(group["shares"][x] for x in labels)]
        for value, group in groups.items()
    ]
    return _table([field, "documents", "sentences", *labels], rows)


def seal(folder: Path) -> None:
    corpus = read_unchecked(folder)
    splits = splits_of(corpus)
    save_splits(folder / CORPUS.splits, splits)
    path = folder / CORPUS.card
    write_text(path, card_text(path.read_text(encoding="utf-8"), corpus, splits))
    card = yaml.safe_load(path.read_text(encoding="utf-8"))
    write_text(folder / "README.md", readme(card))
    write_manifest(folder, CORPUS.manifest, leave_out=(".gitattributes",))


if __name__ == "__main__":
    for name in BUNDLED:
        seal(corpus_folder(name))
