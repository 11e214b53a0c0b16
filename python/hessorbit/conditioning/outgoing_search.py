"""The best copies whose outgoing vectors are not parallel, if they beat the best parallel ones.

outgoing_vectors.py has the programs that find them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np

from ..symmetry.rules import hidden_layers
from ..symmetry.widening import Widening
from .choices import Choices
from .conic import LARGEST_RANK
from .diagonal_search import explanation
from .outgoing_vectors import SECONDS, Apart, outgoing_vectors, search, searchable
from .question import Question
from .realisation import at_rest, resting_bias
from .residual import copies_within
from .result import CLOSED, BestConditioned
from .scope import widening_scope

SHARE = 5  # of outgoing vectors: one in so many nodes, and numbers of copies that are tried
SECONDS_APART = 30  # of programs for outgoing vectors, unless more nodes are asked for


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
