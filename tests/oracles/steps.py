"""E[σ_a⁽ᵖ⁾(z_a) σ_b⁽ᵠ⁾(z_b) x̃x̃ᵀ] over normal inputs at any angle and bias, for P(z) + Q(z) θ(z) with a step θ.

Everything is a derivative of the probability that both steps are on, in the two biases: σ⁽ᵖ⁾ is the p-th derivative in
b, a factor z_a is the operator b_a + ‖w_a‖² ∂_a + w_a·w_b ∂_b, and factors x are derivatives by Stein's identity. The
core integrates truncated polynomials instead. Derivatives diverge at small angles and cancel, which digits make up for:
exactly parallel weights are turned by 1e-40.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mp, mpf

from .normal_inputs import Neuron

DIGITS, TURN, MOST = 300, 40, 6
# P, Q and the variance of the noise that the step sees: none if it is sharp.
FORMS: dict[str, tuple[list[float], list[float], int]] = {
    "identity": ([0, 1], [], 0),
    "square": ([0, 0, 1], [], 0),
    "cube": ([0, 0, 0, 1], [], 0),
    "relu": ([], [0, 1], 0),
    "leaky_relu": ([0, 0.01], [0, 0.99], 0),
    "erf": ([-1], [2], 1),
    "normal_cdf": ([], [1], 1),
    "gelu": ([], [0, 1], 1),
}

Jet = list[list[Any]]  # entry [p][q] is ∂_aᵖ ∂_bᵠ of an expectation


def upper(x: Any) -> Any:
    if abs(x) > 1e6:  # e^(−5e11), and mpmath takes no number beyond the range of float64
        return mpf(x < 0)
    return mpmath.erfc(x / mpmath.sqrt(2)) / 2


def density(x: Any) -> Any:
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mp.pi)


def both(h: Any, k: Any, angle: Any) -> Any:
    """P(x·n_a > h, x·n_b > k) for an angle between n_a and n_b: Plackett's identity, from parallel ones on."""
    if angle > mp.pi / 2:
        return upper(h) - both(h, -k, mp.pi - angle)

    def f(psi: Any) -> Any:
        half = mpmath.sin(psi / 2)
        return mpmath.exp(-((h - k) ** 2 + 4 * h * k * half * half) / (2 * mpmath.sin(psi) ** 2)) if psi else mpf(0)

    with mpmath.workdps(22):
        cuts = [abs(h - k) * 2**j for j in (-2, 0, 2)]
        lost = mpmath.quad(f, sorted({mpf(0), angle, *(c for c in cuts if c < angle)}))
    return upper(max(h, k)) - lost / (2 * mp.pi)


def jets(a: tuple[Any, Any, int], b: tuple[Any, Any, int], inner: Any, area: Any, order: int) -> dict[str, Jet]:
    """Of E[1], E[θ_a], E[θ_b], E[θ_a θ_b]; a and b hold ‖w‖², the bias and the noise, `area` is |w_a × w_b|."""
    tau2 = [a[0] + a[2], b[0] + b[2]]
    bias = [a[1], b[1]]
    det = area**2 + a[2] * b[0] + b[2] * a[0] + a[2] * b[2]
    n = order + 1

    def zero() -> Jet:
        return [[mpf(0)] * (n + 1) for _ in range(n + 1)]

    one, on_a, on_b, joint = zero(), zero(), zero(), zero()
    one[0][0] = mpf(1)
    for jet, i in ((on_a, 0), (on_b, 1)):
        tau = mpmath.sqrt(tau2[i])
        values = [upper(-bias[i] / tau), density(bias[i] / tau) / tau]
        for p in range(n - 1):
            values.append(-(bias[i] * values[p + 1] + p * values[p]) / tau2[i])
        for p, value in enumerate(values[: n + 1]):
            jet[p if i == 0 else 0][p if i == 1 else 0] = value
    # The density of (y_a, y_b) at 0 and its derivatives.
    precision = [tau2[1] / det, -inner / det, tau2[0] / det]
    form = precision[0] * bias[0] ** 2 + 2 * precision[1] * bias[0] * bias[1] + precision[2] * bias[1] ** 2
    joint[1][1] = mpmath.exp(-form / 2) / (2 * mp.pi * mpmath.sqrt(det))
    slope_a, slope_b = precision[0] * bias[0] + precision[1] * bias[1], precision[1] * bias[0] + precision[2] * bias[1]
    for q in range(1, n + 1):
        if q > 1:
            joint[1][q] = -slope_b * joint[1][q - 1] - (q - 2) * precision[2] * joint[1][q - 2] * (q > 2)
        for p in range(2, n + 1):
            joint[p][q] = -slope_a * joint[p - 1][q]
            if p > 2:
                joint[p][q] -= (p - 2) * precision[0] * joint[p - 2][q]
            if q > 1:
                joint[p][q] -= (q - 1) * precision[1] * joint[p - 1][q - 1]
    omega = [mpmath.sqrt(det / t) for t in tau2]
    for i in (0, 1):
        tau = mpmath.sqrt(tau2[i])
        centre = (bias[1 - i] - inner * bias[i] / tau2[i]) / omega[i]
        edge = [mpf(0), density(bias[i] / tau) / tau * upper(-centre)]
        for p in range(n - 1):
            cross = joint[p + 1][1] if i == 0 else joint[1][p + 1]
            edge.append(-(bias[i] * edge[p + 1] + p * edge[p] + inner * cross) / tau2[i])
        for p in range(1, n + 1):
            joint[p if i == 0 else 0][p if i == 1 else 0] = edge[p]
    angle = mpmath.atan2(mpmath.sqrt(det), inner)
    joint[0][0] = both(-bias[0] / mpmath.sqrt(tau2[0]), -bias[1] / mpmath.sqrt(tau2[1]), angle)
    return {"": one, "a": on_a, "b": on_b, "ab": joint}


