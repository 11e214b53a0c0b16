"""Results that float64 can hold are right, though products on the way to them may overflow or underflow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.targets import LOSSES as TABLE
from oracles import jets
from oracles.compare import METHODS, computed
from oracles.problem import LOSSES, Problem, random_problem
from oracles.taylor import context, mpf, to_mp

pytestmark = pytest.mark.core
LARGEST, SMALLEST = np.finfo(float).max, np.finfo(float).smallest_normal


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def net(*widths: int, activation: str = "tanh") -> Any:
    return ho.MLP(list(widths), activation, bias=False)


def blocks(problem: Problem) -> list[np.ndarray]:
    """Index sets of θ within which every entry has the same scale: weights and biases of each layer."""
    return [part.ravel() for layer in problem.layers() for part in (layer.weights, layer.bias) if part is not None]


def assert_block(value: Any, exact: Any, terms: Any, what: str) -> None:
    """Within 1e-12 of the largest sum of the magnitudes of an entry's terms, if float64 can hold it."""
    value, exact = np.asarray(value), np.asarray(exact, object)
    scale = max([abs(v) for v in np.asarray(terms, object).ravel()], default=mpf(0))
    if scale > mpf(LARGEST) / 16:
        return
    allowed = mpf(1e-12) * scale + mpf(SMALLEST)
    assert np.isfinite(value).all(), f"{what}: not finite, {scale}"
    errors = [abs(to_mp(a) - b) for a, b in zip(value.ravel(), exact.ravel(), strict=True)]
    assert max(errors, default=0) <= allowed, f"{what}: {value} for {exact}"


def check(problem: Problem) -> None:
    """Block by block between layers, against jets of unbounded exponents, and digits enough for tanh(1e-300)."""
    with context.workdps(350):
        compare(problem, jets.evaluate(problem, digits50=True))


def compare(problem: Problem, reference: jets.Reference) -> None:
    objective, theta = problem.objective(), problem.theta
    results = computed(objective, theta)
    v = np.sign(rng().standard_normal(problem.num_parameters))
    results["product"] = objective.hvp(theta, np.diag(v))
    magnitudes = {
        name: reference.mean(reference.running_magnitudes, name, None) for name in reference.running_magnitudes
    }
    hessian, large = reference.total("hessian"), magnitudes["hessian"]
    assert_block(results["loss"], reference.total("loss"), magnitudes["loss"], "loss")
    assert_block(results["outputs"], reference.total("outputs"), reference.total("outputs"), "outputs")
    both = np.concatenate([reference.outputs.ravel(), [to_mp(t) for t in problem.targets.ravel()], [mpf(1)]])
    assert_block(results["residual"], reference.total("residual"), both, "residual")
    trace = np.diagonal(large).sum()
    assert_block(results["trace"], np.diagonal(hessian).sum(), trace, "trace")
    for one in blocks(problem):
        assert_block(
            results["gradient"][one], reference.total("gradient")[one], magnitudes["gradient"][one], "gradient"
        )
        assert_block(results["diagonal"][one], np.diagonal(hessian)[one], np.diagonal(large)[one], "diagonal")
        exact = reference.total("jacobian")[:, one]
        assert_block(results["jacobian"][:, one], exact, exact, "jacobian")
        for other in blocks(problem):
            at = np.ix_(one, other)
            assert_block(results["hessian"][at], hessian[at], large[at], "hessian")
            assert_block(results["product"][at], hessian[at] * v[other], large[at], "product")
            gauss_newton = reference.total("gauss_newton")[at]
            assert_block(results["gauss_newton"][at], gauss_newton, magnitudes["gauss_newton"][at], "gauss_newton")


def scaled(problem: Problem, exponents: list[float], x: float) -> Problem:
    """Weights of each layer times powers of ten, and the inputs too."""
    theta = problem.theta.copy()
    for layer, exponent in zip(problem.layers(), exponents, strict=True):
        theta[layer.weights] *= 10.0**exponent
    return problem.replace(theta=theta, x=problem.x * 10.0**x)


