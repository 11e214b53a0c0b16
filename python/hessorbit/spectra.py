"""Spectra of Hessians, and condition numbers with their conventions.

Eigenvalues are known only down to a floor (decomposition.py); what lies below it is unresolved, and a condition number
with such a denominator is a lower bound and says so. At zero residual H = FᵀF + l2·I exactly, F being the weighted
Jacobian (gauss_newton.py): then the small side of F gives the eigenvalues, and its singular values resolve far more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import qr

from . import _checks, _core
from ._checks import FLOAT64, Array
from .decomposition import Decomposition, Dense, Gram, SingularValues, rounding
from .gauss_newton import factor, residual_curvature_bound
from .objective import Objective

if TYPE_CHECKING:
    from .symmetry import ZeroModes

METHODS = ("auto", "dense", "gram", "jacobian")
MATRICES = ("hessian", "gauss_newton")
ORTHONORMALITY = 1e-10


class ConditionNumber(float):
    """A float that says by which convention it was taken, and whether it is only a lower bound.

    Attributes
    ----------
    convention : str
        ``"quotient"``, ``"raw"``, ``"rank=…"`` or ``"threshold=…"``.
    is_lower_bound : bool
        Whether its denominator lies below the floor of the spectrum.
    """

    convention: str
    is_lower_bound: bool

    def __new__(cls, value: float, convention: str, is_lower_bound: bool) -> ConditionNumber:
        number = super().__new__(cls, value)
        number.convention = convention
        number.is_lower_bound = is_lower_bound
        return number

    def __getnewargs__(self) -> tuple[float, str, bool]:  # type: ignore[override]
        return float(self), self.convention, self.is_lower_bound

    def __repr__(self) -> str:
        return f"{'≥ ' if self.is_lower_bound else ''}{float(self):.6g} ({self.convention})"


class Modes(Protocol):
    """Predicted zero modes, such as `hessorbit.zero_modes` gives."""

    @property
    def basis(self) -> Array:
        """Orthonormal columns, (P, k)."""


@dataclass(frozen=True, eq=False, repr=False)
class ZeroModeTest:
    """Predicted zero modes, and how well the matrix annihilates them.

    Attributes
    ----------
    modes : object or None
        The prediction as it came; None if zero modes were not predicted.
    basis : ndarray, shape (P, k)
        Orthonormal columns that span them.
    residuals : ndarray, shape (k,)
        ‖H z_i‖₂ / ‖H‖₂ of each column.
    measured : int
        Number of eigenvalues below the floor, for comparison with k.
    """

    modes: Any
    basis: Array
    residuals: Array
    measured: int

    def __len__(self) -> int:
        return int(self.basis.shape[1])

    def __repr__(self) -> str:
        if self.modes is None:
            return f"zero modes: not predicted; {self.measured} eigenvalues below the floor"
        kinds = Counter(getattr(self.modes, "kinds", ()))
        text = f"zero modes: {len(self)} predicted"
        if kinds:
            text += f" ({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))})"
        if len(self):
            text += f", ‖H z‖ ≤ {self.residuals.max():.1e} ‖H‖"
        return f"{text}; {self.measured} eigenvalues below the floor"


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """The eigenvalues of a Hessian; made by `spectrum`.

    Attributes
    ----------
    eigenvalues : ndarray, shape (P,)
        Ascending, as in ``scipy.linalg.eigh``.
    vectors : ndarray, shape (P, P), or None
        Column i belongs to eigenvalue i; None unless asked for.
    trace : float
    floor : float
        Level below which an eigenvalue's magnitude is unresolved: the rounding errors of the matrix and of its
        decomposition, and, away from an exactly zero residual, what the methods ``"gram"`` and ``"jacobian"`` neglect.
    matrix : str
        ``"hessian"``, ``"gauss_newton"`` or ``"given"``.
    method, driver : str
        How the eigenvalues were found, and the LAPACK routine: ``"dense"``, ``"gram"`` (dsyevd) or ``"jacobian"``
        (dgesdd).
    """

    eigenvalues: Array
    vectors: Array | None
    trace: float
    floor: float
    matrix: str
    decomposition: Decomposition
    objective: Objective
    theta: Array
    prediction: Any

    @property
    def method(self) -> str:
        return self.decomposition.method

    @property
    def driver(self) -> str:
        return self.decomposition.driver

    @property
    def max(self) -> float:
        """The largest eigenvalue."""
        return float(self.eigenvalues[-1])

    @property
    def min(self) -> float:
        """The smallest eigenvalue."""
        return float(self.eigenvalues[0])

    @property
    def num_negative(self) -> int:
        """Number of negative eigenvalues that are resolved, that is below −floor."""
        return int((self.eigenvalues < -self.floor).sum())

    @property
    def rank(self) -> int:
        """Number of eigenvalues whose magnitude is above the floor."""
        return int((np.abs(self.eigenvalues) > self.floor).sum())

    @cached_property
    def zero_modes(self) -> ZeroModeTest:
        """Predicted zero modes and how well the matrix annihilates them; predicted at first use."""
        modes = self._predicted() if isinstance(self.prediction, str) else self.prediction
        basis = np.zeros((len(self.theta), 0)) if modes is None else orthonormal(modes, len(self.theta))
        images = np.linalg.norm(self.decomposition.apply(basis), axis=0)
        largest = np.abs(self.eigenvalues).max()
        return ZeroModeTest(
            modes=modes,
            basis=basis,
            residuals=images / largest if largest else images,
            measured=len(self.eigenvalues) - self.rank,
        )

    def _predicted(self) -> ZeroModes:
        """What symmetry predicts for this matrix: first-order modes only where it is the Gauss–Newton matrix."""
        # Symmetries build on spectra; only here does a spectrum ask for them, when it is computed.
        from .symmetry import zero_modes

        modes = zero_modes(self.objective.net, self.theta)
        flat = modes.of_kind("flat")
        if len(flat) == len(modes) or self.matrix == "gauss_newton" or has_zero_residual(self.objective, self.theta):
            return modes
        return flat

    @cached_property
    def quotient_eigenvalues(self) -> Array:
        """Eigenvalues, ascending, of the matrix restricted to the orthogonal complement of the predicted zero modes.

        Shape (P − k,). Found at first use, for about the cost of `eigenvalues`.
        """
        basis = self.zero_modes.basis
        if not basis.shape[1]:
            return self.eigenvalues
        complement = qr(basis, check_finite=False)[0][:, basis.shape[1] :]
        return self.decomposition.restrict(complement).eigenvalues() if complement.shape[1] else np.empty(0)

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
        """The ratio of the largest to the smallest magnitude of eigenvalues, by one of four conventions.

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
            A float with the attributes `convention` and `is_lower_bound`. If the denominator d is below the floor,
            the value is the lower bound |λ|_max / (√d + √floor)². It is nan where there is nothing to divide: for the
            zero matrix, or if every direction is a predicted zero mode.

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
        if not magnitudes.any():
            return ConditionNumber(np.nan, convention, False)
        largest, smallest = float(magnitudes.max()), float(magnitudes.min())
        if smallest > self.floor:
            return ConditionNumber(largest / smallest, convention, False)
        return ConditionNumber(largest / (np.sqrt(smallest) + np.sqrt(self.floor)) ** 2, convention, True)

    def __repr__(self) -> str:
        return (
            f"Spectrum of the {self.matrix.replace('_', '–')}, P = {len(self.eigenvalues)} "
            f"(method {self.method}, LAPACK {self.driver})\n"
            f"  eigenvalues {self.min:.4g} to {self.max:.4g}, {self.num_negative} negative; trace {self.trace:.6g}\n"
            f"  rank {self.rank} above the floor {self.floor:.1e}\n"
            f"  {self.zero_modes!r}"
        )


