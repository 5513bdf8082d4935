"""What coded sentences of one's own are worth: a learning curve.

The recipe of a run is trained again with more and more sentences of other data added to its own.
Documents of these data are dealt into folds; each fold is scored by models that saw documents of
the other folds alone, so that every point of the curve is scored on the same sentences, all of
them.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framing.artifacts import CURVE, RUN, read_json, write_text
from framing.config import AddedConfig, RunConfig, load_config
from framing.data.corpus import Corpus
from framing.data.readers import read_corpus
from framing.data.splits import make_splits
from framing.errors import ConfigError
from framing.evaluation.bootstrap import Resamples
from framing.evaluation.figures import Figure, fold_figures, to_score
from framing.evaluation.schema import NOTHING_ADDED, Comparison, CurvePoint, Score, Scores
from framing.evaluation.scoring import paired_comparison
from framing.evaluation.units import Answers, people_answers, system_answers
from framing.external import (
    check_replaceable,
    column_fields,
    column_mapping,
    evaluate_external,
    final_coder,
    scored_corpus,
)
from framing.folds import train_and_label
from framing.inference.bundle import Bundle, load_bundle
from framing.inference.labeller import Labeller
from framing.metrics.checks import IndexArray
from framing.records import Prediction
from framing.report import write_report
from framing.scoring import Scored
from framing.study import Study, study_of
from framing.train import Say, hide_loading_bars


@dataclass(frozen=True, slots=True)
class CurvePlan:
    """Which points a curve has.

    Attributes:
        sizes: Sentences added; 0 is the run itself.
        folds: Parts of the documents; (folds - 1) / folds of the sentences can be added at most.
        seed: Deals the documents and decides their order.
        weight: Factor on the loss of the sentences added.
        largest: Whether all sentences that the folds leave make one more point. Sizes that are
            not smaller are the same point then.
    """

    sizes: tuple[int, ...]
    folds: int = 2
    seed: int = 0
    weight: float = 1.0
    largest: bool = False

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: A size is negative or stands twice, there are fewer than two folds, or the
                weight is not positive.
        """
        if not 0 < self.weight < float("inf"):
            raise ConfigError(f"weight: expected a positive number, found {self.weight}")
        if self.folds < 2:
            raise ConfigError(f"folds: expected 2 or more, found {self.folds}")
        nothing = not self.sizes and not self.largest
        if nothing or min(self.sizes, default=0) < 0 or len(set(self.sizes)) != len(self.sizes):
            raise ConfigError(
                "sizes: expected different numbers of sentences, 0 or more, found "
                f"{', '.join(map(str, self.sizes)) or 'none'}"
            )


@dataclass(frozen=True, slots=True)
class Source:
    """Other coded data.

    Attributes:
        data: File or folder.
        columns: YAML file with a column mapping; None takes that of the run's config.
        adjudicator: The coder whose word is final; None: see `framing.external.final_coder`.
        origin: Where texts and codes come from, "" where unknown.
    """

    data: Path
    columns: Path | None = None
    adjudicator: str | None = None
    origin: str = ""


@dataclass(frozen=True)
class _Material:
    """What the points of a curve share."""

    run: Path
    config: RunConfig
    bundle: Bundle
    seed: int
    data: Path
    columns: dict[str, Any]
    corpus: Corpus
    scored: Scored
    say: Say

    @property
    def folder(self) -> Path:
        """Where the trainings of the curve and their predictions stand, beside the run."""
        return self.run.with_name(f"{self.run.name}-{CURVE.folder}")


