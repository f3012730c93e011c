"""Random dynamic circuits for hypothesis, on wires 0 to 2."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pennylane as qml
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray
from pennylane.ops import MeasurementValue

WIRES = 3

REAL_GATES = ("RY", "CRY", "Hadamard", "CNOT", "CZ", "PauliX", "SWAP", "SingleExcitation")
COMPLEX_GATES = ("RX", "RZ", "S", "PauliY", "Rot", "IsingXY", "CRX", "PhaseShift", "GlobalPhase")

Kind = Literal["gate", "measure", "condition"]


@dataclass(frozen=True)
class Instruction:
    """A gate, a mid-circuit measurement, or a gate that depends on earlier ones."""

    kind: Kind
    gate: str = "RY"
    wires: tuple[int, ...] = (0, 1, 2)
    angles: tuple[float, float, float] = (0.3, 0.4, 0.5)
    reset: bool = False
    postselect: int | None = None


def apply_gate(instruction: Instruction) -> None:
    gate = getattr(qml, instruction.gate)
    angles = instruction.angles[: gate.num_params]
    gate(*angles, wires=instruction.wires[: gate.num_wires or 1])


def queue(instructions: list[Instruction]) -> list[MeasurementValue]:
    """Queues a circuit.

    Returns:
        The values of its mid-circuit measurements.
    """
    values: list[MeasurementValue] = []
    for instruction in instructions:
        if instruction.kind == "measure":
            values.append(
                qml.measure(
                    instruction.wires[0],
                    reset=instruction.reset,
                    postselect=instruction.postselect,
                )
            )
        elif instruction.kind == "condition" and values:
            condition = values[-1] if len(values) == 1 else values[-1] == values[0]
            qml.cond(condition, apply_gate)(instruction)
        else:
            apply_gate(instruction)
    return values


def deferred(circuit: Callable[[], Any]) -> Any:  # noqa: ANN401
    """What ``default.qubit`` gives exactly, with a wire for each mid-circuit measurement.

    Rejects an example whose postselection has probability 0.
    """
    node = qml.QNode(circuit, qml.device("default.qubit"), mcm_method="deferred")
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            results = node()
        except ValueError as error:
            # Of a state of norm 0, some results are NaN and some cannot be computed.
            if isinstance(error, np.linalg.LinAlgError) or "NaN" in str(error):
                reject()
            raise
    first = results[0] if isinstance(results, list | tuple) else results
    if np.isnan(first).any():
        reject()
    return results


def flat(results: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """All numbers of a QNode's result."""
    parts = results if isinstance(results, tuple | list) else [results]
    return np.concatenate([np.ravel(np.asarray(part)) for part in parts])


def within_error(
    found: NDArray[np.float64], expected: NDArray[np.float64], shots: float, bias: float = 0.0
) -> bool:
    """Whether shares of shots are within four standard errors, and a bias if there is one."""
    error = np.sqrt(np.clip(expected * (1 - expected), 0, None) / shots)
    return bool((np.abs(found - expected) <= 4 * error + bias + 1e-12).all())


def gates(names: tuple[str, ...] = REAL_GATES + COMPLEX_GATES) -> st.SearchStrategy[Instruction]:
    angle = st.floats(-3, 3).map(lambda value: round(value, 3))
    return st.builds(
        Instruction,
        kind=st.just("gate"),
        gate=st.sampled_from(names),
        wires=st.permutations(range(WIRES)).map(tuple),
        angles=st.tuples(angle, angle, angle),
    )


def circuits(
    measurements: int = 0, *, names: tuple[str, ...] = REAL_GATES + COMPLEX_GATES
) -> st.SearchStrategy[list[Instruction]]:
    """Circuits of up to nine gates with so many mid-circuit measurements, each followed by gates.

    Every wire starts in a superposition of its own, so that most postselections are possible.
    """
    start = [
        Instruction("gate", "RY", (wire,), (0.8 + 0.4 * wire, 0.0, 0.0)) for wire in range(WIRES)
    ]
    measure = st.builds(
        Instruction,
        kind=st.just("measure"),
        wires=st.permutations(range(WIRES)).map(tuple),
        reset=st.booleans(),
        postselect=st.sampled_from([None, None, 0, 1]),
    )
    condition = gates(names).map(
        lambda gate: Instruction("condition", gate.gate, gate.wires, gate.angles)
    )
    blocks = [st.lists(gates(names), min_size=1, max_size=3)]
    for _ in range(measurements):
        blocks.append(st.tuples(measure, condition, gates(names)).map(list))
    return st.tuples(*blocks).map(lambda parts: start + [item for part in parts for item in part])
