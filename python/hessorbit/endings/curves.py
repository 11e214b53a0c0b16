"""Curves θ(t) on which parameters diverge with t: where a descent may go that finds no minimum.

    channel      neurons k of a layer whose parameters w̃_k merge while their outgoing weights diverge and cancel:
                 w̃_k = w̃ + δ_k/t, and v_k(t) with Σ_k v_k(t) p(δ_k/t) = Σ_k v_k p(δ_k) for monomials p. Of two neurons
                 that is v ± t κ, and the limit is a gated linear unit, v σ(z) + (u · x̃) σ'(z), u = κ (δ_a − δ_b).
                 Neurons merge with the constant too, which the next bias carries: a linear unit is the limit of
                 (t v) σ(b + w·x/t), a quadratic one of (t² v_k) σ(b_k + w_k·x/t + …) with Σ v_k σ'(b_k) w_k = 0, an
                 exponential one of (t v) σ(z − log(t)/ρ) on a tail σ ~ e^{ρ z}
    step         one neuron whose w̃ grows at a fixed direction: σ(t z) → a step; where |σ| grows too, v/t
    outputs      the last layer grows: classes that are separated, log-likelihoods that want infinite outputs

F. Martinelli, A. Van Meegen, B. Şimşek, W. Gerstner and J. Brea, "Flat channels to infinity in neural loss landscapes",
arXiv 2506.14951 (2025), for channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations, combinations_with_replacement

import numpy as np

from .. import activations
from .._checks import Array
from .._norms import norm
from ..any_objective import AnyObjective
from ..restricted import RestrictedObjective, whole
from ..symmetry.related_neurons import LayerParameters, layer_parameters

Curve = Callable[[float], Array]

# Neurons of a channel are this close, and their outgoing weights cancel this much, relative to their sizes.
CLOSE, CANCELLED = 0.5, 0.2
MOST_FLAT = 6  # neurons of a layer that are tried for flattening: those with the largest |v|/|w|
EXPONENTIAL = "exponential unit"


@dataclass(frozen=True)
class Candidate:
    """A curve that may be a way to infinity."""

    kind: str
    layer: int
    neurons: tuple[int, ...]
    unit: str
    curve: Curve
    frozen: Array  # positions of what diverges along it
    limit: dict[str, Array] = field(default_factory=dict)  # parameters of the unit
    known: dict[tuple[float, bool], tuple[float, float]] = field(default_factory=dict, repr=False)  # losses along it


def candidates(obj: AnyObjective, theta: Array) -> Iterator[Candidate]:
    """Yields all curves that start at θ and leave alone what is held: channels first, then steps, then outputs."""
    full = whole(obj, theta)[1]
    layers = layer_parameters(obj.net, full)
    for parameters in layers:
        yield from free_to(obj, full, channel_candidates(full, parameters))
    for parameters in layers:
        yield from free_to(obj, full, step_candidates(full, parameters))
    yield from growing_outputs(obj, theta)


def growing_outputs(obj: AnyObjective, theta: Array) -> Iterator[Candidate]:
    """Yields the curve on which all outputs grow, unless a part of it is held."""
    full = whole(obj, theta)[1]
    yield from free_to(obj, full, [outputs(obj, full)])


def free_to(obj: AnyObjective, full: Array, found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yields the curves in the free parameters of a restricted objective, of those that move no others."""
    if not isinstance(obj, RestrictedObjective):
        yield from found
        return
    held = np.delete(np.arange(len(full)), obj.free)
    for candidate in found:
        if (candidate.curve(2.0)[held] == full[held]).all():
            curve = partial(part_of_curve, candidate.curve, obj.free)
            yield replace(candidate, curve=curve, frozen=np.flatnonzero(np.isin(obj.free, candidate.frozen)))


def part_of_curve(curve: Curve, free: Array, t: float) -> Array:
    return curve(t)[free]


def channel_candidates(theta: Array, parameters: LayerParameters) -> Iterator[Candidate]:
    number = parameters.layer.layer

    def outgoing(neurons: tuple[int, ...]) -> Array:
        largest = neurons[int(np.argmax(norm(parameters.outgoing[:, list(neurons)], axis=0)))]
        return parameters.outgoing_positions[:, largest]

    for neurons, signs in merging(parameters):
        unit = "gated linear unit" if len(neurons) == 2 else "gated polynomial unit"
        curve = channel(parameters, theta, neurons, signs)
        limit = gated_unit(parameters, neurons, signs) if len(neurons) == 2 else {}
        yield Candidate("channel", number, neurons, unit, curve, outgoing(neurons), limit)
    ratios = norm(parameters.outgoing, axis=0) / np.maximum(norm(parameters.weights, axis=1), np.finfo(float).tiny)
    curved = [rule.degree == 0 for rule in parameters.layer.rules]  # others are rescaled with no effect
    flattest = [int(k) for k in np.argsort(-ratios) if parameters.weights[k].any() and curved[k]][:MOST_FLAT]
    for size in (1, 2, 3):
        for neurons in combinations(flattest, size):
            unit = "linear unit" if size == 1 else "quadratic unit"
            if parameters.above_positions is not None or not flat_parts(parameters, neurons)[3].any():
                curve = flattening(parameters, theta, neurons)
                yield Candidate("channel", number, neurons, unit, curve, outgoing(neurons))
    if parameters.layer.has_bias and parameters.above_positions is not None:
        for neuron in flattest:
            curve = tail(parameters, theta, neuron)
            yield Candidate("channel", number, (neuron,), EXPONENTIAL, curve, outgoing((neuron,)))


