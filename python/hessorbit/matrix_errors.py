"""How far the matrices that an objective computes at one θ are from their exact values.

On samples by bounds on rounding errors (error_bounds.py), or by an evaluation in longdouble where that is cheap and
tells more; on infinitely many samples by the estimated error of quadrature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import activations
from ._checks import Array
from ._kinks import Kink
from ._norms import norm
from .any_objective import AnyObjective
from .decomposition import UNDERFLOW
from .error_bounds import ErrorBounds, error_bounds
from .gauss_newton import residual_curvature_bound
from .objective import Objective
from .population import PopulationObjective
from .restricted import whole

# Longdouble evaluates N·P² of a Hessian in about 0.1 s, and in 10 ms.
MEASURABLE, QUICK = 2**25, 2**21
# The bound of the finer evaluation is this one scaled down, and this much more.
GUARD = 8
# What underflows on the way leaves an error of 2^-766 (full_range.hpp): less than rounding in a matrix of this norm.
FAR_FROM_UNDERFLOW = 2.0**-700


@dataclass(frozen=True, eq=False)
class RoundingErrors:
    """How far what the core computes at one θ is from the exact value for the stored data.

    The bounds are worst cases, often a hundred times too large. Where longdouble has more digits and the problem is
    small, the error is measured instead: it is at most ‖computed − finer‖_F and what the bounds say of the finer one.
    """

    objective: AnyObjective
    theta: Array

    @cached_property
    def whole(self) -> tuple[Objective, Array]:
        """The objective of all parameters, of whose errors those of a block are a part, and θ."""
        obj, theta = whole(self.objective, self.theta)
        assert isinstance(obj, Objective)
        return obj, theta

    @cached_property
    def bounds(self) -> ErrorBounds:
        return error_bounds(*self.whole)

    @cached_property
    def finer(self) -> float:
        """eps of longdouble over that of θ, if an evaluation in longdouble tells more and is cheap; else 0."""
        ratio = float(np.finfo(np.longdouble).eps / np.finfo(self.theta.dtype).eps)
        return ratio if ratio < 1 / 64 and self.cost <= MEASURABLE and not self.kinks else 0.0

    @property
    def kinks(self) -> tuple[Kink, ...]:
        """Where rounding decides on which side of a kink derivatives are taken; the first places."""
        return self.bounds.kinks

    def kinks_of(self, matrix: str) -> tuple[Kink, ...]:
        """Those that matter to the "hessian" or the "gauss_newton" matrix, which has no second derivatives of a net."""
        net = self.whole[0].net

        def jumps(kink: Kink) -> bool:
            return kink.layer > net.num_layers or activations.bent(net.activations[kink.layer - 1][kink.neuron])

        return tuple(kink for kink in self.kinks if matrix == "hessian" or jumps(kink))

    @property
    def cost(self) -> int:
        """Of a Hessian, N·P²."""
        return int(self.whole[0].num_samples * len(self.theta) ** 2)

    @property
    def slow(self) -> bool:
        """Whether measuring takes longer than all the rest."""
        return self.cost > QUICK

    @cached_property
    def finer_hessian(self) -> Array:
        return self.objective.hessian(self.theta.astype(np.longdouble))

    @cached_property
    def finer_gauss_newton(self) -> Array:
        return self.objective.gauss_newton(self.theta.astype(np.longdouble))

    def of(self, quantity: str, computed: Array, enough: float = 0.0) -> float:
        """A bound on the norm of the error of "hessian", "gauss_newton" or "factor"; rough if it is below `enough`."""
        rough = float(getattr(self.bounds, quantity))
        if norm(computed) < FAR_FROM_UNDERFLOW:
            return self.near_underflow(quantity, computed)
        if rough <= enough or not self.finer:
            return rough
        return least(rough, float(norm(computed - self.finer_of(quantity))) + GUARD * self.finer * rough)

    def near_underflow(self, quantity: str, computed: Array) -> float:
        """The same of what is so small that underflow may be all of it: longdouble has the exponents to tell."""
        theta = self.theta.astype(np.longdouble)
        if np.finfo(theta.dtype).minexp == np.finfo(np.float64).minexp:
            return FAR_FROM_UNDERFLOW
        obj, at = whole(self.objective, theta)
        assert isinstance(obj, Objective)
        finer, rough = self.finer_of(quantity), float(getattr(error_bounds(obj, at), quantity))
        return float(norm(computed - finer)) + rough + (UNDERFLOW * len(computed) if finer.any() else 0.0)

    def finer_of(self, quantity: str) -> Array:
        if quantity == "factor":
            return self.objective.gauss_newton_factor(self.theta.astype(np.longdouble))
        return self.finer_hessian if quantity == "hessian" else self.finer_gauss_newton

    @cached_property
    def curvature(self) -> float:
        """A bound on ‖S‖₂, what the Hessian has beside the Gauss–Newton matrix, however it was rounded."""
        rough = residual_curvature_bound(*self.whole) + self.bounds.curvature
        if not self.finer:
            return rough
        rest = float(norm(self.finer_hessian - self.finer_gauss_newton))
        return least(rough, rest + GUARD * self.finer * self.bounds.hessian)

    @cached_property
    def zero_residual(self) -> bool:
        """Whether S is no more than rounding may have done to the Hessian, for all that its diagonal tells."""
        diagonal = np.abs(self.objective.hessian_diagonal(self.theta)).max()
        slack = float(np.finfo(np.float64).eps) * len(self.theta) * float(diagonal) + self.bounds.hessian
        return math.isfinite(slack) and residual_curvature_bound(*self.whole) <= slack


@dataclass(frozen=True, eq=False)
class QuadratureErrors:
    """The same of what a `PopulationObjective` computes, by its own estimate of the error of an entry."""

    objective: AnyObjective
    theta: Array
    slow = False

    @cached_property
    def matrix(self) -> float:
        """For the norm of the error of the Hessian or of the Gauss–Newton matrix."""
        obj, theta = whole(self.objective, self.theta)
        assert isinstance(obj, PopulationObjective)
        return len(self.theta) * obj.error(theta)

    def kinks_of(self, matrix: str) -> tuple[Kink, ...]:
        """None: what expectations make of kinks is smooth."""
        return ()

    def of(self, quantity: str, computed: Array, enough: float = 0.0) -> float:
        """A bound on the norm of the error of "hessian", "gauss_newton" or "factor", whatever was computed."""
        return math.sqrt(self.matrix) if quantity == "factor" else self.matrix

    @cached_property
    def curvature(self) -> float:
        """A bound on the norm of what the Hessian has beside the Gauss–Newton matrix."""
        rest = self.objective.hessian(self.theta) - self.objective.gauss_newton(self.theta)
        return float(norm(rest)) + 2 * self.matrix if rest.any() else 0.0

    @cached_property
    def zero_residual(self) -> bool:
        """Whether that is no more than errors may have made of nothing."""
        return self.curvature <= 4 * self.matrix


def errors_of(obj: AnyObjective, theta: Array) -> RoundingErrors | QuadratureErrors:
    """How far what an objective computes at one θ is from the exact value."""
    return (RoundingErrors if isinstance(whole(obj, theta)[0], Objective) else QuadratureErrors)(obj, theta)


def least(rough: float, measured: float) -> float:
    """The smaller of two bounds; the first where the second is not a number."""
    return min(rough, measured) if measured == measured else rough
