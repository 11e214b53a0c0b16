"""Files that cannot be opened: the message names the argument, says what stands in the way, and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import hessorbit as ho
from hessorbit import _files

NET = ho.MLP([1, 1], bias=False)
STUDY = {"inputs": 1, "teacher_width": 1, "widths": [1], "seeds": 1, "samples": 10, "max_steps": 5}


def finished(store: Path | None = None) -> ho.study.StudyResult:
    with ThreadPoolExecutor(1) as executor:
        return ho.WidthStudy(**STUDY).run(store, executor=executor)  # type: ignore[arg-type]


READERS: dict[str, Callable[[Any], Any]] = {
    "load": ho.load,
    "toml": ho.WidthStudy.from_toml,
}
WRITERS: dict[str, Callable[[Any], Any]] = {
    "save": lambda path: ho.save(path, NET, [1.0]),
    "inspection": lambda path: ho.inspect(ho.Objective(NET, [[1.0]], [1.0]), [0.5]).report(path),
    "report": lambda path: finished().report(path),
    "table": lambda path: finished().save_table(path),
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("folder.csv").mkdir()
    Path("file").write_text("x", "utf-8")
    return tmp_path


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("none.csv", FileNotFoundError, "there is no such file"),
        ("no/none.csv", FileNotFoundError, "there is no folder '{}/no'"),
        ("folder.csv", IsADirectoryError, "it is a folder; give the path of a file"),
        ("file/none.csv", NotADirectoryError, "'{}/file' is a file, not a folder"),
    ],
)
def test_what_cannot_be_read(places: Path, read: Callable[[Any], Any], path: str, kind: type, reason: str) -> None:
    expected = f"path '{path}' cannot be read: {reason.format(places.resolve())}"
    with pytest.raises(kind, match=re.escape(expected)):
        read(Path(path))


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("no/new.csv", FileNotFoundError, "there is no folder '{}/no'; check the path, or make the folder first"),
        ("folder.csv", IsADirectoryError, "it is a folder; give the path of a file"),
        ("file/new.csv", NotADirectoryError, "'{}/file' is a file, not a folder"),
    ],
)
def test_what_cannot_be_written(places: Path, write: Callable[[Any], Any], path: str, kind: type, reason: str) -> None:
    expected = f"path '{path}' cannot be written: {reason.format(places.resolve())}"
    with pytest.raises(kind, match=re.escape(expected)):
        write(path)
    assert sorted(each.name for each in places.iterdir()) == ["file", "folder.csv"]  # nothing is left


@pytest.mark.parametrize("call", [*READERS.values(), *WRITERS.values()], ids=[*READERS, *WRITERS])
@pytest.mark.parametrize("path", ["", ".", "a\0b"])
def test_what_is_no_path_of_a_file(places: Path, call: Callable[[Any], Any], path: str) -> None:
    with pytest.raises(ValueError, match=r"path must be the path of a file, such as 'folder/file'; got "):
        call(path)


def test_permission(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system refuses it: whoever runs the tests may be allowed everything."""

    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied", "file")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"^path 'file' cannot be read: permission denied; choose another path"):
        ho.load("file")
    with pytest.raises(PermissionError, match=r"^path 'file' cannot be written: permission denied.*; the file .* kept"):
        ho.save("file", NET, [1.0])


def test_a_full_disk_keeps_the_words_of_the_system(places: Path) -> None:
    with (
        pytest.raises(OSError, match=r"^path 'file' cannot be written: No space left; the file that was there is kept"),
        _files.replacing(Path("file")),
    ):
        raise OSError(28, "No space left")
    assert Path("file").read_text("utf-8") == "x"


def test_folders_of_figures(places: Path) -> None:
    result = finished()
    with pytest.raises(FileExistsError, match=r"^folder 'file' cannot be made: it is a file; choose another path"):
        result.save_figures("file", "svg")
    with pytest.raises(
        NotADirectoryError, match=r"^folder 'file/new' cannot be made: '.*file' is a file, not a folder"
    ):
        result.save_figures("file/new", "svg")
    with pytest.raises(TypeError, match=r"^folder must be the path of a folder; got 3"):
        result.save_figures(3, "svg")  # type: ignore[arg-type]


def test_stores(places: Path) -> None:
    missing = r"cannot be opened, read or written: there is no folder '.*/no'; check the path, or make the folder first"
    with pytest.raises(OSError, match=missing):
        finished(Path("no/study.sqlite"))
    finished(Path("one.sqlite"))
    with pytest.raises(OSError, match=missing):
        ho.study.merge(["one.sqlite"], "no/all.sqlite")
    with pytest.raises(IsADirectoryError, match=r"into 'folder\.csv' must be a file; it is a folder"):
        ho.study.recover("one.sqlite", "folder.csv")
    with pytest.raises(OSError, match=r"'.*/file' is a file, not a folder"):
        ho.study.recover("one.sqlite", "file/new.sqlite")
    with pytest.raises(ValueError, match="store must be the path of a file"):
        ho.study.load("")


def test_a_store_is_not_merged_into_itself(places: Path) -> None:
    finished(Path("one.sqlite"))
    before = Path("one.sqlite").read_bytes()
    os.link("one.sqlite", "other.sqlite")
    for into in ("one.sqlite", "./one.sqlite", "other.sqlite"):
        with pytest.raises(ValueError, match=r"into must be another file than the stores.*leave it out of the stores"):
            ho.study.merge(["one.sqlite"], into)
    assert Path("one.sqlite").read_bytes() == before
    assert ho.study.merge(["one.sqlite"], "two.sqlite").cells == 1
    assert ho.study.merge(["one.sqlite"], "two.sqlite").cells == 1  # again, into what is there
