"""Upper bounds on what rounding does to the Hessian, the Gauss–Newton matrix and its factor F.

Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.3) of the formulas of
the core: every intermediate v of a sample is computed with a bound δv on its error, to first order in u = eps/2:

    z_l = s_l W_l a_{l−1} + b_l                 δz = s|W| δa + (d + 3) u (s|W||a| + |b|)
    σ, σ', σ'' at z                             how much they change where z moves by 2δz, kinks included, and 4 ulp
    Z_lq = ∂z_q/∂z_l = σ'_l V_{l+1} Z_{l+1,q}   products and sums, V_l = s_l W_lᵀ
    ∂ℓ/∂f, ∂²ℓ/∂f²                              what δf and, with y, the rounding of their difference make of them
    B_lm = Σ_q Z_lq C_q Z_mqᵀ                   C_q = diag(σ''_q ∂ℓ/∂a_q), at the output ∂²ℓ/∂z_L²

The block of H between the parameters of neuron i of layer l and of neuron j of layer m is Σ_n w_n B_lm[i, j] φ_l φ_mᵀ,
φ_l = (s_l a_{l−1}, 1), and another term of rank one (math: the derivative of φ_m). So ‖δH‖₂ is at most the norm of the
neurons × neurons matrix of the norms of the blocks' errors, which costs far less than H itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from . import _core, activations
from ._blas import calm_blas
from ._checks import Array
from ._kinks import MOST_KINKS, Kink
from ._norms import norm
from .any_objective import AnyObjective
from .decomposition import UNDERFLOW
from .gauss_newton import residual_curvature_bound
from .objective import Objective
from .population import PopulationObjective
from .restricted import whole
from .targets import one_hot

# Activations are within 4 ulp; more for the vectors of a chunk that are summed in another order.
ULPS = 4
# Entries of one temporary array at most, and multiplications of one matrix product, by one thread of BLAS.
CHUNK = 2**16
PRODUCT = 2**22


@dataclass(frozen=True)
class ErrorBounds:
    """Bounds on norms of rounding errors at one θ.

    Attributes
    ----------
    gauss_newton : float
        On ‖δG‖₂ of the Gauss–Newton matrix.
    curvature : float
        On ‖δS‖₂ of what the Hessian has beside it, which is linear in the residual: the residual's own rounding error
        is in it, whatever its value.
    factor : float
        On ‖δF‖_F of the factor F with G = FᵀF + l2·I.
    kinks : tuple of Kink
        Preactivations so close to the kink of their activation, and residuals to that of the loss, that rounding may
        have moved them across; the first of them. What derivatives jump by there is part of the bounds.
    """

    gauss_newton: float
    curvature: float
    factor: float
    kinks: tuple[Kink, ...]

    @property
    def hessian(self) -> float:
        """On ‖δH‖₂."""
        return self.gauss_newton + self.curvature


@dataclass(frozen=True)
class Approximate:
    """An array, and bounds on the errors of its entries."""

    value: Array
    error: Array

    @classmethod
    def exact(cls, value: Array) -> Self:
        return cls(value, np.zeros_like(value))

    @property
    def unit(self) -> Any:
        return np.finfo(self.value.dtype).eps / 2

    def __getitem__(self, index: Any) -> Approximate:
        return Approximate(self.value[index], self.error[index])

    @property
    def T(self) -> Approximate:
        """With the last two axes exchanged."""
        return Approximate(np.swapaxes(self.value, -1, -2), np.swapaxes(self.error, -1, -2))

    def __add__(self, other: Approximate) -> Approximate:
        value = self.value + other.value
        return Approximate(value, self.error + other.error + self.unit * np.abs(value))

    def __mul__(self, other: Approximate) -> Approximate:
        value = self.value * other.value
        error = np.abs(self.value) * other.error + self.error * (np.abs(other.value) + other.error)
        return Approximate(value, error + self.unit * np.abs(value))

    def __matmul__(self, other: Approximate) -> Approximate:
        if self.value.shape[-1] == 1:
            return self * other
        left, right = np.abs(self.value), np.abs(other.value)
        rounding = (self.value.shape[-1] + 1) * self.unit
        error = left @ (other.error + rounding * right) + self.error @ (right + other.error)
        return Approximate(self.value @ other.value, error)

    def norm(self, axis: int = -1) -> Approximate:
        """Euclidean norms, without overflow."""
        size = norm(self.value, axis)
        return Approximate(size, norm(self.error, axis) + 2 * self.unit * size)


def error_bounds(obj: Objective, theta: Array) -> ErrorBounds:
    """Bounds on the rounding errors at θ of what the core computes, in theta's precision.

    Parameters
    ----------
    obj : Objective
    theta : ndarray, shape (P,)
        Checked, float64 or longdouble.

    Returns
    -------
    ErrorBounds
        Not finite where a bound overflows.

    Notes
    -----
    To first order in eps. Takes about N·D²·d operations for D neurons in layers of d. Sums over N samples are taken to
    err by (8 + √N) u Σ|terms|, as blocked sums do but for odds that do not occur [1]_.

    References
    ----------
    .. [1] Higham and Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41 (2019).
    """
    net = obj.net
    layers, neurons = range(net.num_layers), sum(net.widths[1:])
    first = np.concatenate([[0], np.cumsum(net.widths[1:])])
    place = [slice(first[k], first[k + 1]) for k in layers]
    gauss_newton, curvature = (np.zeros((neurons, neurons), theta.dtype) for _ in range(2))
    factor, kinks = 0.0, list[Kink]()
    with np.errstate(all="ignore"), calm_blas(0):
        for sample in passes(obj, theta, neurons):
            for m in layers:
                for k in layers[: m + 1]:
                    blocks = sample.from_loss(k, m), sample.from_network(k, m)
                    for total, error in zip((gauss_newton, curvature), blocks, strict=True):
                        total[place[k], place[m]] += error
                        if k < m:
                            total[place[m], place[k]] += error.T
            factor = math.hypot(factor, sample.factor())
            kinks += sample.kinks
        factor = factor if math.isfinite(factor) else math.inf
        return ErrorBounds(bound(gauss_newton), bound(curvature), factor, tuple(kinks[:MOST_KINKS]))


def bound(blocks: Array) -> float:
    """At least the largest eigenvalue of a symmetric matrix of numbers ≥ 0."""
    result = float(min(norm(blocks), blocks.sum(axis=0).max()))
    return result if math.isfinite(result) else math.inf


class Pass:
    """One chunk of samples: forward, loss and backward, with errors.

    Layers are counted from 0. `phi[l]` (n, p_l) are φ_l and `reach[l]` (n,) their norms; `slope[l]` and `bend[l]`
    (n, d_l) are σ' and σ''; `up[l]` (d_l, d_{l+1}) is V_{l+1}; `moved[l, q]` (n, d_l, d_q) is Z_lq; `delta[l]` (n, d_l)
    is ∂ℓ/∂z_l, and `curved[l]` (n, d_l) is σ''_l ∂ℓ/∂a_l. `samples` (n,) are the places of the chunk in the data.
    """

    def __init__(self, obj: Objective, theta: Array, samples: Array, y: Array, weight: Array) -> None:
        net, dtype = obj.net, theta.dtype
        self.top = net.num_layers - 1
        self.weight = weight
        self.samples = samples
        self.kinks: list[Kink] = []
        self.rounding = (8 + math.sqrt(obj.num_samples)) * np.finfo(dtype).eps / 2
        layers = net.unflatten(theta)
        multipliers = [Approximate(np.asarray(s, dtype), np.asarray(s * np.finfo(dtype).eps, dtype))
                       if s != 1 else Approximate.exact(np.ones((), dtype)) for s in net.multipliers]  # fmt: skip
        weights = [s * Approximate.exact(w) if s.error else Approximate.exact(w)
                   for s, (w, _) in zip(multipliers, layers, strict=True)]  # fmt: skip
        self.up = [w.T for w in weights[1:]]
        self.phi: list[Approximate] = []
        self.reach: list[Approximate] = []
        self.slope: list[Approximate] = []
        self.bend: list[Approximate] = []
        a = Approximate.exact(obj.x[samples].astype(dtype))
        for k, (w, (_, b)) in enumerate(zip(weights, layers, strict=True)):
            s = multipliers[k]
            phi = s * a if s.error else a
            if b is not None:
                ones = np.ones((len(samples), 1), dtype)
                phi = Approximate(np.hstack([phi.value, ones]), np.hstack([phi.error, 0 * ones]))
            self.phi.append(phi)
            self.reach.append(phi.norm())
            z = a @ w.T
            if b is not None:
                z = z + Approximate(b, (w.value.shape[1] + 1) * z.unit * np.abs(b))
            a, slope, bend = activate(net.activations[k], z)
            kinked = np.array([activations.kinked(name) for name in net.activations[k]])
            self.note_kinks(k + 1, (np.abs(z.value) <= 2 * z.error) & (z.error > 0) & kinked)
            self.slope.append(slope)
            self.bend.append(bend)
        if obj.loss_name == "huber":
            self.note_kinks(net.num_layers + 1, near_kink(a, y, obj.delta or 0.0))
        residual, hessian, self.root = differentiate(obj.loss_name, obj.delta, a, y)
        output = self.slope[-1][:, :, None]
        self.hessian = output * hessian * output.T
        self.delta = [residual * self.slope[-1]]
        self.curved = [residual * self.bend[-1]]
        for k in reversed(range(self.top)):
            u = self.delta[0] @ self.up[k].T
            self.delta.insert(0, u * self.slope[k])
            self.curved.insert(0, u * self.bend[k])
        self.moved: dict[tuple[int, int], Approximate] = {}
        for k in reversed(range(self.top)):
            slope = self.slope[k][:, :, None]
            self.moved[k, k + 1] = slope * self.up[k]
            for q in range(k + 2, self.top + 1):
                self.moved[k, q] = slope * (self.up[k] @ self.moved[k + 1, q])

    def note_kinks(self, layer: int, near: Array) -> None:
        """Keeps the first places of a layer (n, d) that are near a kink."""
        places = np.argwhere(near)[:MOST_KINKS]
        self.kinks += [Kink(layer, int(neuron), int(self.samples[n])) for n, neuron in places]

    def from_loss(self, k: int, m: int) -> Array:
        """Σ_n w_n of the error norms of blocks of the Gauss–Newton matrix: Z_lL M Z_mLᵀ; (d_l, d_m)."""
        left = self.hessian if k == self.top else self.moved[k, self.top] @ self.hessian
        left = left * self.scale(k)
        return self.total(left * self.scale(m)) if m == self.top else self.product(left, m, self.top)

    def from_network(self, k: int, m: int) -> Array:
        """The same of the rest of the Hessian: Σ_q Z_lq diag(C_q) Z_mqᵀ, and δ_m ∂φ_m/∂z_l where l < m."""
        result = np.zeros((self.bend[k].value.shape[1], self.bend[m].value.shape[1]), self.weight.dtype)
        for q in range(m, self.top + 1):
            curved = self.curved[q]
            if not (curved.value.any() or curved.error.any()):
                continue
            if k == q:
                both = self.scale(k)[:, :, 0] * self.scale(m)[:, :, 0]
                np.fill_diagonal(result, np.diag(result) + self.total(curved * both))
            else:
                left = self.moved[k, q] * curved[:, None, :] * self.scale(k)
                result += self.total(left * self.scale(m)) if m == q else self.product(left, m, q)
        if k < m:
            slope = self.slope[m - 1]
            through = (self.moved[k, m - 1] * slope[:, None, :]).norm() if k < m - 1 else slope
            through = through * self.scale(k)[:, :, 0]
            result += self.contracted(through[:, :, None], self.delta[m][:, :, None])
        return result

    def scale(self, k: int) -> Approximate:
        """‖φ_l‖ of each sample, (n, 1, 1)."""
        return self.reach[k][:, None, None]

    def total(self, terms: Approximate) -> Array:
        """Σ_n w_n of the errors, with what summing the terms adds."""
        each = terms.error + self.rounding * np.abs(terms.value)
        return np.asarray(np.tensordot(self.weight, each, 1))

    def product(self, left: Approximate, m: int, q: int) -> Array:
        return self.contracted(left, self.moved[m, q] * self.scale(m))

    def contracted(self, left: Approximate, right: Approximate) -> Array:
        """Bounds on the errors of Σ_n w_n left_n right_nᵀ; (n, a, u), (n, b, u), (a, b)."""
        axes = ([0, 2], [0, 2])
        size = np.abs(right.value)
        rounding = self.rounding + (left.value.shape[2] + 2) * left.unit
        weight = self.weight[:, None, None]
        first = np.tensordot(weight * np.abs(left.value), right.error + rounding * size, axes)
        return np.asarray(first + np.tensordot(weight * left.error, size + right.error, axes))

    def factor(self) -> float:
        """‖δF‖_F of these samples; F_n has the blocks A diag(σ'_L) Z_lLᵀ ⊗ φ_l, AᵀA = w_n ∂²ℓ/∂f².

        As in the core, A is applied to the last hidden layer, from where its image is carried down.
        """
        output = self.slope[-1][:, :, None]
        eye = Approximate.exact(np.eye(output.value.shape[1], dtype=self.weight.dtype))
        image, total = self.root(output * eye).T, 0.0
        for k in reversed(range(self.top + 1)):
            if k == self.top - 1:
                image = self.root(output * self.moved[k, self.top].T).T
            elif k < self.top:
                image = self.slope[k][:, :, None] * (self.up[k] @ image)
            block = image * self.scale(k)
            error = np.sqrt(self.weight)[:, None, None] * (block.error + 4 * block.unit * np.abs(block.value))
            total = math.hypot(total, float(norm(error)))
        return total


def passes(obj: Objective, theta: Array, neurons: int) -> Iterator[Pass]:
    """The samples of weight above zero, chunk by chunk."""
    count = obj.num_samples
    weight = np.ones(count, theta.dtype) if obj.sample_weight is None else obj.sample_weight.astype(theta.dtype)
    weight = weight / weight.sum()
    y = one_hot(obj.y, obj.net.widths[-1]) if obj.y.dtype.kind == "i" else obj.y
    kept = np.flatnonzero(weight)
    widest, inner = max(obj.net.widths[1:]), max(obj.net.widths[2:], default=1)
    # A sample has its inputs, and for each layer q all Z_lq with l < q.
    largest = max(neurons * inner, *obj.net.widths)
    size = max(1, min(CHUNK // largest, PRODUCT // (widest**2 * inner)))
    for start in range(0, len(kept), size):
        chosen = kept[start : start + size]
        yield Pass(obj, theta, chosen, y[chosen].astype(theta.dtype), weight[chosen])


def activate(names: tuple[str, ...], z: Approximate) -> tuple[Approximate, Approximate, Approximate]:
    """σ, σ' and σ'' of rows z (n, d), with how much they change within 2δz."""
    at, around = np.stack([z.value, z.value - 2 * z.error, z.value + 2 * z.error]), []
    result = np.empty((3, *at.shape), at.dtype)
    for name in dict.fromkeys(names):
        columns = [index for index, other in enumerate(names) if other == name]
        points = np.ascontiguousarray(at[:, :, columns])
        values = _core.activation_derivatives(*activations.split(name), points.reshape(-1))
        for order, value in enumerate(values):
            result[order][:, :, columns] = value.reshape(points.shape)
    for here, below, above in result:
        change = np.maximum(np.abs(below - here), np.abs(above - here))
        around.append(Approximate(here, change + 2 * ULPS * z.unit * np.abs(here)))
    return around[0], around[1], around[2]


def differentiate(loss: str, delta: float | None, f: Approximate, y: Array) -> tuple[Approximate, Approximate, Any]:
    """∂ℓ/∂f (n, K), ∂²ℓ/∂f² (n, K, K), and the map of rows J (n, K, p) to A J."""
    unit, eye = f.unit, np.eye(f.value.shape[1], dtype=f.value.dtype)
    if loss == "squared_error":
        residual = f.value - y
        hessian = Approximate.exact(np.broadcast_to(eye, (*f.value.shape, f.value.shape[1])))
        return Approximate(residual, f.error + unit * np.abs(residual)), hessian, lambda rows: rows
    if loss == "logistic":
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
    if loss == "huber":
        assert delta is not None
        d = f.value - y
        error = f.error + unit * np.abs(d)
        inside = (np.abs(d) <= delta).astype(d.dtype)
        near = near_kink(f, y, delta).astype(d.dtype)
        clipped = Approximate(np.clip(d, -delta, delta), error * np.maximum(inside, near))
        return separable(clipped, Approximate(inside, near), Approximate(inside, near))
    if loss == "poisson":
        mean, half = np.exp(f.value), np.exp(f.value / 2)
        slack = np.expm1(f.error) + 4 * unit
        less = Approximate(mean - y, mean * slack + unit * np.abs(mean - y))
        return separable(less, Approximate(mean, mean * slack), Approximate(half, half * slack))
    if loss == "cross_entropy":
        return softmax(f, y)
    return separable(*loss_around(loss, delta or 0.0, f, y))


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


def separable(residual: Approximate, curvature: Approximate, root: Approximate) -> tuple[Approximate, Approximate, Any]:
    """Of a sum over outputs, from the derivatives of each output's part and the root of the second, (n, K)."""
    eye = Approximate.exact(np.eye(curvature.value.shape[1], dtype=curvature.value.dtype))
    return residual, curvature[:, :, None] * eye, lambda rows: root[:, :, None] * rows


def softmax(f: Approximate, y: Array) -> tuple[Approximate, Approximate, Any]:
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


def softmax_root(f: Approximate, mass: Array) -> Any:
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


def quotient(a: Approximate, b: Approximate) -> Approximate:
    """a / b for b ≥ 1, whose exact value is at least 1 too."""
    value = a.value / b.value
    error = (a.error + np.abs(value) * b.error) / np.maximum(b.value - b.error, 1)
    return Approximate(value, error + a.unit * np.abs(value))


def root_of(a: Approximate) -> Approximate:
    """√a for a ≥ 0: |√a − √b| = |a − b| / (√a + √b)."""
    value = np.sqrt(a.value)
    error = np.minimum(a.error / np.where(value > 0, value, 1), np.sqrt(a.error))
    return Approximate(value, error + a.unit * value)


# Longdouble evaluates N·P² of a Hessian in about 0.1 s, and in 10 ms.
MEASURABLE, QUICK = 2**25, 2**21
# The bound of the finer evaluation is this one scaled down, and this much more.
GUARD = 8
# What underflows on the way leaves an error of 2^-766 (full_range.hpp): less than rounding in a matrix of this norm.
FAR_FROM_UNDERFLOW = 2.0**-700


@dataclass(frozen=True, eq=False)
class RoundingErrors:
    """How far what the core computes at one θ is from the exact value for the stored data.

    The bounds are worst cases, often a hundred times too large. Where longdouble has more digits and the problem is
    small, the error is measured instead: it is at most ‖computed − finer‖_F and what the bounds say of the finer one.
    """

    objective: AnyObjective
    theta: Array

    @cached_property
    def whole(self) -> tuple[Objective, Array]:
        """The objective of all parameters, of whose errors those of a block are a part, and θ."""
        obj, theta = whole(self.objective, self.theta)
        assert isinstance(obj, Objective)
        return obj, theta

    @cached_property
    def bounds(self) -> ErrorBounds:
        return error_bounds(*self.whole)

    @cached_property
    def finer(self) -> float:
        """eps of longdouble over that of θ, if an evaluation in longdouble tells more and is cheap; else 0."""
        ratio = float(np.finfo(np.longdouble).eps / np.finfo(self.theta.dtype).eps)
        return ratio if ratio < 1 / 64 and self.cost <= MEASURABLE and not self.kinks else 0.0

    @property
    def kinks(self) -> tuple[Kink, ...]:
        """Where rounding decides on which side of a kink derivatives are taken; the first places."""
        return self.bounds.kinks

    def kinks_of(self, matrix: str) -> tuple[Kink, ...]:
        """Those that matter to the "hessian" or the "gauss_newton" matrix, which has no second derivatives of a net."""
        net = self.whole[0].net

        def jumps(kink: Kink) -> bool:
            return kink.layer > net.num_layers or activations.bent(net.activations[kink.layer - 1][kink.neuron])

        return tuple(kink for kink in self.kinks if matrix == "hessian" or jumps(kink))

    @property
    def cost(self) -> int:
        """Of a Hessian, N·P²."""
        return int(self.whole[0].num_samples * len(self.theta) ** 2)

    @property
    def slow(self) -> bool:
        """Whether measuring takes longer than all the rest."""
        return self.cost > QUICK

    @cached_property
    def finer_hessian(self) -> Array:
        return self.objective.hessian(self.theta.astype(np.longdouble))

    @cached_property
    def finer_gauss_newton(self) -> Array:
        return self.objective.gauss_newton(self.theta.astype(np.longdouble))

    def of(self, quantity: str, computed: Array, enough: float = 0.0) -> float:
        """A bound on the norm of the error of "hessian", "gauss_newton" or "factor"; rough if it is below `enough`."""
        rough = float(getattr(self.bounds, quantity))
        if norm(computed) < FAR_FROM_UNDERFLOW:
            return self.near_underflow(quantity, computed)
        if rough <= enough or not self.finer:
            return rough
        return least(rough, float(norm(computed - self.finer_of(quantity))) + GUARD * self.finer * rough)

    def near_underflow(self, quantity: str, computed: Array) -> float:
        """The same of what is so small that underflow may be all of it: longdouble has the exponents to tell."""
        theta = self.theta.astype(np.longdouble)
        if np.finfo(theta.dtype).minexp == np.finfo(np.float64).minexp:
            return FAR_FROM_UNDERFLOW
        obj, at = whole(self.objective, theta)
        assert isinstance(obj, Objective)
        finer, rough = self.finer_of(quantity), float(getattr(error_bounds(obj, at), quantity))
        return float(norm(computed - finer)) + rough + (UNDERFLOW * len(computed) if finer.any() else 0.0)

    def finer_of(self, quantity: str) -> Array:
        if quantity == "factor":
            return self.objective.gauss_newton_factor(self.theta.astype(np.longdouble))
        return self.finer_hessian if quantity == "hessian" else self.finer_gauss_newton

    @cached_property
    def curvature(self) -> float:
        """A bound on ‖S‖₂, what the Hessian has beside the Gauss–Newton matrix, however it was rounded."""
        rough = residual_curvature_bound(*self.whole) + self.bounds.curvature
        if not self.finer:
            return rough
        rest = float(norm(self.finer_hessian - self.finer_gauss_newton))
        return least(rough, rest + GUARD * self.finer * self.bounds.hessian)

    @cached_property
    def zero_residual(self) -> bool:
        """Whether S is no more than rounding may have done to the Hessian, for all that its diagonal tells."""
        diagonal = np.abs(self.objective.hessian_diagonal(self.theta)).max()
        slack = float(np.finfo(np.float64).eps) * len(self.theta) * float(diagonal) + self.bounds.hessian
        return math.isfinite(slack) and residual_curvature_bound(*self.whole) <= slack


@dataclass(frozen=True, eq=False)
class QuadratureErrors:
    """The same of what a `PopulationObjective` computes, by its own estimate of the error of an entry."""

    objective: AnyObjective
    theta: Array
    slow = False

    @cached_property
    def matrix(self) -> float:
        """For the norm of the error of the Hessian or of the Gauss–Newton matrix."""
        obj, theta = whole(self.objective, self.theta)
        assert isinstance(obj, PopulationObjective)
        return len(self.theta) * obj.error(theta)

    def kinks_of(self, matrix: str) -> tuple[Kink, ...]:
        """None: what expectations make of kinks is smooth."""
        return ()

    def of(self, quantity: str, computed: Array, enough: float = 0.0) -> float:
        """A bound on the norm of the error of "hessian", "gauss_newton" or "factor", whatever was computed."""
        return math.sqrt(self.matrix) if quantity == "factor" else self.matrix

    @cached_property
    def curvature(self) -> float:
        """A bound on the norm of what the Hessian has beside the Gauss–Newton matrix."""
        rest = self.objective.hessian(self.theta) - self.objective.gauss_newton(self.theta)
        return float(norm(rest)) + 2 * self.matrix if rest.any() else 0.0

    @cached_property
    def zero_residual(self) -> bool:
        """Whether that is no more than errors may have made of nothing."""
        return self.curvature <= 4 * self.matrix


def errors_of(obj: AnyObjective, theta: Array) -> RoundingErrors | QuadratureErrors:
    """How far what an objective computes at one θ is from the exact value."""
    return (RoundingErrors if isinstance(whole(obj, theta)[0], Objective) else QuadratureErrors)(obj, theta)


def least(rough: float, measured: float) -> float:
    """The smaller of two bounds; the first where the second is not a number."""
    return min(rough, measured) if measured == measured else rough
