"""Hessians as SciPy's linear operators: for its solvers, transposed, applied to blocks of vectors, and pickled."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg, eigsh, lobpcg, minres

import hessorbit as ho


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def cases() -> dict[str, tuple[Any, np.ndarray]]:
    net, wide = ho.MLP([3, 4, 1], "erf"), ho.MLP([9, 2, 1], "erf")
    x = rng().standard_normal((30, 3))
    obj = ho.Objective(net, x, np.sin(x[:, 0]), l2=0.1)
    theta = net.init(rng(1), "normal(1)")
    pop = ho.PopulationObjective(net, net, net.init(rng(2), "normal(1)"))
    many_inputs = ho.PopulationObjective(wide, wide, wide.init(rng(3)))
    part = np.arange(1, 12)
    return {
        "samples": (obj, theta),
        "extended": (obj, theta.astype(np.longdouble)),
        "population": (pop, theta),
        "many inputs": (many_inputs, wide.init(rng(4))),
        "restricted": (obj.restricted(theta, part), theta[part]),
        "restricted population": (pop.restricted(theta, part), theta[part]),
    }


CASES = cases()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[LinearOperator, np.ndarray]:
    """An operator, and the matrix that it stands for."""
    obj, theta = CASES[request.param]
    return obj.hessian_operator(theta), obj.hessian(theta)


def test_products(case: tuple[LinearOperator, np.ndarray]) -> None:
    operator, H = case
    assert operator.shape == H.shape
    assert operator.dtype == H.dtype
    vectors = rng(5).standard_normal((len(H), 3))
    # Sums of up to 23 terms of the size of H, in other orders.
    close = {"rtol": 0, "atol": 1e-13 * np.abs(H).max()}
    np.testing.assert_allclose(operator.matvec(vectors[:, 0]), H @ vectors[:, 0], **close)
    np.testing.assert_allclose(operator.matvec(vectors[:, :1]), H @ vectors[:, :1], **close)
    np.testing.assert_allclose(operator.rmatvec(vectors[:, 0]), H @ vectors[:, 0], **close)
    for product in (operator.matmat, operator.rmatmat, operator.H.matmat, operator.T.matmat):
        np.testing.assert_allclose(product(vectors), H @ vectors, **close)
    np.testing.assert_allclose((2 * operator + operator.T) @ vectors, 3 * H @ vectors, **close)


def test_pickles(case: tuple[LinearOperator, np.ndarray]) -> None:
    operator, _ = case
    again = pickle.loads(pickle.dumps(operator))
    vectors = rng(5).standard_normal((operator.shape[0], 3))
    assert again.shape == operator.shape
    assert again.dtype == operator.dtype
    assert np.array_equal(again @ vectors, operator @ vectors)
    assert np.array_equal(again.rmatmat(vectors), operator @ vectors)


def test_a_change_of_theta_does_not_change_it() -> None:
    for obj, theta in CASES.values():
        at = theta.copy()
        operator, v = obj.hessian_operator(at), np.ones(len(at))
        before = operator @ v
        at[:] = 0
        assert np.array_equal(operator @ v, before)


def test_solvers(case: tuple[LinearOperator, np.ndarray]) -> None:
    operator, H = case
    count = len(H)
    values = np.linalg.eigvalsh(H.astype(float))
    start = rng(6).standard_normal((count, 2))
    if operator.dtype == np.float64:  # ARPACK has no other precision that holds it
        for which, expected in (("LA", values[-2:]), ("SA", values[:2])):
            found = eigsh(operator, k=2, which=which, v0=start[:, 0], return_eigenvectors=False)
            np.testing.assert_allclose(np.sort(found), expected, rtol=0, atol=1e-10 * abs(values[-1]))
    found, _ = lobpcg(operator, start, maxiter=500, tol=1e-8)
    # A residual of 1e-8 leaves an error of its square over the gap between eigenvalues, which is more than 1e-3 here.
    np.testing.assert_allclose(np.sort(found), values[-2:], rtol=0, atol=1e-8)
    shift = 1.5 * np.abs(values).max()
    b = start[:, 0]
    for solver in (cg, minres):
        x, failed = solver(operator + shift * aslinearoperator(np.eye(count)), b, rtol=1e-10)
        assert not failed
        # ‖(H + shift)⁻¹‖ is at most 2 / shift.
        np.testing.assert_allclose(H @ x + shift * x, b, rtol=0, atol=1e-8 * np.abs(b).max())


def test_one_theta_alone() -> None:
    for obj, theta in CASES.values():
        with pytest.raises(ValueError, match="must have shape"):
            obj.hessian_operator(np.stack([theta, theta]))
