"""The package as installed: version, what an import costs, and how the instruction level is chosen."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata, resources

import pytest

import hessorbit as ho
from hessorbit import _core, _cpu


def test_one_version() -> None:
    assert ho.__version__ == metadata.version("hessorbit") == _core.config()["version"] == _cpu.__version__


def test_command_is_installed() -> None:
    (entry,) = metadata.entry_points(group="console_scripts", name="hessorbit")
    assert callable(entry.load())


def test_types_are_published() -> None:
    assert resources.files("hessorbit").joinpath("py.typed").is_file()


def test_import_is_light() -> None:
    code = "import json, sys, hessorbit; print(json.dumps(sorted(name.partition('.')[0] for name in sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"scipy", "pandas", "matplotlib", "typer", "rich", "jinja2", "sqlite3", "concurrent", "torch", "jax"}
    assert heavy.isdisjoint(json.loads(output))


def test_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    configuration = ho.configuration()
    assert json.loads(json.dumps(configuration)) == configuration
    assert configuration["level"] in configuration["built_levels"]
    assert configuration["threads"] >= 1
    ho.show_config()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(configuration)


@pytest.mark.parametrize(
    ("requested", "built", "supported", "level"),
    [
        (None, ["v2", "v3", "v4"], ["base", "v2", "v3"], "v3"),
        ("", ["v2", "v3", "v4"], ["base", "v2", "v3", "v4"], "v4"),
        ("v2", ["v2", "v3", "v4"], ["base", "v2", "v3"], "v2"),
        (None, ["base"], ["base", "v2"], "base"),
    ],
)
def test_level(requested: str | None, built: list[str], supported: list[str], level: str) -> None:
    assert _core.choose_level(requested, built, supported) == level


@pytest.mark.parametrize(
    ("requested", "built", "supported", "message"),
    [
        ("v4", ["v2", "v3", "v4"], ["base", "v2", "v3"], "HESSORBIT_LEVEL='v4' cannot be used.*CPU runs base, v2, v3"),
        ("v2", ["v3"], ["base", "v2", "v3"], "HESSORBIT_LEVEL='v2' cannot be used: this build holds v3"),
        (None, ["v3", "v4"], ["base", "v2"], "no instruction level can be used: this build holds v3, v4"),
    ],
)
def test_level_refused(requested: str | None, built: list[str], supported: list[str], message: str) -> None:
    with pytest.raises(ImportError, match=message):
        _core.choose_level(requested, built, supported)
