"""Train the default encoder further, as the student of a larger one, twice, and average the two.

    python experiments/007-distilled-encoder/distil.py --teacher FOLDER --root FOLDER --out FILE
        [--seed 1] [--device cuda] [--steps N] [--sentences N]

The teacher is all-mpnet-base-v2; --root holds the folders unscon/ and newsmtsc/ with the files of
these benchmarks, whose sentences are read without their codes. Of the bundled corpus the training
split alone is read. Writes what the students' layers learnt beyond the default encoder, on average.
--steps and --sentences bound each training and each kind of sentences, to try whether all of it
runs.
"""

from __future__ import annotations

import argparse
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from framing.arrays import FloatArray, gold_array
from framing.config import EncoderConfig, load_config
from framing.data.benchmarks import load_benchmark, load_card
from framing.decisions import Decisions, calibrated_probabilities
from framing.device import find_device
from framing.encoding import InputSettings, TokenizedSentence, numbers_segments, pad, tokenize
from framing.export import pad_id
from framing.model import classifier
from framing.model.classifier import LossWeights, SentenceClassifier
from framing.model.dataset import LengthBuckets, Targets, with_joined_hyphens
from framing.model.difference import write_difference
from framing.model.encoder import (
    DEFAULT_NAME,
    EncoderSource,
    find_encoder,
    load_encoder,
    load_fast_tokenizer,
)
from framing.model.finetune import Examples, model_logits
from framing.model.ngrams import NgramLogits
from framing.records import Sentence
from framing.study import Study, load_study
from framing.train import hide_loading_bars, with_ngrams

CONFIG = Path(__file__).parents[2] / "configs" / "security_talks.yaml"
BENCHMARKS = ("unscon", "newsmtsc")
#: Teachers beside n-grams, whose mean is learnt of real sentences; without, of altered ones.
BESIDE_NGRAMS, ALONE = 5, 3
#: Share of the teachers in the targets of coded sentences; the rest is the coders'.
TEACHERS_SHARE = 0.9
#: Weight of heads that depend on a label, where only teachers speak.
UNCODED_STANCE, ALTERED_STANCE = 0.0, 0.5
JOINED_HYPHENS = 0.3
DROPOUT, HEAD_FACTOR, WEIGHT_DECAY, WARMUP, LARGEST_GRADIENT = 0.1, 3.0, 0.01, 0.1, 1.0
#: An altered sentence of fewer tokens says nothing.
LEAST_TOKENS = 3

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """How an encoder is trained.

    `frozen` of its lowest layers stay as they are; `layer_decay` is the learning rate of each layer
    beside that of the layer above it.
    """

    passes: int
    batch_size: int
    learning_rate: float
    frozen: int
    bfloat16: bool
    layer_decay: float = 1.0


TEACHER = Recipe(passes=3, batch_size=32, learning_rate=8e-5, frozen=4, bfloat16=True)
#: The student of all sentences, and one that no altered ones are shown.
STUDENT = Recipe(passes=8, batch_size=64, learning_rate=4e-4, frozen=0, bfloat16=False)
PLAIN_STUDENT = Recipe(
    passes=10, batch_size=32, learning_rate=3e-4, frozen=0, bfloat16=False, layer_decay=0.9
)
#: Of the first student in the average of both.
STUDENTS_SHARE = 0.7


@dataclass(frozen=True)
class Segments:
    """Token ids of a sentence's context and its own, without special tokens."""

    context: IntArray
    own: IntArray

    def carried(self, carry: IntArray) -> Segments:
        """The same in other ids: those at the places of these."""
        return Segments(carry[self.context], carry[self.own])


