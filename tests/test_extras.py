"""A call whose library is not installed says which extra brings it."""

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit._extras import EXTRAS
from hessorbit.study.cells import StudyCells
from hessorbit.study.settings import Settings

NET = ho.MLP([1, 2, 1])
THETA = np.arange(7.0)
OBJECTIVE = ho.Objective(NET, [[0.0], [1.0]], [0.0, 1.0])
STUDY = StudyCells(Settings(), [])

CALLS: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "a proof": ("flint", "certify", lambda path: ho.certify(OBJECTIVE, THETA)),
    "digits": ("flint", "certify", lambda path: ho.spectrum(OBJECTIVE, THETA, digits=20)),
    "a picture": ("matplotlib", "plot", lambda path: ho.plot.spectrum(ho.spectrum(OBJECTIVE, THETA))),
    "a page without its figures": ("matplotlib", "plot", lambda path: ho.inspect(OBJECTIVE, THETA).report(path)),
    "a page": ("jinja2", "study", lambda path: ho.inspect(OBJECTIVE, THETA).report(path)),
    "a table": ("pandas", "study", lambda path: STUDY.table),
    "from_torch": ("torch", "torch", lambda path: ho.interop.from_torch({})),
    "to_torch": ("torch", "torch", lambda path: ho.interop.to_torch(NET, THETA)),
    "from_keras": ("keras", "keras", lambda path: ho.interop.from_keras(None)),  # type: ignore[arg-type]
    "from_sklearn": ("sklearn", "sklearn", lambda path: ho.interop.from_sklearn(None)),
    "from_onnx": ("onnx", "onnx", lambda path: ho.interop.from_onnx(path)),
    "to_onnx": ("onnx", "onnx", lambda path: ho.interop.to_onnx(NET, THETA, path)),
}


@pytest.mark.parametrize(("library", "extra", "call"), CALLS.values(), ids=CALLS)
def test_the_extra_is_named(
    library: str, extra: str, call: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=re.escape(f'pip install "hessorbit[{extra}]"')) as caught:
        call(tmp_path / "file")
    assert caught.value.name == library


def test_extras_are_in_the_package() -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))["project"]
    assert {*EXTRAS.values()} <= {*project["optional-dependencies"]}
