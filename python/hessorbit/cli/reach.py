"""The command `hessorbit reach`: how near a global minimum is at initialisation, against the width of the student.

Teachers and students are those of a width study with the same settings. One teacher is an example, by `reach_by_width`;
over several, trends are judged by `reach_over_teachers`.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from .._checks import integer
from .._words import number_of
from ..minima.scaling import QUARTILES, ReachByWidth, reach_by_width
from ..study.files import replace_file
from ..study.reach_figure import MEASURES, figure, figure_of_teachers
from ..study.settings import Settings
from ..study.task import stream, teacher_task
from ..study.teachers import SHARE, STARTS, ReachOverTeachers, reach_over_teachers
from .explanations import explained
from .options import (
    ACTIVATION,
    BIAS,
    INIT,
    INPUTS,
    OUTPUTS,
    TEACHER_SCALE,
    TEACHER_WIDTH,
    WIDTHS,
    check_writable,
    parsed_widths,
)
from .summary import claims_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reach(
    widths: Annotated[str, WIDTHS] = "5,10,20,40,80",
    teacher_width: Annotated[int, TEACHER_WIDTH] = 5,
    teacher_scale: Annotated[float, TEACHER_SCALE] = 5.0,
    inputs: Annotated[int, INPUTS] = 5,
    outputs: Annotated[int, OUTPUTS] = 1,
    activation: Annotated[str, ACTIVATION] = "gelu",
    bias: Annotated[bool, BIAS] = True,
    init: Annotated[str, INIT] = "torch",
    radius: Annotated[
        float | None,
        typer.Option(
            help="Distance that counts as near. By default it is the median of the distances of all widths together "
            "for one teacher, and for several a --share for each."
        ),
    ] = None,
    teachers: Annotated[
        int, typer.Option(help="Number of teachers. One is an example; verdicts of trends need 8.")
    ] = 1,
    share: Annotated[
        float,
        typer.Option(
            help="Of several teachers, the radius of each, over the median distance of other starts of the first width."
        ),
    ] = SHARE,
    samples: Annotated[int, typer.Option(help="Random starts for each width.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the width study whose teacher is used, or the first of them.")] = 0,
    max_nodes: Annotated[
        int, typer.Option(help="Effort of a search. How far a distance may be off where it ends is printed.")
    ] = 100,
    threads: Annotated[int | None, typer.Option(help="Threads; by default as many as OpenMP allows.")] = None,
    verbose: Annotated[
        bool | None,
        typer.Option(
            "--verbose/--quiet", help="Print a line for every teacher; by default where there is no terminal."
        ),
    ] = None,
    plot: Annotated[Path, typer.Option(help="PNG, SVG or PDF file to write; it holds the figure.")] = Path("reach.png"),
    table: Annotated[Path | None, typer.Option(help="CSV or JSON file to write; it holds the numbers.")] = None,
) -> None:
    """Show how far random starts are from the nearest global minimum, against width.

    A student is at a global minimum where it computes what the teacher does. The wider it is, the more neurons there
    are to choose the teacher's copies from. The command prints and draws median and quartiles of the distance, the
    distance over ‖θ₀‖ and over √P for P parameters, and the probability to be within a radius, with its 95 % interval.
    Where starts are Gaussian, exact laws bound the probability too.

    All of this holds for one teacher, as an example. With --teachers it is found for several, each with a radius that
    is fixed before its starts are drawn, and the command prints what they say of each trend, by the tests of the study.
    """
    with explained("Interrupted. The rows of finished teachers are in --table, if it was given."):
        check_writable(plot, "--plot", (".png", ".svg", ".pdf"))
        if table is not None:
            check_writable(table, "--table", (".csv", ".json"))
        settings = Settings(
            teacher_width=teacher_width, teacher_scale=teacher_scale, inputs=inputs, outputs=outputs,
            activation=activation, bias=bias, init=init,
        )  # fmt: skip
        options: dict[str, Any] = {"samples": samples, "max_nodes": max_nodes, "threads": threads}
        sizes = parsed_widths(widths)
        size = f"{number_of(teacher_width, 'neuron')} and {number_of(inputs, 'input')}"
        size += f", outgoing weights ±{settings.teacher_scale:g}"
        if integer(teachers, "teachers", minimum=1) == 1:
            one = compute(settings, sizes, seed, radius=radius, **options)
            show(one, f"One example: {activation} teacher of {size}, starts by {init}")
            finish(one.rows, figure(one), table, plot)
            return
        told = not sys.stderr.isatty() if verbose is None else verbose
        logging.getLogger("hessorbit.study").setLevel(logging.INFO if told else logging.WARNING)

        def keep(found: ReachOverTeachers) -> None:
            if table is not None:
                replace_file(table, written(rows_of(found), table.suffix).encode())

        several = reach_over_teachers(
            settings, sizes, teachers=teachers, seed=seed, share=share, radius=radius, keep=keep, **options
        )
        show_teachers(several, f"{teachers} {activation} teachers of {size}, starts by {init}")
        finish(rows_of(several), figure_of_teachers(several), table, plot)


def compute(settings: Settings, widths: list[int], seed: int, **options: Any) -> ReachByWidth:
    """Return the numbers of one teacher."""
    task = teacher_task(settings, integer(seed, "seed", minimum=0))
    return reach_by_width(
        task.teacher, task.theta, widths, rng=stream(settings, seed, STARTS), init=settings.init, **options
    )


def finish(rows: list[dict[str, Any]], drawing: Figure, table: Path | None, plot: Path) -> None:
    """Write the numbers, if there is a place for them, and the figure."""
    if table is not None:
        replace_file(table, written(rows, table.suffix).encode())
        typer.echo(f"The numbers are in {table}.")
    replace_file(plot, drawn(drawing, plot.suffix))
    typer.echo(f"The figure is in {plot}.")


def rows_of(found: ReachOverTeachers) -> list[dict[str, Any]]:
    """Return a row of plain numbers for each teacher and width."""
    rows: list[dict[str, Any]] = json.loads(found.table.to_json(orient="records", double_precision=15))
    return rows


def show_teachers(found: ReachOverTeachers, title: str) -> None:
    """Print medians over teachers, and what they say of each trend."""
    from rich import box

    console = Console()
    near = f"{found.share:g} of the median distance at the first width" if found.share else "one for all"
    console.print(f"Distance to the nearest global minimum; radius of a teacher: {near}")
    console.print(title)
    columns = {"distance": "distance_median", "/ ‖θ₀‖": "relative_median", "/ √P": "per_parameter_median",
               "P(within the radius)": "probability"}  # fmt: skip
    result = Table(title="Medians over teachers", title_justify="left", box=box.SIMPLE_HEAD, padding=0)
    for heading in ("width", *columns):
        result.add_column(heading, justify="right")
    for width, row in found.table.groupby("width")[list(columns.values())].median().iterrows():
        result.add_row(str(width), *(f"{value:.3g}" for value in row))
    console.print(result)
    console.print(claims_table(found.findings()))
    if not found.table["complete"].all():
        console.print(
            "There may be global minima of other kinds, so distances are upper bounds and P is a lower one.",
            style="yellow",
        )


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
    console.print("One teacher says nothing of others; --teachers 10 judges trends over ten.", highlight=False)
    if not all(each.complete for each in found.starts):
        console.print(
            "There may be global minima of other kinds, so distances are upper bounds and P is a lower one.",
            style="yellow",
        )


def rich_table(found: ReachByWidth) -> Table:
    """Return the numbers as a table, one width a row."""
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


def written(rows: list[dict[str, Any]], suffix: str) -> str:
    """Return rows as CSV or JSON."""
    if suffix.lower() == ".json":
        return json.dumps(rows, indent=1) + "\n"
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def drawn(drawing: Figure, suffix: str) -> bytes:
    """Return the figure in the format of an ending."""
    file = io.BytesIO()
    drawing.savefig(file, dpi=150, format=suffix.lower().removeprefix(".") or None)
    return file.getvalue()
