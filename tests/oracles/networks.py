"""Random networks of one hidden activation with two points of one orbit, for what must not depend on the point."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

import hessorbit as ho

from .problem import ACTIVATIONS, PARAMETRIZATIONS

NAMES = (*ACTIVATIONS, "leaky_relu(0.3)", "leaky_relu(-1.0)")
STEEP = ("exp", "square", "cube")


@st.composite
def points_of_an_orbit(draw: st.DrawFn, activation: str) -> tuple[ho.MLP, np.ndarray, np.ndarray]:
    """A network, θ, and where a random element of the network's group takes it."""
    depth = draw(st.integers(1, 2 if activation in STEEP else 3))
    # Narrowing layers, so that incoming weights of linear neurons are independent.
    widths = [5, *(4, 4, 3)[:depth], 2]
    biases = draw(st.lists(st.booleans(), min_size=depth + 1, max_size=depth + 1))
    net = ho.MLP(widths, activation, bias=biases, parametrization=draw(st.sampled_from(PARAMETRIZATIONS)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    theta = net.init(rng, "normal(0.7)")
    return net, theta, ho.symmetries(net).random(rng, scale=0.3)(theta)
