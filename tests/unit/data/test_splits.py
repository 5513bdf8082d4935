from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framing.codebook import Codebook
from framing.data.corpus import Corpus, make_corpus
from framing.data.gold import gold_annotations
from framing.data.splits import (
    Splits,
    leave_one_group_out,
    load_splits,
    make_folds,
    make_splits,
    save_splits,
    split_counts,
    splits_from_metadata,
)
from framing.errors import DataError
from framing.records import Annotation, Sentence
from tests.unit.data.helpers import corpus_of, note

FRACTIONS = {"train": 0.7, "dev": 0.1, "test": 0.2}


def random_corpus(book: Codebook, documents: int = 120) -> Corpus:
    """Documents of 1 to 12 sentences; 15% of them about prices, 4% about jobs."""
    rng = np.random.default_rng(7)
    sentences, annotations = [], []
    for d in range(documents):
        for k in range(rng.integers(1, 13)):
            name = f"d{d}.{k}"
            metadata = {"source": f"s{d % 5}"}
            sentences.append(Sentence(name, f"Text {name}.", f"d{d}", k, metadata=metadata))
            drawn = rng.random(2) < (0.15, 0.04)
            topics = [t for t, given in zip(("prices", "jobs"), drawn, strict=True) if given]
            annotations.append(note(name, "A", topics=topics))
    return make_corpus("random", book, sentences, annotations)


def gold_of(corpus: Corpus) -> list[Annotation]:
    return gold_annotations(corpus.annotations, corpus.codebook)


def split(corpus: Corpus, fractions: Mapping[str, float] = FRACTIONS, seed: int = 0) -> Splits:
    return make_splits(corpus, gold_of(corpus), fractions, seed, ("source",))


def test_every_document_is_in_one_split(book: Codebook) -> None:
    corpus = random_corpus(book)
    splits = split(corpus)
    assert list(splits.documents) == ["train", "dev", "test"]
    found = [d for ids in splits.documents.values() for d in ids]
    assert sorted(found) == sorted(corpus.documents)
    sentences = [s.id for name in splits.documents for s in splits.sentences_of(corpus, name)]
    assert sorted(sentences) == sorted(s.id for s in corpus.sentences)
    with pytest.raises(DataError, match=r"unknown split 'tst'.*Did you mean 'test'"):
        splits.sentences_of(corpus, "tst")


def imbalance(corpus: Corpus, documents: Mapping[str, tuple[str, ...]]) -> float:
    """Chi-squared distance of sentences, labels and sources to the shares aimed at."""
    counts = split_counts(corpus, documents, gold_of(corpus))
    where = {d: name for name, ids in documents.items() for d in ids}
    for s in corpus.sentences:
        found = counts[where[s.doc_id]]
        found[s.metadata["source"]] = found.get(s.metadata["source"], 0) + 1
    total = 0.0
    for key in ("sentences", "topics.prices", "topics.jobs", "s0", "s1", "s2", "s3", "s4"):
        whole = sum(found.get(key, 0) for found in counts.values())
        for name, share in FRACTIONS.items():
            wanted = share * whole
            total += (counts[name].get(key, 0) - wanted) ** 2 / wanted
    return total


def test_shares_are_alike(book: Codebook) -> None:
    corpus = random_corpus(book)
    found = [split(corpus, seed=seed) for seed in range(5)]
    for splits in found:
        for name, share in FRACTIONS.items():
            sentences = splits.counts[name]["sentences"] / len(corpus.sentences)
            assert sentences == pytest.approx(share, abs=0.02)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(20):
        order = [str(d) for d in rng.permutation(corpus.documents)]
        parts = {"train": order[:84], "dev": order[84:96], "test": order[96:]}
        drawn.append(imbalance(corpus, {name: tuple(ids) for name, ids in parts.items()}))
    assert max(imbalance(corpus, s.documents) for s in found) < np.median(drawn) / 8


def test_deterministic_whatever_the_order(book: Codebook) -> None:
    corpus = random_corpus(book)
    turned = make_corpus("random", book, corpus.sentences[::-1], corpus.annotations[::-1])
    assert split(corpus) == split(turned)
    assert split(corpus).hash != split(corpus, seed=1).hash