@dataclass(frozen=True)
class Reader:
    """An encoder that is still to be loaded, with its tokenizer."""

    source: EncoderSource
    tokenizer: Any
    settings: InputSettings

    @property
    def room(self) -> int:
        """Tokens of a sequence that are not special ones."""
        special: int = self.tokenizer.num_special_tokens_to_add(pair=True)
        return self.settings.max_length - special

    @property
    def _between(self) -> int:
        """Separators between the segments; one token stands before them and one behind."""
        return self.settings.max_length - self.room - 2

    def read(self, sentences: Sequence[Sentence]) -> list[TokenizedSentence]:
        """Tokenize sentences."""
        return tokenize(self.tokenizer.backend_tokenizer, sentences, self.settings)

    def parted(self, tokens: TokenizedSentence) -> Segments:
        """The segments of a sequence."""
        ids, second = np.array(tokens.ids), np.array(tokens.type_ids) == 1
        return Segments(ids[~second][1 : -self._between], ids[second][:-1])

    def joined(self, segments: Segments) -> TokenizedSentence:
        """The sequence of two segments, cut and joined as `read` does."""
        separator = self.tokenizer.sep_token_id
        own = segments.own[: self.room].tolist()
        context = segments.context.tolist()
        context = context[max(len(context) + len(own) - self.room, 0) :]
        first = [self.tokenizer.cls_token_id, *context, *[separator] * self._between]
        second = [*own, separator]
        return TokenizedSentence((*first, *second), (0,) * len(first) + (1,) * len(second))


def new_reader(source: EncoderSource, settings: InputSettings) -> Reader:
    """A reader whose tokenizer neither pads nor cuts."""
    tokenizer = load_fast_tokenizer(source)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    return Reader(source, tokenizer, settings)


@dataclass(frozen=True)
class Task:
    """What all trainings share; `most_steps` bounds each of them."""

    study: Study
    loss_weights: LossWeights
    teacher: Reader
    student: Reader
    device: torch.device
    most_steps: int | None


@dataclass(frozen=True)
class Lesson:
    """Sentences, then altered ones, of which there are only tokens, and the targets of both.

    Logits of n-grams, where there are any, are added to the encoder's.
    """

    sentences: Sequence[Sentence]
    targets: Targets
    ngrams: FloatArray | None = None
    altered: Sequence[TokenizedSentence] = ()


def uncoded_sentences(root: Path) -> list[Sentence]:
    """The benchmarks' sentences with those before them, each once, without targets and codes."""
    corpora = [load_benchmark(load_card(name), root / name) for name in BENCHMARKS]
    found = {(s.previous, s.text): s for corpus in corpora for s in corpus.sentences}
    return [Sentence(s.id, s.text, s.doc_id, previous=s.previous) for s in found.values()]


