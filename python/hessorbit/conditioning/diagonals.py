"""`DiagonalScalings` are sets of diagonals D, convex in log D, that turn the Hessian into D^{1/2} H D^{1/2}.

For every parameter p,

    log D_p = log D_in,i + log D_out,j + 2 log(s'_l/s_l)

where p is incoming to hidden neuron i and outgoing from hidden neuron j, if it is, and s_l, s'_l are the multipliers of
its layer before and after (1 for biases). Where copies of j may be flipped, its outgoing parameters count twice, the
second time with D_flip,j in place of D_out,j (regions.py): P + Q parameters in all. Each neuron's factors are in a
region of its own; where numbers of copies are real variables, those of a layer share a budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import block_diag

from .._checks import Array
from ..network import MLP
from ..symmetry.rules import hidden_layers
from .regions import FLIPPED, INCOMING, LOG_SPAN, OUTGOING, NeuronScaling, Posynomial, Region


@dataclass(frozen=True)
class DiagonalScalings:
    """A set of diagonals, log D = exponents @ v + offset, with v in a convex set given by three kinds of slack.

    ``inequalities @ v − bounds``, ``log SPAN ± v``, and ``most − Σ weights exp(v[indices])`` of each posynomial; all of
    them concave and, inside, positive.
    """

    exponents: Array  # (P + Q, n)
    offset: Array  # (P + Q,); −inf where D_p = 0
    inequalities: Array  # (q, n)
    bounds: Array  # (q,)
    posynomials: tuple[Posynomial, ...]
    start: Array  # (n,), strictly inside

    @property
    def num_slacks(self) -> int:
        return len(self.bounds) + 2 * len(self.start) + len(self.posynomials)

    @property
    def extent(self) -> float:
        """Largest |v_i|."""
        return LOG_SPAN

    def log_scaling(self, v: Array) -> Array:
        """Returns log D, (P + Q,)."""
        return self.exponents @ v + self.offset

    @cached_property
    def columns(self) -> sparse.csr_array:
        """The exponents' transpose, of whose entries few are not zero."""
        return sparse.csr_array(self.exponents.T)

    def projected(self, hessian: Array) -> Array:
        """Returns a Hessian in v (n, n) from the one in log D, (P + Q, P + Q), or from its diagonal."""
        right = self.columns @ hessian if hessian.ndim == 2 else (self.columns * hessian).toarray()
        return np.asarray(self.columns @ right.T)

    @cached_property
    def stacks(self) -> list[tuple[Array, Array, Array]]:
        """Posynomials of as many terms as each other: their indices and weights, (k, terms), and `most`, (k,)."""
        lengths = sorted({len(p.indices) for p in self.posynomials})
        alike = [[p for p in self.posynomials if len(p.indices) == length] for length in lengths]
        return [
            (np.array([p.indices for p in ps]), np.array([p.weights for p in ps]), np.array([p.most for p in ps]))
            for ps in alike
        ]

    def barrier(self, v: Array) -> float:
        """Returns −Σ log of the slacks; inf outside."""
        slacks = [self.inequalities @ v - self.bounds, self.extent - v, self.extent + v]
        slacks += [most - (weights * np.exp(v[indices])).sum(axis=1) for indices, weights, most in self.stacks]
        every = np.concatenate(slacks)
        return float(-np.log(every).sum()) if (every > 0).all() else np.inf

    def barrier_derivatives(self, v: Array) -> tuple[Array, Array]:
        """Returns gradient (n,) and Hessian (n, n) of the barrier."""
        slack, above, below = self.inequalities @ v - self.bounds, self.extent - v, self.extent + v
        gradient = 1 / above - 1 / below - self.inequalities.T @ (1 / slack)
        hessian = np.diag(1 / above**2 + 1 / below**2)
        hessian += self.inequalities.T @ (self.inequalities / slack[:, None] ** 2)
        for indices, weights, most in self.stacks:
            share = weights * np.exp(v[indices])
            share /= (most - share.sum(axis=1))[:, None]
            np.add.at(gradient, indices, share)
            np.add.at(hessian, (indices, indices), share)
            np.add.at(hessian, (indices[:, :, None], indices[:, None, :]), share[:, :, None] * share[:, None, :])
        return gradient, hessian


