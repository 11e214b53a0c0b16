"""Networks from ONNX and to it, compared with ONNX's reference implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from typer.testing import CliRunner

import hessorbit as ho
from hessorbit import activations
from hessorbit.cli.app import app
from hessorbit.interop import from_onnx, to_onnx

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 3))
W, B = RNG.standard_normal((4, 3)).astype(np.float32), RNG.standard_normal(4).astype(np.float32)
V, C = RNG.standard_normal((2, 4)).astype(np.float32), RNG.standard_normal(2).astype(np.float32)


def model(nodes: list[Any], constants: dict[str, np.ndarray], *, inputs: int = 3, opset: int = 20) -> onnx.ModelProto:
    """A model with input x, output f, and these nodes between."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", inputs])],
        [helper.make_tensor_value_info("f", TensorProto.FLOAT, ["N", None])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(proto)
    return proto


def node(kind: str, *names: str, **attributes: Any) -> Any:
    """An operation; the last name is its output's."""
    return helper.make_node(kind, names[:-1], names[-1:], name=f"{kind}_{names[-1]}", **attributes)


LAYERS = {"W": W.T, "B": B, "V": V.T, "C": C}
FIRST = [node("MatMul", "x", "W", "m"), node("Add", "m", "B", "z")]
LAST = [node("MatMul", "a", "V", "n"), node("Add", "C", "n", "f")]


def between(*nodes: Any, **constants: Any) -> onnx.ModelProto:
    """Two layers with these operations from z to a."""
    return model([*FIRST, *nodes, *LAST], {**LAYERS, **constants})


ACTIVATIONS = {
    "relu": between(node("Relu", "z", "a")),
    "tanh": between(node("Tanh", "z", "a")),
    "sigmoid": between(node("Sigmoid", "z", "a")),
    "elu": between(node("Elu", "z", "a")),
    "selu": between(node("Selu", "z", "a")),
    "softplus": between(node("Softplus", "z", "a")),
    "softsign": between(node("Softsign", "z", "a")),
    "gelu": between(node("Gelu", "z", "a")),
    "sin": between(node("Sin", "z", "a")),
    "exp": between(node("Exp", "z", "a")),
    "leaky_relu": between(node("LeakyRelu", "z", "a")),
    "leaky_relu(0.2)": between(node("LeakyRelu", "z", "a", alpha=0.2)),
    "silu": between(node("Sigmoid", "z", "s"), node("Mul", "z", "s", "a")),
    "square": between(node("Mul", "z", "z", "a")),
    "cube": between(node("Pow", "z", "three", "a"), three=3),
    "identity": between(node("Identity", "z", "a")),
    "erf": between(node("Mul", "z", "root", "s"), node("Erf", "s", "a"), root=0.5**0.5),
}
# GELU as exporters write it out.
WRITTEN_OUT = {
    "gelu": between(
        node("Div", "z", "root", "s"), node("Erf", "s", "e"), node("Add", "e", "one", "p"), node("Mul", "z", "p", "q"),
        node("Mul", "half", "q", "a"), root=2**0.5, one=1, half=0.5,
    ),
    "softsign": between(node("Abs", "z", "s"), node("Add", "one", "s", "t"), node("Div", "z", "t", "a"), one=1),
    "relu": between(node("Max", "z", "zero", "a"), zero=0),
    "leaky_relu(0.3)": between(node("PRelu", "z", "slope", "a"), slope=[0.3]),
    "softplus": between(node("Exp", "z", "s"), node("Add", "s", "one", "t"), node("Log", "t", "a"), one=1),
    "silu": between(node("Neg", "z", "y"), node("Exp", "y", "e"), node("Add", "one", "e", "p"),
                    node("Div", "z", "p", "a"), one=1),
    "elu": between(node("Exp", "z", "e"), node("Sub", "e", "one", "s"), node("Min", "s", "zero", "t"),
                   node("Relu", "z", "r"), node("Add", "r", "t", "a"), one=1, zero=0),
    "tanh": between(node("Mul", "z", "two", "d"), node("Sigmoid", "d", "s"), node("Mul", "s", "two", "t"),
                    node("Sub", "t", "one", "a"), one=1, two=2),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    agrees(ACTIVATIONS[name], ho.MLP([3, 4, 2], name))


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_activations_of_elementary_operations(name: str) -> None:
    agrees(WRITTEN_OUT[name], ho.MLP([3, 4, 2], name))


def agrees(proto: onnx.ModelProto, expected: ho.MLP) -> None:
    net, theta = from_onnx(proto)
    assert net == expected
    assert (theta == net.flatten([(W.astype(float), B.astype(float)), (V.astype(float), C.astype(float))])).all()
    found = ReferenceEvaluator(proto).run(None, {"x": X.astype(np.float32)})[0]
    ours = net(theta, X.astype(np.float32))
    assert np.abs(ours - found).max() < 1e-5 * (1 + np.abs(ours).max())


STRUCTURES: dict[str, tuple[onnx.ModelProto, ho.MLP]] = {
    "Gemm": (model([node("Gemm", "x", "W", "B", "z", transB=1), node("Tanh", "z", "a"),
                    node("Gemm", "a", "V", "f", transB=1)], {"W": W, "B": B, "V": V}),
             ho.MLP([3, 4, 2], bias=[True, False])),
    "Gemm of factors": (model([node("Gemm", "x", "W", "B", "f", alpha=0.5, beta=2.0)], {"W": W.T, "B": B}),
                        ho.MLP([3, 4])),
    "no biases": (model([node("MatMul", "x", "W", "z"), node("Relu", "z", "a"), node("MatMul", "a", "V", "f")], LAYERS),
                  ho.MLP([3, 4, 2], "relu", bias=False)),
    "bias by Sub": (model([node("MatMul", "x", "W", "m"), node("Sub", "m", "B", "f")], LAYERS), ho.MLP([3, 4])),
    "transposed constants": (model([node("Transpose", "W", "T", perm=[1, 0]), node("MatMul", "x", "T", "f")], {"W": W}),
                             ho.MLP([3, 4], bias=False)),
    "idle operations": (model([node("Flatten", "x", "y"), *[node(k, *n) for k, n in (("MatMul", ("y", "W", "m")),
                        ("Dropout", ("m", "d")), ("Tanh", ("d", "f")))]], LAYERS),
                        ho.MLP([3, 4], bias=False, output_activation="tanh")),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str) -> None:
    proto, expected = STRUCTURES[name]
    net, theta = from_onnx(proto)
    assert net == expected
    found = ReferenceEvaluator(proto).run(None, {"x": X.astype(np.float32)})[0]
    assert np.abs(net(theta, X.astype(np.float32)) - found).max() < 1e-5


def test_factors_of_gemm_are_exact() -> None:
    _, theta = from_onnx(STRUCTURES["Gemm of factors"][0])
    assert (theta == np.concatenate([0.5 * W.astype(float).ravel(), 2 * B.astype(float)])).all()


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_logits(kind: str) -> None:
    nodes = [*FIRST, node("Tanh", "z", "a"), *LAST[:-1], node("Add", "C", "n", "g"), node(kind, "g", "f")]
    net, _ = from_onnx(model(nodes, LAYERS), logits=True)
    assert net == ho.MLP([3, 4, 2])
    if kind != "Sigmoid":
        with pytest.raises(ValueError, match="logits=True"):
            from_onnx(model(nodes, LAYERS))


tanh_gelu = [
    node("Pow", "z", "three", "z3"), node("Mul", "z3", "c", "s"), node("Add", "z", "s", "t"),
    node("Mul", "t", "r", "u"),
    node("Tanh", "u", "v"), node("Add", "v", "one", "w"), node("Mul", "z", "w", "y"), node("Mul", "y", "half", "a"),
]  # fmt: skip
REFUSED: dict[str, tuple[onnx.ModelProto, str]] = {
    "approximate GELU": (between(node("Gelu", "z", "a", approximate="tanh")),
                         "Gelu together are none of .* 'gelu', which"),
    "written out": (between(*tanh_gelu, three=3, c=0.044715, r=(2 / np.pi) ** 0.5, one=1, half=0.5),
                    "Pow, Mul, Add, Tanh together are none .* nearest is 'gelu'"),
    "elu": (between(node("Elu", "z", "a", alpha=0.5)), "Elu together are none"),
    "clipped": (between(node("Clip", "z", "low", "high", "a"), low=0, high=6), "Clip together are none"),
    "clipped far out": (between(node("Clip", "z", "low", "high", "a"), low=0, high=1e6), "Clip together are none"),
    "clipped below": (between(node("Clip", "z", "low", "a"), low=-1e3), "'identity', which differs"),
    "a kink beside 0": (between(node("Clip", "z", "low", "a"), low=1e-7), "'relu', which differs by up to 1e-07"),
    "another slope": (between(node("Relu", "z", "r"), node("Mul", "r", "c", "a"), c=1.000001),
                      "none of .* 'relu', which"),
    "weights used twice": (model([node("MatMul", "x", "W", "z"), node("Tanh", "z", "a"), node("MatMul", "a", "W", "f")],
                                 {"W": np.eye(3)}),
                           "MatMul 'MatMul_f'.*MatMul 'MatMul_z' has the weights or biases 'W' too.*give each its own"),
    "weights and their transpose": (model([node("MatMul", "x", "W", "z"), node("Transpose", "W", "T", perm=[1, 0]),
                                           node("MatMul", "z", "T", "f")], LAYERS),
                                    "has the weights or biases 'W' too"),
    "biases used twice": (model([node("Gemm", "x", "W", "B", "z"), node("Gemm", "z", "V", "B", "f")],
                                {"W": np.ones((3, 4)), "V": np.eye(4), "B": B}), "weights or biases 'B' too"),
    "a low threshold": (between(node("ThresholdedRelu", "z", "a", alpha=1e-4)), "'relu', which differs"),
    "prelu": (between(node("PRelu", "z", "slopes", "a"), slopes=[0.1, 0.2, 0.3, 0.4]),
              "'slopes' differs between neurons"),
    "skip": (model([*FIRST, node("Relu", "z", "a"), node("MatMul", "a", "V", "n"), node("Add", "n", "z", "f")],
                   {**LAYERS, "V": np.eye(4)}), "Add 'Add_f', which is no part.*different layers"),
    "skip from the inputs": (model([node("MatMul", "x", "V", "n"), node("Add", "n", "x", "f")], {"V": np.eye(3)}),
                             "joins values of different layers"),
    "attention": (model([*FIRST, node("MatMul", "z", "z", "f")], LAYERS), "MatMul 'MatMul_f'.*weights a constant"),
    "normalisation": (model([node("Sub", "x", "mean", "y"), node("MatMul", "y", "W", "f")],
                            {**LAYERS, "mean": [1, 2, 3]}),
                      "differs between neurons"),
    "scaled inputs": (model([node("Mul", "x", "two", "y"), node("MatMul", "y", "W", "f")], {**LAYERS, "two": 2}),
                      "Mul before MatMul 'MatMul_f', its first layer of weights: a network begins there"),
    "convolution": (model([node("Conv", "x", "K", "f")], {"K": np.ones((1, 3, 1))}),
                    "Conv 'Conv_f'.*operations that are read"),
    "sum": (model([*FIRST, node("ReduceSum", "z", "f", keepdims=1)], LAYERS), "ReduceSum"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    proto, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        from_onnx(proto)


def test_weights_that_are_in_another_file() -> None:
    proto = model([node("MatMul", "x", "W", "f")], LAYERS)
    onnx.external_data_helper.convert_model_to_external_data(proto, location="weights.bin", size_threshold=0)
    for each in proto.graph.initializer:
        each.ClearField("raw_data")
    with pytest.raises(ValueError, match=r"model is damaged or no ONNX model: .*weights\.bin"):
        from_onnx(proto)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(FileNotFoundError):
        from_onnx(path)
    path.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"net\.onnx is damaged or no ONNX model"):
        from_onnx(path)
    onnx.save(ACTIVATIONS["tanh"], path)
    assert from_onnx(path)[0] == ho.MLP([3, 4, 2])
    with pytest.raises(TypeError, match="model must be the path of a file"):
        from_onnx(3)


@pytest.mark.parametrize("name", [*activations.defaults(), "leaky_relu(0.3)", "leaky_relu(2.5)"])
def test_to_onnx_and_back(name: str, tmp_path: Path) -> None:
    net = ho.MLP([3, 4, 5, 2], name, bias=[True, False, True])
    theta = net.init(np.random.default_rng(1), "normal(0.5)")
    path = tmp_path / "net.onnx"
    to_onnx(net, theta, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    again, theta_again = from_onnx(path)
    assert again == net
    assert (theta_again == theta).all()
    found = ReferenceEvaluator(str(path)).run(None, {"x": X})[0]
    ours = net(theta, X)
    # The reference rounds Erf to float32, here three times in a row with weights of order 1.
    tolerance = 1e-6 if "Erf" in {each.op_type for each in onnx.load(path).graph.node} else 1e-12
    assert np.abs(ours - found).max() < tolerance * (1 + np.abs(ours).max())


def test_to_onnx_in_single_precision(tmp_path: Path) -> None:
    net = ho.MLP([3, 4, 2], "gelu", parametrization="ntk", output_activation="softplus")
    theta = net.init(np.random.default_rng(1), "normal(1)")
    to_onnx(net, theta, tmp_path / "net.onnx", dtype="float32")
    again, rounded = from_onnx(tmp_path / "net.onnx")
    assert again == ho.MLP([3, 4, 2], "gelu", output_activation="softplus")
    scaled = net.flatten([(s * w, b) for (w, b), s in zip(net.unflatten(theta), net.multipliers, strict=True)])
    assert (rounded == scaled.astype(np.float32)).all()


def test_to_onnx_refuses_mixed_layers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neurons of layer 1 .* relu, tanh"):
        to_onnx(ho.MLP([1, 2, 1], [["tanh", "relu"]]), np.ones(7), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", x=X, y=X[:, :2])
    onnx.save(ACTIVATIONS["gelu"], "net.onnx")
    result = CliRunner().invoke(app, ["inspect", "net.onnx", "--data", "data.npz"])
    assert result.exit_code == 0, result.output
    assert "MLP([3, 4, 2], 'gelu')" in result.output
