"""Spectral functions smooth λ_max, κ and the trace of D^{1/2} H D^{1/2} as functions of u = log D.

With H = Gᵀ G, G of full row rank r, the nonzero eigenvalues λ_i are the squared singular values of G D^{1/2}, and its
right singular vectors x_i their eigenvectors. log λ_max is a convex function of u; so is −log λ_min if G is square,
for λ_min is then the inverse of a largest eigenvalue with D inverted. Where D_p = 0, u_p is −inf, and column p of G
does not count. Both are smoothed at a sharpness t by

    smax_t(ℓ) = min_a  a − (1/t) Σ_i log(1 − e^{ℓ_i − a}),       max ℓ ≤ smax_t(ℓ),   attained where Σ_i w_i = t,
    w_i = 1/(e^{a − ℓ_i} − 1)

of ℓ = log λ or −log λ: the logarithmic barrier of e^{−a} G D Gᵀ ≺ 1 or its inverse, with the bound a eliminated. With
R = Σ_i w_i x_i x_iᵀ and Π = Σ_i x_i x_iᵀ the derivatives in u at fixed a are

    ∂_p = ±R_pp/t,      ∂_pq = (R_pq² + δ_pq R_pp)/t  for λ_max,      (R_pq² + 2 Π_pq R_pq − δ_pq R_pp)/t  for λ_min
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from .._checks import Array
from .._waiting import interruptible, side
from ..decomposition import EPS, singular_values, symmetric_eigen


@dataclass(frozen=True)
class Support:
    """A support is a function that a spectral function nowhere falls below: value + slope · (u' − u) at u."""

    value: float
    slope: Array  # (P,)


Decomposition = tuple[Array, Array, Array]


class Derivatives(NamedTuple):
    """A function, its gradient (P,) and Hessian (P, P), and what is to be added to its diagonal to make it convex."""

    value: float
    gradient: Array
    hessian: Array
    concave: Array  # (P,), at least zero

    def plus(self, other: Derivatives, share: float = 1.0) -> Derivatives:
        """Returns the derivatives of the sum with a multiple of another function."""
        return Derivatives(
            self.value + share * other.value,
            self.gradient + share * other.gradient,
            self.hessian + share * other.hessian,
            self.concave + share * other.concave,
        )


TINY = float(np.finfo(float).tiny)
FARTHEST = 700.0  # below the top a value has no weight
MOST_KEPT = 8  # points whose eigenvalues are kept


class SpectralFunction(Protocol):
    """A spectral function is the logarithm of a criterion as a function of u = log D, smoothed at a sharpness t."""

    @property
    def rank(self) -> int:
        """How many eigenvalues are smoothed over."""

    @property
    def active(self) -> Array:
        """Which parameters it depends on, (P,)."""

    @property
    def convex(self) -> bool:
        """Whether it is a convex function of u."""

    def value(self, u: Array, sharpness: float, error: float = 0.0) -> float:
        """Returns the smoothed function, with an error of about `error` where that is faster, or else of rounding."""

    def derivatives(self, u: Array, sharpness: float, error: float = 0.0) -> Derivatives:
        """Returns those of the smoothed function."""

    def support(self, u: Array, sharpness: float) -> Support | None:
        """Returns a lower bound of the function itself; None if it is not convex."""

    def exact(self, u: Array) -> float:
        """Returns the function itself, without smoothing."""


class Gram(NamedTuple):
    """G D Gᵀ (r, r) and its eigenvalues (r,), ascending.

    They take an eighth of the time of the singular vectors of G D^{1/2}, and eigenvectors a half. But squaring costs
    digits: λ_min has a relative error of about eps κ, where that of the square of a singular value is eps √κ.
    """

    matrix: Array
    eigenvalues: Array


def gram_of(rows: Array) -> Gram:
    matrix = interruptible(side(rows), np.matmul, rows, rows.T)
    return Gram(matrix, symmetric_eigen(matrix)[0])


def soft_maximum(values: Array, sharpness: float) -> tuple[float, Array]:
    """Returns smax_t of the values, and the weights w_i, whose sum is t.

    >>> top, weights = soft_maximum(np.array([0.0, 1.0, 1.0]), 1e6)
    >>> bool(1.0 < top < 1.0 + 1e-4), weights.round(-3).tolist()
    (True, [0.0, 500000.0, 500000.0])
    """
    largest = values.max()
    below = np.minimum(largest - values, FARTHEST)
    above = np.log1p(1 / sharpness)  # a − max ℓ, from below: the sum of the weights is a convex function of it
    for _ in range(60):
        weights = 1 / np.expm1(above + below)
        total = weights.sum()
        step = np.log(total / sharpness) * total / (weights * (1 + weights)).sum()
        above += step
        if abs(step) <= 1e-15 * above:
            break
    weights = 1 / np.expm1(above + below)
    return float(largest + above - np.log(-np.expm1(-(above + below))).sum() / sharpness), weights


@dataclass(frozen=True)
class Extremes:
    """log λ_max, or log κ = log λ_max − log λ_min with `smallest`, of the nonzero spectrum."""

    factor: Array  # (r, P + Q): G
    smallest: bool
    parameters: int  # P
    latest: dict[bytes, tuple[float, Decomposition]] = field(default_factory=dict, repr=False, compare=False)
    grams: dict[bytes, Gram] = field(default_factory=dict, repr=False, compare=False)
    exacts: dict[bytes, Array] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rank(self) -> int:
        return len(self.factor) * (1 + self.smallest)

    @property
    def active(self) -> Array:
        return np.asarray(self.factor.any(axis=0))

    @property
    def convex(self) -> bool:
        """Tells whether it is a convex function of u where no parameter counts twice."""
        return not self.smallest or len(self.factor) == self.parameters

    def logarithms(self, u: Array) -> Array:
        """Returns log of the nonzero eigenvalues, (r,); those of the latest few u are kept."""
        key = u.tobytes()
        made, known = self.latest.get(key, (np.inf, None))
        if known is not None and not made:
            return known[0]
        if key not in self.exacts:
            singular = singular_values(self.scaled(u))
            with np.errstate(divide="ignore"):  # too few parameters may count
                self.exacts[key] = 2 * np.log(singular)
            while len(self.exacts) > MOST_KEPT:
                del self.exacts[next(iter(self.exacts))]
        return self.exacts[key]

    def exact(self, u: Array) -> float:
        logarithms = self.logarithms(u)
        return float(logarithms.max() - (logarithms.min() if self.smallest else 0))

    def value(self, u: Array, sharpness: float, error: float = 0.0) -> float:
        return sum(self.values(u, sharpness, error))

    def derivatives(self, u: Array, sharpness: float, error: float = 0.0) -> Derivatives:
        top, bottom = self.parts(u, sharpness, error)
        return top if bottom is None else top.plus(bottom)

    def values(self, u: Array, sharpness: float, error: float) -> tuple[float, float]:
        """Returns smax_t(log λ), and smax_t(−log λ) if the smallest one counts, else 0."""
        gram = self.gram(u, error)
        # A step that is taken needs the eigenvectors next: with them singular values take little longer.
        logarithms = self.decomposition(u)[0] if gram is None else np.log(np.maximum(gram.eigenvalues, TINY))
        top = soft_maximum(logarithms, sharpness)[0]
        return top, soft_maximum(-logarithms, sharpness)[0] if self.smallest else 0.0

    def parts(self, u: Array, sharpness: float, error: float) -> tuple[Derivatives, Derivatives | None]:
        """Returns the derivatives of both, None for the second if it does not count."""
        logarithms, vectors, _ = self.decomposition(u, error)
        at = logarithms, vectors, sharpness
        top: Derivatives = interruptible(len(u), top_derivatives, *at)
        return top, interruptible(len(u), bottom_derivatives, *at) if self.smallest else None

    def scaled(self, u: Array) -> Array:
        return self.factor * np.exp(u / 2)

    def gram(self, u: Array, error: float) -> Gram | None:
        """Returns the Gram matrix at u if its eigenvalues have no larger error; the latest one is kept."""
        if not error:
            return None
        key = u.tobytes()
        if key not in self.grams:
            self.grams.clear()
            self.grams[key] = gram_of(self.scaled(u))
        gram = self.grams[key]
        smallest = gram.eigenvalues[0] if self.smallest else gram.eigenvalues[-1]
        return gram if smallest > 0 and EPS * gram.eigenvalues[-1] <= error * smallest else None

    def decomposition(self, u: Array, error: float = 0.0) -> Decomposition:
        """Returns log λ (r,), the eigenvectors as rows (r, P + Q), and left singular vectors as columns (r, r).

        With an error of log λ up to `error` where that is faster. The latest one is kept.
        """
        key = u.tobytes()
        made, known = self.latest.get(key, (np.inf, None))
        if known is not None and made <= error:
            return known
        scaled, gram = self.scaled(u), self.gram(u, error)
        if gram is not None:
            values, left = symmetric_eigen(gram.matrix, vectors=True)
            singular = np.sqrt(np.maximum(values, 0))
            inverse = np.divide(1, singular, out=np.zeros_like(singular), where=singular > 0)
            vectors = interruptible(side(scaled), np.matmul, inverse[:, None] * left.T, scaled)
        else:
            error = 0.0
            left, singular, vectors = interruptible(side(scaled), np.linalg.svd, scaled, full_matrices=False)
        vectors[:, ~self.active | (u == -np.inf)] = 0  # where rounding leaves something else
        self.latest.clear()
        self.latest[key] = error, (2 * np.log(np.maximum(singular, TINY)), vectors, left)
        return self.latest[key][1]

    def support(self, u: Array, sharpness: float) -> Support | None:
        """From λ_max ≥ tr(Y G D Gᵀ), a sum of exponentials in u, for a density matrix Y near the top eigenvectors.

        With weights p_i = w_i/t and Y of eigenvalues ∝ p_i/λ_i, tr(Y G D Gᵀ) = 1/Σ(p_i/λ_i) at u, and the slope of its
        logarithm is Σ p_i x_ip². The same for 1/λ_min, if the columns of G that count are a square matrix.
        """
        if self.smallest and np.isfinite(u).sum() != len(self.factor):
            return None
        logarithms, vectors, _ = self.decomposition(u)
        value, slope = 0.0, np.zeros(len(u))
        for sign in (1, -1) if self.smallest else (1,):
            weights = soft_maximum(sign * logarithms, sharpness)[1]
            weights /= weights.sum()
            value += log_harmonic_mean(sign * logarithms, weights)
            slope += sign * (weights @ vectors**2)
        return Support(value, slope)


def top_derivatives(logarithms: Array, vectors: Array, sharpness: float) -> Derivatives:
    """Returns those of smax_t(log λ) in u, from log λ (r,) and the eigenvectors as rows (r, P)."""
    value, weights = soft_maximum(logarithms, sharpness)
    squares = vectors**2
    diagonal = weights @ squares
    hessian = weighted(weights, vectors) ** 2 - eliminated(weights, squares)
    add_to_diagonal(hessian, diagonal)
    return Derivatives(value, diagonal / sharpness, hessian / sharpness, np.zeros(len(diagonal)))


def bottom_derivatives(logarithms: Array, vectors: Array, sharpness: float) -> Derivatives:
    """Returns those of smax_t(−log λ), which is convex in D: in u its Hessian has the gradient beside that."""
    value, weights = soft_maximum(-logarithms, sharpness)
    squares = vectors**2
    diagonal = weights @ squares
    matrix = weighted(weights, vectors)
    hessian = matrix * (matrix + 2 * (vectors.T @ vectors)) - eliminated(weights, squares)
    add_to_diagonal(hessian, -diagonal)
    return Derivatives(value, -diagonal / sharpness, hessian / sharpness, diagonal / sharpness)


def weighted(weights: Array, vectors: Array) -> Array:
    """Returns Σ_i w_i x_i x_iᵀ."""
    rows = np.sqrt(weights)[:, None] * vectors
    return np.asarray(rows.T @ rows)


def eliminated(weights: Array, squares: Array) -> Array:
    """Returns t times what eliminating the bound a takes off the Hessian: h hᵀ/Σ w(1+w), h = Σ_i w_i (1+w_i) x_i²."""
    curvature = weights * (1 + weights)
    mixed = curvature @ squares
    return np.outer(mixed, mixed / curvature.sum())


def add_to_diagonal(matrix: Array, values: Array) -> None:
    matrix[np.diag_indices(len(matrix))] += values


def log_harmonic_mean(logarithms: Array, weights: Array) -> float:
    """Returns log of 1/Σ_i p_i e^{−ℓ_i}, accurate where the largest ℓ carry the weight."""
    largest = logarithms.max()
    # Eigenvalues far from the top have weights near 1/λ_top, so no term overflows: p_i e^{ℓ_top − ℓ_i} ≤ 1.
    return float(largest - np.log((weights * np.exp(largest - logarithms)).sum()))


@dataclass(frozen=True)
class Balanced:
    """log λ_max − (1 − ε) log λ_min − ε · mean of u.

    A common factor of D does not change it, as it does not change κ, and no entry of D is idle. At its minimum over
    all u, the parameters' shares of the two traces satisfy y_p = (1 − ε) x_p + ε/P.
    """

    function: Extremes
    epsilon: float

    @property
    def rank(self) -> int:
        return self.function.rank

    @property
    def active(self) -> Array:
        return self.function.active

    @property
    def convex(self) -> bool:
        return False

    def exact(self, u: Array) -> float:
        logarithms = self.function.logarithms(u)
        return float(logarithms.max() - (1 - self.epsilon) * logarithms.min() - self.epsilon * u.mean())

    def value(self, u: Array, sharpness: float, error: float = 0.0) -> float:
        top, bottom = self.function.values(u, sharpness, error)
        return top + (1 - self.epsilon) * bottom - self.epsilon * float(u.mean())

    def derivatives(self, u: Array, sharpness: float, error: float = 0.0) -> Derivatives:
        top, bottom = self.function.parts(u, sharpness, error)
        assert bottom is not None
        both = top.plus(bottom, 1 - self.epsilon)
        return both._replace(
            value=both.value - self.epsilon * float(u.mean()), gradient=both.gradient - self.epsilon / len(u)
        )

    def support(self, u: Array, sharpness: float) -> None:
        return None


@dataclass(frozen=True)
class Trace:
    """log tr(D^{1/2} H D^{1/2}) = log Σ_p H_pp e^{u_p}: smooth and convex as it is."""

    diagonal: Array  # (P + Q,): H_pp ≥ 0, not all zero

    @property
    def rank(self) -> int:
        return 0

    @property
    def active(self) -> Array:
        return self.diagonal > 0

    @property
    def convex(self) -> bool:
        return True

    def exact(self, u: Array) -> float:
        largest = u.max()
        return float(largest + np.log(self.diagonal @ np.exp(u - largest)))

    def value(self, u: Array, sharpness: float, error: float = 0.0) -> float:
        return self.exact(u)

    def derivatives(self, u: Array, sharpness: float, error: float = 0.0) -> Derivatives:
        value = self.exact(u)
        share = self.diagonal * np.exp(u - value)
        return Derivatives(value, share, np.diag(share) - np.outer(share, share), np.zeros(len(u)))

    def support(self, u: Array, sharpness: float) -> Support:
        value, slope, _, _ = self.derivatives(u, sharpness)
        return Support(value, slope)
