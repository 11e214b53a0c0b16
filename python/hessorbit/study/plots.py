"""Draws the figures of a width study; each function draws one, into axes of yours or new ones, and returns them.

Points are seeds, lines the medians over seeds, bands the quartiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._checks import Array
from .._words import number_of
from ..plot.drawing import width_scale
from ..plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SIZE, YELLOW, finish, new_axes
from .cells import StudyCells
from .claims import Claim
from .growth import SPLITS
from .numbers import Numbers, numbers_by_width, numbers_of_losses, numbers_of_spectra
from .rates import REPRESENTATIVES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FEW_POWERS = 30  # the axis spans less than this factor where numbers between powers of ten are labelled
LEAST_PLAIN, MOST_PLAIN = 0.009, 9001  # between them numbers are written out
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LOSS_POINTS = 150  # of a loss curve that are drawn
SMALLEST_SHARE = 1e-16  # eigenvalues below this times the largest are not drawn


@dataclass(frozen=True)
class Series:
    """A column of the table as a line against width."""

    column: str
    label: str
    colour: str = BLUE
    dashed: bool = False


TRACE = (
    Series("trace", "trace", BLUE),
    Series("trace_at_tolerance", "where training ended", GREY, dashed=True),
    Series("trace_incoming", "part of incoming weights", ORANGE, dashed=True),
    Series("trace_outgoing", "part of outgoing weights", GREEN, dashed=True),
)
LAMBDA_MAX = (
    Series("lambda_max", "at the minimum", BLUE),
    Series("lambda_max_at_tolerance", "where training ended", GREY, dashed=True),
    Series("lambda_max_at_start", "at initialisation", PURPLE, dashed=True),
)
CONDITION = (
    Series("condition", "at the minimum", BLUE),
    Series("condition_copies", "without idle neurons", ORANGE),
    Series("condition_at_start", "of as many eigenvalues at initialisation", PURPLE, dashed=True),
)
BEST_CONDITION = (
    Series("condition_copies", "minima, without idle neurons", ORANGE),
    Series("best_condition_of_copies", "best with the copies of the minimum", GREY, dashed=True),
    Series("best_condition", "best widening of the teacher", GREEN),
)
STEPS = (Series("steps", "steps", BLUE),)
RATES = (
    Series("tail_steps_predicted", "steps per decade, predicted"),
    Series("tail_steps", "steps per decade, measured"),
    Series("tail_model", "loss of the quadratic model over the loss"),
)
FROM_REPRESENTATIVES = tuple(
    series
    for name, colour in zip(REPRESENTATIVES, (BLUE, ORANGE, GREEN), strict=True)
    for series in (
        Series(f"steps_from_{name}", name, colour),
        Series(f"predicted_from_{name}", f"{name}, predicted", colour, dashed=True),
    )
)
GROWTH = (
    Series("steps", "wide from scratch", BLUE),
    Series("steps_narrow", "narrow alone", GREY),
    *(
        Series(f"steps_grown_{split}", f"{split} split", colour, dashed=True)
        for split, colour in zip(SPLITS, (GREEN, ORANGE, PURPLE, YELLOW), strict=True)
    ),
)
NEAREST = (
    Series("nearest_distance", "distance", PURPLE),
    Series("travelled", "distance travelled in training", GREY, dashed=True),
)


def plot_trace(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the Hessian's trace at minima against width, its parts, and the trace where training ended."""
    return draw_all(result, ax, TRACE, "Trace of the Hessian at minima", "trace")


