"""`lower_tail` computes probabilities from Laplace transforms, P(Q ≤ x) for Q ≥ 0 with E e^{−sQ} = M(s).

    P(Q ≤ x) = 1/(2πi) ∫ e^{sx} M(s)/s ds

along any path from −i∞ to i∞ that passes right of 0 and stays off the negative real axis, where all singularities of
the transforms here lie. The path is a parabola through the saddle point, the minimum of e^{sx} M(s)/s over s > 0, bent
to the left as steepest descent bends it: the integrand falls off like a Gaussian from its largest value, so that even
the smallest probabilities come out with full relative accuracy. (Saddle points: Daniels 1954; inversion of quadratic
forms: Imhof 1961, who integrates along the imaginary axis, where small probabilities are lost to rounding.)

M may be a sum of transforms, and then P is the sum of the probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

# log M at a complex s off the negative axis; any branch of the logarithm.
LogTransform = Callable[[complex], complex]


@dataclass(frozen=True)
class Probability:
    """A `Probability` holds the logarithm of one (or of a sum), and the relative error that the integration reports."""

    log: float
    relative_error: float

    @property
    def value(self) -> float:
        return math.exp(self.log) if self.log > -745 else 0.0


def lower_tail(log_transform: LogTransform, x: float, *, straight: bool = False) -> Probability:
    """Returns P(Q ≤ x), with a relative error of some 1e-10 in most cases, as reported.

    Parameters
    ----------
    log_transform : callable
        log M(s), real for s > 0. M(s) e^{sx} must grow for large s, which it does if P(Q ≤ x) > 0.
    x : float
        Must be positive.
    straight : bool
        M is a sum of transforms some of which belong to Q that cannot be below a constant > x. They grow to the left,
        so that the path must not be bent; the integrand then falls off like a power of s only.
    """
    from scipy.integrate import quad
    from scipy.optimize import minimize_scalar

    def exponent(s: complex) -> complex:
        return complex(s * x + log_transform(s) - np.log(complex(s)))

    def along(log_s: float) -> float:
        return float(exponent(math.exp(log_s)).real)

    # In log s the exponent is one valley: s d/ds of a convex function changes sign once.
    centre = -math.log(x)
    left, right = centre - 2.0, centre + 2.0
    while along(left) <= along(left + 1):
        left -= 2
    while along(right) <= along(right - 1):
        right += 2
        if right > centre + 200:
            return Probability(-math.inf, 0.0)
    saddle = math.exp(minimize_scalar(along, bounds=(left, right), method="bounded", options={"xatol": 1e-10}).x)
    top = float(exponent(saddle).real)

    # Width and bend of the path from the second and third derivative there; they need not be accurate.
    h = saddle * 1e-2
    values = [float(exponent(saddle + i * h).real) for i in (-2, -1, 0, 1, 2)]
    second = (values[1] - 2 * values[2] + values[3]) / h**2
    third = (values[4] - 2 * values[3] + 2 * values[1] - values[0]) / (2 * h**3)
    width = 1 / math.sqrt(second) if second > 0 else saddle
    bend = 0.0
    if not straight:
        steepest = -third * width**2 / (6 * second) if second > 0 else math.inf
        bend = min(max(steepest, 0.05 * width**2 / saddle), width**2 / saddle)
        bend = flattened(lambda s: float(exponent(s).real) - top, saddle, width, bend)

    def integrand(u: float) -> float:
        s = complex(saddle - bend * u * u, width * u)
        step = complex(width, 2 * bend * u)  # ds/du divided by i
        return float((np.exp(exponent(s) - top) * step).real)

    end = 1.0
    lost, accuracy = (-28, 1e-9) if straight else (-60, 1e-11)
    while end < 1e6 and exponent(complex(saddle - bend * end * end, width * end)).real - top > lost:
        end *= 1.5
    # With full_output an accuracy that is not reached is reported by the error, without a warning.
    total, error, *_ = quad(integrand, 0, end, epsabs=0, epsrel=accuracy, limit=400, full_output=1)
    if total <= 0:
        return Probability(-math.inf, math.inf)
    return Probability(top + math.log(total / math.pi), error / total)


def flattened(height: Callable[[complex], float], saddle: float, width: float, bend: float) -> float:
    """Returns the bend, reduced until the integrand is nowhere above its value at the saddle.

    For a probability near 1 the saddle is at the pole of 1/s, far from where the steepest descent of M leads: with
    large noncentralities a path so bent comes near their essential singularities, around which M is huge.
    """
    steps = np.geomspace(0.05, 1e3, 120)
    for _ in range(12):
        if all(height(complex(saddle - bend * u * u, width * u)) <= 1e-9 for u in steps):
            return bend
        bend /= 3
    return 0.0


@dataclass(frozen=True)
class GeneralizedChiSquare:
    """A `GeneralizedChiSquare` is the law of Q = shift + Σ_j weight_j χ²(dof_j, noncentrality_j), the χ² independent.

    The squared distance of a Gaussian vector to an affine subspace has such a law.

    Examples
    --------
    >>> law = GeneralizedChiSquare((1.0, 0.25), (2, 3), (0.0, 4.0))
    >>> round(law.mean, 2), round(law.cdf(3.0).value, 6)
    (3.75, 0.445945)
    """

    weight: tuple[float, ...]
    dof: tuple[float, ...]
    noncentrality: tuple[float, ...]
    shift: float = 0.0

    @property
    def mean(self) -> float:
        terms = zip(self.weight, self.dof, self.noncentrality, strict=True)
        return self.shift + sum(w * (n + d) for w, n, d in terms)

    def log_transform(self, s: complex) -> complex:
        """Returns log E e^{−sQ}."""
        total = -s * self.shift
        for w, n, d in zip(self.weight, self.dof, self.noncentrality, strict=True):
            total = total - n / 2 * np.log(1 + 2 * w * s) - d * w * s / (1 + 2 * w * s)
        return complex(total)

    def cdf(self, x: float) -> Probability:
        """Returns P(Q ≤ x)."""
        if x <= self.shift:
            return Probability(0.0 if not self.weight and x == self.shift else -math.inf, 0.0)
        if not self.weight:
            return Probability(0.0, 0.0)
        centred = GeneralizedChiSquare(self.weight, self.dof, self.noncentrality)
        found = lower_tail(centred.log_transform, x - self.shift)
        return found if found.log < 0 else replace(found, log=0.0)
