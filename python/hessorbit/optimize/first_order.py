"""gd, momentum and adam loop in the compiled core if the objective is compiled too; lbfgs is SciPy's L-BFGS-B."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from .. import _checks, _core
from .._checks import Array
from ..objective import Objective
from .descent import Descent
from .outcome import Stop
from .run import Run

SQUARABLE = 1e-100, 1e100


def gd(run: Run, *, learning_rate: float = 1e-2) -> Stop:
    """Gradient descent: θ ← θ − η g."""
    return descend(run, "gd", learning_rate)


def momentum(run: Run, *, learning_rate: float = 1e-2, momentum: float = 0.9) -> Stop:
    """Descends with momentum: v ← μ v + g, θ ← θ − η v."""
    return descend(run, "momentum", learning_rate, momentum=_checks.fraction(momentum, "momentum"))


def adam(
    run: Run, *, learning_rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Stop:
    """Descends by Adam, as torch does it."""
    return descend(
        run,
        "adam",
        learning_rate,
        momentum=_checks.fraction(beta1, "beta1"),
        beta2=_checks.fraction(beta2, "beta2"),
        epsilon=_checks.real(epsilon, "epsilon", minimum=0.0),
    )


def descend(
    run: Run,
    method: Literal["gd", "momentum", "adam"],
    learning_rate: float,
    *,
    momentum: float = 0.0,
    beta2: float = 0.0,
    epsilon: float = 0.0,
) -> Stop:
    rate = _checks.positive(learning_rate, "learning_rate")
    loop = (
        _core.Descent(run.obj.core, run.theta, method, rate, momentum, beta2, epsilon)
        if isinstance(run.obj, Objective)
        else Descent(run.evaluate, run.theta, method, rate, momentum, beta2, epsilon)
    )
    try:
        while (stop := reach(run, loop)) is None:
            # Every step is recorded up to 200, and then points a hundredth of the way further each time.
            due = loop.steps + max(1, loop.steps // 100)
            loop.advance(min(due, run.max_steps) - loop.steps, run.tol, run.loss_tol)
    except KeyboardInterrupt:
        if loop.steps > run.steps:
            reach(run, loop)
        raise
    return stop


def reach(run: Run, loop: _core.Descent | Descent) -> Stop | None:
    run.evaluations = loop.steps + 1
    return run.reach(loop.theta, loop.loss, loop.gradient, loop.steps)


def lbfgs(run: Run, *, memory: int = 20) -> Stop:
    """Descends by SciPy's L-BFGS-B, whose own tolerances are off: it ends a run only where no step lowers the loss."""
    from scipy.optimize import minimize

    latest: tuple[Array, float, Array] = run.theta, *run.evaluate(run.theta)
    stop = run.reach(*latest, 0)
    if stop is not None:
        return stop
    # SciPy squares gradients: one whose square leaves the range of float64 is brought into it, with the loss.
    size = float(np.abs(latest[2]).max())
    unit = 1.0 if SQUARABLE[0] < size < SQUARABLE[1] else 2.0 ** -math.frexp(size)[1]

    def evaluate(theta: Array) -> tuple[float, Array]:
        nonlocal latest
        latest = theta.copy(), *run.evaluate(theta)
        return unit * latest[1], unit * latest[2]

    def callback(intermediate_result: Any) -> None:
        nonlocal stop
        if not np.array_equal(latest[0], intermediate_result.x):
            evaluate(intermediate_result.x)
        stop = run.reach(*latest, run.steps + 1)
        if stop is not None:
            raise StopIteration

    # SciPy's own tolerances are off, as `reach` stops the run.
    options: Any = {
        "maxcor": _checks.integer(memory, "memory", minimum=1),
        "maxls": 50,
        "ftol": 0.0,
        "gtol": 0.0,
        "maxiter": run.max_steps + 1,
        "maxfun": np.iinfo(np.int32).max,
    }
    with run.failures_of("SciPy's L-BFGS-B"):
        minimize(evaluate, run.theta, jac=True, method="L-BFGS-B", callback=callback, options=options)
    return Stop.STALLED if stop is None else stop
