"""The acceptance of a tape: the share of shots that postselection keeps without noise."""

import pennylane as qml
import torch
from pennylane.devices.preprocess import decompose

from qrnn_backends.measurement_bases import in_computational_basis
from qrnn_backends.torch.simulation import ExactBranches, check_width, runs
from qrnn_circuits import ZeroProbabilityError

# A share that only a message tells is predicted up to so many wires, which takes no time.
_MAX_PREDICTED_WIRES = 12


def acceptance(tape: qml.tape.QuantumScript) -> float:
    """The probability that every postselected measurement comes out right, without noise.

    Args:
        tape: Any tape of gates, quantum neurons, mid-circuit measurements and conditions.

    Returns:
        Of a tape with a batch of parameters, the mean.

    Raises:
        ValueError: If the wires are too many, or the branches, to fit into memory.

    Example:
        >>> import pennylane as qml
        >>> half = [qml.Hadamard(0), qml.ops.MidMeasure(0, postselect=0)]
        >>> round(acceptance(qml.tape.QuantumScript(half)), 6)
        0.5
    """
    with torch.no_grad():
        (tape,), _ = in_computational_basis(tape)
        (expanded,), _ = decompose(tape, stopping_condition=runs, name="qrnn.torch")
        check_width(expanded)
        branches = ExactBranches(expanded, torch.float64, torch.device("cpu"))
        try:
            branches.run()
        except ZeroProbabilityError:
            return 0.0
        return float(branches.log_acceptance.exp().mean())


def predicted_share(tape: qml.tape.QuantumScript) -> float | None:
    """The share of shots that postselection keeps without noise; None where that takes long."""
    if len(tape.wires) > _MAX_PREDICTED_WIRES:
        return None
    try:
        return acceptance(tape)
    except ValueError:
        return None