def spectrum(
    obj: Objective,
    theta: ArrayLike,
    *,
    vectors: bool = False,
    matrix: str | ArrayLike = "hessian",
    method: str = "auto",
    zero_modes: str | ArrayLike | Modes | None = "auto",
) -> Spectrum:
    """Eigenvalues of the Hessian at θ, with the level below which they are unresolved.

    Parameters
    ----------
    obj : Objective
    theta : array_like, shape (P,)
        In longdouble, the matrix is formed in extended precision and rounded to float64 once.
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

    Returns
    -------
    Spectrum

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong type, shape or range; if the matrix is not finite at θ or not symmetric; and for the
        methods ``"gram"`` and ``"jacobian"`` of a Hessian away from zero residual.

    Notes
    -----
    Whether the residual counts as zero is decided by S, the rest of the Hessian beside the Gauss–Newton matrix, which
    is linear in the residual: ‖S‖ is bounded (in about 16 gradients), and has to be below the floor of the dense
    method. The bound is added to the floor of the result.

    Flat zero modes are null vectors of the Hessian at minima with l2 = 0 (at saddles only tangents of the orbit are),
    and of the Gauss–Newton matrix everywhere. Whether θ is one is not checked: the residuals of `Spectrum.zero_modes`
    tell how well the matrix annihilates what is predicted.

    The floor assumes that the network does not amplify rounding errors from layer to layer. Deep networks with large
    weights may; then pass θ as longdouble, so that the matrix is formed with eleven bits more.

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
    if not isinstance(obj, Objective):
        raise TypeError(f"obj must be an Objective; got a {type(obj).__name__}")
    count = obj.net.num_parameters
    at = _checks.parameter_vector(theta, count)
    way = _checks.one_of(method, METHODS, "method")
    if isinstance(zero_modes, str):
        _checks.one_of(zero_modes, ("auto",), "zero_modes")
    elif zero_modes is not None:
        orthonormal(zero_modes, count)
    name, decomposition = decompose(obj, at, matrix, way, vectors)
    eigenvalues, columns = decomposition.eigenvectors() if vectors else (decomposition.eigenvalues(), None)
    return Spectrum(
        eigenvalues=eigenvalues,
        vectors=columns,
        trace=decomposition.trace(),
        floor=decomposition.floor(eigenvalues, obj.net.num_layers),
        matrix=name,
        decomposition=decomposition,
        objective=obj,
        theta=at.copy(),
        prediction=zero_modes,
    )


def decompose(
    obj: Objective, theta: Array, matrix: str | ArrayLike, method: str, vectors: bool
) -> tuple[str, Decomposition]:
    """The matrix's name, and the matrix ready to be decomposed by the method asked for."""
    if vectors and method == "gram":
        raise ValueError("method 'gram' gives no eigenvectors: choose 'dense' or 'jacobian' with vectors=True")
    if not isinstance(matrix, str):
        if method not in ("auto", "dense"):
            raise ValueError(f"method must be 'auto' or 'dense' for a matrix that is given; got {method!r}")
        return "given", Dense(symmetric(matrix, len(theta)))
    name = _checks.one_of(matrix, MATRICES, "matrix")
    wide = obj.num_samples * obj.net.widths[-1] < len(theta)
    missing = allowed = 0.0
    factored = method in ("gram", "jacobian") or (method == "auto" and wide)
    if factored and name == "hessian":
        missing, allowed = residual_curvature_bound(obj, theta), dense_floor_below(obj, theta)
    if missing > allowed and method != "auto":
        raise ValueError(
            f"method {method!r} needs a zero residual, where the Hessian is the Gauss–Newton matrix; at theta they "
            f"differ by up to {missing:.1e}, more than the rounding errors of {allowed:.1e}: choose "
            f"method='dense', or matrix='gauss_newton'"
        )
    if factored and missing <= allowed:
        kind = SingularValues if vectors or method == "jacobian" else Gram
        return name, kind(float64(factor(obj, theta), "Jacobian"), obj.l2, missing)
    return name, Dense(float64(obj.hessian(theta) if name == "hessian" else obj.gauss_newton(theta), name))


