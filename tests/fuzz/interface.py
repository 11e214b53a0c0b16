"""Calls of the public interface, with architectures, numbers and scales drawn at random."""

from __future__ import annotations

import tempfile
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import hessorbit as ho
from hessorbit import _core, optimize

from .draws import Draw, attempt, pick, rarely, seldom

METHODS = (
    "loss", "gradient", "value_and_gradient", "outputs", "residual", "jacobian", "hessian", "gauss_newton",
    "gauss_newton_factor", "hessian_diagonal", "hessian_trace",
)  # fmt: skip
NAMES = [entry["name"] for entry in _core.activation_table()]
TARGETS = {entry["name"]: entry["targets"] for entry in _core.loss_table()}
THREADS = (None, 1, 2, 3)


def network(draw: Draw, most: int = 6) -> ho.MLP:
    depth = seldom(draw, int(draw.integers(5, 10)), int(draw.integers(2, 5)))
    widths = [int(n) for n in draw.integers(1, most, depth)]
    activation: Any = rarely(draw, "leaky_relu(-1e300)", pick(draw, NAMES))
    if draw.random() < 0.2:
        activation = [[pick(draw, NAMES) for _ in range(width)] for width in widths[1:-1]]
    biases = [bool(draw.integers(2)) for _ in widths[1:]]
    return ho.MLP(
        rarely(draw, [*widths, pick(draw, (0, -1, 10**9, 10**12))], widths),
        activation=activation,
        bias=pick(draw, (True, False, biases)),
        parametrization=pick(draw, ("standard", "ntk", "mean_field")),
        output_activation=seldom(draw, pick(draw, NAMES), "identity"),
    )


def team(draw: Draw) -> int | None:
    return rarely(draw, pick(draw, (-1, 0, 1024, 100_000)), pick(draw, THREADS))


def stored(draw: Draw, values: Any) -> Any:
    """The same numbers in another dtype, order or place in memory; now and then a list, or what is no real number."""
    kind = int(draw.integers(14))
    with np.errstate(all="ignore"):
        if kind < 4:
            return values
        if kind == 4:
            return values.astype(np.longdouble)
        if kind == 5:
            return values.astype(pick(draw, (np.float32, np.float16, ">f8", np.int8, bool)))
        if kind == 6:
            return np.asfortranarray(values)
        if kind == 7 and values.ndim:
            return np.repeat(values, 2, axis=0)[::-2]
        if kind == 8:  # at an odd address
            moved = np.empty(values.nbytes + 1, np.uint8)[1:].view(values.dtype).reshape(values.shape)
            moved[...] = values
            return moved
        if kind == 9 and values.size:  # one number for all, with strides of zero
            return np.broadcast_to(values.flat[0], values.shape)
        if kind == 10:
            values.flags.writeable = False
            return values
        if kind == 11:
            return values.tolist()
        if kind == 12 and values.ndim:
            return values[..., : int(draw.integers(values.shape[-1] + 1))]
        if kind == 13 and draw.random() < 0.3:
            return values.astype(pick(draw, (object, complex, str)))
    return values


def numbers(draw: Draw, shape: tuple[int, ...]) -> Any:
    """Real numbers of any size, dtype and strides; now and then not finite."""
    scale = 10.0 ** seldom(draw, draw.uniform(-320, 308), draw.uniform(-2, 2))
    values = np.asarray(draw.standard_normal(shape) * scale)
    if values.size and draw.random() < 0.03:
        values.flat[0] = pick(draw, (np.nan, np.inf))
    return stored(draw, values)


def targets(draw: Draw, loss: str, samples: int, outputs: int) -> Any:
    shape, kind = (samples, outputs), rarely(draw, "real", TARGETS[loss])
    if kind == "probabilities":
        if draw.integers(2):
            return stored(draw, draw.dirichlet([1] * outputs, samples))
        labels = draw.integers(0, outputs, samples)
        return stored(draw, seldom(draw, labels - 1, labels))
    if kind == "unit_interval":
        return stored(draw, draw.random(shape).round(int(draw.integers(3))))
    if kind == "nonnegative":
        return stored(draw, np.abs(draw.standard_normal(shape)) * 10.0 ** draw.integers(-3, 4))
    return numbers(draw, shape)


