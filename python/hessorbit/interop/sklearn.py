"""Networks from scikit-learn's multilayer perceptrons.

Their loss is, with n samples and K outputs,

    ½ mean_n mean_k (f − y)² + alpha/(2n) Σ_l ‖W_l‖²     MLPRegressor
    mean_n ℓ(f, y) + alpha/(2n) Σ_l ‖W_l‖²               MLPRegressor with loss="poisson", ℓ as in "poisson" + c(y)
    mean_n ℓ(f, y) + alpha/(2n) Σ_l ‖W_l‖²               MLPClassifier, ℓ as in "cross_entropy" or "logistic"

in which biases do not decay. For n stands the size of a mini-batch with the solvers sgd and adam. The gradient that the
regressor follows is that of ½ mean_n Σ_k (f − y)², as here: K times that of the first part of the loss that it states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks, _extras
from .._checks import Array
from ..network import MLP
from .agreement import check_outputs, defined_by
from .layers import Elementwise, Link, Part, affine, assemble

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

OTHER_NAMES = {"identity": "identity", "tanh": "tanh", "relu": "relu", "logistic": "sigmoid", "exp": "exp"}
LINK_NAMES = {"softmax": "softmax"}
COUNTS = "poisson"  # the loss of a regressor that makes rates of its outputs


def from_sklearn(estimator: BaseEstimator) -> tuple[MLP, Array]:
    """Returns the network and the parameters of a fitted multilayer perceptron of scikit-learn.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPRegressor or MLPClassifier
        Fitted.

    Returns
    -------
    net : MLP
        Of a classifier, without the softmax or the logistic function at its end: outputs are the logits that the
        losses ``"cross_entropy"``, or with two classes ``"logistic"``, take. Labels are positions in
        ``estimator.classes_``. Of a regressor with ``loss="poisson"``, without the exponential at its end: outputs are
        the logarithms of rates that the loss ``"poisson"`` takes.
    theta : ndarray, shape (P,)

    Raises
    ------
    TypeError, ValueError
        If the estimator is another, such as a pipeline, is not fitted, or predicts something else than its weights say,
        on random inputs and up to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPRegressor
    >>> import hessorbit as ho
    >>> x = np.random.default_rng(0).standard_normal((50, 2))
    >>> estimator = MLPRegressor(hidden_layer_sizes=3, activation="tanh", solver="lbfgs", alpha=0.0, random_state=0)
    >>> estimator = estimator.fit(x, x[:, 0] ** 2)
    >>> net, theta = ho.interop.from_sklearn(estimator)
    >>> net
    MLP([2, 3, 1], 'tanh')
    >>> bool(np.isclose(ho.Objective(net, x, x[:, 0] ** 2).loss(theta), estimator.loss_))
    True
    """
    _extras.need("sklearn", "from_sklearn")
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        raise TypeError(
            "estimator must be an MLPRegressor or an MLPClassifier; got a Pipeline: pass its last step, "
            "estimator[-1], and data through the others, estimator[:-1].transform(x)"
        )
    if not isinstance(estimator, MLPClassifier | MLPRegressor):
        got = _checks.with_article(type(estimator))
        raise TypeError(f"estimator must be an MLPRegressor or an MLPClassifier; got {got}")
    kind = type(estimator).__name__
    for method in ("predict", "predict_proba"):
        if hasattr(type(estimator), method) and defined_by(type(estimator), method) != "sklearn":
            raise ValueError(
                f"estimator must predict as scikit-learn's own classes do; this {kind} has a {method} of its own"
            )
    if not hasattr(estimator, "coefs_"):
        raise ValueError(f"estimator must be fitted; this {kind} is not: call its fit(x, y) first")
    parts: list[Part] = []
    for index, (weights, biases) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        last = index == len(estimator.coefs_) - 1
        name = estimator.out_activation_ if last else estimator.activation
        where = f"coefs_[{index}] of the {kind}"
        end = Link(name, where) if name in LINK_NAMES else Elementwise(OTHER_NAMES[name], where)
        parts += [affine(weights.T, biases, where), end]
    left_out = isinstance(estimator, MLPClassifier) or getattr(estimator, "loss", "") == COUNTS
    net, theta, link = assemble(parts, f"the {kind}", logits=left_out)
    check_outputs(net, theta, prediction(estimator, link), f"the {kind}", link=link)
    return net, theta


def prediction(estimator: Any, link: str | None) -> Any:
    """Returns what the estimator predicts, in the precision of its weights."""

    def answer(x: Array) -> Array:
        rows = x.astype(estimator.coefs_[0].dtype, copy=False)
        if not hasattr(estimator, "predict_proba"):
            return np.asarray(estimator.predict(rows))
        found = estimator.predict_proba(rows)
        # A single output is the probability of the second class; with several, each is its own label's.
        single = link not in LINK_NAMES and estimator.n_outputs_ == 1 and isinstance(found, np.ndarray)
        return np.asarray(found[:, 1:] if single else found)

    return answer
