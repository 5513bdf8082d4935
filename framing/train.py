"""RunConfig -> run: fine-tuning, decisions, bundle, baselines, scores, report."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framing.arrays import FloatArray, LabelArray, gold_array, label_array
from framing.artifacts import (
    BASELINE,
    RUN,
    SEEDS,
    check_above,
    make_folder,
    read_json,
    write_json,
    write_manifest,
    write_text,
)
from framing.config import (
    DataConfig,
    EncoderConfig,
    EvaluationConfig,
    RunConfig,
    config_hash,
)
from framing.data.bundled import load_bundled_splits
from framing.data.corpus import metadata_fields
from framing.data.leakage import text_hashes
from framing.decisions import Decisions, calibrated_probabilities, to_predictions
from framing.encoding import InputSettings, TokenizedSentence, numbers_segments, tokenize
from framing.errors import ConfigError, DataError, counted, unknown_name
from framing.evaluation.seeds import summarise_seeds, write_seed_summary
from framing.export import (
    POOLED,
    check_parity,
    export_graph,
    export_model,
    pad_id,
    write_bundle,
)
from framing.inference.bundle import load_bundle
from framing.inference.development import development_outcomes
from framing.model.baselines import Fitting, fit_baselines
from framing.model.calibration import fit_decisions
from framing.model.dataset import Targets, hard_targets, smoothed, with_joined_hyphens
from framing.model.encoder import (
    EXPORTED_KINDS,
    EncoderSource,
    attention_for,
    check_shape,
    context_layers_for,
    encoder_shape,
    find_encoder,
    fingerprint,
    language_warning,
    load_encoder,
    load_fast_tokenizer,
)
from framing.model.finetune import (
    Examples,
    Outcome,
    check_trackers,
    device_type,
    finetune,
    last_checkpoint,
    model_logits,
    thin_easy,
)
from framing.model.processes import is_main_process, part_company, process_count, wait_for
from framing.provenance import commit, machine, versions
from framing.records import Annotation, Prediction, Sentence
from framing.report import load_scores, render_seed_summary
from framing.scoring import embedder, score_run, scored_test
from framing.study import Study, load_study
from framing.teacher import (
    answers,
    asks_model,
    check_teacher,
    read_probabilities,
    taught,
    teacher_hash,
    teacher_splits,
    write_probabilities,
)

if TYPE_CHECKING:
    from framing.codebook import Codebook
    from framing.data.corpus import Corpus
    from framing.model.classifier import SentenceClassifier
    from framing.model.ngrams import NgramLogits

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """What the stages of one run share.

    Attributes:
        config: The run's config.
        study: Corpus, gold and splits.
        seed: Training seed.
        folder: Of the run.
        say: Tells the user what is being done.
        lessons: Folder of the run that keeps a teacher's answers for all seeds; None: its own.
    """

    config: RunConfig
    study: Study
    seed: int
    folder: Path
    say: Say
    lessons: Path | None = None

    @property
    def settings(self) -> InputSettings:
        """Input settings of the encoder."""
        encoder = self.config.encoder
        return InputSettings(encoder.context, encoder.max_length, encoder.mark_target)


def train(config: RunConfig, runs: Path, say: Say = print) -> list[Path]:
    """Train once for every seed; finished runs are left as they are, unfinished ones continue.

    In a torchrun all seeds are fine-tuned first. The main process then does the rest alone, for
    which the others would have to wait, longer than their group's timeout allows.

    Args:
        config: The run config.
        runs: Folder for runs.
        say: Receives one line for each step, in the main process.

    Returns:
        The run folders, in the order of the seeds.
    """
    hide_loading_bars()
    say = say if is_main_process() else _say_nothing
    # Before the data are read, which may take a while.
    check_above(runs)
    study = load_study(config)
    check(config, study)
    if warning := language_warning(find_encoder(config.encoder).name, study.book):
        say(f"warning: {warning}")
    for notice in study.notices:
        say(f"warning: {notice}")
    digest = run_digest(config, study)
    folders = [runs / f"{config.name}-{digest}-s{seed}" for seed in config.seeds]
    stages = [
        Stage(config, study, seed, folder, say, folders[0])
        for seed, folder in zip(config.seeds, folders, strict=True)
    ]
    if process_count() > 1:
        fine_tune_together(stages)
        if not is_main_process():
            return folders
    for stage in stages:
        finish(stage)
    link_latest(runs / config.name, folders[0], say)
    if len(folders) > 1:
        write_summary(runs / f"{config.name}-{digest}-{SEEDS.folder}", folders, say)
    return folders


def finish(stage: Stage) -> None:
    """Train, or see to it that a finished run's report says what is known by now."""
    folder, say = stage.folder, stage.say
    if not (folder / RUN.manifest).is_file():
        train_once(stage)
    elif restate(stage):
        say(f"{folder}: finished already; report and card say the new licence or origin")
        for older in sorted((folder / RUN.evaluations).glob("*")):
            say(f"{older}: says the former one; evaluate again with --overwrite")
    else:
        say(f"{folder}: finished already, nothing to do")


