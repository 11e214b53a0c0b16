"""Hessians of small networks on one thread and on two, where the cores are idle, busy, or warm from other libraries.

    python benchmarks/python/busy.py [--seconds 2]

Each row is measured in a process of its own, one thread and two in turns. Printed are the median, the mean and the 99th
percentile of a call in µs, and the mean and the 99th percentile of two threads over those of one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec

CELLS = [((2, 10, 1), 100), ((2, 10, 1), 1000), ((2, 50, 1), 1000)]

# What another library computes in between calls; imported before hessorbit or after it.
WARM = {
    "numpy": "a = np.ones((400, 400)); work = lambda: a @ a",
    "jax": "import jax.numpy as jnp; a = jnp.ones((400, 400)); work = lambda: (a @ a).block_until_ready()",
    "torch": "import torch; a = torch.ones(400, 400); work = lambda: a @ a",
}

MEASURE = """
import json, sys, time
import numpy as np
{before}
import hessorbit as ho
{after}
cells, seconds = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
rows = []
for widths, samples in cells:
    net = ho.MLP(widths)
    x, y = rng.standard_normal((samples, widths[0])), rng.standard_normal((samples, widths[-1]))
    theta = rng.standard_normal(net.num_parameters)
    contenders = [ho.Objective(net, x, y, threads=threads) for threads in (1, 2)]
    times = [[], []]
    for obj in contenders:
        obj.hessian(theta)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for obj, taken in zip(contenders, times):
            for repeat in range(20):
                if repeat % 10 == 0:
                    work()
                start = time.perf_counter()
                obj.hessian(theta)
                taken.append(1e6 * (time.perf_counter() - start))
    rows.append([[np.median(t), np.mean(t), np.percentile(t, 99)] for t in times])
print(json.dumps(rows))
"""


def conditions() -> dict[str, tuple[int, str, str]]:
    """Returns for each condition how many busy processes there are, and what runs before and after the import."""
    nothing = "work = lambda: None"
    result = {"idle": (0, nothing, ""), "beside one": (1, nothing, ""), "beside two": (2, nothing, "")}
    for name, code in WARM.items():
        if find_spec(name):
            result[f"{name} first"] = (0, code, "")
            result[f"{name} after"] = (0, "", code)
    return result


def measure(busy: int, before: str, after: str, seconds: float) -> list[list[list[float]]]:
    with ExitStack() as stack:
        for _ in range(busy):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        program = MEASURE.format(before=before, after=after)
        done = subprocess.run(
            [sys.executable, "-c", program, json.dumps([CELLS, seconds])], capture_output=True, text=True, check=True
        )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each cell in each condition")
    seconds = parser.parse_args().seconds
    print(f"{'condition':14s} {'cell':18s} {'one: median  mean   p99':>28s} {'two: median  mean   p99':>28s}  ratios")
    for name, condition in conditions().items():
        for (widths, samples), (one, two) in zip(CELLS, measure(*condition, seconds), strict=True):
            numbers = " ".join(f"{value:9.0f}" for value in [*one, *two])
            ratios = f"mean {two[1] / one[1]:.2f}, p99 {two[2] / one[2]:.2f}"
            print(f"{name:14s} {f'{widths}, {samples}':18s} {numbers}  {ratios}", flush=True)


if __name__ == "__main__":
    main()
