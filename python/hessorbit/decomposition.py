"""Four ways to the eigenvalues of H, and the floor below which each leaves an eigenvalue unresolved.

With eps = 2.2e-16, ‖·‖₂ the largest eigenvalue or singular value, ‖·‖_F the root of the sum of squares, and bounds ‖δH‖
and ‖δF‖ on the rounding errors of the matrix itself (error_bounds.py):

    Dense           eigenvalues of H (P, P)                                eps (P + 8) ‖H‖₂ + ‖δH‖
    Extended        the same in longdouble                                 the same with eps of longdouble
    Gram            of F Fᵀ or FᵀF, whichever is smaller, n × n, H = FᵀF   eps ((n + 8) ‖H‖₂ + (1 + √p/2) ‖F‖_F²)
                                                                               + 2 ‖F‖₂‖δF‖ + ‖δF‖²
    SingularValues  squared singular values of F (N·K, P)                  (eps (n + 8) ‖F‖₂ + ‖δF‖)²

The first terms are the backward error of LAPACK and of the core, a modest multiple of eps·‖H‖₂ that grows at most
like n (LAPACK Users' Guide, 3rd ed., sections 4.7 and 4.9; of small matrices it may be 8), and underflow in it; p is
the other side of F, along which its products are summed. A factored H may leave something out of what it stands for;
the norm of that is added to its floor. A singular value σ is known to within √floor, so its square to within
2 σ √floor + floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.linalg import LinAlgError, lapack

from . import _core, jacobi
from ._bases import Reflectors, complement
from ._blas import SMALL, core_threads
from ._checks import Array
from ._waiting import interruptible, side

EPS = float(np.finfo(np.float64).eps)
UNDERFLOW = float(np.finfo(np.float64).smallest_subnormal)  # what an operation may lose at the end of the exponents
ROUNDINGS_PER_LAYER = 8
OF_SMALL = 8  # eps ‖·‖₂ that a decomposition may err by beside what grows with the size
FEWEST = 64  # rows of a symmetric matrix from which on the core finds its eigenvalues


@dataclass(frozen=True, eq=False)
class Dense:
    """A symmetric matrix H (P, P)."""

    matrix: Array

    method = "dense"

    def driver(self, vectors: bool) -> str:
        """What finds the eigenvalues, with vectors or without."""
        return symmetric_driver(len(self.matrix), vectors)

    def trace(self) -> float:
        return float(np.trace(self.matrix))

    def eigenvalues(self) -> Array:
        """Ascending, (P,)."""
        return symmetric_eigen(self.matrix)[0]

    def eigenvectors(self) -> tuple[Array, Array]:
        """Eigenvalues (P,), ascending, and eigenvectors as columns (P, P)."""
        return symmetric_eigen(self.matrix, vectors=True)

    def floor(self, eigenvalues: Array, error: float) -> float:
        """At most this far is an eigenvalue from the true one; `error` bounds ‖δH‖."""
        return backward_error(len(self.matrix), eigenvalues) + error

    def error_at(self, magnitude: float, floor: float) -> float:
        """The error of an eigenvalue of that magnitude."""
        return floor

    def restrict(self, basis: Array) -> Self:
        """To the span of orthonormal columns (P, k): k × k."""
        return type(self)(interruptible(len(basis), on_span, self.matrix, basis))

    def outside(self, basis: Array) -> Dense:
        """To what is orthogonal to orthonormal columns (P, k)."""
        reflectors = Reflectors.of(basis)
        if not reflectors:
            return self.restrict(complement(basis))
        return Dense(interruptible(len(basis), reflectors.matrix_outside, self.matrix))

    def eigenvectors_outside(self, basis: Array) -> tuple[Array, Array]:
        """Eigenvalues (P − k,) across orthonormal columns (P, k), ascending, and eigenvectors (P, P − k) there."""
        if not basis.shape[1]:
            return self.eigenvectors()
        reflectors = Reflectors.of(basis)
        if not reflectors:
            others = complement(basis)
            values, columns = self.restrict(others).eigenvectors()
            return values, np.asarray(interruptible(len(basis), np.matmul, others, columns))
        values, columns = Dense(interruptible(len(basis), reflectors.matrix_outside, self.matrix)).eigenvectors()
        return values, np.asarray(interruptible(side(columns), reflectors.columns_outside, columns))

    def restriction_error(self, eigenvalues: Array) -> float:
        """What rounding adds to ‖δH‖ where H is restricted: that of two products, and of the columns."""
        return 2 * self.floor(eigenvalues, 0.0)

    def apply(self, v: Array) -> Array:
        """H v, v (P, k)."""
        return np.asarray(self.matrix @ v)


class Extended(Dense):
    """The same in longdouble, by Jacobi's rotations."""

    def driver(self, vectors: bool) -> str:
        return "jacobi"

    def eigenvalues(self) -> Array:
        return jacobi.symmetric_eigen(self.matrix, self.eps)[0]

    def eigenvectors(self) -> tuple[Array, Array]:
        return jacobi.symmetric_eigen(self.matrix, self.eps)

    @property
    def eps(self) -> float:
        return float(np.finfo(self.matrix.dtype).eps)

    def floor(self, eigenvalues: Array, error: float) -> float:
        return self.eps * (len(self.matrix) + OF_SMALL) * float(np.abs(eigenvalues).max()) + error

    def restrict(self, basis: Array) -> Self:
        columns = jacobi.orthonormal(basis.astype(self.matrix.dtype), self.eps)
        return type(self)(interruptible(len(columns), on_span, self.matrix, columns))

    def outside(self, basis: Array) -> Dense:
        return self.restrict(self.complement(basis))

    def eigenvectors_outside(self, basis: Array) -> tuple[Array, Array]:
        others = self.complement(basis)
        values, columns = self.restrict(others).eigenvectors()
        return values, np.asarray(others @ columns)

    def complement(self, basis: Array) -> Array:
        """Columns (P, P − k) orthogonal to those of a basis (P, k) in the matrix's own arithmetic."""
        columns = jacobi.orthonormal(basis.astype(self.matrix.dtype), self.eps)
        others = complement(basis).astype(self.matrix.dtype)
        return np.asarray(jacobi.orthonormal(others - columns @ (columns.T @ others), self.eps))


