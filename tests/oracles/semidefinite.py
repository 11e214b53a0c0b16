"""The smallest condition number of Σ_g d_g A_g over a convex cone of d, by a semidefinite program and its own solver.

    minimise κ  subject to  1 ⪯ Σ_g d_g A_g ⪯ κ 1,   d = s·(a point of the set), s > 0

which is convex as it stands: λ_min is scaled to one. The variables are κ, s and d; Clarabel (interior point,
homogeneous embedding) solves it, and nothing is shared with the library.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import clarabel
import numpy as np
from scipy import sparse


@dataclass
class ConditionProgram:
    """Matrices A_g (r, r), and constraints gathered one by one."""

    matrices: list[np.ndarray]
    linear: list[np.ndarray] = field(default_factory=list)  # coefficients of (s, d), at least 0
    products: list[tuple[int, int]] = field(default_factory=list)  # d_i d_j >= s^2

    def at_least(self, scale: float, **coefficients: float) -> None:
        """Σ_g coefficients_g d_g >= scale · s, coefficients by the names d0, d1 and so on."""
        row = np.zeros(1 + len(self.matrices))
        row[0] = -scale
        for name, value in coefficients.items():
            row[1 + int(name[1:])] = value
        self.linear.append(row)

    def equal(self, index: int, value: float) -> None:
        """d_index = value · s."""
        self.at_least(value, **{f"d{index}": 1.0})
        self.at_least(-value, **{f"d{index}": -1.0})

    def solve(self) -> float:
        """The smallest κ."""
        size, count = len(self.matrices[0]), len(self.matrices)
        total = np.column_stack([np.zeros(size * (size + 1) // 2), *map(triangle, self.matrices)])
        one = triangle(np.eye(size))
        zero = np.zeros((len(one), 1))
        # Clarabel's form: rows @ x + slack = right, the slack in a cone.
        rows = [np.hstack([zero, -total]), np.hstack([-one[:, None], total])]
        right = [-one, np.zeros(len(one))]
        cones = [clarabel.PSDTriangleConeT(size), clarabel.PSDTriangleConeT(size)]
        linear = np.array([*self.linear, np.eye(1 + count)[0]])
        rows.append(-np.hstack([np.zeros((len(linear), 1)), linear]))
        right.append(np.zeros(len(linear)))
        cones.append(clarabel.NonnegativeConeT(len(linear)))
        for i, j in self.products:  # |(d_i − d_j, 2 s)| <= d_i + d_j
            cone = np.zeros((3, 2 + count))
            cone[0, [2 + i, 2 + j]] = 1
            cone[1, [2 + i, 2 + j]] = 1, -1
            cone[2, 1] = 2
            rows.append(-cone)
            right.append(np.zeros(3))
            cones.append(clarabel.SecondOrderConeT(3))
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        cost = np.eye(2 + count)[0]
        quadratic = sparse.csc_matrix((len(cost), len(cost)))
        solver = clarabel.DefaultSolver(
            quadratic, cost, sparse.csc_matrix(np.vstack(rows)), np.concatenate(right), cones, settings
        )
        solution = solver.solve()
        assert str(solution.status) in ("Solved", "AlmostSolved"), solution.status
        return float(solution.obj_val)


def triangle(matrix: np.ndarray) -> np.ndarray:
    """The upper triangle by columns, off-diagonal entries times √2."""
    rows, columns = np.tril_indices(len(matrix))  # of the transpose: the upper triangle column by column
    return matrix[rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0))
