"""The command `hessorbit reach`: how near a global minimum is at initialisation, against the width of the student.

Teacher and students are those of a width study with the same settings; the numbers come from `reach_by_width`.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from .._checks import integer
from ..minima.scaling import QUARTILES, ReachByWidth, reach_by_width
from ..study.files import replace_file
from ..study.reach_figure import MEASURES, figure
from ..study.settings import Settings
from ..study.task import stream, teacher_task
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

# The last key of the stream of random starts; study/task.py lists the others.
STARTS = 3


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
            help="Distance that counts as near. By default it is the median of the distances of all widths together."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Random starts for each width.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the width study whose teacher is used.")] = 0,
    max_nodes: Annotated[
        int, typer.Option(help="Effort of a search. How far a distance may be off where it ends is printed.")
    ] = 100,
    threads: Annotated[int | None, typer.Option(help="Threads; by default as many as OpenMP allows.")] = None,
    plot: Annotated[Path, typer.Option(help="PNG, SVG or PDF file to write; it holds the figure.")] = Path("reach.png"),
    table: Annotated[Path | None, typer.Option(help="CSV or JSON file to write; it holds the numbers.")] = None,
) -> None:
    """Show how far random starts are from the nearest global minimum, against width.

    A student is at a global minimum where it computes what the teacher does. The wider it is, the more neurons there
    are to choose the teacher's copies from. The command prints and draws median and quartiles of the distance, the
    distance over ‖θ₀‖ and over √P for P parameters, and the probability to be within a radius, with its 95 % interval.
    Where starts are Gaussian, exact laws bound the probability too.
    """
    with explained():
        check_writable(plot, "--plot", (".png", ".svg", ".pdf"))
        if table is not None:
            check_writable(table, "--table", (".csv", ".json"))
        settings = Settings(
            teacher_width=teacher_width, teacher_scale=teacher_scale, inputs=inputs, outputs=outputs,
            activation=activation, bias=bias, init=init,
        )  # fmt: skip
        found, teacher = compute(
            settings, parsed_widths(widths), seed, radius=radius, samples=samples, max_nodes=max_nodes, threads=threads
        )
        show(found, f"{teacher}, starts by {init}")
        if table is not None:
            replace_file(table, written(found, table.suffix).encode())
            typer.echo(f"The numbers are in {table}.")
        replace_file(plot, drawn(found, plot.suffix))
        typer.echo(f"The figure is in {plot}.")


def compute(settings: Settings, widths: list[int], seed: int, **options: Any) -> tuple[ReachByWidth, str]:
    """Return the numbers, and the teacher in words."""
    task = teacher_task(settings, integer(seed, "seed", minimum=0))
    found = reach_by_width(
        task.teacher, task.theta, widths, rng=stream(settings, seed, STARTS), init=settings.init, **options
    )
    size = f"{settings.teacher_width} neurons and {settings.inputs} inputs"
    return found, f"{settings.activation} teacher of {size}, outgoing weights ±{settings.teacher_scale:g}"


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


def written(found: ReachByWidth, suffix: str) -> str:
    """Return the rows as CSV or JSON."""
    rows = found.rows
    if suffix.lower() == ".json":
        return json.dumps(rows, indent=1) + "\n"
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def drawn(found: ReachByWidth, suffix: str) -> bytes:
    """Return the figure in the format of an ending."""
    file = io.BytesIO()
    figure(found).savefig(file, dpi=150, format=suffix.lower().removeprefix(".") or None)
    return file.getvalue()
