"""Says which class every target is, where classes have names or numbers of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _checks
from .._checks import Array
from .._words import number_of

MOST_SHOWN = 6  # classes of a message


def is_text(y: Any) -> bool:
    """Tell whether targets are words."""
    found = np.asarray(y)
    return found.ndim == 1 and (found.dtype.kind in "US" or any(isinstance(each, str) for each in found[:1]))


def without_order(y: Any) -> ValueError:
    """Return the error that the order of classes is not known."""
    kinds = sorted({str(each) for each in np.asarray(y)})
    return ValueError(
        f"the targets are words, {listed(kinds)}: give --classes, with all of them in the order of the network's "
        f"outputs, such as --classes {','.join(kinds[:MOST_SHOWN])}"
    )


def labels_of(y: Any, classes: Sequence[Any], outputs: int) -> Array:
    """Return the position of every target among the classes: an integer, or with one output 0.0 or 1.0."""
    wanted = 2 if outputs == 1 else outputs
    if len(classes) != wanted:
        raise ValueError(
            f"--classes must name {wanted} classes for {number_of(outputs, 'output')}; got {listed(classes)}"
        )
    places = {key(each): place for place, each in enumerate(classes)}
    if len(places) < wanted:
        raise ValueError(f"--classes must not name a class twice; got {listed(classes)}")
    found = np.asarray(y)
    if found.ndim != 1:
        raise ValueError(f"classes need one target for each sample; got targets of shape {found.shape}")
    for row, each in enumerate(found):
        if key(each) not in places:
            hint = _checks.did_you_mean(str(each), [str(name) for name in classes])
            raise ValueError(
                f"the target of row {row} (counted from 0) is {each!s}, and the classes are {listed(classes)}{hint}"
            )
    return np.array([places[key(each)] for each in found], float if outputs == 1 else int)


def key(value: Any) -> Any:
    """Return what equal classes share: a number whatever it is written as, and else the word, as True and False are."""
    if isinstance(value, bool | np.bool_):
        return str(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def listed(classes: Sequence[Any]) -> str:
    more = len(classes) - MOST_SHOWN
    return ", ".join(map(str, classes[:MOST_SHOWN])) + (f" and {more} more" if more > 0 else "")
