"""`best_conditioned` minimises a criterion over a network's own moves, or over all its widenings.

A move that multiplies every parameter's derivative by √D_p turns the Hessian into D^{1/2} H D^{1/2}, exactly for the
moves of a network's own orbit at any θ, and as far as the nonzero spectrum goes for a widening where H is the
Gauss–Newton matrix. What is minimised is therefore a function of the diagonal D over the set that the moves reach:
regions.py has the set, smoothed_spectrum.py and central_path.py the minimum, lower_bounds.py and conic.py the lower
bound, branching.py whole numbers of copies and signs, balance.py the point of the orbit that factors are counted from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html
from .._blas import SMALL, calm_blas
from .._checks import Array
from .._own_points import own_points
from ..any_objective import AnyObjective, check_objective, overflow
from ..endings import CriticalPoint, examine
from ..network import MLP
from ..population.objective import warn_of_errors
from ..restricted import RestrictedObjective
from ..symmetry.copies import checked_copies
from ..symmetry.element import GroupElement
from ..symmetry.group import SymmetryGroup, symmetries
from ..symmetry.rules import hidden_layers
from ..symmetry.widening import Widening
from .balance import Move, balanced_trace, balanced_weights, element_for, movable, no_move
from .branching import Search, Solution
from .choices import Choice, Choices
from .conic import LARGEST_RANK
from .curvature import GAUSS_NEWTON, HESSIAN, MATRICES, Curvature, Place, curvature, is_gauss_newton
from .diagonals import Architecture
from .lower_bounds import free_bound
from .outgoing_vectors import SECONDS, Apart, outgoing_vectors, search, searchable
from .realisation import (
    at_limits,
    at_rest,
    centre_of,
    element_of,
    idle_neurons,
    resting_bias,
    widening_of,
    without_idle_moves,
)
from .regions import LOG_SPAN
from .residual import (
    FREE,
    GAUSS_NEWTON_HINT,
    NEGATIVE,
    NONE,
    POSITIVE,
    Splitting,
    check_minimum,
    copies_within,
    improved,
    joint_bound,
    must_fill,
    numbers_of_copies,
    open_shares,
    reached,
    reasons,
    shares,
    splittings,
)
from .scope import linear_moves_are_left_out, orbit_scope, widening_scope
from .smoothed_spectrum import Extremes, SpectralFunction, Trace

CRITERIA = ("condition_number", "trace", "max")
MOST_SEARCHES = 6  # each reaches 1e8 farther
LARGE = 1000  # parameters from which on a second thread shortens LAPACK's factorisations, which are most of the work
CLOSED = 1e-4  # gap up to which a lower bound proves the minimum
FREE_ACCURACY = 1e-3
SHARE = 5  # of outgoing vectors: one in so many nodes, and numbers of copies that are tried
SECONDS_APART = 30  # of programs for outgoing vectors, unless more nodes are asked for
MIXED = "no certificate for the whole class: mixings and shifts of linear neurons, which are not searched, can lower it"


@dataclass(frozen=True, eq=False, repr=False)
class BestConditioned:
    """A result holds the best-conditioned point that `best_conditioned` found, and how far from the best it can be.

    Attributes
    ----------
    net : MLP
        The network, widened or not.
    theta : ndarray
        Its parameters, which give the same function.
    value : float
        The criterion there: λ_max/λ_min over the nonzero eigenvalues, the trace of the Hessian, or λ_max.
    lower_bound : float
        No point in `scope` has a smaller value, up to rounding.
    gap : float
        (value − lower_bound)/value.
    certificate : {"minimum", "bound", "none"}
        ``"minimum"``: the gap is at most 1e-4. ``"bound"``: the lower bound is for the question asked, but the gap is
        larger. ``"none"``: the criterion is not convex; the value is a local minimum, and the lower bound is that of
        a larger set of diagonals. Or mixings and shifts of linear neurons are left out, which can lower it. Or
        eigenvalues reach down into rounding, so that nonzero ones may be missing from the condition number.
    message : str
        The same in words, with the reason.
    scope : str
        Which points were searched, in words.
    start : float
        The criterion at the θ that was given.
    criterion : str
        What was minimised.
    rank : int
        Number r of eigenvalues above rounding: the value is `Spectrum.condition_number(rank=r)`.
    scaling : ndarray, shape (P,), or None
        D of the network that was given: the nonzero spectrum is that of D^{1/2} H D^{1/2}. None if neurons of sigmoid
        or normal_cdf are flipped, whose T Tᵀ is not diagonal, or if outgoing vectors of copies are not parallel.
    matrix : {"hessian", "gauss_newton"}
        Whose eigenvalues these are.
    copies : tuple of tuple of int
        Number of copies of each hidden neuron, by layer.
    widening : Widening or None
        What takes the θ given to `theta`, for a search over widenings. Where outgoing vectors of copies are not
        parallel, `theta` has others than ``widening(θ)``, of the same sums:
        ``widening.block_preconditioner(θ, theta)`` is their D.
    element : GroupElement or None
        The same for a search over the network's own orbit.
    uncopied : tuple of str
        Neurons of a minimum with a residual that cannot be copied without making a saddle, and why.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net, x = ho.MLP([1, 2, 1]), np.linspace(-1, 1, 20)[:, None]
    >>> theta = np.array([1.0, -2.0, 0.5, 0.3, 1.5, -1.0, 0.2])
    >>> best = ho.best_conditioned(ho.Objective(net, x, net(theta, x)), theta, widths=[4])
    >>> best.net, best.copies, best.certificate
    (MLP([1, 4, 1], 'tanh'), ((2, 2),), 'minimum')
    >>> bool(best.lower_bound <= best.value < best.start)
    True
    """

    net: MLP
    theta: Array
    value: float
    lower_bound: float
    certificate: str
    message: str
    scope: str
    start: float
    criterion: str
    matrix: str
    rank: int
    scaling: Array | None
    copies: tuple[tuple[int, ...], ...]
    widening: Widening | None = None
    element: GroupElement | None = None
    uncopied: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        return (self.value - self.lower_bound) / self.value

    def __repr__(self) -> str:
        return (
            f"Best {self.criterion.replace('_', ' ')} {self.value:.6g} of {self.net!r}, {self.start:.6g} at the start\n"
            f"  lower bound {self.lower_bound:.6g}, gap {self.gap:.1e}: {self.message}\n"
            f"  over {self.scope}"
        )

    def _repr_html_(self) -> str:
        return _html.facts(
            f"Best {self.criterion.replace('_', ' ')} of {self.net!r}",
            {
                "at the start": self.start,
                "at best": self.value,
                "lower bound": f"{self.lower_bound:.6g}, gap {self.gap:.1e}",
                "certificate": f"{self.certificate}: {self.message}",
                "over": self.scope,
                "copies": self.copies if self.widening is not None else None,
            },
        )


def best_conditioned(
    obj: AnyObjective,
    theta: ArrayLike,
    *,
    over: SymmetryGroup | None = None,
    widths: Sequence[int] | None = None,
    copies: Sequence[Sequence[int]] | None = None,
    matrix: str = "hessian",
    criterion: str = "condition_number",
    max_nodes: int | None = None,
) -> BestConditioned:
    """Returns the point of an orbit, or among all widenings, where the Hessian is best conditioned.

    Parameters
    ----------
    obj : Objective or PopulationObjective
        Without weight decay, which no symmetry leaves the same.
    theta : array_like, shape (P,)
    over : SymmetryGroup
        ``symmetries(net)``, to search the network's own orbit: rescalings of homogeneous neurons, shifts of exponential
        ones, and sign flips of those whose flips change the spectrum (sigmoid, normal_cdf). Of linear neurons only the
        rescalings are searched, not all invertible mixings; `scope` says so.
    widths : sequence of int
        Instead: the hidden widths to widen to, one per hidden layer, to search all widenings: how many copies of each
        neuron, how their outgoing weights are split, how homogeneous copies are scaled, exponential ones shifted, and
        which copies of sigmoid and normal_cdf neurons are flipped. With the Hessian this needs a
        minimum, and where its residual is not zero the search is over the copies that keep a minimum.
    copies : sequence of sequence of int
        Instead of or beside `widths`: given numbers of copies, one per hidden neuron by layer. What they leave of
        `widths` is filled with dead neurons.
    matrix : {"hessian", "gauss_newton"}
        Of the Gauss–Newton matrix H_wide = Tᵀ H T holds at any θ, for any loss and data.
    criterion : {"condition_number", "trace", "max"}
        What is minimised: λ_max/λ_min over the nonzero eigenvalues, the trace, or λ_max.
    max_nodes : int, optional
        How many nodes branch and bound may minimise, where one is not enough. By default 100, and fewer beyond P = 140.
        With fewer than 5, copies whose outgoing vectors are not parallel are not searched, which takes longest; by
        default that search is left out too where half a minute is not enough for one of its programs.

    Returns
    -------
    BestConditioned

    Raises
    ------
    TypeError, ValueError
        For arguments of the wrong type, shape or range; if widenings of the Hessian are asked for at a point that is
        neither of zero residual nor a minimum, or where every one is a saddle [1]_; and if the Hessian is not positive
        semidefinite, or is zero, or overflows.
    ArithmeticError
        If the search leaves the range of float64.

    Notes
    -----
    With u = log D, λ_max and the trace are convex functions of u, and so is log κ if H is nonsingular; the moves allow
    a convex set of u. If H is singular and there is one hidden layer, κ is quasiconvex in D, and the D that the moves
    allow are a convex set once every homogeneous neuron has at least two copies. These cases are solved along the
    central path, and what is left, whole numbers of copies, their signs, and homogeneous neurons without copies, by
    branch and bound. With one hidden layer lower bounds come from a semidefinite program where Clarabel is installed
    (``pip install "hessorbit[conic]"``), and are coarser without it. There is no certificate for the condition number
    of a deeper network with a singular H, such as one of rectifiers.

    At a residual H_wide has a form beside D for every neuron that is copied. A minimum stays one if that form has
    B ⪰ 0 and no share is negative, B ⪯ 0 and one share alone is positive, or B = 0, and C = 0, as where the next layer
    has one neuron; `uncopied` names the neurons that fail. Where B = 0, as of rectifiers with one output, D says all.
    Else numbers of copies are tried one by one, with equal shares, those of the best D, and others nearby; the value
    is that of the wide Hessian over its eigenvalues that are not zero. The lower bound is the least λ_max over the
    smaller of λ_min, both of D^{1/2} H D^{1/2}, and what deviations of copies have at most, λ⁺(B)(1 − D_in)/(m − 1):
    jointly over D with one hidden layer and Clarabel. Only equal shares have so much, so that a gap may be left.
    Homogeneous, exponential or flipped neurons beside others are then not copied
    unless their B is 0.

    For K > 1 outputs copies may have outgoing vectors u_k that are not parallel, with the same sum: a neuron's D_in is
    the matrix Σ u_k u_kᵀ then, at least that of parallel ones, which are therefore best for the trace and λ_max. The
    rank grows, and κ is taken over all eigenvalues that are not zero, the new ones included: descent has to contract
    these modes too, whereas over as many eigenvalues as before κ would fall by counting, as large new ones take the
    places of small old ones. With one hidden layer of activations that are neither homogeneous nor exponential, nor
    flipped, these copies are searched as well, where Clarabel is installed: by branch and bound over spans of the u_k
    for two outputs, and for more with a lower bound on those that are not parallel, which `scope` tells if none better
    was found. Elsewhere they are left out, as is what unused neurons with a constant activation could do for the next
    layer's biases, whose derivatives they multiply, and unused neurons that keep their incoming weights, which raise
    the rank. Factors are counted from
    the balanced point of the orbit, so the answer does not depend on which representative is given, and stay between
    1e-8 and 1e8; where the best point is near that limit, the search is repeated around it. What copies' outgoing
    weights cancel stays below 1e4 too: at least twelve digits of the function remain.

    Away from critical points the Hessian has curvature along its orbit, H A θ = −Aᵀ ∇L for a generator A. These
    directions are left out of the spectrum at every θ, and `message` tells the size of the gradient.

    A node takes 20 to 60 steps of Newton's method. Each finds the eigenvalues of an r × r matrix, r ≤ P, about twice,
    and its eigenvectors once; the last ones, and those where κ is above 1e10 or so, take singular value decompositions
    of an r × P matrix, which are twice as much. Without `max_nodes`, branch and bound ends where the nodes left would
    close little of the gap.

    References
    ----------
    .. [1] Fukumizu and Amari, "Local minima and plateaus in hierarchical structures of multilayer perceptrons", Neural
       Networks 13 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> rng = np.random.default_rng(0)
    >>> net = ho.MLP([2, 2, 1])
    >>> theta, x = net.init(rng, "normal(1)"), rng.normal(size=(50, 2))
    >>> obj = ho.Objective(net, x, net(theta, x))
    >>> best = ho.best_conditioned(obj, theta, widths=[6])
    >>> best.value < best.start, best.gap < 1e-4
    (True, True)
    >>> wide = ho.Objective(best.net, x, obj.y)
    >>> kappa = ho.spectrum(wide, best.theta, matrix="gauss_newton", method="jacobian").condition_number(rank=best.rank)
    >>> bool(abs(kappa / best.value - 1) < 1e-9)
    True
    """
    return answer_to(
        question_of(obj, theta, over, widths, copies, matrix=matrix, criterion=criterion, max_nodes=max_nodes)
    )


@dataclass(frozen=True)
class Question:
    """A question is what was asked, checked; and what is known of the point already."""

    obj: AnyObjective
    theta: Array
    orbit: bool
    criterion: str
    matrix: str
    widths: tuple[int, ...]
    copies: list[list[int]] | None  # numbers of copies, if given
    nodes: int
    patient: bool  # whether so many are wanted, even where they would close little of the gap
    point: CriticalPoint | None = None

    @property
    def counted(self) -> bool:
        return self.copies is not None

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.obj.net, self.widths)

    def curvature(self, move: Move) -> Curvature:
        """Returns the criterion as a function of log D from where a move takes θ."""
        return curvature(self.moved(move), self.architecture, self.criterion, GAUSS_NEWTON if self.fits else HESSIAN)

    def diagonal(self, move: Move) -> Array:
        """Returns the diagonal of the matrix where a move takes θ, (P,)."""
        if not self.fits:
            return diagonal_of(self.curvature(move).function)[: len(self.theta)]
        rows = self.obj.gauss_newton_factor(self.moved(move).theta)
        return np.asarray(np.einsum("np,np->p", rows, rows))

    def moved(self, move: Move) -> Place:
        """Returns the point to which a move takes θ, which is θ itself where nothing moves."""
        theta = element_for(symmetries(self.obj.net), move)(self.theta)
        return self.here if np.array_equal(theta, self.theta) else Place(self.obj, theta)

    @cached_property
    def here(self) -> Place:
        return Place(self.obj, self.theta)

    @cached_property
    def fits(self) -> bool:
        """Tells whether the matrix transforms as the Gauss–Newton matrix does.

        The Hessian does where the residual is zero, which the rounding of another representative may hide: the one
        that is given and the balanced one are asked.
        """
        if self.matrix == GAUSS_NEWTON or is_gauss_newton(self.here, self.criterion):
            return True
        balanced = self.moved(balanced_weights(self.obj.net, self.theta))
        return balanced is not self.here and is_gauss_newton(balanced, self.criterion)


def question_of(
    obj: AnyObjective,
    theta: ArrayLike,
    over: SymmetryGroup | None = None,
    widths: Sequence[int] | None = None,
    copies: Sequence[Sequence[int]] | None = None,
    *,
    matrix: str = HESSIAN,
    criterion: str = CRITERIA[0],
    max_nodes: int | None = None,
    point: CriticalPoint | None = None,
) -> Question:
    """Returns the question that arguments of `best_conditioned` are; `point` says what θ is, if that is known."""
    at = checked_point(obj, theta)
    name = _checks.one_of(criterion, CRITERIA, "criterion")
    if (over is None) == (widths is None and copies is None):
        raise TypeError("best_conditioned takes either over=symmetries(net), or widths, copies or both")
    net = obj.net
    if over is not None:
        check_group(over, net)
        sizes, numbers = net.widths[1:-1], None
    else:
        sizes, numbers = checked_widening(net, widths, copies)
    nodes = default_nodes(net)
    if max_nodes is not None:
        nodes = _checks.integer(max_nodes, "max_nodes", minimum=1)
    return Question(
        obj=obj,
        theta=at,
        orbit=over is not None,
        criterion=name,
        matrix=_checks.one_of(matrix, MATRICES, "matrix"),
        widths=sizes,
        copies=numbers,
        nodes=nodes,
        patient=max_nodes is not None,
        point=point,
    )


def answer_to(question: Question) -> BestConditioned:
    """Returns the best point that is found."""
    net, at = question.obj.net, question.theta
    warn_of_errors(question.obj, at)
    threads = calm_blas(net.num_parameters if net.num_parameters > LARGE else SMALL)
    with threads, np.errstate(all="ignore"), own_points():
        choices = orbit_choices(net) if question.orbit else copy_choices(net, question.widths, question.copies)
        try:
            return answered(question, choices)
        except np.linalg.LinAlgError as error:
            raise ArithmeticError(
                f"the search leaves the range of float64 ({error}), with parameters up to {np.abs(at).max():.3g}: "
                f"rescale the network, as by canonical(net, theta), or inputs and targets"
            ) from error


def answered(question: Question, choices: Choices) -> BestConditioned:
    if not (question.orbit or question.fits):
        return with_residual(question, choices)
    answer = solve(question, choices)
    best = report(question, answer)
    return best if answer.curvature.doubtful else with_outgoing_vectors(question, choices, best)


@dataclass(frozen=True)
class Answer:
    """An answer is the best diagonal, counted from where `move` takes θ, with a lower bound on the log-criterion."""

    curvature: Curvature
    move: Move
    search: Search
    solution: Solution
    log_bound: float
    confined: bool  # whether the limits of the factors of D hold it back


def solve(question: Question, choices: Choices) -> Answer:
    """Searches around the balanced point, and again around the best point found while that is near the limits."""
    net = question.obj.net
    move, mobile = no_move(net), any(any(movable(hidden)) for hidden in hidden_layers(net))
    if mobile:
        move = balanced_weights(net, question.theta)
        move = balanced_trace(question.architecture, question.diagonal(move)).after(move)
    for attempt in range(MOST_SEARCHES):
        seen = question.curvature(move)
        search = search_for(question, seen.function)
        if not seen.function.convex:
            choices = tuple(with_curve(choice) for choice in choices)
        found, bound = search.run(choices)
        solution = without_idle_moves(found, seen.function)
        centre = centre_of(solution)
        if centre is None or attempt == MOST_SEARCHES - 1:
            break
        move = centre.after(move)
    move = move.without(idle_neurons(search.architecture, seen.function))
    return Answer(seen, move, search, solution, bound, at_limits(solution))


def with_residual(question: Question, choices: Choices) -> BestConditioned:
    """Returns the best widening of a minimum with a residual among those that are minima too (residual.py)."""
    net, obj, theta = question.obj.net, question.obj, question.theta
    check_minimum(question.point or examine(obj, theta))
    found = splittings(obj, theta)
    flat = [each for row in found for each in row]
    refused = reasons(found)
    copied = [choice.low > 1 and each.kind == NONE for choice, each in zip(choices, flat, strict=True)]
    if any(copied):
        raise ValueError(
            f"copies must leave alone what makes a saddle if copied: {'; '.join(refused)}; {GAUSS_NEWTON_HINT}"
        )
    moving = any(any(movable(hidden)) for hidden in hidden_layers(net)) or any(choice.flips for choice in choices)
    allowed = (FREE,) if moving else (FREE, POSITIVE, NEGATIVE)
    settled = tuple(
        choice if each.kind in allowed else replace(choice, low=1, high=1)
        for choice, each in zip(choices, flat, strict=True)
    )
    scope = widening_scope(net, question.widths, question.counted) + ". Only those that are minima"
    scope += f"; cannot be copied: {'; '.join(refused)}" if refused else ""
    full = must_fill(net)
    for index, row in enumerate(found):
        spare = question.widths[index] > len(row)
        if spare and full[index] and not any(each.kind in allowed for each in row):
            why = "; ".join(refused) or "their B is not zero, and others are rescaled or flipped"
            raise ValueError(
                f"widths[{index}] cannot be more than {len(row)} without making a saddle, as no neuron of the layer "
                f"can be copied: {why}; {GAUSS_NEWTON_HINT}"
            )
    if all(choice.high == 1 or each.kind == FREE for choice, each in zip(settled, flat, strict=True)):
        return replace(report(question, solve(question, settled)), scope=scope, uncopied=refused)
    starts = np.cumsum([0, *map(len, found)])
    layers = [settled[start:stop] for start, stop in pairwise(starts.tolist())]
    per_layer = [
        numbers_of_copies([(choice.low, choice.high) for choice in layer], width, fill)
        for layer, width, fill in zip(layers, question.widths, full, strict=True)
    ]
    answers = [with_copies(question, settled, found, copies) for copies in product(*per_layer)]
    best = min(answers, key=lambda each: each.value)
    bound = min(each.lower_bound for each in answers)
    closed = best.value - bound <= CLOSED * best.value
    proven = all(each.certificate != "none" for each in answers)
    message = (
        "the minimum over the scope, up to the gap"
        if closed and proven
        else "not proved to be the minimum: the lower bound leaves out part of what copies add to the Hessian"
    )
    return replace(
        best,
        lower_bound=bound,
        certificate="none" if not proven else "minimum" if closed else "bound",
        message=message,
        scope=scope,
        uncopied=refused,
    )


def with_outgoing_vectors(question: Question, choices: Choices, best: BestConditioned) -> BestConditioned:
    """Returns copies whose outgoing vectors are not parallel, if they are better, or with what is known of them."""
    obj = question.obj
    copied = any(choice.high > 1 for choice in choices) and not question.orbit and question.nodes >= SHARE
    if not (copied and question.criterion == "condition_number" and searchable(obj, choices)):
        return best
    width = question.widths[-1]
    parts = outgoing_vectors(obj, question.theta, width)
    everywhere = widening_scope(obj.net, question.widths, question.counted, parallel=False)
    if parts.vectors.shape[1] == 1:  # the loss sees one combination of the outputs, in which vectors are parallel
        return replace(best, scope=everywhere)
    if parts.rank > LARGEST_RANK:
        return best
    fill = not question.counted and resting_bias(hidden_layers(obj.net)[0]) is None
    nodes = question.nodes // SHARE
    if not question.patient:
        nodes = min(nodes, int(SECONDS_APART / (SECONDS * parts.rank**5)))
    if not nodes:
        return best
    tuples = list(islice(copies_within([(c.low, c.high) for c in choices], width, fill), nodes + 1))
    all_of_them = len(tuples) <= nodes
    found = search(parts, tuples if all_of_them else best.copies, best.value, nodes)
    bound = min(best.lower_bound, found.bound if all_of_them else 1.0)
    if found.best is None and best.value - bound > CLOSED * best.value:
        below = f", and none is below {found.bound:.6g}" if all_of_them and found.bound > 1 else ""
        return replace(best, scope=f"{best.scope}; none better was found{below}")
    if found.best is not None:
        best = apart(question, best, found.best)
    closed = best.value - bound <= CLOSED * best.value
    return replace(
        best,
        lower_bound=min(bound, best.value),
        certificate="minimum" if closed else "bound",
        message=explanation(closed, True, False),
        scope=everywhere,
    )


def apart(question: Question, best: BestConditioned, found: Apart) -> BestConditioned:
    """Returns the result with copies whose outgoing vectors are not parallel."""
    net, (width,) = question.obj.net, question.widths
    widening = Widening(net, [found.copies], dead=[width - sum(found.copies)])
    theta = at_rest(widening, widening(question.theta))
    outgoing, starts = widening.net.unflatten(theta)[-1][0], np.cumsum([0, *found.copies])
    for change, (start, stop) in zip(found.changes, pairwise(starts.tolist()), strict=True):
        outgoing[:, start:stop] += change / widening.net.multipliers[-1]
    return replace(
        best, net=widening.net, theta=theta, value=found.value, rank=found.rank, scaling=None, copies=(found.copies,),
        widening=widening
    )  # fmt: skip


def with_copies(
    question: Question, choices: Choices, found: list[list[Splitting]], copies: tuple[tuple[int, ...], ...]
) -> BestConditioned:
    """Returns the best shares found for given copies of a minimum's neurons, with the criterion of the wide Hessian."""
    net, obj, theta = question.obj.net, question.obj, question.theta
    flat = [m for row in copies for m in row]
    settled = tuple(replace(choice, low=m, high=m) for choice, m in zip(choices, flat, strict=True))
    answer = solve(question, settled)
    incoming = answer.solution.scalings.factors(answer.solution.point.v)[0]
    factors = [[float(incoming[i]) for i in layer] for layer in answer.search.layers]
    best = report(question, answer)
    kappa = question.criterion == "condition_number"
    added = sum((m - 1) * each.rank for row, numbers in zip(found, copies, strict=True)
                for each, m in zip(row, numbers, strict=True))  # fmt: skip
    rank = best.rank + added if kappa else sum(flat)
    dead = [width - sum(row) for width, row in zip(question.widths, copies, strict=True)]
    splits = [[[1 / m for m in row] for row in copies], factors]
    bound = best.lower_bound
    if kappa and (joint := joint_bound(answer.curvature.function, answer.solution.scalings, flat, found)):
        bound = max(bound, joint.value)
        splits.append([[float(joint.incoming[i]) for i in layer] for layer in answer.search.layers])
    trials = []
    for split in splits:
        coefficients = [
            [shares(each.kind, m, d) for each, m, d in zip(row, numbers, parts, strict=True)]
            for row, numbers, parts in zip(found, copies, split, strict=True)
        ]
        widening = Widening(net, copies, coefficients=coefficients, dead=dead)
        trials.append((reached(obj, theta, widening, question.criterion, rank), widening))
    if kappa and open_shares(found, copies) and min(value for value, _ in trials) - bound > CLOSED * bound:
        trials.append(improved(obj, theta, min(trials, key=lambda pair: pair[0])[1], found, rank))
    value, widening = min(trials, key=lambda pair: pair[0])
    return replace(
        best,
        net=widening.net,
        theta=widening(theta),
        value=value,
        lower_bound=min(bound, value),
        rank=rank if kappa else len(widening(theta)),
        scaling=widening.preconditioner(),
        copies=copies,
        widening=widening,
    )


