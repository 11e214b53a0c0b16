"""A few eigenvalues at the ends of the spectrum or nearest 0, each with its residual, and their positions counted.

For a unit vector v and r = H v − λ v there is an eigenvalue of H within ‖r‖ of λ, and for the k of them together k
eigenvalues within ‖R‖ (Parlett, The Symmetric Eigenvalue Problem, 1998, §4.5 and §11.5).

Where H is formed, its Krylov subspaces and those of an inverse find them, and norms, an LDLᵀ or all eigenvalues tell
their positions (counted.py); what that cannot tell apart, and small matrices, are left to LAPACK's bisection, which
counts too. H is formed only where it is small enough.

What is found at several ends is found separately. For unit vectors v, w with residuals r, s the product vᵀw is at most
(‖r‖ + ‖s‖)/|λ − μ|: orthogonal where the ends are apart, but anything where they share a cluster of eigenvalues. With
columns V, residuals R = H V − V Λ and G = VᵀV, the columns V G^{-½} are orthonormal, and their residuals are at most
some times ‖R‖ if G is near to I: for Λ G − G Λ = Vᵀ R − Rᵀ V, which is as small as R.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import _checks, _html
from ._blas import calm_blas
from ._checks import FLOAT64, Array
from ._norms import norm
from ._waiting import interruptible
from .any_objective import AnyObjective, finite_matrix_of, matrix_of
from .condition_number import ConditionNumber, ratio
from .counted import ACCURATE, Few, Pairs, in_range, nearest_zero
from .decomposition import EPS, backward_error, symmetric_eigen
from .error_bounds import errors_of
from .objective import Objective
from .restricted import whole

MOST_FORMED = 20_000  # parameters up to which the matrix is formed, of 3.2 GB
MOST_DENSE = 1500  # parameters up to which it is formed for the largest eigenvalues too
MOST_KEPT = 1024  # parameters up to which it is kept for the floor, 8 MB
MOST_FACTOR = 200_000_000  # entries of the Gauss–Newton factor
FEWEST, FEWEST_SHARED = 300, 150  # parameters up to which LAPACK finds one end, or more than that, in less time
INDEPENDENT = 0.5  # ‖VᵀV − I‖₂ up to which columns are made orthonormal
EXTENDED = 1_000_000  # N·P·k up to which residuals are computed in extended precision, in some 10 ms


@dataclass(frozen=True, eq=False, repr=False)
class PartialSpectrum:
    """A partial spectrum holds a few eigenvalues at the ends of a spectrum; made by `spectrum`.

    Attributes
    ----------
    eigenvalues : ndarray, shape (k,)
        Ascending.
    vectors : ndarray, shape (P, k)
        Column i belongs to eigenvalue i; orthonormal.
    residuals : ndarray, shape (k,)
        ‖H v − λ v‖₂ of each: an eigenvalue of H lies within this of λ. The product is in extended precision, where that
        takes 10 ms; else its own rounding, about ``eps ‖H‖``, comes on top.
    positions : ndarray of int, shape (k,)
        Positions among all eigenvalues in ascending order.
    counted : bool
        Whether these positions were counted on the matrix, by norms, by the inertia of an LDLᵀ, by LAPACK's bisection
        or among all eigenvalues. Lanczos's method counts nothing: of an eigenvalue of multiplicity m it may find fewer
        than m.
    matrix : {"hessian", "gauss_newton"}
    size : int
        P.
    method : {"dense", "lanczos"}
        Lanczos's if any of them was found by it.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([3, 1], bias=False), np.diag([1.0, 2.0, 4.0]), [1.0, 1.0, 1.0])
    >>> ho.spectrum(obj, np.zeros(3), largest=1, smallest=1)  # doctest: +ELLIPSIS
    2 of 3 eigenvalues of the hessian (method dense, positions counted)
      0.333333  residual ...e-...
      5.33333   residual ...e-...
    """

    eigenvalues: Array
    vectors: Array
    residuals: Array
    positions: Array
    counted: bool
    matrix: str
    size: int
    method: str
    _objective: AnyObjective
    _theta: Array
    _nearest: int
    _kept: Array | None

    @cached_property
    def floor(self) -> float:
        """A bound on what rounding did to the matrix and its eigenvalues, as `Spectrum.floor`; found at first use.

        Takes another evaluation of the matrix for more than 1024 parameters.
        """
        obj, name = self._objective, self.matrix
        H = matrix_of(obj, self._theta, name) if self._kept is None else self._kept
        size = float(np.abs(self.eigenvalues).max())
        return errors_of(obj, self._theta).of(name, H) + backward_error(self.size, np.array([size, norm(H)]))

    def condition_number(self) -> ConditionNumber:
        """Returns the raw condition number: the ratio of the largest to the smallest magnitude of all eigenvalues.

        Raises
        ------
        ValueError
            If these eigenvalues do not tell: both ends are needed (``largest=1, smallest=1``), and what is nearest 0,
            by ``nearest_zero=1`` or because all eigenvalues have one sign.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([3, 1], bias=False), np.diag([1.0, 2.0, 4.0]), [1.0, 1.0, 1.0])
        >>> ho.spectrum(obj, np.zeros(3), largest=1, smallest=1).condition_number()
        16 (raw)
        """
        first, last = self.eigenvalues[0], self.eigenvalues[-1]
        both = self.counted and self.positions[0] == 0 and self.positions[-1] == self.size - 1
        one_sign = both and (first > 0 or last < 0)
        if not both or not (one_sign or self._nearest):
            raise ValueError(
                "condition_number needs the eigenvalues at both ends, and what is nearest 0 unless all have one sign, "
                "with counted positions: ask for spectrum(obj, theta, largest=1, smallest=1, nearest_zero=1)"
            )
        floor = self.floor + float(self.residuals.max())
        return ratio(np.abs(self.eigenvalues), floor, lambda _: floor, "raw", {"directions": (self.size, self.size)})

    @property
    def num_negative(self) -> int:
        """Number of these eigenvalues that are negative by more than their residual."""
        return int((self.eigenvalues < -self.residuals).sum())

    @property
    def participation_ratio(self) -> Array:
        """(Σ_p v_p²)² / Σ_p v_p⁴ of each eigenvector, from 1 (one parameter) to P (all alike), shape (k,)."""
        squares = self.vectors**2
        return np.asarray(squares.sum(axis=0) ** 2 / (squares**2).sum(axis=0))

    def _caption(self) -> str:
        how = "counted" if self.counted else "not counted"
        return (
            f"{len(self.eigenvalues)} of {self.size} eigenvalues of the {self.matrix.replace('_', '–')} "
            f"(method {self.method}, positions {how})"
        )

    def __repr__(self) -> str:
        pairs = zip(self.eigenvalues, self.residuals, strict=True)
        return "\n".join([self._caption(), *(f"  {value:<9.6g} residual {residual:.1e}" for value, residual in pairs)])

    def _repr_html_(self) -> str:
        rows = zip(self.positions, map(float, self.eigenvalues), (f"{r:.1e}" for r in self.residuals), strict=True)
        return _html.table(self._caption(), ["position", "eigenvalue", "residual"], rows)


def partial_spectrum(
    obj: AnyObjective, theta: Array, matrix: str, largest: int | None, smallest: int | None, nearest_zero: int | None
) -> PartialSpectrum:
    """Returns some eigenvalues of the Hessian or the Gauss–Newton matrix at θ (P,)."""
    count = len(theta)
    high, low, near = (0 if k is None else _checks.integer(k, name, minimum=1, maximum=count) for k, name in
                       ((largest, "largest"), (smallest, "smallest"), (nearest_zero, "nearest_zero")))  # fmt: skip
    if _checks.is_extended(theta):
        raise TypeError("theta must be float64 for largest and smallest; got longdouble: round it yourself")
    at = theta.copy()
    formed = low > 0 or near > 0 or count <= MOST_DENSE or high + low >= count - 1
    if formed and count > MOST_FORMED:
        raise ValueError(
            f"{'smallest' if low else 'nearest_zero'} is for up to {MOST_FORMED} parameters, whose matrix is formed; "
            f"theta has {count}: ask for the largest alone, or for some parameters, as spectrum(..., parameters=free)"
        )
    with calm_blas(count):
        if formed:
            H = finite_matrix_of(obj, at, matrix)
            found = counted_pairs(H, low, high, near)
        else:
            found = lanczos(product_of(obj, at, matrix), count, high)
    return PartialSpectrum(
        eigenvalues=found.eigenvalues,
        vectors=found.vectors,
        residuals=residuals(obj, at, matrix, found),
        positions=found.positions,
        counted=formed,
        matrix=matrix,
        size=count,
        method="dense" if formed else "lanczos",
        _objective=obj,
        _theta=at,
        _nearest=near,
        _kept=H if formed and count <= MOST_KEPT else None,
    )


def counted_pairs(H: Array, low: int, high: int, near: int) -> Pairs:
    """The smallest, the largest, and those of smallest magnitude, each once, with orthonormal vectors.

    Where LAPACK's bisection fails, as it may where many eigenvalues coincide, and where ends share so much of an
    eigenspace that their vectors are not independent, all eigenvalues are found with their vectors.
    """
    # LAPACK's bisection loses digits of matrices near the end of the exponents.
    H, scale = in_range(H)
    if low + high >= len(H):
        found = among_all(H, np.arange(len(H)))
    else:
        parts = counted_parts(H, low, high, near)
        positions = np.unique(np.concatenate([part.positions for part in parts]))
        found = joined(H, parts) or among_all(H, positions)
    return Pairs(found.eigenvalues * scale, found.vectors, found.positions)


def counted_parts(H: Array, low: int, high: int, near: int) -> list[Pairs]:
    """The smallest, the largest, and those of smallest magnitude, which are not orthogonal to each other."""
    count = len(H)
    enough = count > (FEWEST_SHARED if near or (low and high) else FEWEST)
    few = Few(H, *(k if enough and 20 * k < count else 0 for k in (low, high, near)))
    # What is nearest 0 first: where all are positive, it is at the lower end too.
    parts = [few.nearest() or within(H, nearest_zero(few.every, near))] if near else []
    if low:
        parts.append(few.lowest() or within(H, np.arange(low)))
    if high:
        parts.append(few.highest() or within(H, np.arange(count - high, count)))
    return parts


def joined(H: Array, parts: list[Pairs]) -> Pairs | None:
    """All of them in ascending order, each once, if they are whole and independent, and eigenpairs of H."""
    if any(len(part.eigenvalues) != len(part.positions) for part in parts):
        return None
    positions, first = np.unique(np.concatenate([part.positions for part in parts]), return_index=True)
    values = np.concatenate([part.eigenvalues for part in parts])[first]
    vectors = orthonormal(np.concatenate([part.vectors for part in parts], axis=1)[:, first])
    if vectors is None:
        return None
    # Neighbours that were found separately may be in the wrong order, by their rounding errors.
    order = np.argsort(values, kind="stable")
    values, vectors = values[order], vectors[:, order]
    errors = np.linalg.norm(H @ vectors - vectors * values, axis=0)
    return Pairs(values, vectors, positions) if errors.max() <= ACCURATE * np.linalg.norm(H) else None


def orthonormal(vectors: Array) -> Array | None:
    """The orthonormal columns nearest to these (P, k), V (VᵀV)^{-½}; None if they are not independent."""
    products = vectors.T @ vectors
    if np.abs(products - np.eye(len(products))).max() <= EPS * len(vectors):
        return vectors
    values, columns = symmetric_eigen(products, vectors=True)
    if np.abs(values - 1).max() > INDEPENDENT:
        return None
    return np.asarray(vectors @ ((columns / np.sqrt(values)) @ columns.T))


def within(H: Array, positions: Array) -> Pairs:
    """The eigenvalues at neighbouring positions, by bisection of the tridiagonal form, which counts them.

    Where eigenvalues coincide LAPACK may find fewer, and says nothing of it.
    """
    from scipy.linalg import LinAlgError, eigh

    ends = int(positions[0]), int(positions[-1])
    try:
        values, vectors = interruptible(len(H), eigh, H, subset_by_index=ends, driver="evr", check_finite=True)
    except LinAlgError:
        values, vectors = np.empty(0), np.empty((len(H), 0))
    return Pairs(values, vectors, positions)


def among_all(H: Array, positions: Array) -> Pairs:
    """The eigenvalues at these positions, all being found with their vectors."""
    values, vectors = symmetric_eigen(H, vectors=True)
    return Pairs(values[positions], vectors[:, positions], positions)


def lanczos(product: Callable[[Array], Array], count: int, high: int) -> Pairs:
    """The largest eigenvalues by Lanczos's method with implicit restarts (ARPACK), from a fixed start."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    operator = LinearOperator((count, count), matvec=product, dtype=FLOAT64)
    start = np.random.default_rng(0).standard_normal(count)
    try:
        values, vectors = eigsh(operator, k=high, which="LA", v0=start, ncv=min(count, max(2 * high + 20, 40)))
    except ArpackNoConvergence as error:
        raise ArithmeticError(
            f"Lanczos's method found {len(error.eigenvalues)} of the {high} largest eigenvalues: ask for fewer, or for "
            f"some parameters"
        ) from error
    order = np.argsort(values)
    return Pairs(values[order], vectors[:, order], np.arange(count - high, count))


