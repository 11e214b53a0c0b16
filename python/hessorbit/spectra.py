"""Spectra of Hessians, and condition numbers with their conventions.

Eigenvalues are known only down to a floor (decomposition.py, matrix_errors.py); what lies below it is unresolved, and a
condition number with such a denominator is a lower bound and says so. At zero residual H = FᵀF + l2·I exactly, F being
the weighted Jacobian (gauss_newton.py): then the small side of F gives the eigenvalues, and its singular values resolve
far more.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _core, _html
from ._blas import TINY, calm_blas
from ._checks import FLOAT64, Array
from ._kinks import Kink, where
from ._norms import norm
from ._words import uncapitalised
from .any_objective import MATRICES, AnyObjective, check_objective, matrix_of, overflow
from .condition_number import ConditionNumber, ratio
from .decomposition import EPS, Decomposition, Dense, Extended, Gram, Proven, SingularValues, backward_error, rounding
from .extremes import FEW_NAMED, PartialSpectrum, partial_spectrum
from .matrix_errors import QuadratureErrors, RoundingErrors, errors_of
from .objective import Objective
from .restricted import block_of, whole
from .zero_mode_test import Modes, ZeroModeTest, orthonormal

if TYPE_CHECKING:
    from .symmetry import ZeroModes

METHODS = ("auto", "dense", "gram", "jacobian")
DRIVERS = {
    "two_stage": "reduction in two stages",
    "dsyevd": "LAPACK dsyevd",
    "dgesdd": "LAPACK dgesdd",
    "jacobi": "Jacobi's rotations in longdouble",
    "balls": "proven in ball arithmetic",
}
MOST_ROOT = 1e153  # ‖F‖ up to which FᵀF and its trace are finite
MOST_EXTENDED = 400  # parameters up to which longdouble stays longdouble
ROUNDINGS = 8  # of the entries of a matrix that is given
RESOLVED = 1e3  # times the floor: of eigenvalues so large it need not be measured, where that takes long


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """A spectrum holds the eigenvalues of a Hessian; made by `spectrum`.

    Attributes
    ----------
    eigenvalues : ndarray, shape (P,)
        Ascending, as in ``scipy.linalg.eigh``.
    vectors : ndarray, shape (P, P), or None
        Column i belongs to eigenvalue i; None unless asked for.
    trace : float
    matrix : str
        ``"hessian"``, ``"gauss_newton"`` or ``"given"``.
    method, driver : str
        How the eigenvalues were found: ``"dense"``, ``"gram"`` (by ``"two_stage"``; of matrices with fewer than 64
        rows, with vectors, and without AVX by LAPACK's ``"dsyevd"``) or ``"jacobian"`` (by ``"dgesdd"``); ``"dense"``
        also by ``"jacobi"`` in longdouble, and by ``"balls"`` with `digits`.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([3, 1], bias=False), np.diag([1.0, 2.0, 4.0]), [1.0, 1.0, 1.0])
    >>> sp = ho.spectrum(obj, np.zeros(3))
    >>> sp.eigenvalues.round(3), sp.rank, sp.num_negative
    (array([0.333, 1.333, 5.333]), 3, 0)
    """

    eigenvalues: Array
    vectors: Array | None
    trace: float
    matrix: str
    _decomposition: Decomposition
    _errors: RoundingErrors | QuadratureErrors
    _prediction: Any

    @property
    def method(self) -> str:
        return self._decomposition.method

    @property
    def driver(self) -> str:
        return self._decomposition.driver(self.vectors is not None)

    @property
    def max(self) -> float:
        """The largest eigenvalue."""
        return float(self.eigenvalues[-1])

    @property
    def min(self) -> float:
        """The smallest eigenvalue."""
        return float(self.eigenvalues[0])

    @cached_property
    def floor(self) -> float:
        """Level below which an eigenvalue's magnitude is unresolved; found at first use.

        By the methods ``"dense"`` and ``"gram"`` no eigenvalue is further from the true one. By ``"jacobian"`` that
        holds for eigenvalues near 0; one of magnitude λ is within 2 √(λ·floor) + floor, as `ConditionNumber.lower` and
        `upper` know.

        An upper bound on the rounding errors of the matrix (the residual's and the preactivations' included) and of
        its decomposition, and on what the methods ``"gram"`` and ``"jacobian"`` neglect. Inf where the bound overflows.
        Where it is large because a preactivation lies at the kink of its activation, or a residual at that of the loss,
        `kinks` names it.
        """
        return self._decomposition.floor(self.eigenvalues, self._matrix_error)

    @property
    def kinks(self) -> tuple[Kink, ...]:
        """Layer, neuron and sample of preactivations so close to a kink that rounding decides their side; the first.

        What derivatives jump by there is part of `floor`: the Hessian of the other side may be meant. As of a layer
        beyond the last, outputs and samples whose residual is at the kink of the loss. Move θ off the kinks for a floor
        without jumps. Of a matrix that is given, and with `digits`, there are none.
        """
        without = self.matrix == "given" or isinstance(self._decomposition, Proven)
        return () if without else self._errors.kinks_of(self.matrix)

    def _kink(self) -> str | None:
        """Says that the floor has jumps in it, and where."""
        if not self.kinks:
            return None
        more = ", as are others" if len(self.kinks) > 1 else ""
        first = uncapitalised(where(self.kinks[0], self._errors.objective.net.num_layers))
        return f"the floor counts what derivatives jump by at a kink: {first}{more}"

    @property
    def _matrix_error(self) -> float:
        """A bound on the error of what is decomposed, to compare with the backward error of the decomposition."""
        decomposed = self._decomposition
        if isinstance(decomposed, Proven):
            return decomposed.proven
        if isinstance(decomposed, Dense):
            if self.matrix == "given":
                eps = float(np.finfo(decomposed.matrix.dtype).eps)
                return ROUNDINGS * eps * float(norm(decomposed.matrix))
            if isinstance(decomposed, Extended):
                return self._errors.of(self.matrix, decomposed.matrix)
            enough = backward_error(len(decomposed.matrix), self.eigenvalues)
            if self._errors.slow:
                enough = max(enough, float(np.abs(self.eigenvalues).min()) / RESOLVED)
            stored = EPS / 2 * float(norm(decomposed.matrix)) if _checks.is_extended(self._errors.theta) else 0.0
            return self._errors.of(self.matrix, decomposed.matrix, enough) + stored
        return self._errors.of("factor", decomposed.rows)

    @property
    def num_negative(self) -> int:
        """Number of negative eigenvalues that are resolved, that is below −floor.

        Where the predicted zero modes are null, those of the matrix on their orthogonal complement, so that a zero mode
        at −1e-11 does not count; elsewhere, of all eigenvalues.
        """
        if self.zero_modes.are_null(self.floor):
            return int((self.quotient_eigenvalues < -self._quotient_floor).sum())
        return int((self.eigenvalues < -self.floor).sum())

    @property
    def rank(self) -> int:
        """Number of eigenvalues whose magnitude is above the floor."""
        return int((np.abs(self.eigenvalues) > self.floor).sum())

    @cached_property
    def zero_modes(self) -> ZeroModeTest:
        """Predicted zero modes and how well the matrix annihilates them; predicted at first use."""
        modes = self._predicted() if isinstance(self._prediction, str) else self._prediction
        count = len(self.eigenvalues)
        basis = np.zeros((count, 0)) if modes is None else orthonormal(modes, count)
        largest = float(np.abs(self.eigenvalues).max())
        with calm_blas(count):
            images = self._decomposition.apply(basis) / (largest or 1.0)
            together = float(np.linalg.norm(images.astype(FLOAT64), 2)) if basis.shape[1] else 0.0
        return ZeroModeTest(
            modes=modes,
            basis=basis,
            residuals=norm(images, axis=0),
            together=together,
            scale=largest,
            measured=count - self.rank,
        )

    def _predicted(self) -> ZeroModes | None:
        """What symmetry, loss and data predict; first-order modes only where this is the Gauss–Newton matrix."""
        if self._errors.objective.l2 and self.matrix == "gauss_newton":
            return None  # JᵀCJ + l2·I is nonsingular
        # Symmetries build on spectra; only here does a spectrum ask for them, when it is computed.
        from .symmetry.predicted_zero_modes import predicted

        first_order = self.matrix == "gauss_newton" or self._errors.zero_residual
        return predicted(self._errors.objective, self._errors.theta, flat_only=not first_order)

    @cached_property
    def quotient_eigenvalues(self) -> Array:
        """Eigenvalues, ascending, of the matrix restricted to the orthogonal complement of the predicted zero modes.

        Shape (P − k,). Found at first use, for about the cost of `eigenvalues`; float64 also with `digits`. Restricting
        the matrix adds rounding errors to those that `floor` bounds; `condition_number` and `num_negative` count them.
        """
        basis = self.zero_modes.basis
        if not basis.shape[1]:
            return self.eigenvalues
        with calm_blas(len(basis)):
            square = basis.shape[0] == basis.shape[1]
            return np.empty(0) if square else self._decomposition.outside(basis).eigenvalues()

    @cached_property
    def _quotient_floor(self) -> float:
        """The floor of `quotient_eigenvalues`, to which rounding in the restriction adds."""
        decomposed, values = self._decomposition, self.eigenvalues
        if not len(self.zero_modes):
            return self.floor
        if isinstance(decomposed, Proven):
            decomposed, values = decomposed.rounded, values.astype(FLOAT64)
            error = self._errors.of(self.matrix, decomposed.matrix)
        else:
            error = self._matrix_error
        return decomposed.floor(values, error + decomposed.restriction_error(values))

    @property
    def participation_ratio(self) -> Array:
        """(Σ_p v_p²)² / Σ_p v_p⁴ of each eigenvector, from 1 (one parameter) to P (all alike), shape (P,)."""
        if self.vectors is None:
            raise ValueError("participation_ratio needs the eigenvectors: ask for spectrum(..., vectors=True)")
        squares = self.vectors**2
        return np.asarray(squares.sum(axis=0) ** 2 / (squares**2).sum(axis=0))

    def condition_number(
        self, convention: str | None = None, *, rank: int | None = None, threshold: float | None = None
    ) -> ConditionNumber:
        """Returns the ratio of the largest to the smallest magnitude of eigenvalues, by one of four conventions.

        Parameters
        ----------
        convention : {"quotient", "raw"}, optional
            ``"quotient"``, the default: of the matrix restricted to the orthogonal complement of the predicted zero
            modes; no tolerance decides what is zero. ``"raw"``: of all eigenvalues.
        rank : int, optional
            Instead: the largest magnitude over the rank-th largest.
        threshold : float, optional
            Instead: of the eigenvalues of magnitude above `threshold` times the largest.

        Returns
        -------
        ConditionNumber
            A float that knows its convention, the number of directions it covers, and its own bounds. If the
            denominator d is below the floor, the value is the lower bound ``(|λ|_max − its error) / (√d + √floor)²``,
            at least 1. It is nan where there is nothing to divide: for a matrix that is zero without any error, or if
            every direction is a predicted zero mode. A quotient by modes that the matrix does not annihilate says so.

        Raises
        ------
        TypeError, ValueError
            If more than one convention is given, or one is unknown or out of range.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([3, 1], bias=False), np.diag([1.0, 2.0, 4.0]), [1.0, 1.0, 1.0])
        >>> sp = ho.spectrum(obj, np.zeros(3))
        >>> sp.condition_number("raw"), sp.condition_number(rank=2)
        (16 (raw), 4 (rank=2))
        """
        if sum(choice is not None for choice in (convention, rank, threshold)) > 1:
            raise ValueError(
                f"condition_number takes one of convention, rank and threshold; "
                f"got convention={convention!r}, rank={rank!r}, threshold={threshold!r}"
            )
        magnitudes = np.sort(np.abs(self.eigenvalues))[::-1]
        if rank is not None:
            r = _checks.integer(rank, "rank", minimum=1)
            if r > len(magnitudes):
                raise ValueError(f"rank must be at most the number of parameters, {len(magnitudes)}; got {r}")
            return self._ratio(magnitudes[:r], f"rank={r}")
        if threshold is not None:
            tau = _checks.real(threshold, "threshold", minimum=0.0)
            if tau >= 1:
                raise ValueError(f"threshold must be below 1, as it is relative to the largest eigenvalue; got {tau!r}")
            return self._ratio(magnitudes[magnitudes > tau * magnitudes[0]], f"threshold={tau:g}")
        name = _checks.one_of("quotient" if convention is None else convention, ("quotient", "raw"), "convention")
        return self._ratio(np.abs(self.quotient_eigenvalues) if name == "quotient" else magnitudes, name)

    def _ratio(self, magnitudes: Array, convention: str) -> ConditionNumber:
        details: dict[str, Any] = {"directions": (len(magnitudes), len(self.eigenvalues))}
        floor = self.floor
        if convention == "quotient":
            floor = self._quotient_floor
            details["modes_residual"] = self.zero_modes.together
            details["modes_are_null"] = self.zero_modes.are_null(self.floor)
        return ratio(magnitudes, floor, lambda size: self._decomposition.error_at(size, floor), convention, details)

    def __repr__(self) -> str:
        return (
            f"Spectrum of the {self.matrix.replace('_', '–')}, P = {len(self.eigenvalues)} "
            f"(method {self.method}, {DRIVERS[self.driver]})\n"
            f"  eigenvalues {self.min:.4g} to {self.max:.4g}, {self.num_negative} negative; trace {self.trace:.6g}\n"
            f"  rank {self.rank} above the floor {self.floor:.1e}\n"
            f"  {self.zero_modes!r}" + (f"\n  {self._kink()}" if self.kinks else "")
        )

    def _repr_html_(self) -> str:
        return _html.facts(
            f"Spectrum of the {self.matrix.replace('_', '–')}, P = {len(self.eigenvalues)}",
            {
                "eigenvalues": f"{self.min:.6g} to {self.max:.6g}",
                "negative": self.num_negative,
                "trace": float(self.trace),
                "rank": f"{self.rank}, above the floor {self.floor:.1e}",
                "κ": self.condition_number(),
                "zero modes": repr(self.zero_modes).removeprefix("zero modes: "),
                "kinks": self._kink(),
                "found by": f"method {self.method}, {DRIVERS[self.driver]}",
            },
        )


@overload
def spectrum(
    obj: AnyObjective,
    theta: ArrayLike,
    *,
    vectors: bool = ...,
    matrix: str | ArrayLike = ...,
    method: str = ...,
    zero_modes: str | ArrayLike | Modes | None = ...,
    digits: int | None = ...,
    parameters: ArrayLike | None = ...,
    largest: None = ...,
    smallest: None = ...,
    nearest_zero: None = ...,
    largest_magnitude: None = ...,
) -> Spectrum: ...
@overload
def spectrum(
    obj: AnyObjective,
    theta: ArrayLike,
    *,
    matrix: str = ...,
    parameters: ArrayLike | None = ...,
    largest: int | None = ...,
    smallest: int | None = ...,
    nearest_zero: int | None = ...,
    largest_magnitude: int | None = ...,
) -> PartialSpectrum: ...
def spectrum(
    obj: AnyObjective,
    theta: ArrayLike,
    *,
    vectors: bool = False,
    matrix: str | ArrayLike = "hessian",
    method: str = "auto",
    zero_modes: str | ArrayLike | Modes | None = "auto",
    digits: int | None = None,
    parameters: ArrayLike | None = None,
    largest: int | None = None,
    smallest: int | None = None,
    nearest_zero: int | None = None,
    largest_magnitude: int | None = None,
) -> Spectrum | PartialSpectrum:
    """Returns the eigenvalues of the Hessian at θ, with the level below which they are unresolved.

    Parameters
    ----------
    obj : Objective, PopulationObjective or RestrictedObjective
    theta : array_like, shape (P,)
        In longdouble, the matrix is formed in extended precision, and up to P = 400 its eigenvalues are longdouble too;
        beyond, the matrix is rounded to float64 once. Of a restricted objective, the free parameters.
    vectors : bool
        Whether to find the eigenvectors too.
    matrix : {"hessian", "gauss_newton"} or array_like, shape (P, P)
        What to decompose: the Hessian, the Gauss–Newton matrix, or a ready-made symmetric matrix in place of the
        Hessian, such as one transported by a symmetry.
    method : {"auto", "dense", "gram", "jacobian"}
        ``"dense"``: the eigenvalues of the matrix. ``"gram"``: those of the smaller of F Fᵀ and FᵀF, F being the
        weighted Jacobian (N·K, P); zeros complete them. ``"jacobian"``: the squared singular values of F, which
        resolve eigenvalues down to about eps² times the largest instead of eps. The last two are for the Gauss–Newton
        matrix, or for the Hessian at zero residual, where they are the same. ``"auto"`` takes the Gram matrix (with
        `vectors`, the Jacobian) if N·K < P and nothing is lost by it, and else the matrix itself.
    zero_modes : "auto", None, array_like of shape (P, k), or object with a `basis`
        Predicted zero modes, for the quotient condition number: by default those that `hessorbit.zero_modes` finds,
        the first-order ones only at zero residual or for the Gauss–Newton matrix; or orthonormal columns; or None
        for no prediction.
    digits : int, optional
        Find the eigenvalues in ball arithmetic instead, for θ and data exactly as they are stored: `eigenvalues` are
        Decimals then, and `floor`, below 10^−digits times the largest, is proven. For P up to 100; needs the extra
        ``hessorbit[certify]``. Takes seconds, or minutes for hundreds of samples.
    parameters : array_like of int or bool, optional
        Of the block of these parameters alone, the others held: what `restricted` objectives give. Matrices and zero
        modes that are given have the size of the block.
    largest, smallest, nearest_zero, largest_magnitude : int, optional
        Find only so many eigenvalues at the upper end, at the lower end, and of smallest and of largest magnitude, with
        vectors, residuals and counted positions. The matrix is formed, up to P = 20 000; but for the largest alone, or
        those of largest magnitude alone, beyond P = 1500 Lanczos's method needs products only. The condition number
        takes one of each magnitude, ``nearest_zero=1, largest_magnitude=1``.

    Returns
    -------
    Spectrum
        Or a `PartialSpectrum` with `largest`, `smallest`, `nearest_zero` or `largest_magnitude`.

    Raises
    ------
    ArithmeticError
        If `digits` cannot be proven, as with a preactivation at a kink that is not exactly zero in any precision.
    ImportError
        If `digits` is given and python-flint is missing.
    TypeError, ValueError
        For arguments of the wrong type, shape or range; if the matrix is not finite at θ or not symmetric; and for the
        methods ``"gram"`` and ``"jacobian"`` of a Hessian away from zero residual.

    Notes
    -----
    Whether the residual counts as zero is decided by S, the rest of the Hessian beside the Gauss–Newton matrix, which
    is linear in the residual: ‖S‖ is bounded (in about 16 gradients), and has to be within the rounding errors of the
    dense method. What the residual of the stored data may add to S, however it was rounded, is added to the floor: a
    residual that is 0 in float64 is known to about ``eps |f|`` only.

    Flat zero modes are null vectors of the Hessian at minima with l2 = 0 (at saddles only tangents of the orbit are),
    and of the Gauss–Newton matrix everywhere. With l2 > 0 none are predicted of the Gauss–Newton matrix, and of the
    Hessian only those of symmetries that leave ‖θ‖ as it is, rotations of linear neurons. Whether θ is a minimum is not
    checked: the residuals of `Spectrum.zero_modes` tell how well the matrix annihilates what is predicted.

    The floor is an upper bound, by running error analysis, or measured against an evaluation in longdouble where that
    takes less than about 10 ms, or up to 0.1 s if an eigenvalue is small. Inputs or labels with a large offset, and
    deep networks with large weights, raise it; then centre the data, or pass θ as longdouble, so that the matrix is
    formed with eleven bits more. A preactivation that is 0 to rounding raises it by what derivatives jump by there, if
    its activation has a kink; `Spectrum.kinks` names it.

    The dense method takes about 4 P³/3 operations beyond the matrix; the Gram matrix replaces P by N·K there.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[3.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    >>> sp = ho.spectrum(obj, np.zeros(2))
    >>> sp.eigenvalues
    array([0.5, 4.5])
    >>> sp.condition_number()
    9 (quotient)
    """
    check_objective(obj)
    count = obj.num_parameters
    at = _checks.parameter_vector(theta, count)
    obj, at = block_of(obj, at, parameters)
    count = len(at)
    few = {
        "largest": largest,
        "smallest": smallest,
        "nearest_zero": nearest_zero,
        "largest_magnitude": largest_magnitude,
    }
    if any(k is not None for k in few.values()):
        others = {
            "vectors": vectors,
            "method": method != "auto",
            "zero_modes": not (isinstance(zero_modes, str) and zero_modes == "auto"),
            "digits": digits is not None,
        }
        return partial_spectrum(obj, at, matrix_of_few(matrix, others), few)
    way = _checks.one_of(method, METHODS, "method")
    if isinstance(zero_modes, str):
        _checks.one_of(zero_modes, ("auto",), "zero_modes")
    elif zero_modes is not None:
        orthonormal(zero_modes, count)
    errors = errors_of(obj, at.copy())
    if digits is not None:
        return many_digits_spectrum(errors, matrix, digits, zero_modes, plain=way == "auto" and not vectors)
    name, decomposition = decompose(errors, matrix, way, vectors)
    with calm_blas(count) if count > TINY else nullcontext():
        eigenvalues, columns = decomposition.eigenvectors() if vectors else (decomposition.eigenvalues(), None)
    return Spectrum(
        eigenvalues=eigenvalues,
        vectors=columns,
        trace=decomposition.trace(),
        matrix=name,
        _decomposition=decomposition,
        _errors=errors,
        _prediction=zero_modes,
    )


def matrix_of_few(matrix: str | ArrayLike, others: dict[str, bool]) -> str:
    """The name of the matrix of which few eigenvalues are asked for; `others` says which other options are given."""
    for option in (name for name, given in others.items() if given):
        why = "their vectors are always found" if option == "vectors" else "it is for all eigenvalues"
        raise ValueError(f"{option} must be left out with {FEW_NAMED}: {why}")
    if not isinstance(matrix, str):
        raise ValueError(
            f"{FEW_NAMED} are for matrix='hessian' or 'gauss_newton'; of a matrix that is given all eigenvalues "
            f"are found, without them"
        )
    return _checks.one_of(matrix, MATRICES, "matrix")


def many_digits_spectrum(
    errors: RoundingErrors | QuadratureErrors, matrix: str | ArrayLike, digits: int, prediction: Any, *, plain: bool
) -> Spectrum:
    """The spectrum with `digits` proven digits."""
    from .balls import eigenvalues as many_digits

    wanted = _checks.integer(digits, "digits", minimum=1, maximum=many_digits.MOST_DIGITS)
    if not plain or not isinstance(matrix, str):
        raise ValueError("digits is for the Hessian or the Gauss–Newton matrix, without method and vectors")
    name = _checks.one_of(matrix, MATRICES, "matrix")
    obj, theta = errors.objective, errors.theta
    if not isinstance(obj, Objective):
        raise ValueError(f"digits is for an Objective on samples; got {_checks.with_article(type(obj))}")
    if len(theta) > many_digits.MOST_PARAMETERS:
        raise ValueError(f"digits is for at most {many_digits.MOST_PARAMETERS} parameters; theta has {len(theta)}")
    values, error = many_digits.eigenvalues(obj, theta, wanted, gauss_newton=name == "gauss_newton")
    rounded = dense(matrix_of(obj, theta, name), theta, name)
    return Spectrum(
        eigenvalues=values,
        vectors=None,
        trace=rounded.trace(),
        matrix=name,
        _decomposition=Proven(rounded.matrix, error),
        _errors=errors,
        _prediction=prediction,
    )


def decompose(
    errors: RoundingErrors | QuadratureErrors, matrix: str | ArrayLike, method: str, vectors: bool
) -> tuple[str, Decomposition]:
    """The matrix's name, and the matrix ready to be decomposed by the method asked for."""
    obj, theta = errors.objective, errors.theta
    if vectors and method == "gram":
        raise ValueError("method 'gram' gives no eigenvectors: choose 'dense' or 'jacobian' with vectors=True")
    if not isinstance(matrix, str):
        if method not in ("auto", "dense"):
            raise ValueError(f"method must be 'auto' or 'dense' for a matrix that is given; got {method!r}")
        given = symmetric(matrix, len(theta))
        return "given", dense(given, theta, "matrix")
    name = _checks.one_of(matrix, MATRICES, "matrix")
    data = whole(obj, theta)[0]
    wide = isinstance(data, Objective) and data.num_samples * data.net.widths[-1] < len(theta)
    factored = method in ("gram", "jacobian") or (method == "auto" and wide and not _checks.is_extended(theta))
    complete = factored and (name == "gauss_newton" or errors.zero_residual)
    if factored and not complete and method != "auto":
        raise ValueError(
            f"method {method!r} needs a zero residual, where the Hessian is the Gauss–Newton matrix; at theta they "
            f"differ by up to {errors.curvature:.1e}, more than their rounding errors: choose method='dense', or "
            f"matrix='gauss_newton'"
        )
    if complete:
        missing = errors.curvature if name == "hessian" else 0.0
        kind = SingularValues if vectors or method == "jacobian" else Gram
        rows = finite(obj.gauss_newton_factor(theta), theta, "Jacobian")
        if not float(norm(rows)) <= MOST_ROOT:
            raise overflow(theta, "spectrum", name)
        return name, kind(rows, obj.l2, missing)
    return name, dense(matrix_of(obj, theta, name), theta, name)


def dense(matrix: Array, theta: Array, name: str) -> Dense:
    """The matrix itself, in longdouble if it came so and Jacobi's rotations are affordable."""
    if _checks.is_extended(matrix) and len(matrix) <= MOST_EXTENDED:
        if not _core.all_finite(matrix):
            raise overflow(theta, "spectrum", name)
        return Extended(matrix)
    return Dense(finite(matrix, theta, name))


def finite(array: Array, theta: Array, name: str) -> Array:
    """Rounded to float64, and finite."""
    with np.errstate(over="ignore"):
        rounded = array.astype(FLOAT64, copy=False)
    if not _core.all_finite(rounded):
        raise overflow(theta, "spectrum", name)
    return rounded


def symmetric(matrix: ArrayLike, count: int) -> Array:
    array = _checks.as_floats(matrix, "matrix")
    if array.shape != (count, count):
        raise _checks.shape_error("matrix", f"({count}, {count})", array.shape)
    asymmetry = np.abs(array - array.T).max()
    if asymmetry > rounding(count, np.abs(array).max(), 1):
        raise ValueError(f"matrix must be symmetric; it differs from its transpose by {asymmetry:.1e}")
    return array
