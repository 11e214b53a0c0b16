"""Activations against mpmath: value, slope and curvature in both precisions, and the laws the table claims.

The bound is 4 units in the last place of the exact result, a unit being that of the smallest normal number where the
result lies below it: gradual underflow.  Where a derivative is the difference of two terms, the unit is that of the
sum of their sizes; TERMS names these derivatives.  The oracle works with so many digits that 50 are left after
whatever cancels in its plain formulas.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hessorbit import _core
from oracles import taylor

BOUND = 4
NAMES = (*taylor.FUNCTIONS, "leaky_relu(0.3)", "leaky_relu(-1.5)")
DTYPES = (np.float64, np.longdouble)
mp = taylor.context


def split(name: str) -> tuple[str, float]:
    """'leaky_relu(0.3)' as the core takes it; 0.0 stands for no parameter."""
    kind, _, text = name.partition("(")
    return kind, float(text[:-1]) if text else {"leaky_relu": 0.01}.get(kind, 0.0)


def sigmoid_slope(z: Any) -> Any:
    return 1 / (2 + mp.exp(z) + mp.exp(-z))


# The first of the two terms of a derivative that may cancel, by activation and order.
TERMS: dict[tuple[str, int], Callable[[Any], Any]] = {
    ("silu", 1): lambda z: 1 / (1 + mp.exp(-z)),  # s + z s'
    ("silu", 2): lambda z: 2 * sigmoid_slope(z),  # 2 s' + z s''
    ("gelu", 1): mp.ncdf,  # Φ + z φ
    ("gelu", 2): lambda z: 2 * mp.npdf(z),  # 2 φ − z² φ
    ("g", 2): sigmoid_slope,  # 16 s''(4z) + s'(z)
}


def exact(value: Any) -> Any:
    """A number of either dtype in mpmath, whatever its exponent."""
    mantissa, exponent = np.frexp(value)
    return mp.ldexp(taylor.to_mp(mantissa), int(exponent))


# Their plain formulas cancel: 1 ± e^{−|z|}, or z / (1 + |z|) differentiated.
SATURATING = {"tanh", "sigmoid", "silu", "softplus", "softsign", "elu", "selu", "g"}


def digits(name: str, z: Any) -> int:
    """Decimal digits that leave 50 where the plain formula cancels, for small z and for large."""
    if name not in SATURATING or z == 0:
        return 60
    size = abs(z)
    return int(60 + 2 * abs(np.log10(size)) + min(size, 14000) / math.log(10))


@functools.cache
def reference(name: str, z: Any) -> tuple[tuple[Any, Any], ...]:
    """For each order the exact derivative and the number whose last place is the unit."""
    with mp.workdps(digits(name, z)):
        point = exact(z)
        terms = [TERMS.get((name, order), lambda z: mp.zero)(point) for order in range(3)]
        derivatives = taylor.derivatives(name, point)
        return tuple((d, abs(t) + abs(d - t)) for d, t in zip(derivatives, terms, strict=True))


def unit(scale: Any, info: Any) -> Any:
    """The last place of a number of this size."""
    exponent = max(mp.mag(scale), int(info.minexp) + 1) if scale else int(info.minexp) + 1
    return mp.ldexp(1, exponent - int(info.nmant) - 1)


def check(name: str, z: np.ndarray) -> None:
    info = np.finfo(z.dtype)
    largest = exact(info.max)
    results = _core.activation_derivatives(*split(name), z)
    for order, result in enumerate(results):
        assert result.dtype == z.dtype
        assert result.shape == z.shape
        for point, actual in zip(z, result, strict=True):
            expected, scale = reference(name, point)[order]
            if np.isfinite(actual):
                good = abs(exact(actual) - expected) <= BOUND * unit(scale, info)
            else:
                good = abs(expected) > largest * (1 - BOUND * info.eps) and actual * mp.sign(expected) > 0
            assert good, f"{name}, derivative {order} at {point!r}: {actual!r}, expected {mp.nstr(expected, 25)}"


def grid() -> np.ndarray:
    """Dense where functions bend, and every size down to the smallest subnormal."""
    rng = np.random.default_rng(5)
    bends = np.array(
        [0.0, 1.0, 0.7517915246935645, 1.2784645427610738, 1.4142135623730951, 2.399357280520546, 4.75, 5.5, 38.0]
    )
    turns = np.arange(1, 60, 2) * np.log(2)  # twice the exponents where the power of two taken out of e^{-x} changes
    reduced = np.concatenate([turns / 2, turns / 4, np.sqrt(turns)])  # as x = z, 2z and z²/2
    near = np.nextafter(bends, [[-np.inf], [np.inf]]).ravel()
    positive = [
        np.linspace(0, 12, 301),
        np.linspace(0, 41, 124),
        rng.uniform(0, 2, 100),
        np.geomspace(5e-324, 1, 60),
        np.arange(1, 30) * np.pi / 2,  # zeros of sin and cos
        np.linspace(4.5, 5, 60),  # across the two pieces of the normal tail
        reduced,
        np.abs(np.nextafter(reduced, [[0], [np.inf]])).ravel(),
        np.linspace(700, 760, 40),
        np.geomspace(10, 700, 30),
        bends,
        np.abs(near),
    ]
    z = np.concatenate(positive)
    return np.unique(np.concatenate([z, -z]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_dense_grid(name: str, dtype: type) -> None:
    check(name, grid().astype(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_extended_range(name: str) -> None:
    """Points that float64 cannot hold: 64-bit significands, and the far ends of underflow."""
    rng = np.random.default_rng(6)
    z = rng.uniform(-8, 8, 40).astype(np.longdouble) + rng.uniform(-1, 1, 40).astype(np.longdouble) / 2**56
    far = np.array([11300.25, 11354.5, 11399.75, 11405.0, 11990.0, 12010.0, 150.5, 150.99, 153.9], np.longdouble)
    tiny = np.array([1e-4000, 3.6e-4951], np.longdouble) if np.finfo(np.longdouble).minexp < -16000 else z[:0]
    check(name, np.concatenate([z, far, -far, tiny, -tiny]))


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_large_angles(name: str) -> None:
    """Across 2^20, where another reduction takes over, and beyond; multiples of π/2 as near as a double comes."""
    rng = np.random.default_rng(7)
    multiples = np.round(rng.uniform(1, 2**22, 200)) * (np.pi / 2)
    large = rng.uniform(-1, 1, 100) * 2.0 ** rng.integers(10, 1000, 100)
    check(name, np.concatenate([multiples, large, 2.0**20 + np.arange(-4, 5)]))


@given(
    name=st.sampled_from(NAMES),
    z=st.lists(st.floats(-1e100, 1e100, allow_subnormal=True), min_size=1, max_size=9),
    dtype=st.sampled_from(DTYPES),
)
def test_anywhere(name: str, z: list[float], dtype: type) -> None:
    check(name, np.array(z, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "slope"),
    [("relu", 0), ("leaky_relu", 0.01), ("leaky_relu(0.3)", 0.3), ("elu", 1), ("softsign", 1),
     ("selu", taylor.SELU_SCALE * taylor.SELU_ALPHA)],
)  # fmt: skip
def test_kinks(name: str, slope: Any, dtype: type) -> None:
    """torch's slopes at 0; no curvature there."""
    for zero in (0.0, -0.0):
        value, first, second = (d[0] for d in _core.activation_derivatives(*split(name), np.array([zero], dtype)))
        assert value == 0
        assert second == 0
        assert abs(exact(first) - slope) <= unit(slope, np.finfo(dtype)) if slope else first == 0


