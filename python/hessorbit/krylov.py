"""Eigenpairs at an end of a symmetric operator, by block Krylov subspaces with full orthogonalisation.

From a Gaussian block X (P, b) the subspace of X, A X, A² X, … is kept orthonormal; the eigenpairs of the operator's
matrix there (Ritz pairs) converge first at the ends. With Y = Q S for the eigenvectors S of T = Qᵀ A Q,

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


@dataclass(frozen=True)
class RitzPairs:
    """Ritz pairs that a subspace holds, those wanted first.

    Attributes
    ----------
    values : ndarray, shape (m,)
    vectors : ndarray, shape (P, k)
        Of the first k.
    converged : bool
        Whether the first k are eigenpairs up to the tolerance.
    """

    values: Array
    vectors: Array
    converged: bool


def ritz_pairs(
    product: Callable[[Array], Array],
    count: int,
    wanted: int,
    rank: Callable[[Array], Array],
    *,
    tolerance: float,
    most: int,
) -> RitzPairs:
    """Returns the pairs whose values `rank` puts first, of a subspace of at most `most` dimensions.

    `product` takes columns (P, b). The subspace grows until they have converged: ‖A y − θ y‖ ≤ tolerance · max|θ|,
    which is looked at each time that it has grown by a quarter.
    """
    block = np.random.default_rng(0).standard_normal((count, BLOCK))
    most = min(most, count) // BLOCK * BLOCK
    basis, projected = np.empty((count, most)), np.zeros((most, most))
    block = np.linalg.qr(block)[0]
    look = BLOCK
    for size in range(BLOCK, most + 1, BLOCK):
        basis[:, size - BLOCK : size] = block
        inside = basis[:, :size]
        image = product(block)
        along = inside.T @ image
        image -= inside @ along
        again = inside.T @ image
        image -= inside @ again
        projected[:size, size - BLOCK : size] = along + again
        block, triangle = np.linalg.qr(image)
        if size >= look or size == most:
            look = size + size // 4
            values, columns = np.linalg.eigh(projected[:size, :size], UPLO="U")
            order = np.argsort(rank(values), kind="stable")
            chosen = order[:wanted]
            beyond = np.linalg.norm(triangle @ columns[-BLOCK:, chosen], axis=0)
            converged = size > wanted and bool(beyond.max() <= tolerance * np.abs(values).max())
            if converged or size == most:
                break
        block = np.linalg.qr(block - inside @ (inside.T @ block))[0]
    return RitzPairs(values[order], inside @ columns[:, chosen], converged)
