"""From logits to calibrated probabilities to decided labels.

Fitted on the development split by `framing.model.calibration`, stored with the model, applied
everywhere: training, evaluation and inference share this code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from framing.arrays import BoolArray, FloatArray
from framing.codebook import Codebook
from framing.records import Prediction

#: A label or head with fewer instances than this on the development split keeps the identity.
MIN_INSTANCES = 5


@dataclass(frozen=True, slots=True)
class Decisions:
    """Calibration and thresholds, one entry a logit.

    Calibrated logit = scale * logit + bias. In single_label heads the scale is the inverse of
    one temperature (Guo et al. 2017, "On Calibration of Modern Neural Networks"); in
    multi_label heads it is Platt scaling, label by label.

    Attributes:
        scale: Factors.
        bias: Offsets, added after scaling.
        threshold: A label of a multi_label head is decided when its calibrated probability is
            at least this; not used in single_label heads.
    """

    scale: tuple[float, ...]
    bias: tuple[float, ...]
    threshold: tuple[float, ...]

    @classmethod
    def identity(cls, n_logits: int) -> Decisions:
        """No calibration, thresholds of one half."""
        return cls((1.0,) * n_logits, (0.0,) * n_logits, (0.5,) * n_logits)

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Decisions:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(*(tuple(map(float, fields[k])) for k in ("scale", "bias", "threshold")))


def uncalibrated(decisions: Decisions, book: Codebook) -> Iterator[tuple[str, str]]:
    """What keeps its raw probabilities, since the development split had too few sentences.

    A fit never ends on exactly the identity, so nothing else needs to be stored.

    Args:
        decisions: The fitted calibration.
        book: Gives heads and labels.

    Yields:
        Head name and label of multi_label heads, head name and "" of single_label heads.
    """
    raw = [(s, b) == (1.0, 0.0) for s, b in zip(decisions.scale, decisions.bias, strict=True)]
    for head in book.heads:
        if head.kind == "single_label":
            if raw[head.start]:
                yield head.name, ""
            continue
        for label, is_raw in zip(head.labels, raw[head.slice], strict=True):
            if is_raw:
                yield head.name, label


def calibrated_probabilities(
    logits: NDArray[np.floating], book: Codebook, decisions: Decisions
) -> FloatArray:
    """Apply calibration, then sigmoid or softmax head by head.

    Args:
        logits: Shape (n, logits).
        book: Gives the heads.
        decisions: The fitted calibration.

    Returns:
        Probabilities, shape (n, logits); rows of single_label heads sum to one.
    """
    z = logits.astype(np.float64) * np.array(decisions.scale) + np.array(decisions.bias)
    out: FloatArray = np.empty(z.shape)
    for head in book.heads:
        block = z[:, head.slice]
        if head.kind == "multi_label":
            # Two branches of one formula: exp never sees a large positive number.
            e = np.exp(-np.abs(block))
            out[:, head.slice] = np.where(block >= 0, 1 / (1 + e), e / (1 + e))
        else:
            e = np.exp(block - block.max(axis=1, keepdims=True))
            out[:, head.slice] = e / e.sum(axis=1, keepdims=True)
    return out


def margins(
    logits: NDArray[np.floating], decisions: Decisions, columns: Sequence[int]
) -> FloatArray:
    """How far calibrated logits lie above the boundary at which a label is decided.

    scale * logit + bias - log(threshold / (1 - threshold)): 0 at the boundary, whatever the label,
    so that unlike raw logits they can be compared from label to label.

    Args:
        logits: Shape (n, logits).
        decisions: The fitted calibration and thresholds.
        columns: Logits of multi_label heads.

    Returns:
        Shape (n, columns); -inf where a threshold is 1, inf where it is 0.
    """
    wanted = list(columns)
    scale, bias, threshold = (
        np.array(x)[wanted] for x in (decisions.scale, decisions.bias, decisions.threshold)
    )
    with np.errstate(divide="ignore"):
        boundary = np.log(threshold) - np.log1p(-threshold)
    out: FloatArray = logits[:, wanted].astype(np.float64) * scale + bias - boundary
    return out


def decide(
    probabilities: FloatArray, book: Codebook, decisions: Decisions
) -> list[dict[str, tuple[str, ...]]]:
    """Decide labels: thresholds in multi_label heads, the most probable in single_label heads.

    Args:
        probabilities: Calibrated, shape (n, logits).
        book: Gives heads and labels.
        decisions: Gives thresholds.

    Returns:
        Head name -> labels for each row. Heads that depend on a label which is not decided are
        left out. Ties in single_label heads go to the label that stands first in the codebook.
    """
    threshold = np.array(decisions.threshold)
    present: BoolArray = probabilities >= threshold
    best = {h.name: probabilities[:, h.slice].argmax(axis=1) for h in book.heads}
    out = []
    for row in range(len(probabilities)):
        labels: dict[str, tuple[str, ...]] = {}
        for head in book.heads:
            if head.kind == "multi_label":
                flags = present[row, head.slice]
                labels[head.name] = tuple(x for x, p in zip(head.labels, flags, strict=True) if p)
        for head in book.heads:
            if head.kind == "single_label" and _condition_met(
                head.condition, head.variable, labels, book
            ):
                labels[head.name] = (head.labels[int(best[head.name][row])],)
        out.append(labels)
    return out


def _condition_met(
    condition: str | None, variable: str, labels: dict[str, tuple[str, ...]], book: Codebook
) -> bool:
    if condition is None:
        return True
    parent = book.variable(variable).per
    return parent is not None and condition in labels[parent]


def to_predictions(
    ids: Sequence[str],
    probabilities: FloatArray,
    book: Codebook,
    decisions: Decisions,
    bundle: str,
) -> list[Prediction]:
    """Bundle probabilities and decided labels into records.

    Args:
        ids: Sentence ids, one a row.
        probabilities: Calibrated, shape (n, logits).
        book: The codebook.
        decisions: Gives thresholds.
        bundle: Hash of the model's bundle or name of a baseline.

    Returns:
        One prediction a row.
    """
    labels = decide(probabilities, book, decisions)
    return [
        Prediction(
            sentence_id=sentence_id,
            probabilities={
                h.name: tuple(float(p) for p in probabilities[row, h.slice]) for h in book.heads
            },
            labels=labels[row],
            bundle=bundle,
        )
        for row, sentence_id in enumerate(ids)
    ]