def flattening(parameters: LayerParameters, theta: Array, neurons: tuple[int, ...]) -> Curve:
    """Returns the curve on which neurons flatten, w ~ 1/t, and grow, to a linear unit (one) or a quadratic one."""
    chosen, weights, outgoing, values, slopes = flat_parts(parameters, neurons)
    above = parameters.above_positions
    power = 1 if len(neurons) == 1 else 2
    linear = outgoing * slopes
    kept = np.linalg.pinv(linear) @ (linear @ weights) if power == 2 else np.zeros_like(weights)
    rest = weights - kept
    places = parameters.incoming_positions[chosen][:, : weights.shape[1]]

    def curve(t: float) -> Array:
        at = theta.astype(np.longdouble)
        at[places] = rest / np.longdouble(t) + kept / np.longdouble(t) ** 2
        at[parameters.outgoing_positions[:, chosen]] *= np.longdouble(t) ** power
        if above is not None:
            at[above] -= parameters.multiplier_above * (t**power - 1) * (outgoing @ values)
        return at

    return curve


def tail(parameters: LayerParameters, theta: Array, neuron: int) -> Curve:
    """Returns the curve on which a neuron moves out on the tail of its activation, σ ~ σ_∞ + c e^{ρ z}, and grows."""
    _, _, outgoing, (value,), (slope,) = flat_parts(parameters, (neuron,))
    name, bias = parameters.layer.names[neuron], float(parameters.incoming[neuron, -1])
    rate = float(activations.derivatives(name, bias)[2]) / (slope or np.nan)
    limit = value - slope / (rate or np.nan)
    above = parameters.above_positions

    def curve(t: float) -> Array:
        at = theta.astype(np.longdouble)
        at[parameters.incoming_positions[neuron, -1]] -= np.log(np.longdouble(t)) / rate
        at[parameters.outgoing_positions[:, neuron]] *= np.longdouble(t)
        at[above] -= parameters.multiplier_above * (t - 1) * limit * outgoing[:, 0]
        return at

    return curve


def flat_parts(parameters: LayerParameters, neurons: tuple[int, ...]) -> tuple[Array, Array, Array, Array, Array]:
    """Returns indices, weights (m, d), outgoing weights (d', m), and σ(b), σ'(b) of neurons (m,)."""
    chosen = np.array(neurons)
    weights = parameters.weights[chosen].astype(np.float64)
    biases = parameters.incoming[chosen, -1] if parameters.layer.has_bias else np.zeros(len(chosen))
    pairs = [activations.derivatives(parameters.layer.names[n], b)[:2] for n, b in zip(chosen, biases, strict=True)]
    values, slopes = np.array(pairs, float).reshape(-1, 2).T
    return chosen, weights, parameters.outgoing[:, chosen].astype(np.float64), values, slopes


