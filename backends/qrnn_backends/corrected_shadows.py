"""What PennyLane 0.45 gets wrong of expectation values from classical shadows.

Importing this puts it right in PennyLane, whose tapes give wires other names for simulators.
"""

from collections.abc import Hashable, Mapping
from copy import copy

from pennylane.measurements import ShadowExpvalMP
from pennylane.operation import Operator


def _with_wires(self: ShadowExpvalMP, wire_map: Mapping[Hashable, Hashable]) -> ShadowExpvalMP:
    """A copy on other wires, whose observables PennyLane leaves on those that they were on."""
    found = copy(self)
    if isinstance(self.H, Operator):
        found.H = self.H.map_wires(wire_map)
    else:
        found.H = [observable.map_wires(wire_map) for observable in self.H]
    return found


ShadowExpvalMP.map_wires = _with_wires
