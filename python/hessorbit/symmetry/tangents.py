"""Generators of the continuous symmetries, and the tangent vectors they give at θ.

A one-parameter subgroup moves θ along dθ/dt = X θ + e. For neuron i (and j) of hidden layer l, with incoming row
w̃_i = (W_l b_l)[i] and outgoing column v_i = W_{l+1}[:, i]:

    rescaling, degree k     w̃_i ↦ w̃_i,     v_i ↦ −k v_i
    linear, entry (i, j)    w̃_i ↦ w̃_j,     v_j ↦ −v_i
    translation             b_i ↦ 1,        v_i ↦ −v_i
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .._checks import Array
from ..network import MLP
from .factors import Factor

if TYPE_CHECKING:
    from scipy.sparse import csr_array


NONE = np.zeros(0, np.intp)


@dataclass(frozen=True, eq=False)
class Generator:
    """One generator: θ moves along X θ + e.

    Attributes
    ----------
    factor : Factor
        The factor of the group it belongs to.
    neurons : tuple of int
        The neuron, or for a linear factor the two neurons (i, j): neuron j is added to neuron i.
    matrix : scipy.sparse.csr_array, shape (P, P)
        X.
    offset : ndarray, shape (P,)
        e; zero but for translations.
    """

    factor: Factor
    neurons: tuple[int, ...]
    matrix: csr_array
    offset: Array

    def __repr__(self) -> str:
        where = f"layer {self.factor.layer}, {self.factor.activation} {list(self.neurons)}"
        return f"Generator({self.factor.kind}, {where})"


@dataclass(frozen=True, eq=False)
class Terms:
    """A generator, entry by entry: (Xθ + e)[row] = coefficient · θ[column], and 1 at the rows of `constant`."""

    factor: Factor
    neurons: tuple[int, ...]
    rows: Array
    columns: Array
    coefficients: Array
    constant: Array


def terms_of(net: MLP, factors: Sequence[Factor]) -> Iterator[Terms]:
    """The generators of a group, in the order of its factors."""
    layers = net.unflatten(np.arange(net.num_parameters))
    for factor in factors:
        if not factor.dimension:
            continue
        (weights, biases), (outgoing, _) = layers[factor.layer - 1], layers[factor.layer]
        incoming = weights if biases is None else np.column_stack([weights, biases])
        degree = factor.law.degree
        if factor.kind == "translation":
            incoming, degree = incoming[:, :0], 1
        moved = zip(factor.neurons, factor.neurons, strict=True)
        for i, j in product(factor.neurons, repeat=2) if factor.kind == "linear" else moved:
            yield Terms(
                factor,
                (i, j) if factor.kind == "linear" else (i,),
                rows=np.concatenate([incoming[i], outgoing[:, j]]),
                columns=np.concatenate([incoming[j], outgoing[:, i]]),
                coefficients=np.repeat([1.0, -degree], [incoming.shape[1], len(outgoing)]),
                constant=biases[[i]] if factor.kind == "translation" and biases is not None else NONE,
            )


def tangents(net: MLP, factors: Sequence[Factor], theta: Array) -> Array:
    """Xθ + e for every generator: theta (..., P) to (..., P, dimension)."""
    result = np.zeros((*theta.shape, sum(factor.dimension for factor in factors)), theta.dtype)
    for index, terms in enumerate(terms_of(net, factors)):
        result[..., terms.rows, index] = terms.coefficients * theta[..., terms.columns]
        result[..., terms.constant, index] = 1
    return result


def generators(net: MLP, factors: Sequence[Factor]) -> tuple[Generator, ...]:
    from scipy import sparse

    size = net.num_parameters
    result = []
    for terms in terms_of(net, factors):
        matrix = sparse.csr_array((terms.coefficients, (terms.rows, terms.columns)), (size, size))
        offset = np.zeros(size)
        offset[terms.constant] = 1
        result.append(Generator(terms.factor, terms.neurons, matrix, offset))
    return tuple(result)


def rank(vectors: Array) -> int:
    """Numerical rank of the columns of (P, n), each scaled to norm one."""
    norms = np.linalg.norm(vectors, axis=0)
    moving = vectors[:, norms > 0] / norms[norms > 0]
    return int(np.linalg.matrix_rank(moving.astype(np.float64))) if moving.size else 0
