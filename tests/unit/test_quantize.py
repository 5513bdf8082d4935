from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from framing.arrays import row_scaled
from framing.errors import ArtifactError
from framing.quantize import Range, approximate_gelu, float_share, quantize_graph, scaling

WIDE, NARROW, OUT = 64, 16, 4


def write_graph(path: Path, tables: dict[str, np.ndarray]) -> None:
    """ids -> rows of a table -> product with bias -> ReLU -> product without."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "first"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["positive"]),
        helper.make_node("MatMul", ["positive", "second"], ["out"]),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", "length", OUT])
    constants = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in tables.items()]
    graph = helper.make_graph(nodes, "small", [ids], [out], constants)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))


@pytest.fixture
def graphs(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    tables = {
        "table": rng.normal(size=(8000, NARROW)),
        "first": rng.normal(size=(NARROW, WIDE)),
        "bias": rng.normal(size=WIDE),
        "second": rng.normal(size=(WIDE, OUT)),
    }
    # One channel as wide as they are in encoders: with a single scale the others would drown.
    tables["first"][:, 5] *= 40
    tables["second"][5] /= 40
    source, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    write_graph(source, tables)
    ids = rng.integers(0, 8000, (20, 30))
    quantize_graph(source, target, [{"ids": ids[:10]}, {"ids": ids[10:]}])
    return source, target


def run(path: Path, ids: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["out"], {"ids": ids})[0]


def test_results_stay_close(graphs: tuple[Path, Path]) -> None:
    ids = np.random.default_rng(1).integers(0, 8000, (6, 9))
    expected, found = (run(path, ids) for path in graphs)
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


def test_neighbours_in_the_batch_change_nothing(graphs: tuple[Path, Path]) -> None:
    ids = np.random.default_rng(2).integers(0, 8000, (6, 9))
    assert (run(graphs[1], ids)[:1] == run(graphs[1], ids[:1])).all()


def test_weights_and_tables_are_integers(graphs: tuple[Path, Path]) -> None:
    source, target = (onnx.load(str(path)) for path in graphs)
    large = [t for t in target.graph.initializer if np.prod(t.dims) > 200 and t.dims[-1] > 1]
    assert {t.data_type for t in large} == {TensorProto.INT8}
    assert len(target.SerializeToString()) < 0.4 * len(source.SerializeToString())
    # The bias went into the product.
    assert [float_share([path]) for path in graphs] == pytest.approx([1, 0], abs=0.01)
    kinds = [node.op_type for node in target.graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 2
    assert "bias" in target.graph.node[kinds.index("MatMulIntegerToFloat")].input


def test_a_narrowing_product_keeps_wide_channels_apart() -> None:
    width = np.ones(40)
    width[[3, 17]] = 30
    made = scaling(Range(-width, width), [np.ones((40, 8))])
    assert made.apart.tolist() == [3, 17]
    assert (made.low, made.high) == (-1, 1)
    assert (made.factors == 1).all()


def test_a_widening_product_divides_wide_channels() -> None:
    width = np.ones(8)
    width[3] = 16
    made = scaling(Range(-width, width), [np.ones((8, 40))])
    assert len(made.apart) == 0
    # Equation 4 of the paper with alpha 0.5: a square root of the ratio.
    assert made.factors[3] / made.factors[0] == pytest.approx(4)
    assert made.high / -made.low == pytest.approx(1)


def test_row_scaled_loses_half_a_step() -> None:
    table = np.random.default_rng(0).normal(size=(50, 20))
    table[7] = 0
    values, scale = row_scaled(table, 127)
    assert values.dtype == np.int8
    assert np.abs(values * scale - table).max() <= np.abs(table).max() / 127 / 2 + 1e-6
    assert (values[7] == 0).all()


def save(path: Path, nodes: list[onnx.NodeProto], tables: dict[str, np.ndarray], outs: int) -> None:
    floating = ["batch", NARROW]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, floating) for n in "ab"]
    outputs = [
        helper.make_tensor_value_info(f"out{k}", TensorProto.FLOAT, None) for k in range(outs)
    ]
    constants = [numpy_helper.from_array(a, n) for n, a in tables.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))


def both(tmp_path: Path, nodes: list[onnx.NodeProto], tables: dict[str, np.ndarray], outs: int):
    rng = np.random.default_rng(3)
    feeds = {n: rng.normal(size=(5, NARROW)).astype(np.float32) for n in "ab"}
    feeds["b"][:, 2] *= 50
    save(tmp_path / "float.onnx", nodes, tables, outs)
    quantize_graph(tmp_path / "float.onnx", tmp_path / "int8.onnx", [feeds])
    paths = (tmp_path / "float.onnx", tmp_path / "int8.onnx")
    sessions = [onnxruntime.InferenceSession(str(p)) for p in paths]
    return [session.run(None, feeds) for session in sessions]


def own(name: str, width: int = OUT) -> dict[str, np.ndarray]:
    return {name: np.random.default_rng(4).normal(size=(NARROW, width)).astype(np.float32)}


def test_weights_that_two_products_share_are_left_alone(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["a", "shared"], ["out0"]),
        helper.make_node("MatMul", ["b", "shared"], ["out1"]),
        helper.make_node("MatMul", ["a", "own"], ["out2"]),
    ]
    expected, found = both(tmp_path, nodes, own("shared") | own("own"), 3)
    assert (found[0] == expected[0]).all()
    assert (found[1] == expected[1]).all()
    assert found[2] == pytest.approx(expected[2], abs=0.25)
    assert float_share([tmp_path / "int8.onnx"]) == 0.5


def test_a_product_that_is_an_output_keeps_its_name(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["a", "own"], ["out0"]),
        helper.make_node("Add", ["out0", "bias"], ["out1"]),
        helper.make_node("Identity", ["b"], ["out2"]),
    ]
    tables = own("own") | {"bias": np.ones(OUT, dtype=np.float32)}
    expected, found = both(tmp_path, nodes, tables, 3)
    for theirs, ours in zip(expected, found, strict=True):
        assert ours == pytest.approx(theirs, abs=0.25)


def test_other_axes_and_types_are_left_alone(tmp_path: Path) -> None:
    square = np.random.default_rng(5).normal(size=(400, 400)).astype(np.float32)
    tables = own("own") | {
        "square": square,
        "whole": (1000 * square).astype(np.int64),
        "index": np.array([3, 7]),
    }
    nodes = [
        helper.make_node("MatMul", ["a", "own"], ["out0"]),
        helper.make_node("Gather", ["square", "index"], ["columns"], axis=1),
        helper.make_node("Identity", ["columns"], ["out1"]),
        helper.make_node("Gather", ["whole", "index"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["out2"], to=TensorProto.FLOAT),
        helper.make_node("Identity", ["b"], ["out3"]),
    ]
    expected, found = both(tmp_path, nodes, tables, 4)
    assert (found[1] == expected[1]).all()
    assert (found[2] == expected[2]).all()


def test_a_graph_without_products_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["out0"])]
    with pytest.raises(ArtifactError, match=r"no matrix product.*--precision float32"):
        both(tmp_path, nodes, {}, 1)


def test_gelu_is_approximated(tmp_path: Path) -> None:
    values = np.linspace(-6, 6, 2001, dtype=np.float32)
    node = helper.make_node("Gelu", ["values"], ["out"])
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    exact = run_model(model, values)
    approximate_gelu(model)
    found = run_model(model, values)
    assert 1e-5 < np.abs(found - exact).max() < 5e-4


def run_model(model: ModelProto, values: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"values": values})[0]
