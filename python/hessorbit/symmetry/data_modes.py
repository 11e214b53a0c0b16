"""Zero modes that the loss and the data give, whatever the architecture's symmetries.

    shift-invariant losses    a vector added to every row of the last weights, a number to all of the last biases
    activations of low rank   t with Σ_j t_j a_j(x_n) + t_bias = 0 on every sample: incoming parameters along t
    neurons linear on data    rectifiers on, or off, for every sample: as linear neurons, see `linear_pieces`
    few samples, N·K < P      the null space of the Jacobian

Samples whose weight is zero do not count, and those with the same inputs count once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import solve_triangular

from .. import activations
from .._bases import complement, span
from .._checks import FLOAT64, Array
from .._norms import norm
from .._waiting import interruptible, side
from ..objective import Objective
from ..targets import LOSSES
from .rules import rule_of
from .span import INDEPENDENCE, Directions, sparse_columns

FLAT, FIRST_ORDER = "flat", "first-order"
MOST_JACOBIAN_ENTRIES = 10**7
ROUNDING = 10 * float(np.finfo(float).eps)  # times a matrix's longer side: singular values of rounding


def loss_directions(objective: Objective) -> Iterator[Directions]:
    """Directions along which all outputs change alike, where the loss sees differences of outputs only."""
    net = objective.net
    shift_invariant = LOSSES[objective.loss_name]["shift_invariant"]
    if not shift_invariant or not all(rule_of(name).linear for name in net.activations[-1]):
        return
    weights, biases = net.unflatten(np.arange(net.num_parameters))[-1]
    places = weights if biases is None else np.column_stack([weights, biases])
    alike = np.ones((len(weights), 1))
    name = objective.loss_name.replace("_", "-")
    yield Directions(f"{name}: the same added to all outputs", FLAT, places.T, alike)


def counted(objective: Objective) -> Array:
    """Indices of the samples whose weight is not zero."""
    weight = objective.sample_weight
    return np.arange(objective.num_samples) if weight is None else np.flatnonzero(weight)


def distinct(objective: Objective, parameters: int) -> Array:
    """Those of them whose inputs are not another one's; all of them where a Jacobian would be large."""
    samples = counted(objective)
    if objective.num_samples * objective.net.widths[-1] * parameters > MOST_JACOBIAN_ENTRIES:
        return samples
    return samples[np.sort(np.unique(objective.x[samples], axis=0, return_index=True)[1])]


def activations_on_data(objective: Objective, theta: Array) -> list[tuple[Array, Array]]:
    """Preactivations and activations of every layer, (N, d) each, the inputs as both in front."""
    net, x = objective.net, objective.x[counted(objective)].astype(FLOAT64)
    layers = [(x, x)]
    with np.errstate(over="ignore", invalid="ignore"):
        for (weights, biases), multiplier, names in zip(
            net.unflatten(theta), net.multipliers, net.activations, strict=True
        ):
            z = layers[-1][1] @ (multiplier * weights.T) + (0.0 if biases is None else biases)
            a = np.empty_like(z)
            for name in dict.fromkeys(names):
                at = np.flatnonzero([n == name for n in names])
                a[:, at] = activations.derivatives(name, z[:, at])[0]
            layers.append((z, a))
    return layers


def linear_pieces(objective: Objective, theta: Array) -> list[Array] | None:
    """For each hidden layer the slopes of neurons that are linear on all samples, nan for others; None if none are new.

    A homogeneous neuron of degree 1 is linear where its preactivation has one sign.
    """
    net, found, pieces = objective.net, False, []
    for (z, _), names in zip(activations_on_data(objective, theta)[1:-1], net.activations, strict=False):
        slopes = np.full(len(names), np.nan)
        for neuron, name in enumerate(names):
            rule, column = rule_of(name), z[:, neuron]
            if rule.linear:
                slopes[neuron] = 1.0
            elif rule.degree == 1 and ((column > 0).all() or (column < 0).all()):
                slopes[neuron], found = activations.derivatives(name, column[0])[1], True
        pieces.append(slopes)
    return pieces if found else None


def unseen_inputs(objective: Objective) -> Iterator[Directions]:
    """Directions of the first layer's rows that no sample has."""
    yield from unseen_activations(objective, 1, objective.x[counted(objective)].astype(FLOAT64))


def unseen_activations(objective: Objective, number: int, below: Array) -> Iterator[Directions]:
    """Directions of a layer's rows that no sample has, for activations (N, d) of the layer below."""
    net = objective.net
    weights, biases = net.unflatten(np.arange(net.num_parameters))[number - 1]
    rows, places = net.multipliers[number - 1] * below, weights
    if biases is not None:
        rows, places = np.column_stack([rows, np.ones(len(rows))]), np.column_stack([weights, biases])
    missing = unseen(rows)
    if missing.shape[1]:
        what = "inputs" if number == 1 else "activations below"
        yield Directions(f"layer {number}: directions that the {what} lack on every sample", FLAT, places, missing)