def times_z(jet: Jet, own: int, bias: Any, length2: Any, inner: Any) -> Jet:
    """The jet of E[z f] from that of E[f]."""
    n = len(jet) - 1
    result = [[mpf(0)] * n for _ in range(n)]
    for p in range(n):
        for q in range(n):
            along, across = (jet[p + 1][q], jet[p][q + 1]) if own == 0 else (jet[p][q + 1], jet[p + 1][q])
            result[p][q] = bias * jet[p][q] + length2 * along + inner * across
            if (p, q)[own]:
                result[p][q] += (p, q)[own] * (jet[p - 1][q] if own == 0 else jet[p][q - 1])
    return result


Key = tuple[str, float, float, float]


@cache
def derivatives(a: Key, b: Key) -> tuple[Jet, list[Any], list[Any]]:
    """E[σ_a⁽ᵖ⁾ σ_b⁽ᵠ⁾] for p + q ≤ MOST, and the weights."""
    wa, wb = ([mpf(x) for x in key[1:3]] for key in (a, b))
    bias = [mpf(key[3]) for key in (a, b)]
    if wa[0] * wb[1] == wa[1] * wb[0]:
        turn = mpf(10) ** -TURN
        wb = [wb[0] - turn * wb[1], wb[1] + turn * wb[0]]
    inner, area = wa[0] * wb[0] + wa[1] * wb[1], abs(wa[0] * wb[1] - wa[1] * wb[0])
    length2 = [w[0] ** 2 + w[1] ** 2 for w in (wa, wb)]
    forms = [FORMS[key[0]] for key in (a, b)]
    sides = [(length2[i], bias[i], forms[i][2]) for i in (0, 1)]
    degrees = [max(len(form[0]), len(form[1])) - 1 for form in forms]
    total = [[mpf(0)] * (MOST + 1) for _ in range(MOST + 1)]
    for key, jet in jets(sides[0], sides[1], inner, area, MOST + sum(degrees)).items():
        left = jet
        for i, c in enumerate(forms[0]["a" in key]):
            right = left
            for j, d in enumerate(forms[1]["b" in key]):
                if c and d:
                    for p in range(MOST + 1):
                        for q in range(MOST + 1 - p):
                            total[p][q] += mpf(c) * mpf(d) * right[p][q]
                right = times_z(right, 1, bias[1], length2[1], inner) if j < degrees[1] else right
            left = times_z(left, 0, bias[0], length2[0], inner) if i < degrees[0] else left
    return total, wa, wb


def expectation(p: int, a: Neuron, q: int, b: Neuron) -> np.ndarray:
    """E[σ_a⁽ᵖ⁾ σ_b⁽ᵠ⁾ x̃x̃ᵀ] with x̃ = (x, 1), (3, 3); weights may be parallel, and the two neurons one."""
    keys = [(name, *(float(x) for x in w), float(bias)) for name, w, bias in (a, b)]
    if keys[0] > keys[1]:
        return expectation(q, b, p, a)
    with mpmath.workdps(DIGITS):
        f, wa, wb = derivatives(*keys)
        result = np.zeros((3, 3))
        result[2, 2] = float(f[p][q])
        for i in range(2):
            result[i, 2] = result[2, i] = float(wa[i] * f[p + 1][q] + wb[i] * f[p][q + 1])
            for j in range(2):
                second = wa[i] * wa[j] * f[p + 2][q] + wb[i] * wb[j] * f[p][q + 2]
                second += (wa[i] * wb[j] + wb[i] * wa[j]) * f[p + 1][q + 1]
                result[i, j] = float(second + (f[p][q] if i == j else 0))
        return result
