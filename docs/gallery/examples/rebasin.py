r"""
Two trained networks, one function
==================================

Two students find the same function from different starts. On the straight line between their parameters the loss
rises to a barrier, though nothing but the order and the signs of neurons may stand between them. Undoing symmetries
before one interpolates is called *re-basin* (Entezari and others, `2022 <https://arxiv.org/abs/2110.06296>`_;
Ainsworth, Hayase and Srinivasa, `2023 <https://arxiv.org/abs/2209.04836>`_). There it is a matching that may fail;
here it is exact, and the answer says so.
"""

# %%
# A teacher of four tanh neurons labels 300 inputs. Two students of the same shape learn from them.
import matplotlib.pyplot as plt
import numpy as np

import hessorbit as ho

rng = np.random.default_rng(0)
net = ho.MLP([3, 4, 1], "tanh")
x = rng.standard_normal((300, 3))
teacher = net.init(rng, "normal(1)")
obj = ho.Objective(net, x, net(teacher, x))


def trained(seed):
    """The end of the first run of a seed that fits the labels."""
    starts = np.random.default_rng(seed)
    for _ in range(20):
        end = ho.minimize(obj, net.init(starts, "normal(1)"), tol=1e-14, max_steps=500)
        if end.fun < 1e-24:
            return end.x
    raise AssertionError("no run of this seed fits the labels")


first, second = trained(1), trained(2)
print(f"losses {obj.loss(first):.1e} and {obj.loss(second):.1e}, {np.linalg.norm(first - second):.2f} apart")

# %%
# `equivalent` proves that both are one function, and its witness is the group element between them: which neuron is
# which, and with which sign.
answer = ho.equivalent(net, second, net, first)
print(answer)
print(answer.witness)
assert answer.verdict == "equal"
moved = answer.witness(second)
print(f"after that {np.linalg.norm(first - moved):.1e} apart")
assert np.linalg.norm(first - moved) < 1e-8 < np.linalg.norm(first - second)


# %%
# The barrier, the largest loss on the way over that of its ends, before and after.
def barrier(start, end):
    ways = start + np.linspace(0, 1, 101)[:, None] * (end - start)
    losses = obj.loss(ways)
    return losses.max() - max(losses[0], losses[-1])


print(f"barrier before: {barrier(first, second):.3g}, after: {barrier(first, moved):.1e}")
assert barrier(first, second) > 1e-2
assert barrier(first, moved) < 1e-15

figure, ax = plt.subplots(layout="constrained")
ho.plot.landscape(obj, first, ax, to=second)

# %%
# A wider student
# ---------------
# With more neurons than the teacher a student may spend several on one of the teacher's, and share out the outgoing
# weights. Then no permutation and no sign relates two students of the same function, and matching must fail.
wide = ho.MLP([3, 6, 1], "tanh")
wide_obj = ho.Objective(wide, x, net(teacher, x))


def copied(seed):
    """The teacher by six neurons: copies, their shares, their order and their signs are random."""
    draw = np.random.default_rng(seed)
    copies = 1 + np.bincount(draw.integers(4, size=2), minlength=4)
    shares = [draw.dirichlet(np.ones(n)) for n in copies]
    split = ho.Widening(net, [copies], coefficients=[shares])
    return ho.symmetries(wide).random(draw)(split(teacher))


one, other = copied(3), copied(4)
print(ho.equivalent(wide, one, wide, other))
assert ho.equivalent(wide, one, wide, other).witness is None

# %%
# `canonical` merges what is the same up to symmetry, so that both students come out as the same four neurons. The
# straight line between those is a point.
reduced = [ho.canonical(wide, theta, reduce=True) for theta in (one, other)]
print(reduced[0].net, reduced[1].net)
distance = np.linalg.norm(reduced[0].theta - reduced[1].theta)
print(f"{np.linalg.norm(one - other):.2f} apart before, {distance:.1e} after")
assert reduced[0].net == reduced[1].net == net
assert distance < 1e-12
