"""What notebooks show of results: a table with the numbers of the text, and nothing that a name could break."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit import _html

NET = ho.MLP([2, 2, 1], "relu")
X = np.random.default_rng(0).standard_normal((20, 2))
THETA = NET.init(np.random.default_rng(1), "normal(1)")
OBJ = ho.Objective(NET, X, NET(THETA, X))
SMALL = ho.Objective(ho.MLP([1, 1]), [[0.0], [1.0], [2.0]], [1.0, 2.0, 4.0])


class Table(HTMLParser):
    """The cells of a table, whose tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.cells += [""] if tag in ("td", "th", "caption") else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data


TEACHER = ho.MLP([1, 1, 1], bias=False)
WIDE = ho.MLP([1, 2, 1], bias=False)
STARTS = np.random.default_rng(0)
EQUAL, OTHER = [2.0, -1.0, 4.0, -3.0], [2.0, 1.0, 4.0, -3.0]


def study() -> ho.StudyResult:
    settings: dict[str, Any] = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 1, "samples": 50}
    with ThreadPoolExecutor(1) as executor:
        return ho.WidthStudy(**settings, max_steps=50).run(executor=executor)


RESULTS: dict[str, tuple[Any, list[str]]] = {
    "spectrum": (ho.spectrum(SMALL, [1.5, 0.8]), ["Spectrum of the hessian, P = 2", "trace", "2.66667", "κ"]),
    "point": (ho.classify(SMALL, [1.5, 0.8]), ["A minimum point", "loss", "max |gradient|"]),
    "certificate": (ho.certify(SMALL, [1.5, 0.8333333]), ["condition number", "8.54970354689", "(0, 0, 2)"]),
    "no certificate": (ho.certify(SMALL, [100.0, 0.0], radius=1e-9), ["digits"]),
    "zero modes": (ho.zero_modes(OBJ, THETA), ["number", "kind", "cause", "‖H z‖ / ‖H‖ at most", "2", "flat"]),
    "zero modes of a network": (ho.zero_modes(NET, THETA), ["number", "kind", "cause"]),
    "group": (ho.symmetries(NET), ["layer", "rescaling", "incoming × c, outgoing × 1/c", "relu"]),
    "nearest": (
        ho.nearest_minimum(WIDE, [0.9, 0.0, 1.0, 0.1], TEACHER, [1.0, 1.0]),
        ["Nearest minimum of a start", "0 copies 0; 1 is off", "signed copies, zero groups, neurons off"],
    ),
    "several nearest": (
        ho.nearest_minimum(WIDE, [[0.9, 0.0, 1.0, 0.1]] * 2, TEACHER, [1.0, 1.0]), ["Nearest minimum of 2 starts"]
    ),
    "equivalence": (
        ho.equivalent(WIDE, [1.0, 2.0, 3.0, 4.0], WIDE, EQUAL),
        ["Two networks: equal", "a group element takes theta1 to theta2"],
    ),
    "different": (ho.equivalent(WIDE, EQUAL, WIDE, OTHER), ["Two networks: different", "outputs differ by", "input"]),
    "canonical": (ho.canonical(WIDE, EQUAL), ["Canonical form", "[1. 2. 3. 4.]"]),
    "reduced": (ho.canonical(WIDE, [1.0, 1.0, 3.0, 4.0], reduce=True), ["MLP([1, 1, 1], 'tanh', bias=False)"]),
    "growth": (ho.grow(OBJ, THETA, [3], split="equal"), ["A grown network", "layer 1: 2, 1"]),
    "reach": (
        ho.reach_probability(TEACHER, TEACHER, [1.0, 1.0], [0.5, 1.0], init="normal(1)", samples=20, rng=STARTS),
        ["radius", "probability", "0.5", "1", "Reach of a global minimum: 20 samples, 95% intervals"],
    ),
    "reach of a uniform start": (
        ho.reach_probability(TEACHER, TEACHER, [1.0, 1.0], 0.5, samples=20, rng=STARTS), ["0.5", "–"]
    ),
    "reach by width": (
        ho.minima.reach_by_width(TEACHER, [1.0, 1.0], [1, 2], samples=20, rng=STARTS), ["median distance", "1", "2"]
    ),
    "trajectory": (
        ho.minimize(SMALL, [0.0, 0.0], method="gd", learning_rate=0.1, max_steps=20).trajectory,
        ["step", "0", "20", "max |gradient|", "3.5"],
    ),
    "study": (
        study(),
        ["claim", "verdict", "The trace falls with width", "StudyResult(2 cells: widths 2, 4, 1 seed)"],
    ),
    "blocks": (
        ho.block_diagonal(SMALL, [0.0, 0.0]),
        ["layer 1", "parameters", "2", "BlockDiagonal(1 block of the hessian, of 2 of 2 parameters)", "2.66667"],
    ),
    "blocks of a batch": (ho.block_diagonal(SMALL, [[0.0, 0.0]], by="neuron"), ["layer 1, neuron 0", "2"]),
    "best": (ho.best_conditioned(OBJ, THETA, over=ho.symmetries(NET), matrix="gauss_newton"), ["at the start", "over"]),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_tables(name: str) -> None:
    result, cells = RESULTS[name]
    assert set(cells) <= set(Table(result._repr_html_()).cells)


def test_names_are_escaped() -> None:
    for text in (_html.facts("<i>", {"<b>": "<script>"}), _html.table("<i>", ["<b>"], [["<script>"]])):
        assert set(Table(text).cells) == {"<i>", "<b>", "<script>"}
        assert "<script>" not in text
