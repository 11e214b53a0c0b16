"""Memory: the result and a few chunks of samples, never an array of the size of the data times the parameters."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

pytestmark = pytest.mark.core

MEGABYTE = 1_000_000

SCRIPT = """
import resource, sys
import numpy as np
import hessorbit as ho

UNIT = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there, kilobytes elsewhere

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT

rng = np.random.default_rng(0)
net = ho.MLP({widths})
x, y = rng.standard_normal(({samples}, net.widths[0])), rng.standard_normal({samples})
theta = net.init(rng)
objective = ho.Objective(net, x, y, loss={loss!r}, threads=2)
before = peak()
result = objective.{method}(theta)
print(before, peak(), result.nbytes)
"""


def peaks(widths: list[int], samples: int, method: str, loss: str = "squared_error") -> tuple[int, int, int]:
    """Peak memory of a process before and after a call, and the size of the call's result, in bytes."""
    script = SCRIPT.format(widths=widths, samples=samples, method=method, loss=loss)
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after, size = map(int, process.stdout.split())
    return before, after, size


@pytest.mark.parametrize("method", ["hessian", "gauss_newton", "hessian_diagonal", "gradient"])
def test_a_million_samples(method: str) -> None:
    _, peak, _ = peaks([2, 50, 1], 1_000_000, method)
    assert peak < 500 * MEGABYTE


@pytest.mark.parametrize("widths", [[10, 200, 1], [10, 40, 40, 5]])
def test_beyond_input_and_output(widths: list[int]) -> None:
    before, peak, size = peaks(widths, 2000, "hessian")
    assert peak - before - size < 200 * MEGABYTE


def test_this_process_is_measured_in_known_units() -> None:
    """An array of 80 MB shows in the peak: the bounds above would notice."""
    before, peak, size = peaks([2, 3, 1], 700_000, "jacobian")
    assert size > 70 * MEGABYTE
    assert 0.9 * size < peak - before < 3 * size
    assert resource.getpagesize() < size
