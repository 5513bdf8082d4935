"""A run config's data: corpus, gold labels, splits, and what a training split weighs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from framing.arrays import FloatArray
from framing.artifacts import RUN, read_json
from framing.codebook import Codebook, load_codebook
from framing.config import AddedConfig, DataConfig, RunConfig, SplitConfig, UnlabelledConfig
from framing.data.benchmarks import Card, OfficialFigure, benchmark_splits, load_benchmark
from framing.data.benchmarks import load_card as load_benchmark_card
from framing.data.bundled import load_bundled, load_bundled_splits, load_card
from framing.data.corpus import Corpus, check_adjudicator, make_corpus, metadata_fields
from framing.data.gold import gold_annotations, soft_labels
from framing.data.notices import notices
from framing.data.readers import ColumnMapping, iter_sentences, read_corpus
from framing.data.splits import NAMES, Splits, load_splits, make_splits, splits_from_metadata
from framing.data.tables import source_stem
from framing.errors import ConfigError, DataError, counted, unknown_name
from framing.records import ADJUDICATOR, Annotation, Sentence


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
        where: Metadata field -> values of the sentences that are used at all.
        hold_out: Metadata field -> values of the sentences that are tested on, and not trained on.
        unlabelled: Sentences that nobody coded, for training with a teacher; in no split.
        official: Figures by which results on the data are compared, () where there are none.
    """

    corpus: Corpus
    splits: Splits
    adjudicator: str
    origin: str
    added: tuple[Added, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hold_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unlabelled: tuple[Added, ...] = ()
    official: tuple[OfficialFigure, ...] = ()

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

    @functools.cached_property
    def notices(self) -> tuple[str, ...]:
        """What is most likely not meant in the corpus."""
        # Benchmarks are as their makers left them.
        return () if self.official else tuple(notices(self.corpus, self.adjudicator))

    def split(self, name: str) -> list[Sentence]:
        """The coded sentences of a split, in the corpus's order."""
        documents = set(self.splits.documents[name])
        return [
            s
            for s in self.corpus.sentences
            if s.doc_id in documents and s.id in self.gold and self._admits(s, name)
        ]

    def _admits(self, sentence: Sentence, split: str) -> bool:
        if not _matches(sentence, self.where):
            return False
        return not self.hold_out or _matches(sentence, self.hold_out) == (split == "test")

    def training_sentences(self, config: DataConfig) -> list[Sentence]:
        """The sentences of the training split that `train_where` admits, then the added ones.

        What is added is asked for by its file, so `train_where` does not choose among it.

        Raises:
            ConfigError: No sentence has the metadata field or one of the values named.
        """
        chosen = self.split("train")
        self.check_filter("train_where", config.train_where)
        chosen = [s for s in chosen if _matches(s, config.train_where)]
        return [*chosen, *(s for added in self.added for s in self.used_of(added))]

    def unlabelled_sentences(self) -> list[Sentence]:
        """The sentences that only a teacher labels."""
        return [s for part in self.unlabelled for s in part.corpus.sentences]

    def seen_sentences(self, config: DataConfig) -> list[Sentence]:
        """All sentences that training sees, those that nobody coded at the end."""
        return [*self.training_sentences(config), *self.unlabelled_sentences()]

    def learnt_from(self, config: DataConfig) -> list[Sentence]:
        """All sentences that a run depends on: what training sees, and the development split."""
        return [*self.seen_sentences(config), *self.split("dev")]

    def used_of(self, added: Added) -> list[Sentence]:
        """The coded ones of added sentences that `where` and `hold_out` admit."""
        sentences = added.corpus.sentences
        return [s for s in sentences if s.id in self.gold and self._admits(s, "train")]

    def training_factors(self, sentences: Sequence[Sentence], config: DataConfig) -> FloatArray:
        """The factor of each sentence in the loss, shape (n,)."""
        parts = (*self.added, *self.unlabelled)
        weights = {s.id: part.weight for part in parts for s in part.corpus.sentences}
        out = np.array([weights.get(s.id, 1.0) for s in sentences])
        self.check_filter("train_weights", config.train_weights)
        for name, factors in config.train_weights.items():
            out *= [factors.get(s.value(name), 1.0) for s in sentences]
        return out

    def check_filter(self, key: str, filters: Mapping[str, Iterable[str]]) -> None:
        """Check that a key of `data` names metadata that the corpus has.

        Raises:
            ConfigError: No sentence has the metadata field or one of the values named.
        """
        for name, values in filters.items():
            where = f"data.{key}.{name}"
            known = self.field_values(name, where)
            for value in values:
                if value not in known:
                    raise ConfigError(f"{where}: {unknown_name('value', value, known)}")

    def field_values(self, name: str, where: str) -> list[str]:
        """The values of a metadata field, or of the target, in order.

        Args:
            name: Of the field.
            where: The key that names it in the config, for messages.

        Raises:
            ConfigError: No sentence has the field.
        """
        values = sorted({s.value(name) for s in self.corpus.sentences} - {""})
        if not values:
            fields = sorted(metadata_fields(self.corpus.sentences))
            raise ConfigError(f"{where}: {unknown_name('metadata field', name, fields)}")
        return values

    @property
    def scored_hash(self) -> str:
        """Hash of the data scored: the corpus's, or where filters choose, of what they leave."""
        if not self.where and not self.hold_out:
            return self.corpus.hash
        return self.corpus.subset(s.id for s in self.split("test")).hash

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
            **{f"unlabelled {k}": u.corpus.hash for k, u in enumerate(self.unlabelled, 1)},
        }

    @property
    def hash(self) -> str:
        """One hash for all of them."""
        return hashlib.sha256("".join(self.hashes().values()).encode()).hexdigest()


