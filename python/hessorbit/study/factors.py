"""Factors: settings that a study has lists of values for, and the variants that all combinations make.

A variant is a study of plain values. Its key is the hash of the settings that determine its cells, so that it stays the
same whatever other values and factors a study gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

MOST_VARIANTS = 10_000

Factors = tuple[tuple[str, tuple[Any, ...]], ...]  # names and values, in the order of the settings


def split(given: Mapping[str, Any], may_vary: tuple[str, ...]) -> tuple[dict[str, Any], Factors]:
    """Returns settings of which lists are replaced by their first values, and the lists.

    A list of one value is that value. Factors may also be given as such, under "factors", beside their first values.
    """
    plain = dict(given)
    lists = {name: values for name, values in plain.pop("factors", ()) if plain.get(name) == values[0]}
    for name in may_vary:
        value = plain.get(name)
        if isinstance(value, list | tuple):
            values = checked_values(name, value)
            plain[name] = values[0]
            lists[name] = values
    return plain, tuple((name, lists[name]) for name in may_vary if len(lists.get(name, ())) > 1)


def checked_values(name: str, values: list[Any] | tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError(f"{name} must have at least one value; got an empty list")
    if any(isinstance(value, list | tuple | Mapping) for value in values):
        raise ValueError(f"{name} must be a value or a flat list of values; got {list(values)!r}")
    return tuple(values)


def refuse_repetition(name: str, values: tuple[Any, ...]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"{name} must have values that differ from each other; {value!r} is there twice")


def combinations(factors: Factors) -> Iterator[dict[str, Any]]:
    """Yields every combination of values, the last factor changing fastest."""
    count = prod(len(values) for _, values in factors)
    if count > MOST_VARIANTS:
        lists = " × ".join(f"{len(values)} of {name}" for name, values in factors)
        raise ValueError(f"lists of values must have at most {MOST_VARIANTS} combinations; got {lists} = {count}")
    names = [name for name, _ in factors]
    for values in product(*(values for _, values in factors)):
        yield dict(zip(names, values, strict=True))


def united(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the values of both, those of the second one that are new behind those of the first."""
    return (*mine, *(value for value in theirs if value not in mine))


def words(combination: Mapping[str, Any]) -> str:
    """Says which variant this is, such as "activation=tanh, init=torch"; nothing where nothing varies."""
    return ", ".join(f"{name}={brief(value)}" for name, value in combination.items())


def brief(value: Any) -> str:
    """Writes a value, a whole number without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e6 else str(value)
