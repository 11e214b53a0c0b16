"""The loss of a network on data, and its exact derivatives in θ.

    L(θ) = Σ_n w_n ℓ(f(x_n; θ), y_n) / Σ_n w_n + (l2/2) ‖θ‖²

All arithmetic happens in the compiled core; here are names, shapes and errors.
"""

from __future__ import annotations

import warnings
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

import numpy as np
from numpy import ndarray
from numpy.typing import ArrayLike, NDArray

from . import _checks, _core, _memory
from ._checks import FLOAT64, Array
from ._core import all_finite
from ._words import number_of
from .any_objective import as_scalar, read_only
from .network import MLP
from .restricted import RestrictedObjective
from .targets import LOSSES, one_hot, parameter, targets

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


ONE_OUTPUT = (
    "the loss {loss!r} of one output is 0 whatever theta is, as the only class has probability 1: for two classes give "
    "the network two outputs, or one and loss='logistic'"
)
FEWER = "ask for some parameters=, such as net.block gives, or take an Objective of fewer samples"

_T = TypeVar("_T", np.float64, np.longdouble)
Compiled = _core.Objective | _core.ObjectiveLongDouble


class Objective:
    """An objective is the loss of a network on data, as a function of θ, with exact derivatives.

    ``L(θ) = Σ_n w_n ℓ(f(x_n; θ), y_n) / Σ_n w_n + (l2/2) ‖θ‖²``. Data are checked and copied once, so that later
    calls only carry θ.

    Every method takes `theta`, array_like of shape (P,), or (B, P) for a batch, and then its result gains a leading
    axis of length B; shapes of results are given for one θ. θ is float64, or longdouble to compute in extended
    precision; what converts to float64 exactly is accepted. θ must be finite, or it is a ValueError. Results may
    overflow to inf or nan, as in NumPy but without a warning; but where float64 can hold a result, it is right even if
    products on the way to it cannot be held (then it takes extended precision, and longer). The same θ gives the same
    bits whatever the number of threads, alone or in a batch.

    Methods fit SciPy: ``scipy.optimize.minimize(obj.loss, theta, jac=obj.gradient, hess=obj.hessian)``, or
    ``hessp=obj.hvp``.

    Parameters
    ----------
    net : MLP
    x : array_like, shape (N, inputs)
        Samples as rows.
    y : array_like
        Targets. For ``"squared_error"`` and ``"huber"`` real numbers of shape (N, K); for ``"logistic"`` numbers in
        [0, 1], for ``"poisson"`` numbers y ≥ 0, of that shape; all these also (N,) if K = 1. For ``"cross_entropy"``
        integer labels 0 … K−1 of shape (N,), or rows of probabilities, (N, K), that sum to one within 1e-12.
    loss : {"squared_error", "cross_entropy", "logistic", "huber", "poisson"}
        What ℓ(f, y) is:

        - ``"squared_error"``: ½‖f − y‖²;
        - ``"cross_entropy"``: −Σ_k y_k log softmax(f)_k;
        - ``"logistic"``: −Σ_k [y_k log q_k + (1−y_k) log(1−q_k)] with q = sigmoid(f), that is K independent sigmoids;
        - ``"huber"``: Σ_k h(f_k − y_k) with ``h(d) = ½d²`` for ``|d| ≤ δ`` and ``δ|d| − ½δ²`` beyond;
        - ``"poisson"``: Σ_k (e^{f_k} − y_k f_k), the negative log-likelihood of counts y with mean e^f, but for
          log y!, so that it may be negative; as torch's ``PoissonNLLLoss``.
    delta : float, optional
        δ > 0 of the loss ``"huber"``, by default 1; of that loss alone.
    sample_weight : array_like, shape (N,), optional
        Weights w_n ≥ 0, not all zero; by default all equal. They are divided by their sum.
    l2 : float
        Coefficient of ½‖θ‖², biases included; at least 0.
    threads : int, optional
        Number of threads; by default what OpenMP would use, which threadpoolctl governs.

    Attributes
    ----------
    net : MLP
    x, y, sample_weight : ndarray
        Read-only copies of the data; sample_weight may be None.
    loss_name : str
    delta : float or None
        None for losses other than ``"huber"``.
    l2 : float
    threads : int or None
    num_samples : int
        N.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or range, or is not finite. Data in longdouble can only be used with
        θ in longdouble.

    Examples
    --------
    The Hessian of a linear model's squared error is the second moment of its inputs:

    >>> import numpy as np
    >>> import hessorbit as ho
    >>> x = np.array([[1.0, 2.0], [3.0, -1.0]])
    >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), x, [0.0, 1.0])
    >>> obj.hessian([0.5, 0.5])
    array([[ 5. , -0.5],
           [-0.5,  2.5]])
    >>> bool((obj.hessian([0.5, 0.5]) == x.T @ x / 2).all())
    True
    """

    def __init__(
        self,
        net: MLP,
        x: ArrayLike,
        y: ArrayLike,
        *,
        loss: str = "squared_error",
        delta: float | None = None,
        sample_weight: ArrayLike | None = None,
        l2: float = 0.0,
        threads: int | None = None,
    ) -> None:
        _checks.instance(net, MLP, "net")
        self.net = net
        self.x = read_only(net.samples(x))
        self.loss_name = _checks.one_of(loss, tuple(LOSSES), "loss")
        self.delta = parameter(self.loss_name, {"delta": delta})
        self.num_samples = len(self.x)
        self.y = read_only(targets(y, self.loss_name, self.num_samples, net.widths[-1]))
        self.sample_weight = None if sample_weight is None else read_only(weights(sample_weight, self.num_samples))
        self.l2 = _checks.real(l2, "l2", minimum=0.0)
        if LOSSES[self.loss_name]["shift_invariant"] and net.widths[-1] == 1:
            warnings.warn(ONE_OUTPUT.format(loss=self.loss_name), stacklevel=2)
        self.threads = _checks.threads(threads) or None
        data = {"x": self.x, "y": self.y, "sample_weight": self.sample_weight}
        self._extended = [name for name, array in data.items() if array is not None and _checks.is_extended(array)]
        # The shape of a θ that may go straight to the core; None if the data need extended precision.
        self._plain_shape = None if self._extended else (net.num_parameters,)
        if not self._extended:
            self._plain = self.core

    def __reduce__(self) -> tuple[Any, ...]:
        options: dict[str, Any] = {
            "loss": self.loss_name, "delta": self.delta, "sample_weight": self.sample_weight, "l2": self.l2,
            "threads": self.threads
        }  # fmt: skip
        return partial(Objective, **options), (self.net, self.x, self.y)

    def __repr__(self) -> str:
        parts = [repr(self.net), number_of(self.num_samples, "sample"), f"loss={self.loss_name!r}"]
        if self.delta is not None:
            parts.append(f"delta={self.delta!r}")
        if self.sample_weight is not None:
            parts.append("weighted")
        if self.l2:
            parts.append(f"l2={self.l2!r}")
        return f"Objective({', '.join(parts)})"

    @property
    def num_parameters(self) -> int:
        """P, the length of θ."""
        return self.net.num_parameters

    @cached_property
    def core(self) -> _core.Objective:
        """The compiled objective in float64; internal."""
        if self._extended:
            names = " and ".join(self._extended)
            raise TypeError(f"theta must be longdouble, as {names} of this objective came as longdouble; got float64")
        return _core.Objective(self.net.core, *self._data(np.float64), **self._options())

    @cached_property
    def extended_core(self) -> _core.ObjectiveLongDouble:
        """The compiled objective in longdouble; internal."""
        return _core.ObjectiveLongDouble(self.net.core, *self._data(np.longdouble), **self._options())

    def _data(self, dtype: type[_T]) -> tuple[NDArray[_T], NDArray[_T], NDArray[_T]]:
        """Samples, rows of targets and weights for the core."""
        rows = one_hot(self.y, self.net.widths[-1]) if self.y.dtype.kind == "i" else self.y
        weight = np.ones(self.num_samples) if self.sample_weight is None else self.sample_weight
        x, rows, weight = (np.ascontiguousarray(array, dtype) for array in (self.x, rows, weight))
        return x, rows, weight

    def _options(self) -> dict[str, Any]:
        return {"loss": self.loss_name, "parameter": self.delta or 0.0, "l2": self.l2, "threads": self.threads or 0}

    def _at(self, theta: ArrayLike) -> tuple[Compiled, Array]:
        """The compiled objective for theta's precision, and theta, checked."""
        if is_plain(theta, self._plain_shape):
            return self._plain, theta
        checked = _checks.parameters(theta, self.net.num_parameters)
        return self.extended_core if _checks.is_extended(checked) else self.core, checked

    def loss(self, theta: ArrayLike) -> Any:
        """Returns the loss L(θ), a float.

        Takes about 2·N·P operations.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.loss([0.5, 0.5])  # residuals are 1.5 and 0
        0.5625
        """
        core, at = self._at(theta)
        return core.loss(at)

    def gradient(self, theta: ArrayLike) -> Array:
        """Returns the gradient ∇L(θ), of shape (P,).

        By back-propagation, about 6·N·P operations.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.gradient([0.5, 0.5])
        array([0.75, 1.5 ])
        """
        core, at = self._at(theta)
        return core.gradient(at)

    def value_and_gradient(self, theta: ArrayLike) -> tuple[Any, Array]:
        """Returns the pair of `loss` and `gradient`, for the cost of the gradient.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.value_and_gradient([0.5, 0.5])
        (0.5625, array([0.75, 1.5 ]))
        """
        core, at = self._at(theta)
        return core.value_and_gradient(at)

    def outputs(self, theta: ArrayLike) -> Array:
        """Returns the outputs f(x_n; θ) on the data, of shape (N, K).

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.outputs([0.5, 0.5])
        array([[1.5],
               [1. ]])
        """
        core, at = self._at(theta)
        return core.outputs(at)

    def residual(self, theta: ArrayLike) -> Array:
        """Returns the derivative of each sample's loss in the outputs, ∂ℓ_n/∂f_k, of shape (N·K,).

        Entry n·K + k belongs to sample n and output k. It is f − y for the squared error, that clipped to [−δ, δ] for
        ``"huber"``, e^f − y for ``"poisson"``, and q − y for the others, q being the predicted probabilities. Sample
        weights have no part in it.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.residual([0.5, 0.5])
        array([1.5, 0. ])
        """
        core, at = self._at(theta)
        return core.residual(at)

    def jacobian(self, theta: ArrayLike) -> Array:
        """Returns the Jacobian of the outputs, ∂f_k(x_n; θ)/∂θ_p, of shape (N·K, P).

        Row n·K + k belongs to sample n and output k, as in `residual`. Sample weights have no part in it. Takes about
        4·N·K·P operations.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.jacobian([0.5, 0.5])  # of a linear model, the inputs
        array([[ 1.,  2.],
               [ 3., -1.]])
        """
        core, at = self._at(theta)
        return core.jacobian(at)

    def hessian(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the Hessian ∇²L(θ), of shape (P, P), exact to rounding and symmetric to the last bit.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
        parameters : array_like of int or bool, optional
            Positions in θ, such as `MLP.block` gives, each named once; or a mask, of shape (P,). Then only the
            principal block of these p parameters is formed, of shape (p, p), its rows in their order. It costs
            N·p²/2 operations and a pass through the network: for the incoming parameters of 1, 10 and 50 of 100 neurons
            with 10 inputs, on 2000 samples, 0.02, 0.02 and 0.19 of the time of the whole Hessian. (Some features of
            some neurons of a layer cost as much as all these features of all these neurons.)

        Notes
        -----
        Every pair of layers gives a block, a product of Khatri–Rao factors contracted over the samples; the formula
        goes back to Bishop [1]_. A layer with P_l parameters takes N·P_l²/2 operations, whatever the number of
        outputs. Needs no memory beyond the result and a few thousand samples' intermediate values.

        At the kink of an activation (relu, leaky_relu, elu, selu, softsign at 0) its first derivative is the one
        torch returns and its second is taken to be 0. At the kink of the loss ``"huber"``, ``|f − y| = δ``, its second
        derivative is taken to be 1.

        References
        ----------
        .. [1] Bishop, "Exact calculation of the Hessian matrix for the multilayer perceptron", Neural Computation
           4 (1992).

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([1, 1, 1], "square", bias=False)  # f = v w² x²
        >>> obj = ho.Objective(net, [[1.0]], [0.0])
        >>> obj.hessian([1.0, 1.0])
        array([[6., 4.],
               [4., 1.]])
        >>> obj.hessian([1.0, 1.0], parameters=net.block(layer=1, part="weights"))
        array([[6.]])
        """
        core, at = self._at(theta)
        if parameters is None:
            return core.hessian(at)
        return core.hessian_block(at, self._positions(parameters), False)

    def gauss_newton(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the generalised Gauss–Newton matrix Σ_n w_n J_nᵀ (∂²ℓ_n/∂f²) J_n / Σ_n w_n + l2·I, of shape (P, P).

        The Hessian without the curvature of the network [1]_; positive semidefinite, and symmetric to the last bit. Of
        some `parameters` it is a principal block, as for `hessian`.

        References
        ----------
        .. [1] Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", Neural
           Computation 14 (2002).

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([1, 1, 1], "square", bias=False), [[1.0]], [0.0])
        >>> obj.gauss_newton([1.0, 1.0])  # J = (2, 1)
        array([[4., 2.],
               [2., 1.]])
        >>> obj.hessian([1.0, 1.0])  # the residual is 1
        array([[6., 4.],
               [4., 1.]])
        """
        core, at = self._at(theta)
        if parameters is None:
            return core.gauss_newton(at)
        return core.hessian_block(at, self._positions(parameters), True)

    def gauss_newton_factor(self, theta: ArrayLike) -> Array:
        """Returns a matrix F such that the Gauss–Newton matrix is FᵀF + l2·I, of shape (N·R, P).

        Rows n·R to n·R + R − 1 belong to sample n and are √w_n A_n J_n, A_nᵀA_n being ∂²ℓ_n/∂f². R is K, but K − 1
        (at least 1) for ``"cross_entropy"``, whose outputs matter by their differences alone: A is the root of
        diag(q) − q qᵀ that the law of total variance gives, and no digits cancel however confident q is. Takes about
        4·N·K·P operations.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([1, 2], bias=False), [[1.0]], [0], loss="cross_entropy")
        >>> obj.gauss_newton_factor([40.0, 0.0])  # √(q₁q₂) (1, −1)
        array([[ 2.06115362e-09, -2.06115362e-09]])
        """
        core, at = self._at(theta)
        return core.gauss_newton_factor(at)

    def per_sample_gradients(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the gradient of each sample's own loss, ∂ℓ(f(x_n; θ), y_n)/∂θ_p, of shape (N, P).

        Sample weights and weight decay have no part in it, nor the mean over samples: with normalised weights
        ``w = sample_weight / sample_weight.sum()``, or 1/N where there are none, `gradient` is ``w @ result +
        l2 * theta``. (``BatchGrad`` of BackPACK divides by N where the loss is a mean.) Of some `parameters` there are
        their columns, of shape (N, p). Takes about 6·N·P operations and the memory of the result.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
        parameters : array_like of int or bool, optional
            Positions in θ, such as `MLP.block` gives, each named once; or a mask, of shape (P,).

        Raises
        ------
        TypeError, ValueError
            As for `hessian`; or if the result has no room in memory, with its size.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 2.0])
        >>> obj.per_sample_gradients([0.5, 0.5])  # (f − y) x, in a linear model
        array([[ 1.5,  3. ],
               [-3. ,  1. ]])
        >>> obj.per_sample_gradients([0.5, 0.5]).mean(axis=0) == obj.gradient([0.5, 0.5])
        array([ True,  True])
        """
        core, at, chosen = self._part_of(theta, parameters)
        shape = (self.num_samples, len(chosen) or self.num_parameters)
        what = f"the gradients of {number_of(shape[0], 'sample')} in {number_of(shape[1], 'parameter')}"
        _memory.check_room(shape, at, what, FEWER)
        return core.sample_gradients(at, chosen)

    def per_sample_hessians(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the Hessian of each sample's own loss, ∂²ℓ(f(x_n; θ), y_n)/∂θ², of shape (N, P, P).

        Exact and symmetric to the last bit, as `hessian`. Sample weights and weight decay have no part in it, nor the
        mean over samples: with weights w as for `per_sample_gradients`, `hessian` is ``np.tensordot(w, result, 1)``
        plus l2 on the diagonal. Of some `parameters` it is a principal block of each, of shape (N, p, p), which is what
        memory has room for beyond a few hundred parameters. Takes about 8·N·p² operations.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
        parameters : array_like of int or bool, optional
            Positions in θ, such as `MLP.block` gives, each named once; or a mask, of shape (P,).

        Raises
        ------
        TypeError, ValueError
            As for `hessian`; or if the result has no room in memory, with its size.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([1, 1, 1], "square", bias=False)
        >>> obj = ho.Objective(net, [[1.0], [2.0]], [1.0, 0.0])
        >>> obj.per_sample_hessians([1.0, 1.0])  # of ½ (v w² x² − y)² in w and v
        array([[[ 4.,  2.],
                [ 2.,  1.]],
        <BLANKLINE>
               [[96., 64.],
                [64., 16.]]])
        """
        core, at, chosen = self._part_of(theta, parameters)
        chosen = chosen or list(range(self.num_parameters))
        count = len(chosen)
        what = f"the Hessians of {number_of(self.num_samples, 'sample')} in {number_of(count, 'parameter')}"
        _memory.check_room((self.num_samples, count, count), at, what, FEWER)
        return core.sample_hessians(at, chosen)

    def empirical_fisher(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the empirical Fisher matrix Σ_n w_n g_n g_nᵀ / Σ_n w_n + l2·I, of shape (P, P).

        The g_n are `per_sample_gradients`; the matrix is the second moment of the gradients over the samples, scaled as
        `hessian` and `gauss_newton` are: a mean over samples with weights once (not squared), and weight decay as the
        Hessian has it. Positive semidefinite, and symmetric to the last bit. Of some `parameters` it is a principal
        block, as for `hessian`. Takes N·P² operations, and memory for the result and a chunk of samples.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
        parameters : array_like of int or bool, optional
            Positions in θ, such as `MLP.block` gives, each named once; or a mask, of shape (P,).

        Notes
        -----
        Targets are those of the data, not drawn from the model. With targets drawn from it, the matrix would be the
        Fisher matrix, which is the Gauss–Newton matrix for ``"squared_error"``, ``"cross_entropy"``, ``"logistic"`` and
        ``"poisson"``; the empirical one is near that only where the model fits and its noise is that of the likelihood,
        and vanishes with the residuals, where the Hessian does not [1]_. It is quadratic in the loss: twice the loss,
        as torch's ``MSELoss`` has it for one output, makes it four times as large and the Hessian twice.

        References
        ----------
        .. [1] Kunstner, Balles and Hennig, "Limitations of the empirical Fisher approximation for natural gradient
           descent", NeurIPS 2019.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> G = obj.per_sample_gradients([0.5, 0.5])
        >>> obj.empirical_fisher([0.5, 0.5])
        array([[1.125, 2.25 ],
               [2.25 , 4.5  ]])
        >>> bool((obj.empirical_fisher([0.5, 0.5]) == G.T @ G / 2).all())
        True
        """
        core, at, chosen = self._part_of(theta, parameters)
        return core.empirical_fisher(at, chosen)

    def hessian_diagonal(self, theta: ArrayLike) -> Array:
        """Returns the diagonal of the Hessian, of shape (P,), without forming it.

        The cost is about two gradients with up to one hidden layer; with more hidden layers it takes up to K of them.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.hessian_diagonal([0.5, 0.5])
        array([5. , 2.5])
        """
        core, at = self._at(theta)
        return core.hessian_diagonal(at)

    def hessian_trace(self, theta: ArrayLike) -> Any:
        """Returns the trace of the Hessian, a float, for the cost of `hessian_diagonal`.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.hessian_trace([0.5, 0.5])
        7.5
        """
        diagonal = self.hessian_diagonal(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            return as_scalar(np.add.reduce(diagonal, axis=-1))

    def hvp(self, theta: ArrayLike, v: ArrayLike) -> Array:
        """Returns products ∇²L(θ) v of the Hessian with vectors, of the shape of v, without forming the Hessian.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
        v : array_like, shape (P,), (P, m), or (B, P, m)
            One vector, or several as columns, the same for every θ of a batch; or, with three axes, columns for each.

        Notes
        -----
        By the R-operator [1]_; one product costs two to three gradients.

        References
        ----------
        .. [1] Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994).

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> obj.hvp([0.5, 0.5], [1.0, 0.0])
        array([ 5. , -0.5])
        """
        core, at = self._at(theta)
        return products(core, at, self._vectors(v, at))

    def restricted(self, theta: ArrayLike, free: ArrayLike) -> RestrictedObjective:
        """Returns the loss as a function of the parameters `free` alone, the others held at θ: an objective too.

        Parameters
        ----------
        theta : array_like, shape (P,)
        free : array_like of int or bool
            Positions in θ, such as `MLP.block` gives, each named once; or a mask, of shape (P,).

        Returns
        -------
        RestrictedObjective

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([1, 1, 1], "relu", bias=False)
        >>> obj = ho.Objective(net, [[1.0], [2.0]], [3.0, 6.0])
        >>> sub = obj.restricted([0.5, 1.0], free=net.block(layer=1, part="weights"))
        >>> result = ho.minimize(sub, [0.5])
        >>> result.x, sub.full(result.x)
        (array([3.]), array([3., 1.]))
        """
        return RestrictedObjective(self, theta, free)

    def _part(self, theta: Array, positions: Array) -> tuple[Any, Array]:
        """The loss, and the gradient in some parameters; of restricted objectives."""
        value, gradient = self.value_and_gradient(theta)
        return value, np.ascontiguousarray(gradient[..., positions])

    def _factor_part(self, theta: Array, positions: Array) -> Array:
        """A factor of the Gauss–Newton matrix of some parameters; of restricted objectives."""
        return np.ascontiguousarray(self.gauss_newton_factor(theta)[..., positions])

    def _part_of(self, theta: ArrayLike, parameters: ArrayLike | None) -> tuple[Compiled, Array, list[int]]:
        """The compiled objective for theta's precision, theta, and the parameters asked for; none stand for all."""
        core, at = self._at(theta)
        return core, at, [] if parameters is None else self._positions(parameters)

    def _neuron_blocks(self, theta: ArrayLike, matrix: str) -> Array:
        """The blocks of all neurons' incoming parameters, one after the other, flat."""
        core, at = self._at(theta)
        return core.neuron_blocks(at, matrix == "gauss_newton")

    def _positions(self, parameters: ArrayLike) -> list[int]:
        return _checks.positions(parameters, self.net.num_parameters, "parameters")

    def _vectors(self, v: ArrayLike, theta: Array) -> Array:
        """Checks v, and gives it in theta's precision."""
        if theta.dtype is FLOAT64 and is_plain(v, self._plain_shape):
            return v
        count = self.net.num_parameters
        vectors = _checks.cast(_checks.as_floats(v, "v"), theta.dtype, "v", "theta")
        batched = theta.ndim == 2 and vectors.ndim == 3
        expected = (len(theta), count) if batched else (count,)
        if vectors.ndim not in (1, 2, 2 + batched) or vectors.shape[: len(expected)] != expected:
            own = f", or ({len(theta)}, {count}, m)" if theta.ndim == 2 else ""
            raise _checks.shape_error("v", f"({count},) or ({count}, m){own}", vectors.shape)
        return vectors

    def hessian_operator(self, theta: ArrayLike) -> LinearOperator:
        """Returns the Hessian at one θ as a SciPy linear operator, of shape (P, P), that never forms it.

        Symmetric; for ``scipy.sparse.linalg.eigsh``, ``cg`` and the like. A batch is a ValueError.

        Examples
        --------
        >>> import hessorbit as ho
        >>> obj = ho.Objective(ho.MLP([2, 1], bias=False), [[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
        >>> operator = obj.hessian_operator([0.5, 0.5])
        >>> operator @ [0.0, 2.0]
        array([-1.,  5.])
        """
        from scipy.sparse.linalg import LinearOperator

        _, at = self._at(theta)
        if at.ndim != 1:
            raise _checks.shape_error("theta", f"({self.net.num_parameters},)", at.shape)
        product = partial(self.hvp, at.copy())  # unlike a function of this place it can be pickled
        shape = (len(at), len(at))
        return LinearOperator(shape, matvec=product, rmatvec=product, matmat=product, rmatmat=product, dtype=at.dtype)


