"""`minimize` checks its arguments, runs a method, and returns what the run reached, also when interrupted.

The methods are functions of a `Run` (run.py), which evaluates the objective, keeps the record, and says when to stop:
gd, momentum, adam and lbfgs in first_order.py, lm and newton in trust_region.py, flow in flow.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks
from .._blas import calm_blas
from .._own_points import own_points
from ..any_objective import AnyObjective, check_objective
from ..population.objective import warn_of_errors
from .outcome import Stop
from .run import Run

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

METHODS = {
    "gd": "first_order",
    "momentum": "first_order",
    "adam": "first_order",
    "lm": "trust_region",
    "newton": "trust_region",
    "lbfgs": "first_order",
    "flow": "flow",
}
MAX_STEPS = {
    "gd": 100_000,
    "momentum": 100_000,
    "adam": 100_000,
    "lm": 10_000,
    "newton": 10_000,
    "lbfgs": 20_000,
    "flow": 20_000,
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C interrupted a minimisation; `result` holds what it had reached.

    Attributes
    ----------
    result : scipy.optimize.OptimizeResult
        What `minimize` would have returned, at the last point reached.

    Examples
    --------
    >>> import hessorbit as ho
    >>> obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [2.0, 4.0])
    >>> def press_ctrl_c(result):
    ...     if result.nit == 2:
    ...         raise KeyboardInterrupt
    >>> try:
    ...     ho.minimize(obj, [0.0], method="gd", learning_rate=0.1, callback=press_ctrl_c)
    ... except ho.Interrupted as interrupted:
    ...     print(interrupted.result.nit, interrupted.result.x)
    2 [0.875]
    """

    def __init__(self, result: OptimizeResult) -> None:
        super().__init__(f"{result.message} The result so far is the attribute `result` of this exception.")
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return Interrupted, (self.result,)