def _say_nothing(_: str) -> None:
    """What the other processes of a torchrun have to say: the main one says it."""


def fine_tune_together(stages: Sequence[Stage]) -> None:
    """Fine-tune every unfinished run in all processes of a torchrun, then end their group."""
    for stage in stages:
        # A process that comes late finds the same: of runs that need no fine-tuning the main
        # process, which may be ahead, keeps the checkpoint.
        if not (stage.folder / RUN.manifest).is_file():
            ensure_checkpoint(stage)
    part_company()


def hide_loading_bars() -> None:
    """Bars for loading a file of 90 MB hide the one that matters, that of the training."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def run_digest(config: RunConfig, study: Study) -> str:
    """What tells a run from those with another config, other data or another encoder."""
    hashes = [study.hash, fingerprint(find_encoder(config.encoder))]
    teacher = config.training.teacher
    return config_hash(config, *hashes, *([] if teacher is None else [teacher_hash(teacher)]))


def write_summary(target: Path, folders: Sequence[Path], say: Say) -> None:
    """Write mean and spread over seeds, which a single run cannot show."""
    scores = [load_scores(folder) for folder in folders]
    summary = summarise_seeds(scores)
    write_seed_summary(target / SEEDS.summary, summary)
    write_text(target / SEEDS.report, render_seed_summary(summary, scores[0]))
    say(f"{target / SEEDS.report}: mean and spread over {len(folders)} seeds")


def check(config: RunConfig, study: Study) -> None:
    """Find what would fail later, before a folder is made.

    Raises:
        ConfigError: The config names what is not there or not installed.
        DataError: A variable is coded nowhere.
    """
    known = [v.id for v in study.book.variables]
    for name in config.training.variable_weights:
        if name not in known:
            message = unknown_name("variable", name, known)
            raise ConfigError(f"training.variable_weights: {message}")
    check_trackers(config.training.report_to)
    _check_prevalence(config, study)
    _check_metadata(config, study)
    if (teacher := config.training.teacher) is not None:
        coded = study.training_sentences(config.data)
        check_teacher(teacher, coded, study.unlabelled_sentences(), study.book)
    _check_encoder(config, study)
    _check_inputs(config.encoder, study)
    sentences = study.training_sentences(config.data)
    factors = study.training_factors(sentences, config.data)
    _check_left(study, len(sentences), int((factors > 0).sum()))
    _check_coded(study, [s for s, factor in zip(sentences, factors, strict=True) if factor > 0])


def _check_inputs(settings: EncoderConfig, study: Study) -> None:
    """Refuse to train with parts of the input that no sentence has.

    Nothing is said of the sentence before: documents may have one sentence each.
    """
    sentences = study.corpus.sentences
    fields = ", ".join(metadata_fields(sentences)) or "(none)"
    wanted = {
        "title": ("title" in settings.context, "context: [title]"),
        "target": ("target" in settings.context, "context: [target]"),
        "target_start": (settings.mark_target, "mark_target"),
    }
    for field, (asked, key) in wanted.items():
        if asked and not any(s.target if field == "target" else s.value(field) for s in sentences):
            raise ConfigError(
                f"encoder.{key}: no sentence of {study.corpus.name} has a {field}; say under "
                f"data.columns which column holds it, or leave this out. Fields found: {fields}"
            )


def _check_left(study: Study, admitted: int, weighted: int) -> None:
    """Refuse filters that leave nothing to be trained on."""
    if weighted:
        return
    what = "give weight to" if admitted else "and data.hold_out together admit"
    key = "train_weights" if admitted else "train_where"
    raise ConfigError(
        f"data.{key}: the values given {what} none of the "
        f"{counted(len(study.split('train')), 'sentence')} of the training split; change them"
    )


def _check_encoder(config: RunConfig, study: Study) -> None:
    source = find_encoder(config.encoder)
    load_fast_tokenizer(source)
    shape = encoder_shape(source)
    check_shape(config.encoder, source, shape)
    if shape.kind not in EXPORTED_KINDS:
        _check_export(source, study.book)
    _check_easy(config, study)


def _check_export(source: EncoderSource, book: Codebook) -> None:
    """Try before hours of training what would fail behind them.

    Raises:
        ConfigError: The encoder has no faithful graph.
    """
    from framing.model.classifier import new_classifier

    model = new_classifier(load_encoder(source, "eager"), book, 0.0, pair=True).eval()
    with tempfile.TemporaryDirectory() as folder:
        try:
            check_parity(model, Path(folder), export_model(model, Path(folder)))
        except Exception as error:  # noqa: BLE001 - exporters raise what they like
            reason = (str(error).strip() or repr(error)).splitlines()[0]
            raise ConfigError(
                f"encoder.path: {source.name!r} cannot be written as a graph for offline "
                f"labelling: {reason}; choose another encoder"
            ) from None


def _check_easy(config: RunConfig, study: Study) -> None:
    kinds = {variable.kind for variable in study.book.variables}
    if config.training.easy_share < 1 and "multi_label" not in kinds:
        raise ConfigError(
            "training.easy_share: without a multi_label variable no sentence is easy; leave it out"
        )


def _check_prevalence(config: RunConfig, study: Study) -> None:
    """Refuse shares for what has no threshold."""
    known = {v.id: v.label_ids for v in study.book.variables if v.kind == "multi_label"}
    for name, shares in config.decisions.prevalence.items():
        if name not in known:
            message = unknown_name("multi_label variable", name, known)
            raise ConfigError(f"decisions.prevalence: {message}")
        for label in shares:
            if label not in known[name]:
                message = unknown_name("label", label, known[name])
                raise ConfigError(f"decisions.prevalence.{name}: {message}")


def _check_metadata(config: RunConfig, study: Study) -> None:
    """Refuse fields that no sentence has; of the usual ones each may be missing.

    A run's own config holds the usual ones as if they had been asked for.
    """
    fields = config.evaluation.metadata
    if fields != EvaluationConfig().metadata:
        for name in fields:
            study.field_values(name, "evaluation.metadata")


def _check_coded(study: Study, sentences: Sequence[Sentence]) -> None:
    """Refuse to train a variable that nobody coded, such as one whose column is misspelt."""
    coded = gold_array(study.gold_of(sentences), study.book).coded
    for variable in study.book.variables:
        heads = [k for k, head in enumerate(study.book.heads) if head.variable == variable.id]
        if not coded[:, heads].any():
            fields = ", ".join(sorted({name for s in sentences for name in s.metadata}))
            raise DataError(
                f"{study.corpus.name}: variable {variable.id!r} is coded in no training sentence; "
                "check the name of its column and data.train_weights (0 leaves sentences out), "
                "or take it out of the codebook. Columns that hold no variable: "
                f"{fields or '(none)'}"
            )


def train_once(stage: Stage) -> None:
    """Run all stages of one run; each finished stage is kept if a later one is interrupted."""
    folder, say = stage.folder, stage.say
    ensure_checkpoint(stage)
    say(f"{folder}: calibration, thresholds and bundle")
    make_bundle(stage)
    say(f"{folder}: baselines")
    make_baselines(stage)
    say(f"{folder}: predictions, scores and report")
    score(stage)
    shutil.rmtree(folder / RUN.trainer, ignore_errors=True)
    write_manifest(folder, RUN.manifest, leave_out=(RUN.evaluations,))
    say(f"{folder / RUN.report_html}: the report")


def ensure_checkpoint(stage: Stage) -> None:
    """Write the run's config, and fine-tune unless that was finished before."""
    folder = stage.folder
    if is_main_process():
        make_folder(folder)
        write_text(folder / RUN.config, stage.config.to_yaml())
    if not (folder / RUN.checkpoint).is_dir():
        stage.say(f"{folder}: fine-tuning")
        fine_tune(stage)