def merging(parameters: LayerParameters) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Yields sets of neurons that are close to each other and cancel, with the signs that make them so.

    All that are close to a neuron come first, then pairs of these, by distance.
    """
    layer, incoming = parameters.layer, parameters.incoming
    sizes = norm(incoming, axis=1)
    for first in np.argsort(-norm(parameters.outgoing, axis=0)):
        others = np.array(layer.classes[layer.names[first]])
        signs = np.ones(len(others))
        distances = norm(incoming[others] - incoming[first], axis=1)
        if layer.can_flip(first):
            opposite = norm(incoming[others] + incoming[first], axis=1)
            flipped = (distances > CLOSE * sizes[first]) & (others != first)
            signs, distances = np.where(flipped, -1.0, 1.0), np.where(flipped, opposite, distances)
        near = np.flatnonzero(distances <= CLOSE * sizes[first])
        if len(near) < 2:
            continue
        members, signs, distances = others[near], signs[near], distances[near]
        order = np.argsort(distances)
        groups = [order] if len(order) > 2 else []
        groups += [np.array([order[0], k]) for k in order[1:]]
        for group in groups:
            neurons, own = members[group], signs[group]
            if distances[group[-1]] > 0 and cancelled(parameters, neurons, own):
                order = np.argsort(neurons)
                yield tuple(int(n) for n in neurons[order]), own[order]


def cancelled(parameters: LayerParameters, neurons: Array, signs: Array) -> bool:
    """Tells whether outgoing weights are large beside their sum; those that are all zero are not."""
    effective = parameters.outgoing[:, neurons] * gains(parameters, neurons, signs)
    total = norm(effective, axis=0).sum()
    return bool(total > 0 and norm(effective.sum(axis=1)) <= CANCELLED * total)


def gains(parameters: LayerParameters, neurons: Array, signs: Array) -> Array:
    """N with σ(sign z) = N σ(z) + o."""
    return np.asarray(parameters.layer.rules[neurons[0]].outgoing(signs, 0.0)) * np.ones(len(signs))


def channel(parameters: LayerParameters, theta: Array, neurons: tuple[int, ...], signs: Array) -> Curve:
    """Returns the curve on which neurons merge, w̃_k = w̃ + δ_k/t, and keep the moments Σ v_k p(δ_k)."""
    chosen = np.array(neurons)
    factor = gains(parameters, chosen, signs)
    rows = signs[:, None] * parameters.incoming[chosen]
    outgoing = (parameters.outgoing[:, chosen] * factor).astype(np.longdouble)
    weights = norm(outgoing, axis=0)
    centre = weights @ rows / weights.sum()
    deviations = rows - centre
    matrix, degrees = moments(deviations.astype(np.float64))
    changed = np.linalg.inv(matrix)
    constant = np.where(signs < 0, parameters.layer.rules[chosen[0]].constant, 0.0)
    above, multiplier = parameters.above_positions, parameters.multiplier_above

    def curve(t: float) -> Array:
        grown = outgoing + outgoing @ (changed @ ((t**degrees - 1)[:, None] * matrix)).T
        at = theta.astype(np.longdouble)
        at[parameters.incoming_positions[chosen]] = signs[:, None] * (centre + deviations / t)
        at[parameters.outgoing_positions[:, chosen]] = grown / factor
        if above is not None and constant.any():
            at[above] -= multiplier * ((grown - outgoing) / factor) @ constant
        return at.astype(theta.dtype) if t == 1 else at

    return curve


def gated_unit(parameters: LayerParameters, neurons: tuple[int, ...], signs: Array) -> dict[str, Array]:
    """Returns w̃ (p,), v (d',) and u (d', p) of v σ(w̃ · x̃) + (u · x̃) σ'(w̃ · x̃), to which two neurons merge."""
    chosen = np.array(neurons)
    outgoing = (parameters.outgoing[:, chosen] * gains(parameters, chosen, signs)).astype(np.float64)
    rows = (signs[:, None] * parameters.incoming[chosen]).astype(np.float64)
    weights = norm(outgoing, axis=0)
    centre = weights @ rows / weights.sum()
    return {"incoming": centre, "value": outgoing.sum(axis=1), "slope": outgoing @ (rows - centre)}


def moments(deviations: Array) -> tuple[Array, Array]:
    """Returns monomials of the m deviations, (m, m) and nonsingular, and their degrees, lowest first."""
    scaled = deviations / np.abs(deviations).max()
    _, values, right = np.linalg.svd(scaled - scaled.mean(axis=0))
    axes = scaled @ right[: max(1, int((values > 1e-6 * values[0]).sum()))].T
    rows, degrees = [np.ones(len(axes))], [0.0]
    for degree in range(1, len(axes)):
        for factors in combinations_with_replacement(range(axes.shape[1]), degree):
            row = np.prod(axes[:, factors], axis=1)
            trial = np.vstack([*rows, row / max(float(norm(row)), 1e-300)])
            if len(rows) < len(axes) and np.linalg.svd(trial, compute_uv=False)[-1] > 1e-9:
                rows.append(row)
                degrees.append(float(degree))
    missing = len(axes) - len(rows)  # neurons that have merged already: they keep their outgoing weights
    if missing:
        rows += list(np.linalg.svd(np.array(rows))[2][-missing:])
        degrees += [0.0] * missing
    return np.array(rows), np.array(degrees)


def step_candidates(theta: Array, parameters: LayerParameters) -> Iterator[Candidate]:
    """Yields the neurons that become steps, or rectifiers, as their incoming weights grow."""
    for neuron, rule in enumerate(parameters.layer.rules):
        rectifier = rule.degree == 0 and rule.even_linear != 0
        if rectifier or (rule.bound is not None and rule.phase is None):
            curve = steepening(parameters, theta, neuron, rectifier)
            places = parameters.incoming_positions[neuron]
            yield Candidate(
                "step", parameters.layer.layer, (neuron,), "rectifier" if rectifier else "step", curve, places
            )


def steepening(parameters: LayerParameters, theta: Array, neuron: int, rectifier: bool) -> Curve:
    """Returns the curve on which a neuron's incoming weights grow, and its outgoing ones shrink where |σ| grows too."""

    def curve(t: float) -> Array:
        at = theta.astype(np.longdouble)
        at[parameters.incoming_positions[neuron]] *= t
        if rectifier:
            at[parameters.outgoing_positions[:, neuron]] /= t
        return at

    return curve


def outputs(obj: AnyObjective, theta: Array) -> Candidate:
    """Returns the curve on which all outputs grow alike."""
    weights, biases = obj.net.unflatten(np.arange(len(theta)))[-1]
    places = weights.ravel() if biases is None else np.concatenate([weights.ravel(), biases])

    def curve(t: float) -> Array:
        at = theta.astype(np.longdouble)
        at[places] *= t
        return at

    return Candidate("outputs", obj.net.num_layers, (), "outputs without bound", curve, places)
