"""Subspaces that hold eigenvectors at the ends of a symmetric operator: block Krylov, with full orthogonalisation.

From a block X (P, b) the subspace of X, A X, A² X, … is kept orthonormal; the eigenpairs of the operator's matrix there
(Ritz pairs) converge first at the ends. With Y = Q S for the eigenvectors S of T = Qᵀ A Q,

    ‖A y − θ y‖ = ‖R s‖,    R the triangle of what A makes of the last block beyond the subspace, s the last b rows of
    S.

Parlett, The Symmetric Eigenvalue Problem, 1998, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._checks import Array

BLOCK = 8
MOST_TURNS = 3


@dataclass(frozen=True)
class Subspace:
    """A subspace and the Ritz pairs in it.

    Attributes
    ----------
    basis : ndarray, shape (P, m)
    values : ndarray, shape (m,)
        Ritz values, ascending.
    columns : ndarray, shape (m, m)
        S.
    beyond : ndarray, shape (b, m)
        R s of each.
    """

    basis: Array
    values: Array
    columns: Array
    beyond: Array

    @property
    def residuals(self) -> Array:
        """‖A y − θ y‖ of each."""
        return np.asarray(np.linalg.norm(self.beyond, axis=0))

    def vectors(self, chosen: Array) -> Array:
        return np.asarray(self.basis @ self.columns[:, chosen])


def gaussian(count: int) -> Array:
    """A block (P, b) to start from."""
    return np.random.default_rng(0).standard_normal((count, BLOCK))


def grown(
    product: Callable[[Array], Array],
    start: Array,
    enough: Callable[[Subspace], bool],
    *,
    most: int,
    first: int,
) -> Subspace:
    """Returns the subspace from a block (P, b) on, of at most `most` dimensions, once it is enough.

    `product` takes columns (P, b). That is looked at after `first` blocks, and then each time that it has grown by a
    quarter.
    """
    count, width = start.shape
    most = max(min(most, count) // width, 1) * width
    basis, projected = np.empty((most, count)).T, np.zeros((most, most))
    block = np.linalg.qr(start)[0]
    look = first * width
    for size in range(width, most + 1, width):
        basis[:, size - width : size] = block
        inside = basis[:, :size]
        block, along, triangle = split(inside, product(block))
        projected[:size, size - width : size] = along
        if size >= look or size == most:
            look = size + size // 4
            values, columns = np.linalg.eigh(projected[:size, :size], UPLO="U")
            space = Subspace(inside, values, columns, triangle @ columns[-width:])
            if enough(space):
                break
    return space


def split(inside: Array, image: Array) -> tuple[Array, Array, Array]:
    """Orthonormal columns B (P, b) beside orthonormal ones Q (P, m), C and R with image = Q C + B R; by Gram–Schmidt.

    Twice is enough (Parlett, §6.9), but where the second time takes most of a column.
    """
    along = inside.T @ image
    block, triangle = np.linalg.qr(image - inside @ along)
    for _ in range(MOST_TURNS):
        again = inside.T @ block
        along += again @ triangle
        block, left = np.linalg.qr(block - inside @ again)
        triangle = left @ triangle
        if np.abs(left.diagonal()).min() > 0.5:
            break
    return block, along, triangle
