"""Python's sources name no activation: what they need to know of one, they ask the core's table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hessorbit as ho
from hessorbit import activations

PACKAGE = Path(ho.__file__).parent
# Expectations in ball arithmetic are formulas by name, written beside the core's as an independent check of them.
FORMULAS = PACKAGE / "balls/kernels.py"
SOURCES = sorted(set(PACKAGE.rglob("*.py")) - {FORMULAS})


def exempt(tree: ast.AST) -> Iterator[ast.AST]:
    """Defaults of parameters and fields, DEFAULT_… and OTHER_NAMES, formats as {x:g}, tables of formulas."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            yield from (default for default in (*node.defaults, *node.kw_defaults) if default is not None)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield node.value
        elif isinstance(node, ast.Dict) and all(isinstance(value, ast.Lambda) for value in node.values):
            yield from (key for key in node.keys if key is not None)
        elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            yield node.format_spec
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith(("DEFAULT_", "OTHER_NAMES")):
            yield node.value


def named(source: str) -> list[tuple[int, str]]:
    """Lines and names of the activations that stand in a source as strings, but for defaults."""
    tree = ast.parse(source)
    allowed = {id(node) for part in exempt(tree) for node in ast.walk(part)}
    return [
        (node.lineno, str(node.value))
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in activations.defaults() and id(node) not in allowed
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sources_name_no_activation(path: Path) -> None:
    assert named(path.read_text(encoding="utf-8")) == []


def test_the_check_finds_names() -> None:
    assert named('def f(a="tanh"):\n    """As tanh."""\n    return a == "relu"') == [(3, "relu")]