def restate(stage: Stage) -> bool:
    """Bring a finished run's report up to what is said of it and not learnt.

    Returns:
        Whether the config's licence or the data's origin are others than at the training.
    """
    folder = stage.folder
    record = read_json(folder / RUN.record)
    stated = {"licence": stage.config.licence, "origin": stage.study.origin}
    if {name: record.get(name) for name in stated} == stated:
        return False
    # Without it the run counts as unfinished, and an interruption here is made up for.
    (folder / RUN.manifest).unlink()
    write_json(folder / RUN.record, record | stated)
    write_text(folder / RUN.config, stage.config.to_yaml())
    score(stage)
    write_manifest(folder, RUN.manifest, leave_out=(RUN.evaluations,))
    return True


def link_latest(link: Path, folder: Path, say: Say) -> None:
    """Let ``runs/<name>`` point to the latest run of that name, where links are possible."""
    if link.exists() and not link.is_symlink():
        say(f"{link}: not a link, left as it is")
        return
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(folder.name, target_is_directory=True)
    except OSError as error:
        say(f"{link}: no link made ({error.strerror}); the run is {folder}")


def fine_tune(stage: Stage) -> None:
    """Fine-tune and, in the main process, write the checkpoint."""
    from transformers import set_seed

    from framing.model.warmup import linear_start

    config, book = stage.config, stage.study.book
    source = find_encoder(config.encoder)
    tokenizer = load_fast_tokenizer(source)
    # torch draws the linear layer's weights and dropout from its global generator only.
    set_seed(stage.seed)
    model = prepared_classifier(stage, tokenizer)
    train, dev = (examples(stage, tokenizer, split) for split in ("train", "dev"))
    n_coded = len(train.sentences) - len(stage.study.unlabelled_sentences())
    if model.ngrams is not None:
        stage.say(f"{stage.folder}: linear model on n-grams")
        train = with_ngrams(model.ngrams, train, book, n_coded)
        share, rng = config.training.easy_share, np.random.default_rng([stage.seed, 1])
        train = thin_easy(train, book, share, rng) if share < 1 else train
    if config.training.linear_start and last_checkpoint(stage.folder / RUN.trainer) is None:
        # The Trainer would bring it there only later.
        model.to(device_type())  # type: ignore[arg-type]
        linear_start(model, train, book, pad_id=pad_id(tokenizer))
    outcome = finetune(
        model,
        config=config,
        book=book,
        train=train,
        dev=dev,
        pad_id=pad_id(tokenizer),
        seed=stage.seed,
        folder=stage.folder / RUN.trainer,
    )
    if not outcome.is_main_process:
        return
    _write_seen(stage)
    _write_record(stage, outcome, source, n_coded)
    temporary = stage.folder / RUN.trainer / RUN.checkpoint
    model.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    temporary.rename(stage.folder / RUN.checkpoint)


