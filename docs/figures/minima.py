"""The figure of docs/minima.md, and its numbers on descents: python docs/figures/minima.py (about half a minute)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import hessorbit as ho
from hessorbit.minima import DescentComparison, compare_descent, reach_by_width

# The colours of Okabe and Ito.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
REACH_WIDTHS = [5, 10, 20, 40, 80]
DESCENT_WIDTHS = [2, 4, 8, 16]


def teacher_of(inputs: int, neurons: int, activation: str, scale: float) -> tuple[ho.MLP, np.ndarray]:
    """Standard normal incoming weights, outgoing weights ± scale, no output bias."""
    teacher = ho.MLP([inputs, neurons, 1], activation)
    theta = teacher.init(np.random.default_rng(0), "normal(1)")
    outgoing, bias = teacher.unflatten(theta)[1]
    outgoing[...] = scale * np.sign(outgoing)
    bias[...] = 0.0
    return teacher, theta


def descents(width: int, count: int = 50) -> DescentComparison:
    """Levenberg–Marquardt from random starts, a tanh teacher of two neurons."""
    teacher, theta = teacher_of(2, 2, "tanh", 1.0)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((300, 2))
    student = ho.MLP([2, width, 1], "tanh")
    objective = ho.Objective(student, x, teacher(theta, x), threads=1)
    starts = student.init(rng, "torch", size=count)
    ends = np.array([ho.minimize(objective, start, method="lm").x for start in starts])
    return compare_descent(student, starts, ends, teacher, theta)


def main() -> None:
    """Draw, and print the numbers."""
    figure = Figure(figsize=(9.0, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (activation, scale, init), colour in zip(
        [("gelu", 5.0, "torch"), ("gelu", 5.0, "glorot_normal"), ("tanh", 1.0, "torch")],
        (BLUE, ORANGE, GREEN),
        strict=True,
    ):
        teacher, theta = teacher_of(5, 5, activation, scale)
        found = reach_by_width(
            teacher, theta, REACH_WIDTHS, init=init, samples=50, rng=np.random.default_rng(1), threads=1
        )
        print(f"{activation}, ±{scale:g}, {init}: {found}")
        medians = np.array([np.median(each.distance) for each in found.starts])
        relative = np.array([np.median(each.relative) for each in found.starts])
        label = f"{activation} ±{scale:g}, {init}"
        left.plot(REACH_WIDTHS, medians / medians[0], "o-", color=colour, markersize=4, label=label)
        left.plot(REACH_WIDTHS, relative / relative[0], "o:", color=colour, markersize=3)
    left.plot([], [], "o-", color=GREY, markersize=4, label="distance")
    left.plot([], [], "o:", color=GREY, markersize=3, label="distance / ‖θ₀‖")
    left.set(title="Nearest global minimum", ylabel=f"median, that at width {REACH_WIDTHS[0]} = 1", ylim=(0, None))

    compared = [descents(width) for width in DESCENT_WIDTHS]
    for width, each in zip(DESCENT_WIDTHS, compared, strict=True):
        print(f"width {width}: {each}, median distance left {np.median(each.remaining):.2g}")
    right.plot(
        DESCENT_WIDTHS, [np.median(c.nearest) for c in compared], "o-", color=BLUE, markersize=4, label="nearest"
    )
    travelled = [np.median(c.travelled[c.converged]) for c in compared]
    right.plot(DESCENT_WIDTHS, travelled, "s-", color=ORANGE, markersize=4, label="travelled by descents that arrived")
    for width, height, each in zip(DESCENT_WIDTHS, travelled, compared, strict=True):
        right.annotate(
            f"{each.fraction:.0%}", (width, height), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8
        )
    right.set(title="Where descents end", ylabel="median distance", ylim=(0, 1.15 * max(travelled)))

    for ax, widths in ((left, REACH_WIDTHS), (right, DESCENT_WIDTHS)):
        ax.set(xscale="log", xlabel="width (hidden neurons)")
        ax.set_xticks(widths, [str(width) for width in widths])
        ax.minorticks_off()
        ax.grid(visible=True, color="#dddddd", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize="x-small", frameon=False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
