"""What errors of a network's outputs f make of the derivatives of a loss in them: ∂ℓ/∂f, ∂²ℓ/∂f² and its root A.

Each analysis follows the formula of the core (loss.hpp); y is exact. AᵀA = ∂²ℓ/∂f².
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import _core
from ._checks import Array
from .approximate import ULPS, Approximate, quotient, root_of

Derivatives = tuple[Approximate, Approximate, Callable[[Approximate], Approximate]]


def differentiate(loss: str, delta: float | None, f: Approximate, y: Array) -> Derivatives:
    """∂ℓ/∂f (n, K), ∂²ℓ/∂f² (n, K, K), and the map of rows J (n, K, p) to A J."""
    if loss == "huber":
        assert delta is not None
        return huber(f, y, delta)
    if loss in ANALYSES:
        return ANALYSES[loss](f, y)
    return separable(*loss_around(loss, delta or 0.0, f, y))


def squared_error(f: Approximate, y: Array) -> Derivatives:
    residual = f.value - y
    eye = np.eye(y.shape[1], dtype=f.value.dtype)
    hessian = Approximate.exact(np.broadcast_to(eye, (len(y), *eye.shape)))
    return Approximate(residual, f.error + f.unit * np.abs(residual)), hessian, lambda rows: rows


def logistic(f: Approximate, y: Array) -> Derivatives:
    """By q and 1 − q, each formed without cancellation."""
    unit = f.unit
    far = np.exp(-np.abs(f.value))
    small, large = far / (1 + far), 1 / (1 + far)
    q, complement = np.where(f.value > 0, large, small), np.where(f.value > 0, small, large)
    slack, least = np.expm1(f.error), np.finfo(f.value.dtype).tiny
    size = (1 - y) * q + y * complement
    bell = q * complement
    residual = (1 - y) * q - y * complement
    moved = np.minimum(np.maximum(bell, least) * slack, 1)  # bell may underflow where slack overflows
    hessian = Approximate(bell, moved + 4 * unit * bell)
    half = np.minimum(np.maximum(np.sqrt(bell), least) * slack, 1)
    root = Approximate(np.sqrt(bell), half + 4 * unit * np.sqrt(bell))
    return separable(Approximate(residual, moved + 4 * unit * size), hessian, root)


def huber(f: Approximate, y: Array, delta: float) -> Derivatives:
    d = f.value - y
    error = f.error + f.unit * np.abs(d)
    inside = (np.abs(d) <= delta).astype(d.dtype)
    near = near_kink(f, y, delta).astype(d.dtype)
    clipped = Approximate(np.clip(d, -delta, delta), error * np.maximum(inside, near))
    return separable(clipped, Approximate(inside, near), Approximate(inside, near))


def poisson(f: Approximate, y: Array) -> Derivatives:
    mean, half = np.exp(f.value), np.exp(f.value / 2)
    slack = np.expm1(f.error) + 4 * f.unit
    less = Approximate(mean - y, mean * slack + f.unit * np.abs(mean - y))
    return separable(less, Approximate(mean, mean * slack), Approximate(half, half * slack))


def near_kink(f: Approximate, y: Array, delta: float) -> Array:
    """Where either side of the kink |f − y| = δ may be meant, (n, K)."""
    d = f.value - y
    return np.asarray(np.abs(np.abs(d) - delta) <= f.error + f.unit * np.abs(d))


def loss_around(name: str, parameter: float, f: Approximate, y: Array) -> tuple[Approximate, Approximate, Approximate]:
    """The derivatives of a loss without an analysis of its own, a sum over outputs, (n, K) each: ∂ℓ/∂f, ∂²ℓ/∂f², root.

    The core evaluates them at f and at f ± 2 (δf + 4u max(1, |f|, |y|)). What they change there is more than rounding
    does to f, to y, and in a formula of few operations.
    """
    step = 2 * (f.error + ULPS * f.unit * np.maximum(np.maximum(np.abs(f.value), np.abs(y)), 1))
    at = np.stack([f.value, f.value - step, f.value + step])
    there = np.ascontiguousarray(np.broadcast_to(y, at.shape))
    result = []
    for values in _core.loss_derivatives(name, parameter, at.reshape(-1), there.reshape(-1)):
        here, below, above = values.reshape(at.shape)
        change = np.maximum(np.abs(below - here), np.abs(above - here))
        result.append(Approximate(here, change + 2 * ULPS * f.unit * np.abs(here)))
    return result[0], result[1], result[2]


def separable(residual: Approximate, curvature: Approximate, root: Approximate) -> Derivatives:
    """Of a sum over outputs, from the derivatives of each output's part and the root of the second, (n, K)."""
    eye = Approximate.exact(np.eye(curvature.value.shape[1], dtype=curvature.value.dtype))
    return residual, curvature[:, :, None] * eye, lambda rows: root[:, :, None] * rows


