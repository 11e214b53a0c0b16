"""Orthonormal bases of the span of columns, and of what is orthogonal to it."""

from __future__ import annotations

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
