"""Zero modes of the Hessian that symmetry predicts at θ.

*Flat* directions are tangent to curves along which the function stays the same, so H annihilates them at every critical
point: tangents of the orbit; outgoing weight moved between related neurons; incoming parameters of dead neurons, and of
zero groups moved together; constant neurons, whose output the next bias can carry.

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
from .duplicates import (
    LayerParameters,
    RelatedNeurons,
    constant_neurons,
    dead_neurons,
    layer_parameters,
    related_neurons,
)
from .groups import symmetries

FLAT, FIRST_ORDER = "flat", "first-order"
INDEPENDENCE = 1e-8  # a direction counts if this part of it lies outside the span of those before


@dataclass(frozen=True)
class Directions:
    """Directions of one cause, (P, n), not yet orthonormal."""

    cause: str
    kind: str
    vectors: Array


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
    """

    basis: Array
    labels: tuple[str, ...]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.basis.shape[1])

    def of_kind(self, kind: str) -> ZeroModes:
        """The modes of one kind."""
        chosen = [index for index, k in enumerate(self.kinds) if k == _checks.one_of(kind, (FLAT, FIRST_ORDER), "kind")]
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
        If theta is not one finite parameter vector of the network.

    Notes
    -----
    Flat modes are null vectors of the Hessian wherever the gradient is zero (with l2 = 0), first-order modes where in
    addition the residual is zero. At a widened minimum of zero residual the two kinds together span the null space of
    the widening's T, P_wide − P dimensions, and whatever zero modes the narrow network has. Takes O(P k²) operations.

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
    at = _checks.parameters(theta, net.num_parameters)
    if at.ndim != 1:
        raise _checks.shape_error("theta", f"({net.num_parameters},)", at.shape)
    at = at.astype(FLOAT64)
    basis = np.zeros((len(at), 0))
    labels: list[str] = []
    kinds: list[str] = []
    found = list(directions(net, at, _checks.positive(tolerance, "tolerance")))
    for part in sorted(found, key=lambda part: part.kind != FLAT):
        fresh = independent(part.vectors, basis)
        basis = np.hstack([basis, fresh])
        labels += [part.cause] * fresh.shape[1]
        kinds += [part.kind] * fresh.shape[1]
    return ZeroModes(basis, tuple(labels), tuple(kinds))


def directions(net: MLP, theta: Array, tolerance: float) -> Iterator[Directions]:
    yield Directions("orbit of the architecture's continuous symmetries", FLAT, symmetries(net).tangents(theta))
    for parameters in layer_parameters(net, theta):
        yield from dead(parameters, tolerance)
        yield from constant(parameters, tolerance)
        for related in related_neurons(parameters, tolerance):
            if len(related.neurons) > 1:
                yield from moved_outgoing(parameters, related)
                yield from moved_incoming(parameters, related, tolerance)


def independent(vectors: Array, basis: Array) -> Array:
    """Orthonormal columns for what the vectors add to the span of the orthonormal basis."""
    norms = np.linalg.norm(vectors, axis=0)
    vectors = vectors[:, norms > 0] / norms[norms > 0]
    for _ in range(2):  # once more against rounding
        vectors = vectors - basis @ (basis.T @ vectors)
    if not vectors.size:
        return np.zeros((len(basis), 0))
    left, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    return left[:, sizes > INDEPENDENCE]


def where(parameters: LayerParameters, neurons: Array) -> str:
    plural = "s" if len(neurons) > 1 else ""
    return f"layer {parameters.layer.layer}, neuron{plural} {', '.join(map(str, neurons))}"


def unit_vectors(size: int, positions: Array) -> Array:
    vectors = np.zeros((size, len(positions)))
    vectors[positions, np.arange(len(positions))] = 1
    return vectors


def dead(parameters: LayerParameters, tolerance: float) -> Iterator[Directions]:
    size = parameters.layer.net.num_parameters
    for neuron in dead_neurons(parameters, tolerance):
        vectors = unit_vectors(size, parameters.incoming_positions[neuron])
        yield Directions(f"{where(parameters, np.array([neuron]))}: dead, incoming parameters", FLAT, vectors)


def constant(parameters: LayerParameters, tolerance: float) -> Iterator[Directions]:
    """The output of a constant neuron is made up for by the biases above, where there are any."""
    layer, above = parameters.layer, parameters.above_positions
    for neuron in constant_neurons(parameters, tolerance):
        bias = parameters.incoming[neuron, -1] if layer.has_bias else 0.0
        kind, parameter = activations.split(layer.names[neuron])
        value, slope, _ = (float(a[0]) for a in _core.activation_derivatives(kind, parameter, np.array([bias])))
        vectors = unit_vectors(layer.net.num_parameters, parameters.outgoing_positions[:, neuron])
        if above is not None:
            vectors[above, np.arange(len(above))] = -parameters.multiplier_above * value
            if layer.has_bias:
                moved = unit_vectors(len(vectors), parameters.incoming_positions[neuron, -1:])
                moved[above, 0] = -parameters.multiplier_above * slope * parameters.outgoing[:, neuron]
                vectors = np.hstack([vectors, moved])
        elif value != 0:
            continue
        yield Directions(f"{where(parameters, np.array([neuron]))}: constant", FLAT, vectors)


def moved_outgoing(parameters: LayerParameters, related: RelatedNeurons) -> Iterator[Directions]:
    """Neuron k takes over outgoing weight from the reference: σ(z_k) = N_k σ(z) + o_k."""
    reference = parameters.outgoing_positions[:, related.neurons[0]]
    columns = np.arange(len(reference))
    parts = []
    for k in range(1, len(related.neurons)):
        vectors = unit_vectors(
            parameters.layer.net.num_parameters, parameters.outgoing_positions[:, related.neurons[k]]
        )
        vectors[reference, columns] = -related.gains[k]
        if related.offsets[k] and parameters.above_positions is not None:
            vectors[parameters.above_positions, columns] = -parameters.multiplier_above * related.offsets[k]
        parts.append(vectors)
    cause = f"{where(parameters, related.neurons)}: related, outgoing weights moved between them"
    yield Directions(cause, FLAT, np.hstack(parts))


def moved_incoming(parameters: LayerParameters, related: RelatedNeurons, tolerance: float) -> Iterator[Directions]:
    """Incoming parameters moved by factors n_k with Σ_k v_k (N_k/c_k) n_k = 0; all together in a zero group."""
    neurons, outgoing = related.neurons, parameters.outgoing[:, related.neurons]
    positions = parameters.incoming_positions[neurons]
    size = parameters.layer.net.num_parameters

    def moved(factors: Array) -> Array:
        vectors = np.zeros((size, positions.shape[1]))
        vectors[positions, np.arange(positions.shape[1])] = factors[:, None]
        return vectors

    largest = np.abs(outgoing).max(initial=0)
    if np.abs(outgoing @ related.gains).max() <= tolerance * largest:
        cause = f"{where(parameters, neurons)}: outgoing weights cancel, moved together"
        yield Directions(cause, FLAT, moved(related.factors))
    effect = outgoing * (related.gains / related.factors)
    _, sizes, right = np.linalg.svd(effect)
    rank = int((sizes > tolerance * sizes.max(initial=0)).sum())
    if rank < len(neurons):
        vectors = np.hstack([moved(factors) for factors in right[rank:]])
        yield Directions(f"{where(parameters, neurons)}: related, moved apart", FIRST_ORDER, vectors)
