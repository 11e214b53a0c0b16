"""How pictures look: colours, sizes and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .._extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of Okabe and Ito, which people with colour-blindness can tell apart.
BLUE, ORANGE, GREEN, PURPLE, GREY, YELLOW = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#555555", "#E69F00"
SIZE = (5.4, 3.9)  # inches


def new_axes() -> Axes:
    """Returns new axes of a figure of pyplot's."""
    need("matplotlib", "a picture")
    from matplotlib import pyplot

    return pyplot.subplots(figsize=SIZE, layout="constrained")[1]


def new_figure(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """Returns a figure that no window system knows of, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def finish(ax: Axes, legend: Literal["best", "upper right"] = "best") -> Axes:
    """Gives axes a grid and, if anything is labelled, a legend; its best place takes long to find among many curves."""
    ax.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc=legend, fontsize="small", frameon=False)
    return ax
