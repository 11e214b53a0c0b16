"""Draws the figures of a width study; each function draws one, into axes of yours or new ones, and returns them.

Points are seeds, lines the medians over seeds, bands the quartiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._checks import Array
from .cells import StudyCells
from .growth import SPLITS
from .rates import REPRESENTATIVES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of Okabe and Ito, which people with colour-blindness can tell apart.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#555555"
SIZE = (5.4, 3.9)  # inches
LOSS_POINTS = 150  # of a loss curve that are drawn
SMALLEST_SHARE = 1e-16  # eigenvalues below this times the largest are not drawn


def plot_trace(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the Hessian's trace at minima against width, its parts, and the trace where training ended."""
    ax = axes_for_widths(result, ax, "Trace of the Hessian at minima", "trace")
    draw(ax, result, "trace", "trace", BLUE)
    draw(ax, result, "trace_at_tolerance", "where training ended", GREY, dashed=True)
    draw(ax, result, "trace_incoming", "part of incoming weights", ORANGE, dashed=True)
    draw(ax, result, "trace_outgoing", "part of outgoing weights", GREEN, dashed=True)
    return finish(ax)


def plot_lambda_max(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the largest eigenvalue at minima against width, and where training ended and began."""
    ax = axes_for_widths(result, ax, "Largest eigenvalue", "λ_max")
    draw(ax, result, "lambda_max", "at the minimum", BLUE)
    draw(ax, result, "lambda_max_at_tolerance", "where training ended", GREY, dashed=True)
    draw(ax, result, "lambda_max_at_start", "at initialisation", PURPLE, dashed=True)
    return finish(ax)


def plot_condition(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the condition number at minima against width, with and without idle neurons, and at initialisation."""
    ax = axes_for_widths(result, ax, "Condition number of the Hessian", "κ")
    draw(ax, result, "condition", "at the minimum", BLUE)
    draw(ax, result, "condition_copies", "without idle neurons", ORANGE)
    draw(ax, result, "condition_at_start", "of as many eigenvalues at initialisation", PURPLE, dashed=True)
    return finish(ax)


def plot_best_condition(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the least condition numbers of a class against width, and those of the minima that training came to."""
    ax = axes_for_widths(result, ax, "Best-conditioned widening of the teacher", "κ")
    draw(ax, result, "condition_copies", "minima, without idle neurons", ORANGE)
    draw(ax, result, "best_condition_of_copies", "best with the copies of the minimum", GREY, dashed=True)
    draw(ax, result, "best_condition", "best widening of the teacher", GREEN)
    return finish(ax)


def plot_steps(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws training steps to the loss tolerance against width."""
    ax = axes_for_widths(result, ax, "Steps to the loss tolerance", "training steps")
    draw(ax, result, "steps", "steps", BLUE)
    limit = result.settings.max_steps
    if (result.table["reached"] == 0).any():
        ax.axhline(limit, color=GREY, linewidth=1, linestyle=":", label=f"max_steps = {limit}: tolerance not reached")
    return finish(ax)


def plot_nearest(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the distance of the initialisation from the nearest global minimum against width."""
    ax = axes_for_widths(result, ax, "Nearest global minimum at initialisation", "distance")
    draw(ax, result, "nearest_distance", "distance", PURPLE)
    draw(ax, result, "travelled", "distance travelled in training", GREY, dashed=True)
    return finish(ax)


def plot_spectra(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws magnitudes of all eigenvalues at minima in descending order, the median over seeds, for each width."""
    ax = new_axes() if ax is None else ax
    for width, colour in width_colours(result):
        cells = [record.arrays for record in result.done if record.cell.width == width]
        spectra = [np.abs(arrays["eigenvalues"]) for arrays in cells if "eigenvalues" in arrays]
        if not spectra:
            continue
        magnitudes = np.median(np.sort(spectra, axis=1)[:, ::-1], axis=0)
        shown = magnitudes > SMALLEST_SHARE * magnitudes[0]
        ax.plot(np.flatnonzero(shown) + 1, magnitudes[shown], color=colour, label=f"width {width}")
    rank = result.settings.network(result.settings.teacher_width).num_parameters
    ax.axvline(rank, color=GREY, linewidth=1, linestyle=":", label=f"{rank} parameters of the teacher")
    title = "Spectra of the Hessian at minima"
    ax.set(title=title, xlabel="rank of the eigenvalue", ylabel="|λ|", xscale="log", yscale="log")
    return finish(ax)


def plot_losses(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the training loss, relative to that of predicting the mean, of every student."""
    ax = new_axes() if ax is None else ax
    for width, colour in width_colours(result):
        label: str | None = f"width {width}"
        for record in result.done:
            if record.cell.width == width:
                steps, losses = thinned(record.arrays["steps_recorded"], record.arrays["losses"])
                baseline = record.measurements["baseline"]
                ax.plot(steps, losses / baseline, color=colour, linewidth=0.8, alpha=0.7, label=label)
                label = None
    ax.axhline(result.settings.loss_tolerance, color=GREY, linewidth=1, linestyle=":", label="tolerance")
    ax.set(title="Loss curves", xlabel="training step", ylabel="loss / loss of the mean", yscale="log")
    return finish(ax)


def plot_rates(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws steps per decade where training ended against those that the spectrum at the minimum predicts."""
    ax = new_axes() if ax is None else ax
    table = result.table.dropna(subset=["tail_steps", "tail_steps_predicted"])
    for width, colour in width_colours(result):
        rows = table[table["width"] == width]
        ax.plot(
            rows["tail_steps_predicted"], rows["tail_steps"], "o", color=colour, markersize=4, label=f"width {width}"
        )
    ends = table[["tail_steps", "tail_steps_predicted"]].to_numpy(float)
    ax.plot([ends.min(), ends.max()], [ends.min(), ends.max()], ":", color=GREY, linewidth=1, label="as predicted")
    title = "Gradient descent where training ended"
    ax.set(
        title=title,
        xlabel="steps per decade, predicted",
        ylabel="steps per decade, measured",
        xscale="log",
        yscale="log",
    )
    return finish(ax)


def plot_tails(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the loss of gradient descent from where training ended, measured and predicted, for the first seed."""
    ax = new_axes() if ax is None else ax
    cells = [record for record in result.done if "tail_losses" in record.arrays]
    first = min(record.cell.seed for record in cells)
    for width, colour in width_colours(result):
        for record in cells:
            if record.cell[:2] == (width, first):
                names = ("tail_recorded", "tail_losses", "tail_predicted")
                steps, losses, predicted = (record.arrays[name] for name in names)
                baseline = record.measurements["baseline"]
                ax.plot(steps, losses / baseline, color=colour, linewidth=1.2, label=f"width {width}")
                ax.plot(steps, predicted / baseline, "--", color=colour, linewidth=1.2)
    title = f"Tails of seed {first}: measured, and predicted (dashed)"
    ax.set(title=title, xlabel="step", ylabel="loss / loss of the mean", xscale="symlog", yscale="log")
    return finish(ax)


def plot_representatives(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws steps of gradient descent from representatives of one function against width, measured and predicted."""
    ax = axes_for_widths(result, ax, "Representatives of one function", "steps")
    for name, colour in zip(REPRESENTATIVES, (BLUE, ORANGE, GREEN), strict=True):
        draw(ax, result, f"steps_from_{name}", name, colour)
        draw(ax, result, f"predicted_from_{name}", "", colour, dashed=True)
    ax.plot([], [], "--", color=GREY, label="predicted")
    return finish(ax)


def plot_growth(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws steps to the loss tolerance against the last width, for each way to grow and without growth."""
    ax = axes_for_widths(result, ax, "Steps with growth to a width", "training steps, at all widths together")
    draw(ax, result, "steps", "wide from scratch", BLUE)
    draw(ax, result, "steps_narrow", "narrow alone", GREY)
    for split, colour in zip(SPLITS, (GREEN, ORANGE, PURPLE, "#E69F00"), strict=True):
        draw(ax, result, f"steps_grown_{split}", f"{split} split", colour, dashed=True)
    return finish(ax)


@dataclass(frozen=True)
class FigureKind:
    """A figure of the report: how it is drawn, what it shows, and the columns without which there is nothing to see."""

    name: str
    draw: Callable[..., Axes]
    caption: str
    columns: tuple[str, ...] = ()


FIGURES = (
    FigureKind(
        "trace",
        plot_trace,
        "The trace at minima and its two parts. Where neurons share the work, the part of incoming weights falls with "
        "width, and the part of outgoing weights rises.",
        ("trace",),
    ),
    FigureKind(
        "lambda_max",
        plot_lambda_max,
        "The largest eigenvalue, which limits the steps of gradient descent.",
        ("lambda_max",),
    ),
    FigureKind(
        "condition",
        plot_condition,
        "The condition number at minima, off the zero modes that symmetry predicts; without neurons that copy none of "
        "the teacher's; and of as many eigenvalues at initialisation, where counting alone makes it fall.",
        ("condition",),
    ),
    FigureKind("steps", plot_steps, "Training steps until the loss tolerance.", ("steps",)),
    FigureKind("spectra", plot_spectra, "Magnitudes of all eigenvalues at minima in descending order, medians."),
    FigureKind("losses", plot_losses, "Loss while training, a curve for every student."),
    FigureKind(
        "best_condition",
        plot_best_condition,
        "The least condition number among all widenings of the teacher to a width, which are the same function, and "
        "among those with the copies that a minimum has; the minima for comparison.",
        ("best_condition",),
    ),
    FigureKind(
        "nearest",
        plot_nearest,
        "How far the initial parameters are from the nearest global minimum found, and how far training went.",
        ("nearest_distance",),
    ),
    FigureKind(
        "rates",
        plot_rates,
        "Gradient descent at rate 1/λ_max from where training ended: steps per decade of the loss against those that "
        "the spectrum at the minimum predicts. On the line the quadratic model holds; far above it, the valley that "
        "training came down is curved, and the minimum too far off to tell.",
        ("tail_steps",),
    ),
    FigureKind(
        "tails",
        plot_tails,
        "The loss of this descent, measured and as predicted, for one seed.",
        ("tail_steps",),
    ),
    FigureKind(
        "representatives",
        plot_representatives,
        "Steps of gradient descent, each at its own rate 1/λ_max, to a millionth of the loss from one function near "
        "the teacher: as narrow as the teacher, split equally, and the best-conditioned one.",
        ("steps_from_best",),
    ),
    FigureKind(
        "growth",
        plot_growth,
        "Training steps to the loss tolerance of narrow networks that grow to a width, by each way to split neurons; "
        "of networks of that width from scratch; and of the narrow one alone.",
        ("steps_grown_best",),
    ),
)


def figures(result: StudyCells) -> list[FigureKind]:
    """Returns the figures for which the result has something to show."""
    if not result.done:
        return []
    return [kind for kind in FIGURES if not kind.columns or result.table[list(kind.columns)].notna().any(axis=None)]


def plot_all(result: StudyCells) -> list[Axes]:
    """Draws all figures into one and returns their axes."""
    from matplotlib import pyplot

    kinds = figures(result)
    rows = -(-len(kinds) // 2)
    if not kinds:
        raise ValueError("there is nothing to plot: no cell of the study is done")
    _, grid = pyplot.subplots(rows, 2, figsize=(2 * SIZE[0], rows * SIZE[1]), layout="constrained", squeeze=False)
    axes = list(grid.flat)
    for extra in axes[len(kinds) :]:
        extra.remove()
    return [kind.draw(result, ax) for kind, ax in zip(kinds, axes, strict=False)]


def new_axes() -> Axes:
    from matplotlib import pyplot

    return pyplot.subplots(figsize=SIZE, layout="constrained")[1]


def new_figure() -> tuple[Figure, Axes]:
    """Returns a figure that no window system knows of, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    return figure, figure.subplots()


def axes_for_widths(result: StudyCells, ax: Axes | None, title: str, ylabel: str) -> Axes:
    from matplotlib.ticker import NullLocator

    ax = new_axes() if ax is None else ax
    ax.set(title=title, xlabel="width (hidden neurons)", ylabel=ylabel, xscale="log", yscale="log")
    widths = result.settings.widths
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.xaxis.set_minor_locator(NullLocator())
    return ax


def draw(ax: Axes, result: StudyCells, column: str, label: str, colour: str, *, dashed: bool = False) -> None:
    """Draws median and quartiles over seeds against width, and every seed as a point."""
    table = result.table[["width", "seed", column]].astype({column: float})
    table = table[np.isfinite(table[column]) & (table[column] > 0)]
    if table.empty:
        return
    quartiles = table.groupby("width")[column].quantile([0.25, 0.5, 0.75]).unstack()
    widths = quartiles.index.to_numpy(float)
    ax.fill_between(widths, quartiles[0.25], quartiles[0.75], color=colour, alpha=0.15, linewidth=0)
    ax.plot(widths, quartiles[0.5], "--" if dashed else "-", color=colour, label=label, marker="o", markersize=4)
    ax.plot(table["width"], table[column], ".", color=colour, alpha=0.35, markersize=3)


def finish(ax: Axes) -> Axes:
    ax.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize="small", frameon=False)
    return ax


def width_colours(result: StudyCells) -> list[tuple[int, tuple[float, ...]]]:
    """Returns the widths with a colour each, dark for narrow and light for wide."""
    from matplotlib import colormaps

    widths = result.settings.widths
    return [(width, colormaps["viridis"](0.9 * i / max(len(widths) - 1, 1))) for i, width in enumerate(widths)]


def thinned(steps: Array, losses: Array) -> tuple[Array, Array]:
    """Returns enough points of a curve to draw it."""
    chosen = np.unique(np.linspace(0, len(steps) - 1, LOSS_POINTS).astype(int))
    return steps[chosen], losses[chosen]
