"""Sentence-level framing and stance: train, evaluate, and label offline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from framing.inference.model import Model

__version__ = "0.1.0"

# onnxruntime reports its use to its maker unless told otherwise before it is imported; it would
# ask the network for that, and leave a number that stands for this machine in a temporary file.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def load(path: Path | str, screen: float | None = None, device: str = "cpu") -> Model:
    """Open a run or a bundle, to label texts with it.

    Args:
        path: Its folder.
        screen: Dismiss sentences by a fast linear model first, and keep this share (such as 0.99)
            of those that the model would label.
        device: Where the model computes: ``cpu``, or as torch names it ``cuda``, ``cuda:1``,
            ``mps``, ... That takes a run's folder and the extra ``[train]``.

    Returns:
        A model whose ``label`` takes lists of texts and data frames; several threads may use it.

    Raises:
        ArtifactError: There is no bundle, or it is incomplete or altered; or there is no
            checkpoint for the device.
        ConfigError: There is no such device.
        DependencyError: The device needs torch, which is not installed.
    """
    if device == "cpu":
        from framing.inference.model import load as load_model

        return load_model(path, screen)
    from framing.device import load_on

    return load_on(path, device, screen)
