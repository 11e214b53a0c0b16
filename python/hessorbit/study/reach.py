"""The command `hessorbit reach`: how near a global minimum is at initialisation, against the width of the student.

Teacher and students are those of a width study with the same settings; the numbers come from `reach_by_width`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ImportError as error:
    raise SystemExit(f'hessorbit\'s commands need more packages: pip install "hessorbit[study]" ({error})') from None

from ..minima.scaling import QUARTILES, ReachByWidth, reach_by_width
from .configuration import Configuration
from .explanations import check_writable, explained
from .plots import BLUE, GREEN, GREY, ORANGE, PURPLE
from .student import make_problem, stream

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The last key of the stream of random starts; the study uses 0 to 2 (student.py).
STARTS = 3

MEASURES = (
    ("distance", "distance", BLUE),
    ("relative", "distance / ‖θ₀‖", ORANGE),
    ("per_parameter", "distance / √P", GREEN),
)


def reach(
    widths: Annotated[
        str, typer.Option(help="Hidden neurons of the students, such as [cyan]5,10,20[/]; none below the teacher's.")
    ] = "5,10,20,40,80",
    teacher_width: Annotated[int, typer.Option(help="Hidden neurons of the teacher.")] = 5,
    teacher_scale: Annotated[
        float, typer.Option(help="Size of the teacher's outgoing weights, whose signs are random.")
    ] = 5.0,
    inputs: Annotated[int, typer.Option(help="Number of inputs.")] = 5,
    outputs: Annotated[int, typer.Option(help="Number of outputs.")] = 1,
    activation: Annotated[
        str, typer.Option(help="Activation of the hidden layer, such as tanh, relu or gelu.")
    ] = "gelu",
    bias: Annotated[bool, typer.Option(help="Give both layers biases.")] = True,
    scheme: Annotated[
        str,
        typer.Option(
            help="Law of the initial parameters: torch, glorot_normal, glorot_uniform, he_normal, or normal(σ) with a "
            "number for σ. For the Gaussian ones the probability is also bounded from exact laws."
        ),
    ] = "torch",
    radius: Annotated[
        float | None,
        typer.Option(
            help="Distance that counts as near, for the probability. By default the median of the distances of all "
            "widths together."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Random starts for each width; each is searched once.")] = 200,
    seed: Annotated[int, typer.Option(help="Which teacher: that of the width study's seed of this number.")] = 0,
    max_nodes: Annotated[
        int,
        typer.Option(help="Effort of a search; how far a distance may be off when it ends is printed."),
    ] = 100,
    threads: Annotated[int | None, typer.Option(help="Threads; by default all that OpenMP allows.")] = None,
    plot: Annotated[Path, typer.Option(help="PNG, SVG or PDF file to draw the figure in.")] = Path("reach.png"),
    table: Annotated[
        Path | None, typer.Option(help="Also write the numbers to this file, as CSV, or as JSON if it ends in .json.")
    ] = None,
) -> None:
    """Show how far random starts are from the nearest global minimum, against width.

    A student is at a global minimum where it computes what the teacher does. The wider it is, the more neurons
    there are to choose the teacher's copies from. Prints and draws median and quartiles of the distance, the
    distance over ‖θ₀‖ and over √P for P parameters, and the probability to be within a radius, with its 95 %
    interval.
    """
    with explained():
        check_writable(plot, "--plot")
        if table is not None:
            check_writable(table, "--table")
        found, teacher = compute(
            parsed_widths(widths), samples, scheme, radius, seed, max_nodes, threads,
            {
                "teacher_width": teacher_width, "teacher_scale": teacher_scale, "inputs": inputs, "outputs": outputs,
                "activation": activation, "bias": bias,
            },
        )  # fmt: skip
        show(found, f"{teacher}, starts by {scheme}")
        if table is not None:
            write_table(found, table)
            typer.echo(f"The numbers are in {table}.")
        figure(found).savefig(plot, dpi=150)
        typer.echo(f"The figure is in {plot}.")


def parsed_widths(widths: str) -> list[int]:
    try:
        return [int(part) for part in widths.split(",")]
    except ValueError:
        raise ValueError(f"--widths must be whole numbers between commas, such as 5,10,20; got {widths!r}") from None


def compute(
    widths: list[int],
    samples: int,
    scheme: str,
    radius: float | None,
    seed: int,
    max_nodes: int,
    threads: int | None,
    settings: dict[str, Any],
) -> tuple[ReachByWidth, str]:
    """The numbers, and the teacher in words."""
    configuration = Configuration(init=scheme, **settings)
    problem = make_problem(configuration, seed)
    found = reach_by_width(
        problem.teacher,
        problem.theta,
        widths,
        rng=stream(configuration, seed, STARTS),
        radius=radius,
        init=scheme,
        samples=samples,
        max_nodes=max_nodes,
        threads=threads,
    )
    size = f"{configuration.teacher_width} neurons and {configuration.inputs} inputs"
    return found, f"{configuration.activation} teacher of {size}, outgoing weights ±{configuration.teacher_scale:g}"


def show(found: ReachByWidth, title: str) -> None:
    """Print the table, what it shows per doubling, and what it leaves open."""
    console = Console()
    console.print(f"Distance to the nearest global minimum, and probability P to be within {found.radius:.4g}")
    console.print(title)
    console.print(rich_table(found))
    factors = ", ".join(f"{label} × {found.factor_per_doubling(name):.3f}" for name, label, _ in MEASURES)
    if len(found.widths) > 1:
        console.print(f"For twice the width: {factors}.", highlight=False)
    gap = max(each.gap for each in found.starts)
    console.print(f"No minimum of the kinds searched is nearer by more than {gap:.0e} of a distance.", highlight=False)
    if not all(each.complete for each in found.starts):
        console.print(
            "There may be global minima of other kinds, so distances are upper bounds and P is a lower one.",
            style="yellow",
        )


def rich_table(found: ReachByWidth) -> Table:
    from rich import box

    result = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True)
    bounded = found.chance[0].lower_bound is not None
    headings = ["width", "distance", "quartiles", "/ ‖θ₀‖", "/ √P", "P", "95 %", "bounds"]
    for heading in headings if bounded else headings[:-1]:
        result.add_column(heading, justify="right", overflow="fold")
    for each, chance in zip(found.starts, found.chance, strict=True):
        lower, median, upper = np.quantile(each.distance, QUARTILES)
        cells = [
            str(each.width),
            f"{median:.4g}",
            f"{lower:.4g}–{upper:.4g}",
            f"{np.median(each.relative):.3g}",
            f"{np.median(each.per_parameter):.3g}",
            f"{chance.estimate:.3g}",
            f"{chance.interval[0]:.2f}–{chance.interval[1]:.2f}",
        ]
        if bounded:
            cells.append("–".join("?" if b is None else f"{b:.1g}" for b in (chance.lower_bound, chance.upper_bound)))
        result.add_row(*cells)
    return result


def write_table(found: ReachByWidth, path: Path) -> None:
    """The rows as CSV or JSON."""
    rows = found.rows
    if path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def figure(found: ReachByWidth) -> Figure:
    """Four panels: the distance, its measures compared, the probability, and the distributions behind it."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(9.6, 6.8), layout="constrained")
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


def draw_distance(ax: Axes, found: ReachByWidth) -> None:
    quartiles = np.array([np.quantile(each.distance, QUARTILES) for each in found.starts])
    ax.fill_between(
        found.widths, quartiles[:, 0], quartiles[:, 2], color=BLUE, alpha=0.15, linewidth=0, label="quartiles"
    )
    ax.plot(found.widths, quartiles[:, 1], "o-", color=BLUE, markersize=4, label="median")
    bounds = [np.median(each.lower_bound) for each in found.starts]
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
