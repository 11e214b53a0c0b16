"""Ways to infinity: the curves of curves.py, and the ray of the Newton step, along which the loss keeps falling.

A curve is one if the loss falls from t = ½ on at every doubling of t, until rounding is all that changes it. Else the
floor of the valley around it may fall: the least loss for given values of what diverges, found by Gauss–Newton steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import activations
from .._checks import Array
from .._norms import norm
from .._waiting import interruptible, side
from ..any_objective import AnyObjective
from ..objective import Objective
from ..restricted import RestrictedObjective, whole
from ..symmetry.data_modes import activations_on_data
from ..symmetry.related_neurons import LayerParameters, layer_parameters
from .curves import EXPONENTIAL, Candidate, candidates, growing_outputs
from .losses import extended, limit_of, loss_and_noise, loss_at, quadrature_error
from .point import WayToInfinity

DOUBLINGS, MOST_DOUBLINGS = 6, 30  # of t: of a channel, whose outgoing weights cancel more and more, and of others
BESIDE = 1e-3  # of t: where the tangent is taken
# Valleys whose floors are followed: how many at most, how far θ may lie above the floor, how much larger outgoing
# weights must be than what they do together, and the Gauss–Newton steps that lead down to the floor.
MOST_FLOORS, SETTLED, DIVERGING, DRAWS = 2, 5e-2, 30.0, 500
LEAST_STEPS, SETTLING_STEPS, MOST_FLOPS = 15, 100, 2e8
MOST_TRIALS, DAMPING, SMALL_GAIN = 20, 1e-10, 1e-12
UNSETTLED = 10 * SMALL_GAIN  # of the loss: what steps that gain so little may leave
STEEP = 8.0  # the median |z| of a neuron that is a step already
VANISHING, SEPARATED = 1e-3, 5e-2  # of the loss: at the end of growing outputs, and of what it is without outputs
FALLING, RAY_DOUBLINGS = 1e-6, 60  # of the loss, at every doubling of a step


def ways_to_infinity(obj: AnyObjective, curves: list[Candidate], *, critical: bool) -> list[WayToInfinity]:
    """Returns the channels and steps among curves from θ along which the loss falls; no neuron is in two.

    Where θ is not critical the least loss beside a channel or a step must not rise either, as it does where the curve
    only happens to lead down: what diverges may have its best values nearby.
    """
    found: list[WayToInfinity] = []
    for candidate in curves:
        if candidate.kind == "outputs" or taken(found, candidate):
            continue
        ways = falling(obj, candidate)
        found += ways if critical or not (ways and rising_floor(obj, candidate)) else []
    return found


def tangents_that_seem_to_fall(obj: AnyObjective, curves: list[Candidate]) -> list[Array]:
    """Returns the tangents of those curves that float64 alone takes for such ways: it overlooks none."""
    found: list[WayToInfinity] = []
    for candidate in curves:
        if not (candidate.kind == "outputs" or taken(found, candidate) or rises(obj, candidate)):
            found.append(way_along(candidate, (np.nan, 0.0), tangent_of(candidate)))
    return [way.tangent for way in found if way.tangent.any()]


def growing(obj: AnyObjective, theta: Array) -> list[WayToInfinity]:
    """Returns growing outputs that take the loss to nothing, after they have taken it most of the way."""
    for candidate in growing_outputs(obj, theta):
        loss = loss_at(obj, theta)
        if loss <= SEPARATED * loss_at(obj, candidate.curve(0.0)):
            return [way for way in falling(obj, candidate) if way.limit <= VANISHING * loss]
    return []


def taken(found: list[WayToInfinity], candidate: Candidate) -> bool:
    """Tells whether one of its neurons is in a way already."""
    return any(way.layer == candidate.layer and set(way.neurons) & set(candidate.neurons) for way in found)


def rising_floor(obj: AnyObjective, candidate: Candidate) -> bool:
    """Tells whether the least loss for given values of what diverges rises from θ on, if steps are affordable."""
    steps = affordable_steps(obj)
    if steps < LEAST_STEPS:
        return False
    floors = [settled(obj, candidate.curve(t), candidate.frozen, steps=steps) for t in (1.0, 2.0)]
    (here, error), (after, other) = (loss_and_noise(obj, at) for at in floors)
    return bool(after - here > error + other)


def falling(obj: AnyObjective, candidate: Candidate) -> list[WayToInfinity]:
    """Returns the way, if the loss falls along it: before θ too, and from θ on until only rounding is left of that."""
    doublings = doublings_of(candidate)
    if rises(obj, candidate):
        return []
    steps = [0.5, 1.0, 2.0]
    losses, noise = map(list, zip(*[loss_along(obj, candidate, t) for t in steps], strict=True))
    if not (losses[0] - losses[2] > noise[0] + noise[2] and losses[0] > losses[1] - noise[1]):
        return []
    for exponent in range(2, doublings + 2):
        change = losses[-1] - losses[-2]
        if change > noise[-1] + noise[-2]:
            return []
        if exponent > doublings or -change <= noise[-1] + noise[-2]:
            break
        steps.append(2.0**exponent)
        loss, error = loss_along(obj, candidate, steps[-1])
        losses.append(loss)
        noise.append(error)
    points = [candidate.curve(t) for t in steps]
    return [way_along(candidate, limit_of(obj, points, losses, noise), tangent_of(candidate))]


def loss_along(obj: AnyObjective, candidate: Candidate, t: float, *, double: bool = False) -> tuple[Any, float]:
    """`loss_and_noise` at t on a curve, found once."""
    key = t, double or not extended(obj)
    if key not in candidate.known:
        candidate.known[key] = loss_and_noise(obj, candidate.curve(t), double=double)
    return candidate.known[key]


def doublings_of(candidate: Candidate) -> int:
    return DOUBLINGS if candidate.kind == "channel" else MOST_DOUBLINGS


def tangent_of(candidate: Candidate) -> Array:
    return np.asarray((candidate.curve(1 + BESIDE) - candidate.curve(1 - BESIDE)) / (2 * BESIDE))


def rises(obj: AnyObjective, candidate: Candidate) -> bool:
    """Tells whether float64 shows that the loss rises along a curve, which spares a look in extended precision."""
    last, error = loss_along(obj, candidate, 0.5, double=True)
    for exponent in range(doublings_of(candidate) + 1):
        loss, noise = loss_along(obj, candidate, 2.0**exponent, double=True)
        if loss - last > noise + error:
            return True
        if exponent > 0 and last - loss <= noise + error:
            return False
        last, error = loss, noise
    return False


def way_along(candidate: Candidate, ending: tuple[float, float], tangent: Array) -> WayToInfinity:
    """The way with the limit of its losses and the error of that."""
    direction, (limit, error) = np.asarray(tangent, np.float64), ending
    return WayToInfinity(
        candidate.kind, candidate.layer, candidate.neurons, candidate.unit, limit, direction, candidate.limit, error
    )


def falling_floor(obj: AnyObjective, theta: Array) -> list[WayToInfinity]:
    """Returns the channel along which the floor of a valley falls, where neurons cancel each other already; or nothing.

    What diverges is held at its values on the curve, and the other parameters are minimised over: from smaller outgoing
    weights up to θ the least loss falls, and it goes on falling, or changes by rounding alone.
    """
    steps = affordable_steps(obj)
    if steps < LEAST_STEPS:
        return []
    start, noise = loss_and_noise(obj, theta)
    found = [(loss_at(obj, candidate.curve(2.0), double=True), candidate) for candidate in diverging(obj, theta)]
    found = [pair for pair in found if np.isfinite(pair[0])]
    lowest = (1 - SETTLED) * start  # from where on the floor is too far below θ
    for _, candidate in sorted(found, key=lambda pair: pair[0])[:MOST_FLOORS]:
        here = settled(obj, candidate.curve(1.0), candidate.frozen, steps=steps, enough=lowest)
        if loss_at(obj, here) < lowest:
            continue
        others = [settled(obj, candidate.curve(t), candidate.frozen, steps=steps) for t in (0.5, 2.0, 4.0)]
        floors = [others[0], here, *others[1:]]
        losses, errors = map(list, zip(*[loss_and_noise(obj, at) for at in floors], strict=True))
        before, after = losses[0] - losses[1], losses[1] - losses[2]
        if after > errors[1] + errors[2] and losses[3] - losses[2] > after:
            continue  # into another valley
        if -after > errors[1] + errors[2] + UNSETTLED * abs(losses[1]):
            continue  # it rises from θ on
        if before > max(after, errors[0] + errors[1] + noise):
            falls = [losses[k] - losses[k + 1] > errors[k] + errors[k + 1] for k in range(3)]
            known = losses if all(falls) else losses[:3] if falls[1] else losses[:2]
            return [way_along(candidate, limit_of(obj, floors, known, errors), floors[1] - floors[0])]
    return []


def diverging(obj: AnyObjective, theta: Array) -> Iterator[Candidate]:
    """Yields the curves of neurons that cancel each other, or are steep, already."""
    units = hidden_units(obj, theta)
    layers = layer_parameters(obj.net, whole(obj, theta)[1])
    for candidate in candidates(obj, theta):
        if candidate.kind == "outputs":
            continue
        index = candidate.layer - 1
        if candidate.kind == "channel":
            chosen = cancellation(layers[index], units[index], candidate) >= DIVERGING
        else:
            chosen = float(np.median(np.abs(units[index][0][:, candidate.neurons[0]]))) >= STEEP
        if chosen:
            yield candidate


def hidden_units(obj: AnyObjective, theta: Array) -> list[tuple[Array, Array]]:
    """Preactivations and activations of the hidden layers, (N, d) each, on the samples or on normal inputs."""
    obj, theta = whole(obj, theta)
    if not isinstance(obj, Objective):
        inputs = np.random.default_rng(0).standard_normal((DRAWS, obj.net.widths[0]))
        obj = Objective(obj.net, inputs, np.zeros((DRAWS, obj.net.widths[-1])))
    return activations_on_data(obj, theta.astype(np.float64))[1:-1]


def cancellation(parameters: LayerParameters, units: tuple[Array, Array], candidate: Candidate) -> float:
    """How much more single neurons do, in value and slope, than what varies of their sum."""
    chosen = list(candidate.neurons)
    z, a = (each[:, chosen] for each in units)
    outgoing = parameters.outgoing[:, chosen].astype(np.float64)
    varying = a @ outgoing.T
    varying = norm(varying - varying.mean(axis=0)) / np.sqrt(len(z))
    sizes = norm(outgoing, axis=0)
    if candidate.unit != EXPONENTIAL:  # whose neurons are small, on their tails
        name = parameters.layer.names[chosen[0]]
        sizes = sizes * (norm(a, axis=0) + norm(activations.derivatives(name, z)[1], axis=0)) / np.sqrt(len(z))
    return float(sizes.sum() / max(float(varying), np.finfo(float).tiny))


def affordable_steps(obj: AnyObjective) -> int:
    """How many Gauss–Newton steps lead down to a floor."""
    count = obj.num_parameters
    data = obj.objective if isinstance(obj, RestrictedObjective) else obj
    rows = data.num_samples * data.net.widths[-1] if isinstance(data, Objective) else count
    return int(min(SETTLING_STEPS, MOST_FLOPS / (rows * count**2)))


def settled(obj: AnyObjective, theta: Array, frozen: Array, *, steps: int, enough: float = -np.inf) -> Array:
    """Minimises over all parameters but the frozen ones, by damped Gauss–Newton steps from θ, until below `enough`."""
    at = theta.astype(np.float64)
    free = np.setdiff1d(np.arange(len(at)), frozen)
    if not len(free):
        return at
    double = affordable_steps(obj) < SETTLING_STEPS
    loss, damping = loss_at(obj, at, double=double), DAMPING
    least = quadrature_error(obj, at, loss)
    for _ in range(steps):
        factor = obj.gauss_newton_factor(at)[:, free]
        if not np.isfinite(factor).all():
            return at
        sizes = norm(factor, axis=0)
        sizes = np.where(sizes > 0, sizes, np.inf)  # what changes nothing stays where it is
        triangle = interruptible(side(factor), np.linalg.qr, factor / sizes, mode="r")
        _, singular, right = interruptible(side(triangle), np.linalg.svd, triangle, full_matrices=False)
        slope = (right @ (obj.gradient(at)[free] / sizes)).astype(np.float64)
        for _ in range(MOST_TRIALS):
            trial = at.copy()
            trial[free] -= right.T @ (slope / (singular**2 + damping * singular[0] ** 2)) / sizes
            reached = loss_at(obj, trial, double=double)
            if reached < loss:
                break
            damping *= 10
        else:
            return at
        at, gain, loss, damping = trial, loss - reached, reached, damping / 10
        if gain <= max(SMALL_GAIN * abs(loss), least) or loss < enough:
            return at
    return at


def ray(obj: AnyObjective, theta: Array, step: Array) -> list[WayToInfinity]:
    """Returns the ray of a step, if the loss falls at every doubling of it until θ has doubled."""
    loss, far, tangent, here = loss_at(obj, theta), 2 * norm(theta), step, theta
    for _ in range(RAY_DOUBLINGS):
        here = here + step
        ahead = loss_at(obj, here)
        if not loss - ahead > FALLING * abs(loss):
            return []
        if norm(here) >= far:
            error = quadrature_error(obj, here)
            return [WayToInfinity("ray", 0, (), "", float(ahead), np.asarray(tangent, np.float64), limit_error=error)]
        loss, step = ahead, 2 * step
    return []
