"""Labels of wires that PennyLane takes for several wires where they stand alone."""

from collections.abc import Iterable

import pennylane as qml
from pennylane.devices.preprocess import null_postprocessing
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn


class _Label:
    """Equal to a label, but without the parts that PennyLane would take for wires."""

    def __init__(self, label: object) -> None:
        self._label = label

    def __eq__(self, other: object) -> bool:
        return self._label == (other._label if isinstance(other, _Label) else other)

    def __hash__(self) -> int:
        return hash(self._label)

    def __repr__(self) -> str:
        return repr(self._label)


@qml.transform  # type: ignore[untyped-decorator]
def with_single_labels(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Lets each label be one wire, also such as ``(0, 1)``, a site of a lattice.

    PennyLane's decompositions give gates single labels, and a tuple is as many wires to them.

    Args:
        tape: Any tape.
    """
    names = {
        wire: _Label(wire)
        for wire in tape.wires
        if isinstance(wire, Iterable) and not isinstance(wire, str)
    }
    if not names:
        return (tape,), null_postprocessing
    (found,), combine = qml.map_wires(tape, names)
    return (found,), combine
