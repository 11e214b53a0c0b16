"""Krawczyk's test on a slice: a box |s_i| ≤ ρ around its centre holds exactly one zero of F(s) = Uᵀ∇L(c + U s).

With F' = UᵀHU over the box, close to diag(d), and q_i = Σ_j |δ_ij − F'_ij/d_i|, it is proven if
|F_i(0)/d_i| + q_i ρ < ρ for all i. As q_i < 1, F' is then diagonally dominant by rows, with the signs of d on its
diagonal, for every point of the box: the inertia is that of diag(d).

R. Krawczyk, "Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken", Computing 4 (1969).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._checks import Array
from ..balls.arithmetic import largest, product
from .slices import Slice


@dataclass(frozen=True)
class Contraction:
    """What the test found: max |F_i(0)/d_i|, max q_i, and whether it proves its box."""

    step: Any
    factor: Any
    proven: bool

    @property
    def reach(self) -> Any:
        """The zero has |s_i| at most this."""
        return (self.step / (1 - self.factor)).upper()


def contraction(where: Slice, gradient: Array, hessian: Array, radius: Any) -> Contraction:
    """The test for ∇L(c) (P,), and ∇²L (P, P) over the box; radius is exact."""
    steps = largest(product(where.columns.T, gradient[:, None])[:, 0] / where.curvatures)
    scaled = product(where.columns.T, hessian, where.columns) / where.curvatures[:, None]
    diagonal = range(len(scaled))
    scaled[diagonal, diagonal] -= 1
    factors = largest(scaled).sum(axis=1)
    inside = all(step + factor * radius < radius for step, factor in zip(steps, factors, strict=True))
    return Contraction(most(steps), most(factors), inside)


def most(values: Array) -> Any:
    """An upper bound; not finite if one of them is not."""
    bad = [value for value in values if not value.is_finite()]
    return bad[0] if bad else max(value.upper() for value in values)
