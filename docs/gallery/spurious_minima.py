"""Counts spurious minima of two-layer ReLU networks: the numbers and the picture of docs/gallery/spurious_minima.md.

``python docs/gallery/spurious_minima.py`` takes some minutes; `--runs` and `--widths` make it shorter or longer. With
`--prove 6 7 8` it proves one spurious minimum for each of these k instead: in seconds for k = 6, a minute for k = 20.

A student f(x) = Σ_i relu(w_i·x) of k neurons learns a teacher of k orthonormal ones from infinitely many inputs
x ~ N(0, I_k). Gradient descent starts at W ~ N(0, 1/k); Newton's method polishes its end point, and the eigenvalues of
the Hessian in W say what it is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"  # of Okabe and Ito
# Safran and Shamir: runs out of 1000 that ended in spurious minima, n = k = 6, 7, …, 20.
PUBLISHED = dict(enumerate((3, 55, 126, 218, 346, 455, 585, 730, 736, 803, 851, 897, 900, 934, 949), start=6))
RATE = 0.2
DESCENT, POLISHED = 1e-5, 1e-13  # where gradient descent and Newton's method stop
GLOBAL = 1e-9  # losses below this are those of the teacher


@cache
def loss_of_weights(k: int) -> ho.RestrictedObjective:
    """The loss as a function of W, the outgoing weights held at 1."""
    net = ho.MLP([k, k, 1], "relu", bias=False)
    teacher = net.flatten([(np.eye(k), None), (np.ones((1, k)), None)])
    pop = ho.PopulationObjective(net, net, teacher, threads=1)
    return pop.restricted(teacher, free=net.block(layer=1, part="weights"))


def run(job: tuple[int, int]) -> dict[str, float]:
    """One run of gradient descent, and what its end point is."""
    k, seed = job
    sub = loss_of_weights(k)
    start = np.random.default_rng([k, seed]).standard_normal(k * k) / np.sqrt(k)
    descent = ho.minimize(sub, start, method="gd", learning_rate=RATE, tol=DESCENT, max_steps=200_000)
    polished = ho.minimize(sub, descent.x, method="newton", tol=POLISHED, max_steps=20)
    spectrum = ho.spectrum(sub, polished.x)
    return {
        "k": k,
        "loss": polished.fun,
        "gradient": polished.gradient_norm,
        "moved": float(np.abs(polished.x - descent.x).max()),
        "smallest": spectrum.min,
        "floor": spectrum.floor,
        "largest": spectrum.max,
        "steps": descent.nit,
    }


def symmetric_start(k: int) -> np.ndarray:
    """Near the minimum that is the same under permutations of all neurons but the last, which points the other way.

    Gradient descent and Newton's method keep the symmetry, but the proof is about all of W.
    """
    start = np.eye(k) - 0.035
    start[:, -1], start[-1], start[-1, -1] = 0.26, 0.19, -0.63
    return start.ravel()


def prove(k: int) -> str:
    """One row of the table of proofs."""
    sub = loss_of_weights(k)
    descent = ho.minimize(sub, symmetric_start(k), method="gd", learning_rate=RATE, tol=DESCENT, max_steps=200_000)
    proof = ho.certify(sub, ho.minimize(sub, descent.x, method="newton", tol=POLISHED, max_steps=20).x)
    if not proof.proven or proof.loss is None or proof.eigenvalues is None:
        return f"| {k} | {proof.message} |"
    (low, _), (_, high) = proof.eigenvalues[0], proof.eigenvalues[-1]
    return f"| {k} | {proof.loss[0]:.12f} | {low:.10f} to {high:.9f} | {proof.inertia} | {proof.radius:.0e} |"


def kind(ended: dict[str, float]) -> str:
    """What the end point is: "global"; "spurious", if the Hessian is positive definite there; else "undecided"."""
    if ended["loss"] < GLOBAL:
        return "global"
    critical = ended["gradient"] <= 1e-10 and ended["moved"] <= 1e-3
    return "spurious" if critical and ended["smallest"] > ended["floor"] else "undecided"


def interval(hits: int, runs: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a proportion."""
    from scipy.stats import beta

    low = beta.ppf(0.025, hits, runs - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)


def draw(found: dict[int, list[dict[str, float]]]) -> plt.Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4))
    for k, ends in found.items():
        hits = sum(kind(end) == "spurious" for end in ends)
        low, high = interval(hits, len(ends))
        left.plot([k, k], [low, high], color=BLUE, linewidth=1.5)
        left.plot(k, hits / len(ends), "o", color=BLUE, label="here, with 95 % intervals" if k == min(found) else None)
    shown = [k for k in PUBLISHED if min(found) <= k <= max(found)]
    left.plot(shown, [PUBLISHED[k] / 1000 for k in shown], "_", color=ORANGE, markersize=14, markeredgewidth=2,
              label="Safran and Shamir")  # fmt: skip
    left.set(title="Runs that end in spurious minima", xlabel="neurons k", ylim=(0, 1), xticks=list(found))
    left.legend(fontsize=9, loc="upper left")
    ends = [end for each in found.values() for end in each if kind(end) == "spurious"]
    right.plot([end["loss"] for end in ends], [end["smallest"] for end in ends], ".", color=BLUE)
    right.axhline(max(end["floor"] for end in ends), color=GREY, linewidth=0.8, linestyle=":")
    right.set(title="Smallest eigenvalue there", xlabel="loss", yscale="log")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="runs for each width")
    parser.add_argument("--widths", type=int, nargs="+", default=list(range(6, 13)))
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--plot", type=Path, default=Path(__file__).with_suffix(".png"))
    parser.add_argument("--prove", type=int, nargs="+", help="widths for which one spurious minimum is proven")
    options = parser.parse_args()
    if options.prove:
        for k in options.prove:
            print(prove(k), flush=True)
        return
    found: dict[int, list[dict[str, float]]] = {}
    print(
        "  k  runs  spurious  undecided  95 % interval    published  eigenvalues there        largest floor  gradient"
    )
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for k in options.widths:
            ends = found[k] = pool.map(run, [(k, seed) for seed in range(options.runs)], chunksize=1)
            kinds = [kind(end) for end in ends]
            spurious = [end for end, name in zip(ends, kinds, strict=True) if name == "spurious"]
            low, high = interval(len(spurious), len(ends))
            line = (
                f"{k:3d}  {len(ends):4d}  {len(spurious):8d}  {kinds.count('undecided'):9d}  {low:.3f} to {high:.3f}   "
            )
            line += f"{PUBLISHED[k] / 1000:9.3f}"
            if spurious:
                smallest, largest = min(e["smallest"] for e in spurious), max(e["largest"] for e in spurious)
                line += f"  {smallest:.5f} to {largest:.3f}       {max(e['floor'] for e in spurious):13.1e}"
                line += f"  {max(e['gradient'] for e in spurious):8.1e}"
            print(line, flush=True)
    plt.style.use(Path(__file__).parents[1] / "figures/pages.mplstyle")
    figure = draw(found)
    figure.tight_layout()
    figure.savefig(options.plot, dpi=160)


if __name__ == "__main__":
    main()
