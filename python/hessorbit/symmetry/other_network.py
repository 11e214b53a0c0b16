"""`for_network` poses the same problem to another network: the same data or population, and the same loss."""

from __future__ import annotations

from ..any_objective import AnyObjective
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective


def for_network(obj: AnyObjective, net: MLP) -> AnyObjective:
    """Returns the objective of a network with the inputs and outputs of `obj.net`, without weight decay."""
    if isinstance(obj, Objective):
        return Objective(
            net,
            obj.x,
            obj.y,
            loss=obj.loss_name,
            delta=obj.delta,
            sample_weight=obj.sample_weight,
            threads=obj.threads,
        )
    assert isinstance(obj, PopulationObjective)
    return PopulationObjective(
        net,
        obj.teacher,
        obj.theta_teacher,
        mean=obj.mean,
        covariance=obj.covariance,
        tolerance=obj.tolerance,
        threads=obj.threads,
    )
