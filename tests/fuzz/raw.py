"""Direct calls of the compiled modules, with arguments of which some are wrong."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np

from hessorbit import _core

from .draws import Draw, attempt, pick, rarely, seldom

SIZES = (-(2**62), -1, 0, 1, 2, 3, 5, 2**31, 2**62)
THREADS = (-1, 0, 1, 2, 3, 1024, 1025, 100_000, 2**31 - 1)
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-320, 1e150, 1e308, np.inf, -np.inf, np.nan)
LOSSES = [entry["name"] for entry in _core.loss_table()]
SCALARS = (np.float64, np.longdouble)


def array(draw: Draw, shape: tuple[int, ...], scalar: Any = np.float64) -> Any:
    """An array that mostly has the shape, the scalar and the layout asked for."""
    shape = rarely(draw, tuple(int(n) for n in draw.integers(0, 4, int(draw.integers(0, 5)))), shape)
    values = np.asarray(draw.standard_normal(shape) * seldom(draw, 10.0 ** draw.uniform(-320, 308), 1.0))
    if values.size and draw.random() < 0.05:
        values.flat[int(draw.integers(values.size))] = pick(draw, NUMBERS)
    values = values.astype(rarely(draw, np.float32, scalar))
    values = rarely(draw, np.asfortranarray(values), values)
    if values.ndim:
        values = rarely(draw, np.repeat(values, 2, axis=-1)[..., ::2], values)
    return rarely(draw, None, values)


def activation(draw: Draw) -> tuple[str, float]:
    entry = pick(draw, _core.activation_table())
    return rarely(draw, "none", entry["name"]), rarely(draw, pick(draw, NUMBERS), entry["parameter"] or 0.0)


def network(draw: Draw) -> tuple[_core.Network, list[int], list[bool]]:
    widths = [int(n) for n in draw.integers(1, 6, int(draw.integers(2, 5)))]
    asked = list(widths)
    if draw.random() < 0.03:
        asked[int(draw.integers(len(asked)))] = pick(draw, SIZES)
    same = activation(draw)
    mixed = draw.random() < 0.3
    names = [
        [(*(activation(draw) if mixed else same), rarely(draw, pick(draw, SIZES), 1)) for _ in range(width)]
        if mixed or draw.random() < 0.5
        else [(*same, rarely(draw, pick(draw, SIZES), width))]
        for width in rarely(draw, widths, widths[1:])
    ]
    biases = [bool(draw.integers(2)) for _ in widths[1:]]
    kind = rarely(draw, "none", pick(draw, ("standard", "ntk", "mean_field")))
    return _core.Network(asked, names, biases, kind), widths, biases


def objective(draw: Draw, scalar: Any) -> tuple[Any, int]:
    net, widths, _ = network(draw)
    samples = int(draw.integers(1, 40))
    kind = _core.Objective if scalar is np.float64 else _core.ObjectiveLongDouble
    x, y, weight = (array(draw, shape, scalar) for shape in ((samples, widths[0]), (samples, widths[-1]), (samples,)))
    parameter, l2 = seldom(draw, pick(draw, NUMBERS), 1.0), seldom(draw, pick(draw, NUMBERS), 0.0)
    threads = seldom(draw, pick(draw, THREADS), int(draw.integers(4)))
    return kind(net, x, y, weight, rarely(draw, "none", pick(draw, LOSSES)), parameter, l2, threads), net.num_parameters


def call_objective(draw: Draw) -> None:
    scalar = pick(draw, SCALARS)
    compiled, count = objective(draw, scalar)
    theta = array(draw, (count,) if draw.random() < 0.5 else (int(draw.integers(0, 4)), count), scalar)
    names = (
        "loss", "gradient", "value_and_gradient", "outputs", "residual", "jacobian", "hessian", "gauss_newton",
        "gauss_newton_factor", "hessian_diagonal",
    )  # fmt: skip
    v = array(draw, (int(draw.integers(0, 12)), count), scalar)
    calls = [partial(getattr(compiled, name), theta) for name in names]
    chosen = places(draw, count, int(draw.integers(0, count + 1)))
    block = partial(compiled.hessian_block, theta, chosen, bool(draw.integers(2)))
    calls += [partial(getattr(compiled, f"sample_{name}"), theta, chosen) for name in ("gradients", "hessians")]
    calls += [partial(compiled.empirical_fisher, theta, chosen), partial(compiled.neuron_blocks, theta, True)]
    attempt(draw, [*calls, block, partial(compiled.hvp, theta, v), partial(copy.copy, compiled)])


def call_outputs(draw: Draw) -> None:
    net, widths, _ = network(draw)
    scalar = pick(draw, SCALARS)
    theta = array(draw, (net.num_parameters,), scalar)
    _core.outputs(
        net, theta, array(draw, (int(draw.integers(0, 40)), widths[0]), scalar), seldom(draw, pick(draw, THREADS), 2)
    )


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
    return rarely(draw, [*result, 0], result)


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
    attempt(
        draw,
        [
            partial(element.act, array(draw, (p,), scalar)),
            partial(element.transport_gradient, array(draw, (2, p), scalar)),
            partial(element.transport_hessian, array(draw, (p, p), scalar)),
        ],
    )


def call_even_linear(draw: Draw) -> None:
    net, widths, _ = network(draw)
    layer = int(draw.integers(0, max(1, len(widths) - 2)))
    width = widths[layer + 1]  # of the outputs, if there is no hidden layer
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
    shape, scalar = (int(draw.integers(0, 30)),), pick(draw, SCALARS)
    _core.loss_derivatives(pick(draw, LOSSES), parameter, array(draw, shape, scalar), array(draw, shape, scalar))


def geometry(draw: Draw) -> tuple[_core.MinimaGeometry, int, int, int]:
    teachers, inputs, outputs = (int(n) for n in draw.integers((1, 1, 1), (4, 4, 3)))
    name, parameter = activation(draw)
    made = _core.MinimaGeometry(
        array(draw, (teachers, inputs)),
        array(draw, (teachers, outputs)),
        seldom(draw, "none", pick(draw, sorted(_core.copy_pieces))),
        seldom(draw, pick(draw, NUMBERS), pick(draw, (-1.0, 0.0, 1.0))),
        seldom(draw, pick(draw, NUMBERS), 1.0),
        bool(draw.integers(2)),
        bool(draw.integers(2)),
        pick(draw, ("none", "fixed", "free")),
        pick(draw, ("never", "zero", "half_line")),
        name,
        parameter,
    )
    return made, teachers, inputs, outputs


def call_minima(draw: Draw) -> None:
    made, teachers, inputs, outputs = geometry(draw)
    batch, m = (int(n) for n in draw.integers((1, teachers), (4, teachers + 3)))
    students = array(draw, (batch, m, inputs)), array(draw, (batch, m, outputs)), array(draw, (batch, outputs))
    roles = draw.integers(-3, teachers, (batch, m))
    groups = draw.integers(-1, m, (batch, m))
    for each in (roles, groups):
        if draw.random() < 0.1:
            each.flat[0] = pick(draw, (*SIZES, -4, -(2**32)))
    limits = (
        seldom(draw, pick(draw, NUMBERS), 1e-9),
        seldom(draw, pick(draw, SIZES), 100),
        seldom(draw, np.nan, 0.05),
        seldom(draw, pick(draw, THREADS), int(draw.integers(4))),
    )
    attempt(
        draw,
        [
            partial(_core.nearest_minima, made, *students, *limits),
            partial(_core.piece_violations, made, *students, roles, groups, array(draw, (batch, m))),
        ],
    )


def call_trust_region(draw: Draw) -> None:
    rows, columns = (int(n) for n in draw.integers(0, 9, 2))
    damping = seldom(draw, pick(draw, NUMBERS), 10.0 ** draw.uniform(-300, 300))
    matrix = array(draw, (rows, columns))
    if matrix is not None and matrix.size and draw.random() < 0.3:
        matrix.flat[: matrix.size // 2] = 0
    squares = _core.DampedLeastSquares(matrix, array(draw, (rows,)))
    calls = [partial(squares.solve, damping), partial(squares.correct, array(draw, (columns,)))]
    square = array(draw, (columns, columns))
    system = _core.ShiftedSystem(square, array(draw, (columns,)))
    calls += [partial(system.solve, damping), system.lowest_vector, lambda: (system.lowest, system.largest)]
    factor = _core.Ldlt(square, damping, seldom(draw, pick(draw, THREADS), int(draw.integers(4))))
    calls.append(partial(_core.symmetric_eigenvalues, square, seldom(draw, pick(draw, THREADS), int(draw.integers(4)))))
    beside = array(draw, (max(columns - 1, 0),))
    calls.append(partial(_core.tridiagonal_eigenvalues, array(draw, (columns,)), beside, int(draw.integers(4))))
    calls.append(partial(_core.times_columns, square, array(draw, (columns, rows)), int(draw.integers(1, 4))))
    calls += [partial(factor.solve, array(draw, (columns, rows))), lambda: (factor.inertia, factor.backward_error)]
    attempt(draw, calls)


def call_krylov(draw: Draw) -> None:
    size = int(draw.integers(8, 40))
    start, square = array(draw, (size, 8)), array(draw, (size, size))
    team = seldom(draw, pick(draw, THREADS), int(draw.integers(4)))
    basis = _core.KrylovBasis(start, seldom(draw, pick(draw, SIZES), size // 8), team)
    factor = _core.Ldlt(square, 0.0, team)
    blocks = seldom(draw, pick(draw, SIZES), int(draw.integers(4)))
    columns = array(draw, (8 * int(draw.integers(4)), int(draw.integers(4))))
    calls = [partial(basis.advance, square, blocks), partial(basis.advance, factor, blocks)]
    attempt(draw, [*calls, basis.projection, partial(basis.vectors, columns)])


def call_population(draw: Draw) -> None:
    neurons, inputs, outputs = (int(n) for n in draw.integers((0, 0, 0), (6, 4, 3)))
    names = [activation(draw) for _ in range(rarely(draw, neurons + 1, neurons))]
    students = seldom(draw, pick(draw, SIZES), int(draw.integers(neurons + 1)))
    tolerance = seldom(draw, pick(draw, NUMBERS), 1e-10)
    team = seldom(draw, pick(draw, THREADS), int(draw.integers(4)))
    made = _core.Population(names, students, tolerance, team, bool(draw.integers(2)))
    weights = array(draw, (neurons, inputs)), array(draw, (neurons,)), array(draw, (neurons + 1, outputs))
    fineness = seldom(draw, pick(draw, NUMBERS), draw.uniform(1, 2))
    made.derivatives(*weights, seldom(draw, -1, int(draw.integers(3))), bool(draw.integers(2)), fineness)


WRONG = (
    None, "x", b"", 1.5, 2**70, -1, object(), [], (), {}, np.zeros(0), np.zeros((2, 2)), [[1]], "tanh", True,
)  # fmt: skip


def call_anything(draw: Draw) -> None:
    """Arguments that have nothing to do with what is called."""
    compiled = [name for name in sorted(vars(_core)) if "hessorbit._c" in getattr(vars(_core)[name], "__module__", "")]
    asked = getattr(_core, pick(draw, [name for name in compiled if name != "choose_level"]))
    if asked is not _core.Any and asked is not _core.Sequence:
        asked(*(pick(draw, WRONG) for _ in range(int(draw.integers(0, 13)))))


CALLS = (
    call_objective, call_outputs, call_descent, call_group_element, call_even_linear, call_activation, call_minima,
    call_trust_region, call_krylov, call_population, call_anything,
)  # fmt: skip
