"""Run -> bundle to be given away: int8 weights, with what they cost, and a screen."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from framing.arrays import BoolArray, FloatArray
from framing.artifacts import BUNDLE, RUN, atomic_path, read_json, write_manifest, write_text
from framing.codebook import Codebook
from framing.config import load_config
from framing.decisions import Decisions, calibrated_probabilities, margins, to_predictions
from framing.encoding import TokenizedSentence, tokenize
from framing.errors import ArtifactError, DataError, OutputError
from framing.evaluation.units import (
    MultiUnits,
    SingleUnits,
    people_answers,
    system_answers,
    variable_units,
)
from framing.export import pad_id
from framing.inference.bundle import (
    UNFUSED,
    Bundle,
    Parity,
    load_bundle,
    open_graphs,
    refusals_told,
)
from framing.inference.development import development_outcomes, save_outcomes
from framing.inference.pool import draw
from framing.inference.screen import LEAST_LABELLED, Screen, save_screen
from framing.inference.sources import InputFile, SourceSettings, read_inputs
from framing.metrics import count, f1, macro
from framing.metrics.counts import Counts
from framing.model.finetune import Examples, model_logits
from framing.quantize import float_share, quantize_graph
from framing.records import Annotation, Sentence
from framing.study import load_study
from framing.train import Stage, examples, hide_loading_bars, tokenized

Precision = Literal["int8", "float32"]
#: Points of macro-F1 that a bundle may lose on the development split.
MOST_LOST = 0.5
#: Training sentences that fix the scales of activations, and the tokens of a batch of them.
CALIBRATION_SENTENCES = 512
CALIBRATION_TOKENS = 1024
#: Sentences of an archive that are labelled for the screen, and so many are read at most.
ARCHIVE_SENTENCES, ARCHIVE_READ = 5_000, 200_000
#: Fewer say little of an archive.
LEAST_ARCHIVE = 100
#: Parts of an archive, each scored by a screen that learnt from the others.
ARCHIVE_FOLDS = 5
#: Share of weights that stay float32 in an int8 bundle, above which it is told.
FLOAT_SHARE_TOLD = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True)
class Development:
    """The development split as a run saw it.

    Attributes:
        examples: Tokenized, with gold labels.
        gold: The gold annotations, in the same order.
        logits: Of the torch model, shape (n, logits).
    """

    examples: Examples
    gold: Sequence[Annotation]
    logits: FloatArray


@dataclass(frozen=True)
class _Made:
    """A bundle on its way.

    Attributes:
        stage: The run.
        bundle: The run's own bundle.
        development: The development split.
        folder: Where the new one stands.
        run: Its graph: logits of tokenized sentences, shape (n, logits).
        logits: What that gives for the development split.
    """

    stage: Stage
    bundle: Bundle
    development: Development
    folder: Path
    run: Callable[[Sequence[TokenizedSentence]], FloatArray]
    logits: FloatArray


def release(
    run: Path,
    out: Path,
    precision: Precision,
    say: Say = print,
    archive: Archive | None = None,
) -> Parity:
    """Write a bundle and measure on the development split what it loses against the torch model.

    Args:
        run: A finished run's folder.
        out: The bundle's folder; replaced if it exists, and only when all has gone well.
        precision: Of the weights.
        say: Receives one line for each step.
        archive: Files like those to be labelled, from which the screen learns what it may dismiss;
            they need no codes.

    Returns:
        The parity, as it stands in the bundle.

    Raises:
        ArtifactError: The run is unfinished, its data have changed, or the bundle would lose more
            than `MOST_LOST` points of macro-F1.
        DataError: The run's data are not there any more, or the archive holds too little.
    """
    hide_loading_bars()
    bundle = load_bundle(run)
    drawn = [] if archive is None else archive.for_bundle(bundle).sample(say)
    stage = _stage(run, say)
    say(f"{run}: development split, torch model")
    development = _development(stage)
    with _replaced(out) as temporary:
        shutil.copytree(bundle.folder, temporary)
        if precision == "int8":
            say(f"{out}: int8 weights")
            _quantize(bundle, temporary, _examples(stage))
            tell_float_share(temporary, say)
            for name in _graphs(bundle):
                optimize_graph(temporary / name)
        say(f"{out}: parity with the torch model")
        label = open_graphs(temporary, bundle.settings.inputs, bundle.settings.pad_id).run
        logits = label(development.examples.sentences)
        parity = measure_parity(development, logits, bundle.codebook, bundle.decisions)
        check_lost(parity, precision)
        _add_development(_Made(stage, bundle, development, temporary, label, logits), drawn)
        settings = dataclasses.replace(bundle.settings, precision=precision, parity=parity)
        write_text(temporary / BUNDLE.settings, settings.to_json())
        write_manifest(temporary, BUNDLE.manifest)
    return parity


def tell_float_share(folder: Path, say: Say) -> None:
    """Say how much of a bundle's int8 graphs is none, where it is more than `FLOAT_SHARE_TOLD`."""
    share = float_share(folder.glob("*.onnx"))
    if share > FLOAT_SHARE_TOLD:
        say(
            f"note: {100 * share:.0f}% of the weights stay float32 (matrices that the encoder uses "
            "in several places, or in other operations than plain products; small tables), so the "
            "bundle is more than a quarter of the size"
        )


