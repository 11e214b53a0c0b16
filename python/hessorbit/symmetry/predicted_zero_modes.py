"""Zero modes of the Hessian that symmetry, the loss and the data predict at θ.

*Flat* directions are tangent to curves along which the loss stays the same: tangents of the orbit; outgoing weight
moved between related neurons; incoming parameters of dead neurons, and of zero groups moved together; constant neurons,
whose output the next bias can carry. At every critical point zᵀHz = 0, so H annihilates them where it has no negative
eigenvalue. It annihilates tangents of the orbit at saddles too, as groups map critical points to critical points; along
the other curves the gradient may change, as that in the outgoing weights of a dead neuron does.

*First-order* directions leave the outputs the same to first order only: related neurons moved apart so that
Σ_k v_k N(c_k)/c_k δ_k = 0 for their outgoing weights v_k. J annihilates them, so H does at zero residual.

With the features and matrices of functions.py, and s the multiplier, for the neurons of a hidden layer:

    outgoing weights and bias above      n with n · (s C; e_constant) = 0                                 flat
    incoming parameters of neuron k      any, if column k of Q is 0                                       flat
    those of related ones                c_k t, if Σ_k Q_k N_k = 0                                        flat
                                         n_k t, if Σ_k B_k (N_k / c_k) n_k = 0                            first-order
    those of linear ones                 n_k t, if Σ_k Q_k n_k = 0                                        flat
    those of linear and constant ones    n_k t, if Σ_k B_k σ'_k n_k = 0                                   first-order
    bias of a constant one               1, with outgoing weights that make up for its constant           flat

for any t. All of these are the same for every point of an orbit, up to its tangent map.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html, activations
from .._bases import span
from .._blas import calm_blas
from .._checks import FLOAT64, Array
from .._norms import norm
from .._words import number_of, those
from ..any_objective import AnyObjective, overflow
from ..network import MLP
from ..objective import Objective
from ..restricted import RestrictedObjective, whole, within
from .data_modes import (
    FIRST_ORDER,
    FLAT,
    data_directions,
    jacobian_directions,
    linear_pieces,
    loss_directions,
    unseen_inputs,
)
from .functions import LayerFunctions, layer_functions, null_space
from .group import symmetries
from .related_neurons import LayerParameters, RelatedNeurons
from .span import Directions, orthonormal_basis
from .tangents import norm_preserving
from .unit_point import unit_point, units

# A worst-case bound on what rounding of θ makes of the unit point. Ranks, decided at 1e-8 there, have been seen to go
# wrong from a bound of 0.07 on.
RESOLVED = 1e-5
ORBIT = "orbit of the architecture's continuous symmetries"
ORBIT_WITH_PENALTY = f"{ORBIT} that leave the norm as it is"


@dataclass(frozen=True, eq=False, repr=False)
class ZeroModes:
    """A `ZeroModes` holds predicted zero modes; made by `zero_modes`.

    Attributes
    ----------
    basis : ndarray, shape (P, k)
        Orthonormal columns. The flat ones come first, and columns of one cause stand together.
    labels : tuple of str
        Cause of each column. A direction with several causes is counted once, for the first.
    kinds : tuple of str
        ``"flat"`` or ``"first-order"``, for each column.
    residuals : ndarray, shape (k,), or None
        ``‖H z‖ / ‖H‖`` of each column z for the Hessian H at θ; None if no objective was given.
    resolved : bool
        Whether θ has the digits to tell the number of modes and their directions. It lacks them where matrices of
        linear neurons are so ill-conditioned that rounding of θ hides which neurons are related, dead or constant, and
        where the scales of an orbit differ so much that modes are parallel up to rounding.

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
    residuals: Array | None = None
    resolved: bool = True

    def __len__(self) -> int:
        return int(self.basis.shape[1])

    def of_kind(self, kind: str) -> ZeroModes:
        """Returns the modes of one kind.

        Examples
        --------
        >>> import hessorbit as ho
        >>> modes = ho.zero_modes(ho.MLP([1, 2, 1], bias=False), [1.0, 1.0, 2.0, 3.0])
        >>> len(modes), len(modes.of_kind("flat")), len(modes.of_kind("first-order"))
        (2, 1, 1)
        """
        wanted = _checks.one_of(kind, (FLAT, FIRST_ORDER), "kind")
        chosen = [index for index, k in enumerate(self.kinds) if k == wanted]
        return ZeroModes(
            self.basis[:, chosen],
            tuple(self.labels[i] for i in chosen),
            tuple(self.kinds[i] for i in chosen),
            None if self.residuals is None else self.residuals[chosen],
            self.resolved,
        )

    def __repr__(self) -> str:
        lines = [number_of(len(self), "zero mode")]
        keys = list(zip(self.kinds, self.labels, strict=True))
        for key, count in Counter(keys).items():
            kind, label = key
            line = f"  {count:4d}  {kind:11}  {label}"
            if self.residuals is not None:
                mine = [residual for residual, own in zip(self.residuals, keys, strict=True) if own == key]
                line += f"; ‖H z‖ ≤ {max(mine):.1e} ‖H‖"
            lines.append(line)
        if not self.resolved:
            lines.append("  not resolved: rounding of theta hides how many there are, or their directions")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        keys = list(zip(self.kinds, self.labels, strict=True))
        residuals = [] if self.residuals is None else list(zip(keys, self.residuals, strict=True))
        rows = [
            (count, *key, *([f"{max(r for own, r in residuals if own == key):.1e}"] if residuals else []))
            for key, count in Counter(keys).items()
        ]
        headings = ["number", "kind", "cause", *(["‖H z‖ / ‖H‖ at most"] if residuals else [])]
        return _html.table(number_of(len(self), "zero mode"), headings, rows)


