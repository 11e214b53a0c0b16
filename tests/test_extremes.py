"""A few eigenvalues at the ends, against all of them by LAPACK, and their residuals against the formed matrix."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit import extremes, positions

X = np.random.default_rng(0).standard_normal((60, 4))
NET = ho.MLP([4, 12, 2])
THETA = NET.init(np.random.default_rng(1), "normal(1)")
OBJ = ho.Objective(NET, X, np.sin(X[:, :2]), l2=0.01)
P = NET.num_parameters


def matrix_of(name: str) -> np.ndarray:
    return OBJ.hessian(THETA) if name == "hessian" else OBJ.gauss_newton(THETA)


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("k", [1, 4, P])
def test_they_are_those_of_largest_magnitude(matrix: str, k: int, free: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if free:
        monkeypatch.setattr(extremes, "MOST_DENSE", 0)
    sp = ho.spectrum(OBJ, THETA, matrix=matrix, largest_magnitude=k)
    assert sp.method == ("lanczos" if free and k < P else "dense")
    values = np.linalg.eigvalsh(matrix_of(matrix))
    wanted = np.sort(np.argsort(np.abs(values))[P - k :])
    assert sp.positions.tolist() == wanted.tolist()
    np.testing.assert_allclose(sp.eigenvalues, values[wanted], rtol=0, atol=1e-12 * values[-1])
    assert sp.residuals.max() < 1e-12 * values[-1]
    both = ho.spectrum(OBJ, THETA, matrix=matrix, largest_magnitude=k, largest=1)
    assert both.counted
    assert both.positions.tolist() == sorted({*wanted.tolist(), P - 1})


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("counts", [(3, None), (None, 4), (3, 4), (1, 1), (P, 2), (P - 1, 1)])
@pytest.mark.parametrize("free", [False, True])
def test_they_are_those_at_the_ends(
    matrix: str, counts: tuple[int | None, int | None], free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest, smallest = counts
    if free:
        monkeypatch.setattr(extremes, "MOST_DENSE", 0)  # Lanczos's method, where the matrix is not needed
    sp = ho.spectrum(OBJ, THETA, matrix=matrix, largest=largest, smallest=smallest)
    H = matrix_of(matrix)
    values = np.linalg.eigvalsh(H)
    wanted = sorted({*range(smallest or 0), *range(P - (largest or 0), P)})
    assert sp.positions.tolist() == wanted
    assert sp.method == ("lanczos" if free and counts == (3, None) else "dense")
    assert sp.counted == (sp.method == "dense")
    # LAPACK and ARPACK are right to some eps ‖H‖.
    accuracy = 1e-12 * values[-1]
    np.testing.assert_allclose(sp.eigenvalues, values[wanted], rtol=0, atol=accuracy)
    images = H @ sp.vectors - sp.vectors * sp.eigenvalues
    np.testing.assert_allclose(sp.residuals, np.linalg.norm(images, axis=0), rtol=0, atol=accuracy)
    assert (np.abs(sp.eigenvalues - values[wanted]) <= sp.residuals + accuracy).all()
    assert sp.residuals.max() < accuracy
    np.testing.assert_allclose(sp.vectors.T @ sp.vectors, np.eye(len(wanted)), atol=1e-10)


def test_residuals_bound_the_errors_of_wrong_vectors() -> None:
    """An eigenvalue lies within the residual of any vector's Rayleigh quotient."""
    H = matrix_of("hessian")
    values, vectors = np.linalg.eigh(H)
    wrong = vectors[:, -3:] + 0.05 * np.random.default_rng(0).standard_normal((P, 3))
    wrong /= np.linalg.norm(wrong, axis=0)
    quotients = np.einsum("pk,pq,qk->k", wrong, H, wrong)
    pairs = positions.Pairs(quotients, wrong, np.arange(3))
    extended = extremes.extended_residuals(OBJ, THETA, "hessian", pairs)
    assert extended is not None
    for found in (extremes.residuals(H @ wrong, pairs), extended):
        assert all(np.abs(values - q).min() <= r for q, r in zip(quotients, found, strict=True))
        assert found.min() > 1e-3


