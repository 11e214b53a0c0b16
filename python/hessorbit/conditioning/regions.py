"""Rescaling or copying one hidden neuron reaches a region of factors D_in, D_out and D_flip of the diagonal D.

Neuron i becomes m copies k, with incoming parameters c_k (w_i, b_i) and outgoing weights α_k v_i. For a homogeneous
activation of degree q, σ(c z) = c^q σ(z) with c > 0, the function stays the same if Σ_k α_k c_k^q = 1; any other
activation has c = 1, and q is 0 below. Then J_wide = J T and T Tᵀ is diagonal: parameters incoming to the neuron have
the factor D_in = Σ_k (α_k c_k^{q−1})², those outgoing from it D_out = Σ_k c_k^{2q}. The pairs are

    any activation        m copies       D_out = m,  D_in ≥ 1/m          (m = 1: both are 1)
    homogeneous           m = 1          D_in = c^{−2},  D_out = c^{2q}
    homogeneous           m ≥ 2 copies   D_in^q D_out ≥ m^{1−q}
    exponential, bias     m = 1          D_in = 1,  any D_out = e^{2τ}    (bias + τ, outgoing × e^{−τ})
    exponential, bias     m ≥ 2 copies   D_in ≥ 1/m,  any D_out

and no others: the inequalities are those of Cauchy–Schwarz and Hölder, with equality for equal copies.

An activation that is odd up to a constant, σ(−z) = κ − σ(z), has flipped copies too. The derivative in an outgoing
weight v of a flipped copy is s κ ∂/∂b − ∂/∂v, b being the bias it adds to and s that layer's multiplier. These are
counted as further parameters with the factor D_flip. Of m copies, f of them flipped, D_out = m − f, D_flip = f and
D_in ≥ 1/m. For other neurons D_flip = 0.

In the logarithms all of this is linear, but for D_out + D_flip = m, of which the relaxation keeps "at most". In the
factors themselves all but the second line are convex. The smallest cost a D_in + b D_out + c D_flip over each set has a
closed form, for lower bounds.
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

INCOMING, OUTGOING, FLIPPED, COPIES = range(4)  # the variables of a cone


@dataclass(frozen=True)
class Posynomial:
    """The constraint Σ_j weights_j exp(v[indices_j]) <= most."""

    indices: Array
    weights: Array
    most: float


@dataclass(frozen=True)
class Region:
    """A set of factors: (log D_in, log D_out, log D_flip) = rows @ v + constants, for v that satisfy all constraints.

    A start is strictly inside. If the number of copies is a variable, `log_copies` is the index of its logarithm.
    """

    rows: Array  # (3, n)
    start: Array  # (n,)
    constants: tuple[float, float, float] = (0.0, 0.0, -np.inf)
    inequalities: Array | None = None  # (q, n): inequalities @ v >= bounds
    bounds: tuple[float, ...] = ()
    posynomials: tuple[Posynomial, ...] = ()
    log_copies: int | None = None


@dataclass(frozen=True)
class Cone:
    """The same set, or a convex one that holds it, times any s > 0, in x = s (D_in, D_out, D_flip, m).

    ``limits`` are (variable, low, high) with low s ≤ x ≤ high s; ``sums`` are rows (5,) on (s, x) that are zero;
    ``chords`` the same at least zero; ``powers`` are (i, j, q, bound) with x_i^q x_j ≥ bound s^{q+1}.
    """

    limits: tuple[tuple[int, float, float], ...] = ()
    sums: tuple[tuple[float, ...], ...] = ()
    chords: tuple[tuple[float, ...], ...] = ()
    powers: tuple[tuple[int, int, int, float], ...] = ()


NO_FLIPS = (FLIPPED, 0.0, 0.0)


class NeuronScaling(Protocol):
    """The factors one neuron can reach."""

    def region(self) -> Region:
        """Returns the pairs as a set in logarithms."""

    def cone(self) -> Cone:
        """Returns them as a convex cone."""

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        """Returns a lower bound on a D_in + b D_out + c D_flip + price · m; the price counts where m is a variable."""


@dataclass(frozen=True)
class Copied:
    """m copies of any neuron, f of them flipped: D_out = m − f, D_flip = f, D_in ≥ 1/m; D_in = 1 if m = 1."""

    copies: int = 1
    flipped: int = 0

    @property
    def straight(self) -> int:
        return self.copies - self.flipped

    def region(self) -> Region:
        constants = 0.0, logarithm(self.straight), logarithm(self.flipped)
        if self.copies == 1:
            return Region(np.empty((3, 0)), np.empty(0), constants)
        log_copies = float(np.log(self.copies))
        return Region(
            rows=np.array([[1.0], [0.0], [0.0]]),
            constants=constants,
            start=np.array([MARGIN - log_copies]),
            inequalities=np.array([[1.0], [-1.0]]),
            bounds=(-log_copies, log_copies - LOG_SPAN),
        )

    def cone(self) -> Cone:
        outgoing, flipped = float(self.straight), float(self.flipped)
        return Cone((share_of(self.copies), (OUTGOING, outgoing, outgoing), (FLIPPED, flipped, flipped)))

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        return cheapest_share(a, self.copies) + b * self.straight + c * self.flipped


@dataclass(frozen=True)
class CopiedEitherWay:
    """m copies of which low to high are flipped: a relaxation of whole numbers."""

    copies: int
    low: int
    high: int

    def region(self) -> Region:
        share = np.zeros((0 if self.copies == 1 else 1, 2))
        columns = 2 + len(share)
        rows = np.zeros((3, columns))
        rows[OUTGOING, 0] = rows[FLIPPED, 1] = 1
        middle = (self.low + self.high) / 2
        start = [np.log(0.9 * (self.copies - middle)), np.log(0.9 * middle)]
        inequalities, bounds = [], []
        straight = self.copies - self.high, self.copies - self.low
        for index, sign, limit in zip((0, 0, 1, 1), (1.0, -1.0) * 2, (*straight, self.low, self.high), strict=True):
            if limit:
                inequalities.append(sign * np.eye(columns)[index])
                # The relaxation is kept open, so that a start is strictly inside.
                bounds.append(sign * float(np.log(limit)) - OPEN)
        if len(share):
            rows[INCOMING, 2] = 1
            log_copies = float(np.log(self.copies))
            start.append(MARGIN - log_copies)
            inequalities += [np.eye(columns)[2], -np.eye(columns)[2]]
            bounds += [-log_copies, log_copies - LOG_SPAN]
        return Region(
            rows=rows,
            constants=(0.0, 0.0, 0.0),
            start=np.array(start),
            inequalities=np.array(inequalities),
            bounds=tuple(bounds),
            posynomials=(Posynomial(np.array([0, 1]), np.ones(2), float(self.copies)),),
        )

    def cone(self) -> Cone:
        flipped = (FLIPPED, float(self.low), float(self.high))
        return Cone((share_of(self.copies), flipped), sums=((-float(self.copies), 0.0, 1.0, 1.0, 0.0),))

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        return cheapest_share(a, self.copies) + b * self.copies + min((c - b) * self.low, (c - b) * self.high)


OPEN = 0.2  # by how much the bounds on shares of flipped copies are widened, in logarithms


@dataclass(frozen=True)
class Shifted:
    """An exponential neuron with a bias: any D_out; D_in = 1, or D_in ≥ 1/m for m ≥ 2 copies."""

    copies: int = 1

    def region(self) -> Region:
        if self.copies == 1:
            return Region(np.array([[0.0], [1.0], [0.0]]), np.zeros(1))
        log_copies = float(np.log(self.copies))
        return Region(
            rows=np.eye(3, 2),
            start=np.array([MARGIN - log_copies, 0.0]),
            inequalities=np.array([[1.0, 0.0], [-1.0, 0.0]]),
            bounds=(-log_copies, log_copies - LOG_SPAN),
        )

    def cone(self) -> Cone:
        return Cone((share_of(self.copies), NO_FLIPS))

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        return cheapest_share(a, self.copies) if b >= 0 else -np.inf


@dataclass(frozen=True)
class Rescaled:
    """D_in^q D_out = 1: a homogeneous neuron without copies, v = 2 log c."""

    degree: int

    def region(self) -> Region:
        return Region(
            rows=np.array([[-1.0], [self.degree], [0.0]]),
            start=np.zeros(1),
            inequalities=np.array([[self.degree], [-self.degree]]),
            bounds=(-LOG_SPAN, -LOG_SPAN),
        )

    def cone(self) -> Cone:
        return Cone((NO_FLIPS,), powers=((INCOMING, OUTGOING, self.degree, 1.0),))

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        return cheapest_product(a, b, self.degree, 1.0)


@dataclass(frozen=True)
class Segment:
    """The convex hull in (D_in, D_out) of the curve D_in = e^{−v}, D_out = e^{qv}, low ≤ v ≤ high."""

    degree: int
    low: float
    high: float

    def chord(self) -> tuple[float, float]:
        """Returns slope and most, with D_in + slope D_out <= most on the line through both ends."""
        q = self.degree
        incoming = np.exp([-self.low, -self.high])
        outgoing = np.exp([q * self.low, q * self.high])
        slope = (incoming[0] - incoming[1]) / (outgoing[1] - outgoing[0])
        return float(slope), float(incoming[0] + slope * outgoing[0])

    def region(self) -> Region:
        q = self.degree
        slope, most = self.chord()
        middle = (self.low + self.high) / 2
        between = (np.exp(-middle) + most - slope * np.exp(q * middle)) / 2
        return Region(
            rows=np.eye(3, 2),
            start=np.array([np.log(between), q * middle]),
            inequalities=np.array([[q, 1.0], [0.0, 1.0], [0.0, -1.0]]),
            bounds=(0.0, q * self.low, -q * self.high),
            posynomials=(Posynomial(np.array([0, 1]), np.array([1.0, slope]), most),),
        )

    def cone(self) -> Cone:
        q, (slope, most) = self.degree, self.chord()
        return Cone(
            limits=((OUTGOING, float(np.exp(q * self.low)), float(np.exp(q * self.high))), NO_FLIPS),
            chords=((most, -1.0, -slope, 0.0, 0.0),),
            powers=((INCOMING, OUTGOING, q, 1.0),),
        )

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        q = self.degree
        candidates = [self.low, self.high]
        if a > 0 and b > 0:
            candidates.append(float(np.clip(np.log(a / (q * b)) / (q + 1), self.low, self.high)))
        return min(float(a * np.exp(-v) + b * np.exp(q * v)) for v in candidates)


@dataclass(frozen=True)
class CopiedAndRescaled:
    """D_in^q D_out ≥ m^{1−q}: m ≥ 2 copies of a homogeneous neuron."""

    degree: int
    copies: int

    def region(self) -> Region:
        bound = float((1 - self.degree) * np.log(self.copies))
        return Region(
            rows=np.eye(3, 2),
            start=np.full(2, (bound + MARGIN) / (self.degree + 1)),
            inequalities=np.array([[self.degree, 1.0], [-self.degree, -1.0]]),
            bounds=(bound, -LOG_SPAN),
        )

    def cone(self) -> Cone:
        bound = self.copies ** (1.0 - self.degree)
        return Cone((NO_FLIPS,), powers=((INCOMING, OUTGOING, self.degree, bound),))

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        return cheapest_product(a, b, self.degree, self.copies ** (1.0 - self.degree))


@dataclass(frozen=True)
class CopiedBetween:
    """A real number of copies m, low ≤ m ≤ high, of any neuron: a relaxation of whole numbers.

    D_in ≥ 1/m and D_out = m; D_out + D_flip = m if copies may be flipped; any D_out if they may be shifted; or
    D_in^q D_out ≥ m^{1−q} if q > 0. `start` is a number strictly between.
    """

    degree: int
    low: int
    high: int
    start: float
    flips: bool = False
    shifted: bool = False

    def region(self) -> Region:
        q, log_copies = self.degree, np.log(self.start)
        bounds = (0.0, -LOG_SPAN, float(np.log(self.low)), float(-np.log(self.high)))
        if q > 0:
            middle = ((1 - q) * log_copies + MARGIN) / (q + 1)
            return Region(
                rows=np.diag([1.0, 1.0, 0.0]),
                start=np.array([middle, middle, log_copies]),
                inequalities=np.array([[q, 1.0, q - 1.0], [-q, -1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]),
                bounds=bounds,
                log_copies=2,
            )
        shares = 2 if self.flips else int(self.shifted)
        rows, start = np.zeros((3, 2 + shares)), [MARGIN - log_copies, log_copies]
        inequalities = np.array([[1.0, 1.0], [-1.0, -1.0], [0.0, 1.0], [0.0, -1.0]]) @ np.eye(2, 2 + shares)
        rows[INCOMING, 0] = 1
        constants: tuple[float, float, float] = (0.0, 0.0, -np.inf)
        posynomials: tuple[Posynomial, ...] = ()
        if self.flips:  # D_out = m e^{v_2}, D_flip = m e^{v_3}
            rows[[OUTGOING, OUTGOING, FLIPPED, FLIPPED], [1, 2, 1, 3]] = 1
            constants, posynomials = (0.0, 0.0, 0.0), (Posynomial(np.array([2, 3]), np.ones(2), 1.0),)
            start += [np.log(0.45)] * 2
        elif self.shifted:
            rows[OUTGOING, 2] = 1
            start.append(0.0)
        else:
            rows[OUTGOING, 1] = 1
        return Region(rows, np.array(start), constants, inequalities, bounds, posynomials, log_copies=1)

    def cone(self) -> Cone:
        copies = (COPIES, float(self.low), float(self.high))
        if self.degree:
            bound = self.high ** (1.0 - self.degree)
            return Cone((copies, NO_FLIPS), powers=((INCOMING, OUTGOING, self.degree, bound),))
        limits = (copies,) if self.flips else (copies, NO_FLIPS)
        sums = () if self.shifted else ((0.0, 0.0, 1.0, 1.0, -1.0),)
        return Cone(limits, sums, powers=((INCOMING, COPIES, 1, 1.0),))

    def cheapest(self, a: float, b: float, c: float, price: float) -> float:
        q = self.degree
        if a < 0 or (self.shifted and b < 0):
            return -np.inf
        if self.flips:
            b = min(b, c)
        if q == 0:
            return self.cheapest_number(a, (0.0 if self.shifted else b) + price, 1.0)
        return self.cheapest_number(cheapest_product(a, b, q, 1.0), price, (q - 1) / (q + 1))

    def cheapest_number(self, worth: float, price: float, power: float) -> float:
        """Returns the smallest worth · m^{−power} + price · m, worth ≥ 0."""
        if worth == -np.inf:
            return -np.inf
        best = float(self.high if price <= 0 else (power * worth / price) ** (1 / (1 + power)))
        copies = min(max(best, self.low), self.high)
        return float(worth * copies**-power + price * copies)


def logarithm(number: int) -> float:
    return float(np.log(number)) if number else -np.inf


def share_of(copies: int) -> tuple[int, float, float]:
    """Returns the limits of D_in."""
    return INCOMING, 1 / copies, 1.0 if copies == 1 else SPAN


def cheapest_share(a: float, copies: int) -> float:
    """The smallest a D_in over D_in ≥ 1/m, or at D_in = 1 if m = 1."""
    return a / copies if copies == 1 or a >= 0 else -np.inf


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
