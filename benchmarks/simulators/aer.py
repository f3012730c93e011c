"""Qiskit Aer.

Reading an outcome is part of the circuit of the whole sequence, as in PennyLane's simulators: one
2x2 matrix on each lane wire, without normalisation.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.simulators.circuit import Cnot, Gate, Multiplexer, Rotation, StepCircuit
from benchmarks.simulators.likelihood import (
    Simulator,
    UnsupportedError,
    log_likelihood,
    reading_matrices,
)


def aer(circuit: StepCircuit) -> Simulator:
    """Qiskit Aer's statevector method with its native multiplexers; no gradient."""
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import RYGate, UCGate, UnitaryGate
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(method="statevector")

    def stage(gates: Sequence[Gate], angles: Tensor) -> QuantumCircuit:
        built = QuantumCircuit(circuit.wires)
        for gate in gates:
            match gate:
                case Rotation(target, index):
                    built.append(RYGate(float(angles[index])), [target])
                case Cnot(control, target):
                    built.cx(control, target)
                case Multiplexer(target, controls, first):
                    half = angles[first : first + gate.patterns].numpy() / 2
                    cos, sin = np.cos(half), np.sin(half)
                    blocks = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
                    # Qiskit's first control is the least significant.
                    built.append(UCGate(list(blocks)), [target, *reversed(controls)])
        return built

    def run(
        angles: Tensor, inputs: Tensor, outcomes: Tensor, gradient: bool
    ) -> tuple[float, Tensor | None]:
        if gradient:
            raise UnsupportedError("no gradient")
        workspace = stage(circuit.workspace, angles)
        readout = stage(circuit.readout, angles)
        matrices = reading_matrices(circuit, inputs, outcomes)

        def on_lane(built: QuantumCircuit, each: NDArray[np.complex128]) -> None:
            for wire, matrix in enumerate(each):
                built.append(UnitaryGate(matrix, check_input=False), [wire])

        sequences = []
        for row in range(len(inputs)):
            first, off, read = (matrix[:, row] for matrix in matrices)
            built = QuantumCircuit(circuit.wires)
            on_lane(built, first)
            for step in range(inputs.shape[1]):
                built.compose(workspace, inplace=True, copy=False)
                on_lane(built, off[:, step])
                built.compose(readout, inplace=True, copy=False)
                on_lane(built, read[:, step])
            built.save_statevector()
            sequences.append(built)
        result = simulator.run(sequences).result()
        states = np.stack([np.asarray(result.get_statevector(each)) for each in sequences])
        return float(log_likelihood(torch.from_numpy(states))), None

    return run