def test_a_case_by_hand(book: Codebook) -> None:
    # Two documents are about jobs and two are not: half of each goes to each side.
    rows = [(f"{d}{k}", d, ["jobs"] if d in "ab" else []) for d in "abcd" for k in range(3)]
    for seed in range(4):
        corpus = corpus_of(book, rows)
        splits = make_splits(corpus, gold_of(corpus), {"train": 0.5, "test": 0.5}, seed)
        assert [c["topics.jobs"] for c in splits.counts.values()] == [3, 3]
        assert [c["sentences"] for c in splits.counts.values()] == [6, 6]


def test_no_split_is_empty(book: Codebook) -> None:
    rows = [(f"{d}{k}", d, []) for d, n in (("a", 50), ("b", 1), ("c", 1)) for k in range(n)]
    corpus = corpus_of(book, rows)
    splits = make_splits(corpus, gold_of(corpus), FRACTIONS, 0)
    assert [len(ids) for ids in splits.documents.values()] == [1, 1, 1]


def test_uncoded_documents_are_dealt_out_too(book: Codebook) -> None:
    corpus = random_corpus(book)
    half = [a for a in corpus.annotations if int(a.sentence_id.split(".")[0][1:]) % 2]
    part = make_corpus("half", book, corpus.sentences, half)
    splits = split(part)
    coded = sum(c["coded"] for c in splits.counts.values())
    assert coded == len(half)
    assert splits.counts["test"]["coded"] / coded == pytest.approx(0.2, abs=0.03)
    assert splits.counts["test"]["sentences"] / len(part.sentences) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("fractions", [{}, {"a": 0.5, "b": 0.4}, {"a": 1.2, "b": -0.2}])
def test_wrong_fractions(book: Codebook, fractions: dict[str, float]) -> None:
    with pytest.raises(DataError, match="fractions: expected positive shares that sum to 1"):
        split(random_corpus(book, 5), fractions)


def test_too_few_documents_or_wrong_field(book: Codebook) -> None:
    corpus = corpus_of(book, [("a", "d", []), ("b", "d", [])], source=["x", "y"])
    with pytest.raises(DataError, match=r"at least 3 documents for 3 splits, found 1; documents"):
        split(corpus)
    with pytest.raises(DataError, match=r"stratify: unknown metadata field 'sorce'"):
        make_splits(random_corpus(book), [], FRACTIONS, 0, ("sorce",))


def test_sentences_without_a_document_are_not_dealt_out(book: Codebook) -> None:
    corpus = replace(random_corpus(book), without_document=frozenset({"d2.0", "d1.0"}))
    n = len(corpus.sentences)
    message = rf"needs a doc_id; found none for 2 sentences of {n}, such as 'd1\.0'\. Fill these"
    with pytest.raises(DataError, match=message):
        split(corpus)
    part = corpus.subset(s.id for s in corpus.sentences if s.doc_id not in ("d1", "d2"))
    assert split(part).documents


def test_manifest(tmp_path: Path, book: Codebook) -> None:
    corpus = random_corpus(book, 12)
    splits = split(corpus)
    path = tmp_path / "deep" / "splits.json"
    save_splits(path, splits)
    loaded = load_splits(path, corpus)
    assert loaded == splits
    assert loaded.hash == splits.hash
    value = json.loads(path.read_text())
    assert (value["corpus"], value["seed"], value["fractions"]) == (corpus.hash, 0, FRACTIONS)
    more = [*corpus.annotations, note("d0.0", "B", topics=[])]
    assert load_splits(path, make_corpus("more", book, corpus.sentences, more)) == splits


def test_manifest_of_other_sentences(tmp_path: Path, book: Codebook) -> None:
    corpus = random_corpus(book, 12)
    save_splits(tmp_path / "splits.json", split(corpus))
    changed = [replace(corpus.sentences[0], doc_id="d1"), *corpus.sentences[1:]]
    other = make_corpus("other", book, changed, corpus.annotations)
    with pytest.raises(DataError, match=r"made for other sentences .* framing data split"):
        load_splits(tmp_path / "splits.json", other)


def edit_unknown(documents: Any) -> None:
    documents["test"].append("nowhere")


def edit_twice(documents: Any) -> None:
    documents["test"].append(documents["train"][0])


