"""Losses along curves: in extended precision, with what rounding makes of them, and their limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._checks import Array
from ..any_objective import AnyObjective
from ..objective import Objective
from ..population import PopulationObjective
from ..restricted import RestrictedObjective, whole

NOISE = 8.0  # times what one change of all parameters by their rounding errors makes of the loss


def loss_and_noise(obj: AnyObjective, theta: Array, *, double: bool = False) -> tuple[Any, float]:
    """The loss as by `loss_at`, and how far rounding errors of parameters and quadrature move it."""
    theta = theta.astype(np.float64) if double or not extended(obj) else theta
    signs = np.random.default_rng(0).choice([-1.0, 1.0], len(theta))
    near = theta * (1 + np.finfo(theta.dtype).eps * signs.astype(theta.dtype))
    loss = loss_at(obj, theta, double=double)
    change = float(abs(loss_at(obj, near, double=double) - loss))
    rounding = NOISE * (change + float(np.finfo(theta.dtype).eps) * float(abs(loss)))
    return loss, rounding + quadrature_error(obj, theta, loss)


def quadrature_error(obj: AnyObjective, theta: Array, loss: float | None = None) -> float:
    """The error of the quadrature of a population's loss, which grows as neurons get steep; 0 of losses on samples.

    The loss is found if it is not given.
    """
    population, at = whole(obj, theta)
    if not isinstance(population, PopulationObjective) or not _core.all_finite(at):
        return 0.0
    return population._loss_error(at.astype(np.float64), loss)


def loss_at(obj: AnyObjective, theta: Array, *, double: bool = False) -> Any:
    """The loss, in extended precision where the objective has it; inf where θ is not finite.

    It stays a longdouble, as differences of losses count that are less than double's rounding of them.
    """
    kind: Any = np.longdouble if extended(obj) and not double else np.float64
    at: Array = theta.astype(kind)
    return obj.loss(at) if _core.all_finite(at) else np.inf


def extrapolated(losses: list[Any], noise: list[float]) -> Any:
    """The limit of a sequence, by Aitken's Δ² from its last three terms, if more than noise is left of its changes."""
    if len(losses) < 3:
        return losses[-1]
    first, second = losses[-2] - losses[-3], losses[-1] - losses[-2]
    if abs(second) < 0.9 * abs(first) and abs(second) > 10 * (noise[-1] + noise[-2]):
        limit = losses[-1] - second * second / (second - first)
        return max(limit, 0.0) if losses[-1] >= 0 else limit
    return losses[-1]


def limit_of(obj: AnyObjective, points: list[Array], losses: list[Any], noise: list[float]) -> tuple[float, float]:
    """The limit of the losses at points on a curve, and what errors of quadrature make of it.

    Aitken's Δ² rises with the last loss and the last but two, and falls with the one between them.
    """
    last = losses[-3:]
    errors = [quadrature_error(obj, at) for at in points[len(losses) - len(last) : len(losses)]]
    signs = [1.0, -1.0, 1.0][-len(last) :]
    moved = [loss + sign * error for loss, sign, error in zip(last, signs, errors, strict=True)]
    limit = extrapolated(losses, noise)
    return float(limit), float(max(abs(extrapolated(moved, noise) - limit), errors[-1]))


def extended(obj: AnyObjective) -> bool:
    """Whether an objective computes in extended precision."""
    return isinstance(obj.objective if isinstance(obj, RestrictedObjective) else obj, Objective)
