"""The eigenvalues of a formed matrix at one of its ends or nearest 0, few of them, with their positions counted.

Krylov subspaces of H find the largest, those of (H − σ I)⁻¹ the ones nearest σ (krylov.py). That none was missed is
counted: if m of those found are below s − e − ‖r‖, and the LDLᵀ of H − s I, exact but for e, has m negative
eigenvalues, then these m are all that H has below s − e (Sylvester, Weyl); above s likewise. The largest need no
count where the squares of all others sum to less than the square of the least of them: ‖H‖_F² is the sum of all
squares. Where neighbours are too close to be told apart by such an s, nothing is returned, but for one case: k values
at the lower end that are all within rounding of each other, such as those of zero modes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._checks import Array
from ._core import Ldlt
from .decomposition import EPS
from .krylov import BLOCK, ritz_pairs
from .signs import factorised

TIGHT, CLOSE = 1e-14, 1e-9  # residuals of products with H, and of those with an inverse, that need no further step
NEAR = 1e-7  # of the largest magnitude: a count is taken so close beside an eigenvalue, or half-way to the next
LOOK = 5  # blocks of the subspace that tells roughly where the ends are
MOST = 24  # blocks


@dataclass(frozen=True)
class Pairs:
    """Eigenvalues (k,) ascending, vectors (P, k), and positions in ascending order."""

    eigenvalues: Array
    vectors: Array
    positions: Array


def highest(H: Array, k: int) -> Pairs | None:
    """The k largest eigenvalues."""
    count = len(H)
    found = ritz_pairs(lambda v: H @ v, count, k, np.negative, tolerance=TIGHT, most=dimensions(count, k))
    if not found.converged:
        return None
    values, vectors, error = refined(H, found.vectors)
    # The others together have this root of a sum of squares, so none of them is larger.
    rest = float(np.linalg.norm(H)) ** 2 - float(values @ values)
    if values[0] > 0 and 2 * rest < values[0] ** 2:
        return Pairs(values, vectors, np.arange(count - k, count))
    s = values[0] - beside(found.values[k - 1] - found.values[k], float(np.abs(found.values).max()))
    factor = factorised(H, s)
    if count - sum(factor.inertia) != k or values[0] - s <= factor.backward_error + error:
        return None
    return Pairs(values, vectors, np.arange(count - k, count))


def lowest(H: Array, k: int) -> Pairs | None:
    """The k smallest eigenvalues: as the largest of −H, and by an inverse where none is far below 0."""
    count = len(H)
    rough = ritz_pairs(lambda v: H @ v, count, 1, np.positive, tolerance=TIGHT, most=LOOK * BLOCK)
    size, least, vector = float(np.abs(rough.values).max()), float(rough.values[0]), rough.vectors[:, 0]
    if least >= -np.linalg.norm(H @ vector - least * vector):
        tiny = 8 * count * EPS * size
        factor = factorised(H, -tiny)
        if factor.inertia == (0, 0):
            return lowest_of_positive(H, factor, k, tiny, size)
    upper = highest(-H, k)
    return upper and Pairs(-upper.eigenvalues[::-1], upper.vectors[:, ::-1], np.arange(k))


def lowest_of_positive(H: Array, factor: Ldlt, k: int, tiny: float, size: float) -> Pairs | None:
    """The same by the inverse of H + tiny·I, which is positive definite."""
    found = ritz_pairs(factor.solve, len(H), k, np.negative, tolerance=CLOSE, most=dimensions(len(H), k))
    if not found.converged or found.values[k] <= 0:
        return None
    values, vectors, error = refined(H, factor.solve(found.vectors))
    following = 1 / found.values[k] - tiny
    if following > values[-1]:
        s = values[-1] + beside(following - values[-1], size)
        upper = factorised(H, s)
        if upper.inertia[0] == k and s - values[-1] > upper.backward_error + error:
            return Pairs(values, vectors, np.arange(k))
    # The i-th Ritz value is at least the i-th eigenvalue (Cauchy), and no eigenvalue is below −tiny − e.
    if values[-1] + factor.backward_error <= tiny:
        return Pairs(values, vectors, np.arange(k))
    return None


def nearest(H: Array, k: int) -> Pairs | None:
    """The k eigenvalues of smallest magnitude, by the inverse of the matrix."""
    count = len(H)
    factor = factorised(H, -EPS * float(np.linalg.norm(H)))
    if factor.inertia[1]:
        return None
    found = ritz_pairs(factor.solve, count, k + 1, lambda v: -np.abs(v), tolerance=CLOSE, most=dimensions(count, k + 1))
    if not found.converged:
        return None
    values, vectors, error = refined(H, factor.solve(found.vectors))
    # One more than asked for, whose magnitude says how far from 0 counts may be taken.
    magnitudes = np.sort(np.abs(values))
    s = magnitudes[k - 1] + beside(magnitudes[k] - magnitudes[k - 1], np.inf)
    kept = np.abs(values) < s
    below = 0
    if factor.inertia[0] or values[0] < 0:
        lower = factorised(H, -s)
        if s - magnitudes[k - 1] <= lower.backward_error + error:
            return None
        below = lower.inertia[0] + lower.inertia[1]
    upper = factorised(H, s)
    if upper.inertia[0] - below != k or s - magnitudes[k - 1] <= upper.backward_error + error:
        return None
    return Pairs(values[kept], vectors[:, kept], np.arange(below, below + k))


def dimensions(count: int, k: int) -> int:
    """Of the largest subspace that is worth its time."""
    return min(count - BLOCK, MOST * BLOCK + 4 * k)


def beside(gap: float, size: float) -> float:
    """How far from an eigenvalue a count is taken, whose next neighbour is `gap` away."""
    return float(min(gap / 2, NEAR * size))


def refined(H: Array, vectors: Array) -> tuple[Array, Array, float]:
    """The eigenpairs of H within the span of columns (P, k), and the norm of their residuals together."""
    basis = np.linalg.qr(vectors)[0]
    images = H @ basis
    within = basis.T @ images
    values, columns = np.linalg.eigh((within + within.T) / 2)
    basis = basis @ columns
    return values, basis, float(np.linalg.norm(images @ columns - basis * values))
