"""A smaller network with the same function: dead, constant, related and dependent linear neurons removed.

    constant neurons, w = 0:                v σ(b) goes to the bias above
    related ones, σ(z_k) = N_k σ(z) + o_k:  v += Σ N_k v_k, and o_k v_k goes to the bias above
    dead ones, v = 0:                       nothing is left of them
    linear ones, W = X W_J:                 V_J = V X, and V (b − X b_J) goes to the bias above
    linear ones, V = V_J Y:                 W_J = Y W, b_J = Y b

where v are outgoing weights, and J as many neurons as the rank of W, or V, tells. After both steps they are as many as
the rank of V W, which no fewer can have. What is removed in one layer may leave neurons of another dead or constant, so
this is done until nothing changes.

A neuron goes where that changes the outputs little, however near to zero its weights are: with |∂f/∂a| ≤ g and
‖x‖ ≤ R, at most

    g sup |a|  if it is dead,    g sup |σ'| sup |w · a|  if constant,    g sup |σ'| sup |z_k − c_k z|  if related

and as much if it is linear, where a combination of others takes the place of c_k z; of outgoing weights that differ by
δ from their combination, Σ g sup |σ'| |δ| sup |a|, with g and σ' of the layer above (ball.py has g and the suprema).
These add up over everything that is removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr, solve_triangular

from .. import activations
from .._checks import Array
from .._norms import norm
from ..network import MLP
from ..symmetry.related_neurons import LayerParameters, layer_parameters, related_neurons
from .ball import Layer, natural_radius, on_ball, scale_of
from .features import ROUNDING


@dataclass(frozen=True)
class Removal:
    """What happens to one hidden layer.

    Attributes
    ----------
    keep : ndarray of bool, shape (width,)
    outgoing : ndarray, shape (next width, width)
        The outgoing weights that the neurons get.
    constant : ndarray, shape (next width,)
        What the biases above get, before the multiplier.
    incoming : ndarray, shape (width, fan_in [+ 1]), or None
        The incoming weights, and biases, that the neurons get; None if they keep theirs.
    """

    keep: Array
    outgoing: Array
    constant: Array
    incoming: Array | None = None


@dataclass(frozen=True)
class Reduction:
    """A smaller network, and a bound on how much the outputs changed for ‖x‖ ≤ radius, where |f| reaches scale."""

    net: MLP
    theta: Array
    bound: float
    radius: float
    scale: float


class Budget:
    """How much the outputs may still change, (K,)."""

    def __init__(self, allowed: Array) -> None:
        self.left = allowed.copy()
        self.spent = np.zeros_like(allowed)

    def affords(self, effect: Array) -> bool:
        """Whether a change of the outputs, (K,), is allowed; it is then spent."""
        if not (effect <= self.left).all():
            return False
        self.left -= effect
        self.spent += effect
        return True


@np.errstate(over="ignore", invalid="ignore")
def reduced(net: MLP, theta: Array, tolerance: float) -> Reduction:
    """The network without dead, constant, related and dependent neurons, one neuron left in every hidden layer.

    Bounds that overflow allow nothing, and neurons stay where what they leave behind is beyond the range of floats.
    """
    radius = natural_radius((net, theta))
    scale = scale_of(net, theta, radius)
    budget = Budget(scale.allowed(tolerance))
    changed = True
    while changed:
        changed = False
        for index in range(net.num_layers - 1):
            for removal_of in (constant, related, dead, spanned, spanning):
                parameters = layer_parameters(net, theta)[index]
                if is_empty(parameters):
                    continue
                removal = removal_of(Surroundings(parameters, on_ball(net, theta, radius), radius), budget, tolerance)
                if not removal.keep.all():
                    smaller, moved = applied(net, theta, index, removal)
                    if np.isfinite(moved).all():
                        net, theta, changed = smaller, moved, True
    return Reduction(net, theta, float(budget.spent.max()), radius, float(scale.outputs.max()))


@dataclass(frozen=True)
class Surroundings:
    """A hidden layer, and all layers' bounds on the ball."""

    parameters: LayerParameters
    layers: list[Layer]
    radius: float

    @property
    def here(self) -> Layer:
        return self.layers[self.parameters.layer.layer - 1]

    def largest(self, rows: Array) -> Array:
        """The largest |rows · a| on the ball for incoming weights s W without bias, or more, (m,)."""
        layer = self.parameters.layer.layer
        return np.asarray(norm(rows, 1) * self.radius if layer == 1 else np.abs(rows) @ self.layers[layer - 2].a)

    def effect(self, neuron: int, change: float) -> Array:
        """A bound on what a change of a neuron's activation does to the outputs, (K,)."""
        gains = self.here.gains[:, neuron]
        return np.asarray(gains * np.where(gains > 0, change, 0))


