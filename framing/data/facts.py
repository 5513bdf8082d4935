"""Counts and agreement of a corpus: what its card states and `framing data audit` prints."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from framing.codebook import Codebook
from framing.data.agreement import agreement, pair_f1
from framing.data.corpus import Corpus, metadata_fields
from framing.data.gold import gold_annotations, is_coder, label_counts
from framing.data.splits import Splits, split_counts
from framing.errors import DataError, unknown_name
from framing.records import ADJUDICATOR, Annotation

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a variable one coder coded.

    Attributes:
        coded: Sentences of which he said anything, "none present" included.
        labelled: Those of them to which he gave at least one label.
    """

    coded: int
    labelled: int


def coverage(corpus: Corpus) -> Mapping[str, Mapping[str, Coverage]]:
    """What each coder coded: coder -> variable id -> counts; coders sorted, gold included."""
    heads = {
        v.id: [head.name for head in corpus.codebook.heads if head.variable == v.id]
        for v in corpus.codebook.variables
    }
    coded: Counter[tuple[str, str]] = Counter()
    labelled: Counter[tuple[str, str]] = Counter()
    for annotation in corpus.annotations:
        for variable, names in heads.items():
            given = [annotation.values[name] for name in names if name in annotation.values]
            coded[annotation.coder, variable] += bool(given)
            labelled[annotation.coder, variable] += any(given)
    return {
        coder: {v: Coverage(coded[coder, v], labelled[coder, v]) for v in heads}
        for coder in corpus.coders
    }


def corpus_facts(
    corpus: Corpus,
    splits: Splits | None = None,
    fields: Sequence[str] = (),
    adjudicator: str = ADJUDICATOR,
) -> Facts:
    """Everything about a corpus that can be counted.

    Args:
        corpus: The corpus.
        splits: Counted too, where given.
        fields: Metadata fields by whose values sentences and labels are counted.
        adjudicator: The coder whose word is final.

    Returns:
        JSON values: hash, codebook, totals, annotations by coder, gold labels, counts for each
        value of each field and for each split, agreement (alpha by label, F1 of each pair of
        coders). Shares and agreement are rounded to three digits.

    Raises:
        DataError: No sentence has one of the fields.
    """
    book = corpus.codebook
    gold = gold_annotations(corpus.annotations, book, adjudicator)
    facts: Facts = {
        "hash": corpus.hash,
        "codebook": f"{book.name} version {book.version}",
        "documents": len(corpus.documents),
        "sentences": len(corpus.sentences),
        "annotations": dict(sorted(Counter(a.coder for a in corpus.annotations).items())),
        "coders_per_sentence": _coders_per_sentence(corpus, adjudicator),
        "labels": label_counts(gold, book),
        "by": {field: _by_value(corpus, gold, field) for field in fields},
        "agreement": _agreement(corpus, adjudicator),
    }
    if splits is not None:
        facts["splits"] = split_counts(corpus, splits.documents, gold)
    return facts


def _coders_per_sentence(corpus: Corpus, adjudicator: str) -> dict[int, int]:
    coders = Counter(a.sentence_id for a in corpus.annotations if is_coder(a, adjudicator))
    return dict(sorted(Counter(coders[s.id] for s in corpus.sentences).items()))


def _by_value(corpus: Corpus, gold: Sequence[Annotation], field: str) -> dict[str, Facts]:
    """Sentences, documents and shares of the multi_label variables' labels by value."""
    known = metadata_fields(corpus.sentences)
    if field not in known:
        raise DataError(f"{corpus.name}: {unknown_name('metadata field', field, known)}")
    coded = {a.sentence_id: a for a in gold}
    groups: defaultdict[str, list[tuple[str, Annotation | None]]] = defaultdict(list)
    for s in corpus.sentences:
        groups[s.value(field)].append((s.doc_id, coded.get(s.id)))
    return {
        value: {
            "documents": len({document for document, _ in rows}),
            "sentences": len(rows),
            "shares": _shares([a for _, a in rows if a is not None], corpus.codebook),
        }
        for value, rows in sorted(groups.items(), key=lambda group: _natural(group[0]))
    }


def _natural(text: str) -> list[tuple[str, int]]:
    """Sorts w2 before w10."""
    return [(letters, int(digits or 0)) for letters, digits in re.findall(r"(\D*)(\d*)", text)]


def _shares(gold: Sequence[Annotation], book: Codebook) -> dict[str, float]:
    counts = label_counts(gold, book)
    shares: dict[str, float] = {}
    for head in book.heads:
        n = sum(head.name in a.values for a in gold)
        if head.kind == "multi_label" and n:
            shares |= {f"{head.name}.{x}": round(counts[head.name][x] / n, 3) for x in head.labels}
    return shares


def _agreement(corpus: Corpus, adjudicator: str) -> Facts:
    found = agreement(corpus.annotations, corpus.codebook, adjudicator)
    coders = sorted({a.coder for a in corpus.annotations if is_coder(a, adjudicator)})
    return {
        "alpha": {
            f"{a.head}.{a.label}" if a.label else a.head: {
                "alpha": _rounded(a.alpha),
                "units": a.units,
                "coders": a.coders,
            }
            for a in found
        },
        "f1": {
            f"{first} and {second}": {
                label: _rounded(value)
                for label, value in pair_f1(
                    corpus.annotations, corpus.codebook, first, second
                ).items()
            }
            for first, second in combinations(coders, 2)
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
