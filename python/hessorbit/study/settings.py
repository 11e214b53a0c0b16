"""The settings of a study: what they may be, and how TOML says them.

Title, widths and the number of seeds are labels: they say what a study is called and which cells it has. Every other
setting determines what a cell is. So a stored study can get more widths and seeds, and keeps the cells it has.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import wraps
from importlib.resources import files
from os import PathLike, fspath
from typing import Any, Self

import numpy as np

from .. import _checks, activations
from ..balls.kernels import KINDS  # the activations whose expected loss has closed forms
from ..network import MLP

OPTIMIZERS = ("gd", "momentum", "adam")
POLISH = ("none", "lm", "newton")
INFINITE = "infinite"
SAMPLES = 500  # by default, where infinitely many would take quadrature


# A student has a P × P Hessian and as many eigenvectors: 160 GB for the largest student that is let in.
LARGEST_STUDENT = 100_000  # parameters
LARGEST_DATA = 10**9  # entries of inputs and targets
MOST_SEEDS = 10**6
MOST_STEPS = 10**9


def label(default: Any) -> Any:
    """A setting that names or selects cells and does not change any."""
    return field(default=default, metadata={"label": True})


def with_hints(cls: type[Settings]) -> type[Settings]:
    """Lets a class of settings answer an unknown keyword with the setting that was probably meant."""
    plain = cls.__init__

    @wraps(plain)
    def initialise(self: Settings, /, *args: Any, **settings: Any) -> None:
        for name in settings:
            if name not in KNOWN:
                raise TypeError(unknown(name))
        plain(self, *args, **settings)

    cls.__init__ = initialise  # type: ignore[assignment, method-assign]
    return cls


@with_hints
@dataclass(frozen=True, kw_only=True)
class Settings:
    """A `Settings` holds the settings of a width study; documented at `WidthStudy`.

    Examples
    --------
    >>> import hessorbit as ho
    >>> settings = ho.WidthStudy(widths=[2, 4], seeds=3)
    >>> settings.widths, settings.seeds
    ((2, 4), 3)
    """

    title: str = label("Width study")
    widths: tuple[int, ...] = label((3, 6, 12, 24, 48))
    seeds: int = label(10)
    root_seed: int = 0
    inputs: int = 3
    outputs: int = 1
    teacher_width: int = 3
    teacher_scale: float = 3.0
    activation: str = "erf"
    bias: bool = True
    parametrization: str = "standard"
    samples: int | str | None = None  # what suits the activation; an integer or "infinite" once checked
    init: str = "torch"
    optimizer: str = "adam"
    learning_rate: float = 0.01
    loss_tolerance: float = 1e-5
    max_steps: int = 20_000
    polish: str = "lm"
    polish_steps: int = 100
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
            "samples": self.checked_samples(),
        }
        for name, (least, most) in INTEGERS.items():
            checked[name] = _checks.integer(getattr(self, name), name, minimum=least, maximum=most)
        for name in ("teacher_scale", "learning_rate", "loss_tolerance"):
            checked[name] = _checks.positive(getattr(self, name), name)
        checked["threshold"] = _checks.fraction(self.threshold, "threshold")
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        # The network knows which activations and parametrizations there are, and its init which schemes.
        self.network(1).init(np.random.default_rng(0), self.init)
        self.check_sizes()

    def checked_samples(self) -> int | str:
        """Returns the number of samples, or "infinite"."""
        if self.samples is None:
            return INFINITE if activations.parse(self.activation, "activation")[0] in KINDS else SAMPLES
        if self.samples == INFINITE:
            return INFINITE
        if isinstance(self.samples, str):
            raise ValueError(f'samples must be a number or "{INFINITE}"; got {self.samples!r}')
        return _checks.integer(self.samples, "samples", minimum=2, maximum=LARGEST_DATA)

    def check_sizes(self) -> None:
        """Refuses data and networks that no machine holds."""
        if isinstance(self.samples, int) and self.samples * (self.inputs + self.outputs) > LARGEST_DATA:
            raise ValueError(
                f"samples × (inputs + outputs) must be at most {LARGEST_DATA}; "
                f"got {self.samples} × ({self.inputs} + {self.outputs})"
            )
        for name, width in (("teacher_width", self.teacher_width), ("widths", self.widths[-1])):
            parameters = width * (self.inputs + self.outputs + self.bias) + self.outputs * self.bias
            if parameters > LARGEST_STUDENT:
                raise ValueError(
                    f"{name} must leave a network with at most {LARGEST_STUDENT} parameters, as its Hessian has the "
                    f"square of that many entries; a width of {width} has {parameters}"
                )

    def network(self, width: int) -> MLP:
        """Returns a network of this study with so many hidden neurons."""
        return MLP(
            [self.inputs, width, self.outputs], self.activation, bias=self.bias, parametrization=self.parametrization
        )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], source: str) -> Self:
        """Returns the settings that a mapping gives, and the defaults for the rest; `source` is for messages."""
        for name, value in settings.items():
            if name not in KNOWN:
                raise ValueError(f"{source}: {unknown(name)}")
            if isinstance(value, Mapping):
                raise ValueError(f"{source}: {name} must be a plain value; got a table, {dict(value)!r}")
        try:
            return cls(**settings)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{source}: {error}") from error

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> Self:
        """Returns the settings that a TOML file gives, and the defaults for the rest.

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
        return cls(**{**presets()[name], **changes})

    def to_toml(self) -> str:
        """Returns all settings as TOML, which `from_toml` reads back to equal ones."""
        return toml(self.as_dict())

    def determining_toml(self) -> str:
        """Returns the settings that determine a cell, as TOML."""
        return toml(self.determining())

    @property
    def fingerprint(self) -> str:
        """A hash of what determines a cell: studies with the same fingerprint can share a store."""
        return hashlib.sha256(json.dumps(self.determining(), sort_keys=True).encode()).hexdigest()[:16]

    def determining(self) -> dict[str, Any]:
        """Returns the settings that determine a cell, by name: all but the labels."""
        return {name: value for name, value in self.as_dict().items() if name not in LABELS}

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def differences(self, other: Settings) -> list[str]:
        """Says in words where settings that determine a cell differ from those of another study."""
        mine, theirs = self.determining(), other.determining()
        return [
            f"{name} is {theirs[name]!r} there and {value!r} here"
            for name, value in mine.items()
            if value != theirs[name]
        ]