@dataclass(frozen=True, eq=False)
class Proven(Dense):
    """A matrix whose eigenvalues are known from elsewhere, with a proven bound on their errors."""

    proven: float = 0.0

    def driver(self, vectors: bool) -> str:
        return "balls"

    def floor(self, eigenvalues: Array, error: float) -> float:
        return error

    @property
    def rounded(self) -> Dense:
        """The matrix in float64, which is what is restricted."""
        return Dense(np.asarray(self.matrix, np.float64))

    def restrict(self, basis: Array) -> Dense:  # type: ignore[override]
        return self.rounded.restrict(basis)

    def outside(self, basis: Array) -> Dense:
        return self.rounded.outside(basis)


@dataclass(frozen=True, eq=False)
class SingularValues:
    """H = FᵀF + shift·I for rows F (N·K, P), but for a matrix of norm `missing`; by the singular values of F."""

    rows: Array
    shift: float = 0.0
    missing: float = 0.0

    method = "jacobian"

    def driver(self, vectors: bool) -> str:
        return "dgesdd"

    def trace(self) -> float:
        return float(np.einsum("np,np->", self.rows, self.rows) + self.shift * self.rows.shape[1])

    def eigenvalues(self) -> Array:
        return self.complete(singular_values(self.rows) ** 2)

    def eigenvectors(self) -> tuple[Array, Array]:
        count = self.rows.shape[1]
        tall = len(self.rows) > count
        rows = interruptible(side(self.rows), np.linalg.qr, self.rows, mode="r") if tall else self.rows
        _, values, right = interruptible(count, np.linalg.svd, rows)
        # Descending singular values, then the null space: reversed, they are the ascending eigenvalues.
        return self.complete(values**2), right[::-1].T

    def complete(self, squares: Array) -> Array:
        """The squared singular values with the zeros of the null space of F, shifted, ascending (P,)."""
        zeros = np.zeros(self.rows.shape[1] - len(squares))
        return np.asarray(np.sort(np.concatenate([zeros, squares])) + self.shift)

    def floor(self, eigenvalues: Array, error: float) -> float:
        """The level below which an eigenvalue is unresolved; `error` bounds ‖δF‖."""
        root = backward_error(min(self.rows.shape), self.singular(eigenvalues)) + error
        # Inf where the square overflows, as powers are not; where it underflows, rounded up.
        return max(root * root, UNDERFLOW if root else 0.0) + self.beside()

    def error_at(self, magnitude: float, floor: float) -> float:
        return 2 * math.sqrt(magnitude) * math.sqrt(floor) + floor

    def singular(self, eigenvalues: Array) -> Array:
        return np.asarray(np.sqrt(np.maximum(eigenvalues - self.shift, 0.0)))

    def beside(self) -> float:
        return EPS * self.shift + self.missing

    def restrict(self, basis: Array) -> Self:
        return type(self)(interruptible(side(self.rows), np.matmul, self.rows, basis), self.shift, self.missing)

    def outside(self, basis: Array) -> Self:
        """To what is orthogonal to orthonormal columns (P, k)."""
        reflectors = Reflectors.of(basis)
        if not reflectors:
            return self.restrict(complement(basis))
        rows = interruptible(side(self.rows), reflectors.rows_outside, self.rows)
        return type(self)(rows, self.shift, self.missing)

    def restriction_error(self, eigenvalues: Array) -> float:
        """What rounding adds to ‖δF‖ where F is restricted: that of a product, and of the columns."""
        return backward_error(self.rows.shape[1], self.singular(eigenvalues))

    def apply(self, v: Array) -> Array:
        return np.asarray(self.rows.T @ (self.rows @ v) + self.shift * v)


