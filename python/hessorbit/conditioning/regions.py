"""Rescaling or copying one hidden neuron reaches a region of pairs (D_in, D_out) of the diagonal.

Neuron i becomes m copies k, with incoming parameters c_k (w_i, b_i) and outgoing weights α_k v_i. For a homogeneous
activation of degree q, σ(c z) = c^q σ(z) with c > 0, the function stays the same if Σ_k α_k c_k^q = 1; any other
activation has c = 1, and q is 0 below. Then J_wide = J T and T Tᵀ is diagonal: parameters incoming to the neuron have
the factor D_in = Σ_k (α_k c_k^{q−1})², those outgoing from it D_out = Σ_k c_k^{2q}. The pairs are

    any activation        m copies       D_out = m,  D_in ≥ 1/m          (m = 1: both are 1)
    homogeneous           m = 1          D_in = c^{−2},  D_out = c^{2q}
    homogeneous           m ≥ 2 copies   D_in^q D_out ≥ m^{1−q}
    exponential, bias     m = 1          D_in = 1,  D_out = e^{2τ}       (bias + τ, outgoing × e^{−τ})

and no others: the inequalities are those of Cauchy–Schwarz and Hölder, with equality for equal copies. All of them are
linear in the logarithms. The smallest cost a D_in + b D_out over each set has a closed form, for lower bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .._checks import Array

# Every free factor of D stays between 1/SPAN and SPAN, and D_in^q D_out of copies below SPAN: outgoing weights of
# copies then cancel by a factor of at most 1e4, and twelve digits of the function remain.
SPAN = 1e8
LOG_SPAN = float(np.log(SPAN))
MARGIN = 0.5  # distance of a start from the inequality, in logarithms


@dataclass(frozen=True)
class Posynomial:
    """The constraint Σ_j weights_j exp(v[indices_j]) <= most."""

    indices: Array
    weights: Array
    most: float


@dataclass(frozen=True)
class Region:
    """A set of pairs: (log D_in, log D_out) = rows @ v + constants, for the v that satisfy all constraints.

    A start is strictly inside. If the number of copies is a variable, `log_copies` is the index of its logarithm.
    """

    rows: Array  # (2, n)
    start: Array  # (n,)
    constants: tuple[float, float] = (0.0, 0.0)
    inequalities: Array | None = None  # (q, n): inequalities @ v >= bounds
    bounds: tuple[float, ...] = ()
    posynomials: tuple[Posynomial, ...] = ()
    log_copies: int | None = None


class NeuronScaling(Protocol):
    """The pairs one neuron can reach."""

    def region(self) -> Region:
        """Returns the pairs as a set in logarithms."""

    def cheapest(self, a: float, b: float, price: float) -> float:
        """Returns a lower bound on a D_in + b D_out + price · copies; a fixed number of copies has no price."""


@dataclass(frozen=True)
class Unchanged:
    """D_in = D_out = 1."""

    def region(self) -> Region:
        return Region(np.empty((2, 0)), np.empty(0))

    def cheapest(self, a: float, b: float, price: float) -> float:
        return a + b


@dataclass(frozen=True)
class Shifted:
    """D_in = 1, any D_out: an exponential neuron with a bias."""

    def region(self) -> Region:
        return Region(np.array([[0.0], [1.0]]), np.zeros(1))

    def cheapest(self, a: float, b: float, price: float) -> float:
        return a if b >= 0 else -np.inf


@dataclass(frozen=True)
class Rescaled:
    """D_in^q D_out = 1: a homogeneous neuron without copies, v = 2 log c."""

    degree: int

    def region(self) -> Region:
        return Region(
            rows=np.array([[-1.0], [self.degree]]),
            start=np.zeros(1),
            inequalities=np.array([[self.degree], [-self.degree]]),
            bounds=(-LOG_SPAN, -LOG_SPAN),
        )

    def cheapest(self, a: float, b: float, price: float) -> float:
        return cheapest_product(a, b, self.degree, 1.0)


@dataclass(frozen=True)
class Segment:
    """The convex hull in (D_in, D_out) of the curve D_in = e^{−v}, D_out = e^{qv}, low ≤ v ≤ high."""

    degree: int
    low: float
    high: float

    def region(self) -> Region:
        q = self.degree
        incoming = np.exp([-self.low, -self.high])
        outgoing = np.exp([q * self.low, q * self.high])
        slope = (incoming[0] - incoming[1]) / (outgoing[1] - outgoing[0])
        chord = Posynomial(np.array([0, 1]), np.array([1.0, slope]), float(incoming[0] + slope * outgoing[0]))
        middle = (self.low + self.high) / 2
        between = (np.exp(-middle) + chord.most - slope * np.exp(q * middle)) / 2
        return Region(
            rows=np.eye(2),
            start=np.array([np.log(between), q * middle]),
            inequalities=np.array([[q, 1.0], [0.0, 1.0], [0.0, -1.0]]),
            bounds=(0.0, q * self.low, -q * self.high),
            posynomials=(chord,),
        )

    def cheapest(self, a: float, b: float, price: float) -> float:
        q = self.degree
        candidates = [self.low, self.high]
        if a > 0 and b > 0:
            candidates.append(float(np.clip(np.log(a / (q * b)) / (q + 1), self.low, self.high)))
        return min(float(a * np.exp(-v) + b * np.exp(q * v)) for v in candidates)


@dataclass(frozen=True)
class Copied:
    """D_out = m, D_in ≥ 1/m: m ≥ 2 copies, any activation."""

    copies: int

    def region(self) -> Region:
        log_copies = float(np.log(self.copies))
        return Region(
            rows=np.array([[1.0], [0.0]]),
            constants=(0.0, log_copies),
            start=np.array([MARGIN - log_copies]),
            inequalities=np.array([[1.0], [-1.0]]),
            bounds=(-log_copies, log_copies - LOG_SPAN),
        )

    def cheapest(self, a: float, b: float, price: float) -> float:
        return a / self.copies + b * self.copies if a >= 0 else -np.inf


@dataclass(frozen=True)
class CopiedAndRescaled:
    """D_in^q D_out ≥ m^{1−q}: m ≥ 2 copies of a homogeneous neuron."""

    degree: int
    copies: int

    def region(self) -> Region:
        bound = float((1 - self.degree) * np.log(self.copies))
        return Region(
            rows=np.eye(2),
            start=np.full(2, (bound + MARGIN) / (self.degree + 1)),
            inequalities=np.array([[self.degree, 1.0], [-self.degree, -1.0]]),
            bounds=(bound, -LOG_SPAN),
        )

    def cheapest(self, a: float, b: float, price: float) -> float:
        return cheapest_product(a, b, self.degree, self.copies ** (1.0 - self.degree))


@dataclass(frozen=True)
class CopiedBetween:
    """A real number of copies m, low ≤ m ≤ high: D_out = m and D_in ≥ 1/m, or D_in^q D_out ≥ m^{1−q} if q > 1.

    A relaxation of whole numbers. `start` is a number strictly between.
    """

    degree: int
    low: int
    high: int
    start: float

    def region(self) -> Region:
        q, log_copies = self.degree, np.log(self.start)
        bounds = (0.0, -LOG_SPAN, float(np.log(self.low)), float(-np.log(self.high)))
        if q == 0:
            return Region(
                rows=np.eye(2),
                start=np.array([MARGIN - log_copies, log_copies]),
                inequalities=np.array([[1.0, 1.0], [-1.0, -1.0], [0.0, 1.0], [0.0, -1.0]]),
                bounds=bounds,
                log_copies=1,
            )
        middle = ((1 - q) * log_copies + MARGIN) / (q + 1)
        return Region(
            rows=np.eye(2, 3),
            start=np.array([middle, middle, log_copies]),
            inequalities=np.array([[q, 1.0, q - 1.0], [-q, -1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]),
            bounds=bounds,
            log_copies=2,
        )

    def cheapest(self, a: float, b: float, price: float) -> float:
        q = self.degree
        if a < 0:
            return -np.inf
        if q == 0:
            return self.cheapest_number(a, b + price, 1.0)
        return self.cheapest_number(cheapest_product(a, b, q, 1.0), price, (q - 1) / (q + 1))

    def cheapest_number(self, worth: float, price: float, power: float) -> float:
        """Returns the smallest worth · m^{−power} + price · m, worth ≥ 0."""
        if worth == -np.inf:
            return -np.inf
        best = float(self.high if price <= 0 else (power * worth / price) ** (1 / (1 + power)))
        copies = min(max(best, self.low), self.high)
        return float(worth * copies**-power + price * copies)


def cheapest_product(a: float, b: float, q: int, bound: float) -> float:
    """Returns the infimum of a x + b y over x, y > 0 with x^q y ≥ bound."""
    if a < 0 or b < 0:
        return -np.inf
    return float((q + 1) * (a / q) ** (q / (q + 1)) * (b * bound) ** (1 / (q + 1)))


def split_into_copies(degree: int, copies: int, incoming: float, outgoing: float) -> tuple[Array, Array]:
    """Returns outgoing coefficients α (m,) and incoming scales c (m,) of m copies with this D_in and D_out.

    Scales are equal, c^{2q} = D_out/m; β = α c^{q−1} has the mean 1/(m c) that keeps the function, and
    Σ β² = 1/(m c²) + t² = D_in with one copy apart from the others by t.

    >>> alpha, c = split_into_copies(1, 2, 5.0, 2.0)
    >>> alpha, c
    (array([ 2., -1.]), array([1., 1.]))
    """
    scale = (outgoing / copies) ** (1 / (2 * degree)) if degree else 1.0
    beta = np.full(copies, 1 / (copies * scale))
    apart = np.sqrt(max(incoming - 1 / (copies * scale**2), 0.0))
    if copies > 1:
        beta -= apart / np.sqrt(copies * (copies - 1))
        beta[0] += apart * np.sqrt(copies / (copies - 1))
    return beta * scale ** (1 - degree) if degree else beta, np.full(copies, scale)
