"""What comes before fine-tuning where training sentences are few.

A contrastive warm-up pulls sentences of like labels together (as SetFit does with sampled pairs;
here every step compares all sentences of a batch), and a linear start gives the last layer the
weights of a logistic regression, so that fine-tuning does not begin by distorting the encoder for
the sake of a random layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from framing.arrays import FloatArray, LabelArray
from framing.codebook import Codebook
from framing.encoding import pad
from framing.model.linear import fit_linear_heads

if TYPE_CHECKING:
    import torch

    from framing.model.classifier import SentenceClassifier
    from framing.model.finetune import Examples

#: Sentences of a contrastive step; more see more pairs, and take longer.
BATCH = 64
#: Divides similarities (Khosla et al. 2020, "Supervised Contrastive Learning", use 0.1).
TEMPERATURE = 0.1
#: Inverse strength of the penalty on the linear layer's first weights.
START_C = 1.0


def contrastive_warm_up(
    model: SentenceClassifier,
    train: Examples,
    book: Codebook,
    *,
    pad_id: int,
    steps: int,
    learning_rate: float,
    rng: np.random.Generator,
) -> None:
    """Train the encoder so that sentences with like labels have like states, in place.

    Args:
        model: Its encoder is trained, the linear layer is not.
        train: Training sentences with gold labels.
        book: The codebook.
        pad_id: Token id of padding.
        steps: Optimiser steps.
        learning_rate: Falls linearly to nothing.
        rng: Chooses the sentences of each step.
    """
    import torch

    vectors = label_vectors(train.gold, book)
    share = train.factors / train.factors.sum()
    size = min(BATCH, int((share > 0).sum()))
    device = next(model.parameters()).device
    parameters = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    model.train()
    for _ in range(steps):
        rows = rng.choice(len(share), size, replace=False, p=share)
        batch = pad((train.sentences[int(k)] for k in rows), pad_id)
        tensors = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
        wanted = torch.from_numpy(vectors[rows] @ vectors[rows].T).float().to(device)
        loss = contrastive_loss(model.pooled(**tensors), wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    model.eval()


def contrastive_loss(states: torch.Tensor, likeness: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss with graded likeness.

    Khosla et al. (2020), equation 2, where the mean over positives is weighted by their likeness.

    Args:
        states: Shape (n, hidden).
        likeness: Shape (n, n), from 0 to 1.

    Returns:
        A scalar; 0 where no sentence has another like it.
    """
    import torch

    unit = torch.nn.functional.normalize(states, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -1e4)
    weights = likeness.masked_fill(itself, 0.0)
    total = weights.sum(dim=1)
    each = -(weights * similarity.log_softmax(dim=1)).sum(dim=1) / total.clamp(min=1e-6)
    chosen = total > 0
    return each[chosen].mean() if bool(chosen.any()) else each.sum() * 0


def label_vectors(gold: LabelArray, book: Codebook) -> FloatArray:
    """Labels of sentences as vectors of length one; their products say how alike they are.

    Variables that are coded once per label of another do not count, nor do uncoded heads. A
    sentence without any label of a multi_label variable is like others without.

    Args:
        gold: Of n sentences.
        book: The codebook.

    Returns:
        Shape (n, labels); zero where nothing was coded.
    """
    columns = []
    for k, head in enumerate(book.heads):
        if head.condition is not None:
            continue
        values = gold.values[:, head.slice] & gold.coded[:, [k]]
        if head.kind == "multi_label":
            values = np.column_stack([values, gold.coded[:, k] & ~values.any(axis=1)])
        columns.append(values)
    vectors = np.hstack(columns).astype(np.float64)
    length = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    unit: FloatArray = vectors / np.maximum(length, 1e-6)
    return unit


def linear_start(
    model: SentenceClassifier, train: Examples, book: Codebook, *, pad_id: int
) -> None:
    """Give the linear layer the weights of a logistic regression on the encoder's states.

    Kumar et al. (2022), "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution": linear probing, then fine-tuning.

    Args:
        model: With mean pooling; its linear layer is set.
        train: Training sentences with gold labels.
        book: The codebook.
        pad_id: Token id of padding.
    """
    import torch

    states = _states(model, train, pad_id)
    # Regression wants features of like size; the layer takes the scale back.
    scale = states.std(axis=0) + 1e-6
    features = states / scale / np.sqrt(states.shape[1])
    heads = fit_linear_heads(features, train.gold, book, START_C, train.factors)
    weights = heads.weights / (scale * np.sqrt(states.shape[1]))[:, None]
    with torch.no_grad():
        model.linear.weight.copy_(torch.from_numpy(weights.T))
        model.linear.bias.copy_(torch.from_numpy(heads.bias))


def _states(model: SentenceClassifier, train: Examples, pad_id: int) -> FloatArray:
    import torch

    device = next(model.parameters()).device
    model.eval()
    out = []
    with torch.inference_mode():
        for start in range(0, len(train.sentences), BATCH):
            batch = pad(train.sentences[start : start + BATCH], pad_id)
            tensors = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
            out.append(model.pooled(**tensors).float().cpu().numpy())
    return np.concatenate(out).astype(np.float64)
