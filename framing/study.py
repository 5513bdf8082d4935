"""A run config's data: corpus, gold labels, splits, and what a training split weighs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from framing.arrays import FloatArray
from framing.codebook import Codebook, load_codebook
from framing.config import AddedConfig, DataConfig, RunConfig, SplitConfig
from framing.data.bundled import load_bundled, load_bundled_splits, load_card
from framing.data.corpus import Corpus
from framing.data.gold import gold_annotations, soft_labels
from framing.data.readers import ColumnMapping, read_corpus
from framing.data.splits import Splits, load_splits, make_splits, splits_from_metadata
from framing.errors import ConfigError, DataError, unknown_name
from framing.records import Annotation, Sentence


@dataclass(frozen=True)
class Added:
    """Sentences from elsewhere that are trained on too.

    Attributes:
        corpus: What was taken of them.
        weight: Factor on their loss.
        adjudicator: The coder whose word on them is final.
    """

    corpus: Corpus
    weight: float
    adjudicator: str


@dataclass(frozen=True)
class Study:
    """Everything that a run learns from and is scored on.

    Attributes:
        corpus: Sentences, annotations and codebook.
        splits: Documents of train, dev and test.
        adjudicator: The coder whose word is final.
        origin: Where texts and codes come from, "" where nobody said.
        added: Further training sentences, in no split.
    """

    corpus: Corpus
    splits: Splits
    adjudicator: str
    origin: str
    added: tuple[Added, ...] = ()

    @property
    def book(self) -> Codebook:
        """The codebook."""
        return self.corpus.codebook

    @functools.cached_property
    def gold(self) -> dict[str, Annotation]:
        """Sentence id -> gold annotation; sentences nobody coded are not in it."""
        found = gold_annotations(self.corpus.annotations, self.book, self.adjudicator)
        for added in self.added:
            found += gold_annotations(added.corpus.annotations, self.book, added.adjudicator)
        return {annotation.sentence_id: annotation for annotation in found}

    @functools.cached_property
    def annotations(self) -> list[Annotation]:
        """What coders said of the corpus's sentences and of the added ones."""
        corpora = (self.corpus, *(added.corpus for added in self.added))
        return [annotation for corpus in corpora for annotation in corpus.annotations]

    def split(self, name: str) -> list[Sentence]:
        """The coded sentences of a split, in the corpus's order."""
        documents = set(self.splits.documents[name])
        return [s for s in self.corpus.sentences if s.doc_id in documents and s.id in self.gold]

    def training_sentences(self, config: DataConfig) -> list[Sentence]:
        """The sentences of the training split that `train_where` admits, then the added ones.

        Raises:
            ConfigError: No sentence has the metadata field or one of the values named.
        """
        chosen = self.split("train")
        for field, values in config.train_where.items():
            self._check_values(f"data.train_where.{field}", field, values)
            chosen = [s for s in chosen if s.metadata.get(field) in values]
        coded = (s for added in self.added for s in added.corpus.sentences if s.id in self.gold)
        return [*chosen, *coded]

    def training_factors(self, sentences: Sequence[Sentence], config: DataConfig) -> FloatArray:
        """The factor of each sentence in the loss, shape (n,)."""
        weights = {s.id: added.weight for added in self.added for s in added.corpus.sentences}
        out = np.array([weights.get(s.id, 1.0) for s in sentences])
        for field, factors in config.train_weights.items():
            self._check_values(f"data.train_weights.{field}", field, factors)
            out *= [factors.get(s.metadata.get(field, ""), 1.0) for s in sentences]
        return out

    def _check_values(self, where: str, field: str, values: object) -> None:
        known = sorted({s.metadata[field] for s in self.corpus.sentences if field in s.metadata})
        if not known:
            fields = sorted({name for s in self.corpus.sentences for name in s.metadata})
            raise ConfigError(f"{where}: {unknown_name('metadata field', field, fields)}")
        for value in values:  # type: ignore[attr-defined]
            if value not in known:
                raise ConfigError(f"{where}: {unknown_name('value', value, known)}")

    def gold_of(self, sentences: Sequence[Sentence]) -> list[Annotation]:
        """Gold annotations of sentences."""
        return [self.gold[s.id] for s in sentences]

    def soft_labels_of(self, sentences: Sequence[Sentence]) -> tuple[FloatArray, FloatArray]:
        """Shares of coders (n, logits) and weights (n, heads) of sentences."""
        return soft_labels(self.annotations, [s.id for s in sentences], self.book)

    def hashes(self) -> dict[str, str]:
        """Hashes of everything a run depends on."""
        return {
            "corpus": self.corpus.hash,
            "codebook": self.book.hash,
            "splits": self.splits.hash,
            **{f"added {k}": added.corpus.hash for k, added in enumerate(self.added, 1)},
        }

    @property
    def hash(self) -> str:
        """One hash for all of them."""
        return hashlib.sha256("".join(self.hashes().values()).encode()).hexdigest()


