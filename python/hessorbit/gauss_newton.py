"""The Gauss–Newton matrix as a square, and a bound on what it leaves of the Hessian.

    ∇²L = FᵀF + l2·I + S,    F_n = √w_n C_n^{1/2} J_n,    S = Σ_n w_n Σ_k (∂ℓ_n/∂f_k) ∇²f_k(x_n; θ)

with normalised weights w, C_n = ∂²ℓ_n/∂f² (K, K) and J_n = ∂f(x_n; θ)/∂θ (K, P). S vanishes with the residual, and then
the singular values of F (`Objective.gauss_newton_factor`) say all about the Hessian, more precisely than the Hessian
itself.
"""

from __future__ import annotations

import math

import numpy as np

from ._checks import Array
from ._norms import norm
from .objective import Objective


def root_weights(obj: Objective) -> Array:
    """√(w_n / Σw), (N,)."""
    if obj.sample_weight is None:
        return np.full(obj.num_samples, 1 / math.sqrt(obj.num_samples))
    return np.asarray(np.sqrt(obj.sample_weight / obj.sample_weight.sum()))


PROBES = 8
LARGE = 2.0**300


def residual_curvature_bound(obj: Objective, theta: Array) -> float:
    """An upper bound on ‖S‖₂, exactly 0 where the residual is; theta (P,).

    Notes
    -----
    For m Gaussian vectors z_i, ‖S‖₂ ≤ 10 √(2/π) max_i ‖S z_i‖ with probability at least 1 − 10⁻ᵐ [1]_; m is 8, and
    the vectors are always the same, so that the same θ gives the same bound. S is linear in the residual and depends
    on the loss through it alone, so S z is the Hessian-vector product of a squared error whose residual is the same
    but for a factor so large that the Gauss–Newton part is lost beside it: no digits cancel, however small S is.
    Costs about 16 gradients.

    References
    ----------
    .. [1] Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53 (2011), Lemma 4.1.
    """
    residual = obj.residual(theta)
    size = np.abs(residual).max()
    if size == 0:
        return 0.0
    if not np.isfinite(size):
        return math.inf
    # Scaled in two steps, as LARGE / size may overflow.
    targets = (residual / size * -LARGE).astype(np.float64).reshape(obj.num_samples, -1)
    probe = Objective(obj.net, obj.x, targets, sample_weight=obj.sample_weight, threads=obj.threads)
    directions = np.random.default_rng(0).standard_normal((len(theta), PROBES))
    images = probe.hvp(theta, directions) / LARGE
    with np.errstate(over="ignore", invalid="ignore"):  # not finite where the Hessian is not
        bound = float(10 * math.sqrt(2 / math.pi) * norm(images, axis=0).max() * size)
    return bound if math.isfinite(bound) else math.inf
