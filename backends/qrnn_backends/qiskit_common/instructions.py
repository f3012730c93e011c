"""What a circuit does, inside of its conditions too."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction


def instructions(
    circuit: "QuantumCircuit", inside: bool = False
) -> "Iterator[tuple[CircuitInstruction, bool]]":
    """All instructions in order, each with whether it is inside of a condition.

    Args:
        circuit: The circuit.
        inside: Whether the circuit is what a condition decides on.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(1, 1)
        >>> circuit.measure(0, 0)
        <...>
        >>> with circuit.if_test((0, 1)):
        ...     circuit.x(0)
        <...>
        >>> [(instruction.name, inside) for instruction, inside in instructions(circuit)]
        [('measure', False), ('if_else', False), ('x', True)]
    """
    for instruction in circuit.data:
        yield instruction, inside
        if instruction.name == "if_else":
            for block in instruction.operation.blocks:
                yield from instructions(block, inside=True)
