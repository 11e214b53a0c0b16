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

from dataclasses import dataclass

import numpy as np

from .. import _core
from .._bases import complement, span
from .._checks import Array
from .._norms import norm
from .._waiting import interruptible
from ..any_objective import AnyObjective
from ..decomposition import Dense, on_span
from ..error_bounds import QuadratureErrors, RoundingErrors, errors_of
from ..symmetry.inertia import decomposed
from ..symmetry.null_modes import NullModes, null_modes

QUADRATIC = 0.5
CRITICAL = 1e-6  # relative to ‖H‖ max(1, ‖θ‖), a gradient that is none


@dataclass(frozen=True)
class LocalModel:
    """The model at θ (P,), with r directions across the null modes.

    Attributes
    ----------
    theta, gradient : ndarray, shape (P,)
    loss : float
    values : ndarray, shape (r,)
        Eigenvalues of H, ascending.
    vectors : ndarray, shape (P, r)
    floors : ndarray, shape (r,)
        What the eigenvalues are known to: `rounding`, and what they change by along the step.
    rounding : float
    modes : NullModes
    slopes : ndarray, shape (r,)
        Vᵀ g.
    step : ndarray, shape (P,)
        The Newton step in the directions whose eigenvalues are above rounding; along others, that over the floor.
    change : float
        ‖Wᵀ (H(θ + s) − H(θ)) W‖₂ over the directions whose eigenvalues have a sign.
    """

    theta: Array
    loss: float
    gradient: Array
    values: Array
    vectors: Array
    floors: Array
    rounding: float
    modes: NullModes
    slopes: Array
    step: Array
    change: float

    @property
    def size(self) -> float:
        """‖H‖₂."""
        return float(np.abs(self.values).max(initial=0.0))

    @property
    def resolved(self) -> Array:
        """Which eigenvalues have a sign, (r,)."""
        return np.abs(self.values) > self.floors

    @property
    def negative(self) -> Array:
        """Which eigenvalues are negative, (r,)."""
        return self.values < -self.floors

    @property
    def critical(self) -> bool:
        """Whether θ is in the basin of a critical point of the same inertia, as far as that is resolved."""
        if self.change > QUADRATIC:
            return False
        return self.still or bool(not self.drifting.any() and norm(self.slopes[~self.resolved]) <= self.allowed)

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

    @property
    def decrease(self) -> float:
        """½ gᵀ H⁻¹ g, what the model promises where it has a minimum."""
        above = self.values > self.floors
        return float((self.slopes[above] ** 2 / self.values[above]).sum()) / 2


def local_model(obj: AnyObjective, theta: Array, beside: Array | None = None) -> LocalModel | None:
    """Returns the model at θ, or None where loss, gradient or Hessian are not finite, or the Hessian is zero.

    Directions `beside` (P, q) are left out as well as the null modes. Costs two Hessians, and eigenvalues.
    """
    loss, gradient = obj.value_and_gradient(theta)
    matrix = obj.hessian(theta)
    if not (np.isfinite(loss) and _core.all_finite(gradient) and _core.all_finite(matrix) and matrix.any()):
        return None
    errors = errors_of(obj, theta)
    hessian = decomposed(matrix)
    modes = null_modes(obj, theta, hessian, errors)
    across = modes.complement
    if beside is not None:
        across = complement(np.hstack([modes.basis, span(across @ (across.T @ beside))]))
    if not across.shape[1]:
        nothing = np.zeros(0)
        return LocalModel(
            theta,
            float(loss),
            gradient,
            nothing,
            np.zeros((len(theta), 0)),
            nothing,
            0.0,
            modes,
            nothing,
            0 * theta,
            0.0,
        )
    values, columns = hessian.restrict(across).eigenvectors()
    vectors = across @ columns
    floor = floor_of(hessian, values, errors, across.shape[1] < len(theta))
    slopes = vectors.T @ gradient
    seen = np.abs(values) > floor
    step = vectors @ (-slopes / np.where(seen, values, max(floor, np.finfo(float).tiny)))
    safe = (theta + vectors[:, seen] @ (-slopes[seen] / values[seen])).astype(theta.dtype)
    moved = moved_by(obj, safe, hessian, vectors)
    changes = np.abs(np.diag(moved)).astype(np.float64)
    seen = np.abs(values) > floor + 2 * changes
    change = 0.0
    if seen.any():
        roots = np.sqrt(np.abs(values[seen]))
        relative = (moved[np.ix_(seen, seen)] / np.outer(roots, roots)).astype(np.float64)
        noise = 2 * floor / float(np.abs(values[seen]).min())  # what rounding makes of nothing
        change = max(0.0, float(np.linalg.norm(relative, 2)) - noise)
    return LocalModel(
        theta, float(loss), gradient, values, vectors, floor + 2 * changes, floor, modes, slopes, step, change
    )


def floor_of(hessian: Dense, values: Array, errors: RoundingErrors | QuadratureErrors, restricted: bool) -> float:
    """Returns the floor of the eigenvalues of a Hessian, restricted or not."""
    error = errors.of("hessian", hessian.matrix)
    return hessian.floor(values, error + (hessian.restriction_error(values) if restricted else 0.0))


def moved_by(obj: AnyObjective, ahead: Array, hessian: Dense, vectors: Array) -> Array:
    """Returns Vᵀ (H(ahead) − H) V, (r, r); inf where it is not finite."""
    count = vectors.shape[1]
    if not _core.all_finite(ahead):
        return np.full((count, count), np.inf)
    moved = interruptible(len(vectors), on_span, obj.hessian(ahead) - hessian.matrix, vectors)
    return moved if np.isfinite(moved).all() else np.full((count, count), np.inf)
