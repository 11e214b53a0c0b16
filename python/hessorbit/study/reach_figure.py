"""Draws what `reach_by_width` and `reach_over_teachers` find: the figures of the command `hessorbit reach`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..minima.scaling import QUARTILES, ReachByWidth
from ..plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE
from .teachers import ReachOverTeachers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

# Each measure of a distance: its attribute, its label and its colour.
MEASURES = (
    ("distance", "distance", BLUE),
    ("relative", "distance / ‖θ₀‖", ORANGE),
    ("per_parameter", "distance / √P", GREEN),
)


def figure(found: ReachByWidth) -> Figure:
    """Draws the distance, its measures compared, the probability, and the distributions behind it."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(9.6, 6.8), layout="constrained")
    result.suptitle("One teacher, as an example", fontsize="medium")
    (distance, measures), (chance, distribution) = result.subplots(2, 2)
    draw_distance(distance, found)
    draw_measures(measures, found)
    draw_chance(chance, found)
    draw_distribution(distribution, found)
    for ax in (distance, measures, chance, distribution):
        ax.grid(visible=True, color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize="small", frameon=False)
    return result


def figure_of_teachers(found: ReachOverTeachers) -> Figure:
    """Draws distances in proportion to those at the first width, and the probability, a line for each teacher."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(9.6, 6.8), layout="constrained")
    panels = result.subplots(2, 2)
    for ax, (name, label, colour) in zip(panels.flat, MEASURES, strict=False):
        medians = found.table.pivot(index="width", columns="seed", values=f"{name}_median")
        draw_teachers(ax, medians / medians.iloc[0], colour)
        ax.set(title=label, ylabel="median, that at the first width = 1", ylim=(0, None))
    chance = panels[1, 1]
    draw_teachers(chance, found.table.pivot(index="width", columns="seed", values="probability"), PURPLE)
    chance.set(title="Probability to be within a teacher's radius", ylabel="probability", ylim=(-0.03, 1.03))
    for ax in panels.flat:
        against_width(ax, found.reaches[0])
        ax.grid(visible=True, color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize="small", frameon=False)
    return result


def draw_teachers(ax: Axes, lines: DataFrame, colour: str) -> None:
    """Draws a line for each column, and their median."""
    ax.plot(lines.index, lines.to_numpy(), color=colour, alpha=0.3, linewidth=0.8)
    ax.plot(lines.index, lines.median(axis=1), "o-", color=colour, markersize=4, label="median over teachers")


def draw_distance(ax: Axes, found: ReachByWidth) -> None:
    quartiles = np.array([np.quantile(each.distance, QUARTILES) for each in found.starts])
    ax.fill_between(
        found.widths, quartiles[:, 0], quartiles[:, 2], color=BLUE, alpha=0.15, linewidth=0, label="quartiles"
    )
    ax.plot(found.widths, quartiles[:, 1], "o-", color=BLUE, markersize=4, label="median")
    bounds = [np.median(each.distance_lower_bound) for each in found.starts]
    ax.plot(found.widths, bounds, "v--", color=GREY, markersize=4, linewidth=1, label="certified lower bound, median")
    against_width(ax, found)
    ax.set(title="Distance to the nearest global minimum", ylabel="‖θ − θ₀‖", ylim=(0, None))


def draw_measures(ax: Axes, found: ReachByWidth) -> None:
    for name, label, colour in MEASURES:
        medians = np.array([np.median(getattr(each, name)) for each in found.starts])
        ax.plot(found.widths, medians / medians[0], "o-", color=colour, markersize=4, label=label)
    against_width(ax, found)
    ax.set(
        title="In which measure it comes nearer", ylabel=f"median, that at width {found.widths[0]} = 1", ylim=(0, None)
    )


def draw_chance(ax: Axes, found: ReachByWidth) -> None:
    estimate = np.array([chance.estimate for chance in found.chance])
    low, high = np.array([chance.interval for chance in found.chance]).T
    errors = np.array([estimate - low, high - estimate])
    ax.errorbar(
        found.widths, estimate, errors, fmt="o-", color=PURPLE, markersize=4, capsize=3, label="sampled, 95 % interval"
    )
    for side, label in (("lower_bound", "likeliest single piece"), ("upper_bound", "sum over all pieces")):
        bounds = [getattr(chance, side) for chance in found.chance]
        if None not in bounds:
            ax.plot(
                found.widths,
                bounds,
                "v--" if side == "lower_bound" else "^--",
                color=GREY,
                markersize=4,
                linewidth=1,
                label=label,
            )
    against_width(ax, found)
    ax.set(title=f"Probability to be within {found.radius:.4g}", ylabel="probability", ylim=(-0.03, 1.03))


def draw_distribution(ax: Axes, found: ReachByWidth) -> None:
    from matplotlib import colormaps

    for index, each in enumerate(found.starts):
        colour = colormaps["viridis"](0.9 * index / max(len(found.starts) - 1, 1))
        ax.ecdf(each.distance, color=colour, label=f"width {each.width}")
    ax.axvline(found.radius, color=GREY, linewidth=1, linestyle=":", label="radius")
    ax.set(title="Distribution of the distance", xlabel="distance", ylabel="part of the starts within")


def against_width(ax: Axes, found: ReachByWidth) -> None:
    from matplotlib.ticker import NullLocator

    ax.set(xlabel="width (hidden neurons)", xscale="log")
    ax.set_xticks(found.widths, [str(width) for width in found.widths])
    ax.xaxis.set_minor_locator(NullLocator())
