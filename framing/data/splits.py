"""Splits that keep documents whole and every label's share alike, and their frozen manifests."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framing.arrays import FloatArray
from framing.artifacts import read_json, write_json
from framing.data.corpus import Corpus, metadata_fields, sentences_hash
from framing.data.gold import label_counts
from framing.data.problems import Problems
from framing.errors import ArtifactError, DataError, counted, unknown_name
from framing.records import Annotation, Sentence

NAMES = ("train", "dev", "test")
_OTHER_NAMES = {"training": "train", "validation": "dev", "valid": "dev", "val": "dev"}
IntArray = NDArray[np.int64]
_PASSES = 10
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Splits:
    """Which documents belong to which split.

    Attributes:
        documents: Split -> document ids, sorted; every document in exactly one.
        corpus: Hash of sentences and annotations at the time.
        sentences: Hash of the sentences alone. More annotations leave splits valid, other
            sentences do not.
        counts: Split -> "documents", "sentences", "coded" and each ``head.label`` of the gold
            labels at the time -> number.
        seed: That decided, None where splits were given.
        fractions: Shares of the sentences aimed at, empty where splits were given.
        stratify: Metadata fields whose shares were kept alike.
    """

    documents: Mapping[str, tuple[str, ...]]
    corpus: str
    sentences: str
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seed: int | None = None
    fractions: Mapping[str, float] = field(default_factory=dict)
    stratify: tuple[str, ...] = ()

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of which document is where."""
        content = {name: sorted(ids) for name, ids in self.documents.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def sentences_of(self, corpus: Corpus, name: str) -> list[Sentence]:
        """The sentences of one split, in the corpus's order.

        Raises:
            DataError: There is no such split.
        """
        if name not in self.documents:
            raise DataError(unknown_name("split", name, self.documents))
        documents = set(self.documents[name])
        return [s for s in corpus.sentences if s.doc_id in documents]


def make_splits(
    corpus: Corpus,
    gold: Sequence[Annotation],
    fractions: Mapping[str, float],
    seed: int,
    stratify: tuple[str, ...] = (),
) -> Splits:
    """Divide documents so that sentences, labels and metadata have like shares everywhere.

    Iterative stratification after Sechidis, Tsoumakas and Vlahavas (2011), "On the Stratification
    of Multi-Label Data", with documents in place of examples: what is rarest is dealt out first,
    each document to the split that still lacks most of it. A document brings other labels along
    than the one it was dealt for, so afterwards documents move while that improves the whole.

    Args:
        corpus: What to divide. The order of its sentences does not matter.
        gold: Gold annotations.
        fractions: Split -> share of the sentences; must sum to 1.
        seed: Decides ties.
        stratify: Metadata fields whose values' shares should be alike.

    Returns:
        The splits, none of them empty.

    Raises:
        DataError: Fractions are no shares, some sentences name no document, there are fewer
            documents than splits, or no sentence has a field of `stratify`.
    """
    _check_fractions(fractions)
    _check_known_documents(corpus)
    documents = sorted(corpus.documents)
    if len(documents) < len(fractions):
        raise DataError(
            f"{corpus.name}: expected at least {len(fractions)} documents for {len(fractions)} "
            f"splits, found {len(documents)}; documents are kept whole, so `doc_id` must tell "
            "them apart"
        )
    features = _features(corpus, gold, documents, stratify)
    shares = np.array(list(fractions.values()))
    rng = np.random.default_rng(seed)
    place = _deal(features, shares, rng)
    _fill_empty(place, features[:, 0], shares)
    _refine(place, features, shares, rng)
    parts = {
        name: tuple(documents[i] for i in np.flatnonzero(place == split))
        for split, name in enumerate(fractions)
    }
    return _splits(corpus, parts, gold, seed=seed, fractions=dict(fractions), stratify=stratify)


def _splits(
    corpus: Corpus,
    documents: Mapping[str, tuple[str, ...]],
    gold: Iterable[Annotation],
    *,
    seed: int | None = None,
    fractions: Mapping[str, float] | None = None,
    stratify: tuple[str, ...] = (),
) -> Splits:
    return Splits(
        documents=documents,
        corpus=corpus.hash,
        sentences=sentences_hash(corpus.sentences),
        counts=split_counts(corpus, documents, gold),
        seed=seed,
        fractions=fractions or {},
        stratify=stratify,
    )


def _check_fractions(fractions: Mapping[str, float]) -> None:
    if not fractions or min(fractions.values()) <= 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        found = ", ".join(f"{name} {value:g}" for name, value in fractions.items())
        raise DataError(f"fractions: expected positive shares that sum to 1, found {found}")


def _check_known_documents(corpus: Corpus) -> None:
    """Sentences of one text that name no document would fall on both sides of a split."""
    lacking = corpus.without_document
    if lacking:
        raise DataError(
            f"{corpus.name}: splits keep documents whole, so every sentence or none needs a "
            f"doc_id; found none for {counted(len(lacking), 'sentence')} of "
            f"{len(corpus.sentences):,}, such as {min(lacking)!r}. Fill these cells, or say under "
            "`columns` what they mean: `missing_doc_id: sentence` (each is a document of its own) "
            "or `missing_doc_id: file` (together they are one)"
        )


def _features(
    corpus: Corpus,
    gold: Sequence[Annotation],
    documents: Sequence[str],
    stratify: tuple[str, ...],
) -> FloatArray:
    """What is to be dealt out alike: shape (documents, features), sentences in column 0."""
    known = metadata_fields(corpus.sentences)
    for name in stratify:
        if name not in known:
            message = unknown_name("metadata field", name, known)
            raise DataError(f"{corpus.name}: stratify: {message}")
    counts: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    coded = {a.sentence_id: a for a in gold}
    for sentence in corpus.sentences:
        found = counts[sentence.doc_id]
        found["sentences",] += 1
        found.update((name, sentence.value(name)) for name in stratify)
        if annotation := coded.get(sentence.id):
            found["coded",] += 1
            found.update((h, x) for h, labels in annotation.values.items() for x in labels)
    others = sorted({key for found in counts.values() for key in found} - {("sentences",)})
    columns = [("sentences",), *others]
    return np.array([[counts[d][key] for key in columns] for d in documents], dtype=np.float64)


def _deal(features: FloatArray, shares: FloatArray, rng: np.random.Generator) -> IntArray:
    """Split of each document; `features` has one row a document."""
    place = np.full(len(features), -1, dtype=np.int64)
    lacking = shares[:, None] * features.sum(axis=0)
    shuffled = rng.permutation(len(features))
    while len(left := shuffled[place[shuffled] < 0]):
        remaining = features[left].sum(axis=0)
        remaining[remaining == 0] = np.inf
        rarest = int(remaining.argmin())
        holders = left[features[left, rarest] > 0]
        for document in holders[np.argsort(-features[holders, rarest], kind="stable")]:
            split = _neediest(lacking[:, rarest], lacking[:, 0], rng)
            place[document] = split
            lacking[split] -= features[document]
    return place


def _neediest(lacking: FloatArray, sentences: FloatArray, rng: np.random.Generator) -> int:
    best = np.flatnonzero(np.isclose(lacking, lacking.max()))
    best = best[np.isclose(sentences[best], sentences[best].max())]
    return int(rng.choice(best))


def _fill_empty(place: IntArray, sizes: FloatArray, shares: FloatArray) -> None:
    """Give each empty split the shortest document of the split that has most too many."""
    for split in range(len(shares)):
        if (place == split).any():
            continue
        surplus = [
            sizes[place == s].sum() - shares[s] * sizes.sum() if (place == s).sum() > 1 else -np.inf
            for s in range(len(shares))
        ]
        holders = np.flatnonzero(place == int(np.argmax(surplus)))
        place[holders[sizes[holders].argmin()]] = split


def _refine(
    place: IntArray, features: FloatArray, shares: FloatArray, rng: np.random.Generator
) -> None:
    """Move single documents while that lowers the chi-squared distance to the shares aimed at."""
    wanted = shares[:, None] * features.sum(axis=0)
    sizes = np.bincount(place, minlength=len(shares))
    excess = np.stack([features[place == s].sum(axis=0) for s in range(len(shares))]) - wanted
    for _ in range(_PASSES):
        moved = False
        for document in rng.permutation(len(features)):
            row, here = features[document], int(place[document])
            if sizes[here] == 1:
                continue
            gain = ((row**2 + 2 * excess * row) / wanted).sum(axis=1)
            gain += ((row**2 - 2 * excess[here] * row) / wanted[here]).sum()
            gain[here] = 0.0
            there = int(gain.argmin())
            if gain[there] < -_TOLERANCE:
                place[document], moved = there, True
                excess[here] -= row
                excess[there] += row
                sizes[here] -= 1
                sizes[there] += 1
        if not moved:
            return


def split_counts(
    corpus: Corpus, documents: Mapping[str, Iterable[str]], gold: Iterable[Annotation]
) -> dict[str, dict[str, int]]:
    """Documents, sentences, coded sentences and gold labels of each split.

    Args:
        corpus: The corpus.
        documents: Split -> document ids.
        gold: Gold annotations.

    Returns:
        Split -> "documents", "sentences", "coded", ``head.label`` -> number.
    """
    where = {document: name for name, ids in documents.items() for document in ids}
    coded = {a.sentence_id: a for a in gold}
    out = {}
    for name, ids in documents.items():
        sentences = [s for s in corpus.sentences if where.get(s.doc_id) == name]
        annotations = [coded[s.id] for s in sentences if s.id in coded]
        counts = {
            "documents": len(set(ids)),
            "sentences": len(sentences),
            "coded": len(annotations),
        }
        for head, labels in label_counts(annotations, corpus.codebook).items():
            counts |= {f"{head}.{label}": count for label, count in labels.items()}
        out[name] = counts
    return out


def save_splits(path: Path, splits: Splits) -> None:
    """Write a manifest: which document is where, made how, from which data, with counts."""
    write_json(
        path,
        {
            "corpus": splits.corpus,
            "sentences": splits.sentences,
            "seed": splits.seed,
            "fractions": dict(splits.fractions),
            "stratify": list(splits.stratify),
            "counts": splits.counts,
            "documents": {name: list(ids) for name, ids in splits.documents.items()},
        },
    )


def load_splits(path: Path, corpus: Corpus) -> Splits:
    """Read a manifest and check it against the corpus.

    Args:
        path: What `save_splits` wrote.
        corpus: The corpus it was made for; annotations may have been added since.

    Returns:
        The splits.

    Raises:
        DataError: The file is missing or no manifest, was made for other sentences, or a document
            is not in exactly one split.
    """
    try:
        value = read_json(path)
    except ArtifactError as error:
        raise DataError(str(error)) from None
    splits = _from_json(value, path)
    found = sentences_hash(corpus.sentences)
    if splits.sentences != found:
        raise DataError(
            f"{path}: made for other sentences (hash {splits.sentences[:12]}...) than those of "
            f"{corpus.name} (hash {found[:12]}...); use the data it was made for, or make new "
            "splits: framing data split"
        )
    _check_documents(splits.documents, corpus, str(path))
    return splits


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_MANIFEST_FORM: Mapping[str, Callable[[Any], bool]] = {
    "corpus": lambda value: isinstance(value, str),
    "sentences": lambda value: isinstance(value, str),
    "seed": lambda value: value is None or isinstance(value, int),
    "fractions": lambda value: isinstance(value, dict),
    "stratify": _are_texts,
    "counts": lambda value: isinstance(value, dict),
    "documents": lambda value: isinstance(value, dict) and all(map(_are_texts, value.values())),
}


def _from_json(value: Any, path: Path) -> Splits:
    lacking = [k for k in _MANIFEST_FORM if not isinstance(value, dict) or k not in value]
    if lacking:
        raise DataError(f"{path}: not a split manifest: it lacks {', '.join(lacking)}")
    if wrong := [k for k, fits in _MANIFEST_FORM.items() if not fits(value[k])]:
        raise DataError(
            f"{path}: not a split manifest as `framing data split` writes it: {', '.join(wrong)} "
            "of another form; make it again"
        )
    return Splits(
        documents={name: tuple(ids) for name, ids in value["documents"].items()},
        corpus=value["corpus"],
        sentences=value["sentences"],
        counts=value["counts"],
        seed=value["seed"],
        fractions=value["fractions"],
        stratify=tuple(value["stratify"]),
    )


def _check_documents(documents: Mapping[str, Sequence[str]], corpus: Corpus, where: str) -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, ids in documents.items():
        for document in ids:
            places[document].append(name)
    known = set(corpus.documents)
    problems = Problems()
    for document, names in places.items():
        if len(names) > 1:
            found = ", ".join(names)
            problems.add(None, f"document {document!r} is in more than one place: {found}")
        if document not in known:
            problems.add(None, f"document {document!r} is not in {corpus.name}")
    for document in corpus.documents:
        if document not in places:
            problems.add(None, f"document {document!r} is in no split")
    problems.raise_any(f"{where}: the splits do not fit")


def splits_from_metadata(corpus: Corpus, column: str, gold: Iterable[Annotation] = ()) -> Splits:
    """Take splits that the data bring along.

    Args:
        corpus: The corpus.
        column: Metadata field with train, dev (or validation, valid, val) and test.
        gold: Gold annotations, for counts only.

    Returns:
        The splits.

    Raises:
        DataError: The field is missing, holds other names, or a document stands in two splits.
    """
    documents: dict[str, list[str]] = {}
    for document, value in _values_of(corpus, column).items():
        name = _OTHER_NAMES.get(value.lower(), value.lower())
        if name not in NAMES:
            message = unknown_name("split", value, (*NAMES, *_OTHER_NAMES))
            raise DataError(f"{corpus.name}: document {document!r}: {message}")
        documents.setdefault(name, []).append(document)
    ordered = {name: tuple(sorted(documents[name])) for name in NAMES if name in documents}
    return _splits(corpus, ordered, gold)


def splits_by_value(
    corpus: Corpus,
    gold: Sequence[Annotation],
    column: str,
    values: Mapping[str, Collection[str]],
    *,
    dev_share: float = 0.0,
    seed: int = 0,
) -> Splits:
    """Splits by what a metadata field says, development drawn from train where nothing says it.

    Args:
        corpus: The corpus.
        gold: Gold annotations.
        column: Metadata field with one value a document.
        values: Split -> values of the field; together all that occur.
        dev_share: Share of the training sentences that is drawn for development; 0 where
            `values` names them.
        seed: Decides which.

    Returns:
        The splits.

    Raises:
        DataError: The field is missing, varies within a document, or holds another value.
    """
    split_of = {value: name for name, of in values.items() for value in of}
    documents: dict[str, list[str]] = {name: [] for name in values}
    for document, value in _values_of(corpus, column).items():
        if value not in split_of:
            message = unknown_name("value", value, split_of)
            raise DataError(f"{corpus.name}: document {document!r}, {column}: {message}")
        documents[split_of[value]].append(document)
    parts = {name: tuple(sorted(ids)) for name, ids in documents.items()}
    if dev_share:
        inside = set(parts["train"])
        train = corpus.subset(s.id for s in corpus.sentences if s.doc_id in inside)
        shares = {"train": 1 - dev_share, "dev": dev_share}
        parts |= make_splits(train, gold, shares, seed).documents
    ordered = {name: parts[name] for name in NAMES}
    return _splits(corpus, ordered, gold, seed=seed if dev_share else None)


def _values_of(corpus: Corpus, column: str) -> dict[str, str]:
    """The one value of a metadata field that each document has."""
    known = metadata_fields(corpus.sentences)
    if column not in known:
        raise DataError(f"{corpus.name}: {unknown_name('metadata field', column, known)}")
    found: dict[str, str] = {}
    for sentence in corpus.sentences:
        value = sentence.value(column)
        if not value:
            raise DataError(f"{corpus.name}: sentence {sentence.id!r} has no {column!r}")
        before = found.setdefault(sentence.doc_id, value)
        if before != value:
            raise DataError(
                f"{corpus.name}: document {sentence.doc_id!r} has {column} {before!r} and "
                f"{value!r}; documents are kept whole, so one is expected"
            )
    return found


def make_folds(
    corpus: Corpus,
    gold: Sequence[Annotation],
    k: int,
    seed: int,
    stratify: tuple[str, ...] = (),
) -> tuple[Splits, ...]:
    """Splits for k-fold cross-validation, documents whole and stratified.

    Args:
        corpus: The corpus.
        gold: Gold annotations.
        k: Number of folds, at least 3.
        seed: Decides ties.
        stratify: Metadata fields whose values' shares should be alike.

    Returns:
        k splits: the test part is one fold, the dev part the next, train the rest.

    Raises:
        DataError: k is less than 3, or there are fewer documents than folds.
    """
    if k < 3:
        raise DataError(f"expected at least 3 folds (train, dev and test differ), found {k}")
    names = [str(fold) for fold in range(k)]
    parts = make_splits(corpus, gold, dict.fromkeys(names, 1 / k), seed, stratify).documents
    out = []
    for fold in range(k):
        test, dev = names[fold], names[(fold + 1) % k]
        rest = sorted(d for name in names if name not in (test, dev) for d in parts[name])
        documents = {"train": tuple(rest), "dev": parts[dev], "test": parts[test]}
        out.append(_splits(corpus, documents, gold, seed=seed, stratify=stratify))
    return tuple(out)


def leave_one_group_out(
    corpus: Corpus,
    gold: Sequence[Annotation],
    column: str,
    seed: int,
    dev_fraction: float = 0.1,
) -> dict[str, Splits]:
    """Splits that test on a source (genre, speaker, ...) which training has never seen.

    Args:
        corpus: The corpus.
        gold: Gold annotations.
        column: Metadata field with one value a document.
        seed: Decides which of the other documents are for development.
        dev_fraction: Their share of the other documents' sentences.

    Returns:
        Value -> splits, sorted by value.

    Raises:
        DataError: The field is missing somewhere, varies within a document, or has one value only.
    """
    values = _values_of(corpus, column)
    groups = sorted(set(values.values()))
    if len(groups) < 2:
        raise DataError(f"{corpus.name}: expected at least 2 values of {column!r}, found {groups}")
    out = {}
    for group in groups:
        others = corpus.subset(s.id for s in corpus.sentences if values[s.doc_id] != group)
        fractions = {"train": 1 - dev_fraction, "dev": dev_fraction}
        rest = make_splits(others, gold, fractions, seed)
        test = tuple(sorted(d for d, value in values.items() if value == group))
        documents = {**rest.documents, "test": test}
        out[group] = _splits(corpus, documents, gold, seed=seed)
    return out
