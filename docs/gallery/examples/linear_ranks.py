r"""
Ranks of linear networks' Hessians
==================================

Singh, Bachmann and Hofmann (`2021 <https://arxiv.org/abs/2106.16225>`_) found exact formulas and tight bounds for the
rank of the Hessian of a deep *linear* network :math:`f(x) = W_L \cdots W_1 x` with the squared error. Here ranks of
exact Hessians are compared with them, for networks without biases. The script fails where one differs.
"""

# %%
# Let the layers have widths :math:`d_0, \dots, d_L`, with :math:`K = d_L` outputs. Let :math:`r` be the rank of the
# inputs' covariance, :math:`q = \min(r, d_1, \dots, d_{L-1}, K)` the narrowest place, and
# :math:`S = d_1 + \dots + d_{L-1}` the number of hidden neurons. At a generic :math:`\theta`,
#
# .. math::
#
#    \operatorname{rank} G = q\,(r + K - q), \qquad \operatorname{rank} H = 2qS - Lq^2 + q\,(r + K),
#
# where :math:`G` is the Gauss–Newton matrix, which they call the outer-product Hessian. At zero residual
# :math:`H = G`, and the rank falls to the first formula.
import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho


def ranks(widths, r):
    """The two formulas: the ranks of G and of H."""
    hidden, outputs = widths[1:-1], widths[-1]
    q, layers = min(r, *hidden, outputs), len(widths) - 1
    gauss_newton = q * (r + outputs - q)
    return gauss_newton, 2 * q * sum(hidden) - layers * q**2 + q * (r + outputs)


# %%
# Computed ranks are numbers of eigenvalues above the `floor` of a spectrum, a bound on all rounding errors. A rank
# counted so is never too large; it is too small only if an eigenvalue that is not zero lies below the floor. The
# residual is random, unless it is to be zero.
rng = np.random.default_rng(0)


def computed(widths, r, matrix="hessian", residual=1):
    """The rank at a random θ, for inputs of rank r."""
    net = ho.MLP(widths, "identity", bias=False)
    x = rng.standard_normal((50, r)) @ np.linalg.qr(rng.standard_normal((widths[0], r)))[0].T
    theta = net.init(rng, "glorot_normal")
    obj = ho.Objective(net, x, net(theta, x) + residual * rng.standard_normal((50, widths[-1])))
    return ho.spectrum(obj, theta, matrix=matrix).rank


print("widths              r   parameters   rank of G         rank of H")
cases = [
    ([5, 4, 3], 5),
    ([5, 8, 3], 5),
    ([6, 2, 6], 6),
    ([8, 8, 8], 4),
    ([4, 6, 5, 2], 4),
    ([6, 3, 6, 6], 6),
    ([5, 4, 4, 4, 3], 3),
    ([4, 5, 6, 5, 4, 2], 4),
]
for widths, r in cases:
    expected = ranks(widths, r)
    found = computed(widths, r, "gauss_newton"), computed(widths, r)
    size = ho.MLP(widths, bias=False).num_parameters
    print(f"{widths!s:19s} {r}   {size:10d}   {found[0]:3d} = {expected[0]:3d}   {found[1]:9d} = {expected[1]}")
    assert found == expected

# %%
# At zero residual, with the labels that the network itself computes:
for widths, r in cases:
    assert computed(widths, r, residual=0) == ranks(widths, r)[0]

# %%
# The rank grows linearly with the width, where the number of parameters grows quadratically.
hidden = np.arange(1, 17)
shapes = [[8, h, h, 4] for h in hidden]
measured = [computed(widths, 8) for widths in shapes]
predicted = [ranks(widths, 8)[1] for widths in shapes]
assert measured == predicted

figure, ax = plt.subplots(layout="constrained")
ax.plot(hidden, [ho.MLP(widths, bias=False).num_parameters for widths in shapes], color="#555555", label="parameters")
ax.plot(hidden, predicted, color="#0072B2", label="rank of H, formula")
ax.plot(hidden, measured, "o", color="#D55E00", label="rank of H, computed")
ax.set(title="Linear networks 8–h–h–4", xlabel="hidden width h", ylim=(0, None))
ax.legend()

# %%
# With an activation that is not linear the Hessian of the same shape has full rank, or nearly so.
net = ho.MLP([8, 6, 6, 4], "tanh", bias=False)
x = rng.standard_normal((500, 8))
obj = ho.Objective(net, x, rng.standard_normal((500, 4)))
print(ho.spectrum(obj, net.init(rng, "glorot_normal")).rank, "of", net.num_parameters)
