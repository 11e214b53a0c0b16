"""Counts of minima against enumeration by brute force; the subspaces against the equations that define them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from hessorbit.minima import MinimumSubspace

SMALL = [(r, m) for r in (1, 2, 3) for m in range(r, 5)]


def pieces_by_force(r: int, m: int, odd: bool) -> set[tuple]:
    """Every piece as (copies, zero groups): sets of (neuron, teacher, sign), and sets of sets of (neuron, sign)."""
    signs = (1, -1) if odd else (1,)
    found = set()
    for labels in itertools.product(range(r + m), repeat=m):
        if set(range(r)) - set(labels):
            continue
        for sign in itertools.product(signs, repeat=m):
            copies = frozenset(
                (k, label, s) for k, (label, s) in enumerate(zip(labels, sign, strict=True)) if label < r
            )
            groups = {}
            for k, label in enumerate(labels):
                if label >= r:
                    groups.setdefault(label, set()).add((k, sign[k]))
            # One sign for all members means nothing.
            zero = frozenset(min(frozenset(g), frozenset((k, -s) for k, s in g), key=sorted) for g in groups.values())
            found.add((copies, zero))
    return found


@pytest.mark.parametrize(("r", "m"), SMALL)
@pytest.mark.parametrize("odd", [False, True])
def test_counts_against_brute_force(r: int, m: int, odd: bool) -> None:
    pieces = pieces_by_force(r, m, odd)
    assert ho.count_minima(r, m, odd=odd) == len(pieces)
    assert ho.count_minima(r, m, odd=odd, isolated=True) == sum(not zero for _, zero in pieces)
    # Up to permutations, and flips, what remains is how many copies and how large the zero groups.
    orbits = {
        (
            tuple(sum(teacher == i for _, teacher, _ in copies) for i in range(r)),
            tuple(sorted(len(group) for group in zero)),
        )
        for copies, zero in pieces
    }
    assert ho.count_minima(r, m, odd=odd, per_orbit=True) == len(orbits)


@pytest.mark.parametrize(("r", "m"), SMALL)
@pytest.mark.parametrize("odd", [False, True])
def test_enumeration_is_complete_and_without_repetition(r: int, m: int, odd: bool) -> None:
    pieces = list(ho.enumerate_minima(r, m, inputs=2, odd=odd))
    assert len(pieces) == len(set(pieces)) == ho.count_minima(r, m, odd=odd)


def equations(piece: MinimumSubspace, inputs: int, outputs: int, output_bias: bool) -> np.ndarray:
    """Rows of the equations of a piece, in the order incoming, outgoing, output bias."""
    m = len(piece.teacher)
    size = m * (inputs + outputs) + outputs * output_bias
    unit = np.eye(size)
    w = unit[: m * inputs].reshape(m, inputs, size)
    v = unit[m * inputs : m * (inputs + outputs)].reshape(m, outputs, size)
    rows = [unit[m * (inputs + outputs) :]]
    for k, (teacher, group) in enumerate(zip(piece.teacher, piece.group, strict=True)):
        if teacher >= 0:
            rows.append(w[k])
        else:
            first = piece.group.index(group)
            rows.append(piece.sign[k] * w[k] - piece.sign[first] * w[first])
    for label, count in ((piece.teacher, max(piece.teacher) + 1), (piece.group, max(piece.group) + 1)):
        rows += [sum(piece.sign[k] * v[k] for k in range(m) if label[k] == i) for i in range(count)]
    return np.concatenate(rows)


@pytest.mark.parametrize("bias", [True, False, (True, False), (False, True)])
@pytest.mark.parametrize("odd", [False, True])
def test_dimensions_are_those_of_the_equations(bias: bool | tuple[bool, bool], odd: bool) -> None:
    hidden, output = (bias, bias) if isinstance(bias, bool) else bias
    for piece in ho.enumerate_minima(2, 4, inputs=2, outputs=3, bias=bias, odd=odd):
        rows = equations(piece, 2 + hidden, 3, output)
        assert piece.codimension == np.linalg.matrix_rank(rows)
        assert piece.dimension + piece.codimension == rows.shape[1]


@given(r=st.integers(1, 40), extra=st.integers(0, 40), odd=st.booleans())
def test_laws_of_the_counts(r: int, extra: int, odd: bool) -> None:
    m = r + extra
    all_pieces, isolated = (ho.count_minima(r, m, odd=odd, isolated=i) for i in (False, True))
    assert isolated <= all_pieces
    assert isolated % math.factorial(r) == 0  # teacher neurons may be relabelled
    if not extra:
        assert all_pieces == isolated == math.factorial(r) * (2**r if odd else 1)
    # One more neuron copies any teacher neuron, or is the only copy of one: G(r, m+1) = r (G(r, m) + G(r−1, m)).
    if not odd:
        fewer = ho.count_minima(r - 1, m, isolated=True) if r > 1 else 0
        assert ho.count_minima(r, m + 1, isolated=True) == r * (isolated + fewer)


def test_large_counts_are_exact_integers() -> None:
    count = ho.count_minima(1, 200)
    # For r = 1 the pieces are partitions of the neurons with one block marked as the copies, or so many Bell numbers:
    # T(1, m) = B(m+1) − B(m), as a marked block is one that holds an (m+1)th thing and is not alone.
    bell = [1]
    row = [1]
    for _ in range(201):
        row = list(itertools.accumulate([row[-1], *row]))
        bell.append(row[0])
    assert count == bell[201] - bell[200]
    assert isinstance(count, int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ho.count_minima(3, 2), "student_width must be at least teacher_width = 3"),
        (lambda: ho.count_minima(0, 2), "teacher_width must be at least 1"),
        (lambda: ho.count_minima(2, 10**9), "student_width must be at most 1000"),
        (lambda: ho.enumerate_minima(2, 10**9, inputs=1), "student_width must be at most 1000"),
        (lambda: ho.enumerate_minima(3, 2, inputs=1), "student_width must be at least"),
        (lambda: ho.enumerate_minima(1, 2, inputs=0), "inputs must be at least 1"),
    ],
)
def test_refuses(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_refuses_what_is_no_integer() -> None:
    with pytest.raises(TypeError, match="teacher_width must be an integer"):
        ho.count_minima(1.5, 2)


def test_wide_students_are_enumerated_lazily() -> None:
    """However deep the interpreter's stack may be."""
    piece = next(ho.enumerate_minima(1, 1000, inputs=1))
    assert piece.teacher == (0,) * 1000
    assert piece.group == (-1,) * 1000
