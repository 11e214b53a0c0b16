"""Even-linear neurons can be turned around at some θ, by σ(−z) = σ(z) − κ z.

A neuron can be turned around where others carry what is linear. Unlike a `GroupElement` this is no symmetry at every
θ: it maps those θ whose linear remainder can be carried to others with the same function, by coefficients that depend
on θ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core
from .._checks import Array
from ..network import MLP
from .rules import hidden_layers


@dataclass(frozen=True, repr=False)
class EvenLinearFlip:
    """The move turns the incoming weights of some neurons around, and lets others carry the linear remainder.

    Flipping the neurons F of layer l takes the affine function ``Σ_{k∈F} κ_k v_k z_k`` from the layer above, v_k being
    their outgoing weights. It is put back, in this order,

    - by the linear neurons of layer l, whose incoming weights change: enough where their outgoing weights span the v_k;
    - by mirrored pairs, neurons with opposite incoming weights (up to a factor, for relu and leaky_relu), between which
      outgoing weight moves: enough where their incoming weights span those of F;
    - its constant part by the bias of layer l + 1, if there is one.

    With neither, the flip is possible where the remainder vanishes by itself: on a *linear group*, Σ κ_k v_k w_kᵀ = 0.
    The move is its own inverse. Its coefficients depend on θ, so it has no matrix, and where it is possible only on
    part of the weight space it says nothing of derivatives.

    Attributes
    ----------
    net : MLP
    layer : int
        Hidden layer, counted from 1.
    neurons : tuple of int
    pairs : tuple of (int, int)
    tolerance : float
        Largest remainder allowed, relative to the sum of its terms' sizes.

    Examples
    --------
    Three rectifiers whose linear parts cancel may all be turned around:

    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([2, 3, 1], "relu", bias=False)
    >>> flip = ho.symmetries(net).even_linear_flip(layer=1, neurons=[0, 1, 2])
    >>> theta = np.array([1.0, 2.0, 3.0, 1.0, -4.0, -3.0, 1.0, 1.0, 1.0])
    >>> flip(theta)
    array([-1., -2., -3., -1.,  4.,  3.,  1.,  1.,  1.])
    >>> x = np.random.default_rng(0).standard_normal((5, 2))
    >>> np.allclose(net(flip(theta), x), net(theta, x), rtol=0, atol=1e-14)
    True
    """

    net: MLP
    layer: int
    neurons: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    tolerance: float = 1e-12

    def __repr__(self) -> str:
        pairs = f", pairs {list(self.pairs)}" if self.pairs else ""
        return f"EvenLinearFlip({self.net!r}, layer {self.layer}: neurons {list(self.neurons)}{pairs})"

    def __call__(self, theta: ArrayLike) -> Array:
        """Returns the parameters moved.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)

        Returns
        -------
        ndarray, of the shape of theta

        Raises
        ------
        ValueError
            If at theta the linear remainder cannot be carried, or neurons of a pair do not mirror each other.

        Notes
        -----
        Takes O(P) operations and two small least-squares problems.

        Examples
        --------
        >>> import hessorbit as ho
        >>> flip = ho.symmetries(ho.MLP([1, 2, 1], "relu", bias=False)).even_linear_flip(layer=1, neurons=[0, 1])
        >>> flip([1.0, 2.0, 2.0, -1.0])  # relu(x) and relu(2 x), whose linear parts cancel
        array([-1., -2.,  2., -1.])
        """
        moved, remainder, asymmetry = self._moved(theta)
        if (np.asarray(asymmetry) > self.tolerance).any():
            raise ValueError(
                f"pairs must be neurons with opposite incoming weights; at theta they differ by "
                f"{np.max(asymmetry):.3g} of their size"
            )
        if (np.asarray(remainder) > self.tolerance).any():
            raise ValueError(
                f"theta must let other neurons carry the linear remainder of the flip; at theta "
                f"{np.max(remainder):.3g} of it is left over"
            )
        return moved

    def remainder(self, theta: ArrayLike) -> Array:
        """Returns the part of the linear remainder that no other neuron can carry: where it is 0 the move is exact.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)

        Returns
        -------
        ndarray, shape () or (B,)
            Largest entry of what is left over, over the largest entry of ``Σ_k |κ_k v_k w̃_kᵀ|``.

        Examples
        --------
        >>> import hessorbit as ho
        >>> flip = ho.symmetries(ho.MLP([1, 2, 1], "relu", bias=False)).even_linear_flip(layer=1, neurons=[0, 1])
        >>> [float(flip.remainder(theta)) for theta in ([1.0, 2.0, 2.0, -1.0], [1.0, 2.0, 2.0, 1.0])]
        [0.0, 1.0]
        """
        return self._moved(theta)[1]

    def inverse(self) -> EvenLinearFlip:
        """Returns the move that undoes this one: itself.

        Examples
        --------
        >>> import hessorbit as ho
        >>> flip = ho.symmetries(ho.MLP([1, 2, 1], "relu", bias=False)).even_linear_flip(layer=1, neurons=[0, 1])
        >>> flip.inverse() is flip
        True
        """
        return self

    def _moved(self, theta: ArrayLike) -> tuple[Array, Array, Array]:
        checked = _checks.parameters(theta, self.net.num_parameters)
        linear = hidden_layers(self.net)[self.layer - 1].linear.tolist()
        moved, remainder, asymmetry = _core.flip_even_linear(
            self.net.core, self.layer - 1, list(self.neurons), linear, list(self.pairs), checked.astype(np.longdouble)
        )
        return moved.astype(checked.dtype), remainder.astype(checked.dtype), asymmetry.astype(checked.dtype)
