"""Labelling on a GPU: a run's torch model answers in place of the bundle's graph.

Everything else stays as it is: the bundle's tokenizer, calibration, thresholds and screen. The
graph is for processors; with torch the same code serves every accelerator that torch knows, and any
encoder.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from framing.artifacts import RUN
from framing.encoding import PAIR_INPUTS
from framing.errors import ArtifactError, ConfigError, DependencyError, OutputError
from framing.inference.bundle import Bundle, load_bundle
from framing.inference.graphs import GRAPH_OUTPUT, Graphs
from framing.inference.labeller import Labeller
from framing.inference.model import Model

if TYPE_CHECKING:
    import torch
    from onnxruntime import InferenceSession

    from framing.model.classifier import SentenceClassifier

#: Tokens of a batch, padding included: a GPU idles on what fills two cores.
TOKEN_BUDGET = 16_384


class TorchSession:
    """Answers as an onnxruntime session does, from a torch model.

    Args:
        model: In evaluation mode, float32.
        device: Where it computes; the model is moved there.
        half: Whether matrix products are computed in float16; sums stay in float32.

    Raises:
        OutputError: The device's memory is too small.
    """

    def __init__(self, model: SentenceClassifier, device: torch.device, *, half: bool) -> None:
        with _memory(device):
            # Its annotation in transformers takes no device.
            self.model: SentenceClassifier = cast("Any", model).to(device)
        self.device = device
        self.half = half

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[Any]:
        """Logits of a batch.

        Args:
            outputs: `GRAPH_OUTPUT` alone.
            feeds: The graph's inputs, each of shape (batch, length).

        Returns:
            One array of shape (batch, logits), float32.

        Raises:
            OutputError: The device's memory is too small.
        """
        import torch

        if list(outputs) != [GRAPH_OUTPUT]:
            raise ValueError(f"outputs: expected {[GRAPH_OUTPUT]}, found {list(outputs)}")
        autocast = torch.autocast(self.device.type, torch.float16, enabled=self.half)
        with _memory(self.device), torch.inference_mode(), autocast:
            tensors = {name: torch.from_numpy(a).to(self.device) for name, a in feeds.items()}
            logits = self.model(**tensors).logits
            return [logits.cpu().numpy().astype(np.float32)]


@contextlib.contextmanager
def _memory(device: torch.device) -> Iterator[None]:
    """Tell a device's want of memory as an error.

    Raises:
        OutputError: Its memory is too small.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise OutputError(
            f"{device}: its memory is too small beside what else runs there; free some, then run "
            "the same command again, which continues; or label on the processor"
        ) from None


def load_on(path: Path | str, device: str, screen: float | None = None) -> Model:
    """Open a run whose model computes on a device; see `framing.load`.

    Raises:
        ArtifactError: There is no bundle, no checkpoint or no screen.
        ConfigError: torch sees no such device here.
        DependencyError: torch or transformers is not installed.
    """
    return Model(device_labeller(load_bundle(path), Path(path), device, screen))


def device_labeller(
    bundle: Bundle, run: Path, device: str, recall: float | None = None
) -> Labeller:
    """A labeller whose model computes on a device.

    Args:
        bundle: The run's bundle.
        run: The run's folder, which has a checkpoint beside the bundle.
        device: As torch names it, such as ``cuda``, ``cuda:1`` or ``mps``.
        recall: Of the screen; None without one.

    Raises:
        ArtifactError: There is no checkpoint, or no screen.
        ConfigError: torch sees no such device here.
        DependencyError: torch or transformers is not installed.
    """
    try:
        from framing.model.classifier import load_classifier
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"labelling on {device} needs the package {error.name!r}; install the extra: "
            "pip install 'framing[train]'"
        ) from None
    place = find_device(device)
    checkpoint = run / RUN.checkpoint
    if not checkpoint.is_dir():
        raise ArtifactError(
            f"{run}: expected {RUN.checkpoint}/ in it, since on {device} the torch model labels; "
            "name the run's folder in place of a bundle's, or label on the processor"
        )
    try:
        model = load_classifier(checkpoint, "sdpa")
    except ValueError:
        # Such as DeBERTa, which transformers gives no other attention.
        model = load_classifier(checkpoint)
    session = TorchSession(model, place, half=place.type != "cpu")
    # The torch model takes pairs, even where the processor has two graphs for their parts.
    inputs = bundle.settings.inputs
    if bundle.graphs.reading is not None:
        inputs = PAIR_INPUTS[:3]
    graphs = Graphs(cast("InferenceSession", session), inputs, bundle.settings.pad_id)
    bundle = dataclasses.replace(bundle, graphs=graphs)
    return Labeller(bundle, TOKEN_BUDGET, recall)


def find_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        ConfigError: There is none.
    """
    import torch

    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(
            f"device: expected a name such as cpu, cuda, cuda:1, mps or xpu, found {name!r}"
        ) from None
    found = torch.accelerator.current_accelerator(check_available=True)
    count = 0 if found is None else torch.accelerator.device_count()
    if device.type == "cpu" or (
        found and found.type == device.type and (device.index or 0) < count
    ):
        return device
    seen = f"{count} of type {found.type}" if found else "no accelerator"
    raise ConfigError(
        f"device: {name!r} is not here: torch {torch.__version__} sees {seen}; install a build of "
        "torch for it, name another device, or label on the processor (cpu)"
    )
