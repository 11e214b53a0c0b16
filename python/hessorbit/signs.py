"""How many eigenvalues are negative, positive, and too small to tell: counted by LDLᵀ, without the eigenvalues.

Π (H − σ I) Πᵀ = L D Lᵀ has as many negative eigenvalues as D (Sylvester's law of inertia). What is computed is exact
for a matrix within e of H − σ I (ldlt.hpp), and H is within ‖δH‖ of the exact one (error_bounds.py). So with

    f = e + ‖δH‖

signs are certain if no eigenvalue of L D Lᵀ lies within f of 0. Otherwise, counts at ∓f bound them from both sides.

That none is so small is seen from powers: for a Gaussian x and an eigenvector v of L D Lᵀ, |vᵀx| is above 0.01 but for
odds of 0.008; then ‖(L D Lᵀ)^−q x‖ ≥ 0.01/|λ|^q. All of eight such x have less but for odds of 2·10⁻¹⁷.

The LDLᵀ takes P³/3 flops, a quarter of what eigenvalues take, and nearly all of them in products of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _core, _html
from ._blas import core_threads
from ._checks import FLOAT64, Array
from .any_objective import MATRICES, AnyObjective, check_objective, finite_matrix_of
from .matrix_errors import errors_of
from .restricted import block_of

PROBES = 8
POWERS = 2
ATTEMPTS = 4
LIKELY = 0.01  # what the largest of the components of the probes along a direction has at least


@dataclass(frozen=True)
class Inertia:
    """An inertia holds how many eigenvalues of a matrix are negative and how many positive; made by `inertia`.

    Attributes
    ----------
    negative, positive : int
        Numbers of eigenvalues of the exact matrix that are so for certain.
    unresolved : int
        Number of those whose sign rounding hides: all are within 3·`floor` of 0. The exact numbers of negative and of
        positive eigenvalues are each between what is certain and that plus this. 0 if the inertia is exact.
    floor : float
        A bound on what rounding does: to the matrix, and in its factorisation.
    matrix : {"hessian", "gauss_newton"}

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[2.0, 0.0], [0.0, 0.0]], [1.0, 1.0])
    >>> found = ho.inertia(obj, [0.0, 0.0])
    >>> found.negative, found.unresolved, found.positive, found.certain
    (0, 1, 1, False)
    """

    negative: int
    unresolved: int
    positive: int
    floor: float
    matrix: str

    @property
    def certain(self) -> bool:
        """Whether every sign is known."""
        return self.unresolved == 0

    @property
    def bounds(self) -> tuple[int, int]:
        """Fewest and most negative eigenvalues of the exact matrix."""
        return self.negative, self.negative + self.unresolved

    def __repr__(self) -> str:
        return (
            f"Inertia of the {self.matrix.replace('_', '–')}: {self.negative} negative, {self.positive} positive, "
            f"{self.unresolved} unresolved (floor {self.floor:.1e})"
        )

    def _repr_html_(self) -> str:
        return _html.facts(
            f"Inertia of the {self.matrix.replace('_', '–')}",
            {
                "negative": self.negative,
                "positive": self.positive,
                "unresolved": f"{self.unresolved}, by the floor {self.floor:.1e}",
            },
        )


def inertia(
    obj: AnyObjective, theta: ArrayLike, *, matrix: str = "hessian", parameters: ArrayLike | None = None
) -> Inertia:
    """Returns the numbers of negative and positive eigenvalues of the Hessian at θ, and of those that rounding hides.

    Parameters
    ----------
    obj : Objective, PopulationObjective or RestrictedObjective
    theta : array_like, shape (P,)
        float64.
    matrix : {"hessian", "gauss_newton"}
    parameters : array_like of int or bool, optional
        Of the block of these parameters alone, as in `Objective.hessian`.

    Returns
    -------
    Inertia

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong type, shape or range; if the matrix is not finite at θ.

    Notes
    -----
    By one factorisation LDLᵀ (Sylvester's law of inertia), P³/3 flops beside the matrix and the bound on its errors,
    where all eigenvalues are 4 P³/3; where some are within its rounding error of 0, as zero modes are, by two more. For
    the negative eigenvalues beside predicted zero modes see `Spectrum.num_negative`.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net, x = ho.MLP([1, 2, 1]), np.linspace(-1, 1, 9)[:, None]
    >>> obj = ho.Objective(net, x, np.sin(3 * x))
    >>> ho.inertia(obj, [1.0, -2.0, 0.5, 0.3, 0.7, 0.2, 0.1])  # doctest: +ELLIPSIS
    Inertia of the hessian: 3 negative, 4 positive, 0 unresolved (floor ...)
    """
    check_objective(obj)
    at = _checks.parameter_vector(theta, obj.num_parameters)
    if _checks.is_extended(at):
        raise TypeError("theta must be float64 for inertia; got longdouble: round it yourself, or use spectrum")
    name = _checks.one_of(matrix, MATRICES, "matrix")
    obj, at = block_of(obj, at, parameters)
    H = finite_matrix_of(obj, at, name)
    error = errors_of(obj, at.copy()).of(name, H)
    return Inertia(*count_signs(H, error), matrix=name)


def count_signs(H: Array, error: float) -> tuple[int, int, int, float]:
    """Numbers of negative, unresolved and positive eigenvalues of a matrix within `error` of H, and the floor."""
    count = len(H)
    (factor,) = factorised(H, 0.0)
    floor = factor.backward_error + error
    if smallest(factor, count) > floor:
        negative, _ = factor.inertia
        return negative, 0, count - negative, floor
    for _ in range(ATTEMPTS):
        if not np.isfinite(floor):
            break
        shift = 2 * floor
        below, above = factorised(H, -shift, shift)
        floor = max(floor, below.backward_error + error, above.backward_error + error)
        if floor <= shift:
            negative, positive = below.inertia[0], count - sum(above.inertia)
            return negative, count - negative - positive, positive, floor
    return 0, count, 0, floor


def factorised(H: Array, *shifts: float) -> list[_core.Ldlt]:
    """L D Lᵀ of H − shift·I for each shift."""
    return _core.factorise(H, list(shifts), core_threads(len(H)))


def smallest(factor: _core.Ldlt, count: int) -> float:
    """A lower bound on the magnitudes of eigenvalues of L D Lᵀ, but for odds of 2·10⁻¹⁷; 0 if it is singular."""
    if factor.inertia[1]:
        return 0.0
    x = np.random.default_rng(0).standard_normal((count, PROBES)).astype(FLOAT64)
    logarithm = 0.0
    for _ in range(POWERS):
        x = factor.solve(x)
        size = float(np.abs(x).max())
        if not 0 < size < np.inf:
            return 0.0
        x /= size
        logarithm += np.log(size)
    logarithm += np.log(np.linalg.norm(x, axis=0).max())
    return float(np.exp((np.log(LIKELY) - logarithm) / POWERS))
