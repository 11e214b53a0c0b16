"""What is public: the same whatever was touched before, exported where it is returned, documented with an example."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import hessorbit as ho

ROOMS = [name for name in ho.__all__ if inspect.ismodule(getattr(ho, name))]
REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

# Every name first in a process of its own, and then all the others; the packages that hessorbit uses are loaded once.
FRESH = """
import importlib, json, os, sys
import numpy, scipy.linalg, scipy.optimize, scipy.sparse
for name in ("pandas", "matplotlib.pyplot", "typer", "rich", "jinja2"):
    importlib.import_module(name)
names = json.loads(sys.argv[1])
for first in names:
    child = os.fork()
    if not child:
        import hessorbit
        assert dir(hessorbit) == hessorbit.__all__
        getattr(hessorbit, first)
        assert dir(hessorbit) == hessorbit.__all__
        for name in names:
            assert getattr(hessorbit, name) is not None
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, first
"""


@cache
def modules() -> dict[str, ModuleType]:
    """All modules of the package but the compiled ones, imported."""
    names = [module.name for module in pkgutil.walk_packages(ho.__path__, "hessorbit.")]
    names = [name for name in names if not name.startswith(("hessorbit._core_", "hessorbit.__main__"))]
    return {name: importlib.import_module(name) for name in names}


@cache
def own_classes() -> dict[str, type]:
    """Every class that the package defines, by name."""
    return {
        name: value
        for path, module in modules().items()
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == path and "._" not in path
    }


def public(module: Any) -> dict[str, Any]:
    """What a module exports, without its submodules."""
    values = {name: getattr(module, name) for name in module.__all__}
    return {name: value for name, value in values.items() if not inspect.ismodule(value)}


def results(value: Any) -> Iterator[str]:
    """Annotations of what a function returns, or of what a class's public attributes and methods give."""
    if inspect.isfunction(value):
        yield str(value.__annotations__.get("return", ""))
    elif isinstance(value, property):
        yield from results(value.fget)
    elif isinstance(value, cached_property):
        yield from results(value.func)
    elif inspect.isclass(value):
        for base in own_bases(value):
            yield from (str(note) for name, note in vars(base).get("__annotations__", {}).items() if name[0] != "_")
            for name, member in vars(base).items():
                if not name.startswith("_") or name == "__call__":
                    yield from () if inspect.isclass(member) else results(member)


def own_bases(value: type) -> list[type]:
    """A class and those classes of the package that it inherits from."""
    return [base for base in value.__mro__ if base in own_classes().values()]


def returned(value: Any) -> set[str]:
    """The package's own classes among the results of a function or class."""
    return {word for note in results(value) for word in re.findall(r"\w+", note)} & set(own_classes())


