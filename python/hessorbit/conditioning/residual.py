"""Widenings of minima with a residual: which neurons may be copied, and the best-conditioned copies of them.

A split neuron adds the form Σ_k α_k e_kᵀ B_i e_k + 2 f_kᵀ C_i e_k to the Hessian (symmetry/neuron_forms.py). A minimum
stays one if C_i = 0 and B_i = 0; or B_i ⪰ 0 and all shares α_k ≥ 0; or B_i ⪯ 0 and one share alone is positive. Where
all that are copied have B_i = 0, as rectifiers with one output, D says everything. Elsewhere H_wide ⪰ Tᵀ H T, and with
λ⁺ the smallest eigenvalue of B_i above 0,

    κ(H_wide) ≥ max { κ(D^{1/2} H D^{1/2}),  λ_max(D^{1/2} H D^{1/2}) m_i / λ⁺(B_i) } .

So the least κ(D^{1/2} H D^{1/2}) is a lower bound. A better one minimises both jointly. Copies with shares α ≥ 0 and
Σ α_k = 1 have, beside D^{1/2} H D^{1/2}, the deviations x_k w with Σ α_k x_k = 0, of which the smallest has at most the
mean of the eigenvalues of diag(α) across α,

    λ⁺(B_i) (1 − Σ α³/Σ α²)/(m_i − 1) ≤ λ⁺(B_i) (1 − D_in)/(m_i − 1),        as Σ α³ Σ α ≥ (Σ α²)² = Σ α² D_in,

with equality for equal shares. That is linear in D, and one more row of the semidefinite program (conic.py). H must be
nonsingular, or null vectors of the wide Hessian have a part in these directions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np

from .. import activations
from .._checks import FLOAT64, Array
from .._norms import norm
from .._words import number_of
from ..any_objective import AnyObjective
from ..decomposition import singular_values, symmetric_eigen
from ..endings import CriticalPoint
from ..network import MLP
from ..symmetry.inertia import coupled, form_of, signs_between
from ..symmetry.neuron_forms import neuron_forms
from ..symmetry.other_network import for_network
from ..symmetry.related_neurons import layer_parameters
from ..symmetry.rules import hidden_layers
from ..symmetry.widening import Widening
from .conic import conic_point, solvable
from .diagonals import NeuronScalings
from .smoothed_spectrum import Extremes, SpectralFunction

FREE, POSITIVE, NEGATIVE, NONE = "free", "positive", "negative", "none"
MOST_NUMBERS = 100
# Of shares that are improved: Hessians for each of them, where they begin at least, and the largest logarithm.
TRIALS, SMALLEST_SHARE, MOST_BELOW = 150, 0.01, 8.0
GAUSS_NEWTON_HINT = 'or use matrix="gauss_newton", which allows every widening'


@dataclass(frozen=True)
class Splitting:
    """Which copies of a neuron keep a minimum.

    Attributes
    ----------
    kind : str
        ``"free"``: any shares; ``"positive"``: none below 0; ``"negative"``: one above 0 alone; ``"none"``: no copies.
    reason : str
        Why, for ``"none"``.
    rank : int
        Of B.
    least : float
        Its smallest eigenvalue above 0.
    """

    kind: str
    reason: str = ""
    rank: int = 0
    least: float = np.inf


def check_minimum(point: CriticalPoint) -> None:
    """Refuses points that are no minima, with what they are."""
    if point.kind in ("minimum", "degenerate"):
        return
    if point.kind == "saddle":
        raise ValueError(
            f"theta must be a minimum for its widenings to be minima; it is a saddle with "
            f"{number_of(point.num_negative, 'negative eigenvalue')}, the lowest {point.smallest:.3g}, and so is every "
            f"widening: go on from theta + classify(obj, theta).direction, {GAUSS_NEWTON_HINT}"
        )
    away = f"max|∇L| is {point.gradient_norm:.2e}"
    raise ValueError(
        f"theta must be a critical point, or have zero residual, for the Hessian of its widenings to be known; it is "
        f"{point.kind}: {away}. Minimise the loss further, as by minimize(obj, theta, method='newton'), search "
        f"over=symmetries(net), {GAUSS_NEWTON_HINT}"
    )


def splittings(obj: AnyObjective, theta: Array) -> list[list[Splitting]]:
    """Returns for every hidden layer and neuron which copies keep a minimum."""
    result = []
    for parameters, forms in zip(layer_parameters(obj.net, theta), neuron_forms(obj, theta), strict=True):
        row = []
        for neuron in range(parameters.layer.width):
            form = form_of(forms, neuron, parameters.outgoing[:, neuron].astype(FLOAT64))
            pairs, kernel = coupled(form.coupling, form.coupling, form.coupling_error + critical_error(obj, theta))
            curvature = kernel.T @ form.curvature @ kernel
            signs = signs_between(curvature, curvature, form.curvature_error)
            values, _ = symmetric_eigen(curvature)
            least = float(values[len(values) - signs.positive]) if signs.positive else np.inf
            row.append(splitting(pairs.positive, signs.negative, signs.positive, least))
        result.append(row)
    return result


def critical_error(obj: AnyObjective, theta: Array) -> float:
    """What C may have of the gradient that is left."""
    return 1e3 * float(norm(obj.gradient(theta)))


def splitting(coupled_rank: int, negative: int, positive: int, least: float) -> Splitting:
    if coupled_rank:
        return Splitting(NONE, f"its outgoing weights couple to its incoming ones (C has rank {coupled_rank})")
    if negative and positive:
        return Splitting(
            NONE, f"its B is indefinite, with {number_of(negative, 'eigenvalue')} below 0 and {positive} above"
        )
    kind = POSITIVE if positive else NEGATIVE if negative else FREE
    return Splitting(kind, rank=positive + negative, least=least)


def numbers_of_copies(choices: Sequence[tuple[int, int]], width: int, full: bool) -> list[tuple[int, ...]]:
    """Returns the numbers of copies between low and high of a layer's neurons that fill its width, or fit into it."""
    found = list(islice(copies_within(choices, width, full), MOST_NUMBERS + 1))
    if len(found) > MOST_NUMBERS:
        raise ValueError(
            f"widths leave more than {MOST_NUMBERS} numbers of copies to be tried one by one, as they must be at a "
            f"minimum with a residual: give copies="
        )
    return found


