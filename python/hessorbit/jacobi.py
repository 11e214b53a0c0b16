"""Eigenvalues of a symmetric matrix of longdouble numbers.

LAPACK's float64 eigenvectors, made orthonormal in the arithmetic wanted, leave a nearly diagonal matrix; Jacobi's
rotations diagonalise it, converging quadratically, whether or not eigenvalues cluster. Each round turns P/2 disjoint
pairs at once, P − 1 rounds make a sweep over all pairs.

G. H. Golub and C. F. Van Loan, "Matrix Computations", 4th ed., section 8.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._checks import Array

SWEEPS = 40


def symmetric_eigen(matrix: Array, eps: Any) -> tuple[Array, Array]:
    """Eigenvalues (P,), ascending, and eigenvectors as columns (P, P); `eps` is the rounding unit.

    Takes about 3 products of matrices and, for each sweep, 12 P³ operations; two or three sweeps are enough for
    longdouble.
    """
    size = np.abs(matrix).max()
    if not size > 0:
        return np.diagonal(matrix).copy(), np.eye(len(matrix)).astype(matrix.dtype)
    rough = np.linalg.eigh((matrix / size).astype(np.float64))[1]
    vectors = orthonormal(rough.astype(matrix.dtype), eps)
    nearly = vectors.T @ (matrix / size) @ vectors
    nearly = (nearly + nearly.T) / 2
    for _ in range(SWEEPS):
        if not sweep(nearly, vectors, eps):
            break
    values = np.diagonal(nearly) * size
    order = np.argsort(values, kind="stable")
    return values[order], vectors[:, order]


def orthonormal(columns: Array, eps: Any) -> Array:
    """Columns that are orthonormal to float64, made so in their own arithmetic by Newton's and Schulz's iteration."""
    identity = np.eye(columns.shape[1])
    for _ in range(SWEEPS):
        gram = columns.T @ columns
        columns = columns @ (3 * identity - gram) / 2
        gap = np.abs(gram - identity).max(initial=0)
        if not gap * gap > eps:  # the gap is squared each time
            break
    return columns


def sweep(matrix: Array, vectors: Array, eps: Any) -> bool:
    """Turns every pair of rows and columns once, in place; whether any was worth it."""
    count, turned = len(matrix), False
    players = list(range(count + count % 2))
    for _ in range(len(players) - 1):
        pairs = np.array([(p, q) for p, q in zip(players, reversed(players), strict=True) if p < q < count])
        # A round-robin tournament: the first stays, the others move on.
        players[1:] = players[-1:] + players[1:-1]
        if not len(pairs):
            continue
        p, q = pairs[: len(pairs)].T
        beside = matrix[p, q]
        # What is below eps of the largest entry, 1, changes no eigenvalue beyond what is known of it.
        worth = np.abs(beside) > eps / 8
        if not worth.any():
            continue
        p, q, beside, turned = p[worth], q[worth], beside[worth], True
        ratio = (matrix[q, q] - matrix[p, p]) / (2 * beside)
        tangent = 1 / (np.abs(ratio) + np.sqrt(ratio * ratio + 1))
        tangent = np.where(ratio < 0, -tangent, tangent)
        cosine = 1 / np.sqrt(tangent * tangent + 1)
        turn(matrix.T, p, q, cosine, tangent * cosine)
        turn(matrix, p, q, cosine, tangent * cosine)
        turn(vectors.T, p, q, cosine, tangent * cosine)
    return turned


def turn(rows: Array, p: Array, q: Array, cosine: Array, sine: Array) -> None:
    """Rows p and q by cos·p − sin·q and sin·p + cos·q, in place."""
    c, s = cosine[:, None], sine[:, None]
    first, second = rows[p], rows[q]
    rows[p], rows[q] = c * first - s * second, s * first + c * second
