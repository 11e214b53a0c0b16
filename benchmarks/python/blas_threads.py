"""Whether BLAS's threads get in the way: time of every method with default threads over that with one BLAS thread.

Each cell runs in processes of its own, alternating between both settings, and takes the best of several runs of each;
with --busy, beside a process that keeps one core busy. The goal is a ratio of at most 1.1 everywhere.

    python benchmarks/python/blas_threads.py [--busy] [--smallest 600] [--largest 2000]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
from contextlib import contextmanager

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# Hidden width and samples; P = 5 h + 1.
SIZES = [(2, 100), (6, 300), (20, 500), (60, 500), (120, 700), (200, 1000), (240, 1200), (400, 2000)]
TASKS = {
    "lm": "ho.minimize(obj, theta, method='lm', max_steps=steps, tol=0.0)",
    "newton": "ho.minimize(obj, theta, method='newton', max_steps=steps, tol=0.0)",
    "lbfgs": "ho.minimize(obj, theta, method='lbfgs', max_steps=10 * steps, tol=0.0)",
    "gd": "ho.minimize(obj, theta, method='gd', max_steps=10 * steps, tol=0.0)",
    "flow": "ho.minimize(obj, theta, method='flow', max_steps=steps, tol=0.0)",
    "spectrum": "ho.spectrum(obj, theta).floor",
    "zero_modes": "ho.zero_modes(obj, theta)",
    "canonical": "ho.canonical(net, theta)",
    "classify": "ho.classify(obj, theta)",
    "nearest": "ho.nearest_minimum(net, theta, small, theta_small, max_nodes=20)",
    "best_conditioned": "ho.best_conditioned(obj, theta, over=group, matrix='gauss_newton')",
}
PROGRAM = """
import sys, time
import numpy as np
import hessorbit as ho
width, samples, steps, task = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = np.random.default_rng(0)
net = ho.MLP([3, width, 1])
x = rng.standard_normal((samples, 3))
obj = ho.Objective(net, x, np.sin(x.sum(axis=1)))
theta, group = net.init(rng), ho.symmetries(net)
small = ho.MLP([3, 2, 1])
theta_small = small.init(rng)
eval(task)
best = np.inf
for _ in range(3 if width < 60 else 1):
    began = time.perf_counter()
    eval(task)
    best = min(best, time.perf_counter() - began)
print(best)
"""


def spin() -> None:
    while True:
        pass


@contextmanager
def neighbour(wanted: bool):
    process = multiprocessing.Process(target=spin, daemon=True) if wanted else None
    if process:
        process.start()
    try:
        yield
    finally:
        if process:
            process.terminate()


def seconds(width: int, samples: int, steps: int, task: str, threads: str | None) -> float:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if threads:
        environment |= dict.fromkeys(VARIABLES, threads)
    arguments = [sys.executable, "-c", PROGRAM, str(width), str(samples), str(steps), TASKS[task]]
    return float(subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", action="store_true", help="beside a process that keeps one core busy")
    parser.add_argument("--smallest", type=int, default=1, help="fewest parameters")
    parser.add_argument("--largest", type=int, default=2001, help="most parameters")
    parser.add_argument("--repetitions", type=int, default=3, help="processes for each cell and setting")
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    options = parser.parse_args()
    print("| P | N | task | default, ms | one BLAS thread, ms | ratio |\n|---|---|---|---|---|---|")
    with neighbour(options.busy):
        for width, samples in SIZES:
            parameters = 5 * width + 1
            if not options.smallest <= parameters <= options.largest:
                continue
            steps = max(2, min(100, 30_000 // parameters))
            for task in options.tasks:
                runs = [
                    [seconds(width, samples, steps, task, threads) for threads in (None, "1")]
                    for _ in range(options.repetitions)
                ]
                default, one = (1e3 * min(column) for column in zip(*runs, strict=True))
                cells = [parameters, samples, task, f"{default:.1f}", f"{one:.1f}", f"{default / one:.2f}"]
                print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
