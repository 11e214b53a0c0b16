"""What values each setting of a study may have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from .. import _checks

OPTIMIZERS = ("gd", "momentum", "adam")
RATE_RULES = ("fixed", "share", "tuned")
LOSSES = ("squared_error", "cross_entropy")
TARGETS = ("probabilities", "labels")
POLISH = ("auto", "none", "lm", "newton")
INFINITE, FULL = "infinite", "full"
HELD_OUT_SHARE = 5  # one of so many rows of one's own data is held out


# A student has a P × P Hessian and as many eigenvectors: 160 GB for the largest student that is let in.
LARGEST_STUDENT = 100_000  # parameters
LARGEST_DATA = 10**9  # entries of inputs and targets
MOST_SEEDS = 10**6
MOST_STEPS = 10**9
DEEPEST = 100


# The least and the most that an integer setting may be.
INTEGERS: dict[str, tuple[int, int | None]] = {
    "seeds": (1, MOST_SEEDS),
    "root_seed": (0, None),
    "inputs": (1, LARGEST_STUDENT),
    "outputs": (1, LARGEST_STUDENT),
    "teacher_width": (1, LARGEST_STUDENT),
    "depth": (1, DEEPEST),
    "max_steps": (1, MOST_STEPS),
    "polish_steps": (1, MOST_STEPS),
    "leading": (1, LARGEST_STUDENT),
    "rate_steps": (0, MOST_STEPS),
    "grow_from": (0, LARGEST_STUDENT),
}


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


def nonnegative(value: Any, name: str) -> float:
    return _checks.real(value, name, minimum=0.0)


def batch(value: Any, name: str) -> int | str:
    """A number of samples, or "full"."""
    if value == FULL:
        return FULL
    if isinstance(value, str):
        raise ValueError(f'{name} must be a number of samples or "{FULL}"; got {value!r}')
    return _checks.integer(value, name, minimum=1, maximum=LARGEST_DATA)


def samples(value: Any, name: str) -> int | str:
    """A number of samples, or "infinite"."""
    if value == INFINITE:
        return INFINITE
    if isinstance(value, str):
        raise ValueError(f'{name} must be a number or "{INFINITE}"; got {value!r}')
    return _checks.integer(value, name, minimum=2, maximum=LARGEST_DATA)


def steps_of(grow_at: str) -> tuple[int, ...]:
    """Returns the numbers between the commas of `grow_at`."""
    try:
        steps = tuple(int(part) for part in grow_at.split(",") if part.strip())
    except ValueError:
        raise ValueError(
            f"grow_at must be whole numbers of steps between commas, such as '200,400'; got {grow_at!r}"
        ) from None
    return tuple(_checks.integer(step, "grow_at", minimum=0, maximum=MOST_STEPS) for step in steps)


def growth_steps(value: Any, name: str) -> str:
    """Steps between commas, in ascending order."""
    written = str(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else text(value, name)
    steps = steps_of(written)
    if any(later <= earlier for earlier, later in pairwise(steps)):
        raise ValueError(f"{name} must increase; got {value!r}")
    return ",".join(map(str, steps))


def within(least: int, most: int | None) -> Callable[[Any, str], int]:
    return lambda value, name: _checks.integer(value, name, minimum=least, maximum=most)


def one_of(choices: tuple[str, ...]) -> Callable[[Any, str], str]:
    return lambda value, name: _checks.one_of(value, choices, name)


# What checks the value of a setting, and returns it.
CHECKS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("title", "activation", "parametrization", "data", "target", "data_digest", "init"), text),
    "widths": lambda value, _: distinct_widths(value),
    **dict.fromkeys(("bias", "representatives"), boolean),
    "grow_at": growth_steps,
    "loss": one_of(LOSSES),
    "targets": one_of(TARGETS),
    "optimizer": one_of(OPTIMIZERS),
    "learning_rate_rule": one_of(RATE_RULES),
    "polish": one_of(POLISH),
    "batch_size": batch,
    "samples": samples,
    **dict.fromkeys(("teacher_scale", "learning_rate", "split_noise", "loss_tolerance"), _checks.positive),
    **dict.fromkeys(("label_noise", "l2"), nonnegative),
    **dict.fromkeys(("threshold", "momentum"), _checks.fraction),
    **{name: within(least, most) for name, (least, most) in INTEGERS.items()},
}