@pytest.mark.parametrize("seed", range(12))
def test_widely_scaled_layers(seed: int) -> None:
    """Layers whose scales cancel, so that every preactivation is of order one."""
    generator = rng(seed)
    depth = int(generator.integers(1, 5))
    activation = ["identity", "relu", "softsign", "leaky_relu", "tanh"][int(generator.integers(5))]
    widths = (2, *generator.integers(1, 4, depth - 1).tolist(), 2)
    loss = LOSSES[int(generator.integers(len(LOSSES)))]
    problem = random_problem(generator, widths, activation, biases=False, loss=loss, samples=2, weighted=True)
    x = float(generator.uniform(-250, 250))
    exponents = np.diff(generator.uniform(-250, 250, depth + 1), prepend=0.0)[1:] if depth > 1 else np.zeros(1)
    exponents = np.clip(exponents, -280, 280)
    exponents[0] -= x + exponents.sum()
    if abs(exponents[0]) > 280:
        exponents[0], x = 0.0, float(-exponents[1:].sum())
    check(scaled(problem, exponents.tolist(), float(np.clip(x, -280, 280))))


@pytest.mark.parametrize(
    ("power", "loss"), [(155, "squared_error"), (280, "squared_error"), *((200, loss) for loss in LOSSES)]
)
def test_small_inputs_and_large_weights(power: int, loss: str) -> None:
    problem = random_problem(rng(power), (2, 2, 2, 2), "tanh", biases=False, loss=loss, samples=2)
    for first, second, third, x in [(0, 1, 0, -1), (1, 0, 0, -1), (0, 0, 1, -1), (-1, 0, 1, 0), (-1, 1, 0, 0),
                                    (0, -1, 1, 0), (1, 0, 0, 0)]:  # fmt: skip
        check(scaled(problem, [first * power, second * power, third * power], x * power))


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_targets_and_weights_of_any_scale(scale: float) -> None:
    problem = random_problem(rng(), (2, 3, 2), "tanh", samples=3, weighted=True)
    check(problem.replace(y=problem.y * scale))
    check(problem.replace(y=problem.y * scale, loss="huber", delta=0.5))
    assert problem.sample_weight is not None
    check(problem.replace(sample_weight=problem.sample_weight * [1.0, scale, 1.0]))
    if scale > 1:  # a light sample that is far away
        check(problem.replace(y=problem.y * [[1], [scale], [1]], sample_weight=np.array([1.0, 1 / scale, 1.0])))


def test_penalty_of_large_parameters() -> None:
    one = ho.Objective(net(1, 1, 1), [[1.0]], [0.0])
    assert one.loss([1.35e154, 1.0]) == 0.5
    assert (one.gradient([1.35e154, 1.0]) == [0.0, 1.0]).all()
    for l2 in (1e-300, 1e-3):
        penalised = ho.Objective(net(1, 1, 1), [[1.0]], [0.0], l2=l2)
        exact = mpf(0.5) * (1 + mpf(l2) * (mpf(1.35e154) ** 2 + 1))
        assert penalised.loss([1.35e154, 1.0]) == pytest.approx(float(exact), rel=1e-15)
    small = ho.Objective(net(1, 1, 1), [[1.0]], [0.0], l2=1e200)
    assert small.loss([1e-170, 1e-170]) == pytest.approx(1e-140, rel=1e-14)


def test_squares_that_overflow_on_the_diagonal() -> None:
    obj = ho.Objective(net(1, 1, 1), [[1e-155]], [0.0])
    theta = np.array([0.5, 1e155])
    problem = Problem((1, 1, 1), (("tanh",), ("identity",)), (False, False), "standard", "squared_error",
                      np.array([[1e-155]]), np.array([[0.0]]), theta)  # fmt: skip
    with context.workdps(350):
        exact = jets.evaluate(problem, digits50=True)
    diagonal = np.array([float(v) for v in np.diagonal(exact.total("hessian"))])
    np.testing.assert_allclose(obj.hessian_diagonal(theta), diagonal, rtol=1e-14)
    assert obj.hessian_diagonal(theta)[0] == pytest.approx(1.0, rel=1e-14)
    assert obj.hessian_trace(theta) == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(np.diagonal(obj.hessian(theta)), diagonal, rtol=1e-14)


