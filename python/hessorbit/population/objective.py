"""The expected loss of a student of a teacher over normal inputs, and its exact derivatives in θ.

    L(θ) = ½ E ‖f(x; θ) − f*(x)‖² + (l2/2) ‖θ‖²,    x ~ N(μ, Σ)

Expectations are sums over pairs of neurons of integrals over the plane of their weights, which the compiled core does.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _core
from .._blas import calm_blas
from .._checks import FLOAT64, Array
from .._norms import norm
from .._own_points import chosen_here
from .._words import number_of
from ..any_objective import AnyObjective, as_scalar, read_only
from ..decomposition import symmetric_eigen
from ..network import DEFAULT_OUTPUT, MLP
from ..restricted import RestrictedObjective, whole
from ..targets import LOSSES
from .product import CompressedHessian, compression
from .signed_network import Layer, difference, hidden_names, layer_of, neurons_of, parities, positions_of, pull_back
from .whitening import whitening

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

LOSS, GRADIENT, CURVATURE = range(3)
NONE = np.arange(0)
MOST_CORES = 4
FINER = 1.5  # steps of the quadrature are divided by this to estimate its error
ROUNDING = 2.0**-49  # of a Hessian, relative to its largest entry


class PopulationObjective:
    """A population objective is the expected loss of a student of a teacher over normal inputs, as a function of θ.

    ``L(θ) = ½ E‖f(x; θ) − f*(x)‖² + (l2/2) ‖θ‖²`` for x ~ N(μ, Σ): what `Objective` with the squared error tends to as
    samples become many. Student and teacher have one hidden layer each, of any activations, which may differ between
    them and from neuron to neuron; the outputs are linear.

    Every method takes `theta`, array_like of shape (P,), or (B, P) for a batch, and then its result gains a leading
    axis of length B; shapes of results are given for one θ. The precision is float64. The same θ gives the same bits
    whatever the number of threads.

    Parameters
    ----------
    net : MLP
        The student, with one hidden layer.
    teacher : MLP
        With one hidden layer too, and as many inputs and outputs.
    theta_teacher : array_like, shape (P_teacher,)
    mean : array_like, shape (d,), optional
        μ; by default 0.
    covariance : array_like, shape (d, d), optional
        Σ, positive semidefinite; by default the identity.
    loss : {"squared_error"}
        The only loss whose expectations are known.
    l2 : float
        Coefficient of ½‖θ‖², biases included; at least 0.
    tolerance : float
        Error of quadrature that is aimed at, relative to the largest entry of a result. Where `error` finds more, a
        RuntimeWarning says so.
    threads : int, optional
        Number of threads; by default what OpenMP would use, which threadpoolctl governs.

    Attributes
    ----------
    net, teacher : MLP
    theta_teacher : ndarray
    mean, covariance : ndarray or None
    loss_name : str
        ``"squared_error"``.
    l2, tolerance : float
    threads : int or None

    Raises
    ------
    TypeError, ValueError
        If a network has not exactly one hidden layer and linear outputs, the two do not fit, or an argument has the
        wrong type, shape or range.

    Notes
    -----
    A derivative of the loss is a sum over pairs of neurons of moments E[φ(z_a) ψ(z_b) tᵏ] with φ, ψ among σ, σ', σ'',
    which live on the plane of the two weights [1]_. They have closed forms, by Owen's T function [2]_, where both
    activations are among identity, square, cube, relu, leaky_relu, erf, normal_cdf, gelu and exp, and where one is sin
    or cos and the other sin, cos, exp, identity, square or cube. Where one is any of these, elu or selu, its mean
    across the line of the other one's weights has a closed form, and one integral is left; only tanh, sigmoid, silu,
    softplus, softsign and g with each other need two. Integrals are done by quadrature: equal steps integrate what is
    analytic to rounding, Gauss–Legendre panels split at kinks the rest. Where σ' jumps, as relu's does, σ'' has a
    delta, which the Hessian contains: unlike a Hessian on samples.

    Costs (m + r)² pairs for m student and r teacher neurons, about 1 µs each in closed form, 10 with one integral and 5
    to 50 with two, and for the Hessian O(m² d²) besides. Moments of the teacher with itself are kept. Neurons that
    compute the same are one, so that where a student has its teacher's neurons the residual is exactly 0.

    At weights of 0, where the loss of a student with kinks has no derivative, σ' and σ'' are what torch returns.

    References
    ----------
    .. [1] Saad and Solla, "On-line learning in soft committee machines", Physical Review E 52 (1995).
    .. [2] Owen, "Tables for computing bivariate normal probabilities", Annals of Mathematical Statistics 27 (1956).

    Examples
    --------
    A soft committee machine with weights of 0 and one with the teacher's:

    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([2, 2, 1], "erf", bias=False)
    >>> teacher = net.flatten([(np.eye(2), None), ([[1.0, 1.0]], None)])
    >>> pop = ho.PopulationObjective(net, net, teacher)
    >>> round(pop.loss(net.flatten([(np.zeros((2, 2)), None), ([[1.0, 1.0]], None)])), 12)
    0.333333333333
    >>> pop.loss(teacher)
    0.0
    """

    loss_name = "squared_error"

    def __init__(
        self,
        net: MLP,
        teacher: MLP,
        theta_teacher: ArrayLike,
        *,
        mean: ArrayLike | None = None,
        covariance: ArrayLike | None = None,
        loss: str = "squared_error",
        l2: float = 0.0,
        tolerance: float = 1e-12,
        threads: int | None = None,
    ) -> None:
        self.net, self.teacher = shallow(net, "net"), shallow(teacher, "teacher")
        inputs, _, outputs = net.widths
        if (teacher.widths[0], teacher.widths[-1]) != (inputs, outputs):
            raise ValueError(
                f"teacher must have the student's {number_of(inputs, 'input')} and {number_of(outputs, 'output')}; "
                f"got {teacher.widths[0]} and {teacher.widths[-1]}"
            )
        self.theta_teacher = read_only(float64_vector(theta_teacher, teacher.num_parameters, "theta_teacher"))
        if _checks.one_of(loss, tuple(LOSSES), "loss") != self.loss_name:
            raise ValueError(
                f"loss must be {self.loss_name!r}, the only one whose expectations are known; got {loss!r}, which "
                f"Objective has on samples"
            )
        self._whiten = whitening(mean, covariance, inputs)
        self.mean = None if mean is None else read_only(_checks.as_floats(mean, "mean"))
        self.covariance = None if covariance is None else read_only(_checks.as_floats(covariance, "covariance"))
        self.l2 = _checks.real(l2, "l2", minimum=0.0)
        self.tolerance = tolerance_between_0_and_1(tolerance)
        self.threads = _checks.threads(threads) or None
        self._parities = parities(net)
        self._teacher = layer_of(teacher, self.theta_teacher, self._whiten, parities(teacher))
        # Compiled losses, by the student neurons in whose parameters they are differentiated; and the one for `pull`.
        self._cores: dict[tuple[int, ...], _core.Population] = {}
        self._pair: _core.Population | None = None
        self._longest_checked = -1.0  # weights up to this length have met the tolerance, or been warned of

    def __reduce__(self) -> tuple[Any, ...]:
        options: dict[str, Any] = {
            "mean": self.mean, "covariance": self.covariance, "l2": self.l2, "tolerance": self.tolerance,
            "threads": self.threads
        }  # fmt: skip
        return partial(PopulationObjective, **options), (self.net, self.teacher, self.theta_teacher)

    def __repr__(self) -> str:
        parts = [repr(self.net), f"teacher={self.teacher!r}"]
        parts += [f"{name}=..." for name in ("mean", "covariance") if getattr(self, name) is not None]
        if self.l2:
            parts.append(f"l2={self.l2!r}")
        return f"PopulationObjective({', '.join(parts)})"

    @property
    def num_parameters(self) -> int:
        """P, the length of θ."""
        return self.net.num_parameters

    def loss(self, theta: ArrayLike) -> Any:
        """Returns the loss L(θ), a float.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> round(pop.loss([1.0, 1.0, 1.0]), 12)  # ½ E[x₂²]
        0.5
        """
        at = self._at(theta)
        if at.ndim == 1:
            return self._derivatives(at, LOSS)[0]
        return np.array([self._derivatives(one, LOSS)[0] for one in at])

    def gradient(self, theta: ArrayLike) -> Array:
        """Returns the gradient ∇L(θ), of shape (P,).

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> pop.gradient([1.0, 1.0, 1.0]).round(12) + 0.0
        array([0., 1., 1.])
        """
        return each(self._at(theta), lambda one: self._derivatives(one, GRADIENT)[1])

    def value_and_gradient(self, theta: ArrayLike) -> tuple[Any, Array]:
        """Returns the pair of `loss` and `gradient`, for the cost of the gradient.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> value, gradient = pop.value_and_gradient([1.0, 1.0, 1.0])
        >>> round(value, 12), gradient.round(12) + 0.0
        (0.5, array([0., 1., 1.]))
        """
        at = self._at(theta)
        if at.ndim == 1:
            value, gradient, _ = self._derivatives(at, GRADIENT)
            return value, gradient
        pairs = [self._derivatives(one, GRADIENT)[:2] for one in at]
        gradients = np.array([gradient for _, gradient in pairs]).reshape(at.shape)
        return np.array([value for value, _ in pairs]), gradients

    def hessian(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the Hessian ∇²L(θ), of shape (P, P), symmetric to the last bit.

        It contains the deltas of σ'' where σ' jumps: the Hessian on samples, which has none, does not tend to it there.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
        parameters : array_like of int or bool, optional
            Positions in θ, such as `MLP.block` gives, each named once; or a mask, of shape (P,). Then only the
            principal block of these p parameters is formed, of shape (p, p), its rows in their order: for the cost of
            the integrals, and of the blocks between the neurons that have these parameters.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> pop.hessian([1.0, 1.0, 1.0]).round(12) + 0.0
        array([[1., 0., 1.],
               [0., 1., 2.],
               [1., 2., 2.]])
        >>> pop.hessian([1.0, 1.0, 1.0], parameters=[2]).round(12)
        array([[2.]])
        """
        return self._matrix(theta, parameters, gauss_newton=False)

    def gauss_newton(self, theta: ArrayLike, *, parameters: ArrayLike | None = None) -> Array:
        """Returns the Gauss–Newton matrix E[JᵀJ] + l2·I, J = ∂f(x; θ)/∂θ, of shape (P, P); positive semidefinite.

        Of some `parameters` it is a principal block, as for `hessian`.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> pop.gauss_newton([1.0, 1.0, 1.0]).round(12) + 0.0
        array([[1., 0., 1.],
               [0., 1., 1.],
               [1., 1., 2.]])
        """
        return self._matrix(theta, parameters, gauss_newton=True)

    def _matrix(self, theta: ArrayLike, parameters: ArrayLike | None, *, gauss_newton: bool) -> Array:
        at, count = self._at(theta), self.num_parameters
        if parameters is None:
            return each(at, lambda one: self._derivatives(one, CURVATURE, gauss_newton=gauss_newton)[2], 2)
        chosen = np.array(_checks.positions(parameters, count, "parameters"))
        neurons, rows = self._neurons(chosen)

        def block(one: Array) -> Array:
            self._check_tolerance(one)
            matrix = self._evaluate(one, CURVATURE, gauss_newton, 1.0, neurons)[2]
            return np.ascontiguousarray(matrix[np.ix_(rows, rows)])

        return each(at, block, 2, len(chosen))

    def _neurons(self, parameters: Array) -> tuple[Array, Array]:
        """The neurons that have some parameters, and where these are among those of `positions_of` them."""
        neurons = neurons_of(self.net, parameters)
        positions = positions_of(self.net, neurons)
        place = np.empty(self.num_parameters, int)
        place[positions] = np.arange(len(positions))
        return neurons, place[parameters]

    def _part(self, theta: Array, positions: Array) -> tuple[Any, Array]:
        """The loss, and the gradient in some parameters; of restricted objectives."""
        neurons, rows = self._neurons(positions)
        at, values, gradients = self._at(theta), [], []
        for one in at.reshape(-1, self.num_parameters):
            self._check_tolerance(one)
            value, gradient, _ = self._evaluate(one, GRADIENT, False, 1.0, neurons)
            values.append(value)
            gradients.append(gradient[rows])
        if at.ndim == 1:
            return values[0], gradients[0]
        return np.array(values), np.array(gradients).reshape(len(at), len(positions))

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
        A committee learns with its outgoing weights held at 1:

        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 2, 1], "erf", bias=False)
        >>> teacher = net.flatten([(np.eye(2), None), ([[1.0, 1.0]], None)])
        >>> pop = ho.PopulationObjective(net, net, teacher)
        >>> sub = pop.restricted(teacher, free=net.block(layer=1, part="weights"))
        >>> result = ho.minimize(sub, [0.9, 0.2, -0.1, 0.6])
        >>> bool(abs(result.x - np.eye(2).ravel()).max() < 1e-8)
        True
        """
        return RestrictedObjective(self, theta, free)

    def gauss_newton_factor(self, theta: ArrayLike) -> Array:
        """Returns a square matrix F such that the Gauss–Newton matrix is FᵀF + l2·I, of shape (P, P).

        From the eigenvectors of the matrix, as there are no samples; eigenvalues within its rounding are taken to be 0.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> F = pop.gauss_newton_factor([1.0, 1.0, 1.0])
        >>> np.allclose(F.T @ F, pop.gauss_newton([1.0, 1.0, 1.0]))
        True
        """
        return self._factor_part(theta, None)

    def _factor_part(self, theta: ArrayLike, positions: Array | None) -> Array:
        """A factor of the Gauss–Newton matrix of some parameters, with orthogonal rows; of restricted objectives."""
        matrices = self.gauss_newton(theta, parameters=positions)
        if matrices.ndim == 2:
            return self._root(matrices)
        return np.array([self._root(one) for one in matrices]).reshape(matrices.shape)

    def _root(self, gauss_newton: Array) -> Array:
        """F with FᵀF + l2·I the matrix (P, P), whose rows are eigenvectors."""
        if not _core.all_finite(gauss_newton):
            return np.full_like(gauss_newton, np.nan)
        with calm_blas(len(gauss_newton)):
            values, vectors = symmetric_eigen(gauss_newton - self.l2 * np.eye(len(gauss_newton)), vectors=True)
        floor = ROUNDING * len(values) * float(np.abs(values).max())
        return np.asarray(np.sqrt(np.where(values > floor, values, 0.0))[:, None] * vectors.T)

    def pull(self, theta: ArrayLike, ahead: ArrayLike) -> Array:
        """Returns E[J(θ)ᵀ (f(x; ahead) − f(x; θ))], of shape (P,): the way of the outputs to another θ, seen from here.

        It costs a gradient for a teacher as wide as the student.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([1, 1, 1], "identity", bias=False)  # f = v w x
        >>> ho.PopulationObjective(net, net, [1.0, 1.0]).pull([1.0, 2.0], [1.0, 3.0])
        array([2., 1.])
        """
        at, other = (float64_vector(each, self.num_parameters, "theta") for each in (theta, ahead))
        here, there = (layer_of(self.net, one, self._whiten, self._parities) for one in (at, other))
        signed = difference(here, here.part(NONE), there)
        if self._pair is None:
            self._pair = self._compiled(2 * hidden_names(self.net), self.net.widths[1])
        with np.errstate(over="ignore", invalid="ignore"):
            gradient = self._pair.derivatives(*signed.arrays, GRADIENT, False, 1.0)[1]
            return -pull_back(self.net, here, self._whiten, gradient)

    def size(self, theta: ArrayLike) -> float:
        """Returns ½ (Σ_a ‖v_a‖ √E[σ_a²])² over all neurons of student and teacher: the loss, if none cancelled.

        The loss is known to rounding of this number, however small it is: a loss of 1e-20 is not told from 0.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> round(pop.size([1.0, 0.0, 1.0]), 12), pop.loss([1.0, 0.0, 1.0])
        (2.0, 0.0)
        """
        layer = layer_of(self.net, float64_vector(theta, self.num_parameters, "theta"), self._whiten, self._parities)
        bias = float(np.linalg.norm(layer.output_bias - self._teacher.output_bias))
        return (self._length(layer, hidden_names(self.net)) + self._teacher_length + bias) ** 2 / 2

    @cached_property
    def _teacher_length(self) -> float:
        return self._length(self._teacher, hidden_names(self.teacher))

    def _length(self, layer: Layer, names: list[tuple[str, float]]) -> float:
        """Σ_a ‖v_a‖ √E[σ_a²] of a layer."""
        alone, total = np.array([[1.0], [0.0]]), 0.0
        for i, name in enumerate(names):
            core = self._compiled([name], 0)
            half = core.derivatives(layer.incoming[i : i + 1], layer.bias[i : i + 1], alone, LOSS, False, 1.0)[0]
            total += float(np.linalg.norm(layer.outgoing[i])) * float(np.sqrt(2 * half))
        return total

    def _compiled(self, names: list[tuple[str, float]], students: int) -> _core.Population:
        return _core.Population(names, students, self.tolerance, self.threads or 0)

    def hessian_diagonal(self, theta: ArrayLike) -> Array:
        """Returns the diagonal of the Hessian, of shape (P,), for the cost of the Hessian; in many inputs, of `hvp`.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> pop.hessian_diagonal([1.0, 1.0, 1.0]).round(12)
        array([1., 1., 2.])
        """

        def diagonal(one: Array) -> Array:
            layer = layer_of(self.net, one, self._whiten, self._parities)
            if self._is_wide(layer):
                self._check_tolerance(one)
                return self._compressed(layer, 1.0).diagonal()
            return np.ascontiguousarray(np.diagonal(self.hessian(one)))

        return each(self._at(theta), diagonal)

    def hessian_trace(self, theta: ArrayLike) -> Any:
        """Returns the trace of the Hessian, a float, for the cost of `hessian_diagonal`.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> round(pop.hessian_trace([1.0, 1.0, 1.0]), 12)
        4.0
        """
        return as_scalar(np.add.reduce(self.hessian_diagonal(theta), axis=-1))

    def hvp(self, theta: ArrayLike, v: ArrayLike) -> Array:
        """Returns products ∇²L(θ) v of the Hessian with vectors, of the shape of v.

        The Hessian is formed once for all, but in the span of all weights only if there are more inputs than neurons:
        then its size does not grow with the inputs.

        Parameters
        ----------
        theta : array_like, shape (P,) or (B, P)
        v : array_like, shape (P,), (P, m), or (B, P, m)
            One vector, or several as columns, the same for every θ of a batch; or, with three axes, columns for each.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> pop.hvp([1.0, 1.0, 1.0], [0.0, 1.0, 0.0]).round(12) + 0.0
        array([0., 1., 2.])
        """
        at = self._at(theta)
        vectors = _checks.cast(_checks.as_floats(v, "v"), FLOAT64, "v", "theta")
        batched = at.ndim == 2 and vectors.ndim == 3
        count = self.num_parameters
        expected = (len(at), count) if batched else (count,)
        if vectors.ndim not in (1, 2, 2 + batched) or vectors.shape[: len(expected)] != expected:
            own = f", or ({len(at)}, {count}, m)" if at.ndim == 2 else ""
            raise _checks.shape_error("v", f"({count},) or ({count}, m){own}", vectors.shape)
        if at.ndim == 1:
            return self._product(at)(vectors)
        found = [self._product(one)(v) for one, v in zip(at, vectors if batched else [vectors] * len(at), strict=True)]
        return np.array(found) if found else np.zeros((0, *vectors.shape[batched:]))

    def _product(self, theta: Array) -> Callable[[Array], Array]:
        """The product of the Hessian at θ (P,) with vectors (P,) or columns (P, n)."""
        layer = layer_of(self.net, theta, self._whiten, self._parities)
        if self._is_wide(layer):
            self._check_tolerance(theta)
            return self._compressed(layer, 1.0).product
        return partial(times, self.hessian(theta))  # unlike a function of this place it can be pickled

    def _is_wide(self, layer: Layer) -> bool:
        """Whether the weights span fewer dimensions than there are inputs, with one to spare."""
        return bool(layer.incoming.shape[1] > len(layer.bias) + len(self._teacher.bias) + 1)

    def _compressed(self, layer: Layer, fineness: float) -> CompressedHessian:
        """The Hessian in the span of all weights."""
        compressed = compression(difference(layer, layer.part(NONE), self._teacher))
        core = self._core(np.arange(len(layer.bias)))
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = core.derivatives(*compressed.signed.arrays, CURVATURE, False, fineness)[2]
        return CompressedHessian(self.net, layer, self._whiten, self.l2, compressed.basis, matrix)

    def hessian_operator(self, theta: ArrayLike) -> LinearOperator:
        """Returns the Hessian at one θ as a SciPy linear operator, of shape (P, P); it computes it once, as `hvp`.

        Examples
        --------
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 1, 1], "identity", bias=False)  # f = v (w₁ x₁ + w₂ x₂)
        >>> pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0])
        >>> (pop.hessian_operator([1.0, 1.0, 1.0]) @ [0.0, 1.0, 0.0]).round(12) + 0.0
        array([0., 1., 2.])
        """
        from scipy.sparse.linalg import LinearOperator

        at = float64_vector(theta, self.num_parameters, "theta")
        product, shape = self._product(at.copy()), (len(at), len(at))
        return LinearOperator(shape, matvec=product, rmatvec=product, matmat=product, rmatmat=product, dtype=FLOAT64)

    def error(self, theta: ArrayLike) -> float:
        """Returns an estimate of the error of any entry of the Hessian at θ (P,): of quadrature, and of rounding.

        It is what the entries change by as all steps of the quadrature become shorter by a third and closed forms are
        evaluated in extended precision, where long double has one; this costs about three Hessians. The errors of the
        rules shrink so fast that this is the error of the longer steps.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([2, 3, 1])
        >>> teacher, theta = net.init(np.random.default_rng(0), size=2)
        >>> ho.PopulationObjective(net, net, teacher).error(theta) < 1e-13
        True
        """
        return self._errors(float64_vector(theta, self.num_parameters, "theta"))[0]

    def _loss_error(self, theta: Array, loss: float | None = None) -> float:
        """The error of the quadrature that the loss rests on, by a finer one; inf if it overflows.

        Where the error falls at least as the step does, it is at most the difference over 1 − 1/FINER.
        """
        coarse = self._evaluate(theta, LOSS, False, 1.0)[0] if loss is None else loss
        fine = self._evaluate(theta, LOSS, False, FINER)[0]
        return abs(fine - coarse) / (1 - 1 / FINER) if math.isfinite(coarse) and math.isfinite(fine) else math.inf

    def _errors(self, theta: Array) -> tuple[float, float]:
        """The error of entries, and their size."""
        coarse, fine = (self._entries(theta, fineness) for fineness in (1.0, FINER))
        size = float(np.abs(fine).max())
        with np.errstate(invalid="ignore"):
            return float(np.abs(fine - coarse).max()) + ROUNDING * size, size

    def _entries(self, theta: Array, fineness: float) -> Array:
        """The Hessian, or in many inputs that of the span of all weights, whose entries are as large and as precise."""
        layer = layer_of(self.net, theta, self._whiten, self._parities)
        if not self._is_wide(layer):
            return self._evaluate(theta, CURVATURE, False, fineness)[2]
        return self._compressed(layer, fineness).matrix * self._whiten.largest_row * max(self.net.multipliers) ** 2

    def _at(self, theta: ArrayLike) -> Array:
        at = _checks.parameters(theta, self.num_parameters)
        if _checks.is_extended(at):
            raise TypeError("theta must be float64, the precision of a PopulationObjective; got longdouble")
        return at

    def _derivatives(self, theta: Array, order: int, *, gauss_newton: bool = False) -> tuple[float, Array, Array]:
        """Loss, gradient and the matrix asked for, up to `order`; theta (P,)."""
        self._check_tolerance(theta)
        return self._evaluate(theta, order, gauss_newton, 1.0)

    def _evaluate(
        self, theta: Array, order: int, gauss_newton: bool, fineness: float, neurons: Array | None = None
    ) -> tuple[float, Array, Array]:
        """The same; if neurons are given, derivatives in their parameters, in the order of `positions_of`."""
        layer = layer_of(self.net, theta, self._whiten, self._parities)
        everything = np.arange(len(layer.bias))
        mine = everything if neurons is None else neurons
        student, held = layer.part(mine), layer.part(np.delete(everything, mine))
        signed = difference(student, held, self._teacher)
        with np.errstate(over="ignore", invalid="ignore"):
            loss, gradient, matrix = self._core(mine).derivatives(*signed.arrays, order, gauss_newton, fineness)
            if math.isnan(loss):  # terms of both signs beyond the range; no sum of squares is less than the largest
                loss = math.inf
            pull = partial(pull_back, self.net, student, self._whiten)
            if order >= GRADIENT:
                gradient = pull(gradient)
            if order >= CURVATURE:
                matrix = pull(pull(matrix).T)
                matrix = np.ascontiguousarray((matrix + matrix.T) / 2)
            if self.l2:
                loss = loss + self.l2 / 2 * float(theta @ theta)
                if order >= GRADIENT:
                    gradient = gradient + self.l2 * theta[positions_of(self.net, mine)]
                if order >= CURVATURE:
                    matrix[np.diag_indices(len(matrix))] += self.l2
        return loss, gradient, matrix

    def _core(self, neurons: Array) -> _core.Population:
        """The compiled loss whose derivatives are in the parameters of these neurons; a few are kept."""
        key = tuple(neurons.tolist())
        found = self._cores.pop(key, None)
        if found is None:
            names = hidden_names(self.net)
            others = [name for i, name in enumerate(names) if i not in set(key)]
            found = self._compiled([*(names[i] for i in key), *others, *hidden_names(self.teacher)], len(key))
        self._cores[key] = found
        while len(self._cores) > MOST_CORES:
            del self._cores[next(iter(self._cores))]
        return found

    def _check_tolerance(self, theta: Array) -> None:
        """Warn where the tolerance is not met.

        Steeper neurons are harder, so this looks at θ whose steepest neuron is twice as steep as any before. Points of
        the library's own choosing are not looked at: what is found out there says what its errors are.
        """
        if chosen_here.get():
            return
        layer = layer_of(self.net, theta, self._whiten, self._parities)
        length = float(norm(layer.incoming, 1).max(initial=0.0))
        if length <= self._longest_checked:
            return
        self._longest_checked = 2 * length
        error, size = self._errors(theta)
        if not error <= max(self.tolerance, 2 * ROUNDING) * size:
            much = f"more than tolerance = {self.tolerance:g} times the largest entry, {size:.1e}"
            warnings.warn(
                f"entries of the Hessian of {self!r} have errors up to {np.nan_to_num(error, nan=np.inf):.1e}, "
                f"{much if np.isfinite(size) else 'as some overflow'}: smaller weights would help",
                RuntimeWarning,
                stacklevel=4,
            )


def times(matrix: Array, vectors: Array) -> Array:
    """The product, not a number where the matrix is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(matrix @ vectors)


