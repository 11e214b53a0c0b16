"""What is said to people who know another library: what a name is here, what is another function, what to pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import hessorbit as ho

NET = ho.MLP([2, 3, 1])

ACTIVATIONS = {
    "Tanh": "tanh", "ReLU": "relu", "RELU": "relu", "nn.ReLU()": "relu", "torch.tanh": "tanh", "swish": "silu",
    "SiLU": "silu", "linear": "identity", "None": "identity", "GELU": "gelu", "logistic": "sigmoid", "ELU": "elu",
    "LeakyReLU": "leaky_relu", "Leaky ReLU": "leaky_relu", "exponential": "exp",
}  # fmt: skip
LOSSES = {
    "mse": "squared_error", "MSE": "squared_error", "MSELoss": "squared_error", "mean_squared_error": "squared_error",
    "squared error": "squared_error", "CrossEntropyLoss": "cross_entropy", "nll": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy", "categorical_crossentropy": "cross_entropy",
    "BCEWithLogitsLoss": "logistic", "binary_crossentropy": "logistic", "SmoothL1Loss": "huber", "Huber": "huber",
    "PoissonNLLLoss": "poisson",
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_other_libraries(name: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{ACTIVATIONS[name]}'"):
        ho.MLP([2, 3, 1], name)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_other_libraries(name: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{LOSSES[name]}'"):
        ho.Objective(NET, [[1.0, 2.0]], [1.0], loss=name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gelu_tanh", "GELU is the exact"),
        ("gelu(tanh)", "gelu takes no parameter, as it is the exact"),
        ("gelu(approximate=tanh)", "gelu takes no parameter"),
        ("gelu_new", "approximations of it are other functions"),
        ("elu(0.5)", "elu takes no parameter, α being 1"),
        ("elu(alpha=0.5)", "elu takes no parameter, α being 1"),
        ("softplus(2)", "softplus takes no parameter, β being 1"),
        ("leaky_relu(negative_slope=0.2)", r"write leaky_relu\(0.01\)"),
        ("celu", "another function"),
        ("ReLU6", "another function"),
        ("hardtanh", "another function"),
        ("log_sigmoid", "another function"),
        ("softmax", "the losses take logits"),
    ],
)
def test_other_functions_are_refused_without_a_guess(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ho.MLP([2, 3, 1], name)
    assert "did you mean" not in str(caught.value)


LAYERS = NET.unflatten(np.arange(13.0))
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "iterator": (lambda: iter(LAYERS), "got a list_iterator: make a list of it"),
    "generator": (lambda: (layer for layer in LAYERS), "got a generator: make a list of it"),
    "state dict": (lambda: {"0.weight": LAYERS[0][0]}, "got a dict: hessorbit.interop.from_torch reads a state dict"),
    "vector": (lambda: np.zeros(13), "is θ itself"),
    "nothing": (lambda: None, "a sequence of pairs"),
    "text": (lambda: "ab", "a sequence of pairs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_flatten_says_what_it_wants(name: str) -> None:
    layers, message = WRONG[name]
    with pytest.raises(TypeError, match=message):
        NET.flatten(layers())


def test_one_class_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"one output is 0 whatever theta is.*loss='logistic'") as caught:
        ho.Objective(NET, [[1.0, 2.0]], [0], loss="cross_entropy")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ho.Objective(ho.MLP([2, 2]), [[1.0, 2.0]], [0], loss="cross_entropy")
        ho.Objective(NET, [[1.0, 2.0]], [0.0], loss="logistic")