def prepared_classifier(stage: Stage, tokenizer: Any) -> SentenceClassifier:
    """The classifier before its training."""
    from framing.model import classifier

    settings = stage.config.encoder
    source = find_encoder(settings)
    shape = encoder_shape(source)
    attention = attention_for(settings, device_type(), sdpa=shape.sdpa)
    encoder = load_encoder(source, attention)
    model = classifier.new_classifier(
        encoder,
        stage.study.book,
        settings.dropout,
        pooling=settings.pooling,
        pair=bool(settings.context),
        special=sorted(tokenizer.all_special_ids) if settings.ngrams else None,
        crossed=settings.ngrams_by_target,
        encoder_types=numbers_segments(tokenizer.backend_tokenizer),
        context_layers=context_layers_for(settings, source, shape),
        read_apart=source.read_apart,
    )
    if settings.freeze_embeddings:
        classifier.freeze_embeddings(model)
    if settings.freeze_layers:
        classifier.freeze_layers(model, settings.freeze_layers)
    if settings.inner_dropout is not None:
        classifier.set_encoder_dropout(model, settings.inner_dropout)
    return model


def with_ngrams(module: NgramLogits, train: Examples, book: Codebook, n_coded: int) -> Examples:
    """Fit the linear model on n-grams and give the examples the logits to be trained beside.

    Args:
        module: Takes the fitted table.
        train: Training examples, those that nobody coded at the end.
        book: The codebook.
        n_coded: How many were coded; on these it is fitted.

    Returns:
        The same examples with logits of models that did not see them.
    """
    from framing.model.ngrams import fit_ngrams, ngram_rows, out_of_fold_logits

    rows = ngram_rows(module, train.sentences)
    coded, rest = (rows.take(k) for k in np.split(np.arange(len(train.sentences)), [n_coded]))
    gold = LabelArray(train.gold.values[:n_coded], train.gold.coded[:n_coded])
    factors, documents = train.factors[:n_coded], train.documents[:n_coded]
    model = fit_ngrams(coded, gold, book, factors)
    module.fill(model)
    logits = out_of_fold_logits(coded, gold, book, factors, documents)
    if rest.buckets:
        # The table did not see them either.
        logits = np.concatenate([logits, model.logits(rest)])
    return dataclasses.replace(train, ngram_logits=logits)


