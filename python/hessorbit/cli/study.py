"""The command `hessorbit study`."""

from __future__ import annotations

import logging
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from ..study import WidthStudy
from ..study.settings import COMMAS, MAY_VARY, presets
from ..study.toml_text import read_toml
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
    WIDTHS,
    check_page,
    check_tables,
    parsed_widths,
)
from .summary import save_tables, summarise


def study(
    preset: Annotated[str, typer.Option(help=f"Named settings to start from: {', '.join(presets())}.")] = "default",
    settings: Annotated[
        Path | None, typer.Option(help="TOML file of settings to start from, instead of a preset.", dir_okay=False)
    ] = None,
    widths: Annotated[str | None, WIDTHS] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds.")] = None,
    teacher_width: Annotated[str | None, TEACHER_WIDTH] = None,
    teacher_scale: Annotated[str | None, TEACHER_SCALE] = None,
    inputs: Annotated[str | None, INPUTS] = None,
    outputs: Annotated[str | None, OUTPUTS] = None,
    activation: Annotated[str | None, ACTIVATION] = None,
    bias: Annotated[bool | None, BIAS] = None,
    init: Annotated[str | None, INIT] = None,
    samples: Annotated[
        str | None,
        typer.Option(help="Number of samples, or [cyan]infinite[/]: the default for activations with closed forms."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Data of your own to train on, instead of a teacher's: an npz, CSV or Parquet file."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Array or columns of the data that hold the targets, with commas between columns; or y."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change any setting, such as [cyan]--set max_steps=5000[/]; with several values, such as [cyan]--set "
            "optimizer=adam,gd[/], there are students of each. Repeat it for several settings. [cyan]--show[/] lists "
            "them all.",
        ),
    ] = None,
    store: Annotated[
        Path, typer.Option(help="SQLite file that receives one row per student. A file that exists is resumed.")
    ] = Path("study.sqlite"),
    report: Annotated[Path, PAGE] = Path("study.html"),
    csv: Annotated[Path | None, CSV] = None,
    parquet: Annotated[Path | None, PARQUET] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="Where students are trained: [cyan]processes[/], the default; [cyan]threads[/]; [cyan]dask[/], a "
            "cluster of this machine; or [cyan]dask://host:port[/], the one whose scheduler is there."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes or threads; by default one per CPU.")] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Train the I-th of N parts of the students only, such as [cyan]3/16[/], each part with a store of its "
            "own; [cyan]hessorbit merge[/] puts them together.",
        ),
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar on a terminal.")] = True,
    verbose: Annotated[
        bool | None,
        typer.Option(
            "--verbose/--quiet", help="Print a line for every student; by default where there is no terminal."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the resolved settings and stop.")] = False,
) -> None:
    """Train students of growing width on one teacher's data, and measure their Hessians at minima.

    The command writes a row per student to a database as it finishes. Then it prints what the data say about the
    claims, and writes a page with tests and figures. After an interruption the same command goes on from there.
    """
    with explained("Interrupted. Finished students are stored; the same command goes on from there."):
        named = {
            "widths": None if widths is None else parsed_widths(widths), "seeds": seeds, "bias": bias,
            "data": None if data is None else str(data), "target": target,
        }  # fmt: skip
        lists = {
            "teacher_width": teacher_width, "teacher_scale": teacher_scale, "inputs": inputs, "outputs": outputs,
            "activation": activation, "init": init, "samples": samples,
        }  # fmt: skip
        chosen = resolve(preset, settings, changes(named, lists, set_))
        if show:
            typer.echo(chosen.to_toml(), nl=False)
            return
        check_page(report, store)
        check_tables(csv, parquet)
        part = None if shard is None else parsed_shard(shard)
        tell_rows(verbose)
        result = chosen.run(store, executor=executor, workers=workers, shard=part, progress=progress)
        summarise(result)
        result.report(report)
        typer.echo(f"Rows are in {store}, the figures in {report}.")
        save_tables(result, csv, parquet)
    if result.failures:
        raise typer.Exit(1)


def changes(named: dict[str, Any], lists: dict[str, str | None], given: list[str] | None) -> dict[str, Any]:
    """Return the settings that options change: plain ones, those that take several values, and what --set gives."""
    changed = {name: value for name, value in named.items() if value is not None}
    changed.update(assignment(f"{name}={text}") for name, text in lists.items() if text is not None)
    return {**changed, **dict(map(assignment, given or []))}


def tell_rows(verbose: bool | None) -> None:
    """Have a line printed for every row; by default where there is no terminal."""
    told = not sys.stderr.isatty() if verbose is None else verbose
    logging.getLogger("hessorbit.study").setLevel(logging.INFO if told else logging.WARNING)


def resolve(preset: str, settings: Path | None, changes: dict[str, Any]) -> WidthStudy:
    """Return the study that the options ask for."""
    if settings is None:
        WidthStudy.preset(preset)  # refuses an unknown name
        start = presets()[preset]
    else:
        start = read_toml(settings, "--settings")
        WidthStudy.from_toml(settings)  # refuses bad settings by the name of the file
    return WidthStudy.from_mapping({**start, **changes}, "command line")


def assignment(text: str) -> tuple[str, Any]:
    """Read ``name=value`` with a value in TOML, where strings go without quotes, and lists without brackets."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ValueError(f"--set must be NAME=VALUE, such as activation=tanh; got {text!r}")
    try:
        found = toml_value(value)
    except RecursionError:
        raise ValueError(f"--set {name} must be a plain value; its brackets nest too deeply") from None
    if isinstance(found, str) and found == value and "," in value and name in MAY_VARY and name not in COMMAS:
        return name, [toml_value(part.strip()) for part in value.strip("[]").split(",")]
    return name, found


def toml_value(text: str) -> Any:
    """Return a value in TOML, or the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def parsed_shard(text: str) -> tuple[int, int]:
    """Read ``i/n``."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise ValueError(f"--shard must be I/N, the I-th of N parts with I from 1 to N, such as 3/16; got {text!r}")
    return int(index), int(count)
