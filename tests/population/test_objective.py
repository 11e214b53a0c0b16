"""The population objective against samples, published values and identities, and its manners."""

from __future__ import annotations

import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest

import hessorbit as ho

DERIVATIVES = ("loss", "gradient", "hessian", "gauss_newton")


def gauss_hermite(count: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (count^inputs, inputs) and weights that integrate polynomials against the normal density."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    axes = np.meshgrid(*[nodes] * inputs, indexing="ij")
    products = np.array(np.meshgrid(*[weights / weights.sum()] * inputs, indexing="ij")).prod(axis=0)
    return np.stack([axis.ravel() for axis in axes], axis=1), products.ravel()


def root_of(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))


LAWS: list[tuple[Any, Any]] = [
    (None, None),
    ([0.3, -0.2], [[0.5, 0.2], [0.2, 0.3]]),
    (None, [[0.4, 0.2], [0.2, 0.1]]),  # of rank 1
    ([0.3, -0.2], np.zeros((2, 2))),
]


@pytest.mark.parametrize("parametrization", ["standard", "ntk", "mean_field"])
@pytest.mark.parametrize("bias", [True, [True, False], [False, True], False], ids=str)
@pytest.mark.parametrize(("mean", "covariance"), LAWS, ids=["standard", "general", "singular", "point"])
def test_objective_on_many_samples_tends_to_it(parametrization: str, bias: Any, mean: Any, covariance: Any) -> None:
    """Gauss–Hermite nodes are samples whose sums are the integrals, for entire activations and short weights."""
    rng = np.random.default_rng(5)
    net = ho.MLP([2, 3, 2], [["erf", "gelu", "sin"]], bias=bias, parametrization=parametrization)
    teacher = ho.MLP([2, 2, 2], [["cos", "erf"]])
    theta, fixed = (0.5 * n.init(rng, "normal(1)") for n in (net, teacher))
    t, weight = gauss_hermite(60, 2)
    root = np.eye(2) if covariance is None else root_of(np.asarray(covariance))
    x = t @ root.T + (0 if mean is None else np.asarray(mean))
    samples = ho.Objective(net, x, teacher(fixed, x), sample_weight=weight, l2=0.01)
    pop = ho.PopulationObjective(net, teacher, fixed, mean=mean, covariance=covariance, l2=0.01)
    for name in DERIVATIVES:
        expected = np.asarray(getattr(samples, name)(theta))
        # Both sum some 10³ terms of size 1; 60 nodes integrate what is this smooth to rounding.
        assert np.abs(getattr(pop, name)(theta) - expected).max() <= 1e-13 * max(1.0, np.abs(expected).max()), name


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "silu", "g"])
def test_one_input(name: str) -> None:
    """In one dimension there are nodes enough for poles too."""
    rng = np.random.default_rng(6)
    net, teacher = ho.MLP([1, 3, 1], name), ho.MLP([1, 2, 1], name)
    theta, fixed = (0.3 * n.init(rng, "normal(1)") for n in (net, teacher))
    t, weight = gauss_hermite(180, 1)
    samples = ho.Objective(net, t, teacher(fixed, t), sample_weight=weight)
    pop = ho.PopulationObjective(net, teacher, fixed)
    for derivative in DERIVATIVES:
        expected = np.asarray(getattr(samples, derivative)(theta))
        # The nearest pole, of g, is 1.3 or more away: 180 nodes leave e^{−2·1.3·√360} of it.
        assert np.abs(getattr(pop, derivative)(theta) - expected).max() <= 1e-10 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_random_samples(name: str) -> None:
    """Means over 10⁶ samples are within 5 of their standard errors."""
    rng = np.random.default_rng(7)
    net, teacher = ho.MLP([4, 3, 1], name), ho.MLP([4, 2, 1], "erf")
    theta, fixed = net.init(rng), teacher.init(rng, "normal(1)")
    pop = ho.PopulationObjective(net, teacher, fixed)
    losses, gradients = [], []
    for _ in range(100):
        x = rng.standard_normal((10_000, 4))
        value, gradient = ho.Objective(net, x, teacher(fixed, x)).value_and_gradient(theta)
        losses.append(value), gradients.append(gradient)
    for found, batches in ((pop.loss(theta), np.array(losses)), (pop.gradient(theta), np.array(gradients))):
        error = batches.std(axis=0, ddof=1) / 10
        assert (np.abs(batches.mean(axis=0) - found) <= 5 * error).all()


