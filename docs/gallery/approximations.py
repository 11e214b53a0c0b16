"""Prints the numbers of docs/gallery/approximations.md and draws its picture.

``python docs/gallery/approximations.py`` takes about half a minute. Besides the extra `docs` it needs torch and
curvlinops: ``pip install torch curvlinops-for-pytorch``.

A classifier of scikit-learn's digits, 64-16-10 with tanh neurons, P = 1210; the exact matrices are hessorbit's, the
approximations those of curvlinops, all in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

WIDTHS = [64, 16, 10]
STEPS = 300  # of Adam
SEEDS = 20  # of each estimator that draws random vectors
PRODUCTS = (3, 30, 300)  # with the matrix, that an estimator may take


def problem() -> tuple[ho.Objective, np.ndarray, np.ndarray]:
    """The cross-entropy of the digits, and θ before and after training."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    obj = ho.Objective(ho.MLP(WIDTHS), images / 16, labels, loss="cross_entropy")
    start = obj.net.init(np.random.default_rng(0))
    trained = ho.minimize(obj, start, method="adam", learning_rate=1e-2, max_steps=STEPS).x
    return obj, start, trained


def operators(obj: ho.Objective, theta: np.ndarray) -> dict[str, Any]:
    """curvlinops' linear operators of the same network, data and loss, by name.

    ``CrossEntropyLoss`` is a mean over the samples, as our loss is, so that no factor is needed. (Of ``MSELoss``, a
    mean over samples and outputs without the ½, Hessian and Gauss–Newton matrix are 2/K times ours, and the
    empirical Fisher matrix 4/K times.)
    """
    import curvlinops as cl
    import torch

    module = ho.interop.to_torch(obj.net, theta).double()
    data = [(torch.tensor(obj.x), torch.tensor(obj.y))]
    loss, parameters = torch.nn.CrossEntropyLoss(), list(module.parameters())

    def made(kind: Any, **options: Any) -> Any:
        return kind(module, loss, parameters, data, check_deterministic=False, **options)

    kronecker = {"separate_weight_and_bias": False}
    return {
        "Hessian": made(cl.HessianLinearOperator),
        "Gauss–Newton": made(cl.GGNLinearOperator),
        "empirical Fisher": made(cl.EFLinearOperator),
        "KFAC, exact loss": made(cl.KFACLinearOperator, fisher_type=cl.FisherType.TYPE2, **kronecker),
        "KFAC, one sampled label": made(cl.KFACLinearOperator, fisher_type=cl.FisherType.MC, **kronecker),
        "KFAC, empirical": made(cl.KFACLinearOperator, fisher_type=cl.FisherType.EMPIRICAL, **kronecker),
        "EKFAC, exact loss": made(cl.EKFACLinearOperator, fisher_type=cl.FisherType.TYPE2, **kronecker),
    }


def dense(operator: Any) -> np.ndarray:
    """The matrix of an operator of curvlinops."""
    import torch

    return (operator @ torch.eye(operator.shape[1], dtype=torch.float64)).numpy()


