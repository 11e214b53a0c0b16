"""Scripts of the gallery, which run while the pages are built, assert what they reproduce, and show every picture."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import hessorbit as ho

EXAMPLES = sorted((Path(__file__).parents[1] / "docs" / "gallery" / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_script_fails_where_its_result_is_not_reproduced(path: Path) -> None:
    assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize("name", [name for name in ho.plot.__all__ if inspect.isfunction(getattr(ho.plot, name))])
def test_every_picture_is_in_the_gallery(name: str) -> None:
    assert any(f"ho.plot.{name}(" in path.read_text("utf-8") for path in EXAMPLES)
