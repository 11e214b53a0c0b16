"""Time and gap of the search for the nearest global minimum: the slowest and the widest of several starts.

    python benchmarks/python/minima.py                                  12 students, every activation
    python benchmarks/python/minima.py --widths 256 --seeds 2 --activations tanh relu

Five inputs, a teacher of four neurons from normal(1), biases; one search after the other, on one thread.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import hessorbit as ho

ACTIVATIONS = [
    *("tanh", "erf", "softsign", "sin", "cube", "sigmoid", "normal_cdf", "relu", "leaky_relu"),
    *("gelu", "silu", "softplus", "elu", "selu", "exp", "g", "cos", "square"),
]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[12])
    parser.add_argument("--outputs", type=int, nargs="+", default=[3])
    parser.add_argument("--schemes", nargs="+", default=["normal(1)"])
    parser.add_argument("--activations", nargs="+", default=ACTIVATIONS)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--time-limit", type=float, help="seconds for each search")
    return parser.parse_args()


def row(activation: str, width: int, outputs: int, scheme: str, seeds: int, time_limit: float | None) -> str:
    times, gaps, nodes, distances = [], [], [], []
    teacher, student = ho.MLP([5, 4, outputs], activation), ho.MLP([5, width, outputs], activation)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        theta, start = teacher.init(rng, "normal(1)"), student.init(rng, scheme)
        began = time.perf_counter()
        near = ho.nearest_minimum(student, start, teacher, theta, time_limit=time_limit)
        times.append(time.perf_counter() - began)
        gaps.append(near.gap)
        nodes.append(near.nodes)
        distances.append(near.distance)
    return (
        f"{activation:10s} {width:4d} {outputs:2d}  {scheme:10s} {np.median(times):8.2f} {max(times):8.2f}"
        f" {np.median(gaps):9.1e} {max(gaps):9.1e} {max(nodes):7.0f} {np.median(distances):9.3f}"
    )


def main() -> None:
    options = arguments()
    print("activation    m  K  scheme       seconds:median, max  gap:median, max  nodes:max  distance:median")
    for width in options.widths:
        for outputs in options.outputs:
            for scheme in options.schemes:
                for activation in options.activations:
                    print(row(activation, width, outputs, scheme, options.seeds, options.time_limit), flush=True)


if __name__ == "__main__":
    main()
