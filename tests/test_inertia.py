"""Inertias and counted eigenvalues, against all eigenvalues, closed forms and exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

import hessorbit as ho
from hessorbit import _core, counted, extremes, positions
from hessorbit.signs import count_signs


def few(H: np.ndarray, **wanted: int) -> counted.Few:
    in_range, norm, scale = counted.in_range(H)
    assert scale == 1
    return counted.Few(in_range, norm, counted.Counts(**wanted))


def highest(H: np.ndarray, k: int) -> positions.Pairs | None:
    return few(H, high=k).highest()


def lowest(H: np.ndarray, k: int) -> positions.Pairs | None:
    return few(H, low=k).lowest()


def nearest(H: np.ndarray, k: int) -> positions.Pairs | None:
    return few(H, near=k).nearest()


def furthest(H: np.ndarray, k: int) -> positions.Pairs | None:
    return few(H, far=k).furthest()


WANTED = {highest: "high", lowest: "low", nearest: "near", furthest: "far"}


def ask_subspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets small matrices be treated as large ones are, which a tridiagonal form serves sooner."""
    monkeypatch.setattr(extremes, "FEWEST", 0)
    monkeypatch.setattr(extremes, "FEWEST_INDEFINITE", 0)


def positions_of(find: Callable[..., object], values: np.ndarray, k: int) -> list[int]:
    """Where what is to be found is among ascending values, none of which is as far from 0 as another."""
    count, sizes = len(values), np.abs(values)
    at = {highest: np.arange(count)[-k:], lowest: np.arange(k), nearest: np.argsort(sizes)[:k]}
    return np.sort(at.get(find, np.argsort(sizes)[-k:])).tolist()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def with_eigenvalues(values: np.ndarray, seed: int = 0) -> np.ndarray:
    q = np.linalg.qr(rng(seed).standard_normal((len(values), len(values))))[0]
    matrix = (q * values) @ q.T
    return np.ascontiguousarray((matrix + matrix.T) / 2)


@pytest.mark.parametrize("count", [1, 2, 3, 31, 33, 64, 97, 150])
@pytest.mark.parametrize("kind", ["indefinite", "definite", "no diagonal", "arrow"])
def test_factors_solve_and_count(count: int, kind: str) -> None:
    b = rng(count).standard_normal((count, count))
    matrix = b @ b.T + np.eye(count) if kind == "definite" else b + b.T
    if kind == "no diagonal":
        np.fill_diagonal(matrix, 0.0)
    if kind == "arrow":
        matrix = np.diag(np.arange(count) - count / 2 + 0.1)
        matrix[0, :] = matrix[:, 0] = 1.0
    values = np.linalg.eigvalsh(matrix)
    for shift in (0.0, 0.3):
        one, two = (_core.Ldlt(matrix, shift, threads) for threads in (1, 2))
        assert one.inertia == two.inertia == (int((values < shift).sum()), 0) or np.abs(values - shift).min() < 1e-9
        x = rng(1).standard_normal((count, 3))
        assert (one.solve(x) == two.solve(x)).all()
        if np.abs(values - shift).min() > 1e-6:
            images = matrix @ one.solve(x) - shift * one.solve(x)
            # Backward stable: the residual is e ‖X‖.
            assert np.linalg.norm(images - x) <= 10 * (one.backward_error + 1e-13) * np.linalg.norm(one.solve(x))
    assert one.backward_error < 1e-9 * np.abs(values).max() + 1e-15


