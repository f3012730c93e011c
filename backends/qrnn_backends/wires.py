"""In which order the wires of a tape count."""

from pennylane.tape import QuantumScript
from pennylane.wires import Wires


def ordered_wires(tape: QuantumScript) -> Wires:
    """The wires of a tape on a device that has none of its own, as default.qubit orders them.

    Args:
        tape: Any tape.

    Returns:
        Wires that are numbered from 0 count in order, others as they first occur.

    Example:
        >>> import pennylane as qml
        >>> ordered_wires(QuantumScript([qml.CNOT([1, 0])])).tolist()
        [0, 1]
        >>> ordered_wires(QuantumScript([qml.CNOT([2, 0])])).tolist()
        [2, 0]
    """
    numbers = Wires(range(len(tape.wires)))
    return numbers if set(numbers) == set(tape.wires) else tape.wires
