"""Unit points of deep linear neurons, whose rows extended precision holds and float64 does not."""

from __future__ import annotations

import contextlib

import numpy as np

import hessorbit as ho
from hessorbit.symmetry.unit_point import orthonormal_rows


def test_rows_beyond_float64_become_orthonormal() -> None:
    rows = np.random.default_rng(0).standard_normal((3, 4)) * np.sqrt(np.finfo(np.longdouble).max)
    mixing, rank = orthonormal_rows(rows)
    even = mixing.matrix @ rows
    assert rank == 3
    np.testing.assert_allclose((even @ even.T).astype(float), np.eye(3), atol=1e-13)  # a few roundings of float64


def test_classify_ends_where_weights_and_targets_are_near_the_ends_of_float64() -> None:
    rng = np.random.default_rng(1)
    net = ho.MLP([2, 3, 3, 1], "identity", bias=False)
    x, theta = rng.standard_normal((5, 2)), rng.standard_normal(net.num_parameters)
    for scale in (1e158, 1e-158):
        for target in (1e170, 1e-170):
            obj = ho.Objective(net, x, target * x[:, 0])
            with contextlib.suppress(ValueError):  # what float64 cannot hold is refused
                assert ho.classify(obj, scale * theta).message
