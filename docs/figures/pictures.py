"""Draws the picture of docs/plot.md: ``python docs/figures/pictures.py``, beside this file. Takes a few seconds."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho


def main() -> None:
    net = ho.MLP([2, 3, 1], "relu")
    x = np.random.default_rng(0).standard_normal((60, 2))
    teacher = net.init(np.random.default_rng(7), "normal(1)")
    obj = ho.Objective(net, x, net(teacher, x))
    result = ho.minimize(obj, teacher + 0.3 * np.random.default_rng(1).standard_normal(net.num_parameters))
    theta = result.x
    figure, axes = plt.subplots(2, 3, figsize=(13.5, 7.4), layout="constrained")
    ho.plot.history(result, axes[0, 0])
    ho.plot.spectrum(ho.spectrum(obj, theta), axes[0, 1])
    ho.plot.orbit(obj, theta, 0, axes[0, 2])
    ho.plot.landscape(obj, theta, axes[1, 0])
    ho.plot.landscape(obj, theta, axes[1, 1], eigenvectors=(0, 4))
    ho.plot.landscape(obj, theta, axes[1, 2], to=ho.symmetries(net).permutation(layer=1, order=[1, 0, 2])(theta))
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
