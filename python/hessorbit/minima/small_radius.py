"""`small_radius_law` finds the leading law of P(distance ≤ ε) for small ε.

Near a start with density p, a piece of codimension c has within ε of it the probability V_c ε^c ∫_piece p, with V_c the
volume of the unit ball in c dimensions. The pieces of least codimension lead:

    P(ε) → V_c ε^c Σ_pieces ∫_piece p        as ε → 0

Pieces with no mass near them do not count. The integral over an affine piece is the density of the orthogonal
projection of θ₀ at the piece, a product over the same parts as in `subspace_laws`: coordinates of copies, sums of
outgoing weights (√n times the density of the sum of n of them), differences within zero groups. Sums over pieces are
coefficients of generating functions again, of which each is kept as an order in ε and the logarithm of a factor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np

from .. import schemes
from .._checks import Array
from .subspace_laws import Variances
from .teacher import Setting, at_zero

# The order and the logarithm of 0.
NOTHING = (math.inf, -math.inf)


@dataclass(frozen=True)
class SmallRadiusLaw:
    """A `SmallRadiusLaw` says P(distance ≤ ε) ≈ exp(log_coefficient) ε^exponent, for small ε.

    Attributes
    ----------
    exponent : int
        The least codimension of the pieces that have mass near them.
    log_coefficient : float
        −inf if none has, as when the teacher's weights are beyond the reach of a uniform scheme; the exponent is then
        0.

    Examples
    --------
    >>> import math
    >>> from hessorbit.minima import SmallRadiusLaw
    >>> law = SmallRadiusLaw(exponent=2, log_coefficient=math.log(3.0))
    >>> round(law(0.1), 12)
    0.03
    """

    exponent: int
    log_coefficient: float

    def __call__(self, radius: float) -> float:
        """Returns the probability that the law gives for one radius; above 1 where the law does not hold.

        Examples
        --------
        >>> import math
        >>> import hessorbit as ho
        >>> law = ho.minima.SmallRadiusLaw(exponent=2, log_coefficient=math.log(3.0))
        >>> round(law(0.1), 12), round(law(0.2), 12)
        (0.03, 0.12)
        """
        log = self.log_coefficient + self.exponent * math.log(radius)
        return math.exp(min(log, 700.0)) if log > -745 else 0.0


@dataclass(frozen=True)
class Coefficients:
    """A `Coefficients` holds one generating function: the coefficient of x^n is exp(log[n]) ε^order[n]."""

    order: Array  # (m + 1) float; inf for a zero coefficient
    log: Array  # (m + 1)

    def __mul__(self, other: Coefficients) -> Coefficients:
        rows = [
            leading(self.order[: n + 1] + other.order[n::-1], self.log[: n + 1] + other.log[n::-1])
            for n in range(len(self.order))
        ]
        return Coefficients(*map(np.array, zip(*rows, strict=True)))

    def exponential(self) -> Coefficients:
        """Returns exp of the function, whose constant term is 0, from n b_n = Σ_k k a_k b_{n−k}."""
        size = len(self.order)
        order, log = np.full(size, np.inf), np.full(size, -np.inf)
        order[0] = log[0] = 0.0
        for n in range(1, size):
            k = np.arange(1, n + 1)
            order[n], log[n] = leading(self.order[k] + order[n - k], self.log[k] + np.log(k / n) + log[n - k])
        return Coefficients(order, log)


def leading(order: Array, log: Array) -> tuple[float, float]:
    """Returns the sum of terms: those of the least order that are not 0."""
    least = float(np.where(log == -np.inf, np.inf, order).min())
    if math.isinf(least):
        return NOTHING
    terms = log[order == least]
    top = terms.max()
    return least, float(top + np.log(np.exp(terms - top).sum()))


@dataclass(frozen=True)
class Density:
    """A `Density` computes log densities of independent entries of variance σ², normal or uniform."""

    uniform: bool

    def sum(self, variance: float, n: int, target: Array) -> tuple[float, float]:
        """Returns order and log density of (Σ of n entries)/√n at target/√n, for each entry of `target`, added."""
        if variance == 0:
            return 0.0, 0.0 if not np.any(target) else -math.inf
        count = float(np.size(target))
        if not self.uniform:
            square = float((np.asarray(target) ** 2).sum())
            return count, -count / 2 * math.log(2 * math.pi * variance) - square / (2 * n * variance)
        return count, sum(log_uniform_sum(variance, n, float(y)) for y in np.ravel(target))

    def equal(self, variance: float, count: int, size: int) -> tuple[float, float]:
        """Returns those of the differences among `size` groups of `count` entries at 0, off their mean."""
        if variance == 0:
            return 0.0, 0.0
        if not self.uniform:
            return count * (size - 1.0), -count * (size - 1) / 2 * math.log(2 * math.pi * variance)
        return count * (size - 1.0), count * (math.log(size) / 2 - (size - 1) * math.log(2 * math.sqrt(3 * variance)))


def log_uniform_sum(variance: float, n: int, y: float) -> float:
    """Returns log of √n times the density at y of a sum of n uniform entries, a B-spline (Irwin and Hall 1927)."""
    from scipy.interpolate import BSpline

    half = math.sqrt(3 * variance)
    density = float(BSpline.basis_element(np.arange(n + 1.0), extrapolate=False)((y / half + n) / 2))
    if not density > 0:
        return -math.inf
    return math.log(density / (2 * half)) + math.log(n) / 2


def small_radius_law(setting: Setting, variance: Variances, scheme: schemes.Scheme) -> SmallRadiusLaw | None:
    """Returns the law; None where the leading pieces are curved, or mirrored in ways that the output bias couples."""
    symmetry = setting.symmetry
    if symmetry.copies == "scaled":
        return None
    # Variances here are those of the scheme's entries: a uniform one on ±a has a²/3.
    factor = 1 / 3 if scheme.uniform else 1.0
    v = Variances(*(factor * each for each in astuple(variance)))
    density = Density(scheme.uniform)
    mirrored = symmetry.copies == "mirrored"
    if mirrored and not dead_neurons_lead(setting):
        return None
    signs = 2 if symmetry.copies in ("odd", "even") else 1
    total = idle_part(setting, v, density, signs)
    for i in range(setting.teacher_width):
        total = total * copies_part(setting, v, density, signs, i)
    if not mirrored:
        total = total * constants_part(setting, v, density)
    order, log = float(total.order[-1]), float(total.log[-1])
    if mirrored:
        order, log = combine((order, log), mirrored_outputs(setting, v, density))
    if math.isnan(log):
        return None
    if log == -math.inf:
        return SmallRadiusLaw(0, log)
    exponent = round(order)
    volume = exponent / 2 * math.log(math.pi) - math.lgamma(exponent / 2 + 1)
    return SmallRadiusLaw(exponent, volume + log + math.lgamma(setting.width + 1))


def series(rows: Iterable[tuple[float, float]]) -> Coefficients:
    """Returns coefficients from (order, log) of n = 0, 1, …, divided by n!."""
    order, log = (np.array(column) for column in zip(*rows, strict=True))
    order = np.where(log == -np.inf, np.inf, order)
    return Coefficients(order, log - np.array([math.lgamma(n + 1) for n in range(len(log))]))


def combine(*parts: tuple[float, float]) -> tuple[float, float]:
    return sum(order for order, _ in parts), sum(log for _, log in parts)


def incoming_part(setting: Setting, v: Variances, density: Density, target: Array) -> tuple[float, float]:
    """Returns order and log density of one neuron's incoming weights at `target`, (D,)."""
    inputs = setting.net.widths[0]
    return combine(density.sum(v.weight, 1, target[:inputs]), density.sum(v.hidden_bias, 1, target[inputs:]))


