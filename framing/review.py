"""Which codes coders should look at again: those that a model of other documents would not give.

The documents of a run's corpus are dealt into folds. Each fold is labelled by a training of the
run's recipe that saw the other folds alone, so every coded sentence has a prediction of a model
that has not learnt its code. Where that prediction and gold differ, either is wrong.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framing.artifacts import REVIEW, RUN, atomic_path, read_json
from framing.config import RunConfig, SplitConfig, load_config
from framing.data.corpus import sentences_hash
from framing.data.gold import is_coder
from framing.data.leakage import find_repeats
from framing.data.splits import Splits, make_folds, save_splits
from framing.errors import ConfigError, counted
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.details import Coded, Suspect, suspects
from framing.evaluation.figures import Figure, fold_figures, to_score
from framing.evaluation.schema import Score
from framing.evaluation.units import Answers, people_answers, system_answers
from framing.folds import train_and_label
from framing.records import Annotation, Prediction, Sentence
from framing.study import Study, load_study
from framing.train import Say, hide_loading_bars

#: What a cell begins with that spreadsheets take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Columns before those of the coders.
COLUMNS = (
    "rank",
    "id",
    "doc_id",
    "source",
    "previous",
    "text",
    "variable",
    "label",
    "gold",
    "model",
    "gold_probability",
    "coders",
)


@dataclass(frozen=True, slots=True)
class Review:
    """What cross-validation found.

    Attributes:
        suspects: Most suspect first.
        scores: Macro-F1 of every variable over all documents, each scored by a model that did not
            see it.
        sentences: Coded sentences looked at.
        coders: All who coded, the adjudicator among them.
        people: The coders without the adjudicator.
    """

    suspects: tuple[Suspect, ...]
    scores: tuple[Score, ...]
    sentences: int
    coders: tuple[str, ...]
    people: frozenset[str]

    def agreement(self, suspect: Suspect) -> str:
        """Whether the coders (without adjudicator) agree on a code: agree, differ, one or none."""
        given = [code for coder, code in suspect.given.items() if coder in self.people]
        if len(given) < 2:
            return "one" if given else "none"
        return "agree" if len(set(given)) == 1 else "differ"


@dataclass(frozen=True)
class _Material:
    """The coded sentences of a run's corpus, with the number of every one's fold."""

    study: Study
    sentences: Sequence[Sentence]
    gold: Sequence[Annotation]
    fold: dict[str, int]


def review(run: Path, folds: int, seed: int, say: Say = print) -> Review:
    """Find codes that a model trained on other documents would not give.

    Finished trainings are kept beside the run, so the same call continues an interrupted one.

    Args:
        run: A finished run's folder.
        folds: Parts of the documents: so many times the recipe is trained, each time on all but
            the part that is labelled and one for development.
        seed: Deals the documents.
        say: Receives one line for each step.

    Returns:
        What was found.

    Raises:
        ArtifactError: The run is not whole.
        ConfigError: It was started by torchrun, or the config names what is not there any more.
        DataError: The data cannot be read, or have too few documents.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError("a review runs in one process; start it without torchrun")
    hide_loading_bars()
    run = run.resolve()
    config = load_config(run / RUN.config)
    record = read_json(run / RUN.record)
    # Codes that were corrected since, or added, are welcome: nothing of the run itself is used.
    study = dataclasses.replace(load_study(config), hold_out={})
    folder = review_folder(run)
    parts = _deal(study, config, folds, seed)
    warnings = tuple(_warnings(record, study))
    for warning in warnings:
        say(f"warning: {warning}")
    predictions: list[Prediction] = []
    fold: dict[str, int] = {}
    for k, splits in enumerate(parts, start=1):
        path = folder / REVIEW.splits(k)
        save_splits(path, splits)
        part = dataclasses.replace(study, splits=splits).split("test")
        say(f"{folder}: part {k} of {folds}, {len(part):,} sentences")
        of_fold = _config(config, path, int(record["seed"]))
        predictions += train_and_label(of_fold, part, folder, say)
        fold |= dict.fromkeys((s.id for s in part), k)
    sentences = [s for s in study.corpus.sentences if s.id in fold]
    material = _Material(study, sentences, study.gold_of(sentences), fold)
    return _review(material, config, predictions)


def review_folder(run: Path) -> Path:
    """Where the trainings of a run's review and their predictions stand, beside the run."""
    run = run.resolve()
    return run.with_name(f"{run.name}-{REVIEW.folder}")


def _deal(study: Study, config: RunConfig, folds: int, seed: int) -> list[Splits]:
    """Splits with a test part for every fold, of the documents that the config admits.

    The others, in which nothing is to be reviewed, are put into each training split, which
    admits nothing of them either.

    Raises:
        DataError: There are fewer documents than folds.
    """
    splits, corpus = study.splits, study.corpus
    admitted = [s for name in splits.documents for s in study.split(name)]
    coded = corpus.subset(s.id for s in admitted)
    stratify = () if config.data.splits is None else config.data.splits.stratify
    dealt = make_folds(coded, study.gold_of(coded.sentences), folds, seed, stratify)
    others = set(corpus.documents) - set(coded.documents)
    return [
        dataclasses.replace(
            part,
            documents={
                **part.documents,
                "train": tuple(sorted({*part.documents["train"], *others})),
            },
            corpus=corpus.hash,
            sentences=sentences_hash(corpus.sentences),
        )
        for part in dealt
    ]


