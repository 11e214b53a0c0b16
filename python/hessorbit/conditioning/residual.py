"""Widenings of minima with a residual: which neurons may be copied, and the best-conditioned copies of them.

A split neuron adds the form Σ_k α_k e_kᵀ B_i e_k + 2 f_kᵀ C_i e_k to the Hessian (symmetry/neuron_forms.py). A minimum
stays one if C_i = 0 and B_i = 0; or B_i ⪰ 0 and all shares α_k ≥ 0; or B_i ⪯ 0 and one share alone is positive. Where
all that are copied have B_i = 0, as rectifiers with one output, D says everything. Elsewhere H_wide ⪰ Tᵀ H T, and with
equal shares, λ⁺ the smallest eigenvalue of B_i above 0,

    κ(H_wide) ≥ max { κ(D^{1/2} H D^{1/2}),  λ_max(D^{1/2} H D^{1/2}) m_i / λ⁺(B_i) } .

So the least κ(D^{1/2} H D^{1/2}) is a lower bound; what its shares, and equal ones, reach the wide Hessian tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .. import activations
from .._checks import FLOAT64, Array
from ..any_objective import AnyObjective
from ..endings import examine
from ..error_bounds import norm
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective
from ..symmetry.inertia import coupled, form_of, signs_between
from ..symmetry.neuron_forms import neuron_forms
from ..symmetry.related_neurons import layer_parameters
from ..symmetry.rules import hidden_layers
from ..symmetry.widening import Widening

FREE, POSITIVE, NEGATIVE, NONE = "free", "positive", "negative", "none"
MOST_NUMBERS = 100
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


def check_minimum(obj: AnyObjective, theta: Array) -> None:
    """Refuses points that are no minima, with what they are."""
    point = examine(obj, theta)
    if point.kind in ("minimum", "degenerate"):
        return
    if point.kind == "saddle":
        raise ValueError(
            f"theta must be a minimum for its widenings to be minima; it is a saddle with {point.num_negative} "
            f"negative eigenvalues, the lowest {point.smallest:.3g}, and so is every widening: go on from theta + "
            f"classify(obj, theta).direction, {GAUSS_NEWTON_HINT}"
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
            values = np.linalg.eigvalsh(curvature)
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
        return Splitting(NONE, f"its B is indefinite, with {negative} eigenvalues below 0 and {positive} above")
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


def copies_bound(obj: AnyObjective, theta: Array, widening: Widening, found: Sequence[Sequence[Splitting]]) -> float:
    """Returns max_i λ_max(D^{1/2} H D^{1/2}) m_i / λ⁺(B_i) at equal shares, below which no κ of these copies is."""
    roots = np.sqrt(widening.preconditioner())
    largest = float(np.linalg.eigvalsh(obj.hessian(theta) * np.outer(roots, roots))[-1])
    ratios = [
        np.sum(layer.source == neuron) / each.least
        for row, layer in zip(found, widening.layers, strict=True)
        for neuron, each in enumerate(row)
        if each.kind == POSITIVE and np.sum(layer.source == neuron) > 1
    ]
    return largest * max(ratios, default=0.0)


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


def widened_objective(obj: AnyObjective, net: MLP) -> AnyObjective:
    """Returns the objective of a wider network on the same data."""
    if isinstance(obj, Objective):
        options = {
            "loss": obj.loss_name,
            "delta": obj.delta,
            "sample_weight": obj.sample_weight,
            "threads": obj.threads,
        }
        return Objective(net, obj.x, obj.y, **options)  # type: ignore[arg-type]
    assert isinstance(obj, PopulationObjective)
    return PopulationObjective(
        net, obj.teacher, obj.theta_teacher, mean=obj.mean, covariance=obj.covariance, tolerance=obj.tolerance
    )


def reached(obj: AnyObjective, theta: Array, widening: Widening, criterion: str, rank: int) -> float:
    """Returns the criterion at a widening, from its Hessian: over the `rank` largest eigenvalues for κ."""
    values = np.linalg.eigvalsh(widened_objective(obj, widening.net).hessian(widening(theta)))
    if criterion == "trace":
        return float(values.sum())
    if criterion == "max":
        return float(values[-1])
    smallest = float(values[len(values) - rank])
    return float(values[-1]) / smallest if smallest > 0 else np.inf
