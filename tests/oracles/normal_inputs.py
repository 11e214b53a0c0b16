"""Expectations over normal inputs in two dimensions, and the population Hessian of a small student from its formula.

Unlike the core, which integrates along a neuron's weights and across, this integrates over the pair (z_a, z_b) itself
with its bivariate density; activations and their derivatives are mpmath's. Weights must not be longer than about 1, nor
two of them nearly parallel, or the grid is too coarse. A neuron is (name, w, b).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from mpmath import mpf

from . import taylor

Neuron = tuple[str, np.ndarray, float]

REACH, PANEL, POINTS = 13.0, 0.5, 12


@cache
def grid() -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on panels of [−REACH, REACH], one of which ends at 0."""
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    middles = np.arange(-REACH + PANEL / 2, REACH, PANEL)
    return (middles[:, None] + PANEL / 2 * nodes).ravel(), np.tile(PANEL / 2 * weights, len(middles))


@cache
def on_grid(name: str) -> np.ndarray:
    """σ, σ', σ'' on the grid, (3, n)."""
    return np.array([[float(d) for d in taylor.derivatives(name, mpf(z))] for z in grid()[0]]).T


@cache
def jump(name: str) -> float:
    """σ'(0+) − σ'(0−)."""
    right, left = (taylor.derivatives(name, mpf(z))[1] for z in ("1e-40", "-1e-40"))
    return float(right - left) if name.partition("(")[0] in taylor.KINKED else 0.0


def same(a: Neuron, b: Neuron) -> bool:
    return a[0] == b[0] and np.array_equal(a[1], b[1]) and a[2] == b[2]


def expectation(p: int, a: Neuron, q: int, b: Neuron) -> np.ndarray:
    """E[σ_a^(p) σ_b^(q) x̃x̃ᵀ] with x̃ = (x, 1), (3, 3).

    At most one of p and q is 2; if it is and a is b, σ_a(0) must be 0 where σ_a' jumps.
    """
    return one_neuron(p, q, a) if same(a, b) else two_neurons(p, a, q, b)


def one_neuron(p: int, q: int, a: Neuron) -> np.ndarray:
    name, w, bias = a
    z, weight = grid()
    length = float(np.linalg.norm(w))
    t = (z - bias) / length
    along, across = w / length, np.array([-w[1], w[0]]) / length
    f = weight * np.exp(-t * t / 2) / np.sqrt(2 * np.pi) / length * on_grid(name)[p] * on_grid(name)[q]
    m0, m1, m2 = (float(f @ t**k) for k in range(3))
    result = np.zeros((3, 3))
    result[:2, :2] = m2 * np.outer(along, along) + m0 * np.outer(across, across)
    result[:2, 2] = result[2, :2] = m1 * along
    result[2, 2] = m0
    return result


def two_neurons(p: int, a: Neuron, q: int, b: Neuron) -> np.ndarray:
    z, weight = grid()
    left, right = weight * on_grid(a[0])[p], weight * on_grid(b[0])[q]
    total = moments(a, b, z, left, z, right)
    if p == 2 and jump(a[0]):
        total = total + moments(a, b, np.zeros(1), np.array([jump(a[0])]), z, right)
    if q == 2 and jump(b[0]):
        total = total + moments(a, b, z, left, np.zeros(1), np.array([jump(b[0])]))
    return total


def moments(a: Neuron, b: Neuron, za: np.ndarray, left: np.ndarray, zb: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Σ left_i right_j p(z_i, z_j) x̃x̃ᵀ with x the point of the plane where z_a = z_i and z_b = z_j."""
    inverse = np.linalg.inv(np.stack([a[1], b[1]]))
    u, v = za - a[2], zb - b[2]
    x = [inverse[k, 0] * u[:, None] + inverse[k, 1] * v for k in range(2)]
    density = np.exp(-(x[0] ** 2 + x[1] ** 2) / 2) / (2 * np.pi) * abs(np.linalg.det(inverse))
    extended = [*x, np.ones_like(density)]
    entries = [[left @ (density * s * t) @ right for t in extended] for s in extended]
    return np.array(entries)


def hessian(
    student: list[Neuron],
    v: np.ndarray,
    teacher: list[Neuron],
    u: np.ndarray,
    c: float,
    expectation: Callable[[int, Neuron, int, Neuron], np.ndarray] = expectation,
) -> dict[str, Any]:
    """Loss, gradient, Hessian and Gauss–Newton matrix for one output, in the order (w_1, b_1), …, v, output bias.

    v and u are the outgoing weights of student and teacher, c the student's output bias less the teacher's.
    `expectation` is the one of this module, or another one of the same kind.
    """
    neurons, signed = [*student, *teacher], np.concatenate([v, -u])
    m, size = len(student), 4 * len(student) + 1

    def mean(p: int, a: Neuron) -> np.ndarray:
        """E[σ_a^(p) x̃x̃ᵀ]."""
        helper = ("square", np.array([-a[1][1], a[1][0]]) / np.hypot(*a[1]), 0.0)
        return expectation(p, a, 2, helper) / 2  # the second derivative of the square is 2

    error = [[sum(s * expectation(p, a, 0, g) for s, g in zip(signed, neurons, strict=True)) + c * mean(p, a)
              for p in range(3)] for a in student]  # fmt: skip
    gauss_newton, curved, gradient = np.zeros((size, size)), np.zeros((size, size)), np.zeros(size)
    for i, a in enumerate(student):
        rows = slice(3 * i, 3 * i + 3)
        gradient[rows], gradient[3 * m + i] = v[i] * error[i][1][2], error[i][0][2, 2]
        curved[rows, rows] = v[i] * error[i][2]
        curved[rows, 3 * m + i] = curved[3 * m + i, rows] = error[i][1][2]
        for j, b in enumerate(student):
            gauss_newton[rows, 3 * j : 3 * j + 3] = v[i] * v[j] * expectation(1, a, 1, b)
            mixed = v[i] * expectation(1, a, 0, b)[2]
            gauss_newton[rows, 3 * m + j] = gauss_newton[3 * m + j, rows] = mixed
            gauss_newton[3 * m + i, 3 * m + j] = expectation(0, a, 0, b)[2, 2]
        gauss_newton[rows, -1] = gauss_newton[-1, rows] = v[i] * mean(1, a)[2]
        gauss_newton[3 * m + i, -1] = gauss_newton[-1, 3 * m + i] = mean(0, a)[2, 2]
    gauss_newton[-1, -1] = 1
    first = np.array([mean(0, a)[2, 2] for a in neurons])
    gradient[-1] = signed @ first + c
    second = np.array([[expectation(0, a, 0, b)[2, 2] for b in neurons] for a in neurons])
    loss = (signed @ second @ signed + 2 * c * signed @ first + c * c) / 2
    return {"loss": loss, "gradient": gradient, "hessian": gauss_newton + curved, "gauss_newton": gauss_newton}
