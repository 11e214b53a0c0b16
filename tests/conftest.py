"""Settings of every test run."""

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

from libraries import LIBRARIES

# Keras asks for TensorFlow where nothing else is said.
os.environ.setdefault("KERAS_BACKEND", "jax")

# The same examples every time, and no verdicts by the clock: a run says something about the code alone.
settings.register_profile(
    "hessorbit", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hessorbit")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, as it does not in a process that was started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# Networks are read from libraries that not everybody has. Where one is missing, its tests are left out and said to be;
# with HESSORBIT_ALL_LIBRARIES set, as in .ci/run, a missing one is an error.
MISSING = [name for name in LIBRARIES if find_spec(name) is None]


def pytest_report_header() -> list[str]:
    names = ", ".join(LIBRARIES[name] for name in MISSING)
    return [f'NOT TESTED, as not installed: reading networks from {names}; pip install ".[libraries]"'] if names else []


def pytest_configure() -> None:
    if MISSING and os.environ.get("HESSORBIT_ALL_LIBRARIES"):
        raise pytest.UsageError(f"not installed: {', '.join(MISSING)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the examples of functions whose library is missing."""
    names = tuple(f"hessorbit.interop.{name}." for name in MISSING)
    left_out = [item for item in items if isinstance(item, pytest.DoctestItem) and item.name.startswith(names)]
    items[:] = [item for item in items if item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