def approximations(obj: ho.Objective, theta: np.ndarray, made: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Matrices that stand for the Gauss–Newton matrix, by name."""
    for by in ("layer", "neuron"):
        yield f"its blocks by {by}", ho.block_diagonal(obj, theta, by=by, matrix="gauss_newton").dense()
    yield "its diagonal", np.diag(np.diag(obj.gauss_newton(theta)))
    for name, operator in made.items():
        if "KFAC" in name:
            yield name, dense(operator)
    yield "empirical Fisher", obj.empirical_fisher(theta)


def errors(net: ho.MLP, exact: np.ndarray, other: np.ndarray) -> list[float]:
    """Relative errors: of the blocks of both layers and of the whole, by Frobenius norm; of the trace; of λ_max."""

    def apart(at: np.ndarray) -> float:
        block = np.ix_(at, at)
        return float(np.linalg.norm(other[block] - exact[block]) / np.linalg.norm(exact[block]))

    layers = [apart(net.block(layer=layer, part="incoming")) for layer in (1, 2)]
    traces, tops = ([float(of(matrix)) for matrix in (exact, other)] for of in (np.trace, largest))
    return [*layers, apart(np.arange(len(exact))), traces[1] / traces[0] - 1, tops[1] / tops[0] - 1]


def largest(matrix: np.ndarray) -> float:
    return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])


def table(obj: ho.Objective, theta: np.ndarray, made: dict[str, Any]) -> None:
    """Prints how far each approximation is from the exact matrix."""
    hessian, gauss_newton = obj.hessian(theta), obj.gauss_newton(theta)
    exact = {"Hessian": hessian, "Gauss–Newton": gauss_newton, "empirical Fisher": obj.empirical_fisher(theta)}
    for name, matrix in exact.items():
        apart = np.abs(dense(made[name]) - matrix).max() / np.abs(matrix).max()
        print(f"  curvlinops' {name}: the same matrix, to {apart:.0e} of its largest entry")
    print(f"  {'':34}  layer 1   layer 2     whole     trace     λ_max")
    rows = [("Gauss–Newton for the Hessian", errors(obj.net, hessian, gauss_newton))]
    rows += [(name, errors(obj.net, gauss_newton, m)) for name, m in approximations(obj, theta, made)]
    for name, found in rows:
        print(f"  {name:34}" + "".join(f"{100 * value:8.1f} %" for value in found))


def spread(estimate: Callable[[], float], exact: float) -> str:
    """The root mean square of the relative error over seeds."""
    import torch

    found = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        found.append(estimate() / exact - 1)
    return f"{100 * np.sqrt(np.mean(np.square(found))):10.3g} %"


def estimators(obj: ho.Objective, theta: np.ndarray) -> None:
    """Prints how far estimators of trace, diagonal and λ_max are after some products with the exact Hessian."""
    import curvlinops as cl
    import torch
    from curvlinops.papyan2020traces.spectrum import fast_lanczos

    hessian = torch.tensor(obj.hessian(theta))
    diagonal = obj.hessian_diagonal(theta)
    trace, size, top = diagonal.sum(), np.linalg.norm(diagonal), largest(hessian.numpy())

    def diagonal_error(count: int) -> float:
        return float(np.linalg.norm(cl.hutchinson_diag(hessian, count).numpy() - diagonal))

    rows: dict[str, Callable[[int], str]] = {
        "trace, Hutchinson": lambda k: spread(lambda: float(cl.hutchinson_trace(hessian, k)), trace),
        "trace, Hutch++": lambda k: spread(lambda: float(cl.hutchpp_trace(hessian, k)), trace),
        "diagonal, Hutchinson": lambda k: spread(lambda: size + diagonal_error(k), size),
        "λ_max, Lanczos": lambda k: spread(lambda: float(fast_lanczos(hessian, k)[0].max()), top),
    }
    print(f"  {'products with the Hessian':34}" + "".join(f"{count:12d}" for count in PRODUCTS))
    for name, row in rows.items():
        print(f"  {name:34}" + "".join(row(count) for count in PRODUCTS))


def draw(obj: ho.Objective, theta: np.ndarray, made: dict[str, Any]) -> plt.Figure:
    """The outputs' block of the Gauss–Newton matrix, exact and approximated."""
    at = np.ix_(*[obj.net.block(layer=2, part="weights")] * 2)
    shown = {
        "exact": obj.gauss_newton(theta)[at],
        "KFAC": dense(made["KFAC, exact loss"])[at],
        "empirical Fisher": obj.empirical_fisher(theta)[at],
    }
    limit = np.abs(shown["exact"]).max() / 4
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.1))
    for ax, (name, block) in zip(axes, shown.items(), strict=True):
        ax.imshow(block, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set(title=name, xticks=np.arange(8, 160, 16), yticks=np.arange(8, 160, 16))
        ax.set_xticklabels(range(10))
        ax.set_yticklabels(range(10))
        ax.tick_params(length=0, labelsize=8)
    return figure


def main() -> None:
    obj, *points = problem()
    for name, theta in zip(("before training", f"after {STEPS} steps of Adam"), points, strict=True):
        made = operators(obj, theta)
        accuracy = (obj.outputs(theta).argmax(axis=1) == obj.y).mean()
        print(f"{name}: loss {obj.loss(theta):.4f}, {accuracy:.1%} right")
        table(obj, theta, made)
    estimators(obj, points[-1])
    plt.style.use(Path(__file__).parents[1] / "figures/pages.mplstyle")
    figure = draw(obj, points[-1], made)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=160)


if __name__ == "__main__":
    main()