def learning_curve(
    run: Path, source: Source, out: Path, plan: CurvePlan, say: Say = print
) -> Scores:
    """Train a run's recipe with more and more of other coded data, and report what that gives.

    Finished trainings are kept beside the run, so the same call continues an interrupted one.

    Args:
        run: The run's folder.
        source: The other data.
        out: Folder for the evaluation with the curve; replaced if it is one.
        plan: Sizes and folds.
        say: Receives one line for each step.

    Returns:
        The scores of the run on all of the data, with the curve.

    Raises:
        ConfigError: A size is larger than what the folds leave, or the run was trained on some of
            these sentences.
        DataError: The data cannot be read, or do not fit the codebook.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError("a learning curve runs in one process; start it without torchrun")
    hide_loading_bars()
    run = run.resolve()
    check_replaceable(out)
    material = _material(source, run, say)
    folds = _folds(material, plan)
    sizes = _sizes(material, folds, plan)
    scorer = _scorer(material, folds)
    points = [_point(material, folds, size, plan, scorer) for size in sizes]
    scores = evaluate_external(
        run,
        source.data,
        out,
        columns=source.columns,
        adjudicator=source.adjudicator,
        origin=source.origin,
    )
    scores = dataclasses.replace(scores, learning_curve=tuple(points))
    write_report(out, scores)
    return scores


def _material(source: Source, run: Path, say: Say) -> _Material:
    config = load_config(run / RUN.config)
    bundle = load_bundle(run)
    # Ids may come from the file's name, so every reading takes the same path.
    data = source.data.resolve()
    corpus = read_corpus(data, bundle.codebook, column_mapping(source.columns, config))
    _check_unseen(study_of(run, config), config, corpus, data)
    adjudicator = final_coder(corpus, source.adjudicator, config)
    return _Material(
        run=run,
        config=config,
        bundle=bundle,
        seed=int(read_json(run / RUN.record)["seed"]),
        data=data,
        columns=column_fields(source.columns, config),
        corpus=corpus,
        scored=scored_corpus(corpus, adjudicator, source.origin),
        say=say,
    )


def _check_unseen(study: Study, config: RunConfig, corpus: Corpus, data: Path) -> None:
    trained = {s.id for s in study.seen_sentences(config.data)}
    seen = sum(s.id in trained for s in corpus.sentences)
    if seen:
        raise ConfigError(
            f"{data}: the run was trained on {seen} sentences with the same ids, so these data "
            "give it no curve; take a run that was trained without them (see data.add in its "
            "config)"
        )


def _folds(material: _Material, plan: CurvePlan) -> list[list[str]]:
    """The documents of each fold, in the random order in which they are added."""
    scored = material.scored
    coded = material.corpus.subset(s.id for s in scored.sentences)
    names = [str(fold) for fold in range(plan.folds)]
    fractions = dict.fromkeys(names, 1 / plan.folds)
    parts = make_splits(coded, scored.gold, fractions, plan.seed).documents
    rng = np.random.default_rng(plan.seed)
    return [rng.permutation(sorted(parts[name])).tolist() for name in names]


def _sizes(material: _Material, folds: list[list[str]], plan: CurvePlan) -> list[int]:
    """The sizes of the curve's points, from small to large.

    Raises:
        ConfigError: A size is larger than what a fold leaves.
    """
    scored = material.scored
    left = [len(scored.sentences) - _count(scored, fold) for fold in folds]
    if plan.largest:
        # As many as the most that a fold leaves: the others give all they have.
        return [*sorted(size for size in plan.sizes if size < min(left)), max(left)]
    most = min(left)
    if max(plan.sizes) > most:
        raise ConfigError(
            f"sizes: with {plan.folds} folds of {material.data} at most {most} sentences can be "
            f"added, found {max(plan.sizes)}; ask for fewer, for more folds, or for all"
        )
    return sorted(plan.sizes)


def _count(scored: Scored, documents: Sequence[str]) -> int:
    wanted = set(documents)
    return sum(s.doc_id in wanted for s in scored.sentences)


@dataclass(frozen=True)
class _Scorer:
    """Scores the points of a curve on the same sentences, folds and resamples.

    Attributes:
        material: What the points share.
        gold: Of the sentences scored.
        fold: Number of the fold of every sentence, shape (sentences,).
        resamples: Of their documents.
    """

    material: _Material
    gold: Answers
    fold: IndexArray
    resamples: Resamples

    @functools.cached_property
    def start(self) -> list[Figure]:
        """Figures of the run itself, on the same folds as the others."""
        return self.figures(Labeller(self.material.bundle).label(self.material.scored.sentences))

    def figures(self, predictions: Sequence[Prediction]) -> list[Figure]:
        """Figures of predictions for all sentences, in any order."""
        book, by_id = self.material.bundle.codebook, {p.sentence_id: p for p in predictions}
        aligned = [by_id[s.id] for s in self.material.scored.sentences]
        answers = system_answers(aligned, book, "model")
        return fold_figures(self.gold, answers, self.fold, book, self.resamples)

    def scores(self, figures: Sequence[Figure]) -> tuple[Score, ...]:
        """Figures as they are stored."""
        confidence = self.material.config.evaluation.confidence
        return tuple(to_score(figure, confidence) for figure in figures)

    def differences(self, figures: Sequence[Figure]) -> tuple[Comparison, ...]:
        """Figures of whole variables less those of the run itself."""
        confidence = self.material.config.evaluation.confidence
        return tuple(
            comparison
            for found, start in zip(figures, self.start, strict=True)
            if found.head in ("", found.variable)
            for comparison in paired_comparison(NOTHING_ADDED, found, start, confidence)
        )


def _scorer(material: _Material, folds: list[list[str]]) -> _Scorer:
    scored, evaluation = material.scored, material.config.evaluation
    number = {document: k for k, fold in enumerate(folds) for document in fold}
    documents = [s.doc_id for s in scored.sentences]
    rng = np.random.default_rng(evaluation.seed)
    return _Scorer(
        material,
        people_answers(scored.gold, material.bundle.codebook),
        np.array([number[document] for document in documents]),
        Resamples.draw(documents, evaluation.resamples, rng),
    )


def _point(
    material: _Material, folds: list[list[str]], size: int, plan: CurvePlan, scorer: _Scorer
) -> CurvePoint:
    if size == 0:
        return CurvePoint(0, 0, 0, 0, scorer.scores(scorer.start))
    predictions, counts, documents = [], [], []
    for k, fold in enumerate(folds):
        others = [d for j, other in enumerate(folds) if j != k for d in other]
        # Shuffled over the folds too, or a small size would come from the first of them alone.
        order = np.random.default_rng([plan.seed, k]).permutation(others).tolist()
        chosen = _first(material.scored, order, size)
        name = f"{size}-{k + 1}"
        predictions += _out_of_fold(material, chosen, set(fold), name, plan.weight)
        documents.append(len(chosen))
        counts.append(_count(material.scored, chosen))
    figures = scorer.figures(predictions)
    return CurvePoint(
        asked=size,
        sentences=float(np.mean(counts)),
        documents=float(np.mean(documents)),
        folds=len(folds),
        scores=scorer.scores(figures),
        weight=plan.weight,
        differences=scorer.differences(figures),
    )


def _first(scored: Scored, documents: Sequence[str], size: int) -> list[str]:
    """Documents in the order given until they hold at least `size` sentences."""
    lengths = Counter(s.doc_id for s in scored.sentences)
    chosen: list[str] = []
    found = 0
    for document in documents:
        if found >= size:
            break
        chosen.append(document)
        found += lengths[document]
    return chosen


def _out_of_fold(
    material: _Material, chosen: Sequence[str], fold: set[str], name: str, weight: float
) -> list[Prediction]:
    """Train with the chosen documents added, and predict the fold; kept once it is done."""
    folder = material.folder / name
    listed = folder / CURVE.documents
    write_text(listed, "\n".join(chosen) + "\n")
    added = AddedConfig(
        path=material.data,
        columns=material.columns,
        documents=listed,
        adjudicator=material.scored.adjudicator,
        weight=weight,
    )
    data = material.config.data.model_copy(update={"add": (*material.config.data.add, added)})
    config = material.config.model_copy(update={"data": data, "seeds": (material.seed,)})
    sentences = [s for s in material.scored.sentences if s.doc_id in fold]
    return train_and_label(config, sentences, folder, material.say)
