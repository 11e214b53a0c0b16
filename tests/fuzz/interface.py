"""Calls of the public interface, with architectures, numbers and scales drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

import hessorbit as ho
from hessorbit import _core

from .raw import Draw, pick, seldom

METHODS = (
    "loss", "gradient", "value_and_gradient", "outputs", "residual", "jacobian", "hessian", "gauss_newton",
    "hessian_diagonal", "hessian_trace",
)  # fmt: skip


def network(draw: Draw) -> ho.MLP:
    names = [entry["name"] for entry in _core.activation_table()]
    widths = [int(n) for n in draw.integers(1, 6, int(draw.integers(2, 5)))]
    return ho.MLP(
        seldom(draw, [*widths, 0], widths),
        activation=pick(draw, names),
        bias=bool(draw.integers(2)),
        parametrization=pick(draw, ("standard", "ntk", "mean_field")),
    )


def numbers(draw: Draw, shape: tuple[int, ...]) -> Any:
    """Real numbers of any size, dtype and strides; now and then not finite."""
    values = draw.standard_normal(shape) * 10.0 ** seldom(draw, draw.uniform(-320, 308), draw.uniform(-2, 2))
    if values.size and draw.random() < 0.03:
        values.flat[0] = pick(draw, (np.nan, np.inf))
    kind = int(draw.integers(6))
    if kind == 0:
        return values.astype(np.longdouble)
    if kind == 1:
        with np.errstate(over="ignore"):
            return values.astype(np.float32)
    if kind == 2:
        return np.asfortranarray(values)
    if kind == 3 and values.ndim:
        return np.repeat(values, 2, axis=0)[::-2]
    return values


def problem(draw: Draw) -> tuple[ho.Objective, Any]:
    net = network(draw)
    samples = int(draw.integers(1, 30))
    x, y = (numbers(draw, (samples, width)) for width in (net.widths[0], net.widths[-1]))
    l2, threads = seldom(draw, 10.0 ** draw.uniform(-5, 300), 0.0), pick(draw, (None, 1, 2, 5000))
    obj = ho.Objective(net, x, y, l2=l2, threads=threads)
    return obj, numbers(draw, (net.num_parameters,))


def call_objective(draw: Draw) -> None:
    obj, theta = problem(draw)
    for name in draw.permutation(METHODS):
        getattr(obj, str(name))(theta)
    obj.hvp(theta, numbers(draw, (obj.net.num_parameters,)))


def call_spectrum(draw: Draw) -> None:
    obj, theta = problem(draw)
    repr(ho.spectrum(obj, theta))


def call_group(draw: Draw) -> None:
    net = network(draw)
    theta = numbers(draw, (net.num_parameters,))
    group = ho.symmetries(net)
    element = group.random(draw, scale=10.0 ** draw.uniform(-3, 3))
    element(theta), element.inverse()(theta), (element @ element.inverse())(theta)
    group.tangents(theta)
    ho.zero_modes(net, theta)


def call_canonical(draw: Draw) -> None:
    net = network(draw)
    theta, other = (numbers(draw, (net.num_parameters,)) for _ in range(2))
    ho.canonical(net, theta)
    ho.equivalent(net, theta, net, seldom(draw, theta, other))


def call_widening(draw: Draw) -> None:
    net = network(draw)
    copies = [[int(n) for n in draw.integers(1, 4, width)] for width in net.widths[1:-1]]
    if copies and draw.random() < 0.1:
        copies[0][0] = pick(draw, (-1, 0, 10**9, 10**12))
    widening = ho.Widening(net, copies=copies)
    widening(numbers(draw, (net.num_parameters,)))


def call_nearest(draw: Draw) -> None:
    inputs, width, more = (int(n) for n in draw.integers((1, 1, 0), (4, 3, 3)))
    activation = pick(draw, ("tanh", "relu", "gelu", "erf", "sin", "cos", "softplus", "leaky_relu"))
    teacher, net = (ho.MLP([inputs, d, 1], activation=activation) for d in (width, width + more))
    starts = numbers(draw, (net.num_parameters,))
    goal = numbers(draw, (teacher.num_parameters,))
    limits = {"max_nodes": 200, "time_limit": 0.2, "threads": pick(draw, (None, 1, 2, 100_000))}
    ho.nearest_minimum(net, starts, teacher, goal, **limits)


def call_minimize(draw: Draw) -> None:
    obj, theta = problem(draw)
    ho.minimize(obj, theta, method=pick(draw, ("lm", "trust-region", "gd", "adam", "momentum")), max_steps=5)


CALLS = (
    call_objective, call_spectrum, call_group, call_canonical, call_widening, call_nearest, call_minimize,
)  # fmt: skip