def test_table() -> None:
    table = _core.activation_table()
    assert [entry["name"] for entry in table] == list(taylor.FUNCTIONS)
    for entry in table:
        assert entry["parameter"] == (0.01 if entry["name"] == "leaky_relu" else None)
        assert entry == _core.activation_properties(entry["name"], entry["parameter"] or 0.0)


SLOPES = (0.01, 0.3, -1.5, 0.0, 1.0, -1.0)
points = st.fractions(-5, 5).filter(lambda z: z != 0).map(lambda z: mp.mpf(z.numerator) / z.denominator)


@given(name=st.sampled_from([*taylor.FUNCTIONS, *(f"leaky_relu({slope})" for slope in SLOPES)]), z=points, c=points)
def test_claimed_symmetries_hold(name: str, z: Any, c: Any) -> None:
    """Each law the table claims, for the function as mpmath evaluates it; z and c arbitrary, c taken positive."""
    law, c = _core.activation_properties(*split(name)), abs(c)

    def value(z: Any) -> Any:
        return taylor.derivatives(name, z)[0]

    def close(a: Any, b: Any) -> bool:
        return bool(abs(a - b) <= mp.mpf(10) ** -40 * (1 + abs(a) + abs(b)))

    if law["positively_homogeneous"]:
        assert close(value(c * z), c * value(z))
    if law["linear"]:
        assert close(value(z + c), value(z) + value(c))
    if law["odd"]:
        assert close(value(-z), -value(z))
    if law["constant_odd"] is not None:
        assert close(value(z) + value(-z), law["constant_odd"])
    if law["even"]:
        assert close(value(-z), value(z))
    if law["homogeneous_degree"]:
        assert close(value(c * z), c ** law["homogeneous_degree"] * value(z))
    if law["exponential"]:
        assert close(value(z + c), mp.exp(c) * value(z))
    if law["phase"] is not None:
        assert abs(value(z) - mp.sin(z + law["phase"])) <= 2**-53 * 2
    if law["power"]:
        assert close(value(z), z ** law["power"])
    if law["zero_below"]:
        assert value(-abs(z)) == 0
    size, slope = (abs(d) for d in taylor.derivatives(name, z)[:2])
    largest = taylor.derivatives(name, abs(z))
    assert slope <= (largest[1] if law["slope_bound"] is None else law["slope_bound"])
    assert law["bound"] is None or size <= law["bound"]
    assert law["slope_bound"] is not None or size <= largest[0]
    if law["even_linear"] is not None:
        # 1 + slope comes rounded to double.
        assert abs(value(z) - value(-z) - law["even_linear"] * z) <= 2**-52 * abs(z)


