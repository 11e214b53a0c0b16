"""One representative of each orbit of a network's weight space.

From the first hidden layer to the last, with w̃ = (W_l b_l)[i] for neuron i:

    linear neurons       W = M W' is brought to reduced echelon form, b = 0 where the layer above has biases
    exponential ones     b = 0
    homogeneous ones     ‖w̃‖ = 1
    even and odd ones    the first entry of w̃ that is not 0 is positive
    neurons of one activation are sorted by w̃, entry by entry

The rest of the orbit's freedom is in the outgoing weights, which are the next layer's incoming ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html
from .._checks import LONGDOUBLE, Array
from .._norms import norm
from ..network import MLP
from ..symmetry.element import GroupElement
from ..symmetry.moves import LayerMove, identity_move, mixing_of, with_mixing
from ..symmetry.related_neurons import LayerParameters, layer_parameters
from ..symmetry.rules import hidden_layers
from .matching import element_of, is_last
from .reduction import reduced

BLOCK = 64  # columns that are looked at together


@dataclass(frozen=True, eq=False, repr=False)
class CanonicalForm:
    """A `CanonicalForm` holds the result of `canonical`. It unpacks: ``net, theta = canonical(net, theta)``.

    Attributes
    ----------
    net : MLP
    theta : ndarray, shape (P,)
    element : GroupElement or None
        The element that took θ there; None if the network was reduced.
    bound : float
        Removing and merging neurons changed every output by at most this for ‖x‖ ≤ `radius`, beside rounding; 0 if the
        network was not reduced.
    radius : float
        Of the ball of inputs that `bound` and `scale` hold on.
    scale : float
        The largest magnitude of any output on a sample of that ball.

    Examples
    --------
    >>> import hessorbit as ho
    >>> net = ho.MLP([1, 2, 1], bias=False)
    >>> form = ho.canonical(net, [2.0, -1.0, 4.0, -3.0])
    >>> form.theta
    array([1., 2., 3., 4.])
    >>> form.element([2.0, -1.0, 4.0, -3.0])
    array([1., 2., 3., 4.])
    """

    net: MLP
    theta: Array
    element: GroupElement | None
    bound: float = 0.0
    radius: float = float("inf")
    scale: float = float("nan")

    def __iter__(self) -> Iterator[MLP | Array]:
        return iter((self.net, self.theta))

    def __repr__(self) -> str:
        return f"CanonicalForm({self.net!r}, theta={np.array2string(self.theta, precision=4, threshold=8)})"

    def _repr_html_(self) -> str:
        rows = {
            "network": repr(self.net),
            "theta": np.array2string(self.theta, precision=4, threshold=8),
            "element": None if self.element is None else repr(self.element),
            "outputs change by": f"at most {self.bound:.2g} for ‖x‖ ≤ {self.radius:.3g}" if self.bound else None,
        }
        return _html.facts("Canonical form", rows)


def canonical(net: MLP, theta: ArrayLike, *, reduce: bool = False, tolerance: float = 1e-10) -> CanonicalForm:
    """Returns the representative of θ's orbit, the same for every θ of it, with the same function.

    Neurons of homogeneous activations get incoming weights, bias included, of norm 1; of even and odd ones, those whose
    first entry is positive; biases of exponential neurons become 0; linear neurons get incoming weights in reduced
    echelon form, and zero biases if the layer above has biases; neurons of the same activation are sorted by incoming
    weights and bias.

    Parameters
    ----------
    net : MLP
    theta : array_like, shape (P,)
    reduce : bool
        Whether to remove dead and constant neurons, merge those that are the same up to a move of their activation, and
        keep as few linear ones as the rank of what they do together allows.
        Hidden layers keep one neuron at least, without weights where the layer has no effect.
    tolerance : float
        Relative difference up to which incoming weights count as equal, and weights as zero, for the representative.
        With ``reduce=True``, the part of the largest ``|f|`` by which outputs may change on a ball of inputs
        (`CanonicalForm.radius`): neurons go as long as bounds on what that does add up to less.

    Returns
    -------
    CanonicalForm
        With attributes net, theta and element.

    Raises
    ------
    TypeError, ValueError
        If net is not an MLP, theta is not one finite parameter vector, tolerance is not in [0, 1), or the
        representative is beyond the range of float64.

    Notes
    -----
    The same for every point of an orbit up to rounding, except where neurons of a layer are related, a neuron without
    incoming weights may be flipped, or linear neurons have dependent incoming weights: such a layer has no
    representative that its incoming weights fix. The first two go away with ``reduce=True``. Where an entry's
    size is at the tolerance, rounding decides.

    Moves that hold at some θ only, as the flips of rectifiers, are not used: see `equivalent`. Takes O(P) operations
    for each layer, and sorting; reducing compares neurons with one another.

    Examples
    --------
    >>> import hessorbit as ho
    >>> net = ho.MLP([1, 2, 1], "relu", bias=False)
    >>> ho.canonical(net, [2.0, -3.0, 1.0, 1.0])
    CanonicalForm(MLP([1, 2, 1], 'relu', bias=False), theta=[-1.  1.  3.  2.])
    >>> ho.canonical(net, [2.0, 3.0, 1.0, 1.0], reduce=True)
    CanonicalForm(MLP([1, 1, 1], 'relu', bias=False), theta=[1. 5.])
    """
    _checks.instance(net, MLP, "net")
    at = _checks.parameter_vector(theta, net.num_parameters)
    allowed = _checks.fraction(tolerance, "tolerance")
    element = normalising_element(net, at, allowed)
    result = element(at)
    if not reduce:
        return CanonicalForm(net, result, element)
    small = reduced(net, result, allowed)
    moved = normalising_element(small.net, small.theta, allowed)(small.theta)
    return CanonicalForm(small.net, moved, None, small.bound, small.radius, small.scale)


def normalising_element(net: MLP, theta: Array, tolerance: float) -> GroupElement:
    """The element that takes θ to the representative of its orbit."""
    element, moved = GroupElement(net, tuple(map(identity_move, hidden_layers(net)))), theta
    for index, hidden in enumerate(hidden_layers(net)):
        for move_of in (scaling, sorting):
            move = move_of(layer_parameters(net, moved)[index], tolerance)
            if is_identity(move):
                continue
            try:
                element = element_of(net, move) @ element
                moved = element(theta)
            except ValueError as error:  # its factors are beyond float64
                raise out_of_range(hidden.layer, "factors of") from error
            if not np.isfinite(moved).all():
                raise out_of_range(hidden.layer, "weights above")
    return element


def is_identity(move: LayerMove) -> bool:
    same = (move.sources == np.arange(len(move.sources))).all() and (move.factors == 1).all()
    return bool(same and not move.shifts.any() and move.mixing is None)


def out_of_range(layer: int, what: str) -> ValueError:
    return ValueError(
        f"theta must have a representative in the range of float64; the {what} layer {layer} leave it: "
        f"rescale the network"
    )


def scaling(parameters: LayerParameters, tolerance: float) -> LayerMove:
    """Norms, signs and shifts, and the matrix on linear neurons."""
    hidden = parameters.layer
    move = identity_move(hidden)
    factors, shifts = move.factors.copy(), move.shifts.copy()
    lengths, signs = norm(parameters.incoming, 1), first_signs(parameters.incoming, tolerance)
    for members in hidden.classes.values():
        neurons, rule = np.array(members), hidden.rules[members[0]]
        if rule.linear:
            continue
        if hidden.can_shift(members[0]):
            shifts[neurons] = -parameters.incoming[neurons, -1].astype(LONGDOUBLE)
        if rule.degree:
            scaled = neurons[lengths[neurons] > 0]
            factors[scaled] = 1 / lengths[scaled].astype(LONGDOUBLE)
        if hidden.can_flip(members[0]):
            factors[neurons[signs[neurons] < 0]] *= -1
    return echelon(replace(move, factors=factors, shifts=shifts), parameters, tolerance)


def first_signs(vectors: Array, tolerance: float) -> Array:
    """The sign of each row's first entry that is not zero beside the row's norm; 0 if there is none."""
    large = np.abs(vectors) > tolerance * norm(vectors, 1)[:, None]
    first = np.take_along_axis(vectors, large.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(large.any(axis=1), np.sign(first), 0.0)


def echelon(move: LayerMove, parameters: LayerParameters, tolerance: float) -> LayerMove:
    """`move` with the matrix on the linear neurons that makes their pivot columns the unit matrix.

    Pivots are the columns that a Gauss–Jordan elimination takes: each the first that is independent of those before.
    """
    hidden, linear = parameters.layer, parameters.layer.linear
    if not len(linear):
        return move
    shifted = hidden.has_bias and hidden.bias_above
    rows = (parameters.weights if shifted else parameters.incoming)[linear]
    pivots = pivot_columns(rows, tolerance)
    if len(pivots) == len(linear):
        with suppress(ValueError):  # of a matrix that is almost singular
            move = with_mixing(move, mixing_of(rows[:, pivots]).swapped())
    if not shifted:
        return move
    moved = move.linear_part(parameters.incoming[:, -1].astype(LONGDOUBLE))
    shifts = move.shifts.copy()
    shifts[linear] = -moved[linear]
    return replace(move, shifts=shifts)


def pivot_columns(rows: Array, tolerance: float) -> list[int]:
    """The columns that are independent of those before, by Gram–Schmidt on an orthonormal basis of the rows' span.

    The basis makes the answer depend on the span alone, and columns of it have norms up to 1.
    """
    _, sizes, span = np.linalg.svd(rows, full_matrices=False)
    columns = span[sizes > tolerance * sizes[0]]
    pivots: list[int] = []
    basis = np.zeros((len(columns), len(columns)))
    for start in range(0, columns.shape[1], BLOCK):
        before = len(pivots)
        known = basis[:, :before]
        block = columns[:, start : start + BLOCK]
        for index, column in enumerate((block - known @ (known.T @ block)).T, start):
            own = basis[:, before : len(pivots)]
            rest = column - own @ (own.T @ column)
            size = np.linalg.norm(rest)
            if len(pivots) < len(columns) and size > max(tolerance, 1e-12) ** 0.5:
                basis[:, len(pivots)] = rest / size
                pivots.append(index)
    return pivots


def sorting(parameters: LayerParameters, tolerance: float) -> LayerMove:
    """Neurons of one activation sorted; linear ones are in the order of their pivots already."""
    hidden = parameters.layer
    sources = np.arange(hidden.width)
    keys = np.hstack([parameters.incoming, parameters.outgoing.T]) if is_last(hidden) else parameters.incoming
    for members in hidden.classes.values():
        neurons = np.array(members)
        if not hidden.rules[neurons[0]].linear:
            sources[neurons] = neurons[lexicographic(keys[neurons], tolerance)]
    return replace(identity_move(hidden), sources=sources)


def lexicographic(keys: Array, tolerance: float) -> Array:
    """The order of rows by their first entries, then second and so on, entries that nearly agree counting as equal.

    Sorted entries are of one group as long as no gap is larger than the tolerance allows: so rounding cannot turn
    the order around, as it would by making one of two equal entries the smaller. A column looks only at groups of
    several rows.
    """
    order = np.arange(len(keys))
    group = np.zeros(len(keys), int)  # the first place of each place's group
    scale = np.abs(keys).max(axis=0, initial=0)
    for column, size in zip(keys.T, scale, strict=True):
        same = group[1:] == group[:-1]
        at = np.flatnonzero(np.append(same, False) | np.append(False, same))
        if not len(at):
            break
        values = column[order[at]]
        sort = np.lexsort((values, group[at]))
        order[at] = order[at[sort]]
        apart = (np.diff(group[at]) > 0) | (np.diff(values[sort]) > tolerance * size)
        group[at] = np.maximum.accumulate(np.where(np.append(True, apart), at, 0))
    return order
