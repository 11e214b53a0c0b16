"""The command `hessorbit inspect`."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import _checks
from ..inspection import Inspection
from ..inspection import inspect as inspected
from ..inspection.page import render
from ..network import MLP
from ..objective import Objective
from ..study.files import replace_file
from ..targets import LOSSES
from .data import Data, read_data
from .explanations import explained
from .models import read_model
from .options import check_writable


def inspect(
    model: Annotated[
        Path,
        typer.Argument(
            help="Trained network: [cyan].pt[/] or [cyan].pth[/] of torch (a state dict, or a module of torch's "
            "layers), [cyan].onnx[/], [cyan].keras[/], [cyan].skops[/] of scikit-learn, or "
            "[cyan].npz[/] of hessorbit.save."
        ),
    ],
    data: Annotated[
        Path, typer.Option(help="Data: an [cyan].npz[/] with arrays x and y, a [cyan].csv[/] or a [cyan].parquet[/].")
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(help="Column of the targets; repeat it for several. Every other column is an input."),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column or array of sample weights.")] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help=f"Loss: {', '.join(LOSSES)}. By default cross_entropy for integer targets and several outputs, else "
            f"squared_error."
        ),
    ] = None,
    l2: Annotated[float, typer.Option(help="Weight decay: the coefficient of ½‖θ‖², biases included.")] = 0.0,
    activation: Annotated[
        list[str] | None,
        typer.Option(help="Activation of the hidden layers of a state dict; repeat it to name one per layer."),
    ] = None,
    output_activation: Annotated[str | None, typer.Option(help="Activation of its outputs.")] = None,
    logits: Annotated[
        bool, typer.Option("--logits", help="Leave out a softmax or sigmoid at the end: the losses take logits.")
    ] = False,
    certify: Annotated[bool, typer.Option("--certify", help="Prove the critical point too; may take minutes.")] = False,
    report: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("inspection.html"),
    json: Annotated[Path | None, typer.Option(help="JSON file to write; it holds the numbers.")] = None,
) -> None:
    """Say what a trained network is at its weights, on one page.

    The page has the loss and its gradient, what kind of point it is, the spectrum of the Hessian with its condition
    numbers, zero modes and their causes, symmetries, where the curvature sits, the best-conditioned network of the same
    function, and neurons that the function does not need. Nothing in a file is run as code.
    """
    with explained():
        check_writable(report, "--report", (".html", ".htm"))
        if json is not None:
            check_writable(json, "--json", (".json",))
        net, theta = read_model(model, activation=activation, output_activation=output_activation, logits=logits)
        found = read_data(data, target or [], weight)
        objective = objective_of(net, found, loss, l2)
        result = inspected(objective, theta, certify=certify)
        typer.echo(repr(result))
        replace_file(report, render(result).encode())
        typer.echo(f"The page is in {report}.")
        if json is not None:
            replace_file(json, written(result).encode())
            typer.echo(f"The numbers are in {json}.")


def objective_of(net: MLP, data: Data, loss: str | None, l2: float) -> Objective:
    """Return the objective of the data; without a loss given, integer targets of several outputs are labels."""
    y = _checks.as_array(data.y, "y")
    labels = y.ndim == 1 and y.dtype.kind in "iub" and net.widths[-1] > 1
    chosen = loss or next(name for name, each in LOSSES.items() if (each["targets"] == "probabilities") == labels)
    options: dict[str, Any] = {} if data.sample_weight is None else {"sample_weight": data.sample_weight}
    return Objective(net, data.x, np.asarray(y), loss=chosen, l2=l2, **options)


def written(result: Inspection) -> str:
    """Return the numbers as JSON."""
    return json_format.dumps(result.as_dict(), indent=1, ensure_ascii=False) + "\n"