def test_negative_ones_and_participation() -> None:
    sp = ho.spectrum(OBJ, THETA, smallest=P)
    whole = ho.spectrum(OBJ, THETA, vectors=True)
    assert sp.num_negative == whole.num_negative
    np.testing.assert_allclose(sp.participation_ratio, whole.participation_ratio, rtol=1e-6)
    assert len(repr(sp).splitlines()) == 1 + P
    assert sp._repr_html_().count("<tr>") == 1 + P
    again = pickle.loads(pickle.dumps(sp))
    assert (again.eigenvalues == sp.eigenvalues).all()


def test_the_same_bits_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremes, "MOST_DENSE", 0)
    first, second = (ho.spectrum(OBJ, THETA, largest=4).eigenvalues for _ in range(2))
    assert (first == second).all()


def test_populations_and_restrictions() -> None:
    net = ho.MLP([2, 3, 1], "erf")
    theta = net.init(np.random.default_rng(0))
    pop = ho.PopulationObjective(net, net, 2 * theta)
    np.testing.assert_allclose(
        ho.spectrum(pop, theta, largest=2, smallest=1).eigenvalues,
        np.linalg.eigvalsh(pop.hessian(theta))[[0, -2, -1]], atol=1e-12,
    )  # fmt: skip
    free = NET.block(layer=1, part="incoming", neurons=[0, 1])
    sub = OBJ.restricted(THETA, free)
    values = np.linalg.eigvalsh(OBJ.hessian(THETA, parameters=free))
    np.testing.assert_allclose(ho.spectrum(sub, THETA[free], largest=3).eigenvalues, values[-3:], atol=1e-12)


def test_many_parameters_need_no_matrix() -> None:
    net = ho.MLP([20, 100, 3])
    theta = net.init(np.random.default_rng(0))
    x = np.random.default_rng(1).standard_normal((100, 20))
    obj = ho.Objective(net, x, x[:, :3])
    sp = ho.spectrum(obj, theta, largest=3)
    assert sp.method == "lanczos"
    expected = np.linalg.eigvalsh(obj.hessian(theta))[-3:]
    np.testing.assert_allclose(sp.eigenvalues, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"largest": 0}, ValueError, "largest must be at least 1"),
        ({"smallest": P + 1}, ValueError, f"smallest must be at most {P}"),
        ({"largest": 1.5}, TypeError, "largest must be an integer"),
        ({"largest": 1, "matrix": np.eye(P)}, ValueError, "are for matrix='hessian' or 'gauss_newton'"),
        ({"largest": 1, "matrix": np.eye(P)}, ValueError, "of a matrix that is given all eigenvalues are found"),
        ({"largest": 1, "digits": 10}, ValueError, "digits must be left out"),
        ({"largest_magnitude": 1, "vectors": True}, ValueError, "vectors must be left out.*always found"),
        ({"smallest": 1, "method": "gram"}, ValueError, "method must be left out"),
        ({"nearest_zero": 1, "zero_modes": None}, ValueError, "zero_modes must be left out"),
        ({"largest_magnitude": 0}, ValueError, "largest_magnitude must be at least 1"),
        ({"largest": 1, "matrix": "fisher"}, ValueError, "matrix must be one of"),
    ],
)
def test_refusals(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ho.spectrum(OBJ, THETA, **options)


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremes, "MOST_FORMED", 10)
    with pytest.raises(ValueError, match=r"smallest is for up to 10 parameters.*parameters=free"):
        ho.spectrum(OBJ, THETA, smallest=1)
    monkeypatch.setattr(extremes, "MOST_DENSE", 0)
    monkeypatch.setattr(extremes, "MOST_FACTOR", 0)
    with pytest.raises(ValueError, match="needs its factor, of 120 rows"):
        ho.spectrum(OBJ, THETA, largest=1, matrix="gauss_newton")
    with pytest.raises(TypeError, match="theta must be float64"):
        ho.spectrum(OBJ, THETA.astype(np.longdouble), largest=1)
