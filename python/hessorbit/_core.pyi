"""Signatures of the compiled module. T is float64 or longdouble; arrays are C-contiguous and already checked."""

import enum
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeVar, final

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T", np.float64, np.longdouble)

class _Pybind11Type(type): ...

def choose_level(requested: str | None, built: Sequence[str], supported: Sequence[str]) -> str: ...
def config() -> dict[str, Any]: ...

# numbers in a SIMD vector of this level
lanes: int

def all_finite(a: NDArray[_T]) -> bool: ...
def activation_table() -> list[dict[str, Any]]: ...
def loss_table() -> list[dict[str, Any]]: ...
def loss_derivatives(
    name: str, parameter: float, f: NDArray[_T], y: NDArray[_T]
) -> tuple[NDArray[_T], NDArray[_T], NDArray[_T]]: ...
def activation_properties(name: str, parameter: float) -> dict[str, Any]: ...
def activation_derivatives(
    name: str, parameter: float, z: NDArray[_T]
) -> tuple[NDArray[_T], NDArray[_T], NDArray[_T]]: ...

@final
class Network(metaclass=_Pybind11Type):
    def __init__(
        self,
        widths: list[int],
        activations: list[list[tuple[str, float, int]]],
        biases: list[bool],
        parametrization: str,
    ) -> None: ...
    @property
    def num_parameters(self) -> int: ...
    @property
    def multipliers(self) -> list[float]: ...

def outputs(network: Network, theta: NDArray[_T], x: NDArray[_T], threads: int) -> NDArray[_T]: ...

