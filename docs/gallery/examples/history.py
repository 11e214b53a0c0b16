r"""
Histories, and the rate that a spectrum predicts
================================================

One start, four methods. Near a minimum, gradient descent's end is known before it is run: the loss falls by
:math:`(1 - \eta\lambda_{min})^2` a step.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

rng = np.random.default_rng(0)
net = ho.MLP([2, 2, 1], "tanh")
x = rng.standard_normal((200, 2))
obj = ho.Objective(net, x, np.tanh(x[:, :1] + 0.5) - np.tanh(2 * x[:, 1:]))
start = net.init(np.random.default_rng(1), "normal(1)")

runs = {
    "gd": ho.minimize(obj, start, method="gd", learning_rate=0.3, tol=1e-8, max_steps=20_000),
    "adam": ho.minimize(obj, start, method="adam", learning_rate=0.02, tol=1e-8, max_steps=20_000),
    "lbfgs": ho.minimize(obj, start, method="lbfgs", tol=1e-12),
    "lm": ho.minimize(obj, start, method="lm", tol=1e-14),
}
figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
for ax, (name, run) in zip(axes.flat, runs.items()):
    ho.plot.history(run, ax)
    ax.set_title(name, loc="left")
    print(f"{name:6s} {run.nit:6d} steps, loss {run.fun:.1e}: {run.outcome}")

# %%
# All end in a global minimum, though not always in the same one: neurons may come in another order or with other
# signs.
for run in runs.values():
    assert run.fun < 1e-13

# %%
# The last part of gradient descent, beside the prediction from the smallest eigenvalue at its end.
end, path = runs["gd"], runs["gd"].trajectory
predicted = 2 * np.log1p(-0.3 * ho.spectrum(obj, end.x).min)
late = path.losses < 1e-6 * path.losses[0]
measured = np.polyfit(path.steps[late], np.log(path.losses[late]), 1)[0]
print(f"log of the factor per step: {measured:.6f}, predicted {predicted:.6f}")
assert abs(measured / predicted - 1) < 0.02
