"""From PennyLane tapes to Qiskit circuits that share their structure, and back to results."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pennylane as qml
from cachetools import LRUCache
from numpy.typing import NDArray
from pennylane.measurements import MeasurementProcess, ProbabilityMP
from pennylane.operation import Operator
from pennylane.ops import Conditional, Controlled, MidMeasure
from pennylane.tape import QuantumScript
from pennylane.wires import Wires

from qrnn_backends.circuit_checks import check_numbers
from qrnn_backends.measurements import mid_circuit, values_on_bits, with_wires
from qrnn_backends.qiskit_common.observables import has_own_basis, is_identity
from qrnn_backends.qiskit_common.qubits import qubit_order
from qrnn_backends.readout import Readout
from qrnn_circuits.circuits.qiskit.convert import Converter, Item
from qrnn_circuits.circuits.qiskit.shared import shared_operations

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# Tapes of a training loop come back; circuits of many gates take megabytes.
_CACHED_CIRCUITS = 64
_circuits: "LRUCache[str, QuantumCircuit]" = LRUCache(_CACHED_CIRCUITS)


@dataclass(frozen=True)
class Program:
    """A tape as a Qiskit circuit, its angles, and the way back to the tape's results.

    Attributes:
        circuit: The dynamic circuit. Every angle of a gate is a parameter. Mid-circuit measurements
            write the classical register ``mid``, the ones at the end the register ``end``.
        values: Values of the circuit's parameters, in the order of ``circuit.parameters``, in
            radians, shape ``(parameters,)``.
        readout: From the circuit's classical bits to the tape's results.
        structure: A hash of everything but the values. Programs of equal structure share one
            circuit object, so that it needs to be transpiled once.
    """

    circuit: "QuantumCircuit"
    values: NDArray[np.float64]
    readout: Readout
    structure: str

    def bound(self, transpiled: "QuantumCircuit | None" = None) -> "QuantumCircuit":
        """The circuit with its values, or what a transpiler has made of it."""
        circuit = self.circuit if transpiled is None else transpiled
        return bind(circuit, self.values[columns(circuit)])


def columns(circuit: "QuantumCircuit") -> list[int]:
    """Places of a circuit's parameters among the values of its program.

    Transpilation drops parameters of gates that change nothing that is read. Those of a circuit
    that has left the cache are no longer equal to those of what was transpiled from it.
    """
    return [parameter.index for parameter in circuit.parameters]


def bind(circuit: "QuantumCircuit", values: NDArray[np.float64]) -> "QuantumCircuit":
    """A circuit with values for its parameters, in their order."""
    if not len(values):
        return circuit
    bound: QuantumCircuit = circuit.assign_parameters(values)
    return bound


def programs(
    tapes: Sequence[QuantumScript], wires: Wires | None = None, placed: int = 0
) -> list[Program]:
    """Converts tapes.

    Args:
        tapes: Tapes with a number of shots, whose measurements commute qubit by qubit
            (``split_non_commuting``) and whose parameters are not broadcast. Without shots, the
            readout has none either, and serves :meth:`Readout.expected` only.
        wires: Of the device, None if any will do.
        placed: Number of qubits that are not like the others, as
            :func:`~.qubits.qubit_order` takes it.

    Returns:
        One program for each tape.

    Raises:
        TypeError: If an operation has no Qiskit gate, no decomposition and no matrix.
        ValueError: If a condition uses a measurement that does not come before it, or an angle is
            not finite.
    """
    # Equal structures within one call share their circuit even if it leaves the cache.
    circuits: dict[str, QuantumCircuit] = {}
    return [_program(tape, qubit_order(tape.wires, wires, placed), circuits) for tape in tapes]


def flattened(operations: Iterable[Operator]) -> list[Operator]:
    """Decomposes operations into gates of Qiskit, measurements and conditioned gates.

    Phases of the whole state and operations that never act are left out. What repeats in neurons is
    one object.

    Raises:
        TypeError: If an operation has no Qiskit gate, no decomposition and no matrix.
    """
    shared = shared_operations(operations)
    idle = {id(basic) for basic in _distinct(shared) if _acts_on_nothing(basic)}
    return [basic for basic in shared if id(basic) not in idle]


def _program(
    tape: QuantumScript, qubits: Sequence[Hashable], circuits: "dict[str, QuantumCircuit]"
) -> Program:
    (tape,), _ = qml.transforms.convert_to_numpy_parameters(tape)
    rotations, measurements = _diagonalized(tape.measurements)
    operations = flattened([*tape.operations, *rotations])
    distinct = _distinct(operations)
    places = _recorded(distinct, measurements)
    # Classical bits are numbered through both registers: "mid", then "end".
    ends: dict[Hashable, int] = {}
    for measurement in measurements:
        for wire in _read_at_the_end(measurement, places):
            ends.setdefault(wire, len(places) + len(ends))

    structure = _structure(operations, qubits, places, ends)
    circuit = circuits.get(structure) or _circuits.get(structure)
    if circuit is None:
        circuit = _circuit(operations, qubits, places, list(ends))
    circuits[structure] = circuit
    _circuits[structure] = circuit

    readout = Readout(
        measurements=tuple(_on_bits(measurement, places, ends) for measurement in measurements),
        postselected=tuple(
            (places[operation.meas_uid], int(operation.postselect))
            for operation in distinct
            if isinstance(operation, MidMeasure) and operation.postselect is not None
        ),
        shots=tuple(tape.shots),
    )
    # Of complex type, all are real: they are unitary.
    values = [float(np.real(value)) for operation in distinct for value in operation.data]
    check_numbers(values)
    return Program(circuit, np.array(values, dtype=np.float64), readout, structure)


def _diagonalized(
    measurements: Sequence[MeasurementProcess],
) -> tuple[list[Operator], list[MeasurementProcess]]:
    """Gates after which observables are diagonal, and the measurements of these.

    That of a Pauli operator is of the parity of its wires, as :class:`Readout` has it.

    The gates of a Pauli operator are the same whatever else is measured: they may have errors.
    """
    gates: list[Operator] = []
    turned: set[Hashable] = set()
    replaced = list(measurements)
    with qml.QueuingManager.stop_recording():
        for place, measurement in enumerate(measurements):
            if measurement.obs is None:
                continue
            words = measurement.obs.pauli_rep
            wires = measurement.wires
            if not is_identity(measurement) and (words is None or has_own_basis(measurement)):
                gates += measurement.diagonalizing_gates()
                eigenvalues = measurement.eigvals()
            else:
                ((word, factor),) = words.items()
                for wire in [wire for wire in word if wire not in turned]:
                    gates += getattr(qml, word[wire])(wire).diagonalizing_gates()
                turned |= word.keys()
                eigenvalues = None
                if not isinstance(measurement, ProbabilityMP):
                    # A table of all patterns would not fit into memory from some 30 wires on.
                    wires = [wire for wire in wires if wire in word] or wires[:1]
                    eigenvalues = [factor, -factor if word else factor]
            # PennyLane's copy of a rotated measurement loses its options.
            replaced[place] = with_wires(measurement, wires, eigenvalues)
    return gates, replaced


def _recorded(
    operations: Iterable[Operator], measurements: Iterable[MeasurementProcess]
) -> dict[str, int]:
    """Places of the mid-circuit measurements that need a classical bit, by their ids.

    Without a bit, a measurement that resets its wire is a reset, and nothing else can be left out:
    a measurement that nobody reads still projects the state.
    """
    read = {
        value.meas_uid
        for operation in operations
        if isinstance(operation, Conditional)
        for value in operation.meas_val.measurements
    }
    for measurement in measurements:
        read |= {value.meas_uid for value in mid_circuit(measurement)}
    recorded = [
        operation.meas_uid
        for operation in operations
        if isinstance(operation, MidMeasure)
        and (operation.meas_uid in read or operation.postselect is not None or not operation.reset)
    ]
    return {uid: place for place, uid in enumerate(recorded)}


def _read_at_the_end(
    measurement: MeasurementProcess, places: Mapping[str, int]
) -> Iterable[Hashable]:
    """The wires that a measurement reads: of mid-circuit values those that were put off."""
    if measurement.mv is None:
        return list(measurement.wires)
    return [part.wires[0] for part in mid_circuit(measurement) if part.meas_uid not in places]


def _on_bits(
    measurement: MeasurementProcess, places: Mapping[str, int], ends: Mapping[Hashable, int]
) -> MeasurementProcess:
    if measurement.mv is None:
        bits = [ends[wire] for wire in measurement.wires]
        return with_wires(measurement, bits, measurement.eigvals())
    bits = [
        places[part.meas_uid] if part.meas_uid in places else ends[part.wires[0]]
        for part in mid_circuit(measurement)
    ]
    return values_on_bits(measurement, bits)


def _structure(
    operations: Iterable[Operator],
    wires: Sequence[Hashable],
    places: Mapping[str, int],
    ends: Iterable[Hashable],
) -> str:
    numbers = {wire: number for number, wire in enumerate(wires)}
    measured: dict[str, int] = {}

    def key(operation: Operator) -> Any:  # noqa: ANN401
        acted = [numbers[wire] for wire in operation.wires]
        if isinstance(operation, Conditional):
            value = operation.meas_val
            # A measurement that comes later has no number: the conversion reports it.
            inputs = [measured.get(measurement.meas_uid) for measurement in value.measurements]
            return inputs, [bool(true) for _, true in value.items()], key(operation.base)
        if isinstance(operation, MidMeasure):
            measured[operation.meas_uid] = len(measured)
            recorded = operation.meas_uid in places
            return "measure", acted, recorded, operation.reset
        controls = list(operation.control_values) if isinstance(operation, Controlled) else []
        return operation.name, acted, [bool(value) for value in controls]

    described: dict[int, str] = {}
    parameters = 0
    for operation in _distinct(operations):
        # What is one object has one set of parameters.
        described[id(operation)] = repr((key(operation), parameters))
        parameters += operation.num_params
    parts = [str(len(numbers)), *(described[id(operation)] for operation in operations)]
    parts.append(repr([numbers[wire] for wire in ends]))
    return blake2b("".join(parts).encode(), digest_size=16).hexdigest()


def _distinct(operations: Iterable[Operator]) -> list[Operator]:
    """The different objects, in the order in which they first occur."""
    return list({id(operation): operation for operation in operations}.values())


def _circuit(
    operations: Sequence[Operator],
    wires: Sequence[Hashable],
    places: Mapping[str, int],
    ends: Sequence[Hashable],
) -> "QuantumCircuit":
    from qiskit import ClassicalRegister
    from qiskit.circuit import ParameterVector

    size = sum(operation.num_params for operation in _distinct(operations))
    angles = iter(ParameterVector("angle", size))
    converter = Converter(
        quantum={"q": wires},
        classical=lambda measurement, used: "mid" if measurement.meas_uid in places else None,
        angle=lambda value: next(angles),
        misread=True,
    )
    circuit = converter.convert(
        Item(operation, key=id(operation)) for operation in operations
    ).circuit
    if ends:
        register = ClassicalRegister(len(ends), "end")
        circuit.add_register(register)
        circuit.measure([wires.index(wire) for wire in ends], register)
    return circuit


def _acts_on_nothing(operation: Operator) -> bool:
    if isinstance(operation, Conditional):
        never = not any(value for _, value in operation.meas_val.items())
        return never or operation.base.name == "GlobalPhase"
    return bool(operation.name == "GlobalPhase")
