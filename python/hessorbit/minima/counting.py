"""`count_minima` counts the affine pieces that the global minima of a student form, `enumerate_minima` lists them.

For a teacher of r hidden neurons and a student of m (Şimşek et al. 2021),

    G(r, m) = Σ_i (−1)^{r−i} C(r, i) i^m                                  every neuron is a copy: maps onto r teachers
    T(r, m) = Σ_{u=0}^{m−r} C(m, u) G(r, m−u) g(u),   g(u) = Σ_j S(u, j)    u neurons lie in zero groups (Bell numbers)

With an odd activation each copy carries a sign, and the members of a zero group signs relative to each other:
2^{m−u} G(r, m−u) and Σ_j S(u, j) 2^{u−j} take the places of G and g.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import comb

from .. import _checks

MOST_NEURONS = 1000  # counting takes 2 s there, and eight times as long at twice as many


def count_minima(
    teacher_width: int, student_width: int, *, isolated: bool = False, per_orbit: bool = False, odd: bool = False
) -> int:
    """Returns the number of pieces that the global minima of a one-hidden-layer student form.

    Each piece is an affine subspace in general, a curved set for positively homogeneous activations. The teacher must
    be irreducible.

    Parameters
    ----------
    teacher_width, student_width : int
        Hidden neurons r of the teacher and m ≥ r of the student.
    isolated : bool
        Count only the pieces without zero groups, where every student neuron is a copy: G(r, m) instead of T(r, m).
        With m = r they are points.
    per_orbit : bool
        Count pieces that a permutation of the student's neurons (and sign flips, if `odd`) takes into each other
        once: the numbers of copies of each teacher neuron and the sizes of the zero groups tell them apart.
    odd : bool
        The activation is odd (tanh, erf, softsign), so that copies carry signs.

    Returns
    -------
    int
        The exact number.

    Raises
    ------
    TypeError, ValueError
        If a width is not an integer ≥ 1, or the student is narrower than the teacher, or wider than 1000 neurons.

    Notes
    -----
    The pieces counted are copies and zero groups (see `enumerate_minima`); constant, off and mirrored neurons, which
    some activations have besides, are not counted. Takes O(r·m + m²) products of integers.

    References
    ----------
    Şimşek, Ged, Jacot, Spadaro, Hongler, Gerstner and Brea, "Geometry of the loss landscape in overparameterized
    neural networks: symmetries and invariances", ICML 2021.

    Examples
    --------
    >>> import hessorbit as ho
    >>> ho.count_minima(2, 2), ho.count_minima(2, 3), ho.count_minima(2, 3, isolated=True)
    (2, 12, 6)
    >>> ho.count_minima(2, 3, per_orbit=True)  # 2 + 1 copies, 1 + 2, or 1 + 1 and a dead neuron
    3
    >>> ho.count_minima(1, 2, odd=True)
    8
    """
    r, m = checked_widths(teacher_width, student_width)
    zero_sizes = [0] if isolated else range(m - r + 1)
    if per_orbit:
        partitions = partition_numbers(m - r)
        return sum(comb(m - u - 1, r - 1) * partitions[u] for u in zero_sizes)
    groupings = grouping_numbers(m - r, 2 if odd else 1)
    signs = 2 if odd else 1
    return sum(comb(m, u) * signs ** (m - u) * surjections(m - u, r) * groupings[u] for u in zero_sizes)


def checked_widths(teacher_width: int, student_width: int) -> tuple[int, int]:
    r = _checks.integer(teacher_width, "teacher_width", minimum=1)
    m = _checks.integer(student_width, "student_width", minimum=1, maximum=MOST_NEURONS)
    if m < r:
        raise ValueError(f"student_width must be at least teacher_width = {r}, or there is no global minimum; got {m}")
    return r, m


def surjections(m: int, r: int) -> int:
    """Returns G(r, m), the number of maps of m things onto r."""
    return sum((-1) ** (r - i) * comb(r, i) * i**m for i in range(r + 1))


def grouping_numbers(largest: int, signs: int) -> list[int]:
    """Returns Σ_j S(u, j) signs^{u−j} for u = 0 … largest, the ways to form groups, each up to one overall sign.

    By where the last thing goes: S(u, j) signs^{u−j} = S(u−1, j−1) signs^{u−j} + j·signs·S(u−1, j) signs^{u−1−j}.

    >>> grouping_numbers(5, 1), grouping_numbers(3, 2)
    ([1, 1, 2, 5, 15, 52], [1, 1, 3, 11])
    """
    row, totals = [1], [1]
    for _ in range(largest):
        row = [(row[j - 1] if j else 0) + (j * signs * row[j] if j < len(row) else 0) for j in range(len(row) + 1)]
        totals.append(sum(row))
    return totals


def partition_numbers(largest: int) -> list[int]:
    """Returns in how many ways each u = 0 … largest is a sum of positive integers, in any order.

    >>> partition_numbers(6)
    [1, 1, 2, 3, 5, 7, 11]
    """
    ways = [1] + [0] * largest
    for part in range(1, largest + 1):
        for total in range(part, largest + 1):
            ways[total] += ways[total - part]
    return ways


@dataclass(frozen=True)
class MinimumSubspace:
    """A `MinimumSubspace` describes one affine piece of the set of global minima.

    Attributes
    ----------
    teacher : tuple of int
        For each student neuron, the teacher neuron that it copies, or −1 in a zero group.
    group : tuple of int
        For each student neuron, the number of its zero group, or −1 for a copy. A group of one is a dead neuron.
    sign : tuple of int
        ±1 for each student neuron; all +1 unless the activation is odd.
    dimension, codimension : int
        Of the subspace, in the space of the student's parameters.

    Examples
    --------
    >>> import hessorbit as ho
    >>> piece = next(ho.enumerate_minima(1, 2, inputs=3))
    >>> piece.teacher, piece.dimension, piece.codimension
    ((0, 0), 1, 10)
    """

    teacher: tuple[int, ...]
    group: tuple[int, ...]
    sign: tuple[int, ...]
    dimension: int
    codimension: int


def enumerate_minima(
    teacher_width: int,
    student_width: int,
    *,
    inputs: int,
    outputs: int = 1,
    bias: bool | tuple[bool, bool] = True,
    odd: bool = False,
) -> Iterator[MinimumSubspace]:
    """Yields the affine pieces that `count_minima` counts, one after the other.

    On the piece, copies of teacher neuron i have its incoming weights (times their sign) and outgoing weights that,
    times their signs, sum to its own; members of a zero group share incoming weights up to sign, and their outgoing
    weights, times their signs, sum to zero.

    Parameters
    ----------
    teacher_width, student_width : int
        Hidden neurons r of the teacher and m ≥ r of the student.
    inputs, outputs : int
        d and K, which with the biases decide dimensions.
    bias : bool or tuple of two bool
        Whether there are hidden biases and output biases.
    odd : bool
        The activation is odd, so that copies carry signs.

    Yields
    ------
    MinimumSubspace
        T(r, m) of them, or their number with signs; lazily, as there are very many.

    Raises
    ------
    TypeError, ValueError
        If a width is not an integer ≥ 1, or the student is narrower than the teacher, or wider than 1000 neurons.

    Examples
    --------
    >>> import hessorbit as ho
    >>> for piece in ho.enumerate_minima(1, 2, inputs=3):
    ...     print(piece.teacher, piece.group, piece.dimension)
    (0, 0) (-1, -1) 1
    (0, -1) (-1, 0) 4
    (-1, 0) (0, -1) 4
    """
    r, m = checked_widths(teacher_width, student_width)
    d = _checks.integer(inputs, "inputs", minimum=1)
    k = _checks.integer(outputs, "outputs", minimum=1)
    hidden_bias, output_bias = (bias, bias) if isinstance(bias, bool) else bias
    return subspaces(r, m, d + hidden_bias, k, output_bias, odd)


def subspaces(r: int, m: int, incoming: int, k: int, output_bias: bool, odd: bool) -> Iterator[MinimumSubspace]:
    total = m * (incoming + k) + k * output_bias
    for labels in groupings(r, m):
        teacher = tuple(label if label < r else -1 for label in labels)
        group = tuple(label - r if label >= r else -1 for label in labels)
        # Each copy and each member after the first of its zero group fixes incoming weights; each group one sum.
        groups = max(group) + 1
        fixed = sum(label >= 0 for label in teacher) + sum(label >= 0 for label in group) - groups
        codimension = fixed * incoming + (r + groups) * k + k * output_bias
        # The sign of a zero group as a whole means nothing: its first member has +1.
        first = {group.index(g) for g in range(groups)}
        choices = [(1, -1) if odd and position not in first else (1,) for position in range(m)]
        for sign in product(*choices):
            yield MinimumSubspace(teacher, group, sign, total - codimension, codimension)


def groupings(r: int, m: int) -> Iterator[tuple[int, ...]]:
    """Yields labels of m neurons: teachers 0 … r−1, each at least once, and zero groups r, r+1, … as they appear."""
    labels: list[int] = []
    missing, groups = [frozenset(range(r))], [0]  # before each label, and after the last
    label = 0
    while True:
        if len(labels) == m:
            yield tuple(labels)
        elif label <= r + groups[-1]:
            if len(missing[-1]) - (label in missing[-1]) < m - len(labels):
                labels.append(label)
                missing.append(missing[-1] - {label})
                groups.append(groups[-1] + (label == r + groups[-1]))
                label = 0
            else:
                label += 1
            continue
        if not labels:
            return
        label = labels.pop() + 1
        missing.pop(), groups.pop()
