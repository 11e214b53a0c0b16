"""An inspection against what the package's parts say of planted networks, and its page, its JSON and its command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from typer.testing import CliRunner, Result

import hessorbit as ho
from hessorbit.cli.app import app
from hessorbit.cli.data import read_data
from hessorbit.cli.inspect import objective_of
from hessorbit.cli.labels import labels_of

X = np.random.default_rng(0).standard_normal((40, 2))
NET = ho.MLP([2, 3, 1])
THETA = NET.init(np.random.default_rng(1), "normal(1)")


@pytest.fixture(autouse=True)
def without_windows() -> Iterator[None]:
    matplotlib.use("agg")
    yield
    pyplot.close("all")


def minimum(l2: float = 0.0) -> tuple[ho.Objective, np.ndarray]:
    """A minimum that is not zero, of two neurons."""
    net = ho.MLP([1, 2, 1])
    x = np.linspace(-2, 2, 30)[:, None]
    obj = ho.Objective(net, x, np.sin(2 * x) + 0.3 * x**2, l2=l2)
    return obj, ho.minimize(obj, net.init(np.random.default_rng(5)), method="newton").x


@pytest.fixture(scope="module")
def found() -> ho.Inspection:
    obj, theta = minimum(l2=1e-3)
    return ho.inspect(obj, theta, certify=True)


def test_it_is_what_the_parts_say(found: ho.Inspection) -> None:
    obj, theta = minimum(l2=1e-3)
    assert found.point.kind == ho.classify(obj, theta).kind == "minimum"
    assert found.loss == obj.loss(theta)
    assert found.parts["weight decay"] == pytest.approx(5e-4 * theta @ theta)
    assert found.parts["data"] == pytest.approx(ho.Objective(obj.net, obj.x, obj.y).loss(theta))
    assert (found.gradient == obj.gradient(theta)).all()
    np.testing.assert_allclose(found.hessian.eigenvalues, np.linalg.eigvalsh(obj.hessian(theta)), rtol=1e-8)
    assert found.certificate is not None
    assert found.certificate.proven
    assert found.certificate.inertia == (0, 0, 7)


def test_condition_numbers_name_their_conventions(found: ho.Inspection) -> None:
    names = [(matrix, kappa.convention) for matrix, kappa in found.condition_numbers]
    for matrix in ("hessian", "gauss_newton"):
        assert {name.partition("=")[0] for own, name in names if own == matrix} == {
            "rank",
            "threshold",
            "raw",
            "quotient",
        }
    values = np.linalg.eigvalsh(minimum(l2=1e-3)[0].hessian(found.theta))
    assert dict(zip(names, [k for _, k in found.condition_numbers], strict=True))["hessian", "raw"] == pytest.approx(
        values[-1] / values[0], rel=1e-8
    )


def test_blocks_are_those_of_the_hessian() -> None:
    net = ho.MLP([2, 3, 2, 1], bias=[True, False, True])
    theta = net.init(np.random.default_rng(1), "normal(1)")
    obj = ho.Objective(net, X, X[:, 0])
    blocks, H = ho.inspect(obj, theta).blocks, obj.hessian(theta)
    assert [(b.layer, b.neuron) for b in blocks if b.part == "incoming"] == [
        (1, None), (1, 0), (1, 1), (1, 2), (2, None), (2, 0), (2, 1), (3, None),
    ]  # fmt: skip
    for block in blocks:
        neurons = None if block.neuron is None else [block.neuron]
        at = net.block(layer=block.layer, part=block.part, neurons=neurons)
        values = np.linalg.eigvalsh(H[np.ix_(at, at)])
        assert block.size == len(at)
        assert block.trace == pytest.approx(values.sum())
        assert (block.smallest, block.largest) == (pytest.approx(values[0]), pytest.approx(values[-1]))
    assert sum(block.share for block in blocks if block.neuron is None) == pytest.approx(1)


def test_directions_are_eigenvectors() -> None:
    obj = ho.Objective(NET, X, np.sin(X[:, 0]))
    found, H = ho.inspect(obj, THETA), obj.hessian(THETA)
    values = np.linalg.eigvalsh(H)
    assert [d.eigenvalue for d in found.leading] == pytest.approx(values[::-1][:5].tolist())
    assert [d.eigenvalue for d in found.negative] == pytest.approx(values[: min((values < 0).sum(), 5)].tolist())
    assert found.negative
    for direction in (*found.leading, *found.negative):
        v = direction.vector
        np.testing.assert_allclose(H @ v, direction.eigenvalue * v, atol=1e-10)
        assert sum(direction.layers) == pytest.approx(1)
        assert direction.participation == pytest.approx(1 / (v**4).sum())
        layer, neuron, part = direction.neurons[0]
        at = np.concatenate([NET.block(layer=layer, part=p, neurons=[neuron]) for p in ("incoming", "outgoing")])
        assert part == pytest.approx((v[at] ** 2).sum())


def test_neurons_that_the_function_does_not_need() -> None:
    net = ho.MLP([2, 6, 1], [["relu"] * 6])
    w = np.array([[1.0, 2.0], [2.0, 4.0], [0.5, -1.0], [0.0, 0.0], [1.0, 1.0], [1.0, -1.0]])
    b = np.array([0.1, 0.2, 0.3, 0.5, -50.0, 50.0])
    theta = net.flatten([(w, b), ([[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]], [0.0])])
    found = ho.inspect(ho.Objective(net, X, net(theta, X)), theta)
    kinds = {(note.kind, note.neurons) for note in found.neurons}
    assert {("duplicate", (0, 1)), ("dead", (2,)), ("constant", (3,)), ("off", (4,)), ("linear", (5,))} <= kinds
    assert len(found.canonical.net.activations[0]) < 6
    assert np.abs(found.canonical.net(found.canonical.theta, X) - net(theta, X)).max() < 1e-10


def test_the_best_of_the_class_or_why_there_is_none() -> None:
    obj, theta = minimum()
    found = ho.inspect(obj, theta)
    wide = found.best["all widenings to twice the width, gauss_newton"]
    assert isinstance(wide, ho.BestConditioned)
    assert wide.value == ho.best_conditioned(obj, theta, widths=[4], matrix="gauss_newton").value
    decayed, at = minimum(l2=1e-3)
    assert all(isinstance(each, str) for each in ho.inspect(decayed, at).best.values())


def test_widenings_of_several_outputs_are_searched() -> None:
    net, rng = ho.MLP([3, 4, 2]), np.random.default_rng(0)
    x, theta = rng.standard_normal((200, 3)), net.init(rng, "normal(1)")
    obj = ho.Objective(net, x, net(theta, x) + 0.05 * rng.standard_normal((200, 2)))
    at = ho.minimize(obj, theta, method="newton").x
    found = ho.inspect(obj, at).best
    best = found["all widenings to twice the width, gauss_newton"]
    assert isinstance(best, ho.BestConditioned)
    assert best.lower_bound <= best.value < best.start
    wide = ho.Objective(best.net, x, obj.y)
    values = np.linalg.eigvalsh(wide.gauss_newton(best.theta))[::-1]
    assert best.value == pytest.approx(values[0] / values[net.num_parameters - 1], rel=1e-4)
    assert np.abs(best.net(best.theta, x) - net(at, x)).max() < 1e-10
    assert "copies whose outgoing vectors are not parallel" in best.scope
    # With several outputs no neuron of a minimum with a residual has copies that leave it one.
    assert "without making a saddle" in str(found["all widenings to twice the width, hessian"])


@pytest.mark.parametrize(
    ("net", "options", "scale"),
    [
        (ho.MLP([1, 1], bias=False), {}, 1.0),
        (ho.MLP([2, 3]), {"loss": "cross_entropy"}, 1.0),
        (ho.MLP([2, 3, 2], "relu"), {"loss": "logistic", "l2": 0.1}, 0.0),
        (ho.MLP([2, 4, 1], [["tanh", "relu", "erf", "cos"]], parametrization="ntk"), {"loss": "poisson"}, 1.0),
        (NET, {}, 1e160),
        (NET, {}, 1e-160),
    ],
)
def test_whatever_the_network(net: ho.MLP, options: dict[str, Any], scale: float, tmp_path: Path) -> None:
    x = X[:, : net.widths[0]]
    y = np.arange(40) % 3 if options.get("loss") == "cross_entropy" else (x[:, :1] > 0) * np.ones(net.widths[-1])
    found = ho.inspect(ho.Objective(net, x, y, **options), scale * net.init(np.random.default_rng(0)))
    found.report(tmp_path / "page.html")
    json.dumps(found.as_dict(), allow_nan=False)
    assert repr(found).startswith("Inspection of Objective")


def test_slices_hold_the_loss(found: ho.Inspection) -> None:
    obj, theta = minimum(l2=1e-3)
    line, _, plane = found.slices
    assert line.losses[0] == pytest.approx(obj.loss(theta + line.steps[0][0] * line.directions[:, 0]), rel=1e-12)
    move = plane.directions @ [plane.steps[0][3], plane.steps[1][5]]
    assert plane.losses[3, 5] == pytest.approx(obj.loss(theta + move), rel=1e-12)


def test_populations_are_inspected() -> None:
    net = ho.MLP([2, 2, 1], "erf")
    theta = net.init(np.random.default_rng(0))
    found = ho.inspect(ho.PopulationObjective(net, net, theta), theta)
    assert found.loss == 0
    assert found.point.kind == "minimum"


@pytest.mark.parametrize(
    ("obj", "theta", "error", "message"),
    [
        (NET, THETA, TypeError, "obj must be an Objective or a PopulationObjective, of all parameters; got an MLP"),
        (ho.Objective(NET, X, X[:, 0]).restricted(THETA, [0, 1]), THETA[:2], TypeError, "of all parameters"),
        (ho.Objective(NET, X, X[:, 0]), THETA[:2], ValueError, "theta must have shape"),
        (ho.Objective(NET, X, X[:, 0]), THETA.astype(np.longdouble), TypeError, "theta must be float64"),
        (
            ho.Objective(ho.MLP([2, 1200, 1]), X, X[:, 0]),
            np.zeros(4801),
            ValueError,
            "up to 4000 parameters; the network",
        ),
    ],
)
def test_refusals(obj: Any, theta: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ho.inspect(obj, theta)


class Page(HTMLParser):
    """What is in a page: ids, text, and everything that would be fetched from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.fetched = re.findall(r"""(?:src|href)=["'](?!#)[^"']*""", text)
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids |= {value for name, value in attrs if name == "id" and value}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_report(found: ho.Inspection, tmp_path: Path) -> None:
    found.report(tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text("utf-8"))
    assert {"spectra", "conditions", "blocks", "directions", "best", "canonical", "certificate", "slice-2"} <= page.ids
    assert not [each for each in page.fetched if "http" in each]
    assert "proven: exactly one critical point" in page.text
    assert f"{found.loss:.4g}" in page.text
    for _, kappa in found.condition_numbers:
        assert kappa.convention in page.text
    for name, best in found.best.items():
        assert str(best) in page.text, name
    assert "nan" not in page.text.lower().replace("nano", "")