def edit_missing(documents: Any) -> None:
    documents["train"].pop()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_unknown, r"document 'nowhere' is not in random"),
        (edit_twice, r"document '\w+' is in more than one place: train, test"),
        (edit_missing, r"document '\w+' is in no split"),
    ],
)
def test_edited_manifest(tmp_path: Path, book: Codebook, edit: Any, message: str) -> None:
    corpus, path = random_corpus(book, 12), tmp_path / "splits.json"
    save_splits(path, split(corpus))
    value = json.loads(path.read_text())
    edit(value["documents"])
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"the splits do not fit: 1 problem\n  - " + message):
        load_splits(path, corpus)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a split manifest: it lacks corpus"),
        ('{"corpus": ""}', "not a split manifest: it lacks sentences, seed"),
        ("{", "not valid JSON"),
    ],
)
def test_no_manifest(tmp_path: Path, book: Codebook, text: str, message: str) -> None:
    path = tmp_path / "splits.json"
    corpus = random_corpus(book, 4)
    with pytest.raises(DataError, match="no such file"):
        load_splits(path, corpus)
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_splits(path, corpus)


@pytest.mark.parametrize("documents", [[], {"train": "d0"}, {"train": [1]}])
def test_manifest_with_odd_documents(tmp_path: Path, book: Codebook, documents: Any) -> None:
    corpus, path = random_corpus(book, 4), tmp_path / "splits.json"
    save_splits(path, split(corpus))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"documents": documents}))
    with pytest.raises(DataError, match=r"splits\.json: not a split manifest .*documents"):
        load_splits(path, corpus)


def test_from_metadata(book: Codebook) -> None:
    rows = [("a", "d", []), ("b", "d", ["jobs"]), ("c", "e", []), ("f", "g", [])]
    corpus = corpus_of(book, rows, split=["test", "test", "Validation", "train"])
    splits = splits_from_metadata(corpus, "split", gold_of(corpus))
    assert dict(splits.documents) == {"train": ("g",), "dev": ("e",), "test": ("d",)}
    assert splits.counts["test"]["topics.jobs"] == 1
    assert splits.seed is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["test", "train", "dev"], r"document 'd' has split 'test' and 'train'"),
        (["test", "test", "tset"], r"unknown split 'tset'.*Did you mean 'test'"),
        (["test", "test", ""], r"sentence 'c' has no 'split'"),
    ],
)
def test_from_metadata_mistakes(book: Codebook, values: list[str], message: str) -> None:
    corpus = corpus_of(book, [("a", "d", []), ("b", "d", []), ("c", "e", [])], split=values)
    with pytest.raises(DataError, match=message):
        splits_from_metadata(corpus, "split")
    with pytest.raises(DataError, match=r"unknown metadata field 'fold'"):
        splits_from_metadata(corpus, "fold")


def test_folds(book: Codebook) -> None:
    corpus = random_corpus(book)
    folds = make_folds(corpus, gold_of(corpus), 5, seed=0)
    assert len(folds) == 5
    for name in ("dev", "test"):
        found = [d for fold in folds for d in fold.documents[name]]
        assert sorted(found) == sorted(corpus.documents)
    for fold in folds:
        assert sum(len(ids) for ids in fold.documents.values()) == len(corpus.documents)
        share = fold.counts["test"]["sentences"] / len(corpus.sentences)
        assert share == pytest.approx(0.2, abs=0.02)
    with pytest.raises(DataError, match="expected at least 3 folds"):
        make_folds(corpus, gold_of(corpus), 2, seed=0)


def test_leave_one_group_out(book: Codebook) -> None:
    corpus = random_corpus(book)
    found = leave_one_group_out(corpus, gold_of(corpus), "source", seed=0)
    assert list(found) == ["s0", "s1", "s2", "s3", "s4"]
    for source, splits in found.items():
        sources = {
            name: {s.metadata["source"] for s in splits.sentences_of(corpus, name)}
            for name in ("train", "dev", "test")
        }
        assert sources["test"] == {source}
        assert source not in sources["train"] | sources["dev"]
        assert splits.corpus == corpus.hash
        rest = splits.counts["train"]["sentences"] + splits.counts["dev"]["sentences"]
        assert splits.counts["dev"]["sentences"] / rest == pytest.approx(0.1, abs=0.02)
    one = corpus.where({"source": {"s1"}})
    with pytest.raises(DataError, match=r"expected at least 2 values of 'source', found \['s1'\]"):
        leave_one_group_out(one, gold_of(one), "source", seed=0)