class Gram(SingularValues):
    """The same H, its eigenvalues by F Fᵀ or FᵀF, whichever is smaller."""

    method = "gram"

    def driver(self, vectors: bool) -> str:
        return "dgesdd" if vectors else symmetric_driver(min(self.rows.shape), vectors)

    def eigenvalues(self) -> Array:
        rows = self.rows if self.rows.shape[0] < self.rows.shape[1] else self.rows.T
        return self.complete(symmetric_eigen(interruptible(side(rows), np.matmul, rows, rows.T))[0])

    def floor(self, eigenvalues: Array, error: float) -> float:
        singular = self.singular(eigenvalues)
        product = EPS / 2 * (2 + math.sqrt(max(self.rows.shape))) * float(singular @ singular)
        product += UNDERFLOW * max(self.rows.shape) if self.rows.any() else 0.0
        formed = error * (2 * float(singular.max()) + error) if error else 0.0
        return backward_error(min(self.rows.shape), eigenvalues) + product + formed + self.beside()

    def error_at(self, magnitude: float, floor: float) -> float:
        return floor


Decomposition = Dense | SingularValues


def on_span(matrix: Array, basis: Array) -> Array:
    """Returns basisᵀ matrix basis."""
    return np.asarray(basis.T @ (matrix @ basis))


def symmetric_driver(size: int, vectors: bool) -> str:
    """Names what finds the eigenvalues of a symmetric matrix of `size` rows."""
    return "two_stage" if not vectors and size >= FEWEST and _core.lanes >= 4 else "dsyevd"


def symmetric_eigen(matrix: Array, *, vectors: bool = False, threads: int | None = None) -> tuple[Array, Array]:
    """Ascending eigenvalues, and eigenvectors as columns if asked for.

    Eigenvalues alone by the core, in two stages and bisection; of small matrices, where a SIMD vector holds two
    numbers, and with vectors by LAPACK's dsyevd. Called straight, that takes a tenth of the time of
    ``scipy.linalg.eigh`` for the smallest matrices. For others it is called by NumPy, which lets go of the
    interpreter's lock meanwhile. The core takes as many threads as CPUs are idle, if none are given.
    """
    size = len(matrix)
    if symmetric_driver(size, vectors) == "two_stage":
        team = core_threads(size) if threads is None else threads
        return _core.symmetric_eigenvalues(np.ascontiguousarray(matrix), team), np.empty((size, 0))
    if size > SMALL:
        if not vectors:
            return np.asarray(interruptible(size, np.linalg.eigvalsh, matrix)), np.empty((size, 0))
        values, columns = interruptible(size, np.linalg.eigh, matrix)
        return values, columns
    options = {"compute_v": int(vectors), "lower": 1}
    work, integer_work, _ = lapack.dsyevd_lwork(size, **options)
    # The transpose is the same matrix in the order in which LAPACK reads.
    values, columns, info = lapack.dsyevd(matrix.T, lwork=int(work), liwork=int(integer_work), **options)
    if info:
        raise LinAlgError(f"dsyevd failed on a matrix of shape {matrix.shape} with info = {info}")
    return values, columns


def singular_values(rows: Array) -> Array:
    """Descending, by LAPACK's dgesdd."""
    return np.asarray(interruptible(side(rows), np.linalg.svd, rows, compute_uv=False))


def backward_error(size: int, values: Array) -> float:
    """eps (n + 8) ‖·‖₂ of a matrix with these eigenvalues or singular values, and underflow if it is not zero."""
    largest = float(np.abs(values).max())
    return (size + OF_SMALL) * (EPS * largest + UNDERFLOW) if largest else 0.0


def rounding(size: int, values: Any, layers: int) -> float:
    """eps (n ‖·‖₂ + 8 L ‖·‖_F) of a matrix with these eigenvalues or singular values."""
    largest, frobenius = np.abs(values).max(), np.linalg.norm(values)
    return float(EPS * (size * largest + ROUNDINGS_PER_LAYER * layers * frobenius))
