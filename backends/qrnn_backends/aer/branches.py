"""Exact distributions of the bits of dynamic circuits with noise, from one state for each record.

Aer runs what lies between two measurements, on the density matrix of each pattern of bits that was
read before; the measurements themselves, their readout errors and the conditions are done here.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qrnn_backends.aer.measurement_errors import MeasurementErrors, misread
from qrnn_backends.aer.simulation import run

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction
    from qiskit_aer import AerSimulator

_Bits = tuple[int, ...]
_Matrix = NDArray[np.complex128]

# Of all density matrices together: 512 MiB.
_MAX_ENTRIES = 2**25
# Of a normalised state: what is less likely is rounding.
_NEGLIGIBLE = 1e-14


def is_dynamic(circuit: "QuantumCircuit") -> bool:
    """Whether a circuit measures before its end."""
    return any(instruction.name == "measure" for instruction in _divided(circuit)[0])


@cache
def _gates_on_matrices() -> frozenset[str]:
    from qiskit_aer import AerSimulator

    return frozenset(AerSimulator(method="density_matrix").configuration().basis_gates)


def with_density_matrix(instruction: "CircuitInstruction") -> "CircuitInstruction":
    """An instruction as one that Aer runs on density matrices.

    Of gates that it runs on states only, that is the matrix, which has the errors of its label.
    """
    from qiskit.circuit import Gate
    from qiskit.circuit.library import UnitaryGate

    gate = instruction.operation
    if not isinstance(gate, Gate) or gate.name in _gates_on_matrices():
        return instruction
    return instruction.replace(operation=UnitaryGate(gate.to_matrix(), label=gate.name))


def distribution(
    circuit: "QuantumCircuit", simulator: "AerSimulator", errors: MeasurementErrors
) -> NDArray[np.float64]:
    """The exact distribution of the classical bits of a dynamic circuit.

    Args:
        circuit: Each bit is measured once at most.
        simulator: With the noise.
        errors: Those of the noise's measurements.

    Returns:
        The probability of each pattern of the bits, bit 0 most significant, shape ``(2**bits,)``.

    Raises:
        SimulationError: If Aer fails.
        ValueError: If the density matrices do not fit into memory.
    """
    count = circuit.num_qubits
    body, last = _divided(circuit)
    measured = sum(instruction.name == "measure" for instruction in body)
    if 4**count * 2**measured > _MAX_ENTRIES or circuit.num_clbits > 24:
        raise ValueError(
            f"without shots, {count} qubits with noise and {measured} mid-circuit measurements "
            f"take 2**{measured} density matrices of 4**{count} entries, more than the "
            f"{_MAX_ENTRIES:,} that fit into memory: give shots"
        )
    readout = errors.of_readout(range(count))
    start = np.zeros((2**count, 2**count), dtype=np.complex128)
    start[0, 0] = 1
    states: dict[_Bits, _Matrix] = {(0,) * circuit.num_clbits: start}
    waiting: dict[_Bits, list[CircuitInstruction]] = {}
    for instruction in body:
        if instruction.name != "measure":
            for bits in states:
                waiting.setdefault(bits, []).extend(_taken(circuit, instruction, bits))
            continue
        states, waiting = _run(circuit, simulator, states, waiting), {}
        qubit, bit = _places(circuit, instruction)
        states = _measured(states, count - 1 - qubit, bit, readout[qubit])
    states = _run(circuit, simulator, states, waiting)
    table = np.zeros((2,) * circuit.num_clbits)
    for bits, state in states.items():
        where: list[int | slice] = list(bits)
        for _, bit in last:
            where[bit] = slice(None)
        table[tuple(where)] += _read(state, dict(last), readout)
    return table.reshape(-1)


def _divided(
    circuit: "QuantumCircuit",
) -> "tuple[list[CircuitInstruction], list[tuple[int, int]]]":
    """The instructions, without the measurements at the end: those by their qubits and bits."""
    body = [instruction for instruction in circuit.data if instruction.name != "barrier"]
    last: dict[int, int] = {}
    while body and body[-1].name == "measure":
        qubit, bit = _places(circuit, body[-1])
        if qubit in last:
            break
        last[qubit] = bit
        body.pop()
    # The axes of a table are in the order of the bits.
    return body, sorted(last.items(), key=lambda place: place[1])


def _places(circuit: "QuantumCircuit", measure: "CircuitInstruction") -> tuple[int, int]:
    return circuit.find_bit(measure.qubits[0]).index, circuit.find_bit(measure.clbits[0]).index


def _taken(
    circuit: "QuantumCircuit", instruction: "CircuitInstruction", bits: _Bits
) -> "list[CircuitInstruction]":
    """What an instruction does where these bits were read."""
    if instruction.name != "if_else":
        return [instruction]
    values = {bit: bits[place] for place, bit in enumerate(circuit.clbits)}
    branch = 0 if _value(instruction.operation.condition, values) else 1
    if branch >= len(instruction.operation.blocks):
        return []
    block = instruction.operation.blocks[branch]
    outer = dict(zip(block.qubits, instruction.qubits, strict=True))
    return [
        part.replace(qubits=[outer[qubit] for qubit in part.qubits])
        for part in block.data
        if part.name != "barrier"
    ]


def _value(condition: Any, values: Mapping[Any, int]) -> bool:  # noqa: ANN401 - of Qiskit
    from qiskit.circuit.classical import expr

    match condition:
        case (bit, value):
            return values[bit] == int(value)
        case expr.Var():
            return bool(values[condition.var])
        case expr.Unary():
            return not _value(condition.operand, values)
        case expr.Binary():
            sides = _value(condition.left, values), _value(condition.right, values)
            return all(sides) if condition.op is expr.Binary.Op.LOGIC_AND else any(sides)
    raise TypeError(f"a condition must be of bits, got {condition}")


def _run(
    circuit: "QuantumCircuit",
    simulator: "AerSimulator",
    states: Mapping[_Bits, _Matrix],
    waiting: "Mapping[_Bits, list[CircuitInstruction]]",
) -> dict[_Bits, _Matrix]:
    """The states after the instructions that wait for them, all in one run of Aer."""
    found = dict(states)
    acted = [bits for bits in states if waiting.get(bits)]
    if not acted:
        return found
    circuits = []
    for bits in acted:
        part = circuit.copy_empty_like()
        part.set_density_matrix(states[bits] / np.trace(states[bits]))
        for instruction in waiting[bits]:
            part.append(with_density_matrix(instruction))
        part.save_density_matrix()
        circuits.append(part)
    result = run(simulator, circuits, shots=1, method="density_matrix")
    for number, bits in enumerate(acted):
        after = np.asarray(result.data(number)["density_matrix"])
        found[bits] = after * np.trace(states[bits])
    return found


def _measured(
    states: Mapping[_Bits, _Matrix], axis: int, bit: int, error: NDArray[np.float64] | None
) -> dict[_Bits, _Matrix]:
    """The states after a measurement of a qubit, whose most significant one has axis 0."""
    found: dict[_Bits, _Matrix] = {}
    shares = np.eye(2) if error is None else error
    for bits, state in states.items():
        count = state.shape[0].bit_length() - 1
        for read in (0, 1):
            after = np.zeros((2,) * 2 * count, dtype=np.complex128)
            for value in (0, 1):
                place: list[int | slice] = [slice(None)] * (2 * count)
                place[axis] = place[count + axis] = value
                after[tuple(place)] = shares[value, read] * state.reshape(after.shape)[tuple(place)]
            matrix = after.reshape(state.shape)
            if np.trace(matrix).real > _NEGLIGIBLE:
                found[(*bits[:bit], read, *bits[bit + 1 :])] = matrix
    return found


def _read(
    state: _Matrix, last: Mapping[int, int], errors: "list[NDArray[np.float64] | None]"
) -> NDArray[np.float64]:
    """What is read from some qubits, an axis for each in their order, times the state's trace."""
    count = state.shape[0].bit_length() - 1
    # Rounding may leave a negative probability.
    table = np.maximum(np.diag(state).real, 0.0).reshape((2,) * count)
    axes = [count - 1 - qubit for qubit in last]
    others = tuple(axis for axis in range(count) if axis not in axes)
    table = table.sum(others).transpose(np.argsort(np.argsort(axes)))
    return misread(table, [errors[qubit] for qubit in last])
