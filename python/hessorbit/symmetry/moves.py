"""A group element moves one hidden layer by an invertible matrix and a shift for its neurons.

    σ(M z + τ) = N σ(z) + c

M is a scaled permutation, except that a dense matrix may mix the linear neurons. M and τ determine N and c through the
rules of the activations, and moves multiply as their M do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .._checks import FLOAT64, LONGDOUBLE, Array
from .._norms import norm
from .extended_product import product
from .rules import HiddenLayer, rule_of

LARGEST_CONDITION = 1e13
STEPS = 2  # from the error of a float64 inverse, at that condition number, to the rounding of longdouble
ROUNDED = 2.0**-66  # below the rounding of longdouble


@dataclass(frozen=True, eq=False)
class Mixing:
    """An invertible matrix on the linear neurons of a layer, (m, m), with its inverse, in extended precision."""

    matrix: Array
    inverse: Array

    def __post_init__(self) -> None:
        freeze(self.matrix, self.inverse)

    def embedded(self, places: Array, size: int) -> Mixing:
        """Returns the same on `places` among `size` neurons, and the identity on the others."""
        matrix, inverse = np.eye(size, dtype=LONGDOUBLE), np.eye(size, dtype=LONGDOUBLE)
        matrix[np.ix_(places, places)], inverse[np.ix_(places, places)] = self.matrix, self.inverse
        return Mixing(matrix, inverse)

    def swapped(self) -> Mixing:
        """M⁻¹, whose inverse is M."""
        return Mixing(self.inverse, self.matrix)

    def __matmul__(self, other: Mixing) -> Mixing:
        return Mixing(product(self.matrix, other.matrix), product(other.inverse, self.inverse))


@dataclass(frozen=True, eq=False)
class ScaledPermutation:
    """A matrix P on linear neurons with one entry in every row: P[i, sources[i]] = factors[i]."""

    sources: Array
    factors: Array

    def applied_to(self, mixing: Mixing) -> Mixing:
        """P M, and its inverse M⁻¹ P⁻¹."""
        inverse = np.empty_like(mixing.inverse)
        inverse[:] = mixing.inverse[:, self.sources] / self.factors
        return Mixing(self.factors[:, None] * mixing.matrix[self.sources], inverse)


@dataclass(frozen=True, eq=False)
class LayerMove:
    """What an element does to one hidden layer, of width d.

    Attributes
    ----------
    sources : ndarray of int, shape (d,)
        The neuron that comes to each place; the place itself for neurons in `mixing`.
    factors : ndarray of longdouble, shape (d,)
        M[i, sources[i]]; 1 for neurons in `mixing`.
    shifts : ndarray of longdouble, shape (d,)
        τ.
    mixing : Mixing or None
        M on the linear neurons, where it is more than a scaled permutation.
    """

    hidden: HiddenLayer
    sources: Array
    factors: Array
    shifts: Array
    mixing: Mixing | None = None

    def __post_init__(self) -> None:
        freeze(self.sources, self.factors, self.shifts)

    @cached_property
    def outgoing(self) -> Array:
        """N[i, sources[i]], (d,)."""
        each = zip(self.hidden.rules, self.factors, self.shifts, strict=True)
        return np.array([rule.outgoing(factor, shift) for rule, factor, shift in each], LONGDOUBLE)

    @cached_property
    def constants(self) -> Array:
        """c, (d,)."""
        each = zip(self.hidden.rules, self.factors, self.shifts, strict=True)
        return np.array([rule.offset(factor, shift) for rule, factor, shift in each], LONGDOUBLE)

    def check_range(self) -> None:
        """Refuses a move that float64 cannot express."""
        limit = np.longdouble(np.finfo(np.float64).max)
        with np.errstate(all="ignore"):
            for name, values in (("factor", self.factors), ("outgoing factor", self.outgoing)):
                self._refuse(name, values, ~((1 / limit < abs(values)) & (abs(values) < limit)))
            for name, values in (("constant", self.constants), ("shift", self.shifts)):
                self._refuse(name, values, ~(abs(values) < limit))
            if self.mixing is not None:
                for name, matrix in (("matrix", self.mixing.matrix), ("inverse matrix", self.mixing.inverse)):
                    largest = np.zeros(self.hidden.width, LONGDOUBLE)
                    largest[self.hidden.linear] = abs(matrix).max(axis=1)
                    self._refuse(f"largest entry of the {name}", largest, ~(largest < limit))

    def _refuse(self, name: str, values: Array, outside: Array) -> None:
        if outside.any():
            i = int(np.argmax(outside))
            raise ValueError(
                f"the {name} of neuron {i} of layer {self.hidden.layer} is {values[i]:.3g}, beyond the range of "
                f"float64: the element cannot act; rescale the network, or take a smaller scale"
            )

    def linear_part(self, values: Array) -> Array:
        """Applies M to one number for each neuron, (d,)."""
        result = self.factors * values[self.sources]
        if self.mixing is not None:
            result[self.hidden.linear] = self.mixing.matrix @ values[self.hidden.linear]
        return result

    def dense_mixing(self) -> Mixing:
        """Returns M on the linear neurons as matrices, in whichever form it is kept."""
        if self.mixing is not None:
            return self.mixing
        linear = self.hidden.linear
        rows, columns = np.arange(len(linear)), np.searchsorted(linear, self.sources[linear])
        matrix, inverse = np.zeros((2, len(linear), len(linear)), LONGDOUBLE)
        matrix[rows, columns] = self.factors[linear]
        inverse[columns, rows] = 1 / self.factors[linear]
        return Mixing(matrix, inverse)

    def __matmul__(self, other: LayerMove) -> LayerMove:
        """Returns the move that moves by `other`, then by this."""
        sources = other.sources[self.sources]
        factors = self.factors * other.factors[self.sources]
        move = LayerMove(self.hidden, sources, factors, self.linear_part(other.shifts) + self.shifts)
        if self.mixing is None and other.mixing is None:
            return move
        if self.mixing is None:
            return with_mixing(move, self.scaled_permutation().applied_to(other.dense_mixing()))
        if other.mixing is None:
            inverse = other.inverse().scaled_permutation().applied_to(self.mixing.swapped())
            return with_mixing(move, inverse.swapped())
        return with_mixing(move, self.mixing @ other.mixing)

    def scaled_permutation(self) -> ScaledPermutation:
        """M on the linear neurons, where there is no mixing."""
        linear = self.hidden.linear
        return ScaledPermutation(np.searchsorted(linear, self.sources[linear]), self.factors[linear])

    def inverse(self) -> LayerMove:
        sources = np.argsort(self.sources)
        move = LayerMove(self.hidden, sources, 1 / self.factors[sources], np.zeros_like(self.shifts))
        if self.mixing is not None:
            move = with_mixing(move, Mixing(self.mixing.inverse, self.mixing.matrix))
        return replace(move, shifts=-move.linear_part(self.shifts))

    def equals(self, other: LayerMove) -> bool:
        """Tells whether another move of the layer is the same."""
        if (self.mixing is None) != (other.mixing is None):
            return False
        return all(map(np.array_equal, self._numbers(), other._numbers()))

    def _numbers(self) -> list[Array]:
        matrices = [] if self.mixing is None else [self.mixing.matrix]
        return [self.sources, self.factors, self.shifts, *matrices]

    def key(self) -> tuple[Any, ...]:
        """Returns plain numbers that are equal where moves are: of a matrix a row alone, as it may be large."""
        row = () if self.mixing is None else self.mixing.matrix[0]
        return (*self.sources.tolist(), *self.factors, *self.shifts, *row)

    def parts(self) -> list[str]:
        """Describes the move in words."""
        parts = []
        if (self.sources != np.arange(len(self.sources))).any():
            parts.append(f"order {shown(self.sources)}")
        if (self.factors != 1).any():
            parts.append(f"factors {shown(self.factors)}")
        if self.shifts.any():
            parts.append(f"shifts {shown(self.shifts)}")
        if self.mixing is not None:
            size = len(self.mixing.matrix)
            parts.append(f"{size}×{size} matrix on {'neuron' if size == 1 else 'neurons'} {shown(self.hidden.linear)}")
        return parts


def freeze(*arrays: Array) -> None:
    for array in arrays:
        array.flags.writeable = False


def identity_move(hidden: HiddenLayer) -> LayerMove:
    width = hidden.width
    return LayerMove(hidden, np.arange(width), np.ones(width, LONGDOUBLE), np.zeros(width, LONGDOUBLE))


def with_mixing(move: LayerMove, mixing: Mixing) -> LayerMove:
    """Returns `move` with `mixing` on the linear neurons, as a scaled permutation if it is one: moves have one form."""
    linear = move.hidden.linear
    sources, factors = move.sources.copy(), move.factors.copy()
    filled = mixing.matrix != 0
    if (filled.sum(axis=0) == 1).all() and (filled.sum(axis=1) == 1).all():
        columns = filled.argmax(axis=1)
        sources[linear], factors[linear] = linear[columns], mixing.matrix[np.arange(len(linear)), columns]
        return LayerMove(move.hidden, sources, factors, move.shifts)
    sources[linear], factors[linear] = linear, 1
    return LayerMove(move.hidden, sources, factors, move.shifts, mixing)


def mixing_of(matrix: Array) -> Mixing:
    """Returns a matrix with its inverse to extended precision."""
    rounded = matrix.astype(FLOAT64)
    try:
        inverse = np.linalg.inv(rounded)
    except np.linalg.LinAlgError:
        inverse = np.full_like(rounded, np.inf)
    # The product of the Frobenius norms is an upper bound, which spares singular values.
    if not float(norm(rounded)) * float(norm(inverse)) <= LARGEST_CONDITION:
        condition = float(np.linalg.cond(rounded))
        if not condition <= LARGEST_CONDITION:
            raise ValueError(
                f"matrix must be invertible; its condition number is {condition:.3g} "
                f"(up to {LARGEST_CONDITION:g} is accepted)"
            )
    return refined(matrix, inverse)


def refined(matrix: Array, inverse: Array) -> Mixing:
    """Returns a matrix with its inverse to extended precision, from one in float64.

    By steps X → X + X (I − MX), which square the error R = I − MX. Where that is small already, float64 has digits
    enough for X R.
    """
    exact, inverse = matrix.astype(LONGDOUBLE), inverse.astype(LONGDOUBLE)
    for _ in range(STEPS):
        rest = -product(exact, inverse)
        rest[np.diag_indices(len(rest))] += 1
        error = float(norm(rest))
        within = np.abs(inverse).max() < np.finfo(FLOAT64).max
        if within and error * len(exact) * np.finfo(FLOAT64).eps <= ROUNDED:
            inverse = inverse + inverse.astype(FLOAT64) @ rest.astype(FLOAT64)
        else:
            inverse = inverse + product(inverse, rest)
        if error <= math.sqrt(ROUNDED):
            break
    return Mixing(exact, inverse)


def random_move(hidden: HiddenLayer, rng: np.random.Generator, scale: float) -> LayerMove:
    sources = np.arange(hidden.width)
    factors, shifts = np.ones(hidden.width, LONGDOUBLE), np.zeros(hidden.width, LONGDOUBLE)
    for name, members in hidden.classes.items():
        rule, neurons = rule_of(name), np.array(members)
        sources[neurons] = rng.permutation(neurons)
        if rule.degree:
            factors[neurons] = random_factors(hidden, rng, scale, len(neurons))
        if hidden.can_flip(members[0]):
            factors[neurons] *= rng.choice([-1, 1], len(neurons))
        if hidden.can_shift(members[0]):
            shifts[neurons] = scale * rng.standard_normal(len(neurons))
    move = LayerMove(hidden, sources, factors, shifts)
    count = len(hidden.linear)
    if count < 2:
        return move
    stretch = random_factors(hidden, rng, scale, count)
    if stretch.max() > LARGEST_CONDITION * stretch.min():
        raise ValueError(f"scale={scale:g} draws a singular matrix for layer {hidden.layer}; take a smaller scale")
    left, right = orthogonal(rng, count), orthogonal(rng, count)
    return with_mixing(move, refined(left * stretch @ right, right.T / stretch @ left.T))


def random_factors(hidden: HiddenLayer, rng: np.random.Generator, scale: float, count: int) -> Array:
    """Returns exp(scale · N(0, 1)), and refuses what leaves float64."""
    with np.errstate(over="ignore", under="ignore"):
        factors = np.exp(scale * rng.standard_normal(count))
    if not (factors.min() > 0 and np.isfinite(factors.max())):
        raise ValueError(
            f"scale={scale:g} draws factors beyond the range of float64 for layer {hidden.layer}; take a smaller scale"
        )
    return factors


def orthogonal(rng: np.random.Generator, size: int) -> Array:
    """Returns a uniformly random orthogonal matrix (Mezzadri 2007)."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return q * np.sign(np.diag(r))


def shown(values: Array) -> str:
    """Writes integers, or other numbers with three digits; the middle of long lists is left out."""
    words = [str(value) if values.dtype.kind == "i" else f"{float(value):.3g}" for value in values]
    return f"[{', '.join(words if len(words) <= 8 else [*words[:4], '…', *words[-2:]])}]"