def test_reports_escape(tmp_path: Path) -> None:
    found = ho.inspect(ho.Objective(NET, X, X[:, 0]), THETA)
    object.__setattr__(found, "objective", "<script>alert(1)</script>")
    found.report(tmp_path / "page.html")
    assert "<script>" not in (tmp_path / "page.html").read_text("utf-8")
    assert "<script>" not in found._repr_html_()
    assert found._repr_html_().startswith("<table>")


def test_as_dict_is_json(found: ho.Inspection) -> None:
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["hessian"]["eigenvalues"] == found.hessian.eigenvalues.tolist()
    assert plain["theta"] == found.theta.tolist()
    assert plain["point"]["kind"] == "minimum"
    assert plain["certificate"]["inertia"] == [0, 0, 7]
    assert len(plain["blocks"]) == len(found.blocks)


def hessorbit(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "120"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ho.save("net.npz", NET, THETA)
    np.savez("data.npz", x=X, y=np.sin(X[:, 0]), sample_weight=np.arange(1.0, 41.0), labels=(X[:, 0] > 0).astype(int))
    table = pd.DataFrame({"a": X[:, 0], "target": np.sin(X[:, 0]), "b": X[:, 1], "w": np.arange(1.0, 41.0)})
    table.to_csv("data.csv", index=False)
    table.to_parquet("data.parquet")
    return tmp_path


def test_a_missing_library_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    result = hessorbit("inspect", "net.npz", "--data", "data.csv", "--target", "target", "--weight", "w", "--certify")
    assert result.exit_code == 2
    assert result.stderr.startswith("hessorbit: ")
    assert result.stderr.endswith('pip install "hessorbit[certify]"\n')
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "data", [["data.npz"], ["data.csv", "--target", "target", "--weight", "w"],
             ["data.parquet", "--target", "target", "--weight", "w"]], ids=lambda data: data[0],
)  # fmt: skip
def test_command(folder: Path, data: list[str]) -> None:
    result = hessorbit("inspect", "net.npz", "--data", *data, "--json", "numbers.json", "--report", "page.html")
    assert result.exit_code == 0, result.output
    assert "The page is in page.html." in result.output
    assert "Inspection of Objective(MLP([2, 3, 1], 'tanh')" in result.output
    obj = ho.Objective(NET, X, np.sin(X[:, 0]), sample_weight=np.arange(1.0, 41.0))
    numbers = json.loads(folder.joinpath("numbers.json").read_text("utf-8"))
    assert numbers["loss"] == pytest.approx(obj.loss(THETA), rel=1e-14)
    assert numbers["hessian"]["eigenvalues"] == pytest.approx(np.linalg.eigvalsh(obj.hessian(THETA)).tolist(), abs=1e-9)
    assert {"spectra", "blocks"} <= Page(folder.joinpath("page.html").read_text("utf-8")).ids


