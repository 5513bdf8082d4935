"""One coder's codes, the suspect ones among them, and what coder and adjudicator made of them.

    python experiments/009-suspect-codes/run.py --root FOLDER --out results.json

Writes a study below FOLDER whose gold is coder A's, trains it, reviews it, and compares the
suspect codes with the adjudicated ones, which nothing of that has seen.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from framing.artifacts import write_text
from framing.cli.main import main as framing
from framing.codebook import Codebook
from framing.data.bundled import load_bundled
from framing.data.gold import gold_annotations
from framing.records import Annotation, Sentence

PARTS = ("w16", "w17", "w18", "w19")
CODER = "A"
FIRST = (25, 50, 100, 200)
CONFIG = """
name: one_coder
data: {path: coded.csv, codebook: codebook.yaml}
encoder:
  path: default
  context: [previous]
  max_length: 64
  freeze_layers: 2
  inner_dropout: 0
  pooling: log_mean_exp
training:
  epochs: 1
  batch_size: 32
  learning_rate: 3.0e-4
  evaluations: 0
evaluation: {baselines: [majority]}
seeds: [1]
"""


def rows(sentences: Sequence[Sentence], codes: dict[str, Annotation]) -> Iterator[dict[str, str]]:
    """A table with a row a sentence, as a single coder leaves it."""
    for sentence in sentences:
        values = codes[sentence.id].values
        heads = {head: ";".join(labels) for head, labels in values.items()}
        yield {
            "id": sentence.id,
            "doc_id": sentence.doc_id,
            "position": str(sentence.position),
            "text": sentence.text,
            "previous": sentence.previous,
            "coder": CODER,
            **heads,
        }


def codes_of(annotation: Annotation, book: Codebook) -> dict[tuple[str, str], bool | str]:
    """What a coder says: of each label of a multi_label head whether it is there, else the label.

    Of single_label heads the key's label is empty.
    """
    out: dict[tuple[str, str], bool | str] = {}
    for head in book.heads:
        given = annotation.values.get(head.name)
        if given is None:
            continue
        if head.kind == "multi_label":
            out |= {(head.name, label): label in given for label in head.labels}
        else:
            out[head.name, ""] = given[0]
    return out


def compared(
    table: Path,
    codes: dict[str, Annotation],
    final: dict[str, Annotation],
    book: Codebook,
) -> dict[str, object]:
    """By variable: how many codes are wrong, and how many among the most suspect ones."""
    kinds = {head.name: head.kind for head in book.heads}
    found: dict[str, list[bool]] = {}
    text = table.read_text(encoding="utf-8-sig")
    for row in csv.DictReader(io.StringIO(text)):
        head = row["variable"]
        key = (head, row["label"] if kinds[head] == "multi_label" else "")
        given, right = (codes_of(x[row["id"]], book) for x in (codes, final))
        found.setdefault(book.head(head).variable, []).append(given[key] != right.get(key))
    out: dict[str, object] = {}
    for variable, wrong in found.items():
        heads = [head.name for head in book.heads if head.variable == variable]
        pairs = [
            (value, codes_of(final[i], book).get(key))
            for i, annotation in codes.items()
            for key, value in codes_of(annotation, book).items()
            if key[0] in heads
        ]
        errors = sum(value != right for value, right in pairs)
        out[variable] = {
            "codes": len(pairs),
            "wrong": errors,
            "suspect": len(wrong),
            "wrong among suspect": sum(wrong),
            "wrong among first": {str(n): sum(wrong[:n]) for n in FIRST if n <= len(wrong)},
        }
    return out


def main() -> None:
    """Make the study, review it, compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    corpus = load_bundled("security_talks")
    book = corpus.codebook
    sentences = [s for s in corpus.sentences if s.value("part") in PARTS]
    codes = {a.sentence_id: a for a in corpus.annotations if a.coder == CODER}
    codes = {s.id: codes[s.id] for s in sentences}
    final = {a.sentence_id: a for a in gold_annotations(corpus.annotations, book)}
    args.root.mkdir(parents=True, exist_ok=True)
    columns = ["id", "doc_id", "position", "text", "previous", "coder"]
    columns += [head.name for head in book.heads]
    with (args.root / "coded.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows(sentences, codes))
    package = Path(__file__).parents[2] / "framing" / "corpora" / "security_talks"
    write_text(args.root / "codebook.yaml", (package / "codebook.yaml").read_text("utf-8"))
    write_text(args.root / "study.yaml", CONFIG)
    runs = args.root / "runs"
    if framing(["train", str(args.root / "study.yaml"), "--runs", str(runs)]):
        raise SystemExit(2)
    table = args.root / "review.csv"
    if not table.exists() and framing(["review", str(runs / "one_coder"), "--out", str(table)]):
        raise SystemExit(2)
    write_text(args.out, json.dumps(compared(table, codes, final, book), indent=1) + "\n")


if __name__ == "__main__":
    main()
