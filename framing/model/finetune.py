"""Fine-tuning with `transformers.Trainer`: its callbacks, accelerate and torchrun all apply."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framing.arrays import FloatArray, LabelArray
from framing.artifacts import write_json
from framing.codebook import Codebook
from framing.config import RunConfig, TrainingConfig
from framing.encoding import TokenizedSentence
from framing.errors import ConfigError, unknown_name
from framing.metrics import average_precision, count, f1, macro
from framing.model.dataset import (
    Collator,
    LengthBuckets,
    Targets,
    class_weights,
    hard_targets,
    to_dataset,
)
from framing.model.ngrams import SCALE

if TYPE_CHECKING:
    import datasets
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from framing.model.classifier import SentenceClassifier

_LAYER = re.compile(r"\.(?:layer|layers|h|block)\.(\d+)\.")
#: What some encoders have behind their top layer.
_LAST = re.compile(r"^encoder\.(?:final_norm|final_layer_norm|ln_f|norm)\.")


@dataclass(frozen=True)
class Examples:
    """Tokenized sentences with what is to be learnt of them.

    Attributes:
        sentences: Tokenized.
        gold: Gold labels, for scores.
        targets: Targets, for the loss.
        factors: Factor on the loss of each sentence, shape (n,).
        documents: Document of each sentence.
        ngram_logits: Logits of n-grams beside which the encoder is trained, shape (n, logits);
            None: the model's own.
    """

    sentences: Sequence[TokenizedSentence]
    gold: LabelArray
    targets: Targets
    factors: FloatArray
    documents: Sequence[str]
    ngram_logits: FloatArray | None = None


#: Checkpoints in an epoch where none is evaluated, so that an interrupted training can go on.
_CHECKPOINTS = 4
#: Below this probability of every label, by n-grams alone, a sentence without labels is easy.
_EASY = 0.05


def thin_easy(
    examples: Examples, book: Codebook, share: float, rng: np.random.Generator
) -> Examples:
    """Keep a share of the easy sentences, which teach little, weighted up to stand for all.

    Args:
        examples: With n-gram logits.
        book: The codebook.
        share: Of the easy sentences, in (0, 1].
        rng: Chooses them.

    Returns:
        The examples kept, in the same order.
    """
    columns = book.multi_label_logits
    heads = [k for k, h in enumerate(book.heads) if h.kind == "multi_label"]
    if examples.ngram_logits is None or not columns:
        return examples
    limit = SCALE * math.log(_EASY / (1 - _EASY))
    clear = (examples.ngram_logits[:, columns] < limit).all(axis=1)
    coded = examples.gold.coded[:, heads].all(axis=1)
    easy = clear & coded & ~examples.gold.values[:, columns].any(axis=1)
    drawn = rng.random(len(examples.sentences)) < share
    kept = np.flatnonzero(~easy | drawn)
    factors = np.where(easy, examples.factors / share, examples.factors)
    return Examples(
        sentences=[examples.sentences[int(k)] for k in kept],
        gold=LabelArray(examples.gold.values[kept], examples.gold.coded[kept]),
        targets=Targets(examples.targets.values[kept], examples.targets.weights[kept]),
        factors=factors[kept],
        documents=[examples.documents[int(k)] for k in kept],
        ngram_logits=examples.ngram_logits[kept],
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fine-tuning was.

    Attributes:
        epochs: Passes made.
        steps: Optimiser steps made.
        best_score: Development score of the checkpoint kept; None where none was evaluated.
        seconds: Time of the last (or only) uninterrupted stretch.
        precision: bfloat16 or float32.
        device: Such as cpu or cuda.
        is_main_process: False in all but one process of a torchrun.
    """

    epochs: float
    steps: int
    best_score: float | None
    seconds: float
    precision: str
    device: str
    is_main_process: bool


def development_score(logits: FloatArray, gold: LabelArray, book: Codebook) -> float:
    """One figure by which checkpoints are compared.

    Mean over the codebook's variables of: mean average precision (multi_label), macro-F1 of the
    most probable label (single_label, pooled over the heads of a `per` variable). Labels without
    a gold instance do not count.
    """
    scores = []
    for variable in book.variables:
        heads = [(k, h) for k, h in enumerate(book.heads) if h.variable == variable.id]
        z = np.concatenate([logits[gold.coded[:, k]][:, h.slice] for k, h in heads])
        y = np.concatenate([gold.values[gold.coded[:, k]][:, h.slice] for k, h in heads])
        if not y.any():
            continue
        if variable.kind == "multi_label":
            present = y.any(axis=0)
            scores.append(average_precision(y[:, present], z[:, present]).mean())
        else:
            decided = np.eye(y.shape[1], dtype=bool)[z.argmax(axis=1)]
            scores.append(macro(f1(count(y, decided))))
    return float(np.mean(scores)) if scores else math.nan


