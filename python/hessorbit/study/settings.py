"""The settings of a study: what they may be, and how TOML says them.

Title, widths and the number of seeds are labels: they say what a study is called and which cells it has. Every other
setting determines what a cell is. So a stored study can get more widths and seeds, and keeps the cells it has.

A setting that determines cells may be a list: then it is a factor, and the study has a variant for every combination of
values (factors.py). Settings themselves then hold the first value of each.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cached_property, wraps
from importlib.resources import files
from itertools import pairwise
from os import PathLike, fspath
from typing import Any, Self

import numpy as np

from .. import _checks, activations
from ..balls.kernels import KINDS  # the activations whose expected loss has closed forms
from ..network import MLP
from .checks import (
    CHECKS,
    FULL,
    HELD_OUT_SHARE,
    INFINITE,
    LARGEST_DATA,
    LARGEST_STUDENT,
    steps_of,
)
from .data import digest_of, read_data
from .factors import Factors, combinations, refuse_repetition, split, united, words
from .record import Cell
from .toml_text import read_toml, toml

SAMPLES = 500  # by default, where infinitely many would take quadrature


def label(default: Any) -> Any:
    """A setting that names or selects cells and does not change any."""
    return field(default=default, metadata={"label": True})


def single(default: Any) -> Any:
    """A setting that determines cells and has one value."""
    return field(default=default, metadata={"single": True})


def with_commas(default: str) -> Any:
    """A setting whose values have commas in them."""
    return field(default=default, metadata={"commas": True})


def with_hints(cls: type[Settings]) -> type[Settings]:
    """Lets a class of settings take lists, and answer an unknown keyword with the setting that was probably meant."""
    plain = cls.__init__

    @wraps(plain)
    def initialise(self: Settings, /, *args: Any, **given: Any) -> None:
        for name in given:
            if name not in KNOWN and name != "factors":
                raise TypeError(unknown(name))
        settings, factors = split(given, MAY_VARY)
        plain(self, *args, **settings, factors=factors)

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

    A list of values makes a variant for each:

    >>> grid = ho.WidthStudy(activation=["erf", "tanh"], init=["torch", "he_normal"])
    >>> [words for words in grid.named_variants()][:2]
    ['activation=erf, init=torch', 'activation=erf, init=he_normal']
    """

    title: str = label("Width study")
    widths: tuple[int, ...] = label((3, 6, 12, 24, 48))
    seeds: int = label(10)
    root_seed: int = single(0)
    inputs: int = 3
    outputs: int = 1
    teacher_width: int = 3
    teacher_scale: float = 3.0
    activation: str = "erf"
    bias: bool = True
    parametrization: str = "standard"
    depth: int = 1
    samples: int | str | None = None  # what suits the activations; an integer or "infinite" once checked
    loss: str = "squared_error"
    targets: str = "probabilities"
    label_noise: float = 0.0
    l2: float = 0.0
    data: str = label("")
    target: str = single("y")
    data_digest: str = single("")
    init: str = "torch"
    optimizer: str = "adam"
    learning_rate: float = 0.01
    learning_rate_rule: str = "fixed"
    momentum: float = 0.9
    batch_size: int | str = FULL
    loss_tolerance: float = 1e-5
    max_steps: int = 20_000
    polish: str = "auto"
    polish_steps: int = 100
    threshold: float = 1e-6
    leading: int = 5
    rate_steps: int = 1000
    representatives: bool = False
    grow_from: int = 0
    grow_at: str = with_commas("")
    split_noise: float = 0.01
    factors: Factors = field(default=(), repr=False)

    def __post_init__(self) -> None:
        self._set({name: CHECKS[name](getattr(self, name), name) for name in KNOWN if name != "samples"})
        self._set({"factors": checked_factors(self.factors)})
        self._set(self._of_data() if self.data and not self.data_digest else {"samples": self._checked_samples()})
        # The network knows which activations and parametrizations there are, and its init which schemes.
        self.network(1).init(np.random.default_rng(0), self.init)
        self._check_sizes()
        self._check_together()
        if self.factors:
            _ = self.variants  # checks each

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.as_dict().items())})"

    def _set(self, values: Mapping[str, Any]) -> None:
        """Sets fields while they are checked."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _of_data(self) -> dict[str, Any]:
        """Returns the settings that follow from data of one's own, read when a study is set up."""
        x, y, classes = read_data(self.data, self.target, self.loss)
        outputs = classes or y.shape[1]
        return {"data_digest": digest_of(self.data), "inputs": x.shape[1], "outputs": outputs,
                "samples": self._rows_of_data(len(x))}  # fmt: skip

    def _rows_of_data(self, rows: int) -> int:
        """Returns how many rows of one's own data are trained on."""
        most = rows - rows // HELD_OUT_SHARE
        if self.samples is None:
            return most
        samples = self._checked_samples()
        if samples == INFINITE or (isinstance(samples, int) and samples > most):
            raise ValueError(
                f"samples must be at most {most} with data {self.data!r}, which has {rows} rows of which a fifth is "
                f"held out; got {self.samples!r}"
            )
        assert isinstance(samples, int)
        return samples

    def _checked_samples(self) -> int | str:
        """Returns the number of samples, or "infinite"."""
        if self.samples is None:
            return INFINITE if self._may_be_infinite() else SAMPLES
        samples: int | str = CHECKS["samples"](self.samples, "samples")
        return samples

    def _may_be_infinite(self) -> bool:
        """Whether infinitely many samples are the default: the same for all variants, so that they can be compared."""

        def values(name: str) -> tuple[Any, ...]:
            return dict(self.factors).get(name, (getattr(self, name),))

        closed = all(activations.parse(each, "activation")[0] in KINDS for each in values("activation"))
        simple = {"loss": "squared_error", "depth": 1, "label_noise": 0.0}
        return closed and all(value == wanted for name, wanted in simple.items() for value in values(name))

    def _check_sizes(self) -> None:
        """Refuses data and networks that no machine holds."""
        if isinstance(self.samples, int) and self.samples * (self.inputs + self.outputs) > LARGEST_DATA:
            raise ValueError(
                f"samples × (inputs + outputs) must be at most {LARGEST_DATA}; "
                f"got {self.samples} × ({self.inputs} + {self.outputs})"
            )
        for name, width, depth in (("teacher_width", self.teacher_width, 1), ("widths", self.widths[-1], self.depth)):
            layers = [self.inputs, *[width] * depth, self.outputs]
            parameters = sum((a + self.bias) * b for a, b in pairwise(layers))
            if parameters > LARGEST_STUDENT:
                raise ValueError(
                    f"{name} must leave a network with at most {LARGEST_STUDENT} parameters, as its Hessian has the "
                    f"square of that many entries; a width of {width} has {parameters}"
                )

    def _check_together(self) -> None:
        """Refuses settings that do not go together."""
        if self.samples == INFINITE:
            if self.data_digest:
                raise ValueError(f"samples must be a number with data of one's own; got {INFINITE!r}")
            for name, wanted in (("loss", "squared_error"), ("depth", 1), ("label_noise", 0.0)):
                if (value := getattr(self, name)) != wanted:
                    raise ValueError(f"samples must be a number with {name} = {value!r}; got {INFINITE!r}")
        if self.loss == "cross_entropy":
            if self.outputs < 2:
                raise ValueError("outputs must be at least 2, one for each class, with loss = 'cross_entropy'; got 1")
            if self.label_noise > (1.0 if self.has_labels else 0.0):
                raise ValueError(
                    f"label_noise must be a share of labels, at most 1, with loss = 'cross_entropy', and 0 unless "
                    f"targets = 'labels'; got {self.label_noise}"
                )
            if self.polish == "lm":
                raise ValueError("polish must be 'newton', 'auto' or 'none' with loss = 'cross_entropy'; got 'lm'")
        if self.learning_rate_rule == "share" and self.optimizer == "adam":
            raise ValueError(
                "learning_rate_rule must be 'fixed' or 'tuned' with optimizer = 'adam', whose steps do not scale with "
                "the gradient; got 'share'"
            )
        if isinstance(self.batch_size, int) and isinstance(self.samples, int) and self.batch_size > self.samples:
            raise ValueError(f"batch_size must be at most samples = {self.samples}, or {FULL!r}; got {self.batch_size}")
        if bool(self.grow_at) != bool(self.grow_from):
            raise ValueError(
                f"grow_from, a width, and grow_at, steps, go together; got {self.grow_from!r} and {self.grow_at!r}"
            )
        if self.grow_from and (self.batch_size, self.learning_rate_rule) != (FULL, "fixed"):
            raise ValueError(
                f"batch_size must be {FULL!r}, and learning_rate_rule 'fixed', where networks grow; got "
                f"{self.batch_size!r} and {self.learning_rate_rule!r}"
            )
        if self.data_digest and "loss" in dict(self.factors):
            raise ValueError("loss must be one value with data of one's own, as it says what the targets are")

    def check_to_run(self) -> None:
        """Refuses settings with which nothing is trained, or grows: stores may have them, and no study is set up so.

        Raises
        ------
        ValueError

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.WidthStudy(loss_tolerance=1e-4).check_to_run()
        """
        for words_, variant in self.named_variants().items():
            where = f"{words_}: " if words_ else ""
            if (share := variant.loss_tolerance) >= 1:
                raise ValueError(
                    f"{where}loss_tolerance must be below 1, the loss of predicting the mean; got {share!r}"
                )
            if variant.grow_at and steps_of(variant.grow_at)[-1] > variant.max_steps:
                raise ValueError(
                    f"{where}grow_at must be at most max_steps = {variant.max_steps}; got {variant.grow_at!r}"
                )

    @property
    def has_labels(self) -> bool:
        """Whether targets are labels of classes."""
        return self.loss == "cross_entropy" and (bool(self.data_digest) or self.targets == "labels")

    @property
    def foreign(self) -> str:
        """Why global minima are not where the student is its teacher; empty if they are."""
        if self.data_digest:
            return "data of one's own have no teacher"
        if self.depth > 1:
            return f"students of {self.depth} hidden layers are no widenings of a teacher of one"
        if self.l2:
            return "l2 moves minima away from the teacher"
        if self.label_noise:
            return "label_noise moves minima away from the teacher"
        return "labels have no minimum where the student is its teacher" if self.has_labels else ""

    @property
    def method_to_minimum(self) -> str:
        """The second-order method that goes on from where training ends.

        Levenberg–Marquardt is at its best where nothing remains of the squared error.
        """
        if self.polish != "auto":
            return self.polish
        remains = self.loss != "squared_error" or self.l2 or self.label_noise or self.data_digest
        return "newton" if remains else "lm"

    def network(self, width: int) -> MLP:
        """Returns a student of this study, with so many neurons in each hidden layer.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.WidthStudy(inputs=2, depth=2, samples=500, widths=[3, 6]).network(6)
        MLP([2, 6, 6, 1], 'erf')
        """
        return MLP(
            [self.inputs, *[width] * self.depth, self.outputs],
            self.activation,
            bias=self.bias,
            parametrization=self.parametrization,
        )

    def teacher_network(self) -> MLP:
        """Returns the network that teachers are.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.WidthStudy(inputs=2, teacher_width=4, widths=[4, 8]).teacher_network()
        MLP([2, 4, 1], 'erf')
        """
        return MLP(
            [self.inputs, self.teacher_width, self.outputs],
            self.activation,
            bias=self.bias,
            parametrization=self.parametrization,
        )

    @cached_property
    def variants(self) -> dict[str, Settings]:
        """The settings of plain values that this study has, by fingerprint; those of a plain study are its own."""
        if not self.factors:
            return {self.fingerprint: self}
        mine = self.as_dict()
        found = {}
        for combination in combinations(self.factors):
            try:
                variant = Settings(**{**mine, **combination, "title": f"{self.title}: {words(combination)}"})
            except ValueError as error:
                raise ValueError(f"{words(combination)}: {error}") from None
            found[variant.fingerprint] = variant
        return found

    def named_variants(self) -> dict[str, Settings]:
        """Returns the variants by words that tell them apart, such as "activation=tanh"; "" for a plain study.

        Examples
        --------
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], activation=["erf", "tanh"], seeds=1)
        >>> list(study.named_variants())
        ['activation=erf', 'activation=tanh']
        """
        return {self.words(key): variant for key, variant in self.variants.items()}

    def words(self, variant: str) -> str:
        """Returns the words that tell a variant of this study from others.

        Examples
        --------
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], activation=["erf", "tanh"], seeds=1)
        >>> [study.words(variant) for variant in study.variants]
        ['activation=erf', 'activation=tanh']
        """
        return words(self.values(variant))

    def values(self, variant: str) -> dict[str, Any]:
        """Returns the value of each factor in a variant.

        Examples
        --------
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], activation=["erf", "tanh"], seeds=1)
        >>> [study.values(variant) for variant in study.variants]
        [{'activation': 'erf'}, {'activation': 'tanh'}]
        """
        return {name: getattr(self.variants[variant], name) for name, _ in self.factors}

    def cell(self, width: int, seed: int) -> Cell:
        """Returns a cell of a study without factors.

        Examples
        --------
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(widths=[3, 6], seeds=2)
        >>> study.cell(6, 1) in study.cells()
        True
        """
        return Cell(width, seed, self.fingerprint)

    def cells(self) -> list[Cell]:
        """Returns every width with every seed in every variant, the widest first.

        The longest first keep all workers busy to the end.

        Examples
        --------
        >>> import hessorbit as ho
        >>> [(cell.width, cell.seed) for cell in ho.WidthStudy(widths=[3, 6], seeds=2).cells()]
        [(6, 0), (6, 1), (3, 0), (3, 1)]
        """
        return [
            Cell(width, seed, variant)
            for width in reversed(self.widths)
            for variant in self.variants
            for seed in range(self.seeds)
        ]

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], source: str) -> Self:
        """Returns the settings that a mapping gives, and the defaults for the rest; `source` is for messages.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.WidthStudy.from_mapping({"inputs": 2, "widths": [3, 6]}, "my settings").widths
        (3, 6)
        """
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

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import hessorbit as ho
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "study.toml")
        ...     _ = path.write_text("widths = [3, 6]")
        ...     ho.WidthStudy.from_toml(path).widths
        (3, 6)
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

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.WidthStudy.preset("quick", widths=[3, 6]).widths
        (3, 6)
        """
        _checks.one_of(name, tuple(presets()), "preset")
        return cls(**{**presets()[name], **changes})

    def to_toml(self) -> str:
        """Returns all settings as TOML, which `from_toml` reads back to equal ones.

        Examples
        --------
        >>> import hessorbit as ho
        >>> print(ho.WidthStudy(inputs=2, title="Mine").to_toml().splitlines()[0])
        title = "Mine"
        """
        return toml(self.as_dict())

    def determining_toml(self) -> str:
        """Returns the settings that determine a cell, as TOML.

        Examples
        --------
        >>> import hessorbit as ho
        >>> print(ho.WidthStudy(inputs=2).determining_toml().splitlines()[0])
        root_seed = 0
        """
        return toml(self.determining())

    @property
    def fingerprint(self) -> str:
        """A hash of what determines a cell: it tells variants apart."""
        return hashlib.sha256(json.dumps(self.determining(), sort_keys=True).encode()).hexdigest()[:16]

    def determining(self) -> dict[str, Any]:
        """Returns the settings that determine a cell, by name: all but the labels.

        Examples
        --------
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(title="Mine", widths=[3, 6])
        >>> "title" in study.determining(), "activation" in study.determining()
        (False, True)
        """
        return {name: value for name, value in self.as_dict().items() if name not in LABELS}

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings by name; a factor is the tuple of its values.

        Examples
        --------
        >>> import hessorbit as ho
        >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], activation=["erf", "tanh"], seeds=1)
        >>> study.as_dict()["activation"], study.as_dict()["widths"]
        (('erf', 'tanh'), (2, 4))
        """
        return {name: getattr(self, name) for name in KNOWN} | dict(self.factors)

    def differences(self, other: Settings) -> list[str]:
        """Says in words where settings that determine a cell differ from those of another study.

        Where either has a list, they are two parts of one study.

        Examples
        --------
        >>> import hessorbit as ho
        >>> ho.WidthStudy(inputs=2).differences(ho.WidthStudy(inputs=3))
        ['inputs is 3 there and 2 here']
        """
        mine, theirs = self.determining(), other.determining()
        return [
            f"{name} is {theirs[name]!r} there and {value!r} here"
            for name, value in mine.items()
            if value != theirs[name] and not (isinstance(value, tuple) or isinstance(theirs[name], tuple))
        ]

    def joined(self, other: Settings) -> Settings:
        """Returns the study that has the cells of both, with this one's title; they must not have differences.

        Examples
        --------
        >>> import hessorbit as ho
        >>> other = ho.WidthStudy(widths=[12], activation="tanh", samples="infinite")
        >>> both = ho.WidthStudy(widths=[3, 6]).joined(other)
        >>> both.widths, both.factors
        ((3, 6, 12), (('activation', ('tanh', 'erf')),))
        """
        lists = {name: as_tuple(value) for name, value in other.determining().items()}
        for name, value in self.determining().items():
            lists[name] = united(lists[name], as_tuple(value))
        return Settings(
            **as_settings(lists),
            title=self.title,
            data=self.data,
            widths=tuple(sorted({*other.widths, *self.widths})),
            seeds=max(other.seeds, self.seeds),
        )


KNOWN = tuple(entry.name for entry in fields(Settings) if entry.name != "factors")
LABELS = frozenset(entry.name for entry in fields(Settings) if entry.metadata.get("label"))
MAY_VARY = tuple(
    entry.name for entry in fields(Settings) if entry.name in KNOWN and not {"label", "single"} & set(entry.metadata)
)

COMMAS = frozenset(entry.name for entry in fields(Settings) if entry.metadata.get("commas"))


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


def checked_factors(factors: Factors) -> Factors:
    """Returns factors whose values are checked."""
    checked = tuple((name, tuple(CHECKS[name](value, name) for value in values)) for name, values in factors)
    for name, values in checked:
        refuse_repetition(name, values)
    return checked


def as_settings(lists: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Returns lists of values as settings: those of one value are plain."""
    return {name: list(values) if len(values) > 1 else values[0] for name, values in lists.items()}


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Returns the values of a factor, and a plain value as one."""
    return value if isinstance(value, tuple) else (value,)