def minimize(
    obj: AnyObjective,
    theta: ArrayLike,
    *,
    method: str = "lm",
    tol: float = 1e-10,
    loss_tol: float | None = None,
    max_steps: int | None = None,
    callback: Callable[[OptimizeResult], object] | None = None,
    keep_thetas: bool | None = None,
    **options: Any,
) -> OptimizeResult:
    """Minimises the loss from a starting point θ, and returns where and why it stopped.

    Parameters
    ----------
    obj : Objective, PopulationObjective or RestrictedObjective
    theta : array_like, shape (P,)
        Where to start; of a restricted objective, the free parameters alone.
    method : {"gd", "momentum", "adam", "lm", "newton", "lbfgs", "flow"}
        - ``"gd"``: θ ← θ − η g; option `learning_rate` η = 0.01.
        - ``"momentum"``: v ← μ v + g, θ ← θ − η v; options `learning_rate` = 0.01 and `momentum` μ = 0.9.
        - ``"adam"``: [1]_ as torch does it; options `learning_rate` = 0.001, `beta1` = 0.9, `beta2` = 0.999,
          `epsilon` = 1e-8.
        - ``"lm"``: Levenberg–Marquardt in a trust region [2]_ with the second-order correction of [3]_, for the squared
          error; option `radius`, the first radius, by default 100 max(1, ‖θ‖), each parameter counted in its own scale
          where these differ by more than 4096. The steps are least-squares solutions by an orthogonal reduction of the
          weighted Jacobian, which keep the digits that the normal equations lose. Only if N·K·P is above 2²⁴ is the
          Gauss–Newton matrix formed instead.
        - ``"newton"``: the minimiser of the exact quadratic model in a trust region [4]_; option `radius` as for lm. It
          leaves saddles, also where the gradient vanishes, and goes on where it is below `tol` while a step of ‖θ‖
          along negative curvature would raise it above.
        - ``"lbfgs"``: SciPy's L-BFGS-B; option `memory` = 20.
        - ``"flow"``: gradient flow dθ/dt = −∇L by one of SciPy's stiff integrators, with the exact Hessian as its
          Jacobian; options `solver` = ``"Radau"``, ``"BDF"`` or ``"LSODA"``, `rtol` = 1e-8, `atol` = 1e-10, `time`
          (when to stop, by default never), and `times` (when to record, by default at every step of the solver).
    tol : float
        Stop where max|∇L| ≤ tol.
    loss_tol : float, optional
        Also stop where L ≤ loss_tol.
    max_steps : int, optional
        Most steps to take; by default 100 000 for gd, momentum and adam, 20 000 for lbfgs and flow, 10 000 for lm
        and newton.
    callback : callable, optional
        Called as ``callback(result)`` whenever the trajectory is recorded, with an `OptimizeResult` that holds `x`,
        `fun`, `jac`, `gradient_norm` and `nit` (and `t` for flow). If it raises StopIteration, minimisation ends.
    keep_thetas : bool, optional
        Whether the trajectory keeps every recorded θ; by default only for flow.
    **options
        Those of the method.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With `x`, `fun` (the loss), `jac` (its gradient), `gradient_norm` (max|∇L|), `success`, `status` (a `Stop`: why
        it stopped), `outcome` (where, see the notes), `message`, `nit` (steps taken), `nfev`, `njev` and `nhev`
        (evaluations of loss, gradient, and of a Hessian or Jacobian), `method`, and `trajectory`: a `Trajectory`,
        recorded at every step; for gd, momentum and adam at the first 200 steps, and then whenever their number has
        grown by a hundredth.

    Raises
    ------
    TypeError, ValueError
        For arguments and options of the wrong type, name or range; `theta` has to be float64.
    Interrupted
        On KeyboardInterrupt. It is one, and its attribute `result` holds what had been reached.

    Notes
    -----
    Runs are deterministic. gd, momentum and adam loop in the compiled core, at the cost of a gradient a step. A step of
    lm takes the Jacobian and about 2 N·K·P² + 8 P³/3 operations; one of newton the Hessian and about 4 P³/3. Both take
    one thread beyond that, so that BLAS's threads are never in the way. On zero-residual problems lm is the method of
    choice; newton also minimises other losses, and is the faster one near a minimum whose residual is large.

    The outcome is what `classify` says of the point reached: ``"minimum"``, also where flat directions remain but the
    loss is at its lower bound; ``"saddle"``, and then `success` is False; ``"flat"``, which it calls degenerate; ``"to
    infinity"``, also after 100 or more of max_steps, but not of those of gd, momentum and adam, thousands of which cost
    less than `classify`. Where it finds no critical point, or for more than 1000 parameters, it is why the run ended:
    ``"stalled"`` if no digits are left before the gradient is small, ``"max_steps"``, ``"diverged"``, and ``"stopped"``
    by `loss_tol`, `time`, the callback or an interruption, by a `tol` above what a critical point has, or at a kink on
    another side of which the loss falls; then `success` is False. The message says the same in sentences.
    Errors of NumPy or SciPy in numbers near overflow become outcomes too.

    References
    ----------
    .. [1] Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    .. [2] Moré, "The Levenberg–Marquardt algorithm: implementation and theory", Numerical Analysis, Lecture Notes in
       Mathematics 630 (1978).
    .. [3] Transtrum and Sethna, "Improvements to the Levenberg–Marquardt algorithm for nonlinear least-squares
       minimization", arXiv:1201.5885 (2012).
    .. [4] Moré and Sorensen, "Computing a trust region step", SIAM J. Sci. Stat. Comput. 4 (1983).

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> rng = np.random.default_rng(0)
    >>> net = ho.MLP([2, 4, 1])
    >>> x, teacher = rng.standard_normal((50, 2)), net.init(rng, "normal(1)")
    >>> obj = ho.Objective(net, x, net(teacher, x))
    >>> result = ho.minimize(obj, net.init(rng, "normal(1)"), method="lm", tol=1e-12)
    >>> result.success, bool(result.gradient_norm <= 1e-12)
    (True, True)
    """
    from scipy.optimize import OptimizeResult

    check_objective(obj)
    name = _checks.one_of(method, list(METHODS), "method")
    start = _checks.parameter_vector(theta, obj.num_parameters)
    if _checks.is_extended(start):
        raise TypeError("theta must be float64, the precision in which minimize computes; got longdouble")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable; got {callback!r}")
    run = Run(
        obj=obj,
        method=name,
        theta=start.copy(),
        tol=_checks.real(tol, "tol", minimum=0.0),
        loss_tol=-np.inf if loss_tol is None else _checks.real(loss_tol, "loss_tol"),
        max_steps=MAX_STEPS[name] if max_steps is None else _checks.integer(max_steps, "max_steps", minimum=0),
        callback=callback,
        keep_thetas=name == "flow" if keep_thetas is None else bool(keep_thetas),
    )
    descend = getattr(import_module(f".{METHODS[name]}", __package__), name)
    check_options(options, descend, name)
    warn_of_errors(obj, start)
    try:
        # First-order methods have no matrix to factor, and threads of BLAS take cores from those of the core.
        threads = calm_blas(0 if METHODS[name] == "first_order" else obj.num_parameters)
        with threads, own_points(), np.errstate(all="ignore"):
            stop = descend(run, **options)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(OptimizeResult(**run.result(Stop.INTERRUPTED))) from interrupt
    warn_of_errors(obj, run.theta)
    return OptimizeResult(**run.result(stop))


def check_options(options: dict[str, Any], descend: Callable[..., Stop], method: str) -> None:
    known = [p.name for p in inspect.signature(descend).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise TypeError(f"method {method!r} has no option {name!r}; its options are {', '.join(known)}")
