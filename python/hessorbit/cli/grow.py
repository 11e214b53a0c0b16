"""The command `hessorbit grow`: a study of networks that are widened while they train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ..study import StudyResult, WidthStudy
from ..study.growth import SPLITS
from ..study.numbers import number
from .explanations import explained
from .options import (
    ACTIVATION,
    BIAS,
    CSV,
    INIT,
    INPUTS,
    OUTPUTS,
    PAGE,
    PARQUET,
    TEACHER_SCALE,
    TEACHER_WIDTH,
    check_page,
    check_tables,
    parsed_widths,
)
from .study import changes, resolve, tell_rows
from .summary import save_tables, summarise


def grow(
    start: Annotated[
        int | None, typer.Option("--from", min=1, help="Hidden neurons that a network begins with.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Hidden neurons that it grows to, such as [cyan]6,12,24[/].")] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="Steps after which it is widened, such as [cyan]500[/], or [cyan]200,400[/] for two widenings, by way "
            "of a width between."
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(help="Standard deviation of the noise of the noisy split, over the parameters' root mean square."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds.")] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Loss at which training ends, over that of predicting the mean.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Most steps, at all widths together.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="gd, momentum or adam; several make variants.")] = None,
    learning_rate: Annotated[str | None, typer.Option(help="Its learning rate.")] = None,
    teacher_width: Annotated[str | None, TEACHER_WIDTH] = None,
    teacher_scale: Annotated[str | None, TEACHER_SCALE] = None,
    inputs: Annotated[str | None, INPUTS] = None,
    outputs: Annotated[str | None, OUTPUTS] = None,
    activation: Annotated[str | None, ACTIVATION] = None,
    bias: Annotated[bool | None, BIAS] = None,
    init: Annotated[str | None, INIT] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change any other setting, such as [cyan]--set samples=1000[/]. Repeat it for several. "
            "[cyan]--show[/] lists them all.",
        ),
    ] = None,
    store: Annotated[
        Path, typer.Option(help="SQLite file that receives a row per width and seed. A file that exists is resumed.")
    ] = Path("growth.sqlite"),
    report: Annotated[Path, PAGE] = Path("growth.html"),
    csv: Annotated[Path | None, CSV] = None,
    parquet: Annotated[Path | None, PARQUET] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; by default one per CPU.")] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar on a terminal.")] = True,
    verbose: Annotated[
        bool | None,
        typer.Option(
            "--verbose/--quiet", help="Print a line for every width and seed; by default where there is no terminal."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the resolved settings and stop.")] = False,
) -> None:
    """Train narrow networks, widen them on the way, and compare steps with those of networks that never grow.

    For every width and seed a narrow network is trained, widened to the width by four ways to split neurons (best,
    equal, random and noisy), and trained on until the loss is below the tolerance. Beside it a network of that width
    is trained from scratch, and the narrow one alone. The command writes a row to a database when these are finished,
    prints what the data say, and writes a page. After an interruption the same command goes on from there.
    """
    with explained("Interrupted. Finished rows are stored; the same command goes on from there."):
        named = {
            "grow_from": start, "widths": None if to is None else parsed_widths(to, "--to"), "grow_at": at,
            "split_noise": noise, "seeds": seeds, "loss_tolerance": tolerance, "max_steps": max_steps, "bias": bias,
        }  # fmt: skip
        lists = {
            "optimizer": optimizer, "learning_rate": learning_rate, "teacher_width": teacher_width,
            "teacher_scale": teacher_scale, "inputs": inputs, "outputs": outputs, "activation": activation,
            "init": init,
        }  # fmt: skip
        chosen = resolve("growth", None, changes(named, lists, set_))
        check_growth(chosen)
        if show:
            typer.echo(chosen.to_toml(), nl=False)
            return
        check_page(report, store)
        check_tables(csv, parquet)
        tell_rows(verbose)
        result = chosen.run(store, workers=workers, progress=progress)
        summarise(result)
        for variant, part in result.parts.items():
            if not part.table.empty:
                Console().print(steps_table(part, variant))
        result.report(report)
        typer.echo(f"Rows are in {store}, the figures in {report}.")
        save_tables(result, csv, parquet)
    if result.failures:
        raise typer.Exit(1)


def check_growth(study: WidthStudy) -> None:
    """Refuse a study in which no network grows."""
    if not study.grow_from:
        raise ValueError("--from must be a width, from which networks grow; got 0")
    if study.widths[0] <= study.grow_from:
        raise ValueError(f"--to must be widths above that of --from, {study.grow_from}; got {study.widths[0]}")


def steps_table(result: StudyResult, variant: str) -> Table:
    """Return the median number of steps of every way, by width, of a variant of the study."""
    ways = {"wide from scratch": "steps", "narrow alone": "steps_narrow"}
    ways |= {f"{split} split": f"steps_grown_{split}" for split in SPLITS}
    medians = result.table.groupby("width")[list(ways.values())].median()
    title = f"Median steps, at all widths together{f': {variant}' if variant else ''}"
    table = Table(title=title, title_justify="left")
    table.add_column("way")
    for width in medians.index:
        table.add_column(f"to {width}", justify="right")
    for way, column in ways.items():
        table.add_row(way, *(number(value) for value in medians[column].to_numpy(float, na_value=np.nan)))
    return table
