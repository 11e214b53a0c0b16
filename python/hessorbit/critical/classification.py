"""`classify` says what a point of the loss is."""

from __future__ import annotations

from numpy.typing import ArrayLike

from .. import _checks
from .._blas import calm_blas
from ..any_objective import AnyObjective, check_objective
from ..endings import CriticalPoint, examine
from ..population.objective import warn_of_errors


def classify(obj: AnyObjective, theta: ArrayLike) -> CriticalPoint:
    """Returns what the loss has at θ: a minimum, a saddle, a flat place, a way to infinity, or no critical point.

    Parameters
    ----------
    obj : Objective or PopulationObjective
    theta : array_like, shape (P,)
        In longdouble, eigenvalues are known to eleven bits more, up to P = 400.

    Returns
    -------
    CriticalPoint
        Its `kind` is ``"minimum"``, ``"saddle"``, ``"degenerate"``, ``"not critical"`` or ``"to infinity"``, and its
        `message` says why.

    Raises
    ------
    TypeError, ValueError
        If obj is no objective, or theta is not one finite parameter vector of it.

    Notes
    -----
    Eigenvalues are those of the Hessian across the directions in which symmetry makes it flat, and count as zero below
    a bound on their rounding errors, or where the Newton step to the critical point changes them by half. θ counts as
    critical if that step changes the Hessian, in its own metric, by at most a half: then the inertia at θ is that of
    the critical point (Kantorovich's argument, tried at the end of the step instead of on all of a ball; `certify`
    proves it). Such a θ may still be far from that point: `distance`, and the message, bound how far, by the step and
    by that change. Where the Hessian does not annihilate the tangents of the orbit, as away from a critical point, it
    is taken across them too: the gradient is orthogonal to them everywhere. None of this depends on units, nor on the
    point of the orbit: inputs, outputs, and the weights around homogeneous and exponential neurons are brought to about
    size one first, by powers of 256, which are exact. The Hessian becomes A^{−T} H A^{−1}, of the same inertia by
    Sylvester's law [2]_, but with less between its largest and its smallest eigenvalue to be lost to rounding. Weight
    decay fixes the units, and all stays as it is.

    A minimum is strict across the orbit of the architecture's continuous symmetries and what the loss does not see;
    with other flat directions, such as those of duplicated or dead neurons, the point is degenerate.

    Up to P = 40, what double leaves open is tried in extended precision, after Newton steps there. Where no minimum or
    saddle is resolved, curves are tried on which parameters diverge: *channels* [1]_, on which
    neurons merge with each other, or with a constant, while their outgoing weights diverge and cancel; steps; growing
    outputs of separated classes; and the ray of the Newton step. Points count as on their way to infinity if the loss
    falls along such a curve at every doubling, or if the floor of the valley around it falls up to θ and does not rise
    beyond, in extended precision.

    Where activations have kinks, samples with a preactivation at one are named: derivatives see one side only. What
    they call a minimum or degenerate is tried on the others by short steps, along single parameters, at random, and
    against the gradients there; if the loss falls, the point is not critical. Samples whose residual is at the kink of
    the Huber loss have any curvature between none and their weight, by the direction. A point is a minimum if it is one
    without that; else it is a saddle if such a step lowers the loss, and undetermined, as degenerate, if none does.

    Costs two Hessians, the eigenvectors of one, and two losses for each of some curves; as much again where θ may be
    critical but for curves that lead down, and tens of Gauss–Newton steps where a valley is followed. At P = 1000 that
    is about four times the eigenvectors alone.

    References
    ----------
    .. [1] Martinelli, Van Meegen, Şimşek, Gerstner and Brea, "Flat channels to infinity in neural loss landscapes",
       arXiv 2506.14951 (2025).
    .. [2] Horn and Johnson, "Matrix Analysis", 2nd ed. (2013), theorem 4.5.8.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, np.tanh(2 * x))
    >>> saddle = ho.classify(obj, [0.0, 0.0])
    >>> saddle.kind, saddle.num_negative
    ('saddle', 1)
    >>> bool(obj.loss(saddle.direction) < obj.loss([0.0, 0.0]))
    True
    >>> ho.classify(obj, [2.0, 1.0]).kind
    'minimum'

    A straight line is the limit of neurons that become flatter while their outgoing weights grow:

    >>> line = ho.Objective(obj.net, x, 3 * x)
    >>> end = ho.classify(line, ho.minimize(line, [1.0, 1.0], max_steps=100).x)
    >>> end.kind, end.channels[0].unit
    ('to infinity', 'linear unit')
    """
    check_objective(obj)
    at = _checks.parameter_vector(theta, getattr(obj, "num_parameters", obj.net.num_parameters))
    warn_of_errors(obj, at)
    with calm_blas(len(at)):
        return examine(obj, at.copy())
