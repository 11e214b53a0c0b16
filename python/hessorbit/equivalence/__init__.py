"""When two networks are one function: the decision, the canonical form, and reduction to fewer neurons."""

from __future__ import annotations

from .canonical_form import CanonicalForm, canonical
from .equality import Equivalence, equivalent

__all__ = ["CanonicalForm", "Equivalence", "canonical", "equivalent"]


def __dir__() -> list[str]:
    return list(__all__)