def diagonal_of(function: SpectralFunction) -> Array:
    """Returns H_pp, (P + Q,)."""
    if isinstance(function, Trace):
        return function.diagonal
    assert isinstance(function, Extremes)
    return np.asarray(np.einsum("rp,rp->p", function.factor, function.factor))


def checked_point(obj: AnyObjective, theta: ArrayLike) -> Array:
    check_objective(obj)
    if isinstance(obj, RestrictedObjective):
        raise TypeError(
            "obj must have all parameters free, as symmetries move all of them; got a RestrictedObjective: give its "
            "attribute `objective`, and `full(theta)`"
        )
    if obj.l2:
        raise ValueError(f"obj must not have weight decay, which symmetries change; got l2={obj.l2!r}")
    at = _checks.parameter_vector(theta, obj.net.num_parameters)
    if _checks.is_extended(at):
        raise TypeError("theta must be float64, the precision in which scalings are sought; got longdouble")
    if not (np.isfinite(obj.loss(at)) and np.isfinite(obj.hessian_diagonal(at)).all()):
        raise overflow(at, "matrix", "hessian")
    return at


def check_group(over: Any, net: MLP) -> None:
    _checks.instance(over, SymmetryGroup, "over", "symmetries(net)")
    if over.net != net:
        raise ValueError(f"over must be the symmetries of obj's network {net!r}; got those of {over.net!r}")


