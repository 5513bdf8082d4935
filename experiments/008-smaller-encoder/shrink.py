"""Teach half of an encoder's layers what the whole of them makes of each token.

    python experiments/008-smaller-encoder/shrink.py --run RUN --root FOLDER --out FILE
        [--layers 0 2 5] [--context-layers 1] [--read-apart] [--passes 3.5] [--seed 1]
        [--sentences N]

RUN is a run of configs/security_talks.yaml, whose model is the teacher; --root holds the folders
unscon/ and newsmtsc/ with the files of these benchmarks, whose sentences are read without their
codes. Of the bundled corpus the training split alone is read. Writes what the layers learnt beyond
those of the default encoder. With --read-apart sentence and context are read apart in the layers
that the context passes through. --sentences bounds each kind of sentences, to try whether all of it
runs.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from framing.artifacts import RUN
from framing.config import EncoderConfig, load_config
from framing.encoding import InputSettings, TokenizedSentence, pad
from framing.export import pad_id
from framing.model.classifier import (
    LossWeights,
    SentenceClassifier,
    load_classifier,
    log_mean_exp,
)
from framing.model.dataset import LengthBuckets, with_joined_hyphens
from framing.model.difference import write_difference
from framing.model.encoder import DEFAULT_NAME, find_encoder, keep_layers
from framing.model.own_tokens import own_places, own_states
from framing.records import Sentence
from framing.study import load_study
from framing.train import hide_loading_bars

sys.path.insert(0, str(Path(__file__).parents[1] / "007-distilled-encoder"))

from distil import (
    CONFIG,
    JOINED_HYPHENS,
    LARGEST_GRADIENT,
    Reader,
    Recipe,
    altered,
    difference,
    new_optimizer,
    new_reader,
    set_rates,
    some,
    uncoded_sentences,
)

RECIPE = Recipe(passes=0, batch_size=32, learning_rate=4e-4, frozen=0, bfloat16=False)
#: Factor on the loss of all variables but the first, the frames.
OTHERS = 0.25
_BATCH = 64


@dataclass(frozen=True)
class Answers:
    """The teacher's last states of own tokens.

    Attributes:
        states: Of all sentences, one after the other, shape (tokens, hidden), float16.
        start: Where each sentence's begin, shape (n + 1,).
    """

    states: NDArray[np.float16]
    start: NDArray[np.int64]

    def of(self, rows: Sequence[int], most: int) -> Tensor:
        """States of some sentences, shape (rows, most, hidden), 0 behind the last token."""
        out = np.zeros((len(rows), most, self.states.shape[1]), dtype=np.float32)
        for place, row in enumerate(rows):
            own = self.states[self.start[row] : self.start[row + 1]]
            out[place, : len(own)] = own
        return torch.from_numpy(out)


@dataclass(frozen=True)
class Batch:
    """Inputs of an encoder, and what tells the own tokens."""

    inputs: dict[str, Tensor]
    own: Tensor
    places: Tensor

    @property
    def present(self) -> Tensor:
        """1 for own tokens, shape (batch, own length)."""
        return (self.places >= 0).long()


def make_batch(tokens: Sequence[TokenizedSentence], padding: int) -> Batch:
    """Pad sentences."""
    inputs = {name: torch.from_numpy(array) for name, array in pad(tokens, padding).items()}
    own = inputs["attention_mask"] * inputs["token_type_ids"]
    return Batch(inputs, own, own_places(own))


def states_of(model: SentenceClassifier, batch: Batch) -> Tensor:
    """Last states of own tokens, shape (batch, own length, hidden)."""
    if model.config.read_apart:
        return model._own_states(*batch.inputs.values(), None)[0]
    through = model.config.context_layers
    return own_states(model.encoder, batch.inputs, batch.own, batch.places, through)


@torch.no_grad()
def answers(
    model: SentenceClassifier, tokens: Sequence[TokenizedSentence], padding: int
) -> Answers:
    """Ask the teacher."""
    begin = time.monotonic()
    start = np.concatenate([[0], np.cumsum([sum(t.type_ids) for t in tokens])])
    out = np.empty((start[-1], model.encoder.config.hidden_size), dtype=np.float16)
    order = np.argsort([len(t.ids) for t in tokens], kind="stable")
    for first in range(0, len(order), _BATCH):
        rows = order[first : first + _BATCH]
        batch = make_batch([tokens[row] for row in rows], padding)
        for row, states in zip(rows, states_of(model, batch), strict=True):
            size = start[row + 1] - start[row]
            out[start[row] : start[row + 1]] = states[:size].numpy()
    print(f"teacher: {len(tokens)} sentences, {time.monotonic() - begin:.0f} s", flush=True)
    return Answers(out, start)


def some_altered(
    tokens: Sequence[TokenizedSentence], reader: Reader, rng: np.random.Generator
) -> list[TokenizedSentence]:
    """Of each sentence one of three altered ones."""
    made = altered([reader.parted(t) for t in tokens], reader.room, rng)
    kinds = rng.integers(0, 3, len(tokens))
    return [reader.joined(made[3 * k + int(kind)]) for k, kind in enumerate(kinds)]


def distance(
    model: SentenceClassifier, found: Tensor, wanted: Tensor, batch: Batch, scale: float
) -> Tensor:
    """How far states and logits are from the teacher's; `scale` is the variance of its states."""
    present = batch.present.unsqueeze(2)
    squares = ((found - wanted).square() * present).sum() / present.sum() / found.shape[2]
    logits, theirs = (log_mean_exp(model.linear(s), batch.present) for s in (found, wanted))
    heads = model.config.heads
    targets = [
        theirs[:, a:b].sigmoid() if kind == "multi_label" else theirs[:, a:b].softmax(dim=1)
        for kind, a, b in heads
    ]
    answered = model.loss(logits, torch.cat(targets, dim=1), torch.ones(len(found), len(heads)))
    frames = slice(*heads[0][1:])
    near = functional.smooth_l1_loss(logits[:, frames], theirs[:, frames])
    out: Tensor = squares / scale + answered + near
    return out