def examples(stage: Stage, tokenizer: Any, split: str) -> Examples:
    """Tokenize a split and make its targets.

    Raises:
        DataError: The split has no sentence.
    """
    study, config = stage.study, stage.config
    sentences = _sentences(stage, split)
    gold = label_array([_values(study.gold.get(s.id)) for s in sentences], study.book)
    targets = hard_targets(gold)
    if config.training.soft_labels:
        targets = Targets(*study.soft_labels_of(sentences))
    # A sentence whose factor is 0 is not learnt from, but scored like any other.
    factors = np.ones(len(sentences))
    if split == "train":
        if config.training.label_smoothing:
            targets = smoothed(targets, study.book, config.training.label_smoothing)
        targets = _with_teacher(stage, targets, sentences)
        factors = study.training_factors(sentences, config.data)
    documents = [s.doc_id for s in sentences]
    return Examples(tokenized(stage, tokenizer, split), gold, targets, factors, documents)


def _values(annotation: Annotation | None) -> Mapping[str, tuple[str, ...]]:
    return {} if annotation is None else annotation.values


def _sentences(stage: Stage, split: str) -> list[Sentence]:
    """The sentences of a split; what training sees of sentences without codes is with them."""
    study, data = stage.study, stage.config.data
    found = study.training_sentences(data) if split == "train" else study.split(split)
    if not found:
        raise DataError(f"no sentence in the {split} split; check data.splits and data.train_where")
    return [*found, *study.unlabelled_sentences()] if split == "train" else found


def tokenized(stage: Stage, tokenizer: Any, split: str) -> list[TokenizedSentence]:
    """The tokens of a split's sentences, as training and development see them.

    Raises:
        DataError: The split has no sentence.
    """
    sentences, join_hyphens = _sentences(stage, split), stage.config.training.join_hyphens
    if split == "train" and join_hyphens:
        rng = np.random.default_rng(stage.seed)
        sentences = with_joined_hyphens(sentences, join_hyphens, rng)
    return _tokens(tokenizer, sentences, stage.settings)


