r"""
The condition number along an orbit
===================================

Multiplying a rectifier's incoming weights by :math:`e^t` and its outgoing ones by :math:`e^{-t}` changes nothing
about the function, and much about the Hessian: for gradient descent one and the same minimum can be easy or hopeless.
"""

# %%
# A teacher of four ReLU neurons, one of which is out of balance by a factor of five on either side.
import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

rng = np.random.default_rng(0)
net = ho.MLP([3, 4, 1], "relu")
x = rng.standard_normal((400, 3))
group = ho.symmetries(net)
theta = group.rescaling(layer=1, factors=[5, 1, 1, 0.5])(net.init(np.random.default_rng(2), "normal(1)"))
obj = ho.Objective(net, x, net(theta, x))

# %%
# `plot.orbit` follows one generator of the group; there is one for each neuron.
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for ax, generator in zip(axes, group.generators()):
    ho.plot.orbit(obj, theta, generator, ax)

# %%
# All neurons at once: `best_conditioned` finds the least value in the orbit, with a lower bound.
best = ho.best_conditioned(obj, theta, over=group)
print(best)
assert best.value < best.start / 2
assert best.lower_bound <= best.value

# %%
# It is the same function, and lies below every curve through the start.
assert np.allclose(net(best.theta, x), net(theta, x), rtol=0, atol=1e-12)
along = [line.get_ydata() for ax in axes for line in ax.lines if line.get_label() == "κ"]
print(f"least on the two curves {min(map(np.min, along)):.1f}, best in the orbit {best.value:.1f}")
assert best.value <= min(map(np.min, along)) * (1 + 1e-9)

# %%
# Gradient descent at the rate :math:`1/\lambda_{max}` starts a little off each of the two minima, every weight
# changed by the same factor: so both starts are one function too.
factors = 1 + 0.02 * rng.standard_normal(net.num_parameters)
figure, ax = plt.subplots(layout="constrained")
last = {}
for name, at in {"as it was": theta, "best in the orbit": best.theta}.items():
    spectrum = ho.spectrum(obj, at)
    run = ho.minimize(obj, at * factors, method="gd", learning_rate=1 / spectrum.max, max_steps=3000)
    path = run.trajectory
    ax.plot(path.steps, path.losses / path.losses[0], label=f"{name}, κ = {spectrum.condition_number():.3g}")
    last[name] = path.losses[-1] / path.losses[0]
ax.set(title="Gradient descent from one function", xlabel="step", ylabel="loss over the first", yscale="log")
ax.legend()
assert last["best in the orbit"] < last["as it was"] / 10
