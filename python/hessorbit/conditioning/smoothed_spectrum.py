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
from typing import Protocol

import numpy as np

from .._checks import Array
from .._waiting import interruptible, side
from ..decomposition import singular_values


@dataclass(frozen=True)
class Support:
    """A support is a function that a spectral function nowhere falls below: value + slope · (u' − u) at u."""

    value: float
    slope: Array  # (P,)


Decomposition = tuple[Array, Array, Array]
Derivatives = tuple[float, Array, Array]


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

    def value(self, u: Array, sharpness: float) -> float:
        """Returns the smoothed function."""

    def derivatives(self, u: Array, sharpness: float) -> tuple[float, Array, Array]:
        """Returns the smoothed function, its gradient (P,) and its Hessian (P, P)."""

    def support(self, u: Array, sharpness: float) -> Support | None:
        """Returns a lower bound of the function itself; None if it is not convex."""

    def exact(self, u: Array) -> float:
        """Returns the function itself, without smoothing."""


def soft_maximum(values: Array, sharpness: float) -> tuple[float, Array]:
    """Returns smax_t of the values, and the weights w_i, whose sum is t.

    >>> top, weights = soft_maximum(np.array([0.0, 1.0, 1.0]), 1e6)
    >>> bool(1.0 < top < 1.0 + 1e-4), weights.round(-3).tolist()
    (True, [0.0, 500000.0, 500000.0])
    """
    largest = values.max()
    below = largest - values
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
    latest: dict[bytes, Decomposition] = field(default_factory=dict, repr=False, compare=False)

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
        """Returns log of the nonzero eigenvalues, (r,)."""
        if (known := self.latest.get(u.tobytes())) is not None:
            return known[0]
        singular = singular_values(self.factor * np.exp(u / 2))
        with np.errstate(divide="ignore"):  # too few parameters may count
            return np.asarray(2 * np.log(singular))

    def exact(self, u: Array) -> float:
        logarithms = self.logarithms(u)
        return float(logarithms.max() - (logarithms.min() if self.smallest else 0))

    def value(self, u: Array, sharpness: float) -> float:
        logarithms, _, _ = self.decomposition(u)  # a step that is taken needs the eigenvectors next
        total = soft_maximum(logarithms, sharpness)[0]
        return total + soft_maximum(-logarithms, sharpness)[0] if self.smallest else total

    def decomposition(self, u: Array) -> Decomposition:
        """Returns log λ (r,), the eigenvectors as rows (r, P + Q), and left singular vectors as columns (r, r).

        The latest one is kept.
        """
        key = u.tobytes()
        if key in self.latest:
            return self.latest[key]
        scaled = self.factor * np.exp(u / 2)
        left, singular, vectors = interruptible(side(scaled), np.linalg.svd, scaled, full_matrices=False)
        vectors[:, ~self.active | (u == -np.inf)] = 0  # where rounding leaves something else
        self.latest.clear()
        self.latest[key] = 2 * np.log(np.maximum(singular, np.finfo(float).tiny)), vectors, left
        return self.latest[key]

    def derivatives(self, u: Array, sharpness: float) -> tuple[float, Array, Array]:
        logarithms, vectors, _ = self.decomposition(u)
        top: Derivatives = interruptible(len(u), top_derivatives, logarithms, vectors, sharpness)
        if not self.smallest:
            return top
        bottom: Derivatives = interruptible(len(u), bottom_derivatives, logarithms, vectors, sharpness)
        return top[0] + bottom[0], top[1] + bottom[1], top[2] + bottom[2]

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


def top_derivatives(logarithms: Array, vectors: Array, sharpness: float) -> tuple[float, Array, Array]:
    """Returns smax_t(log λ), its gradient and Hessian in u, from log λ (r,) and the eigenvectors as rows (r, P)."""
    value, weights = soft_maximum(logarithms, sharpness)
    squares = vectors**2
    diagonal = weights @ squares
    hessian = ((vectors.T * weights) @ vectors) ** 2 - eliminated(weights, squares)
    add_to_diagonal(hessian, diagonal)
    return value, diagonal / sharpness, hessian / sharpness


def bottom_derivatives(logarithms: Array, vectors: Array, sharpness: float) -> tuple[float, Array, Array]:
    """Returns the same of smax_t(−log λ)."""
    value, weights = soft_maximum(-logarithms, sharpness)
    squares = vectors**2
    diagonal = weights @ squares
    matrix = (vectors.T * weights) @ vectors
    hessian = matrix * (matrix + 2 * (vectors.T @ vectors)) - eliminated(weights, squares)
    add_to_diagonal(hessian, -diagonal)
    return value, -diagonal / sharpness, hessian / sharpness


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

    def value(self, u: Array, sharpness: float) -> float:
        logarithms, _, _ = self.function.decomposition(u)
        top, bottom = soft_maximum(logarithms, sharpness)[0], soft_maximum(-logarithms, sharpness)[0]
        return top + (1 - self.epsilon) * bottom - self.epsilon * float(u.mean())

    def derivatives(self, u: Array, sharpness: float) -> tuple[float, Array, Array]:
        logarithms, vectors, _ = self.function.decomposition(u)
        at = logarithms, vectors, sharpness
        top, top_gradient, top_hessian = interruptible(len(u), top_derivatives, *at)
        bottom, bottom_gradient, bottom_hessian = interruptible(len(u), bottom_derivatives, *at)
        share = 1 - self.epsilon
        return (
            top + share * bottom - self.epsilon * float(u.mean()),
            top_gradient + share * bottom_gradient - self.epsilon / len(u),
            top_hessian + share * bottom_hessian,
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

    def value(self, u: Array, sharpness: float) -> float:
        return self.exact(u)

    def derivatives(self, u: Array, sharpness: float) -> tuple[float, Array, Array]:
        value = self.exact(u)
        share = self.diagonal * np.exp(u - value)
        return value, share, np.diag(share) - np.outer(share, share)

    def support(self, u: Array, sharpness: float) -> Support:
        value, slope, _ = self.derivatives(u, sharpness)
        return Support(value, slope)
