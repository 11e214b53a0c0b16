"""Direct calls of the compiled modules, with arguments of which some are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from hessorbit import _core

SIZES = (-(2**62), -1, 0, 1, 2, 3, 5, 2**31, 2**62)
THREADS = (-1, 0, 1, 2, 3, 1024, 1025, 100_000, 2**31 - 1)
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-320, 1e150, 1e308, np.inf, -np.inf, np.nan)
LOSSES = (*(entry["name"] for entry in _core.loss_table()), "none")
SCALARS = (np.float64, np.longdouble)

Draw = np.random.Generator


def pick(draw: Draw, values: Any) -> Any:
    return values[int(draw.integers(len(values)))]


def seldom(draw: Draw, wrong: Any, right: Any) -> Any:
    """`wrong` one time in twelve."""
    return wrong if draw.random() < 1 / 12 else right


def array(draw: Draw, shape: tuple[int, ...], scalar: Any = np.float64) -> Any:
    """An array that mostly has the shape and the scalar asked for."""
    if draw.random() < 0.1:
        shape = tuple(int(n) for n in draw.integers(0, 4, int(draw.integers(0, 5))))
    values = np.asarray(draw.standard_normal(shape) * seldom(draw, 10.0 ** draw.uniform(-320, 308), 1.0))
    if values.size and draw.random() < 0.1:
        values.flat[int(draw.integers(values.size))] = pick(draw, NUMBERS)
    values = values.astype(seldom(draw, np.float32, scalar))
    if draw.random() < 0.05:
        values = np.asfortranarray(values)
    if draw.random() < 0.05:
        values = np.repeat(values, 2, axis=-1)[..., ::2] if values.ndim else values
    return seldom(draw, None, values) if draw.random() < 0.1 else values


def activation(draw: Draw) -> tuple[str, float]:
    entry = pick(draw, _core.activation_table())
    return seldom(draw, "none", entry["name"]), seldom(draw, pick(draw, NUMBERS), entry["parameter"] or 0.0)


def network(draw: Draw) -> tuple[_core.Network, list[int], list[bool]]:
    widths = [int(n) for n in draw.integers(1, 6, int(draw.integers(2, 5)))]
    asked = list(widths)
    if draw.random() < 0.1:
        asked[int(draw.integers(len(asked)))] = pick(draw, SIZES)
    same = activation(draw)
    mixed = draw.random() < 0.3
    names = [[activation(draw) if mixed else same for _ in range(width)] for width in seldom(draw, widths, widths[1:])]
    biases = [bool(draw.integers(2)) for _ in widths[1:]]
    kind = seldom(draw, "none", pick(draw, ("standard", "ntk", "mean_field")))
    return _core.Network(asked, names, biases, kind), widths, biases


def objective(draw: Draw, scalar: Any) -> tuple[Any, int]:
    net, widths, _ = network(draw)
    samples = int(draw.integers(1, 40))
    kind = _core.Objective if scalar is np.float64 else _core.ObjectiveLongDouble
    x, y, weight = (array(draw, shape, scalar) for shape in ((samples, widths[0]), (samples, widths[-1]), (samples,)))
    numbers = pick(draw, NUMBERS), pick(draw, NUMBERS)
    return kind(net, x, y, weight, pick(draw, LOSSES), *numbers, pick(draw, THREADS)), net.num_parameters


def call_objective(draw: Draw) -> None:
    scalar = pick(draw, SCALARS)
    compiled, count = objective(draw, scalar)
    theta = array(draw, (count,) if draw.random() < 0.5 else (int(draw.integers(0, 4)), count), scalar)
    names = ("loss", "gradient", "value_and_gradient", "outputs", "residual", "jacobian", "hessian", "gauss_newton")
    for name in draw.permutation((*names, "hessian_diagonal")):
        getattr(compiled, str(name))(theta)
    compiled.hvp(theta, array(draw, (int(draw.integers(0, 12)), count), scalar))


def call_outputs(draw: Draw) -> None:
    net, widths, _ = network(draw)
    scalar = pick(draw, SCALARS)
    theta = array(draw, (net.num_parameters,), scalar)
    _core.outputs(net, theta, array(draw, (int(draw.integers(0, 40)), widths[0]), scalar), pick(draw, THREADS))


def call_descent(draw: Draw) -> None:
    compiled, count = objective(draw, np.float64)
    numbers = (10.0 ** draw.uniform(-5, 2), *draw.random(3))
    method = seldom(draw, "none", pick(draw, ("gd", "momentum", "adam")))
    descent = _core.Descent(compiled, array(draw, (count,)), method, *(seldom(draw, np.nan, x) for x in numbers))
    del compiled
    descent.advance(int(draw.integers(-1, 20)), 0.0, -np.inf)
    for name in ("theta", "gradient", "loss", "gradient_norm", "steps"):
        getattr(descent, name)


def places(draw: Draw, width: int, count: int) -> list[int]:
    result = [int(i) for i in draw.permutation(width)[:count]]
    if result and draw.random() < 0.1:
        result[0] = pick(draw, SIZES)
    return seldom(draw, [*result, 0], result)


def call_group_element(draw: Draw) -> None:
    net, widths, _ = network(draw)
    long = np.longdouble
    layers: Any = []
    for width in widths[1:-1]:
        m = int(draw.integers(0, width + 1)) if draw.random() < 0.3 else 0
        vectors = [array(draw, (width,), long) for _ in range(4)]
        if draw.random() < 0.5:
            vectors[2] = vectors[3] = np.zeros(width, long)
        source = list(range(width)) if m else places(draw, width, width)
        layers.append((source, *vectors, places(draw, width, m), array(draw, (m, m), long), array(draw, (m, m), long)))
    element = _core.GroupElement(net, seldom(draw, layers[1:], layers))
    scalar, p = pick(draw, SCALARS), net.num_parameters
    element.act(array(draw, (p,), scalar))
    element.transport_gradient(array(draw, (2, p), scalar))
    element.transport_hessian(array(draw, (p, p), scalar))


def call_even_linear(draw: Draw) -> None:
    net, widths, _ = network(draw)
    layer = int(draw.integers(0, max(1, len(widths) - 2)))
    width = widths[layer + 1]
    order = places(draw, width, width)
    cuts = sorted(int(i) for i in draw.integers(0, width + 1, 2))
    rest = order[cuts[1] :]
    pairs = list(zip(rest[::2], rest[1::2], strict=False))
    theta = array(draw, (net.num_parameters,), pick(draw, SCALARS))
    flipped, linear = order[: cuts[0]], order[cuts[0] : cuts[1]]
    _core.flip_even_linear(net, seldom(draw, pick(draw, SIZES), layer), flipped, linear, pairs, theta)


def call_activation(draw: Draw) -> None:
    name, parameter = activation(draw)
    _core.activation_properties(name, parameter)
    _core.activation_derivatives(name, parameter, array(draw, (int(draw.integers(0, 30)),), pick(draw, SCALARS)))
    _core.all_finite(array(draw, (3, 2), pick(draw, SCALARS)))


CALLS = (
    call_objective, call_outputs, call_descent, call_group_element, call_even_linear, call_activation,
)  # fmt: skip
