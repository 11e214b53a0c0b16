"""A group element is an affine map of θ, made of one move for each hidden layer.

    W_l → M_l W_l N_{l−1}⁻¹,     b_l → M_l (b_l − s_l W_l N_{l−1}⁻¹ c_{l−1}) + τ_l

where σ_l(M_l z + τ_l) = N_l σ_l(z) + c_l. The core moves θ and derivatives; here are names and the sparse matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core
from .._checks import LONGDOUBLE, Array
from ..network import MLP
from .moves import LayerMove

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False, repr=False)
class GroupElement:
    """An element is an affine map θ → A θ + t that leaves f(x; θ) the same for every θ.

    Elements come from the methods of a `SymmetryGroup`, and are immutable. ``g(theta)`` moves parameters, ``g @ h``
    is g after h, ``g.inverse()`` undoes g. Elements are stored in one canonical form, in extended precision.

    Because L(Aθ + t) = L(θ) for every θ and every loss that sees θ through f alone (so with ``l2 == 0``), derivatives
    need no recomputation: ∇L goes to A⁻ᵀ ∇L and the Hessian to A⁻ᵀ H A⁻¹, at any θ.

    Attributes
    ----------
    net : MLP

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([1, 2, 1], "relu", bias=False)
    >>> group = ho.symmetries(net)
    >>> g = group.rescaling(layer=1, factors=[2.0, 0.5]) @ group.permutation(layer=1, order=[1, 0])
    >>> g([1.0, 2.0, 3.0, 4.0])
    array([4. , 0.5, 2. , 6. ])
    >>> g.inverse()(g([1.0, 2.0, 3.0, 4.0]))
    array([1., 2., 3., 4.])
    >>> g
    GroupElement(MLP([1, 2, 1], 'relu', bias=False), layer 1: order [1, 0], factors [2, 0.5])
    """

    net: MLP
    _moves: tuple[LayerMove, ...]  # of each hidden layer

    __array_ufunc__ = None  # NumPy arrays leave products with elements to them

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupElement, (self.net, self._moves)

    def __repr__(self) -> str:
        words = [(move.hidden.layer, ", ".join(move.parts())) for move in self._moves]
        moved = "; ".join(f"layer {layer}: {text}" for layer, text in words if text)
        return f"GroupElement({self.net!r}, {moved or 'the identity'})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GroupElement):
            return NotImplemented
        return self.net == other.net and all(map(LayerMove.equals, self._moves, other._moves))

    def __hash__(self) -> int:
        return hash((self.net, tuple(move.key() for move in self._moves)))

    @cached_property
    def core(self) -> _core.GroupElement:
        """The compiled element; internal. Raises ValueError where float64 cannot express it."""
        none = np.zeros((0, 0), LONGDOUBLE)
        layers = []
        for move in self._moves:
            move.check_range()
            vectors = (move.factors, move.outgoing, move.constants, move.shifts)
            mixed, matrices = [], (none, none)
            if move.mixing is not None:
                mixed, matrices = move.hidden.linear.tolist(), (move.mixing.matrix, move.mixing.inverse)
            layers.append((move.sources.tolist(), *vectors, mixed, *matrices))
        return _core.GroupElement(self.net.core, layers)

    def __call__(self, theta: ArrayLike) -> Array:
        """Returns the parameters moved, A θ + t.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
            float64, or longdouble to compute in extended precision.

        Returns
        -------
        ndarray, of the shape of theta

        Raises
        ------
        TypeError, ValueError
            If theta has the wrong type or shape or is not finite.

        Notes
        -----
        Takes O(P) operations for each θ; where m linear neurons of a layer are mixed, m times the number of their
        incoming and outgoing weights.

        Examples
        --------
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 2, 1], bias=False))
        >>> group.sign_flip(layer=1)([1.0, 2.0, 3.0, 4.0])
        array([-1., -2., -3., -4.])
        """
        return self.core.act(_checks.parameters(theta, self.net.num_parameters))

    def gradient(self, gradient: ArrayLike) -> Array:
        """Returns the gradient at ``g(theta)`` from the gradient at theta, A⁻ᵀ ∇L.

        Parameters
        ----------
        gradient : array_like, shape (P,) or (B, P)
            Gradients, or rows of a Jacobian.

        Returns
        -------
        ndarray, of the shape of gradient

        Notes
        -----
        Costs what moving θ does.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 3, 1], "tanh")
        >>> obj = ho.Objective(net, [[1.0, 2.0], [0.5, -1.0]], [1.0, 0.0])
        >>> theta = net.init(np.random.default_rng(0))
        >>> g = ho.symmetries(net).random(np.random.default_rng(1))
        >>> np.allclose(g.gradient(obj.gradient(theta)), obj.gradient(g(theta)), rtol=1e-12)
        True
        """
        return self.core.transport_gradient(_checks.parameters(gradient, self.net.num_parameters, "gradient"))

    def hessian(self, hessian: ArrayLike) -> Array:
        """Returns the Hessian at ``g(theta)`` from the Hessian at theta, A⁻ᵀ H A⁻¹.

        Parameters
        ----------
        hessian : array_like, shape (P, P) or (B, P, P)
            Hessians or Gauss–Newton matrices.

        Returns
        -------
        ndarray, of the shape of hessian

        Raises
        ------
        TypeError, ValueError
            If hessian has the wrong type or shape or is not finite.

        Notes
        -----
        Takes O(P²) operations where A is a scaled permutation. It is one for all elements but those that flip
        sigmoid or normal_cdf neurons or shift linear ones, which takes O(P) more for each of their outgoing weights,
        and those that mix m linear neurons, which takes O(P²·m). A scaled permutation keeps a symmetric matrix
        symmetric to the last bit.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 3, 1], "tanh")
        >>> obj = ho.Objective(net, [[1.0, 2.0], [0.5, -1.0]], [1.0, 0.0])
        >>> theta = net.init(np.random.default_rng(0))
        >>> g = ho.symmetries(net).random(np.random.default_rng(1))
        >>> np.allclose(g.hessian(obj.hessian(theta)), obj.hessian(g(theta)), rtol=1e-12, atol=1e-14)
        True
        """
        count = self.net.num_parameters
        matrix = _checks.as_floats(hessian, "hessian")
        if matrix.ndim not in (2, 3) or matrix.shape[-2:] != (count, count):
            raise _checks.shape_error("hessian", f"({count}, {count}) or (B, {count}, {count})", matrix.shape)
        return self.core.transport_hessian(matrix)

    def inverse(self) -> GroupElement:
        """Returns the element that undoes this one.

        Examples
        --------
        >>> import hessorbit as ho
        >>> g = ho.symmetries(ho.MLP([1, 3, 1], bias=False)).permutation(layer=1, order=[2, 0, 1])
        >>> g @ g.inverse()
        GroupElement(MLP([1, 3, 1], 'tanh', bias=False), the identity)
        """
        return GroupElement(self.net, tuple(move.inverse() for move in self._moves))

    def __matmul__(self, other: GroupElement) -> GroupElement:
        """Returns the element that moves by `other`, then by this: ``(g @ h)(theta) == g(h(theta))`` to rounding."""
        if not isinstance(other, GroupElement):
            return NotImplemented
        if self.net != other.net:
            raise ValueError(f"elements can only be multiplied if their networks agree: {self.net!r}, {other.net!r}")
        return GroupElement(self.net, tuple(a @ b for a, b in zip(self._moves, other._moves, strict=True)))

    def matrix(self) -> csr_array:
        """Returns the matrix A of θ → A θ + t, sparse.

        Returns
        -------
        scipy.sparse.csr_array, shape (P, P), float64
            In layer l, M_l ⊗ Q_lᵀ on (W_l b_l), with Q_l made of N_{l−1}⁻¹ and of what flipped constants give to the
            biases. One entry per row for a scaled permutation.

        Examples
        --------
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 2, 1], "relu", bias=False))
        >>> group.rescaling(layer=1, factors=[2.0, 4.0]).matrix().toarray()
        array([[2.  , 0.  , 0.  , 0.  ],
               [0.  , 4.  , 0.  , 0.  ],
               [0.  , 0.  , 0.5 , 0.  ],
               [0.  , 0.  , 0.  , 0.25]])
        """
        from scipy import sparse

        moves = [None, *self._moves, None]
        shapes = zip(self.net.unflatten(np.arange(self.net.num_parameters)), self.net.multipliers, strict=True)
        rows, columns, values = [], [], []
        for ((weights, biases), multiplier), (below, above) in zip(shapes, pairwise(moves), strict=True):
            left = sparse.eye_array(len(weights)) if above is None else incoming_matrix(above)
            right = features_matrix(below, weights.shape[1], biases is not None, multiplier)
            block = sparse.kron(left, right, format="coo")
            parameters = (weights if biases is None else np.column_stack([weights, biases])).ravel()
            rows.append(parameters[block.coords[0]])
            columns.append(parameters[block.coords[1]])
            values.append(block.data)
        index = (np.concatenate(rows), np.concatenate(columns))
        shape = (self.net.num_parameters,) * 2
        return sparse.csr_array((np.concatenate(values).astype(np.float64), index), shape)

    def offset(self) -> Array:
        """Returns the vector t of θ → A θ + t, (P,): zero unless exponential or linear neurons are shifted.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.symmetries(ho.MLP([1, 1, 1], "exp")).translation(layer=1, shifts=[0.5]).offset()
        array([0. , 0.5, 0. , 0. ])
        """
        result = np.zeros(self.net.num_parameters)
        for (_, biases), move in zip(self.net.unflatten(result), self._moves, strict=False):
            if biases is not None:
                biases[:] = move.shifts
        return result


def incoming_matrix(move: LayerMove) -> Any:
    """Returns M_l, (d, d) sparse."""
    return neuron_matrix(move, move.factors, move.mixing.matrix if move.mixing else None)


def features_matrix(move: LayerMove | None, fan_in: int, bias: bool, multiplier: float) -> Any:
    """Returns Q_lᵀ on the features (W_l b_l), square and sparse: N_{l−1}⁻ᵀ, and constants for the bias."""
    from scipy import sparse

    if move is None:
        return sparse.eye_array(fan_in + bias)
    inverse = neuron_matrix(move, 1 / move.outgoing, move.mixing.inverse.T if move.mixing else None)
    if not bias:
        return inverse
    constants = -multiplier * move.constants[None, :].astype(np.float64) @ inverse
    return sparse.block_array([[inverse, None], [sparse.coo_array(constants), sparse.eye_array(1)]])


def neuron_matrix(move: LayerMove, factors: Array, mixed: Array | None) -> Any:
    """Returns the scaled permutation with the sources of `move`, and `mixed` on the linear neurons."""
    from scipy import sparse

    width = move.hidden.width
    linear = move.hidden.linear if mixed is not None else np.arange(0)
    kept = np.setdiff1d(np.arange(width), linear)
    rows = [kept, np.repeat(linear, len(linear))]
    columns = [move.sources[kept], np.tile(linear, len(linear))]
    values = [factors[kept], np.zeros(0) if mixed is None else mixed.ravel()]
    index = (np.concatenate(rows), np.concatenate(columns))
    return sparse.coo_array((np.concatenate(values).astype(np.float64), index), (width, width))
