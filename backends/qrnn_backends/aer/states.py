"""Exact results of tapes from the final states that Aer computes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.devices.preprocess import null_postprocessing
from pennylane.devices.qubit.simulate import measure_final_state
from pennylane.operation import Operator
from pennylane.ops import MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn, Result

from qrnn_backends.aer.runs import checked
from qrnn_backends.aer.simulation import Simulation
from qrnn_backends.qiskit_common.program import programs
from qrnn_backends.readout import NoShotsKeptError
from qrnn_circuits.circuits.qiskit.convert import basic_operations

# Of a state in which every mid-circuit measurement has a wire of its own: 64 MB.
MAX_DEFERRED_WIRES = 22


@qml.transform  # type: ignore[untyped-decorator]
def defer_without_shots(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Gives mid-circuit measurements wires of their own if the tape has no shots.

    Postselected ones leave projectors.

    Raises:
        ValueError: If that takes more than ``MAX_DEFERRED_WIRES`` wires.
    """
    if tape.shots:
        return (tape,), null_postprocessing
    if not any(isinstance(operation, MidMeasure) for operation in tape.operations):
        return (tape,), null_postprocessing
    batch, combine = qml.defer_measurements(tape)
    for deferred in batch:
        if len(deferred.wires) > MAX_DEFERRED_WIRES:
            raise ValueError(
                f"without shots, every mid-circuit measurement takes a wire of its own: the "
                f"circuit needs {len(deferred.wires)} wires, more than {MAX_DEFERRED_WIRES}. Give "
                "shots, which take no more wires than the circuit has."
            )
    return batch, combine


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
    result = checked(simulator.run(saving, shots=1, method=simulation.method).result())
    results = []
    for number, (tape, part) in enumerate(zip(numbered, unitary, strict=True)):
        wires = len(tape.wires)
        # Qiskit's first qubit is the least significant bit of an index, PennyLane's the most.
        state = np.asarray(result.data(number)["statevector"]).reshape((2,) * wires).T
        state = _projected(np.exp(-1j * part.phase) * state, part.projected)
        results.append(measure_final_state(tape, state, is_state_batched=False))
    return results


class _Unitary(NamedTuple):
    """What Aer runs of a tape, and what it does not.

    Attributes:
        tape: The gates, on all wires of the tape in order.
        phase: The whole state is multiplied by ``exp(-1j * phase)``, in radians.
        projected: Wires with the value that each is projected on at the end.
    """

    tape: QuantumScript
    phase: float
    projected: list[tuple[int, int]]


def _unitary(tape: QuantumScript) -> _Unitary:
    (tape,), _ = qml.transforms.convert_to_numpy_parameters(tape)
    # Keeps the wires in order, and those that no gate acts on.
    operations: list[Operator] = [qml.Identity(range(len(tape.wires)))]
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
                phase += float(basic.data[0])
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
