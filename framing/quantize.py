"""int8 weights for an exported graph: down to a quarter of the size, and faster on every CPU.

Matrix products get weights of one scale an output channel and activations of one scale a tensor,
fixed beforehand from example sentences: with scales taken from each batch, what a sentence is
labelled would depend on the sentences beside it. Weights keep seven bits: with eight, CPUs without
VNNI saturate in the middle of a product, and a bundle would give other results there than on the
machine that checked it. Look-up tables (word embeddings, n-grams) are stored with a scale a row,
which loses next to nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framing.arrays import FloatArray, row_scaled
from framing.artifacts import atomic_path
from framing.errors import ArtifactError
from framing.inference.graphs import Feeds

#: Tables of fewer entries are not worth two more operations.
LEAST_ENTRIES = 100_000
#: Largest value of a table's entry; symmetric, so that zero stays zero.
_TABLE_LIMIT = 127
#: Largest value of a weight: seven bits.
_WEIGHT_LIMIT = 63
#: Channels so many times as wide as the median are kept apart, the widest of them.
_WIDE = 4.0
_MOST_APART = 16
#: Steps between the lowest and the highest activation.
_ACTIVATION_STEPS = 255
#: Where onnxruntime keeps the operators that the ONNX standard lacks.
_CONTRIB = "com.microsoft"
_FLOAT = 1


def quantize_graph(source: Path, target: Path, examples: Iterable[Feeds]) -> None:
    """Write a graph with int8 weights.

    Args:
        source: A float32 graph as `framing.export.export_graph` writes it.
        target: Where the int8 graph shall stand.
        examples: Batches like those to come; they fix the scales of activations.
    """
    import onnx

    model = onnx.load(str(source))
    approximate_gelu(model)
    quantize_products(model, activation_ranges(model, examples))
    quantize_tables(model)
    with atomic_path(target) as temporary:
        onnx.save(model, str(temporary))


def approximate_gelu(model: Any) -> None:
    """Let the activation function GELU be computed by a hyperbolic tangent, in place.

    That differs from the exact function by less than 0.0005, a fraction of a step of the integers
    that it becomes, and takes two thirds of the time (Hendrycks and Gimpel 2016, "Gaussian Error
    Linear Units", section 2).

    Args:
        model: An `onnx.ModelProto`.
    """
    from onnx import helper

    for node in model.graph.node:
        # The contributed operator of the same name has no such attribute.
        if node.op_type == "Gelu" and node.domain in {"", "ai.onnx"}:
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("approximate", "tanh"))


@dataclass(frozen=True)
class Range:
    """Lowest and highest value of each channel of a tensor, zero among them, shape (channels,)."""

    low: FloatArray
    high: FloatArray

    def over(self, values: NDArray[Any]) -> Range:
        """The range that holds these values, of shape (..., channels), too."""
        rows = values.reshape(-1, values.shape[-1])
        return Range(
            np.minimum(self.low, rows.min(axis=0)), np.maximum(self.high, rows.max(axis=0))
        )


def activation_ranges(model: Any, examples: Iterable[Feeds]) -> dict[str, Range]:
    """Run a graph and note the range of what enters its products with constant weights.

    Args:
        model: An `onnx.ModelProto`, left as it is.
        examples: Batches of its inputs.

    Returns:
        Name of a tensor -> range.

    Raises:
        ArtifactError: Nothing can be quantized.
    """
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = sorted({node.input[0] for node in _products(watched)})
    if not names:
        raise ArtifactError(
            "the graph has no matrix product with weights of its own, so int8 would change "
            "nothing; export with --precision float32"
        )
    del watched.graph.output[:]
    for name in names:
        watched.graph.output.append(onnx.helper.make_tensor_value_info(name, _FLOAT, None))
    options = onnxruntime.SessionOptions()
    # Optimised, the graph would have other tensors; and warnings help nobody here.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    ranges = dict.fromkeys(names, Range(np.zeros(1), np.zeros(1)))
    for feeds in examples:
        for name, values in zip(names, session.run(names, dict(feeds)), strict=True):
            ranges[name] = ranges[name].over(values)
    return ranges


def _products(model: Any) -> list[Any]:
    """Products whose right side is a float32 matrix that nothing else uses."""
    matrices = _own_matrices(model)
    return [n for n in model.graph.node if n.op_type == "MatMul" and n.input[1] in matrices]


def _own_matrices(model: Any) -> dict[str, Any]:
    """Constant float32 matrices that one node uses, by name: only these may be replaced."""
    uses = Counter(name for node in model.graph.node for name in node.input)
    uses.update(output.name for output in model.graph.output)
    return {
        t.name: t
        for t in model.graph.initializer
        if len(t.dims) == 2 and t.data_type == _FLOAT and uses[t.name] == 1
    }


def float_share(graphs: Iterable[Path]) -> float:
    """Which share of the numbers in graphs' matrices is float32.

    Matrices that several nodes use stay so, such as those of layers that share their weights.

    Args:
        graphs: Their files.
    """
    import onnx

    sizes: Counter[bool] = Counter()
    for path in graphs:
        for t in onnx.load(str(path)).graph.initializer:
            # A column is a scale, a vector a bias: neither is a matrix left alone.
            if len(t.dims) == 2 and t.dims[1] > 1:
                sizes[t.data_type == _FLOAT] += math.prod(t.dims)
    return sizes[True] / max(sizes.total(), 1)


def quantize_products(model: Any, ranges: Mapping[str, Range]) -> None:
    """Turn the products with constant weights into integer products, in place.

    Args:
        model: An `onnx.ModelProto`.
        ranges: Of what enters them.
    """
    from onnx import helper

    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    # By the name of what they give: every tensor of a graph has one source.
    biases = {node.output[0]: _bias(model, node, constants) for node in _products(model)}
    replaced = {add.output[0] for add in biases.values() if add is not None}
    scalings = _scalings(model, ranges)
    entered: set[str] = set()
    nodes: list[Any] = []
    for node in graph.node:
        if node.output[0] in replaced:
            continue
        if node.output[0] not in biases:
            nodes.append(node)
            continue
        entering = node.input[0]
        if entering not in entered:
            entered.add(entering)
            nodes += _quantize_activation(graph, entering, scalings[entering])
        nodes += _product(graph, node, biases[node.output[0]], constants, scalings[entering])
    _replace_nodes(graph, nodes)
    if all(opset.domain != _CONTRIB for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))


@dataclass(frozen=True)
class Scaling:
    """How a tensor becomes integers.

    Few channels of an encoder's states are tens of times as wide as the others, and would leave
    these a handful of steps.

    Attributes:
        low: Lowest value, after division.
        high: Highest value, after division.
        factors: What each channel is divided by, and its weights are multiplied by.
        apart: Channels that stay out of the integers and are multiplied in float32.
    """

    low: float
    high: float
    factors: FloatArray
    apart: NDArray[np.int64]


def _scalings(model: Any, ranges: Mapping[str, Range]) -> dict[str, Scaling]:
    from onnx import numpy_helper

    constants = {t.name: t for t in model.graph.initializer}
    tables: dict[str, list[FloatArray]] = {}
    for node in _products(model):
        table = numpy_helper.to_array(constants[node.input[1]]).astype(np.float64)
        tables.setdefault(node.input[0], []).append(table)
    return {name: scaling(ranges[name], found) for name, found in tables.items()}


def scaling(found: Range, tables: Sequence[FloatArray]) -> Scaling:
    """Choose how a tensor becomes integers.

    Where a product narrows, the widest channels are kept apart, which costs one more small product
    (Dettmers et al. 2022, "LLM.int8()"). Elsewhere half of the difference between channels is
    moved into the weights (Xiao et al. 2023, "SmoothQuant", equation 4 with alpha 0.5).

    Args:
        found: Range of the tensor's channels.
        tables: The weights it meets, each of shape (channels, out).

    Returns:
        The scaling.
    """
    width = np.maximum(found.high - found.low, 1e-6)
    factors = np.ones(len(width))
    apart: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    if sum(table.shape[1] for table in tables) < len(width):
        widest = np.argsort(-width, kind="stable")[:_MOST_APART]
        apart = np.sort(widest[width[widest] > _WIDE * np.median(width)])
    else:
        weights = np.max([np.abs(table).max(axis=1) for table in tables], axis=0)
        factors = np.sqrt(width / np.maximum(weights, 1e-6))
        factors /= np.exp(np.log(factors).mean())
    rest = np.setdiff1d(np.arange(len(width)), apart)
    low, high = found.low[rest] / factors[rest], found.high[rest] / factors[rest]
    return Scaling(float(low.min()), float(high.max()), factors, apart)


def _product(
    graph: Any, node: Any, add: Any | None, constants: Mapping[str, Any], made: Scaling
) -> list[Any]:
    """The nodes that replace one product and the addition of its bias."""
    from onnx import helper

    entering, weights = node.input
    out = (node if add is None else add).output[0]
    _quantize_weights(graph, constants[weights], made)
    inputs = [f"{entering}_int8", f"{weights}_int8", f"{entering}_scale", f"{weights}_scale"]
    # Weights are symmetric: no zero point, and none to be multiplied by for each column.
    inputs += [f"{entering}_zero", ""]
    if add is not None:
        inputs.append(next(name for name in add.input if name in constants))
    if not len(made.apart):
        return [helper.make_node("MatMulIntegerToFloat", inputs, [out], domain=_CONTRIB)]
    parts = [f"{out}_most", f"{out}_apart"]
    return [
        helper.make_node("MatMulIntegerToFloat", inputs, parts[:1], domain=_CONTRIB),
        helper.make_node("MatMul", [f"{entering}_apart", f"{weights}_apart"], parts[1:]),
        helper.make_node("Add", parts, [out]),
    ]


def _bias(model: Any, product: Any, constants: Mapping[str, Any]) -> Any | None:
    """The addition of a constant vector that is all that becomes of a product, or None."""
    out = product.output[0]
    if any(output.name == out for output in model.graph.output):
        return None
    uses = [node for node in model.graph.node if out in node.input]
    if len(uses) != 1 or uses[0].op_type != "Add":
        return None
    vectors = [n for n in uses[0].input if n in constants and len(constants[n].dims) == 1]
    width = constants[product.input[1]].dims[1]
    return uses[0] if vectors and constants[vectors[0]].dims[0] == width else None


def _quantize_activation(graph: Any, name: str, made: Scaling) -> list[Any]:
    from onnx import helper

    nodes, source = [], name
    if (made.factors != 1).any():
        source = f"{name}_smooth"
        _add_constants(graph, {f"{name}_factors": (1 / made.factors).astype(np.float32)})
        nodes.append(helper.make_node("Mul", [name, f"{name}_factors"], [source]))
    if len(made.apart):
        _add_constants(graph, {f"{name}_channels": made.apart})
        chosen = [name, f"{name}_channels"]
        nodes.append(helper.make_node("Gather", chosen, [f"{name}_apart"], axis=-1))
    scale = np.float32(max(made.high - made.low, 1e-6) / _ACTIVATION_STEPS)
    zero = np.uint8(np.clip(np.rint(-made.low / scale), 0, _ACTIVATION_STEPS))
    _add_constants(graph, {f"{name}_scale": scale, f"{name}_zero": zero})
    inputs = [source, f"{name}_scale", f"{name}_zero"]
    return [*nodes, helper.make_node("QuantizeLinear", inputs, [f"{name}_int8"])]


def _quantize_weights(graph: Any, table: Any, made: Scaling) -> None:
    from onnx import numpy_helper

    weights = numpy_helper.to_array(table).astype(np.float64) * made.factors[:, None]
    if len(made.apart):
        _add_constants(graph, {f"{table.name}_apart": weights[made.apart].astype(np.float32)})
        # What saturates in these channels meets zeros.
        weights[made.apart] = 0
    values, scale = row_scaled(weights.T, _WEIGHT_LIMIT)
    constants = {
        f"{table.name}_int8": np.ascontiguousarray(values.T),
        f"{table.name}_scale": scale[:, 0],
    }
    graph.initializer.remove(table)
    _add_constants(graph, constants)


def quantize_tables(model: Any) -> None:
    """Store the large tables that a graph gathers rows from in int8, in place.

    Args:
        model: An `onnx.ModelProto`.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    tables = {name: table for name, table in _own_matrices(model).items() if _worth_it(table)}
    nodes: list[Any] = []
    for node in graph.node:
        table = tables.get(node.input[0]) if _gathers_rows(node) else None
        if table is None:
            nodes.append(node)
            continue
        values, scale = row_scaled(numpy_helper.to_array(table).astype(np.float64), _TABLE_LIMIT)
        rows, name, out = node.input[1], table.name, node.output[0]
        graph.initializer.remove(table)
        _add_constants(graph, {f"{name}_int8": values, f"{name}_scale": scale})
        nodes += [
            helper.make_node("Gather", [f"{name}_int8", rows], [f"{out}_gathered"]),
            helper.make_node("Gather", [f"{name}_scale", rows], [f"{out}_gathered_scale"]),
            helper.make_node("Cast", [f"{out}_gathered"], [f"{out}_gathered_float"], to=_FLOAT),
            helper.make_node("Mul", [f"{out}_gathered_float", f"{out}_gathered_scale"], [out]),
        ]
    _replace_nodes(graph, nodes)


def _gathers_rows(node: Any) -> bool:
    axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    return bool(node.op_type == "Gather" and axes in ([], [0]))


def _worth_it(table: Any) -> bool:
    rows, width = map(int, table.dims)
    return width > 1 and rows * width >= LEAST_ENTRIES


def _add_constants(graph: Any, constants: Mapping[str, Any]) -> None:
    from onnx import numpy_helper

    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))


def _replace_nodes(graph: Any, nodes: Sequence[Any]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)