KNOWN = tuple(entry.name for entry in fields(Settings))
LABELS = frozenset(entry.name for entry in fields(Settings) if entry.metadata.get("label"))

# The least and the most that an integer setting may be.
INTEGERS: dict[str, tuple[int, int | None]] = {
    "seeds": (1, MOST_SEEDS),
    "root_seed": (0, None),
    "inputs": (1, LARGEST_STUDENT),
    "outputs": (1, LARGEST_STUDENT),
    "teacher_width": (1, LARGEST_STUDENT),
    "max_steps": (1, MOST_STEPS),
    "polish_steps": (1, MOST_STEPS),
    "leading": (1, LARGEST_STUDENT),
}


def unknown(name: str) -> str:
    """Says that there is no such setting, and which was probably meant."""
    close = get_close_matches(name, KNOWN, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(KNOWN)}"
    return f"there is no setting {name!r}; {hint}"


def presets() -> dict[str, dict[str, Any]]:
    """Returns the named settings that come with the package: where each differs from the defaults."""
    folder = files(__package__) / "presets"
    found = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return {name: tomllib.loads(found[name].read_text("utf-8")) for name in sorted(found)}


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    """Returns what a TOML file says."""
    with open(path, "rb") as file:
        return parsed(file.read(), fspath(path))


def parsed(text: bytes, source: str) -> dict[str, Any]:
    """Returns what TOML says; `source` is for messages."""
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{source} must be a TOML file: {error}") from error
    except RecursionError:
        raise ValueError(f"{source} must be a TOML file of plain values; its brackets nest too deeply") from None


def toml(settings: Mapping[str, Any]) -> str:
    """Returns settings as TOML, one a line."""
    return "".join(f"{name} = {toml_value(value)}\n" for name, value in settings.items())


def toml_value(value: Any) -> str:
    """Returns a string, number, boolean or flat sequence of them as TOML.

    TOML's strings escape as JSON's do, and DEL besides.
    """
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string; got {value!r}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name} must be text that UTF-8 can hold; got {value!r}")
    return value


def boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def distinct_widths(values: Any) -> tuple[int, ...]:
    """Widths in ascending order."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"widths must be a sequence of integers, such as [5, 10, 20]; got {values!r}")
    widths = [
        _checks.integer(width, f"widths[{index}]", minimum=1, maximum=LARGEST_STUDENT)
        for index, width in enumerate(values)
    ]
    if not widths:
        raise ValueError("widths must name at least one width; got none")
    if len(set(widths)) < len(widths):
        raise ValueError(f"widths must differ from each other; got {widths}")
    return tuple(sorted(widths))
