"""Pictures hold the numbers that they are of: what is drawn is compared with what is computed another way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import hessorbit as ho
from hessorbit.plot.style import BLUE, GREEN, ORANGE

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 2))
NET = ho.MLP([2, 3, 1])
THETA = NET.init(np.random.default_rng(1), "normal(1)")
OBJ = ho.Objective(NET, X, np.sin(X[:, 0]))


@pytest.fixture(autouse=True)
def without_windows() -> Iterator[None]:
    matplotlib.use("agg")
    yield
    pyplot.close("all")


def axes() -> Axes:
    return pyplot.subplots()[1]


def line(ax: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The points of the line whose label begins so."""
    (found,) = [each for each in ax.lines if str(each.get_label()).startswith(label)]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def test_matplotlib_is_imported_where_something_is_drawn() -> None:
    code = "import sys, hessorbit as ho; ho.plot.spectrum; ho.inspect; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_function_draws_into_the_axes_given() -> None:
    relu = ho.MLP([2, 2, 1], "relu")
    theta = relu.init(np.random.default_rng(1))
    result = ho.minimize(OBJ, THETA, max_steps=3)
    for draw in (
        lambda ax: ho.plot.spectrum(ho.spectrum(OBJ, THETA), ax),
        lambda ax: ho.plot.landscape(OBJ, THETA, ax),
        lambda ax: ho.plot.landscape(OBJ, THETA, ax, eigenvectors=(0, -1), points=5),
        lambda ax: ho.plot.orbit(ho.Objective(relu, X, relu(theta, X)), theta, ax=ax, points=3),
        lambda ax: ho.plot.history(result, ax),
    ):
        ax = axes()
        assert draw(ax) is ax
        assert ax.has_data()
        assert draw(None) is not ax


def test_spectrum() -> None:
    sp = ho.spectrum(OBJ, THETA)
    assert sp.num_negative  # else there are no signs to see
    ax = ho.plot.spectrum(sp)
    values = np.linalg.eigvalsh(OBJ.hessian(THETA))
    magnitudes = np.sort(np.abs(values))[::-1]
    resolved = values[np.abs(values) > sp.floor]
    for name, colour, own in (
        ("positive", BLUE, resolved[resolved > 0]),
        ("negative", ORANGE, -resolved[resolved < 0]),
    ):
        (found,) = [each for each in ax.lines if to_hex(each.get_color()) == colour.lower()]
        assert str(found.get_label()) == f"{len(own)} {name}"
        drawn = np.asarray(found.get_ydata())
        # Each to about the floor, relative to its size.
        np.testing.assert_allclose(np.sort(drawn), np.sort(own), atol=2 * sp.floor)
        np.testing.assert_allclose(drawn, magnitudes[np.asarray(found.get_xdata()) - 1], atol=2 * sp.floor)
    assert line(ax, "floor")[1][0] == sp.floor
    assert ax.get_yscale() == "log"


def test_spectrum_marks_zero_modes() -> None:
    net = ho.MLP([2, 3, 1], "relu")
    theta = net.init(np.random.default_rng(3), "normal(1)")
    sp = ho.spectrum(ho.Objective(net, X, net(theta, X)), theta)
    count = len(sp.zero_modes)
    assert count >= 3  # the rescalings
    ax = ho.plot.spectrum(sp)
    (found,) = [each for each in ax.lines if to_hex(each.get_color()) == GREEN.lower()]
    marked, zeros = np.asarray(found.get_xdata()), int((sp.eigenvalues == 0).sum())
    assert len(marked) == count - zeros
    assert marked.min() == net.num_parameters - count + 1


def test_landscape_on_a_line() -> None:
    direction = RNG.standard_normal(NET.num_parameters)
    ax = ho.plot.landscape(OBJ, THETA, directions=direction, extent=0.5, points=7)
    steps, losses = line(ax, "loss")
    assert steps[0] == -0.5
    assert steps[-1] == 0.5
    for step, loss in zip(steps, losses, strict=True):
        assert loss == OBJ.loss(THETA + step * direction)
    hessian, gradient = OBJ.hessian(THETA), OBJ.gradient(THETA)
    expected = OBJ.loss(THETA) + steps * (gradient @ direction) + steps**2 / 2 * (direction @ hessian @ direction)
    np.testing.assert_allclose(line(ax, "exact quadratic")[1], expected, rtol=1e-12)