def copies_within(choices: Sequence[tuple[int, int]], width: int, full: bool) -> Iterator[tuple[int, ...]]:
    """Yields all numbers of copies between low and high that fill a width, or fit into it."""
    if not choices:
        yield from [()] * (width == 0 or not full)
        return
    (low, high), rest = choices[0], choices[1:]
    for m in range(low, min(high, width - sum(least for least, _ in rest)) + 1):
        for others in copies_within(rest, width - m, full):
            yield (m, *others)


@dataclass(frozen=True)
class JointBound:
    """A lower bound on κ of the wide Hessian, and the D_in of every neuron where it is attained, (neurons,)."""

    value: float
    incoming: Array


def joint_bound(
    function: SpectralFunction, scalings: NeuronScalings, copies: Sequence[int], found: Sequence[Sequence[Splitting]]
) -> JointBound | None:
    """Returns the least λ_max over the smallest of λ_min(D^{1/2} H D^{1/2}) and what the copies have, over all D.

    With one hidden layer, and Clarabel; else the D with equal shares is taken, where λ_max is smallest. None if H is
    singular, as copies may then have less.
    """
    if not (isinstance(function, Extremes) and len(function.factor) == function.parameters):
        return None
    splittings = [each for row in found for each in row]
    numbers = np.array(copies)
    beside = np.array([each.least / max(m - 1, 1) if each.kind == POSITIVE and m > 1 else 0.0 for each, m in
                       zip(splittings, copies, strict=True)])  # fmt: skip
    if not beside.any():
        return None
    equal = function.factor * np.exp(scalings.diagonals.log_scaling(scalings.variables(equal_shares(numbers))) / 2)
    largest = float(singular_values(equal)[0]) ** 2
    least = float((beside * (1 - 1 / numbers))[beside > 0].min())
    best = JointBound(largest / least, 1 / numbers)
    point = conic_point(function, scalings, beside) if solvable(function, scalings) else None
    return (
        best
        if point is None or point.bound < np.log(best.value)
        else JointBound(math.exp(point.bound), point.factors[0])
    )


def equal_shares(copies: Array) -> Array:
    """Returns D_in, D_out and D_flip of equal shares, (3, neurons)."""
    return np.array([1 / copies, copies, np.zeros(len(copies))])


