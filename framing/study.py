"""A run config's data: corpus, gold labels, splits, and what a training split weighs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framing.arrays import FloatArray
from framing.codebook import Codebook, load_codebook
from framing.config import DataConfig, RunConfig, SplitConfig
from framing.data.bundled import load_bundled, load_bundled_splits, load_card
from framing.data.corpus import Corpus
from framing.data.gold import gold_annotations, soft_labels
from framing.data.readers import ColumnMapping, read_corpus
from framing.data.splits import Splits, load_splits, make_splits, splits_from_metadata
from framing.errors import ConfigError, DataError, unknown_name
from framing.records import Annotation, Sentence


@dataclass(frozen=True)
class Study:
    """Everything that a run learns from and is scored on.

    Attributes:
        corpus: Sentences, annotations and codebook.
        splits: Documents of train, dev and test.
        adjudicator: The coder whose word is final.
        origin: Where texts and codes come from, "" where nobody said.
    """

    corpus: Corpus
    splits: Splits
    adjudicator: str
    origin: str

    @property
    def book(self) -> Codebook:
        """The codebook."""
        return self.corpus.codebook

    @functools.cached_property
    def gold(self) -> dict[str, Annotation]:
        """Sentence id -> gold annotation; sentences nobody coded are not in it."""
        found = gold_annotations(self.corpus.annotations, self.book, self.adjudicator)
        return {annotation.sentence_id: annotation for annotation in found}

    def split(self, name: str) -> list[Sentence]:
        """The coded sentences of a split, in the corpus's order."""
        documents = set(self.splits.documents[name])
        return [s for s in self.corpus.sentences if s.doc_id in documents and s.id in self.gold]

    def training_sentences(self, config: DataConfig) -> list[Sentence]:
        """The sentences of the training split that `train_where` admits.

        Raises:
            ConfigError: No sentence has the metadata field or one of the values named.
        """
        chosen = self.split("train")
        for field, values in config.train_where.items():
            self._check_values(f"data.train_where.{field}", field, values)
            chosen = [s for s in chosen if s.metadata.get(field) in values]
        return chosen

    def training_factors(self, sentences: Sequence[Sentence], config: DataConfig) -> FloatArray:
        """The factor of each sentence in the loss, shape (n,)."""
        out = np.ones(len(sentences))
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
        return soft_labels(self.corpus.annotations, [s.id for s in sentences], self.book)

    def hashes(self) -> dict[str, str]:
        """Hashes of everything a run depends on."""
        return {
            "corpus": self.corpus.hash,
            "codebook": self.book.hash,
            "splits": self.splits.hash,
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
    study = Study(corpus, splits, config.data.adjudicator, _origin(config.data))
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
