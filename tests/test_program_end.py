"""Programs end while daemon threads are inside of calls: with status 0, in a moment, and atexit may still call."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.core

START = """
import atexit, threading, time
import numpy as np
import hessorbit as ho

rng = np.random.default_rng(0)
net = ho.MLP([5, 30, 2])
x, y = rng.standard_normal((3000, 5)), rng.standard_normal((3000, 2))
obj, theta = ho.Objective(net, x, y, threads=2), net.init(rng)
population = ho.PopulationObjective(net, net, theta, threads=2)
started = threading.Barrier(5)

def repeat(call):
    started.wait()
    while True:
        call()

calls = [
    lambda: obj.gradient(theta[: net.num_parameters]),
    lambda: obj.hessian(theta),
    lambda: ho.minimize(obj, theta, method="gd", max_steps=50),
    lambda: population.gradient(theta),
]
for call in calls:
    threading.Thread(target=repeat, args=(call,), daemon=True).start()
started.wait()
"""


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.1, 0.3])
def test_daemon_threads_do_not_abort_the_end(pause: float) -> None:
    done = run(f"{START}\ntime.sleep({pause})\n")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("when", ["before hessorbit", "after hessorbit"])
def test_what_atexit_calls_still_computes(when: str) -> None:
    """What was registered first is called last, after what hessorbit registers itself."""
    late = "import atexit, numpy as np\natexit.register(lambda: print(np.isfinite(obj.hessian(theta)).all()))\n"
    done = run(late + START if when == "before hessorbit" else START + late)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