def checked_widening(
    net: MLP, widths: Sequence[int] | None, copies: Sequence[Sequence[int]] | None
) -> tuple[tuple[int, ...], list[list[int]] | None]:
    """Returns the hidden widths to widen to, and the numbers of copies, if given."""
    hidden = net.widths[1:-1]
    numbers = None if copies is None else checked_copies(net, copies)
    if widths is None:
        assert numbers is not None
        return tuple(map(sum, numbers)), numbers
    entries = _checks.entries(widths, "widths", len(hidden), "one per hidden layer")
    least = hidden if numbers is None else list(map(sum, numbers))
    sizes = [_checks.integer(entry, f"widths[{index}]", minimum=1) for index, entry in enumerate(entries)]
    for index, (hidden_layer, size, low) in enumerate(zip(hidden_layers(net), sizes, least, strict=True)):
        if size < low:
            what = "as many neurons as the layer has" if numbers is None else f"the sum of copies[{index}]"
            raise ValueError(f"widths[{index}] must be at least {low}, {what}; got {size}")
        if numbers is not None and size > low and resting_bias(hidden_layer) is None:
            raise ValueError(
                f"copies[{index}] must sum to widths[{index}] = {size}, as an unused {hidden_layer.names[-1]} neuron "
                f"would not be zero without a bias; it sums to {low}"
            )
    return tuple(sizes), numbers


