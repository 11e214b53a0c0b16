"""Networks written as sums over a common set of features, in which equal functions have equal coefficients.

Features are 1, the inputs x, monomials of x, and atoms (atoms.py) of sums of earlier features:

    φ(u · F),   one for each class of u: {±u} for even and odd φ, rays for homogeneous ones (u of norm 1);
    sin(w · F) and cos(w · F), one pair for each ±w, as sin(z + b) = sin(z) cos(b) + cos(z) sin(b);
    exp(w · F), one for each w, as exp(z + b) = e^b exp(z).

Walking up a network, every preactivation and activation is a row of coefficients. Neurons of one class find the same
feature, so that their outgoing weights add; dead neurons and groups whose weights cancel leave nothing behind, constant
neurons end in the coefficient of 1, and linear parts, those of rectifiers too, in those of what they are linear in.

Two neurons whose vectors u nearly agree are taken for one feature, too, and what that does to the function is bounded:
an expression knows how far, at most, it is from the function that it stands for when ‖x‖ ≤ R. Errors pass through a
layer as |s W| e, and through an activation as e · sup |σ'|.

Atoms of affine functions of x, no two of a class, are linearly independent together with the polynomials: along a
line in general position, absolute values, elu and softsign are singular at their zeros, each in its own way; the odd or
even parts of sigmoid, silu and softplus have their complex poles or branch points nearest to the line at iπ/|slope|,
each of another kind; erf and gelu grow like exp(−z²/2) along the imaginary axis, exp and sin like exponentials. The
argument for tanh is that of Sussmann (Neural Networks 5, 1992).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from .. import activations
from .._checks import Array
from .._norms import norm
from ..network import MLP
from ..symmetry.classes import classes_of
from ..symmetry.rules import Rule, rule_of
from .atoms import Atom, expansion_of
from .ball import EPS, by_name

ROUNDING = 1e-13  # of the size of a sum's terms, some hundred times what float64 leaves: below, it is zero
SMALL = 1e-3  # times the tolerance: the part of all terms below which a difference of coefficients does not matter
MOST_MONOMIALS = 100_000
WAVE, EXPONENTIAL = Atom("wave", 0, bound=1.0, slope_bound=1.0), Atom("exponential", 0)


@dataclass(frozen=True)
class Expression:
    """Functions as rows of coefficients on features.

    Attributes
    ----------
    values, sizes : ndarray, shape (m, F)
        Coefficients, and the sums of their terms' magnitudes.
    errors : ndarray, shape (m,)
        How far the functions are from what they stand for, at most.
    """

    values: Array
    sizes: Array
    errors: Array

    def __getitem__(self, rows: Array | slice) -> Expression:
        return Expression(self.values[rows], self.sizes[rows], self.errors[rows])

    def scaled(self, factor: float | Array) -> Expression:
        """Rows times a factor, or one factor each."""
        each = np.reshape(np.abs(factor), (-1, 1))
        return Expression(np.reshape(factor, (-1, 1)) * self.values, each * self.sizes, each[:, 0] * self.errors)

    def varying(self) -> Expression:
        """Rows without their constants."""
        values, sizes = self.values.copy(), self.sizes.copy()
        values[:, 0] = sizes[:, 0] = 0
        return Expression(values, sizes, self.errors)

    @property
    def scales(self) -> Array:
        """The size of each row, (m,)."""
        return np.asarray(norm(self.sizes, 1))


@dataclass(frozen=True)
class Table:
    """The features of one atom: their vectors u (m, F) with the scales of these (m,), and their places (m,)."""

    vectors: Array
    scales: Array
    places: Array


@dataclass(frozen=True)
class Terms:
    """Terms of σ of some rows: rows, features, coefficients and their sizes, and what is missed by them."""

    rows: Array
    places: Array | int
    values: Array
    sizes: Array
    missed: Array | float = 0.0


class Features:
    """A growing set of features of some inputs.

    Vectors count as one that differ by `closeness` times their size, however much that matters: see the errors.

    Attributes
    ----------
    kinds : list of str
        What each feature is.
    reach : list of float
        How large each gets on the ball, at most.
    nested : bool
        Whether there are atoms of atoms, or of products: only without them are the features known to be independent.
    """

    def __init__(self, inputs: int, radius: float, closeness: float) -> None:
        self.inputs, self.radius, self.closeness = inputs, radius, closeness
        self.kinds = ["constant", *["linear part"] * inputs]
        self.reach = [1.0, *[radius] * inputs]
        self.nested = False
        self._tables: dict[Atom, Table] = {}
        self._monomials: dict[tuple[int, ...], int] = {}

    def express(self, net: MLP, theta: Array) -> Expression:
        """The outputs of a network, (K, F).

        Raises
        ------
        FloatingPointError
            If coefficients leave the range of float64.
        """
        rows = np.eye(self.inputs, 1 + self.inputs, 1)
        below = Expression(rows, rows, np.zeros(self.inputs))
        for (weights, biases), multiplier, names in zip(
            net.unflatten(theta), net.multipliers, net.activations, strict=True
        ):
            with np.errstate(over="ignore", invalid="ignore"):
                below = self._activated(names, self._affine(multiplier * weights, biases, below))
                if not (np.isfinite(below.sizes).all() and np.isfinite(below.errors).all()):
                    raise FloatingPointError("coefficients beyond the range of float64")
        return below

    def largest(self, values: Array) -> Array:
        """The largest |Σ c F(x)| of rows of coefficients on the ball, or more, (m,)."""
        start = 1 + self.inputs
        reach = np.array(self.reach[start : values.shape[1]])
        linear = norm(values[:, 1:start], 1) * self.radius
        return np.asarray(np.abs(values[:, 0]) + linear + np.abs(values[:, start:]) @ reach)

    def agree(self, first: Expression, second: Expression, tolerance: float) -> bool:
        """Whether coefficients differ by at most the tolerance, or by a small part of it beside all terms."""
        a, b = (widened(e.values, len(self.kinds)) for e in (first, second))
        size = np.maximum(*(widened(e.sizes, len(self.kinds)) for e in (first, second)))
        whole = np.broadcast_to(size[:, 1:].sum(axis=1, keepdims=True), size.shape).copy()
        whole[:, 0] += size[:, 0]
        bound = tolerance * np.maximum(np.abs(a), np.abs(b)) + max(SMALL * tolerance, ROUNDING) * whole
        return bool((np.abs(a - b) <= bound).all())

    def difference(self, first: Expression, second: Expression) -> tuple[Array, tuple[str, ...]]:
        """A bound on the difference of two functions on the ball, (K,), and the kinds of the features that make it."""
        a, b = (widened(e.values, len(self.kinds)) for e in (first, second))
        parts = np.abs(a - b) * self.reach
        most = np.maximum(np.maximum(first.errors, second.errors), parts.max(axis=1, initial=0))
        relevant = np.flatnonzero((parts > 1e-3 * most[:, None]).any(axis=0))
        kinds = tuple(dict.fromkeys(self.kinds[feature] for feature in relevant))
        return self.largest(a - b) + first.errors + second.errors, kinds

    def _affine(self, matrix: Array, biases: Array | None, a: Expression) -> Expression:
        """Preactivations; coefficients that cancel up to rounding are left out."""
        z, sizes = matrix @ a.values, np.abs(matrix) @ a.sizes
        if biases is not None:
            z[:, 0] += biases
            sizes[:, 0] += np.abs(biases)
        if not np.isfinite(sizes).all():
            raise FloatingPointError("coefficients beyond the range of float64")
        negligible = np.abs(z) <= ROUNDING * sizes
        # The product's and the activations' rounding, which grows with the root of the number of terms.
        rounding = EPS * (2 + math.sqrt(matrix.shape[1])) * self.largest(sizes)
        errors = np.abs(matrix) @ a.errors + rounding + self.largest(np.where(negligible, z, 0))
        return Expression(np.where(negligible, 0, z), sizes, errors)

    def _activated(self, names: tuple[str, ...], z: Expression) -> Expression:
        """σ of rows, one activation each."""
        parts = [(rows, self._activation(name, z[rows])) for name, rows in by_name(names)]
        if len(parts) == 1:
            return parts[0][1]
        values, sizes = np.zeros((2, len(names), len(self.kinds)))
        result = Expression(values, sizes, np.zeros(len(names)))
        for rows, part in parts:
            count = part.values.shape[1]
            result.values[rows, :count], result.sizes[rows, :count] = part.values, part.sizes
            result.errors[rows] = part.errors
        return result

    def _activation(self, name: str, z: Expression) -> Expression:
        """σ of rows."""
        rule, expansion = rule_of(name), expansion_of(name)
        varies = np.asarray((np.abs(z.values[:, 1:]) > ROUNDING * z.scales[:, None]).any(axis=1))
        fixed, rows = np.flatnonzero(~varies), np.flatnonzero(varies)
        slopes = rule.steepest(self._sizes(rule, z))
        errors = slopes * (z.errors + np.where(varies, 0, self.largest(z.varying().values)))
        value, slope, _ = activations.derivatives(name, z.values[fixed, 0])
        terms = [Terms(fixed, 0, value, np.abs(value) + np.abs(slope) * z.sizes[fixed, 0])]
        moving, linear = z[rows], 0.0
        if rule.phase is not None:
            terms += self._wave(rows, moving, rule.phase)
        elif rule.exponential:
            terms += self._exponential(rows, moving)
        elif rule.power and self._has_monomials(moving, rule.power):
            terms += self._power(rows, moving, rule.power)
        else:
            linear = expansion.slope
            constant = np.full(len(rows), expansion.constant)
            terms.append(Terms(rows, 0, constant, np.abs(constant)))
            terms += [self._atom(rows, moving, *term) for term in expansion.terms]
        values, sizes = np.zeros((2, len(varies), len(self.kinds)))
        count = z.values.shape[1]
        values[rows, :count], sizes[rows, :count] = linear * moving.values, abs(linear) * moving.sizes
        for term in terms:
            values[term.rows, term.places] += term.values
            sizes[term.rows, term.places] += term.sizes
            errors[term.rows] += term.missed
        return Expression(values, sizes, errors)

    def _sizes(self, rule: Rule, z: Expression) -> Array:
        """Bounds on |z|; on z itself where σ is exponential, which only grows upwards."""
        rest = self.largest(z.varying().values) + z.errors
        return rest + (z.values[:, 0] if rule.exponential else np.abs(z.values[:, 0]))

    def _atom(self, rows: Array, z: Expression, amplitude: float, scale: float, atom: Atom) -> Terms:
        """amplitude · φ(scale · z)."""
        u = z.scaled(scale)
        length = norm(u.values, 1) if atom.degree else np.ones(len(rows))
        places, signs, missed = self._find(atom, u.scaled(1 / length))
        size = length**atom.degree
        steepest: Array | float
        if atom.slope_bound is not None:
            steepest = atom.slope_bound
        else:
            steepest = atom.degree * (self.largest(u.values) + length * missed) ** (atom.degree - 1)
        return Terms(
            rows,
            places,
            amplitude * (signs if atom.parity < 0 else 1) * size,
            abs(amplitude) * (u.scales**atom.degree if atom.degree else size),
            abs(amplitude) * steepest * length * missed,
        )

    def _wave(self, rows: Array, z: Expression, phase: float) -> list[Terms]:
        """sin(±w·F + b) = ± cos(b) sin(w·F) + sin(b) cos(w·F); the two features have neighbouring places."""
        places, signs, missed = self._find(WAVE, z.varying())
        angle, size = z.values[:, 0] + phase, np.maximum(1, z.sizes[:, 0])
        return [
            Terms(rows, places, signs * np.cos(angle), size, missed),
            Terms(rows, places + 1, np.sin(angle), size),
        ]

    def _exponential(self, rows: Array, z: Expression) -> list[Terms]:
        """exp(w·F + b) = e^b exp(w·F)."""
        factor, rest = np.exp(z.values[:, 0]), z.varying()
        places, _, missed = self._find(EXPONENTIAL, rest)
        top = np.exp(z.values[:, 0] + self.largest(rest.values) + missed)
        return [Terms(rows, places, factor, factor * np.maximum(1, z.sizes[:, 0]), top * missed)]

    def _has_monomials(self, z: Expression, degree: int) -> bool:
        affine = not z.values[:, 1 + self.inputs :].any()
        return affine and math.comb(self.inputs + degree, degree) <= MOST_MONOMIALS

    def _power(self, rows: Array, z: Expression, degree: int) -> list[Terms]:
        """(u · (1, x))^k by the multinomial theorem."""
        terms = []
        for factors in combinations_with_replacement(range(1 + self.inputs), degree):
            count = math.factorial(degree) // math.prod(map(math.factorial, Counter(factors).values()))
            value = count * z.values[:, factors].prod(axis=1)
            if value.any():
                terms.append(Terms(rows, self._monomial(factors), value, count * z.sizes[:, factors].prod(axis=1)))
        return terms

    def _monomial(self, factors: tuple[int, ...]) -> int:
        """The place of a product of the features 1 and x."""
        inputs = tuple(factor for factor in factors if factor)
        if len(inputs) < 2:
            return inputs[0] if inputs else 0
        if inputs not in self._monomials:
            self._monomials[inputs] = len(self.kinds)
            self.kinds.append("polynomial part")
            self.reach.append(self.radius ** len(inputs))
        return self._monomials[inputs]

    def _find(self, atom: Atom, u: Expression) -> tuple[Array, Array, Array]:
        """The places of the atom's features for each row u, made where there are none; (m,) each.

        With the signs of u in them, and how far u · F is from the feature's, at most.
        """
        self.nested |= bool(u.values[:, 1 + self.inputs :].any())
        table = self._tables.get(atom, Table(np.zeros((0, 0)), np.zeros(0), np.zeros(0, int)))
        count, start = max(table.vectors.shape[1], u.values.shape[1]), len(table.places)
        vectors = np.vstack([widened(table.vectors, count), widened(u.values, count)])
        scales = np.concatenate([table.scales, u.scales])
        signed = atom.parity != 0 or atom is WAVE
        first = classes_of(vectors, self.closeness * scales, signed)
        fresh = np.flatnonzero(first == np.arange(len(first)))
        fresh = fresh[fresh >= start]
        step = 2 if atom is WAVE else 1
        places = np.concatenate([table.places, len(self.kinds) + step * np.arange(len(fresh))]).astype(int)
        self.reach += np.repeat(self._reach(atom, self.largest(vectors[fresh])), step).tolist()
        self.kinds += [atom.name] * (step * len(fresh))
        kept = np.concatenate([np.arange(start), fresh]).astype(int)
        self._tables[atom] = Table(vectors[kept], scales[kept], places)
        representative = first[start:]
        mine, other = vectors[start:], vectors[representative]
        signs = np.where(signed & (nearer(mine, -other) < nearer(mine, other)), -1.0, 1.0)
        missed = self.largest(mine - signs[:, None] * other)
        return places[np.searchsorted(kept, representative)], signs, missed

    def _reach(self, atom: Atom, sizes: Array) -> Array:
        """Bounds on |φ(u)| for |u| up to the sizes."""
        if atom is EXPONENTIAL:
            return np.exp(sizes)
        if atom.degree:
            return sizes**atom.degree
        at_zero = 0.0
        if atom.parity >= 0 and atom is not WAVE:  # such an atom is named as the activation that it is a part of
            at_zero = abs(float(activations.derivatives(atom.name, 0.0)[0]) - expansion_of(atom.name).constant)
        grown = at_zero + (atom.slope_bound or 0.0) * sizes
        return grown if atom.bound is None else np.minimum(grown, atom.bound) if atom is not WAVE else 1 + 0 * sizes


def nearer(a: Array, b: Array) -> Array:
    """How far rows are from one another."""
    return np.asarray(np.abs(a - b).max(axis=1, initial=0))


def widened(array: Array, count: int) -> Array:
    """Rows with zeros appended, up to `count` entries."""
    return np.pad(array, ((0, 0), (0, count - array.shape[1])))