def _tokens(
    tokenizer: Any, sentences: Sequence[Sentence], settings: InputSettings
) -> list[TokenizedSentence]:
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    return tokenize(backend, sentences, settings)


def _with_teacher(stage: Stage, targets: Targets, sentences: Sequence[Sentence]) -> Targets:
    """The targets with the teacher's share in them, where the config names a teacher."""
    source, book = stage.config.training.teacher, stage.study.book
    if source is None:
        return targets
    kept = (stage.lessons or stage.folder) / RUN.teacher
    if asks_model(source):
        if not is_main_process():
            wait_for(kept)
        elif not kept.is_file():
            stage.say(f"{stage.folder}: the teacher's answers ({kept})")
            make_folder(kept.parent)
            write_probabilities(kept, sentences, answers(source, sentences, book), book)
        source = kept
    found = read_probabilities(source, [s.id for s in sentences], book)
    n_taught = int(found.known.any(axis=1).sum())
    if n_taught < len(sentences):
        stage.say(
            f"{stage.folder}: the teacher knows {n_taught:,} of {len(sentences):,} training "
            "sentences; the others are learnt from their labels alone"
        )
    n_coded = len(sentences) - len(stage.study.unlabelled_sentences())
    return taught(targets, found, book, stage.config.training.teacher_share, n_coded)


def _write_seen(stage: Stage) -> None:
    """Keep hashes of what is learnt from, so that other models can be compared with this one."""
    hashes = text_hashes(stage.study.learnt_from(stage.config.data))
    write_text(stage.folder / RUN.seen, "".join(f"{line}\n" for line in sorted(hashes)))


def _write_record(stage: Stage, outcome: Outcome, encoder: EncoderSource, n_train: int) -> None:
    write_json(
        stage.folder / RUN.record,
        {
            "name": stage.config.name,
            "seed": stage.seed,
            "encoder": encoder.public_name,
            "base_model": encoder.base_model,
            "encoder_splits": encoder_splits(stage.config.data, stage.study.corpus, encoder),
            "training": dataclasses.asdict(outcome),
            "train_sentences": n_train,
            "versions": versions(),
            "commit": commit(),
            "machine": machine(),
            "corpus": stage.study.corpus.name,
            "origin": stage.study.origin,
            "added": [
                {
                    "name": added.corpus.name,
                    "sentences": len(stage.study.used_of(added)),
                    "weight": added.weight,
                }
                for added in stage.study.added
            ],
            "prevalence": stage.config.decisions.prevalence,
            "teacher": _teacher_record(stage),
            "unlabelled": [
                {
                    "name": part.corpus.name,
                    "sentences": len(part.corpus.sentences),
                    "weight": part.weight,
                }
                for part in stage.study.unlabelled
            ],
            "licence": stage.config.licence,
            "data": stage.study.hashes(),
        },
    )


def encoder_splits(data: DataConfig, corpus: Corpus, encoder: EncoderSource) -> str | None:
    """Hash of the splits whose training documents an encoder has learnt from already.

    Args:
        data: Says where the corpus is from; a name alone may be that of anybody's data.
        corpus: The corpus.
        encoder: Any encoder.

    Returns:
        "" where it has read documents of all splits, None where of none, as far as is known.
    """
    if data.benchmark in encoder.has_read:
        return ""
    if data.corpus is None or data.corpus != encoder.learnt_from:
        return None
    return load_bundled_splits(data.corpus, corpus).hash


def _teacher_record(stage: Stage) -> dict[str, Any] | None:
    source = stage.config.training.teacher
    if source is None:
        return None
    return {
        "name": source.name,
        "hash": teacher_hash(source),
        "share": stage.config.training.teacher_share,
        "splits": teacher_splits(source),
    }