def free_scalings(offset: Array, groups: Array) -> DiagonalScalings:
    """Returns every positive diagonal, times exp(offset), that is constant on groups 0 … n−1 of parameters, (P,)."""
    exponents = np.eye(groups.max() + 1)[groups]
    count = exponents.shape[1]
    return DiagonalScalings(exponents, offset, np.empty((0, count)), np.empty(0), (), np.zeros(count))


@dataclass(frozen=True)
class Flips:
    """Derivatives in outgoing weights of flipped copies: constants · ∂/∂biases − ∂/∂weights; each (Q,)."""

    weights: Array
    biases: Array
    constants: Array

    def of(self, columns: Array) -> Array:
        """Returns those derivatives from the ones in all parameters, (…, P): (…, Q)."""
        return columns[..., self.biases] * self.constants - columns[..., self.weights]


@dataclass(frozen=True)
class Architecture:
    """An architecture says where the neurons' factors go, for a network whose hidden widths become `widths`."""

    net: MLP
    widths: tuple[int, ...]

    @cached_property
    def flippable(self) -> Array:
        """Hidden neurons whose copies may be flipped with an effect on D, counted through all layers."""
        rules = [(hidden, n) for hidden in hidden_layers(self.net) for n in range(hidden.width)]
        return np.flatnonzero([hidden.rules[n].constant != 0 and hidden.can_flip(n) for hidden, n in rules])

    @cached_property
    def flips(self) -> Flips:
        """The second count of the parameters outgoing from neurons whose copies may be flipped."""
        first, weights, biases, constants = np.cumsum([0, *self.net.widths[1:-1]]), [], [], []
        for hidden, (rows, shifts) in zip(hidden_layers(self.net), self.positions[1:], strict=True):
            begin = first[hidden.layer - 1]
            for neuron in self.flippable[(self.flippable >= begin) & (self.flippable < begin + hidden.width)] - begin:
                assert shifts is not None  # can_flip asks for them
                weights.append(rows[:, neuron])
                biases.append(shifts)
                constant = self.net.multipliers[hidden.layer] * hidden.rules[neuron].constant
                constants.append(np.full(len(shifts), constant))
        joined = [np.concatenate([np.empty(0), *parts]) for parts in (weights, biases, constants)]
        return Flips(joined[0].astype(int), joined[1].astype(int), joined[2])

    @cached_property
    def sides(self) -> Array:
        """The hidden neurons each parameter is incoming to and outgoing from, −1 if to none; (2, P + Q).

        Neurons are counted through all layers.
        """
        sides = np.full((2, self.net.num_parameters), -1)
        first = np.cumsum([0, *self.net.widths[1:-1]])
        for index, (weights, biases) in enumerate(self.positions):
            if index < self.net.num_layers - 1:
                neurons = first[index] + np.arange(self.net.widths[index + 1])
                sides[0, weights] = neurons[:, None]
                if biases is not None:
                    sides[0, biases] = neurons
            if index > 0:
                sides[1, weights] = first[index - 1] + np.arange(self.net.widths[index])
        return np.concatenate([sides, sides[:, self.flips.weights]], axis=1)

    @cached_property
    def second(self) -> Array:
        """Which of the parameters are counted for the second time, (P + Q,)."""
        return np.arange(self.sides.shape[1]) >= self.net.num_parameters

    def extended(self, factor: Array) -> Array:
        """Returns the columns of G for all P + Q parameters, from those for the network's P; (r, P + Q)."""
        return np.concatenate([factor, self.flips.of(factor)], axis=1)

    @property
    def positions(self) -> list[tuple[Array, Array | None]]:
        """Where in θ each layer's weights and biases lie."""
        return self.net.unflatten(np.arange(self.net.num_parameters))

    @property
    def one_hidden_layer(self) -> bool:
        """Whether every D_p depends on a single neuron."""
        return not (self.sides >= 0).all(axis=0).any()

    @cached_property
    def offset(self) -> Array:
        """2 log(s'_l/s_l) of every parameter, (P + Q,)."""
        ends = self.net.widths[0], self.net.widths[-1]
        wide = MLP([ends[0], *self.widths, ends[1]], bias=self.net.biases, parametrization=self.net.parametrization)
        changes = np.zeros(self.net.num_parameters)
        for before, after, (weights, _) in zip(self.net.multipliers, wide.multipliers, self.positions, strict=True):
            changes[weights] = 2 * np.log(after / before)
        return np.concatenate([changes, changes[self.flips.weights]])


