"""Counts agree with their nouns in every message, repr and page."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import hessorbit as ho
from hessorbit._words import number_of, those

PACKAGE = Path(ho.__file__).parent
# A plural noun right behind a value, or behind an adjective or two: "{n} negative eigenvalues".
ADJECTIVES = (
    "dead|different|distinct|finished|flat|free|hidden|idle|intact|largest|missing|more|negative|new|nonzero|of|other|"
    "parameter|positive|predicted|smallest|such|the|zero"
)
NOUNS = (
    "axes|blocks|cells|classes|columns|combinations|copies|descents|digits|directions|eigenvalues|entries|figures|"
    "inputs|layers|levels|minima|modes|neurons|outputs|pairs|parameters|points|rows|samples|seeds|starts|steps|students|"
    "teachers|values|variants|vectors|weights|widths"
)
PLURAL = re.compile(rf" (?:(?:{ADJECTIVES}) ){{0,2}}(?:{NOUNS})\b")
# What is in front of the noun is a name, or a number that is never 1 there.
OTHERS = {
    "neuron": "a number, with a verb behind it",
    "activation": "a name",
    "rule.activation": "a name",
    "what": "a name",
    "list(widths)": "a list",
    "wanted": "two classes for one output, or one for each of several",
    "total": "above the largest number supported",
    "self.depth": "above 1",
    "rows": "at least two, of which one is held out",
    "said('samples')": "several, as a fifth of the rows is held out",
}


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 rows are"), (1, "1 row is"), (2, "2 rows are"), (np.int64(1), "1 row is")]
)
def test_nouns_and_verbs_agree_with_their_counts(count: int, said: str) -> None:
    assert number_of(count, "row is", "rows are") == said
    assert number_of(count, "row") == said.rsplit(" ", 1)[0]


def test_things_of_one_kind_are_named_by_their_numbers() -> None:
    assert those("neuron", [3]) == "neuron 3"
    assert those("neuron", np.array([1, 4])) == "neurons 1, 4"


def plurals_after_counts(source: str) -> list[str]:
    """Interpolated values with a plural behind them, and what follows."""
    found = []
    for text in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.JoinedStr)):
        for value, after in zip(text.values, text.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant) and PLURAL.match(after.value):
                name = ast.unparse(value.value)
                constant = name.split(".")[-1].isupper()
                percent = value.format_spec is not None and "%" in ast.unparse(value.format_spec)
                if not (constant or percent or value.conversion == ord("r") or name in OTHERS):
                    found.append(f"{name}{after.value[:40]}")
    return found


def test_a_slip_is_seen() -> None:
    assert plurals_after_counts('f"{n} rows"') == plurals_after_counts('f"of {n} rows"') == ["n rows"]
    assert plurals_after_counts('f"{len(kept)} negative eigenvalues, the"') == ["len(kept) negative eigenvalues, the"]
    assert not plurals_after_counts('f"{MOST} rows of {name!r} rows"')


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_message_has_a_plural_after_a_count_that_may_be_one(path: Path) -> None:
    assert plurals_after_counts(path.read_text(encoding="utf-8")) == []


def test_one_of_each_is_said_in_the_singular() -> None:
    net = ho.MLP([1, 1, 1], bias=False)
    obj = ho.Objective(net, [[1.0]], [0.5])
    assert "1 sample," in repr(obj)
    theta = np.array([0.5, 0.7])
    assert repr(obj.restricted(theta, free=[0])).startswith("RestrictedObjective(1 of 2 parameters of ")
    modes = ho.zero_modes(ho.MLP([1, 1, 1], "relu", bias=False), theta)
    assert repr(modes).startswith("1 zero mode\n")
    assert "layer 1, neuron 1: dead" in repr(ho.zero_modes(ho.MLP([1, 2, 1]), [1.0, 2.0, 0.1, 0.2, 1.0, 0.0, 0.3]))
    spectrum = ho.spectrum(ho.Objective(net, [[1.0]], net(theta, [[1.0]])), theta)
    assert repr(spectrum.zero_modes).endswith("1 eigenvalue below the floor")
    with pytest.raises(
        ValueError, match=r"as the network has 1 parameter; got shape|as the network has 1 parameter; got"
    ):
        ho.MLP([1, 1], bias=False)([1.0, 2.0], [[1.0]])
