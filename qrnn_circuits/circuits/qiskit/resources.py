"""Counts of a Qiskit circuit, and what a chip's calibration data say about it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction, Qubit
    from qiskit.transpiler import Target


@dataclass(frozen=True)
class Resources:
    """What a circuit takes; the bodies of conditions count as if they were always run.

    Attributes:
        qubits: Number of qubits that anything acts on.
        depth: Length of the longest chain of operations that wait for each other.
        one_qubit_gates: Number of gates on one qubit, virtual ones included.
        two_qubit_gates: Number of gates on two qubits.
        conditioned_two_qubit_gates: How many of them run only where a condition holds.
        larger_gates: Number of gates on more qubits: none after transpilation.
        measurements: Number of measurements.
        resets: Number of resets.
        conditions: Number of blocks that depend on earlier measurements.
    """

    qubits: int
    depth: int
    one_qubit_gates: int
    two_qubit_gates: int
    conditioned_two_qubit_gates: int
    larger_gates: int
    measurements: int
    resets: int
    conditions: int


@dataclass(frozen=True)
class Estimate:
    """What the calibration data of a target say about a circuit transpiled to it.

    Attributes:
        duration: Durations along the longest path in seconds. Conditions count as run; the time
            that the classical control takes to decide is not in the data.
        fidelity: Product of 1 - error over all gates and measurements whose error is in the data.
            Errors while qubits wait are left out.
    """

    duration: float
    fidelity: float


def resources(circuit: "QuantumCircuit") -> Resources:
    """Counts a circuit.

    Raises:
        ValueError: If the circuit holds control flow other than ``if``.
    """
    return _resources(circuit.data)


def section_resources(circuit: "QuantumCircuit", first: str) -> dict[str, Resources]:
    """Counts the sections of a circuit, each of which begins with a barrier labelled by its name.

    Args:
        circuit: The circuit.
        first: Name of the section that begins without a barrier.

    Returns:
        The resources of each section; those of one name are counted together, in order.
    """
    sections: dict[str, list[CircuitInstruction]] = {first: []}
    current = first
    for instruction in circuit.data:
        operation = instruction.operation
        if operation.name == "barrier" and operation.label is not None:
            current = operation.label
            sections.setdefault(current, [])
        else:
            sections[current].append(instruction)
    return {name: _resources(instructions) for name, instructions in sections.items()}


def estimate(circuit: "QuantumCircuit", target: "Target") -> Estimate | None:
    """Estimates duration and fidelity of a circuit transpiled to a target.

    Args:
        circuit: The circuit, on the target's qubits.
        target: The target.

    Returns:
        The estimate, or None if the target has no calibration data for the circuit's gates.
    """
    places = {qubit: place for place, qubit in enumerate(circuit.qubits)}
    fidelity, known = 1.0, False

    def properties(operation: Any, qubits: Sequence["Qubit"]) -> Any:  # noqa: ANN401
        if operation.name not in target.operation_names:
            return None
        return target[operation.name].get(tuple(places[qubit] for qubit in qubits))

    for operation, qubits, _ in _operations(circuit.data):
        data = properties(operation, qubits)
        if data is not None and data.error is not None:
            known = True
            fidelity *= 1 - data.error

    def duration(operation: Any, qubits: Sequence["Qubit"]) -> float:  # noqa: ANN401
        data = properties(operation, qubits)
        return 0.0 if data is None or data.duration is None else float(data.duration)

    return Estimate(_longest_path(circuit.data, duration), fidelity) if known else None


def _resources(instructions: Sequence["CircuitInstruction"]) -> Resources:
    qubits: set[Qubit] = set()
    gates = {1: 0, 2: 0, 3: 0}
    other = {"measure": 0, "reset": 0, "if_else": 0}
    conditioned = 0
    for operation, acted, depends in _operations(instructions):
        qubits.update(acted)
        conditioned += depends and len(acted) == 2 and operation.name != "if_else"
        if operation.name in other:
            other[operation.name] += 1
        elif operation.name != "delay" and acted:
            gates[min(len(acted), 3)] += 1
    return Resources(
        qubits=len(qubits),
        depth=int(_longest_path(instructions, lambda operation, qubits: 1)),
        one_qubit_gates=gates[1],
        two_qubit_gates=gates[2],
        conditioned_two_qubit_gates=conditioned,
        larger_gates=gates[3],
        measurements=other["measure"],
        resets=other["reset"],
        conditions=other["if_else"],
    )


def _operations(
    instructions: Sequence["CircuitInstruction"], conditioned: bool = False
) -> Iterator[tuple[Any, list["Qubit"], bool]]:
    """All operations, also inside of conditions, with their qubits and whether they are inside."""
    for instruction in instructions:
        operation = instruction.operation
        if operation.name == "barrier":
            continue
        qubits = list(instruction.qubits)
        if operation.name in ("for_loop", "while_loop", "switch_case", "box"):
            raise ValueError(f"the circuit's control flow must be if_else, got {operation.name}")
        yield operation, qubits, conditioned
        if operation.name == "if_else":
            for block in operation.blocks:
                outer = dict(zip(block.qubits, qubits, strict=True))
                for inner, acted, _ in _operations(block.data, True):
                    yield inner, [outer[qubit] for qubit in acted], True


def _longest_path(
    instructions: Sequence["CircuitInstruction"],
    weight: Callable[[Any, Sequence["Qubit"]], float],
) -> float:
    """The largest sum of weights along operations that share a qubit or a classical bit."""
    finish: dict[object, float] = {}

    def run(instructions: Sequence["CircuitInstruction"], outer: dict[Any, Any]) -> None:
        for instruction in instructions:
            operation = instruction.operation
            if operation.name == "barrier":
                continue
            bits = [outer.get(bit, bit) for bit in (*instruction.qubits, *instruction.clbits)]
            start = max((finish.get(bit, 0.0) for bit in bits), default=0.0)
            if operation.name == "if_else":
                for bit in bits:
                    finish[bit] = start
                ends = [start]
                for block in operation.blocks:
                    inside = (*block.qubits, *block.clbits)
                    run(block.data, dict(zip(inside, bits, strict=True)))
                    ends += [finish[bit] for bit in bits]
                    finish.update(dict.fromkeys(bits, start))
                end = max(ends)
            else:
                qubits = [outer.get(qubit, qubit) for qubit in instruction.qubits]
                end = start + weight(operation, qubits)
            finish.update(dict.fromkeys(bits, end))

    run(instructions, {})
    return max(finish.values(), default=0.0)
