"""No diagonal in a set reaches less than these bounds, which come from the weights at a point of the central path.

Both hold for whatever weights they are given, so rounding in the minimiser cannot make them wrong; good weights only
make them tight. What is left is the rounding of the bounds' own evaluation, of the order of P eps √κ relative.

`convex_bound`, where f = log of the criterion is convex in u = log D. For any multipliers μ_j ≥ 0 of the concave slacks
s_j ≥ 0 of the set, f(u(v')) ≥ f(u(v')) − Σ_j μ_j s_j(v'), whose tangent at v bounds it in turn:

    f* ≥ support(v) − Σ_j μ_j s_j(v) − Σ_i |residual_i| · (largest |v'_i − v_i| in the set)

At a point of the path μ_j = 1/(t s_j), and the residual vanishes.

`linear_bound`, for κ of a network with one hidden layer, where D_p is D_in or D_out of a single neuron, or constant.
For density matrices Y, X

    κ(D) ≥ tr(Y G D Gᵀ)/tr(X G D Gᵀ) = Σ_p D_p y_p / Σ_p D_p x_p,     y_p = g_pᵀ Y g_p,  x_p = g_pᵀ X g_p

so κ* is at least the largest τ with Σ_p D_p (y_p − τ x_p) ≥ 0 for every D of the set: a problem that splits into one
closed form per neuron, with a price per copy where a budget joins them. It needs no nonsingular H. The best matrices
solve a semidefinite program (conic.py); those at a point of the path are near them where f is convex. `free_bound` is
the same for a positive diagonal without further constraints, whatever the depth. (Both are Lagrange duality; Boyd and
Vandenberghe, Convex Optimization, 2004, chapter 5.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._checks import Array
from .central_path import PathPoint, follow
from .diagonals import Architecture, DiagonalScalings, NeuronScalings, free_scalings
from .smoothed_spectrum import Balanced, Extremes, SpectralFunction, soft_maximum


def convex_bound(function: SpectralFunction, diagonals: DiagonalScalings, point: PathPoint) -> float:
    """Returns a lower bound on the function over the set, within the span of free factors; −inf if it is not convex."""
    support = function.support(diagonals.log_scaling(point.v), point.sharpness)
    if support is None:
        return -np.inf
    barrier_gradient, _ = diagonals.barrier_derivatives(point.v)
    residual = support.slope @ diagonals.exponents + barrier_gradient / point.sharpness
    reach = diagonals.extent + np.abs(point.v)
    return float(support.value - diagonals.num_slacks / point.sharpness - np.abs(residual) @ reach)


def linear_bound(function: Extremes, scalings: NeuronScalings, point: PathPoint) -> float:
    """Returns a lower bound on log κ over the set; −inf where D is a product of two neurons' factors."""
    if not scalings.architecture.one_hidden_layer:
        return -np.inf
    return weighted_bound(scalings, *densities(function, scalings.diagonals, point))


def weighted_bound(scalings: NeuronScalings, top: Array, bottom: Array, further: Array | None = None) -> float:
    """Returns a lower bound on log κ over the set from y_p and x_p ≥ 0, (P + Q,), whatever they are.

    The smallest eigenvalue may also be below Σ_i further_i (1 − D_in) of the neurons, in part.
    """
    scale = (top.sum() / bottom.sum()) if bottom.any() else 1.0
    ratio = smallest_ratio(
        scalings, top / scale, bottom, np.zeros(len(scalings.neurons)) if further is None else further
    )
    return float(np.log(ratio) + np.log(scale)) if ratio > 0 else -np.inf


def free_bound(function: Extremes, architecture: Architecture, accuracy: float) -> float:
    """Returns a lower bound on log κ over all positive diagonals that are constant where D_in D_out is.

    On the path D that are not needed go to zero, where y_p and x_p are both small; minimising the balanced function
    instead makes D_p y_p ≥ (1 − accuracy) D_p x_p for all of them.
    """
    _, groups = np.unique([*architecture.sides, architecture.second], axis=1, return_inverse=True)
    diagonals = free_scalings(architecture.offset, groups)
    point = follow(Balanced(function, accuracy), diagonals, accuracy=accuracy, tolerance=1e-2)
    top, bottom = densities(function, diagonals, point)
    scaling = np.exp(diagonals.log_scaling(point.v))
    top, bottom = np.bincount(groups, top * scaling), np.bincount(groups, bottom * scaling)
    ratios = np.divide(top, bottom, out=np.full(len(top), np.inf), where=bottom > 0)
    return float(np.log(ratios.min()))


def densities(function: Extremes, diagonals: DiagonalScalings, point: PathPoint) -> tuple[Array, Array]:
    """Returns y_p and x_p, (P + Q,), of matrices Y and X with κ ≥ tr(Y G D Gᵀ)/tr(X G D Gᵀ), good ones at the point.

    Their eigenvectors are those of G D Gᵀ, their eigenvalues near the top and the bottom ∝ w_i/λ_i.
    """
    logarithms, _, left = function.decomposition(diagonals.log_scaling(point.v))
    projections = (left.T @ function.factor) ** 2
    result = []
    for sign in (1, -1):
        shares = np.log(soft_maximum(sign * logarithms, point.sharpness)[1]) - logarithms
        shares = np.exp(shares - shares.max())
        result.append((shares / shares.sum()) @ projections)
    return result[0], result[1]


def smallest_ratio(scalings: NeuronScalings, top: Array, bottom: Array, further: Array) -> float:
    """Returns a lower bound on Σ_p D_p top_p / (Σ_p D_p bottom_p + Σ_i further_i (1 − D_in)) over the set."""

    def least_at(ratio: float) -> float:
        return least(scalings, top - ratio * bottom, ratio * further) - ratio * float(further.sum())

    low, high = 0.0, 1.0
    while least_at(high) >= 0:
        low, high = high, 2 * high
        if high > 1e300:
            return low
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if least_at(middle) >= 0 else (low, middle)
    return low


def least(scalings: NeuronScalings, coefficients: Array, further: Array) -> float:
    """Returns a lower bound on Σ_p D_p coefficients_p, and further_i times the D_in of neurons, over the set."""
    architecture = scalings.architecture
    per_unit = coefficients * np.exp(architecture.offset)
    costs = np.zeros((3, len(scalings.neurons)))  # per unit of D_in, D_out and D_flip of each neuron
    for kind, parameters, neurons in scalings.touched():
        costs[kind] += np.bincount(neurons, per_unit[parameters], minlength=costs.shape[1])
    costs[0] += further
    constant = float(per_unit[(architecture.sides < 0).all(axis=0)].sum())
    priced = list(zip(scalings.neurons, *costs, strict=True))

    def total(price: float) -> float:
        budget = sum(most for _, most in scalings.budgets)
        return float(constant - price * budget + sum(neuron.cheapest(a, b, c, price) for neuron, a, b, c in priced))

    return highest(total, 4 * float(np.abs(costs).max())) if scalings.budgets else total(0.0)


def highest(total: Callable[[float], float], dear: float) -> float:
    """Maximises a concave function of the price of a copy; at the price `dear` no second copy is worth it."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda price: -max(total(price), -1e300), bounds=(0.0, dear), method="bounded", options={"xatol": 1e-12 * dear}
    )
    return max(total(0.0), -float(found.fun))
