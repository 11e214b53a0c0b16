"""Functions of a few variables with first and second derivatives, in ball arithmetic, by forward differentiation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import Array
from .arithmetic import flint, zeros


@dataclass(frozen=True)
class Jet:
    """A value, its gradient (n,) and its Hessian (n, n), of balls."""

    value: Any
    first: Array
    second: Array

    def __add__(self, other: Any) -> Jet:
        if isinstance(other, Jet):
            return Jet(self.value + other.value, self.first + other.first, self.second + other.second)
        return Jet(self.value + other, self.first, self.second)

    def times(self, number: Any) -> Jet:
        """Its product with a ball or an integer."""
        return Jet(self.value * number, self.first * number, self.second * number)

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return Jet(-self.value, -self.first, -self.second)

    def __sub__(self, other: Jet) -> Jet:
        return self + (-other)

    def __mul__(self, other: Jet | int) -> Jet:
        if not isinstance(other, Jet):
            return self.times(other)
        crossed = np.outer(self.first, other.first)
        second = self.second * other.value + other.second * self.value + crossed + crossed.T
        return Jet(self.value * other.value, self.first * other.value + other.first * self.value, second)

    def __truediv__(self, other: Jet | int) -> Jet:
        return self * other.inverse() if isinstance(other, Jet) else self.times(flint().arb(1) / other)

    def under(self, value: Any, slope: Any, bend: Any) -> Jet:
        """A function of it, from the function's value and first two derivatives."""
        return Jet(value, self.first * slope, self.second * slope + np.outer(self.first, self.first) * bend)

    def inverse(self) -> Jet:
        value = 1 / self.value
        return self.under(value, -(value**2), 2 * value**3)

    def sqrt(self) -> Jet:
        value = self.value.sqrt()
        return self.under(value, 1 / (2 * value), -1 / (4 * value * self.value))

    def exp(self) -> Jet:
        value = self.value.exp()
        return self.under(value, value, value)

    def sin(self) -> Jet:
        sine, cosine = self.value.sin(), self.value.cos()
        return self.under(sine, cosine, -sine)

    def cos(self) -> Jet:
        sine, cosine = self.value.sin(), self.value.cos()
        return self.under(cosine, -sine, -cosine)

    def normal_density(self) -> Jet:
        """φ, the density of the standard normal law."""
        return (-(self * self) / 2).exp().times((2 * flint().arb.pi()).rsqrt())

    def normal_cdf(self) -> Jet:
        """Φ, its distribution function."""
        z = self.value
        value = (-z / flint().arb(2).sqrt()).erfc() / 2
        density = (-(z**2) / 2).exp() / (2 * flint().arb.pi()).sqrt()
        return self.under(value, density, -z * density)


def variables(values: Sequence[Any]) -> list[Jet]:
    """Numbers as variables, each by itself."""
    count = len(values)
    result = []
    for place, value in enumerate(values):
        first = zeros(count)
        first[place] = flint().arb(1)
        result.append(Jet(value, first, zeros(count, count)))
    return result


def from_gradient(value: Any, parts: Sequence[tuple[Jet, Jet]]) -> Jet:
    """A function F by its value and pairs (∂F/∂x, x) of jets."""
    first = sum(slope.value * x.first for slope, x in parts)
    second = sum(np.outer(slope.first, x.first) + slope.value * x.second for slope, x in parts)
    return Jet(value, first, (second + second.T) / 2)
