"""Every continuous symmetry has generators, which give tangent vectors of the orbit at θ.

A one-parameter subgroup moves θ along dθ/dt = X θ + e. For neuron i (and j) of hidden layer l, with incoming row
w̃_i = (W_l b_l)[i] and outgoing column v_i = W_{l+1}[:, i]:

    rescaling, degree k     w̃_i ↦ w̃_i,     v_i ↦ −k v_i
    linear, entry (i, j)    w̃_i ↦ w̃_j,     v_j ↦ −v_i
    translation             b_i ↦ 1,        v_i ↦ −v_i              if σ is exponential
                            b_i ↦ 1,        b_{l+1} ↦ −s_{l+1} v_i   if σ is linear
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import Array
from ..network import MLP
from .factors import Factor
from .rules import rule_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Generator:
    """A generator moves θ along X θ + e.

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

    Examples
    --------
    A rectifier's incoming weight grows as its outgoing weight shrinks:

    >>> import hessorbit as ho
    >>> (generator,) = ho.symmetries(ho.MLP([1, 1, 1], "relu", bias=False)).generators()
    >>> generator
    Generator(rescaling, layer 1, relu [0])
    >>> generator.matrix.toarray()
    array([[ 1.,  0.],
           [ 0., -1.]])
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
    """A generator, entry by entry: (Xθ + e)[rows] = coefficients · θ[columns], and 1 at the rows of `constant`."""

    factor: Factor
    neurons: tuple[int, ...]
    rows: Array
    columns: Array
    coefficients: Array
    constant: Array


def terms_of(net: MLP, factors: Sequence[Factor]) -> Iterator[Terms]:
    """Yields the generators of a group, in the order of its factors."""
    for factor in factors:
        if factor.kind == "translation":
            yield from translations(net, factor)
        elif factor.dimension:
            yield from scalings(net, factor)


def scalings(net: MLP, factor: Factor) -> Iterator[Terms]:
    """Yields the generators of a rescaling, or of a linear factor."""
    layers = net.unflatten(np.arange(net.num_parameters))
    (weights, biases), (outgoing, _) = layers[factor.layer - 1], layers[factor.layer]
    incoming = weights if biases is None else np.column_stack([weights, biases])
    coefficients = np.repeat([1.0, -rule_of(factor.activation).degree], [incoming.shape[1], len(outgoing)])
    for neurons in product(factor.neurons, repeat=2 if factor.kind == "linear" else 1):
        i, j = neurons[0], neurons[-1]
        rows, columns = np.concatenate([incoming[i], outgoing[:, j]]), np.concatenate([incoming[j], outgoing[:, i]])
        yield Terms(factor, neurons, rows, columns, coefficients, constant=rows[:0])


def translations(net: MLP, factor: Factor) -> Iterator[Terms]:
    """Yields the generators of the shifts of exponential or linear neurons, whose layers have the biases these need."""
    layers: list[Any] = net.unflatten(np.arange(net.num_parameters))
    (_, biases), (outgoing, above) = layers[factor.layer - 1], layers[factor.layer]
    linear = rule_of(factor.activation).linear
    coefficient = -net.multipliers[factor.layer] if linear else -1.0
    for i in factor.neurons:
        rows = above if linear else outgoing[:, i]
        yield Terms(factor, (i,), rows, outgoing[:, i], np.full(len(rows), coefficient), constant=biases[[i]])


def tangents(net: MLP, factors: Sequence[Factor], theta: Array) -> Array:
    """Returns Xθ + e for every generator: theta (..., P) to (..., P, dimension)."""
    result = np.zeros((*theta.shape, sum(factor.dimension for factor in factors)), theta.dtype)
    for index, terms in enumerate(terms_of(net, factors)):
        result[..., terms.rows, index] = terms.coefficients * theta[..., terms.columns]
        result[..., terms.constant, index] = 1
    return result


def norm_preserving(net: MLP, factors: Sequence[Factor], theta: Array) -> Array:
    """Returns the tangents at θ (P,) of rotations, under which ‖θ‖ stays the same: (P, n), of linear neurons only."""
    columns = tangents(net, factors, theta)
    place = {(terms.rows[0], terms.columns[0]): k for k, terms in enumerate(terms_of(net, factors))
             if terms.factor.kind == "linear"}  # fmt: skip
    pairs = [(k, place[j, i]) for (i, j), k in place.items() if i < j]
    rotations = [columns[:, forth] - columns[:, back] for forth, back in pairs]
    return np.column_stack(rotations) if rotations else columns[:, :0]


def generators(net: MLP, factors: Sequence[Factor]) -> tuple[Generator, ...]:
    from scipy import sparse

    size = net.num_parameters
    np.empty((sum(factor.dimension for factor in factors), size))  # a MemoryError at once where they would not fit
    result = []
    for terms in terms_of(net, factors):
        matrix = sparse.csr_array((terms.coefficients, (terms.rows, terms.columns)), (size, size))
        offset = np.zeros(size)
        offset[terms.constant] = 1
        result.append(Generator(terms.factor, terms.neurons, matrix, offset))
    return tuple(result)


def rank(vectors: Array) -> int:
    """Returns the numerical rank of the columns of (P, n), each scaled to norm one."""
    norms = np.linalg.norm(vectors, axis=0)
    moving = vectors[:, norms > 0] / norms[norms > 0]
    return int(np.linalg.matrix_rank(moving.astype(np.float64))) if moving.size else 0
