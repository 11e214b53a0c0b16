"""A `SymmetryGroup` lists the factors of an architecture, makes elements, and knows its generators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html
from .._checks import LONGDOUBLE, Array
from ..network import MLP
from . import conserved, tangents
from .element import GroupElement
from .even_linear import EvenLinearFlip
from .factors import Factor, factors_of, order_text
from .moves import LayerMove, identity_move, mixing_of, random_move, with_mixing
from .rules import HiddenLayer, hidden_layers
from .tangents import Generator


@dataclass(frozen=True, repr=False)
class SymmetryGroup:
    """The group holds the moves of θ that leave the function of a network the same, whatever θ is.

    Made by `symmetries`. Printed, it lists its factors by layer. Its methods make elements: `permutation`,
    `sign_flip`, `rescaling`, `linear` and `translation` for one layer each, `random` for all at once; multiply them
    with ``@``. Layers are counted from 1, the first hidden layer; neurons from 0.

    The list holds the affine symmetries known for these activations that hold at every θ, and `even_linear_flip`,
    possible only at some. It leaves out shifts of sin and cos by multiples of π, and nonlinear coincidences of
    polynomial activations, such as rotations between square neurons.

    Attributes
    ----------
    net : MLP
    factors : tuple of Factor

    Examples
    --------
    >>> import hessorbit as ho
    >>> ho.symmetries(ho.MLP([2, 3, 4, 1], ["relu", "tanh"]))
    Symmetries of MLP([2, 3, 4, 1], ['relu', 'tanh']): order 2304, dimension 3
      layer  activation  neurons  kind              order  dimension  action
          1  relu              3  permutation           6             neurons change places
          1  relu              3  rescaling                        3  incoming × c, outgoing × 1/c
          1  relu              3  even-linear flip      8             incoming × −1, if others carry the rest
          2  tanh              4  permutation          24             neurons change places
          2  tanh              4  sign flip            16             incoming × −1, outgoing × −1
    """

    net: MLP

    @cached_property
    def factors(self) -> tuple[Factor, ...]:
        """The factors of the group, by layer."""
        return tuple(factor for hidden in hidden_layers(self.net) for factor in factors_of(hidden))

    @property
    def order(self) -> int:
        """Number of elements of the finite factors together, exact; moves possible only at some θ do not count."""
        return math.prod(factor.order for factor in self.factors if not factor.conditional)

    @property
    def dimension(self) -> int:
        """Dimension of the group: the number of its one-parameter subgroups, and of the columns of `tangents`."""
        return sum(factor.dimension for factor in self.factors)

    def __repr__(self) -> str:
        heading = f"Symmetries of {self.net!r}: order {order_text(self.order)}, dimension {self.dimension}"
        titles = ("layer", "activation", "neurons", "kind", "order", "dimension", "action")
        rows = [
            (str(f.layer), f.activation, str(len(f.neurons)), f.kind, "" if f.dimension else order_text(f.order),
             str(f.dimension or ""), f.action)
            for f in self.factors
        ]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
        lines = ["  ".join(map(aligned, row, widths, "><><>><")).rstrip() for row in (titles, *rows)]
        return "\n  ".join([heading, *lines] if rows else [heading])

    def _repr_html_(self) -> str:
        rows = [
            (f.layer, f.kind, f.activation, len(f.neurons), "" if f.dimension else order_text(f.order),
             f.dimension or "", f.action)
            for f in self.factors
        ]  # fmt: skip
        headings = ("layer", "kind", "activation", "neurons", "order", "dimension", "action")
        caption = f"Symmetries of {self.net!r}: order {order_text(self.order)}, dimension {self.dimension}"
        return _html.table(caption, headings, rows)

    def identity(self) -> GroupElement:
        """Returns the element that moves nothing.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.symmetries(ho.MLP([1, 2, 1], bias=False)).identity()([1.0, 2.0, 3.0, 4.0])
        array([1., 2., 3., 4.])
        """
        return GroupElement(self.net, tuple(map(identity_move, hidden_layers(self.net))))

    def permutation(self, *, layer: int, order: ArrayLike) -> GroupElement:
        """Returns the element by which neurons of a layer change places.

        Parameters
        ----------
        layer : int
            Hidden layer, counted from 1.
        order : array_like of int, shape (d,)
            ``order[i]`` is the neuron that comes to place i, as in ``weights[order]``.

        Raises
        ------
        TypeError, ValueError
            If the layer is out of range, order is not a permutation of 0 … d−1, or it exchanges neurons of different
            activation.

        Examples
        --------
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 3, 1], bias=False))
        >>> group.permutation(layer=1, order=[2, 0, 1])([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        array([3., 1., 2., 6., 4., 5.])
        """
        hidden = self._hidden(layer)
        sources = _checks.indices(order, hidden.width, "order")
        if sorted(sources) != list(range(hidden.width)):
            raise ValueError(f"order must be a permutation of 0 … {hidden.width - 1}; got {sources}")
        for place, source in enumerate(sources):
            if hidden.names[place] != hidden.names[source]:
                raise ValueError(
                    f"order must exchange neurons of the same activation; order[{place}] = {source} brings "
                    f"{hidden.names[source]} to a place of {hidden.names[place]}"
                )
        return self._element(replace(identity_move(hidden), sources=np.array(sources)))

    def sign_flip(self, *, layer: int, neurons: Sequence[int] | None = None) -> GroupElement:
        """Returns the element that changes the sign of incoming weights, for odd, even and linear activations.

        Outgoing weights change sign too, unless the activation is even. For sigmoid and normal_cdf, whose σ(z) + σ(−z)
        is a constant, the next layer's bias takes the constant.

        Parameters
        ----------
        layer : int
            Hidden layer, counted from 1.
        neurons : sequence of int, optional
            Neurons to flip; by default all of the layer.

        Raises
        ------
        TypeError, ValueError
            If the layer or a neuron is out of range, or a neuron has no such move: its activation is neither odd nor
            even, or it needs a bias in the next layer that is not there.

        Examples
        --------
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 3, 1], bias=False))
        >>> group.sign_flip(layer=1, neurons=[1])([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        array([ 1., -2.,  3.,  4., -5.,  6.])
        """
        hidden = self._hidden(layer)
        flipped = _checks.neurons(neurons, hidden.width)
        for neuron in flipped:
            rule = hidden.rules[neuron]
            if not rule.parity:
                hint = "; see even_linear_flip" if rule.even_linear else ""
                raise no_such_move(hidden, neuron, "is neither odd nor even", "sign flip", hint)
            if not hidden.can_flip(neuron):
                raise ValueError(
                    f"layer {layer + 1} must have a bias, to take the constant that flipping {rule.activation} neurons "
                    f"of layer {layer} leaves; {self.net!r} has none there"
                )
        return self._element(replace(identity_move(hidden), factors=placed(-1.0, flipped, hidden, 1.0)))

    def rescaling(self, *, layer: int, factors: ArrayLike, neurons: Sequence[int] | None = None) -> GroupElement:
        """Returns the element that multiplies incoming weights by c > 0, outgoing ones by c^−k, if σ(c z) = c^k σ(z).

        Parameters
        ----------
        layer : int
            Hidden layer, counted from 1.
        factors : array_like
            c for each neuron of the layer, (d,), 1 for neurons that cannot be rescaled; or for each of `neurons`.
        neurons : sequence of int, optional
            Neurons to rescale; by default all of the layer.

        Raises
        ------
        TypeError, ValueError
            If the layer or a neuron is out of range, a factor is not positive and finite, or a neuron's activation is
            not homogeneous.

        Examples
        --------
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 2, 1], "relu", bias=False))
        >>> group.rescaling(layer=1, factors=[2.0, 0.5])([1.0, 2.0, 3.0, 4.0])
        array([2. , 1. , 1.5, 8. ])
        """
        hidden, chosen, values = self._per_neuron(layer, factors, "factors", neurons)
        if (values <= 0).any():
            raise ValueError(f"factors must be positive; got {values.tolist()}")
        for neuron, value in zip(chosen, values, strict=True):
            rule = hidden.rules[neuron]
            if value != 1 and not rule.degree:
                raise no_such_move(hidden, neuron, "is not homogeneous", "rescaling")
            check_size(value, "factors", value, rule.outgoing(value, 0.0))
        return self._element(replace(identity_move(hidden), factors=placed(values, chosen, hidden, 1.0)))

    def linear(self, *, layer: int, matrix: ArrayLike, neurons: Sequence[int] | None = None) -> GroupElement:
        """Returns the element that mixes linear neurons: incoming weights go to M W, outgoing ones to W M⁻¹.

        Parameters
        ----------
        layer : int
            Hidden layer, counted from 1.
        matrix : array_like, shape (m, m)
            M, invertible; rounding grows with its condition number.
        neurons : sequence of int, optional
            The m neurons it acts on, in its order; by default all linear neurons of the layer.

        Raises
        ------
        TypeError, ValueError
            If the layer or a neuron is out of range, a neuron is not linear, or the matrix has the wrong shape, is not
            finite, or has a condition number above 1e13, which the message then tells.

        Examples
        --------
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 2, 1], "identity", bias=False))
        >>> group.linear(layer=1, matrix=[[1.0, 1.0], [0.0, 1.0]])([1.0, 2.0, 3.0, 4.0])
        array([3., 2., 3., 1.])
        """
        hidden = self._hidden(layer)
        linear = hidden.linear
        if neurons is None:
            if not len(linear):
                raise no_such_move(hidden, 0, "is not linear", "linear move")
            chosen = linear.tolist()
        else:
            chosen = _checks.neurons(neurons, hidden.width)
        for neuron in chosen:
            if not hidden.rules[neuron].linear:
                raise no_such_move(hidden, neuron, "is not linear", "linear move")
        square = _checks.as_floats(matrix, "matrix")
        if square.shape != (len(chosen), len(chosen)):
            raise _checks.shape_error("matrix", f"({len(chosen)}, {len(chosen)})", square.shape)
        mixing = mixing_of(square).embedded(np.searchsorted(linear, chosen), len(linear))
        return self._element(with_mixing(identity_move(hidden), mixing))

    def translation(self, *, layer: int, shifts: ArrayLike, neurons: Sequence[int] | None = None) -> GroupElement:
        """Returns the element that adds τ to biases of exponential and linear neurons; its move is affine in θ.

        Outgoing weights of an exponential neuron are multiplied by e^−τ. What a linear neuron adds above is taken from
        the next layer's bias.

        Parameters
        ----------
        layer : int
            Hidden layer, counted from 1.
        shifts : array_like
            τ for each neuron of the layer, (d,), 0 for neurons that cannot be shifted; or for each of `neurons`.
        neurons : sequence of int, optional
            Neurons to shift; by default all of the layer.

        Raises
        ------
        TypeError, ValueError
            If the layer or a neuron is out of range, a shift is not finite, or a neuron has no such move: its
            activation is neither exponential nor linear, its layer has no bias, or it is linear and the next layer has
            none.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 1, 1], "exp"))
        >>> group.translation(layer=1, shifts=[np.log(2.0)])([1.0, 0.0, 3.0, 4.0]).round(6)
        array([1.      , 0.693147, 1.5     , 4.      ])
        """
        hidden, chosen, values = self._per_neuron(layer, shifts, "shifts", neurons)
        for neuron, value in zip(chosen, values, strict=True):
            rule = hidden.rules[neuron]
            if value and not (rule.exponential or rule.linear):
                raise no_such_move(hidden, neuron, "is neither exponential nor linear", "translation")
            if value and not hidden.can_shift(neuron):
                lacking = layer + 1 if hidden.has_bias else layer
                raise ValueError(
                    f"layer {lacking} must have a bias for neurons of layer {layer} to be shifted; {self.net!r} has "
                    f"none there"
                )
            check_size(value, "shifts", rule.outgoing(1.0, np.longdouble(value)))
        return self._element(replace(identity_move(hidden), shifts=placed(values, chosen, hidden, 0.0)))

    def even_linear_flip(
        self,
        *,
        layer: int,
        neurons: Sequence[int],
        pairs: Sequence[tuple[int, int]] = (),
        tolerance: float = 1e-12,
    ) -> EvenLinearFlip:
        """Returns the move that changes the sign of incoming weights where other neurons carry the rest.

        Even-linear are relu, leaky_relu, gelu, silu and softplus. The move is possible only at some θ, which is found
        out when it is applied: see `EvenLinearFlip` for who can carry the linear remainder.

        Parameters
        ----------
        layer : int
            Hidden layer, counted from 1.
        neurons : sequence of int
            Neurons to flip.
        pairs : sequence of (int, int), optional
            Other neurons, two by two of the same activation and with opposite incoming weights, between which outgoing
            weight may move. Linear neurons and the next layer's bias carry what they can without being named.
        tolerance : float
            Largest part of the linear remainder that may be left over, relative to the size of its terms.

        Raises
        ------
        TypeError, ValueError
            If the layer or a neuron is out of range, a neuron is named twice, or its activation is not even-linear.

        Examples
        --------
        >>> import hessorbit as ho
        >>> flip = ho.symmetries(ho.MLP([1, 2, 1], "relu", bias=False)).even_linear_flip(layer=1, neurons=[0, 1])
        >>> flip([1.0, 2.0, 2.0, -1.0])
        array([-1., -2.,  2., -1.])
        """
        hidden = self._hidden(layer)
        flipped = _checks.indices(neurons, hidden.width, "neurons")
        mirrored = [tuple(_checks.indices(pair, hidden.width, f"pairs[{i}]")) for i, pair in enumerate(pairs)]
        if any(len(pair) != 2 for pair in mirrored):
            raise ValueError(f"pairs must hold two neurons each; got {mirrored}")
        named = [*flipped, *(neuron for pair in mirrored for neuron in pair)]
        _checks.distinct(named, "neurons and pairs", "a neuron")
        for neuron in named:
            if not hidden.rules[neuron].even_linear:
                raise no_such_move(hidden, neuron, "is not even-linear", "even-linear flip")
        for plus, minus in mirrored:
            if hidden.names[plus] != hidden.names[minus]:
                raise ValueError(
                    f"pairs must be of the same activation; neuron {plus} has {hidden.names[plus]}, neuron {minus} has "
                    f"{hidden.names[minus]}"
                )
        allowed = _checks.real(tolerance, "tolerance", minimum=0.0)
        return EvenLinearFlip(self.net, layer, tuple(flipped), tuple((p, m) for p, m in mirrored), allowed)

    def random(self, rng: np.random.Generator, *, scale: float = 0.5) -> GroupElement:
        """Returns a random element: uniform in the finite factors, of moderate size in the continuous ones.

        Parameters
        ----------
        rng : numpy.random.Generator
        scale : float
            Standard deviation of the logarithms of factors and of the shifts. Matrices are U diag(factors) V with
            uniform orthogonal U and V.

        Raises
        ------
        TypeError, ValueError
            If rng is not a Generator or scale is negative.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 3, 1], "relu")
        >>> g = ho.symmetries(net).random(np.random.default_rng(0))
        >>> theta = net.init(np.random.default_rng(1))
        >>> np.allclose(net(g(theta), [[1.0, 2.0]]), net(theta, [[1.0, 2.0]]), rtol=1e-12)
        True
        """
        rng = _checks.generator(rng)
        size = _checks.real(scale, "scale", minimum=0.0)
        return GroupElement(self.net, tuple(random_move(h, rng, size) for h in hidden_layers(self.net)))

    def tangents(self, theta: ArrayLike) -> Array:
        """Returns tangent vectors of the orbit at θ, one for each one-parameter subgroup.

        At a critical point of the loss they are null vectors of the Hessian.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)

        Returns
        -------
        ndarray, shape (P, dimension) or (B, P, dimension)
            Column i belongs to ``generators()[i]``. Columns may be zero or dependent: their rank is the dimension of
            the orbit, and `stabiliser_dimension` what is missing.

        Raises
        ------
        TypeError, ValueError
            If theta has the wrong type or shape or is not finite.

        Examples
        --------
        A rectifier's incoming weights grow as its outgoing weight shrinks:

        >>> import hessorbit as ho
        >>> ho.symmetries(ho.MLP([2, 1, 1], "relu")).tangents([1.0, 2.0, 3.0, 4.0, 5.0])
        array([[ 1.],
               [ 2.],
               [ 3.],
               [-4.],
               [ 0.]])
        """
        return tangents.tangents(self.net, self.factors, _checks.parameters(theta, self.net.num_parameters))

    def generators(self) -> tuple[Generator, ...]:
        """Returns the generators of the continuous symmetries, as sparse matrices.

        A generator (X, e) moves θ by ``X θ + e``; e is zero but for translations. For any loss that sees θ through the
        network's function alone, at any θ, with gradient g and Hessian H (Ward identity):
        ``gᵀ(Xθ + e) = 0`` and ``H (Xθ + e) = −Xᵀ g``.

        Returns
        -------
        tuple of Generator
            In the order of the columns of `tangents`.

        Examples
        --------
        >>> import hessorbit as ho
        >>> (generator,) = ho.symmetries(ho.MLP([1, 1, 1], "relu", bias=False)).generators()
        >>> generator.matrix.toarray()
        array([[ 1.,  0.],
               [ 0., -1.]])
        """
        return tangents.generators(self.net, self.factors)

    def stabiliser_dimension(self, theta: ArrayLike) -> int:
        """Returns the dimension of the continuous symmetries that leave θ where it is; 0 at a generic θ.

        Parameters
        ----------
        theta : array_like, shape (P,)

        Notes
        -----
        The dimension of the group less the numerical rank of the `tangents`, each scaled to norm one, at a point of
        the orbit where the neurons are of unit size.

        Examples
        --------
        >>> import hessorbit as ho
        >>> group = ho.symmetries(ho.MLP([1, 1, 1], "relu", bias=False))
        >>> group.stabiliser_dimension([1.0, 2.0]), group.stabiliser_dimension([0.0, 0.0])
        (0, 1)
        """
        at = _checks.parameter_vector(theta, self.net.num_parameters)
        if not self.dimension:
            return 0
        from .unit_point import unit_point

        return self.dimension - tangents.rank(self.tangents(unit_point(self.net, at)[1]))

    def conserved(self, theta: ArrayLike) -> dict[str, Array]:
        """Returns what gradient flow on any loss of the network's function conserves.

        By Noether's theorem, every generator with a symmetric matrix X gives ½ θᵀXθ + eᵀθ: per rescaled neuron
        ‖incoming‖² − k ‖outgoing‖², biases included in incoming; for linear neurons all entries of
        W_l W_lᵀ + b_l b_lᵀ − W_{l+1}ᵀ W_{l+1}; per exponential neuron 2b − ‖outgoing‖². Shifts of linear neurons, whose
        X is not symmetric, conserve nothing. The multipliers of the parametrization do not enter, as they commute with
        the moves. Weight decay (l2) breaks conservation.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)

        Returns
        -------
        dict of str to ndarray
            Keys as "layer 1 rescaling (relu)"; values of shape (m,), or (m, m) for linear neurons, for the m neurons of
            the factor, with a leading B for a batch.

        References
        ----------
        .. [1] Du, Hu and Lee, "Algorithmic regularization in learning deep homogeneous models: layers are automatically
           balanced", NeurIPS 2018.
        .. [2] Kunin, Sagastuy-Brena, Ganguli, Yamins and Tanaka, "Neural mechanics: symmetry and broken conservation
           laws in deep learning dynamics", ICLR 2021.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.symmetries(ho.MLP([2, 1, 1], "relu")).conserved([1.0, 2.0, 3.0, 4.0, 5.0])
        {'layer 1 rescaling (relu)': array([-2.])}
        """
        return conserved.conserved(self.net, self.factors, _checks.parameters(theta, self.net.num_parameters))

    def _hidden(self, layer: int) -> HiddenLayer:
        layers = hidden_layers(self.net)
        number = _checks.integer(layer, "layer", minimum=1)
        if number > len(layers):
            expected = f"from 1 to {len(layers)}" if layers else "but there is none"
            raise ValueError(f"layer must be a hidden layer of {self.net!r}, {expected}; got {number}")
        return layers[number - 1]

    def _per_neuron(
        self, layer: int, values: ArrayLike, name: str, neurons: Sequence[int] | None
    ) -> tuple[HiddenLayer, list[int], Array]:
        """Returns a layer, the neurons chosen in it, and a number for each of them."""
        hidden = self._hidden(layer)
        chosen = _checks.neurons(neurons, hidden.width)
        numbers = _checks.as_floats(values, name)
        if numbers.shape != (len(chosen),):
            raise _checks.shape_error(name, f"({len(chosen)},), a number for each neuron", numbers.shape)
        return hidden, chosen, numbers

    def _element(self, move: LayerMove) -> GroupElement:
        """Returns the element that moves one layer alone."""
        moves = [move if h == move.hidden else identity_move(h) for h in hidden_layers(self.net)]
        return GroupElement(self.net, tuple(moves))


def symmetries(net: MLP) -> SymmetryGroup:
    """Returns the weight-space symmetries that an architecture has.

    Parameters
    ----------
    net : MLP

    Returns
    -------
    SymmetryGroup
        Prints as a table by layer: activation, kind, order or dimension.

    Raises
    ------
    TypeError
        If net is not an MLP.

    Examples
    --------
    >>> import hessorbit as ho
    >>> group = ho.symmetries(ho.MLP([5, 16, 1]))
    >>> group
    Symmetries of MLP([5, 16, 1], 'tanh'): order 1371195958099968000, dimension 0
      layer  activation  neurons  kind                  order  dimension  action
          1  tanh             16  permutation  20922789888000             neurons change places
          1  tanh             16  sign flip             65536             incoming × −1, outgoing × −1
    """
    _checks.instance(net, MLP, "net")
    return SymmetryGroup(net)


def placed(values: Array | float, neurons: list[int], hidden: HiddenLayer, rest: float) -> Array:
    """Returns a longdouble for each neuron of a layer: `values` at `neurons`, `rest` elsewhere."""
    every = np.full(hidden.width, rest, LONGDOUBLE)
    every[neurons] = values
    return every


def check_size(value: Any, name: str, *sizes: Any) -> None:
    """Refuses a number that multiplies or divides weights by `sizes` which float64 cannot express."""
    limit = np.finfo(np.float64).max
    if not all(1 / limit < abs(size) < limit for size in map(np.longdouble, sizes)):
        raise ValueError(f"{name} must not multiply or divide weights beyond the range of float64; got {value}")


def no_such_move(hidden: HiddenLayer, neuron: int, lacks: str, move: str, hint: str = "") -> ValueError:
    return ValueError(
        f"neuron {neuron} of layer {hidden.layer} has activation {hidden.names[neuron]}, which {lacks}: "
        f"it has no {move}{hint}"
    )


def aligned(text: str, width: int, side: str) -> str:
    return text.ljust(width) if side == "<" else text.rjust(width)
