"""The direction of imports: the picture in CONTRIBUTING.md is the rule, and every import statement is held to it.

Each line of the picture may import from the lines below it, and from nothing beside or above; the package itself is on
top of all. Imports inside of functions and those for type checkers count, as they are read from the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import hessorbit

ROOT = Path(hessorbit.__file__).parent
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
COMPILED = {"_common", "_cpu", "_core_base", "_core_v2", "_core_v3", "_core_v4"}


def picture() -> list[list[str]]:
    """The lines of the block under the heading "Layers", top first: names of modules and packages."""
    text = CONTRIBUTING.read_text(encoding="utf-8").split("\n## Layers\n")[1]
    return [line.split() for line in text.split("```")[1].splitlines()[1:]]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imported(name: str) -> Iterator[str]:
    """The modules of this package that one of them imports, anywhere in its source; names without "hessorbit."."""
    folder = SOURCES[name].parent.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix("hessorbit.") for a in node.names if a.name.startswith("hessorbit."))
        elif isinstance(node, ast.ImportFrom):
            source = (node.module or "").split(".") if node.module else []
            if node.level:
                source = [*folder[: len(folder) - node.level + 1], *source]
            elif source[0] == "hessorbit":
                source = source[1:]
            else:
                continue
            # What is imported is a module or a name in one.
            for alias in node.names:
                module = ".".join([*source, alias.name])
                yield module if module in SOURCES or module in COMPILED else ".".join(source)


IMPORTS = {name: set(imported(name)) - {name} for name in SOURCES}


def room(name: str) -> str:
    return name.split(".")[0]


def test_every_module_is_in_the_picture_once() -> None:
    rooms = [name for line in picture() for name in line]
    assert len(set(rooms)) == len(rooms)
    assert set(rooms) == {room(name) for name in SOURCES} - {"", "__main__"}


@pytest.mark.parametrize("name", sorted({room(name) for name in SOURCES} - {"", "__main__"}))
def test_imports_go_down(name: str) -> None:
    lines = picture()
    level = next(index for index, line in enumerate(lines) if name in line)
    below = {name for line in lines[level + 1 :] for name in line} | COMPILED
    wrong = [
        f"{module} imports {other or 'hessorbit'}"
        for module in SOURCES
        if room(module) == name
        for other in IMPORTS[module]
        if room(other) != name and room(other) not in below
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle() -> None:
    try:
        tuple(TopologicalSorter({name: imports - {""} for name, imports in IMPORTS.items()}).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' imports '.join(reversed(error.args[1]))}")


def test_imports_are_found_wherever_they_are() -> None:
    """What the source is known to do, so that a reader that sees nothing does not pass."""
    assert {"_checks", "_core"} <= IMPORTS["network"]
    assert "minima.counting" in IMPORTS["minima"]
    assert {"optimize", "study"} <= IMPORTS[""]  # for type checkers
    assert "spectra" in IMPORTS["study.student"]
