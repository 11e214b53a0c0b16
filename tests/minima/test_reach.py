"""Probabilities of being near a global minimum, against closed forms, sampling, and sums over pieces one by one."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

import hessorbit as ho
from hessorbit import schemes
from hessorbit.minima.inversion import GeneralizedChiSquare
from hessorbit.minima.reach import clopper_pearson
from hessorbit.minima.small_radius import log_uniform_sum, small_radius_law
from hessorbit.minima.subspace_laws import Piece, SubspaceLaws, variances
from hessorbit.minima.teacher import Setting, setting_of


def problem(activation: str, widths: tuple[int, int, int, int], bias: Any = False, seed: int = 0) -> Setting:
    d, r, m, k = widths
    teacher = ho.MLP([d, r, k], activation, bias=bias)
    theta = teacher.init(np.random.default_rng(seed), "normal(1)")
    return setting_of(ho.MLP([d, m, k], activation, bias=bias), teacher, theta)


def laws(where: Setting, init: str) -> SubspaceLaws:
    return SubspaceLaws(where, variances(where, schemes.scheme_of(init)))


# The relative error of the integrals, asked for at 1e-11; a factor 10 for rounding in logarithms of some hundreds.
INTEGRAL = 1e-10


@pytest.mark.parametrize(
    ("dof", "noncentrality", "x"),
    [(1, 0.0, 0.5), (1, 0.0, 1e-8), (2, 0.0, 3.0), (5, 3.0, 2.0), (100, 50.0, 30.0), (3, 0.0, 1e-6), (1, 5.0, 0.01),
     (10, 2000.0, 1500.0), (40, 1.0, 400.0), (70, 458.4, 588.4), (70, 458.4, 800.0)],
)  # fmt: skip
def test_single_weight_against_noncentral_chi_square(dof: int, noncentrality: float, x: float) -> None:
    found = GeneralizedChiSquare((2.0,), (dof,), (noncentrality,)).cdf(2 * x)
    law = stats.ncx2(dof, noncentrality) if noncentrality else stats.chi2(dof)
    assert found.value == pytest.approx(law.cdf(x), rel=INTEGRAL)
    assert found.relative_error <= INTEGRAL


@pytest.mark.parametrize("x", [1e-6, 1e-2, 1.0, 7.0, 60.0])
def test_different_weights_against_sums_of_exponentials(x: float) -> None:
    """χ² of two degrees of freedom are exponential: their weighted sum has a closed form, which cancels for small x."""
    weights = (0.1, 0.7, 1.0, 4.0)
    with mpmath.workdps(60):
        w = [mpmath.mpf(v) for v in weights]
        total = mpmath.mpf(1)
        for j, own in enumerate(w):
            factor = mpmath.fprod(own / (own - other) for i, other in enumerate(w) if i != j)
            total -= factor * mpmath.exp(-mpmath.mpf(x) / (2 * own))
    found = GeneralizedChiSquare(weights, (2,) * 4, (0.0,) * 4).cdf(x)
    assert found.value == pytest.approx(float(total), rel=INTEGRAL)


@pytest.mark.parametrize("x", [0.3, 3.0, 12.0])
def test_noncentral_weights_against_a_mixture(x: float) -> None:
    """Ruben 1962: a mixture of central χ², all of whose weights are positive."""
    weights, dof, noncentrality = (0.5, 2.0), (3, 2), (1.5, 4.0)
    beta = min(weights)
    gamma = [1 - beta / w for w in weights]
    terms = 400
    g = [
        sum(n * c**k + k * d * c ** (k - 1) * (1 - c) for n, c, d in zip(dof, gamma, noncentrality, strict=True))
        for k in range(1, terms)
    ]
    a = [np.exp(-sum(noncentrality) / 2) * np.prod([(beta / w) ** (n / 2) for w, n in zip(weights, dof, strict=True)])]
    for k in range(1, terms):
        a.append(sum(g[k - 1 - i] * a[i] for i in range(k)) / (2 * k))
    expected = sum(a[k] * stats.chi2.cdf(x / beta, sum(dof) + 2 * k) for k in range(terms))
    assert GeneralizedChiSquare(weights, dof, noncentrality).cdf(x).value == pytest.approx(expected, rel=INTEGRAL)


def test_shift_and_constants() -> None:
    assert GeneralizedChiSquare((), (), (), 2.0).cdf(1.0).value == 0
    assert GeneralizedChiSquare((), (), (), 2.0).cdf(3.0).value == 1
    shifted = GeneralizedChiSquare((1.0,), (3,), (1.0,), 2.0)
    assert shifted.cdf(1.9).value == 0
    assert shifted.cdf(4.0).value == pytest.approx(stats.ncx2.cdf(2.0, 3, 1.0), rel=INTEGRAL)
    assert shifted.mean == 6.0


@pytest.mark.parametrize("init", ["normal(0.6)", "glorot_normal"])
@pytest.mark.parametrize("bias", [False, (True, False), True])
def test_law_of_a_piece_against_projections(init: str, bias: Any) -> None:
    """Distances of random starts to one piece, by least squares: their empirical law against the integral."""
    where = problem("elu", (2, 2, 5, 2), bias)
    piece = Piece((2, 1), 1, 1) if where.symmetry.off != "never" else Piece((2, 1), 2)
    starts = where.net.init(np.random.default_rng(1), init, size=4000)
    incoming, outgoing, output = where.split(starts)
    first, second = where.incoming
    squared = (
        ((incoming[:, :2] - first) ** 2).sum((1, 2))
        + ((incoming[:, 2] - second) ** 2).sum(1)
        + ((outgoing[:, 0] + outgoing[:, 1] - where.outgoing[0]) ** 2).sum(1) / 2
        + ((outgoing[:, 2] - where.outgoing[1]) ** 2).sum(1)
        + (outgoing[:, 3] ** 2).sum(1)
        + (((incoming if piece.off else outgoing)[:, 4]) ** 2).sum(1)
        + (output**2).sum(1)
    )
    law = laws(where, init).law(piece)
    assert squared.mean() == pytest.approx(law.mean, rel=5 * squared.std() / squared.mean() / np.sqrt(len(squared)))
    for level in (0.05, 0.5, 0.9):
        x = float(np.quantile(squared, level))
        # Five standard deviations of an empirical probability.
        assert law.cdf(x).value == pytest.approx(level, abs=5 * np.sqrt(level * (1 - level) / len(squared)))


@pytest.mark.parametrize("init", ["normal(0.7)", "glorot_normal"])
@pytest.mark.parametrize(
    ("activation", "bias", "signs"), [("g", False, 1), ("tanh", False, 2), ("gelu", (False, True), 1)]
)
def test_generating_function_against_the_sum_over_pieces(init: str, activation: str, bias: Any, signs: int) -> None:
    where = problem(activation, (2, 2, 5, 2), bias)
    laws_ = laws(where, init)
    v = laws_.variance
    off = where.symmetry.off != "never"
    for s in (0.1, 3.0, 50.0, 2 + 5j):

        def g(variance: float, square: float, s: complex = s) -> complex:
            return np.exp(-s * square / (1 + 2 * variance * s)) / np.sqrt(1 + 2 * variance * s)

        neuron = g(v.weight, 0) ** 2 * (g(v.hidden_bias, 0) if where.net.biases[0] else 1)
        total = 0.0
        # A dead neuron may be off instead: pieces that enumerate_minima does not list.
        for piece in ho.enumerate_minima(2, 5, inputs=2, outputs=2, bias=where.net.biases):
            product = 1.0
            for i in range(2):
                n = piece.teacher.count(i)
                for j, target in enumerate(where.incoming[i]):
                    product *= g(v.weight if j < 2 else v.hidden_bias, target**2) ** n
                for target in where.outgoing[i]:
                    product *= g(v.outgoing, target**2 / n)
                product *= signs**n
            for group in set(piece.group) - {-1}:
                z = piece.group.count(group)
                factor = (signs * neuron) ** (z - 1) * g(v.outgoing, 0) ** 2
                product *= factor + (neuron if off and z == 1 else 0)
            if where.net.biases[1]:
                product *= np.prod([g(v.output_bias, c**2) for c in where.output_bias])
            total += product
        assert np.exp(laws_.log_all(s)) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("radius", [0.05, 0.5, 2.0])
def test_one_point_has_the_probability_of_a_ball(radius: float) -> None:
    """One student, one teacher, no moves: a single minimum, and both bounds are the probability itself."""
    where = problem("exp", (2, 1, 1, 2))
    theta = np.concatenate([where.incoming[0], where.outgoing[0]])
    exact = stats.ncx2.cdf(radius**2 / 0.49, 4, (theta**2).sum() / 0.49)
    reach = ho.reach_probability(
        where.net, where.teacher, theta, radius, init="normal(0.7)", samples=2000, rng=np.random.default_rng(0)
    )
    assert reach.lower_bound == pytest.approx(exact, rel=INTEGRAL)
    assert reach.upper_bound == pytest.approx(exact, rel=INTEGRAL)
    # The interval at 95 % may miss; at 99.9999 % it must not.
    hits = np.array([round(reach.estimate * 2000)])
    low, high = clopper_pearson(hits, 2000, 1 - 1e-6)
    assert low[0] <= exact <= high[0]


def test_uniform_start_in_the_plane() -> None:
    """One weight in, one out, uniform on a square; the minimum inside it: a disc, of area πε²."""
    net = ho.MLP([1, 1, 1], "exp", bias=False)
    radius = 0.3
    reach = ho.reach_probability(net, net, [0.2, 0.5], [radius, 3.0], samples=4000, rng=np.random.default_rng(1))
    exact = np.pi * radius**2 / 4
    assert reach.interval[0][0] <= exact <= reach.interval[1][0]
    assert reach.estimate[1] == 1
    assert reach.small_radius(radius) == pytest.approx(exact, rel=1e-12)
    assert reach.lower_bound is None


CASES = [
    ("tanh", False, (2, 2, 4, 1)),
    ("tanh", False, (1, 2, 4, 3)),
    ("tanh", (True, False), (2, 1, 4, 1)),
    ("elu", (True, False), (3, 2, 4, 2)),
    ("g", False, (2, 2, 5, 2)),
    ("exp", (False, True), (2, 2, 4, 2)),
    ("exp", (False, True), (2, 2, 4, 3)),
    ("cos", (False, False), (2, 2, 4, 1)),
    # Without an output bias constants cancel each other.
    ("softplus", (True, False), (2, 1, 3, 1)),
]


@pytest.mark.parametrize(("activation", "bias", "widths"), CASES)
@pytest.mark.parametrize("init", ["normal(0.6)", "normal(1)"])
def test_union_bound_tends_to_the_law_of_small_radii(
    activation: str, bias: Any, widths: tuple[int, int, int, int], init: str
) -> None:
    """Two ways to the same number that share no code: an integral of Laplace transforms, and densities."""
    where = problem(activation, widths, bias)
    bounds, scheme = laws(where, init), schemes.scheme_of(init)
    law = small_radius_law(where, bounds.variance, scheme)
    radius = 1e-7
    log = law.log_coefficient + law.exponent * np.log(radius)
    # Pieces of the next codimension add a part of the order of the radius times a ratio of densities.
    assert bounds.upper_bound(radius).log == pytest.approx(log, abs=2e-4)


@pytest.mark.parametrize("activation", ["exp", "tanh"])
@pytest.mark.parametrize("init", ["torch", "normal(0.7)"])
def test_law_of_small_radii_against_sampling(activation: str, init: str) -> None:
    """Two students of one teacher on a line: codimension three, so that a small radius is still seen."""
    net, teacher = ho.MLP([1, 2, 1], activation, bias=False), ho.MLP([1, 1, 1], activation, bias=False)
    radius = 0.1
    reach = ho.reach_probability(
        net, teacher, [0.4, 0.3], radius, init=init, samples=60000, rng=np.random.default_rng(2), confidence=1 - 1e-6
    )
    assert reach.small_radius.exponent == 3
    # Corrections are of the order of the radius: curvature of the density, and corners where pieces meet.
    assert reach.interval[0] * 0.8 <= reach.small_radius(radius) <= reach.interval[1] * 1.25


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_density_of_uniform_sums(n: int) -> None:
    """Irwin and Hall's alternating sum, at 50 digits."""
    half = 0.8
    for y in np.linspace(-0.95, 0.95, 7) * n * half:
        with mpmath.workdps(50):
            x = (mpmath.mpf(y) / half + n) / 2
            terms = [(-1) ** k * mpmath.binomial(n, k) * (x - k) ** (n - 1) for k in range(int(x) + 1)]
            density = mpmath.fsum(terms) / mpmath.factorial(n - 1) / (2 * half)
            expected = float(mpmath.log(density * mpmath.sqrt(n)))
        assert log_uniform_sum(half**2 / 3, n, y) == pytest.approx(expected, abs=1e-10)
    assert log_uniform_sum(half**2 / 3, n, 1.01 * n * half) == -np.inf


