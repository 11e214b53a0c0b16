"""One place calls Clarabel, which solves the conic programs, so that Ctrl-C ends each of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import Array
from .._waiting import interruptible


@dataclass(frozen=True)
class ConicSolution:
    """The variables x and multipliers z of the last iteration, and whether the solver found them accurate."""

    x: Array
    z: Array
    solved: bool


def solution(objective: Array, matrix: Array, right: Array, cones: list[Any], **options: Any) -> ConicSolution:
    """Returns the minimiser of objective · x over right − matrix x in the cones, its dense rows in their order.

    Clarabel lets go of the interpreter's lock and knows nothing of signals: a thread solves larger programs, and ends
    at its next iteration where nobody waits any more.
    """
    import clarabel  # type: ignore[import-untyped]
    from scipy import sparse

    settings: Any = clarabel.DefaultSettings()
    settings.verbose = False
    for name, value in options.items():
        setattr(settings, name, value)
    given_up = threading.Event()

    def solve() -> ConicSolution:
        size = len(objective)
        program = clarabel.DefaultSolver(
            sparse.csc_matrix((size, size)), objective, sparse.csc_matrix(matrix), right, cones, settings
        )
        if hasattr(program, "set_termination_callback"):  # from 0.11 on
            program.set_termination_callback(lambda _: given_up.is_set())
        last = program.solve()
        good = (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved)
        return ConicSolution(np.asarray(last.x), np.asarray(last.z), last.status in good)

    try:
        found: ConicSolution = interruptible(len(matrix), solve)  # which factorises a matrix of as many rows, often
    except BaseException:
        given_up.set()
        raise
    return found
