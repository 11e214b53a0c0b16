"""A network, its data and a parameter vector: everything a reference or the library needs to know.

Parameters lie in theta as W_1 (row-major), b_1, W_2, b_2, ...;  z_l = s_l W_l a_{l-1} + b_l,  a_l = sigma_l(z_l).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from hessorbit.targets import LOSSES as TABLE

ACTIVATIONS = (
    "identity", "relu", "leaky_relu", "tanh", "sigmoid", "erf", "normal_cdf", "gelu", "silu", "softplus",
    "softsign", "elu", "selu", "sin", "cos", "exp", "square", "cube", "g",
)  # fmt: skip
SMOOTH = tuple(a for a in ACTIVATIONS if a not in ("relu", "leaky_relu", "elu", "selu", "softsign"))
LOSSES = tuple(TABLE)
PARAMETRIZATIONS = ("standard", "ntk", "mean_field")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer: its multiplier, the activation of each neuron, and where its parameters lie in theta."""

    fan_in: int
    power: float  # the multiplier is fan_in ** power
    activations: tuple[str, ...]
    weights: np.ndarray  # (out, in) indices into theta
    bias: np.ndarray | None  # (out,) indices into theta

    @property
    def multiplier(self) -> float:
        return self.fan_in**self.power


@dataclasses.dataclass(frozen=True)
class Problem:
    widths: tuple[int, ...]
    activations: tuple[tuple[str, ...], ...]  # per layer, per neuron, output layer included
    biases: tuple[bool, ...]
    parametrization: str
    loss: str
    x: np.ndarray  # (N, widths[0])
    y: np.ndarray
    theta: np.ndarray  # (P,)
    sample_weight: np.ndarray | None = None
    l2: float = 0.0
    delta: float | None = None  # of the loss "huber"; None is 1

    @property
    def num_parameters(self) -> int:
        return len(self.theta)

    @property
    def normalised_weights(self) -> np.ndarray:
        """w_n / sum(w) in extended precision, (N,)."""
        weight = np.ones(len(self.x)) if self.sample_weight is None else self.sample_weight
        weight = np.asarray(weight, np.longdouble)
        return weight / weight.sum()

    @property
    def targets(self) -> np.ndarray:
        """Targets as rows, (N, K): labels become one-hot rows."""
        if self.loss == "cross_entropy" and self.y.ndim == 1:
            return np.eye(self.widths[-1])[self.y]
        return self.y.reshape(len(self.x), self.widths[-1])

    def layers(self) -> list[Layer]:
        layers, start = [], 0
        for index, (fan_in, fan_out) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            last = index == len(self.widths) - 2
            weights = start + np.arange(fan_out * fan_in).reshape(fan_out, fan_in)
            start += fan_out * fan_in
            bias = start + np.arange(fan_out) if self.biases[index] else None
            start += fan_out if self.biases[index] else 0
            power = multiplier_power(self.parametrization, last)
            layers.append(Layer(fan_in, power, self.activations[index], weights, bias))
        return layers

    def first(self, count: int) -> Problem:
        """The same problem on its first `count` samples."""
        weight = None if self.sample_weight is None else self.sample_weight[:count]
        return dataclasses.replace(self, x=self.x[:count], y=self.y[:count], sample_weight=weight)

    def replace(self, **changes: Any) -> Problem:
        return dataclasses.replace(self, **changes)

    def network(self) -> Any:
        import hessorbit

        return hessorbit.MLP(
            list(self.widths),
            activation=[list(layer) for layer in self.activations[:-1]],
            bias=list(self.biases),
            parametrization=self.parametrization,
            output_activation=self.activations[-1],
        )

    def objective(self, **options: Any) -> Any:
        import hessorbit

        return hessorbit.Objective(
            self.network(),
            self.x,
            self.y,
            loss=self.loss,
            sample_weight=self.sample_weight,
            l2=self.l2,
            **{"delta": self.delta} | options,
        )


def multiplier_power(parametrization: str, last: bool) -> float:
    if parametrization == "standard":
        return 0.0
    return -1.0 if parametrization == "mean_field" and last else -0.5


def count_parameters(widths: tuple[int, ...], biases: tuple[bool, ...]) -> int:
    return sum(o * i + (o if b else 0) for i, o, b in zip(widths, widths[1:], biases, strict=False))


def random_problem(
    rng: np.random.Generator,
    widths: tuple[int, ...],
    activations: Any = "tanh",
    *,
    loss: str = "squared_error",
    biases: bool | tuple[bool, ...] = True,
    parametrization: str = "standard",
    output_activation: str | tuple[str, ...] = "identity",
    samples: int = 5,
    weighted: bool = False,
    l2: float = 0.0,
    integer_labels: bool = True,
    scale: float = 1.0,
) -> Problem:
    """Normal data and parameters, weights scaled so that every z is of order `scale` whatever the widths."""
    depth, outputs = len(widths) - 1, widths[-1]
    biases = (biases,) * depth if isinstance(biases, bool) else tuple(biases)
    if isinstance(activations, str):
        activations = [activations] * (depth - 1)
    hidden = tuple(
        (layer,) * width if isinstance(layer, str) else tuple(layer)
        for layer, width in zip(activations, widths[1:-1], strict=True)
    )
    theta = scale * rng.standard_normal(count_parameters(widths, biases))
    x = rng.standard_normal((samples, widths[0]))
    weight = rng.uniform(0.25, 2.0, samples) if weighted else None
    y = random_targets(rng, loss, samples, outputs, integer_labels)
    last = (output_activation,) * outputs if isinstance(output_activation, str) else output_activation
    problem = Problem(widths, (*hidden, last), biases, parametrization, loss, x, y, theta, weight, l2)
    for layer in problem.layers():
        theta[layer.weights] /= layer.multiplier * math.sqrt(layer.weights.shape[1])
        if layer.bias is not None:
            theta[layer.bias] /= 2
    return problem


def random_targets(rng: np.random.Generator, loss: str, samples: int, outputs: int, integer_labels: bool) -> np.ndarray:
    kind = TABLE[loss]["targets"]
    if kind == "real":
        return rng.standard_normal((samples, outputs))
    if kind == "nonnegative":
        return rng.poisson(1.5, (samples, outputs)) if integer_labels else rng.exponential(1.5, (samples, outputs))
    if kind == "unit_interval":
        return rng.integers(0, 2, (samples, outputs)) if integer_labels else rng.random((samples, outputs))
    assert kind == "probabilities"
    if integer_labels:
        return rng.integers(0, outputs, samples)
    # 64ths are exact in binary, so that every row sums to one at any precision.
    return rng.multinomial(64, np.full(outputs, 1 / outputs), samples) / 64


def trace_of_hessian(seed: int) -> float:
    """On two threads, for a problem that is large enough for them; here because processes import it by name."""
    problem = random_problem(np.random.default_rng(seed), (2, 30, 1), samples=2000)
    return float(np.trace(problem.objective(threads=2).hessian(problem.theta)))
