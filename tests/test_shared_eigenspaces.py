"""A few eigenvalues where ends share eigenspaces: orthonormal vectors, small residuals, positions, against LAPACK."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hessorbit as ho
from hessorbit import counted, extremes, positions
from hessorbit.counted import Counts

EPS = 2.3e-16
# Numbers of the smallest, of the largest, and of those of smallest and of largest magnitude.
MIXES = [
    Counts(*mix) for mix in (
        (1, 0, 0), (0, 2, 0), (0, 0, 4), (1, 1, 0), (3, 5, 0), (3, 0, 5), (0, 3, 3), (1, 1, 1), (2, 3, 4), (1, 0, 1),
        (0, 0, 0, 1), (0, 0, 0, 3), (0, 0, 1, 1), (2, 1, 2, 2),
    )
]  # fmt: skip
# Rows, and whether subspaces are asked from 150 rows on, where by default that would be later.
SIZES = [(9, False), (40, True), (101, False), (150, True), (151, False), (151, True), (300, True), (302, False)]


def rotated(values: np.ndarray, seed: int = 0) -> np.ndarray:
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    matrix = (q * values) @ q.T
    return np.ascontiguousarray((matrix + matrix.T) / 2)


def matrices(size: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(size)
    half, third = size // 2, size // 3
    one_hot = np.concatenate([np.sqrt(size) * np.eye(size - 1), np.ones((size - 1, 1))], axis=1)
    bilinear = np.kron([[0.0, 1.0], [1.0, 0.0]], np.eye(half))
    zero_modes = np.concatenate([np.zeros(half), np.linspace(0.5, 2, size - half)])
    kinds = {
        "identity": np.eye(size),
        "negative identity": -3.0 * np.eye(size),
        "zero": np.zeros((size, size)),
        "one-hot and bias": one_hot.T @ one_hot / size,
        "bilinear at 0": bilinear,
        "rotated identity": rotated(np.ones(size)),
        "zero modes": rotated(zero_modes),
        "zero modes of a saddle": rotated(zero_modes * random.choice([-1.0, 1.0], size)),
        "pairs of both signs": rotated(np.concatenate([np.full(half, -1.0), np.full(size - half, 1.0)])),
        "three values": rotated(
            np.concatenate([np.full(third, -1.0), np.zeros(third), np.full(size - 2 * third, 2.0)])
        ),
        "low rank": rotated(np.where(np.arange(size) < 3, [-1.0], 0.0)),
    }
    for width in (1e-15, 1e-13, 1e-11, 1e-8):
        kinds[f"cluster of width {width}"] = rotated(1 + width * random.random(size))
        kinds[f"clusters of width {width} of both signs"] = rotated(
            random.choice([-1.0, 1.0], size) + width * random.random(size)
        )
    return kinds


def check(H: np.ndarray, wanted: Counts, found: positions.Pairs) -> None:
    size = len(H)
    low, high, near, far = wanted
    values = np.linalg.eigvalsh(H)
    norm = float(np.linalg.norm(H))
    positions = set(found.positions.tolist())
    assert {*range(low), *range(size - high, size)} <= positions
    assert len(found.eigenvalues) == len(found.positions) == found.vectors.shape[1]
    assert (np.diff(found.positions) > 0).all()
    assert (np.diff(found.eigenvalues) >= 0).all()
    # Both err by some eps P ‖H‖; so do those of smallest magnitude, which are as near 0 as any.
    atol = 8 * size * EPS * norm
    np.testing.assert_allclose(found.eigenvalues, values[found.positions], rtol=0, atol=atol)
    sizes = np.sort(np.abs(values[found.positions]))[:near]
    np.testing.assert_allclose(sizes, np.sort(np.abs(values))[:near], rtol=0, atol=atol)
    sizes = np.sort(np.abs(values[found.positions]))[len(positions) - far :]
    np.testing.assert_allclose(sizes, np.sort(np.abs(values))[size - far :], rtol=0, atol=atol)
    assert max(wanted) <= len(positions) <= sum(wanted)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(len(positions)), rtol=0, atol=4 * size * EPS)
    residuals = np.linalg.norm(H @ found.vectors - found.vectors * found.eigenvalues, axis=0)
    assert (residuals <= counted.ACCURATE * norm).all()


@pytest.mark.parametrize(("size", "early"), SIZES)
def test_vectors_are_orthonormal_whatever_the_ends_share(
    size: int, early: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if early:
        monkeypatch.setattr(extremes, "FEWEST", 149)
        monkeypatch.setattr(extremes, "FEWEST_INDEFINITE", 149)
    for (kind, H), wanted in product(matrices(size).items(), MIXES):
        try:
            found, residuals = extremes.counted_pairs(H, wanted)
            check(H, wanted, found)
            # Products in another order differ by rounding.
            images = H @ found.vectors - found.vectors * found.eigenvalues
            atol = 2 * size * EPS * float(np.linalg.norm(H))
            np.testing.assert_allclose(residuals, np.linalg.norm(images, axis=0), rtol=0, atol=atol)
        except AssertionError as error:
            raise AssertionError(f"{kind}, {size} rows, {wanted}") from error


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-500, 2.0**1015])
def test_entries_near_the_ends_of_the_exponents(scale: float) -> None:
    for size in (40, 200):
        for H in matrices(size).values():
            for wanted in (Counts(1, 1, 1), Counts(high=2), Counts(low=3, near=3), Counts(far=2)):
                found, _ = extremes.counted_pairs(H * scale, wanted)
                check(H, wanted, positions.Pairs(found.eigenvalues / scale, found.vectors, found.positions))


def test_objectives_with_one_curvature_in_many_directions() -> None:
    for obj in (
        ho.Objective(ho.MLP([40, 1], bias=False), np.eye(40), np.zeros(40)),
        ho.Objective(ho.MLP([100, 1]), 10 * np.eye(100), np.zeros(100)),
        ho.Objective(ho.MLP([1, 80, 1], "identity", bias=False), [[1.0]], [1.0]),
    ):
        theta = np.zeros(obj.net.num_parameters)
        H = obj.hessian(theta)
        for wanted in MIXES:
            given = {name: k for name, k in zip(extremes.FEW, wanted, strict=True) if k}
            sp = ho.spectrum(obj, theta, **given)
            check(H, wanted, positions.Pairs(sp.eigenvalues, sp.vectors, sp.positions))


@pytest.mark.parametrize("wrong", ["fewer", "failure", "vectors"])
def test_what_bisection_misses_is_found_among_all(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import scipy.linalg

    real: Any = scipy.linalg.eigh

    def faulty(*args: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = real(*args, **options)
        if wrong == "failure":
            raise scipy.linalg.LinAlgError
        if wrong == "fewer":
            return values[1:], vectors[:, 1:]
        return values, np.roll(vectors, 1, axis=0)

    monkeypatch.setattr(scipy.linalg, "eigh", faulty)
    H = rotated(np.linspace(-1, 2, 30))
    for wanted in MIXES:
        check(H, wanted, extremes.counted_pairs(H, wanted)[0])


def test_nearest_zero_are_neighbours() -> None:
    for values in ([-1.0, -1.0, 0.0, 1.0, 1.0], [-2.0, -2.0, -2.0], [1.0, 1.0, 3.0], [-0.0, 0.0], [-1.0, 1.0]):
        for k in range(1, len(values) + 1):
            chosen = positions.nearest_zero(np.array(values), k)
            assert (np.diff(chosen) == 1).all()
            assert np.sort(np.abs(values))[:k].tolist() == np.sort(np.abs(np.array(values)[chosen])).tolist()


def test_furthest_are_at_the_ends() -> None:
    for values in ([-1.0, -1.0, 0.0, 1.0, 1.0], [-2.0, -2.0, -2.0], [1.0, 1.0, 3.0], [-0.0, 0.0], [-1.0, 0.0, 0.0]):
        count = len(values)
        for k in range(1, count + 1):
            chosen = positions.furthest(np.array(values), k)
            low, high = counted.sides(np.array(values), k)
            assert chosen.tolist() == [*range(low), *range(count - high, count)]
            assert np.sort(np.abs(values))[count - k :].tolist() == np.sort(np.abs(np.array(values)[chosen])).tolist()


@settings(max_examples=60)
@given(
    pool=st.lists(
        st.sampled_from([-2.0, -1.0, -1e-9, 0.0, 1e-13, 0.5, 1.0, 1 + 1e-12, 2.0, 1e3]), min_size=1, max_size=6
    ),
    size=st.integers(1, 80),
    wanted=st.tuples(*[st.integers(0, 4)] * 4),
    forced=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_spectrum_any_mix(pool: list[float], size: int, wanted: tuple[int, ...], forced: bool, seed: int) -> None:
    """Ties of either sign, clusters, zero modes and scales; by subspaces too, where LAPACK would be asked."""
    mix = Counts(*(min(k, size) for k in wanted))
    if not any(mix):
        return
    H = rotated(np.random.default_rng(seed).choice(pool, size), seed)
    with pytest.MonkeyPatch.context() as patch:
        if forced:
            patch.setattr(extremes, "FEWEST", 0)
            patch.setattr(extremes, "FEWEST_INDEFINITE", 0)
        check(H, mix, extremes.counted_pairs(H, mix)[0])
