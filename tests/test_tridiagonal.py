"""Few eigenvalues from a tridiagonal form, against all of them by LAPACK's divide and conquer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from hessorbit.positions import Pairs
from hessorbit.tridiagonal import Tridiagonal

EPS = 2.3e-16


def symmetric(size: int, seed: int = 0) -> np.ndarray:
    entries = np.random.default_rng([size, seed]).standard_normal((size, size))
    return np.ascontiguousarray((entries + entries.T) / 2)


def positions(parts: list[Pairs]) -> list[int]:
    return np.concatenate([pairs.positions for pairs in parts]).tolist()


def check(H: np.ndarray, pairs: Pairs, expected: np.ndarray) -> None:
    """Both err by some eps P ‖H‖."""
    atol = 8 * len(H) * EPS * float(np.linalg.norm(H))
    np.testing.assert_allclose(pairs.eigenvalues, expected[pairs.positions], rtol=0, atol=atol)
    np.testing.assert_allclose(H @ pairs.vectors, pairs.vectors * pairs.eigenvalues, rtol=0, atol=atol)
    np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(len(pairs.positions)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [*range(1, 81), 130])
@pytest.mark.parametrize("shift", [0.0, 100.0, -100.0])
def test_each_is_at_its_position(size: int, shift: float) -> None:
    H = symmetric(size) + shift * np.eye(size)
    expected, form = np.linalg.eigvalsh(H), Tridiagonal.of(H)
    magnitudes = np.sort(np.abs(expected))
    for k in {1, min(3, size), size}:
        low, high, near, far = form.lowest(k), form.highest(k), form.nearest(k), form.furthest(k)
        for parts in (low, high, near, far):
            for pairs in parts:
                check(H, pairs, expected)
        assert positions(low) == list(range(k))
        assert positions(high) == list(range(size - k, size))
        for parts, sizes in ((near, magnitudes[:k]), (far, magnitudes[size - k :])):
            found = np.sort(np.abs(np.concatenate([pairs.eigenvalues for pairs in parts])))
            np.testing.assert_allclose(found, sizes, rtol=1e-10, atol=1e-12)


def test_nothing_where_lapack_finds_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    H = symmetric(20)
    values, vectors = np.linalg.eigh(H)
    form = Tridiagonal.of(H)
    for answer in ((values[:2], vectors[:, :2]), (values[1:4], vectors[:, 1:4])):
        monkeypatch.setattr(scipy.linalg, "eigh_tridiagonal", lambda *_, answer=answer, **__: answer)
        (pairs,) = form.lowest(3)
        assert pairs.positions.tolist() == [0, 1, 2]
        assert pairs.eigenvalues.shape == (0,)
        assert pairs.vectors.shape == (20, 0)
