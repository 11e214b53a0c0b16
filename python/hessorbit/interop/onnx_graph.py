"""The graph of a network in ONNX: a Gemm for each layer, and its activation by operations that ONNX has in double."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import activations
from .._checks import Array

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 18, 9

# Activations as operations: (operation, its inputs), each the number of an earlier step, counted from 1, with 0 for z,
# or a constant. "c" stands for the parameter.
OTHER_NAMES: dict[str, list[tuple[str, tuple[Any, ...]]]] = {
    "identity": [],
    "relu": [("Relu", (0,))],
    # max(z, 0) + c min(z, 0)
    "leaky_relu": [("Relu", (0,)), ("Sub", (0, 1)), ("Mul", (2, "c")), ("Add", (1, 3))],
    "tanh": [("Tanh", (0,))],
    "sigmoid": [("Sigmoid", (0,))],
    "erf": [("Div", (0, 2**0.5)), ("Erf", (1,))],
    "normal_cdf": [("Div", (0, 2**0.5)), ("Erf", (1,)), ("Add", (2, 1.0)), ("Mul", (3, 0.5))],
    "gelu": [("Div", (0, 2**0.5)), ("Erf", (1,)), ("Add", (2, 1.0)), ("Mul", (0, 3)), ("Mul", (4, 0.5))],
    "silu": [("Sigmoid", (0,)), ("Mul", (0, 1))],
    "softplus": [("Softplus", (0,))],
    "softsign": [("Softsign", (0,))],
    "elu": [("Elu", (0,))],
    "selu": [
        ("Elu", (0,)),
        ("Relu", (0,)),
        ("Sub", (1, 2)),
        ("Mul", (3, 1.6732632423543772848170429916717)),
        ("Add", (2, 4)),
        ("Mul", (5, 1.0507009873554804934193349852946)),
    ],
    "sin": [("Sin", (0,))],
    "cos": [("Cos", (0,))],
    "exp": [("Exp", (0,))],
    "square": [("Mul", (0, 0))],
    "cube": [("Mul", (0, 0)), ("Mul", (0, 1))],
    "g": [("Mul", (0, 4.0)), ("Sigmoid", (1,)), ("Softplus", (0,)), ("Add", (2, 3))],
}


def graph_of(layers: list[tuple[Array, Array | None]], names: list[str], dtype: np.dtype[Any]) -> onnx.ModelProto:
    """Returns the model of layers (W, b) and their activations."""
    from onnx import helper, numpy_helper

    constants: dict[str, Array] = {}
    nodes, value = [], "x"
    for number, ((weights, biases), name) in enumerate(zip(layers, names, strict=True), 1):
        inputs = [value, f"W{number}"]
        constants[f"W{number}"] = weights
        if biases is not None:
            constants[f"b{number}"] = biases
            inputs.append(f"b{number}")
        value = f"z{number}"
        nodes.append(helper.make_node("Gemm", inputs, [value], name=f"layer{number}", transB=1))
        steps = steps_of(name)
        values = [value, *(f"a{number}_{step}" for step in range(1, len(steps) + 1))]
        for step, (operation, arguments) in enumerate(steps, 1):
            taken = []
            for argument in arguments:
                if isinstance(argument, float):
                    constants[f"c{argument!r}"] = np.array(argument)
                taken.append(f"c{argument!r}" if isinstance(argument, float) else values[argument])
            nodes.append(helper.make_node(operation, taken, [values[step]], name=values[step]))
        value = values[-1]
    nodes.append(helper.make_node("Identity", [value], ["f"], name="outputs"))
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    graph = helper.make_graph(
        nodes,
        "hessorbit",
        [helper.make_tensor_value_info("x", kind, ["N", layers[0][0].shape[1]])],
        [helper.make_tensor_value_info("f", kind, ["N", len(layers[-1][0])])],
        [numpy_helper.from_array(np.asarray(array, dtype), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="hessorbit")


def steps_of(name: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Returns the operations of an activation, with its parameter in place."""
    kind, parameter = activations.split(name)
    return [
        (operation, tuple(parameter if argument == "c" else argument for argument in arguments))
        for operation, arguments in OTHER_NAMES[kind]
    ]
