"""Networks from scikit-learn, and what its losses are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from scipy.special import expit, softmax, xlogy
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

import hessorbit as ho
from hessorbit.cli.app import app
from hessorbit.cli.data import Data
from hessorbit.cli.inspect import objective_of
from hessorbit.cli.models import read_model
from hessorbit.interop import from_sklearn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
TARGETS = {
    "one output": (MLPRegressor, X[:, 0] ** 2),
    "two outputs": (MLPRegressor, X[:, :2] ** 2),
    "two classes": (MLPClassifier, (X[:, 0] > 0).astype(int)),
    "three classes": (MLPClassifier, np.digitize(X[:, 0], [-0.5, 0.5])),
    "named classes": (MLPClassifier, np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]),
    "two labels": (MLPClassifier, (X[:, :2] > 0).astype(int)),
}


def fitted(kind: str, activation: str = "tanh", **options: Any) -> tuple[Any, np.ndarray]:
    estimator, y = TARGETS[kind]
    options = {"solver": "lbfgs", "max_iter": 10, "random_state": 0, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        return estimator(hidden_layer_sizes=(4, 5), activation=activation, **options).fit(X, y), y


@pytest.mark.parametrize(
    ("kind", "activation"),
    [*((kind, "tanh") for kind in TARGETS), *(("two outputs", name) for name in ("identity", "logistic", "relu"))],
)
def test_outputs(kind: str, activation: str) -> None:
    estimator, _ = fitted(kind, activation)
    net, theta = from_sklearn(estimator)
    ours = {"logistic": "sigmoid"}.get(activation, activation)
    outputs = 3 if "classes" in kind and "two" not in kind else 2 if kind in ("two outputs", "two labels") else 1
    assert net == ho.MLP([3, 4, 5, outputs], ours)
    f = net(theta, X)
    if isinstance(estimator, MLPRegressor):
        assert np.abs(f - estimator.predict(X).reshape(f.shape)).max() < 1e-12 * (1 + np.abs(f).max())
    else:
        labels = outputs == 1 or kind == "two labels"
        expected = expit(f) if labels else softmax(f, axis=1)
        found = estimator.predict_proba(X)
        assert np.abs(expected - (found[:, 1:] if kind == "two classes" else found)).max() < 1e-12


def counts(outputs: int = 1, **options: Any) -> tuple[Any, np.ndarray]:
    """A regressor of counts, fitted."""
    y = np.random.default_rng(1).poisson(np.exp(X[:, :outputs])).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"hidden_layer_sizes": 4, "activation": "tanh", "solver": "lbfgs", "max_iter": 20, **options}
        estimator = MLPRegressor(loss="poisson", random_state=0, **options)
        return estimator.fit(X, y if outputs > 1 else y[:, 0]), y


@pytest.mark.parametrize("outputs", [1, 2])
def test_regressors_of_counts_have_logarithms_of_rates(outputs: int) -> None:
    estimator, y = counts(outputs, alpha=0.0)
    net, theta = from_sklearn(estimator)
    assert net == ho.MLP([3, 4, outputs])
    rates = estimator.predict(X).reshape(len(X), outputs)
    assert np.abs(np.exp(net(theta, X)) / rates - 1).max() < 1e-12
    alone = (xlogy(y, y) - y).sum(axis=1).mean()  # what scikit-learn's loss has besides, in y alone
    assert np.isclose(ho.Objective(net, X, y, loss="poisson").loss(theta), estimator.loss_ - alone, rtol=1e-12)


def test_rates_that_overflow_single_precision() -> None:
    estimator, _ = counts()
    estimator.coefs_ = [(8 * each).astype(np.float32) for each in estimator.coefs_]
    estimator.intercepts_ = [each.astype(np.float32) for each in estimator.intercepts_]
    estimator.coefs_[1] *= np.float32(200 / np.abs(estimator.coefs_[1]).sum())
    net, theta = from_sklearn(estimator)
    f = net(theta, 4 * X)
    assert f.max() > 90 > f.min()
    estimator.intercepts_[1] += np.float32(0.1)
    estimator.predict = counts()[0].predict
    with pytest.raises(ValueError, match="does not compute"):
        from_sklearn(estimator)


def test_files_tell_the_loss_of_counts(tmp_path: Path) -> None:
    estimator, y = counts()
    skops.io.dump(estimator, tmp_path / "net.skops")
    np.savez(tmp_path / "data.npz", x=X, y=y[:, 0])
    call = ["inspect", str(tmp_path / "net.skops"), "--data", str(tmp_path / "data.npz"), "--report",
            str(tmp_path / "page.html")]  # fmt: skip
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert "poisson" in (tmp_path / "page.html").read_text("utf-8")


def test_single_precision() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0).fit(
            X.astype(np.float32), X[:, 0]
        )
    assert estimator.coefs_[0].dtype == np.float32
    _, theta = from_sklearn(estimator)
    assert (theta[:12].reshape(4, 3) == estimator.coefs_[0].T).all()


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (MLPRegressor(), ValueError, "must be fitted; this MLPRegressor is not"),
        (
            make_pipeline(StandardScaler(), MLPRegressor()),
            TypeError,
            r"got a Pipeline: pass its last step.*estimator\[:-1\]",
        ),
        (Ridge(), TypeError, "got a Ridge"),
        ("net.pkl", TypeError, "got a str"),
    ],
)
def test_refusals(estimator: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        from_sklearn(estimator)


def test_changed_weights_show() -> None:
    estimator, _ = fitted("one output")
    estimator.predict = lambda x: 2 * x[:, 0]
    with pytest.raises(ValueError, match="the MLPRegressor does not compute"):
        from_sklearn(estimator)


def decay(estimator: Any) -> float:
    """Their weight decay: of weights alone, over the number of samples."""
    return estimator.alpha / (2 * len(X)) * sum(float((w**2).sum()) for w in estimator.coefs_)


LOSSES = {"two classes": "logistic", "three classes": "cross_entropy", "two labels": "logistic"}


# What docs/interop.md says: the loss that lbfgs reports, against ours without weight decay.
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["one output", "two outputs", *LOSSES])
def test_conventions_of_losses(kind: str, alpha: float) -> None:
    estimator, y = fitted(kind, alpha=alpha)
    net, theta = from_sklearn(estimator)
    ours = ho.Objective(net, X, y, loss=LOSSES.get(kind, "squared_error")).loss(theta)
    mean_over = 2 if kind == "two outputs" else 1
    assert estimator.loss_ == pytest.approx(ours / mean_over + decay(estimator), rel=1e-12)


@pytest.mark.parametrize("kind", ["one output", "two outputs"])
def test_the_gradient_that_lbfgs_follows_is_of_the_sum_over_outputs(kind: str) -> None:
    estimator, y = fitted(kind, alpha=0.1)
    net, theta = from_sklearn(estimator)
    layers = list(zip([w.copy() for w in estimator.coefs_], [b.copy() for b in estimator.intercepts_], strict=True))
    rows = y.reshape(len(y), -1)
    activations = [X] + [None] * len(layers)
    deltas = [None] * len(layers)
    weights, biases = [np.zeros_like(w) for w, _ in layers], [np.zeros_like(b) for _, b in layers]
    estimator._backprop(X, rows, None, activations, deltas, weights, biases)
    followed = net.flatten([(w.T, b) for w, b in zip(weights, biases, strict=True)])
    # Weights alone decay, by alpha/n.
    decayed = net.flatten([(estimator.alpha / len(X) * w.T, np.zeros(len(b))) for w, b in layers])
    gradient = ho.Objective(net, X, rows).gradient(theta) + decayed
    assert np.abs(followed - gradient).max() < 1e-12 * np.abs(gradient).max() + 1e-14


class Own(MLPRegressor):
    """A class that skops does not know."""


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    estimator, y = fitted("three classes")
    np.savez("data.npz", x=X, y=y)
    skops.io.dump(estimator, "net.skops")
    result = CliRunner().invoke(app, ["inspect", "net.skops", "--data", "data.npz"])
    assert result.exit_code == 0, result.output
    assert "MLP([3, 4, 5, 3], 'tanh'), 60 samples, loss='cross_entropy'" in result.output


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_files_with_the_state_of_a_solver(solver: str, tmp_path: Path) -> None:
    estimator, _ = fitted("two outputs", solver=solver)
    skops.io.dump(estimator, tmp_path / "net.skops")
    net, theta, *_ = read_model(tmp_path / "net.skops", activation=None, output_activation=None, logits=False)
    assert net == ho.MLP([3, 4, 5, 2])
    assert (theta == from_sklearn(estimator)[1]).all()


@pytest.mark.parametrize(("words", "loss"), [(["no", "yes"], "logistic"), (["b", "c", "a"], "cross_entropy")])
def test_classifiers_know_their_classes(words: list[str], loss: str, tmp_path: Path) -> None:
    estimator, y = fitted("two classes" if len(words) == 2 else "three classes")
    named = np.array(words)[y]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        estimator.fit(X, named)
    skops.io.dump(estimator, tmp_path / "net.skops")
    model = read_model(tmp_path / "net.skops", activation=None, output_activation=None, logits=False)
    assert model.classes == sorted(words)
    obj = objective_of(model.net, Data(X, named), None, 0.0, model.classes)
    assert obj.loss_name == loss
    chances = estimator.predict_proba(X)[np.arange(60), np.searchsorted(estimator.classes_, named)]
    assert obj.loss(model.theta) == pytest.approx(-np.log(chances).mean(), rel=1e-10)


def test_files_that_skops_does_not_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    estimator, y = fitted("one output")
    np.savez("data.npz", x=X, y=y)
    skops.io.dump(Own(**estimator.get_params()), "net.skops")
    result = CliRunner().invoke(app, ["inspect", "net.skops", "--data", "data.npz"], env={"COLUMNS": "120"})
    assert result.exit_code == 2
    assert "'net.skops' holds types that skops does not trust" in result.output
    assert "Own" in result.output


class Clamped(MLPRegressor):
    def predict(self, x: Any) -> Any:
        return np.clip(super().predict(x), -1e6, 1e6)


def test_what_random_inputs_do_not_reach() -> None:
    estimator = Clamped(hidden_layer_sizes=3, solver="lbfgs", max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="this Clamped has a predict of its own"):
        from_sklearn(estimator)
