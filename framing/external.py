"""Scoring a run on coded data that it was not made with."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framing.artifacts import RUN
from framing.codebook import Codebook
from framing.config import RunConfig, load_config
from framing.data.benchmarks import Card, benchmark_splits, load_benchmark, load_card
from framing.data.columns import read_column_fields
from framing.data.corpus import Corpus, check_adjudicator
from framing.data.gold import gold_annotations
from framing.data.notices import notices
from framing.data.readers import ColumnMapping, read_corpus
from framing.errors import DataError, FramingError, OutputError
from framing.evaluation.schema import Scores
from framing.inference.bundle import load_bundle
from framing.others import open_others, told, unseen
from framing.records import ADJUDICATOR, Sentence
from framing.scoring import Others, Scored, score_run, scored_test
from framing.study import study_of


def evaluate_external(
    run: Path,
    data: Path | None,
    out: Path,
    *,
    columns: Path | None = None,
    adjudicator: str | None = None,
    origin: str = "",
    benchmark: str | None = None,
    against: Sequence[Path] = (),
) -> Scores:
    """Score a run's model and baselines, and other models, on other coded data.

    Args:
        run: The run's folder.
        data: File or folder; None: the test split of the run's own.
        out: Folder for predictions, scores and report; replaced if it exists.
        columns: YAML file with a column mapping; None takes that of the run's config.
        adjudicator: The coder whose word is final; None: see `final_coder`.
        origin: Where texts and codes come from, "" where unknown.
        benchmark: Name of the public benchmark whose files `data` holds; its test split is scored.
        against: Folders of other runs or bundles, on which the report says whether the run's model
            differs from them by more than chance.

    Returns:
        The scores.

    Raises:
        ArtifactError: There is no bundle in the run or another model's folder.
        DataError: The data cannot be read, do not fit the codebook or have no coded sentence; the
            adjudicator is none of their coders; or another model cannot be compared.
        OutputError: `out` holds something else, or cannot be written.
    """
    out = out.resolve()
    check_replaceable(out)
    config = load_config(run / RUN.config)
    bundle = load_bundle(run)
    models = open_others(against, run, bundle)
    if data is None:
        scored = scored_test(study_of(run, config))
    elif benchmark is None:
        corpus = _own_corpus(data, bundle.codebook, columns, config)
        scored = scored_corpus(corpus, final_coder(corpus, adjudicator, config), origin)
    else:
        card = load_card(benchmark)
        corpus = _benchmark_corpus(card, data, bundle.codebook)
        scored = _scored_benchmark(card, corpus, final_coder(corpus, adjudicator, config))
    scored, left_out = unseen(scored, models)
    others = Others([m.system(scored.sentences) for m in models], told(models, left_out))
    # Written beside, then moved: an interrupted evaluation leaves no half folder behind.
    temporary = out.with_name(f".{out.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    train = _training_sentences(run, config)
    try:
        scores = score_run(run, config.evaluation, scored, train, out=temporary, others=others)
        if out.exists():
            shutil.rmtree(out)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return scores


def _own_corpus(data: Path, book: Codebook, columns: Path | None, config: RunConfig) -> Corpus:
    """Other coded data, read as the run's own were where nothing else is said."""
    mapping = column_mapping(columns, config)
    try:
        return read_corpus(data, book, mapping)
    except DataError as error:
        if columns is not None or mapping is None:
            raise
        raise DataError(
            f"{error}\nThe columns are looked for as the run's config says; where these data have "
            "others, say so in a file: --columns FILE ({} in it: columns with the codebook's names)"
        ) from None


def check_replaceable(out: Path) -> None:
    """Refuse to replace a folder that holds more than an evaluation."""
    if not out.exists():
        return
    ours = {RUN.predictions, RUN.scores, RUN.report_html, RUN.report_markdown, RUN.card}
    others = [p.name for p in out.iterdir() if p.name not in ours] if out.is_dir() else [out.name]
    if others or not (out / RUN.scores).is_file():
        found = ", ".join(sorted(others)[:3]) or "no scores"
        raise OutputError(
            f"{out}: not an evaluation, so it is not replaced (found: {found}); name another folder"
        )


def column_mapping(path: Path | None, config: RunConfig) -> ColumnMapping | None:
    """The column mapping of a file, or that of a run's config; None where neither says any."""
    fields = column_fields(path, config)
    return ColumnMapping.from_dict(fields) if fields else None


def column_fields(path: Path | None, config: RunConfig) -> dict[str, Any]:
    """The plain values of `column_mapping`.

    Raises:
        ConfigError: The file cannot be read or holds no mapping.
    """
    return config.data.columns if path is None else read_column_fields(path)


def final_coder(corpus: Corpus, named: str | None, config: RunConfig) -> str:
    """The coder whose word is final on other data than a run's own.

    Args:
        corpus: The other data.
        named: Who was named for them; None: whoever the run's config names, where he is among
            their coders, since other data often have other coders.
        config: Of the run.

    Raises:
        DataError: The one named is none of the coders.
    """
    if named is not None:
        check_adjudicator(corpus, named, "adjudicator")
        return named
    return config.data.adjudicator if config.data.adjudicator in corpus.coders else ADJUDICATOR


def scored_corpus(corpus: Corpus, adjudicator: str, origin: str) -> Scored:
    """The coded sentences of a corpus, for scoring.

    Raises:
        DataError: None is coded.
    """
    gold = gold_annotations(corpus.annotations, corpus.codebook, adjudicator)
    by_id = {annotation.sentence_id: annotation for annotation in gold}
    sentences = [s for s in corpus.sentences if s.id in by_id]
    if not sentences:
        raise DataError(f"{corpus.name}: no sentence has an annotation, so nothing can be scored")
    return Scored(
        name=corpus.name,
        split="all",
        hash=corpus.hash,
        adjudicator=adjudicator,
        origin=origin,
        sentences=sentences,
        annotations=corpus.annotations,
        gold=[by_id[s.id] for s in sentences],
        notices=tuple(notices(corpus, adjudicator)),
    )


def _benchmark_corpus(card: Card, root: Path, book: Codebook) -> Corpus:
    """A benchmark, for a run with the same variables and labels."""
    if card.codebook.outline != book.outline:
        raise DataError(
            f"{card.name}: expected a run with its variables and labels "
            f"({card.codebook.told_outline}), found {book.told_outline}; "
            f"train one with `data: {{benchmark: {card.name}}}`"
        )
    return load_benchmark(card, root)


def _scored_benchmark(card: Card, corpus: Corpus, adjudicator: str) -> Scored:
    """The test split of a benchmark, for scoring."""
    gold = gold_annotations(corpus.annotations, corpus.codebook, adjudicator)
    documents = set(benchmark_splits(card, corpus, gold).documents["test"])
    test = corpus.subset(s.id for s in corpus.sentences if s.doc_id in documents)
    scored = scored_corpus(test, adjudicator, card.description)
    return dataclasses.replace(
        scored, split="test", hash=corpus.hash, official=card.official, notices=()
    )


def _training_sentences(run: Path, config: RunConfig) -> list[Sentence] | None:
    """The run's training sentences for the leakage audit, None where they are gone or changed."""
    try:
        return study_of(run, config).seen_sentences(config.data)
    except FramingError:
        return None
