"""What all eigenvalues cost, and what an inertia and a few counted eigenvalues cost beside them; milliseconds.

The matrices are those of tanh networks: the Hessian at random weights and after 6000 steps of Adam, the Gauss–Newton
matrix, and the Hessian at a minimum that has zero modes, as its samples are fewer than its parameters. κ stands for
those of smallest and of largest magnitude at once. Run it on a quiet machine:

    python benchmarks/python/spectrum.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from time import perf_counter, sleep
from typing import Any

import numpy as np
import scipy.linalg

import hessorbit as ho
from hessorbit._blas import calm_blas
from hessorbit._checks import Array
from hessorbit.counted import Counts
from hessorbit.decomposition import symmetric_eigen
from hessorbit.extremes import counted_pairs
from hessorbit.signs import count_signs

WIDTHS = [[10, 33, 1], [10, 50, 1], [10, 66, 1], [10, 100, 1], [20, 91, 1]]


def least(contestants: list[Callable[[], Any]], turns: int = 5) -> list[float]:
    """The least time of each, in turns, each when the threads of the one before are asleep."""
    times = np.full((turns, len(contestants)), np.inf)
    for turn, (place, function) in product(range(turns), enumerate(contestants)):
        sleep(0.15)
        start = perf_counter()
        function()
        times[turn, place] = perf_counter() - start
    return list(1e3 * times.min(axis=0))


def matrices(widths: list[int]) -> Iterator[tuple[str, Array]]:
    rng = np.random.default_rng(0)
    net = ho.MLP(widths)
    x = rng.standard_normal((2000, widths[0]))
    obj, theta = ho.Objective(net, x, np.sin(x[:, :1])), net.init(rng)
    yield "Hessian, random", obj.hessian(theta)
    yield "Hessian, trained", obj.hessian(ho.minimize(obj, theta, method="adam", max_steps=6000).x)
    yield "Gauss–Newton", obj.gauss_newton(theta)
    few = rng.standard_normal((6 * net.num_parameters // 10, widths[0]))
    yield "zero modes", ho.Objective(net, few, net(theta, few)).hessian(theta)


def main() -> None:
    print("| P | matrix | evd | all | inertia | largest | smallest | nearest 0 | κ |\n" + 9 * "|---" + "|")
    wanted = Counts(high=1), Counts(low=1), Counts(near=1), Counts(near=1, far=1)
    for widths in WIDTHS:
        for name, H in matrices(widths):
            with calm_blas(len(H)):
                times = least(
                    [
                        partial(scipy.linalg.eigh, H, eigvals_only=True, driver="evd"),
                        partial(symmetric_eigen, H),
                        partial(count_signs, H, 0.0),
                        *(partial(counted_pairs, H, few) for few in wanted),
                    ]
                )
            print(f"| {len(H)} | {name} | " + " | ".join(f"{time:.1f}" for time in times) + " |", flush=True)


if __name__ == "__main__":
    main()
