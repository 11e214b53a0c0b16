"""Normal inputs x = μ + R t in terms of t ~ N(0, I): w·x + b = (Rᵀw)·t + (b + w·μ)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FLOAT64, Array
from .._words import number_of

ASYMMETRY = 1e-12  # of a covariance, relative to its largest entry
NEGATIVE = 1e-12  # eigenvalues down to minus this, relative to the largest, are rounding


@dataclass(frozen=True)
class Whitening:
    """The mean μ (d,) and a root R (d, q) of the covariance R Rᵀ; None stands for 0 and for I."""

    mean: Array | None
    root: Array | None

    def forward(self, weights: Array, biases: Array) -> tuple[Array, Array]:
        """Returns weights (n, d) and biases (n,) of neurons that see t in the place of x."""
        shifted = biases if self.mean is None else biases + weights @ self.mean
        return weights if self.root is None else weights @ self.root, shifted

    def backward(self, weights: Array, biases: Array) -> Array:
        """Returns derivatives in weights (n, d, …) that see x, from those in weights (n, q, …) and biases (n, …)."""
        pulled = weights if self.root is None else np.einsum("dq,nq...->nd...", self.root, weights, optimize=True)
        if self.mean is not None:
            pulled = pulled + np.einsum("d,n...->nd...", self.mean, biases)
        return np.asarray(pulled)

    @property
    def largest_row(self) -> float:
        """The largest of ‖R_d‖² + μ_d², and 1: what derivatives in weights that see x are larger by at most."""
        spread = 1.0 if self.root is None else float((self.root**2).sum(axis=1).max(initial=0.0))
        return max(1.0, spread + (0.0 if self.mean is None else float((self.mean**2).max())))

    def rows(self, inputs: int, basis: Array) -> tuple[Array, Array]:
        """Returns inputs in a basis (q, r) of t and the constant, (d, r + 1), and ‖·‖² of what is across it, (d,)."""
        along = basis if self.root is None else self.root @ basis
        whole = np.ones(inputs) if self.root is None else (self.root**2).sum(axis=1)
        constant = np.zeros(inputs) if self.mean is None else self.mean
        return np.column_stack([along, constant]), np.maximum(whole - (along**2).sum(axis=1), 0.0)


def whitening(mean: ArrayLike | None, covariance: ArrayLike | None, inputs: int) -> Whitening:
    """Returns how inputs of this law come from standard ones, and refuses what is no mean or covariance."""
    centre = None if mean is None else float64(mean, "mean", (inputs,))
    if covariance is None:
        return Whitening(centre, None)
    matrix = float64(covariance, "covariance", (inputs, inputs))
    largest = float(np.abs(matrix).max())
    if np.abs(matrix - matrix.T).max() > ASYMMETRY * largest:
        raise ValueError("covariance must be symmetric; its entries differ from those of its transpose")
    values, vectors = np.linalg.eigh(matrix / 2 + matrix.T / 2)
    if values[0] < -NEGATIVE * inputs * largest:
        raise ValueError(f"covariance must be positive semidefinite; it has the eigenvalue {values[0]:.3g}")
    kept = values > np.finfo(FLOAT64).eps * inputs * max(float(values[-1]), 0.0)
    return Whitening(centre, np.ascontiguousarray(vectors[:, kept] * np.sqrt(values[kept])))


def float64(value: ArrayLike, name: str, shape: tuple[int, ...]) -> Array:
    array = _checks.as_floats(value, name)
    if array.shape != shape:
        raise _checks.shape_error(name, f"{shape}, as the networks have {number_of(shape[0], 'input')}", array.shape)
    if _checks.is_extended(array):
        raise TypeError(f"{name} must be float64, the precision of a PopulationObjective; got longdouble")
    return array
