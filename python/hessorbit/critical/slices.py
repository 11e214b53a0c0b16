"""The slice c + U s through a point, transverse to the directions along which the loss does not change.

U (P, n) are nearly orthonormal columns that nearly diagonalise UᵀHU, with radius zero; d its diagonal. T(θ) are the
directions of invariances.py and C a matrix such that Z = T(c) C is nearly orthonormal. Where [U, T(θ) C] is not
singular, gradients orthogonal to U vanish at θ, as ∇Lᵀ T(θ) = 0: the slice meets the orbits transversally.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import Array
from ..balls.arithmetic import balls, largest, middles, product, zeros
from ..balls.eigenvalues import eigenvectors

DEPENDENT = 1e-8  # directions whose singular values are below this count as dependent


@dataclass(frozen=True)
class Split:
    """Float64 directions at a point: C (n, k), and orthonormal bases of its orbit, Z (P, k), and beside, (P, P − k)."""

    combinations: Array
    along: Array
    across: Array


def split(directions: Array) -> Split:
    """From the directions (P, n) at a point, in float64."""
    lengths = np.linalg.norm(directions, axis=0)
    used = np.flatnonzero(lengths > DEPENDENT * lengths.max(initial=0.0))
    left, values, right = np.linalg.svd(directions[:, used] / lengths[used], full_matrices=True)
    rank = int((values > DEPENDENT * values.max(initial=0.0)).sum())
    combinations = np.zeros((directions.shape[1], rank))
    combinations[used] = right[:rank].T / values[:rank] / lengths[used, None]
    return Split(combinations, left[:, :rank], left[:, rank:])


@dataclass(frozen=True)
class Slice:
    """U (P, n), and d (n,), both with radius zero; C and Z in float64."""

    columns: Array
    curvatures: Array
    parts: Split

    def orthonormal(self, error: float) -> bool:
        """Whether UᵀU is proven to be the identity up to an error in its norm."""
        gap = product(self.columns.T, self.columns) - balls(np.eye(self.columns.shape[1]))
        return all(row.sum() < error for row in largest(gap))

    def transverse(self, directions: Array) -> bool:
        """Whether [U, T C] is proven not to be singular, for all T (P, n) in a box."""
        count = len(directions)
        if directions.shape[1] != len(self.parts.combinations):
            return False  # other rectifiers are on than at the point of the slice
        z = balls(self.parts.along)
        moved = product(directions, balls(self.parts.combinations)) if z.shape[1] else zeros(count, 0)
        gap = product(np.column_stack([self.columns, z]).T, np.column_stack([self.columns, moved]))
        return all(row.sum() < 1 for row in largest(gap - balls(np.eye(count))))

    def box(self, centre: Array, radius: Any) -> Array:
        """Balls that contain c + U s for all |s_i| ≤ radius."""
        reach = abs(self.columns).sum(axis=1) * radius
        return np.array([middle.union(middle + r).union(middle - r) for middle, r in zip(centre, reach, strict=True)])


def slice_of(hessian: Array, parts: Split) -> Slice:
    """The slice for a Hessian (P, P) of balls."""
    across = balls(parts.across)
    reduced = product(across.T, hessian, across)
    columns = middles(product(across, eigenvectors(reduced)))
    return Slice(columns, middles(np.diagonal(product(columns.T, hessian, columns))), parts)


def float_slice(hessian: Array, parts: Split) -> tuple[Array, Array]:
    """U and d in float64."""
    values, vectors = np.linalg.eigh(parts.across.T @ hessian @ parts.across)
    return parts.across @ vectors, values