def optimize_graph(path: Path) -> None:
    """Write a graph anew as onnxruntime fuses it, so that opening it takes less time.

    Only what holds for every processor is fused; the rest is left to the machine that opens it.

    Raises:
        ArtifactError: The file is no graph that can be run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    with atomic_path(path) as temporary, refusals_told(path):
        options.optimized_model_filepath = str(temporary)
        onnxruntime.InferenceSession(
            str(path),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(UNFUSED),
        )


@dataclass(frozen=True)
class Archive:
    """Files like those to be labelled.

    Attributes:
        files: From `framing.inference.sources.find_inputs`.
        settings: How they are read.
    """

    files: Sequence[InputFile]
    settings: SourceSettings

    def for_bundle(self, bundle: Bundle) -> Archive:
        """The same, read as a bundle needs it."""
        mark = bundle.settings.mark_target
        return Archive(self.files, dataclasses.replace(self.settings, mark_target=mark))

    def sample(self, say: Say) -> list[Sentence]:
        """Draw sentences, each with the same chance.

        Args:
            say: Is told how many.

        Raises:
            DataError: There are fewer than `LEAST_ARCHIVE`.
        """
        pool = draw(read_inputs(self.files, self.settings), ARCHIVE_SENTENCES, ARCHIVE_READ)
        if pool.read < LEAST_ARCHIVE:
            raise DataError(
                f"archive: expected at least {LEAST_ARCHIVE} sentences, found {pool.read}"
                f"{pool.unread}; name more files, or leave it out"
            )
        say(f"archive: drew {len(pool.sentences):,} of {pool.read:,} sentences{pool.unread}")
        return pool.sentences


@contextlib.contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """Give the name of a folder to be made, which takes the place of `out` when all went well.

    Raises:
        OutputError: The folder cannot be written.
    """
    temporary, old = (out.with_name(f".{out.name}.{end}") for end in ("part", "old"))
    try:
        for leftover in (temporary, old):
            shutil.rmtree(leftover, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        # The old bundle goes only when the new one stands in its place.
        if out.exists():
            out.rename(old)
        temporary.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        where = error.filename or out
        raise OutputError(f"{where}: cannot write the bundle: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _stage(run: Path, say: Say) -> Stage:
    if not (run / RUN.checkpoint).is_dir():
        raise ArtifactError(
            f"{run}: no {RUN.checkpoint}/ in this run, so what a bundle loses against it cannot be "
            "measured; use its bundle/ as it is, or train again"
        )
    record = read_json(run / RUN.record)
    config = load_config(run / RUN.config)
    study = load_study(config)
    changed = [name for name, found in study.hashes().items() if record["data"].get(name) != found]
    if changed:
        raise ArtifactError(
            f"{run}: its data have changed since the training ({', '.join(changed)}), so what the "
            "bundle loses cannot be measured; bring back the old files, or train again"
        )
    return Stage(config, study, int(record["seed"]), run, say)


def _development(stage: Stage) -> Development:
    from framing.model.classifier import load_classifier

    tokenizer = _tokenizer(stage)
    dev = examples(stage, tokenizer, "dev")
    model = load_classifier(stage.folder / RUN.checkpoint)
    logits = model_logits(model, dev.sentences, pad_id(tokenizer))
    return Development(dev, stage.study.gold_of(stage.study.split("dev")), logits)


def _tokenizer(stage: Stage) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(
        stage.folder / RUN.checkpoint, local_files_only=True
    )


def _examples(stage: Stage) -> list[TokenizedSentence]:
    """Training sentences that fix the scales of activations, so that the others measure them."""
    train = tokenized(stage, _tokenizer(stage), "train")
    chosen = np.random.default_rng(0).permutation(len(train))[:CALIBRATION_SENTENCES]
    return [train[int(k)] for k in chosen]


def _graphs(bundle: Bundle) -> list[str]:
    """File names of a bundle's graphs."""
    return [BUNDLE.graph] + [BUNDLE.reading] * (bundle.graphs.reading is not None)