def kinds_of_matrices(size: int) -> dict[str, np.ndarray]:
    """What asks for pivots of both kinds, far away and near, and what has none: definite, graded, singular, zero."""
    random = rng(size)
    b = random.standard_normal((size, size))
    symmetric = b + b.T
    half = size // 2
    saddle = symmetric.copy()
    saddle[:half, :half] = 0.0
    scales = np.geomspace(1e-9, 1, size)
    large = symmetric.copy()
    np.fill_diagonal(large, random.choice([0.0, 1e-3, 100.0, -100.0], size))
    pairs = np.kron(np.eye((size + 1) // 2), [[0.0, 1.0], [1.0, 0.0]])[:size, :size]
    order = random.permutation(size)
    return {
        "indefinite": symmetric,
        "definite": b @ b.T / size + np.eye(size),
        "saddle": saddle,
        "graded upwards": scales[:, None] * symmetric * scales,
        "graded downwards": scales[::-1, None] * symmetric * scales[::-1],
        "large diagonal": large,
        "blocks of two": pairs[np.ix_(order, order)],
        "low rank": (b[:, : half + 1] * random.choice([-1.0, 1.0], half + 1)) @ b[:, : half + 1].T,
        "whole numbers": np.rint(symmetric),
        "zero": np.zeros((size, size)),
    }


# Every small size, and those about a panel's columns and a group's, 32 and 64, and about parts of 256 rows.
@pytest.mark.parametrize("sizes", [range(1, 41), range(41, 81), (95, 97, 127, 128, 129, 161), (255, 257, 264, 335)])
def test_inertias_of_matrices_of_many_kinds(sizes: range | tuple[int, ...]) -> None:
    """Counts agree with all eigenvalues, and solutions are those of a matrix within the backward error."""
    for size in sizes:
        right = rng(1).standard_normal((size, 3))
        for kind, matrix in kinds_of_matrices(size).items():
            matrix = np.ascontiguousarray((matrix + matrix.T) / 2)
            values = np.linalg.eigvalsh(matrix)
            norm = np.abs(values).max()
            for shift in (0.0, 0.1 * norm):
                factor, other = (_core.Ldlt(matrix, shift, threads) for threads in (1, 2))
                e = factor.backward_error
                assert (factor.inertia, e) == (other.inertia, other.backward_error), (size, kind)
                # Of LDLᵀ and of LAPACK, which errs by less than 10 √P eps ‖H‖.
                beyond = e + 10 * size**0.5 * 2.3e-16 * norm
                negative, zero = factor.inertia
                assert (values < shift - beyond).sum() <= negative, (size, kind)
                assert negative + zero <= (values <= shift + beyond).sum(), (size, kind)
                if zero:
                    continue
                x = factor.solve(right)
                assert (x == other.solve(right)).all(), (size, kind)
                # The factors' product is within e of the matrix; what solves err by is of the same kind.
                residual = np.linalg.norm(matrix @ x - shift * x - right, axis=0)
                assert (residual <= 3 * e * np.linalg.norm(x, axis=0)).all(), (size, kind)


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-520, 2.0**520, 2.0**1000])
def test_inertias_of_tiny_and_huge_matrices(scale: float) -> None:
    """A power of two changes nothing but the scale, as long as nothing is subnormal."""
    for size in (5, 40, 70):
        for kind in ("indefinite", "definite", "saddle", "large diagonal"):
            matrix = kinds_of_matrices(size)[kind]
            one, scaled = _core.Ldlt(matrix, 0.0, 1), _core.Ldlt(matrix * scale, 0.0, 1)
            assert one.inertia == scaled.inertia, (size, kind)
            assert scaled.backward_error == one.backward_error * scale, (size, kind)


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 33, 64, 130])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16])
def test_products_with_a_few_columns(size: int, count: int) -> None:
    matrix, columns = rng().standard_normal((size, size)), rng(1).standard_normal((size, count))
    matrix += matrix.T
    one, two = (_core.times_columns(matrix, columns, threads) for threads in (1, 2))
    assert (one == two).all()
    # A sum of n products errs by n u Σ|terms| at most.
    atol = size * 2.3e-16 * (np.abs(matrix) @ np.abs(columns)).max(initial=0)
    np.testing.assert_allclose(one, matrix @ columns, rtol=0, atol=atol)
    with pytest.raises(ValueError, match=rf"shape \({size}, m\)"):
        _core.times_columns(matrix, np.ones((size + 1, 1)), 1)


def test_several_factors_are_each_what_it_is_alone() -> None:
    matrix = with_eigenvalues(np.linspace(-1, 2, 90))
    shifts = [-0.5, 0.01, 1.0]
    x = rng().standard_normal((90, 3))
    for shift, factor in zip(shifts, _core.factorise(matrix, shifts, 2), strict=True):
        alone = _core.Ldlt(matrix, shift, 1)
        assert factor.inertia == alone.inertia == (int((np.linspace(-1, 2, 90) < shift).sum()), 0)
        assert (factor.solve(x) == alone.solve(x)).all()
    assert _core.factorise(matrix, [], 2) == []


