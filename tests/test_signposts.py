"""Files and names of the package that comments, docstrings and pages mention are there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("python", "cpp", "tests", "benchmarks", "docs", ".ci")
TEXTS = [path for name in FOLDERS for path in sorted((ROOT / name).rglob("*"))]
TEXTS = [path for path in TEXTS if path.suffix in {".py", ".hpp", ".cpp", ".md"}]
TEXTS += [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FILES = [path.relative_to(ROOT).as_posix() for name in FOLDERS for path in (ROOT / name).rglob("*") if path.is_file()]
FILES += [path.name for path in ROOT.iterdir()]

# Files of users.
ELSEWHERE = {"study.toml", "grid.toml"}
MENTION = re.compile(r"(?<![\w./*{}<-])((?:[\w-]+/)*[\w-]+\.(?:py|pyi|hpp|cpp|md|toml))(?![\w(])")
DOTTED = re.compile(r"`(hessorbit(?:\.\w+)+)`")
COMMENT = {
    ".py": re.compile(r'"""(.*?)"""|#(.*?)$', re.S | re.M),
    ".hpp": re.compile(r"//(.*?)$", re.M),
    ".cpp": re.compile(r"//(.*?)$", re.M),
    ".md": re.compile(r"(.*)", re.S),
}


def prose(path: Path) -> str:
    """What a file says, in words: its comments and docstrings, or all of a page."""
    found = COMMENT[path.suffix].finditer(path.read_text())
    return "\n".join("".join(filter(None, groups.groups())) for groups in found)


def stands(name: str) -> bool:
    return any(path == name or path.endswith("/" + name) for path in FILES)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_signposts(path: Path) -> None:
    text = prose(path)
    missing = [name for name in MENTION.findall(text) if not stands(name) and name not in ELSEWHERE]
    assert not missing
    for name in DOTTED.findall(text):
        resolve(name)


def resolve(name: str) -> None:
    """Import the longest part of a dotted name that is a module, and look the rest up."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part)
        return
    raise AssertionError(f"{name} is no name of the package")