def _quantize(bundle: Bundle, target: Path, tokens: Sequence[TokenizedSentence]) -> None:
    """Write int8 graphs in place of a bundle's.

    Args:
        bundle: Of float32 weights.
        target: The new bundle's folder.
        tokens: Sentences that fix the scales of activations.
    """
    graphs = bundle.graphs
    batches = (feeds for _, feeds in graphs.feeds(tokens, CALIBRATION_TOKENS))
    quantize_graph(bundle.folder / BUNDLE.graph, target / BUNDLE.graph, batches)
    if graphs.reading is not None:
        quantize_graph(
            bundle.folder / BUNDLE.reading,
            target / BUNDLE.reading,
            graphs.read_feeds(tokens, CALIBRATION_TOKENS),
        )


def measure_parity(
    development: Development, logits: FloatArray, book: Codebook, decisions: Decisions
) -> Parity:
    """Compare a bundle's logits with those of the torch model.

    Args:
        development: Gold and the torch model's logits.
        logits: Of the bundle's graph, shape (n, logits).
        book: The codebook.
        decisions: Calibration and thresholds, the same for both.

    Returns:
        Agreement and scores.
    """
    both = [calibrated_probabilities(z, book, decisions) for z in (development.logits, logits)]
    ids = [annotation.sentence_id for annotation in development.gold]
    predictions = [to_predictions(ids, p, book, decisions, "") for p in both]
    same = [a.labels == b.labels for a, b in zip(*predictions, strict=True)]
    gold = people_answers(development.gold, book)
    scores: list[dict[str, float]] = []
    for found in predictions:
        answers = system_answers(found, book, "bundle")
        units = {v.id: variable_units(v, gold, answers, book) for v in book.variables}
        scores.append({name: float(macro(f1(_counts(u)))) for name, u in units.items()})
    # Of a variable without a label in the development split nothing can be said.
    defined = [name for name in scores[0] if not any(np.isnan(s[name]) for s in scores)]
    before, after = ({name: s[name] for name in defined} for s in scores)
    return Parity(
        sentences=len(ids),
        agreement=float(np.mean(same)),
        largest_difference=float(np.abs(both[0] - both[1]).max()),
        macro_f1=after,
        macro_f1_torch=before,
    )


def _counts(units: MultiUnits | SingleUnits) -> Counts:
    if isinstance(units, MultiUnits):
        return count(units.gold, units.predicted)
    hot = np.eye(len(units.labels), dtype=bool)
    return count(hot[units.gold], hot[units.predicted])


def check_lost(parity: Parity, precision: Precision) -> None:
    """Refuse a bundle that is worse than the model it was made from.

    Raises:
        ArtifactError: It loses more than `MOST_LOST` points.
    """
    if parity.points_lost <= MOST_LOST:
        return
    lost = ", ".join(
        f"{name} {100 * parity.macro_f1_torch[name]:.1f} -> {100 * score:.1f}"
        for name, score in parity.macro_f1.items()
    )
    raise ArtifactError(
        f"the {precision} bundle loses {parity.points_lost:.2f} points of macro-F1 on the "
        f"{parity.sentences} development sentences (accepted: {MOST_LOST}): {lost}; export with "
        "--precision float32"
    )


