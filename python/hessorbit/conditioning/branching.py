"""A `Search` minimises over what is not convex: whole numbers of copies, and the curves D_in^q D_out = 1.

Best-first branch and bound. A node gives every neuron a range of numbers of copies and, to a neuron without copies
where the criterion is convex in D but not in log D, a range of rescalings. Its relaxation, real numbers of copies and
the convex hull of the curve, is minimised along the central path and bounded from below; rounding its minimiser gives
diagonals that can be reached. (Land and Doig, Econometrica 28, 1960.)
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from .._checks import Array
from .central_path import PathPoint, follow
from .choices import Choice, Choices, scalings_of
from .conic import LARGEST_RANK, ConicPoint, conic_point, solvable
from .diagonals import Architecture, NeuronScalings
from .lower_bounds import convex_bound, linear_bound
from .regions import FLIPPED, LOG_SPAN, OUTGOING, Region
from .smoothed_spectrum import Extremes, SpectralFunction

ACCURACY = 2e-5  # of minima, in the logarithm
COARSE = 0.25  # first accuracy of a part: bounds of most need no better
ROUGH = 1e-2  # first accuracy of a node: most need no better
WORTH = 0.1  # of the gap: branching ends where the nodes left would not close as much
TOLERANCE = 5e-5  # a node whose bound is that close to the best value is closed
WHOLE = 1e-6  # distance, in logarithms, at which a number counts as whole and a pair as on the curve
MOST_SIGNS = 12  # of neurons without copies: all 2^12 combinations are tried
SHARES = (None, 0.0, 1.0)  # of what a pair off the curve loses of D_out on its way to it: the best start is taken
SHARES_OF_START = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)
PROMISING = 0.3  # a rounded point that is worse than the best by more than this is not improved


@dataclass(frozen=True)
class Solution:
    """A solution is the smallest point found over a set of diagonals of a network."""

    scalings: NeuronScalings
    copies: tuple[int, ...]
    flipped: tuple[int, ...]
    point: PathPoint
    log_value: float

    @property
    def log_scaling(self) -> Array:
        """log D, (P + Q,)."""
        return self.scalings.diagonals.log_scaling(self.point.v)


@dataclass(order=True)
class Node:
    """A node is a part of the search space, with a lower bound and the minimiser of its relaxation."""

    bound: float
    order: int
    choices: Choices = field(compare=False)
    scalings: NeuronScalings = field(compare=False)
    point: PathPoint = field(compare=False)


@dataclass
class Search:
    """The search branches over the copies and rescalings of the hidden neurons, and bounds each part.

    `layers` holds the neurons of each hidden layer, `most` how many copies they may have together, `full` whether they
    must have as many.
    """

    function: SpectralFunction
    architecture: Architecture
    layers: tuple[range, ...]
    most: tuple[int, ...]
    full: tuple[bool, ...]
    nodes: float  # how many minima along central paths may be sought
    patient: bool = True  # whether to seek all of them, even where they would close little of the gap
    best: Solution | None = None
    tried: set[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=set)
    programs: dict[object, ConicPoint | None] = field(default_factory=dict)
    order: Iterator[int] = field(default_factory=itertools.count)

    def run(self, choices: Choices) -> tuple[Solution, float]:
        """Returns the best diagonal found, and a lower bound on the logarithm of the criterion, −inf for none."""
        settled = self.settle(choices)
        assert settled is not None
        only_signs = all(choice.high == 1 and not choice.degree and not choice.shifted for choice in settled)
        if only_signs and sum(choice.unsigned for choice in settled) <= MOST_SIGNS:
            return self.every_sign(settled)
        root = self.solve(settled, -np.inf, None)
        self.round(root)
        self.round_again(root)
        self.flip_one_by_one(settled)
        assert self.best is not None
        closed, leaves, before = np.inf, [root], self.nodes
        while leaves:
            node = heapq.heappop(leaves)
            if node.bound < closed and (finer := self.refined(node)) is not node:
                heapq.heappush(leaves, finer)
                continue
            children = self.branch(node) if node.bound < self.best.log_value - TOLERANCE else []
            if not children:
                closed = min(closed, node.bound)
                continue
            if self.nodes <= 0 or self.too_slow(node, root, before - self.nodes):
                closed = min(closed, node.bound)  # the other leaves' are above it
                break
            for child in children:
                if (settled := self.settle(child)) is None:
                    continue
                leaf = self.solve(settled, node.bound, node)
                if leaf.bound < self.best.log_value - TOLERANCE:
                    self.round(leaf)
                heapq.heappush(leaves, leaf)
        return self.best, min(max(closed, self.bound_of_all(root, closed)), self.best.log_value)

    def too_slow(self, node: Node, root: Node, spent: float) -> bool:
        """Tells whether the nodes left, fewer than open neurons, would close little of the gap at the rate so far."""
        assert self.best is not None
        if self.patient or spent == 0 or self.nodes >= sum(choice.open for choice in node.choices):
            return False
        return (node.bound - root.bound) / spent * self.nodes < WORTH * (self.best.log_value - node.bound)

    def bound_of_all(self, root: Node, closed: float) -> float:
        """Returns the bound of the root, with its path followed to the end where that may be above the leaves'."""
        assert self.best is not None
        above = self.function.exact(root.scalings.diagonals.log_scaling(root.point.v)) > closed
        if above and closed < self.best.log_value - TOLERANCE and root.point.accuracy > ACCURACY:
            root = self.followed(root)
        return root.bound

    def settle(self, choices: Choices) -> Choices | None:
        """Returns the same choices without what the budgets exclude; None if nothing is left."""
        settled = list(choices)
        for layer, most, full in zip(self.layers, self.most, self.full, strict=True):
            spare = most - sum(choices[i].low for i in layer)
            if spare < 0:
                return None
            for i in layer:
                settled[i] = replace(choices[i], high=min(choices[i].high, choices[i].low + spare))
            beyond = sum(settled[i].high for i in layer) - most
            if full and beyond < 0:
                return None
            if full:
                for i in layer:
                    settled[i] = replace(settled[i], low=max(settled[i].low, settled[i].high - beyond))
            if sum(settled[i].high for i in layer) <= most:
                # If there is room, a second copy of a neuron of degree 1 only adds to the pairs that it can reach.
                for i in layer:
                    if settled[i].degree == 1:
                        settled[i] = replace(settled[i], low=settled[i].high)
        return tuple(settled)

    def relaxation(self, choices: Choices) -> NeuronScalings:
        starts = [float(choice.low) for choice in choices]
        budgets = []
        for layer, most in zip(self.layers, self.most, strict=True):
            counted = tuple(i for i in layer if choices[i].counted)
            if not counted:
                continue
            spare = most - sum(choices[i].low for i in layer)
            wanted = sum(choices[i].high - choices[i].low for i in counted)
            for i in counted:
                starts[i] += (choices[i].high - choices[i].low) * min(1.0, spare / wanted) / 2
            if wanted > spare:
                budgets.append((counted, float(spare + sum(choices[i].low for i in counted))))
        neurons = tuple(choice.relaxation(start) for choice, start in zip(choices, starts, strict=True))
        return NeuronScalings(self.architecture, neurons, tuple(budgets))

    def round_again(self, root: Node) -> None:
        """Seeks the numbers of copies once more, the neurons without copies being those of the first rounding."""
        assert self.best is not None
        if self.nodes <= 1 or not any(choice.counted for choice in root.choices):
            return
        numbers = zip(root.choices, self.best.copies, strict=True)
        settled = self.settle(
            tuple(
                replace(choice, high=1) if number == 1 else replace(choice, low=max(choice.low, 2))
                for choice, number in numbers
            )
        )
        assert settled is not None  # the first rounding is among these
        self.round(self.solve(settled, root.bound, root))

    def every_sign(self, choices: Choices) -> tuple[Solution, float]:
        """Returns the best of all signs, where nothing else is open."""
        numbers = (1,) * len(choices)
        for flipped in itertools.product(*(range(c.flipped[0], c.flipped[1] + 1) for c in choices)):
            scalings = NeuronScalings(self.architecture, scalings_of(choices, numbers, flipped))
            self.offer(scalings, numbers, flipped, follow(self.function, scalings.diagonals, accuracy=ACCURACY))
        assert self.best is not None
        return self.best, self.best.log_value

    def flip_one_by_one(self, choices: Choices) -> None:
        """Flips one copy more or fewer of one neuron at a time, for as long as that lowers the criterion."""
        assert self.best is not None
        improved = True
        while improved:
            improved = False
            for i, choice in enumerate(choices):
                if not choice.flips:
                    continue
                for step in (1, -1):
                    number = self.best.flipped[i] + step
                    if not 0 <= number <= self.best.copies[i] or self.nodes <= 1:
                        continue
                    value = self.best.log_value
                    flipped = (*self.best.flipped[:i], number, *self.best.flipped[i + 1 :])
                    self.reach(choices, self.best.copies, flipped, self.best)
                    improved |= self.best.log_value < value - TOLERANCE

    def spend(self, scalings: NeuronScalings) -> None:
        """Counts a minimum along a central path as one node; where D is a single one there is little to do."""
        self.nodes -= 1 if scalings.first[-1] else 0.02

    def solve(self, choices: Choices, bound: float, parent: Node | None) -> Node:
        """Returns a node with its relaxation minimised just so precisely that one sees if it can be closed."""
        scalings = self.relaxation(choices)
        self.spend(scalings)
        start, sharpness = self.from_parent(scalings, parent)
        accuracy = self.first_accuracy(choices, parent)
        point = follow(self.function, scalings.diagonals, accuracy=accuracy, start=start, sharpness=sharpness)
        return Node(max(bound, self.bound(scalings, point)), next(self.order), choices, scalings, point)

    def first_accuracy(self, choices: Choices, parent: Node | None) -> float:
        """Returns how precisely a node is minimised at first.

        Of large matrices with many open curves few nodes are minimised, and none is closed: bounds need no better.
        """
        curves = any(choice.open for choice in choices) and not any(c.counted or c.unsigned for c in choices)
        if not curves or self.function.convex or self.function.rank <= 2 * LARGEST_RANK:
            return ACCURACY if parent is None else ROUGH
        return ROUGH if parent is None else COARSE

    def from_parent(self, scalings: NeuronScalings, parent: Node | None) -> tuple[Array | None, float | None]:
        """Returns a start near a point on the parent's path, and its sharpness; None if there is none.

        A part differs from its parent in few neurons: these are moved towards their own starts until they are inside.
        """
        if parent is None or parent.point.early is None:
            return None, None
        v, sharpness = parent.point.early
        own, there, moved = [np.empty(0)], [np.empty(0)], [np.empty(0)]
        for neuron, before, region, piece in zip(
            scalings.neurons, parent.scalings.neurons, scalings.regions, parent.scalings.pieces(v), strict=True
        ):
            own.append(region.start)
            there.append(piece if len(piece) == len(region.start) else region.start)
            moved.append(np.full(len(region.start), neuron != before))
        near = np.concatenate(there)
        towards = np.concatenate(moved) * (np.concatenate(own) - near)
        for share in SHARES_OF_START:
            start = near + share * towards
            if np.isfinite(scalings.diagonals.barrier(start)):
                return start, sharpness
        return None, None

    def refined(self, node: Node) -> Node:
        """Returns a node with its path followed farther, if it is coarse or that may close it."""
        assert self.best is not None
        close = self.best.log_value - TOLERANCE
        if node.bound >= close or node.point.accuracy <= ACCURACY:
            return node
        if node.point.accuracy > ROUGH:
            return self.followed(node, ROUGH)
        reached = self.function.exact(node.scalings.diagonals.log_scaling(node.point.v))
        return self.followed(node) if close < reached else node

    def followed(self, node: Node, accuracy: float = ACCURACY) -> Node:
        """Returns a node with its path followed farther."""
        point = follow(
            self.function,
            node.scalings.diagonals,
            accuracy=accuracy,
            start=node.point.v,
            sharpness=2 * node.point.sharpness,
        )
        point = replace(point, early=node.point.early)
        return replace(node, bound=max(node.bound, self.bound(node.scalings, point)), point=point)

    def bound(self, scalings: NeuronScalings, point: PathPoint) -> float:
        if not len(point.v):
            return self.function.exact(scalings.diagonals.offset)
        bound = convex_bound(self.function, scalings.diagonals, point)
        if isinstance(self.function, Extremes) and self.function.smallest:
            convex, bound = bound > -np.inf, max(bound, linear_bound(self.function, scalings, point))
            reached = self.function.exact(scalings.diagonals.log_scaling(point.v))
            # Where it is convex in log D, following the path farther is cheaper.
            if not convex and bound < reached - TOLERANCE and (conic := self.conic(scalings)) is not None:
                bound = max(bound, conic.bound)
        return bound

    def conic(self, scalings: NeuronScalings) -> ConicPoint | None:
        """Returns the semidefinite program's point of these scalings, where there is one."""
        key = scalings.neurons, scalings.budgets
        if key not in self.programs:
            self.programs[key] = None
            if solvable(self.function, scalings):
                self.programs[key] = conic_point(self.function, scalings)
        return self.programs[key]

    def excesses(self, node: Node) -> list[float]:
        """Returns how far, in logarithms, each neuron's factors at the minimiser are from any that it can reach."""
        excesses = []
        factors = node.scalings.factors(node.point.v).T
        for choice, region, piece, factor in zip(
            node.choices, node.scalings.regions, node.scalings.pieces(node.point.v), factors, strict=True
        ):
            excess, single = 0.0, choice.undecided
            if choice.counted:
                number = float(np.exp(piece[region.log_copies]))
                below = whole_below(number)
                excess = min(np.log(number / below), np.log((below + 1) / number))
                single |= below == 1
            if single:  # a single copy is on the curve
                excess = max(excess, float(piece[:2] @ [max(choice.degree, 1), 1.0]))
            if choice.unsigned:
                excess = max(excess, abs(factor[FLIPPED] - round(factor[FLIPPED])))
                excess = max(excess, float(np.log(choice.high / (factor[OUTGOING] + factor[FLIPPED]))))
            excesses.append(excess)
        return excesses

    def branch(self, node: Node) -> list[Choices]:
        """Splits a node in two at the neuron whose factors are farthest from any it can reach; none if all can.

        Where nothing bounds a node, only choices of signs are split: with these settled, the criterion may be convex.
        """
        excesses = self.excesses(node)
        if node.bound == -np.inf:
            excesses = [e if c.unsigned else 0.0 for e, c in zip(excesses, node.choices, strict=True)]
        worst = int(np.argmax(excesses)) if excesses else 0
        if not excesses or excesses[worst] <= WHOLE:
            return []
        factors = node.scalings.factors(node.point.v)[:, worst]
        piece = node.scalings.pieces(node.point.v)[worst]
        parts = self.split(node.choices[worst], piece, factors, node.scalings.regions[worst])
        return [(*node.choices[:worst], part, *node.choices[worst + 1 :]) for part in parts]

    def split(self, choice: Choice, piece: Array, factors: Array, region: Region) -> list[Choice]:
        """Splits a choice by the number of copies, or of flipped ones, or at the nearest point of the curve."""
        if choice.low < choice.high:
            below = whole_below(float(np.exp(piece[region.log_copies]))) if choice.counted else 1
            below = min(below, choice.high - 1)
            return [replace(choice, high=below), replace(choice, low=below + 1)]
        if choice.unsigned:
            fewest, most = choice.flipped
            below = int(np.clip(np.floor(factors[FLIPPED]), fewest, most - 1))
            return [replace(choice, signs=(fewest, below)), replace(choice, signs=(below + 1, most))]
        assert choice.range is not None
        low, high = choice.range
        middle = float(np.clip(on_curve(choice.degree, piece), low + (high - low) / 8, high - (high - low) / 8))
        return [replace(choice, range=(low, middle)), replace(choice, range=(middle, high))]

    def round(self, node: Node) -> None:
        """Seeks the minimum near the node's minimiser among the diagonals that can be reached."""
        numbers = self.whole_numbers(node)
        flipped = self.whole_signs(node, numbers)
        neurons = scalings_of(node.choices, numbers, flipped)
        if neurons == node.scalings.neurons and node.point.accuracy <= ACCURACY:
            self.offer(node.scalings, numbers, flipped, node.point)
            if not self.function.convex:
                self.improve(node.scalings, numbers, flipped, node.point)
            return
        self.reach(node.choices, numbers, flipped, node)

    def reach(
        self, choices: Choices, numbers: tuple[int, ...], flipped: tuple[int, ...], near: Node | Solution
    ) -> None:
        """Seeks the minimum with these numbers of copies and of flipped ones, near a point."""
        curved = any(choice.range and number == 1 for choice, number in zip(choices, numbers, strict=True))
        if not curved and (numbers, flipped) in self.tried:
            return
        self.tried.add((numbers, flipped))
        scalings = NeuronScalings(self.architecture, scalings_of(choices, numbers, flipped))
        starts = [self.start_on_curves(scalings, choices, numbers, near, share) for share in SHARES]
        start = (
            starts[0]
            if not curved
            else min(starts, key=lambda v: self.function.exact(scalings.diagonals.log_scaling(v)))
        )
        if curved and self.best is not None:
            value = self.function.exact(scalings.diagonals.log_scaling(start))
            if value > self.best.log_value + PROMISING:
                return
        self.spend(scalings)
        point = follow(self.function, scalings.diagonals, accuracy=ACCURACY, start=start)
        self.offer(scalings, numbers, flipped, point)
        if not curved and not self.function.convex and self.best is not None and self.best.point is point:
            self.improve(scalings, numbers, flipped, point)

    def start_on_curves(
        self,
        scalings: NeuronScalings,
        choices: Choices,
        numbers: tuple[int, ...],
        near: Node | Solution,
        share: float | None,
    ) -> Array:
        """Returns a start with homogeneous neurons without copies near a point; others at their own starts."""
        start = scalings.diagonals.start.copy()
        for choice, number, piece, first in zip(
            choices, numbers, near.scalings.pieces(near.point.v), scalings.first, strict=False
        ):
            if choice.degree and number == 1 and len(piece) > 1:
                start[first] = on_curve(choice.degree, piece, share)
            elif choice.degree and number == 1 and len(piece) == 1:
                start[first] = piece[0]
        return start

    def improve(
        self, scalings: NeuronScalings, numbers: tuple[int, ...], flipped: tuple[int, ...], point: PathPoint
    ) -> None:
        """Goes on from the semidefinite program's point, where the path may have ended short of the minimum."""
        conic = self.conic(scalings)
        if conic is None or conic.bound >= self.function.exact(scalings.diagonals.log_scaling(point.v)) - TOLERANCE:
            return
        diagonals = scalings.diagonals
        nearest = scalings.variables(conic.factors)
        for inside in (1e-8, 1e-6, 1e-4, 1e-2):
            v = nearest + inside * (diagonals.start - nearest)
            if np.isfinite(diagonals.barrier(v)):
                self.offer(scalings, numbers, flipped, replace(point, v=v))
                return

    def whole_numbers(self, node: Node) -> tuple[int, ...]:
        """Returns whole numbers of copies near those of a node's minimiser, within its ranges and the budgets.

        A next copy goes where it brings the number nearest to the minimiser's in the logarithm; a second copy also
        where the minimiser is far off the curve that a single copy is bound to.
        """
        numbers = [choice.low for choice in node.choices]
        real, off_curve = [float(number) for number in numbers], [1.0] * len(numbers)
        for i, (choice, region, piece) in enumerate(
            zip(node.choices, node.scalings.regions, node.scalings.pieces(node.point.v), strict=True)
        ):
            if choice.counted:
                real[i] = float(np.exp(piece[region.log_copies]))
            if choice.low < choice.high:
                off_curve[i] = float(np.exp(piece[:2] @ [max(choice.degree, 1), 1.0]))

        def gain(i: int) -> float:
            """Returns what one more copy brings; above 1 it is worth having."""
            distance = real[i] ** 2 / (numbers[i] * (numbers[i] + 1))
            return max(distance, off_curve[i] ** 2 / 2) if numbers[i] == 1 else distance

        for layer, most, full in zip(self.layers, self.most, self.full, strict=True):
            while sum(numbers[i] for i in layer) < most:
                best = max((i for i in layer if numbers[i] < node.choices[i].high), key=gain, default=None)
                if best is None or (gain(best) <= 1 + WHOLE and not full):
                    break
                numbers[best] += 1
        return tuple(numbers)

    def whole_signs(self, node: Node, numbers: tuple[int, ...]) -> tuple[int, ...]:
        """Returns numbers of flipped copies near those of a node's minimiser, of the numbers of copies given."""
        signs = []
        for choice, number, factor in zip(node.choices, numbers, node.scalings.factors(node.point.v).T, strict=True):
            share = factor[FLIPPED] / (factor[OUTGOING] + factor[FLIPPED])
            fewest, most = choice.flipped
            signs.append(int(np.clip(round(share * number), min(fewest, number), min(most, number))))
        return tuple(signs)

    def offer(
        self, scalings: NeuronScalings, copies: tuple[int, ...], flipped: tuple[int, ...], point: PathPoint
    ) -> None:
        value = self.function.exact(scalings.diagonals.log_scaling(point.v))
        if self.best is None or value < self.best.log_value:
            self.best = Solution(scalings, copies, flipped, point, value)


def whole_below(number: float) -> int:
    return int(np.floor(number * (1 + WHOLE)))


def on_curve(degree: int, piece: Array, share: float | None = None) -> float:
    """Returns v of a point (−v, q v) of the curve near (log D_in, log D_out), inside the span.

    Share 0 keeps D_in, 1 keeps D_out; None is the nearest point.
    """
    widest = 0.99 * LOG_SPAN / degree
    part = degree**2 / (1 + degree**2) if share is None else share
    return float(np.clip((1 - part) * -piece[0] + part * piece[1] / degree, -widest, widest))
