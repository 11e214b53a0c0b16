"""`solve` minimises the criterion over the diagonals D that moves or copies reach; `report` says what the bound proves.

The set is counted from a balanced point of the orbit, and searched again around the best point found while that is near
the limits of the set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..symmetry.group import symmetries
from ..symmetry.rules import hidden_layers
from .balance import Move, balanced_trace, balanced_weights, movable, no_move
from .branching import Search, Solution
from .choices import Choices, with_curve
from .curvature import Curvature
from .lower_bounds import free_bound
from .question import Question
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
from .result import CLOSED, BestConditioned
from .scope import linear_moves_are_left_out, orbit_scope, widening_scope
from .smoothed_spectrum import Extremes, SpectralFunction

MOST_SEARCHES = 6  # each reaches 1e8 farther
FREE_ACCURACY = 1e-3
MIXED = "no certificate for the whole class: mixings and shifts of linear neurons, which are not searched, can lower it"


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


def search_for(question: Question, function: SpectralFunction) -> Search:
    net = question.obj.net
    first = np.cumsum([0, *net.widths[1:-1]]).tolist()
    layers = tuple(range(start, stop) for start, stop in pairwise(first))
    full = tuple(resting_bias(hidden) is None for hidden in hidden_layers(net))
    return Search(
        function, question.architecture, layers, question.widths, full, question.nodes, patient=question.patient
    )


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
