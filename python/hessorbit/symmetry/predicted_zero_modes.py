"""Zero modes of the Hessian that symmetry predicts at θ.

*Flat* directions are tangent to curves along which the function stays the same: tangents of the orbit; outgoing weight
moved between related neurons; incoming parameters of dead neurons, and of zero groups moved together; constant neurons,
whose output the next bias can carry. At every critical point zᵀHz = 0, so H annihilates them where it has no negative
eigenvalue. It annihilates tangents of the orbit at saddles too, as groups map critical points to critical points; along
the other curves the gradient may change, as that in the outgoing weights of a dead neuron does.

*First-order* directions leave the outputs the same to first order only: related neurons moved apart so that
Σ_k v_k N(c_k)/c_k δ_k = 0 for their outgoing weights v_k. J annihilates them, so H does at zero residual.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core, activations
from .._checks import FLOAT64, Array
from ..network import MLP
from .group import symmetries
from .related_neurons import (
    LayerParameters,
    RelatedNeurons,
    constant_neurons,
    dead_neurons,
    layer_parameters,
    related_neurons,
)
from .span import Directions, orthonormal_basis

FLAT, FIRST_ORDER = "flat", "first-order"


@dataclass(frozen=True, eq=False, repr=False)
class ZeroModes:
    """Predicted zero modes; made by `zero_modes`.

    Attributes
    ----------
    basis : ndarray, shape (P, k)
        Orthonormal columns. The flat ones come first, and columns of one cause stand together.
    labels : tuple of str
        Cause of each column. A direction with several causes is counted once, for the first.
    kinds : tuple of str
        ``"flat"`` or ``"first-order"``, for each column.

    Examples
    --------
    Two neurons with the same incoming weights:

    >>> import hessorbit as ho
    >>> modes = ho.zero_modes(ho.MLP([1, 2, 1], bias=False), [1.0, 1.0, 2.0, 3.0])
    >>> modes
    2 zero modes
       1  flat         layer 1, neurons 0, 1: related, outgoing weights moved between them
       1  first-order  layer 1, neurons 0, 1: related, moved apart
    >>> modes.of_kind("flat").basis.ravel().round(3)
    array([ 0.   ,  0.   , -0.707,  0.707])
    """

    basis: Array
    labels: tuple[str, ...]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.basis.shape[1])

    def of_kind(self, kind: str) -> ZeroModes:
        """The modes of one kind."""
        wanted = _checks.one_of(kind, (FLAT, FIRST_ORDER), "kind")
        chosen = [index for index, k in enumerate(self.kinds) if k == wanted]
        return ZeroModes(
            self.basis[:, chosen], tuple(self.labels[i] for i in chosen), tuple(self.kinds[i] for i in chosen)
        )

    def __repr__(self) -> str:
        lines = [f"{len(self)} zero modes"]
        counts = Counter(zip(self.kinds, self.labels, strict=True))
        lines += [f"  {count:4d}  {kind:11}  {label}" for (kind, label), count in counts.items()]
        return "\n".join(lines)


def zero_modes(net: MLP, theta: ArrayLike, *, tolerance: float = 1e-10) -> ZeroModes:
    """Zero modes of the Hessian at θ that symmetry predicts, each with its cause and kind.

    Parameters
    ----------
    net : MLP
    theta : array_like, shape (P,)
    tolerance : float
        Relative difference up to which incoming parameters count as equal, and weights as zero.

    Returns
    -------
    ZeroModes

    Raises
    ------
    TypeError, ValueError
        If net is not an MLP, theta not one finite parameter vector of it, or tolerance not positive.

    Notes
    -----
    Flat modes are null vectors of the Hessian at every minimum (with l2 = 0), and those of the orbit at every critical
    point; at a saddle, zᵀHz = 0 is all that holds for the others. First-order modes are null vectors where the residual
    is zero; both are null vectors of the Gauss–Newton matrix everywhere. At a widened minimum of zero residual the two
    kinds together span the null space of the widening's T, P_wide − P dimensions, and the orbit's tangents. Takes at
    most O(P k²) operations, and far fewer where the directions fall into groups without common parameters.

    Zero modes of another origin are not predicted: such as those of mirrored pairs of gelu, silu or softplus, with
    σ(z) − σ(−z) = z, or of linear layers wider than the output.

    Examples
    --------
    Splitting a neuron adds as many zero modes as it adds parameters:

    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([2, 2, 1])
    >>> wide = ho.Widening(net, copies=[[2, 1]])
    >>> theta = wide(net.init(np.random.default_rng(0), scheme="torch"))
    >>> ho.zero_modes(wide.net, theta)
    4 zero modes
         1  flat         layer 1, neurons 0, 1: related, outgoing weights moved between them
         3  first-order  layer 1, neurons 0, 1: related, moved apart
    """
    _checks.instance(net, MLP, "net")
    at = _checks.parameter_vector(theta, net.num_parameters).astype(FLOAT64)
    found = list(directions(net, at, _checks.positive(tolerance, "tolerance")))
    parts = sorted(found, key=lambda part: part.kind != FLAT)
    basis, origins = orthonormal_basis(net.num_parameters, parts)
    return ZeroModes(basis, tuple(parts[i].cause for i in origins), tuple(parts[i].kind for i in origins))


def directions(net: MLP, theta: Array, tolerance: float) -> Iterator[Directions]:
    everywhere = np.arange(len(theta))[None]
    cause = "orbit of the architecture's continuous symmetries"
    yield Directions(cause, FLAT, everywhere, symmetries(net).tangents(theta))
    for parameters in layer_parameters(net, theta):
        yield from dead(parameters, tolerance)
        yield from constant(parameters, tolerance)
        for related in related_neurons(parameters, tolerance):
            if len(related.neurons) > 1:
                yield moved_outgoing(parameters, related)
                yield from moved_incoming(parameters, related, tolerance)


def where(parameters: LayerParameters, neurons: Array) -> str:
    plural = "s" if len(neurons) > 1 else ""
    return f"layer {parameters.layer.layer}, neuron{plural} {', '.join(map(str, neurons))}"


def dead(parameters: LayerParameters, tolerance: float) -> Iterator[Directions]:
    for neuron in dead_neurons(parameters, tolerance):
        cause = f"{where(parameters, np.array([neuron]))}: dead, incoming parameters"
        yield Directions(cause, FLAT, parameters.incoming_positions[neuron][:, None], np.ones((1, 1)))


def constant(parameters: LayerParameters, tolerance: float) -> Iterator[Directions]:
    """The output of a constant neuron is made up for by the biases above, where there are any."""
    layer, above, s = parameters.layer, parameters.above_positions, parameters.multiplier_above
    for neuron in constant_neurons(parameters, tolerance):
        cause = f"{where(parameters, np.array([neuron]))}: constant"
        bias = parameters.incoming[neuron, -1] if layer.has_bias else 0.0
        kind, parameter = activations.split(layer.names[neuron])
        value, slope, _ = (float(a[0]) for a in _core.activation_derivatives(kind, parameter, np.array([bias])))
        outgoing = parameters.outgoing_positions[:, neuron]
        if above is not None:
            yield Directions(cause, FLAT, np.column_stack([outgoing, above]), np.array([[1.0], [-s * value]]))
            if layer.has_bias:
                places = np.append(parameters.incoming_positions[neuron, -1], above)
                moved = np.append(1.0, -s * slope * parameters.outgoing[:, neuron])
                yield Directions(cause, FLAT, places[None], moved[:, None])
        elif value == 0:
            yield Directions(cause, FLAT, outgoing[:, None], np.ones((1, 1)))


def moved_outgoing(parameters: LayerParameters, related: RelatedNeurons) -> Directions:
    """Each neuron takes over outgoing weight from the reference: σ(z_k) = N_k σ(z) + o_k."""
    cause = f"{where(parameters, related.neurons)}: related, outgoing weights moved between them"
    places = parameters.outgoing_positions[:, related.neurons]
    combinations = np.vstack([-related.gains[1:], np.eye(len(related.neurons) - 1)])
    if parameters.above_positions is not None:
        places = np.column_stack([places, parameters.above_positions])
        combinations = np.vstack([combinations, -parameters.multiplier_above * related.offsets[1:]])
    return Directions(cause, FLAT, places, combinations)


def moved_incoming(parameters: LayerParameters, related: RelatedNeurons, tolerance: float) -> Iterator[Directions]:
    """Incoming parameters moved by factors n_k with Σ_k v_k (N_k/c_k) n_k = 0; all together in a zero group."""
    neurons, outgoing = related.neurons, parameters.outgoing[:, related.neurons]
    places = parameters.incoming_positions[neurons].T
    largest = np.abs(outgoing).max(initial=0)
    if np.abs(outgoing @ related.gains).max() <= tolerance * largest:
        cause = f"{where(parameters, neurons)}: outgoing weights cancel, moved together"
        yield Directions(cause, FLAT, places, related.factors[:, None])
    effect = outgoing * (related.gains / related.factors)
    _, sizes, right = np.linalg.svd(effect)
    rank = int((sizes > tolerance * sizes.max(initial=0)).sum())
    if rank < len(neurons):
        yield Directions(f"{where(parameters, neurons)}: related, moved apart", FIRST_ORDER, places, right[rank:].T)
