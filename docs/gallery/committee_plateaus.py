"""Prints the numbers of docs/gallery/committee_plateaus.md and draws its picture.

``python docs/gallery/committee_plateaus.py`` takes about a minute.

Soft committee machines f(x) = Σ_i erf(w_i·x/√2) with K neurons learn others of their kind, of orthonormal weights, from
infinitely many inputs x ~ N(0, I_K).
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

# The colours of Okabe and Ito, which people with colour-blindness can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
WIDTHS = (2, 3, 5, 10)
DRAWN = (2, 3, 5)
START = 1e-4  # standard deviation of the weights at the start of the flow
NEAR = 0.02  # on the plateau, the loss is this close to its value there, relative to it


def machine(width: int) -> ho.RestrictedObjective:
    """The loss of K neurons as a function of their incoming weights, the outgoing ones held at 1."""
    net = ho.MLP([width, width, 1], "erf", bias=False)
    teacher = net.flatten([(np.eye(width), None), (np.ones((1, width)), None)])
    pop = ho.PopulationObjective(net, net, teacher)
    return pop.restricted(teacher, free=net.block(layer=1, part="weights"))


def plateau(width: int) -> np.ndarray:
    """All neurons at R Σ_n e_n, with R = 1/√(K (2K − 1))."""
    return np.full(width * width, 1 / np.sqrt(width * (2 * width - 1)))


def published(width: int) -> float:
    """The loss there, (K/π) (π/6 − K asin(1/(2K)))."""
    return width / np.pi * (np.pi / 6 - width * np.arcsin(1 / (2 * width)))


def apart(thetas: np.ndarray, width: int) -> np.ndarray:
    """How far the neurons are apart in directions other than Σ_n e_n, at each time: what specialises them."""
    weights = thetas.reshape(-1, width, width)
    rest = weights - weights.mean(axis=1, keepdims=True)
    rest = rest - rest.mean(axis=2, keepdims=True)
    return np.linalg.norm(rest, axis=(1, 2))


def flow(width: int) -> ho.Trajectory:
    """Gradient flow from nearly 0, until the student is the teacher."""
    start = START * np.random.default_rng(width).standard_normal(width * width)
    return ho.minimize(machine(width), start, method="flow", tol=1e-9, max_steps=5000).trajectory


def escape_rate(path: ho.Trajectory, width: int) -> tuple[float, float]:
    """The rate at which neurons move apart on the plateau, by least squares on the logarithm; and the time there."""
    level = published(width)
    there = np.abs(path.losses - level) <= NEAR * level
    times, distances = path.times[there], apart(path.thetas[there], width)
    late = times >= times[0] + (times[-1] - times[0]) / 4  # what other modes had has died
    return float(np.polyfit(times[late], np.log(distances[late]), 1)[0]), float(times[-1] - times[0])


def draw(paths: dict[int, ho.Trajectory]) -> plt.Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4))
    for width, colour in zip(DRAWN, (BLUE, ORANGE, GREEN), strict=True):
        path = paths[width]
        left.plot(path.times, path.losses, color=colour, label=f"K = {width}")
        left.axhline(published(width), color=colour, linewidth=0.8, linestyle=":")
    longest = max(float(paths[width].times[np.flatnonzero(paths[width].losses > 1e-4)[-1]]) for width in DRAWN)
    left.set(title="Loss along the gradient flow", xlabel="time", yscale="log", ylim=(1e-3, 2), xlim=(0, longest))
    left.legend(fontsize=9, title="dotted: the plateau")
    width, labels = 3, {True: "with the teacher neuron it becomes", False: "with the others"}
    weights = paths[width].thetas.reshape(-1, width, width)
    for row, column in np.ndindex(width, width):
        own = weights[-1, row].argmax() == column
        right.plot(
            paths[width].times, weights[:, row, column], color=BLUE if own else GREY, label=labels.pop(own, None)
        )
    right.set(title="Overlaps of K = 3 student neurons", xlabel="time", xlim=(0, 0.8 * longest), ylim=(-0.1, 1.3))
    right.legend(fontsize=9, loc="upper left")
    return figure


def main() -> None:
    paths = {width: flow(width) for width in DRAWN}
    print("  K  loss            published       eigenvalue    times  gradient  rate of escape  time on the plateau")
    for width in WIDTHS:
        sub, at = machine(width), plateau(width)
        eigenvalues = ho.spectrum(sub, at).eigenvalues
        lowest = eigenvalues[0]
        times = int((np.abs(eigenvalues - lowest) <= 1e-10).sum())
        gradient = np.abs(sub.gradient(at)).max()
        line = f"{width:3d}  {sub.loss(at):.11f}   {published(width):.11f}   {lowest:.8f}  {times:5d}  {gradient:8.0e}"
        if width in paths:
            rate, duration = escape_rate(paths[width], width)
            line += f"  {rate:14.6f}  {duration:19.0f}"
        print(line)
    plt.style.use(Path(__file__).parents[1] / "figures/pages.mplstyle")
    figure = draw(paths)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=160)


if __name__ == "__main__":
    main()
