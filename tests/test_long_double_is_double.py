"""Where long double is double, NumPy calls float64 and longdouble equal; everything works there as elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAM = """
import json, sys, tempfile
from pathlib import Path
import numpy as np

if sys.argv[1] == "equal":
    import equal_dtypes
    equal_dtypes.install()
import hessorbit as ho
from hessorbit import _checks
assert ("_among" in _checks.one_of.__code__.co_names) == (sys.argv[1] == "equal")

rng = np.random.default_rng(3)
teacher, net = ho.MLP([2, 2, 1], activation="tanh"), ho.MLP([2, 3, 1], activation="tanh")
goal, theta = teacher.init(rng, "normal(1)"), net.init(rng, "normal(1)")
x = rng.standard_normal((20, 2))
y = teacher(goal, x)
results = {}
for scalar in (np.float64, np.longdouble):
    obj, point = ho.Objective(net, x.astype(scalar), y.astype(scalar)), theta.astype(scalar)
    found = {name: getattr(obj, name)(point) for name in (
        "loss", "gradient", "outputs", "residual", "jacobian", "hessian", "gauss_newton", "gauss_newton_factor",
        "hessian_diagonal", "hessian_trace")}
    found["hvp"] = obj.hvp(point, point)
    found["network"] = net(point, x.astype(scalar))
    found["eigenvalues"] = ho.spectrum(obj, point).eigenvalues
    found["moved"] = ho.symmetries(net).random(np.random.default_rng(0))(point)
    found["gradient moved"] = ho.symmetries(net).random(np.random.default_rng(0)).gradient(found["gradient"])
    found["canonical"] = ho.canonical(net, point).theta
    found["wide"] = ho.Widening(net, copies=[[1, 2, 1]])(point)
    with tempfile.TemporaryDirectory() as folder:
        ho.save(Path(folder) / "net.npz", net, point)
        found["loaded"] = ho.load(Path(folder) / "net.npz")[1]
    for name, value in found.items():
        assert np.asarray(value).dtype.type in (scalar, np.float64), name
        results[f"{scalar.__name__} {name}"] = np.asarray(value, float).ravel().tolist()
    results[f"{scalar.__name__} equivalent"] = [float(bool(ho.equivalent(net, point, net, found["moved"])))]
obj = ho.Objective(net, x, y)
results["minimum"] = ho.minimize(obj, theta, max_steps=5).x.tolist()
results["nearest"] = ho.nearest_minimum(net, theta, teacher, goal).theta.tolist()
question = {"over": ho.symmetries(net), "matrix": "gauss_newton"}
results["best"] = [ho.best_conditioned(obj, theta, **question).value]
print(json.dumps(results))
"""


def run(dtypes: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, dtypes], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.core
def test_equal_dtypes_change_no_result() -> None:
    apart, equal = run("apart"), run("equal")
    assert apart.keys() == equal.keys()
    for name, values in apart.items():
        if name.startswith("longdouble"):
            # Where extended precision rounds to double on its way, a few roundings stay, of eigenvalues relative to the
            # largest.
            np.testing.assert_allclose(equal[name], values, rtol=1e-12, atol=1e-12 * np.max(np.abs(values)))
        else:
            assert equal[name] == values, name
