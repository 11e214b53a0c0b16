"""The quadratic model of the loss at θ, across the directions in which symmetry makes it flat.

With H = V Λ Vᵀ there, the Newton step is s = −V Λ⁻¹ Vᵀ g. Whether θ is near a critical point is judged by what H
changes by along s, in the metric of H itself: for W = V |Λ|^{−1/2},

    ‖Wᵀ (H(θ + s) − H(θ)) W‖₂ ≤ ½.

If that holds of all of the segment, the step leaves at most half of the gradient, the next ones fewer still, and no
eigenvalue changes its sign on the way: θ is in the basin of a critical point of the same inertia (Kantorovich's
argument; Nocedal and Wright, Numerical Optimization, 2nd ed., 2006, section 11.1). No unit of θ or of the loss is in
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .. import _core
from .._bases import span
from .._checks import Array
from .._norms import norm
from .._waiting import interruptible
from ..any_objective import AnyObjective
from ..decomposition import Dense, symmetric_eigen
from ..matrix_errors import QuadratureErrors, RoundingErrors, errors_of
from ..restricted import whole, within
from ..symmetry.inertia import decomposed
from ..symmetry.null_modes import NullModes, all_tangents, null_modes
from ..symmetry.predicted_zero_modes import ORBIT

QUADRATIC = 0.5
CRITICAL = 1e-6  # relative to ‖H‖ max(1, ‖θ‖), a gradient that is none
NEAR, DEPENDENT, CROSSING = 1e-2, 1e-8, 0.5  # a gradient, as above; singular values of tangents; a sine
VANISHING = 1e-10  # relative to ‖H‖, eigenvalues that may be those of a degenerate point


@dataclass(frozen=True)
class Derivatives:
    """What the loss has at θ (P,), whatever is left out of the model: value, gradient, Hessian, and its null modes."""

    obj: AnyObjective
    theta: Array
    loss: float
    gradient: Array
    hessian: Dense
    errors: RoundingErrors | QuadratureErrors
    modes: NullModes

    def floor(self, values: Array, restricted: bool) -> float:
        """The floor of eigenvalues of the Hessian, restricted or not."""
        error = self.errors.of("hessian", self.hessian.matrix)
        return self.hessian.floor(values, error + (self.hessian.restriction_error(values) if restricted else 0.0))


@dataclass(frozen=True)
class LocalModel:
    """The model at θ (P,), with r directions across the null modes.

    Attributes
    ----------
    here : Derivatives
    values : ndarray, shape (r,)
        Eigenvalues of H, ascending.
    vectors : ndarray, shape (P, r)
    floors : ndarray, shape (r,)
        What the eigenvalues are known to: `rounding`, and what they change by along the step.
    rounding : float
    slopes : ndarray, shape (r,)
        Vᵀ g.
    step : ndarray, shape (P,)
        The Newton step in the directions whose eigenvalues are above rounding; along others, that over the floor.
    images : ndarray, shape (P, r)
        (H(θ + s) − H(θ)) V.
    """

    here: Derivatives
    values: Array
    vectors: Array
    floors: Array
    rounding: float
    slopes: Array
    step: Array
    images: Array

    @property
    def theta(self) -> Array:
        return self.here.theta

    @property
    def gradient(self) -> Array:
        return self.here.gradient

    @property
    def modes(self) -> NullModes:
        return self.here.modes

    @property
    def size(self) -> float:
        """‖H‖₂."""
        return float(np.abs(self.values).max(initial=0.0))

    @cached_property
    def resolved(self) -> Array:
        """Which eigenvalues have a sign, (r,)."""
        return np.abs(self.values) > self.floors

    @property
    def negative(self) -> Array:
        """Which eigenvalues are negative, (r,)."""
        return self.values < -self.floors

    @cached_property
    def critical(self) -> bool:
        """Whether θ is in the basin of a critical point of the same inertia, as far as that is resolved."""
        settled = not self.drifting.any() and norm(self.slopes[~self.resolved]) <= self.allowed
        return bool(self.still or settled) and self.quadratic

    @property
    def ahead(self) -> Array:
        """Where the Newton step leads in the directions whose eigenvalues are above rounding, (P,)."""
        seen, theta = np.abs(self.values) > self.rounding, self.theta
        step = self.vectors[:, seen] @ (self.slopes[seen] / self.values[seen])
        return np.asarray((theta - step).astype(theta.dtype))

    @property
    def drifting(self) -> Array:
        """Whose signs are lost not to rounding but to what the eigenvalues change by along the step, (r,)."""
        return ~self.resolved & (np.abs(self.values) > self.rounding)

    @property
    def still(self) -> bool:
        """Whether the gradient is small beside the curvature."""
        return bool(norm(self.gradient) <= self.allowed)

    @property
    def allowed(self) -> float:
        """What a gradient may be that is none."""
        return CRITICAL * self.size * max(1.0, float(norm(self.theta)))

    @cached_property
    def quadratic(self) -> bool:
        """Whether ‖Wᵀ (H(θ + s) − H(θ)) W‖₂ ≤ ½, over the directions whose eigenvalues have a sign."""
        return self.change <= self.tolerated

    @property
    def tolerated(self) -> float:
        """½, and what rounding makes of it."""
        return QUADRATIC + 2 * self.rounding / float(np.abs(self.values[self.resolved]).min(initial=np.inf))

    @cached_property
    def change(self) -> float:
        """‖Wᵀ (H(θ + s) − H(θ)) W‖₂, or the Frobenius norm where that is small enough."""
        seen = self.resolved
        if not seen.any():
            return 0.0
        roots = np.sqrt(np.abs(self.values[seen]))
        moved = interruptible(len(self.vectors), np.matmul, self.vectors[:, seen].T, self.images[:, seen])
        relative = (moved / np.outer(roots, roots)).astype(np.float64)
        bound = float(norm(relative))
        if bound <= self.tolerated:
            return bound
        return float(np.abs(symmetric_eigen((relative + relative.T) / 2)[0]).max())

    @property
    def decrease(self) -> float:
        """½ gᵀ H⁻¹ g, what the model promises where it has a minimum."""
        above = self.values > self.floors
        return float((self.slopes[above] ** 2 / self.values[above]).sum()) / 2


def local_model(obj: AnyObjective, theta: Array, *, orbit: bool = False) -> LocalModel | None:
    """Returns the model at θ, or None where loss, gradient or Hessian are not finite, or the Hessian is zero.

    With `orbit`, across all of the orbit's tangents where that shows more.
    Costs two Hessians, and eigenvalues.
    """
    loss, gradient = obj.value_and_gradient(theta)
    matrix = obj.hessian(theta)
    if not (np.isfinite(loss) and _core.all_finite(gradient) and _core.all_finite(matrix) and matrix.any()):
        return None
    errors = errors_of(obj, theta)
    hessian = decomposed(matrix, theta)
    modes = null_modes(obj, theta, hessian, errors)
    model = model_across(Derivatives(obj, theta, float(loss), gradient, hessian, errors, modes), modes.basis)
    return (None if model.critical or not orbit else across_orbit(model)) or model


def across_orbit(model: LocalModel) -> LocalModel | None:
    """Returns the model across all tangents of the orbit at θ, if that shows a critical point next to θ; else None.

    Beside a critical point H need not annihilate them. But the gradient is orthogonal to the tangents everywhere, so
    where it is orthogonal to a slice too, and the orbit crosses the slice, it is zero.
    """
    here, known = model.here, model.modes.basis
    if not norm(model.gradient) <= NEAR * model.size * max(1.0, float(norm(model.theta))):
        return None
    tangents = orbit_tangents(here.obj, here.theta)
    basis = span(np.hstack([known, tangents]), DEPENDENT)
    added = basis.shape[1] - known.shape[1]
    if not 0 < added < len(here.theta) - known.shape[1]:
        return None
    modes = NullModes(basis, (*model.modes.causes, *(ORBIT,) * added))
    other = model_across(replace(here, modes=modes), basis)
    if not (other.critical and _core.all_finite(other.ahead)):
        return None
    ahead = orbit_tangents(here.obj, other.ahead)
    crosses = ahead.shape[1] >= tangents.shape[1]
    return other if crosses and np.linalg.svd(tangents.T @ ahead, compute_uv=False).min() >= CROSSING else None


def orbit_tangents(obj: AnyObjective, theta: Array) -> Array:
    """Orthonormal tangents of the orbit at θ (P,), as far as θ moves."""
    return span(within(obj, all_tangents(*whole(obj, theta))), DEPENDENT)


def model_beside(model: LocalModel, directions: Array) -> LocalModel:
    """Returns the model at the same θ with directions (P, q) left out, as well as the null modes."""
    basis = model.modes.basis
    outside = directions - basis @ (basis.T @ directions)
    return model_across(model.here, np.hstack([basis, span(outside)]))


def model_across(here: Derivatives, basis: Array) -> LocalModel:
    """Returns the model across orthonormal columns (P, k)."""
    theta, nothing = here.theta, np.zeros(0)
    if basis.shape[1] == len(theta):
        none = np.zeros((len(theta), 0))
        return LocalModel(here, nothing, none, nothing, 0.0, nothing, 0 * theta, none)
    values, vectors = here.hessian.eigenvectors_outside(basis)
    floor = here.floor(values, basis.shape[1] > 0)
    slopes = vectors.T @ here.gradient
    seen = np.abs(values) > floor
    step = vectors @ (-slopes / np.where(seen, values, max(floor, np.finfo(float).tiny)))
    safe = (theta + vectors[:, seen] @ (-slopes[seen] / values[seen])).astype(theta.dtype)
    images = moved_by(here, safe, vectors)
    changes = np.abs((vectors * images).sum(axis=0)).astype(np.float64)
    changes[~np.isfinite(changes)] = np.inf
    model = LocalModel(here, values, vectors, floor + 2 * changes, floor, slopes, step, images)
    if not model.still or model.quadratic:
        return model
    # What is left of eigenvalues that vanish at a critical point next to θ changes by all of itself on the way there.
    small = np.abs(values) <= VANISHING * model.size
    other = replace(model, floors=np.where(small, np.maximum(model.floors, np.abs(values)), model.floors))
    return other if other.quadratic else model


def moved_by(here: Derivatives, ahead: Array, vectors: Array) -> Array:
    """Returns (H(ahead) − H) V, (P, r); inf where it is not finite."""
    if _core.all_finite(ahead):
        change = here.obj.hessian(ahead) - here.hessian.matrix
        images = interruptible(len(vectors), np.matmul, change, vectors)
        if np.isfinite(images).all():
            return np.asarray(images)
    return np.full(vectors.shape, np.inf)