def test_teacher_beyond_a_uniform_start() -> None:
    where = problem("exp", (1, 1, 2, 1))
    scheme = schemes.scheme_of("torch")
    spread = variances(where, scheme)
    far = setting_of(where.net, where.teacher, [3.0, 0.3])  # no incoming weight reaches it
    assert small_radius_law(far, spread, scheme).log_coefficient == -np.inf
    # Outgoing weights are within ±1/√2, so that it takes two to reach 1: both copies, codimension 3 all the same.
    shared = small_radius_law(setting_of(where.net, where.teacher, [0.5, 1.0]), spread, scheme)
    assert shared.exponent == 3
    assert shared.log_coefficient > -np.inf


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "elu", "relu"])
@pytest.mark.parametrize("bias", [False, True, (False, True), (True, False)])
@pytest.mark.parametrize("init", ["normal(0.7)", "he_normal"])
def test_bounds_enclose_the_estimate(activation: str, bias: Any, init: str) -> None:
    where = problem(activation, (1, 1, 2, 1), bias, seed=3)
    theta = where.teacher.flatten(
        [
            (where.incoming[:, :1], where.incoming[:, 1] if where.net.biases[0] else None),
            (where.outgoing.T, where.output_bias if where.net.biases[1] else None),
        ]
    )
    radii = [0.3, 0.7, 1.2, 2.0]
    reach = ho.reach_probability(
        where.net, where.teacher, theta, radii, init=init, samples=1500, confidence=1 - 1e-6,
        rng=np.random.default_rng(4),
    )  # fmt: skip
    assert (reach.lower_bound <= reach.interval[1]).all()
    assert (np.diff(reach.estimate) >= 0).all()
    if activation == "relu":
        assert reach.upper_bound is None
        assert reach.small_radius is None
    else:
        assert (reach.upper_bound >= reach.interval[0]).all()
        assert (reach.lower_bound <= reach.upper_bound * (1 + INTEGRAL)).all()
    assert (reach.bounds_error <= 1e-8).all()