def test_the_backward_error_bounds_what_factors_miss() -> None:
    """The eigenvalues of L D Lᵀ are exact for a matrix within e, so signs are right beyond e, by mpmath."""
    values = np.array([-1.0, -1e-3, 1e-6, 1e-2, 1.0, 3.0])
    matrix = with_eigenvalues(values)
    with mpmath.workdps(40):
        exact = sorted(mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True))
    for value in exact:
        for side in (-1, 1):
            factor = _core.Ldlt(matrix, float(value) + 0.0, 1)
            shift = float(value) + side * 2 * factor.backward_error
            assert _core.Ldlt(matrix, shift, 1).inertia[0] == sum(each < shift for each in exact)


@pytest.mark.parametrize("zeros", [0, 1, 7])
def test_signs_of_matrices_with_zero_modes(zeros: int) -> None:
    values = np.concatenate([-np.logspace(-6, 0, 9), np.zeros(zeros), np.logspace(-5, 1, 24)])
    negative, unresolved, positive, floor = count_signs(with_eigenvalues(values), 0.0)
    assert (negative, unresolved, positive) == (9, zeros, 24)
    assert 0 < floor < 1e-11
    # What may be anywhere within 1e-4 leaves those of smaller magnitude open.
    negative, unresolved, positive, _ = count_signs(with_eigenvalues(values), 1e-4)
    assert negative <= 9
    assert positive <= 24
    assert unresolved > zeros


def test_of_a_network() -> None:
    net = ho.MLP([4, 12, 2])
    theta = net.init(rng(1), "normal(1)")
    x = rng().standard_normal((60, 4))
    obj = ho.Objective(net, x, np.sin(x[:, :2]))
    for name, matrix in (("hessian", obj.hessian(theta)), ("gauss_newton", obj.gauss_newton(theta))):
        values = np.linalg.eigvalsh(matrix)
        found = ho.inertia(obj, theta, matrix=name)
        assert found.negative <= (values < 0).sum() <= found.bounds[1]
        assert found.negative + found.unresolved + found.positive == net.num_parameters
        # They are within 3 floors of 0 by their definition; LAPACK's own errors are less than another.
        assert found.unresolved <= (np.abs(values) < 4 * found.floor).sum()
    free = net.block(layer=1, part="incoming", neurons=[0, 1])
    part = ho.inertia(obj, theta, parameters=free)
    assert part.certain
    assert part.negative == (np.linalg.eigvalsh(obj.hessian(theta, parameters=free)) < 0).sum()
    block, restricted = ho.spectrum(obj, theta, parameters=free), ho.spectrum(obj.restricted(theta, free), theta[free])
    np.testing.assert_array_equal(block.eigenvalues, restricted.eigenvalues)
    assert "unresolved" in repr(found)
    assert "unresolved" in found._repr_html_()


def test_zero_matrices_and_refusals() -> None:
    obj = ho.Objective(ho.MLP([1, 1], bias=False), [[0.0]], [0.0])
    assert ho.inertia(obj, [1.0]).unresolved == 1
    with pytest.raises(TypeError, match="theta must be float64"):
        ho.inertia(obj, np.ones(1, np.longdouble))
    with pytest.raises(ValueError, match="matrix must be one of"):
        ho.inertia(obj, [1.0], matrix="fisher")
    with pytest.raises(ValueError, match="finite"):
        _core.Ldlt(np.array([[np.nan]]), 0.0, 1)
    with pytest.raises(ValueError, match="shift"):
        _core.Ldlt(np.eye(2), np.inf, 1)
    with pytest.raises(ValueError, match=r"shape \(P, P\)"):
        _core.Ldlt(np.ones((2, 3)), 0.0, 1)
    with pytest.raises(ValueError, match=r"shape \(2, m\)"):
        _core.Ldlt(np.eye(2), 0.0, 1).solve(np.ones((3, 1)))


