"""Orthonormal bases of the span of columns, and of what is orthogonal to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._checks import Array
from ._waiting import interruptible, side


def span(vectors: Array, tolerance: float | None = None) -> Array:
    """Returns orthonormal columns for the span of columns (P, n), but for singular values below tolerance · largest.

    By default that is rounding, as in ``scipy.linalg.orth``.
    """
    if not vectors.size:
        return vectors[:, :0]
    left, values, _ = interruptible(side(vectors), np.linalg.svd, vectors, full_matrices=False)
    least = np.finfo(values.dtype).eps * max(vectors.shape) if tolerance is None else tolerance
    return np.asarray(left[:, values > least * values.max()])


def complement(basis: Array) -> Array:
    """Returns orthonormal columns (P, P − k) orthogonal to the orthonormal ones of a basis (P, k)."""
    if not basis.shape[1]:
        return np.eye(len(basis))
    return np.asarray(interruptible(len(basis), np.linalg.qr, basis, mode="complete")[0][:, basis.shape[1] :])


@dataclass(frozen=True)
class Reflectors:
    """Householder's reflections Q = I − V T Vᵀ that take orthonormal columns B (P, k) to the first k directions.

    The other directions are those orthogonal to B: for few columns, in place of a product with `complement`.

    Puglisi, "Modification of the Householder method based on the compact WY representation", SIAM J. Sci. Stat.
    Comput. 13 (1992): T⁻¹ is the upper triangle of VᵀV with half its diagonal.
    """

    v: Array
    t: Array
    count: int

    @classmethod
    def of(cls, basis: Array) -> Reflectors | None:
        """Those of a basis (P, k), where its complement does not take less time: for 2 k ≤ P."""
        if 2 * basis.shape[1] > len(basis):
            return None
        rows, factors = interruptible(side(basis), np.linalg.qr, basis, mode="raw")
        v = np.tril(rows.T, -1)
        np.fill_diagonal(v, 1.0)
        v = v[:, factors != 0]  # the others reflect nothing
        products = np.triu(v.T @ v)
        np.fill_diagonal(products, products.diagonal() / 2)
        return cls(v, np.linalg.inv(products), basis.shape[1])

    def rows_outside(self, rows: Array) -> Array:
        """Returns F Q (n, P − k) in the other directions, for F (n, P)."""
        return np.asarray(rows[:, self.count :] - (rows @ self.v @ self.t) @ self.v[self.count :].T)

    def columns_outside(self, columns: Array) -> Array:
        """Returns Q (0; C) (P, n), for columns C (P − k, n) in the other directions."""
        below = np.concatenate([np.zeros((self.count, columns.shape[1]), columns.dtype), columns])
        return np.asarray(below - self.v @ (self.t @ (self.v[self.count :].T @ columns)))

    def matrix_outside(self, matrix: Array) -> Array:
        """Returns Qᵀ H Q (P − k, P − k) in the other directions, for a symmetric H: H − V Zᵀ − Z Vᵀ there."""
        v, image = self.v, matrix @ (self.v @ self.t)
        z = image - v @ (self.t.T @ (v.T @ image) / 2)
        v, z = v[self.count :], z[self.count :]
        return np.asarray(matrix[self.count :, self.count :] - np.hstack([v, z]) @ np.hstack([z, v]).T)
