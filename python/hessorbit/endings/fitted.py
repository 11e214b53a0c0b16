"""Whether a loss is at its lower bound: then θ is a global minimum, whatever the rank of the Hessian.

Without weight decay, a loss on samples is at least Σ_n w_n min_f ℓ(f, y_n), and is that where every ∂ℓ_n/∂f is zero, as
ℓ is convex in f. Targets at an end of their range, such as labels, have no such f. On infinitely many inputs the bound
is 0. θ counts as a point that attains it if what is left is less than what rounding of θ makes of it.
"""

from __future__ import annotations

import numpy as np

from .._checks import Array
from .._norms import norm
from ..any_objective import AnyObjective
from ..objective import Objective
from ..restricted import whole
from ..targets import LOSSES
from .curves import outputs
from .losses import NOISE, loss_at

EPS = float(np.finfo(np.float64).eps)
STEPS, NEXT_TO = 5, 1e-2  # of Gauss–Newton, to the point next to θ, and how far that may be, relative to θ
SMALL = 1e-4  # a residual relative to that without outputs, from where on it is looked into
NULL = 1e-8  # singular values relative to the largest, whose directions are left alone
POPULATION = 64  # roundings of a sum that cancels


def at_lower_bound(obj: AnyObjective, theta: Array) -> bool:
    """Tells whether θ (P,), or the point next to it to which Gauss–Newton steps lead, is a global minimum."""
    data, full = whole(obj, theta)
    if data.l2:
        return False
    if not isinstance(data, Objective):
        return bool(abs(loss_at(data, full)) <= POPULATION * EPS * without_outputs(obj, theta))
    if not attainable(data) or norm(residual(data, full)) > SMALL * norm(
        residual(data, outputs(data, full).curve(0.0))
    ):
        return False
    at, nearest = theta, NEXT_TO * max(1.0, float(norm(theta)))
    for _ in range(STEPS):
        if fitted(*whole(obj, at)):
            return True
        at = at - gauss_newton_step(obj, at)
        if not norm(at - theta) <= nearest:
            return False
    return fitted(*whole(obj, at))


def attainable(obj: Objective) -> bool:
    """Tells whether some finite outputs have the least loss of every sample."""
    kind, y = LOSSES[obj.loss_name]["targets"], obj.y
    if kind == "real":
        return True
    if y.dtype.kind == "i" and kind == "probabilities":
        return False
    return bool((y > 0).all() and (kind == "nonnegative" or (y < 1).all()))


def fitted(obj: AnyObjective, theta: Array) -> bool:
    """Tells whether no more is left of the residual than rounding of θ makes of it."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(theta)).astype(np.longdouble)
    here = residual(obj, theta)
    moved = residual(obj, theta.astype(np.longdouble) * (1 + np.finfo(theta.dtype).eps * signs))
    return bool(norm(here) <= NOISE * norm(moved - here))


def residual(obj: AnyObjective, theta: Array) -> Array:
    """That of samples times the roots of their weights, (N, K), in extended precision."""
    assert isinstance(obj, Objective)
    rows = obj.residual(theta.astype(np.longdouble)).reshape(obj.num_samples, -1)
    return rows if obj.sample_weight is None else rows * np.sqrt(obj.sample_weight)[:, None]


def gauss_newton_step(obj: AnyObjective, theta: Array) -> Array:
    """The shortest step to where the linearised outputs fit the samples, as far as the Jacobian can take them there."""
    factor = np.asarray(obj.gauss_newton_factor(theta), np.float64)
    rows = np.linalg.qr(factor, mode="r") if len(factor) > factor.shape[1] else factor
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    kept = singular > NULL * singular[0]
    slope = right[kept] @ np.asarray(obj.gradient(theta), np.float64)
    return np.asarray(right[kept].T @ (slope / singular[kept] ** 2))


def without_outputs(obj: AnyObjective, theta: Array) -> float:
    """The size of the loss where the last layer is zero."""
    data, full = whole(obj, theta)
    return float(abs(loss_at(data, outputs(data, full).curve(0.0), double=True)))
