"""`flow` follows dθ/dt = −∇L(θ) by SciPy's stiff integrators, with the exact Hessian as their Jacobian."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._checks import Array
from .outcome import Stop
from .run import Run

SOLVERS = ("Radau", "BDF", "LSODA")


def flow(
    run: Run,
    *,
    solver: str = "Radau",
    rtol: float = 1e-8,
    atol: float = 1e-10,
    time: float | None = None,
    times: ArrayLike | None = None,
) -> Stop:
    """Follows the flow until a time, or until another reason to stop; records at `times` or at every step."""
    from scipy import integrate
    from scipy.linalg import LinAlgWarning

    make = getattr(integrate, _checks.one_of(solver, SOLVERS, "solver"))
    tolerances = {"rtol": _checks.positive(rtol, "rtol"), "atol": _checks.positive(atol, "atol")}
    end = np.inf if time is None else _checks.positive(time, "time")
    every_step = times is None
    samples = [] if times is None else sample_times(times)
    if samples:
        end = min(end, samples[-1])

    def velocity(_: float, theta: Array) -> Array:
        return -run.evaluate(theta)[1]

    def jacobian(_: float, theta: Array) -> Array:
        run.hessians += 1
        return -run.obj.hessian(theta)

    stop = run.reach(run.theta, *run.evaluate(run.theta), 0, 0.0, record=every_step)
    if stop is not None:
        return stop
    with run.failures_of(f"SciPy's {solver}"), warnings.catch_warnings():
        # With a singular matrix a step fails, and the integrator tries a shorter one.
        warnings.simplefilter("ignore", LinAlgWarning)
        ode = make(velocity, 0.0, run.theta, end, jac=jacobian, **tolerances)
        while stop is None and ode.status == "running":
            ode.step()
            if ode.status == "failed":
                return Stop.STALLED
            steps = run.steps + 1
            while samples and samples[0] <= ode.t and stop is None:
                theta = ode.dense_output()(samples[0])
                stop = run.reach(theta, *run.evaluate(theta), steps, samples.pop(0))
            if stop is None:
                stop = run.reach(ode.y.copy(), *run.evaluate(ode.y), steps, float(ode.t), record=every_step)
    if run.remark:
        return Stop.STALLED
    return Stop.TIME if stop is None else stop


def sample_times(times: ArrayLike) -> list[float]:
    array = _checks.as_floats(times, "times")
    if array.ndim != 1 or not len(array):
        raise _checks.shape_error("times", "(R,) with R ≥ 1", array.shape)
    if array[0] < 0 or (np.diff(array) <= 0).any() or array[-1] == 0:
        raise ValueError("times must increase strictly from at least 0 to a positive time")
    return [float(t) for t in array]
