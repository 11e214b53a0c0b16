"""Few eigenvalues of a symmetric H = Q T Qᵀ, with vectors and positions, from one tridiagonal form T.

The reduction costs nearly all of it, 4P³/3 flops. All eigenvalues of T tell which are wanted, each to some eps ‖T‖ at
its position (sturm.hpp). LAPACK finds those again with vectors of T, by bisection and inverse iteration, and Q, kept as
Householder's reflections, takes these back. B. N. Parlett, The Symmetric Eigenvalue Problem (1998), §3.3 and
chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ._checks import Array
from ._core import tridiagonal_eigenvalues
from ._waiting import interruptible
from .decomposition import EPS
from .positions import Pairs, at_end, furthest, nearest_zero

SOON = 700  # rows up to which nobody waits for a reduction, as that takes some 10 ms
BLOCKED = 128  # numbers for each column that LAPACK takes to reflect by blocks


@dataclass(frozen=True)
class Tridiagonal:
    """T (P, P), and Q but for its first row, which is that of I, as LAPACK's dsytrd leaves it and dormqr takes it."""

    diagonal: Array
    beside: Array
    reflections: Array
    factors: Array

    @classmethod
    def of(cls, H: Array) -> Tridiagonal:
        from scipy.linalg.lapack import dsytrd, dsytrd_lwork

        room = int(dsytrd_lwork(len(H), lower=1)[0])
        # In columns, which is all the same for a symmetric matrix, LAPACK takes it as it is.
        size = len(H) if len(H) > SOON else 0
        reduced, diagonal, beside, factors, _ = interruptible(size, dsytrd, H.T, lower=1, lwork=room)
        return cls(diagonal, beside, from_second_row(reduced), factors)

    @cached_property
    def every(self) -> Array:
        """All eigenvalues, ascending."""
        return tridiagonal_eigenvalues(self.diagonal, self.beside, 1)

    def lowest(self, k: int) -> list[Pairs]:
        return self.at(at_end(len(self.every), k, -1))

    def highest(self, k: int) -> list[Pairs]:
        return self.at(at_end(len(self.every), k, 1))

    def nearest(self, k: int) -> list[Pairs]:
        """The k of smallest magnitude."""
        return self.at(nearest_zero(self.every, k))

    def furthest(self, k: int) -> list[Pairs]:
        """The k of largest magnitude, at either end."""
        return self.at(furthest(self.every, k))

    def at(self, positions: Array) -> list[Pairs]:
        """The eigenpairs at these positions, a part for each run of neighbours."""
        runs = np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
        parts = [self.neighbours(run) for run in runs]
        vectors = self.taken_back(np.concatenate([columns for _, columns in parts], axis=1))
        each = np.split(vectors, np.cumsum([len(values) for values, _ in parts])[:-1], axis=1)
        return [Pairs(values, columns, run) for (values, _), columns, run in zip(parts, each, runs, strict=True)]

    def neighbours(self, positions: Array) -> tuple[Array, Array]:
        """Eigenpairs of T; none where LAPACK fails: where some coincide it may find fewer, or others."""
        from scipy.linalg import LinAlgError, eigh_tridiagonal

        count, ends = len(self.diagonal), (int(positions[0]), int(positions[-1]))
        allowed = 8 * count * EPS * float(np.abs(self.every[[0, -1]]).max())
        try:
            values, vectors = eigh_tridiagonal(self.diagonal, self.beside, select="i", select_range=ends)
        except LinAlgError:
            values = np.empty(0)
        if len(values) < len(positions) or np.abs(values - self.every[positions]).max() > allowed:
            return np.empty(0), np.empty((count, 0))
        return values, vectors

    def taken_back(self, vectors: Array) -> Array:
        """Q times columns (P, k)."""
        if len(vectors) < 2 or not vectors.shape[1]:
            return vectors
        from scipy.linalg.lapack import dormqr

        room, rest = BLOCKED * vectors.shape[1], vectors[1:]
        turned = dormqr("L", "N", self.reflections, self.factors, rest, room)[0]
        return np.concatenate([vectors[:1], turned])


def from_second_row(columns: Array) -> Array:
    """The matrix (P, P − 1) without its first row, and with one of no use at the end, of one in columns (P, P)."""
    size = len(columns)
    return columns.reshape(-1, order="F")[1 : 1 + size * (size - 1)].reshape((size, size - 1), order="F")