@final
class Objective(metaclass=_Pybind11Type):
    def __init__(
        self,
        network: Network,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        weight: NDArray[np.float64],
        loss: str,
        parameter: float,
        l2: float,
        threads: int,
    ) -> None: ...
    # theta (P,), or (B, P) and then results gain a leading B
    def loss(self, theta: NDArray[np.float64]) -> Any: ...
    def gradient(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def value_and_gradient(self, theta: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]: ...
    def outputs(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def residual(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def jacobian(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def hessian(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def gauss_newton(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def hessian_block(
        self, theta: NDArray[np.float64], parameters: list[int], gauss_newton: bool
    ) -> NDArray[np.float64]: ...
    # of all neurons, one after the other, flat
    def neuron_blocks(self, theta: NDArray[np.float64], gauss_newton: bool) -> NDArray[np.float64]: ...
    # of all parameters if none is named
    def sample_gradients(self, theta: NDArray[np.float64], parameters: list[int]) -> NDArray[np.float64]: ...
    def empirical_fisher(self, theta: NDArray[np.float64], parameters: list[int]) -> NDArray[np.float64]: ...
    def sample_hessians(self, theta: NDArray[np.float64], parameters: list[int]) -> NDArray[np.float64]: ...
    def gauss_newton_factor(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def hessian_diagonal(self, theta: NDArray[np.float64]) -> NDArray[np.float64]: ...
    # v (m, P) for every theta, or (B, m, P) for theta (B, P); the result is (m, P) or (B, m, P)
    def hvp(self, theta: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]: ...

@final
class ObjectiveLongDouble(metaclass=_Pybind11Type):
    def __init__(
        self,
        network: Network,
        x: NDArray[np.longdouble],
        y: NDArray[np.longdouble],
        weight: NDArray[np.longdouble],
        loss: str,
        parameter: float,
        l2: float,
        threads: int,
    ) -> None: ...
    def loss(self, theta: NDArray[np.longdouble]) -> Any: ...
    def gradient(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def value_and_gradient(self, theta: NDArray[np.longdouble]) -> tuple[Any, NDArray[np.longdouble]]: ...
    def outputs(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def residual(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def jacobian(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def hessian(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def gauss_newton(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def hessian_block(
        self, theta: NDArray[np.longdouble], parameters: list[int], gauss_newton: bool
    ) -> NDArray[np.longdouble]: ...
    # of all neurons, one after the other, flat
    def neuron_blocks(self, theta: NDArray[np.longdouble], gauss_newton: bool) -> NDArray[np.longdouble]: ...
    # of all parameters if none is named
    def sample_gradients(self, theta: NDArray[np.longdouble], parameters: list[int]) -> NDArray[np.longdouble]: ...
    def empirical_fisher(self, theta: NDArray[np.longdouble], parameters: list[int]) -> NDArray[np.longdouble]: ...
    def sample_hessians(self, theta: NDArray[np.longdouble], parameters: list[int]) -> NDArray[np.longdouble]: ...
    def gauss_newton_factor(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def hessian_diagonal(self, theta: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...
    def hvp(self, theta: NDArray[np.longdouble], v: NDArray[np.longdouble]) -> NDArray[np.longdouble]: ...

@final
class Descent(metaclass=_Pybind11Type):
    def __init__(
        self,
        objective: Objective,
        theta: NDArray[np.float64],
        method: Literal["gd", "momentum", "adam"],
        learning_rate: float,
        momentum: float,
        beta2: float,
        epsilon: float,
    ) -> None: ...
    def advance(self, max_steps: int, gradient_tolerance: float, loss_tolerance: float) -> int: ...
    @property
    def theta(self) -> NDArray[np.float64]: ...
    @property
    def loss(self) -> float: ...
    @property
    def gradient(self) -> NDArray[np.float64]: ...
    @property
    def gradient_norm(self) -> float: ...
    @property
    def steps(self) -> int: ...

@final
class GroupElement(metaclass=_Pybind11Type):
    # layers: for each hidden layer sources, factors, outgoing, constants, shifts (d each), mixed (m), and a matrix and
    # its inverse (m, m)
    def __init__(
        self,
        network: Network,
        layers: list[
            tuple[
                list[int],
                NDArray[np.longdouble],
                NDArray[np.longdouble],
                NDArray[np.longdouble],
                NDArray[np.longdouble],
                list[int],
                NDArray[np.longdouble],
                NDArray[np.longdouble],
            ]
        ],
    ) -> None: ...
    def act(self, theta: NDArray[_T]) -> NDArray[_T]: ...
    def transport_gradient(self, gradient: NDArray[_T]) -> NDArray[_T]: ...
    def transport_hessian(self, hessian: NDArray[_T]) -> NDArray[_T]: ...

# theta moved; remainder and asymmetry, a number for each theta
def flip_even_linear(
    network: Network,
    layer: int,
    flipped: list[int],
    linear: list[int],
    pairs: list[tuple[int, int]],
    theta: NDArray[np.longdouble],
) -> tuple[NDArray[np.longdouble], NDArray[np.longdouble], NDArray[np.longdouble]]: ...

# What a neuron does that copies no teacher neuron; a copy has the number of its teacher neuron.
class NeuronRole(enum.IntEnum):
    __pybind11_native_enum__: ClassVar[Any]
    silent = -1
    off = -2
    constant = -3

# The expected loss of a signed network: the activations of the student's neurons, then of the teacher's. Not `closed`:
# by quadrature also where there are closed forms.
@final
class Population(metaclass=_Pybind11Type):
    def __init__(
        self,
        activations: Sequence[tuple[str, float]],
        students: int,
        tolerance: float,
        threads: int,
        closed: bool = True,
    ) -> None: ...
    # incoming (n, q), bias (n), outgoing (n + 1, K) with the output biases last; loss, gradient (P), matrix (P, P), the
    # latter two empty beyond the order
    def derivatives(
        self,
        incoming: NDArray[np.float64],
        bias: NDArray[np.float64],
        outgoing: NDArray[np.float64],
        order: int,
        gauss_newton: bool,
        fineness: float,
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]: ...

# Kinds of copies by name, and what results call them.
copy_pieces: dict[str, str]

# Teacher and activation, as the search for minima sees them.
@final
class MinimaGeometry(metaclass=_Pybind11Type):
    def __init__(
        self,
        incoming: NDArray[np.float64],
        outgoing: NDArray[np.float64],
        copies: str,
        mirror: float,
        multiplier: float,
        hidden_bias: bool,
        output_bias: bool,
        constants: Literal["none", "fixed", "free"],
        off: Literal["never", "zero", "half_line"],
        activation: str,
        parameter: float,
    ) -> None: ...

# Arrays (B, …) in and out: the students' incoming (m, D) and outgoing (m, K) weights, and output bias (K) less the
# teacher's. Out, besides: teacher and group (m) of each neuron, scale (m), distance, lower_bound, nodes.
def nearest_minima(
    geometry: MinimaGeometry,
    incoming: NDArray[np.float64],
    outgoing: NDArray[np.float64],
    output: NDArray[np.float64],
    gap_tolerance: float,
    max_nodes: int,
    time_limit: float,
    threads: int,
) -> dict[str, NDArray[Any]]: ...

# (B) distances of students from the equations of pieces, by teacher, group and scale (B, m) of each neuron.
def piece_violations(
    geometry: MinimaGeometry,
    incoming: NDArray[np.float64],
    outgoing: NDArray[np.float64],
    output: NDArray[np.float64],
    teacher: NDArray[np.int64],
    group: NDArray[np.int64],
    scale: NDArray[np.float64],
) -> NDArray[np.float64]: ...

# min ‖F s + ρ‖² + μ ‖s‖²; rows F (R, P), residual ρ (R)
@final
class DampedLeastSquares(metaclass=_Pybind11Type):
    def __init__(self, rows: NDArray[np.float64], residual: NDArray[np.float64]) -> None: ...
    # s, and sᵀ (FᵀF + μ I)⁻¹ s
    def solve(self, damping: float) -> tuple[NDArray[np.float64], float]: ...
    # a with (FᵀF + μ I) a = b for the last μ
    def correct(self, b: NDArray[np.float64]) -> NDArray[np.float64]: ...

# eigenvalues of A (P, P), symmetric and finite, ascending
def symmetric_eigenvalues(matrix: NDArray[np.float64], threads: int) -> NDArray[np.float64]: ...

# those of a tridiagonal matrix, diagonal (n,), beside (n - 1,)
def tridiagonal_eigenvalues(
    diagonal: NDArray[np.float64], beside: NDArray[np.float64], threads: int
) -> NDArray[np.float64]: ...

# A − σ I = L D Lᵀ for several σ
def factorise(matrix: NDArray[np.float64], shifts: list[float], threads: int) -> list[Ldlt]: ...

# A (P, P), columns (P, m)
def times_columns(matrix: NDArray[np.float64], columns: NDArray[np.float64], threads: int) -> NDArray[np.float64]: ...

# A − σ I = L D Lᵀ up to a permutation; A (P, P) symmetric
@final
class Ldlt(metaclass=_Pybind11Type):
    def __init__(self, matrix: NDArray[np.float64], shift: float, threads: int) -> None: ...
    # X with (A − σ I) X = B, B (P, m); not finite if D is singular
    def solve(self, b: NDArray[np.float64]) -> NDArray[np.float64]: ...
    # numbers of negative and of zero eigenvalues of D
    @property
    def inertia(self) -> tuple[int, int]: ...
    @property
    def backward_error(self) -> float: ...

# orthonormal Q of a block Krylov subspace, of up to 8 most_blocks dimensions, from a block (P, 8) on
@final
class KrylovBasis(metaclass=_Pybind11Type):
    def __init__(self, start: NDArray[np.float64], most_blocks: int, threads: int) -> None: ...
    # by a symmetric matrix (P, P), or by the inverse that a factor is
    def advance(self, operator: NDArray[np.float64] | Ldlt, /, blocks: int) -> None: ...
    # T = Qᵀ A Q (m, m), in its upper triangle, and R (8, 8): A Q = Q T + B R for the last block
    def projection(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    # Q times columns (m, k), (P, k)
    def vectors(self, columns: NDArray[np.float64]) -> NDArray[np.float64]: ...

# (A + μ I) s = −g; A (P, P), g (P)
@final
class ShiftedSystem(metaclass=_Pybind11Type):
    def __init__(self, matrix: NDArray[np.float64], gradient: NDArray[np.float64]) -> None: ...
    # s, and sᵀ (A + μ I)⁻¹ s
    def solve(self, damping: float) -> tuple[NDArray[np.float64], float]: ...
    def lowest_vector(self) -> NDArray[np.float64]: ...
    @property
    def lowest(self) -> float: ...
    @property
    def largest(self) -> float: ...