def objective(draw: Draw, most: int = 6) -> tuple[ho.Objective, Any]:
    net = network(draw, most)
    samples = rarely(draw, 0, int(draw.integers(1, 30)))
    loss = pick(draw, list(TARGETS))
    obj = ho.Objective(
        net,
        numbers(draw, (samples, net.widths[0])),
        targets(draw, loss, samples, net.widths[-1]),
        loss=loss,
        delta=10.0 ** draw.uniform(-308, 300) if loss == "huber" and draw.integers(2) else None,
        sample_weight=rarely(draw, numbers(draw, (samples,)), None if draw.integers(2) else draw.random(samples)),
        l2=seldom(draw, 10.0 ** draw.uniform(-5, 300), 0.0),
        threads=team(draw),
    )
    return obj, numbers(draw, (net.num_parameters,))


def call_objective(draw: Draw) -> None:
    obj, theta = objective(draw)
    count = obj.net.num_parameters
    batch = int(draw.integers(0, 4))
    if draw.integers(2):
        theta = numbers(draw, (batch, count))
    vectors = pick(draw, ((count,), (3, count), (batch, count), (batch, 2, count), (0, count)))
    attempt(
        draw,
        [
            *(partial(getattr(obj, name), theta) for name in METHODS),
            partial(obj.hvp, theta, numbers(draw, vectors)),
            lambda: obj.hessian_operator(theta) @ numbers(draw, pick(draw, ((count,), (count, 2)))),
        ],
    )


def call_network(draw: Draw) -> None:
    net = network(draw)
    theta = numbers(draw, (net.num_parameters,))
    block = {"layer": int(draw.integers(-1, net.num_layers + 2)), "neurons": [int(draw.integers(-1, 6))]}
    schemes = ("torch", "glorot_normal", "normal(1)", "normal(1e308)", "normal(-1)", "none")

    def save_and_load() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ho.save(Path(folder) / "net.npz", net, theta)
            ho.load(Path(folder) / "net.npz")

    attempt(
        draw,
        [
            lambda: net(theta, numbers(draw, (int(draw.integers(0, 40)), net.widths[0])), threads=team(draw)),
            lambda: net.flatten(net.unflatten(theta)),
            lambda: net.block(part=pick(draw, ("weights", "bias", "incoming", "outgoing")), **block),
            lambda: net.init(draw, pick(draw, schemes), size=pick(draw, (None, 0, 3, (2, 2), -1, 10**15))),
            save_and_load,
        ],
    )


def call_spectrum(draw: Draw) -> None:
    obj, theta = objective(draw, 4)
    count = obj.net.num_parameters
    given = numbers(draw, (count, count))
    spectrum = partial(
        ho.spectrum,
        obj,
        theta,
        vectors=bool(draw.integers(2)),
        matrix=pick(draw, ("hessian", "gauss_newton", seldom(draw, given, "hessian"))),
        method=seldom(draw, pick(draw, ("dense", "gram", "jacobian", "none")), "auto"),
        zero_modes=pick(draw, ("auto", None, seldom(draw, given, None))),
        digits=seldom(draw, int(draw.integers(-1, 30)), None) if count < 12 else None,
    )
    try:
        repr(spectrum())
    except ArithmeticError as error:  # digits that cannot be proven
        if type(error) is not ArithmeticError:
            raise


def call_group(draw: Draw) -> None:
    net = network(draw)
    theta = numbers(draw, (net.num_parameters,))
    group = ho.symmetries(net)
    layer = int(draw.integers(0, net.num_layers + 1))
    width = net.widths[layer] if layer < len(net.widths) else 1
    neurons = seldom(draw, [-1, 10**12], None if draw.integers(2) else list(range(int(draw.integers(width + 1)))))
    some = width if neurons is None else len(neurons)
    makers: list[Any] = [
        group.identity,
        partial(group.permutation, layer=layer, order=seldom(draw, [0, 0], draw.permutation(width))),
        partial(group.sign_flip, layer=layer, neurons=neurons),
        partial(group.rescaling, layer=layer, factors=abs(draw.standard_normal(some)) ** draw.uniform(-300, 300),
                neurons=neurons),
        partial(group.linear, layer=layer, matrix=numbers(draw, (some, some)), neurons=neurons),
        partial(group.translation, layer=layer, shifts=numbers(draw, (some,)), neurons=neurons),
        partial(group.even_linear_flip, layer=layer, neurons=neurons or [0]),
        partial(group.random, draw, scale=10.0 ** draw.uniform(-3, 4)),
    ]  # fmt: skip
    made: list[Any] = []
    attempt(draw, [lambda maker=maker: made.append(maker()) for maker in makers])
    for element in made:
        attempt(draw, [partial(element, theta)])
        if isinstance(element, ho.GroupElement):
            use(draw, element, pick(draw, [each for each in made if isinstance(each, ho.GroupElement)]), theta)
    attempt(
        draw,
        [
            partial(group.tangents, theta),
            group.generators,
            partial(group.stabiliser_dimension, theta),
            partial(group.conserved, theta),
            lambda: (group.order, group.dimension, repr(group.factors)),
            partial(ho.zero_modes, net, theta, tolerance=10.0 ** draw.uniform(-20, 3)),
        ],
    )


