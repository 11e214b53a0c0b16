"""A loss, its gradient and its Hessian over a box in mpmath's interval arithmetic, by second-order jets in all of θ.

For networks with one hidden layer of one activation and one output, each written as its plain formula. Nothing is
shared with ball arithmetic: intervals have end points, jets go forward, and there are no blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

iv = mpmath.iv.clone() if hasattr(mpmath.iv, "clone") else mpmath.iv
iv.prec = 120
Interval = Any


@dataclass(frozen=True)
class Jet:
    """A value, its gradient (P,) and its Hessian (P, P), of intervals."""

    value: Interval
    first: np.ndarray
    second: np.ndarray

    def __add__(self, other: Jet) -> Jet:
        return Jet(self.value + other.value, self.first + other.first, self.second + other.second)

    def __mul__(self, other: Jet) -> Jet:
        crossed = np.outer(self.first, other.first)
        second = self.second * other.value + other.second * self.value + crossed + crossed.T
        return Jet(self.value * other.value, self.first * other.value + other.first * self.value, second)

    def under(self, function: Callable[[Interval], tuple[Interval, Interval, Interval]]) -> Jet:
        """The function of it, from its value and its first two derivatives."""
        value, slope, bend = function(self.value)
        return Jet(value, self.first * slope, self.second * slope + np.outer(self.first, self.first) * bend)


def tanh(z: Interval) -> tuple[Interval, Interval, Interval]:
    t = 1 - 2 / (iv.exp(2 * z) + 1)
    return t, 1 - t**2, -2 * t * (1 - t**2)


def relu(z: Interval) -> tuple[Interval, Interval, Interval]:
    assert not (z.a <= 0 <= z.b), "a kink"
    return (z, iv.mpf(1), iv.mpf(0)) if z.a > 0 else (iv.mpf(0), iv.mpf(0), iv.mpf(0))


def sine(z: Interval) -> tuple[Interval, Interval, Interval]:
    return iv.sin(z), iv.cos(z), -iv.sin(z)


def squared_error(y: float) -> Callable[[Interval], tuple[Interval, Interval, Interval]]:
    return lambda f: ((f - y) ** 2 / 2, f - y, iv.mpf(1))


def logistic(y: float) -> Callable[[Interval], tuple[Interval, Interval, Interval]]:
    def of(f: Interval) -> tuple[Interval, Interval, Interval]:
        q = 1 / (1 + iv.exp(-f))
        return iv.log(1 + iv.exp(f)) - y * f, q - y, q * (1 - q)

    return of


def loss_over(
    theta: list[Interval], x: np.ndarray, y: np.ndarray, width: int, activation: Any, loss: Any, l2: float = 0.0
) -> Jet:
    """The loss of a network [d, width, 1] with biases, over a box of θ."""
    count, inputs = len(theta), x.shape[1]
    none = np.full((count, count), iv.mpf(0))
    variables = [Jet(value, unit(count, p), none) for p, value in enumerate(theta)]
    total = constant(iv.mpf(0), count)
    bias, outgoing = width * inputs, width * inputs + width
    for row, target in zip(x, y, strict=True):
        output = variables[-1]
        for i in range(width):
            z = variables[bias + i]
            for j, number in enumerate(row):
                z = z + variables[i * inputs + j] * constant(iv.mpf(float(number)), count)
            output = output + z.under(activation) * variables[outgoing + i]
        total = total + output.under(loss(float(target)))
    total = total * constant(iv.mpf(1) / len(x), count)
    for variable in variables:
        total = total + variable * variable * constant(iv.mpf(l2) / 2, count)
    return total


def unit(count: int, place: int) -> np.ndarray:
    result = np.full(count, iv.mpf(0))
    result[place] = iv.mpf(1)
    return result


def constant(value: Interval, count: int) -> Jet:
    return Jet(value, np.full(count, iv.mpf(0)), np.full((count, count), iv.mpf(0)))