def _warnings(record: Mapping[str, Any], study: Study) -> Iterator[str]:
    """What has learnt from all folds, whatever is done to keep them apart."""
    if record.get("encoder_splits") is not None:
        yield (
            "the encoder was trained further on texts of this corpus, so that fewer codes are "
            "suspect to it and figures are too high; review a run with encoder.path: default"
        )
    if record.get("teacher") is not None:
        yield (
            "the teacher may have learnt from the very codes, so that fewer of them are suspect to "
            "its students and figures may be too high"
        )
    repeats = find_repeats(study.corpus.sentences).across
    if repeats:
        yield (
            f"{counted(repeats, 'sentence')} of the corpus stand in an earlier document word for "
            "word, so that a model may have learnt the very code elsewhere (framing data audit)"
        )


def _config(config: RunConfig, splits: Path, seed: int) -> RunConfig:
    """The recipe for one fold, with the shares that the corpus itself has."""
    data = config.data.model_copy(update={"splits": SplitConfig(file=splits), "hold_out": {}})
    decisions = config.decisions.model_copy(update={"prevalence": {}})
    changes = {"data": data, "decisions": decisions, "seeds": (seed,)}
    return config.model_copy(update=changes)


def _review(material: _Material, config: RunConfig, predictions: Sequence[Prediction]) -> Review:
    study, by_id = material.study, {p.sentence_id: p for p in predictions}
    book, ids = study.book, [s.id for s in material.sentences]
    gold = people_answers(material.gold, book)
    model = system_answers([by_id[i] for i in ids], book, "model")
    known = set(ids)
    coded = Coded(
        gold=gold,
        model=model,
        book=book,
        sentences=material.sentences,
        annotations=[a for a in study.corpus.annotations if a.sentence_id in known],
        source_fields=config.evaluation.metadata,
    )
    found = _figures(material, config, gold, model)
    wanted = [f for f in found if (f.metric, f.label) == ("f1", "macro")]
    scores = [
        to_score(figure, config.evaluation.confidence)
        for figure in wanted
        if figure.head in ("", figure.variable)
    ]
    annotations = study.corpus.annotations
    return Review(
        suspects=tuple(suspects(coded)),
        scores=tuple(scores),
        sentences=len(ids),
        coders=tuple(sorted({a.coder for a in annotations})),
        people=frozenset(a.coder for a in annotations if is_coder(a, study.adjudicator)),
    )


def _figures(material: _Material, config: RunConfig, gold: Answers, model: Answers) -> list[Figure]:
    fold = np.array([material.fold[s.id] for s in material.sentences])
    rng = np.random.default_rng(config.evaluation.seed)
    documents = [s.doc_id for s in material.sentences]
    resamples = Resamples.draw(documents, config.evaluation.resamples, rng)
    return fold_figures(gold, model, fold, material.study.book, resamples)


def write_review(path: Path, found: Review) -> None:
    """Write a table with a row for each suspect code, atomically.

    Args:
        path: The CSV file, as spreadsheets read it.
        found: What cross-validation found.

    Raises:
        OutputError: The folder cannot be written.
        DiskError: The file cannot be written to its end.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow([*COLUMNS, *(f"coder.{coder}" for coder in found.coders)])
        for rank, suspect in enumerate(found.suspects, start=1):
            error, given = suspect.error, suspect.error.coders
            own = (
                rank,
                error.sentence_id,
                error.doc_id,
                error.source,
                _as_text(error.previous),
                _as_text(error.text),
                error.head,
                error.label,
                ";".join(error.gold),
                ";".join(error.predicted),
                f"{suspect.gold_probability:.4f}",
                found.agreement(suspect),
            )
            table.writerow([*own, *(given.get(coder, "") for coder in found.coders)])


def _as_text(text: str) -> str:
    """A cell that spreadsheets take for text, whatever it begins with."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def told(found: Review) -> Iterator[str]:
    """What was found, in lines for people."""
    for score in found.scores:
        if score.value is not None:
            ends = "" if score.low is None else f" [{score.low:.3f}, {score.high:.3f}]"
            yield (
                f"{score.variable}: macro-F1 {score.value:.3f}{ends} over all documents, each "
                "labelled by a model that did not see it"
            )
    sentences = {suspect.error.sentence_id for suspect in found.suspects}
    differ = sum(found.agreement(suspect) == "differ" for suspect in found.suspects)
    heads = Counter(suspect.error.head for suspect in found.suspects)
    by_head = ", ".join(f"{name} {n:,}" for name, n in heads.most_common())
    yield (
        f"{len(sentences):,} of {found.sentences:,} sentences have a code that such a model would "
        f"not give: {len(found.suspects):,} codes ({by_head or 'none'}); on {differ:,} of them the "
        "coders differ"
    )
