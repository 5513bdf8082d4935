"""Checkpoint -> bundle: an ONNX graph and all that inference needs beside it."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framing import __version__
from framing.artifacts import BUNDLE, atomic_path, write_json, write_manifest, write_text
from framing.codebook import Codebook
from framing.decisions import Decisions
from framing.encoding import (
    OWN_PLACES,
    PAIR_INPUTS,
    InputSettings,
    TokenizedSentence,
    graph_inputs,
)
from framing.errors import ArtifactError
from framing.inference.bundle import BundleSettings, open_graphs
from framing.inference.development import Outcomes, save_outcomes
from framing.inference.graphs import (
    GRAPH_OUTPUT,
    JOINED_INPUTS,
    READ_INPUTS,
    READ_OUTPUT,
)

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
    """Write an ONNX graph that takes batches of pairs, with free batch and length axes.

    Args:
        model: In evaluation mode, float32, on the CPU.
        path: Where the graph shall stand.
        output: ``logits``, or `POOLED` for the encoder's mean-pooled states alone.

    Returns:
        Names of the graph's inputs.
    """
    import torch

    names = ["input_ids", "attention_mask"]
    if model.uses_type_ids:
        names.append("token_type_ids")
    if model.parts_tokens and (output == GRAPH_OUTPUT or model.config.read_apart):
        names.append(OWN_PLACES)
    inputs = {
        name: (torch.from_numpy(example), "own" if name == OWN_PLACES else "length")
        for name, example in graph_inputs(_ROWS, 0, names).items()
    }

    def pooled(*inputs: torch.Tensor) -> torch.Tensor:
        return model.pooled(**dict(zip(names, inputs, strict=True)))

    def logits(*inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model(**dict(zip(names, inputs, strict=True))).logits
        return found

    _write_graph(model, pooled if output == POOLED else logits, inputs, path, output)
    return tuple(names)


def export_parts(model: SentenceClassifier, graph: Path, reading: Path) -> tuple[str, ...]:
    """Write the two graphs of a model that reads sentence and context apart.

    Args:
        model: In evaluation mode, float32, on the CPU.
        graph: Where the graph that gives logits shall stand.
        reading: Where the graph that reads shall stand.

    Returns:
        Names of the inputs of the graph that gives logits.
    """
    import torch

    # One tensor for both would make one input of them.
    inputs = {name: (torch.ones((2, 7), dtype=torch.int64), "length") for name in READ_INPUTS}
    _write_graph(model, model.apart_states, inputs, reading, READ_OUTPUT)
    examples: list[tuple[torch.Tensor, str]] = []
    for name, length in (("own", 7), ("context", 5)):
        mask = torch.ones((2, length), dtype=torch.int64)
        with torch.no_grad():
            states = model.apart_states(mask, mask)
        examples += [(states, name), (mask, name)]
    inputs = dict(zip(JOINED_INPUTS, examples, strict=True))
    _write_graph(model, model.joined_logits, inputs, graph, GRAPH_OUTPUT)
    return JOINED_INPUTS


#: Two rows of unlike length: an axis of size one would be taken for a constant.
_ROWS = tuple(TokenizedSentence((1,) * n, (0,) * 3 + (1,) * (n - 3)) for n in (7, 5))


def _write_graph(
    model: SentenceClassifier,
    function: Callable[..., torch.Tensor],
    inputs: Mapping[str, tuple[torch.Tensor, str]],
    path: Path,
    output: str,
) -> None:
    """Write a function of a model as a graph.

    Args:
        model: Owns the weights.
        function: Takes the inputs in their order.
        inputs: Name of each -> an example of two rows, and what its second axis is called.
        path: Where the graph shall stand.
        output: Name of what the function gives.
    """
    import onnx
    import torch

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return function(*inputs)

    batch = torch.export.Dim("batch")
    lengths = {axis: torch.export.Dim(axis) for _, axis in inputs.values()}
    axes = tuple({0: batch, 1: lengths[axis]} for _, axis in inputs.values())
    with _quiet(), atomic_path(path) as temporary:
        program: Any = torch.onnx.export(
            Exported().eval(),
            tuple(example for example, _ in inputs.values()),
            input_names=list(inputs),
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
    inputs = export_model(model, folder)
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
    check_parity(model, folder, inputs)
    return write_manifest(folder, BUNDLE.manifest)


def export_model(model: SentenceClassifier, folder: Path) -> tuple[str, ...]:
    """Write the graph or the two graphs of a bundle.

    Args:
        model: In evaluation mode, float32, on the CPU.
        folder: Of the bundle.

    Returns:
        Names of the inputs of the graph that gives logits.
    """
    # Logits of n-grams are those of pairs.
    if model.config.read_apart and model.ngrams is None:
        return export_parts(model, folder / BUNDLE.graph, folder / BUNDLE.reading)
    return export_graph(model, folder / BUNDLE.graph)


def write_tokenizer(path: Path, tokenizer: Any) -> None:
    """Write the ``tokenizer.json`` of a fast tokenizer, without padding or truncation."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    write_text(path, backend.to_str())


def pad_id(tokenizer: Any) -> int:
    """Token id of padding; 0 for tokenizers without one, since padding is masked anyway."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)


def check_parity(model: SentenceClassifier, folder: Path, inputs: Sequence[str]) -> None:
    """Compare graphs and model on sequences of unlike lengths.

    Args:
        model: The torch model.
        folder: Where the graphs of `export_model` stand.
        inputs: What that gave.

    Raises:
        ArtifactError: Logits differ by more than `TOLERANCE`.
    """
    import torch

    graphs = open_graphs(folder, inputs, pad_id=0)
    pairs = inputs if graphs.reading is None else PAIR_INPUTS[:3]
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
        feeds = graph_inputs(rows, 0, pairs)
        with torch.no_grad():
            expected = model(**{k: torch.from_numpy(v) for k, v in feeds.items()}).logits.numpy()
        difference = float(np.abs(graphs.run(rows) - expected).max())
        if not difference <= TOLERANCE:
            raise ArtifactError(
                f"{folder / BUNDLE.graph}: the exported graph differs from the model by "
                f"{difference:.2g} (accepted: {TOLERANCE:.0e}); this encoder cannot be exported "
                "faithfully with the installed torch and onnxscript"
            )