@pytest.mark.parametrize("name", ["relu", "leaky_relu(0.2)", "selu", "elu", "softsign", "g"])
def test_hessian_is_the_derivative_of_the_gradient(name: str) -> None:
    """With the deltas of σ'', by central differences extrapolated once."""
    rng = np.random.default_rng(8)
    net, teacher = ho.MLP([3, 3, 2], name), ho.MLP([3, 2, 2], "tanh")
    theta = net.init(rng, "normal(1)")
    pop = ho.PopulationObjective(net, teacher, teacher.init(rng, "normal(1)"))

    def differences(step: float) -> np.ndarray:
        ends = [[pop.gradient(theta + sign * step * e) for e in np.eye(len(theta))] for sign in (1, -1)]
        return (np.array(ends[0]) - np.array(ends[1])) / (2 * step)

    hessian = pop.hessian(theta)
    # The error is the fourth power of the step times derivatives, and 1e-15 over the step.
    assert np.abs(hessian - (4 * differences(1e-3) - differences(2e-3)) / 3).max() <= 1e-9 * np.abs(hessian).max()


def committee(width: int) -> tuple[ho.MLP, Any]:
    """A soft committee machine with as many inputs as neurons, and its θ from W."""
    net = ho.MLP([width, width, 1], "erf", bias=False)
    return net, lambda w: net.flatten([(w, None), (np.ones((1, width)), None)])


@pytest.mark.parametrize(("scale", "loss"), [(0.0, 1 / 3), (0.5, 0.0518562376), (2.0, 0.0518562376), (1.0, 0.0)])
def test_loss_of_saad_and_solla(scale: float, loss: float) -> None:
    net, theta = committee(2)
    found = ho.PopulationObjective(net, net, theta(np.eye(2))).loss(theta(scale * np.eye(2)))
    assert found == pytest.approx(loss, abs=5e-11)  # ten digits are published


@pytest.mark.parametrize(
    ("width", "loss"), [(2, 0.01161084031), (3, 0.02029658866), (5, 0.03622632260), (10, 0.07445334300)]
)
def test_symmetric_plateau_of_saad_and_solla(width: int, loss: float) -> None:
    """All student vectors are R Σ_n B_n with R = 1/√(K(2K − 1)): the gradient in W vanishes there, at a saddle."""
    net, theta = committee(width)
    pop = ho.PopulationObjective(net, net, theta(np.eye(width)))
    at = theta(np.full((width, width), 1 / np.sqrt(width * (2 * width - 1))))
    block = net.block(layer=1, part="weights")
    assert pop.loss(at) == pytest.approx(loss, abs=1e-11)
    assert np.abs(pop.gradient(at)[block]).max() <= 1e-14
    assert np.linalg.eigvalsh(pop.hessian(at)[np.ix_(block, block)])[0] < -1e-3


@pytest.mark.parametrize("width", [2, 3, 6])
def test_relu_trace(width: int) -> None:
    """E[σ'(x_i)² ‖x‖²] summed over i is k²/2."""
    net = ho.MLP([width, width, 1], "relu", bias=False)
    theta = net.flatten([(np.eye(width), None), (np.ones((1, width)), None)])
    pop = ho.PopulationObjective(net, net, theta)
    block = net.block(layer=1, part="weights")
    assert pop.loss(theta) == 0
    assert not pop.gradient(theta).any()
    assert pop.hessian_diagonal(theta)[block].sum() == pytest.approx(width**2 / 2, rel=1e-14)
    assert (pop.hessian(theta) == pop.gauss_newton(theta)).all()