def _matches(sentence: Sentence, filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether each of the fields has one of its values; True without any field."""
    return all(sentence.value(name) in values for name, values in filters.items())


def load_study(config: RunConfig) -> Study:
    """Read a config's corpus and splits.

    Raises:
        DataError: The data cannot be read, does not fit the codebook, or a split is empty.
        ConfigError: The config names what is not there.
    """
    data = config.data
    card = None if data.benchmark is None else load_benchmark_card(data.benchmark)
    corpus = _corpus(data, card)
    if data.adjudicator != ADJUDICATOR:
        check_adjudicator(corpus, data.adjudicator, "data.adjudicator")
    added = tuple(_added(item, corpus, data.adjudicator) for item in data.add)
    unlabelled = tuple(_unlabelled(item, corpus) for item in data.unlabelled)
    _check_ids(corpus, added, "data.add")
    _check_ids(corpus, (*added, *unlabelled), "data.unlabelled")
    study = Study(
        corpus=corpus,
        splits=_splits(data, corpus, card),
        adjudicator=data.adjudicator,
        origin=_origin(data, card),
        added=added,
        where=data.where,
        hold_out=data.hold_out,
        unlabelled=unlabelled,
        official=card.official if card else (),
    )
    study.check_filter("where", data.where)
    study.check_filter("hold_out", data.hold_out)
    _check_names(study, data.splits)
    _check_splits(study)
    _check_added(study)
    return study


def study_of(run: Path, config: RunConfig) -> Study:
    """The data that a run was trained on, read again.

    Raises:
        DataError: They have changed since; splits dealt anew would take training for test.
    """
    study = load_study(config)
    if study.hashes() != read_json(run / RUN.record)["data"]:
        raise DataError(
            f"{run}: its training data have changed since the training, so that nobody knows which "
            "sentences it has seen; put them back as they were, or train anew"
        )
    return study


def _check_names(study: Study, wanted: SplitConfig | None) -> None:
    """Refuse splits that the data bring along where one of the three is not among them."""
    found = study.splits.documents
    lacking = [name for name in NAMES if name not in found]
    if not lacking:
        return
    where, what = study.corpus.name, "the splits have"
    if wanted is not None and wanted.file is not None:
        where, what = str(wanted.file), "the manifest has"
    elif wanted is not None and wanted.column is not None:
        what = f"column {wanted.column!r} has"
    there = ", ".join(f"{name} ({counted(len(ids), 'document')})" for name, ids in found.items())
    raise DataError(
        f"{where}: {what} no document of {' and '.join(lacking)}; found {there or 'none'}. A run "
        "learns from train, fits thresholds and calibration on dev and is scored on test; move "
        f"some documents into {' and '.join(lacking)}, or leave the splits out of the config and "
        "they are drawn"
    )


def _check_splits(study: Study) -> None:
    for name in NAMES:
        if not study.split(name):
            filtered = study.where or study.hold_out
            chosen = "that data.where and data.hold_out admit " if filtered else ""
            raise DataError(
                f"{study.corpus.name}: no coded sentence {chosen}in the {name} split; each split "
                f"needs at least one document {_how_to_split(study)}"
            )


def _how_to_split(study: Study) -> str:
    if not study.where and not study.hold_out:
        return "(see `framing data split`)"
    there = ", ".join(f"{name} {len(study.split(name)):,}" for name in NAMES)
    fields = ", ".join(dict.fromkeys((*study.where, *study.hold_out)))
    return (
        f"(sentences admitted: {there}). Splits are made of the whole corpus, before these "
        f"filters; make them so that each has some: `data: {{splits: {{stratify: [{fields}]}}}}`, "
        "another `seed` there, or a column or file of your own"
    )


def _check_added(study: Study) -> None:
    """Refuse added sentences of which nothing would be trained on."""
    for added in study.added:
        if study.used_of(added):
            continue
        coded = [s for s in added.corpus.sentences if s.id in study.gold]
        name, count = added.corpus.name, counted(len(added.corpus.sentences), "sentence")
        if not coded:
            raise DataError(
                f"data.add: {name}: of its {count} none is coded; check the names of its columns, "
                "or take it out of data.add"
            )
        raise ConfigError(
            f"data.add: {name}: {_why_left_out(study, coded)}, so of its {count} none would be "
            "trained on; give them a value that the config admits, or take the file out of data.add"
        )


def _why_left_out(study: Study, sentences: Sequence[Sentence]) -> str:
    """Which filter leaves out what is added, and what the field holds there."""
    for name, values in study.where.items():
        if not any(s.value(name) in values for s in sentences):
            found = ", ".join(sorted({s.value(name) for s in sentences} - {""}))
            there = f"found {found}" if found else "it has no such field"
            return f"data.where asks for {name}: {', '.join(values)}, but {there}"
    return "data.where and data.hold_out together leave all of it out"


def _corpus(config: DataConfig, card: Card | None) -> Corpus:
    if config.corpus is not None:
        return load_bundled(config.corpus)
    if card is not None:
        return load_benchmark(card, benchmark_root(config.root, card))
    if config.path is None or config.codebook is None:
        raise ConfigError("data: give `corpus`, or `path` with `codebook`")
    columns = ColumnMapping.from_dict(config.columns) if config.columns else None
    return read_corpus(config.path, load_codebook(config.codebook), columns)


def benchmark_root(root: Path | None, card: Card) -> Path:
    """The folder with a benchmark's files.

    Raises:
        ConfigError: None was named; with how to get the files.
    """
    if root is None:
        raise ConfigError(
            f"data.root: name the folder with the files of {card.name}, absolute or relative to "
            "the config, such as --set data.root=DIR; they do not come with this package. Get "
            f"them: {card.how_to_get}"
        )
    return root


def _added(config: AddedConfig, corpus: Corpus, adjudicator: str) -> Added:
    columns = ColumnMapping.from_dict(config.columns) if config.columns else None
    found = read_corpus(config.path, corpus.codebook, columns)
    if config.adjudicator not in (None, ADJUDICATOR):
        check_adjudicator(found, config.adjudicator, "data.add.adjudicator")
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


def _unlabelled(config: UnlabelledConfig, corpus: Corpus) -> Added:
    columns = ColumnMapping.from_dict(config.columns) if config.columns else None
    sentences = list(iter_sentences(config.path, columns))
    if config.take is not None and config.take < len(sentences):
        # Always the same, for all seeds.
        drawn = np.random.default_rng(0).permutation(len(sentences))[: config.take]
        sentences = [sentences[k] for k in sorted(drawn)]
    name = source_stem(config.path.resolve())
    return Added(make_corpus(name, corpus.codebook, sentences, ()), config.weight, ADJUDICATOR)


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


def _check_ids(corpus: Corpus, added: Sequence[Added], key: str) -> None:
    """Refuse ids that would make two sentences one, and with them their labels."""
    seen = dict.fromkeys((s.id for s in corpus.sentences), corpus.name)
    for one in added:
        for sentence in one.corpus.sentences:
            if sentence.id in seen:
                raise DataError(
                    f"{key}: sentence id {sentence.id!r} of {one.corpus.name} stands in "
                    f"{seen[sentence.id]} too; give the added sentences ids of their own"
                )
            seen[sentence.id] = one.corpus.name


def _origin(config: DataConfig, card: Card | None) -> str:
    if config.origin:
        return config.origin
    if card is not None:
        return card.description
    if config.corpus is None:
        return ""
    bundled = load_card(config.corpus)
    return " ".join([bundled["origin"], *bundled["coding"], *bundled["limits"]]).strip()


def _splits(config: DataConfig, corpus: Corpus, card: Card | None) -> Splits:
    if config.splits is None and config.corpus is not None:
        return load_bundled_splits(config.corpus, corpus)
    if config.splits is None and card is not None:
        gold = gold_annotations(corpus.annotations, corpus.codebook, config.adjudicator)
        return benchmark_splits(card, corpus, gold)
    wanted = config.splits or SplitConfig()
    if wanted.file is not None:
        return load_splits(wanted.file, corpus)
    if wanted.column is not None:
        return splits_from_metadata(corpus, wanted.column)
    fractions = {str(name): share for name, share in wanted.fractions.items()}
    gold = gold_annotations(corpus.annotations, corpus.codebook, config.adjudicator)
    return make_splits(corpus, gold, fractions, wanted.seed, wanted.stratify)
