"""Checkpoint -> bundle: an ONNX graph and all that inference needs beside it."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framing import __version__
from framing.artifacts import BUNDLE, atomic_path, write_json, write_manifest, write_text
from framing.codebook import Codebook
from framing.decisions import Decisions
from framing.encoding import OWN_PLACES, InputSettings, TokenizedSentence, graph_inputs
from framing.errors import ArtifactError
from framing.inference.bundle import GRAPH_OUTPUT, BundleSettings, open_session
from framing.inference.development import Outcomes, save_outcomes

if TYPE_CHECKING:
    import torch

    from framing.model.classifier import SentenceClassifier

#: Largest accepted difference of a logit between the exported graph and the torch model.
TOLERANCE = 1e-3
_OPSET = 20

#: Output of a graph that ends before the linear layer.
POOLED = "pooled"


def export_graph(
    model: SentenceClassifier, path: Path, output: str = GRAPH_OUTPUT
) -> tuple[str, ...]:
    """Write an ONNX graph with free batch and length axes.

    Args:
        model: In evaluation mode, float32, on the CPU.
        path: Where the graph shall stand.
        output: ``logits``, or `POOLED` for the encoder's mean-pooled states alone.

    Returns:
        Names of the graph's inputs.
    """
    import onnx
    import torch

    names = ["input_ids", "attention_mask"]
    if model.uses_type_ids:
        names.append("token_type_ids")
    if model.parts_tokens and output == GRAPH_OUTPUT:
        names.append(OWN_PLACES)
    # Two rows of unlike length: an axis of size one would be taken for a constant.
    rows = [TokenizedSentence((1,) * n, (0,) * 3 + (1,) * (n - 3)) for n in (7, 5)]
    batch, length, own = (torch.export.Dim(name) for name in ("batch", "length", "own"))
    values = graph_inputs(rows, 0, names)
    axes = tuple({0: batch, 1: own if name == OWN_PLACES else length} for name in names)
    with _quiet(), atomic_path(path) as temporary:
        program: Any = torch.onnx.export(
            _Exported(model, output, names),
            tuple(torch.from_numpy(values[name]) for name in names),
            input_names=names,
            output_names=[output],
            dynamic_shapes={"inputs": axes},
            opset_version=_OPSET,
            dynamo=True,
        )
        # Traces of the export, with paths of this machine, are nothing to publish.
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()
        # The program's own `save` parts graph and weights from 1.5 GB on.
        onnx.save(program.model_proto, str(temporary))
    return tuple(names)


def _Exported(  # noqa: N802
    model: SentenceClassifier, output: str, names: Sequence[str]
) -> torch.nn.Module:
    import torch

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            if output == POOLED:
                return self.model.pooled(*inputs)
            logits: torch.Tensor = self.model(**dict(zip(names, inputs, strict=True))).logits
            return logits

    return Exported().eval()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's progress lines and advice to its own developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def write_bundle(
    folder: Path,
    *,
    model: SentenceClassifier,
    tokenizer: Any,
    book: Codebook,
    decisions: Decisions,
    settings: InputSettings,
    run: str,
    development: Outcomes,
) -> str:
    """Write a bundle and check that its graph gives the model's logits.

    Args:
        folder: Replaced if it exists.
        model: In evaluation mode, float32, on the CPU.
        tokenizer: The encoder's fast tokenizer.
        book: The codebook.
        decisions: Fitted calibration and thresholds.
        settings: Input settings of the training.
        run: Name of the run.
        development: What the model decides on the development split.

    Returns:
        The bundle's hash.

    Raises:
        ArtifactError: The exported graph does not give the model's logits.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    inputs = export_graph(model, folder / BUNDLE.graph)
    write_tokenizer(folder / BUNDLE.tokenizer, tokenizer)
    write_json(folder / BUNDLE.codebook, book.to_dict())
    write_text(folder / BUNDLE.decisions, decisions.to_json())
    save_outcomes(folder / BUNDLE.development, development)
    bundle_settings = BundleSettings(
        run=run,
        context=settings.context,
        max_length=settings.max_length,
        pad_id=pad_id(tokenizer),
        inputs=inputs,
        version=__version__,
        codebook_hash=book.hash,
        mark_target=settings.mark_target,
    )
    write_text(folder / BUNDLE.settings, bundle_settings.to_json())
    check_parity(model, folder / BUNDLE.graph, inputs)
    return write_manifest(folder, BUNDLE.manifest)


def write_tokenizer(path: Path, tokenizer: Any) -> None:
    """Write the ``tokenizer.json`` of a fast tokenizer, without padding or truncation."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    write_text(path, backend.to_str())


def pad_id(tokenizer: Any) -> int:
    """Token id of padding; 0 for tokenizers without one, since padding is masked anyway."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def check_parity(model: SentenceClassifier, graph: Path, inputs: Sequence[str]) -> None:
    """Compare graph and model on sequences of unlike lengths.

    Raises:
        ArtifactError: Logits differ by more than `TOLERANCE`.
    """
    import torch

    session = open_session(graph)
    generator = np.random.default_rng(0)
    vocabulary = model.config.encoder["vocab_size"]
    for batch, length in ((1, 3), (5, 40)):
        first = length // 3
        lengths = [*[length] * (batch - 1), length // 2 + 1]
        rows = [
            TokenizedSentence(
                tuple(generator.integers(0, vocabulary, n).tolist()),
                (0,) * first + (1,) * (n - first),
            )
            for n in lengths
        ]
        feeds = graph_inputs(rows, 0, inputs)
        with torch.no_grad():
            expected = model(**{k: torch.from_numpy(v) for k, v in feeds.items()}).logits.numpy()
        found = session.run([GRAPH_OUTPUT], feeds)[0]
        difference = float(np.abs(found - expected).max())
        if not difference <= TOLERANCE:
            raise ArtifactError(
                f"{graph}: the exported graph differs from the model by {difference:.2g} "
                f"(accepted: {TOLERANCE:.0e}); this encoder cannot be exported faithfully with "
                "the installed torch and onnxscript"
            )