def has_zero_residual(obj: Objective, theta: Array) -> bool:
    """Whether the Hessian is the Gauss–Newton matrix up to the rounding errors of the dense method."""
    return residual_curvature_bound(obj, theta) <= dense_floor_below(obj, theta)


def dense_floor_below(obj: Objective, theta: Array) -> float:
    """At most the floor of the dense method, without forming the matrix: its diagonal bounds both norms from below."""
    return rounding(len(theta), float64(obj.hessian_diagonal(theta), "Hessian"), obj.net.num_layers)


def float64(array: Array, name: str) -> Array:
    """Rounded to float64, and finite."""
    rounded = array.astype(FLOAT64, copy=False)
    if not _core.all_finite(rounded):
        raise ValueError(f"theta must give a finite spectrum; the {name.replace('_', '–')} overflows there")
    return rounded


def symmetric(matrix: ArrayLike, count: int) -> Array:
    array = _checks.as_floats(matrix, "matrix")
    if array.shape != (count, count):
        raise _checks.shape_error("matrix", f"({count}, {count})", array.shape)
    asymmetry = np.abs(array - array.T).max()
    if asymmetry > rounding(count, np.abs(array).max(), 1):
        raise ValueError(f"matrix must be symmetric; it differs from its transpose by {asymmetry:.1e}")
    return float64(array, "matrix")


def orthonormal(modes: ArrayLike | Modes, count: int) -> Array:
    """The basis of given zero modes, checked."""
    columns = _checks.as_floats(getattr(modes, "basis", modes), "zero_modes")
    if columns.ndim != 2 or columns.shape[0] != count or columns.shape[1] > count:
        raise _checks.shape_error("zero_modes", f"({count}, k), orthonormal columns", columns.shape)
    columns = columns.astype(FLOAT64, copy=False)
    deviation = np.abs(columns.T @ columns - np.eye(columns.shape[1])).max(initial=0)
    if deviation > ORTHONORMALITY:
        raise ValueError(
            f"zero_modes must have orthonormal columns; their products differ from the identity by {deviation:.1e}: "
            f"use scipy.linalg.orth"
        )
    return columns
