"""The nearest global minimum against exhaustion, SciPy's constrained optimisation, and the laws of distances."""

from __future__ import annotations

import itertools
import signal
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize

import hessorbit as ho
from hessorbit.minima.teacher import setting_of
from oracles.global_minima import difference, fresh_inputs, global_minima, is_zero
from oracles.minima import Assignment, Exhaustion
from oracles.problem import ACTIVATIONS

pytestmark = pytest.mark.core

HIDDEN = [name for name in ACTIVATIONS if name != "identity"]
BIASES = [(False, False), (True, False), (False, True), (True, True)]


def pair(
    activation: str, widths: tuple[int, int, int, int], bias: Any, seed: int, scale: float = 0.7, **options: Any
) -> tuple[ho.MLP, np.ndarray, ho.MLP, np.ndarray]:
    """Student, start, teacher and its parameters, for (inputs, teacher's neurons, student's neurons, outputs)."""
    d, r, m, k = widths
    rng = np.random.default_rng(seed)
    teacher = ho.MLP([d, r, k], activation, bias=list(bias), **options)
    student = ho.MLP([d, m, k], activation, bias=list(bias), **options)
    theta = teacher.init(rng, "normal(1)")
    return student, student.init(rng, f"normal({scale})"), teacher, theta


def exhaustion(student: ho.MLP, teacher: ho.MLP, theta: np.ndarray) -> Exhaustion:
    problem = setting_of(student, teacher, theta)
    s = problem.symmetry
    return Exhaustion(
        activation=student.activations[0][0],
        incoming=problem.incoming,
        outgoing=problem.outgoing,
        output=problem.output_bias if student.biases[1] else None,
        hidden_bias=student.biases[0],
        width=student.widths[1],
        copies=s.copies,
        constants=s.constants,
        off=s.off != "never",
        half_line=s.off == "half_line",
    )


def in_blocks(net: ho.MLP, theta: np.ndarray) -> np.ndarray:
    """θ as the oracle orders it: incoming weights with their bias, outgoing weights, output bias."""
    (w, b), (v, c) = net.unflatten(theta)
    parts = [w if b is None else np.c_[w, b], v.T, c if c is not None else np.empty(0)]
    return np.concatenate([part.ravel() for part in parts])


AFFINE = [
    ("elu", (True, False)),
    ("g", (False, False)),
    ("exp", (False, True)),  # constant neurons of a fixed output
    ("gelu", (False, True)),
    ("tanh", (False, False)),
    ("softsign", (True, False)),
    ("cos", (False, True)),
    ("cos", (True, False)),
    ("square", (False, False)),
    ("cube", (True, True)),
    ("sigmoid", (False, True)),  # mirrored copies and constant neurons
    ("normal_cdf", (False, True)),
    ("sigmoid", (True, False)),
]


@pytest.mark.parametrize(("activation", "bias"), AFFINE)
@pytest.mark.parametrize("seed", range(6))
def test_affine_pieces_against_exhaustion(activation: str, bias: tuple[bool, bool], seed: int) -> None:
    widths = ((1, 2, 4, 1), (2, 1, 4, 2), (2, 2, 3, 3), (3, 2, 4, 1), (1, 1, 4, 2), (2, 2, 4, 2))[seed]
    student, start, teacher, theta = pair(activation, widths, bias, seed)
    near = ho.nearest_minimum(student, start, teacher, theta)
    expected = exhaustion(student, teacher, theta).nearest(in_blocks(student, start), np.random.default_rng(seed))
    # The search stops at 1e-9 of the squared distance; least squares err by rounding.
    assert near.distance == pytest.approx(expected, rel=1e-9)
    assert near.lower_bound_covered <= expected * (1 + 1e-12)
    assert near.gap <= 1e-9


CURVED = [
    ("tanh", (True, True)),
    ("gelu", (True, True)),
    ("sigmoid", (True, True)),
    ("relu", (False, False)),
    ("relu", (True, False)),
    ("leaky_relu(0.2)", (True, True)),
]


