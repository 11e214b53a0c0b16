"""Derivatives sample by sample, the empirical Fisher matrix, and block-diagonal curvature."""

from __future__ import annotations

import pickle
import re
from typing import Any

import jax
import numpy as np
import pytest

import hessorbit as ho
from hessorbit import _memory
from oracles import jets
from oracles.autodiff import AutodiffReference
from oracles.compare import assert_close
from oracles.problem import Problem, random_problem

pytestmark = pytest.mark.core

# jax differentiates in float64, with errors of its own: both together get twice what one may have.
BOTH = 2e-13


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


PROBLEMS = {
    "squared error": random_problem(rng(), (3, 4, 2), "gelu", samples=21, weighted=True, l2=0.2),
    "cross-entropy": random_problem(rng(1), (3, 5, 4, 3), "tanh", loss="cross_entropy", samples=13, weighted=True),
    "logistic": random_problem(rng(2), (2, 4, 3), "silu", loss="logistic", samples=9, parametrization="ntk", l2=0.1),
    "huber": random_problem(rng(3), (2, 3, 2, 2), "erf", loss="huber", samples=9, weighted=True),
    "poisson": random_problem(rng(4), (2, 4, 1), "softplus", loss="poisson", samples=9, biases=(False, True)),
    "linear": random_problem(rng(5), (3, 4), loss="cross_entropy", samples=8),
    "bent outputs": random_problem(rng(6), (2, 3, 3), "tanh", output_activation="softplus", samples=8, l2=0.3),
    "deep": random_problem(rng(7), (2, 4, 3, 4, 3, 2), ["sin", "relu", "tanh", "gelu"], loss="logistic", samples=30),
}  # fmt: skip
NAMES = list(PROBLEMS)
MATRICES = ("hessian", "gauss_newton", "empirical_fisher")


