"""Draws the pictures of docs/guide.md: ``python docs/figures/guide.py``, beside this file.

The network, its data and its widenings are those of the page, and so are the numbers.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

# The colours of Okabe and Ito, which people with colour-blindness can tell apart.
BLUE, ORANGE, GREEN, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#555555"
NARROW, EQUAL, BEST = GREY, ORANGE, GREEN

NET = ho.MLP([1, 3, 1], "tanh")
THETA = NET.flatten([([[2.0], [2.0], [2.0]], [-4.0, 0.0, 4.0]), ([[3.0, -2.0, 1.0]], [0.0])])
X = np.linspace(-4, 4, 81)[:, None]
OBJECTIVE = ho.Objective(NET, X, NET(THETA, X))
RANK = NET.num_parameters


def condition(widening: ho.Widening) -> float:
    """κ of the nonzero spectrum at the widened minimum."""
    wide = ho.Objective(widening.net, X, OBJECTIVE.y)
    return ho.spectrum(wide, widening(THETA), zero_modes=None).condition_number(rank=RANK)


def nonzero_spectrum(net: ho.MLP, theta: np.ndarray) -> np.ndarray:
    """The RANK largest eigenvalues, descending."""
    return ho.spectrum(ho.Objective(net, X, OBJECTIVE.y), theta, zero_modes=None).eigenvalues[::-1][:RANK]


def even_copies(width: int) -> list[int]:
    """As many copies of each of the three neurons as of the others, as far as the width allows."""
    return [width // 3 + (neuron < width % 3) for neuron in range(3)]


def draw_minimum() -> plt.Figure:
    """The function as a sum of three steps, and the eigenvalues of its Hessian."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.3))
    (weights, biases), (outgoing, _) = NET.unflatten(THETA)
    steps = outgoing[0] * np.tanh(X * weights[:, 0] + biases)
    for neuron, colour in enumerate((BLUE, ORANGE, SKY)):
        left.plot(X, steps[:, neuron], color=colour, linestyle="--", label=f"neuron {neuron}")
    left.plot(X, steps.sum(axis=1), color="black", linewidth=2.4, label="their sum")
    left.set(title="The teacher is a sum of three steps", xlabel="input x", ylabel="output f(x)", ylim=(-4.5, 6))
    left.legend(fontsize=9, loc="upper left", ncols=2)

    eigenvalues = nonzero_spectrum(NET, THETA)
    place = np.arange(1, RANK + 1)
    right.vlines(place, 2e-4, eigenvalues, color=NARROW, linewidth=1)
    right.plot(place, eigenvalues, "o", color=NARROW)
    right.set(
        title=f"Its Hessian: curvatures {eigenvalues[0] / eigenvalues[-1]:.0f} to 1",
        xlabel="eigenvalue, from the largest",
        yscale="log",
        ylim=(2e-4, 20),
        xticks=place,
    )
    return figure