def test_command_takes_labels_for_classes(folder: Path) -> None:
    net = ho.MLP([2, 3, 2])
    ho.save("net.npz", net, net.init(np.random.default_rng(0)))
    result = hessorbit("inspect", "net.npz", "--data", "data.npz", "--target", "labels")
    assert "loss='cross_entropy'" in result.output
    assert result.exit_code == 0
    result = hessorbit("inspect", "net.npz", "--data", "data.npz", "--target", "labels", "--loss", "squared_error")
    assert "y must have shape (40, 2)" in result.output


@pytest.fixture
def classes(folder: Path) -> pd.DataFrame:
    """A table whose classes are words, beside a network of three outputs."""
    net = ho.MLP([2, 3, 3])
    ho.save("three.npz", net, net.init(np.random.default_rng(0)))
    order = (X[:, 0] > -0.4).astype(int) + (X[:, 0] > 0.4)
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "word": np.array(["low", "mid", "high"])[order]})
    table["number"], table["float"] = order + 1, order.astype(float)
    for name in ("word", "number", "float"):
        table[["a", "b", name]].to_csv(f"{name}.csv", index=False)
    return table


def test_command_takes_classes_of_any_name(classes: pd.DataFrame) -> None:
    net, theta = ho.load("three.npz")

    def loss(name: str, order: list[str] | None = None) -> float:
        return float(objective_of(net, read_data(Path(f"{name}.csv"), [name], None), None, 0.0, order).loss(theta))

    labels = classes["float"].to_numpy().astype(int)
    expected = ho.Objective(net, X, labels, loss="cross_entropy").loss(theta)
    assert loss("word", ["low", "mid", "high"]) == loss("number", ["1", "2", "3"]) == loss("float") == expected
    turned = ho.Objective(net, X, 2 - labels, loss="cross_entropy").loss(theta)
    assert loss("word", ["high", "mid", "low"]) == turned
    result = hessorbit("inspect", "three.npz", "--data", "word.csv", "--target", "word", "--classes", "high, mid,low")
    assert result.exit_code == 0
    assert f"loss      {turned:.6g}" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["word.csv"], "are words, high, low, mid: give --classes, with all of them in the order of the network's"),
        (["word.csv", "--classes", "low,mid"], "--classes must name 3 classes for 3 outputs; got low, mid"),
        (["word.csv", "--classes", "low,low,mid"], "--classes must not name a class twice; got low, low, mid"),
        (["word.csv", "--classes", "low,mid,hihg"], "and the classes are low, mid, hihg; did you mean 'hihg'?"),
        (["number.csv"], "y must hold labels from 0 to 2"),
    ],
)
def test_command_says_which_class_is_not_known(classes: pd.DataFrame, arguments: list[str], message: str) -> None:
    target = arguments[0].partition(".")[0]
    result = hessorbit("inspect", "three.npz", "--data", *arguments, "--target", target)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("order", [["False", "True"], ["True", "False"], [False, True]])
