"""Libraries that only some calls need: extras bring them, and where one is missing, the message names its extra."""

from __future__ import annotations

from importlib.util import find_spec

# Where the extra is not called like the library.
EXTRAS = {
    "flint": "certify",
    "jinja2": "study",
    "matplotlib": "plot",
    "pandas": "study",
    "skops": "sklearn",
}


def need(library: str, caller: str) -> None:
    """Refuses a call whose library is not installed; `caller` says what needs it."""
    if find_spec(library) is None:
        extra = EXTRAS.get(library, library)
        raise ModuleNotFoundError(
            f'{caller} needs {library}, which is not installed: pip install "hessorbit[{extra}]"', name=library
        )