@pytest.mark.parametrize("name", ["erf", "tanh", "sigmoid", "relu"])
def test_widened_teacher(name: str) -> None:
    """The spectrum is that of D^{1/2} H D^{1/2}, of rank P_teacher less the teacher's own zero modes."""
    rng = np.random.default_rng(9)
    net = ho.MLP([3, 3, 1], name)
    teacher = net.init(rng, "normal(1)")
    widening = ho.Widening(net, copies=[[2, 3, 1]])
    wide = ho.PopulationObjective(widening.net, net, teacher)
    theta = widening(teacher)
    root = np.sqrt(widening.preconditioner())
    narrow = np.linalg.eigvalsh(root[:, None] * ho.PopulationObjective(net, net, teacher).hessian(teacher) * root)
    values = np.linalg.eigvalsh(wide.hessian(theta))
    # Eigenvalues are as good as the matrix, times its size.
    floor = 1e-14 * values[-1] * len(values)
    assert np.abs(values[-len(narrow) :] - narrow).max() <= floor
    assert np.abs(values[: -len(narrow)]).max() <= floor
    rank = net.num_parameters - (3 if name == "relu" else 0)
    assert (values > floor).sum() == rank


def test_copies_of_teacher_neurons_leave_no_residual() -> None:
    """Permuted, with flipped signs of odd neurons and even ones, and halved: e is 0 without rounding."""
    rng = np.random.default_rng(10)
    teacher = ho.MLP([3, 2, 2], [["tanh", "cos"]])
    (weights, biases), (outgoing, output) = teacher.unflatten(fixed := teacher.init(rng, "normal(1)"))
    net = ho.MLP([3, 3, 2], [["cos", "tanh", "tanh"]])
    theta = net.flatten(
        [
            (np.array([-weights[1], -weights[0], weights[0]]), np.array([-biases[1], -biases[0], biases[0]])),
            (np.stack([outgoing[:, 1], -outgoing[:, 0] / 4, 3 * outgoing[:, 0] / 4], axis=1), output),
        ]
    )
    pop = ho.PopulationObjective(net, teacher, fixed, mean=[0.1, 0.2, 0.3])
    expected = outgoing[:, 0] / 4 + 3 * outgoing[:, 0] / 4 == outgoing[:, 0]
    assert expected.all()
    assert pop.loss(theta) == 0
    assert not pop.gradient(theta).any()
    assert (pop.hessian(theta) == pop.gauss_newton(theta)).all()


def test_wide_inputs() -> None:
    """In 1000 dimensions; a rotation of all weights turns the derivatives."""
    rng = np.random.default_rng(11)
    net, flat = ho.MLP([1000, 2, 1], "relu"), ho.MLP([3, 2, 1], "relu")
    embedding = np.linalg.qr(rng.standard_normal((1000, 3)))[0]
    theta, teacher = flat.init(rng, size=2)

    def lift(at: np.ndarray) -> np.ndarray:
        (weights, biases), rest = flat.unflatten(at)
        return net.flatten([(weights @ embedding.T, biases), rest])

    pop, low = ho.PopulationObjective(net, net, lift(teacher)), ho.PopulationObjective(flat, flat, teacher)
    assert pop.loss(lift(theta)) == pytest.approx(low.loss(theta), rel=1e-13)
    assert np.abs(pop.gradient(lift(theta)) - lift(low.gradient(theta))).max() <= 1e-14
    block = pop.hessian(lift(theta))[:1000, :1000]
    small = low.hessian(theta)[:3, :3]
    assert np.abs(embedding.T @ block @ embedding - small).max() <= 1e-13
    # Across all weights every direction has the same curvature.
    assert np.trace(block) - np.trace(small) == pytest.approx(997 * directional(block, embedding), rel=1e-11)


def directional(block: np.ndarray, embedding: np.ndarray) -> float:
    across = np.linalg.qr(np.column_stack([embedding, np.ones(len(block))]))[0][:, -1]
    return float(across @ block @ across)


@pytest.mark.parametrize("name", ["relu", "tanh", "selu"])
def test_weights_of_zero(name: str) -> None:
    """A neuron without incoming weights is constant; there it is differentiable if its bias is not 0."""
    net, teacher = ho.MLP([2, 2, 1], name), ho.MLP([2, 1, 1], "erf")
    rng = np.random.default_rng(12)
    theta = net.init(rng, "normal(1)")
    theta[:2] = 0
    pop = ho.PopulationObjective(net, teacher, teacher.init(rng))
    step, hessian = 1e-4, pop.hessian(theta)
    differences = [(pop.gradient(theta + step * e) - pop.gradient(theta - step * e)) / (2 * step) for e in np.eye(9)]
    assert np.abs(hessian - differences).max() <= 1e-7 * np.abs(hessian).max()


