"""PennyLane's simulators.

Reading an outcome and resetting the lane to the next input is one 2x2 matrix on each lane wire,
without normalisation, within the circuit of the whole sequence: it needs no more wires than a step,
and the squared norm at its end is the likelihood. ``default.qubit`` runs a whole batch at once.

The adjoint method of ``lightning.qubit`` runs the circuit backwards, which such a projection
forbids. Its gradient takes a fresh lane for each step, and the likelihood is the expectation of a
projector on all of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.simulators.circuit import Cnot, Gate, Multiplexer, Rotation, StepCircuit
from benchmarks.simulators.likelihood import (
    Simulator,
    UnsupportedError,
    bits,
    log_likelihood,
    multiplexer_matrix,
    reading_matrices,
    with_gradient,
)

# A statevector of 1 GiB.
_MAX_WIRES = 26


def _operations(
    gates: Sequence[Gate], wires: Sequence[int], angles: Tensor, each: Sequence[Any]
) -> list[Any]:
    """Operations of gates.

    Args:
        gates: The gates.
        wires: What stands for the lane wires and then the workspace wires.
        angles: All angles.
        each: The same one by one, in the type that the rotations are to have.
    """
    import pennylane as qml

    operations = []
    for gate in gates:
        match gate:
            case Rotation(target, index):
                operations.append(qml.RY(each[index], wires=wires[target]))
            case Cnot(control, target):
                operations.append(qml.CNOT([wires[control], wires[target]]))
            case Multiplexer(target, controls, _):
                matrix = multiplexer_matrix(angles, gate)
                operations.append(
                    qml.QubitUnitary(matrix, [wires[wire] for wire in (*controls, target)])
                )
    return operations


def _sequence(
    workspace: list[Any], readout: list[Any], matrices: Sequence[Any], rows: int | slice
) -> list[Any]:
    """The operations of a whole sequence, or of a whole batch by broadcasting."""
    import pennylane as qml

    first, off, read = (matrix[:, rows] for matrix in matrices)

    def on_lane(each: Any) -> list[Any]:  # noqa: ANN401
        return [qml.QubitUnitary(matrix, wires=wire) for wire, matrix in enumerate(each)]

    operations = on_lane(first)
    for step in range(off.shape[-3]):
        operations += workspace
        operations += on_lane(off[..., step, :, :])
        operations += readout
        operations += on_lane(read[..., step, :, :])
    return operations


def default_qubit(circuit: StepCircuit) -> Simulator:
    """PennyLane's ``default.qubit`` with torch, by backpropagation."""
    import pennylane as qml

    device = qml.device("default.qubit", wires=circuit.wires)

    def run(
        angles: Tensor, inputs: Tensor, outcomes: Tensor, gradient: bool
    ) -> tuple[float, Tensor | None]:
        matrices = [torch.from_numpy(m) for m in reading_matrices(circuit, inputs, outcomes)]

        def likelihood(angles: Tensor) -> Tensor:
            each = angles.unbind()
            workspace = _operations(circuit.workspace, range(circuit.wires), angles, each)
            readout = _operations(circuit.readout, range(circuit.wires), angles, each)
            operations = _sequence(workspace, readout, matrices, slice(None))
            tape = qml.tape.QuantumScript(operations, [qml.state()])
            (states,) = qml.execute([tape], device, diff_method="backprop", interface="torch")
            return log_likelihood(states)

        return with_gradient(likelihood, angles, gradient)

    return run


def _projector(outcome: Sequence[int], workspace_wires: int) -> Any:  # noqa: ANN401
    """Sparse, onto these bits on the wires after the workspace."""
    from scipy.sparse import csr_matrix

    symbol = sum(bit << place for place, bit in enumerate(reversed(outcome)))
    rows = (np.arange(2**workspace_wires) << len(outcome)) + symbol
    size = 2 ** (workspace_wires + len(outcome))
    return csr_matrix((np.ones(len(rows)), (rows, rows)), shape=(size, size))


def lightning_qubit(circuit: StepCircuit) -> Simulator:
    """PennyLane's ``lightning.qubit``, its gradient by the adjoint method with deferred reading."""
    import pennylane as qml

    def forward(angles: Tensor, inputs: Tensor, outcomes: Tensor) -> float:
        device = qml.device("lightning.qubit", wires=circuit.wires)
        matrices = reading_matrices(circuit, inputs, outcomes)
        each = angles.tolist()
        workspace = _operations(circuit.workspace, range(circuit.wires), angles, each)
        readout = _operations(circuit.readout, range(circuit.wires), angles, each)
        tapes = [
            qml.tape.QuantumScript(_sequence(workspace, readout, matrices, row), [qml.state()])
            for row in range(len(inputs))
        ]
        states = np.stack(qml.execute(tapes, device, diff_method=None))
        return float(log_likelihood(torch.from_numpy(states)))

    def deferred(angles: Tensor, inputs: Tensor, outcomes: Tensor) -> Tensor:
        batch, steps = inputs.shape
        lane, workspace_wires = circuit.lane, circuit.workspace_wires
        wires = workspace_wires + lane * steps
        if wires > _MAX_WIRES:
            raise UnsupportedError(f"needs {wires} wires")
        each = angles.unbind()
        given, read = bits(inputs, lane).tolist(), bits(outcomes, lane).tolist()
        rows: list[list[Any]] = [[] for _ in range(batch)]
        for step in range(steps):
            lanes = range(workspace_wires + lane * step, workspace_wires + lane * (step + 1))
            step_wires = [*lanes, *range(workspace_wires)]
            workspace = _operations(circuit.workspace, step_wires, angles, each)
            readout = _operations(circuit.readout, step_wires, angles, each)
            for row, operations in enumerate(rows):
                flips = [
                    qml.X(wire) for bit, wire in zip(given, lanes, strict=True) if bit[row][step]
                ]
                operations += [*flips, *workspace, *flips, *readout]
        tapes = []
        for row, operations in enumerate(rows):
            outcome = [read[wire][row][step] for step in range(steps) for wire in range(lane)]
            projector = _projector(outcome, workspace_wires)
            measurement = qml.expval(qml.SparseHamiltonian(projector, wires=range(wires)))
            tapes.append(qml.tape.QuantumScript(operations, [measurement]))
        device = qml.device("lightning.qubit", wires=wires)
        results = qml.execute(tapes, device, diff_method="adjoint", interface="torch")
        return torch.stack(list(results)).log().sum()

    def run(
        angles: Tensor, inputs: Tensor, outcomes: Tensor, gradient: bool
    ) -> tuple[float, Tensor | None]:
        if not gradient:
            return forward(angles, inputs, outcomes), None
        return with_gradient(lambda leaf: deferred(leaf, inputs, outcomes), angles, True)

    return run
