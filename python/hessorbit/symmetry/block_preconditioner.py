"""Copies whose outgoing vectors are not parallel have a D with a matrix for every neuron.

The copies k of neuron i of the last hidden layer, with incoming factors c_k and gains N(c_k), may have any outgoing
vectors u_k of shape (K,) with Σ_k N(c_k) u_k = v_i; for K = 1 they are the α_k v_i of a `Widening`. The narrow Jacobian
knows the direction v_i only, so its incoming columns are taken apart by output: with unit multipliers

    ∂f/∂w̃_k = N(c_k)/c_k Σ_j u_kj E_ij,    E_ij = e_j σ'(z_i) ãᵀ    (K, p) for each sample,

and with F = (E, the other columns of J), J_wide J_wideᵀ = F D Fᵀ, where D has the blocks

    D_i = Σ_k (N(c_k)/c_k)² u_k u_kᵀ ⊗ D_out of the layer below    (K p, K p),

and is that of the widening elsewhere. So at zero residual the nonzero spectrum of H_wide is that of
D^{1/2} Fᵀ F D^{1/2} / N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import Array
from .._words import number_of
from ..network import MLP
from ..objective import Objective
from .copies import Copies
from .rules import rule_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

AGREEMENT = 1e-12  # relative, of parameters and of sums over copies


class Widening(Protocol):
    """These parts of a `Widening` are needed here."""

    source: MLP
    net: MLP
    layers: tuple[Copies, ...]

    def __call__(self, theta: ArrayLike) -> Array: ...

    def preconditioner(self) -> Array: ...


@dataclass(frozen=True, eq=False, repr=False)
class BlockPreconditioner:
    """A block preconditioner holds D for copies with any outgoing vectors, and the Jacobian F it belongs to.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array, shape (Q, Q)
        D. The Q rows are, for each neuron i of the last hidden layer, each output j and each incoming parameter of
        the neuron, bias last, one row; then the other parameters of the narrow network in their order.
    net : MLP
        The narrow network.
    theta : ndarray, shape (P,)
        Its parameters.

    Examples
    --------
    The nonzero spectrum of a wide network whose copies have other outgoing vectors, from the narrow network alone:

    >>> import numpy as np
    >>> import hessorbit as ho
    >>> wide = ho.Widening(ho.MLP([1, 1, 2], bias=False), copies=[[2]])
    >>> apart = [0.5, 0.5, 1.0, 0.0, 0.0, 2.0]
    >>> D = wide.block_preconditioner([0.5, 1.0, 2.0], apart)
    >>> x = np.array([[0.5], [-1.0], [2.0]])
    >>> F = D.jacobian(x)
    >>> J = ho.Objective(wide.net, x, np.zeros((3, 2))).jacobian(apart)
    >>> np.allclose(F @ (D.matrix @ F.T), J @ J.T)
    True
    """

    matrix: csr_array
    net: MLP
    theta: Array
    _untied: MLP
    _theta_untied: Array

    def __repr__(self) -> str:
        return f"BlockPreconditioner({number_of(self.matrix.shape[0], 'row')}, of {self.net!r})"

    def jacobian(self, x: ArrayLike) -> Array:
        """Returns F at the inputs x (N, d), of shape (N·K, Q).

        Examples
        --------
        >>> import hessorbit as ho
        >>> widening = ho.Widening(ho.MLP([1, 1, 2], bias=False), copies=[[2]])
        >>> widening.block_preconditioner([0.5, 1.0, 2.0]).jacobian([[0.0], [1.0]]).shape
        (4, 4)
        """
        samples = self.net.samples(x)
        zeros = np.zeros((len(samples), self.net.widths[-1]))
        apart = Objective(self._untied, samples, zeros).jacobian(self._theta_untied)[:, incoming(self._untied).ravel()]
        narrow = Objective(self.net, samples, zeros).jacobian(self.theta)
        return np.hstack([apart, np.delete(narrow, incoming(self.net).ravel(), axis=1)])


def block_preconditioner(widening: Widening, theta: ArrayLike, theta_wide: ArrayLike | None) -> BlockPreconditioner:
    """Returns what `Widening.block_preconditioner` describes."""
    net, wide = widening.source, widening.net
    if net.num_layers < 2:
        raise ValueError(f"a block preconditioner needs a network with a hidden layer; got {net!r}")
    if not all(rule_of(name).linear for name in net.activations[-1]):
        raise ValueError(f"a block preconditioner needs a network with a linear output layer; got {net!r}")
    at = _checks.parameter_vector(theta, net.num_parameters).astype(np.float64)
    if theta_wide is None:
        at_wide = widening(at)
    else:
        at_wide = _checks.parameter_vector(theta_wide, wide.num_parameters, "theta_wide").astype(np.float64)
    vectors = outgoing_vectors(widening, at, at_wide)
    untied, theta_untied = taken_apart(net, at)
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = blocks(widening, vectors)
    if not np.isfinite(matrix.data).all():
        raise ValueError(
            f"theta must give a finite preconditioner; squares of outgoing weights, which reach "
            f"{np.abs(vectors).max():.3g}, overflow: rescale the network"
        )
    return BlockPreconditioner(matrix, net, at, untied, theta_untied)


def incoming(net: MLP) -> Array:
    """Returns the positions in θ of the last hidden layer's incoming parameters, bias last, (width, p)."""
    weights, biases = net.unflatten(np.arange(net.num_parameters))[-2]
    return weights if biases is None else np.column_stack([weights, biases])


