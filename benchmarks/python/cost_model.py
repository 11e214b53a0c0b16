"""What a gradient and a Hessian cost, counted, and the count held against measurements.

    python benchmarks/python/cost_model.py [--json benchmarks/results/cost_model.json]

One thread. Each kernel is described by four numbers:

    multiply_adds    of the products over samples (rows.hpp: combine, contract), 2 flops each
    row_entries      multiplications that form per-sample rows on the way; the feature of a bias takes none
    activations      evaluations of σ with the derivatives needed
    result_bytes     what is written of H beyond the products: zeroed, added to once a chunk of samples, reflected

and the predicted time is the sum of each over its rate. The rate of multiply-adds is that of BLAS, measured by dgemm;
the other three are fitted to the measurements, by nonnegative least squares of relative errors.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import counts
from counts import LARGE_GROUP, triangle

GROUP = 48  # right rows of a task, as in hessian/products.hpp
FEW_TASKS = 8  # as in hessian/plan.hpp
CHUNK_BUDGET = 1_600_000  # numbers of a chunk's tape, as in objective.hpp
SMALL_HESSIAN = 256  # parameters, as in objective.hpp


@dataclass(frozen=True)
class Cost:
    """Of one call."""

    multiply_adds: float
    row_entries: float
    activations: float
    result_bytes: float


def gradient_cost(sizes: tuple[int, ...], samples: int) -> Cost:
    hidden = sum(sizes[1:-1])
    return Cost(samples * counts.gradient(sizes), samples * hidden, samples * hidden, 0)


def hessian_cost(sizes: tuple[int, ...], samples: int) -> Cost:
    """By the tasks of hessian/plan.hpp, for squared error with biases."""
    parameters = sum((size + 1) * after for size, after in itertools.pairwise(sizes))
    passed = gradient_cost(sizes, samples)
    return Cost(
        samples * counts.hessian(sizes),
        samples * rows_formed(sizes, parameters) + passed.row_entries,
        passed.activations,
        8 * parameters**2 * (2 + chunk_count(sizes, samples, parameters) / 2),
    )


def rows_formed(sizes: tuple[int, ...], parameters: int) -> int:
    """Entries of the rows that a Hessian's products are made of, for each sample."""
    hidden, outputs, top = sizes[1:-1], sizes[-1], len(sizes) - 2
    features = [size + 1 for size in sizes[:-1]]  # of each layer, with the bias

    def by_neuron(low: int, up: int) -> bool:
        return low == up == top - 1 and counts.ranks_one(features[low], hidden[low])

    blocks = [(low, up) for low in range(top) for up in range(low, top)]
    right_rows = {(low, up): triangle(hidden[low]) if low == up else hidden[low] * hidden[up] for low, up in blocks}
    group = LARGE_GROUP
    if parameters > SMALL_HESSIAN:
        plenty = sum(count for block, count in right_rows.items() if not by_neuron(*block))
        group = min(max(plenty // FEW_TASKS // 4 * 4, GROUP), LARGE_GROUP)
    rows = 0
    for (low, up), right in right_rows.items():
        formed = triangle(sizes[low]) if low == up else sizes[low] * sizes[up]  # pairs without a bias
        if by_neuron(low, up):
            rows += (2 * formed + sizes[low]) * hidden[low]  # E_j against F_i φ_a φ_c
        else:
            rows += formed * -(-right // group) + outputs * right  # pairs once a group, B once
    for low in range(top):
        alike = low == top - 1 and outputs > 1  # one product for all outputs of a squared error
        rows += hidden[low] * (2 * features[low] if alike else outputs * sizes[low])
        for up in range(low + 1, top + 1):
            rows += (hidden[low] if up == low + 1 else hidden[low] * sizes[up]) * sizes[up + 1]
    return rows


def chunk_count(sizes: tuple[int, ...], samples: int, parameters: int) -> int:
    """Chunks of samples: few enough for a small Hessian, else as long as keeps tape and sensitivities in the budget."""
    hidden, outputs = sizes[1:-1], sizes[-1]
    tape = sum(5 * size + 1 for size in hidden) + 3 * outputs + outputs**2
    sensitivities = sum(2 * outputs * size for size in hidden)
    size = min(max(CHUNK_BUDGET // (tape + sensitivities), 512), 8192)
    if parameters <= SMALL_HESSIAN:
        size = min(max(samples // 2, 256), 1024)
    count = -(-samples // size)
    return count + count % 2 if count > 1 else 1


COSTS: dict[str, Callable[[tuple[int, ...], int], Cost]] = {"gradient": gradient_cost, "hessian": hessian_cost}
SHAPES = [
    ((2, 10, 1), 100), ((2, 10, 1), 1000), ((2, 10, 1), 10000), ((2, 50, 1), 1000), ((2, 100, 1), 1000),
    ((10, 20, 1), 1000), ((10, 50, 1), 1000), ((20, 50, 5), 2000), ((10, 100, 1), 2000), ((50, 40, 1), 4000),
    ((20, 50, 1), 2000), ((5, 30, 30, 1), 1000), ((10, 64, 64, 3), 1000), ((5, 20, 20, 20, 1), 1000),
]  # fmt: skip
LARGE = [((10, 830, 1), 1000), ((10, 95, 95, 1), 1000)]  # P about 10,000: 0.8 GB for H


def least_time(call: Callable[[], object], budget: float) -> float:
    """Least CPU seconds of a call, over about `budget` seconds: what the machine does besides adds, never subtracts."""
    call()
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < budget:
        count, elapsed, began = 0, 0.0, time.process_time()
        while elapsed < 1e-3:
            call()
            count += 1
            elapsed = time.process_time() - began
        best = min(best, elapsed / count)
    return best


def measure(budget: float) -> tuple[float, list[dict[str, Any]]]:
    """Flops per second of dgemm, and a record for each kernel and shape."""
    import numpy as np
    from problems import Problem
    from scipy.linalg.blas import dgemm

    square = np.asfortranarray(np.random.default_rng(0).standard_normal((1000, 1000)))
    rate = 2e9 / least_time(lambda: dgemm(1.0, square, square), budget)
    records = []
    for kernel, cost in COSTS.items():
        for sizes, samples in SHAPES + LARGE:
            objective, theta = Problem(sizes, samples).objective(threads=1)
            method = getattr(objective, kernel)
            seconds = least_time(lambda method=method, theta=theta: method(theta), budget)
            counted = cost(sizes, samples)
            records.append({"kernel": kernel, "sizes": sizes, "samples": samples, **vars(counted), "seconds": seconds})
    return rate, records


def fit(rate: float, records: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Seconds for a row entry, an activation and a byte, so that predictions are nearest in relative error."""
    import numpy as np
    from scipy.optimize import nnls

    matrix, rest = [], []
    for record in records:
        seconds = record["seconds"]
        matrix.append([record[name] / seconds for name in ("row_entries", "activations", "result_bytes")])
        rest.append(1 - 2 * record["multiply_adds"] / rate / seconds)
    a, b, c = nnls(np.array(matrix), np.array(rest))[0]
    return float(a), float(b), float(c)


def predict(cost: Cost, rate: float, fitted: tuple[float, float, float]) -> float:
    """Seconds."""
    multiply_adds, *others = astuple(cost)
    return 2 * multiply_adds / rate + sum(count * each for count, each in zip(others, fitted, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each measurement (default 1)")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    rate, records = measure(options.seconds)
    fitted = fit(rate, records)
    print(f"dgemm {rate / 1e9:.3g} Gflop/s; fitted: row entry {fitted[0] * 1e9:.3g} ns, "
          f"activation {fitted[1] * 1e9:.3g} ns, byte {fitted[2] * 1e9:.3g} ns")  # fmt: skip
    for record in records:
        cost = COSTS[record["kernel"]](record["sizes"], record["samples"])
        record["predicted"] = predict(cost, rate, fitted)
        record["rate"] = 2 * record["multiply_adds"] / record["seconds"]
        print(
            f"{record['kernel']:9} {record['sizes']!s:20} N {record['samples']:6} "
            f"multiply-adds {record['multiply_adds']:9.3g}  measured {record['seconds'] * 1e3:9.3f} ms  "
            f"predicted {record['predicted'] * 1e3:9.3f} ms  {record['rate'] / 1e9:5.1f} Gflop/s",
            flush=True,
        )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        fitted_by_name = dict(zip(("row_entry", "activation", "byte"), fitted, strict=True))
        result = {"flops": rate, "fitted_seconds": fitted_by_name, "records": records}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