def _add_development(made: _Made, archive: Sequence[Sentence]) -> None:
    """Write what this bundle's model decides on the development split, and a screen."""
    book, decisions, dev = made.bundle.codebook, made.bundle.decisions, made.development.examples
    probabilities = calibrated_probabilities(made.logits, book, decisions)
    outcomes = development_outcomes(dev.gold, probabilities, dev.documents, book, decisions)
    labelled: BoolArray = np.any(outcomes.labelled, axis=1)
    if _can_screen(labelled, made.stage.say):
        made.stage.say(f"{made.stage.folder}: screen")
        screen = fit_screen(made, archive)
        scores = screen.scores(dev.sentences)
        screen = dataclasses.replace(
            screen,
            labelled=np.sort(scores[labelled]),
            others=np.sort(scores[~labelled]),
            probabilities=probabilities[~labelled].mean(axis=0),
        )
        save_screen(made.folder / BUNDLE.screen, screen)
        outcomes = dataclasses.replace(outcomes, scores=scores)
    save_outcomes(made.folder / BUNDLE.development, outcomes)


def _can_screen(labelled: BoolArray, say: Say) -> bool:
    if labelled.sum() >= LEAST_LABELLED and not labelled.all():
        return True
    say(
        f"no screen: the model labels {labelled.sum()} of {len(labelled)} development "
        f"sentences in a multi_label variable; {LEAST_LABELLED} are needed"
    )
    return False


@dataclass(frozen=True)
class _Answered:
    """Sentences and what the bundle's model says of them.

    Attributes:
        sentences: Tokenized.
        margins: Of the labels of all multi_label variables, shape (n, labels).
    """

    sentences: Sequence[TokenizedSentence]
    margins: FloatArray

    def part(self, rows: BoolArray) -> _Answered:
        """Those of some rows."""
        return _Answered(
            [self.sentences[k] for k in np.flatnonzero(rows).tolist()], self.margins[rows]
        )


def _answered(made: _Made, sentences: Sequence[TokenizedSentence]) -> _Answered:
    wanted = made.bundle.codebook.multi_label_logits
    if not sentences:
        return _Answered([], np.empty((0, len(wanted))))
    return _Answered(sentences, margins(made.run(sentences), made.bundle.decisions, wanted))


def fit_screen(made: _Made, archive: Sequence[Sentence]) -> Screen:
    """Let a linear model imitate the bundle's; its limits on development sentences are still empty.

    What it learns are margins: the screen takes the largest of all labels, and raw logits are not
    alike from label to label.

    Args:
        made: The bundle; the screen learns from its training split.
        archive: Learnt from, too. Their scores, by which a limit is chosen, are of screens that
            did not learn from the same document.
    """
    train = _answered(made, tokenized(made.stage, _tokenizer(made.stage), "train"))
    if not archive:
        return _imitation(made, train)
    bundle = made.bundle
    tokens = tokenize(bundle.tokenizer, archive, bundle.input_settings)
    # Archives repeat themselves; what was learnt is not to be judged by the same sentence, which
    # belongs to the document where it stood first.
    documents = {t: s.doc_id for t, s in zip(reversed(tokens), reversed(archive), strict=True)}
    answered = _answered(made, list(documents))
    names = sorted(set(documents.values()))
    order = np.random.default_rng(0).permutation(len(names))
    dealt = {name: order[k] % ARCHIVE_FOLDS for k, name in enumerate(names)}
    folds = np.array([dealt[name] for name in documents.values()])
    scores = np.zeros(len(folds))
    for fold in range(ARCHIVE_FOLDS):
        inside = folds == fold
        scores[inside] = _imitation(made, train, answered.part(~inside)).scores(
            answered.part(inside).sentences
        )
    found = (answered.margins >= 0).any(axis=1)
    return dataclasses.replace(
        _imitation(made, train, answered),
        archive_labelled=np.sort(scores[found]),
        archive_others=np.sort(scores[~found]),
    )


def _imitation(made: _Made, *answered: _Answered) -> Screen:
    """A screen that imitates these answers, without limits."""
    from framing.model.ngrams import NgramLogits, imitate_logits, ngram_rows

    special = sorted(_tokenizer(made.stage).all_special_ids)
    pair = bool(made.stage.settings.context)
    module = NgramLogits(len(made.bundle.codebook.multi_label_logits), special, pair)
    rows = ngram_rows(module, [sentence for part in answered for sentence in part.sentences])
    model = imitate_logits(rows, np.concatenate([part.margins for part in answered]))
    nothing: FloatArray = np.empty(0)
    return Screen(
        idf=model.idf,
        weights=model.heads.weights,
        bias=model.heads.bias,
        special=np.array(special, dtype=np.int64),
        pair=pair,
        labelled=nothing,
        others=nothing,
        probabilities=nothing,
    )