def zero_modes(net: MLP | AnyObjective, theta: ArrayLike, *, tolerance: float = 1e-10) -> ZeroModes:
    """Returns the zero modes of the Hessian at θ that symmetry predicts, each with its cause and kind.

    With an objective, also those that the loss and the data give, and how well the Hessian annihilates each.

    Parameters
    ----------
    net : MLP or objective
        Of an objective without samples, such as one of infinite data, the network alone counts.
    theta : array_like, shape (P,)
    tolerance : float
        Relative difference up to which incoming parameters count as equal, and weights as zero.

    Returns
    -------
    ZeroModes

    Raises
    ------
    TypeError, ValueError
        If net is neither an MLP nor an objective, theta not one finite parameter vector of it, or tolerance not
        positive.

    Notes
    -----
    Flat modes are null vectors of the Hessian at every minimum (with l2 = 0), and those of the orbit at every critical
    point; at a saddle, zᵀHz = 0 is all that holds for the others. First-order modes are null vectors where the residual
    is zero; both are null vectors of the Gauss–Newton matrix everywhere. At a widened minimum of zero residual the two
    kinds together span the null space of the widening's T, P_wide − P dimensions, and the orbit's tangents. Takes at
    most O(P k²) operations, and far fewer where the directions fall into groups without common parameters.

    The prediction is the same at every point of an orbit: neurons of upper layers are related if they compute related
    functions, whatever weights they use for that.

    With l2 > 0, the penalty sees all of these directions but rotations of linear neurons among each other: of an
    objective with l2 > 0 only those are predicted. Pass the network for the zero modes of the loss without the penalty.

    Of the loss are a vector added to every row of the last weights, and a number to all of the last biases, of which
    the cross-entropy sees nothing. Of the data, over samples whose weight is not zero: incoming directions that no
    activation below has (inputs of low rank among them); rectifiers that are linear or off on all samples; and, if
    N·K < P for N different inputs, the null space of the Jacobian. These are null vectors to rounding, whatever the
    tolerance.

    Of a restricted objective they are those of the whole that leave the held parameters alone; at its critical points,
    where the held parameters may have a gradient, flat ones are null vectors if their curves leave these alone too.

    Zero modes of another origin are not predicted: such as those of mirrored pairs of gelu, silu or softplus, with
    σ(z) − σ(−z) = z.

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

    The cross-entropy has its own:

    >>> net = ho.MLP([2, 3])
    >>> obj = ho.Objective(net, [[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 2], loss="cross_entropy")
    >>> ho.zero_modes(obj, net.init(np.random.default_rng(0))).labels
    ('cross-entropy: the same added to all outputs', 'cross-entropy: the same added to all outputs', \
'cross-entropy: the same added to all outputs')
    """
    modes = predicted(net, theta, tolerance)
    return replace(modes, residuals=residuals(net, theta, modes.basis)) if isinstance(net, AnyObjective) else modes


