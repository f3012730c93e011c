"""What PennyLane 0.45 gets wrong of expectation values from classical shadows.

Importing this puts it right in PennyLane, whose tapes give wires other names for simulators and
which takes all observables on the same wires for one where it remembers circuits.
"""

from collections.abc import Hashable, Mapping
from copy import copy

from pennylane.measurements import MeasurementProcess, ShadowExpvalMP
from pennylane.operation import Operator


def _with_wires(self: ShadowExpvalMP, wire_map: Mapping[Hashable, Hashable]) -> ShadowExpvalMP:
    """A copy on other wires, whose observables PennyLane leaves on those that they were on."""
    found = copy(self)
    if isinstance(self.H, Operator):
        found.H = self.H.map_wires(wire_map)
    else:
        found.H = [observable.map_wires(wire_map) for observable in self.H]
    return found


def _hash(self: ShadowExpvalMP) -> int:
    """That of other measurements, with the observables and the options of shadows."""
    observables = self.H if isinstance(self.H, Operator) else tuple(self.H)
    return hash((MeasurementProcess.hash.fget(self), observables, self.seed, self.k))


ShadowExpvalMP.map_wires = _with_wires
ShadowExpvalMP.hash = property(_hash)
