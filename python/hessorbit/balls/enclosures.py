"""Which objectives can be computed in ball arithmetic, and how: with one interface for all of them."""

from __future__ import annotations

from .. import _checks
from .._checks import Array
from ..any_objective import AnyObjective
from ..objective import Objective
from ..population import PopulationObjective
from ..restricted import RestrictedObjective
from .arithmetic import balls, exact
from .populations import PopulationLoss
from .samples import SampleLoss


class RestrictedLoss:
    """A `RestrictedObjective` in ball arithmetic: arrays (F,) of balls are its free parameters."""

    def __init__(self, obj: RestrictedObjective) -> None:
        self.obj, self.num_parameters = obj, obj.num_parameters
        self.whole = whole_loss(obj.objective)
        self.l2, self.dtype = exact(obj.l2), self.whole.dtype

    def full(self, part: Array) -> Array:
        theta = balls(self.obj.theta)
        theta[self.obj.free] = part
        return theta

    def loss(self, part: Array) -> object:
        return self.whole.loss(self.full(part))

    def gradient(self, part: Array) -> Array:
        return self.whole.gradient(self.full(part))[self.obj.free]

    def hessian(self, part: Array) -> Array:
        return self.whole.hessian(self.full(part))[self.obj.free[:, None], self.obj.free]


WholeLoss = SampleLoss | PopulationLoss
EnclosedLoss = WholeLoss | RestrictedLoss


def enclosed_loss(obj: AnyObjective) -> EnclosedLoss:
    """The objective in ball arithmetic; a TypeError if it has none."""
    return RestrictedLoss(obj) if isinstance(obj, RestrictedObjective) else whole_loss(obj)


def whole_loss(obj: AnyObjective) -> WholeLoss:
    if isinstance(obj, Objective):
        return SampleLoss(obj)
    if isinstance(obj, PopulationObjective):
        return PopulationLoss(obj)
    got = _checks.with_article(type(obj))
    raise TypeError(f"obj must be an Objective, a PopulationObjective or a restriction of one, for a proof; got {got}")