def test_classes_that_are_truth_values(order: list[Any]) -> None:
    """As a table has them, whatever name the command line gives them."""
    places = [str(each) == str(order[1]) for each in (True, False, True)]
    assert (labels_of(np.array([True, False, True]), order, 1) == places).all()
    assert (labels_of(np.array([True, False, True], object), order, 2) == places).all()


def broken() -> None:
    """Files that are not what they should be."""
    Path("empty.csv").touch()
    Path("empty.npz").touch()
    Path("header.csv").write_text("a,b,target\n")
    Path("semicolons.csv").write_text("a;b;target\n1;2;3\n")
    Path("gap.csv").write_text("a,b,target\n1,2,3\n1,,3\n,,3\n")
    Path("no_target.csv").write_text("a,b,target\n1,2,3\n1,2,\n")
    Path("infinite.csv").write_text("a,b,target\n1,inf,3\n")
    Path("words.csv").write_text("a,b,target\n1,2,3\n1,red,3\n")
    Path("more.csv").write_text("a,b,c,target\n1,2,3,4\n")
    Path("torn.parquet").write_bytes(Path("data.parquet").read_bytes()[:200])
    Path("torn.npz").write_bytes(Path("net.npz").read_bytes()[:200])
    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_parquet("two.parquet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.npz", "empty.csv"], "--data 'empty.csv' is empty"),
        (["empty.npz", "data.csv"], "MODEL 'empty.npz' is empty"),
        (["torn.npz", "data.csv"], "torn.npz is damaged or not a file written by hessorbit.save"),
        (["net.npz", "header.csv"], "--data 'header.csv' has no rows, but names of columns: a, b, target"),
        (["net.npz", "semicolons.csv"], "it has a;b;target: columns must have commas between them"),
        (["net.npz", "gap.csv"], "column 'a' of 'gap.csv' has no value in row 2 (counted from 0): fill it, or drop"),
        (["net.npz", "no_target.csv"], "column 'target' of 'no_target.csv' has no value in row 1"),
        (["net.npz", "infinite.csv"], "column 'b' of 'infinite.csv' must hold finite numbers; row 0"),
        (["net.npz", "words.csv"], "column 'b' of 'words.csv' holds words, such as 'red': encode it as numbers"),
        (["net.npz", "more.csv"], "the network has 2 inputs, and the data have 3 columns besides targets and weights"),
        (["net.npz", "torn.parquet"], "--data 'torn.parquet' cannot be read"),
        (["net.npz", "two.parquet"], "'two.parquet' has no column 'target'; it has a, b"),
    ],
)
def test_command_says_what_is_wrong_with_a_file(folder: Path, arguments: list[str], message: str) -> None:
    broken()
    model, data = arguments
    result = hessorbit("inspect", model, "--data", data, "--target", "target")
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.splitlines()) == 1
    assert not folder.joinpath("inspection.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.pkl", "--data", "data.npz"], "is a pickle, which may run any code"),
        (["net.joblib", "--data", "data.npz"], "is a pickle"),
        (["net.h5", "--data", "data.npz"], "MODEL 'net.h5' must end in .npz, .pt"),
        (["none.npz", "--data", "data.npz"], "there is no such file"),
        (["data.npz", "--data", "data.npz"], "not a file written by hessorbit.save"),
        (["net.npz", "--data", "data.txt"], "--data 'data.txt' must end in .npz or .csv or .parquet"),
        (["net.npz", "--data", "net.npz"], "must hold an array 'x'; it holds format, network, theta"),
        (["net.npz", "--data", "data.csv"], "--target must name the column of targets; 'data.csv' has a, target, b, w"),
        (["net.npz", "--data", "data.csv", "--target", "targt"], "no column 'targt'; it has a, target, b, w; did you"),
        (["net.npz", "--data", "data.csv", "--target", "target"], "has 2 inputs, and the data have 3 columns"),
        (["net.npz", "--data", "data.npz", "--loss", "mse"], "did you mean 'squared_error'"),
        (["net.npz", "--data", "data.npz", "--activation", "tanh"], "--activation is for state dicts"),
        (["net.npz", "--data", "data.npz", "--report", "page.pdf"], "--report 'page.pdf' must end in .html"),
        (["net.npz", "--data", "data.npz", "--json", "nowhere/n.json"], "no folder"),
    ],
)  # fmt: skip
def test_command_says_what_is_wrong_in_a_line(folder: Path, arguments: list[str], message: str) -> None:
    result = hessorbit("inspect", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.startswith("hessorbit: ")
    assert "Traceback" not in result.output
    assert not folder.joinpath("inspection.html").exists()


def test_commands_complete() -> None:
    asked = {"_HESSORBIT_COMPLETE": "complete_bash", "COMP_WORDS": "hessorbit insp", "COMP_CWORD": "1"}
    run = [sys.executable, "-c", "import sys; sys.argv = ['hessorbit']; from hessorbit.cli import main; main()"]
    output = subprocess.run(run, env={**os.environ, **asked}, capture_output=True, text=True).stdout
    assert output.split() == ["inspect"]
