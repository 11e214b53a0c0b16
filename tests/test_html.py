"""What notebooks show of results: a table with the numbers of the text, and nothing that a name could break."""

from __future__ import annotations

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


RESULTS: dict[str, tuple[Any, list[str]]] = {
    "spectrum": (ho.spectrum(SMALL, [1.5, 0.8]), ["Spectrum of the hessian, P = 2", "trace", "2.66667", "κ"]),
    "point": (ho.classify(SMALL, [1.5, 0.8]), ["A minimum point", "loss", "max |gradient|"]),
    "certificate": (ho.certify(SMALL, [1.5, 0.8333333]), ["condition number", "8.54970354689", "(0, 0, 2)"]),
    "no certificate": (ho.certify(SMALL, [100.0, 0.0], radius=1e-9), ["digits"]),
    "zero modes": (ho.zero_modes(OBJ, THETA), ["number", "kind", "cause", "‖H z‖ / ‖H‖ at most", "2", "flat"]),
    "zero modes of a network": (ho.zero_modes(NET, THETA), ["number", "kind", "cause"]),
    "group": (ho.symmetries(NET), ["layer", "rescaling", "incoming × c, outgoing × 1/c", "relu"]),
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
