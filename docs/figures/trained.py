"""Draws the pictures of docs/trained.md and prints its numbers: ``python docs/figures/trained.py``, beside this file.

The data are those that scikit-learn ships, which the extra `docs` installs. Takes about a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

# The colours of Okabe and Ito, which people with colour-blindness can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
STEPS = 2000  # of Adam, and of gradient descent afterwards


@dataclass(frozen=True)
class Trained:
    """A network after STEPS steps of Adam."""

    name: str
    obj: ho.Objective
    theta: np.ndarray


def standardised(columns: np.ndarray) -> np.ndarray:
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def trained(name: str, x: np.ndarray, y: np.ndarray, hidden: int, loss: str) -> Trained:
    outputs = len(np.unique(y)) if loss == "cross_entropy" else 1
    net = ho.MLP([x.shape[1], hidden, outputs])
    obj = ho.Objective(net, standardised(x), y, loss=loss)
    start = net.init(np.random.default_rng(0))
    return Trained(name, obj, ho.minimize(obj, start, method="adam", learning_rate=0.01, max_steps=STEPS).x)


def examples() -> list[Trained]:
    from sklearn import datasets  # only who draws these pictures needs it

    diabetes, cancer, iris = datasets.load_diabetes(), datasets.load_breast_cancer(), datasets.load_iris()
    return [
        trained("diabetes", diabetes.data, standardised(diabetes.target), 3, "squared_error"),
        trained("breast cancer", cancer.data[:, :10], cancer.target, 3, "logistic"),
        trained("iris", iris.data, iris.target, 3, "cross_entropy"),
    ]


def on(obj: ho.Objective, net: ho.MLP) -> ho.Objective:
    """The same data for another network."""
    return ho.Objective(net, obj.x, obj.y, loss=obj.loss_name)


def nonzero(obj: ho.Objective, theta: np.ndarray, rank: int) -> np.ndarray:
    """The largest eigenvalues of the Gauss–Newton matrix, descending."""
    return ho.spectrum(obj, theta, matrix="gauss_newton", method="jacobian").eigenvalues[::-1][:rank]


def predicted(obj: ho.Objective, theta: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, float]:
    """Losses of gradient descent on the Gauss–Newton model of the loss, at a rate of 1/λ_max, which is returned too.

    L_t = L_0 − ½ Σ_i (g_i²/λ_i) (1 − (1 − ηλ_i)^{2t}), g_i being the gradient along eigenvector i.
    """
    sp = ho.spectrum(obj, theta, matrix="gauss_newton", vectors=True)
    values, along = sp.eigenvalues, sp.vectors.T @ obj.gradient(theta)
    kept = values > sp.floor
    rate = 1 / values[-1]
    left = 1 - (1 - rate * values[kept, None]) ** (2 * steps)
    return obj.loss(theta) - 0.5 * (along[kept] ** 2 / values[kept]) @ left, rate


def measured(obj: ho.Objective, theta: np.ndarray, rate: float) -> np.ndarray:
    losses = [obj.loss(theta)]
    for _ in range(STEPS):
        theta = theta - rate * obj.gradient(theta)
        losses.append(obj.loss(theta))
    return np.array(losses)


def draw_widths(ones: list[Trained]) -> plt.Figure:
    """The best condition number at each width, as a fraction of the trained network's."""
    figure, axes = plt.subplots(figsize=(5.6, 3.6))
    for one, colour in zip(ones, (BLUE, ORANGE, GREEN), strict=True):
        hidden = one.obj.net.widths[1]
        widths = range(hidden, 4 * hidden + 1)
        found = [ho.best_conditioned(one.obj, one.theta, widths=[m], matrix="gauss_newton") for m in widths]
        axes.plot(widths, [best.value / found[0].start for best in found], "o-", color=colour, label=one.name)
        report(one, found[hidden], found[-1])
    axes.set(title="Best condition number over the trained one's", xlabel="hidden neurons", yscale="log")
    axes.set_xticks(range(3, 13))
    axes.legend(fontsize=9)
    return figure


def report(one: Trained, double: ho.BestConditioned, widest: ho.BestConditioned) -> None:
    obj, hidden = one.obj, one.obj.net.widths[1]
    print(f"{one.name}: N = {obj.num_samples}, P = {obj.net.num_parameters}, loss {obj.loss(one.theta):.4f}, ", end="")
    print(ho.classify(obj, one.theta).kind)
    equal = ho.grow(obj, one.theta, [2 * hidden], split="equal")
    values = nonzero(on(obj, equal.net), equal.theta, double.rank)
    print(f"  kappa {double.start:.4g}, split equally {values[0] / values[-1]:.4g}")
    for best in (double, widest):
        print(f"  best of width {best.net.widths[1]}: {best.value:.4g}, bound {best.lower_bound:.4g}, {best.copies[0]}")


def draw_descent(one: Trained) -> plt.Figure:
    """Spectra of three representatives of one function, and gradient descent from each."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
    hidden = one.obj.net.widths[1]
    equal = ho.grow(one.obj, one.theta, [2 * hidden], split="equal")
    best = ho.grow(one.obj, one.theta, [2 * hidden], split="best")
    rank = best.best.rank
    times = np.arange(STEPS + 1)
    cases = [("trained", one.obj.net, one.theta, GREY), ("split equally", *equal, ORANGE), ("best split", *best, GREEN)]
    for label, net, theta, colour in cases:
        obj = on(one.obj, net)
        left.plot(np.arange(1, rank + 1), nonzero(obj, theta, rank), ".-", color=colour, label=label, linewidth=1)
        expected, rate = predicted(obj, theta, times)
        losses = measured(obj, theta, rate)
        right.plot(times, losses, color=colour, label=label)
        right.plot(times, expected, color=colour, linestyle=":", linewidth=1.4)
        gain, model = losses[0] - losses, expected[0] - expected
        print(f"   {label:14} rate {rate:.3f}; fall of the loss after 100 and {STEPS} steps: measured "
              f"{gain[100]:.3g}, {gain[-1]:.3g}, predicted {model[100]:.3g}, {model[-1]:.3g}")  # fmt: skip
    left.set(title="Gauss–Newton eigenvalues that are not zero", xlabel="eigenvalue, from the largest", yscale="log")
    right.set(title="Gradient descent from each", xlabel="step, at a rate of 1/λ_max", ylabel="loss")
    left.legend(fontsize=9)
    shares, curvatures = best.widening.layers[0], one.obj.gauss_newton(one.theta).diagonal()
    for neuron in range(hidden):
        sides = (one.obj.net.block(layer=1, part=part, neurons=[neuron]) for part in ("incoming", "outgoing"))
        print(f"   neuron {neuron}: curvature", *(f"{curvatures[side].sum():.3f}" for side in sides))
    print(
        "   share of the outgoing weights of neuron",
        *zip(shares.source.tolist(), shares.outgoing.round(1).tolist(), strict=True),
    )
    return figure


def main() -> None:
    plt.style.use(Path(__file__).with_name("pages.mplstyle"))
    here = Path(__file__).parent
    ones = examples()
    for name, figure in [("trained_widths", draw_widths(ones)), ("trained_descent", draw_descent(ones[0]))]:
        figure.tight_layout()
        figure.savefig(here / f"{name}.png", dpi=160)


if __name__ == "__main__":
    main()