@pytest.mark.parametrize(("activation", "bias"), CURVED)
@pytest.mark.parametrize("seed", range(5))
def test_curved_pieces_against_exhaustion(activation: str, bias: tuple[bool, bool], seed: int) -> None:
    widths = ((1, 1, 3, 1), (2, 1, 3, 2), (2, 2, 3, 1), (2, 2, 3, 3), (3, 1, 3, 3))[seed]
    student, start, teacher, theta = pair(activation, widths, bias, seed)
    near = ho.nearest_minimum(student, start, teacher, theta)
    expected = exhaustion(student, teacher, theta).nearest(in_blocks(student, start), np.random.default_rng(seed))
    # Quasi-Newton with differences of 1e-8 leaves some 1e-8 of the squared distance; a factor 10 for bounds on scales.
    assert near.distance == pytest.approx(expected, rel=1e-7)
    assert near.lower_bound_covered <= expected * (1 + 1e-12)
    assert near.gap <= 1e-9


def least_over_assignments(
    incoming: np.ndarray, outgoing: np.ndarray, teacher_in: np.ndarray, teacher_out: np.ndarray, signs: tuple[int, ...]
) -> float:
    """The least squared distance over all assignments of copies and zero groups, subset by subset."""
    m, r = len(incoming), len(teacher_in)

    def cost(subset: tuple[int, ...], sign: tuple[int, ...], i: int | None) -> float:
        s, chosen = np.array(sign), list(subset)
        w, v = s[:, None] * incoming[chosen], s @ outgoing[chosen]
        centre = w.mean(axis=0) if i is None else teacher_in[i]
        rest = v if i is None else v - teacher_out[i]
        return float(((w - centre) ** 2).sum() + (rest**2).sum() / len(chosen))

    def best(mask: int, i: int | None) -> float:
        subset = tuple(k for k in range(m) if mask >> k & 1)
        return min(cost(subset, sign, i) for sign in itertools.product(signs, repeat=len(subset)))

    size = 1 << m
    zero = [0.0] + [best(mask, None) for mask in range(1, size)]
    total = [np.inf] * size  # zero groups alone
    total[0] = 0.0
    for mask in range(1, size):
        low = mask & -mask
        part = mask
        while part:
            if part & low:
                total[mask] = min(total[mask], zero[part] + total[mask ^ part])
            part = (part - 1) & mask
    for i in range(r):
        copies = [np.inf] + [best(mask, i) for mask in range(1, size)]
        before, total = total, [np.inf] * size
        for mask in range(1, size):
            part = mask
            while part:
                total[mask] = min(total[mask], copies[part] + before[mask ^ part])
                part = (part - 1) & mask
    return total[-1]


@pytest.mark.parametrize("activation", ["tanh", "elu"])
@pytest.mark.parametrize(("outputs", "scale"), [(1, 0.7), (3, 0.7), (3, 1.5), (2, 0.05)])
@pytest.mark.parametrize("seed", range(3, 6))
def test_six_students_against_all_assignments(activation: str, outputs: int, scale: float, seed: int) -> None:
    student, start, teacher, theta = pair(activation, (2, 2, 6, outputs), (True, False), seed, scale)
    problem = setting_of(student, teacher, theta)
    near = ho.nearest_minimum(student, start, teacher, theta)
    (incoming,), (outgoing,), _ = problem.split(start[None])
    signs = (1, -1) if activation == "tanh" else (1,)
    expected = least_over_assignments(incoming, outgoing, problem.incoming, problem.outgoing, signs)
    other = (near.assignment < -1).any()  # off or constant, which the formula above does not have
    assert other or near.distance**2 == pytest.approx(expected, rel=1e-9)
    assert near.distance**2 <= expected * (1 + 1e-9)


def roles_of(near: ho.minima.NearestMinimum) -> Assignment:
    names = {-2: ("off",), -3: ("constant",)}
    groups = iter(range(100, 200))
    roles = []
    for k, teacher in enumerate(near.assignment):
        sign = -1 if near.scale[k] < 0 else 1
        if teacher >= 0:
            roles.append(("copy", int(teacher), sign))
        elif teacher == -1:
            roles.append(("zero", int(near.group[k]) if near.group[k] >= 0 else next(groups), sign))
        else:
            roles.append(names[int(teacher)])
    return tuple(roles)


