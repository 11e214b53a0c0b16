"""The Hessian of a population in many inputs, without its P² entries: in the span of all weights, and across it.

In whitened inputs t, all weights of student and teacher lie in a space of r ≤ n dimensions, with orthonormal columns
Q (q, r). Across it inputs are independent of everything, so that with one more coordinate u for it

    H(w_i, w_j) = Q H_ij Qᵀ + S_ij (I − Q Qᵀ),    S_ij = H(u_i, u_j),    H(w_i, ·) = Q H_i·

where H_ij, S and the rest belong to the network whose inputs are (Qᵀt, u).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._checks import Array
from .._norms import norm
from ..network import MLP
from .signed_network import Layer, Signed, pull_back, push_forward
from .whitening import Whitening

NEGLIGIBLE = 1e-13  # of a direction of weights outside of the span


@dataclass(frozen=True)
class Compression:
    """A signed network in the span of its weights and one coordinate across, and the span's basis (q, r)."""

    signed: Signed
    basis: Array

    @property
    def inputs(self) -> int:
        return int(self.basis.shape[1]) + 1


def compression(signed: Signed) -> Compression:
    """Returns the network in fewer inputs; rows that are equal stay so to the last bit."""
    rows, place = np.unique(signed.incoming, axis=0, return_inverse=True)
    long = norm(rows, 1)
    directions = rows / np.where(long > 0, long, 1.0)[:, None]  # a short weight beside a long one keeps its direction
    _, values, right = np.linalg.svd(directions, full_matrices=False)
    basis = np.ascontiguousarray(right[values > NEGLIGIBLE * values.max(initial=0.0)].T)
    short = np.column_stack([rows @ basis, np.zeros(len(rows))])
    return Compression(Signed(np.ascontiguousarray(short[place.ravel()]), signed.bias, signed.outgoing), basis)


@dataclass(frozen=True)
class CompressedHessian:
    """The Hessian at one θ; `matrix` is that in the core's parameters of the compressed network."""

    net: MLP
    layer: Layer
    whiten: Whitening
    l2: float
    basis: Array
    matrix: Array

    @property
    def width(self) -> int:
        return len(self.layer.bias)

    def across(self) -> Array:
        """S, (m, m)."""
        last = np.arange(1, self.width + 1) * (self.basis.shape[1] + 1) - 1
        return np.asarray(self.matrix[np.ix_(last, last)])

    def product(self, v: Array) -> Array:
        """H v for vectors (P,) or columns (P, n)."""
        columns = v.reshape(len(v), -1)
        weights, others = push_forward(self.net, self.layer, self.whiten, columns)  # (m, q, n), (rest, n)
        width, q, count = weights.shape
        along = np.einsum("qr,mqn->mrn", self.basis, weights)
        across = weights - np.einsum("qr,mrn->mqn", self.basis, along)
        short = np.concatenate([along, np.zeros((width, 1, count))], axis=1).reshape(-1, count)
        image = self.matrix @ np.concatenate([short, others])
        inside = image[: len(short)].reshape(width, -1, count)[:, :-1]
        full = np.einsum("qr,mrn->mqn", self.basis, inside) + np.einsum("ij,jqn->iqn", self.across(), across)
        pulled = pull_back(
            self.net, self.layer, self.whiten, np.concatenate([full.reshape(width * q, count), image[len(short) :]])
        )
        return np.asarray((pulled + self.l2 * columns).reshape(v.shape))

    def diagonal(self) -> Array:
        """The diagonal of H, (P,)."""
        net, width, r = self.net, self.width, self.basis.shape[1]
        own = np.arange(r + 1)[None] + (r + 1) * np.arange(width)[:, None]
        own[:, r] = width * (r + 1) + np.arange(width)  # the bias in the place of what is across
        blocks = self.matrix[own[:, :, None], own[:, None, :]]  # of (Q coordinates, bias) of each neuron
        seen, rest = self.whiten.rows(net.widths[0], self.basis)
        first, last = net.multipliers
        weights = np.einsum("da,iab,db->id", seen, blocks, seen, optimize=True) + np.outer(np.diag(self.across()), rest)
        others = np.diag(self.matrix)[width * (r + 1) :]
        ends = np.cumsum([width, width * net.widths[2]])
        biases, outgoing, output_bias = np.split(others, ends)
        parts = [first**2 * weights.ravel(), biases, last**2 * outgoing, output_bias]
        present = [True, net.biases[0], True, net.biases[1]]
        return np.concatenate([part for part, there in zip(parts, present, strict=True) if there]) + self.l2