def use(draw: Draw, element: ho.GroupElement, other: ho.GroupElement, theta: Any) -> None:
    count = element.net.num_parameters
    attempt(
        draw,
        [
            lambda: element.inverse()(theta),
            lambda: (element @ other)(theta),
            element.matrix,
            element.offset,
            lambda: element.gradient(numbers(draw, pick(draw, ((count,), (3, count))))),
            lambda: element.hessian(numbers(draw, (count, count))),
        ],
    )


def call_equivalence(draw: Draw) -> None:
    net, other = network(draw, 4), network(draw, 4)
    theta, theirs = numbers(draw, (net.num_parameters,)), numbers(draw, (other.num_parameters,))
    tolerance = seldom(draw, 10.0 ** draw.uniform(-20, 3), 1e-8)
    attempt(
        draw,
        [
            partial(ho.canonical, net, theta, reduce=bool(draw.integers(2)), tolerance=tolerance),
            partial(ho.equivalent, net, theta, net, theta, tolerance=tolerance),
            partial(ho.equivalent, net, theta, other, theirs, rng=draw),
            lambda: ho.equivalent(net, theta, net, ho.symmetries(net).random(draw, scale=1.0)(theta)),
        ],
    )


def call_widening(draw: Draw) -> None:
    net = network(draw)
    copies = [[int(n) for n in draw.integers(1, 4, width)] for width in net.widths[1:-1]]
    if copies and draw.random() < 0.1:
        copies[0][0] = pick(draw, (-1, 0, 10**9, 10**12, 2**62))

    def shared(values: Any) -> Any:
        return [[values(min(n, 5)) for n in layer] for layer in copies] if draw.random() < 0.3 else None

    widening = ho.Widening(
        net,
        copies=copies,
        coefficients=shared(lambda n: draw.dirichlet([1.0] * max(n, 1))),
        scales=shared(lambda n: 10.0 ** draw.uniform(-300, 300, max(n, 0))),
        signs=shared(lambda n: draw.choice([-1, 1], max(n, 0))),
        shifts=shared(draw.standard_normal),
        dead=seldom(draw, [pick(draw, (-1, 1, 3, 10**9)) for _ in copies], None),
    )
    theta = numbers(draw, (net.num_parameters,))
    attempt(
        draw,
        [
            partial(widening, theta),
            widening.transfer,
            widening.preconditioner,
            partial(widening.block_preconditioner, theta),
            lambda: ho.equivalent(net, theta, widening.net, widening(theta)),
        ],
    )


def call_nearest(draw: Draw) -> None:
    inputs, width, more, outputs = (int(n) for n in draw.integers((1, 1, 0, 1), (4, 4, 3, 3)))
    activation, bias = pick(draw, NAMES), pick(draw, (True, False, (True, False), (False, True)))
    teacher, net = (ho.MLP([inputs, d, outputs], activation=activation, bias=bias) for d in (width, width + more))
    starts = numbers(draw, pick(draw, ((net.num_parameters,), (int(draw.integers(0, 4)), net.num_parameters))))
    goal = numbers(draw, (teacher.num_parameters,))
    threads = team(draw)
    attempt(
        draw,
        [
            partial(ho.nearest_minimum, net, starts, teacher, goal, max_nodes=seldom(draw, -1, 100),
                    time_limit=seldom(draw, np.nan, 0.05), threads=threads),
            partial(ho.reach_probability, net, teacher, goal, numbers(draw, (2,)), rng=draw, samples=5,
                    max_nodes=20, threads=threads),
        ],
    )  # fmt: skip


