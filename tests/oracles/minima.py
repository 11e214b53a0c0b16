"""The nearest global minimum by exhaustion: every assignment of roles, each projected on by least squares.

An assignment gives every neuron a role: ("copy", i, s), ("zero", g, s), ("off",) or ("constant",). With the scales of
copies of a homogeneous neuron and the biases of constant neurons given, it is a system of linear equations in θ.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from .autodiff import function_of

Assignment = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Exhaustion:
    """A student (with one unit multiplier everywhere), its teacher's neurons, and what its activation allows."""

    activation: str
    incoming: np.ndarray  # (r, D), the bias last
    outgoing: np.ndarray  # (r, K)
    output: np.ndarray | None  # (K,), None without output biases
    hidden_bias: bool
    width: int
    copies: str  # plain | odd | even | mirrored | scaled
    constants: str  # none | fixed | free
    off: bool
    half_line: bool = False

    def assignments(self) -> Iterator[Assignment]:
        """Every assignment, signs of zero groups up to a common one."""
        r, m = len(self.incoming), self.width
        signs = (1, -1) if self.copies in ("odd", "even", "mirrored") else (1,)
        lone = (("off",),) * self.off + (("constant",),) * (self.constants != "none")

        def extend(roles: Assignment, groups: int) -> Iterator[Assignment]:
            if len(roles) == m:
                if {role[1] for role in roles if role[0] == "copy"} == set(range(r)):
                    yield roles
                return
            for i, s in itertools.product(range(r), signs):
                yield from extend((*roles, ("copy", i, s)), groups)
            for g, s in itertools.product(range(groups), signs):
                yield from extend((*roles, ("zero", g, s)), groups)
            yield from extend((*roles, ("zero", groups, 1)), groups + 1)
            for role in lone:
                yield from extend((*roles, role), groups)

        return extend((), 0)

    def scalars(self, roles: Assignment) -> list[int]:
        """Neurons with a number to choose: a scale, or a bias of a constant neuron."""
        return [
            k
            for k, role in enumerate(roles)
            if (role[0] == "constant" and self.constants == "free")
            or (self.copies == "scaled" and role[0] in ("copy", "zero"))
        ]

    def equations(
        self, roles: Assignment, scalar: dict[int, float], start: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """A, b with A θ = b on the piece; θ = incoming, outgoing, output, each row by row."""
        m, (r, d), k = self.width, self.incoming.shape, self.outgoing.shape[1]
        size = m * (d + k) + (k if self.output is not None else 0)
        unit = np.eye(size)
        w = unit[: m * d].reshape(m, d, size)
        v = unit[m * d : m * (d + k)].reshape(m, k, size)
        c = unit[m * (d + k) :]
        rows: list[np.ndarray] = []
        right: list[np.ndarray] = []

        def demand(row: np.ndarray, value: np.ndarray | float) -> None:
            rows.append(np.atleast_2d(row))
            right.append(np.broadcast_to(value, len(rows[-1])))

        sums = {("copy", i): np.zeros((k, size)) for i in range(r)}
        joint = c.copy() if self.output is not None else np.zeros((k, size))
        first: dict[int, int] = {}
        for n, role in enumerate(roles):
            weights = w[n][: d - self.hidden_bias]
            if role[0] == "off":
                demand(weights, 0.0)
                if self.hidden_bias and not (self.half_line and start[n * d + d - 1] <= 0):
                    demand(w[n][-1], 0.0)
            elif role[0] == "constant":
                demand(weights, 0.0)
                if self.constants == "free":
                    demand(w[n][-1], scalar[n])
                joint += float(function_of(self.activation)(scalar.get(n, 0.0))) * v[n]
            else:
                kind, which, sign = role
                t = scalar[n] if self.copies == "scaled" else sign
                if kind == "copy":
                    demand(w[n], t * self.incoming[which])
                elif which in first:
                    other = first[which]
                    t_other = scalar[other] if self.copies == "scaled" else roles[other][2]
                    demand(t_other * w[n] - t * w[other], 0.0)
                if kind == "zero":
                    first.setdefault(which, n)
                group = sums.setdefault((kind, which), np.zeros((k, size)))
                group += (1 if self.copies == "even" else t) * v[n]
                if self.copies == "mirrored" and sign < 0:
                    joint += v[n]
        for (kind, which), row in sums.items():
            demand(row, self.outgoing[which] if kind == "copy" else 0.0)
        if self.output is not None:
            demand(joint, self.output)
        elif joint.any():
            demand(joint, 0.0)
        return np.concatenate(rows), np.concatenate(right)

    def project(self, roles: Assignment, scalar: dict[int, float], start: np.ndarray) -> np.ndarray:
        """The point nearest to `start`; infinitely far if the equations contradict each other."""
        a, b = self.equations(roles, scalar, start)
        step, *_ = np.linalg.lstsq(a, b - a @ start, rcond=None)
        solved = np.abs(a @ (start + step) - b).max() <= 1e-9 * (1 + np.abs(b).max())
        return start + step if solved else np.full(len(start), np.inf)

    def distance(self, roles: Assignment, start: np.ndarray, rng: np.random.Generator, tries: int = 3) -> float:
        """To the piece of these roles: least squares, within a minimisation over its scalars from several starts."""
        neurons = self.scalars(roles)

        def squared(x: np.ndarray) -> float:
            point = self.project(roles, dict(zip(neurons, x, strict=True)), start)
            return float(((point - start) ** 2).sum())

        if not neurons:
            return np.sqrt(squared(np.empty(0)))
        d = self.incoming.shape[1]
        first = []
        for n in neurons:
            role, w = roles[n], start[n * d : (n + 1) * d]
            if role[0] == "constant":
                first.append(w[-1])
            elif role[0] == "copy":
                first.append(max(w @ self.incoming[role[1]] / (self.incoming[role[1]] ** 2).sum(), 0.1))
            else:
                first.append(np.linalg.norm(w))
        bounds = [(None, None) if roles[n][0] == "constant" else (1e-7, None) for n in neurons]
        best = np.inf
        for attempt in range(tries):
            x0 = np.array(first) if attempt == 0 else np.abs(first) * rng.lognormal(0, 1, len(first))
            best = min(best, optimize.minimize(squared, x0, bounds=bounds, tol=1e-13).fun)
        return np.sqrt(best)

    def nearest(self, start: np.ndarray, rng: np.random.Generator) -> float:
        """The least distance over all assignments."""
        return min(self.distance(roles, start, rng) for roles in self.assignments())
