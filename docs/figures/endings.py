"""Draws the picture of docs/endings.md: ``python docs/figures/endings.py``, beside this file."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

# The colours of Okabe and Ito, which people with colour-blindness can tell apart.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
X = np.linspace(-2, 2, 40)[:, None]
NET, SMALL = ho.MLP([1, 2, 1]), ho.MLP([1, 1, 1])
OBJECTIVE = ho.Objective(NET, X, np.tanh(3 * X - 1) + 0.5 * np.tanh(1 - X) + 0.05 * np.sin(9 * X))


def losses(obj: ho.Objective, theta: np.ndarray, direction: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return obj.loss(theta + steps[:, None] * direction)


def draw_minimum(axes: plt.Axes) -> None:
    theta = ho.minimize(OBJECTIVE, NET.init(np.random.default_rng(0))).x
    vectors, steps = ho.spectrum(OBJECTIVE, theta, vectors=True).vectors, np.linspace(-0.6, 0.6, 201)
    axes.plot(steps, losses(OBJECTIVE, theta, vectors[:, 0], steps), color=BLUE)
    axes.set(title="Minimum", xlabel="along the softest eigenvector", ylabel="loss")


def draw_saddle(axes: plt.Axes) -> None:
    alone = ho.minimize(ho.Objective(SMALL, X, OBJECTIVE.y), [1.0, 0.0, 1.0, 0.0]).x
    theta = ho.Widening(SMALL, [[2]], coefficients=[[[0.5, 0.5]]])(alone)
    vectors, steps = ho.spectrum(OBJECTIVE, theta, vectors=True).vectors, np.linspace(-0.8, 0.8, 201)
    axes.plot(steps, losses(OBJECTIVE, theta, vectors[:, 0], steps), color=ORANGE)
    axes.set(title="Saddle", xlabel="along the negative eigenvector")


def draw_infinity(axes: plt.Axes) -> None:
    parabola = ho.Objective(NET, X, X**2 - 1)
    run = ho.minimize(parabola, NET.init(np.random.default_rng(0)), max_steps=2000, keep_thetas=True)
    thetas = np.array(run.trajectory.thetas)
    axes.plot(np.linalg.norm(thetas, axis=1), parabola.loss(thetas), color=GREEN)
    axes.set(title="To infinity", xlabel="size of the parameters, ‖θ‖", xscale="log", yscale="log")


def draw_degenerate(axes: plt.Axes) -> None:
    narrow = np.array([2.0, -0.5, 1.5, 0.3])
    fitted = ho.Objective(NET, X, SMALL(narrow, X))
    theta = ho.Widening(SMALL, [[2]])(narrow)
    modes, steps = ho.zero_modes(NET, theta), np.linspace(-1, 1, 201)
    for index, label in ((0, "outgoing weight moved"), (1, "copies moved apart")):
        axes.plot(steps, losses(fitted, theta, modes.basis[:, index], steps), color=PURPLE,
                  linestyle=("-", ":")[index], label=label)  # fmt: skip
    axes.set(title="Degenerate", xlabel="along two flat directions", ylim=(-0.0002, 0.0025))
    axes.legend(fontsize=8, frameon=False)


def main() -> None:
    plt.style.use(Path(__file__).with_name("pages.mplstyle"))
    figure, axes = plt.subplots(2, 2, figsize=(8.4, 6.0))
    for draw, one in zip((draw_minimum, draw_saddle, draw_infinity, draw_degenerate), axes.ravel(), strict=True):
        draw(one)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=160)


if __name__ == "__main__":
    main()