def copies_part(setting: Setting, v: Variances, density: Density, signs: int, i: int) -> Coefficients:
    one = incoming_part(setting, v, density, setting.incoming[i])
    rows = [NOTHING]
    for n in range(1, setting.width + 1):
        order, log = density.sum(v.outgoing, n, setting.outgoing[i])
        rows.append((order + n * one[0], log + n * (one[1] + math.log(signs))))
    return series(rows)


def idle_part(setting: Setting, v: Variances, density: Density, signs: int) -> Coefficients:
    inputs, _, outputs = setting.net.widths
    rows = [NOTHING]
    for z in range(1, setting.width + 1):
        group = combine(
            density.equal(v.weight, inputs, z),
            density.equal(v.hidden_bias, int(setting.net.biases[0]), z),
            density.sum(v.outgoing, z, np.zeros(outputs)),
            (0.0, (z - 1) * math.log(signs)),
        )
        rows.append(group)
    if setting.symmetry.off != "never":
        off = incoming_part(setting, v, density, np.zeros(setting.incoming.shape[1]))
        rows[1] = leading(np.array([rows[1][0], off[0]]), np.array([rows[1][1], off[1]]))
    return series(rows).exponential()


def constants_part(setting: Setting, v: Variances, density: Density) -> Coefficients:
    """Returns the part of output bias and constant neurons; nan for what is curved or has no such density."""
    inputs, _, outputs = setting.net.widths
    kind = setting.symmetry.constants
    bias = density.sum(v.output_bias, 1, setting.output_bias) if setting.net.biases[1] else (0.0, 0.0)
    rows = [bias]
    for n in range(1, setting.width + 1):
        if kind == "none":
            rows.append(NOTHING)
            continue
        weights = combine(*[density.sum(v.weight, 1, np.zeros(inputs))] * n)
        if kind == "free" or density.uniform:
            rows.append((weights[0] + outputs, math.nan))
            continue
        t = n * (setting.net.multipliers[1] * at_zero(setting.net)) ** 2
        spread = (v.output_bias + t * v.outgoing) / (1 + t)
        rows.append(combine(weights, density.sum(spread, 1, setting.output_bias / math.sqrt(1 + t))))
    return series(rows)


def dead_neurons_lead(setting: Setting) -> bool:
    """Returns whether leading pieces copy each teacher neuron once, and these are few enough for all signs."""
    inputs, _, outputs = setting.net.widths
    return setting.teacher_width <= 16 and (setting.width == setting.teacher_width or outputs < inputs)


def mirrored_outputs(setting: Setting, v: Variances, density: Density) -> tuple[float, float]:
    """Returns the part of the output bias at c* + C Σ_mirrored v*, over all signs, each teacher neuron copied once."""
    shift = setting.symmetry.mirror * setting.net.multipliers[1] * setting.outgoing
    terms = [
        density.sum(v.output_bias, 1, setting.output_bias + np.array(flips) @ shift)
        for flips in itertools.product((0, 1), repeat=setting.teacher_width)
    ]
    return leading(np.array([t[0] for t in terms]), np.array([t[1] for t in terms]))
