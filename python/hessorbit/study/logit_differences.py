"""The nearest global minimum where the loss is the cross-entropy, which sees differences of the K outputs alone.

With an orthonormal basis Q (K, K − 1) of what is across the vector 1 = (1, …, 1), the loss is a function of Qᵀf, the
outputs of a network with the outgoing weights A = QᵀV in place of V (K, m), and the biases Qᵀc in place of c. As

    V = Q A + 1 1ᵀV/K,    ‖V‖² = ‖A‖² + ‖1ᵀV‖²/K,

and 1ᵀV is free, the nearest minimum of that network is the nearest of the student, with 1ᵀV as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import helmert

from .._checks import Array
from ..network import MLP

if TYPE_CHECKING:
    from ..minima import NearestMinimum


def nearest_by_differences(
    net: MLP, theta: Array, teacher: MLP, theta_teacher: Array, **options: Any
) -> NearestMinimum:
    """Returns the point nearest to θ at which a student has the probabilities of its teacher.

    A teacher neuron with equal outgoing weights is none to the loss. Then copies are those of the narrower teacher's.
    """
    from ..minima import ReducibleTeacherError, nearest_minimum

    narrow, start = differences(net, theta)
    try:
        near = nearest_minimum(narrow, start, *differences(teacher, theta_teacher), **options)
    except ReducibleTeacherError as error:
        if error.teacher is None or error.theta_teacher is None:
            raise
        near = nearest_minimum(narrow, start, error.teacher, error.theta_teacher, **options)
    return replace(near, theta=with_differences(net, theta, narrow, near.theta))


def differences(net: MLP, theta: Array) -> tuple[MLP, Array]:
    """Returns the network whose outputs are Qᵀf, and its parameters."""
    basis = helmert(net.widths[-1])
    layers = list(net.unflatten(theta))
    weights, biases = layers[-1]
    layers[-1] = (basis @ weights, None if biases is None else basis @ biases)
    narrow = MLP(
        [*net.widths[:-1], len(basis)],
        [list(names) for names in net.activations[:-1]],
        bias=net.biases,
        parametrization=net.parametrization,
    )
    return narrow, narrow.flatten(layers)


def with_differences(net: MLP, theta: Array, narrow: MLP, point: Array) -> Array:
    """Returns the parameters of which `point` are the differences, and whose sums over outputs are those of θ."""
    basis = helmert(net.widths[-1])
    layers = list(narrow.unflatten(point))
    (weights, biases), (kept, kept_biases) = layers[-1], net.unflatten(theta)[-1]
    layers[-1] = (
        basis.T @ weights + kept.mean(axis=0),
        None if biases is None or kept_biases is None else basis.T @ biases + kept_biases.mean(),
    )
    return np.asarray(net.flatten(layers))
