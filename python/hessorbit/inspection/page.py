"""The page of an inspection: one HTML file that needs nothing else, and a short table for notebooks."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np

from .. import _html
from .._norms import norm
from ..any_objective import MATRIX_NAMES
from ..conditioning import BestConditioned
from ..config import configuration
from ..plot import pages, spectrum
from ..plot.drawing import style_variables
from ..plot.landscape import draw
from ..plot.style import BLUE, ORANGE
from ..symmetry.factors import order_text
from .blocks import Block
from .findings import Findings

FACTS = ("hessorbit", "level", "compiler", "eigen", "threads", "python", "numpy", "scipy", "platform")
MOST_NEURONS = 60  # in the table of blocks and the picture of it
CONVENTIONS = {
    "quotient": "across the predicted zero modes; no tolerance decides what is zero",
    "raw": "of all eigenvalues",
    "rank": "of the eigenvalues above the floor",
    "threshold": "of the eigenvalues above this fraction of the largest",
}


def render(found: Findings) -> str:
    """Returns the page."""
    page = pages.environment(__package__)
    page.filters.update(number=number, percent=percent, words=words)
    layers = [block for block in found.blocks if block.neuron is None]
    neurons = [block for block in found.blocks if block.neuron is not None]
    facts = configuration()
    light, dark = style_variables()
    return page.get_template("inspection.html").render(
        title="A network, inspected",
        found=found,
        light=light,
        dark=dark,
        norm=float(norm(found.theta)),
        matrices=MATRIX_NAMES,
        conventions=[(m, k, CONVENTIONS[k.convention.partition("=")[0]]) for m, k in found.condition_numbers],
        modes=modes(found),
        factors=[(factor, order_text(factor.order)) for factor in found.symmetries.factors],
        order=order_text(found.symmetries.order),
        layers=layers,
        neurons=sorted(neurons, key=lambda block: -block.trace)[:MOST_NEURONS],
        number_of_neurons=len(neurons) // 2,
        most=MOST_NEURONS,
        best=[(name, best, isinstance(best, BestConditioned)) for name, best in found.best.items()],
        canonical=canonical_rows(found),
        drawings=drawings(found),
        facts={name: facts[name] for name in FACTS if name in facts},
    )


def modes(found: Findings) -> list[dict[str, Any]]:
    """Returns a row for each cause of zero modes."""
    counts: Counter[tuple[str, str]] = Counter(zip(found.zero_modes.kinds, found.zero_modes.labels, strict=True))
    residuals = found.zero_modes.residuals
    keys = list(zip(found.zero_modes.kinds, found.zero_modes.labels, strict=True))
    rows = []
    for key, count in counts.items():
        worst = None if residuals is None else max(r for r, own in zip(residuals, keys, strict=True) if own == key)
        rows.append({"kind": key[0], "cause": key[1], "count": count, "residual": worst})
    return rows


def canonical_rows(found: Findings) -> list[dict[str, Any]]:
    """Returns weights and biases of the reduced network by layer."""
    net, theta = found.canonical.net, found.canonical.theta
    rows = []
    for layer, ((weights, biases), names) in enumerate(zip(net.unflatten(theta), net.activations, strict=True), 1):
        rows.append(
            {
                "layer": layer,
                "activation": ", ".join(dict.fromkeys(names)),
                "weights": np.array2string(weights, precision=4, threshold=60, suppress_small=True),
                "biases": None
                if biases is None
                else np.array2string(biases, precision=4, threshold=20, suppress_small=True),
            }
        )
    return rows


def drawings(found: Findings) -> list[pages.Drawing]:
    """Returns the figures."""
    result = [
        pages.drawing(f"spectrum-{sp.matrix}", f"Eigenvalues of the {MATRIX_NAMES[sp.matrix]}.", partial(spectrum, sp))
        for sp in (found.hessian, found.gauss_newton)
    ]
    for index, each in enumerate(found.slices):
        where = " and the ".join(each.names)
        caption = f"The loss along the {where}, with its exact quadratic at θ."
        result.append(pages.drawing(f"slice-{index}", caption, partial(draw, each)))
    if any(block.neuron is not None for block in found.blocks):
        caption = "The trace of each hidden neuron's blocks: of its incoming and of its outgoing parameters."
        result.append(pages.drawing("neurons", caption, partial(draw_neurons, found.blocks)))
    return result


def draw_neurons(blocks: tuple[Block, ...], ax: Any) -> None:
    """Draws the traces of neurons' blocks as bars."""
    own = [block for block in blocks if block.neuron is not None][: 2 * MOST_NEURONS]
    incoming, outgoing = own[::2], own[1::2]
    places = np.arange(len(incoming))
    ax.bar(places - 0.2, [block.trace for block in incoming], 0.4, color=BLUE, label="incoming")
    ax.bar(places + 0.2, [block.trace for block in outgoing], 0.4, color=ORANGE, label="outgoing")
    several = len({block.layer for block in incoming}) > 1
    shown = places[:: max(1, len(places) // 12)]
    ax.set_xticks(
        shown, [f"{incoming[k].layer}.{incoming[k].neuron}" if several else str(incoming[k].neuron) for k in shown]
    )
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_title("Curvature by neuron", loc="left", fontsize="medium")
    ax.set(xlabel="layer.neuron" if several else "neuron", ylabel="trace of the block")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize="small", frameon=False)


def summary(found: Findings) -> str:
    """Returns a table for notebooks."""
    rows = {
        "loss": number(found.loss),
        "max |gradient|": number(found.point.gradient_norm),
        "point": f"{found.point.kind}: {found.point.message}",
        "eigenvalues": f"{number(found.hessian.min)} to {number(found.hessian.max)}, "
        f"{found.hessian.num_negative} negative",
        **{f"κ of the {MATRIX_NAMES[m]}": str(k) for m, k in found.condition_numbers if k.convention == "quotient"},
        "function needs": repr(found.canonical.net),
        **{f"layer {note.layer}": note.meaning for note in found.neurons},
    }
    return _html.facts(found.objective, rows)


def number(value: float | None) -> str:
    """Writes four significant digits, and a dash for what is not finite."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %" if np.isfinite(value) else "–"


def words(name: str) -> str:
    """Writes a name of ours as words."""
    for plain, written in MATRIX_NAMES.items():
        name = name.replace(plain, written)
    return name.replace("_", " ")