def predicted(
    net: MLP | AnyObjective, theta: ArrayLike, tolerance: float = 1e-10, *, flat_only: bool = False
) -> ZeroModes:
    """The zero modes, or those of the kind "flat" alone, without how well the Hessian annihilates them."""
    network = net if isinstance(net, MLP) else getattr(net, "net", None)
    if not isinstance(network, MLP):
        raise TypeError(f"net must be an MLP or an Objective; got {_checks.with_article(type(net))}")
    size = (net if isinstance(net, RestrictedObjective) else network).num_parameters
    at = _checks.parameter_vector(theta, size)
    allowed = _checks.positive(tolerance, "tolerance")
    data, everywhere = (net, at) if isinstance(net, MLP) else whole(net, at)
    objective = data if isinstance(data, Objective) else None
    with calm_blas(size), np.errstate(over="ignore", invalid="ignore"):  # far out activations overflow
        scales, back, error = None, None, 0.0
        if getattr(net, "l2", 0.0):
            found = list(directions_with_penalty(network, everywhere))
        elif symmetries(network).dimension and not isinstance(net, RestrictedObjective):
            element, point, error = unit_point(network, at)
            found = all_directions(network, point.astype(at.dtype), allowed, objective, flat_only)
            scales, back = units(network, point), element.inverse().matrix()
        else:
            found = all_directions(network, everywhere, allowed, objective, flat_only)
        if isinstance(net, RestrictedObjective):
            found = list(restricted_directions(net, found))
        flat = [part for part in found if part.kind == FLAT]
        parts = flat if flat_only else flat + [part for part in found if part.kind != FLAT]
        with calm_blas(0):
            basis, origins, deviation = orthonormal_basis(size, parts, scales, back)
    labels, kinds = zip(*[(parts[i].cause, parts[i].kind) for i in origins], strict=True) if len(origins) else ((), ())
    return ZeroModes(basis, labels, kinds, resolved=max(error, deviation) <= RESOLVED)


def restricted_directions(objective: RestrictedObjective, parts: list[Directions]) -> Iterator[Directions]:
    """Those that leave the held parameters alone: of each cause, and of all together, where nothing tells of curves."""
    free, columns = np.arange(objective.num_parameters)[None], []
    for part in parts:
        rows, column, values = part.entries()
        vectors = np.zeros((len(objective.theta), len(part)))
        np.add.at(vectors, (rows, column), values)
        lengths = norm(vectors, 0)
        if not lengths.any():
            continue
        columns.append(span(vectors[:, lengths > 0] / lengths[lengths > 0]))
        yield Directions(part.cause, part.kind, free, within(objective, columns[-1]))
    if columns:
        cause = "several of these causes together, the held parameters left alone"
        yield Directions(cause, FIRST_ORDER, free, within(objective, span(np.hstack(columns))))


def residuals(objective: AnyObjective, at: ArrayLike, basis: Array) -> Array:
    """‖H z‖ / ‖H‖ of each column, with ‖H‖ from a few products: a lower bound, mostly good to some per cent."""
    theta, largest = _checks.parameter_vector(at, objective.num_parameters), 0.0
    vector = np.random.default_rng(0).standard_normal(len(theta)).astype(theta.dtype)
    for _ in range(30):
        length = norm(vector)
        if not 0 < length < np.inf:
            break
        vector = objective.hvp(theta, vector / length)
        largest = max(largest, float(norm(vector)))
    images = norm(objective.hvp(theta, basis.astype(theta.dtype)), axis=0) if basis.shape[1] else np.zeros(0)
    if not (np.isfinite(vector).all() and np.isfinite(images).all()):
        raise overflow(theta, "matrix", "hessian")
    return np.asarray(images / largest if largest else images, FLOAT64)


