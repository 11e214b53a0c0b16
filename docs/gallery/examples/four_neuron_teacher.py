r"""
A teacher of four neurons, and students that find it
====================================================

Şimşek and others (`2021 <https://arxiv.org/abs/2105.12221>`_) counted the affine pieces of a student's critical
points and of its global minima. Few spare neurons make critical pieces the more numerous, many make minima so. Here are
their counts, and students of a small teacher, which find it once they are wide enough.
"""

# %%
# Pieces
# ------
# A student of :math:`m` neurons is at a critical point wherever it computes a critical point of :math:`r < m`
# neurons, each of them once or more. There are
#
# .. math::
#
#    G(r, m) &= \sum_{i=1}^{r} (-1)^{r-i} \binom{r}{i} i^m, \\
#    T(r, m) &= G(r, m) + \sum_{u=1}^{m-r} \binom{m}{u}\, G(r, m-u)\, g(u)
#
# such affine pieces: :math:`G` where every student neuron is a copy, and :math:`T` with groups of neurons whose
# outgoing weights sum to zero, where :math:`g` are Bell's numbers. With :math:`r` the width of the teacher, :math:`T`
# counts the pieces of the set of global minima. Here the formulas meet a count of the pieces one by one, by brute
# force: every neuron gets a role, either a teacher neuron or a zero group.
import itertools

import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho


def one_by_one(r, m):
    """Numbers of pieces, without and with zero groups; a zero group is named by the first of its neurons."""
    without = within = 0
    for roles in itertools.product(range(r + m), repeat=m):
        copied = {role for role in roles if role < r}
        named = all(roles.index(role) == role - r for role in roles if role >= r)
        if len(copied) == r and named:
            within += 1
            without += max(roles) < r
    return without, within


print("r  m   copies alone   all pieces")
for r, m in [(1, 1), (1, 4), (2, 2), (2, 4), (3, 3), (3, 5), (4, 4), (4, 5)]:
    counts = ho.count_minima(r, m, isolated=True), ho.count_minima(r, m)
    assert counts == one_by_one(r, m)
    print(f"{r}  {m}   {counts[0]:12d}   {counts[1]:10d}")

# %%
# Let every narrower network have one critical point, up to permutations. Then the critical pieces of a student
# outnumber those of its global minima while it has few neurons to spare, and are outnumbered with many: the wider the
# teacher, the later.
figure, ax = plt.subplots(layout="constrained")
spare = range(31)
for r, colour in [(4, "#0072B2"), (10, "#D55E00"), (30, "#009E73")]:
    critical = [sum(ho.count_minima(k, r + h, isolated=True) for k in range(1, r)) for h in spare]
    minima = [ho.count_minima(r, r + h) for h in spare]
    ax.plot(spare, [a / b for a, b in zip(critical, minima)], color=colour, label=f"teacher of {r} neurons")
    assert critical[0] > minima[0]
    assert critical[-1] < minima[-1]
    turn = next(h for h in spare if critical[h] < minima[h])
    print(f"teacher of {r:2d}: minima have more pieces from {turn} spare neurons on")
ax.axhline(1, color="#555555", linewidth=0.8, linestyle=":")
ax.set(title="Critical pieces for each piece of global minima", xlabel="spare neurons", yscale="log")
ax.legend()

# %%
# Runs
# ----
# The teacher has outgoing weights 1, incoming weights (.6, .5), (−.5, .5), (−.2, −.6), (.1, −.6), no biases, and the
# activation :math:`g(z) = \log(1 + e^z) + 1/(1 + e^{-4z})`. Inputs are the 41 × 41 points of a grid on
# :math:`[-5, 5]^2`. Students start from Glorot's normal distribution, twenty for each width, and are minimised by
# Levenberg and Marquardt's method until the loss is below :math:`10^{-21}`, or for 500 steps, or until the gradient
# is below :math:`10^{-15}`.
axis = np.linspace(-5, 5, 41)
x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
incoming = np.array([[0.6, 0.5], [-0.5, 0.5], [-0.2, -0.6], [0.1, -0.6]])
teacher = ho.MLP([2, 4, 1], "g", bias=False)
y = teacher(teacher.flatten([(incoming, None), (np.ones((1, 4)), None)]), x)


def losses(width, starts=20):
    """The last losses of students of one width, in ascending order."""
    net = ho.MLP([2, width, 1], "g", bias=False)
    obj = ho.Objective(net, x, y)
    first = [net.init(np.random.default_rng([width, seed]), "glorot_normal") for seed in range(starts)]
    return np.sort([ho.minimize(obj, each, loss_tol=1e-21, tol=1e-15, max_steps=500).fun for each in first])


found = {width: losses(width) for width in (3, 4, 5, 6, 8, 10)}
for width, ends in found.items():
    print(f"width {width:2d}: {(ends < 1e-20).sum():2d} of {len(ends)} below 1e-20, the largest loss {ends[-1]:.1e}")

# %%
# Three neurons cannot do it. Four can, and often do not: the runs end in a minimum that is not global. Of these
# students of width ten every one arrives. That is not a law: of a hundred other starts 98 arrived within 500 steps
# and one more in 538, while one was still on a plateau of loss 9.0e-5 after 4500.
assert (found[3] > 1e-6).all()
assert 0 < (found[4] < 1e-20).sum() < 20
assert (found[10] < 1e-20).all()

figure, ax = plt.subplots(layout="constrained")
for width, ends in found.items():
    ax.plot(np.full(len(ends), width), np.maximum(ends, 1e-31), "o", color="#0072B2", alpha=0.4, markeredgewidth=0)
ax.axhline(1e-20, color="#555555", linewidth=0.8, linestyle=":")
ax.set(title="Where twenty students of each width end", xlabel="width of the student", ylabel="loss", yscale="log")
