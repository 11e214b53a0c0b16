"""Grows networks while they train: steps to the loss tolerance by every way of splitting neurons, and without growth.

A network of the width `grow_from` trains from random parameters. After the steps `grow_at` it is widened, by way of
widths that grow by about the same factor, and goes on with the moments of its optimiser, as `grow` carries them. At the
split the function stays the same, up to noise for the last of the four:

    best     the widening whose Gauss–Newton matrix is best conditioned
    equal    equal numbers of copies with equal parts of the outgoing weights
    random   random numbers of copies with random parts
    noisy    equal, and all parameters moved by normal noise, of split_noise times their root mean square

Its steps are those at all widths together. They are compared with those of the wide student from scratch, and with
those of the narrow one, alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .._checks import Array
from ..conditioning import grow
from ..network import MLP
from ..optimize.descent import Descent
from .checks import steps_of
from .claims import Claim
from .once import once
from .settings import Settings
from .task import Task, stream
from .training import options_of

SPLITS = ("best", "equal", "random", "noisy")
GROWN = {split: f"grown_{split}" for split in SPLITS}  # ends of names of columns
KEY = 8  # of the random numbers of a split (task.py)
NODES = 3  # of a search for the best split; beyond, what was found is rarely improved, only proved


@dataclass(frozen=True)
class Outcome:
    """How many steps were taken, at all widths together, and whether they led to the loss tolerance."""

    steps: int
    reached: bool


def grown(settings: Settings, task: Task, width: int, seed: int) -> dict[str, Callable[[], Outcome]]:
    """Returns functions that compute, once, outcomes of a narrow network: alone ("narrow"), and grown by each split.

    One that diverges raises ArithmeticError, and leaves the others as they are.
    """
    ways = {"narrow": partial(outcome, settings, task, seed, settings.grow_from, None)}
    ways |= {split: partial(outcome, settings, task, seed, width, split) for split in SPLITS}
    return {name: once(way) for name, way in ways.items()}


def outcome(settings: Settings, task: Task, seed: int, width: int, split: str | None) -> Outcome:
    """Trains the narrow network of a seed until the loss is below the tolerance, and widens it meanwhile."""
    tolerance = task.floor + settings.loss_tolerance * task.unit
    training = Training.of(settings, task, seed)
    if split is not None:
        rng = stream(settings, seed, KEY, width, SPLITS.index(split))
        for at, wider in zip(steps_of(settings.grow_at), stages(settings, width), strict=True):
            training.run.advance(at - training.run.steps, 0.0, tolerance)
            if not tolerance < training.run.loss < np.inf:
                break
            training = training.widened(wider, split, rng)
    run = training.run
    run.advance(settings.max_steps - run.steps, 0.0, tolerance)
    if not np.isfinite(run.loss):
        raise ArithmeticError(f"training diverged at step {run.steps} ({split or 'narrow alone'})")
    return Outcome(run.steps, run.loss <= tolerance)


def stages(settings: Settings, width: int) -> list[int]:
    """Returns the widths that the narrow network is widened to, the last of which is `width`."""
    count, narrow = len(steps_of(settings.grow_at)), settings.grow_from
    return [round(narrow * (width / narrow) ** (stage / count)) for stage in range(1, count + 1)]


@dataclass(frozen=True)
class Training:
    """A network, and where its training is."""

    settings: Settings
    task: Task
    net: MLP
    run: Descent

    @classmethod
    def of(cls, settings: Settings, task: Task, seed: int) -> Training:
        """Returns the narrow network of a seed before its first step; it is the student of that width."""
        width = settings.grow_from
        net = settings.network(width)
        theta = net.init(stream(settings, seed, 2, width), settings.init)
        return cls(settings, task, net, descent(settings, task, net, theta))

    def widened(self, width: int, split: str, rng: np.random.Generator) -> Training:
        """Returns the training of a wider network that goes on where this one is."""
        run = self.run
        how = "equal" if split == "noisy" else split
        moments = (run.velocity, run.second_moment)
        objective = self.task.objective(self.net)
        widths = [width] * self.settings.depth
        growth = grow(objective, run.theta, widths, split=how, rng=rng, moments=moments, max_nodes=NODES)
        theta = growth.theta
        if split == "noisy":
            size = self.settings.split_noise * np.sqrt(np.mean(theta**2))
            theta = theta + size * rng.standard_normal(len(theta))
        wide = descent(self.settings, self.task, growth.net, theta)
        assert growth.moments is not None
        wide.velocity, wide.second_moment = growth.moments  # type: ignore[assignment]
        wide.steps = run.steps
        return Training(self.settings, self.task, growth.net, wide)


def descent(settings: Settings, task: Task, net: MLP, theta: Array) -> Descent:
    """Returns a run of the optimiser from θ."""
    evaluate = task.objective(net).value_and_gradient
    return Descent(evaluate, theta, settings.optimizer, settings.learning_rate, *options_of(settings))


def growth_claims(narrow: int) -> tuple[Claim, ...]:
    """Returns the claims about growth, of students wider than where it begins."""

    def fewer(split: str, than: str, against: str) -> Claim:
        return Claim(
            f"grown_{split}_{against}",
            f"Growing by the {split} split takes fewer steps than {than}",
            f"steps_{GROWN[split]}",
            censored=True,
            reached=f"reached_{GROWN[split]}",
            against="steps" if against == "wide" else f"steps_{against}",
            against_reached="reached" if against == "wide" else f"reached_{against}",
            above=narrow,
            unit="of the steps",
        )

    wide = [fewer(split, "the wide network from scratch", "wide") for split in SPLITS]
    alone = [fewer(split, "the narrow network alone", "narrow") for split in SPLITS]
    others = [fewer("best", f"by the {split} split", GROWN[split]) for split in SPLITS[1:]]
    return (*wide, *alone, *others)
