"""The same networks for hessorbit, jax and torch: one hidden or several, on normal data, θ in torch's order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import hessorbit as ho


@dataclass(frozen=True)
class Problem:
    """A network with data; `sizes` are inputs, hidden widths and outputs."""

    sizes: tuple[int, ...]
    samples: int
    activation: str = "tanh"
    loss: str = "squared_error"

    def __str__(self) -> str:
        name = f"({', '.join(map(str, (*self.sizes, self.samples)))})"
        plain = self.activation == "tanh" and self.loss == "squared_error"
        return name if plain else f"{name} {self.activation} {self.loss}"

    @property
    def net(self) -> ho.MLP:
        return ho.MLP(self.sizes, self.activation)

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.samples, self.sizes[0]))
        outputs = self.sizes[-1]
        if self.loss == "cross_entropy":
            y: np.ndarray = rng.integers(0, outputs, self.samples)
        else:
            y = rng.standard_normal((self.samples, outputs))
        return self.net.init(rng, scheme="torch"), x, y

    def objective(self, threads: int | None = None) -> tuple[ho.Objective, np.ndarray]:
        theta, x, y = self.data()
        return ho.Objective(self.net, x, y, loss=self.loss, threads=threads), theta

    def layers(self) -> list[tuple[int, int, int, int]]:
        """(first weight, first bias, outputs, inputs) of each layer."""
        result, start = [], 0
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            result.append((start, start + inputs * outputs, outputs, inputs))
            start += outputs * (inputs + 1)
        return result


def jax_loss(problem: Problem) -> tuple[Callable[[Any], Any], Any]:
    """The loss as a jax function of θ, and θ."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu, "gelu": lambda z: jax.nn.gelu(z, approximate=False)}[
        problem.activation
    ]
    theta, x, y = map(jnp.asarray, problem.data())
    layers = problem.layers()

    def loss(theta: Any) -> Any:
        a = x
        for index, (weight, bias, outputs, inputs) in enumerate(layers):
            a = a @ theta[weight:bias].reshape(outputs, inputs).T + theta[bias : bias + outputs]
            a = activation(a) if index < len(layers) - 1 else a
        if problem.loss == "cross_entropy":
            return -jnp.take_along_axis(jax.nn.log_softmax(a), y[:, None], axis=1).mean()
        return ((a - y) ** 2).sum() / (2 * len(x))

    return loss, theta


def torch_loss(problem: Problem) -> tuple[Callable[[Any], Any], Any]:
    """The loss as a torch function of θ, and θ."""
    import torch

    theta, x, y = (torch.from_numpy(a) for a in problem.data())
    layers = problem.layers()

    def loss(theta: Any) -> Any:
        a = x
        for index, (weight, bias, outputs, inputs) in enumerate(layers):
            a = a @ theta[weight:bias].reshape(outputs, inputs).T + theta[bias : bias + outputs]
            a = torch.tanh(a) if index < len(layers) - 1 else a
        return ((a - y) ** 2).sum() / (2 * len(x))

    return loss, theta