def test_batches_threads_and_products() -> None:
    rng = np.random.default_rng(13)
    net, teacher = ho.MLP([3, 4, 2], "tanh"), ho.MLP([3, 2, 2], "relu")
    thetas, fixed = net.init(rng, size=3), teacher.init(rng)
    pop = ho.PopulationObjective(net, teacher, fixed, threads=1)
    other = ho.PopulationObjective(net, teacher, fixed, threads=3)
    copy = pickle.loads(pickle.dumps(other))
    v = rng.standard_normal((net.num_parameters, 2))
    for name in (*DERIVATIVES, "hessian_diagonal", "hessian_trace"):
        alone = np.array([getattr(pop, name)(theta) for theta in thetas])
        for obj in (pop, other, copy):
            assert np.array_equal(getattr(obj, name)(thetas), alone), name
    loss, gradient = pop.value_and_gradient(thetas[0])
    assert loss == pop.loss(thetas[0])
    assert np.array_equal(gradient, pop.gradient(thetas[0]))
    hessian = pop.hessian(thetas[0])
    assert (hessian == hessian.T).all()
    assert np.array_equal(pop.hvp(thetas[0], v), hessian @ v)
    assert pop.hvp(thetas, v).shape == (3, net.num_parameters, 2)
    assert np.allclose(pop.hessian_operator(thetas[0]) @ v[:, 0], hessian @ v[:, 0], rtol=1e-13)
    assert pop.hessian_trace(thetas[0]) == pytest.approx(np.trace(hessian), rel=1e-14)
    factor = pop.gauss_newton_factor(thetas[0])
    assert np.abs(factor.T @ factor - pop.gauss_newton(thetas[0])).max() <= 1e-14 * np.abs(hessian).max()