def scattered(size: int) -> dict[str, np.ndarray]:
    """Eigenvalues of many kinds: clusters, multiplicities, zero modes, both signs, many scales."""
    half = size // 2
    signs = rng(size).choice([-1.0, 1.0], size)
    return {
        "normal": rng(size).standard_normal(size),
        "geometric": np.geomspace(1e-12, 1, size) * signs,
        "zero modes": np.concatenate([np.zeros(half), np.geomspace(1e-6, 1, size - half)]),
        "zero modes of a saddle": np.concatenate([np.zeros(half), np.geomspace(1e-6, 1, size - half)]) * signs,
        "opposite": np.concatenate([np.linspace(0.1, 1, half), -np.linspace(0.1, 1, size - half)]),
        "fourfold": np.repeat(rng(size).standard_normal((size + 3) // 4), 4)[:size],
        "cluster": 1 + 1e-9 * rng(size).standard_normal(size),
        "equal": np.ones(size),
        "few negative": np.concatenate([-np.geomspace(1e-9, 1e-3, 3), np.geomspace(1e-10, 1, max(size - 3, 0))])[:size],
    }


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 50, 57, 58, 64, 71, 80, 120])
def test_positions_whatever_the_spectrum(size: int) -> None:
    """Nothing, or what LAPACK finds at these positions, all of them at once; forced where LAPACK would be asked."""
    found_any = 0
    for kind, values in scattered(size).items():
        H = with_eigenvalues(values, size)
        expected = np.linalg.eigvalsh(H)
        # Both err by eps P ‖H‖ at most; zero modes are told from each other no better.
        atol = 8 * size * 2.3e-16 * np.linalg.norm(values)
        each = few(H, low=2, high=3, near=2, far=3)
        for name, k in (("nearest", 2), ("lowest", 2), ("highest", 3), ("furthest", 3)):
            found = getattr(each, name)()
            if found is None:
                continue
            found_any += 1
            np.testing.assert_allclose(found.eigenvalues, expected[found.positions], rtol=0, atol=atol, err_msg=kind)
            if name in ("nearest", "furthest"):
                sizes = np.sort(np.abs(expected))[:k] if name == "nearest" else np.sort(np.abs(expected))[-k:]
                np.testing.assert_allclose(np.sort(np.abs(found.eigenvalues)), sizes, rtol=0, atol=atol, err_msg=kind)
            else:
                assert found.positions.tolist() == (list(range(k)) if name == "lowest" else list(range(size - k, size)))
            np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(k), atol=1e-8)
    assert found_any >= 10 or size < 64


SPECTRA = {
    "decaying": np.logspace(-6, 1, 240),
    "saddle": np.concatenate([-np.logspace(-4, 0, 60), np.logspace(-5, 1, 180)]),
    "zero modes": np.concatenate([np.zeros(40), np.logspace(-4, 1, 200)]),
    "pairs": np.repeat(np.logspace(-3, 1, 120), 2),
}


@pytest.mark.parametrize("kind", sorted(SPECTRA))
@pytest.mark.parametrize("k", [1, 4])
def test_what_is_counted_is_at_its_position(kind: str, k: int) -> None:
    """Known eigenvalues: what is found has the right position, or nothing is returned."""
    values = np.sort(SPECTRA[kind])
    H = with_eigenvalues(values)
    for find in (highest, lowest, nearest, furthest):
        found = find(H, k)
        if found is None:
            continue
        # eps P ‖H‖ of the matrix as it was made, and of what was found.
        np.testing.assert_allclose(found.eigenvalues, values[found.positions], rtol=0, atol=4e-13 * 10)
        magnitudes = np.abs(values[positions_of(find, values, k)])
        assert np.sort(np.abs(values[found.positions])).tolist() == np.sort(magnitudes).tolist()
        if find in (highest, lowest):
            assert found.positions.tolist() == positions_of(find, values, k)
    if kind == "decaying":
        assert all(find(H, k) is not None for find in (highest, lowest, nearest, furthest))