@dataclass(frozen=True)
class NeuronScalings:
    """The diagonals of a network whose neurons have given regions.

    `budgets` are pairs of neurons, whose numbers of copies are variables, and the most copies they may have together.
    """

    architecture: Architecture
    neurons: tuple[NeuronScaling, ...]
    budgets: tuple[tuple[tuple[int, ...], float], ...] = ()

    @cached_property
    def regions(self) -> list[Region]:
        return [neuron.region() for neuron in self.neurons]

    @cached_property
    def first(self) -> Array:
        """Where each neuron's variables begin, and the number of all."""
        return np.cumsum([0, *(len(region.start) for region in self.regions)])

    def pieces(self, v: Array) -> list[Array]:
        """Returns the variables of each neuron."""
        return np.split(v, self.first[1:-1]) if len(self.neurons) else []

    def factors(self, v: Array) -> Array:
        """Returns D_in, D_out and D_flip of every neuron, (3, neurons)."""
        triples = [r.rows @ piece + r.constants for r, piece in zip(self.regions, self.pieces(v), strict=True)]
        return np.exp(np.reshape(triples, (-1, 3))).T

    def variables(self, factors: Array) -> Array:
        """Returns the v nearest to given factors (3, neurons)."""
        pieces = []
        for region, factor in zip(self.regions, factors.T, strict=True):
            kept = np.isfinite(region.constants) & (factor > 0)
            logs = np.log(factor, where=kept, out=np.zeros(3)) - np.where(kept, region.constants, 0)
            pieces.append(np.linalg.lstsq(region.rows[kept], logs[kept], rcond=None)[0])
        return np.concatenate([np.empty(0), *pieces])

    def touched(self) -> Iterator[tuple[int, Array, Array]]:
        """Yields each kind of factor, the parameters that have it, and the neurons it belongs to."""
        sides, second = self.architecture.sides, self.architecture.second
        for kind, side, among in ((INCOMING, 0, np.ones_like(second)), (OUTGOING, 1, ~second), (FLIPPED, 1, second)):
            parameters = np.flatnonzero((sides[side] >= 0) & among)
            yield kind, parameters, sides[side, parameters]

    def posynomials(self) -> Iterator[Posynomial]:
        for region, first in zip(self.regions, self.first, strict=False):
            for p in region.posynomials:
                yield Posynomial(p.indices + first, p.weights, p.most)
        for neurons, most in self.budgets:
            indices = np.array([self.first[i] + self.regions[i].log_copies for i in neurons])
            yield Posynomial(indices, np.ones(len(indices)), most)

    @cached_property
    def diagonals(self) -> DiagonalScalings:
        """The set of the whole diagonals."""
        offset = self.architecture.offset.copy()
        exponents = np.zeros((len(offset), self.first[-1]))
        for kind, parameters, neurons in self.touched():
            if not len(parameters):
                continue
            rows = block_diag(*[region.rows[kind : kind + 1] for region in self.regions])
            constants = np.array([region.constants[kind] for region in self.regions])
            exponents[parameters] += rows[neurons]
            offset[parameters] += constants[neurons]
        matrices = [np.empty((0, len(r.start))) if r.inequalities is None else r.inequalities for r in self.regions]
        return DiagonalScalings(
            exponents=exponents,
            offset=offset,
            inequalities=block_diag(*matrices) if matrices else np.empty((0, 0)),
            bounds=np.array([bound for region in self.regions for bound in region.bounds]),
            posynomials=tuple(self.posynomials()),
            start=np.concatenate([np.empty(0), *(region.start for region in self.regions)]),
        )