def load_study(config: RunConfig) -> Study:
    """Read a config's corpus and splits.

    Raises:
        DataError: The data cannot be read, does not fit the codebook, or a split is empty.
        ConfigError: The config names what is not there.
    """
    corpus = _corpus(config.data)
    splits = _splits(config.data, corpus)
    added = tuple(_added(item, corpus, config.data.adjudicator) for item in config.data.add)
    _check_ids(corpus, added)
    study = Study(corpus, splits, config.data.adjudicator, _origin(config.data), added)
    for name in ("train", "dev", "test"):
        if not study.split(name):
            raise DataError(
                f"{corpus.name}: no coded sentence in the {name} split; each split needs at "
                "least one document (see `framing data split`)"
            )
    return study


def _corpus(config: DataConfig) -> Corpus:
    if config.corpus is not None:
        return load_bundled(config.corpus)
    if config.path is None or config.codebook is None:
        raise ConfigError("data: give `corpus`, or `path` with `codebook`")
    columns = ColumnMapping.from_dict(config.columns) if config.columns else None
    return read_corpus(config.path, load_codebook(config.codebook), columns)


def _added(config: AddedConfig, corpus: Corpus, adjudicator: str) -> Added:
    columns = ColumnMapping.from_dict(config.columns) if config.columns else None
    found = read_corpus(config.path, corpus.codebook, columns)
    adjudicator = config.adjudicator or adjudicator
    if config.documents is None:
        return Added(found, config.weight, adjudicator)
    wanted = read_lines(config.documents)
    known = set(found.documents)
    for document in wanted:
        if document not in known:
            message = unknown_name("document", document, known)
            raise DataError(f"{config.documents}: not in {config.path}: {message}")
    documents = set(wanted)
    taken = found.subset(s.id for s in found.sentences if s.doc_id in documents)
    return Added(taken, config.weight, adjudicator)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that hold anything.

    Raises:
        DataError: It cannot be read, or holds nothing.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the list: {error}") from None
    if not any(lines):
        raise DataError(f"{path}: expected one name a line, found none")
    return [line for line in lines if line]


def _check_ids(corpus: Corpus, added: Sequence[Added]) -> None:
    """Refuse ids that would make two sentences one, and with them their labels."""
    seen = dict.fromkeys((s.id for s in corpus.sentences), corpus.name)
    for one in added:
        for sentence in one.corpus.sentences:
            if sentence.id in seen:
                raise DataError(
                    f"data.add: sentence id {sentence.id!r} of {one.corpus.name} stands in "
                    f"{seen[sentence.id]} too; give the added sentences ids of their own"
                )
            seen[sentence.id] = one.corpus.name


def _origin(config: DataConfig) -> str:
    if config.origin or config.corpus is None:
        return config.origin
    card = load_card(config.corpus)
    return " ".join([card["origin"], *card["coding"], *card["limits"]]).strip()


def _splits(config: DataConfig, corpus: Corpus) -> Splits:
    if config.splits is None and config.corpus is not None:
        return load_bundled_splits(config.corpus, corpus)
    wanted = config.splits or SplitConfig()
    if wanted.file is not None:
        return load_splits(wanted.file, corpus)
    if wanted.column is not None:
        return splits_from_metadata(corpus, wanted.column)
    fractions = {str(name): share for name, share in wanted.fractions.items()}
    gold = gold_annotations(corpus.annotations, corpus.codebook, config.adjudicator)
    return make_splits(corpus, gold, fractions, wanted.seed, wanted.stratify)