def default_nodes(net: MLP) -> int:
    """Returns how many minima are sought in about half a minute, and at most 100.

    With homogeneous neurons of one hidden layer and small matrices, each takes a semidefinite program, whose time grows
    with the fifth power of the rank; small ones, that have digits to lose, take many steps.
    """
    layers = hidden_layers(net)
    rank = net.num_parameters - net.widths[1]  # rescalings move along as many zero modes
    if rank <= LARGEST_RANK and len(layers) == 1 and any(rule.degree for rule in layers[0].rules):
        return int(np.clip(30 / max(8e-4 * rank**2, 1.2e-9 * rank**5), 2, 100))
    return int(np.clip(2e6 / net.num_parameters**2, 4, 100))


def search_for(question: Question, function: SpectralFunction) -> Search:
    net = question.obj.net
    first = np.cumsum([0, *net.widths[1:-1]]).tolist()
    layers = tuple(range(start, stop) for start, stop in pairwise(first))
    full = tuple(resting_bias(hidden) is None for hidden in hidden_layers(net))
    return Search(
        function, question.architecture, layers, question.widths, full, question.nodes, patient=question.patient
    )


def orbit_choices(net: MLP) -> Choices:
    """Returns the choices of an orbit: every neuron is rescaled or shifted by itself."""
    return copy_choices(net, net.widths[1:-1], [[1] * width for width in net.widths[1:-1]])