@pytest.mark.parametrize(
    ("activation", "bias", "seed"),
    [
        ("tanh", (True, False), 0),
        ("sigmoid", (False, True), 1),
        ("relu", (True, False), 2),
        ("relu", (False, False), 5),
    ],
)
def test_single_pieces_against_constrained_optimisation(activation: str, bias: tuple[bool, bool], seed: int) -> None:
    """SciPy's SLSQP on the equations of the piece that was found, the scales among the unknowns."""
    student, start, teacher, theta = pair(activation, (2, 2, 5, 2), bias, seed)
    near = ho.nearest_minimum(student, start, teacher, theta)
    oracle, roles, x0 = exhaustion(student, teacher, theta), roles_of(near), in_blocks(student, start)
    scaled = oracle.scalars(roles)
    first = np.concatenate([x0, np.ones(len(scaled))])

    def residual(x: np.ndarray) -> np.ndarray:
        a, b = oracle.equations(roles, dict(zip(scaled, x[len(x0) :], strict=True)), x0)
        return a @ x[: len(x0)] - b

    def squared(x: np.ndarray) -> tuple[float, np.ndarray]:
        step = x[: len(x0)] - x0
        return float(step @ step), np.concatenate([2 * step, np.zeros(len(scaled))])

    found = optimize.minimize(
        squared, first, jac=True, method="SLSQP", constraints={"type": "eq", "fun": residual},
        bounds=[(None, None)] * len(x0) + [(1e-6, None)] * len(scaled), options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    # Constraints by differences hold to about 1e-8.
    assert np.sqrt(found.fun) == pytest.approx(near.distance, rel=1e-6)


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("parametrization", ["standard", "ntk", "mean_field"])
def test_the_point_is_a_global_minimum(activation: str, bias: tuple[bool, bool], parametrization: str) -> None:
    student, _, teacher, theta = pair(activation, (3, 2, 6, 2), bias, 1, parametrization=parametrization)
    rng = np.random.default_rng(2)
    starts = student.init(rng, "normal(0.6)", size=4)
    near = ho.nearest_minimum(student, starts, teacher, theta)
    x = rng.standard_normal((50, 3))
    y = teacher(theta, x)
    losses = ho.Objective(student, x, y).loss(near.theta)
    # Outputs carry rounding errors of a few units of 1e-16 of their size, squared in the loss.
    assert (losses <= 1e-25 * max(1.0, float((y**2).mean()))).all()
    np.testing.assert_allclose(near.distance, np.linalg.norm(near.theta - starts, axis=1), rtol=1e-12)
    assert (near.lower_bound_covered <= near.distance).all()


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "elu"])
def test_twelve_students_of_four_teachers_are_exact(activation: str) -> None:
    student, _, teacher, theta = pair(activation, (5, 4, 12, 1), (True, True), 4)
    starts = student.init(np.random.default_rng(0), "torch", size=4)
    near = ho.nearest_minimum(student, starts, teacher, theta)
    assert (near.gap <= 1e-9).all()


@pytest.mark.parametrize("activation", ["tanh", "relu", "leaky_relu", "cos", "sigmoid", "normal_cdf", "gelu"])
@pytest.mark.parametrize("outputs", [2, 3])
def test_twelve_students_of_large_outgoing_weights_are_exact(activation: str, outputs: int) -> None:
    student, start, teacher, theta = pair(activation, (5, 4, 12, outputs), (True, True), outputs, 1.0)
    near = ho.nearest_minimum(student, start, teacher, theta)
    assert near.gap <= 1e-9
    x = np.random.default_rng(1).standard_normal((20, 5))
    np.testing.assert_allclose(student(near.theta, x), teacher(theta, x), atol=1e-12)


def test_time_ends_a_search_with_a_bound() -> None:
    student, start, teacher, theta = pair("tanh", (5, 4, 32, 3), (True, True), 0, 1.0)
    near = ho.nearest_minimum(student, start, teacher, theta, max_nodes=10**9, time_limit=1e-3)
    # A busy machine may spend the time before the first bound beyond 0.
    assert 0 <= near.lower_bound_covered < near.distance
    with pytest.raises(ValueError, match="time_limit must be positive; got -1"):
        ho.nearest_minimum(student, start, teacher, theta, time_limit=-1)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_many_neurons_pair_up_in_zero_groups(activation: str) -> None:
    """Silence alone costs far more than the point found, and the bound is more than half of that."""
    student, start, teacher, theta = pair(activation, (5, 4, 64, 3), (True, True), 1, 1.0)
    near = ho.nearest_minimum(student, start, teacher, theta, max_nodes=1)
    problem = setting_of(student, teacher, theta)
    _, (outgoing,), _ = problem.split(start[None])
    assert near.distance**2 < 0.75 * (outgoing**2).sum()
    assert near.lower_bound_covered > 0.6 * near.distance


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_wide_students_have_a_gap_that_is_stated(activation: str) -> None:
    student, _, teacher, theta = pair(activation, (5, 4, 256, 2), (True, False), 4)
    start = student.init(np.random.default_rng(0), "torch")
    near = ho.nearest_minimum(student, start, teacher, theta, max_nodes=5)
    assert 0 < near.lower_bound_covered <= near.distance
    x = np.random.default_rng(1).standard_normal((20, 5))
    np.testing.assert_allclose(student(near.theta, x), teacher(theta, x), atol=1e-12)


