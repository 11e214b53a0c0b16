"""What products, the trace and the Hessian cost as outputs grow, in gradients of the same network.

    python benchmarks/python/many_outputs.py      a table, as in docs/performance.md

One thread, the least CPU time of five; N = 200.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import hessorbit as ho

SAMPLES, OUTPUTS = 200, (1, 3, 10, 20, 30, 100, 300, 1000)
HIDDEN = ([5, 20], [5, 20, 20], [5, 20, 20, 20])
LOSSES = ("squared_error", "logistic", "cross_entropy", "huber", "poisson")


def seconds(call: Callable[[], object], shortest: float = 0.008) -> float:
    """CPU time of a call: the least of five means over as many as take `shortest`."""
    call()
    best = np.inf
    for _ in range(5):
        start, count = time.process_time(), 0
        while time.process_time() - start < shortest:
            call()
            count += 1
        best = min(best, (time.process_time() - start) / count)
    return best


def problem(hidden: list[int], outputs: int, loss: str) -> tuple[ho.Objective, np.ndarray]:
    rng = np.random.default_rng(0)
    net = ho.MLP([*hidden, outputs])
    x = rng.standard_normal((SAMPLES, hidden[0]))
    y = rng.integers(0, outputs, SAMPLES) if loss == "cross_entropy" else rng.uniform(size=(SAMPLES, outputs))
    return ho.Objective(net, x, y, loss=loss, threads=1), net.init(rng)


def main() -> None:
    print(f"| network | loss | | {' | '.join(f'K = {outputs}' for outputs in OUTPUTS)} |")
    print(f"|---|---|---|{'---|' * len(OUTPUTS)}")
    for hidden in HIDDEN:
        for loss in LOSSES:
            rows: dict[str, list[str]] = {"hvp": [], "trace": []}
            for outputs in OUTPUTS:
                if loss == "cross_entropy" and outputs == 1:
                    for row in rows.values():
                        row.append("")
                    continue
                obj, theta = problem(hidden, outputs, loss)
                v = np.ones_like(theta)
                unit = seconds(lambda obj=obj, theta=theta: obj.gradient(theta))
                rows["hvp"].append(f"{seconds(lambda obj=obj, theta=theta, v=v: obj.hvp(theta, v)) / unit:.1f}")
                rows["trace"].append(f"{seconds(lambda obj=obj, theta=theta: obj.hessian_trace(theta)) / unit:.1f}")
            for name, row in rows.items():
                print(f"| {', '.join(map(str, hidden))}, K | {loss} | {name} | {' | '.join(row)} |", flush=True)
    obj, theta = problem([1], 1000, "cross_entropy")
    obj.hessian(theta)
    start = time.process_time()
    obj.hessian(theta)
    print(f"\nHessian of 1, 1000 by cross-entropy, N = {SAMPLES}: {1e3 * (time.process_time() - start):.0f} ms")


if __name__ == "__main__":
    main()
