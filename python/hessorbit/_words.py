"""Counts with their nouns and other pieces of sentences, as messages, reprs and pages print them."""

from __future__ import annotations

from collections.abc import Iterable


def number_of(count: int, singular: str, plural: str = "") -> str:
    """Returns a count, its noun and what agrees with it: "1 row is", "2 rows are"; plurals are in s by default."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def those(noun: str, numbers: Iterable[int]) -> str:
    """Returns things of one kind by their numbers: "neuron 3", "neurons 1, 4"."""
    listed = list(map(str, numbers))
    return f"{noun}{'' if len(listed) == 1 else 's'} {', '.join(listed)}"


def uncapitalised(text: str) -> str:
    """Returns a sentence as it stands inside of another."""
    return text[0].lower() + text[1:]