def autodiff(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Gradients (N, P) and Hessians (N, P, P) of every sample's own loss."""
    reference = AutodiffReference(problem)

    def own(theta: Any, x: Any, y: Any) -> Any:
        return reference.sample_loss(reference.output(theta, x), y)

    found = []
    for derivative in (jax.grad(own), jax.hessian(own)):
        each = jax.jit(jax.vmap(derivative, (None, 0, 0))).lower(problem.theta, problem.x, problem.targets)
        compiled = each.compile({"xla_backend_optimization_level": 0})
        found.append(np.asarray(compiled(problem.theta, problem.x, problem.targets)))
    return found[0], found[1]


def chosen_of(problem: Problem) -> np.ndarray:
    """Some parameters of every layer, in disorder."""
    return rng(8).permutation(problem.num_parameters)[: problem.num_parameters // 2]


@pytest.mark.parametrize("name", NAMES)
def test_samples_against_autodiff(name: str) -> None:
    problem = PROBLEMS[name]
    obj, theta, P = problem.objective(), problem.theta, problem.num_parameters
    gradients, hessians = autodiff(problem)
    weights = problem.normalised_weights.astype(float)
    fisher = np.einsum("n,np,nq->pq", weights, gradients, gradients) + problem.l2 * np.eye(P)
    results = (obj.per_sample_gradients(theta), obj.per_sample_hessians(theta), obj.empirical_fisher(theta))
    for result, expected in zip(results, (gradients, hessians, fisher), strict=True):
        assert_close(result, expected, parameters=P, relative=BOTH, what=f"{name} {expected.shape}")
    assert (results[1] == results[1].transpose(0, 2, 1)).all()
    assert (results[2] == results[2].T).all()
    chosen = chosen_of(problem)
    assert (obj.per_sample_gradients(theta, parameters=chosen) == results[0][:, chosen]).all()
    block = obj.empirical_fisher(theta, parameters=chosen)
    assert_close(block, fisher[np.ix_(chosen, chosen)], parameters=P, relative=BOTH, scale=np.abs(fisher).max())
    block = obj.per_sample_hessians(theta, parameters=chosen)
    expected = hessians[:, chosen[:, None], chosen]
    assert_close(block, expected, parameters=P, relative=BOTH, scale=np.abs(hessians).max())
    mask = np.isin(np.arange(P), chosen)
    assert (obj.per_sample_gradients(theta, parameters=mask) == results[0][:, mask]).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_samples_make_the_whole(name: str, dtype: type) -> None:
    problem = PROBLEMS[name]
    obj, theta, P = problem.objective(), problem.theta.astype(dtype), problem.num_parameters
    weights = problem.normalised_weights.astype(dtype)
    gradients, hessians = obj.per_sample_gradients(theta), obj.per_sample_hessians(theta)
    assert gradients.dtype == hessians.dtype == dtype
    l2 = dtype(problem.l2)
    for total, whole in (
        (weights @ gradients + l2 * theta, obj.gradient(theta)),
        (np.tensordot(weights, hessians, 1) + l2 * np.eye(P, dtype=dtype), obj.hessian(theta)),
        ((weights * gradients.T) @ gradients + l2 * np.eye(P, dtype=dtype), obj.empirical_fisher(theta)),
    ):
        # Terms of a sum may cancel: their size is that of the largest derivative of a sample.
        assert_close(whole, total, parameters=P, scale=max(1, np.abs(gradients).max() ** 2, np.abs(hessians).max()))


def test_samples_in_extended_precision_against_fifty_digits() -> None:
    problem = random_problem(rng(9), (2, 3, 2), "gelu", loss="cross_entropy", samples=3)
    theta = problem.theta.astype(np.longdouble)
    gradients = problem.objective().per_sample_gradients(theta)
    hessians = problem.objective().per_sample_hessians(theta)
    for n in range(3):
        alone = problem.replace(x=problem.x[n : n + 1], y=problem.y[n : n + 1])
        reference = jets.evaluate(alone, digits50=True)
        assert_close(gradients[n], reference.total("gradient"), parameters=problem.num_parameters)
        assert_close(hessians[n], reference.total("hessian"), parameters=problem.num_parameters)


@pytest.mark.parametrize("samples", [1, 500])
def test_threads_and_batches_do_not_change_bits(samples: int) -> None:
    problem = random_problem(rng(), (4, 9, 5, 2), loss="cross_entropy", samples=samples, weighted=True, l2=0.1)
    theta, chosen = problem.theta, chosen_of(problem)[:20]
    batch = np.array([theta, 0.5 * theta, -theta, theta, 2 * theta, theta])
    obj = problem.objective(threads=1)
    for method in ("per_sample_gradients", "per_sample_hessians", "empirical_fisher"):
        for options in ({}, {"parameters": chosen}):
            if not options and method == "per_sample_hessians":
                continue
            alone = np.array([getattr(obj, method)(one, **options) for one in batch])
            for threads in (1, 2, 7):
                other = getattr(problem.objective(threads=threads), method)
                assert np.array_equal(other(batch, **options), alone), (method, threads)
                assert np.array_equal(other(theta, **options), alone[0]), (method, threads)
            assert getattr(obj, method)(batch[:0], **options).shape == (0, *alone.shape[1:])
    for matrix in MATRICES[:2]:
        blocks = [ho.block_diagonal(obj, one, by="neuron", matrix=matrix) for one in batch]
        for threads in (1, 2, 7):
            found = ho.block_diagonal(problem.objective(threads=threads), batch, by="neuron", matrix=matrix)
            for index, block in enumerate(found.blocks):
                assert np.array_equal(block, [each.blocks[index] for each in blocks])


def test_samples_of_weight_zero_have_derivatives_too() -> None:
    net = ho.MLP([1, 1], bias=False)
    obj = ho.Objective(net, [[2.0], [3.0], [1e200]], [0.0, 1.0, 0.0], sample_weight=[1.0, 0.0, 0.0])
    assert obj.per_sample_gradients([1.0])[:2].ravel().tolist() == [4.0, 6.0]
    assert obj.per_sample_hessians([1.0])[:2].ravel().tolist() == [4.0, 9.0]
    assert obj.empirical_fisher([1.0]).tolist() == [[16.0]]  # the last sample's gradient overflows


def test_what_overflows_on_the_way() -> None:
    """x = 1e-160 and v = 1e160: derivatives in w are of order 1, products on the way are not."""
    obj = ho.Objective(ho.MLP([1, 1, 1], "identity", bias=False), [[1e-160]], [0.0])
    at = np.array([1.0, 1e160])
    assert obj.per_sample_hessians(at, parameters=[0]) == pytest.approx(1.0)
    assert obj.per_sample_gradients(at, parameters=[0]) == pytest.approx(1.0)
    assert obj.empirical_fisher(at, parameters=[0]) == pytest.approx(1.0)
    assert ho.block_diagonal(obj, at, by="neuron").blocks[0] == pytest.approx(1.0)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("name", NAMES)
def test_block_diagonal_is_what_the_matrix_has(name: str, matrix: str) -> None:
    problem = PROBLEMS[name]
    obj, theta, net = problem.objective(), problem.theta, problem.network()
    whole = getattr(obj, matrix)(theta)
    for by in ("layer", "neuron"):
        found = ho.block_diagonal(obj, theta, by=by, matrix=matrix)
        assert sorted(np.concatenate(found.parameters).tolist()) == list(range(len(theta)))
        assert len(found.blocks) == net.num_layers if by == "layer" else sum(net.widths[1:])
        kept = np.zeros_like(whole, dtype=bool)
        for label, at, block in zip(found.names, found.parameters, found.blocks, strict=True):
            layer, neuron = [*map(int, re.findall(r"\d+", label)), None][:2]
            own = net.block(layer=layer, part="incoming", neurons=None if neuron is None else [neuron])
            assert sorted(at) == own.tolist()
            kept[np.ix_(at, at)] = True
            assert (block == block.T).all()
            # Both add the same terms, in other orders.
            assert np.abs(block - whole[np.ix_(at, at)]).max() <= 1e-13 * np.abs(whole).max()
        assert (found.dense()[~kept] == 0).all()
        assert np.abs(found.dense()[kept] - whole[kept]).max() <= 1e-13 * np.abs(whole).max()


def test_many_samples_and_features() -> None:
    """Sums of several slots, and features that are no multiple of a tile."""
    problem = random_problem(rng(), (37, 5, 3, 2), "tanh", samples=3001, weighted=True)
    obj, theta = problem.objective(), problem.theta
    for matrix in MATRICES[:2]:
        whole = getattr(obj, matrix)(theta)
        found = ho.block_diagonal(obj, theta, by="neuron", matrix=matrix)
        for at, block in zip(found.parameters, found.blocks, strict=True):
            assert np.abs(block - whole[np.ix_(at, at)]).max() <= 1e-13 * np.abs(whole).max()


def test_groups_of_ones_own() -> None:
    problem = PROBLEMS["squared error"]
    obj, theta, net = problem.objective(), problem.theta, problem.network()
    neuron = np.concatenate([net.block(layer=1, part=part, neurons=[2]) for part in ("incoming", "outgoing")])
    mask = np.zeros(len(theta), bool)
    mask[[0, 1]] = True
    found = ho.block_diagonal(obj, theta, by=[neuron, mask])
    assert np.array_equal(found.blocks[0], obj.hessian(theta, parameters=neuron))
    assert np.array_equal(found.blocks[1], obj.hessian(theta, parameters=[0, 1]))
    assert repr(found) == f"BlockDiagonal(2 blocks of the hessian, of 8 of {len(theta)} parameters)"
    batch = ho.block_diagonal(obj, [theta, -theta], by=[neuron, mask])
    assert batch.dense().shape == (2, len(theta), len(theta))
    assert np.array_equal(batch.dense()[0], found.dense())
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.dense(), found.dense())


def test_populations_and_restricted_objectives() -> None:
    net, teacher = ho.MLP([3, 4, 1], "erf"), ho.MLP([3, 2, 1], "erf")
    pop = ho.PopulationObjective(net, teacher, teacher.init(rng(), "normal(1)"), l2=0.1)
    theta = net.init(rng(1))
    whole = pop.hessian(theta)
    found = ho.block_diagonal(pop, theta, by="neuron")
    for at, block in zip(found.parameters, found.blocks, strict=True):
        assert np.abs(block - whole[np.ix_(at, at)]).max() <= 1e-12
    free = np.array([18, 3, 0, 1, 17])
    for obj in (pop, ho.Objective(net, rng().standard_normal((9, 3)), np.ones(9))):
        sub = obj.restricted(theta, free)
        found = ho.block_diagonal(sub, theta[free], matrix="gauss_newton")
        assert [free[at].tolist() for at in found.parameters] == [[3, 0, 1], [18, 17]]
        assert np.array_equal(found.blocks[0], obj.gauss_newton(theta, parameters=[3, 0, 1]))


NET = ho.MLP([2, 3, 1])
OBJ = ho.Objective(NET, np.ones((4, 2)), np.ones(4))
ZERO = np.zeros(NET.num_parameters)
BAD: list[tuple[Any, type[Exception], str]] = [
    ({"by": "neurons"}, ValueError, "by must be one of layer, neuron; got 'neurons'; did you mean 'neuron'?"),
    ({"by": [0, 1]}, TypeError, "by must be one of layer, neuron, or a sequence of groups"),
    ({"by": []}, TypeError, "by must be one of layer, neuron, or a sequence of groups"),
    ({"by": 3}, TypeError, "by must be one of layer, neuron, or a sequence of groups"),
    ({"by": [[0], [1, 0]]}, ValueError, "by must not name a parameter twice"),
    ({"by": [[0], []]}, ValueError, "by[1] must name at least one parameter"),
    ({"by": [[0], [99]]}, ValueError, "by[1] must hold positions of parameters from 0 to 12; got 99"),
    ({"matrix": "fisher"}, ValueError, "matrix must be one of hessian, gauss_newton, empirical_fisher"),
    ({"theta": [0.0]}, ValueError, "theta must have shape (13,)"),
    ({"obj": NET}, TypeError, "obj must be an Objective or a PopulationObjective; got an MLP"),
    (
        {"obj": OBJ.restricted(ZERO, [0]), "theta": [0.0], "matrix": "empirical_fisher"}, TypeError,
        "matrix='empirical_fisher' needs the samples of an Objective; got a RestrictedObjective",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "kind", "message"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_refusals(changed: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match="^" + re.escape(message)):
        ho.block_diagonal(**{"obj": OBJ, "theta": ZERO} | changed)


@pytest.mark.parametrize("method", ["per_sample_gradients", "per_sample_hessians", "empirical_fisher"])
def test_bad_parameters(method: str) -> None:
    for chosen, message in (([], "must name at least one"), ([1, 1], "must not name a parameter twice"),
                            ([13], "must hold positions"), ([True], "must have shape (13,)")):  # fmt: skip
        with pytest.raises(ValueError, match="parameters " + re.escape(message)):
            getattr(OBJ, method)(ZERO, parameters=chosen)
    with pytest.raises(ValueError, match="theta must be finite"):
        getattr(OBJ, method)(ZERO + np.nan)


def test_what_has_no_room_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    large = ho.Objective(ho.MLP([1, 5000, 1]), np.ones((20000, 1)), np.ones(20000))
    theta = np.zeros(large.num_parameters)
    with pytest.raises(ValueError, match=r"Hessians of 20000 samples in 15001 parameters would take 3.6e\+04 GB, an"):
        large.per_sample_hessians(theta)
    assert large.per_sample_hessians(theta, parameters=[0, 7]).shape == (20000, 2, 2)
    monkeypatch.setattr(_memory, "available", lambda: 1e9)
    with pytest.raises(ValueError, match=r"2.4 GB, an array of shape \(20000, 15001\), and 1 GB are free: ask"):
        large.per_sample_gradients(theta)
    with pytest.raises(ValueError, match=r"4.8 GB, an array of shape \(2, 20000, 15001\)"):
        large.per_sample_gradients([theta, theta])
    assert large.per_sample_gradients(theta, parameters=[3]).shape == (20000, 1)


def test_free_memory_is_a_number() -> None:
    assert _memory.available() > 1e6