def draw_valley() -> plt.Figure:
    """Loss in the plane of two copies' outgoing weights, and κ along the line where it is zero."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
    best = ho.best_conditioned(OBJECTIVE, THETA, copies=[[1, 1, 2]])
    splits = {"equal shares": (0.5, EQUAL, "s"), "best shares": (best.widening.layers[0].outgoing[2:].max(), BEST, "o")}

    wide = ho.Widening(NET, copies=[[1, 1, 2]])
    start, objective = wide(THETA), ho.Objective(wide.net, X, OBJECTIVE.y)
    first, second = np.meshgrid(np.linspace(-2.5, 3.5, 61), np.linspace(-2.5, 3.5, 61))
    points = np.tile(start, (first.size, 1))
    copies = wide.net.unflatten(np.arange(len(start)))[1][0][0, 2:]
    points[:, copies] = np.column_stack([first.ravel(), second.ravel()])
    loss = objective.loss(points).reshape(first.shape)
    left.contour(first, second, loss, levels=[0.05, 0.2, 0.8, 2, 4, 7], colors=SKY, linewidths=1)
    left.plot([-2.5, 3.5], [3.5, -2.5], color=BLUE, label="loss 0")
    for name, (share, colour, marker) in splits.items():
        left.plot(share, 1 - share, marker, color=colour, markersize=8, label=name)
    left.set(
        title="A line of minima, all the same function",
        xlabel="outgoing weight of the first copy",
        ylabel="… of the second",
        xlim=(-2.5, 3.5),
        ylim=(-2.5, 3.5),
        aspect="equal",
    )
    left.legend(fontsize=9, loc="upper right", frameon=True, framealpha=1, edgecolor="white")

    shares = np.linspace(-2.5, 3.5, 121)
    along = [condition(ho.Widening(NET, [[1, 1, 2]], coefficients=[[[1], [1], [s, 1 - s]]])) for s in shares]
    right.plot(shares, along, color=BLUE)
    for share, colour, marker in splits.values():
        kappa = condition(ho.Widening(NET, [[1, 1, 2]], coefficients=[[[1], [1], [share, 1 - share]]]))
        right.plot(share, kappa, marker, color=colour, markersize=8)
        right.annotate(f"{kappa:.0f}", (share, kappa), (0, 9), textcoords="offset points", ha="center", color=colour)
    right.set(
        title="… with different condition numbers",
        xlabel="outgoing weight of the first copy",
        ylabel="κ",
        yscale="log",
        xlim=(-2.5, 3.5),
        ylim=(1e3, 3e4),
    )
    return figure


def draw_spectra() -> plt.Figure:
    """Nonzero eigenvalues of the narrow network, of equal shares, and of the best ones."""
    figure, axes = plt.subplots(figsize=(6.6, 4))
    equal = ho.Widening(NET, copies=[[2, 2, 2]])
    best = ho.best_conditioned(OBJECTIVE, THETA, copies=[[2, 2, 2]])
    cases = [
        ("narrow, 3 neurons", NET, THETA, NARROW, "D"),
        ("6 neurons, equal shares", equal.net, equal(THETA), EQUAL, "s"),
        ("6 neurons, best shares", best.net, best.theta, BEST, "o"),
    ]
    place = np.arange(1, RANK + 1)
    for name, net, theta, colour, marker in cases:
        eigenvalues = nonzero_spectrum(net, theta)
        kappa = eigenvalues[0] / eigenvalues[-1]
        axes.plot(place, eigenvalues, marker + "-", color=colour, linewidth=1, label=f"{name}: κ = {kappa:.0f}")
    axes.set(
        title="D moves the spectrum: the best shares lift the smallest eigenvalues most",
        xlabel="nonzero eigenvalue, from the largest",
        ylabel="eigenvalue",
        yscale="log",
        xticks=place,
    )
    axes.legend(loc="lower left")
    return figure


def draw_widths() -> plt.Figure:
    """κ against width: copies as even as can be with equal shares, and the best widening with its bound."""
    figure, axes = plt.subplots(figsize=(6.6, 4))
    widths = np.arange(3, 13)
    equal = [condition(ho.Widening(NET, copies=[even_copies(width)])) for width in widths]
    best = [ho.best_conditioned(OBJECTIVE, THETA, widths=[int(width)]) for width in widths]
    axes.plot(widths, equal, "s-", color=EQUAL, label="equal shares, copies as even as the width allows")
    axes.plot(widths, [b.value for b in best], "o-", color=BEST, label="best widening")
    bounds = np.array([b.lower_bound for b in best])
    axes.plot(widths, bounds, "_", color="black", markersize=16, label="certified lower bound")
    axes.fill_between(widths, 500, bounds, color=GREY, alpha=0.12, linewidth=0)
    axes.set(
        title="The best κ falls and stays low; equal shares end up worse than narrow",
        xlabel="hidden width",
        ylabel="κ of the 10 nonzero eigenvalues",
        yscale="log",
        xticks=widths,
        ylim=(500, 3e5),
    )
    axes.legend(loc="upper left")
    return figure


def main() -> None:
    plt.style.use(Path(__file__).with_name("pages.mplstyle"))
    pictures = {
        "guide_minimum": draw_minimum,
        "guide_valley": draw_valley,
        "guide_spectra": draw_spectra,
        "guide_widths": draw_widths,
    }
    for name, draw in pictures.items():
        figure = draw()
        figure.tight_layout()
        figure.savefig(Path(__file__).with_name(f"{name}.png"), dpi=130)
        plt.close(figure)


if __name__ == "__main__":
    main()