def raised(room: str) -> set[str]:
    """The package's own exceptions that the modules of a room raise and do not catch."""
    sources = [inspect.getsource(module) for path, module in modules().items() if path.startswith(f"hessorbit.{room}")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    calls = [node.exc for node in nodes if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    caught = {ast.unparse(node.type) for node in nodes if isinstance(node, ast.ExceptHandler) and node.type}
    return ({call.func.id for call in calls if isinstance(call.func, ast.Name)} & set(own_classes())) - caught


def documented(value: Any) -> bool:
    return inspect.isfunction(value) or inspect.isclass(value)


def test_dir_is_all() -> None:
    assert dir(ho) == ho.__all__
    for room in ROOMS:
        assert dir(getattr(ho, room)) == sorted(getattr(ho, room).__all__)


@pytest.mark.parametrize("name", ho.__all__)
def test_public_name(name: str) -> None:
    modules()  # none of them may hide a public name behind it
    value = getattr(ho, name)
    assert value.__doc__
    assert not inspect.ismodule(value) or hasattr(value, "__all__")


def test_names_resolve_whichever_comes_first() -> None:
    submodules = {name.split(".")[1] for name in modules()}
    names = sorted({*ho.__all__, *(name for name in submodules if name[0] != "_")})
    run = subprocess.run([sys.executable, "-c", FRESH, json.dumps(names)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_unknown_name() -> None:
    for name in ("unknown", "_unknown", "__path_of_nothing__"):
        with pytest.raises(AttributeError, match=f"'hessorbit' has no attribute '{name}'"):
            getattr(ho, name)


def test_a_missing_dependency_is_not_a_missing_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, package: str | None = None) -> ModuleType:
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(ModuleNotFoundError, match="pandas"):
        _ = ho.unknown  # type: ignore[attr-defined]


def exported_by(module: Any, value: Any) -> set[str]:
    """Where a result of a function or class has to be: beside the function; what methods give in some room."""
    names = {*module.__all__, "MLP"}  # which every room takes
    return names.union(ho.__all__, *(getattr(ho, r).__all__ for r in ROOMS)) if inspect.isclass(value) else names


@pytest.mark.parametrize("room", [None, *ROOMS])
def test_results_are_exported_where_their_function_is(room: str | None) -> None:
    module = ho if room is None else getattr(ho, room)
    results = {name: returned(value) - exported_by(module, value) for name, value in public(module).items()}
    assert {name: missing for name, missing in results.items() if missing} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_exceptions_are_exported(room: str) -> None:
    assert raised(room) <= set(getattr(ho, room).__all__)


def test_rooms_export_what_the_package_exports() -> None:
    for name, value in public(ho).items():
        room = value.__module__.split(".")[1]
        if room in ROOMS:
            assert name in getattr(ho, room).__all__


@pytest.mark.parametrize("room", [None, *ROOMS])
def test_everything_public_has_a_reference_page_with_an_example(room: str | None) -> None:
    pages = [page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md")]
    listed = {line.strip() for page in pages for line in page.splitlines()}
    values = {n: v for n, v in public(ho if room is None else getattr(ho, room)).items() if documented(v)}
    assert {name for name in values if not listed & {name, f"{room}.{name}"}} == set()
    assert {name for name, value in values.items() if ">>>" not in value.__doc__} == set()


def methods(value: type) -> dict[str, Any]:
    """The public methods of a class, those that it inherits from the package's classes too, and its call."""
    own = {name: member for base in reversed(own_bases(value)) for name, member in vars(base).items()}
    plain = {n: getattr(m, "__func__", m) for n, m in own.items() if not n.startswith("_") or n == "__call__"}
    return {name: member for name, member in plain.items() if inspect.isfunction(member)}


@pytest.mark.parametrize("room", [None, *ROOMS])
def test_public_methods_have_examples(room: str | None) -> None:
    classes = {n: v for n, v in public(ho if room is None else getattr(ho, room)).items() if inspect.isclass(v)}
    found = {f"{name}.{m}": member.__doc__ for name, value in classes.items() for m, member in methods(value).items()}
    assert {name for name, doc in found.items() if ">>>" not in (doc or "")} == set()


def attributes(value: type) -> dict[str, property | cached_property[Any] | None]:
    """The public attributes of a class: fields, what __init__ sets, and properties, with their functions."""
    names = set(vars(value).get("__annotations__", {}))
    names |= {name for name, member in vars(value).items() if isinstance(member, property | cached_property)}
    if not is_dataclass(value) and "__init__" in vars(value):
        names |= set(re.findall(r"self\.(\w+)(?:: [^=\n]+)? = ", inspect.getsource(value.__init__)))  # type: ignore[misc]
    members = {name: vars(value).get(name) for name in names if not name.startswith("_")}
    return {n: m if isinstance(m, property | cached_property) else None for n, m in members.items()}


@pytest.mark.parametrize("room", [None, *ROOMS])
def test_public_attributes_are_documented(room: str | None) -> None:
    missing = set()
    for name, value in public(ho if room is None else getattr(ho, room)).items():
        if inspect.isclass(value) and not issubclass(value, enum.Enum):
            # A subclass may describe what it inherits.
            docs = "\n".join(each.__doc__ or "" for each in (value, *value.__subclasses__()))
            listed = re.findall(r"^ {4}(\w[\w, ]*)(?: : .*)?$", docs, re.MULTILINE)
            words = set(re.findall(r"\w+", " ".join(listed)))
            described = {a for a, member in attributes(value).items() if member is not None and member.__doc__}
            missing |= {f"{name}.{attribute}" for attribute in attributes(value).keys() - words - described}
    assert missing == set()


@pytest.mark.parametrize("room", [None, *ROOMS])
def test_results_with_arrays_are_equal_by_identity(room: str | None) -> None:
    """Fields would be compared one by one, and an array has no truth value."""
    module = ho if room is None else getattr(ho, room)
    for name, value in public(module).items():
        if is_dataclass(value) and any("Array" in str(each.type) for each in fields(value)):
            assert value.__eq__ is object.__eq__, name
