"""How many multiply-adds a gradient and a Hessian take for a sample, in networks with biases.

With F_l = d_{l−1} + 1 features of layer l, d_l neurons, t(n) = n (n + 1)/2 and K outputs,

    gradient   Σ_l 3 d_{l−1} d_l − d_0 d_1 + 2 Σ_l d_l
    hessian    t(F_l) t(d_l) within and F_l F_m d_l d_m between hidden layers, K d_l F_l F_L between a hidden layer and
               the output (once instead of K times for squared error and the last hidden layer), t(F_L) within the
               output (t(K) times for cross-entropy), and the gradient;
               for two hidden layers l < m also d_q a pair of neurons for each layer q between m and the output, and for
               layers l < m, up to the output, d_l d_m F_l, d_{m−1} times as many unless m = l + 1; and
               t(F_l) d_l in the last hidden layer, where how neurons curve is a product of its own
"""

from __future__ import annotations

import itertools

LARGE_GROUP = 96  # right rows of a task, as in hessian/products.hpp
# In the formulas of an activation with its slope, and with its curvature besides.
MULTIPLICATIONS = {"relu": (0, 0), "tanh": (16, 22), "gelu": (51, 53)}


def triangle(n: int) -> int:
    return n * (n + 1) // 2


def gradient(sizes: tuple[int, ...]) -> int:
    """Forward, backward, and the products δ φᵀ: three multiply-adds a weight, less what the first layer saves."""
    weights = [a * b for a, b in itertools.pairwise(sizes)]
    return 3 * sum(weights) - weights[0] + 2 * sum(sizes[1:])


def ranks_one(features: int, neurons: int) -> bool:
    """Whether pairs of features are formed for every neuron, and neither B nor its pairs for every group of tasks."""
    pairs, right = triangle(features), triangle(neurons)
    return pairs * neurons <= right + -(-right // LARGE_GROUP) * pairs


def hessian(sizes: tuple[int, ...], loss: str = "squared_error") -> int:
    hidden, outputs, alike = sizes[1:-1], sizes[-1], loss == "squared_error"
    features = [size + 1 for size in sizes[:-1]]
    top = len(hidden)
    count = gradient(sizes) + triangle(features[top]) * (1 if alike else triangle(outputs))
    for low in range(top):
        last = low == top - 1
        count += triangle(features[low]) * triangle(hidden[low]) + triangle(hidden[low]) * sum(hidden[low + 1 :])
        for up in range(low + 1, top):
            count += hidden[low] * hidden[up] * (features[low] * features[up] + sum(hidden[up + 1 :]))
        count += (1 if alike and last else outputs) * hidden[low] * features[low] * features[top]
        for up in range(low + 1, top + 1):
            count += (1 if up == low + 1 else sizes[up]) * hidden[low] * sizes[up + 1] * features[low]
        if last and (alike or outputs == 1) and ranks_one(features[low], hidden[low]):
            count += triangle(features[low]) * hidden[low]
    return count