def softmax(f: Approximate, y: Array) -> Derivatives:
    """Of the cross-entropy; differences of nearly equal probabilities are not formed, as in the core."""
    unit = f.unit
    shifted = np.exp(f.value - f.value.max(axis=1, keepdims=True))
    q = shifted / shifted.sum(axis=1, keepdims=True)
    others = np.where(np.eye(q.shape[1], dtype=bool), 0, q[:, None, :])  # q_j, j ≠ k
    # q_k changes by q_k Σ_{j≠k} q_j (δf_k + δf_j), to first order; and f_k − max f is rounded.
    rounded = f.error + unit * (np.abs(f.value) + np.abs(f.value).max(axis=1, keepdims=True))
    pull = (others * (rounded[:, :, None] + rounded[:, None, :])).sum(axis=2)
    error = np.minimum(np.where(rounded.max(axis=1, keepdims=True) < 0.01, 1.02 * q * pull, 1), 1)
    error = error + (q.shape[1] + 4) * unit * q
    probabilities = Approximate(q, error)
    mass = y.sum(axis=1, keepdims=True)
    rest = Approximate(others.sum(axis=2), (np.where(others > 0, error[:, None, :], 0)).sum(axis=2))
    rest_y = mass - y
    left, right = probabilities * Approximate.exact(rest_y), rest * Approximate.exact(y)
    residual = Approximate(left.value - right.value, left.error + right.error + 2 * unit * (left.value + right.value))
    count = q.shape[1]
    identity = np.eye(count, dtype=q.dtype)
    diagonal = (probabilities * rest)[:, :, None] * Approximate.exact(identity)
    outer = probabilities[:, :, None] * Approximate.exact(identity - 1) * probabilities[:, None, :]
    mass3 = Approximate(mass[:, :, None], 4 * unit * mass[:, :, None])
    hessian = (diagonal + outer) * mass3
    return residual, hessian, softmax_root(f, mass)


def softmax_root(f: Approximate, mass: Array) -> Callable[[Approximate], Approximate]:
    """The map of rows J (n, K, p) to A J for the cross-entropy, step by step as in the core (loss.hpp).

    The order of the outputs is that of the computed f: A is a root of ∂²ℓ/∂f² in any order.
    """
    unit, last = f.unit, f.value.shape[1] - 1
    order = np.argsort(-f.value, axis=1, kind="stable")
    value, error = (np.take_along_axis(array, order, axis=1) for array in (f.value, f.error))

    def exponential(upper: int, lower: int, factor: float) -> Approximate:
        """exp(factor·(f_upper − f_lower))."""
        exponent = factor * (value[:, upper] - value[:, lower])
        result = np.exp(exponent)
        moved = factor * (error[:, upper] + error[:, lower]) + unit * np.abs(exponent)
        return Approximate(result, result * (np.expm1(moved) + 2 * ULPS * unit))

    one = Approximate.exact(np.ones(len(value), value.dtype))
    tails, shares, scales = [one], [one], [Approximate.exact(np.zeros(len(value), value.dtype))]
    for k in reversed(range(last)):
        above, tail = tails[0], one + exponential(k + 1, k, 1.0) * tails[0]
        share, ratio = quotient(one, tail), quotient(above, tail)
        tails.insert(0, tail)
        shares.insert(0, Approximate(share.value, np.minimum(share.error, 1)))
        scales.insert(0, exponential(k + 1, 0, 0.5) * root_of(ratio))
    total = root_of(quotient(Approximate(mass[:, 0], f.value.shape[1] * unit * mass[:, 0]), tails[0]))
    # No weight of a square is above Σp.
    scales = [Approximate(s.value, np.minimum(s.error, np.sqrt(mass[:, 0]))) for s in (s * total for s in scales)]

    def map_rows(rows: Approximate) -> Approximate:
        at = np.broadcast_to(order[:, :, None], rows.value.shape)
        x, dx = (np.take_along_axis(array, at, axis=1) for array in (rows.value, rows.error))
        image, moved = np.zeros_like(x), np.zeros_like(x)
        mean, off = x[:, last], dx[:, last]
        for k in reversed(range(last)):
            share, scale = shares[k][:, None], scales[k][:, None]
            difference = x[:, k] - mean
            step = Approximate(difference, dx[:, k] + off + unit * np.abs(difference))
            product = scale * step
            image[:, k], moved[:, k] = product.value, product.error
            # The mean becomes (1 − share) mean + share x_k.
            added = share.value * difference
            off = (1 - share.value) * off + share.value * dx[:, k] + share.error * np.abs(step.value)
            mean = mean + added
            off = off + 2 * unit * np.abs(added) + unit * np.abs(mean)
        return Approximate(image, moved)

    return map_rows


ANALYSES: dict[str, Callable[[Approximate, Array], Derivatives]] = {
    "squared_error": squared_error,
    "logistic": logistic,
    "poisson": poisson,
    "cross_entropy": softmax,
}