def test_a_tolerance_out_of_reach_is_told() -> None:
    net = ho.MLP([2, 2, 1], "exp")
    theta = 10.0 * np.ones(net.num_parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ho.PopulationObjective(net, net, 0.1 * theta).loss(0.1 * theta)
    pop = ho.PopulationObjective(net, net, 0.1 * theta)
    with pytest.warns(RuntimeWarning, match="errors up to"):
        pop.hessian(30 * theta)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"net": ho.MLP([2, 1])}, "net must have exactly one hidden layer, as in MLP([d, m, K]); got 0"),
        ({"net": ho.MLP([2, 3, 3, 1])}, "net must have exactly one hidden layer, as in MLP([d, m, K]); got 2"),
        ({"loss": "huber"}, "loss must be 'squared_error', the only one whose expectations are known; got 'huber'"),
        ({"loss": "mse"}, "loss must be one of squared_error"),
        ({"teacher": ho.MLP([2, 3, 3, 1])}, "teacher must have exactly one hidden layer"),
        ({"net": ho.MLP([2, 3, 1], output_activation="tanh")}, "net must have linear outputs"),
        ({"net": ho.MLP([3, 3, 1])}, "teacher must have the student's 3 inputs and 1 output; got 2 and 1"),
        ({"net": ho.MLP([2, 3, 2])}, "teacher must have the student's 2 inputs and 2 outputs; got 2 and 1"),
        ({"theta_teacher": np.zeros(3)}, "theta_teacher must have shape (9,)"),
        (
            {"covariance": [[1.0, 2.0], [2.0, 1.0]]},
            "covariance must be positive semidefinite; it has the eigenvalue -1",
        ),
        ({"covariance": [[1.0, 2.0], [1.0, 4.0]]}, "covariance must be symmetric"),
        ({"covariance": np.eye(3)}, "covariance must have shape (2, 2), as the networks have 2 inputs; got (3, 3)"),
        ({"mean": np.zeros(3)}, "mean must have shape (2,), as the networks have 2 inputs; got (3,)"),
        ({"mean": [0.0, np.nan]}, "mean must be finite; mean[1] is nan"),
        ({"tolerance": 0.0}, "tolerance must be positive"),
        ({"tolerance": 1.0}, "tolerance must be below 1"),
        ({"l2": -1.0}, "l2 must be at least 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"net": ho.MLP([2, 3, 1]), "teacher": ho.MLP([2, 2, 1]), "theta_teacher": np.zeros(9)}
    merged = good | arguments
    with pytest.raises(ValueError, match=re.escape(message)):
        ho.PopulationObjective(merged.pop("net"), merged.pop("teacher"), merged.pop("theta_teacher"), **merged)


def test_bad_types() -> None:
    net, theta = ho.MLP([2, 2, 1]), np.zeros(9)
    with pytest.raises(TypeError, match="net must be an MLP"):
        ho.PopulationObjective("tanh", net, theta)  # type: ignore[arg-type]
    pop = ho.PopulationObjective(net, net, theta)
    with pytest.raises(TypeError, match="theta must be float64"):
        pop.loss(theta.astype(np.longdouble))
    with pytest.raises(ValueError, match="v must have shape"):
        pop.hvp(theta, np.zeros(3))
    with pytest.raises(TypeError, match="loss"):
        ho.PopulationObjective(net, net, theta, loss=1)  # type: ignore[arg-type]


def problem() -> tuple[ho.PopulationObjective, np.ndarray]:
    """A student as wide as its teacher, and where to start."""
    rng = np.random.default_rng(14)
    net = ho.MLP([2, 2, 1], "erf")
    step, teacher = 0.1 * net.init(rng, "normal(1)"), 0.5 * net.init(rng, "normal(1)")
    return ho.PopulationObjective(net, net, teacher), teacher + step


@pytest.mark.parametrize("method", ["lm", "newton", "lbfgs", "flow"])
def test_minimize(method: str) -> None:
    pop, start = problem()
    result = ho.minimize(pop, start, method=method, tol=1e-9)
    assert result.success
    assert result.outcome == "minimum"
    # The loss is below ½ g² / λ_min, and the smallest eigenvalue here is above 1e-6.
    assert result.fun <= 1e-12


@pytest.mark.parametrize(("method", "options"), [("gd", {}), ("momentum", {}), ("adam", {"learning_rate": 1e-2})])
def test_first_order_steps_are_those_on_samples(method: str, options: dict[str, Any]) -> None:
    """On the samples of Gauss and Hermite the compiled loop goes the same way."""
    pop, start = problem()
    x, weight = gauss_hermite(60, 2)
    samples = ho.Objective(pop.net, x, pop.teacher(pop.theta_teacher, x), sample_weight=weight)
    results = [ho.minimize(obj, start, method=method, max_steps=50, tol=0.0, **options) for obj in (pop, samples)]
    assert results[0].nit == results[1].nit == 50
    # Derivatives differ by 1e-15; adam divides them by their size, which is 1e-4 or more.
    assert np.abs(results[0].x - results[1].x).max() <= 1e-11


def test_spectrum_and_zero_modes() -> None:
    rng = np.random.default_rng(15)
    net = ho.MLP([3, 3, 1], "relu")
    teacher = net.init(rng, "normal(1)")
    pop = ho.PopulationObjective(net, net, teacher)
    sp = ho.spectrum(pop, teacher)
    modes = ho.zero_modes(pop, teacher)
    assert len(modes.labels) == 3
    assert modes.residuals is not None
    assert modes.residuals.max() <= 1e-14
    assert sp.rank == net.num_parameters - 3
    assert sp.num_negative == 0
    assert sp.trace == pytest.approx(pop.hessian_trace(teacher), rel=1e-13)
    assert sp.eigenvalues == pytest.approx(np.linalg.eigvalsh(pop.hessian(teacher)), abs=1e-13)
    with pytest.raises(ValueError, match="digits is for an Objective on samples"):
        ho.spectrum(pop, teacher, digits=20)


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_best_conditioned(matrix: str) -> None:
    """At a widened teacher it finds what it finds on the samples of Gauss and Hermite."""
    rng = np.random.default_rng(16)
    net = ho.MLP([2, 2, 1], "erf", bias=False)
    teacher = net.init(rng, "normal(1)")
    x, weight = gauss_hermite(60, 2)
    objectives: list[Any] = [
        ho.PopulationObjective(net, net, teacher),
        ho.Objective(net, x, net(teacher, x), sample_weight=weight),
    ]
    found = [ho.best_conditioned(obj, teacher, widths=[4], matrix=matrix) for obj in objectives]
    assert found[0].start == pytest.approx(found[1].start, rel=1e-9)
    assert found[0].value == pytest.approx(found[1].value, rel=1e-5)
    assert found[0].value <= found[0].start