def is_empty(parameters: LayerParameters) -> bool:
    """Whether the layer is one neuron without weights, which has to stay."""
    return parameters.layer.width == 1 and not parameters.incoming.any() and not parameters.outgoing.any()


def constant(around: Surroundings, budget: Budget, tolerance: float) -> Removal:
    """Constant neurons go to the bias above; without one, those that are not zero become one neuron."""
    parameters = around.parameters
    layer = parameters.layer
    outgoing, moved = parameters.outgoing.copy(), np.zeros(len(parameters.outgoing))
    keep = np.ones(layer.width, bool)
    varying = around.here.slopes * around.largest(around.here.matrix)
    neurons = np.array([n for n in np.argsort(varying) if budget.affords(around.effect(n, varying[n]))], int)
    neurons.sort()
    biases = parameters.incoming[neurons, -1] if layer.has_bias else np.zeros(len(neurons))
    heights = np.array(
        [activations.derivatives(layer.names[n], bias)[0] for n, bias in zip(neurons, biases, strict=True)]
    )
    keep[neurons] = False
    if len(neurons) and not layer.bias_above and heights.any():
        best = int(np.abs(heights).argmax())
        outgoing[:, neurons[best]] = outgoing[:, neurons] @ heights / heights[best]
        keep[neurons[best]] = True
    elif len(neurons):
        moved = outgoing[:, neurons] @ heights
    return Removal(keep, outgoing, moved)


def related(around: Surroundings, budget: Budget, tolerance: float) -> Removal:
    """Related neurons become one."""
    parameters = around.parameters
    outgoing, moved = parameters.outgoing.copy(), np.zeros(len(parameters.outgoing))
    keep = np.ones(parameters.layer.width, bool)
    matrix, biases, slopes = around.here.matrix, around.here.biases, around.here.slopes
    for group in related_neurons(parameters, tolerance):
        first = group.neurons[0]
        apart = around.largest(matrix[group.neurons] - group.factors[:, None] * matrix[first])
        apart += np.abs(biases[group.neurons] - group.factors * biases[first] - group.shifts)
        for k, neuron in enumerate(group.neurons[1:], start=1):
            if budget.affords(around.effect(neuron, slopes[neuron] * apart[k])):
                outgoing[:, first] += group.gains[k] * parameters.outgoing[:, neuron]
                moved += group.offsets[k] * parameters.outgoing[:, neuron]
                keep[neuron] = False
    return Removal(keep, outgoing, moved)


def dead(around: Surroundings, budget: Budget, tolerance: float) -> Removal:
    """Neurons that add nothing to the outputs."""
    keep = np.ones(around.parameters.layer.width, bool)
    for neuron in np.argsort(around.here.gains.max(axis=0) * np.minimum(around.here.a, 1e100)):
        keep[neuron] = not budget.affords(around.effect(neuron, around.here.a[neuron]))
    return Removal(keep, around.parameters.outgoing, np.zeros(len(around.parameters.outgoing)))


def spanned(around: Surroundings, budget: Budget, tolerance: float) -> Removal:
    """Linear neurons whose incoming weights others combine to, b aside where the layer above has biases."""
    parameters, here = around.parameters, around.here
    layer, linear = parameters.layer, parameters.layer.linear
    outgoing, moved = parameters.outgoing.copy(), np.zeros(len(parameters.outgoing))
    keep = np.ones(layer.width, bool)
    carried = layer.has_bias and layer.bias_above
    rows, biases = here.matrix[linear], here.biases[linear]
    below = around.layers[layer.layer - 2].a if layer.layer > 1 else np.full(rows.shape[1], around.radius)
    columns = rows if carried else np.column_stack([rows, biases])
    reach = below if carried else np.append(below, 1.0)
    chosen, others, combination = dependence(columns.T, reach, here.gains[:, linear].max(axis=0, initial=0))
    left = rows[others] - combination.T @ rows[chosen]
    apart = around.largest(left) + (0.0 if carried else np.abs(biases[others] - combination.T @ biases[chosen]))
    if not len(others) or not budget.affords(finite_product(here.gains[:, linear[others]], apart)):
        return Removal(keep, outgoing, moved)
    keep[linear[others]] = False
    outgoing[:, linear[chosen]] += outgoing[:, linear[others]] @ combination.T
    if carried:
        moved = parameters.outgoing[:, linear[others]] @ (biases[others] - combination.T @ biases[chosen])
    return Removal(keep, outgoing, moved)