def some(sentences: Sequence[Sentence], most: int | None) -> list[Sentence]:
    """At most so many sentences, from all over the documents."""
    every = 1 if most is None else max(1, len(sentences) // most)
    return list(sentences[::every][:most])


def ngram_logits(coded: Sequence[Sentence], uncoded: Sequence[Sentence], task: Task) -> FloatArray:
    """Logits of n-grams, by models that did not see the document; coded sentences first."""
    study, reader = task.study, task.student
    examples = Examples(
        sentences=reader.read([*coded, *uncoded]),
        gold=gold_array(study.gold_of(coded), study.book),
        targets=Targets(*study.soft_labels_of(coded)),
        factors=np.ones(len(coded)),
        documents=[s.doc_id for s in coded],
    )
    special = sorted(reader.tokenizer.all_special_ids)
    module = NgramLogits(study.book.n_logits, special, pair=True)
    logits = with_ngrams(module, examples, study.book, len(coded)).ngram_logits
    assert logits is not None
    return logits


def carried_over(sentences: Sequence[Sentence], task: Task) -> IntArray:
    """The teacher's id of each of the student's tokens, which have the same names in both."""
    student, teacher = task.student, task.teacher
    theirs, unknown = teacher.tokenizer.get_vocab(), teacher.tokenizer.unk_token_id
    carry = np.full(len(student.tokenizer), unknown)
    for token, number in student.tokenizer.get_vocab().items():
        carry[number] = theirs.get(token, unknown)
    for ours, wanted in zip(student.read(sentences), teacher.read(sentences), strict=True):
        assert teacher.joined(student.parted(ours).carried(carry)) == wanted
    return carry


def altered(sentences: Sequence[Segments], most: int, rng: np.random.Generator) -> list[Segments]:
    """Three altered sentences of each, of at most so many tokens."""
    made = []
    for one in sentences:
        for alter in (_other_context, _other_end, _tokens_left_out):
            other = sentences[int(rng.integers(len(sentences)))]
            new = alter(one, other, rng)
            own = new.own if len(new.own) >= LEAST_TOKENS else one.own
            made.append(Segments(new.context, own[:most]))
    return made


def _other_context(one: Segments, other: Segments, rng: np.random.Generator) -> Segments:
    return Segments(other.context if rng.random() < 0.6 else one.context[:0], one.own)


def _other_end(one: Segments, other: Segments, rng: np.random.Generator) -> Segments:
    kept, left_out = rng.uniform(0.3, 0.8, 2)
    beginning = one.own[: max(2, int(len(one.own) * kept))]
    end = other.own[int(len(other.own) * left_out) :]
    context = one.context if rng.random() < 0.7 else other.context
    return Segments(context, np.concatenate([beginning, end]))


def _tokens_left_out(one: Segments, _: Segments, rng: np.random.Generator) -> Segments:
    share = rng.choice([0.1, 0.25])
    context = one.context[rng.random(len(one.context)) > 0.1]
    return Segments(context, one.own[rng.random(len(one.own)) > share])


def new_model(reader: Reader, recipe: Recipe, task: Task) -> SentenceClassifier:
    """A classifier on a fresh encoder, as the recipe trains it."""
    encoder = load_encoder(reader.source, "eager")
    model = classifier.new_classifier(
        encoder,
        task.study.book,
        DROPOUT,
        pooling="log_mean_exp",
        pair=True,
        encoder_types=numbers_segments(reader.tokenizer.backend_tokenizer),
    ).to(task.device)
    classifier.freeze_layers(model, recipe.frozen)
    classifier.set_encoder_dropout(model, 0)
    model.loss_weights = task.loss_weights
    # What transformers makes of other masks depends on their values, which a graph cannot follow.
    encoder.register_forward_pre_hook(_with_float_mask, with_kwargs=True)
    if encoder.config.model_type == "mpnet":
        _compute_positions_once(encoder, reader.settings.max_length, task.device)
    return model


def _with_float_mask(_: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    mask: Tensor = kwargs["attention_mask"]
    floats = (1 - mask[:, None, None, :].float()) * -1e4
    return args, kwargs | {"attention_mask": floats.expand(-1, 1, mask.shape[1], -1)}


def _compute_positions_once(encoder: Any, length: int, device: torch.device) -> None:
    """MPNet's code for relative positions copies from the CPU; its table of them is not trained.

    The biases of shorter sequences are a corner of those of the longest.
    """
    with torch.no_grad():
        biases = encoder.encoder.compute_position_bias(torch.zeros(1, length, 1, device=device))

    def looked_up(states: Tensor) -> Tensor:
        size = states.shape[1]
        return biases[:, :, :size, :size].expand(len(states), -1, -1, -1)

    encoder.encoder.compute_position_bias = looked_up


def new_optimizer(model: SentenceClassifier, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW whose learning rates are tensors, which a graph reads anew at each step."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = _rate_factor(name, model.config.encoder["num_hidden_layers"], recipe)
            decay = WEIGHT_DECAY if parameter.ndim > 1 else 0.0
            groups.setdefault((recipe.learning_rate * factor, decay), []).append(parameter)
    device = model.device
    arguments = [
        {"params": p, "lr": torch.tensor(rate, device=device), "peak": rate, "weight_decay": decay}
        for (rate, decay), p in groups.items()
    ]
    return torch.optim.AdamW(arguments, fused=True, capturable=device.type == "cuda")


def _rate_factor(name: str, layers: int, recipe: Recipe) -> float:
    # Nothing but layers and what stands behind the encoder is trained.
    layer = re.search(r"\.layer\.(\d+)\.", name)
    return HEAD_FACTOR if layer is None else recipe.layer_decay ** (layers - 1 - int(layer[1]))


def set_rates(optimizer: torch.optim.Optimizer, step: int, steps: int) -> None:
    """Rise from 0 in the first steps, then fall to 0."""
    rising = max(1, math.ceil(WARMUP * steps))
    share = step / rising if step < rising else (steps - step) / max(1, steps - rising)
    for group in optimizer.param_groups:
        group["lr"].fill_(group["peak"] * share)


def batches(lengths: Sequence[int], recipe: Recipe, seed: int) -> Iterator[IntArray]:
    """Rows of each step, all of one size; what is left over of a pass is left out."""
    size = min(recipe.batch_size, len(lengths))
    order = LengthBuckets(lengths, size, seed)
    for epoch in range(recipe.passes):
        order.set_epoch(epoch)
        rows = np.array(list(order))
        yield from rows[: len(rows) // size * size].reshape(-1, size)


def tensors(
    lesson: Lesson, tokens: Sequence[TokenizedSentence], reader: Reader, device: torch.device
) -> dict[str, Tensor]:
    """A lesson, padded to one length."""
    values = lesson.targets.values
    ngrams = np.zeros_like(values) if lesson.ngrams is None else lesson.ngrams
    arrays: dict[str, NDArray[Any]] = {
        **pad(tokens, pad_id(reader.tokenizer), multiple=reader.settings.max_length),
        "labels": values.astype(np.float32),
        "label_weights": lesson.targets.weights.astype(np.float32),
        "ngram_logits": ngrams.astype(np.float32),
    }
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def autocast(recipe: Recipe, task: Task) -> torch.autocast:
    """The recipe's precision; a graph would keep what is cached."""
    kind = task.device.type
    on = recipe.bfloat16 and kind == "cuda"
    return torch.autocast(kind, torch.bfloat16, enabled=on, cache_enabled=False)


def trained(
    reader: Reader, lesson: Lesson, recipe: Recipe, task: Task, seed: int
) -> SentenceClassifier:
    """A model that learnt a lesson."""
    start = time.monotonic()
    torch.manual_seed(seed)
    model = new_model(reader, recipe, task).train()
    optimizer = new_optimizer(model, recipe)
    learning = [p for group in optimizer.param_groups for p in group["params"]]
    rng = np.random.default_rng(seed)
    sentences = with_joined_hyphens(lesson.sentences, JOINED_HYPHENS, rng)
    tokens = [*reader.read(sentences), *lesson.altered]
    data = tensors(lesson, tokens, reader, task.device)
    rows = list(batches([len(t.ids) for t in tokens], recipe, seed))[: task.most_steps]
    order = torch.from_numpy(np.stack(rows)).to(task.device)
    index = order[0].clone()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        batch = {name: values[index] for name, values in data.items()}
        inputs = (batch[k] for k in ("input_ids", "attention_mask", "token_type_ids"))
        with autocast(recipe, task):
            logits = model.encoder_logits(*inputs)
        logits = logits + batch["ngram_logits"]
        model.loss(logits, batch["labels"], batch["label_weights"]).backward()
        torch.nn.utils.clip_grad_norm_(learning, LARGEST_GRADIENT)
        optimizer.step()

    on_gpu = task.device.type == "cuda"
    take = captured(step, optimizer, learning) if on_gpu else step
    for k, batch_rows in enumerate(order):
        index.copy_(batch_rows)
        set_rates(optimizer, k, len(order))
        take()
    if on_gpu:
        torch.cuda.synchronize()
    name, seconds = reader.source.public_name, time.monotonic() - start
    print(f"{name}, seed {seed}: {len(order)} steps, {seconds:.0f} s", flush=True)
    return model


def captured(
    step: Callable[[], None], optimizer: torch.optim.Optimizer, learning: Sequence[Tensor]
) -> Callable[[], None]:
    """A step as one CUDA graph: its kernels take less time than their launches would.

    The first steps set up what later ones find there, so some are taken before; what they did to
    the weights is undone.
    """
    before = [parameter.detach().clone() for parameter in learning]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    with torch.no_grad():
        for parameter, values in zip(learning, before, strict=True):
            parameter.copy_(values)
        for state in optimizer.state.values():
            for values in state.values():
                values.zero_()
    return graph.replay


def answers(
    lesson: Lesson, asked: Sequence[TokenizedSentence], seeds: Sequence[int], task: Task
) -> FloatArray:
    """Mean logits by teachers of several seeds, without those of n-grams."""
    found = []
    for seed in seeds:
        model = trained(task.teacher, lesson, TEACHER, task, seed)
        with autocast(TEACHER, task):
            found.append(model_logits(model, asked, pad_id(task.teacher.tokenizer)))
    return np.mean(found, axis=0)


def taught(logits: FloatArray, dependent: float, task: Task) -> Targets:
    """Targets by teachers' logits alone; `dependent` weighs heads that depend on a label."""
    book = task.study.book
    values = calibrated_probabilities(logits, book, Decisions.identity(book.n_logits))
    weights = [1.0 if head.condition is None else dependent for head in book.heads]
    return Targets(values, np.tile(weights, (len(values), 1)))


def student_lesson(
    coded: Sequence[Sentence], uncoded: Sequence[Sentence], task: Task, seed: int
) -> Lesson:
    """Real and altered sentences with what the teachers say of them."""
    student, teacher = task.student, task.teacher
    sentences, n = [*coded, *uncoded], len(coded)
    labels = Targets(*task.study.soft_labels_of(coded))
    seeds = range(100 * seed + 1, 100 * seed + 1 + BESIDE_NGRAMS)

    ngrams = ngram_logits(coded, uncoded, task)
    logits = answers(Lesson(coded, labels, ngrams[:n]), teacher.read(sentences), seeds, task)
    real = taught(logits + ngrams, UNCODED_STANCE, task)
    mixed = (1 - TEACHERS_SHARE) * labels.values + TEACHERS_SHARE * real.values[:n]

    carry = carried_over(sentences, task)
    segments = [student.parted(tokens) for tokens in student.read(sentences)]
    made = altered(segments, teacher.room, np.random.default_rng(seed))
    asked = [teacher.joined(one.carried(carry)) for one in made]
    logits = answers(Lesson(coded, labels), asked, seeds[:ALONE], task)
    unreal = taught(logits, ALTERED_STANCE, task)

    targets = Targets(
        np.concatenate([mixed, real.values[n:], unreal.values]),
        np.concatenate([labels.weights, real.weights[n:], unreal.weights]),
    )
    return Lesson(sentences, targets, altered=[student.joined(one) for one in made])


def without_altered(lesson: Lesson) -> Lesson:
    """The lesson of the real sentences alone."""
    n = len(lesson.sentences)
    targets = Targets(lesson.targets.values[:n], lesson.targets.weights[:n])
    return Lesson(lesson.sentences, targets)


def average(
    first: Mapping[str, FloatArray], second: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """The mean of two students (Wortsman et al. 2022, "Model soups")."""
    rest = 1 - STUDENTS_SHARE
    return {name: STUDENTS_SHARE * first[name] + rest * second[name] for name in first}


def difference(model: SentenceClassifier, source: EncoderSource) -> dict[str, FloatArray]:
    """What the encoder's trained parameters are beyond those at the source."""
    before = dict(load_encoder(source, "eager").named_parameters())
    return {
        name: (after.detach().cpu() - before[name].detach()).double().numpy()
        for name, after in model.encoder.named_parameters()
        if after.requires_grad
    }


def main() -> None:
    """Teach the default encoder and write what it learnt."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--sentences", type=int)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    hide_loading_bars()
    torch.backends.cuda.matmul.allow_tf32 = True
    config = load_config(CONFIG)
    study = load_study(config)
    settings = InputSettings(config.encoder.context, config.encoder.max_length)
    device = find_device(args.device)
    weights = [config.training.variable_weights.get(h.variable, 1.0) for h in study.book.heads]
    ones = torch.ones(study.book.n_logits, device=device)
    folder = str(args.teacher.resolve())
    task = Task(
        study=study,
        loss_weights=LossWeights(tuple(weights), ones),
        teacher=new_reader(EncoderSource(folder, folder, None, True), settings),
        student=new_reader(find_encoder(EncoderConfig()), settings),
        device=device,
        most_steps=args.steps,
    )
    coded = some(study.split("train"), args.sentences)
    uncoded = some(uncoded_sentences(args.root), args.sentences)
    print(f"{len(coded)} coded sentences, {len(uncoded)} uncoded", flush=True)
    lesson = student_lesson(coded, uncoded, task, args.seed)
    recipes = ((STUDENT, lesson), (PLAIN_STUDENT, without_altered(lesson)))
    models = [trained(task.student, what, how, task, args.seed) for how, what in recipes]
    learnt = average(*(difference(model, task.student.source) for model in models))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_difference(args.out, learnt, DEFAULT_NAME)


if __name__ == "__main__":
    main()