@pytest.mark.parametrize("number", [0, 2, -1])
def test_landscape_along_an_eigenvector(number: int) -> None:
    found = ho.plot.slice_of(OBJ, THETA, eigenvectors=number)
    values, vectors = np.linalg.eigh(OBJ.hessian(THETA))
    index = number if number < 0 else 0
    expected = vectors[:, ::-1][:, number]
    assert abs(abs(found.directions[:, 0] @ expected) - 1) < 1e-9
    np.testing.assert_allclose(found.curvatures[0, 0], values[::-1][number], rtol=1e-9, atol=1e-12)
    assert index in (0, -1)


def test_the_quadratic_is_right_to_second_order() -> None:
    """What is left is of third order: it falls eightfold where the steps are halved."""
    left = []
    for extent in (2e-2, 1e-2):
        found = ho.plot.slice_of(OBJ, THETA, directions=np.ones(NET.num_parameters), extent=extent, points=3)
        left.append(found.losses[2] - found.quadratic[2])
    assert 7 < left[0] / left[1] < 9


@pytest.mark.parametrize("target", [1e120, 1e150])
def test_landscapes_of_losses_of_any_size(target: float) -> None:
    """On a line where the loss is constant to rounding, and on a plane with losses that contours cannot hold."""
    obj = ho.Objective(NET, X, np.full(30, target))
    for eigenvectors in (0, (0, 1)):
        ax = ho.plot.landscape(obj, THETA, eigenvectors=eigenvectors, points=5)
        ax.figure.canvas.draw()
        assert ax.get_title(loc="left")


