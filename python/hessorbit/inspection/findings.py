"""What `inspect` found, as pure data; dictionaries, pages and pictures are made of it, not by it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._checks import Array
from ..condition_number import ConditionNumber
from ..conditioning import BestConditioned
from ..critical import Certificate, CriticalPoint
from ..equivalence import CanonicalForm
from ..network import MLP
from ..plot import Slice
from ..spectra import Spectrum
from ..symmetry import SymmetryGroup, ZeroModes
from .blocks import Block
from .directions import Direction
from .neurons import NeuronNote


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """The fields of an `Inspection`."""

    objective: str
    net: MLP
    theta: Array
    gradient: Array
    loss: float
    parts: dict[str, float]
    point: CriticalPoint
    certificate: Certificate | None
    hessian: Spectrum
    gauss_newton: Spectrum
    condition_numbers: tuple[tuple[str, ConditionNumber], ...]
    zero_modes: ZeroModes
    symmetries: SymmetryGroup
    blocks: tuple[Block, ...]
    leading: tuple[Direction, ...]
    negative: tuple[Direction, ...]
    best: dict[str, BestConditioned | str]
    canonical: CanonicalForm
    neurons: tuple[NeuronNote, ...]
    slices: tuple[Slice, ...]
    seconds: float = field(default=float("nan"))

    def __repr__(self) -> str:
        quotient = dict(self.condition_numbers)["hessian"]
        lines = [
            f"Inspection of {self.objective}",
            f"  loss      {self.loss:.6g}, max|gradient| {self.point.gradient_norm:.2g}",
            f"  point     {self.point.kind}: {self.point.message}",
            f"  Hessian   {self.hessian.min:.4g} to {self.hessian.max:.4g}, {self.hessian.num_negative} negative, "
            f"κ {quotient}",
            f"  function  needs {self.canonical.net!r}",
        ]
        return "\n".join(lines + [f"  neurons   layer {note.layer}: {note.meaning}" for note in self.neurons])