def test_many_linked_neurons_leave_a_bound_that_is_worth_something() -> None:
    """Every neuron could be in a zero group, and none pays nothing there."""
    student, start, teacher, theta = pair("tanh", (5, 4, 48, 3), (True, True), 0, 1.0)
    near = ho.nearest_minimum(student, start, teacher, theta, max_nodes=5)
    problem = setting_of(student, teacher, theta)
    (incoming,), (outgoing,), _ = problem.split(start[None])
    signed = np.concatenate([incoming, -incoming])
    apart = ((incoming[:, None] - signed) ** 2).sum(axis=2)
    apart[np.arange(48), np.arange(48)] = np.inf
    targets = np.concatenate([problem.incoming, -problem.incoming])
    copies = ((incoming[:, None] - targets) ** 2).sum(axis=2)
    # A group of n costs at least Σ‖w̃_j ∓ w̃_k‖²/n over its pairs, half of it for each of the two: least with n = 2.
    simple = np.minimum.reduce(
        [(outgoing**2).sum(axis=1), (incoming[:, :5] ** 2).sum(axis=1), copies.min(axis=1), apart.min(axis=1) / 4]
    ).sum()
    # The bound divides zero groups otherwise, for which half of it is room enough.
    assert near.lower_bound_covered**2 >= simple / 2


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("activation", "width", "scale", "size"),
    [("tanh", 64, 1.0, 1.0), ("softsign", 5, 1e6, 1.0), ("g", 5, 1.0, 1e134), ("cos", 5, 1.0, 1e134)],
)
def test_search_is_interrupted(activation: str, width: int, scale: float, size: float) -> None:
    """The search is made again and again until the signal comes in the middle of one."""
    student, _, teacher, theta = pair(activation, (5, 4, width, 3), (True, True), 0)
    starts = scale * student.init(np.random.default_rng(0), "normal(1)", size=8)

    def search_again_and_again() -> None:
        while True:
            ho.nearest_minimum(student, starts, teacher, size * theta, max_nodes=10**9)

    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        search_again_and_again()
    timer.join()


NAMES = [*HIDDEN, "leaky_relu(-1.0)", "leaky_relu(0.0)", "leaky_relu(0.5)"]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    activation=st.sampled_from(NAMES),
    r=st.integers(1, 2),
    extra=st.integers(0, 1),
    d=st.integers(1, 2),
    k=st.integers(1, 2),
    bias=st.sampled_from(BIASES),
    special=st.sampled_from(["", "outgoing weights cancel", "zero biases", "opposite incoming", "equal outgoing"]),
)
def test_no_global_minimum_is_found_blindly_where_there_should_be_none(
    seed: int, activation: str, r: int, extra: int, d: int, k: int, bias: tuple[bool, bool], special: str
) -> None:
    """Levenberg and Marquardt find global minima knowing nothing of roles: each must be on a piece that is covered."""
    student, start, teacher, theta = pair(activation, (d, r, r + extra, k), bias, seed)
    (w, b), (v, _) = teacher.unflatten(theta)
    if special == "outgoing weights cancel" and r > 1:
        v[:, 1] = -v[:, 0]
    if special == "equal outgoing" and r > 1:
        v[:, 1] = v[:, 0]
    if special == "opposite incoming" and r > 1:
        w[1] = -w[0]
    if special == "zero biases" and b is not None:
        b[:] = 0
    try:
        near = ho.nearest_minimum(student, start, teacher, theta)
    except ho.ReducibleTeacherError:
        assume(False)
    if not near.complete:
        assert near.missing
        assert not hasattr(near, "lower_bound")
        return
    assert near.lower_bound == near.lower_bound_covered
    rng = np.random.default_rng(seed)
    found = list(global_minima(student, teacher, theta, rng, 12))
    if not found:
        return
    # Where zeros are degenerate, outputs that differ by 1e-12 leave weights some 1e-4 apart.
    there = ho.nearest_minimum(student, np.array(found), teacher, theta)
    assert np.max(there.lower_bound) <= 1e-3
    # Nor is any of them, moved along the zeros towards the start, nearer to it than the bound.
    fresh = fresh_inputs(student, teacher, theta, rng)
    for point in found[:2]:
        closer = difference(student, teacher, theta, rng, 80, 1.5).nearer(point, start)
        # It may be one at the 80 inputs only, with a kink beyond them.
        assert not is_zero(closer, fresh) or np.linalg.norm(closer - start) >= near.lower_bound - 1e-3


