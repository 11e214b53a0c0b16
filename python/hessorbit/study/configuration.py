"""What a study computes: its settings, checked, and written as TOML.

Every setting but the title, the widths and the number of seeds is part of what one cell of the study is; those three
only say what it is called and which cells there are, so a study can be extended without touching the cells it has.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from importlib.resources import files
from os import PathLike, fspath
from typing import Any, Self

import numpy as np

from .. import _checks
from ..network import MLP

OPTIMIZERS = ("gd", "momentum", "adam")
POLISH = ("none", "lm", "newton")


def label(default: Any) -> Any:
    """A setting that names or selects cells and does not change any."""
    return field(default=default, metadata={"label": True})


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The settings of a width study; documented at `WidthStudy`."""

    title: str = label("Width study")
    widths: tuple[int, ...] = label((5, 10, 20, 40, 80))
    seeds: int = label(8)
    root_seed: int = 0
    inputs: int = 5
    outputs: int = 1
    teacher_width: int = 5
    teacher_scale: float = 5.0
    activation: str = "gelu"
    bias: bool = True
    parametrization: str = "standard"
    samples: int = 500
    init: str = "torch"
    optimizer: str = "adam"
    learning_rate: float = 0.01
    loss_tolerance: float = 1e-5
    max_steps: int = 20_000
    polish: str = "none"
    threshold: float = 1e-6
    leading: int = 5

    def __post_init__(self) -> None:
        checked = {
            "title": text(self.title, "title"),
            "widths": distinct_widths(self.widths),
            "activation": text(self.activation, "activation"),
            "bias": boolean(self.bias, "bias"),
            "parametrization": text(self.parametrization, "parametrization"),
            "init": text(self.init, "init"),
            "optimizer": _checks.one_of(self.optimizer, OPTIMIZERS, "optimizer"),
            "polish": _checks.one_of(self.polish, POLISH, "polish"),
        }
        for name, least in (("root_seed", 0), ("samples", 2)):
            checked[name] = _checks.integer(getattr(self, name), name, minimum=least)
        for name in ("seeds", "inputs", "outputs", "teacher_width", "max_steps", "leading"):
            checked[name] = _checks.integer(getattr(self, name), name, minimum=1)
        for name in ("teacher_scale", "learning_rate", "loss_tolerance"):
            checked[name] = _checks.positive(getattr(self, name), name)
        checked["threshold"] = _checks.fraction(self.threshold, "threshold")
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        # The network knows which activations and parametrizations there are, and its init which schemes.
        self.network(1).init(np.random.default_rng(0), self.init)

    def network(self, width: int) -> MLP:
        """A network of this study with so many hidden neurons."""
        return MLP(
            [self.inputs, width, self.outputs], self.activation, bias=self.bias, parametrization=self.parametrization
        )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], source: str) -> Self:
        """The configuration with these settings, for the rest the defaults; `source` is for messages."""
        known = [entry.name for entry in fields(cls)]
        for name in settings:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
                raise ValueError(f"{source}: there is no setting {name!r}; {hint}")
        try:
            return cls(**settings)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{source}: {error}") from error

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Self:
        """Read the settings in a TOML file.

        Raises
        ------
        OSError
            If the file cannot be read.
        TypeError, ValueError
            If it is not TOML, or a setting is unknown or out of range.
        """
        return cls.from_mapping(read_toml(path), fspath(path))

    @classmethod
    def preset(cls, name: str = "default", **changes: Any) -> Self:
        """One of the configurations that come with the package, with changes.

        Parameters
        ----------
        name : str
            ``"default"``, ``"quick"``, ``"growing-trace"``, …; `presets` lists them.
        **changes
            Settings that replace those of the preset.
        """
        _checks.one_of(name, tuple(presets()), "preset")
        return replace(cls.from_mapping(presets()[name], f"preset {name}"), **changes)

    def to_toml(self) -> str:
        """All settings as TOML, which `from_toml` reads back to an equal configuration."""
        return "".join(f"{entry.name} = {toml_value(getattr(self, entry.name))}\n" for entry in fields(self))

    @property
    def fingerprint(self) -> str:
        """A hash of what determines a cell: studies with the same fingerprint can share a store."""
        settings = {name: value for name, value in self.settings().items() if not is_label(name)}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    def settings(self) -> dict[str, Any]:
        """The settings by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def differences(self, other: Configuration) -> list[str]:
        """Which settings that determine a cell differ from those of another configuration, in words."""
        mine, theirs = self.settings(), other.settings()
        return [
            f"{name} is {theirs[name]!r} there and {value!r} here"
            for name, value in mine.items()
            if not is_label(name) and value != theirs[name]
        ]


LABELS = frozenset(entry.name for entry in fields(Configuration) if entry.metadata.get("label"))


def is_label(name: str) -> bool:
    return name in LABELS


def presets() -> dict[str, dict[str, Any]]:
    """Settings of the configurations that come with the package, by name: where each differs from the defaults."""
    folder = files(__package__) / "presets"
    found = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return {name: tomllib.loads(found[name].read_text("utf-8")) for name in sorted(found)}


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    with open(path, "rb") as file:
        try:
            return tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{fspath(path)} must be a TOML file: {error}") from error


def toml_value(value: Any) -> str:
    """A string, number, boolean or flat sequence of them as TOML, whose strings escape as JSON's do, and DEL too."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string; got {value!r}")
    return value


def boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def distinct_widths(values: Any) -> tuple[int, ...]:
    """Widths in ascending order."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"widths must be a sequence of integers, such as [5, 10, 20]; got {values!r}")
    widths = [_checks.integer(width, f"widths[{index}]", minimum=1) for index, width in enumerate(values)]
    if not widths:
        raise ValueError("widths must name at least one width; got none")
    if len(set(widths)) < len(widths):
        raise ValueError(f"widths must differ from each other; got {widths}")
    return tuple(sorted(widths))
