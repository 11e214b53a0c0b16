"""Arrays with bounds on the errors of their entries, to first order in u = eps/2.

Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.3): each operation
adds its rounding to what it makes of the errors of its operands, as in δ(xy) = |x| δy + δx (|y| + δy) + u |xy|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ._checks import Array
from ._norms import norm

# Elementary functions of the core are within 4 ulp; more for the vectors of a chunk that are summed in another order.
ULPS = 4


@dataclass(frozen=True)
class Approximate:
    """An array, and bounds on the errors of its entries."""

    value: Array
    error: Array

    @classmethod
    def exact(cls, value: Array) -> Self:
        return cls(value, np.zeros_like(value))

    @property
    def unit(self) -> Any:
        return np.finfo(self.value.dtype).eps / 2

    def __getitem__(self, index: Any) -> Approximate:
        return Approximate(self.value[index], self.error[index])

    @property
    def T(self) -> Approximate:
        """With the last two axes exchanged."""
        return Approximate(np.swapaxes(self.value, -1, -2), np.swapaxes(self.error, -1, -2))

    def __add__(self, other: Approximate) -> Approximate:
        value = self.value + other.value
        return Approximate(value, self.error + other.error + self.unit * np.abs(value))

    def __mul__(self, other: Approximate) -> Approximate:
        value = self.value * other.value
        error = np.abs(self.value) * other.error + self.error * (np.abs(other.value) + other.error)
        return Approximate(value, error + self.unit * np.abs(value))

    def __matmul__(self, other: Approximate) -> Approximate:
        if self.value.shape[-1] == 1:
            return self * other
        left, right = np.abs(self.value), np.abs(other.value)
        rounding = (self.value.shape[-1] + 1) * self.unit
        error = left @ (other.error + rounding * right) + self.error @ (right + other.error)
        return Approximate(self.value @ other.value, error)

    def norm(self, axis: int = -1) -> Approximate:
        """Euclidean norms, without overflow."""
        size = norm(self.value, axis)
        return Approximate(size, norm(self.error, axis) + 2 * self.unit * size)


def quotient(a: Approximate, b: Approximate) -> Approximate:
    """a / b for b ≥ 1, whose exact value is at least 1 too."""
    value = a.value / b.value
    error = (a.error + np.abs(value) * b.error) / np.maximum(b.value - b.error, 1)
    return Approximate(value, error + a.unit * np.abs(value))


def root_of(a: Approximate) -> Approximate:
    """√a for a ≥ 0: |√a − √b| = |a − b| / (√a + √b)."""
    value = np.sqrt(a.value)
    error = np.minimum(a.error / np.where(value > 0, value, 1), np.sqrt(a.error))
    return Approximate(value, error + a.unit * value)