def plot_lambda_max(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the largest eigenvalue at minima against width, and where training ended and began."""
    return draw_all(result, ax, LAMBDA_MAX, "Largest eigenvalue", "λ_max")


def plot_condition(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the condition number at minima against width, with and without idle neurons, and at initialisation."""
    return draw_all(result, ax, CONDITION, "Condition number of the Hessian", "κ")


def plot_best_condition(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the least condition numbers of a class against width, and those of the minima that training came to."""
    return draw_all(result, ax, BEST_CONDITION, "Best-conditioned widening of the teacher", "κ")


def plot_steps(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws training steps to the loss tolerance against width."""
    ax = draw_all(result, ax, STEPS, "Steps to the loss tolerance", "training steps")
    limit = result.settings.max_steps
    if (result.table["reached"] == 0).any():
        ax.axhline(limit, color=GREY, linewidth=1, linestyle=":", label=f"max_steps = {limit}: tolerance not reached")
    return finish(ax)


def plot_nearest(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the distance of the initialisation from the nearest global minimum against width."""
    return draw_all(result, ax, NEAREST, "Nearest global minimum at initialisation", "distance")


def series_of(claim: Claim) -> tuple[Series, ...]:
    """Returns the lines of a claim: its column, the same at initialisation, and what it is compared with."""
    null = (Series(claim.null, "at initialisation", PURPLE, dashed=True),) if claim.null else ()
    others = filter(None, (claim.against, claim.follows))
    return (
        Series(claim.column, claim.column.replace("_", " ")),
        *null,
        *(Series(other, other.replace("_", " "), ORANGE) for other in others),
    )


def plot_claim(result: StudyCells, claim: Claim, ax: Axes | None = None) -> Axes:
    """Draws what a claim is about against width."""
    return draw_all(result, ax, series_of(claim), claim.sentence, claim.column)


def draw_all(result: StudyCells, ax: Axes | None, series: tuple[Series, ...], title: str, ylabel: str) -> Axes:
    """Draws lines against width."""
    ax = axes_for_widths(result, ax, title, ylabel)
    for each in series:
        draw(ax, result, each)
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
    ax.axvline(rank, color=GREY, linewidth=1, linestyle=":", label=f"{number_of(rank, 'parameter')} of the teacher")
    title = "Spectra of the Hessian at minima"
    ax.set(title=title, xlabel="rank of the eigenvalue", ylabel="|λ|", xscale="log", yscale="log")
    label_powers(ax.xaxis)
    label_powers(ax.yaxis)
    return finish(ax)


def plot_losses(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws the training loss, relative to that of predicting the mean, of every student."""
    ax = new_axes() if ax is None else ax
    for width, colour in width_colours(result):
        label: str | None = f"width {width}"
        for record in result.done:
            if record.cell.width == width:
                steps, losses = thinned(*result.loss_curve(record))
                ax.plot(steps, losses, color=colour, linewidth=0.8, alpha=0.7, label=label)
                label = None
    ax.axhline(result.settings.loss_tolerance, color=GREY, linewidth=1, linestyle=":", label="tolerance")
    ax.set(title="Loss curves", xlabel="training step", ylabel="loss / loss of the mean", yscale="log")
    label_powers(ax.yaxis)
    return finish(ax, legend="upper right")


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
    label_powers(ax.xaxis)
    label_powers(ax.yaxis)
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
                # Both are above the minimum's loss already.
                measured, model = (each / result.unit(record) for each in (losses, predicted))
                ax.plot(steps, measured, color=colour, linewidth=1.2, label=f"width {width}")
                ax.plot(steps, model, "--", color=colour, linewidth=1.2)
    title = f"Tails of seed {first}: measured, and predicted (dashed)"
    ax.set(title=title, xlabel="step", ylabel="loss / loss of the mean", xscale="symlog", yscale="log")
    label_powers(ax.yaxis)
    return finish(ax)


def plot_representatives(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws steps of gradient descent from representatives of one function against width, measured and predicted."""
    return draw_all(result, ax, FROM_REPRESENTATIVES, "Representatives of one function", "steps")


def plot_growth(result: StudyCells, ax: Axes | None = None) -> Axes:
    """Draws steps to the loss tolerance against the last width, for each way to grow and without growth."""
    return draw_all(result, ax, GROWTH, "Steps with growth to a width", "training steps, at all widths together")


@dataclass(frozen=True)
class FigureKind:
    """A figure of the report: how it is drawn, what it shows, and the columns without which there is nothing to see."""

    name: str
    draw: Callable[..., Axes]
    caption: str
    numbers: Callable[[StudyCells], Numbers]
    columns: tuple[str, ...] = ()


def of_widths(name: str, draw: Callable[..., Axes], caption: str, series: tuple[Series, ...]) -> FigureKind:
    """Returns a figure of lines against width; without its main one there is nothing to see."""
    return FigureKind(name, draw, caption, numbers_of(series), (name,))


def numbers_of(series: tuple[Series, ...]) -> Callable[[StudyCells], Numbers]:
    """Returns the function that makes the table behind lines against width."""
    columns = [(each.column, each.label) for each in series]
    return lambda result: numbers_by_width(result, columns)


FIGURES = (
    of_widths(
        "trace",
        plot_trace,
        "The trace at minima and its two parts. Where neurons share the work, the part of incoming weights falls with "
        "width, and the part of outgoing weights rises.",
        TRACE,
    ),
    of_widths(
        "lambda_max",
        plot_lambda_max,
        "The largest eigenvalue, which limits the steps of gradient descent.",
        LAMBDA_MAX,
    ),
    of_widths(
        "condition",
        plot_condition,
        "The condition number at minima, off the zero modes that symmetry predicts; without neurons that copy none of "
        "the teacher's; and of as many eigenvalues at initialisation, where counting alone makes it fall.",
        CONDITION,
    ),
    of_widths("steps", plot_steps, "Training steps until the loss tolerance.", STEPS),
    FigureKind(
        "spectra",
        plot_spectra,
        "Magnitudes of all eigenvalues at minima in descending order, medians.",
        numbers_of_spectra,
    ),
    FigureKind("losses", plot_losses, "Loss while training, a curve for every student.", numbers_of_losses),
    of_widths(
        "best_condition",
        plot_best_condition,
        "The least condition number among all widenings of the teacher to a width, which are the same function, and "
        "among those with the copies that a minimum has; the minima for comparison.",
        BEST_CONDITION,
    ),
    of_widths(
        "nearest_distance",
        plot_nearest,
        "How far the initial parameters are from the nearest global minimum found, and how far training went.",
        NEAREST,
    ),
    FigureKind(
        "rates",
        plot_rates,
        "Gradient descent at rate 1/λ_max from where training ended: steps per decade of the loss against those that "
        "the spectrum at the minimum predicts. On the line the quadratic model holds; far above it, the valley that "
        "training came down is curved, and the minimum too far off to tell.",
        numbers_of(RATES),
        ("tail_steps",),
    ),
    FigureKind(
        "tails",
        plot_tails,
        "The loss of this descent, measured and as predicted, for one seed.",
        numbers_of(RATES),
        ("tail_steps",),
    ),
    FigureKind(
        "representatives",
        plot_representatives,
        "Steps of gradient descent, each at its own rate 1/λ_max, to a millionth of the loss from one function near "
        "the teacher: as narrow as the teacher, split equally, and the best-conditioned one.",
        numbers_of(FROM_REPRESENTATIVES),
        ("steps_from_best",),
    ),
    FigureKind(
        "growth",
        plot_growth,
        "Training steps to the loss tolerance of narrow networks that grow to a width, by each way to split neurons; "
        "of networks of that width from scratch; and of the narrow one alone.",
        numbers_of(GROWTH),
        ("steps_grown_best",),
    ),
)


def figures(result: StudyCells) -> list[FigureKind]:
    """Returns the figures for which the result has something to show."""
    if not result.done:
        return []
    return [kind for kind in FIGURES if not kind.columns or result.table[list(kind.columns)].notna().any(axis=None)]


def plot_all(result: StudyCells) -> list[Axes]:
    """Draws all figures into one and returns their axes; of variants, those of the claims beside each other."""
    from matplotlib import pyplot

    if not result.done:
        raise ValueError("there is nothing to plot: no cell of the study is done")
    if result.settings.factors:
        return plot_variants(result, pyplot.figure(layout="constrained"))
    kinds = figures(result)
    rows = -(-len(kinds) // 2)
    _, grid = pyplot.subplots(rows, 2, figsize=(2 * SIZE[0], rows * SIZE[1]), layout="constrained", squeeze=False)
    axes = list(grid.flat)
    for extra in axes[len(kinds) :]:
        extra.remove()
    return [kind.draw(result, ax) for kind, ax in zip(kinds, axes, strict=False)]


def plot_variants(result: StudyCells, figure: Figure, claims: tuple[Claim, ...] | None = None) -> list[Axes]:
    """Draws a row for each claim and a column for each variant, with the same axes along a row."""
    chosen = claims_shown(result) if claims is None else claims
    parts = result.parts
    figure.set_size_inches(max(2.6 * len(parts), 4), 2.6 * len(chosen))
    grid = figure.subplots(len(chosen), len(parts), sharex=True, sharey="row", squeeze=False)
    for row, claim in zip(grid, chosen, strict=True):
        for ax, (words, part) in zip(row, parts.items(), strict=True):
            draw_all(part, ax, series_of(claim), words.replace(", ", "\n"), claim.sentence)
            ax.title.set_size("small")
            ax.label_outer()
            if ax is not row[0] and (legend := ax.get_legend()):
                legend.remove()
    return list(grid.flat)


def claims_shown(result: StudyCells) -> tuple[Claim, ...]:
    """Returns the claims that any variant of a study is about."""
    return tuple(dict.fromkeys(finding.claim for finding in result.claims()))


def axes_for_widths(result: StudyCells, ax: Axes | None, title: str, ylabel: str) -> Axes:
    from matplotlib.ticker import NullLocator

    ax = new_axes() if ax is None else ax
    ax.set(title=title, xlabel="width (hidden neurons)", ylabel=ylabel, xscale="log", yscale="log")
    label_powers(ax.yaxis)
    widths = result.settings.widths
    shown = with_room(widths)
    ax.set_xticks(widths, [str(width) if width in shown else "" for width in widths])
    ax.xaxis.set_minor_locator(NullLocator())
    return ax


def with_room(widths: Sequence[int]) -> list[int]:
    """Returns the widths whose labels do not meet on a logarithmic axis: a twelfth of it apart, from the largest on."""
    room = (max(widths) / min(widths)) ** (1 / 12)
    shown: list[int] = []
    for width in sorted(widths, reverse=True):
        if not shown or width * room <= shown[-1]:
            shown.append(width)
    return shown


def draw(ax: Axes, result: StudyCells, series: Series) -> None:
    """Draws median and quartiles over seeds against width, and every seed as a point."""
    column, colour = series.column, series.colour
    if column not in result.table:
        return
    table = result.table[["width", "seed", column]].astype({column: float})
    table = table[np.isfinite(table[column]) & (table[column] > 0)]
    if table.empty:
        return
    quartiles = table.groupby("width")[column].quantile([0.25, 0.5, 0.75]).unstack()
    widths = quartiles.index.to_numpy(float)
    style = "--" if series.dashed else "-"
    ax.fill_between(widths, quartiles[0.25], quartiles[0.75], color=colour, alpha=0.15, linewidth=0)
    ax.plot(widths, quartiles[0.5], style, color=colour, label=series.label, marker="o", markersize=4)
    ax.plot(table["width"], table[column], ".", color=colour, alpha=0.35, markersize=3)


def label_powers(axis: Axis) -> None:
    """Labels a logarithmic axis with text, such as 10⁴, and between powers of ten where few of them are in view."""
    from matplotlib.ticker import FuncFormatter

    def between(value: float, _: int | None) -> str:
        low, high = axis.get_view_interval()
        leading = round(value / 10 ** np.floor(np.log10(value)))
        return plain_number(value) if high < FEW_POWERS * low and leading in (2, 5) else ""

    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axis.set_minor_formatter(FuncFormatter(between))


def plain_number(value: float) -> str:
    """Writes a number with one digit: 0.02, 500, 10⁴, 2·10⁻⁷."""
    if LEAST_PLAIN <= value < MOST_PLAIN:
        return f"{value:g}"
    digit, power = f"{value:.0e}".split("e")
    return f"{digit}·10".removeprefix("1·") + str(int(power)).translate(SUPERSCRIPTS)


def width_colours(result: StudyCells) -> list[tuple[int, str]]:
    """Returns the widths with a colour each, dark for narrow and light for wide."""
    widths = result.settings.widths
    return list(zip(widths, width_scale(len(widths)), strict=True))


def thinned(steps: Array, losses: Array) -> tuple[Array, Array]:
    """Returns enough points of a curve to draw it."""
    chosen = np.unique(np.linspace(0, len(steps) - 1, LOSS_POINTS).astype(int))
    return steps[chosen], losses[chosen]
