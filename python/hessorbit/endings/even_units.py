"""The same problem in even units: where inputs, outputs, and weights around homogeneous neurons are of about size one.

Rounding spoils eigenvalues below eps times the largest one, whatever kind of point θ is. In other units,

    x_j / s_j       and   W_1[:, j] · s_j
    y · c           and   (W_L b_L) · c          the loss becomes c² times as large
    incoming · f    and   outgoing · f^{−q}      of homogeneous neurons
    bias + τ        and   outgoing · e^{−τ}      of exponential ones

the function is the same and the Hessian becomes A^{−T} H A^{−1}, which keeps its inertia (Sylvester), not its floor.
So θ is examined where s_j is the size of input j, 1/c that of the targets, and incoming and outgoing weights are alike.
Factors are powers of 256, which rounding does not see, and which leave ordinary sizes as they are. Layers of linear
neurons alone may be mixed, to rows that are orthonormal. Weight decay knows units: with it, all stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .._checks import FLOAT64, Array
from .._norms import norm
from ..any_objective import AnyObjective
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective
from ..restricted import RestrictedObjective, part_of, whole
from ..symmetry.data_modes import counted
from ..symmetry.other_network import with_arguments
from ..symmetry.related_neurons import LayerParameters, layer_parameters
from ..symmetry.rules import hidden_layers, rule_of
from ..symmetry.span import blocks
from ..symmetry.unit_point import unit_point
from .losses import loss_at
from .point import WayToInfinity

BITS = 8  # factors are powers of 2^8
SWEEPS, STEADY = 100, 0.1  # until binary logarithms of factors change by no more
UNEVEN = 256.0  # condition number of a mixing from which on linear neurons are mixed


@dataclass(frozen=True)
class EvenUnits:
    """An objective and a point of it in even units, and the way back.

    Attributes
    ----------
    obj : AnyObjective
    theta : ndarray, shape (F,)
    sizes : ndarray, shape (P,)
        ∂θ_even/∂θ of all parameters, which is diagonal but for a mixing before.
    unmixed : ndarray, shape (P, P), or None
        ∂θ/∂θ_mixed.
    output_unit : float
        Outputs here are so many times what they were, and the loss so many times squared, which may leave float64.
    """

    obj: AnyObjective
    theta: Array
    sizes: Array
    unmixed: Array | None = None
    output_unit: float = 1.0

    @cached_property
    def same(self) -> bool:
        """Whether the units are those that were given."""
        return self.unmixed is None and bool((self.sizes == 1).all())

    def directions(self, columns: Array) -> Array:
        """Directions (F,) or (F, k), in the units that were given."""
        sizes = part_of(self.obj, self.sizes)
        back = (columns.T / sizes).T
        return back if self.unmixed is None else np.asarray(self.unmixed @ back)

    def loss(self, value: float) -> float:
        """A loss, or a difference of losses, in the units that were given."""
        return value / self.output_unit / self.output_unit

    @property
    def remark(self) -> str:
        """What messages add where eigenvalues are not those in the units that were given."""
        return "" if self.same else ", in units in which inputs, outputs and weights are of about size one"

    def way(self, way: WayToInfinity) -> WayToInfinity:
        parameters = way.parameters
        if parameters:
            around = layer_parameters(self.obj.net, self.sizes)[way.layer - 1]
            incoming, outgoing = around.incoming[way.neurons[0]], around.outgoing[:, way.neurons[0]]
            parameters = {
                "incoming": parameters["incoming"] / incoming,
                "value": parameters["value"] / outgoing,
                "slope": parameters["slope"] / np.outer(outgoing, incoming),
            }
        limit, error = self.loss(way.limit), self.loss(way.limit_error)
        tangent = self.directions(way.tangent)
        return replace(way, limit=limit, limit_error=error, tangent=tangent, parameters=parameters)


def in_even_units(obj: AnyObjective, theta: Array) -> EvenUnits:
    """Returns the objective and θ in even units; themselves where these are the units they have."""
    data, at = whole(obj, theta)
    sizes = np.ones(len(at))
    if data.l2 or not isinstance(data, Objective | PopulationObjective):
        return EvenUnits(obj, theta, sizes)
    unmixed = None
    if data is obj and linear(data.net):
        element, point, _ = unit_point(data.net, at)
        if condition_number(element.matrix()) > UNEVEN:
            unmixed, at = element.inverse().matrix().toarray(), point.astype(at.dtype)
    net, inputs, output = data.net, powers(input_sizes(data)), 1.0
    sizes[net.unflatten(np.arange(len(at)))[0][0]] = inputs
    if (data.loss_name in ("squared_error", "huber")) and all(rule_of(name).linear for name in net.activations[-1]):
        output = float(1 / powers(np.array([target_size(data, at)]))[0])
        for positions in net.unflatten(np.arange(len(at)))[-1]:
            if positions is not None:
                sizes[positions] *= output
    even = at * sizes.astype(at.dtype)
    even, balance = balanced(net, even)
    sizes = sizes * balance
    if (sizes == 1).all() and unmixed is None:
        return EvenUnits(obj, theta, sizes)
    changed = in_units(data, inputs, output)
    part: AnyObjective = changed
    if isinstance(obj, RestrictedObjective):
        part, even = changed.restricted(even, obj.free), even[obj.free]
    return EvenUnits(part, even, sizes, unmixed, output)


def condition_number(matrix: Any) -> float:
    """Of a sparse matrix, from the singular values of its connected components."""
    values = [np.linalg.svd(block, compute_uv=False) for _, _, block in blocks(matrix)]
    return float(max(each[0] for each in values) / min(each[-1] for each in values))


def linear(net: MLP) -> bool:
    """Whether all hidden neurons are linear, and there are some."""
    layers = hidden_layers(net)
    return bool(layers) and all(rule.linear for hidden in layers for rule in hidden.rules)


def powers(sizes: Array) -> Array:
    """The nearest powers of 256 of sizes ≥ 0; 1 for zero."""
    used = (sizes > 0) & np.isfinite(sizes)
    logs = np.log2(np.where(used, sizes, 1).astype(FLOAT64))
    return np.asarray(2.0 ** (BITS * np.round(logs / BITS)))


def input_sizes(data: Objective | PopulationObjective) -> Array:
    """√E x_j², (d,)."""
    if isinstance(data, Objective):
        x = data.x[counted(data)]
        return np.asarray(norm(x, axis=0) / np.sqrt(len(x)))
    inputs = data.net.widths[0]
    mean = np.zeros(inputs) if data.mean is None else data.mean
    return np.sqrt((np.ones(inputs) if data.covariance is None else np.diag(data.covariance)) + mean**2)


def target_size(data: Objective | PopulationObjective, theta: Array) -> float:
    """√E‖y‖²."""
    if isinstance(data, Objective):
        y = data.y[counted(data)]
        return float(norm(y) / np.sqrt(len(y)))
    silent = theta.astype(FLOAT64)
    for positions in data.net.unflatten(np.arange(len(theta)))[-1]:
        if positions is not None:
            silent[positions] = 0
    return float(np.sqrt(2 * max(loss_at(data, silent), 0.0)))


def in_units(data: Objective | PopulationObjective, inputs: Array, output: float) -> Any:
    """The objective with inputs divided, and targets multiplied."""
    if isinstance(data, Objective):
        return with_arguments(
            data,
            x=data.x / inputs.astype(data.x.dtype),
            y=data.y if output == 1 else data.y * data.y.dtype.type(output),
            delta=None if data.delta is None else data.delta * output,
        )
    taught = data.theta_teacher.copy()
    layers = data.teacher.unflatten(np.arange(len(taught)))
    taught[layers[0][0]] *= inputs
    for positions in layers[-1]:
        if positions is not None:
            taught[positions] *= output
    even = (inputs == 1).all()
    covariance = np.eye(len(inputs)) if data.covariance is None and not even else data.covariance
    return PopulationObjective(
        data.net,
        data.teacher,
        taught,
        mean=None if data.mean is None else data.mean / inputs,
        covariance=None if covariance is None else covariance / np.outer(inputs, inputs),
        tolerance=data.tolerance,
        threads=data.threads,
    )


def balanced(net: MLP, theta: Array) -> tuple[Array, Array]:
    """θ (P,) where incoming and outgoing weights of homogeneous neurons are alike, and ∂ of it by θ, (P,).

    One neuron after the other, until none changes. The outgoing weights of exponential ones come as near to size one as
    biases do to 0: smaller ones beside a bias of 0 are those of a neuron that does little, in any units.
    """
    layers = [around for around in layer_parameters(net, theta) if movable(around).any()]
    factors, shifts = ([np.zeros(around.layer.width) for around in layers] for _ in range(2))  # binary logarithms
    sizes, at = np.ones(len(theta)), theta
    for _ in range(SWEEPS):
        change = 0.0
        for around, factor, shift in zip(layers, factors, shifts, strict=True):
            step, raised = steps(around, at)
            factor += step
            shift += raised
            change = max(change, float(np.abs(step).max()), float(np.abs(raised).max()))
            at, sizes = changed(around, at, sizes, 2.0**step, raised)
        if change <= STEADY:
            break
    sizes, at = np.ones(len(theta)), theta
    for around, factor, shift in zip(layers, factors, shifts, strict=True):
        whole_steps = BITS * np.round(factor / BITS), BITS * np.round(shift / BITS)
        at, sizes = changed(around, at, sizes, 2.0 ** whole_steps[0], whole_steps[1])
    return at, sizes


def movable(around: LayerParameters) -> Array:
    """Which neurons are homogeneous or exponential, (width,)."""
    layer = around.layer
    return np.array([bool(rule.degree) or (rule.exponential and layer.can_shift(n)) for n, rule in
                     enumerate(layer.rules)])  # fmt: skip


def steps(around: LayerParameters, theta: Array) -> tuple[Array, Array]:
    """Binary logarithms of the factors, and of e^τ, that balance each neuron of a layer, (width,) each."""
    rules = around.layer.rules
    degrees = np.array([rule.degree for rule in rules])
    incoming, outgoing = norm(theta[around.incoming_positions], axis=1), norm(theta[around.outgoing_positions], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        before, after = np.log2(incoming).astype(FLOAT64), np.log2(outgoing).astype(FLOAT64)
    # Incoming · f and outgoing · f^−q are alike; where one of them is zero, the other becomes one.
    even = (after - before) / (degrees + 1)
    even = np.where(np.isfinite(before), np.where(np.isfinite(after), even, -before), after / np.maximum(degrees, 1))
    factor = np.where((degrees > 0) & np.isfinite(even), even, 0.0)
    exponential = np.array([rule.exponential and around.layer.can_shift(n) for n, rule in enumerate(rules)])
    to_zero = -theta[around.incoming_positions[:, -1]].astype(FLOAT64) / np.log(2)  # of the biases, if there are any
    shift = np.median([np.zeros(len(after)), after, to_zero], axis=0)
    return factor, np.where(exponential & np.isfinite(after), shift, 0.0)


def changed(around: LayerParameters, theta: Array, sizes: Array, factor: Array, shift: Array) -> tuple[Array, Array]:
    """θ, and ∂θ_even/∂θ, after incoming · f, outgoing · f^−q · 2^−shift, and bias + shift · log 2."""
    at, slopes = theta.copy(), sizes.copy()
    degrees = np.array([rule.degree for rule in around.layer.rules])
    below = factor**-degrees * 2.0**-shift
    for array in (at, slopes):
        array[around.incoming_positions] *= factor[:, None].astype(array.dtype)
        array[around.outgoing_positions] *= below.astype(array.dtype)
    if shift.any():
        at[around.incoming_positions[:, -1]] += shift.astype(at.dtype) * np.log(at.dtype.type(2))
    return at, slopes