def spanning(around: Surroundings, budget: Budget, tolerance: float) -> Removal:
    """Linear neurons whose outgoing weights others combine to."""
    parameters, here = around.parameters, around.here
    layer, linear = parameters.layer, parameters.layer.linear
    keep, outgoing, incoming = np.ones(layer.width, bool), parameters.outgoing, parameters.incoming.copy()
    none = np.zeros(len(outgoing))
    above = around.layers[layer.layer]
    gains = above.gains * above.slopes
    columns = parameters.multiplier_above * outgoing[:, linear]
    chosen, others, combination = dependence(columns, gains.max(axis=0, initial=0), here.a[linear])
    apart = np.abs(columns[:, others] - columns[:, chosen] @ combination) @ here.a[linear[others]]
    if not len(others) or not budget.affords(finite_product(gains, apart)):
        return Removal(keep, outgoing, none)
    keep[linear[others]] = False
    incoming[linear[chosen]] += combination @ incoming[linear[others]]
    return Removal(keep, outgoing, none, incoming)


def dependence(matrix: Array, rows: Array, columns: Array) -> tuple[Array, Array, Array]:
    """Columns J (r,) of a matrix (n, m), the others, and C (r, m − r) with M_others = M_J C, r the rank to rounding.

    Rows and columns are compared in units of 1 over the given sizes, (n,) and (m,). Pivoted QR keeps C small.
    """
    units, sizes = (np.where((each > 0) & np.isfinite(each), each, 1.0) for each in (rows, columns))
    scaled = units[:, None] * matrix * sizes
    if not (matrix.size and np.isfinite(scaled).all() and scaled.any()):
        return np.arange(matrix.shape[1]), np.zeros(0, int), np.zeros((matrix.shape[1], 0))
    triangle, order = qr(scaled, mode="r", pivoting=True, check_finite=False)
    diagonal = np.abs(np.diagonal(triangle))
    rank = int((diagonal > ROUNDING * diagonal[0]).sum())
    chosen, others = order[:rank], order[rank:]
    combination = solve_triangular(triangle[:rank, :rank], triangle[:rank, rank:], check_finite=False)
    return chosen, others, sizes[chosen, None] * combination / sizes[others]


def finite_product(gains: Array, changes: Array) -> Array:
    """gains · changes (K,), where a gain of 0 counts even if the change is infinite."""
    return np.asarray(np.where(gains > 0, gains * changes, 0.0).sum(axis=1))


def applied(net: MLP, theta: Array, index: int, removal: Removal) -> tuple[MLP, Array]:
    """The network that a removal leaves; where it leaves no neuron, one without weights stays."""
    keep, empty = removal.keep.copy(), not removal.keep.any()
    keep[0] |= empty
    widths, names, layers = list(net.widths), list(net.activations), net.unflatten(theta.copy())
    widths[index + 1] = int(keep.sum())
    names[index] = tuple(name for name, kept in zip(names[index], keep, strict=True) if kept)
    narrow = MLP(widths, names[:-1], bias=net.biases, parametrization=net.parametrization, output_activation=names[-1])
    (weights, biases), (_, above) = layers[index], layers[index + 1]
    scale = net.multipliers[index + 1] / narrow.multipliers[index + 1]
    if removal.incoming is not None:
        weights = removal.incoming[:, : weights.shape[1]]
        biases = None if biases is None else removal.incoming[:, -1]
    below, outgoing = weights[keep], scale * removal.outgoing[:, keep]
    bias = None if biases is None else biases[keep]
    if empty:
        below, outgoing = 0 * below, 0 * outgoing
        bias = None if bias is None else 0 * bias
    if above is not None:
        above = above + net.multipliers[index + 1] * removal.constant
    layers[index], layers[index + 1] = (below, bias), (outgoing, above)
    return narrow, narrow.flatten(layers)
