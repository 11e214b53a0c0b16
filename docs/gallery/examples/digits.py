r"""
A torch network on digits, from training to certificate
=======================================================

A small torch network learns scikit-learn's digits. hessorbit reads it, checks its Hessian against torch's, finishes
the training, and proves that the end is a strict minimum. The script needs torch and scikit-learn, as in ``pip
install "hessorbit[torch,sklearn,certify,plot]"``.
"""

# %%
# The data
# --------
# The 64 pixels of the 1797 pictures are reduced to six principal components, each with variance 1.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import hessorbit as ho

digits = load_digits()
x = PCA(6, svd_solver="full", whiten=True).fit_transform(digits.data)
labels = digits.target

# %%
# Training in torch
# -----------------
# Five tanh neurons, ten outputs, 95 parameters. Cross-entropy alone can be made smaller for ever by larger weights
# wherever classes can be separated; weight decay of :math:`10^{-3}` makes sure that there is a minimum. Adam gets
# near it, and no nearer.
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 10)).double()
inputs, targets, decay = torch.tensor(x), torch.tensor(labels), 1e-3


def loss_of(outputs, parameters):
    squares = sum((each**2).sum() for each in parameters)
    return torch.nn.functional.cross_entropy(outputs, targets) + decay / 2 * squares


adam = torch.optim.Adam(module.parameters(), lr=0.02)
for _ in range(500):
    adam.zero_grad()
    loss = loss_of(module(inputs), module.parameters())
    loss.backward()
    adam.step()

# %%
# The same network here
# ---------------------
# `interop.from_torch` reads it. Loss and Hessian are those of torch.
net, theta = ho.interop.from_torch(module)
obj = ho.Objective(net, x, labels, loss="cross_entropy", l2=decay)
names = [name for name, _ in module.named_parameters()]
shapes = [each.shape for each in module.parameters()]


def of_vector(vector):
    """torch's loss as a function of θ."""
    pieces = torch.split(vector, [shape.numel() for shape in shapes])
    parameters = {name: piece.reshape(shape) for name, piece, shape in zip(names, pieces, shapes)}
    return loss_of(torch.func.functional_call(module, parameters, (inputs,)), parameters.values())


theirs = torch.func.hessian(of_vector)(torch.tensor(theta)).numpy()
ours = obj.hessian(theta)
print(net, f"{net.num_parameters} parameters, loss {obj.loss(theta):.4f}")
print(f"largest difference of the Hessians {abs(ours - theirs).max():.1e}, largest entry {abs(ours).max():.2f}")
assert abs(ours - theirs).max() < 1e-12 * abs(ours).max()

# %%
# Is it a minimum?
# ----------------
# Where Adam stopped the gradient is small, and yet there is no critical point nearby to speak of. Newton's method
# goes on to one.
print(ho.classify(obj, theta).kind)
run = ho.minimize(obj, theta, method="newton", tol=1e-13)
print(f"after {run.nit} steps of Newton: loss {run.fun:.4f}, {run.outcome}")
assert run.outcome == "minimum"

proof = ho.certify(obj, run.x)
print(proof)
assert proof.proven
assert proof.kind == "minimum"
assert proof.inertia == (0, 0, 95)

# %%
# The smallest eigenvalue is the weight decay: adding one vector to the weights of all ten outputs does not change
# their softmax, and only the decay sees it. Six such directions, one for each hidden neuron and one for the biases.
spectrum = ho.spectrum(obj, run.x)
assert np.allclose(spectrum.eigenvalues[:6], decay, rtol=1e-6, atol=0)
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
ho.plot.spectrum(spectrum, axes[0])
ho.plot.history(run, axes[1])

# %%
# And back
# --------
# The polished weights become a torch module again.
polished = ho.interop.to_torch(net, run.x)
with torch.no_grad():
    right = (polished(inputs).argmax(1) == targets).double().mean().item()
print(f"{100 * right:.1f} % of the digits are read right, by six numbers each and five neurons")
assert right > 0.8
