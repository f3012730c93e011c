"""DeepQuantum."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.simulators.circuit import Cnot, Gate, Multiplexer, Rotation, StepCircuit
from benchmarks.simulators.likelihood import (
    Simulator,
    log_likelihood,
    multiplexer_matrix,
    with_gradient,
)


def deepquantum(circuit: StepCircuit) -> Simulator:
    """DeepQuantum with torch, by backpropagation; the state is handed over from step to step."""
    import deepquantum as dq

    rotations: list[tuple[int, Any]] = []
    multiplexers: list[tuple[Multiplexer, Any]] = []

    def stage(gates: Sequence[Gate]) -> Any:  # noqa: ANN401
        built = dq.QubitCircuit(circuit.wires)
        for gate in gates:
            match gate:
                case Rotation(target, index):
                    built.ry(target, inputs=0.0)
                    rotations.append((index, built.operators[-1]))
                case Cnot(control, target):
                    built.cnot(control, target)
                case Multiplexer(target, controls, _):
                    identity = torch.eye(2 * gate.patterns, dtype=torch.complex128)
                    built.any(identity, wires=[*controls, target])
                    multiplexers.append((gate, built.operators[-1]))
        return built.to(torch.double)

    workspace, readout = stage(circuit.workspace), stage(circuit.readout)

    def run(
        angles: Tensor, inputs: Tensor, outcomes: Tensor, gradient: bool
    ) -> tuple[float, Tensor | None]:
        def likelihood(angles: Tensor) -> Tensor:
            each = angles.unbind()
            for index, gate in rotations:
                gate.theta = each[index]
            for multiplexer, gate in multiplexers:
                gate.matrix = multiplexer_matrix(angles, multiplexer)
            batch, symbols, size = len(inputs), 2**circuit.lane, 2**circuit.workspace_wires
            rows = torch.arange(batch)
            state = angles.new_zeros(batch, size, dtype=torch.complex128)
            state[:, 0] = 1

            def on_lane(state: Tensor, symbol: Tensor) -> Tensor:
                whole = state.new_zeros(batch, symbols, size)
                return whole.index_put((rows, symbol), state).reshape(batch, -1, 1)

            def read(whole: Tensor, symbol: Tensor) -> Tensor:
                return whole.reshape(batch, symbols, size)[rows, symbol]

            zero = torch.zeros(batch, dtype=torch.int64)
            for given, outcome in zip(inputs.T, outcomes.T, strict=True):
                state = read(workspace(state=on_lane(state, given)), given)
                state = read(readout(state=on_lane(state, zero)), outcome)
            return log_likelihood(state)

        return with_gradient(likelihood, angles, gradient)

    return run
