"""Subspaces that hold eigenvectors at the ends of a symmetric operator: block Krylov, with full orthogonalisation.

From a block X (P, b) the subspace of X, A X, A² X, … is kept orthonormal, in the core (krylov.hpp); the eigenpairs of
the operator's matrix there (Ritz pairs) converge first at the ends. With Y = Q S for the eigenvectors S of T = Qᵀ A Q,

    ‖A y − θ y‖ = ‖R s‖,    R the triangle of what A makes of the last block beyond the subspace, s the last b rows of
    S.

Parlett, The Symmetric Eigenvalue Problem, 1998, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._checks import Array
from ._core import KrylovBasis, Ldlt

BLOCK = 8


@dataclass(frozen=True)
class Subspace:
    """A subspace of m dimensions and the Ritz pairs in it.

    Attributes
    ----------
    basis : KrylovBasis
        Q.
    values : ndarray, shape (m,)
        Ritz values, ascending.
    columns : ndarray, shape (m, m)
        S.
    beyond : ndarray, shape (b, m)
        R s of each.
    """

    basis: KrylovBasis
    values: Array
    columns: Array
    beyond: Array

    @property
    def residuals(self) -> Array:
        """‖A y − θ y‖ of each."""
        return np.asarray(np.linalg.norm(self.beyond, axis=0))

    def vectors(self, chosen: Array) -> Array:
        return self.basis.vectors(np.ascontiguousarray(self.columns[:, chosen]))


def gaussian(count: int) -> Array:
    """A block (P, b) to start from."""
    return np.random.default_rng(0).standard_normal((count, BLOCK))


def grown(
    operator: Array | Ldlt,
    start: Array,
    enough: Callable[[Subspace], bool],
    *,
    most: int,
    first: int,
    threads: int,
) -> Subspace:
    """Returns the subspace from a block (P, b) on, of at most `most` dimensions, once it is enough.

    The operator is a symmetric matrix (P, P), or the inverse that a factor is. What it made is looked at after `first`
    blocks, and then each time that it has grown by a quarter.
    """
    blocks = max(min(most, len(start)) // BLOCK, 1)
    basis = KrylovBasis(np.ascontiguousarray(start), blocks, threads)
    look = done = 0
    while True:
        look = min(max(first, look + -(-look // 4)), blocks)
        basis.advance(operator, look - done)
        done = look
        inside, triangle = basis.projection()
        values, columns = np.linalg.eigh(inside, UPLO="U")
        space = Subspace(basis, values, columns, triangle @ columns[-BLOCK:])
        if done == blocks or enough(space):
            return space