def outgoing_vectors(widening: Widening, theta: Array, theta_wide: Array) -> Array:
    """Returns the checked u_k, times the last layer's multiplier, (m, K)."""
    net, wide = widening.source, widening.net
    expected = widening(theta)
    positions = wide.unflatten(np.arange(wide.num_parameters))[-1][0]  # (K, m)
    others = np.delete(np.arange(wide.num_parameters), positions.ravel())
    differences = np.abs(theta_wide - expected)
    scale = np.abs(expected).max()
    if (differences[others] > AGREEMENT * scale).any():
        worst = others[np.argmax(differences[others])]
        raise ValueError(
            f"theta_wide must be widening(theta) but for the last hidden layer's outgoing weights; "
            f"theta_wide[{worst}] is {theta_wide[worst]!r}, expected {expected[worst]!r}"
        )
    copies = widening.layers[-1]
    changes = (theta_wide - expected)[positions]
    sums = np.zeros((net.widths[-1], net.widths[-2] + 1))  # the last column for dead neurons, whose sum is their own
    np.add.at(sums.T, copies.source, (changes * np.where(copies.source >= 0, copies.gain, 1.0)).T)
    if np.abs(sums).max() > AGREEMENT * max(scale, np.abs(theta_wide).max()):
        neuron = int(np.abs(sums).max(axis=0).argmax())
        what = "of dead neurons" if neuron == net.widths[-2] else f"of the copies of neuron {neuron}"
        raise ValueError(
            f"theta_wide must keep the sums Σ N(c) u of outgoing vectors; those {what} change by {sums[:, neuron]}"
        )
    return np.asarray(wide.multipliers[-1] * theta_wide[positions].T)


def taken_apart(net: MLP, theta: Array) -> tuple[MLP, Array]:
    """Returns the network that has, for each output, a last hidden layer of its own that feeds it with weights 1."""
    outputs, names = net.widths[-1], list(net.activations[:-1])
    names[-1] = tuple(name for name in names[-1] for _ in range(outputs))
    untied = MLP(
        (*net.widths[:-2], outputs * net.widths[-2], outputs),
        [list(layer) for layer in names],
        bias=net.biases,
        parametrization=net.parametrization,
    )
    layers = list(net.unflatten(theta))
    weights, biases = layers[-2]
    layers[-2] = weights.repeat(outputs, axis=0), None if biases is None else biases.repeat(outputs)
    one_each = np.tile(np.eye(outputs), net.widths[-2]) / untied.multipliers[-1]
    layers[-1] = one_each, layers[-1][1]
    return untied, untied.flatten(layers)


def blocks(widening: Widening, vectors: Array) -> csr_array:
    """Returns D, (Q, Q), from the outgoing vectors (m, K)."""
    from scipy import sparse

    net, copies = widening.source, widening.layers[-1]
    diagonal = widening.preconditioner()
    places = incoming(net)
    parts: list[Any] = []
    for neuron, row in enumerate(places):
        own = copies.source == neuron
        u = vectors[own] * (copies.gain / np.where(own, copies.incoming, 1.0))[own, None]
        below = diagonal[row] / (copies.slope[own] ** 2).sum()
        parts.append(sparse.kron(u.T @ u, sparse.diags_array(below)))
    parts.append(sparse.diags_array(np.delete(diagonal, places.ravel())))
    return sparse.csr_array(sparse.block_diag(parts))
