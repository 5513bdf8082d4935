from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from framing.corpora import BENCHMARKS
from framing.data.benchmarks import (
    BenchmarkFile,
    Card,
    benchmark_splits,
    check_files,
    load_benchmark,
    load_card,
    read_files,
)
from framing.data.corpus import Corpus
from framing.data.gold import gold_annotations
from framing.encoding import TARGET_END, TARGET_START
from framing.errors import DataError
from framing.metrics import OFFICIAL_METRICS
from framing.records import GOLD, Annotation
from tests.benchmarks import WRITERS


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Corpus]:
    """Every benchmark, read from made-up files."""
    out = {}
    for name, write in WRITERS.items():
        root = tmp_path_factory.mktemp(name) / "root"
        write(root)
        out[name] = read_files(load_card(name), root)
    return out


def gold_of(corpus: Corpus) -> dict[str, Annotation]:
    return {a.sentence_id: a for a in gold_annotations(corpus.annotations, corpus.codebook)}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_cards_fit_their_codebooks(name: str) -> None:
    card = load_card(name)
    assert card.name == card.codebook.name == name
    assert card.counts["sentences"] == sum(card.counts[s] for s in ("train", "dev", "test"))
    for figure in card.official:
        assert figure.metric in OFFICIAL_METRICS
        labels = card.codebook.variable(figure.variable).label_ids
        assert set(figure.labels) <= set(labels)
        assert all(p.source and 0 < p.value <= figure.scale for p in figure.published)
    whole = sum(f.n for f in card.official if f.where) or card.official[0].n
    assert whole == card.counts["test"]
    assert all(len(file.sha256) == 64 and file.rows for file in card.files)
    assert card.commit in card.how_to_get


def test_names_are_checked() -> None:
    with pytest.raises(DataError, match=r"unknown benchmark 'tweeteval'.*mean 'tweeteval_stance'"):
        load_card("tweeteval")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_splits_keep_documents_whole_and_are_always_the_same(
    corpora: dict[str, Corpus], name: str
) -> None:
    corpus, card = corpora[name], load_card(name)
    gold = list(gold_of(corpus).values())
    splits = benchmark_splits(card, corpus, gold)
    assert list(splits.documents) == ["train", "dev", "test"]
    everything = [d for documents in splits.documents.values() for d in documents]
    assert sorted(everything) == sorted(corpus.documents)
    assert all(splits.documents.values())
    assert benchmark_splits(card, corpus, gold) == splits


def test_tweeteval(corpora: dict[str, Corpus]) -> None:
    corpus = corpora["tweeteval_stance"]
    assert len(corpus.sentences) == 5 * 12
    sentence = corpus.sentences[1]
    assert sentence.id == "abortion-train-1"
    assert sentence.text.endswith("number 1. #abortion")
    assert sentence.target == "Legalization of Abortion"
    assert dict(sentence.metadata) == {"target": "abortion", "split": "train"}
    gold = gold_of(corpus)
    labels = [gold[f"climate-train-{k}"].values["stance"] for k in range(3)]
    assert labels == [("none",), ("against",), ("favor",)]
    splits = benchmark_splits(load_card(corpus.name), corpus, list(gold.values()))
    assert {name: len(ids) for name, ids in splits.documents.items()} == {
        "train": 30,
        "dev": 15,
        "test": 15,
    }


def test_a_line_end_within_a_tweet_is_none(tmp_path: Path) -> None:
    WRITERS["tweeteval_stance"](tmp_path / "root")
    path = tmp_path / "root" / "hillary" / "test_text.txt"
    path.write_text("one\u2028still one\u0085\ntwo\nthree\n", encoding="utf-8")
    corpus = read_files(load_card("tweeteval_stance"), tmp_path / "root")
    assert corpus.sentences[-3].text == "one\u2028still one"


def test_newsmtsc_reads_each_target(corpora: dict[str, Corpus]) -> None:
    corpus = corpora["newsmtsc"]
    assert Counter(s.metadata["set"] for s in corpus.sentences) == {"train": 40, "rw": 12, "mt": 12}
    bob, ann = corpus.sentences[:2]
    assert (bob.target, ann.target) == ("Bob", "Ann")
    assert bob.text == ann.text
    # The second of two places where the name stands.
    start, end = int(ann.metadata[TARGET_START]), int(ann.metadata[TARGET_END])
    assert (start, ann.text[start:end]) == (17, "Ann")
    assert bob.doc_id == corpus.sentences[2].doc_id == "train-allsides_0_0"
    assert {s.metadata["source"] for s in corpus.sentences} == {"allsides", "polusa"}
    gold = gold_of(corpus)
    assert gold[bob.id].values == {"polarity": ("negative",)}
    assert gold[ann.id].values == {"polarity": ("neutral",)}


def test_gwsd_keeps_every_worker_and_takes_the_consensus_as_gold(
    corpora: dict[str, Corpus],
) -> None:
    corpus = corpora["gwsd"]
    assert len(corpus.sentences) == 30
    assert corpus.coders == (GOLD, *(f"worker_{k}" for k in range(8)))
    given = {a.coder: a.values["stance"] for a in corpus.annotations[:9]}
    assert given["worker_0"] == ("disagree",)
    assert given["worker_7"] == ("neutral",)
    assert given[GOLD] == gold_of(corpus)["1_0_t0"].values["stance"] == ("disagree",)
    held_out = [s.id for s in corpus.sentences if s.metadata["held_out"] == "true"]
    assert held_out == [f"1_0_t{k}" for k in range(24, 30)]


