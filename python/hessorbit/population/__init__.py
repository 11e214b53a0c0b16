"""Infinitely many samples: the expected loss of a student of a teacher over normal inputs."""

from .objective import PopulationObjective

__all__ = ["PopulationObjective"]