def call_count(draw: Draw) -> None:
    teacher, student = (seldom(draw, pick(draw, (-1, 0, 10**3, 10**9)), int(draw.integers(1, 6))) for _ in range(2))
    odd = bool(draw.integers(2))
    attempt(
        draw,
        [
            partial(ho.count_minima, teacher, student, isolated=bool(draw.integers(2)), odd=odd),
            lambda: list(islice(ho.enumerate_minima(teacher, student, inputs=2, odd=odd), 20)),
        ],
    )


def call_minimize(draw: Draw) -> None:
    obj, theta = objective(draw, 4)
    options = {"learning_rate": 10.0 ** draw.uniform(-10, 300)} if draw.random() < 0.2 else {}
    tol = seldom(draw, pick(draw, (0.0, -1.0, np.nan, 1e300)), 1e-10)
    ho.minimize(obj, theta, method=pick(draw, list(optimize.METHODS)), max_steps=4, tol=tol, **options)


def call_conditioning(draw: Draw) -> None:
    obj, theta = objective(draw, 3)
    net = obj.net
    kind = int(draw.integers(3))
    ho.best_conditioned(
        obj,
        theta,
        over=ho.symmetries(net) if kind == 0 else None,
        widths=[seldom(draw, -1, n + int(draw.integers(2))) for n in net.widths[1:-1]] if kind == 1 else None,
        copies=[list(map(int, draw.integers(1, 3, n))) for n in net.widths[1:-1]] if kind == 2 else None,
        matrix=pick(draw, ("hessian", "gauss_newton")),
        criterion=rarely(draw, "none", pick(draw, ("condition_number", "trace", "max"))),
        max_nodes=4,
    )


def call_growth(draw: Draw) -> None:
    obj, theta = objective(draw, 3)
    count = obj.net.num_parameters
    ho.grow(
        obj,
        theta,
        [seldom(draw, -1, n + int(draw.integers(3))) for n in obj.net.widths[1:-1]],
        split=pick(draw, ("best", "equal", "random")),
        rng=seldom(draw, None, draw),
        moments=pick(draw, (None, (numbers(draw, (count,)), None), (None, np.ones(count)))),
        max_nodes=4,
    )


def call_classify(draw: Draw) -> None:
    obj, theta = objective(draw, 3)
    width = obj.net.widths[1:-1]
    copies = [[int(n) for n in draw.integers(1, 3, each)] for each in width]
    some = draw.permutation(obj.num_parameters)[: int(draw.integers(0, 4))]
    attempt(
        draw,
        [
            partial(ho.classify, obj, theta),
            lambda: ho.Widening(obj.net, copies=copies).inertia(obj, theta),
            lambda: ho.classify(obj.restricted(theta, some), theta[some]),
            lambda: ho.spectrum(obj.restricted(theta, some), theta[some]),
        ],
    )


def call_certify(draw: Draw) -> None:
    obj, theta = objective(draw, 3)
    ho.certify(obj, theta, radius=seldom(draw, 10.0 ** draw.uniform(-10, 300), None), digits=int(draw.integers(12, 40)))


def call_population(draw: Draw) -> None:
    inputs, width, teachers, outputs = (int(n) for n in draw.integers((1, 1, 1, 1), (4, 4, 3, 3)))
    net, teacher = (ho.MLP([inputs, m, outputs], activation=pick(draw, NAMES)) for m in (width, teachers))
    spread = draw.standard_normal((inputs, inputs))
    pop = ho.population.PopulationObjective(
        net,
        teacher,
        numbers(draw, (teacher.num_parameters,)),
        mean=rarely(draw, numbers(draw, (inputs,)), pick(draw, (None, np.ones(inputs)))),
        covariance=rarely(draw, numbers(draw, (inputs, inputs)), pick(draw, (None, spread @ spread.T))),
        l2=seldom(draw, 10.0 ** draw.uniform(-5, 300), 0.0),
        tolerance=10.0 ** draw.uniform(-14, -1),
        threads=team(draw),
    )
    theta, v = numbers(draw, (net.num_parameters,)), numbers(draw, (net.num_parameters,))
    names = ("loss", "gradient", "value_and_gradient", "hessian", "gauss_newton", "gauss_newton_factor", "error")
    attempt(draw, [*(partial(getattr(pop, name), theta) for name in names), partial(pop.hvp, theta, v)])


CALLS = (
    call_objective, call_network, call_spectrum, call_group, call_equivalence, call_widening, call_nearest, call_count,
    call_minimize, call_conditioning, call_growth, call_classify, call_certify, call_population,
)  # fmt: skip
