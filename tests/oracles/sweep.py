"""Every number of samples from 1 to 80: a few problems whose references hold for all their first samples.

A kernel that treats samples in lanes and blocks is wrong, if it is, at particular remainders.
Run as a script, `python -m oracles.sweep FILE` writes what the library computes at the instruction level it runs at.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .compare import computed
from .problem import Problem, random_problem

COUNTS = range(1, 81)


def problems() -> dict[str, Problem]:
    rng = np.random.default_rng(80)
    return {
        "shallow": random_problem(rng, (2, 5, 1), "tanh", samples=COUNTS[-1]),
        "weighted": random_problem(rng, (1, 3, 2), "gelu", loss="logistic", weighted=True, l2=0.1, samples=COUNTS[-1]),
        "deep": random_problem(rng, (3, 4, 3, 2), ["sin", "softplus"], loss="cross_entropy", samples=COUNTS[-1]),
        "linear": random_problem(rng, (4, 3), biases=False, samples=COUNTS[-1]),
        "outer": random_problem(rng, (2, 3, 2), ["silu"], output_activation="erf", samples=COUNTS[-1]),
    }


def results(problem: Problem) -> list[dict[str, Any]]:
    """What the library computes over the first 1, 2, … samples."""
    return [computed(problem.first(count).objective(), problem.theta) for count in COUNTS]


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(pickle.dumps({name: results(problem) for name, problem in problems().items()}))
