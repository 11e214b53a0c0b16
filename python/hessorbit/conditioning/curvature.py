"""An objective at θ makes a criterion of D^{1/2} H D^{1/2} a function of log D: λ_max/λ_min, λ_max or the trace.

H is the Hessian, or its Gauss–Newton part. Under a move of the network's own orbit, θ' = A θ + c, both transform
exactly at any θ, into A^{−T} H A^{−1}. In a wider network the Gauss–Newton part does, H_wide = Tᵀ H T, and the Hessian
where its residual is zero. In both cases a root G of H = GᵀG becomes a root of what H becomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._bases import complement, span
from .._checks import Array
from .._norms import norm
from .._waiting import interruptible, side
from .._words import number_of
from ..any_objective import AnyObjective
from ..decomposition import on_span, rounding, singular_values, symmetric_eigen
from ..gauss_newton import residual_curvature_bound
from ..matrix_errors import errors_of
from ..network import MLP
from ..objective import Objective
from ..symmetry.group import symmetries
from ..symmetry.predicted_zero_modes import ZeroModes, predicted
from .diagonals import Architecture
from .rank_bound import rank_bound
from .smoothed_spectrum import Extremes, SpectralFunction, Trace

NEGLIGIBLE = 1e-6  # what a Hessian may have beside its factor, relative to the smallest eigenvalue that matters
APART = 1e6  # times their rounding: where all that is kept is above that, what is below rounding is taken for zeros
HESSIAN, GAUSS_NEWTON = MATRICES = ("hessian", "gauss_newton")


@dataclass(frozen=True)
class Curvature:
    """A curvature is the criterion as a function of log D, with remarks about H at this θ.

    It is doubtful where nonzero eigenvalues may have been left out of a condition number, as within rounding of 0.
    """

    function: SpectralFunction
    remarks: tuple[str, ...] = ()
    doubtful: bool = False


@dataclass(frozen=True, eq=False)
class Place:
    """A θ (P,), with what is asked of it more than once."""

    obj: AnyObjective
    theta: Array

    @cached_property
    def beside(self) -> float:
        """A bound on the norm of what the Hessian has beside its Gauss–Newton part."""
        obj, theta = self.obj, self.theta
        return residual_curvature_bound(obj, theta) if isinstance(obj, Objective) else errors_of(obj, theta).curvature


def is_gauss_newton(place: Place, criterion: str) -> bool:
    """Tells whether what the Hessian has beside its Gauss–Newton part is negligible, as it is at zero residual."""
    if place.beside == 0:
        return True
    rows = place.obj.gauss_newton_factor(place.theta)
    size = float(norm(rows))
    if place.beside > NEGLIGIBLE * size * size:  # no eigenvalue exceeds that square
        return False
    singular = singular_values(triangle_of(rows))
    singular = singular[resolved(rows, singular, place.obj.net.num_layers)]
    smallest = singular[-1 if criterion == "condition_number" else 0] ** 2 if len(singular) else 0.0
    return bool(place.beside <= NEGLIGIBLE * smallest)


def curvature(place: Place, architecture: Architecture, criterion: str, matrix: str) -> Curvature:
    """Returns the criterion for one of the two matrices at θ."""
    if matrix == HESSIAN:
        return of_hessian(place, architecture, criterion)
    obj, theta = place.obj, place.theta
    rows = obj.gauss_newton_factor(theta)
    if criterion == "trace":
        squares = np.einsum("np,np->p", *2 * [architecture.extended(rows)])
        return Curvature(trace_of(squares))
    root = reduced(rows, obj.net.num_layers)
    left, doubtful = left_out(obj, theta, np.linalg.norm(root, axis=1), rank_bound(obj))
    return Curvature(extremes_of(root, architecture, criterion), left, doubtful)


def left_out(obj: AnyObjective, theta: Array, kept: Array, most: int) -> tuple[tuple[str, ...], bool]:
    """Says what rounding leaves out of the eigenvalues, of which at most so many are not zero.

    Parameters
    ----------
    kept : ndarray, shape (r,)
        What was compared with its rounding and is above it.

    Returns
    -------
    tuple of str
        Nothing, if prediction and count agree.
    bool
        Whether those left out may be no zeros, as those kept come near to rounding.
    """
    if not 0 < len(kept) < most:
        return (), False
    left = min(most, len(theta) - len(predicted(obj, theta))) - len(kept)
    if left <= 0:
        return (), False
    near = bool(kept.min() < APART * rounding(len(theta), kept, obj.net.num_layers))
    text = f"all of this is about the {number_of(len(kept), 'eigenvalue')} above rounding; below it "
    text += f"{'is' if left == 1 else 'are'} {left} not predicted to be 0"
    if near:
        text += ", and as others come near to it, the condition number of the matrix may be larger"
    return (text,), near


def of_hessian(place: Place, architecture: Architecture, criterion: str) -> Curvature:
    """Returns the criterion for the Hessian itself, over the orbit."""
    obj, theta = place.obj, place.theta
    hessian = obj.hessian(theta)
    if criterion == "trace":
        half = architecture.extended(hessian)
        second = np.diag(architecture.flips.of(half[:, len(hessian) :].T))
        return Curvature(trace_of(np.concatenate([np.diag(hessian), second])))
    modes = predicted(obj.net, theta)
    root, left = hessian_root(hessian, modes, obj.net, theta)
    size = float(np.linalg.norm(obj.gradient(theta)))
    remark = f"the gradient at theta is {size:.1e}; directions of the orbit are left out of the spectrum"
    if left > 0:
        remark += f", though H maps them to vectors of up to {left:.1e}"
    kept = np.linalg.norm(root, axis=1) ** 2
    rest: tuple[str, ...] = ()
    doubtful = False
    if len(kept) + len(modes) < len(theta):  # else the network alone predicts all zeros
        factored = place.beside <= NEGLIGIBLE * kept.min(initial=np.inf)
        rest, doubtful = left_out(obj, theta, kept, rank_bound(obj) if factored else len(theta))
    return Curvature(extremes_of(root, architecture, criterion), (remark, *rest), doubtful)


ZERO = "theta must have a Hessian other than zero: take a theta at which the loss is curved"


def trace_of(squares: Array) -> Trace:
    if squares.min() < 0:
        raise ValueError(
            f"theta must have a Hessian with diagonal entries ≥ 0; one is {squares.min():.3e}: minimise first, or take "
            f"matrix='gauss_newton'"
        )
    if not squares.any():
        raise ValueError(ZERO)
    return Trace(squares)


def extremes_of(root: Array, architecture: Architecture, criterion: str) -> Extremes:
    if not len(root):
        raise ValueError(ZERO)
    return Extremes(architecture.extended(root), criterion == "condition_number", root.shape[1])


def reduced(rows: Array, layers: int) -> Array:
    """Returns G (r, P) of full rank r with GᵀG = rowsᵀ rows, but for singular values within rounding of zero."""
    triangle = triangle_of(rows)
    _, singular, vectors = interruptible(side(triangle), np.linalg.svd, triangle, full_matrices=False)
    kept = resolved(rows, singular, layers)
    root = singular[kept, None] * vectors[kept]
    root[:, ~rows.any(axis=0)] = 0
    return np.asarray(root)


def triangle_of(rows: Array) -> Array:
    """Returns rows with the same products rowsᵀ rows, no more than there are columns."""
    return interruptible(side(rows), np.linalg.qr, rows, mode="r") if len(rows) > rows.shape[1] else rows


def resolved(rows: Array, singular: Array, layers: int) -> Array:
    """Tells which singular values of the rows are above rounding."""
    return np.asarray(singular > rounding(min(rows.shape), singular, layers))


def hessian_root(hessian: Array, modes: ZeroModes, net: MLP, theta: Array) -> tuple[Array, float]:
    """Returns G (r, P) with GᵀG = H outside the span of zero modes, and the norm of H on these.

    Tangents of the orbit are left out at any θ, as an orbit of critical points has no curvature along it; other flat
    modes are left out where H annihilates them, as it does at minima.
    """
    layers = net.num_layers
    root, left = root_outside(hessian, modes.of_kind("flat").basis, layers)
    smallest = np.linalg.norm(root, axis=1).min(initial=np.inf) ** 2  # as rows are orthogonal
    if left > NEGLIGIBLE * smallest:
        tangents = symmetries(net).tangents(theta)
        norms = np.linalg.norm(tangents, axis=0)
        return root_outside(hessian, span(tangents[:, norms > 0] / norms[norms > 0]), layers)
    return root, 0.0


def root_outside(hessian: Array, modes: Array, layers: int) -> tuple[Array, float]:
    """Returns G (r, P) with GᵀG = H on the complement of the modes (P, k), orthonormal, and ‖H modes‖."""
    beside = complement(modes)
    values, vectors = symmetric_eigen(interruptible(len(hessian), on_span, hessian, beside), vectors=True)
    floor = rounding(len(hessian), values, layers)
    if values.min(initial=0.0) < -floor:
        raise ValueError(
            f"theta must have a positive semidefinite Hessian outside the directions of the orbit; its smallest "
            f'eigenvalue there is {values[0]:.3e}: use matrix="gauss_newton", which has none below zero'
        )
    kept = values > floor
    root = np.sqrt(values[kept, None]) * interruptible(len(hessian), np.matmul, beside, vectors[:, kept]).T
    return np.asarray(root), float(np.linalg.norm(hessian @ modes, 2)) if modes.shape[1] else 0.0
