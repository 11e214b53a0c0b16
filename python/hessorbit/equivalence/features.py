"""Networks written as sums over a common set of features, in which equal functions have equal coefficients.

Features are 1, the inputs x, monomials of x, and atoms (atoms.py) of sums of earlier features:

    φ(u · F),   one for each class of u: {±u} for even and odd φ, rays for homogeneous ones (u of norm 1);
    sin(w · F) and cos(w · F), one pair for each ±w, as sin(z + b) = sin(z) cos(b) + cos(z) sin(b);
    exp(w · F), one for each w, as exp(z + b) = e^b exp(z).

Walking up a network, every preactivation and activation is a row of coefficients. Neurons of one class find the same
feature, so that their outgoing weights add; dead neurons and groups whose weights cancel leave nothing behind, constant
neurons end in the coefficient of 1, and linear parts, those of rectifiers too, in those of what they are linear in.

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
from scipy.sparse.csgraph import connected_components

from .. import activations
from .._checks import Array
from ..network import MLP
from ..symmetry.rules import rule_of
from .atoms import Atom, expansion_of

ROUNDING = 1e-13  # of the size of a sum's terms, some hundred times what float64 leaves: below, it is zero
SMALL = 1e-3  # times the tolerance: the part of the whole below which a difference does not matter
MOST_MONOMIALS = 100_000
WAVE, EXPONENTIAL = Atom("wave", 0), Atom("exponential", 0)


@dataclass(frozen=True)
class Expression:
    """Functions as rows of coefficients on features; `sizes` holds the sums of their terms' magnitudes. Both (m, F)."""

    values: Array
    sizes: Array

    def __getitem__(self, rows: Array) -> Expression:
        return Expression(self.values[rows], self.sizes[rows])

    def scaled(self, factor: float) -> Expression:
        return Expression(factor * self.values, abs(factor) * self.sizes)

    @property
    def scales(self) -> Array:
        """The size of each row, (m,)."""
        norms: Array = np.linalg.norm(self.sizes, axis=1)
        return norms


@dataclass(frozen=True)
class Table:
    """The features of one atom: their vectors u (m, F) with the scales of these (m,), and their places (m,)."""

    vectors: Array
    scales: Array
    places: Array


