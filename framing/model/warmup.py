"""What comes before fine-tuning: a last layer that already knows something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from framing.arrays import FloatArray
from framing.codebook import Codebook
from framing.encoding import pad
from framing.model.linear import fit_linear_heads

if TYPE_CHECKING:
    from framing.model.classifier import SentenceClassifier
    from framing.model.finetune import Examples

#: Inverse strength of the penalty on the linear layer's first weights.
START_C = 1.0
_BATCH = 64


def linear_start(
    model: SentenceClassifier, train: Examples, book: Codebook, *, pad_id: int
) -> None:
    """Give the linear layer the weights of a logistic regression on the encoder's states.

    Fine-tuning then does not begin by distorting the encoder for the sake of a random layer (Kumar
    et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution").

    Args:
        model: With mean pooling; its linear layer is set.
        train: Training sentences with gold labels and factors.
        book: The codebook.
        pad_id: Token id of padding.
    """
    import torch

    states = _states(model, train, pad_id)
    # Regression wants features of like size; the layer takes the scale back.
    scale = (states.std(axis=0) + 1e-6) * np.sqrt(states.shape[1])
    heads = fit_linear_heads(states / scale, train.gold, book, START_C, train.factors)
    with torch.no_grad():
        model.linear.weight.copy_(torch.from_numpy((heads.weights / scale[:, None]).T))
        model.linear.bias.copy_(torch.from_numpy(heads.bias))


def _states(model: SentenceClassifier, train: Examples, pad_id: int) -> FloatArray:
    import torch

    device = next(model.parameters()).device
    model.eval()
    out = []
    with torch.inference_mode():
        for start in range(0, len(train.sentences), _BATCH):
            batch = pad(train.sentences[start : start + _BATCH], pad_id)
            tensors = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
            out.append(model.pooled(**tensors).float().cpu().numpy())
    return np.concatenate(out).astype(np.float64)
