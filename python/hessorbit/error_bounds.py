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

import numpy as np

from . import _core, activations
from ._blas import calm_blas
from ._checks import Array
from ._kinks import MOST_KINKS, Kink
from ._norms import norm
from .approximate import ULPS, Approximate
from .loss_errors import differentiate, near_kink
from .objective import Objective
from .targets import one_hot

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