def improved(
    obj: AnyObjective, theta: Array, widening: Widening, found: Sequence[Sequence[Splitting]], rank: int
) -> tuple[float, Widening]:
    """Returns κ and a widening with other shares of the same signs, where κ is smallest nearby; by Nelder and Mead."""
    from scipy.optimize import minimize

    shares_now = [
        [layer.outgoing[layer.source == neuron] for neuron in range(len(row))]
        for layer, row in zip(widening.layers, found, strict=True)
    ]
    copies = [[len(each) for each in row] for row in shares_now]
    dead = [int((layer.source < 0).sum()) for layer in widening.layers]
    moved = open_shares(found, copies)
    counts = [copies[i][j] - (found[i][j].kind == NEGATIVE) for i, j in moved]
    starts = np.cumsum([0, *counts]).tolist()

    def with_logarithms(flat: Array) -> Widening:
        rows = [list(row) for row in shares_now]
        for (i, j), (start, stop) in zip(moved, pairwise(starts), strict=True):
            rows[i][j] = shares_of(found[i][j].kind, flat[start:stop])
        return Widening(widening.source, copies, coefficients=rows, dead=dead)

    def logarithm(flat: Array) -> float:
        return float(np.log(reached(obj, theta, with_logarithms(flat), "condition_number", rank)))

    sizes = [np.abs(shares_now[i][j][-count:]) for (i, j), count in zip(moved, counts, strict=True)]
    start = np.log(np.maximum(np.concatenate(sizes), SMALLEST_SHARE))
    options: Any = {"maxfev": TRIALS * len(start), "xatol": 1e-7, "fatol": 1e-9}
    end = minimize(logarithm, start, method="Nelder-Mead", options=options)
    return float(np.exp(end.fun)), with_logarithms(end.x)


def open_shares(found: Sequence[Sequence[Splitting]], copies: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Returns the layers and numbers of neurons whose copies have shares of given signs to choose."""
    return [
        (i, j)
        for i, row in enumerate(found)
        for j, each in enumerate(row)
        if each.kind in (POSITIVE, NEGATIVE) and copies[i][j] > 1
    ]


def shares_of(kind: str, logarithms: Array) -> Array:
    """Returns shares above 0, or all but the first below 0, from the logarithms of their sizes."""
    if kind == POSITIVE:
        weights = np.exp(logarithms - logarithms.max())
        return np.asarray(weights / weights.sum())
    below = np.exp(np.minimum(logarithms, MOST_BELOW))
    return np.concatenate([[1 + below.sum()], -below])


def reasons(found: Sequence[Sequence[Splitting]]) -> tuple[str, ...]:
    """Which neurons cannot be copied, and why."""
    return tuple(
        f"neuron {neuron} of layer {index + 1}: {each.reason}"
        for index, row in enumerate(found)
        for neuron, each in enumerate(row)
        if each.kind == NONE
    )


def must_fill(net: MLP) -> tuple[bool, ...]:
    """Tells for each hidden layer whether unused neurons would make a saddle: those with a slope at zero."""
    return tuple(
        float(activations.derivatives(hidden.names[-1], 0.0)[1]) != 0
        or (not hidden.bias_above and bool(activations.derivatives(hidden.names[-1], 0.0)[0]))
        for hidden in hidden_layers(net)
    )


def shares(kind: str, count: int, incoming: float) -> Array:
    """Returns the shares of copies with Σ α² = D_in, one larger than the others, as near as their signs allow."""
    least = 1 / count
    target = (
        max(incoming, 1.0) if kind == NEGATIVE else min(max(incoming, least), 1.0) if kind == POSITIVE else incoming
    )
    larger = least + np.sqrt(max(target - least, 0.0) * (count - 1) / count)
    rest = np.full(count - 1, (1 - larger) / (count - 1)) if count > 1 else np.zeros(0)
    return np.concatenate([[larger], rest])


def reached(obj: AnyObjective, theta: Array, widening: Widening, criterion: str, rank: int) -> float:
    """Returns the criterion at a widening, from its Hessian: over the `rank` largest eigenvalues for κ."""
    values, _ = symmetric_eigen(for_network(obj, widening.net).hessian(widening(theta)))
    if criterion == "trace":
        return float(values.sum())
    if criterion == "max":
        return float(values[-1])
    smallest = float(values[len(values) - rank])
    return float(values[-1]) / smallest if smallest > 0 else np.inf