def copy_choices(net: MLP, sizes: Sequence[int], numbers: list[list[int]] | None) -> Choices:
    """Returns the choices of widenings: the numbers of copies given, or any that fit."""
    choices: list[Choice] = []
    flippable = set(Architecture(net, tuple(sizes)).flippable.tolist())
    for index, (hidden, size) in enumerate(zip(hidden_layers(net), sizes, strict=True)):
        _, shifted = movable(hidden)
        for neuron, rule in enumerate(hidden.rules):
            if numbers is None:
                most = size - hidden.width + 1
                low, high = 1, min(most, 2) if rule.degree == 1 else most
            else:
                low = high = numbers[index][neuron]
            flips = len(choices) in flippable
            choices.append(Choice(rule.degree, low, high, shifted=neuron in shifted, flips=flips))
    return tuple(choices)


def with_curve(choice: Choice) -> Choice:
    """Returns the choice with the range in which the curve of a homogeneous neuron without copies is searched."""
    if not choice.degree:
        return choice
    widest = LOG_SPAN / choice.degree
    return replace(choice, range=(-widest, widest))


def report(question: Question, answer: Answer) -> BestConditioned:
    """Returns the solution as a network and its parameters, with what the bound proves."""
    search, solution, function = answer.search, answer.solution, answer.curvature.function
    net, log_bound = question.obj.net, answer.log_bound
    searched = bool(np.isfinite(log_bound))
    if not searched and isinstance(function, Extremes):
        log_bound = free_bound(function, search.architecture, FREE_ACCURACY)
    if question.criterion == "condition_number":
        log_bound = max(log_bound, 0.0)
    value = math.exp(solution.log_value)
    bound = min(math.exp(log_bound), value)  # above it by rounding alone
    # Bounds that need no convexity in log D hold beyond the limits of its factors.
    closed = value - bound <= CLOSED * value and not (answer.confined and function.convex)
    element = widening = None
    if question.orbit:
        element = element_of(symmetries(net), solution, answer.move)
        wide, best = net, element(question.theta)
    else:
        widening = widening_of(search.architecture, solution, answer.move)
        wide, best = widening.net, at_rest(widening, widening(question.theta))
    moved = answer.move.log_scaling(search.architecture)
    mixed = linear_moves_are_left_out(net)
    sure = not (mixed or answer.curvature.doubtful)
    once = np.where(search.architecture.second, -np.inf, 0.0)
    return BestConditioned(
        net=wide,
        theta=best,
        value=value,
        lower_bound=bound,
        certificate="minimum" if closed and sure else "bound" if searched and sure else "none",
        message="; ".join(
            filter(None, [explanation(closed, searched, answer.confined), MIXED * mixed, *answer.curvature.remarks])
        ),
        scope=orbit_scope(net)
        if question.orbit
        else widening_scope(
            net,
            question.widths,
            question.counted,
            parallel=question.criterion == "condition_number" or net.num_layers > 2,
        ),
        start=math.exp(function.exact(once - moved)),
        criterion=question.criterion,
        matrix=question.matrix,
        rank=len(function.factor) if isinstance(function, Extremes) else len(question.theta),
        scaling=None if any(solution.flipped) else np.exp(solution.log_scaling + moved)[: len(question.theta)],
        copies=tuple(tuple(solution.copies[i] for i in layer) for layer in search.layers),
        widening=widening,
        element=element,
    )


def explanation(closed: bool, searched: bool, confined: bool) -> str:
    if closed:
        return "the minimum over the scope, up to the gap"
    if not searched:
        return (
            "no certificate, as the Hessian is singular or signs are open and the network has more than one hidden "
            "layer: a local minimum; the lower bound holds for all positive diagonals of the same pattern"
        )
    if confined:
        return "not proved to be the minimum: factors of D are at the limits, and better ones may lie beyond"
    return "not proved to be the minimum: the lower bound and the value did not meet"