def test_products_whose_order_matters() -> None:
    obj = ho.Objective(net(1, 1, 1, 1), [[1e-160]], [0.0])
    theta = np.array([0.5, 1e160, 0.5])
    problem = Problem((1, 1, 1, 1), (("tanh",), ("tanh",), ("identity",)), (False,) * 3, "standard", "squared_error",
                      np.array([[1e-160]]), np.array([[0.0]]), theta)  # fmt: skip
    assert obj.hessian(theta)[0, 0] == pytest.approx(0.070651, rel=1e-4)
    check(problem)


@pytest.mark.parametrize("loss", LOSSES)
def test_samples_without_weight_do_not_matter(loss: str) -> None:
    """Their values may overflow in every layer, and their targets too; what remains is the mean of the others."""
    problem = random_problem(rng(), (2, 4, 3), "cube", loss=loss, samples=21, integer_labels=False)
    kept = np.arange(21) % 3 != 2  # the last sample, which padding follows, has no weight
    x, y = problem.x.copy(), problem.y.astype(float)
    x[~kept] *= 1e150
    if TABLE[loss]["targets"] in ("real", "nonnegative"):
        y[~kept] = 1e300
    given = ho.Objective(problem.network(), x, y, loss=loss, sample_weight=kept.astype(float), l2=0.1)
    alone = ho.Objective(problem.network(), x[kept], y[kept], loss=loss, l2=0.1)
    for dtype in (np.float64, np.longdouble):
        theta = problem.theta.astype(dtype)
        for name in ("loss", "gradient", "hessian", "gauss_newton", "diagonal", "trace"):
            one, other = (getattr(obj, METHODS[name])(theta) for obj in (given, alone))
            # The same terms in another order: a few dozen roundings of the largest.
            assert np.abs(one - other).max() <= 1e-13 * np.abs(other).max(), name
        assert given.outputs(theta).shape == (21, 3)
        assert given.residual(theta).shape == (63,)
        np.testing.assert_array_equal(given.outputs(theta), problem.network()(theta, x))


def test_light_sample_of_a_constant_model() -> None:
    obj = ho.Objective(net(1, 1), [[1.0], [1.0], [1.0]], [1.0, 0.0, 1e200], sample_weight=[1.0, 1.0, 0.0])
    assert obj.loss([0.5]) == 0.125
    obj = ho.Objective(net(1, 1), [[1.0], [0.0], [1.0]], [1.0, 0.0, 1e200], sample_weight=[1.0, 1.0, 0.0])
    assert obj.loss([0.5]) == 0.0625


@pytest.mark.parametrize("count", range(1, 18))
def test_padding_poisons_nothing(count: int) -> None:
    """The last sample is so light that its overflowing square matters no more."""
    x, y, weight = np.ones((count, 1)), np.zeros(count), np.ones(count)
    y[-1], weight[-1] = 1e200, 1e-250 if count > 1 else 1.0
    obj = ho.Objective(net(1, 1), x, y, sample_weight=weight)
    exact = sum(mpf(w) * (mpf(0.5) - mpf(t)) ** 2 / 2 for w, t in zip(weight, y, strict=True)) / sum(map(mpf, weight))
    if count == 1:
        assert obj.loss([0.5]) == np.inf
    else:
        assert obj.loss([0.5]) == pytest.approx(float(exact), rel=1e-14)
    assert obj.hessian([0.5])[0, 0] == pytest.approx(1.0, rel=1e-14)


