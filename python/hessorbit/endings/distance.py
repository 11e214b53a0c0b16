"""How far the critical point is to whose basin θ belongs: Kantorovich's bound, with the changes measured on the step.

Newton's iteration with the one matrix H, x ↦ x − H⁻¹ ∇L(x), starts with the step s. In the metric of H, for
W = V |Λ|^{−1/2}, let

    η = ‖|Λ|^{1/2} Vᵀ s‖      ε = ‖Wᵀ δH W‖, δH what rounding makes of H      h = ‖Wᵀ (H(θ + s) − H(θ)) W‖

If H changes along any way as it does along s, by h/η for each unit of length, the iteration stays within

    r = 2η / (1 − ε + √((1 − ε)² − 2h)),   the least r with   η + ε r + h r²/(2η) = r

so the critical point is within ‖s‖ + (r − η) ‖W‖ of θ (Kantorovich; Ortega and Rheinboldt, Iterative Solution of
Nonlinear Equations in Several Variables, 1970, section 12.6).
"""

from __future__ import annotations

import numpy as np

from .._checks import Array
from .._norms import norm
from ..matrix_errors import QuadratureErrors
from .even_units import EvenUnits
from .local_model import LocalModel
from .losses import NOISE


def distance_to_critical_point(even: EvenUnits, model: LocalModel) -> float:
    """A bound on ‖θ* − θ‖, in the units that were given; nan where the sign of an eigenvalue is open."""
    if not len(model.values) or not model.resolved.all():
        return np.nan
    sizes = np.abs(model.values)
    gradient, error = precise_gradient(model)
    slopes = model.vectors.T @ gradient
    roots = model.vectors / np.sqrt(sizes)
    length = float(norm(slopes / np.sqrt(sizes)))  # η
    rounding, change = min(model.rounding / float(sizes.min()), 0.5), model.change
    reach = 2 * length / (1 - rounding + np.sqrt(max((1 - rounding) ** 2 - 2 * change, 0.0)))
    beyond = reach * (rounding + (change * reach / (2 * length) if length else 0.0))  # r − η
    step = model.theta - even.theta - model.vectors @ (slopes / model.values)
    widest = float(norm(even.directions(roots)))
    return float(norm(even.directions(step)) + (beyond + error / np.sqrt(float(sizes.min()))) * widest)


def precise_gradient(model: LocalModel) -> tuple[Array, float]:
    """The gradient in extended precision, where there is one, as it cancels next to a critical point; and its error."""
    here = model.here
    theta, plain = here.theta, here.gradient
    if not isinstance(here.errors, QuadratureErrors):
        finer = here.obj.gradient(theta.astype(np.longdouble))
        ratio = float(np.finfo(np.longdouble).eps / np.finfo(theta.dtype).eps)
        return finer, NOISE * ratio * float(norm(finer - plain))
    return plain, here.errors.of("hessian", here.hessian.matrix) * max(1.0, float(norm(theta)))