def test_the_likeliest_piece_is_found() -> None:
    """Against all numbers of copies, of dead neurons and of neurons off."""
    where = problem("tanh", (2, 2, 6, 1))
    bounds = laws(where, "normal(0.7)")
    for radius in (0.1, 1.0, 3.0):
        best = max(
            bounds.law(Piece((a, b), dead, 6 - a - b - dead)).cdf(radius**2).log
            for a, b in itertools.product(range(1, 6), repeat=2)
            if a + b <= 6
            for dead in range(7 - a - b)
        )
        assert bounds.lower_bound(radius).log == pytest.approx(best, abs=1e-9)


def test_interval_against_scipy() -> None:
    for hits, samples in [(0, 10), (3, 10), (10, 10), (517, 4000)]:
        expected = stats.binomtest(hits, samples).proportion_ci(0.95, "exact")
        low, high = clopper_pearson(np.array([hits]), samples, 0.95)
        assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)


def test_undecided_samples_widen_the_interval() -> None:
    where = problem("tanh", (2, 3, 6, 2))
    theta = where.teacher.flatten([(where.incoming, None), (where.outgoing.T, None)])
    arguments: dict[str, Any] = {"init": "normal(0.7)", "samples": 40}
    exact = ho.reach_probability(where.net, where.teacher, theta, 3.0, rng=np.random.default_rng(0), **arguments)
    radius = float(exact.quantile(0.5))
    sharp, vague = (
        ho.reach_probability(
            where.net, where.teacher, theta, radius, rng=np.random.default_rng(0), max_nodes=nodes, **arguments
        )
        for nodes in (None, 1)
    )
    assert sharp.undecided == 0
    assert vague.interval[0] <= sharp.interval[0]
    assert vague.interval[1] >= sharp.interval[1]
    assert "radius" in repr(sharp)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"radius": 0.0}, ValueError, "radius must be positive"),
        ({"radius": [1.0, -1.0]}, ValueError, "radius must be positive"),
        ({"radius": []}, ValueError, "radius must be one number or a list"),
        ({"radius": np.nan}, ValueError, "radius must be finite"),
        ({"init": "lecun"}, ValueError, "scheme must be one of"),
        ({"samples": 0}, ValueError, "samples must be at least 1"),
        ({"confidence": 1.0}, ValueError, "confidence must be"),
        ({"rng": 0}, TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_bad_arguments(change: dict[str, Any], error: type[Exception], message: str) -> None:
    net = ho.MLP([1, 1, 1], bias=False)
    common = {"net": net, "teacher": net, "theta_teacher": [1.0, 1.0], "radius": 1.0, "samples": 2}
    arguments = common | {"rng": np.random.default_rng(0)}
    with pytest.raises(error, match=message):
        ho.reach_probability(**(arguments | change))