def finetune(
    model: SentenceClassifier,
    *,
    config: RunConfig,
    book: Codebook,
    train: Examples,
    dev: Examples,
    pad_id: int,
    seed: int,
    folder: Path,
) -> Outcome:
    """Fine-tune a model in place; continues from the last checkpoint below `folder`.

    Args:
        model: With a fresh or any linear layer; holds the best weights afterwards.
        config: The run's config.
        book: The codebook.
        train: Training examples.
        dev: Development examples, for early stopping and the choice of the checkpoint.
        pad_id: Token id of padding.
        seed: Training seed.
        folder: For the Trainer's own checkpoints.

    Returns:
        How the training went.
    """
    from transformers import EarlyStoppingCallback

    weighted = Targets(train.targets.values, train.targets.weights * train.factors[:, None])
    _set_loss_weights(model, config.training, book, weighted)
    arguments = training_arguments(config, len(train.sentences), seed, folder)
    callbacks: list[TrainerCallback] = []
    if config.training.patience is not None:
        callbacks.append(EarlyStoppingCallback(config.training.patience))
    lengths = [len(sentence.ids) for sentence in train.sentences]
    trainer = _trainer_class(lengths)(
        model=model,
        args=arguments,
        data_collator=Collator(pad_id, model.uses_type_ids),
        train_dataset=to_dataset(train.sentences, train.targets, train.factors, train.ngram_logits),
        eval_dataset=_by_length(dev),
        compute_metrics=_metrics(book),
        callbacks=callbacks,
        optimizers=(_optimizer(model, config.training), None),
    )
    result = trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    return _outcome(trainer, result)


def _by_length(dev: Examples) -> datasets.Dataset:
    """Development sentences in the order of their length, so that little is padded."""
    order = np.argsort([len(sentence.ids) for sentence in dev.sentences], kind="stable")
    gold = LabelArray(dev.gold.values[order], dev.gold.coded[order])
    sentences = [dev.sentences[int(k)] for k in order]
    return to_dataset(sentences, hard_targets(gold), dev.factors[order])


def _trainer_class(lengths: Sequence[int]) -> type[Trainer]:
    """A Trainer that groups sentences by length without ordering the batches by length.

    transformers' own group_by_length runs from long to short again and again, and a model trained
    so scores far lower (experiments/002-batch-order).
    """
    import transformers

    class BucketTrainer(transformers.Trainer):
        def _get_train_sampler(self, _dataset: Any = None) -> Any:
            return LengthBuckets(lengths, self.args.train_batch_size, self.args.data_seed or 0)

    return BucketTrainer


def last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint; those that a kill left half written are removed.

    The Trainer writes into a checkpoint's folder file by file and its state last, so a readable
    state means that all else is there.
    """
    found = [path for path in folder.glob("checkpoint-*") if path.name[11:].isdigit()]
    for path in sorted(found, key=lambda path: int(path.name[11:]), reverse=True):
        state = path / "trainer_state.json"
        try:
            _bring_along(folder, state)
        except (OSError, ValueError):
            # Another process of a torchrun may be removing it too.
            shutil.rmtree(path, ignore_errors=True)
        else:
            return str(path)
    return None


def _bring_along(folder: Path, state: Path) -> None:
    """Let the state of a run that was moved name its best checkpoint where that is now."""
    fields = json.loads(state.read_text(encoding="utf-8"))
    if best := fields.get("best_model_checkpoint"):
        here = folder / Path(best).name
        if not Path(best).is_dir() and here.is_dir():
            write_json(state, fields | {"best_model_checkpoint": str(here)})


def _outcome(trainer: Trainer, result: Any) -> Outcome:
    state = trainer.state
    return Outcome(
        epochs=float(state.epoch or 0),
        steps=int(state.global_step),
        best_score=None if state.best_metric is None else float(state.best_metric),
        seconds=float(result.metrics["train_runtime"]),
        precision="bfloat16" if trainer.args.bf16 else "float32",
        device=trainer.args.device.type,
        is_main_process=trainer.is_world_process_zero(),
    )


def _metrics(book: Codebook) -> Callable[[Any], dict[str, float]]:
    def compute(result: Any) -> dict[str, float]:
        # Whatever order the Trainer takes, its own labels are in the same.
        labels, weights = result.label_ids
        gold = LabelArray(np.asarray(labels) > 0.5, np.asarray(weights) > 0)
        logits = np.asarray(result.predictions, dtype=np.float64)
        return {"score": development_score(logits, gold, book)}

    return compute


def _set_loss_weights(
    model: SentenceClassifier, config: TrainingConfig, book: Codebook, targets: Targets
) -> None:
    import torch

    from framing.model.classifier import LossWeights

    positive = class_weights(targets, book, config.class_weighting)
    model.loss_weights = LossWeights(
        heads=tuple(config.variable_weights.get(head.variable, 1.0) for head in book.heads),
        positive=torch.tensor(positive, dtype=torch.float32),
    )


def training_arguments(
    config: RunConfig, n_sentences: int, seed: int, folder: Path
) -> TrainingArguments:
    """The Trainer's arguments for a run config."""
    from transformers import TrainingArguments

    training = config.training
    evaluates = training.evaluations > 0
    arguments = TrainingArguments(
        # Absolute, so that a run continued from another folder finds its best checkpoint.
        output_dir=str(folder.resolve()),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=training.accumulate,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup_steps=training.warmup,
        lr_scheduler_type="linear",
        bf16=uses_bfloat16(training),
        # Without an accelerator transformers refuses bf16 unless told that the CPU is meant.
        use_cpu=device_type() == "cpu",
        seed=seed,
        data_seed=seed,
        label_names=["labels", "label_weights"],
        eval_strategy="steps" if evaluates else "no",
        save_strategy="steps",
        save_total_limit=2,
        load_best_model_at_end=evaluates,
        metric_for_best_model="score" if evaluates else None,
        greater_is_better=True,
        logging_strategy="steps",
        report_to=list(training.report_to) or "none",
        run_name=f"{config.name}-s{seed}",
        dataloader_pin_memory=False,
    )
    every = _steps_between(arguments, n_sentences, training.evaluations or _CHECKPOINTS)
    arguments.eval_steps = arguments.save_steps = arguments.logging_steps = every
    return arguments