@pytest.mark.parametrize("name", [*taylor.FUNCTIONS, *(f"leaky_relu({slope})" for slope in SLOPES)])
def test_no_symmetry_is_missing(name: str) -> None:
    """A law that holds at three generic points is claimed."""
    law = _core.activation_properties(*split(name))
    z = [mp.mpf("0.7"), mp.mpf("1.3"), mp.mpf("2.9")]
    right, left = ([taylor.derivatives(name, sign * point)[0] for point in z] for sign in (1, -1))

    def same(values: list[Any]) -> bool:
        return all(abs(v - values[0]) < mp.mpf(10) ** -40 for v in values)

    sums = [r + s for r, s in zip(right, left, strict=True)]
    slopes = [(r - s) / p for r, s, p in zip(right, left, z, strict=True)]
    odd, even = same([*sums, mp.mpf(0)]), same([*slopes, mp.mpf(0)])
    assert law["odd"] == odd
    assert law["even"] == even
    assert (law["constant_odd"] is not None) == (same(sums) and not odd)
    assert (law["even_linear"] is not None) == (same(slopes) and not odd and not even)
    assert law["linear"] == (odd and same(slopes))

    def degree(values: list[Any]) -> list[Any]:
        return [mp.log(abs(b / a)) / mp.log(q / p) for a, b, p, q in zip(values, values[1:], z, z[1:], strict=False)]

    degrees = degree(right) if all(right) else []
    if all(left):
        degrees += degree(left)
    homogeneous = bool(degrees) and same(degrees)
    assert law["homogeneous_degree"] == (round(float(degrees[0])) if homogeneous else 0)
    assert law["positively_homogeneous"] == (law["homogeneous_degree"] == 1)


# Atoms that are no activation of their own, as mpmath evaluates them; softplus(z) − z/2 is the even part of softplus.
ATOMS = {
    "absolute value": abs,
    "softplus": lambda z: taylor.derivatives("softplus", z)[0] - z / 2,
    "gelu": lambda z: taylor.derivatives("gelu", z)[0] - z / 2,
    "silu": lambda z: taylor.derivatives("silu", z)[0] - z / 2,
}


@given(name=st.sampled_from([*taylor.FUNCTIONS, *(f"leaky_relu({slope})" for slope in SLOPES)]), z=points)
def test_expansions_in_atoms(name: str, z: Any) -> None:
    """σ(z) = constant + slope · z + Σ amplitude · φ(scale · z), and each φ has its parity and degree."""
    expansion = _core.activation_properties(*split(name))["expansion"]
    total = expansion["constant"] + expansion["slope"] * z
    for amplitude, scale, atom, parity, degree, bound, slope_bound in expansion["terms"]:
        phi = ATOMS.get(atom, lambda z, atom=atom: taylor.derivatives(atom, z)[0])
        total += amplitude * phi(scale * z)
        assert bound is None or abs(phi(scale * z)) <= bound
        assert slope_bound is None or abs(phi(scale * z) - phi(0)) <= slope_bound * abs(scale * z)
        if parity:
            assert abs(phi(-z) - parity * phi(z)) <= mp.mpf(10) ** -40 * (1 + abs(phi(z)))
        if degree:
            assert abs(phi(3 * z) - 3**degree * phi(z)) <= mp.mpf(10) ** -40 * (1 + abs(phi(3 * z)))
    value = taylor.derivatives(name, z)[0]
    # Constants, slopes and amplitudes come rounded to double.
    assert abs(value - total) <= 4 * 2**-53 * (1 + abs(z) + abs(value))
