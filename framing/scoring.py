"""A run and coded sentences -> predictions of the model and baselines -> scores and report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framing.arrays import FloatArray
from framing.artifacts import BASELINE, RUN, read_json, write_predictions
from framing.codebook import Codebook
from framing.config import EvaluationConfig
from framing.data.benchmarks import OfficialFigure
from framing.data.gold import GOLD_RULE
from framing.data.leakage import find_leakage
from framing.encoding import tokenize
from framing.evaluation.schema import Leakage, Scores
from framing.evaluation.scoring import (
    DataDescription,
    EvaluationSettings,
    System,
    evaluate_systems,
)
from framing.export import POOLED
from framing.inference.bundle import Bundle, load_bundle, open_session
from framing.inference.graphs import Graphs
from framing.inference.labeller import Labeller
from framing.model.baselines import (
    DESCRIPTIONS,
    USUAL_BASIS,
    Inputs,
    basis,
    nothing_to_go_on,
    predict_baselines,
)
from framing.model.encoder import language_warning
from framing.records import Annotation, Prediction, Sentence
from framing.report import write_report
from framing.study import Study


@dataclass(frozen=True)
class Scored:
    """Coded sentences that a run is scored on.

    Attributes:
        name: Of the corpus or file.
        split: Such as test, or all.
        hash: SHA-256 of sentences and annotations.
        adjudicator: The coder whose word is final.
        origin: Where texts and codes come from, "" where unknown.
        sentences: Only those with a gold annotation.
        annotations: Of all coders.
        gold: One a sentence, in the order of `sentences`.
        official: Figures of the benchmark that the sentences are of, () for other data.
        notices: What is most likely not meant in the data.
    """

    name: str
    split: str
    hash: str
    adjudicator: str
    origin: str
    sentences: Sequence[Sentence]
    annotations: Sequence[Annotation]
    gold: Sequence[Annotation]
    official: tuple[OfficialFigure, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Others:
    """Other models beside the run's.

    Attributes:
        systems: With their predictions for the sentences scored.
        facts: What the report says of them.
    """

    systems: Sequence[System] = ()
    facts: dict[str, str] = field(default_factory=dict)


NO_OTHERS = Others()


def scored_test(study: Study) -> Scored:
    """The test split of what a run is trained on."""
    sentences = study.split("test")
    ids = {s.id for s in sentences}
    return Scored(
        name=study.corpus.name,
        split="test",
        hash=study.scored_hash,
        adjudicator=study.adjudicator,
        origin=study.origin,
        sentences=sentences,
        annotations=[a for a in study.corpus.annotations if a.sentence_id in ids],
        gold=study.gold_of(sentences),
        official=study.official,
        notices=study.notices,
    )


def embedder(folder: Path, bundle: Bundle) -> Callable[[Sequence[Sentence]], FloatArray]:
    """The encoder before fine-tuning, stored with a run's baselines, as a function.

    Args:
        folder: Of the baselines.
        bundle: Gives tokenizer and input settings.

    Returns:
        Sentences -> mean-pooled states, shape (n, hidden).
    """

    def embed(sentences: Sequence[Sentence]) -> FloatArray:
        session = open_session(folder / BASELINE.encoder)
        tokens = tokenize(bundle.tokenizer, sentences, bundle.input_settings)
        # It has its own inputs: unless it reads apart, it pools whole inputs and knows no segments.
        inputs = tuple(node.name for node in session.get_inputs())
        return Graphs(session, inputs, bundle.settings.pad_id).run(tokens, output=POOLED)

    return embed


def score_run(
    folder: Path,
    config: EvaluationConfig,
    scored: Scored,
    train: Sequence[Sentence] | None,
    *,
    out: Path,
    others: Others = NO_OTHERS,
) -> Scores:
    """Predict with a run's model and baselines, score them, and write everything below `out`.

    Args:
        folder: Of the run.
        config: Resamples, slices and so on.
        scored: What to score on.
        train: The run's training sentences for the leakage audit, None if they are not at hand.
        out: Where predictions, scores and reports go.
        others: Models to compare with.

    Returns:
        The scores.
    """
    bundle, record = load_bundle(folder), read_json(folder / RUN.record)
    model, *baselines = _systems(folder, bundle, scored)
    systems = [model, *others.systems, *baselines]
    for system in systems:
        name = scored.split if system.kind == "model" else f"{scored.split}.{system.name}"
        write_predictions(out / RUN.predictions / f"{name}.jsonl", system.predictions)
    scores = evaluate_systems(
        run=folder.resolve().name,
        bundle=bundle.hash,
        book=bundle.codebook,
        data=DataDescription(
            scored.name, scored.split, GOLD_RULE, scored.hash, scored.adjudicator, scored.official
        ),
        sentences=scored.sentences,
        annotations=scored.annotations,
        gold=scored.gold,
        systems=systems,
        decisions=bundle.decisions,
        settings=EvaluationSettings(
            resamples=config.resamples,
            confidence=config.confidence,
            seed=config.seed,
            slice_fields=config.metadata,
        ),
        leakage=None if train is None else _leakage(train, scored.sentences),
        facts=_facts(record, scored.origin)
        | _warnings(record, bundle.codebook, scored)
        | others.facts,
    )
    write_report(out, scores)
    return scores


def _systems(folder: Path, bundle: Bundle, scored: Scored) -> list[System]:
    predictions = Labeller(bundle).label(scored.sentences)
    systems = [System("model", "model", "The trained model.", predictions)]
    baselines = folder / RUN.baselines
    inputs = Inputs(scored.sentences, bundle.codebook, embedder(baselines, bundle))
    for name, found in predict_baselines(baselines, inputs).items():
        unscored = nothing_to_go_on(baselines / name, name, inputs)
        systems.append(_baseline(name, baselines / name, found, unscored))
    return systems


def _baseline(
    name: str, folder: Path, predictions: Sequence[Prediction], unscored: Mapping[str, str]
) -> System:
    text = DESCRIPTIONS[name]
    found = basis(folder) if name == "metadata" else USUAL_BASIS
    if found == USUAL_BASIS:
        return System(name, "baseline", text, predictions, unscored=unscored)
    text = text.replace(USUAL_BASIS, found)
    return System(name, "baseline", text, predictions, found, unscored)


def _leakage(train: Sequence[Sentence], scored: Sequence[Sentence]) -> Leakage:
    found = find_leakage(train, scored)
    return Leakage(found.exact, found.near, found.threshold, found.examples)


def _warnings(record: dict[str, Any], book: Codebook, scored: Scored) -> dict[str, str]:
    """What weakens the figures and is seen in the run or the sentences; unknown ones are out."""
    known = {
        "warning_language": language_warning(record["encoder"], book),
        "warning_single_sentences": _single_sentences(scored),
        "warning_teacher": other_splits(record),
        "warning_encoder": splits_of_encoder(record),
    }
    data = {f"warning_data_{k}": text for k, text in enumerate(scored.notices, 1)}
    return {name: text for name, text in known.items() if text} | data


def other_splits(record: dict[str, Any]) -> str:
    """Whether a teacher may have learnt what its student is tested on."""
    teacher = record.get("teacher")
    if teacher is None or teacher["splits"] in (None, record["data"]["splits"]):
        return ""
    return (
        "The teacher was trained with other splits: it may have learnt documents of the test "
        "split, and its student's scores may be too high. Train it with the same splits."
    )


def splits_of_encoder(record: dict[str, Any]) -> str:
    """Whether the encoder has learnt from documents that it is tested on."""
    learnt = record.get("encoder_splits")
    if learnt in (None, record["data"]["splits"]):
        return ""
    way = "Leave data.splits out, or set" if learnt else "Set"
    return (
        "The encoder was trained further on texts of this corpus, and documents of this run's "
        f"test split are among them: its scores may be too high. {way} encoder.path to default."
    )


def _single_sentences(scored: Scored) -> str:
    documents = len({sentence.doc_id for sentence in scored.sentences})
    # A benchmark's reader knows its documents.
    if scored.official or documents < len(scored.sentences) or documents == 1:
        return ""
    return (
        "Every sentence is a document of its own. If several come from one text, name its column "
        "(doc_id): otherwise neighbours stand in training and test split, and the intervals are "
        "too narrow."
    )


def _facts(record: dict[str, Any], origin: str) -> dict[str, str]:
    """What a report says of the training and the scored data, as text; unknown facts are out."""
    training = record["training"]
    known = {
        "encoder": _encoder_name(record["encoder"]),
        "base_model": record.get("base_model", ""),
        "training_data": _training_data(record),
        "data_origin": origin,
        "license": record["licence"],
        "seed": str(record["seed"]),
        "training sentences": f"{record['train_sentences']:,}",
        "epochs": f"{training['epochs']:g}",
        "training time": f"{training['seconds'] / 60:.1f} minutes",
        "expected shares": _expected_shares(record),
        "teacher": _teacher(record.get("teacher")),
        "precision": f"{training['precision']} on {training['device']}",
        "machine": record["machine"],
        "commit": record["commit"] or "unknown",
        "versions": ", ".join(f"{name} {v}" for name, v in record["versions"].items()),
    }
    return {name: text for name, text in known.items() if text}


def _encoder_name(recorded: str) -> str:
    """The encoder as it may be published: earlier records hold a folder's whole path."""
    return Path(recorded).name if Path(recorded).is_absolute() else recorded


def _training_data(record: dict[str, Any]) -> str:
    added = "".join(
        f" Also {a['sentences']:,} sentences of {a['name']} (weight {a['weight']:g})."
        for a in record.get("added", [])
    )
    unlabelled = "".join(
        f" And {u['sentences']:,} sentences of {u['name']} that the teacher labelled "
        f"(weight {u['weight']:g})."
        for u in record.get("unlabelled", [])
    )
    return f"{record['corpus']}. {record['origin']}{added}{unlabelled}".strip()


def _teacher(record: dict[str, Any] | None) -> str:
    """Who taught beside the labels, "" where nobody did."""
    return "" if record is None else f"{record['name']} ({record['share']:.0%} of each target)"


def _expected_shares(record: dict[str, Any]) -> str:
    """The shares that calibration and thresholds are made for, "" where none was stated."""
    return ", ".join(
        f"{label} {share:g}"
        for shares in record.get("prevalence", {}).values()
        for label, share in shares.items()
    )