def test_gvfc_reads_both_frames(corpora: dict[str, Corpus]) -> None:
    corpus = corpora["gvfc"]
    gold = gold_of(corpus)
    assert gold["gvfc-0"].values == {"frames": ("gun_rights",), "first_frame": ("gun_rights",)}
    # The second frame of headline 17 has a lower number than its first.
    assert gold["gvfc-17"].values == {
        "frames": ("gun_rights", "economy"),
        "first_frame": ("economy",),
    }
    assert corpus.sentences[0].metadata["source"] == "north.example"
    by_id = {s.id: s for s in corpus.sentences}
    assert by_id["gvfc-27"].doc_id == "gvfc-0"
    assert len(corpus.documents) == 39


def test_unscon_reads_speeches_in_order(corpora: dict[str, Corpus]) -> None:
    corpus = corpora["unscon"]
    speech = [s for s in corpus.sentences if s.doc_id == "UNSC_2014_SPV.7138_spch000"]
    assert [s.position for s in speech] == list(range(10))
    assert [s.id.split("-")[1:] for s in speech[4:6]] == [["0", "400"], ["1", "0"]]
    assert speech[0].previous == ""
    assert all(b.previous == a.text for a, b in pairwise(speech))
    assert {s.metadata["speaker"] for s in corpus.sentences} == {
        "United States Of America",
        "Namibia",
    }
    assert {s.metadata["date"] for s in corpus.sentences} == {"2014", "2016"}
    gold = gold_of(corpus)
    assert [gold[s.id].values for s in speech[:5]] == [
        {"conflict": ()},
        {"conflict": ("direct_negative",), "target_country.direct_negative": ("ukraine",)},
        {"conflict": ("indirect_negative",), "target_country.indirect_negative": ("none",)},
        {"conflict": ("challenge",), "target_country.challenge": ("russia",)},
        {
            "conflict": ("direct_negative", "correction"),
            "target_country.direct_negative": ("other",),
            "target_country.correction": ("none",),
        },
    ]


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "message"),
    [
        ("tweeteval_stance", "climate/test_labels.txt", "0\n", "7\n", r"unknown code '7'"),
        ("tweeteval_stance", "climate/test_labels.txt", "0\n", "", r"expected 3 labels.*found 2"),
        ("newsmtsc", "train.jsonl", '"mention": "Ann"', '"mention": "Eve"', r"'Eve' at characters"),
        ("newsmtsc", "train.jsonl", '"Input.gid": "all', '"Input.gid": "some', r"id of an article"),
        ("newsmtsc", "train.jsonl", '"from"', '"form"', r"unknown column 'from'.*mean 'form'"),
        ("gwsd", "GWSD.tsv", "\tagrees\t", "\tperhaps\t", r"GWSD.tsv:\d+: unknown code 'perhaps'"),
        ("gvfc", "GVFC_extension_multimodal.csv", ",1,99", ",99,99", r"at least one frame"),
        (
            "unscon",
            "conflict_annotations_sentences.csv",
            "UNSC_2014_SPV.7138",
            "X",
            r"name such as",
        ),
    ],
)
def test_files_of_another_form_are_refused(
    tmp_path: Path, name: str, file: str, old: str, new: str, message: str
) -> None:
    root = tmp_path / "root"
    WRITERS[name](root)
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_files(load_card(name), root)


def test_hashes_are_checked_on_every_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    WRITERS["gwsd"](root)
    path = root / "GWSD.tsv"
    file = BenchmarkFile("GWSD.tsv", 31, hashlib.sha256(path.read_bytes()).hexdigest())
    card: Card = replace(load_card("gwsd"), files=(file,))
    assert load_benchmark(card, root).hash == read_files(card, root).hash
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(DataError, match=rf"GWSD.tsv: expected SHA-256 {file.sha256}, found \w+"):
        load_benchmark(card, root)
    path.unlink()
    with pytest.raises(DataError, match=r"expected a file of 31 rows, found none\nGet them: https"):
        check_files(card, root)
    with pytest.raises(DataError, match=r"no such folder.*files of gwsd"):
        check_files(card, root / "none")


@pytest.mark.shared
@pytest.mark.parametrize("name", BENCHMARKS)
def test_real_files(name: str, shared: Path) -> None:
    card, root = load_card(name), shared / "benchmarks" / name
    if not root.is_dir():
        pytest.skip(f"needs {root}")
    corpus = load_benchmark(card, root)
    gold = gold_of(corpus)
    splits = benchmark_splits(card, corpus, list(gold.values()))
    found = {"sentences": len(corpus.sentences), "documents": len(corpus.documents)}
    found |= {split: splits.counts[split]["sentences"] for split in splits.documents}
    assert found == dict(card.counts)
    test = set(splits.documents["test"])
    for figure in card.official:
        counted = [
            s
            for s in corpus.sentences
            if s.doc_id in test and all(s.value(f) == v for f, v in figure.where.items())
        ]
        assert len(counted) == figure.n
    # Equal inputs, told apart by where the mention stands, never have different labels.
    inputs: dict[tuple[str, ...], set[object]] = {}
    for s in corpus.sentences if name == "newsmtsc" else ():
        key = (s.metadata["set"], s.text, s.target)
        inputs.setdefault(key, set()).add(gold[s.id].values["polarity"])
    assert all(len(labels) == 1 for labels in inputs.values())
