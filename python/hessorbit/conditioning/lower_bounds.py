"""No diagonal in a set reaches less than these bounds, which come from the weights at a point of the central path.

Both hold for whatever weights they are given, so rounding in the minimiser cannot make them wrong; good weights only
make them tight. What is left is the rounding of the bounds' own evaluation, of the order of P eps √κ relative.

`convex_bound`, where f = log of the criterion is convex in u = log D. For any multipliers μ_j ≥ 0 of the concave slacks
s_j ≥ 0 of the set, f(u(v')) ≥ f(u(v')) − Σ_j μ_j s_j(v'), whose tangent at v bounds it in turn:

    f* ≥ support(v) − Σ_j μ_j s_j(v) − Σ_i |residual_i| · (largest |v'_i − v_i| in the set)

At a point of the path μ_j = 1/(t s_j), and the residual vanishes.

`linear_bound`, for κ of a network with one hidden layer, where D_p is D_in or D_out of a single neuron, or constant.
For density matrices Y, X

    κ(D) ≥ tr(Y G D Gᵀ)/tr(X G D Gᵀ) = Σ_p D_p y_p / Σ_p D_p x_p

so κ* is at least the largest τ with Σ_p D_p (y_p − τ x_p) ≥ 0 for every D of the set: a problem that splits into one
closed form per neuron, with a price per copy where a budget joins them. It needs no nonsingular H. `free_bound` is the
same for a positive diagonal without further constraints, whatever the depth. (Both are Lagrange duality; Boyd and
Vandenberghe, Convex Optimization, 2004, chapter 5.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._checks import Array
from .central_path import PathPoint, follow
from .diagonals import Architecture, DiagonalScalings, NeuronScalings, free_scalings
from .smoothed_spectrum import Balanced, Extremes, SpectralFunction, log_harmonic_mean, soft_maximum


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
    level, top, bottom = traces(function, scalings.diagonals, point)
    ratio = smallest_ratio(scalings, point.v, top, bottom)
    return level + float(np.log(ratio)) if ratio > 0 else -np.inf


def free_bound(function: Extremes, architecture: Architecture, accuracy: float) -> float:
    """Returns a lower bound on log κ over all positive diagonals that are constant where D_in D_out is.

    On the path D that are not needed go to zero, where y_p and x_p are both small; minimising the balanced function
    instead makes y_p ≥ (1 − accuracy) x_p for all of them.
    """
    _, groups = np.unique(architecture.sides, axis=1, return_inverse=True)
    diagonals = free_scalings(architecture.offset, groups)
    point = follow(Balanced(function, accuracy), diagonals, accuracy=accuracy)
    level, top, bottom = traces(function, diagonals, point)
    top, bottom = np.bincount(groups, top), np.bincount(groups, bottom)
    ratios = np.divide(top, bottom, out=np.full(len(top), np.inf), where=bottom > 0)
    return level + float(np.log(ratios.min()))


def traces(function: Extremes, diagonals: DiagonalScalings, point: PathPoint) -> tuple[float, Array, Array]:
    """Returns log of tr(Y G D Gᵀ)/tr(X G D Gᵀ) at the point, and the parameters' shares of each trace, (P,)."""
    logarithms, vectors = function.decomposition(diagonals.log_scaling(point.v))
    top, bottom = (soft_maximum(sign * logarithms, point.sharpness)[1] for sign in (1, -1))
    top, bottom = top / top.sum(), bottom / bottom.sum()
    level = log_harmonic_mean(logarithms, top) - log_harmonic_mean(logarithms, bottom)
    return level, top @ vectors**2, bottom @ vectors**2


def smallest_ratio(scalings: NeuronScalings, v: Array, top: Array, bottom: Array) -> float:
    """Returns a lower bound on Σ_p r_p top_p / Σ_p r_p bottom_p over the set, r = D'/D: at most 1, as at D' = D."""
    if least(scalings, v, top - bottom) >= 0:
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 1e-15:
        middle = (low + high) / 2
        low, high = (middle, high) if least(scalings, v, top - middle * bottom) >= 0 else (low, middle)
    return low


def least(scalings: NeuronScalings, v: Array, coefficients: Array) -> float:
    """Returns a lower bound on Σ_p r_p coefficients_p over the set."""
    costs: list[Array] = []  # per unit of D_in and of D_out of each neuron
    for touching, factors in zip(scalings.architecture.sides, scalings.factors(v), strict=True):
        touched = touching >= 0
        costs.append(np.bincount(touching[touched], coefficients[touched], minlength=len(factors)) / factors)
    constant = float(coefficients[(scalings.architecture.sides < 0).all(axis=0)].sum())
    priced = list(zip(scalings.neurons, *costs, strict=True))

    def total(price: float) -> float:
        budget = sum(most for _, most in scalings.budgets)
        return float(constant - price * budget + sum(neuron.cheapest(a, b, price) for neuron, a, b in priced))

    return highest(total, 4 * float(np.abs(costs).max())) if scalings.budgets else total(0.0)


def highest(total: Callable[[float], float], dear: float) -> float:
    """Maximises a concave function of the price of a copy; at the price `dear` no second copy is worth it."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda price: -max(total(price), -1e300), bounds=(0.0, dear), method="bounded", options={"xatol": 1e-12 * dear}
    )
    return max(total(0.0), -float(found.fun))
