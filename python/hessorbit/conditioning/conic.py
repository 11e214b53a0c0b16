"""A semidefinite program finds the smallest condition number over a convex set of diagonals.

For a network with one hidden layer, every D_p is a factor of a single neuron or constant, so that G D Gᵀ is linear in
these factors. With their set as a convex cone x in s > 0, which scales λ_min to one,

    minimise κ   subject to   1 ⪯ Σ_p D_p g_p g_pᵀ ⪯ κ 1,   D = x(s)

is convex whatever the rank of H (Boyd and Vandenberghe, Convex Optimization, 2004, section 4.6). Of the multipliers
only those of the two matrix inequalities are used: made positive semidefinite, they are densities whose bound
(lower_bounds.py) holds however accurate the solver was.

Copies at a minimum with a residual have eigenvalues beside those of G D Gᵀ, at most a_i (1 − D_in) for neuron i
(residual.py), which are linear in D too: they join the first constraint, and the bound with multipliers of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeGuard

import numpy as np

from .._checks import Array
from .clarabel_calls import solution
from .diagonals import NeuronScalings
from .lower_bounds import weighted_bound
from .regions import COPIES
from .smoothed_spectrum import Extremes, SpectralFunction

LITTLE = (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
FAINT = (0.0, 1e-6, 1e-4, 1e-3)
ACCURATE = 1e-5  # of log κ: how far the bound may fall short of what the solver says
FAINTEST = 1e-8  # a factor that vanishes
LARGEST_RANK = 120  # a solve takes half a minute there, and grows with the fifth power
VARIABLES = COPIES + 1  # per neuron


@dataclass(frozen=True)
class ConicPoint:
    """The program finds D_in, D_out and D_flip of every neuron, (3, neurons), and a lower bound on log κ."""

    factors: Array
    bound: float


def solvable(function: SpectralFunction, scalings: NeuronScalings) -> TypeGuard[Extremes]:
    """Tells whether the program applies, and is small enough, and Clarabel is installed."""
    return (
        isinstance(function, Extremes)
        and function.smallest
        and scalings.architecture.one_hidden_layer
        and len(scalings.first) > 1
        and len(function.factor) <= LARGEST_RANK
        and find_spec("clarabel") is not None
    )


def conic_point(function: Extremes, scalings: NeuronScalings, beside: Array | None = None) -> ConicPoint | None:
    """Returns the minimum over the set, as accurate as the solver is; None if it fails.

    `beside` are the a_i of the neurons, 0 for those that have no eigenvalues beside.
    """
    scale = np.sqrt(np.einsum("rp,rp->", function.factor, function.factor) / len(function.factor))
    root = function.factor / scale
    curvatures = np.zeros(len(scalings.neurons)) if beside is None else beside / scale**2
    found = solve(root, scalings, curvatures, np.ones(2 + VARIABLES * len(scalings.neurons)))
    if found is None:
        return None
    point = point_of(root, scalings, curvatures, found)
    if point.bound >= np.log(found.value) - ACCURATE:
        return point
    # Factors of very different sizes cost digits of the multipliers: once more, in units of this solution.
    again = solve(root, scalings, curvatures, found.units)
    finer = None if again is None else point_of(root, scalings, curvatures, again)
    return finer if finer is not None and finer.bound > point.bound else point


def point_of(root: Array, scalings: NeuronScalings, curvatures: Array, found: Solved) -> ConicPoint:
    """Returns the point of a solution, with the lower bound that its multipliers prove."""
    lower, others, total = found.lower, found.others, found.value
    further = others / total * curvatures
    top = diagonal_of(root, found.upper)
    even = np.einsum("rp,rp->p", root, root) / len(root)
    # The solver's errors may make the cost of a factor negative where it should vanish. Leaving faint parameters out
    # of the lower density, or a little of the identity beside the upper one, mends that and costs the bound as little.
    bounds = []
    for faint in FAINT:
        bottom = (1 - others.sum() / total) * diagonal_of(root, outside(lower, root, scalings, faint))
        bounds += [weighted_bound(scalings, (1 - little) * top + little * even, bottom, further) for little in LITTLE]
    return ConicPoint(found.factors, max(bounds))


def outside(multiplier: Array, root: Array, scalings: NeuronScalings, faint: float) -> Array:
    """Returns the multiplier, zero on the columns of G whose factor has less than a share `faint` of its trace."""
    shares = diagonal_of(root, multiplier)
    left_out = np.zeros(root.shape[1], bool)
    for _, parameters, neurons in scalings.touched():
        totals = np.bincount(neurons, shares[parameters], minlength=len(scalings.neurons))
        left_out[parameters] = (totals < faint * shares.sum())[neurons]
    if not left_out.any():
        return multiplier
    columns = root[:, left_out]
    basis = np.linalg.svd(columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-300), full_matrices=False)
    kept = basis[0][:, basis[1] > 1e-10 * basis[1][0]]
    once = multiplier - kept @ (kept.T @ multiplier)
    return np.asarray(once - (once @ kept) @ kept.T)


def diagonal_of(root: Array, multiplier: Array) -> Array:
    """Returns g_pᵀ Y g_p for every p, Y being the multiplier without negative eigenvalues and of trace one."""
    values, vectors = np.linalg.eigh(multiplier)
    values = np.maximum(values, 0)
    if not values.any():
        values = np.ones(len(values))  # a multiplier that vanished tells nothing
    return np.asarray((values / values.sum()) @ (vectors.T @ root) ** 2)


@dataclass(frozen=True)
class Solved:
    """What the solver found: the variables κ, s and x (2 + 4 neurons,), and the multipliers.

    These are `upper` of G D Gᵀ ⪯ κ 1 and `lower` of G D Gᵀ ⪰ 1, (r, r) each, and `others` of a_i (s − x_i) ≥ 1,
    (neurons,).
    """

    variables: Array
    upper: Array
    lower: Array
    others: Array

    @property
    def factors(self) -> Array:
        """D_in, D_out and D_flip of every neuron, (3, neurons)."""
        x = self.variables[2:].reshape(-1, VARIABLES)[:, :COPIES].T
        return np.asarray(np.maximum(x / self.variables[1], 0))

    @property
    def value(self) -> float:
        """κ, by the multipliers."""
        return float(np.trace(self.lower) + self.others.sum())

    @property
    def units(self) -> Array:
        """The variables, those that vanish as large as s; κ keeps its own."""
        x, s = self.variables.copy(), self.variables[1]
        x[x < FAINTEST * s] = s
        x[0] = 1
        return x


def solve(root: Array, scalings: NeuronScalings, beside: Array, units: Array) -> Solved | None:
    """Returns the solution of the program, the variables being counted in given units."""
    import clarabel  # type: ignore[import-untyped]

    rank, neurons = len(root), len(scalings.neurons)
    size = 2 + VARIABLES * neurons  # κ, s, and x of each neuron
    total = matrix_rows(root, scalings, size)
    one = triangle(np.eye(rank))
    upper = total.copy()
    upper[:, 0] -= one
    rows, right, cones = [upper, -total], [np.zeros(len(one)), -one], [clarabel.PSDTriangleConeT(rank)] * 2
    copied = np.flatnonzero(beside).tolist()
    for neuron in copied:
        row = np.zeros((1, size))
        row[0, 1], row[0, variable(neuron, 0)] = -beside[neuron], beside[neuron]
        rows.append(row)
        right.append(-np.ones(1))
        cones.append(clarabel.NonnegativeConeT(1))
    linear, equal = linear_rows(scalings, size)
    for matrix, cone in ((equal, clarabel.ZeroConeT), (linear, clarabel.NonnegativeConeT)):
        rows.append(-matrix)
        right.append(np.zeros(len(matrix)))
        cones.append(cone(len(matrix)))
    for neuron, scaling in enumerate(scalings.neurons):
        for i, j, degree, bound in scaling.cone().powers:  # x_i^{q/(q+1)} x_j^{1/(q+1)} >= |bound^{1/(q+1)} s|
            power = np.zeros((3, size))
            power[[0, 1], [variable(neuron, i), variable(neuron, j)]] = -1
            power[2, 1] = -(bound ** (1 / (degree + 1)))
            rows.append(power)
            right.append(np.zeros(3))
            cones.append(clarabel.PowerConeT(degree / (degree + 1)))
    matrix, wanted = np.vstack(rows) * units, np.concatenate(right)
    sizes = row_sizes(matrix, cones)
    found = solution(np.eye(size)[0], matrix / sizes[:, None], wanted / sizes, cones)
    count = len(one)
    x, z = units * found.x, found.z / sizes
    usable = np.isfinite(z).all() and z[:count].any() and z[count : 2 * count].any() and x[1] > 0
    if not usable:
        return None
    others = np.zeros(neurons)
    others[copied] = np.maximum(z[2 * count : 2 * count + len(copied)], 0)
    return Solved(x, from_triangle(z[:count], rank), from_triangle(z[count : 2 * count], rank), others)


def row_sizes(matrix: Array, cones: list[Any]) -> Array:
    """Returns what rows are divided by: the largest entry, alike within a cone where it has to be."""
    import clarabel

    sizes, start = np.abs(matrix).max(axis=1), 0
    sizes[sizes == 0] = 1
    for cone in cones:
        if isinstance(cone, clarabel.PSDTriangleConeT):
            stop = start + cone.dim * (cone.dim + 1) // 2
            sizes[start:stop] = 1
        elif isinstance(cone, clarabel.PowerConeT):
            stop = start + 3
            sizes[start + 2] = sizes[start] ** cone.α * sizes[start + 1] ** (1 - cone.α)
        else:
            stop = start + cone.dim
        start = stop
    return np.asarray(sizes)


def variable(neuron: int, kind: int) -> int:
    return 2 + VARIABLES * neuron + kind


def matrix_rows(root: Array, scalings: NeuronScalings, size: int) -> Array:
    """Returns Σ_p D_p g_p g_pᵀ as a linear map of the variables, one row per entry of the triangle."""
    weighted = root * np.exp(scalings.architecture.offset / 2)
    rank = len(root)
    rows = np.zeros((rank * (rank + 1) // 2, size))
    untouched = (scalings.architecture.sides < 0).all(axis=0)
    rows[:, 1] = triangle(weighted[:, untouched] @ weighted[:, untouched].T)
    for kind, parameters, neurons in scalings.touched():
        for neuron in np.unique(neurons):
            columns = weighted[:, parameters[neurons == neuron]]
            rows[:, variable(neuron, kind)] += triangle(columns @ columns.T)
    return rows


def linear_rows(scalings: NeuronScalings, size: int) -> tuple[Array, Array]:
    """Returns rows that are at least zero, and rows that are zero."""
    least, equal = [np.eye(size)[1]], []
    for neuron, scaling in enumerate(scalings.neurons):
        cone = scaling.cone()
        least += list(np.eye(size)[variable(neuron, 0) : variable(neuron, VARIABLES)])
        for kind, low, high in cone.limits:
            row = np.eye(size)[variable(neuron, kind)]
            if low == high:
                equal.append(row - low * np.eye(size)[1])
            else:
                least += [row - low * np.eye(size)[1], high * np.eye(size)[1] - row]
        for sums, rows in ((cone.sums, equal), (cone.chords, least)):
            for entries in sums:
                row = np.zeros(size)
                row[1], row[variable(neuron, 0) : variable(neuron, VARIABLES)] = entries[0], entries[1:]
                rows.append(row)
    for neurons, most in scalings.budgets:
        row = np.zeros(size)
        row[1] = most
        row[[variable(neuron, COPIES) for neuron in neurons]] = -1
        least.append(row)
    return np.array(least), np.reshape(equal, (-1, size))


def triangle(matrix: Array) -> Array:
    """Returns the upper triangle column by column, entries beside the diagonal times √2."""
    columns, rows = np.tril_indices(len(matrix))
    return np.asarray(matrix[rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2)))


def from_triangle(entries: Array, rank: int) -> Array:
    columns, rows = np.tril_indices(rank)
    matrix = np.zeros((rank, rank))
    matrix[rows, columns] = entries / np.where(rows == columns, 1.0, np.sqrt(2))
    return matrix + matrix.T - np.diag(np.diag(matrix))
