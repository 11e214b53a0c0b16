r"""
A spectrum, and the landscape along it
======================================

At a minimum of a network with a neuron to spare: which eigenvalues are zero, why, and what the loss does along each
of the directions, beside its exact quadratic.
"""

# %%
# Three ReLU neurons learn what three others say.
import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

net = ho.MLP([2, 3, 1], "relu")
x = np.random.default_rng(0).standard_normal((60, 2))
theta = net.init(np.random.default_rng(7), "normal(1)")
obj = ho.Objective(net, x, net(theta, x))

# %%
# The spectrum, with its floor, below which rounding is, and the zero modes that symmetry predicts: one for each
# rectifier.
spectrum = ho.spectrum(obj, theta)
ax = ho.plot.spectrum(spectrum)
print(spectrum.zero_modes)
assert net.num_parameters - spectrum.rank == 3

# %%
# Along the steepest direction the loss is its quadratic for a while. Along a tangent of the orbit the quadratic is
# flat, and the loss rises only as far as the straight line leaves the orbit.
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ho.plot.landscape(obj, theta, axes[0])
ho.plot.landscape(obj, theta, axes[1], directions=ho.symmetries(net).tangents(theta)[:, 0])

# %%
# The way to another minimum, which is the same network with two neurons exchanged, leads over a barrier. The
# quadratic knows nothing of the second minimum.
exchanged = ho.symmetries(net).permutation(layer=1, order=[1, 0, 2])(theta)
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
ho.plot.landscape(obj, theta, axes[0], to=exchanged)
ho.plot.landscape(obj, theta, axes[1], eigenvectors=(0, 4))

# %%
# The numbers behind the pictures are those of `plot.slice_of`. The quadratic is exact to second order: halving the
# step divides what is left by eight.
errors = []
for extent in (2e-2, 1e-2):
    found = ho.plot.slice_of(ho.Objective(ho.MLP([2, 3, 1]), x, np.sin(x[:, 0])), theta, extent=extent, points=3)
    errors.append(abs(found.losses - found.quadratic).max())
print(f"{errors[0]:.2e}, {errors[1]:.2e}: a factor of {errors[0] / errors[1]:.2f}")
assert 7 < errors[0] / errors[1] < 9
