"""Critical points of any residual, planted: labels are made for a given θ.

With residuals ρ_n = ∂ℓ/∂f = link(f_n) − y_n, the gradient is Σ_n w_n J_nᵀ ρ_n: it vanishes for every ρ that the
weighted Jacobian annihilates, however large, and then y = link(f) − ρ, as far as the loss takes such labels.
"""

from __future__ import annotations

import numpy as np

import hessorbit as ho
from hessorbit.targets import LOSSES as TABLE

from .problem import Problem

# The targets that outputs (N, K) fit exactly.
LINKS = {
    "squared_error": lambda f: f,
    "huber": lambda f: f,
    "logistic": lambda f: 1 / (1 + np.exp(-f)),
    "poisson": np.exp,
    "cross_entropy": lambda f: np.exp(f) / np.exp(f).sum(axis=1, keepdims=True),
}


def with_critical_point(problem: Problem, rng: np.random.Generator, size: float) -> Problem:
    """The problem with labels for which its θ is critical; the largest residual is `size`, or less if labels forbid it.

    The network must have more outputs on samples than parameters.
    """
    net = problem.network()
    f = net(problem.theta, problem.x)
    jacobian = ho.Objective(net, problem.x, np.zeros_like(f)).jacobian(problem.theta)
    weights = np.repeat(problem.normalised_weights.astype(float), f.shape[1])
    rows = (weights[:, None] * jacobian).T
    if problem.loss == "cross_entropy":  # residuals of a sample sum to 0
        rows = np.vstack([rows, np.kron(np.eye(len(f)), np.ones(f.shape[1]))])
    rho = rng.standard_normal(len(weights))
    _, values, right = np.linalg.svd(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-300))
    seen = right[: (values > 1e-12 * values[0]).sum()]
    for _ in range(2):  # twice is enough, to rounding
        rho -= seen.T @ (seen @ rho)
    rho = rho.reshape(f.shape) * (size / np.abs(rho).max())
    mean = LINKS[problem.loss](f)
    if TABLE[problem.loss]["targets"] != "real":  # labels are at least 0, and at most 1 but for counts
        highest = np.inf if TABLE[problem.loss]["targets"] == "nonnegative" else 1.0
        room = np.where(rho > 0, mean, highest - mean)
        rho *= min(1.0, 0.9 * float((room / np.abs(rho)).min()))
    if problem.loss == "huber":
        rho *= min(1.0, 0.9 * (problem.delta or 1.0) / np.abs(rho).max())
    return problem.replace(y=mean - rho)
