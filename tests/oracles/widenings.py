"""Random widenings with every freedom that a network's activations have, for what holds of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import hessorbit as ho

from .problem import ACTIVATIONS, Problem

# σ(c z) = c^k σ(z) for c > 0; σ(−z) = σ(z); σ(−z) = −σ(z); σ(−z) = 1 − σ(z): written down here once more.
DEGREES = {"relu": 1, "leaky_relu": 1, "leaky_relu(-1)": 1, "identity": 1, "square": 2, "cube": 3}
EVEN = ("cos", "square", "leaky_relu(-1)")
ODD = ("identity", "tanh", "erf", "softsign", "sin", "cube")
ODD_UP_TO_ONE = ("sigmoid", "normal_cdf")
ALL = (*ACTIVATIONS, "leaky_relu(-1)")


@dataclass(frozen=True)
class Wide:
    """A random widening and the factors that it was made of, per hidden layer and neuron."""

    widening: Any
    incoming: list[list[np.ndarray]]  # c
    gains: list[list[np.ndarray]]  # N(c)
    outgoing: list[list[np.ndarray]]  # α


def gain(name: str, c: np.ndarray) -> np.ndarray:
    sign = np.where(c < 0, -1, 1) if name in ODD + ODD_UP_TO_ONE else 1
    return sign * np.abs(c) ** DEGREES.get(name, 0)


def random_widening(problem: Problem, generator: np.random.Generator, *, flip_constants: bool = True) -> Wide:
    """One to three copies of each neuron with every freedom that it has, and up to two dead neurons per layer.

    The shares α N(c), which sum to one, are at most 3, so that cancellation costs no digits.
    """
    copies, scales, signs, coefficients, dead = [], [], [], [], []
    incoming, gains = [], []
    for layer, names in enumerate(problem.activations[:-1]):
        m = generator.integers(1, 4, len(names))
        c, s, shares = [], [], []
        for name, count in zip(names, m, strict=True):
            flips = name in EVEN + ODD or (name in ODD_UP_TO_ONE and flip_constants and problem.biases[layer + 1])
            c.append(generator.uniform(0.5, 2, count) if name in DEGREES else np.ones(count))
            s.append(generator.choice([-1.0, 1.0], count) if flips else np.ones(count))
            part = generator.uniform(-1, 1, count)
            shares.append(part + (1 - part.sum()) / count)
        incoming.append([a * b for a, b in zip(c, s, strict=True)])
        gains.append([gain(name, factor) for name, factor in zip(names, incoming[-1], strict=True)])
        coefficients.append([share / n for share, n in zip(shares, gains[-1], strict=True)])
        copies.append(m.tolist())
        scales.append(c)
        signs.append(s)
        dead.append(int(generator.integers(0, 3)) if problem.biases[layer + 1] else 0)
    widening = ho.Widening(problem.network(), copies, coefficients=coefficients, scales=scales, signs=signs, dead=dead)
    return Wide(widening, incoming, gains, coefficients)