def directions_with_penalty(net: MLP, exact: Array) -> Iterator[Directions]:
    """The penalty (l2/2)‖θ‖² sees every direction but those of symmetries that leave ‖θ‖ as it is."""
    tangents = norm_preserving(net, symmetries(net).factors, exact.astype(FLOAT64))
    yield Directions(ORBIT_WITH_PENALTY, FLAT, np.arange(len(exact))[None], tangents)


def all_directions(
    net: MLP, exact: Array, tolerance: float, objective: Objective | None, flat_only: bool
) -> list[Directions]:
    """Directions of all causes; the Jacobian tells the last ones, which are of first order."""
    found = list(directions(net, exact, tolerance, objective))
    if objective is not None and not flat_only:
        found += jacobian_directions(objective, exact, any(loss_directions(objective)), found)
    return found


def directions(net: MLP, exact: Array, tolerance: float, objective: Objective | None) -> Iterator[Directions]:
    """Directions of all causes, first those along which the loss does not change at any θ near this one."""
    theta = exact.astype(FLOAT64)
    shared = [] if objective is None else list(loss_directions(objective))
    centred = bool(shared)
    yield from shared
    pieces = None if objective is None else linear_pieces(objective, theta)
    on_data = [] if pieces is None else layer_functions(net, theta, tolerance, pieces=pieces, centred=centred)
    if objective is not None:
        yield from unseen_inputs(objective)
    for layer in on_data:
        yield from off(layer)
    everywhere = np.arange(len(theta))[None]
    yield Directions(ORBIT, FLAT, everywhere, symmetries(net).tangents(theta))
    for layer in layer_functions(net, theta, tolerance, centred=centred):
        yield from of_layer(layer, tolerance, "")
    for layer in on_data:
        yield from of_layer(layer, tolerance, " on the data")
        yield from mixed_on_data(layer)
    if objective is not None:
        yield from data_directions(objective, exact)


def of_layer(layer: LayerFunctions, tolerance: float, suffix: str) -> Iterator[Directions]:
    yield from dead(layer)
    yield from constant(layer, tolerance)
    for related in layer.related:
        if len(related.neurons) > 1:
            yield from moved_outgoing(layer.parameters, related)
            yield from moved_incoming(layer, related, tolerance)
    yield from dependent(layer, tolerance, suffix)


def where(parameters: LayerParameters, neurons: Array) -> str:
    return f"layer {parameters.layer.layer}, {those('neuron', neurons)}"


def dead(layer: LayerFunctions) -> Iterator[Directions]:
    parameters = layer.parameters
    for neuron in np.flatnonzero(norm(layer.relevant, 0) == 0):
        cause = f"{where(parameters, np.array([neuron]))}: dead, incoming parameters"
        yield Directions(cause, FLAT, parameters.incoming_positions[neuron][:, None], np.ones((1, 1)))


def off(layer: LayerFunctions) -> Iterator[Directions]:
    """All parameters of neurons that are zero on every sample."""
    parameters = layer.parameters
    for neuron in layer.linear[layer.slopes[layer.linear] == 0]:
        cause = f"{where(parameters, np.array([neuron]))}: off on every sample"
        places = np.concatenate([parameters.incoming_positions[neuron], parameters.outgoing_positions[:, neuron]])
        yield Directions(cause, FLAT, places[:, None], np.ones((1, 1)))


