"""A bound on the rank of the Gauss–Newton matrix Σ_n J_nᵀ M_n J_n, from what outputs can be at all.

- Samples with the same x have the same J_n, and M_n has no more than rank k: k = K, or K − 1 where adding a number to
  all outputs leaves the loss the same.
- Where all activations are powers, J_n = Σ_m φ_m(x_n) A_m with the monomials φ_m of x up to the product of the powers,
  or of just that degree without biases (and of degree 0 with that of the output). Factors that a sample has by itself
  change nothing in that.

So the rank is at most k times the number of different x, and k times the number of monomials.
"""

from __future__ import annotations

import math

import numpy as np

from .._core import activation_table
from ..any_objective import AnyObjective
from ..network import MLP
from ..objective import Objective
from ..targets import LOSSES


def rank_bound(obj: AnyObjective) -> int:
    """Returns what the rank of the Gauss–Newton matrix cannot exceed, whatever θ is."""
    net = obj.net
    data = obj if isinstance(obj, Objective) else None
    outputs = net.widths[-1] - bool(data and LOSSES[data.loss_name]["shift_invariant"])
    most = min(net.num_parameters, outputs * monomials(net))
    return min(most, outputs * different_inputs(data)) if data else most


def different_inputs(obj: Objective) -> int:
    """Returns the number of different x among samples that have a weight."""
    x = obj.x if obj.sample_weight is None else obj.x[obj.sample_weight > 0]
    return len(np.unique(x, axis=0))


def monomials(net: MLP) -> int:
    """Returns the number of monomials that outputs before their activation are made of; P if others than powers are."""
    powers = {str(each["name"]): 1 if each["linear"] else int(each["power"]) for each in activation_table()}
    degree, even = 1, not any(net.biases[:-1])
    for names in net.activations[:-1]:
        each = {powers.get(name, 0) for name in names}
        if 0 in each:
            return net.num_parameters
        degree *= max(each)
        even = even and len(each) == 1
    inputs = net.widths[0]
    return math.comb(inputs + degree - 1, degree) + net.biases[-1] if even else math.comb(inputs + degree, degree)
