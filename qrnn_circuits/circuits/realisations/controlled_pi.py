"""The controlled rotation by pi, the one gate of a quantum neuron that acts on its target."""

from collections.abc import Hashable
from typing import Literal

import pennylane as qml

from qrnn_circuits.circuits.gate_lists import Gates


def controlled_pi(
    control: Hashable,
    target: Hashable,
    *,
    inverse: bool = False,
    axis: Literal["X", "Y"] = "Y",
) -> Gates:
    """The controlled rotation by pi, or -pi, with one two-qubit gate.

    ``RX(pi) = -iX``: a CNOT, and the factor -i as a phase gate on the control. ``RY(pi)`` is the
    same between phase gates on the target. These are spared where the target is itself an ancilla,
    in 0 or measured at both ends and only a control in between: it may turn about X as well.

    Args:
        control: The control wire.
        target: The rotated wire.
        inverse: Whether to rotate by -pi.
        axis: What to rotate about.

    Returns:
        The gates; not queued.
    """
    with qml.QueuingManager.stop_recording():
        phase = qml.S(control) if inverse else qml.adjoint(qml.S(control))
        flip = qml.CNOT([control, target])
        if axis == "X":
            return [phase, flip]
        return [phase, qml.adjoint(qml.S(target)), flip, qml.S(target)]
