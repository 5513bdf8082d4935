"""Targets and weights of training sentences, and their form for the Trainer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from framing.arrays import FloatArray, LabelArray
from framing.codebook import Codebook
from framing.encoding import TokenizedSentence, pad
from framing.records import Sentence

if TYPE_CHECKING:
    import datasets
    import torch


#: A short first part of a word before its hyphen: de-escalate, pre-empt; not mid-June.
_HYPHEN = re.compile(r"(?<![\w-])([^\W\d_]{2,4})-(?=[^\W\d_A-Z]{4})")


def with_joined_hyphens(
    sentences: Sequence[Sentence], share: float, rng: np.random.Generator
) -> list[Sentence]:
    """Write "de-escalate" as "deescalate" in some sentences and the ones before them.

    Writers differ, and a tokenizer knows the two spellings by different pieces, so a model that
    learnt one of them misses the other.

    Args:
        sentences: Training sentences.
        share: Share of the sentences to change, in [0, 1].
        rng: Chooses them.

    Returns:
        The sentences in the same order; those without such a word are the same.
    """
    chosen = rng.random(len(sentences)) < share
    return [
        replace(s, text=_joined(s.text), previous=_joined(s.previous)) if change else s
        for s, change in zip(sentences, chosen, strict=True)
    ]


def _joined(text: str) -> str:
    return _HYPHEN.sub(r"\1", text)


@dataclass(frozen=True)
class Targets:
    """What a model shall learn.

    Attributes:
        values: Target probabilities, shape (n, logits).
        weights: Weight of each head for each sentence, shape (n, heads); 0 where uncoded.
    """

    values: FloatArray
    weights: FloatArray


def hard_targets(gold: LabelArray) -> Targets:
    """Targets from gold labels: 0 or 1, weight 1 where a head was coded."""
    return Targets(gold.values.astype(np.float64), gold.coded.astype(np.float64))


def smoothed(targets: Targets, book: Codebook, amount: float) -> Targets:
    """Replace a share of each target by the label's mean target.

    Args:
        targets: Of the training sentences.
        book: The codebook.
        amount: The share, in [0, 1).

    Returns:
        Smoothed targets; rows of single_label heads still sum to one.
    """
    values = targets.values.copy()
    for column, head in enumerate(book.heads):
        weight = targets.weights[:, column : column + 1]
        block = values[:, head.slice]
        mean = (block * weight).sum(axis=0) / max(float(weight.sum()), 1e-9)
        values[:, head.slice] = (1 - amount) * block + amount * mean
    return Targets(values, targets.weights)


def class_weights(targets: Targets, book: Codebook, exponent: float) -> FloatArray:
    """Factors on the loss of each label that raise rare labels.

    Args:
        targets: Of the training sentences.
        book: The codebook.
        exponent: 0 gives ones; 1 gives balance.

    Returns:
        Shape (logits,). multi_label: (absent / present) ** exponent. single_label: the inverse
        frequency ** exponent, scaled so that the expected factor is one.
    """
    out = np.ones(book.n_logits)
    for column, head in enumerate(book.heads):
        weight = targets.weights[:, column : column + 1]
        present = (targets.values[:, head.slice] * weight).sum(axis=0)
        total = float(weight.sum())
        if head.kind == "multi_label":
            factor = (np.maximum(total - present, 1) / np.maximum(present, 1)) ** exponent
        else:
            factor = (max(total, 1) / np.maximum(present, 1)) ** exponent
            factor = factor / max(float((factor * present).sum()) / max(total, 1), 1e-9)
        out[head.slice] = factor
    return out


def to_dataset(
    sentences: Sequence[TokenizedSentence],
    targets: Targets,
    factors: FloatArray,
    ngram_logits: FloatArray | None = None,
) -> datasets.Dataset:
    """A `datasets.Dataset` for the Trainer.

    Args:
        sentences: Tokenized.
        targets: Of the same sentences.
        factors: Factor on the loss of each sentence, shape (n,).
        ngram_logits: In place of those of the model's own table, shape (n, logits).

    Returns:
        Columns ``input_ids``, ``token_type_ids``, ``labels``, ``label_weights`` and, where given,
        ``ngram_logits``.
    """
    import datasets

    columns = {
        "input_ids": [list(s.ids) for s in sentences],
        "token_type_ids": [list(s.type_ids) for s in sentences],
        "labels": targets.values.astype(np.float32).tolist(),
        "label_weights": (targets.weights * factors[:, None]).astype(np.float32).tolist(),
    }
    if ngram_logits is not None:
        columns["ngram_logits"] = ngram_logits.astype(np.float32).tolist()
    return datasets.Dataset.from_dict(columns)


class LengthBuckets:
    """A sampler whose batches hold sentences of like length, in random order.

    Sentences are shuffled, cut into pools of `POOL` batches, sorted by length within a pool and
    cut into batches; then all batches are shuffled. Little is padded, and the length of a batch
    tells nothing of the next one's.

    Args:
        lengths: Tokens of each sentence.
        batch_size: Sentences a batch.
        seed: Of the order; each epoch has its own.
    """

    POOL = 50

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; accelerate calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.lengths))
        pool = self.POOL * self.batch_size
        batches = []
        for start in range(0, len(order), pool):
            part = order[start : start + pool]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += [part[k : k + self.batch_size] for k in range(0, len(part), self.batch_size)]
        # A short batch anywhere but at the end would shift the borders of all that follow.
        last = [batches.pop()] if len(batches[-1]) < self.batch_size else []
        for index in rng.permutation(len(batches)):
            yield from batches[index].tolist()
        for batch in last:
            yield from batch.tolist()


@dataclass(frozen=True)
class Collator:
    """Pads a batch of rows that `to_dataset` made.

    Attributes:
        pad_id: Token id of padding.
        uses_type_ids: Whether the model takes segment ids.
    """

    pad_id: int
    uses_type_ids: bool

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Stack rows into tensors."""
        import torch

        batch = pad(
            (TokenizedSentence(tuple(r["input_ids"]), tuple(r["token_type_ids"])) for r in rows),
            self.pad_id,
        )
        if not self.uses_type_ids:
            del batch["token_type_ids"]
        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        for name in ("labels", "label_weights", "ngram_logits"):
            if name not in rows[0]:
                continue
            tensors[name] = torch.tensor([r[name] for r in rows], dtype=torch.float32)
        return tensors