def test_landscape_towards_another_minimum() -> None:
    other = ho.symmetries(NET).sign_flip(layer=1, neurons=[0])(THETA)
    ax = ho.plot.landscape(OBJ, THETA, to=other, points=7)  # steps −0.25, 0, …, 1, 1.25
    steps, losses = line(ax, "loss")
    assert steps.tolist() == [-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
    assert losses[1] == OBJ.loss(THETA)
    np.testing.assert_allclose(losses[5], OBJ.loss(THETA), rtol=1e-13)


def test_landscape_along_the_orbit_is_flat_at_a_minimum() -> None:
    net = ho.MLP([2, 3, 1], "relu")
    theta = net.init(np.random.default_rng(3), "normal(1)")
    obj = ho.Objective(net, X, net(theta, X))
    found = ho.plot.slice_of(obj, theta, directions=ho.symmetries(net).tangents(theta)[:, 0])
    assert np.abs(found.quadratic).max() < 1e-20
    assert found.losses.max() > 1e-6


def test_landscape_on_a_plane() -> None:
    directions = RNG.standard_normal((NET.num_parameters, 2))
    found = ho.plot.slice_of(OBJ, THETA, directions=directions, extent=0.3, points=5)
    hessian, gradient = OBJ.hessian(THETA), OBJ.gradient(THETA)
    for i, first in enumerate(found.steps[0]):
        for j, second in enumerate(found.steps[1]):
            move = directions @ [first, second]
            np.testing.assert_allclose(found.losses[i, j], OBJ.loss(THETA + move), rtol=1e-12)
            quadratic = OBJ.loss(THETA) + gradient @ move + move @ hessian @ move / 2
            np.testing.assert_allclose(found.quadratic[i, j], quadratic, rtol=1e-12)
    ax = ho.plot.landscape(OBJ, THETA, directions=directions, extent=0.3, points=5)
    filled, dashed = ax.collections[:2]
    assert filled.levels[0] == found.losses.min()
    assert (filled.levels == dashed.levels).all()
    # The first axis is the horizontal one.
    assert filled._mins[0] == found.steps[0][0]


def test_a_plane_through_another_point_and_an_eigenvector() -> None:
    found = ho.plot.slice_of(OBJ, THETA, to=2 * THETA, eigenvectors=0, points=3)
    assert found.names == ("way to the other point", "eigenvector of the largest eigenvalue")
    assert (found.directions[:, 0] == THETA).all()


def test_populations_have_landscapes() -> None:
    net = ho.MLP([2, 2, 1], "erf")
    theta = net.init(np.random.default_rng(0))
    obj = ho.PopulationObjective(net, net, 2 * theta)
    found = ho.plot.slice_of(obj, theta, to=2 * theta, points=7)
    assert abs(found.losses[5]) < 1e-14


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_orbit(matrix: str) -> None:
    net = ho.MLP([2, 3, 1], "relu")
    theta = net.init(np.random.default_rng(7), "normal(1)")
    obj = ho.Objective(net, X, net(theta, X))
    ax = ho.plot.orbit(obj, theta, 1, extent=1.0, points=5, matrix=matrix)
    steps, values = line(ax, "κ")
    for step, value in zip(steps, values, strict=True):
        moved = ho.symmetries(net).rescaling(layer=1, factors=[1.0, np.exp(step), 1.0])(theta)
        H = obj.hessian(moved)
        eigenvalues = np.sort(np.linalg.eigvalsh(H))[3:]
        expected = eigenvalues[-1] / eigenvalues[0]
        # The rank is P − 3; rounding of the smallest eigenvalue counts.
        assert value == pytest.approx(expected, rel=1e-14 * expected + 1e-8)
    assert line(ax, "least")[1][0] == values.min()


def test_orbit_of_a_translation_keeps_the_function() -> None:
    from hessorbit.plot.orbit import curve

    net = ho.MLP([2, 2, 1], "exp")
    theta = net.init(np.random.default_rng(3))
    (generator, *_) = ho.symmetries(net).generators()
    assert generator.factor.kind == "translation"
    for point in curve(generator, theta, np.array([-1.0, 0.0, 2.0])):
        np.testing.assert_allclose(net(point, X), net(theta, X), rtol=1e-12)


def test_history() -> None:
    result = ho.minimize(OBJ, THETA, method="gd", learning_rate=0.05, max_steps=40)
    for given in (result, result.trajectory):
        ax = ho.plot.history(given)
        assert (line(ax, "loss")[0] == result.trajectory.steps).all()
        assert (line(ax, "loss")[1] == result.trajectory.losses).all()
        assert (line(ax, "max")[1] == result.trajectory.gradient_norms).all()
    flow = ho.minimize(OBJ, THETA, method="flow", time=0.5)
    ax = ho.plot.history(flow)
    assert (line(ax, "loss")[0] == flow.trajectory.times).all()
    assert ax.get_xlabel() == "time"


def test_history_of_losses_below_zero() -> None:
    obj = ho.Objective(ho.MLP([2, 1]), X, np.full(30, 5.0), loss="poisson")
    result = ho.minimize(obj, np.zeros(3), method="gd", learning_rate=0.05, max_steps=30)
    assert result.fun < 0
    losses = result.trajectory.losses
    assert (line(ho.plot.history(result), "loss above the lowest")[1] == losses - losses.min()).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ho.plot.spectrum(np.ones(3)), TypeError, "sp must be a Spectrum"),
        (lambda: ho.plot.history({"loss": 1}), TypeError, "result must be a Trajectory"),
        (lambda: ho.plot.landscape(OBJ, THETA, eigenvectors=(0, 1, 2)), ValueError, "one or two directions; got 3"),
        (lambda: ho.plot.landscape(OBJ, THETA, points=10**12), ValueError, "points must be at most 1000000"),
        (lambda: ho.plot.landscape(OBJ, THETA, extent=1e308), ValueError, "within the range of float64; the largest"),
        (
            lambda: ho.plot.landscape(OBJ, THETA, directions=np.full(13, 1e308)),
            ValueError,
            "slope and curvature to be finite|within the range of float64",
        ),
        (lambda: ho.plot.landscape(OBJ, THETA, to=np.full(13, 1e300)), ValueError, "slope and curvature to be finite"),
        (lambda: ho.plot.landscape(OBJ, THETA, eigenvectors=13), ValueError, "eigenvectors must be at most 12"),
        (lambda: ho.plot.landscape(OBJ, THETA, directions=[1.0]), ValueError, r"directions must have shape \(13,\)"),
        (lambda: ho.plot.landscape(OBJ, THETA, to=[1.0]), ValueError, "to must have shape"),
        (lambda: ho.plot.landscape(OBJ, THETA, extent=0.0), ValueError, "extent must be positive"),
        (lambda: ho.plot.landscape(OBJ, THETA, points=1), ValueError, "points must be at least 2"),
        (lambda: ho.plot.orbit(OBJ, THETA), ValueError, "has no continuous symmetry"),
        (lambda: ho.plot.landscape(NET, THETA), TypeError, "obj must be an Objective"),
    ],
)
def test_refusals(call: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()  # type: ignore[operator]
