"""The command `hessorbit inspect`."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from .. import _checks
from .._words import number_of
from ..inspection import Inspection
from ..inspection import inspect as inspected
from ..inspection.page import render
from ..network import MLP
from ..objective import Objective
from ..study.files import replace_file
from ..targets import LOSSES
from .data import Data, read_data
from .explanations import explained
from .labels import is_text, labels_of, listed, without_order
from .models import read_model
from .options import check_writable


def inspect(
    model: Annotated[
        Path,
        typer.Argument(
            help="Trained network: [cyan].pt[/] or [cyan].pth[/] of torch (a state dict, or a module of torch's "
            "layers), [cyan].safetensors[/], [cyan].onnx[/], [cyan].keras[/], [cyan].skops[/] of scikit-learn, or "
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
            help=f"Loss: {', '.join(LOSSES)}. By default cross_entropy for classes, which are integer targets of "
            f"several outputs, or targets with --classes; logistic for two classes and one output; else squared_error."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Classes in the order of the outputs, with commas between them, where targets are words or "
            "numbers of another kind; the classifiers of scikit-learn know theirs."
        ),
    ] = None,
    l2: Annotated[float, typer.Option(help="Weight decay: the coefficient of ½‖θ‖², biases included.")] = 0.0,
    activation: Annotated[
        list[str] | None,
        typer.Option(help="Activation of the hidden layers of a state dict; repeat it to name one per layer."),
    ] = None,
    output_activation: Annotated[str | None, typer.Option(help="Activation of its outputs.")] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="Layers of a state dict in the order in which they act, with commas between them, where names and "
            "shapes do not tell it."
        ),
    ] = None,
    logits: Annotated[
        bool,
        typer.Option(
            "--logits", help="Leave out a softmax, sigmoid or exponential at the end: the losses take logits."
        ),
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
        read = read_model(
            model,
            activation=activation,
            output_activation=output_activation,
            logits=logits,
            layers=[name.strip() for name in layers.split(",")] if layers else None,
        )
        found = read_data(data, target or [], weight)
        named = [name.strip() for name in classes.split(",")] if classes else read.classes
        objective = objective_of(read.net, found, loss or read.loss, l2, named)
        result = inspected(objective, read.theta, certify=certify)
        typer.echo(repr(result))
        replace_file(report, render(result).encode())
        typer.echo(f"The page is in {report}.")
        if json is not None:
            replace_file(json, written(result).encode())
            typer.echo(f"The numbers are in {json}.")


def objective_of(net: MLP, data: Data, loss: str | None, l2: float, classes: Sequence[Any] | None = None) -> Objective:
    """Return the objective of the data, whose loss and labels follow from the targets where they are not given."""
    inputs, outputs = net.widths[0], net.widths[-1]
    if data.columns and len(data.columns) != inputs:
        raise ValueError(
            f"the network has {number_of(inputs, 'input')}, and the data have {number_of(len(data.columns), 'column')} "
            f"besides targets and weights: {listed(data.columns)}"
        )
    y, chosen = data.y, loss
    of_classes = {"cross_entropy" if outputs > 1 else "logistic", None}
    if classes is not None and loss in of_classes and np.ndim(y) == 1:
        y, chosen = labels_of(y, classes, outputs), loss or ("cross_entropy" if outputs > 1 else "logistic")
    elif is_text(y):
        raise without_order(y)
    y = _checks.as_array(y, "y")
    if outputs > 1 and y.ndim == 1 and y.dtype.kind in "bf" and (y == np.round(y)).all():
        y = y.astype(int)  # numbers of classes that a table holds as floats
    chosen = chosen or ("cross_entropy" if outputs > 1 and y.ndim == 1 and y.dtype.kind in "iu" else "squared_error")
    options: dict[str, Any] = {} if data.sample_weight is None else {"sample_weight": data.sample_weight}
    return Objective(net, data.x, np.asarray(y), loss=chosen, l2=l2, **options)


def written(result: Inspection) -> str:
    """Return the numbers as JSON."""
    return json_format.dumps(result.as_dict(), indent=1, ensure_ascii=False) + "\n"
