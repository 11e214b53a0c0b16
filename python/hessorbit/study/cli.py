"""The command line: `hessorbit study`, `report`, `reach` and `info`."""

from __future__ import annotations

import logging
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ImportError as error:
    raise SystemExit(f'hessorbit\'s commands need more packages: pip install "hessorbit[study]" ({error})') from None

from ..config import show_config
from .claims import Finding
from .configuration import presets
from .explanations import check_writable, explained
from .reach import parsed_widths, reach
from .report import factor, spread
from .result import StudyResult, load
from .sweep import WidthStudy

VERDICT_STYLES = {"supported": "green", "contradicted": "red", "undecided": "yellow"}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Exact Hessians of small multilayer perceptrons, and what width does to them.",
)

Store = Annotated[Path, typer.Option(help="SQLite file that receives one row per student; an existing one is resumed.")]
Report = Annotated[Path, typer.Option(help="HTML file to write, with the figures in it.")]


@app.command()
def study(
    preset: Annotated[str, typer.Option(help=f"Named settings to start from: {', '.join(presets())}.")] = "default",
    config: Annotated[
        Path | None, typer.Option(help="TOML file with settings, instead of a preset.", dir_okay=False)
    ] = None,
    widths: Annotated[
        str | None, typer.Option(help="Hidden neurons of the students, such as [cyan]5,10,20[/].")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="How many seeds.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change any other setting, such as [cyan]--set activation=tanh[/] or [cyan]--set samples=200[/]; "
            "repeat it for several. [cyan]--show[/] lists them.",
        ),
    ] = None,
    store: Store = Path("study.sqlite"),
    report: Report = Path("study.html"),
    workers: Annotated[int | None, typer.Option(help="Worker processes; by default one per CPU.")] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar on a terminal.")] = True,
    show: Annotated[bool, typer.Option("--show", help="Print the resolved settings and stop.")] = False,
) -> None:
    """Train students of growing width on one teacher's data, and measure their Hessians.

    Writes a row per student to a database as it finishes, prints what the data say about the claims, and writes a page
    with the figures. Interrupted or killed, it goes on from there when called again with the same settings.
    """
    with explained("Interrupted. Finished students are stored; the same command goes on from there."):
        named = {"widths": None if widths is None else parsed_widths(widths), "seeds": seeds}
        changes = {name: value for name, value in named.items() if value is not None}
        chosen = resolve(preset, config, {**changes, **dict(map(assignment, set_ or []))})
        if show:
            typer.echo(chosen.to_toml(), nl=False)
            return
        check_writable(report, "--report")
        result = chosen.run(store, workers=workers, progress=progress)
        summarise(result)
        result.report(report)
        typer.echo(f"Rows are in {store}, the figures in {report}.")
    if result.failures:
        raise typer.Exit(1)


@app.command("report")
def report_command(
    store: Annotated[Path, typer.Argument(help="SQLite file that a study wrote.")] = Path("study.sqlite"),
    report: Report = Path("study.html"),
    csv: Annotated[Path | None, typer.Option(help="Also write the table of all students to this file.")] = None,
) -> None:
    """Print the claims of a stored study, finished or not, and write its page again."""
    with explained():
        result = load(store)
        summarise(result)
        result.report(report)
        typer.echo(f"The figures are in {report}.")
        if csv is not None:
            result.table.to_csv(csv, index=False)
            typer.echo(f"The table is in {csv}.")


app.command()(reach)


@app.command()
def info() -> None:
    """Print versions, instruction level, compiler and number of threads."""
    show_config()


def resolve(preset: str, config: Path | None, changes: dict[str, Any]) -> WidthStudy:
    """The study that the options ask for."""
    start = WidthStudy.preset(preset) if config is None else WidthStudy.from_toml(config)
    return WidthStudy.from_mapping({**start.settings(), **changes}, "command line")


def assignment(text: str) -> tuple[str, Any]:
    """``name=value`` with a value in TOML, where a string may go without quotes."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set must be NAME=VALUE, such as activation=tanh; got {text!r}")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()


def summarise(result: StudyResult) -> None:
    """Print what the data say, and what is missing."""
    console = Console()
    console.print(claims_table(result.claims()))
    console.print(f"{result!r}", highlight=False)
    for cell, error in result.failures.items():
        console.print(f"width {cell.width}, seed {cell.seed} failed: {error}", style="red", markup=False)


def claims_table(findings: list[Finding]) -> Table:
    table = Table(title="Claims about width", title_justify="left")
    table.add_column("claim")
    table.add_column("factor per doubling", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("seeds", justify="right")
    table.add_column("verdict")
    for finding in findings:
        verdict = f"[{VERDICT_STYLES[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(finding.claim.sentence, factor(finding.effect), spread(finding), str(finding.seeds), verdict)
    return table


def main() -> None:
    """Entry point of the command `hessorbit`."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    app()