def data_directions(objective: Objective, theta: Array) -> Iterator[Directions]:
    """Directions that the upper layers' activations lack."""
    for number, (_, below) in enumerate(activations_on_data(objective, theta.astype(FLOAT64))[1:-1], start=2):
        yield from unseen_activations(objective, number, below)


def jacobian_directions(
    objective: Objective, theta: Array, centred: bool, known: list[Directions]
) -> Iterator[Directions]:
    """The null space of the Jacobian beside what is known of it, if there are few samples."""
    samples, outputs = distinct(objective, len(theta)), objective.net.widths[-1]
    if len(samples) * (outputs - centred) >= len(theta):
        return
    jacobian = objective.jacobian(theta).astype(FLOAT64).reshape(-1, outputs, len(theta))[samples]
    if centred:
        jacobian = jacobian - jacobian.mean(axis=1, keepdims=True)
    lengths = [len(part) for part in known]
    columns = sparse_columns(len(theta), known, lengths).toarray() if known else np.zeros((len(theta), 0))
    missing = unseen(jacobian.reshape(-1, len(theta)), columns)
    cause = "fewer outputs on samples than parameters: null space of the Jacobian"
    yield Directions(cause, FIRST_ORDER, np.arange(len(theta))[None], missing)


def unseen(rows: Array, known: Array | None = None) -> Array:
    """Independent t with rows · t = 0 to rounding, (p, k); columns are compared at a common size.

    Only those orthogonal to known ones (p, n), at that size: where rows are nearly dependent, rounding turns what is
    found towards them, and what is left of a known one would be taken for another.
    """
    if not np.isfinite(rows).all():
        return np.zeros((rows.shape[1], 0))
    sizes = norm(rows, 0)
    seen = np.flatnonzero(sizes)
    scales = sizes[seen]
    scaled = rows[:, seen] / scales
    beside = None if known is None else complement(at_size(known, sizes)[seen])
    if beside is not None:
        scaled = scaled @ beside
    null = null_space(scaled, ROUNDING * max(rows.shape))
    count = null.shape[1]
    missing = np.zeros((rows.shape[1], rows.shape[1] - len(seen) + count))
    missing[seen, :count] = divided(null if beside is None else beside @ null, scales)
    missing[np.flatnonzero(sizes == 0), np.arange(count, missing.shape[1])] = 1
    return missing


def null_space(rows: Array, tolerance: float) -> Array:
    """Orthonormal t with rows · t = 0, (p, k): right singular vectors of values up to `tolerance` times the largest.

    Rows and columns of full rank, by far the most, need no singular values: a factorisation A = R Q shows it, where
    1/‖R⁻¹‖ ≤ σ_min and ‖R‖ ≥ σ_max, in Frobenius norms.
    """
    count, columns = rows.shape
    if count > columns:
        triangle, outside = interruptible(side(rows), np.linalg.qr, rows, mode="r"), np.zeros((columns, 0))
    else:
        basis, triangle = interruptible(columns, np.linalg.qr, rows.T, mode="complete")
        triangle, outside = triangle[:count], basis[:, count:]
    if is_regular(triangle, tolerance):
        return outside
    short = triangle if count > columns else rows
    _, values, right = interruptible(columns, np.linalg.svd, short, full_matrices=True)
    rank = int((values > tolerance * values.max(initial=0)).sum())
    return np.asarray(right[rank:].T)


def is_regular(triangle: Array, tolerance: float) -> bool:
    """Whether all singular values of an upper triangle are above `tolerance` times the largest, as bounds show it."""
    least = tolerance * norm(triangle)
    if np.abs(triangle.diagonal()).min(initial=np.inf) <= least:
        return False
    inverse = interruptible(len(triangle), solve_triangular, triangle, np.eye(len(triangle)), check_finite=False)
    return bool(norm(inverse) * least < 1)


def at_size(known: Array, sizes: Array) -> Array:
    """Orthonormal columns that span known ones (p, n) where the rows' columns have these sizes, or none."""
    scaled = known * np.where(sizes > 0, sizes / (sizes.max(initial=0) or 1.0), 1)[:, None]
    lengths = norm(scaled, 0)
    return span(scaled[:, lengths > 0] / lengths[lengths > 0], INDEPENDENCE)


def divided(columns: Array, sizes: Array) -> Array:
    """Columns (p, k) whose rows are divided by sizes (p,) > 0, each up to a factor, so that nothing overflows."""
    least = np.where(columns != 0, sizes[:, None], np.inf).min(axis=0, initial=np.inf)
    return np.asarray(columns * np.minimum(least / sizes[:, None], 1))