def constant(layer: LayerFunctions, tolerance: float) -> Iterator[Directions]:
    """The output of a constant neuron is made up for by the biases above, where there are any, or by other neurons."""
    parameters, above = layer.parameters, layer.parameters.above_positions
    s = parameters.multiplier_above
    for neuron in layer.constant:
        cause = f"{where(parameters, np.array([neuron]))}: constant"
        outgoing, value = parameters.outgoing_positions[:, neuron], layer.coefficients[neuron, 0]
        if above is not None:
            yield Directions(cause, FLAT, np.column_stack([outgoing, above]), np.array([[1.0], [-s * value]]))
        elif value == 0:
            yield Directions(cause, FLAT, outgoing[:, None], np.ones((1, 1)))
        bias, carriers = constant_below(layer, tolerance), carriers_of_one(layer, tolerance)
        if bias is None or carriers is None or neuron in layer.kinks:
            continue
        # The activation changes by σ'·t; the carriers' weights take v σ'·t, each output its own part.
        effect = -layer.slopes[neuron] * parameters.outgoing[:, neuron]
        places = [parameters.incoming_positions[neuron], parameters.outgoing_positions.ravel()]
        moves = [bias, np.outer(effect, carriers[:-1]).ravel()]
        if above is not None:
            places.append(above)
            moves.append(effect * carriers[-1] * s)
        yield Directions(cause, FLAT, np.concatenate(places)[None], np.concatenate(moves)[:, None])


def constant_below(layer: LayerFunctions, tolerance: float) -> Array | None:
    """A change of a neuron's incoming parameters that adds 1 to its preactivation; None if there is none."""
    parameters = layer.parameters
    if parameters.layer.has_bias:
        return np.append(np.zeros(parameters.weights.shape[1]), 1.0)
    multiplier = parameters.layer.net.multipliers[parameters.layer.layer - 1]
    found = combination(layer.below, tolerance)
    return None if found is None else found / multiplier


def carriers_of_one(layer: LayerFunctions, tolerance: float) -> Array | None:
    """Numbers for the neurons, and the bias above, whose activations times these add up to 1; None if none do."""
    width = len(layer.coefficients)
    if layer.parameters.above_positions is not None:
        return np.append(np.zeros(width), 1.0)
    found = combination(layer.coefficients, tolerance)
    return None if found is None else np.append(found, 0.0)


def combination(coefficients: Array, tolerance: float) -> Array | None:
    """n with n · C = the constant 1, if there is one."""
    goal = np.zeros(coefficients.shape[1])
    goal[0] = 1
    if not coefficients[:, 0].any() or not np.isfinite(coefficients).all():
        return None
    sizes = norm(coefficients, 1)
    scaled = coefficients / np.where(sizes > 0, sizes, 1)[:, None]
    found = np.linalg.lstsq(scaled.T, goal, rcond=tolerance)[0]
    if np.abs(found @ scaled - goal).max() > max(tolerance, 1e-12) * max(1.0, np.abs(found).max()):
        return None
    return np.asarray(found / np.where(sizes > 0, sizes, 1))


def moved_outgoing(parameters: LayerParameters, related: RelatedNeurons) -> Iterator[Directions]:
    """Each neuron takes over outgoing weight from the reference, whose N and o are the first."""
    cause = f"{where(parameters, related.neurons)}: related, outgoing weights moved between them"
    places = parameters.outgoing_positions[:, related.neurons]
    ratios = related.gains[1:] / related.gains[0]
    remainders = related.offsets[1:] - ratios * related.offsets[0]
    combinations = np.vstack([-ratios, np.eye(len(related.neurons) - 1)])
    if parameters.above_positions is not None:
        places = np.column_stack([places, parameters.above_positions])
        combinations = np.vstack([combinations, -parameters.multiplier_above * remainders])
    elif remainders.any():
        return
    yield Directions(cause, FLAT, places, combinations)


