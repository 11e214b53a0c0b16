"""Memory: the result and a few chunks of samples, never an array of the size of the data times the parameters."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.core

MEGABYTE = 1_000_000

SCRIPT = """
import pathlib, re, resource, sys
import numpy as np
import hessorbit as ho

def peak():
    # A process inherits its parent's peak in ru_maxrss, but not in VmHWM. Units: kilobytes, but bytes on macOS.
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

rng = np.random.default_rng(0)
net = ho.MLP({widths})
x, y = rng.standard_normal(({samples}, net.widths[0])), rng.standard_normal(({samples}, net.widths[-1]))
theta = net.init(rng)
if {labels}:
    y = rng.integers(0, net.widths[-1], {samples})
objective = ho.Objective(net, x, y, loss="cross_entropy" if {labels} else "squared_error", threads=2)
before = peak()
result = objective.{method}(theta)
print(before, peak(), result.nbytes)
"""


def peaks(widths: list[int], samples: int, method: str, *, labels: bool = False) -> tuple[int, int, int]:
    """Peak memory of a process before and after a call, and the size of the call's result, in bytes."""
    script = SCRIPT.format(widths=widths, samples=samples, method=method, labels=labels)
    # Threads that wait without spinning: the machine may be busy with others.
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    process = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
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


def test_many_classes() -> None:
    """The second derivatives of a thousand classes, 8 MB for each sample, are never stored."""
    for method in ("hessian", "hessian_diagonal"):
        before, peak, size = peaks([1, 1000], 200, method, labels=True)
        assert peak - before - size < 100 * MEGABYTE


def test_peaks_are_in_bytes() -> None:
    """The Jacobian, 146 MB, shows in the peak: the bounds above would notice."""
    before, peak, size = peaks([2, 300, 1], 15_000, "jacobian")
    assert size == 15_000 * 1201 * 8
    assert size < peak - before < 2 * size