def each(theta: Array, function: Callable[[Array], Array], axes: int = 1, length: int | None = None) -> Array:
    """The result of a function of one θ, with so many axes of a length, by default P; or those for each of a batch."""
    if theta.ndim == 1:
        return function(theta)
    results = [function(one) for one in theta]
    return np.array(results) if results else np.zeros((0, *[length or theta.shape[1]] * axes))


def shallow(net: MLP, name: str) -> MLP:
    """Refuses networks whose expectations are not known: all but those with one hidden layer and linear outputs."""
    _checks.instance(net, MLP, name)
    if net.num_layers != 2:
        raise ValueError(
            f"{name} must have exactly one hidden layer, as in MLP([d, m, K]); got {net.num_layers - 1} in {net!r}"
        )
    if set(net.activations[-1]) != {DEFAULT_OUTPUT}:  # which is linear
        raise ValueError(f"{name} must have linear outputs, as squared errors of others are not supported; got {net!r}")
    return net


def float64_vector(value: ArrayLike, count: int, name: str) -> Array:
    theta = _checks.parameter_vector(value, count, name)
    if _checks.is_extended(theta):
        raise TypeError(f"{name} must be float64, the precision of a PopulationObjective; got longdouble")
    return theta


def tolerance_between_0_and_1(value: float) -> float:
    tolerance = _checks.positive(value, "tolerance")
    if tolerance >= 1:
        raise ValueError(f"tolerance must be below 1; got {tolerance!r}")
    return tolerance


def warn_of_errors(obj: AnyObjective, theta: Array) -> None:
    """Warns of errors of quadrature above the tolerance, if the objective is a population's or a part of one."""
    population, at = whole(obj, theta)
    if isinstance(population, PopulationObjective) and _core.all_finite(at):
        population._check_tolerance(at)
