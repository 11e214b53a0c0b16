"""What a Hessian gains where a neuron is split: two matrices for every neuron of a hidden layer.

With φ = (s a, 1) below the layer, δ = ∂ℓ/∂z of the layer above, s' and d' its multiplier and width, and normalised
weights w,

    B_i = Σ_n w_n (∂ℓ_n/∂a_i) σ''_i φ φᵀ      (p, p)
    C_i = s' Σ_n w_n δ_n σ'_i φᵀ              (d', p)
    E   = s' Σ_n w_n δ_n φᵀ                   (d', p), which is C of a neuron of slope 1

v_iᵀ C_i is the gradient in the incoming parameters of neuron i, v_i being its outgoing weights. For infinite data B_i
and C_i are blocks of what the Hessian has beside the Gauss–Newton matrix, as there is one hidden layer only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import activations
from .._checks import Array
from .._own_points import own_points
from ..any_objective import AnyObjective
from ..error_bounds import passes
from ..matrix_errors import QuadratureErrors
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective
from .other_network import for_network
from .related_neurons import layer_parameters


@dataclass
class LayerForms:
    """The forms of a hidden layer of width d, and bounds on the norms of their errors.

    Attributes
    ----------
    curvature, curvature_error : ndarray, shapes (d, p, p) and (d,)
        B.
    coupling, coupling_error : ndarray, shapes (d, d', p) and (d,)
        C.
    signal : ndarray, shape (d', p)
        E.
    signal_error : float
    """

    curvature: Array
    curvature_error: Array
    coupling: Array
    coupling_error: Array
    signal: Array
    signal_error: float


def neuron_forms(obj: AnyObjective, theta: Array) -> list[LayerForms]:
    """Returns the forms of every hidden layer at θ (P,), in its precision; O(N Σ d p²) operations and error bounds."""
    if isinstance(obj, Objective):
        return on_samples(obj, theta)
    assert isinstance(obj, PopulationObjective)
    return [of_population(obj, theta)]


def on_samples(obj: Objective, theta: Array) -> list[LayerForms]:
    """Sums over the samples, with running error analysis."""
    net, layers = obj.net, [empty(obj, index, theta.dtype) for index in range(obj.net.num_layers - 1)]
    squares = [np.zeros((forms.coupling.shape[1],), theta.dtype) for forms in layers]
    with np.errstate(all="ignore"):
        for chunk in passes(obj, theta, sum(net.widths[1:])):
            for k, forms in enumerate(layers):
                phi, slope, above = chunk.phi[k].value, chunk.slope[k].value, chunk.delta[k + 1]
                multiplier = theta.dtype.type(net.multipliers[k + 1])
                signal = multiplier * chunk.weight[:, None] * above.value
                bent = chunk.weight[:, None] * chunk.curved[k].value
                for i in range(len(forms.curvature)):
                    forms.curvature[i] += (phi * bent[:, i, None]).T @ phi
                    forms.coupling[i] += (signal * slope[:, i, None]).T @ phi
                forms.signal += signal.T @ phi
                reach = chunk.scale(k)[:, :, 0]
                forms.curvature_error += chunk.total(chunk.curved[k] * reach * reach)
                through = (chunk.slope[k] * reach)[:, :, None]
                errors = chunk.contracted(through, above[:, :, None])
                forms.coupling_error += multiplier * errors.sum(axis=1)
                squares[k] += multiplier * chunk.contracted(reach[:, :, None], above[:, :, None])[0]
    for forms, bounds in zip(layers, squares, strict=True):
        forms.signal_error = float(bounds.sum())
    return layers


def empty(obj: Objective, index: int, dtype: np.dtype) -> LayerForms:
    net = obj.net
    width, above, inputs = net.widths[index + 1], net.widths[index + 2], net.widths[index] + net.biases[index]
    return LayerForms(
        curvature=np.zeros((width, inputs, inputs), dtype),
        curvature_error=np.zeros(width, dtype),
        coupling=np.zeros((width, above, inputs), dtype),
        coupling_error=np.zeros(width, dtype),
        signal=np.zeros((above, inputs), dtype),
        signal_error=0.0,
    )


def of_population(obj: PopulationObjective, theta: Array) -> LayerForms:
    """Blocks of H − GGN, and E as the block of another neuron, linear and without weights."""
    (parameters,) = layer_parameters(obj.net, theta)
    coupling, curvature, error = blocks_beside(obj, theta)
    wider, at = with_idle_neuron(obj, theta)
    with own_points():
        signals, _, signal_error = blocks_beside(wider, at)
    count = len(parameters.incoming_positions)
    return LayerForms(
        curvature=curvature,
        curvature_error=np.full(count, error),
        coupling=coupling,
        coupling_error=np.full(count, error),
        signal=signals[-1] * obj.net.multipliers[1] / wider.net.multipliers[1],
        signal_error=signal_error,
    )


def blocks_beside(obj: PopulationObjective, theta: Array) -> tuple[Array, Array, float]:
    """Returns C (d, K, p) and B (d, p, p) from what the Hessian has beside its Gauss–Newton part, and their error."""
    (parameters,) = layer_parameters(obj.net, theta)
    rest = obj.hessian(theta) - obj.gauss_newton(theta)
    rows = parameters.incoming_positions
    coupling = np.array(
        [rest[np.ix_(out, row)] for out, row in zip(parameters.outgoing_positions.T, rows, strict=True)]
    )
    curvature = np.array([rest[np.ix_(row, row)] for row in rows])
    return coupling, curvature, 2 * QuadratureErrors(obj, theta).matrix


def with_idle_neuron(obj: PopulationObjective, theta: Array) -> tuple[PopulationObjective, Array]:
    """Returns the objective of a network with one more neuron, linear, whose weights are all zero, and its θ."""
    net = obj.net
    inputs, width, outputs = net.widths
    wider = MLP(
        [inputs, width + 1, outputs],
        [[*net.activations[0], activations.linear()]],
        bias=net.biases,
        parametrization=net.parametrization,
    )
    (weights, biases), (outgoing, above) = net.unflatten(theta)
    scale = net.multipliers[1] / wider.multipliers[1]
    at = wider.flatten(
        [
            (np.vstack([weights, np.zeros(inputs)]), None if biases is None else np.append(biases, 0.0)),
            (np.column_stack([outgoing * scale, np.zeros(outputs)]), above),
        ]
    )
    widened = for_network(obj, wider)
    assert isinstance(widened, PopulationObjective)
    return widened, at
