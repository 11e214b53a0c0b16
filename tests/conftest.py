"""Settings of every test run."""

from hypothesis import HealthCheck, settings

# The same examples every time, and no verdicts by the clock: a run says something about the code alone.
settings.register_profile(
    "hessorbit", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hessorbit")