def product_of(obj: AnyObjective, theta: Array, matrix: str) -> Callable[[Array], Array]:
    """Returns the product with a vector (P,), or with columns (P, k)."""
    if matrix == "hessian":
        return lambda v: obj.hvp(theta, v)
    data = whole(obj, theta)[0]
    rows = (data.num_samples if isinstance(data, Objective) else len(theta)) * obj.net.widths[-1]
    if rows * len(theta) > MOST_FACTOR:
        raise ValueError(
            f"matrix='gauss_newton' needs its factor, of {rows} rows and {len(theta)} columns, which would take "
            f"{8e-9 * rows * len(theta):.0f} GB: ask for the Hessian, or for fewer samples"
        )
    factor = obj.gauss_newton_factor(theta)
    return lambda v: factor.T @ (factor @ v) + obj.l2 * v


def residuals(obj: AnyObjective, theta: Array, matrix: str, found: Pairs) -> Array:
    """‖H v − λ v‖₂ of each vector v, made a unit vector."""
    vectors = found.vectors / np.linalg.norm(found.vectors, axis=0)
    data = whole(obj, theta)[0]
    if matrix == "hessian" and isinstance(data, Objective) and data.num_samples * vectors.size <= EXTENDED:
        wide = vectors.astype(np.longdouble)
        images: Any = obj.hvp(theta.astype(np.longdouble), wide)
        return np.asarray(np.sqrt(((images - wide * found.eigenvalues) ** 2).sum(axis=0)), FLOAT64)
    return np.asarray(np.linalg.norm(product_of(obj, theta, matrix)(vectors) - vectors * found.eigenvalues, axis=0))
