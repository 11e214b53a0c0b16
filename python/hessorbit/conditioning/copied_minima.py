"""The best widening of a minimum with a residual, among the widenings that are minima too (residual.py).

For each choice of numbers of copies, shares of outgoing weights are sought; the criterion is that of the wide Hessian.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np

from ..endings import examine
from ..symmetry.rules import hidden_layers
from ..symmetry.widening import Widening
from .balance import movable
from .choices import Choices
from .diagonal_search import report, solve
from .question import Question
from .residual import (
    FREE,
    GAUSS_NEWTON_HINT,
    NEGATIVE,
    NONE,
    POSITIVE,
    Splitting,
    check_minimum,
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
from .result import CLOSED, BestConditioned
from .scope import widening_scope


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
