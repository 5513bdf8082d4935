"""Encoders kept as what was learnt beyond another: an eighth of the size of the whole.

A difference is small beside the weights it is added to, so eight bits an entry and a scale a row
lose little. Singular value decomposition down to rank 64 made a smaller file and lost a third of
what had been learnt (experiments/007-distilled-encoder).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from framing.arrays import FloatArray, row_scaled
from framing.artifacts import atomic_path, printable
from framing.errors import ArtifactError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SCALE = ".scale"
#: Largest value of an entry; symmetric, so that zero stays zero.
_LIMIT = 127


def write_difference(path: Path, differences: Mapping[str, FloatArray], about: str) -> None:
    """Write what was learnt.

    Args:
        path: A safetensors file.
        differences: Name of a parameter -> what is to be added to it. Matrices become int8,
            vectors float16; parameters that did not change are left out.
        about: What it belongs to, kept in the file.
    """
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {}
    for name, values in differences.items():
        if values.ndim == 2:
            tensors[name], tensors[name + _SCALE] = row_scaled(values, _LIMIT)
        else:
            tensors[name] = values.astype(np.float16)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"about": about})


def add_difference(model: PreTrainedModel, path: Path) -> None:
    """Add what was learnt to an encoder's weights, in place.

    Args:
        model: The encoder that the difference belongs to.
        path: A file of `write_difference`.

    Raises:
        ArtifactError: The file cannot be read, or belongs to another encoder.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{printable(path)}: expected the weights of an encoder, which come with framing: "
            f"{error}; reinstall framing"
        ) from None
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, values in found.items():
            if name.endswith(_SCALE):
                continue
            scale = found.get(name + _SCALE, np.float32(1))
            change = torch.from_numpy(values.astype(np.float32) * scale)
            if name not in parameters or parameters[name].shape != change.shape:
                raise ArtifactError(
                    f"{printable(path)}: {name}, of shape {tuple(change.shape)}, is no parameter "
                    "of the encoder it is to be added to; reinstall framing"
                )
            parameters[name].add_(change)
