"""Results of tapes without shots: from Aer's final states, or from exact distributions of bits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.devices.qubit.simulate import measure_final_state
from pennylane.measurements import ExpectationMP
from pennylane.operation import Operator
from pennylane.tape import QuantumScript
from pennylane.typing import Result

from qrnn_backends.aer.branches import distribution, is_dynamic, with_density_matrix
from qrnn_backends.aer.measurement_errors import MeasurementErrors, misread
from qrnn_backends.aer.simulation import Simulation, run
from qrnn_backends.qiskit_common.program import Program, programs
from qrnn_backends.qiskit_common.readout_errors import measured_qubits
from qrnn_backends.readout import NoShotsKeptError
from qrnn_circuits.circuits.qiskit.basic import basic_operations

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator


def exact_results(simulation: Simulation, tapes: Sequence[QuantumScript]) -> list[Result]:
    """Runs tapes without shots, all in one run of Aer.

    Args:
        simulation: Without noise.
        tapes: Gates, and projectors of postselected wires.

    Returns:
        The result of each tape, given that every projector's outcome is read.

    Raises:
        NoShotsKeptError: If a postselected outcome has probability 0.
        SimulationError: If Aer fails, for instance for want of memory.
    """
    numbered = [tape.map_to_standard_wires() for tape in tapes]
    unitary = [_unitary(tape) for tape in numbered]
    circuits, simulator = simulation.prepare(programs([part.tape for part in unitary]))
    saving = []
    for circuit in circuits:
        saved = circuit.copy()
        saved.save_statevector()
        saving.append(saved)
    result = run(simulator, saving, shots=1, method=simulation.method)
    results = []
    for number, (tape, part) in enumerate(zip(numbered, unitary, strict=True)):
        wires = len(tape.wires)
        # Qiskit's first qubit is the least significant bit of an index, PennyLane's the most.
        amplitudes = np.asarray(result.data(number)["statevector"])[: 2**wires]
        state = amplitudes.reshape((2,) * wires).T
        state = _projected(np.exp(-1j * part.phase) * state, part.projected)
        results.append(_measured(tape, state))
    return results


def _measured(tape: QuantumScript, state: NDArray[np.complex128]) -> Result:
    """PennyLane's results, of which expectation values are real, though of products of factor i."""
    found = measure_final_state(tape, state, is_state_batched=False)
    several = found if len(tape.measurements) > 1 else (found,)
    results = tuple(
        np.real(result) if isinstance(measurement, ExpectationMP) else result
        for measurement, result in zip(tape.measurements, several, strict=True)
    )
    return results if len(results) > 1 else results[0]


def distributions(simulation: Simulation, programs: Sequence[Program]) -> list[NDArray[np.float64]]:
    """Exact distributions of the classical bits, readout errors included.

    Programs without mid-circuit measurements take one run of Aer together.

    Args:
        simulation: Where they run; with density matrices for mid-circuit measurements.
        programs: The programs.

    Returns:
        For each program, the probability of each pattern of its bits, bit 0 most significant, shape
        ``(2**bits,)``.

    Raises:
        SimulationError: If Aer fails, for instance for want of memory.
        UnsupportedTargetError: If there are too few qubits or an instruction is lacking.
        ValueError: If a measurement has an error that is none of the readout, or density matrices
            do not fit into memory.
    """
    circuits, simulator = simulation.prepare(programs)
    errors = MeasurementErrors(simulator.options.noise_model)
    if errors.of_state:
        raise ValueError(
            "noise must have no quantum error on 'measure' without shots, only readout errors: "
            "give shots"
        )
    method = "density_matrix" if simulation.method == "automatic" else simulation.method
    static = [each for each in circuits if not is_dynamic(each)]
    rest = iter(_static(static, simulator, errors, method))
    return [
        distribution(each, simulator, errors) if is_dynamic(each) else next(rest)
        for each in circuits
    ]


def _static(
    circuits: "Sequence[QuantumCircuit]",
    simulator: "AerSimulator",
    errors: MeasurementErrors,
    method: str,
) -> list[NDArray[np.float64]]:
    if not circuits:
        return []
    measured = [measured_qubits(circuit) for circuit in circuits]
    saving = []
    for circuit, qubits in zip(circuits, measured, strict=True):
        gates = circuit.remove_final_measurements(inplace=False)
        saved = gates.copy_empty_like()
        for instruction in gates.data:
            saved.append(with_density_matrix(instruction))
        saved.save_probabilities(qubits)
        saving.append(saved)
    result = run(simulator, saving, shots=1, method=method)
    return [
        _misread(result.data(number)["probabilities"], errors.of_readout(qubits))
        for number, qubits in enumerate(measured)
    ]


class _Unitary(NamedTuple):
    """What Aer runs of a tape, and what it does not.

    Attributes:
        tape: The gates, on all wires of the tape in order, and on one more if there are none.
        phase: The whole state is multiplied by ``exp(-1j * phase)``, in radians.
        projected: Wires with the value that each is projected on at the end.
    """

    tape: QuantumScript
    phase: float
    projected: list[tuple[int, int]]


def _unitary(tape: QuantumScript) -> _Unitary:
    (tape,), _ = qml.transforms.convert_to_numpy_parameters(tape)
    # Keeps the wires in order, and those that no gate acts on; Aer has no state of none.
    operations: list[Operator] = [qml.Identity(range(len(tape.wires) or 1))]
    projected: list[tuple[int, int]] = []
    phase = 0.0
    following = [*tape.operations, None][1:]
    for operation, next_operation in zip(tape.operations, following, strict=True):
        if isinstance(operation, qml.Projector):
            # If the wire is used again, PennyLane next copies the outcome to a wire of its own.
            copied = next_operation is not None and next_operation.name == "CNOT"
            copied = copied and next_operation.wires[0] == operation.wires[0]
            wire = next_operation.wires[1] if copied else operation.wires[0]
            projected.append((wire, int(operation.data[0][0])))
            continue
        with qml.QueuingManager.stop_recording():
            basics = list(basic_operations(operation))
        for basic in basics:
            if basic.name == "GlobalPhase":
                phase += float(np.real(basic.data[0]))
            else:
                operations.append(basic)
    return _Unitary(QuantumScript(operations), phase, projected)


def _projected(
    state: NDArray[np.complex128], projected: Sequence[tuple[int, int]]
) -> NDArray[np.complex128]:
    if not projected:
        return state
    for wire, value in projected:
        np.moveaxis(state, wire, 0)[1 - value] = 0.0
    norm = np.linalg.norm(state)
    if norm == 0:
        raise NoShotsKeptError("what is postselected on has probability 0")
    return state / norm


def _misread(
    probabilities: NDArray[np.float64], errors: Sequence[NDArray[np.float64] | None]
) -> NDArray[np.float64]:
    """Aer's probabilities (bit 0 least significant) after readout errors, bit 0 first."""
    bits = len(errors)
    # Rounding may leave a negative probability.
    table = np.maximum(probabilities, 0.0).reshape((2,) * bits).transpose(*reversed(range(bits)))
    return misread(table, errors).reshape(-1)
