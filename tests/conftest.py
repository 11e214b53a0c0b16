"""Settings of every test run."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

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