def moved_incoming(layer: LayerFunctions, related: RelatedNeurons, tolerance: float) -> Iterator[Directions]:
    """Incoming parameters moved by factors n_k with Σ_k v_k (N_k/c_k) n_k = 0; all together in a zero group."""
    neurons, parameters, signs = related.neurons, layer.parameters, np.sign(related.gains)
    places = parameters.incoming_positions[neurons].T
    relevant = layer.relevant[:, neurons]
    if np.abs(relevant @ signs).max(initial=0) <= tolerance * np.abs(relevant).max(initial=0):
        cause = f"{where(parameters, neurons)}: outgoing weights cancel, moved together"
        yield Directions(cause, FLAT, places, scaled(related.factors[:, None]))
    free = null_space(layer.effects[:, neurons] * signs, tolerance)
    if free.shape[1]:
        cause = f"{where(parameters, neurons)}: related, moved apart"
        yield Directions(cause, FIRST_ORDER, places, scaled(related.factors[:, None] * free))


def scaled(columns: Array) -> Array:
    """Columns with the largest entry 1."""
    return np.asarray(columns / np.abs(columns).max(axis=0, initial=1e-300))


def dependent(layer: LayerFunctions, tolerance: float, suffix: str) -> Iterator[Directions]:
    """Neurons that are not independent of one another without being related in pairs: linear and constant ones."""
    parameters = layer.parameters
    number = parameters.layer.layer
    alone = [int(related.neurons[0]) for related in layer.related if len(related.neurons) == 1]
    others = np.setdiff1d(np.arange(parameters.layer.width), alone)
    if not len(others):
        return
    combinations, places = (
        parameters.multiplier_above * layer.coefficients[others],
        parameters.outgoing_positions[:, others],
    )
    if parameters.above_positions is not None:
        one = np.eye(1, combinations.shape[1])
        combinations, places = np.vstack([combinations, one]), np.column_stack([places, parameters.above_positions])
    sizes = norm(combinations, 1)
    sizes[sizes == 0] = 1
    free = null_space((combinations / sizes[:, None]).T, tolerance) / sizes[:, None]
    yield Directions(f"layer {number}: outgoing weights of dependent neurons{suffix}", FLAT, places, free)
    linear = layer.linear
    if len(linear):
        free = null_space(layer.relevant[:, linear] * layer.slopes[linear], tolerance)
        cause = f"layer {number}: incoming parameters of linear neurons{suffix}, combined so that nothing comes of it"
        yield Directions(cause, FLAT, parameters.incoming_positions[linear].T, free)
    # A constant neuron where σ is stationary, and curved, moves the outputs to second order: it is not counted here.
    names = parameters.layer.names
    smooth = np.setdiff1d(layer.constant, layer.kinks)
    moving = [n for n in smooth if layer.slopes[n] or not curvature(names[n], layer.preactivations[n])]
    straight = np.concatenate([linear, moving]).astype(int)
    if len(straight):
        free = null_space(layer.effects[:, straight] * layer.slopes[straight], tolerance)
        cause = f"layer {number}: incoming parameters of linear and constant neurons{suffix}, moved apart"
        yield Directions(cause, FIRST_ORDER, parameters.incoming_positions[straight].T, free)


def curvature(activation: str, z: float) -> float:
    """σ''(z)."""
    return float(activations.derivatives(activation, z)[2])


def mixed_on_data(layer: LayerFunctions) -> Iterator[Directions]:
    """Tangents of mixing, and of shifting, neurons that are linear on the data."""
    parameters, slopes = layer.parameters, layer.slopes
    cause = f"layer {parameters.layer.layer}: neurons that are linear on the data mixed"
    active = [int(i) for i in layer.linear if slopes[i] != 0]
    for i in active:
        for j in active:
            places = [parameters.incoming_positions[i], parameters.outgoing_positions[:, j]]
            moves = [parameters.incoming[j], -slopes[i] / slopes[j] * parameters.outgoing[:, i]]
            yield Directions(cause, FLAT, np.concatenate(places)[None], np.concatenate(moves)[:, None])
        if parameters.layer.has_bias and parameters.above_positions is not None:
            places = [parameters.incoming_positions[i, -1:], parameters.above_positions]
            moves = [np.ones(1), -parameters.multiplier_above * slopes[i] * parameters.outgoing[:, i]]
            yield Directions(cause, FLAT, np.concatenate(places)[None], np.concatenate(moves)[:, None])
