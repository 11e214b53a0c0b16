"""Products in extended precision, against sums in mpmath and in whole numbers."""

import mpmath
import numpy as np
import pytest

import hessorbit as ho
from hessorbit.symmetry.extended_product import SMALL, product
from hessorbit.symmetry.moves import mixing_of

LONG = np.longdouble


def exact(values):
    """Of longdoubles, which are two float64 each at most."""
    high = values.astype(float)
    return [mpmath.mpf(float(h)) + mpmath.mpf(float(v - LONG(h))) for v, h in zip(values, high, strict=True)]


@pytest.mark.parametrize("inner", [1, SMALL, SMALL + 1, 511, 512, 513])
@pytest.mark.parametrize("graded", [False, True])
def test_products_are_exact_to_extended_precision(inner, graded):
    rng = np.random.default_rng(inner)
    a, b = (rng.standard_normal(shape) + 2.0**-55 * rng.standard_normal(shape).astype(LONG) for shape in
            ((3, inner), (inner, 2)))  # fmt: skip
    if graded:
        steps = np.exp(10 * rng.standard_normal(inner))
        a, b = np.exp(200 * rng.standard_normal((3, 1)).astype(LONG)) * a * steps, b / steps[:, None]
        a /= np.abs(a).max()
    a[0, : inner // 2] = 0
    found = product(a, b)
    with mpmath.workprec(300):
        for i, row in enumerate(a):
            for j, column in enumerate(b.T):
                terms = [x * y for x, y in zip(exact(row), exact(column), strict=True)]
                error = abs(exact(found[i : i + 1, j])[0] - mpmath.fsum(terms))
                # Sums of n terms in longdouble of 64 bits; where longdouble is double, of 53.
                unit = float(np.finfo(LONG).eps)
                assert error <= inner * unit * mpmath.fsum([abs(term) for term in terms])


def test_products_of_whole_numbers_are_exact():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-(2**20), 2**20, (4, 600)), rng.integers(-(2**20), 2**20, (600, 4))
    assert (product(a.astype(LONG), b.astype(LONG)) == a @ b).all()


def test_zero_and_huge_rows():
    a = np.zeros((2, 300), LONG)
    a[1] = np.finfo(float).max
    found = product(a, np.ones((300, 1), LONG) / 1024)
    assert found[0, 0] == 0
    assert found[1, 0] == LONG(np.finfo(float).max) / 1024 * 300


@pytest.mark.parametrize("size", [SMALL - 1, SMALL + 60])
def test_inverses_of_mixings_are_exact_to_their_condition(size):
    rng = np.random.default_rng(size)
    left, right = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(2))
    condition = 1e6
    mixing = mixing_of(left * np.geomspace(1, condition, size) @ right)
    rest = mixing.matrix @ mixing.inverse - np.eye(size)
    assert np.abs(rest).max() <= 10 * condition * float(np.finfo(LONG).eps)


def test_linear_neurons_with_dependent_rows_are_told_equal():
    rng = np.random.default_rng(0)
    net = ho.MLP([2, 300, 1], "identity")
    theta = net.init(rng)
    form = ho.canonical(net, theta)
    assert ho.equivalent(net, theta, net, form.theta)
    moved = theta.copy()
    moved[-1] += 0.5
    assert not ho.equivalent(net, theta, net, moved)


def test_permuting_a_mixing_is_exact():
    """A permutation before or after a dense matrix, against the product of matrices."""
    rng = np.random.default_rng(0)
    group = ho.symmetries(ho.MLP([2, 5, 3], "identity"))
    mixed, permuted = group.random(rng), group.permutation(layer=1, order=[3, 1, 4, 0, 2])
    scaled = permuted @ group.linear(layer=1, matrix=np.diag([2.0, -1.0, 0.5, 4.0, 8.0]))
    for first, second in ((mixed, scaled), (scaled, mixed)):
        for found, expected in (
            ((first @ second).matrix(), first.matrix() @ second.matrix()),
            ((first @ second).inverse().matrix(), second.inverse().matrix() @ first.inverse().matrix()),
        ):
            size = abs(expected).max()
            assert np.abs((found - expected).toarray()).max() <= 4 * np.finfo(float).eps * size