def test_bounds_hold_however_early_the_search_ends() -> None:
    student, start, teacher, theta = pair("tanh", (2, 3, 8, 3), (True, True), 5)
    exact = ho.nearest_minimum(student, start, teacher, theta)
    for nodes in (1, 2, 5, 20):
        early = ho.nearest_minimum(student, start, teacher, theta, max_nodes=nodes)
        # The searches agree to their tolerance, 1e-9 of the squared distance.
        assert early.lower_bound_covered <= exact.distance * (1 + 1e-9)
        assert early.distance >= exact.lower_bound_covered * (1 - 1e-9)


@pytest.mark.parametrize("activation", ["sigmoid", "normal_cdf"])
def test_max_nodes_ends_a_search_of_mirrored_copies(activation: str) -> None:
    """From zero nearly all assignments are below the best point: hundreds of thousands of them for 8 neurons."""
    student, start, teacher, theta = pair(activation, (3, 3, 8, 1), (True, True), 0)
    small = pair(activation, (3, 3, 6, 1), (True, True), 0)
    for nodes in (1, 1500):
        near = ho.nearest_minimum(student, 0 * start, teacher, theta, max_nodes=nodes)
        assert near.nodes == max(nodes, 1000)
        assert 1e-9 < near.gap < 0.01
    # From zero idle neurons cost nothing: a wider student is no farther, and the same bound holds for fewer neurons.
    exact = ho.nearest_minimum(small[0], 0 * small[1], teacher, theta)
    assert exact.gap <= 1e-9
    assert near.lower_bound_covered <= exact.distance


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "relu"])
@pytest.mark.parametrize("scale", [1e5, 1e7, 1e75])
@pytest.mark.parametrize("seed", [0, 1])
def test_far_starts_come_to_an_end(activation: str, scale: float, seed: int) -> None:
    """Biases of constant neurons are sought on an interval of the size of θ₀, and activations vary on one of size 1."""
    student, _, teacher, theta = pair(activation, (3, 2, 4, 1), (True, True), seed)
    unit = np.random.default_rng(seed).standard_normal(student.num_parameters)
    start = scale * unit / np.abs(unit).max()
    near = ho.nearest_minimum(student, start, teacher, theta)
    assert 0 < near.lower_bound_covered <= near.distance
    # All neurons silent but the copies, which lie at θ = 0 as seen from here.
    assert near.distance <= np.linalg.norm(start) * (1 + 1e-4)


@pytest.mark.parametrize("activation", ["tanh", "relu", "elu", "leaky_relu(-1)"])
@pytest.mark.parametrize("size", [1e-160, 1e160])
def test_the_distance_is_of_one_degree_in_all_weights(activation: str, size: float) -> None:
    """Without constant neurons the equations of a piece are, however far squares overflow or underflow."""
    student, start, teacher, theta = pair(activation, (3, 2, 4, 2), (True, False), 0)
    near = ho.nearest_minimum(student, start, teacher, theta, gap_tolerance=1e-12)
    there = ho.nearest_minimum(student, size * start, teacher, size * theta, gap_tolerance=1e-12)
    assert there.distance == pytest.approx(size * near.distance, rel=1e-10)
    assert there.lower_bound_covered == pytest.approx(size * near.lower_bound_covered, rel=1e-10)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_a_teacher_of_very_large_and_very_small_weights_is_met(activation: str) -> None:
    teacher, student = ho.MLP([1, 1, 1], activation, bias=False), ho.MLP([1, 2, 1], activation, bias=False)
    theta = np.array([1e160, 1e-160])
    near = ho.nearest_minimum(student, [1.0, 2.0, 0.5, -0.7], teacher, theta)
    assert 0 <= near.lower_bound_covered <= near.distance < np.inf
    if activation == "relu":  # whose minima are those of the teacher (1, 1)
        assert near.gap <= 1e-6
        assert near.distance == pytest.approx(
            ho.nearest_minimum(student, [1.0, 2.0, 0.5, -0.7], teacher, [1.0, 1.0]).distance, rel=1e-9
        )
    x = np.array([[1.0], [-1.0], [1e-160]])
    np.testing.assert_allclose(student(near.theta, x), teacher(theta, x), rtol=1e-12, atol=1e-175)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.1)", "leaky_relu(-1)"])
