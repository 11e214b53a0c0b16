"""What all eigenvalues cost, and what an inertia and a few counted eigenvalues cost beside them; milliseconds.

The matrices are Gauss–Newton matrices and Hessians of tanh networks at random weights. Run it on a quiet machine:

    python benchmarks/python/spectrum.py
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import scipy.linalg

import hessorbit as ho
from hessorbit import counted
from hessorbit._blas import calm_blas
from hessorbit.signs import count_signs

NETWORKS = {397: [10, 33, 1], 793: [10, 66, 1], 1201: [10, 100, 1], 2003: [20, 91, 1]}


def least(function: Callable[[], Any], turns: int = 3) -> float:
    times = []
    for _ in range(turns):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    print("| P | matrix | evd | inertia | largest | smallest | nearest 0 |\n|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for count, widths in NETWORKS.items():
        net = ho.MLP(widths)
        x = rng.standard_normal((2000, widths[0]))
        obj, theta = ho.Objective(net, x, np.sin(x[:, :1])), net.init(rng)
        for name, H in (("Hessian", obj.hessian(theta)), ("Gauss–Newton", obj.gauss_newton(theta))):
            with calm_blas(count):
                times = [
                    least(lambda H=H: scipy.linalg.eigh(H, eigvals_only=True, driver="evd")),
                    least(lambda H=H: count_signs(H, 0.0)),
                    *(
                        least(lambda H=H, f=find: f(H, 1))
                        for find in (counted.highest, counted.lowest, counted.nearest)
                    ),
                ]
            print(f"| {count} | {name} | " + " | ".join(f"{time:.1f}" for time in times) + " |", flush=True)


if __name__ == "__main__":
    main()
