"""All eigenvalues of symmetric matrices by the core, against closed forms, LAPACK with vectors, and mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import hessorbit as ho
from hessorbit import _core
from hessorbit._core import symmetric_eigenvalues
from hessorbit.decomposition import FEWEST, backward_error

EPS = np.finfo(np.float64).eps
SIZES = [*range(1, 81), 97, 130, 257]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def symmetric(size: int, seed: int = 0) -> np.ndarray:
    matrix = rng(seed).standard_normal((size, size))
    return matrix + matrix.T


def with_eigenvalues(values: np.ndarray, seed: int = 0) -> np.ndarray:
    q = np.linalg.qr(rng(seed).standard_normal((len(values), len(values))))[0]
    matrix = (q * values) @ q.T
    return np.ascontiguousarray((matrix + matrix.T) / 2)


def error(values: np.ndarray, expected: np.ndarray) -> float:
    """In eps times the largest."""
    return float(np.abs(values - np.sort(expected)).max() / np.abs(expected).max() / EPS)


@pytest.mark.parametrize("size", SIZES)
def test_as_by_lapack_with_vectors_on_any_number_of_threads(size: int) -> None:
    matrix = symmetric(size, size)
    values = symmetric_eigenvalues(matrix, 1)
    # LAPACK's own error, of its divide and conquer, is a few eps ‖A‖, as is ours.
    assert error(values, np.linalg.eigh(matrix)[0]) <= 20
    for threads in (2, 3, 7):
        assert (symmetric_eigenvalues(matrix, threads) == values).all()


@pytest.mark.parametrize("size", [7, 40, 64])
@pytest.mark.parametrize("kind", ["random", "graded", "close"])
def test_by_mpmath(size: int, kind: str) -> None:
    matrix = symmetric(size, 3)
    if kind == "graded":
        scales = 10.0 ** -np.linspace(0, 12, size)
        matrix *= scales[:, None] * scales
    if kind == "close":
        matrix = np.eye(size) + 1e-13 * matrix
    with mpmath.workdps(30):
        exact = np.array(mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True), float).ravel()
    assert error(symmetric_eigenvalues(matrix, 1), exact) <= 10


@pytest.mark.parametrize("size", [65, 200])
@pytest.mark.parametrize(
    "values",
    [
        lambda n: np.repeat([0.0, 1.0], [n - n // 3, n // 3]),  # many zero modes
        lambda n: np.concatenate([-1e-13 * np.arange(n // 2), 1 + 1e-13 * np.arange(n - n // 2)]),  # two clusters
        lambda n: 10.0 ** -np.linspace(0, 300, n),
        lambda n: np.r_[1.0, np.full(n - 1, 1e-200)],
        lambda n: np.linspace(-1, 1, n),
    ],
)
def test_of_known_eigenvalues(size: int, values: object) -> None:
    known = values(size)  # type: ignore[operator]
    # The matrix is made with errors like those of three products of n terms.
    assert error(symmetric_eigenvalues(with_eigenvalues(known), 2), known) <= 3 * np.sqrt(size) + 20


@pytest.mark.parametrize("size", [1, 2, 3, 17, 64, 100])
def test_of_matrices_of_few_entries(size: int) -> None:
    whole = np.arange(size) - size // 2.0
    laplacian = 2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
    cosines = 2 - 2 * np.cos(np.pi * np.arange(1, size + 1) / (size + 1))
    arrow = np.zeros((size, size))
    arrow[0], arrow[:, 0], arrow[0, 0] = 1.0, 1.0, 0.0
    root = np.sqrt(size - 1.0)
    cases = [
        (np.diag(whole), whole),
        (np.eye(size), np.ones(size)),
        (laplacian, cosines),
        (np.ones((size, size)), np.r_[np.zeros(size - 1), size]),
        (np.fliplr(np.eye(size)), np.where(np.arange(size) < size // 2, -1.0, 1.0)),
        (arrow, np.r_[-root, np.zeros(max(size - 2, 0)), root][:size] if size > 1 else np.zeros(1)),
    ]
    for matrix, expected in cases:
        values = symmetric_eigenvalues(np.ascontiguousarray(matrix), 1)
        assert (np.diff(values) >= 0).all()
        assert np.abs(values - np.sort(expected)).max() <= 20 * EPS * np.abs(expected).max()


def test_the_zero_matrix_has_zeros() -> None:
    assert (symmetric_eigenvalues(np.zeros((70, 70)), 2) == 0).all()


@pytest.mark.parametrize("size", [1, 5, 90])
@pytest.mark.parametrize("exponent", [-1065, -1000, -400, 400, 990])
def test_at_the_ends_of_the_exponents(size: int, exponent: int) -> None:
    matrix = np.round(symmetric(size) * 2.0**20)  # exact when scaled down to subnormal numbers
    values = symmetric_eigenvalues(np.ldexp(matrix, exponent), 1)
    with np.errstate(under="ignore"):
        expected = np.ldexp(symmetric_eigenvalues(matrix, 1), exponent)
    largest = np.abs(expected).max()
    assert np.isfinite(values).all()
    assert np.abs(values - expected).max() <= 20 * EPS * largest + 2.0**-1074


def test_wrong_matrices_are_refused() -> None:
    for wrong in (np.ones((2, 3)), np.ones(3), np.ones((0, 0)), np.array([[np.nan]]), np.diag([1.0, np.inf])):
        with pytest.raises(ValueError, match="matrix"):
            symmetric_eigenvalues(wrong, 1)
    with pytest.raises(ValueError, match="threads"):
        symmetric_eigenvalues(np.eye(2), -1)


def test_a_spectrum_says_what_found_it_and_is_within_its_floor() -> None:
    net = ho.MLP([4, 12, 2])
    assert net.num_parameters >= FEWEST
    obj = ho.Objective(net, rng().standard_normal((40, 4)), rng(1).standard_normal((40, 2)))
    theta = rng(2).standard_normal(net.num_parameters)
    spectrum, whole = ho.spectrum(obj, theta), ho.spectrum(obj, theta, vectors=True)
    assert spectrum.driver == ("two_stage" if _core.lanes >= 4 else "dsyevd")
    assert whole.driver == "dsyevd"
    difference = np.abs(spectrum.eigenvalues - whole.eigenvalues).max()
    assert difference <= backward_error(net.num_parameters, whole.eigenvalues) <= spectrum.floor
