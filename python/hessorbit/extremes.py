"""A few eigenvalues at the ends of the spectrum or by magnitude, each with its residual, and their positions counted.

For a unit vector v and r = H v − λ v there is an eigenvalue of H within ‖r‖ of λ, and for the k of them together k
eigenvalues within ‖R‖ (Parlett, The Symmetric Eigenvalue Problem, 1998, §4.5 and §11.5).

Where H is formed, its Krylov subspaces and those of an inverse find them, and norms or an LDLᵀ tell
their positions (counted.py); what that cannot tell apart, and small matrices, are left to a tridiagonal form, all of
whose eigenvalues are found (tridiagonal.py). H is formed only where it is small enough.

What is found at several ends is found separately. For unit vectors v, w with residuals r, s the product vᵀw is at most
(‖r‖ + ‖s‖)/|λ − μ|: orthogonal where the ends are apart, but anything where they share a cluster of eigenvalues. With
columns V, residuals R = H V − V Λ and G = VᵀV, the columns V G^{-½} are orthonormal, and their residuals are at most
some times ‖R‖ if G is near to I: for Λ G − G Λ = Vᵀ R − Rᵀ V, which is as small as R.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from . import _checks, _html
from ._blas import calm_blas
from ._checks import FLOAT64, Array
from ._kinks import Kink
from ._norms import norm
from ._words import number_of
from .any_objective import AnyObjective, finite_matrix_of, matrix_of
from .condition_number import ConditionNumber, ratio
from .counted import ACCURATE, Counts, Few, in_range, may_be_positive, rounding, times
from .decomposition import EPS, backward_error, symmetric_eigen
from .krylov import BLOCK
from .matrix_errors import QuadratureErrors, RoundingErrors, errors_of
from .objective import Objective
from .positions import Pairs, at_end, ends_of
from .restricted import whole
from .tridiagonal import Tridiagonal

FEW = ("smallest", "largest", "nearest_zero", "largest_magnitude")  # options of `spectrum`, as in Counts
FEW_NAMED = "largest, smallest, nearest_zero and largest_magnitude"
MOST_FORMED = 20_000  # parameters up to which the matrix is formed, of 3.2 GB
MOST_DENSE = 1500  # parameters up to which it is formed for the largest eigenvalues too
MOST_KEPT = 1024  # parameters up to which it is kept for the floor, 8 MB
MOST_FACTOR = 200_000_000  # entries of the Gauss–Newton factor
FEWEST, FEWEST_INDEFINITE = 300, 650  # parameters up to which a tridiagonal form takes less time than subspaces
INDEPENDENT = 0.5  # ‖VᵀV − I‖₂ up to which columns are made orthonormal
EXTENDED = 1_000_000  # N·P·k up to which residuals are computed in extended precision, in some 10 ms


@dataclass(frozen=True, eq=False, repr=False)
class PartialSpectrum:
    """A partial spectrum holds a few eigenvalues at the ends of a spectrum, or nearest 0; made by `spectrum`.

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
    _asked: Counts
    _kept: Array | None

    @cached_property
    def floor(self) -> float:
        """A bound on what rounding did to the matrix and its eigenvalues, as `Spectrum.floor`; found at first use.

        Takes another evaluation of the matrix for more than 1024 parameters.
        """
        obj, name = self._objective, self.matrix
        H = matrix_of(obj, self._theta, name) if self._kept is None else self._kept
        size = float(np.abs(self.eigenvalues).max())
        return self._errors.of(name, H) + backward_error(self.size, np.array([size, norm(H)]))

    @property
    def kinks(self) -> tuple[Kink, ...]:
        """Layer, neuron and sample of kinks whose jumps `floor` counts, as `Spectrum.kinks`."""
        return self._errors.kinks_of(self.matrix)

    @cached_property
    def _errors(self) -> RoundingErrors | QuadratureErrors:
        return errors_of(self._objective, self._theta)

    def condition_number(self) -> ConditionNumber:
        """Returns the raw condition number: the ratio of the largest to the smallest magnitude of all eigenvalues.

        Raises
        ------
        ValueError
            If these eigenvalues do not tell. What is largest in magnitude is needed, by ``largest_magnitude=1`` or as
            one of both ends, and what is smallest, by ``nearest_zero=1`` or because all eigenvalues have one sign.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([3, 1], bias=False), np.diag([1.0, 2.0, 4.0]), [1.0, 1.0, 1.0])
        >>> ho.spectrum(obj, np.zeros(3), largest_magnitude=1, nearest_zero=1).condition_number()
        16 (raw)
        """
        first, last = self.positions[0] == 0, self.positions[-1] == self.size - 1
        one_sign = (first and self.eigenvalues[0] > 0) or (last and self.eigenvalues[-1] < 0)
        if not self.counted or not (self._asked.far or (first and last)) or not (self._asked.near or one_sign):
            raise ValueError(
                "condition_number needs the eigenvalue of largest magnitude, and that of smallest, with counted "
                "positions: ask for spectrum(obj, theta, largest_magnitude=1, nearest_zero=1)"
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
            f"{len(self.eigenvalues)} of {number_of(self.size, 'eigenvalue')} of the {self.matrix.replace('_', '–')} "
            f"(method {self.method}, positions {how})"
        )

    def __repr__(self) -> str:
        pairs = zip(self.eigenvalues, self.residuals, strict=True)
        return "\n".join([self._caption(), *(f"  {value:<9.6g} residual {residual:.1e}" for value, residual in pairs)])

    def _repr_html_(self) -> str:
        rows = zip(self.positions, map(float, self.eigenvalues), (f"{r:.1e}" for r in self.residuals), strict=True)
        return _html.table(self._caption(), ["position", "eigenvalue", "residual"], rows)