def is_plain(array: Any, shape: tuple[int, ...] | None) -> TypeGuard[Array]:
    """Whether an argument may go to the core as it is. What most calls bring; all else takes the slower checks."""
    return (
        type(array) is ndarray
        and array.dtype is FLOAT64
        and array.shape == shape
        and (flags := array.flags).c_contiguous
        and flags.aligned
        and all_finite(array)
    )


def products(core: Compiled, theta: Array, v: Array) -> Array:
    """H(θ) v; theta (P,) with v (P,) or (P, m), or theta (B, P) with v shared or (B, P, m)."""
    if v.ndim == 1:
        return core.hvp(theta, v.reshape(1, -1)).reshape(theta.shape)
    rows = np.ascontiguousarray(np.swapaxes(v, -1, -2))
    return np.ascontiguousarray(np.swapaxes(core.hvp(theta, rows), -1, -2))


def weights(sample_weight: ArrayLike, samples: int) -> Array:
    weight = _checks.as_floats(sample_weight, "sample_weight")
    if weight.shape != (samples,):
        raise _checks.shape_error("sample_weight", f"({samples},), a weight for each sample of x", weight.shape)
    if (weight < 0).any():
        n = int((weight < 0).argmax())
        raise ValueError(f"sample_weight must not be negative; sample_weight[{n}] is {weight[n]}")
    if not weight.any():
        raise ValueError("sample_weight must not sum to zero; all weights are 0")
    with np.errstate(over="ignore"):
        if not np.isfinite(weight.sum()):
            raise ValueError(f"sample_weight must have a finite sum; it overflows, with weights up to {weight.max()}")
    return weight
