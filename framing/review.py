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

from framing.artifacts import REVIEW, RUN, atomic_path, read_json, writing
from framing.config import RunConfig, SplitConfig, load_config
from framing.data.gold import gold_annotations, is_coder
from framing.data.splits import Splits, make_folds, save_splits
from framing.errors import ConfigError
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.details import Coded, Suspect, suspects
from framing.evaluation.figures import Figure, fold_figures, to_score
from framing.evaluation.schema import Score
from framing.evaluation.units import Answers, people_answers, system_answers
from framing.folds import train_and_label
from framing.records import Annotation, Prediction, Sentence
from framing.study import Study, study_of
from framing.train import Say, hide_loading_bars

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
        warning: What weakens all this, or "".
    """

    suspects: tuple[Suspect, ...]
    scores: tuple[Score, ...]
    sentences: int
    coders: tuple[str, ...]
    people: frozenset[str]
    warning: str

    def agreement(self, suspect: Suspect) -> str:
        """Whether the coders (without adjudicator) agree on a code: agree, differ, one or none."""
        coders = suspect.error.coders.items()
        given = [text for coder, text in coders if coder in self.people]
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
        folds: Parts of the documents: so many times the recipe is trained.
        seed: Deals the documents.
        say: Receives one line for each step.

    Returns:
        What was found.

    Raises:
        DataError: The data have changed since the training, or have too few documents.
        ConfigError: It was started by torchrun.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError("a review runs in one process; start it without torchrun")
    hide_loading_bars()
    run = run.resolve()
    config = load_config(run / RUN.config)
    record = read_json(run / RUN.record)
    study = study_of(run, config)
    folder = review_folder(run)
    predictions: list[Prediction] = []
    fold: dict[str, int] = {}
    for k, splits in enumerate(_deal(study, config, folds, seed), start=1):
        path = folder / REVIEW.splits(k)
        save_splits(path, splits)
        part = dataclasses.replace(study, splits=splits, hold_out={}).split("test")
        say(f"{folder}: part {k} of {folds}, {len(part):,} sentences")
        of_fold = _config(config, path, int(record["seed"]))
        predictions += train_and_label(of_fold, part, folder, say)
        fold |= dict.fromkeys((s.id for s in part), k)
    sentences = [s for s in study.corpus.sentences if s.id in fold]
    material = _Material(study, sentences, study.gold_of(sentences), fold)
    return _review(material, config, predictions, _warning(record))


def review_folder(run: Path) -> Path:
    """Where the trainings of a run's review and their predictions stand, beside the run."""
    run = run.resolve()
    return run.with_name(f"{run.name}-{REVIEW.folder}")


def _deal(study: Study, config: RunConfig, folds: int, seed: int) -> tuple[Splits, ...]:
    gold = gold_annotations(study.corpus.annotations, study.book, study.adjudicator)
    stratify = () if config.data.splits is None else config.data.splits.stratify
    return make_folds(study.corpus, gold, folds, seed, stratify)


def _warning(record: Mapping[str, Any]) -> str:
    """What has learnt from all folds, whatever is done to keep them apart."""
    if record.get("encoder_splits") is not None:
        return (
            "the encoder was trained further on texts of this corpus, so that fewer codes are "
            "suspect to it and figures are too high; review a run with encoder.path: default"
        )
    if record.get("teacher") is not None:
        return (
            "the teacher may have learnt from the very codes, so fewer of them are suspect to its "
            "students, and figures may be too high"
        )
    return ""


def _config(config: RunConfig, splits: Path, seed: int) -> RunConfig:
    """The recipe for one fold, with the shares that the corpus itself has."""
    data = config.data.model_copy(update={"splits": SplitConfig(file=splits), "hold_out": {}})
    decisions = config.decisions.model_copy(update={"prevalence": {}})
    changes = {"data": data, "decisions": decisions, "seeds": (seed,)}
    return config.model_copy(update=changes)


def _review(
    material: _Material, config: RunConfig, predictions: Sequence[Prediction], warning: str
) -> Review:
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
        warning=warning,
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
        DiskError: The system refused.
    """
    with (
        writing(path),
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
                error.previous,
                error.text,
                error.head,
                error.label,
                ";".join(error.gold),
                ";".join(error.predicted),
                f"{suspect.gold_probability:.4f}",
                found.agreement(suspect),
            )
            table.writerow([*own, *(given.get(coder, "") for coder in found.coders)])


def told(found: Review) -> Iterator[str]:
    """What was found, in lines for people."""
    if found.warning:
        yield f"warning: {found.warning}"
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