def partial_spectrum(obj: AnyObjective, theta: Array, matrix: str, wanted: dict[str, int | None]) -> PartialSpectrum:
    """Returns some eigenvalues of the Hessian or the Gauss–Newton matrix at θ (P,): so many of each name in FEW."""
    count = len(theta)
    few = Counts(*(0 if wanted[name] is None else _checks.integer(wanted[name], name, minimum=1, maximum=count)
                   for name in FEW))  # fmt: skip
    if _checks.is_extended(theta):
        raise TypeError(f"theta must be float64 for {FEW_NAMED}; got longdouble: round it yourself")
    at = theta.copy()
    free = not few.low and not few.near and not (few.high and few.far) and few.high + few.far < count - 1
    formed = count <= MOST_DENSE or not free
    if formed and count > MOST_FORMED:
        name = "smallest" if few.low else "nearest_zero" if few.near else "largest with largest_magnitude"
        raise ValueError(
            f"{name} is for up to {MOST_FORMED} parameters, whose matrix is formed; theta has {count}: ask for the "
            f"largest alone, or for some parameters, as spectrum(..., parameters=free)"
        )
    with calm_blas(count):
        if formed:
            H = finite_matrix_of(obj, at, matrix)
            found, errors = counted_pairs(H, few)
        else:
            product = product_of(obj, at, matrix)
            found = lanczos(product, count, few.high or few.far, "LA" if few.high else "LM")
            errors = residuals(product(found.vectors), found)
        extended = extended_residuals(obj, at, matrix, found)
    return PartialSpectrum(
        eigenvalues=found.eigenvalues,
        vectors=found.vectors,
        residuals=errors if extended is None else extended,
        positions=found.positions,
        counted=formed,
        matrix=matrix,
        size=count,
        method="dense" if formed else "lanczos",
        _objective=obj,
        _theta=at,
        _asked=few,
        _kept=H if formed and count <= MOST_KEPT else None,
    )


def counted_pairs(H: Array, wanted: Counts) -> tuple[Pairs, Array]:
    """The eigenvalues wanted, each once, with orthonormal vectors, and ‖H v − λ v‖₂ of each.

    Where LAPACK's bisection fails, as it may where many eigenvalues coincide, and where ends share so much of an
    eigenspace that their vectors are not independent, all eigenvalues are found with their vectors.
    """
    count = len(H)
    # For some time after a product the threads of BLAS take the CPU that the core's other thread is about to use.
    with calm_blas(BLOCK):
        # LAPACK's bisection loses digits of matrices near the end of the exponents.
        H, frobenius, scale = in_range(H)
        soon = worth_subspaces(H, frobenius, wanted)
        few = Few(H, frobenius, Counts(*(k if soon and 20 * k < count else 0 for k in wanted)))
        # What is nearest 0 first: where all are positive, it is at the lower end too. A tridiagonal form takes less
        # time than five LDLᵀ.
        found = (None,) * 4 if few.costly else (few.nearest(), few.lowest(), few.highest(), few.furthest())
    if wanted.low + wanted.high >= count:
        pairs, errors = among_all(H, np.arange(count))
    else:
        parts = [part for part in found if part] + by_bisection(few, wanted, *found)
        pairs, errors = joined(few, parts) or among_all(H, np.unique(np.concatenate([p.positions for p in parts])))
    return Pairs(pairs.eigenvalues * scale, pairs.vectors, pairs.positions), errors * scale


def worth_subspaces(H: Array, norm: float, wanted: Counts) -> bool:
    """Whether subspaces take less time than a tridiagonal form, as for the upper end and positive matrices."""
    if len(H) <= FEWEST:
        return False
    inside = wanted.low or wanted.near or wanted.far
    return not inside or len(H) > FEWEST_INDEFINITE or may_be_positive(H, rounding(H, norm))