def order_of(tokens: Sequence[TokenizedSentence], passes: float, seed: int) -> list[list[int]]:
    """Rows of each step, those of like length together."""
    size = RECIPE.batch_size
    order = LengthBuckets([len(t.ids) for t in tokens], size, seed)

    def batches() -> Iterator[list[int]]:
        for epoch in itertools.count():
            order.set_epoch(epoch)
            rows = list(order)
            yield from (rows[k : k + size] for k in range(0, len(rows), size))

    return list(itertools.islice(batches(), int(passes * len(tokens) / size)))


def taught(
    model: SentenceClassifier,
    tokens: Sequence[TokenizedSentence],
    teacher: Answers,
    padding: int,
    steps: Sequence[Sequence[int]],
) -> None:
    """Teach a model in place."""
    begin = time.monotonic()
    optimizer = new_optimizer(model, RECIPE)
    learning = [p for group in optimizer.param_groups for p in group["params"]]
    scale = float(np.var(teacher.states[:200_000].astype(np.float32)))
    total = 0.0
    for step, rows in enumerate(steps):
        batch = make_batch([tokens[row] for row in rows], padding)
        wanted = teacher.of(rows, batch.places.shape[1])
        set_rates(optimizer, step, len(steps))
        optimizer.zero_grad(set_to_none=True)
        value = distance(model, states_of(model, batch), wanted, batch, scale)
        value.backward()
        torch.nn.utils.clip_grad_norm_(learning, LARGEST_GRADIENT)
        optimizer.step()
        total += value.item()
        if step % 100 == 99:
            seconds = time.monotonic() - begin
            print(f"{step + 1} steps: {total / 100:.3f}, {seconds:.0f} s", flush=True)
            total = 0.0


def unopened(sentence: TokenizedSentence) -> TokenizedSentence:
    """Without the token that opens a sequence."""
    return TokenizedSentence(sentence.ids[1:], sentence.type_ids[1:])


def read(root: Path, reader: Reader, seed: int, most: int | None) -> list[TokenizedSentence]:
    """Training sentences, uncoded ones, and an altered one of each."""
    rng = np.random.default_rng(seed)
    study = load_study(load_config(CONFIG))
    coded: list[Sentence] = some(study.split("train"), most)
    coded = with_joined_hyphens(coded, JOINED_HYPHENS, rng)
    tokens = reader.read([*coded, *some(uncoded_sentences(root), most)])
    return [*tokens, *some_altered(tokens, reader, rng)]


def main() -> None:
    """Teach and write what was learnt."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, nargs="+", default=[0, 2, 5])
    parser.add_argument("--context-layers", type=int, default=1)
    parser.add_argument("--read-apart", action="store_true")
    parser.add_argument("--passes", type=float, default=3.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", type=int)
    args = parser.parse_args()
    hide_loading_bars()
    torch.manual_seed(args.seed)
    config = load_config(CONFIG)
    settings = InputSettings(config.encoder.context, config.encoder.max_length)
    reader = new_reader(find_encoder(config.encoder), settings)
    padding = pad_id(reader.tokenizer)
    tokens = read(args.root, reader, args.seed, args.sentences)

    model = load_classifier(args.run / RUN.checkpoint)
    model.config.context_layers = model.encoder.config.num_hidden_layers - 1
    teacher = answers(model, tokens, padding)

    source = find_encoder(EncoderConfig(layers=tuple(args.layers)))
    keep_layers(model.encoder, source)
    model.config.context_layers = args.context_layers
    # What tells the labels stays as it is, so that the states keep their meaning.
    model.linear.requires_grad_(False)
    model.encoder.embeddings.requires_grad_(False)
    if args.read_apart:
        model.config.read_apart = True
        tokens = [unopened(t) for t in tokens]
        # It tells sentence and context from each other where they meet.
        model.encoder.embeddings.token_type_embeddings.requires_grad_(True)
    factors = [1.0, *[OTHERS] * (len(model.config.heads) - 1)]
    model.loss_weights = LossWeights(tuple(factors), torch.ones(model.config.n_logits))
    taught(model, tokens, teacher, padding, order_of(tokens, args.passes, args.seed))

    write_difference(args.out, difference(model, source), DEFAULT_NAME)


if __name__ == "__main__":
    main()