class Features:
    """A growing set of features of some inputs.

    Attributes
    ----------
    kinds : list of str
        What each feature is.
    nested : bool
        Whether there are atoms of atoms, or of products: only without them are the features known to be independent.
    """

    def __init__(self, inputs: int, tolerance: float) -> None:
        self.inputs = inputs
        self.tolerance = tolerance
        self.kinds = ["constant", *["linear part"] * inputs]
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
        below = Expression(rows, rows)
        for (weights, biases), multiplier, names in zip(
            net.unflatten(theta), net.multipliers, net.activations, strict=True
        ):
            matrix = multiplier * weights
            with np.errstate(over="ignore", invalid="ignore"):
                z, sizes = matrix @ below.values, np.abs(matrix) @ below.sizes
                if biases is not None:
                    z[:, 0] += biases
                    sizes[:, 0] += np.abs(biases)
                if not np.isfinite(sizes).all():
                    raise FloatingPointError("coefficients beyond the range of float64")
                z[np.abs(z) <= ROUNDING * sizes] = 0
                below = self._activated(names, Expression(z, sizes))
                if not np.isfinite(below.sizes).all():
                    raise FloatingPointError("coefficients beyond the range of float64")
        return below

    def disagreement(self, first: Expression, second: Expression) -> tuple[str, ...]:
        """Kinds of the features on which two expressions of the same outputs differ; none if they agree."""
        a, b = (widened(e.values, len(self.kinds)) for e in (first, second))
        size = np.maximum(*(widened(e.sizes, len(self.kinds)) for e in (first, second)))
        whole = np.broadcast_to(size[:, 1:].sum(axis=1, keepdims=True), size.shape).copy()
        whole[:, 0] += size[:, 0]
        differ = np.flatnonzero((~self._agree(a, b, whole)).any(axis=0))
        return tuple(dict.fromkeys(self.kinds[feature] for feature in differ))

    def _agree(self, a: Array, b: Array, whole: Array) -> Array:
        """Numbers that differ by less than the tolerance, or by nothing that matters beside the whole."""
        allowed = max(SMALL * self.tolerance, ROUNDING)
        bound = self.tolerance * np.maximum(np.abs(a), np.abs(b)) + allowed * whole
        return np.asarray(np.abs(a - b) <= bound)

    def _activated(self, names: tuple[str, ...], z: Expression) -> Expression:
        """σ of rows, one activation each."""
        groups = {name: np.flatnonzero([n == name for n in names]) for name in dict.fromkeys(names)}
        parts = {name: self._activation(name, z[rows]) for name, rows in groups.items()}
        result = Expression(*np.zeros((2, len(names), len(self.kinds))))
        for name, rows in groups.items():
            count = parts[name].values.shape[1]
            result.values[rows, :count], result.sizes[rows, :count] = parts[name].values, parts[name].sizes
        return result

    def _activation(self, name: str, z: Expression) -> Expression:
        """σ of rows."""
        # Entries of the result: rows, columns, values and sizes.
        entries: list[tuple[Array, Array | int, Array, Array]] = []
        varies = np.asarray((np.abs(z.values[:, 1:]) > ROUNDING * z.scales[:, None]).any(axis=1))
        fixed, rows = np.flatnonzero(~varies), np.flatnonzero(varies)
        value, slope, _ = activations.derivatives(name, z.values[fixed, 0])
        entries.append((fixed, 0, value, np.abs(value) + np.abs(slope) * z.sizes[fixed, 0]))
        z = z[rows]
        linear = 0.0
        rule = rule_of(name)
        if rule.phase is not None:
            entries += self._wave(rows, z, rule.phase)
        elif rule.exponential:
            factor = np.exp(z.values[:, 0])
            places, _ = self._find(EXPONENTIAL, without_constant(z))
            entries.append((rows, places, factor, factor * np.maximum(1, z.sizes[:, 0])))
        elif rule.power and self._has_monomials(z, rule.power):
            entries += self._power(rows, z, rule.power)
        else:
            expansion = expansion_of(name)
            linear = expansion.slope
            entries.append((rows, 0, np.full(len(rows), expansion.constant), np.full(len(rows), expansion.constant)))
            for amplitude, scale, atom in expansion.terms:
                places, factors, sizes = self._atom(atom, z.scaled(scale))
                entries.append((rows, places, amplitude * factors, abs(amplitude) * sizes))
        values, sizes = np.zeros((2, len(varies), len(self.kinds)))
        count = z.values.shape[1]
        values[rows, :count], sizes[rows, :count] = linear * z.values, abs(linear) * z.sizes
        for at, columns, value, size in entries:
            values[at, columns] += value
            sizes[at, columns] += size
        return Expression(values, sizes)

    def _atom(self, atom: Atom, u: Expression) -> tuple[Array, Array, Array]:
        """Where φ(u · F) is found, its factor there, and the factor's size, (m,) each."""
        if not atom.degree:
            places, signs = self._find(atom, u)
            return places, signs if atom.parity < 0 else np.abs(signs), np.abs(signs)
        length = np.linalg.norm(u.values, axis=1)
        places, signs = self._find(atom, Expression(u.values / length[:, None], u.sizes / length[:, None]))
        return places, (signs if atom.parity < 0 else 1) * length**atom.degree, u.scales**atom.degree

    def _wave(self, rows: Array, z: Expression, phase: float) -> list[tuple[Array, Array | int, Array, Array]]:
        """sin(±w·F + b) = ± cos(b) sin(w·F) + sin(b) cos(w·F); the two features have neighbouring places."""
        places, signs = self._find(WAVE, without_constant(z))
        angle, size = z.values[:, 0] + phase, np.maximum(1, z.sizes[:, 0])
        return [(rows, places, signs * np.cos(angle), size), (rows, places + 1, np.sin(angle), size)]

    def _has_monomials(self, z: Expression, degree: int) -> bool:
        affine = not z.values[:, 1 + self.inputs :].any()
        return affine and math.comb(self.inputs + degree, degree) <= MOST_MONOMIALS

    def _power(self, rows: Array, z: Expression, degree: int) -> list[tuple[Array, Array | int, Array, Array]]:
        """(u · (1, x))^k by the multinomial theorem."""
        entries: list[tuple[Array, Array | int, Array, Array]] = []
        for factors in combinations_with_replacement(range(1 + self.inputs), degree):
            count = math.factorial(degree) // math.prod(map(math.factorial, Counter(factors).values()))
            value = count * z.values[:, factors].prod(axis=1)
            if value.any():
                entries.append((rows, self._monomial(factors), value, count * z.sizes[:, factors].prod(axis=1)))
        return entries

    def _monomial(self, factors: tuple[int, ...]) -> int:
        """The place of a product of the features 1 and x."""
        inputs = tuple(factor for factor in factors if factor)
        if len(inputs) < 2:
            return inputs[0] if inputs else 0
        if inputs not in self._monomials:
            self._monomials[inputs] = len(self.kinds)
            self.kinds.append("polynomial part")
        return self._monomials[inputs]

    def _find(self, atom: Atom, u: Expression) -> tuple[Array, Array]:
        """The places of the atom's features for each row u, made where there are none, and the signs of u, (m,) each.

        Vectors are of one class if a chain of them leads from one to the other in steps within the tolerance.
        """
        self.nested |= bool(u.values[:, 1 + self.inputs :].any())
        table = self._tables.get(atom, Table(np.zeros((0, 0)), np.zeros(0), np.zeros(0, int)))
        count = max(table.vectors.shape[1], u.values.shape[1])
        vectors = np.vstack([widened(table.vectors, count), widened(u.values, count)])
        scales = np.concatenate([table.scales, u.scales])
        signed = atom.parity != 0 or atom is WAVE
        near = np.array([self._near(vectors, scales, i, signed) for i in range(len(table.places), len(vectors))])
        start = len(table.places)
        links = np.zeros((len(vectors), len(vectors)), bool)
        links[start:] = near.reshape(-1, len(vectors))
        _, labels = connected_components(links, directed=False)
        # A class is represented by its first vector: one in the table, where there is one.
        _, first = np.unique(labels, return_index=True)
        fresh = np.sort(first[first >= start])
        step = 2 if atom is WAVE else 1
        places = np.concatenate([table.places, len(self.kinds) + step * np.arange(len(fresh))]).astype(int)
        self.kinds += [atom.name] * (step * len(fresh))
        kept = np.concatenate([np.arange(start), fresh]).astype(int)
        self._tables[atom] = Table(vectors[kept], scales[kept], places)
        representative = first[labels[start:]]
        inner = (vectors[start:] * vectors[representative]).sum(axis=1)
        return places[np.searchsorted(kept, representative)], np.where(signed & (inner < 0), -1.0, 1.0)

    def _near(self, vectors: Array, scales: Array, row: int, signed: bool) -> Array:
        """Which vectors agree with one of them in every entry, up to a common sign if `signed`."""
        whole = np.maximum(scales, scales[row])[:, None]
        near = self._agree(vectors, vectors[row], whole).all(axis=1)
        if signed:
            near |= self._agree(vectors, -vectors[row], whole).all(axis=1)
        return np.asarray(near)


def widened(array: Array, count: int) -> Array:
    """Rows with zeros appended, up to `count` entries."""
    return np.pad(array, ((0, 0), (0, count - array.shape[1])))


def without_constant(z: Expression) -> Expression:
    values, sizes = z.values.copy(), z.sizes.copy()
    values[:, 0] = sizes[:, 0] = 0
    return Expression(values, sizes)
