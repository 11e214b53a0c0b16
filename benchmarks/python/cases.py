"""What is timed of hessorbit by itself: the calls beside the Hessian, each with what its time grows with.

A case is made in the process that is timed, from what is public: older builds without the function are told so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from populations import Population
from populations import ours as population
from problems import Problem
from timing import Call, Maker

import hessorbit as ho


@dataclass(frozen=True)
class Case:
    """A call: its name and what it is made of, what its time grows with, and a budget in seconds if one is set."""

    name: str
    of: str
    make: Maker
    cost: str
    budget: float | None = None


def planted(width: int, samples: int, activation: str = "tanh") -> tuple[ho.Objective, np.ndarray]:
    """Three inputs, a sine to fit, and a θ as training starts from."""
    rng = np.random.default_rng(0)
    net = ho.MLP([3, width, 1], activation)
    x = rng.standard_normal((samples, 3))
    return ho.Objective(net, x, np.sin(x.sum(axis=1))), net.init(rng)


def certify() -> Call:
    rng = np.random.default_rng(0)
    net = ho.MLP([2, 3, 1])
    x = rng.standard_normal((60, 2))
    obj = ho.Objective(net, x, np.sin(x.sum(axis=1)))
    return partial(ho.certify, obj, ho.minimize(obj, net.init(rng), method="lm", max_steps=2000).x)


def best_conditioned(activation: str) -> Call:
    obj, theta = planted(100, 500, activation)
    return partial(ho.best_conditioned, obj, theta, over=ho.symmetries(obj.net), matrix="gauss_newton")


def nearest_minimum() -> Call:
    rng = np.random.default_rng(0)
    teacher, student = ho.MLP([5, 4, 3]), ho.MLP([5, 12, 3])
    theta = teacher.init(rng, "normal(1)")
    return partial(ho.nearest_minimum, student, student.init(rng, "normal(1)"), teacher, theta)


SPECTRUM = Problem((10, 100, 1), 1000)


def spectrum(*, floor: bool = False, **which: int) -> Call:
    obj, theta = SPECTRUM.objective()
    if floor:
        return lambda: ho.spectrum(obj, theta).num_negative
    return partial(ho.spectrum, obj, theta, **which)


def pair(widths: tuple[int, ...]) -> tuple[ho.MLP, np.ndarray, np.ndarray]:
    """A network at two points of one orbit; tenths of its first layer are related, dead and constant neurons."""
    rng = np.random.default_rng(0)
    net = ho.MLP(widths)
    layers = [(weights.copy(), biases.copy()) for weights, biases in net.unflatten(net.init(rng))]
    (weights, biases), (outgoing, _), tenth = layers[0], layers[1], widths[1] // 10
    weights[:tenth], biases[:tenth] = weights[tenth : 2 * tenth], biases[tenth : 2 * tenth]
    outgoing[:, 2 * tenth : 3 * tenth] = 0
    weights[3 * tenth : 4 * tenth] = 0
    theta = net.flatten(layers)
    return net, theta, ho.symmetries(net).random(rng)(theta)


def canonical(widths: tuple[int, ...], reduce: bool) -> Call:
    net, theta, _ = pair(widths)
    return partial(ho.canonical, net, theta, reduce=reduce)


def equivalent(widths: tuple[int, ...], equal: bool) -> Call:
    net, theta, moved = pair(widths)
    return partial(ho.equivalent, net, theta, net, moved if equal else net.init(np.random.default_rng(1)))


WIDE = ((10, 2000, 1), (10, 2000, 3), (10, 500, 500, 1))
EQUIVALENCE = [
    case
    for widths in WIDE
    for case in (
        Case("canonical", f"{widths}", partial(canonical, widths, False), "P, and sorting", 2),
        Case("canonical", f"{widths} reduce=True", partial(canonical, widths, True), "P, and sorting", 2),
        Case("equivalent", f"{widths} equal", partial(equivalent, widths, True), "n F for n neurons and F features", 2),
        Case(
            "equivalent",
            f"{widths} different",
            partial(equivalent, widths, False),
            "n F for n neurons and F features",
            2,
        ),
    )
]
PEOPLE = Population("gelu")
POPULATION = [
    Case(f"PopulationObjective.{method}", str(PEOPLE), partial(population, method, PEOPLE), cost)
    for method, cost in (
        ("loss", "pairs (m + r)² of student and teacher neurons"),
        ("gradient", "the same, times d inputs"),
        ("hessian", "the same, times d²; P² numbers"),
    )
]
EIGENVALUES = [
    Case("spectrum", str(SPECTRUM), partial(spectrum), "N P²/4, 4 P³/3"),
    Case("spectrum, num_negative", str(SPECTRUM), partial(spectrum, floor=True), "the same, and the floor"),
    Case("spectrum(largest=1)", str(SPECTRUM), partial(spectrum, largest=1), "N P²/4 and P³, or products"),
    Case("spectrum(smallest=1)", str(SPECTRUM), partial(spectrum, smallest=1), "N P²/4 and P³, or products"),
]
SEARCHES = [
    Case("certify", "(2, 3, 1), N = 60", partial(certify), "a few Hessians in balls, P³ in balls"),
    Case("nearest_minimum", "(5, 12, 3), teacher of 4", partial(nearest_minimum), "nodes of a search"),
    Case("best_conditioned", "(3, 100, 1) tanh, P = 501", partial(best_conditioned, "tanh"), "a spectrum"),
    Case("best_conditioned", "(3, 100, 1) relu, P = 501", partial(best_conditioned, "relu"), "steps of P³"),
]
COSTS = [*POPULATION, *EIGENVALUES, *SEARCHES]