def _steps_between(arguments: TrainingArguments, n_sentences: int, times: int) -> int:
    """Optimiser steps between what happens so many times in an epoch.

    Only the arguments know the processes of a torchrun and the GPUs of this one: a step takes a
    batch from each.
    """
    a_step: int = arguments.train_batch_size * arguments.world_size
    steps_an_epoch = math.ceil(n_sentences / (a_step * arguments.gradient_accumulation_steps))
    return max(1, math.ceil(steps_an_epoch / times))


def check_trackers(names: Sequence[str]) -> None:
    """Check that transformers can report to trackers.

    Raises:
        ConfigError: It does not know one of them, or one is not installed.
    """
    from transformers.integrations import integration_utils

    if tuple(names) in ((), ("all",), ("none",)):
        return
    known = integration_utils.INTEGRATION_TO_CALLBACK
    installed = set(integration_utils.get_available_reporting_integrations())
    # transformers takes these two as well, but does not always list them.
    if integration_utils.is_azureml_available():
        installed.add("azure_ml")
    if integration_utils.is_flytekit_available():
        installed.add("flyte")
    for name in names:
        if name not in known:
            message = unknown_name("tracker", name, sorted(known))
            raise ConfigError(f"training.report_to: {message}")
        if name not in installed:
            raise ConfigError(
                f"training.report_to: {name} is not installed; install it, or take it out. "
                f"Installed: {', '.join(sorted(installed)) or '(none)'}"
            )


def device_type() -> str:
    """Type of the device that the Trainer will use: cuda, mps, xpu, ... or cpu."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return "cpu" if accelerator is None else accelerator.type


def uses_bfloat16(training: TrainingConfig) -> bool:
    """Whether to compute in bfloat16 on the device that the Trainer will use."""
    import torch

    if training.precision != "auto":
        return training.precision == "bfloat16"
    if device_type() == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device_type() != "cpu":
        return False
    # Emulated bfloat16 is slower than float32; this asks for avx512_bf16, AMX or its Arm kin.
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _optimizer(model: SentenceClassifier, config: TrainingConfig) -> Any:
    """AdamW with a learning rate that falls from the top layer down.

    Howard and Ruder (2018), "Universal Language Model Fine-tuning", discriminative fine-tuning.
    Biases and norms are not decayed, as in BERT's own fine-tuning.
    """
    import torch

    depth = 1 + max(
        (int(m.group(1)) for n, _ in model.named_parameters() if (m := _LAYER.search(n))),
        default=0,
    )
    groups: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = config.learning_rate * _rate_factor(name, depth, config)
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()],
        # One pass over the weights in place of a dozen, each with memory of its own.
        fused=True,
    )


def _rate_factor(name: str, depth: int, config: TrainingConfig) -> float:
    if not name.startswith("encoder."):
        return config.head_factor
    # The top layer is one level below the linear layer, the embeddings are below all layers.
    levels = depth + 1
    if match := _LAYER.search(name):
        levels = depth - int(match.group(1))
    elif _LAST.match(name):
        levels = 1
    return float(config.layer_decay**levels)


def model_logits(
    model: SentenceClassifier, sentences: Sequence[TokenizedSentence], pad_id: int
) -> FloatArray:
    """Logits in float32 on the device where the model is, shape (n, logits)."""
    import torch

    from framing.encoding import pad

    device = next(model.parameters()).device
    out = np.zeros((len(sentences), model.config.n_logits))
    order = np.argsort([len(s.ids) for s in sentences], kind="stable")
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            batch = pad((sentences[k] for k in rows), pad_id)
            tensors = {name: torch.from_numpy(a).to(device) for name, a in batch.items()}
            out[rows] = model(**tensors).logits.cpu().numpy()
    return out