@pytest.mark.parametrize("bias", BIASES)
def test_the_set_of_minima_does_not_depend_on_how_the_teacher_is_scaled(
    activation: str, bias: tuple[bool, bool]
) -> None:
    student, start, teacher, theta = pair(activation, (2, 2, 3, 1), bias, 0)
    near = ho.nearest_minimum(student, start, teacher, theta)
    group = ho.symmetries(teacher)
    for factors in ([1e6, 1e-3], [1e-40, 1e90]):
        moved = group.rescaling(layer=1, factors=factors)(theta)
        there = ho.nearest_minimum(student, start, teacher, moved)
        assert there.distance == pytest.approx(near.distance, rel=1e-8)
        assert there.lower_bound_covered == pytest.approx(near.lower_bound_covered, rel=1e-8)
        (weights, _), _ = teacher.unflatten(moved)
        (found, _), _ = student.unflatten(there.theta)
        for k, copied in enumerate(there.assignment):
            if copied >= 0:
                np.testing.assert_allclose(found[k], there.scale[k] * weights[copied], rtol=1e-12)


def test_parameters_whose_distances_overflow_are_refused() -> None:
    student, start, teacher, theta = pair("tanh", (3, 2, 4, 1), (True, True), 0)
    start[3] = -1e301
    with pytest.raises(ValueError, match=r"theta0 must be within ±1e\+300.*theta0\[3\] is -1e\+301"):
        ho.nearest_minimum(student, start, teacher, theta)
    with pytest.raises(ValueError, match=r"theta0\[1, 3\] is -1e\+301"):
        ho.nearest_minimum(student, [0 * start, start], teacher, theta)
    with pytest.raises(ValueError, match=r"theta_end\[0, 3\] is -1e\+301"):
        ho.minima.compare_descent(student, 0 * start, start, teacher, theta)
    theta[0] = 1e301
    with pytest.raises(ValueError, match=r"theta_teacher must be within .*theta_teacher\[0\] is 1e\+301"):
        ho.nearest_minimum(student, 0 * start, teacher, theta)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("activation", ["softsign", "sigmoid", "relu"])
def test_a_search_without_time_has_a_point_and_a_bound(activation: str, bias: tuple[bool, bool]) -> None:
    """The limit holds for the setup, the search over a bias and the local search too: far starts make these long."""
    student, start, teacher, theta = pair(activation, (2, 3, 6, 1), bias, 0, 1e6)
    near = ho.nearest_minimum(student, start, teacher, theta, time_limit=1e-9)
    assert 0 <= near.lower_bound_covered <= near.distance <= np.linalg.norm(start) * (1 + 1e-4)
    x = np.random.default_rng(0).standard_normal((20, 2))
    np.testing.assert_allclose(student(near.theta, x), teacher(theta, x), atol=1e-12)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    activation=st.sampled_from(["tanh", "relu", "elu", "cos", "sigmoid", "gelu"]),
    r=st.integers(1, 3),
    extra=st.integers(0, 3),
    d=st.integers(1, 3),
    k=st.integers(1, 3),
    bias=st.sampled_from(BIASES),
)
def test_no_widened_teacher_is_nearer(
    seed: int, activation: str, r: int, extra: int, d: int, k: int, bias: tuple[bool, bool]
) -> None:
    """Global minima made by hand, some of them close to the start, are at least the lower bound away."""
    student, start, teacher, theta = pair(activation, (d, r, r + extra, k), bias, seed)
    assume(activation != "relu" or d > 1 or bias[0] or r == 1)  # on a line all neurons without biases are copies
    near = ho.nearest_minimum(student, start, teacher, theta)
    assert near.gap <= 1e-8
    rng = np.random.default_rng(seed)
    (w, b), (v, c) = teacher.unflatten(theta)
    for _ in range(20):
        copied = rng.permutation(np.concatenate([np.arange(r), rng.integers(0, r, extra)]))
        split = rng.standard_normal((k, r + extra))
        for i in range(r):
            at = copied == i
            split[:, at] += ((v[:, i] - split[:, at].sum(axis=1)) / at.sum())[:, None]
        point = student.flatten([(w[copied], None if b is None else b[copied]), (split, c)])
        assert np.linalg.norm(point - start) >= near.lower_bound_covered * (1 - 1e-12)