@dataclass(frozen=True)
class _Fitted:
    """A finished fine-tuning with its decisions.

    Attributes:
        model: The classifier.
        tokenizer: Of its encoder.
        dev: The development split.
        logits: Of the model for it, shape (n, logits).
        decisions: Fitted on it.
    """

    model: SentenceClassifier
    tokenizer: Any
    dev: Examples
    logits: FloatArray
    decisions: Decisions


def _fitted(stage: Stage) -> _Fitted:
    from transformers import PreTrainedTokenizerFast

    from framing.model.classifier import load_classifier

    checkpoint = stage.folder / RUN.checkpoint
    model = load_classifier(checkpoint)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint, local_files_only=True)
    dev = examples(stage, tokenizer, "dev")
    logits = model_logits(model, dev.sentences, pad_id(tokenizer))
    prevalence = stage.config.decisions.prevalence
    decisions = fit_decisions(logits, dev.gold, stage.study.book, prevalence)
    return _Fitted(model, tokenizer, dev, logits, decisions)


def make_bundle(stage: Stage) -> None:
    """Fit decisions on the development split and write the bundle."""
    fitted, book = _fitted(stage), stage.study.book
    dev, decisions = fitted.dev, fitted.decisions
    probabilities = calibrated_probabilities(fitted.logits, book, decisions)
    write_bundle(
        stage.folder / RUN.bundle,
        model=fitted.model,
        tokenizer=fitted.tokenizer,
        book=book,
        decisions=decisions,
        settings=stage.settings,
        run=stage.folder.name,
        development=development_outcomes(dev.gold, probabilities, dev.documents, book, decisions),
    )


def label_with_checkpoint(stage: Stage, sentences: Sequence[Sentence]) -> list[Prediction]:
    """Label sentences with a fine-tuned model that needs no bundle.

    Args:
        stage: Of the run, fine-tuned.
        sentences: What is to be labelled.

    Returns:
        One prediction a sentence, in the order given; the run stands where bundles have their hash.
    """
    fitted, book = _fitted(stage), stage.study.book
    tokens = _tokens(fitted.tokenizer, sentences, stage.settings)
    logits = model_logits(fitted.model, tokens, pad_id(fitted.tokenizer))
    probabilities = calibrated_probabilities(logits, book, fitted.decisions)
    ids = [sentence.id for sentence in sentences]
    return to_predictions(ids, probabilities, book, fitted.decisions, stage.folder.name)


def make_baselines(stage: Stage) -> None:
    """Fit the baselines, and keep the encoder before fine-tuning for the one that needs it."""
    from framing.model.classifier import new_classifier

    config, study = stage.config, stage.study
    folder = stage.folder / RUN.baselines
    shutil.rmtree(folder, ignore_errors=True)
    names = config.evaluation.baselines
    if "frozen_encoder" in names:
        source = find_encoder(config.encoder)
        types = numbers_segments(load_fast_tokenizer(source).backend_tokenizer)
        encoder = load_encoder(source, "eager")
        # An encoder that was taught to read apart gives nothing of use to what reads otherwise.
        shape = encoder_shape(source)
        through = context_layers_for(config.encoder, source, shape) if source.read_apart else None
        frozen = new_classifier(
            encoder,
            study.book,
            0.0,
            pair=source.read_apart,
            encoder_types=types,
            context_layers=through,
            read_apart=source.read_apart,
        ).eval()
        export_graph(frozen, folder / BASELINE.encoder, output=POOLED)
    train, dev = study.training_sentences(config.data), study.split("dev")
    fitting = Fitting(
        book=study.book,
        train=train,
        train_gold=study.gold_of(train),
        dev=dev,
        dev_gold=study.gold_of(dev),
        fields=config.evaluation.metadata,
        embed=embedder(folder, load_bundle(stage.folder)),
        prevalence=config.decisions.prevalence,
    )
    fit_baselines(folder, names, fitting)


def score(stage: Stage) -> None:
    """Predict and score the test split, and write the report."""
    study, config = stage.study, stage.config
    train = study.seen_sentences(config.data)
    score_run(stage.folder, config.evaluation, scored_test(study), train, out=stage.folder)
