r"""
A minimum becomes a line of critical points
===========================================

Fukumizu and Amari (`2000 <https://doi.org/10.1016/S0893-6080(00)00009-5>`_) showed that a minimum of a narrower
network becomes a *line* of critical points in a wider one, and that a stretch of the line can consist of minima while
the rest are saddles. Exact Hessians show where it turns, and which of the two it is.
"""

# %%
# A neuron :math:`v\,\sigma(w \cdot x)` is split in two, with outgoing weights :math:`\alpha v` and
# :math:`(1-\alpha) v`. The function stays, and the gradient stays zero, for every :math:`\alpha`. For one output, the
# second derivative is decided by one small matrix:
#
# .. math::
#
#    B = \frac1N \sum_n (f(x_n) - y_n)\, v\, \sigma''(w \cdot x_n)\, x_n x_n^\top,
#
# with :math:`x_n` followed by a 1 if there is a bias. Apart from the zero along the line, the inertia of the Hessian
# is that of the narrow minimum together with that of :math:`\alpha (1 - \alpha) B`. If :math:`B` is positive
# definite, the points with :math:`0 < \alpha < 1` are minima and the others are saddles. If it is negative definite,
# it is the other way round. If it is neither, all points are saddles.
import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

# %%
# One input and no biases: :math:`B` is a number. Two sets of labels give it both signs.
x = np.linspace(-2, 2, 40)[:, None]
narrow, wide = ho.MLP([1, 1, 1], bias=False), ho.MLP([1, 2, 1], bias=False)
labels = {"B > 0": np.tanh(2 * x) + 0.2 * np.sin(2 * x), "B < 0": np.tanh(2 * x) - 0.2 * np.sin(2 * x)}


def narrow_minimum(y):
    """The minimum (w, v) of one neuron, and B there."""
    obj = ho.Objective(narrow, x, y)
    theta = ho.minimize(obj, [1.0, 1.0], tol=1e-13).x
    assert ho.classify(obj, theta).kind == "minimum"
    w, v = theta
    value = np.tanh(w * x)
    return theta, float(np.mean((v * value - y) * v * -2 * value * (1 - value**2) * x**2))


def splitting(alpha):
    """The map of θ to the point of its line at α."""
    return ho.Widening(narrow, [[2]], coefficients=[[[alpha, 1 - alpha]]])


# %%
# At 42 points of each line the eigenvalues of the exact Hessian are compared with the prediction, and with
# `Widening.inertia`, which knows the narrow network only. The ends are left out: at :math:`\alpha = 0` and 1
# a second eigenvalue is zero.
alphas = np.linspace(-0.525, 1.525, 42)
eigenvalues = {}
for name, y in labels.items():
    theta, b = narrow_minimum(y)
    obj = ho.Objective(wide, x, y)
    rows = []
    for alpha in alphas:
        split = splitting(alpha)
        spectrum = ho.spectrum(obj, split(theta))
        assert abs(obj.gradient(split(theta))).max() < 1e-12
        minimum = (alpha * (1 - alpha) * b) > 0
        assert spectrum.num_negative == (0 if minimum else 1)
        assert split.inertia(ho.Objective(narrow, x, y), theta) == ((0, 1, 3) if minimum else (1, 1, 2))
        assert (ho.classify(obj, split(theta)).kind == "saddle") == (not minimum)
        rows.append(spectrum.eigenvalues)
    eigenvalues[name] = np.array(rows)
    print(f"{name}: B = {b:+.4f}, minima where", "0 < α < 1" if b > 0 else "α < 0 or α > 1")

# %%
# The smallest eigenvalues along both lines: one is zero everywhere, and the other changes its sign at 0 and 1.
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, (name, values) in zip(axes, eigenvalues.items()):
    ax.plot(alphas, values[:, :2], ".", color="#0072B2")
    ax.axvspan(0, 1, color="#555555", alpha=0.1, linewidth=0)
    ax.axhline(0, color="#555555", linewidth=0.8)
    ax.set(title=name, xlabel="share α of the first copy")
axes[0].set_ylabel("two smallest eigenvalues")

# %%
# The loss on the plane of the line and of the direction in which the copies move apart, around the middle of each
# line. The dashed contours are those of the exact quadratic.
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for ax, (name, y) in zip(axes, labels.items()):
    theta, _ = narrow_minimum(y)
    middle = splitting(0.5)(theta)
    line, apart = np.array([0.0, 0, 1, -1]), np.array([1.0, -1, 0, 0])
    ho.plot.landscape(ho.Objective(wide, x, y), middle, ax, directions=np.stack([line, apart], axis=1), extent=1.2)
    ax.set_title(name, loc="left")

# %%
# With two inputs :math:`B` is a matrix, and if it has eigenvalues of both signs there is no minimum anywhere on the
# line.
rng = np.random.default_rng(1)
x2 = rng.standard_normal((60, 2))
y2 = np.tanh(x2[:, 0] - x2[:, 1]) + 0.3 * np.sin(2 * x2[:, 0]) + 0.3 * np.sin(2 * x2[:, 1])
narrow2, wide2 = ho.MLP([2, 1, 1], bias=False), ho.MLP([2, 2, 1], bias=False)
obj2 = ho.Objective(narrow2, x2, y2)
theta2 = ho.minimize(obj2, narrow2.init(rng), tol=1e-13).x
for alpha in (-0.5, 0.25, 0.5, 1.5):
    split = ho.Widening(narrow2, [[2]], coefficients=[[[alpha, 1 - alpha]]])
    point = ho.classify(ho.Objective(wide2, x2, y2), split(theta2))
    print(f"α = {alpha:5.2f}: inertia {tuple(split.inertia(obj2, theta2))}, {point.kind}")
    assert point.kind == "saddle"
