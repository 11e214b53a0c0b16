"""What writing for other libraries has in common: these know neither multipliers nor layers of mixed activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import FLOAT64, Array
from ..network import MLP


def standard_layers(net: MLP, theta: ArrayLike) -> list[tuple[Array, Array | None]]:
    """Returns weights, times the multipliers, and biases of each layer, in float64."""
    at = _checks.parameter_vector(theta, net.num_parameters)
    if _checks.is_extended(at):
        raise TypeError("theta must be float64, as other libraries know no longdouble: round it yourself")
    return [
        (np.ascontiguousarray(multiplier * weights, FLOAT64), None if biases is None else biases.copy())
        for (weights, biases), multiplier in zip(net.unflatten(at), net.multipliers, strict=True)
    ]


def uniform_activations(net: MLP, library: str) -> list[str]:
    """Returns the activation of each layer, and refuses layers whose neurons differ in theirs."""
    for layer, names in enumerate(net.activations, 1):
        if len(set(names)) > 1:
            raise ValueError(
                f"{library} has one activation per layer; the neurons of layer {layer} of {net!r} have "
                f"{', '.join(sorted(set(names)))}"
            )
    return [names[0] for names in net.activations]