def test_vectors_of_any_scale() -> None:
    """H v is linear in v: scaled by a power of two it has the same digits."""
    problem = random_problem(rng(), (2, 4, 3, 1), samples=5)
    obj, theta = problem.objective(), problem.theta
    v = rng(1).standard_normal(problem.num_parameters)
    product = obj.hvp(theta, v)
    for power in (-1000, -600, 600, 1000):
        np.testing.assert_allclose(np.ldexp(obj.hvp(theta, np.ldexp(v, power)), -power), product, rtol=1e-11)


def test_what_overflows_in_truth_is_infinite() -> None:
    obj = ho.Objective(net(1, 1), [[1.0]], [0.0])
    assert obj.loss([1e200]) == np.inf
    assert obj.gradient([1e200])[0] == 1e200
    assert ho.Objective(net(1, 1, activation="exp"), [[1.0]], [0.0], loss="poisson").loss([800.0]) == np.inf


@pytest.mark.parametrize("size", [720.0, 2e3, 5e3])
def test_zeros_times_exponentials_beyond_all_range(size: float) -> None:
    """An input, a weight or a sample's part that is exactly zero stays so beside e^{5000}, which long double holds."""
    poisson = ho.Objective(net(2, 1), [[1.0, 0.0]], [3.0], loss="poisson")
    exponential = ho.Objective(net(1, 2, 1, activation="exp"), [[1.0]], [3.0])
    for obj, theta, zeros in (
        (poisson, [size, 0.5], [1]),
        (ho.Objective(net(2, 2, 1, activation="relu"), [[1.0, 0.0]], [3.0], loss="poisson"),
         [1.0, 0.2, -1.0, 0.3, size, 2.0], [1, 2, 3, 5]),
        (exponential, [size, 0.5, 0.0, 2.0], [0]),
    ):  # fmt: skip
        at = np.array(theta)
        gradient, hessian, product = obj.gradient(at), obj.hessian(at), obj.hvp(at, np.ones(len(at)))
        assert not np.isnan(np.concatenate([[obj.loss(at)], gradient, hessian.ravel(), product])).any()
        assert not np.isnan([*obj.hessian_diagonal(at), *obj.gauss_newton(at).ravel(), obj.hessian_trace(at)]).any()
        assert (gradient[zeros] == 0).all()
        if obj is not exponential:
            assert (hessian[zeros] == 0).all()
            assert (obj.gauss_newton(at)[zeros] == 0).all()
    # e^{size} counts nothing where its outgoing weight is zero.
    assert exponential.loss([size, 0.5, 0.0, 2.0]) == pytest.approx(0.5 * (2 * np.exp(0.5) - 3) ** 2, rel=1e-14)


@pytest.mark.parametrize("activation", ["exp", "square", "cube"])
def test_activations_that_amplify(activation: str) -> None:
    """σ(z) beyond float64 with outgoing weights that bring it back."""
    scale = {"exp": 750.0, "square": 1e180, "cube": 1e120}[activation]
    down = 1e-300
    problem = Problem((1, 1, 1), ((activation,), ("identity",)), (False, False), "standard", "squared_error",
                      np.array([[1.0]]), np.array([[1.0]]), np.array([scale, down]))  # fmt: skip
    check(problem)


def test_the_same_bits_alone_and_in_a_batch() -> None:
    problem = random_problem(rng(), (2, 3, 2, 1), biases=False, samples=9)
    far = scaled(problem, [0, 200, 0], 0).theta
    batch = np.stack([problem.theta, far, problem.theta / 2, far / 3, problem.theta])
    obj = problem.objective()
    for method in METHODS.values():
        together = getattr(obj, method)(batch)
        for one, theta in zip(together, batch, strict=True):
            np.testing.assert_array_equal(one, getattr(obj, method)(theta))
    v = rng().standard_normal((5, problem.num_parameters, 3)) * np.array([1, 1, 1e-200, 1, 1e200])[:, None, None]
    for vectors in (v, v[2], v[2, :, 0]):
        together = obj.hvp(batch, vectors)
        for index, theta in enumerate(batch):
            own = vectors[index] if vectors.ndim == 3 else vectors
            np.testing.assert_array_equal(together[index], obj.hvp(theta, own))