@pytest.mark.parametrize("activation", ["tanh", "elu", "relu", "sigmoid"])
def test_a_minimum_is_nearest_to_itself(activation: str) -> None:
    student, start, teacher, theta = pair(activation, (2, 2, 5, 2), (True, False), 0)
    there = ho.nearest_minimum(student, start, teacher, theta).theta
    # Distances are sums of squares, of which rounding hides those below 1e-13 of the size of θ squared.
    assert ho.nearest_minimum(student, there, teacher, theta).distance <= 1e-6


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "elu"])
@pytest.mark.parametrize("bias", [(False, False), (True, False)])
def test_moving_both_by_a_symmetry_leaves_the_distance(activation: str, bias: tuple[bool, bool]) -> None:
    """Permutations and sign flips act orthogonally on θ."""
    student, start, teacher, theta = pair(activation, (3, 2, 5, 2), bias, 6)
    distance = ho.nearest_minimum(student, start, teacher, theta).distance
    rng = np.random.default_rng(0)
    for _ in range(3):
        moved = [
            ho.symmetries(net).permutation(layer=1, order=rng.permutation(net.widths[1])) for net in (student, teacher)
        ]
        points = [g(point) for g, point in zip(moved, (start, theta), strict=True)]
        if activation == "tanh":
            flips = [
                ho.symmetries(net).sign_flip(layer=1, neurons=np.flatnonzero(rng.integers(0, 2, net.widths[1])))
                for net in (student, teacher)
            ]
            points = [g(point) for g, point in zip(flips, points, strict=True)]
        assert ho.nearest_minimum(student, points[0], teacher, points[1]).distance == pytest.approx(distance, rel=1e-9)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_rotating_inputs_and_outputs_leaves_the_distance(activation: str) -> None:
    student, start, teacher, theta = pair(activation, (3, 2, 6, 2), (True, True), 7)
    rng = np.random.default_rng(0)
    inside, outside = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (3, 2))

    def rotated(net: ho.MLP, point: np.ndarray) -> np.ndarray:
        (w, b), (v, c) = net.unflatten(point)
        return net.flatten([(w @ inside, b), (outside @ v, outside @ c)])

    distance = ho.nearest_minimum(student, start, teacher, theta).distance
    turned = ho.nearest_minimum(student, rotated(student, start), teacher, rotated(teacher, theta)).distance
    assert turned == pytest.approx(distance, rel=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_batch_and_threads_give_the_same_bits(activation: str) -> None:
    student, _, teacher, theta = pair(activation, (2, 2, 6, 2), (True, True), 8)
    starts = student.init(np.random.default_rng(1), size=5)
    batch = ho.nearest_minimum(student, starts, teacher, theta, threads=2)
    for threads in (1, 3):
        again = ho.nearest_minimum(student, starts, teacher, theta, threads=threads)
        assert np.array_equal(batch.theta, again.theta)
        assert np.array_equal(batch.lower_bound_covered, again.lower_bound_covered)
    for start, point, distance in zip(starts, batch.theta, batch.distance, strict=True):
        alone = ho.nearest_minimum(student, start, teacher, theta)
        assert np.array_equal(alone.theta, point)
        assert alone.distance == distance


def test_repr_says_what_was_found() -> None:
    student, start, teacher, theta = pair("gelu", (2, 1, 3, 1), (True, True), 0)
    near = ho.nearest_minimum(student, start, teacher, theta)
    assert "there may be other minima" in repr(near)
    assert "mirrored" in near.missing
    assert not near.complete
    assert "2 starts" in repr(ho.nearest_minimum(student, [start, start], teacher, theta))
