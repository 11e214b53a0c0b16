"""A widening computes the same function in a wider network, and puts a diagonal preconditioner on the Hessian.

Neuron i of a hidden layer becomes m_i copies with incoming parameters c_ik (W_l b_l)[i] and outgoing weights
α_ik W_{l+1}[:, i]. Where the activation answers with σ(c z) = N(c) σ(z) + o(c) (rules.py), the function is unchanged if

    Σ_k α_ik N(c_ik) = 1        and b_{l+1} takes up the constants −s_{l+1} Σ_k α_ik o(c_ik) W_{l+1}[:, i].

The derivatives of the wide network's outputs are then J_wide = J T, and wherever the Hessian is the Gauss–Newton matrix
(at zero residual, or for Gauss–Newton itself) H_wide = Tᵀ H T: its nonzero eigenvalues are those of D^{1/2} H D^{1/2},
D = T Tᵀ, which is diagonal. In D, the parameter W_l[i, j] has Σ_k β_ik² · Σ_k N(c_jk)² with β = α N(c)/c
(Fukumizu and Amari, Neural Networks 13, 2000, for duplicated neurons; Sareen et al., arXiv 2604.25150, for D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import Array
from ..any_objective import AnyObjective
from ..network import MLP, check_size
from .block_preconditioner import BlockPreconditioner, block_preconditioner
from .copies import Copies, checked_copies, checked_dead, identity_copies, layer_copies
from .inertia import Inertia, predicted_inertia
from .rules import hidden_layers

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PerNeuron = Sequence[Sequence[ArrayLike]]


@dataclass(frozen=True)
class Entries:
    """A sparse matrix with at most one entry for each wide parameter, and further ones that touch biases."""

    source: Array  # (P_wide,) narrow parameter
    lift: Array  # (P_wide,) θ_wide = lift · θ[source] + shift + …
    shift: Array  # (P_wide,)
    transfer: Array  # (P_wide,) T[source, p]
    lift_rows: Array  # further entries of the lift: wide bias, …
    lift_columns: Array  # … narrow weight, …
    lift_values: Array
    transfer_rows: Array  # further entries of T: narrow bias, …
    transfer_columns: Array  # … wide weight, …
    transfer_values: Array


class Widening:
    """A widening maps a network to a wider one that computes the same function.

    Parameters
    ----------
    net : MLP
        The network to widen.
    copies : sequence of sequence of int, optional
        Number of copies m_i ≥ 1 of each neuron, per hidden layer; all 1 by default.
    coefficients : sequence of sequence of array_like, optional
        Outgoing factors α of the copies, per hidden layer and neuron an array of length m_i. By default equal parts,
        α_ik = 1/(m_i N(c_ik, τ_ik)).
    scales : sequence of sequence of array_like, optional
        Sizes > 0 of the incoming factors c of the copies, for homogeneous activations (relu, leaky_relu, identity,
        square, cube); all 1 by default.
    signs : sequence of sequence of array_like, optional
        Signs ±1 of c, for activations that are even, odd, or odd up to a constant (then the layer above must have
        biases); all +1 by default.
    shifts : sequence of sequence of array_like, optional
        Shifts τ of the biases of the copies, for exponential neurons with a bias; all 0 by default.
    dead : sequence of int, optional
        Number of dead neurons to append, per hidden layer: all their weights are zero (their incoming ones can be
        changed freely afterwards); they take the activation of the layer's last neuron. If that is not zero at zero,
        the layer above must have biases.

    Attributes
    ----------
    net : MLP
        The wide network.
    source : MLP
        The network that was widened.
    layers : tuple of Copies
        The neurons of each hidden layer of the wide network, by where they come from.

    Raises
    ------
    TypeError, ValueError
        For wrong types or lengths, copies below 1, factors that the activation does not allow, coefficients with
        Σ_k α_ik N(c_ik) ≠ 1, and dead neurons that need biases which are not there.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([2, 3, 1])
    >>> wide = ho.Widening(net, copies=[[2, 1, 3]])
    >>> wide.net
    MLP([2, 6, 1], 'tanh')
    >>> theta = net.init(np.random.default_rng(0), scheme="torch")
    >>> x = [[0.5, -1.0]]
    >>> bool(abs(wide.net(wide(theta), x) - net(theta, x)).max() < 1e-15)
    True
    """

    def __init__(
        self,
        net: MLP,
        copies: Sequence[Sequence[int]] | None = None,
        *,
        coefficients: PerNeuron | None = None,
        scales: PerNeuron | None = None,
        signs: PerNeuron | None = None,
        shifts: PerNeuron | None = None,
        dead: Sequence[int] | None = None,
    ) -> None:
        _checks.instance(net, MLP, "net")
        self.source = net
        layers = hidden_layers(net)
        counts = checked_copies(net, copies)
        added = checked_dead(net, dead)
        hidden = [sum(numbers) + more for numbers, more in zip(counts, added, strict=True)]
        check_size((net.widths[0], *hidden, net.widths[-1]), net.biases, "copies and dead: widths")
        given = {
            name: None if value is None else _checks.entries(value, name, len(layers), "one per hidden layer")
            for name, value in (
                ("coefficients", coefficients),
                ("scales", scales),
                ("signs", signs),
                ("shifts", shifts),
            )
        }
        self.layers = tuple(
            layer_copies(layer, counts[i], added[i], {n: None if v is None else v[i] for n, v in given.items()})
            for i, layer in enumerate(layers)
        )
        self.net = widened(net, self.layers)

    def __repr__(self) -> str:
        return f"Widening({self.source!r} -> {self.net!r})"

    def __call__(self, theta: ArrayLike) -> Array:
        """Returns the wide network's parameters.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)

        Returns
        -------
        ndarray, shape (P_wide,) or (B, P_wide)

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.Widening(ho.MLP([1, 1, 1], bias=False), copies=[[2]])([3.0, 4.0])
        array([3., 3., 2., 2.])
        """
        at = _checks.parameters(theta, self.source.num_parameters)
        entries = self._entries
        wide: Array = entries.lift.astype(at.dtype) * at[..., entries.source] + entries.shift.astype(at.dtype)
        corrections = entries.lift_values.astype(at.dtype) * at[..., entries.lift_columns]
        np.add.at(wide.T, entries.lift_rows, corrections.T)
        return wide

    def transfer(self) -> csr_array:
        """Returns T with J_wide = J T, sparse of shape (P, P_wide).

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.Widening(ho.MLP([1, 1, 1], bias=False), copies=[[2]]).transfer().toarray()
        array([[0.5, 0.5, 0. , 0. ],
               [0. , 0. , 1. , 1. ]])
        """
        from scipy import sparse

        entries = self._entries
        rows = np.concatenate([entries.source, entries.transfer_rows])
        columns = np.concatenate([np.arange(self.net.num_parameters), entries.transfer_columns])
        values = np.concatenate([entries.transfer, entries.transfer_values])
        matrix = sparse.csr_array((values, (rows, columns)), (self.source.num_parameters, self.net.num_parameters))
        matrix.eliminate_zeros()
        return matrix

    def preconditioner(self) -> Array:
        """Returns the diagonal of D = T Tᵀ, (P,).

        Raises
        ------
        ValueError
            If D is not diagonal, which happens only for sign flips of activations that are odd up to a constant
            (sigmoid, normal_cdf), as they involve the biases of the next layer.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.Widening(ho.MLP([1, 1, 1], bias=False), copies=[[4]]).preconditioner()
        array([0.25, 4.  ])
        """
        if self._flips_constants:
            raise ValueError(
                "signs: D = T Tᵀ is not diagonal for flipped copies of activations that are odd up to a constant; "
                "use transfer() to form it"
            )
        transfer = self.transfer()
        return np.asarray(transfer.multiply(transfer).sum(axis=1)).ravel()

    def block_preconditioner(self, theta: ArrayLike, theta_wide: ArrayLike | None = None) -> BlockPreconditioner:
        """Returns D where the copies of the last hidden layer share their neuron's outgoing vector in any way.

        Parameters
        ----------
        theta : array_like, shape (P,)
            Parameters of the narrow network.
        theta_wide : array_like, shape (P_wide,), optional
            Those of the wide one: ``w(theta)``, but for the outgoing vectors u_k of the copies k in the last hidden
            layer, which may be any with the same sums Σ_k N(c_k) u_k. By default ``w(theta)`` itself, whose copies have
            parallel outgoing vectors.

        Returns
        -------
        BlockPreconditioner

        Raises
        ------
        TypeError, ValueError
            If theta_wide differs in other parameters or in the sums, if there is no hidden layer, if the output layer
            is not linear, or if `preconditioner` is not diagonal.

        Notes
        -----
        Forming D takes O(K² P) operations. The identity is that of Sareen et al., arXiv 2604.25150, with the number
        D_in replaced by a matrix.

        Examples
        --------
        >>> import hessorbit as ho
        >>> w = ho.Widening(ho.MLP([1, 1, 2], bias=False), copies=[[2]])
        >>> theta = [0.5, 1.0, 2.0]                          # outgoing (1, 2)
        >>> w(theta)
        array([0.5, 0.5, 0.5, 0.5, 1. , 1. ])
        >>> apart = [0.5, 0.5, 1.0, 0.0, 0.0, 2.0]           # the same function: outgoing (1, 0) and (0, 2)
        >>> w.block_preconditioner(theta, apart).matrix.toarray()
        array([[1., 0., 0., 0.],
               [0., 4., 0., 0.],
               [0., 0., 2., 0.],
               [0., 0., 0., 2.]])
        """
        return block_preconditioner(self, theta, theta_wide)

    def inertia(self, obj: AnyObjective, theta: ArrayLike) -> Inertia:
        """Returns how many eigenvalues of the wide Hessian are negative, zero and positive, without forming it.

        Parameters
        ----------
        obj : Objective or PopulationObjective
            Of the narrow network, with any loss and data, and without weight decay.
        theta : array_like, shape (P,)
            Parameters of the narrow network: those of a critical point, of any residual. The wide Hessian is the one at
            ``w(theta)``.

        Returns
        -------
        Inertia
            A tuple (negative, zero, positive), whose attribute `undecided` says how many of the zeros are only too
            small to have a sign.

        Raises
        ------
        TypeError, ValueError
            If obj is not an objective of the narrow network without weight decay, or its Hessian overflows.

        Notes
        -----
        Every split neuron adds a form of its own to the Hessian, whose inertia follows from that of a p × p matrix B, p
        its number of incoming parameters, the rank of a matrix C between these and the outputs of the next layer, and
        the signs of the shares α N(c). A minimum stays one if, for each neuron with copies, C = 0 (as it is where
        the next layer has one neuron) and B is positive semidefinite with no share below 0, or negative semidefinite
        with one share above 0 only; with C ≠ 0 it becomes a saddle [1]_.

        Eigenvalues count as zero below their rounding errors, and at a critical point, which is known up to a Newton
        step only, below what the step changes them by. Away from critical points the identity holds too, and
        this is the inertia at ``w(theta)``. A residual that rounding alone may have made is taken as zero, and what
        vanishes with it as exactly zero: this is the inertia for the targets that ``theta`` computes, not for the
        rounded ones. Costs the narrow Hessian and its eigenvalues, twice.

        References
        ----------
        .. [1] Fukumizu and Amari, "Local minima and plateaus in hierarchical structures of multilayer perceptrons",
           Neural Networks 13 (2000).

        Examples
        --------
        A minimum with a residual, whose neuron is split into shares of one sign, and of two:

        >>> import numpy as np
        >>> import hessorbit as ho
        >>> x = np.linspace(-2, 2, 20)[:, None]
        >>> obj = ho.Objective(ho.MLP([1, 1, 1], "gelu"), x, np.cos(2 * x) + x)
        >>> theta = ho.minimize(obj, [1.0, 0.5, 1.0, 0.0], method="newton").x
        >>> for shares in ([0.5, 0.5], [1.5, -0.5]):
        ...     w = ho.Widening(obj.net, copies=[[2]], coefficients=[[shares]])
        ...     wide = ho.Objective(w.net, x, obj.y)
        ...     print(w.inertia(obj, theta), ho.spectrum(wide, w(theta)).num_negative)
        (0, 1, 6) 0
        (2, 1, 4) 2
        """
        return predicted_inertia(self, obj, theta)

    @property
    def _flips_constants(self) -> bool:
        return any(bool(((c.offset != 0) & (c.source >= 0)).any()) for c in self.layers)

    @cached_property
    def _entries(self) -> Entries:
        return entries_of(self.source, self.net, self.layers)


def widened(net: MLP, layers: Sequence[Copies]) -> MLP:
    widths = (net.widths[0], *(len(c.source) for c in layers), net.widths[-1])
    names = [
        np.array(net.activations[index], object)[copies.source].tolist()  # a dead neuron, −1, is like the last
        for index, copies in enumerate(layers)
    ]
    return MLP(
        widths,
        names,
        bias=net.biases,
        parametrization=net.parametrization,
        output_activation=net.activations[-1],
    )


def entries_of(net: MLP, wide: MLP, layers: Sequence[Copies]) -> Entries:
    """Returns every wide parameter's source and factors, layer by layer."""
    narrow_positions = net.unflatten(np.arange(net.num_parameters))
    wide_positions = wide.unflatten(np.arange(wide.num_parameters))
    all_copies = [identity_copies(net.widths[0]), *layers, identity_copies(net.widths[-1])]
    source = np.zeros(wide.num_parameters, int)
    lift, shift, transfer = (np.zeros(wide.num_parameters) for _ in range(3))
    lift_extra: list[tuple[Array, Array, Array]] = []
    transfer_extra: list[tuple[Array, Array, Array]] = []
    for index in range(net.num_layers):
        below, here = all_copies[index], all_copies[index + 1]
        (weights, biases), (wide_weights, wide_biases) = narrow_positions[index], wide_positions[index]
        s, wide_s = net.multipliers[index], wide.multipliers[index]
        source[wide_weights] = weights[np.ix_(here.source, below.source)]
        lift[wide_weights] = np.outer(here.incoming, below.outgoing) * (s / wide_s)
        transfer[wide_weights] = np.outer(here.slope, below.gain) * (wide_s / s)
        if biases is None or wide_biases is None:
            continue
        source[wide_biases] = biases[here.source]
        lift[wide_biases] = here.incoming
        shift[wide_biases] = here.shift
        transfer[wide_biases] = here.slope
        for j in np.flatnonzero(below.offset):
            moved = here.slope * wide_s * below.offset[j]
            transfer_extra.append((biases[here.source], wide_weights[:, j], moved))
            if below.source[j] >= 0:
                taken = -here.incoming * s * below.outgoing[j] * below.offset[j]
                lift_extra.append((wide_biases, weights[here.source, below.source[j]], taken))
    return Entries(source, lift, shift, transfer, *columns(lift_extra), *columns(transfer_extra))


def columns(parts: list[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array]:
    if not parts:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    first, second, values = zip(*parts, strict=True)
    return np.concatenate(first), np.concatenate(second), np.concatenate(values)
