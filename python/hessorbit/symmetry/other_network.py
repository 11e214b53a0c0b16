"""`for_network` poses the same problem to another network, `with_arguments` with other data, or whatever it is told."""

from __future__ import annotations

from typing import Any

from ..any_objective import AnyObjective
from ..network import MLP
from ..objective import Objective
from ..population import PopulationObjective


def with_arguments(obj: Objective, **arguments: Any) -> Objective:
    """Returns the same objective but for these arguments."""
    same: dict[str, Any] = {
        "net": obj.net,
        "x": obj.x,
        "y": obj.y,
        "loss": obj.loss_name,
        "delta": obj.delta,
        "sample_weight": obj.sample_weight,
        "l2": obj.l2,
        "threads": obj.threads,
    }
    return Objective(**same | arguments)


def for_network(obj: AnyObjective, net: MLP) -> AnyObjective:
    """Returns the objective of a network with the inputs and outputs of `obj.net`, without weight decay."""
    if isinstance(obj, Objective):
        return with_arguments(obj, net=net, l2=0.0)
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