def by_bisection(
    few: Few, wanted: Counts, near: Pairs | None, low: Pairs | None, high: Pairs | None, far: Pairs | None
) -> list[Pairs]:
    """Those wanted of which there is nothing yet."""
    each = (
        (wanted.near, near, Tridiagonal.nearest),
        (wanted.low, low, Tridiagonal.lowest),
        (wanted.high, high, Tridiagonal.highest),
        (wanted.far, far, Tridiagonal.furthest),
    )
    missing = [(k, find) for k, found, find in each if k and not found]
    if not missing:
        return []
    form = Tridiagonal.of(few.H)
    return [part for k, find in missing for part in find(form, k)]


def joined(few: Few, parts: list[Pairs]) -> tuple[Pairs, Array] | None:
    """All of them in ascending order, each once, with residuals; if they are whole, independent, and eigenpairs."""
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
    pairs = Pairs(values, vectors, positions)
    errors = residuals(times(few.H, vectors, few.threads), pairs)
    return (pairs, errors) if errors.max() <= ACCURATE * few.norm else None


def orthonormal(vectors: Array) -> Array | None:
    """The orthonormal columns nearest to these (P, k), V (VᵀV)^{-½}; None if they are not independent."""
    products = vectors.T @ vectors
    if np.abs(products - np.eye(len(products))).max() <= EPS * len(vectors):
        return vectors
    values, columns = symmetric_eigen(products, vectors=True)
    if np.abs(values - 1).max() > INDEPENDENT:
        return None
    return np.asarray(vectors @ ((columns / np.sqrt(values)) @ columns.T))


def among_all(H: Array, positions: Array) -> tuple[Pairs, Array]:
    """The eigenvalues at these positions, all being found with their vectors, and residuals."""
    values, vectors = symmetric_eigen(H, vectors=True)
    pairs = Pairs(values[positions], vectors[:, positions], positions)
    return pairs, residuals(H @ pairs.vectors, pairs)


def lanczos(product: Callable[[Array], Array], count: int, k: int, which: Literal["LA", "LM"]) -> Pairs:
    """The k largest eigenvalues, "LA", or largest in magnitude, "LM", by Lanczos's method with implicit restarts.

    By ARPACK, from a fixed start.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    operator = LinearOperator((count, count), matvec=product, dtype=FLOAT64)
    start = np.random.default_rng(0).standard_normal(count)
    try:
        values, vectors = eigsh(operator, k=k, which=which, v0=start, ncv=min(count, max(2 * k + 20, 40)))
    except ArpackNoConvergence as error:
        raise ArithmeticError(
            f"Lanczos's method found {len(error.eigenvalues)} of the {number_of(k, 'largest eigenvalue')}: "
            f"ask for fewer, or for some parameters"
        ) from error
    order = np.argsort(values)
    positions = ends_of(values[order], count) if which == "LM" else at_end(count, k, 1)
    return Pairs(values[order], vectors[:, order], positions)


def product_of(obj: AnyObjective, theta: Array, matrix: str) -> Callable[[Array], Array]:
    """Returns the product with a vector (P,), or with columns (P, k)."""
    if matrix == "hessian":
        return lambda v: obj.hvp(theta, v)
    data = whole(obj, theta)[0]
    rows = (data.num_samples if isinstance(data, Objective) else len(theta)) * obj.net.widths[-1]
    if rows * len(theta) > MOST_FACTOR:
        raise ValueError(
            f"matrix='gauss_newton' needs its factor, of {number_of(rows, 'row')} and "
            f"{number_of(len(theta), 'column')}, which would take "
            f"{8e-9 * rows * len(theta):.0f} GB: ask for the Hessian, or for fewer samples"
        )
    factor = obj.gauss_newton_factor(theta)
    return lambda v: factor.T @ (factor @ v) + obj.l2 * v


def residuals(images: Array, pairs: Pairs) -> Array:
    """‖H v − λ v‖₂ of each, by H v."""
    return np.asarray(np.linalg.norm(images - pairs.vectors * pairs.eigenvalues, axis=0))


def extended_residuals(obj: AnyObjective, theta: Array, matrix: str, pairs: Pairs) -> Array | None:
    """The same in extended precision, where that takes little time."""
    data = whole(obj, theta)[0]
    if matrix != "hessian" or not isinstance(data, Objective) or data.num_samples * pairs.vectors.size > EXTENDED:
        return None
    wide = pairs.vectors.astype(np.longdouble)
    images: Any = obj.hvp(theta.astype(np.longdouble), wide)
    return np.asarray(np.sqrt(((images - wide * pairs.eigenvalues) ** 2).sum(axis=0)), FLOAT64)