@pytest.mark.parametrize("kind", sorted(SPECTRA))
@pytest.mark.parametrize("k", [1, 4])
def test_where_no_shift_tells_positions_are_those_among_all(kind: str, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known eigenvalues at either end and nearest 0, where LDLᵀ and norms count nothing, though they are asked."""
    monkeypatch.setattr(counted.Few, "settled", lambda *_: None)
    monkeypatch.setattr(counted.Few, "none_outside", lambda *_: False)
    monkeypatch.setattr(counted.Few, "counted_by_norms", lambda *_: False)
    ask_subspaces(monkeypatch)
    values = np.sort(SPECTRA[kind])
    H = with_eigenvalues(values)
    for find, wanted in WANTED.items():
        found, _ = extremes.counted_pairs(H, counted.Counts(**{wanted: k}))
        # 8 eps P ‖H‖_F, and eps P ‖H‖ of the matrix as it was made.
        atol = 9 * 240 * 2.3e-16 * np.linalg.norm(values)
        np.testing.assert_allclose(found.eigenvalues, values[found.positions], rtol=0, atol=atol)
        np.testing.assert_allclose(H @ found.vectors, found.vectors * found.eigenvalues, rtol=0, atol=1e-9)
        magnitudes = np.abs(values[positions_of(find, values, k)])
        np.testing.assert_allclose(np.sort(np.abs(values[found.positions])), np.sort(magnitudes), rtol=0, atol=atol)
        if find in (highest, lowest):
            assert found.positions.tolist() == positions_of(find, values, k)


@pytest.mark.parametrize("subspaces", [False, True])
def test_entries_up_to_the_end_of_the_exponents(subspaces: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if subspaces:
        ask_subspaces(monkeypatch)
    values = np.concatenate([np.linspace(0.3, 0.5, 90), [0.6, 1.0]])
    H = with_eigenvalues(values) * 2.0**1023
    for wanted, position in (("high", 91), ("low", 0), ("near", 0), ("far", 91)):
        found, _ = extremes.counted_pairs(H, counted.Counts(**{wanted: 1}))
        assert found.positions.tolist() == [position]
        np.testing.assert_allclose(found.eigenvalues * 2.0**-1023, values[position], rtol=1e-12)


def test_an_eigenvalue_that_was_missed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subspace that is blind to an eigenvector finds neighbours, and the count tells."""
    # More values than a subspace has dimensions; what a diagonal matrix makes of a 0 is 0.
    values = np.concatenate([np.full(30, 5.0), [6.0], np.linspace(8, 9, 200)])
    start = counted.gaussian(len(values))
    start[np.argmax(values)] = 0
    monkeypatch.setattr(counted, "gaussian", lambda count: start)
    assert highest(np.diag(values), 1) is None
    assert furthest(np.diag(-values), 1) is None


@pytest.mark.parametrize("size", [8, 9, 40, 97, 600])
@pytest.mark.parametrize("kind", ["generic", "zero", "identity", "low rank", "pairs", "decaying", "huge"])
def test_krylov_bases_are_orthonormal_whatever_the_operator(size: int, kind: str) -> None:
    """A Q = Q T + B R on the last block, with Qᵀ Q = 1: by the definitions; the same bits for any number of threads."""
    random = rng(size)
    matrices = {
        "generic": lambda: with_eigenvalues(random.standard_normal(size)),
        "zero": lambda: np.zeros((size, size)),
        "identity": lambda: np.eye(size),
        "low rank": lambda: with_eigenvalues(np.where(np.arange(size) < 3, 1.0, 0.0)),
        "pairs": lambda: with_eigenvalues(np.resize([-1.0, 1.0], size)),
        "decaying": lambda: with_eigenvalues(np.logspace(-14, 0, size)),
        "huge": lambda: 2.0**300 * with_eigenvalues(random.standard_normal(size)),
    }
    matrix = matrices[kind]()
    most = max(size // 8 - 1, 1)
    start = random.standard_normal((size, 8))
    if kind == "zero":
        start[:, 3:] = 0  # nothing to begin with in most directions
    one, two = (_core.KrylovBasis(start, most, threads) for threads in (1, 2))
    done = 0
    for blocks in (1, 2, most):
        for basis in (one, two):
            basis.advance(matrix, blocks)
        done = min(done + blocks, most)
        inside, beyond = one.projection()
        assert all((x == y).all() for x, y in zip(one.projection(), two.projection(), strict=True))
        assert inside.shape == (8 * done, 8 * done)
        vectors = one.vectors(np.eye(8 * done))
        assert (vectors == two.vectors(np.eye(8 * done))).all()
        # Gram–Schmidt twice leaves some eps √P; products of P terms err by as much.
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(8 * done), atol=size * 2.3e-16 + 1e-14)
        norm = np.linalg.norm(matrix, 2)
        upper = np.triu(inside)
        symmetric = upper + np.triu(inside, 1).T
        np.testing.assert_allclose(symmetric, vectors.T @ matrix @ vectors, rtol=0, atol=1e-13 * norm)
        rest = matrix @ vectors[:, -8:]
        rest -= vectors @ (vectors.T @ rest)
        np.testing.assert_allclose(beyond.T @ beyond, rest.T @ rest, rtol=0, atol=1e-13 * norm**2)


def test_krylov_bases_of_inverses() -> None:
    """Those of the inverse that a factor is, and of the inverse itself."""
    values = np.concatenate([-np.linspace(1, 2, 60), np.linspace(0.5, 3, 80)])
    matrix, inverse = with_eigenvalues(values), with_eigenvalues(1 / (values - 0.1))
    start = rng().standard_normal((140, 8))
    one, two = (_core.KrylovBasis(start, 4, 2) for _ in range(2))
    one.advance(_core.Ldlt(matrix, 0.1, 2), 4)
    two.advance(inverse, 4)
    ritz = [np.linalg.eigvalsh(basis.projection()[0], UPLO="U") for basis in (one, two)]
    # Perturbations of some eps P of each operator.
    np.testing.assert_allclose(*ritz, rtol=0, atol=1e-11)


def test_refusals_of_krylov_bases() -> None:
    for start in (np.ones((20, 7)), np.ones(20)):
        with pytest.raises(ValueError, match=r"shape \(P, 8\)"):
            _core.KrylovBasis(start, 1, 1)
    for size, most in ((20, 0), (20, 3), (7, 1), (20, -1)):
        with pytest.raises(ValueError, match="most_blocks"):
            _core.KrylovBasis(np.ones((size, 8)), most, 1)
    basis = _core.KrylovBasis(np.ones((20, 8)), 2, 1)
    with pytest.raises(ValueError, match="as many rows"):
        basis.advance(np.eye(19), 1)
    with pytest.raises(ValueError, match="as many rows"):
        basis.advance(_core.Ldlt(np.eye(19), 0.0, 1), 1)
    with pytest.raises(ValueError, match="blocks"):
        basis.advance(np.eye(20), -1)
    basis.advance(np.eye(20), 5)
    assert basis.projection()[0].shape == (16, 16)
    with pytest.raises(ValueError, match=r"shape \(dimensions, m\)"):
        basis.vectors(np.ones((15, 1)))


def test_condition_number_from_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extremes, "FEWEST", 0)
    monkeypatch.setattr(extremes, "FEWEST_INDEFINITE", 0)
    net = ho.MLP([4, 12, 2])
    theta = net.init(rng(1), "normal(1)")
    x = rng().standard_normal((60, 4))
    obj = ho.Objective(net, x, np.sin(x[:, :2]), l2=0.01)
    whole = ho.spectrum(obj, theta)
    for wanted in ({"largest": 1, "smallest": 1}, {"largest_magnitude": 1}, {"largest_magnitude": 2}):
        kappa = ho.spectrum(obj, theta, nearest_zero=1, **wanted).condition_number()
        assert kappa == pytest.approx(whole.condition_number("raw"), rel=1e-8)
        assert kappa.lower <= kappa <= kappa.upper
    positive = ho.spectrum(obj, theta, matrix="gauss_newton", largest=1, smallest=1)
    expected = ho.spectrum(obj, theta, matrix="gauss_newton", zero_modes=None).condition_number("raw")
    assert positive.condition_number() == pytest.approx(expected, rel=1e-8)
    one_sign = ho.spectrum(obj, theta, matrix="gauss_newton", largest_magnitude=1, smallest=1)
    assert one_sign.condition_number() == pytest.approx(expected, rel=1e-8)
    for wanted in ({"largest": 1, "smallest": 1}, {"largest_magnitude": 1}, {"nearest_zero": 1}):
        with pytest.raises(ValueError, match="largest_magnitude=1, nearest_zero=1"):
            ho.spectrum(obj, theta, **wanted).condition_number()
    near = ho.spectrum(obj, theta, nearest_zero=3)
    values = np.linalg.eigvalsh(obj.hessian(theta))
    assert set(near.positions) == set(np.argsort(np.abs(values))[:3])


@pytest.mark.parametrize("find", [ho.inertia, ho.spectrum])
def test_what_is_wrong_with_parameters_is_said_of_parameters(find: Callable[..., object]) -> None:
    obj = ho.Objective(ho.MLP([2, 1], bias=False), [[2.0, 0.0]], [1.0])
    for wrong in ([0, 0], [2], [], [0.5]):
        with pytest.raises((TypeError, ValueError), match=r"^parameters must"):
            find(obj, [0.0, 0.0], parameters=wrong)
