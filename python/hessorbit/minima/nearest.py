"""`nearest_minimum` finds the global minimum nearest to θ₀, with a certificate.

At a global minimum every student neuron copies a teacher neuron, idles in a zero group, or is constant; with the roles
of all neurons given, the nearest minimum is a projection. The roles are found in the core, by branch and bound or, for
few neurons, over all their sets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core, _html
from .._checks import Array
from .._words import number_of
from ..network import MLP
from .teacher import Setting, check_size, setting_of


@dataclass(frozen=True, eq=False, repr=False)
class NearestMinimum:
    """A `NearestMinimum` holds the nearest global minimum of a start, or of B starts (then arrays have a leading B).

    Attributes
    ----------
    distance : float or ndarray, shape (B,)
        Euclidean distance from θ₀ to `theta`, an upper bound on the distance to the set of global minima.
    lower_bound_covered : float or ndarray, shape (B,)
        No point of the covered pieces is nearer than this.
    theta : ndarray, shape (P,) or (B, P)
        The nearest minimum itself, rounded to float64: outgoing weights of copies that cancel compute the teacher's to
        about eps times their own size.
    assignment : ndarray of int, shape (m,) or (B, m)
        For each hidden neuron the teacher neuron that it copies; else a `NeuronRole`: −1 if it is dead or in a zero
        group, −2 if it is off (it never fires, whatever its outgoing weights), −3 if it is constant.
    group : ndarray of int, shape (m,) or (B, m)
        Number of the zero group of a neuron, where that has two members or more; else −1.
    scale : ndarray, shape (m,) or (B, m)
        Of a copy, what its incoming weights are as a multiple of the teacher neuron's; of a constant neuron, its
        output; in a zero group, the sign or relative scale.
    pieces : tuple of str
        The kinds of minima that were searched.
    complete : bool
        Whether these are all global minima. Only then is there a `lower_bound`.
    missing : str
        Which other minima there may be; empty if `complete`.
    nodes : int or ndarray, shape (B,)
        Parts of the search tree that were bounded, and assignments that were looked at besides.

    Examples
    --------
    >>> import hessorbit as ho
    >>> teacher, student = ho.MLP([1, 1, 1], bias=False), ho.MLP([1, 2, 1], bias=False)
    >>> near = ho.nearest_minimum(student, [0.9, 0.1, 1.0, 0.1], teacher, [1.0, 1.0])
    >>> near.complete, bool(near.lower_bound <= near.distance), bool(near.gap <= 1e-9)
    (True, True, True)
    """

    distance: float | Array
    lower_bound_covered: float | Array
    theta: Array
    assignment: Array
    group: Array
    scale: Array
    pieces: tuple[str, ...]
    complete: bool
    missing: str
    nodes: int | Array

    @property
    def lower_bound(self) -> float | Array:
        """Returns a bound than which no global minimum is nearer; raise AttributeError if not `complete`."""
        if self.complete:
            return self.lower_bound_covered
        raise AttributeError(
            f"lower_bound is not available, as there may be global minima outside the covered pieces ({self.missing}); "
            f"lower_bound_covered is the bound for the covered pieces"
        )

    @property
    def gap(self) -> float | Array:
        """Returns (distance − lower_bound_covered)/distance; 0 where both are 0."""
        return relative_gap(self.distance, self.lower_bound_covered)

    def __repr__(self) -> str:
        kinds = ", ".join(self.pieces) + ("" if self.complete else "; there may be other minima")
        if np.ndim(self.distance):
            starts, middle = number_of(np.size(self.distance), "start"), float(np.median(self.distance))
            return f"NearestMinimum({starts}, median distance {middle:.6g}, gap ≤ {np.max(self.gap):.1e}; {kinds})"
        return (
            f"NearestMinimum(distance={self.distance:.10g}, gap={self.gap:.1e}, "
            f"assignment={np.asarray(self.assignment).tolist()}; {kinds})"
        )

    def _repr_html_(self) -> str:
        alone = not np.ndim(self.distance)
        rows = {
            "distance": self.distance if alone else f"{np.median(self.distance):.6g}, the median of them",
            "gap": f"{np.max(self.gap):.1e}{'' if alone else ' at most'}",
            "neurons": "; ".join(map(self._role, range(len(self.assignment)))) if alone else None,
            "searched": ", ".join(self.pieces),
            "other minima": None if self.complete else self.missing,
        }
        starts = "a start" if alone else number_of(np.size(self.distance), "start")
        return _html.facts(f"Nearest minimum of {starts}", rows)

    def _role(self, neuron: int) -> str:
        """What a neuron of a single start does at the minimum, in words."""
        code, group = int(self.assignment[neuron]), int(self.group[neuron])
        if code >= 0:
            return f"{neuron} copies {code}"
        silent = _core.NeuronRole(code).name if group < 0 else f"in zero group {group}"
        return f"{neuron} is {silent}"


def nearest_minimum(
    net: MLP,
    theta0: ArrayLike,
    teacher: MLP,
    theta_teacher: ArrayLike,
    *,
    gap_tolerance: float = 1e-9,
    max_nodes: int | None = None,
    time_limit: float | None = None,
    threads: int | None = None,
) -> NearestMinimum:
    """Returns the global minimum of a student that is nearest to θ₀.

    Parameters
    ----------
    net : MLP
        The student: one hidden layer of m neurons, one activation in it.
    theta0 : array_like, shape (P,) or (B, P)
        The point or points to start from; those of a batch are searched in parallel.
    teacher : MLP
        A network of the same inputs, outputs and activations, with r ≤ m hidden neurons.
    theta_teacher : array_like
        Its parameters. The teacher must be irreducible: no dead, constant, duplicate or mirrored neurons.
    gap_tolerance : float
        The search ends when the gap is at most this, below 1.
    max_nodes : int, optional
        The search ends, with a gap, after this many parts of its tree and assignments looked at (1000 of these are
        always allowed); by default 20000 for up to 16 neurons, and falling to 200 for 256 and more.
    time_limit : float, optional
        Seconds after which the search of a start ends, with a gap. A point is always found; what else is found then
        depends on the machine.
    threads : int, optional
        Threads for a batch; by default what OpenMP allows. Results do not depend on it.

    Returns
    -------
    NearestMinimum

    Raises
    ------
    ReducibleTeacherError
        A ValueError that names the offending neurons and carries the narrower teacher.
    TypeError, ValueError
        If networks do not match or have more than one hidden layer, the teacher is wider than the student, θ has the
        wrong length, is not finite or beyond ±1e300, or an option is out of its range.
    OverflowError
        If the minimum, or what is computed on the way to it, leaves the range of float64.
    KeyboardInterrupt
        Ctrl-C ends the search.

    Notes
    -----
    A global minimum is a θ whose network equals the teacher's everywhere. Which are found, for an activation:

    ========================================  =======================================================================
    tanh, erf, softsign                       copies with signs
    sin, cube (odd), cos, square (even)       copies with signs
    sigmoid, normal_cdf                       copies, mirrored ones included, which shift the output bias
    relu, leaky_relu                          copies with any positive scale; of leaky_relu(-1) with any scale
    others                                    copies
    ========================================  =======================================================================

    and for all of them zero groups. Constant neurons as well (zero weights; what they add to the output is taken from
    its bias, or cancels), except for exp, square and cube with hidden biases; and neurons off where σ(0) = 0. The
    attribute `complete` says whether that is all (math: see the guide on global minima).

    With roles given, the squared distance to a piece is ::

        Σ_i [Σ_{k∈S_i} ‖w̃_k − s_k w̃*_i‖² + ‖Σ_{k∈S_i} s_k v_k − v*_i‖²/|S_i|]
        + Σ_Z [Σ_{k∈Z} ‖w̃_k − s_k w̄_Z‖² + ‖Σ_{k∈Z} s_k v_k‖²/|Z|] + ‖c − c*‖²

    and the roles are found by branch and bound, bounded by the Lagrangian dual that relaxes the sums over copies. Up to
    20 neurons, a search that has grown to 3^(m − 10) nodes is ended by dynamic programming over sets of neurons, which
    is exact; the default of `max_nodes` allows it up to 18. Where there are mirrored copies, it leaves assignments to
    be looked at one by one, and a gap if there are more than `max_nodes`, as for θ₀ near 0.

    References
    ----------
    Şimşek et al., "Geometry of the loss landscape in overparameterized neural networks: symmetries and invariances",
    ICML 2021.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> teacher, student = ho.MLP([1, 1, 1], bias=False), ho.MLP([1, 2, 1], bias=False)
    >>> near = ho.nearest_minimum(student, [0.9, 0.1, 1.0, 0.1], teacher, [1.0, 1.0])
    >>> near.assignment.tolist(), round(near.distance, 6)
    ([0, -1], 0.141421)
    >>> near.theta.tolist()
    [1.0, 0.1, 1.0, 0.0]
    """
    setting = setting_of(net, teacher, theta_teacher)
    start = _checks.cast(
        _checks.parameters(theta0, net.num_parameters, "theta0"), np.float64, "theta0", "the search for minima"
    )
    check_size(start, "theta0")
    gap = checked_gap(gap_tolerance)
    nodes = default_nodes(net.widths[1]) if max_nodes is None else _checks.integer(max_nodes, "max_nodes", minimum=1)
    seconds = math.inf if time_limit is None else _checks.positive(time_limit, "time_limit")
    workers = _checks.threads(threads)
    return search(setting, start, gap, nodes, workers, seconds)


def checked_gap(gap_tolerance: float) -> float:
    """Returns a gap between 0 and 1; of squared distances it is a stricter demand than of distances."""
    gap = _checks.positive(gap_tolerance, "gap_tolerance")
    if gap >= 1:
        raise ValueError(f"gap_tolerance must be below 1; got {gap!r}")
    return gap


def relative_gap(value: ArrayLike, lower_bound: ArrayLike) -> float | Array:
    """Returns (value − lower_bound)/value; 0 where both are 0."""
    value = np.asarray(value)
    gap = (value - lower_bound) / np.where(value > 0, value, 1.0)
    return gap if gap.ndim else float(gap)


def row_norms(rows: Array) -> Array:
    """Returns ‖row‖ for each row, also where squares overflow or underflow."""
    _, exponent = np.frexp(np.abs(rows).max(axis=1))
    return np.asarray(np.ldexp(np.linalg.norm(np.ldexp(rows, -exponent[:, None]), axis=1), exponent))


def default_nodes(width: int) -> int:
    """Returns how many nodes are searched by default; a node costs about as the square of the width."""
    return max(200, min(20000, round(20000 * math.pow(16 / width, 1.66))))


def search(
    setting: Setting, theta0: Array, gap_tolerance: float, max_nodes: int, threads: int, time_limit: float = math.inf
) -> NearestMinimum:
    """Returns what `nearest_minimum` does, for checked arguments."""
    start = np.atleast_2d(theta0)
    found = _core.nearest_minima(setting.geometry, *setting.split(start), gap_tolerance, max_nodes, time_limit, threads)
    theta = setting.join(found["incoming"], found["outgoing"], found["output"])
    if not np.isfinite(theta).all():
        taught = max(float(np.abs(part).max(initial=0.0)) for part in (setting.incoming, setting.outgoing))
        raise OverflowError(
            f"the nearest minimum leaves the range of float64: take entries of theta0, which reach "
            f"{np.abs(start).max():.3g} now, and of theta_teacher, some {taught:.3g}, of more equal size"
        )
    distance = row_norms(theta - start)
    lower = np.minimum(found["lower_bound"], distance)
    scale = setting.rescaled(found["teacher"], found["scale"], setting.factors)
    alone = theta0.ndim == 1
    return NearestMinimum(
        distance=float(distance[0]) if alone else distance,
        lower_bound_covered=float(lower[0]) if alone else lower,
        theta=theta[0] if alone else theta,
        assignment=found["teacher"][0] if alone else found["teacher"],
        group=found["group"][0] if alone else found["group"],
        scale=scale[0] if alone else scale,
        pieces=setting.pieces,
        complete=not setting.missing,
        missing=setting.missing,
        nodes=int(found["nodes"][0]) if alone else found["nodes"],
    )
