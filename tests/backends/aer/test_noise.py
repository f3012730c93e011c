"""Noise acts on the qubits and gates that a noise model names."""

from collections.abc import Hashable, Sequence

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit_aer")
from qiskit_aer.noise import NoiseModel, ReadoutError, pauli_error

SHOTS = [None, 50]

# The wires that gates act on, in their order; those of the device; and which is the noisy qubit.
PLACES: list[tuple[list[Hashable], list[Hashable] | None, Hashable]] = [
    ([1, 0], [0, 1], 0),
    ([1, 0], None, 0),
    ([7, 3], None, 7),
    ([2, 0], [2, 1, 0], 2),
    ([0, 2], [0, 1, 2], 2),
    (["b", "a"], ["a", "b"], "b"),
    (["b", "a"], None, "a"),
    ([10**9, 1], None, 1),
]


def number(wire: Hashable, used: Sequence[Hashable], wires: Sequence[Hashable] | None) -> int:
    if wires is not None:
        return wires.index(wire)
    return wire if isinstance(wire, int) else used.index(wire)


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize(("used", "wires", "noisy"), PLACES)
@pytest.mark.parametrize("kind", ["gate", "readout"])
def test_errors_of_one_qubit_are_those_of_its_wire(
    kind: str,
    used: list[Hashable],
    wires: list[Hashable] | None,
    noisy: Hashable,
    shots: int | None,
) -> None:
    model = NoiseModel()
    qubit = number(noisy, used, wires)
    if kind == "gate":
        model.add_quantum_error(pauli_error([("X", 1.0)]), ["x"], [qubit])
    else:
        model.add_readout_error(ReadoutError([[0, 1], [1, 0]]), [qubit])
    device = qml.device("qrnn.aer", wires=wires, noise=model)
    tapes = [
        # Not all measurements commute, and each of the circuits has other wires to read.
        QuantumScript(
            [qml.X(wire) for wire in used],
            [qml.expval(qml.Z(wire)) for wire in order] + [qml.expval(qml.X(order[0]))],
            shots=shots,
        )
        for order in (used, used[::-1])
    ]
    expected = {wire: 1.0 if wire == noisy else -1.0 for wire in used}
    for order, result in zip((used, used[::-1]), qml.execute(tapes, device), strict=True):
        assert list(result[:2]) == [expected[wire] for wire in order]


@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (2, 0)])
def test_errors_of_a_pair_of_qubits_are_those_of_the_gate_in_its_direction(
    pair: tuple[int, int], shots: int | None
) -> None:
    model = NoiseModel()
    # The first letter is the last qubit of the gate.
    model.add_quantum_error(pauli_error([("XI", 1.0)]), ["cx"], [1, 0])

    @qml.qnode(qml.device("qrnn.aer", wires=3, noise=model), shots=shots)
    def circuit() -> tuple[qml.measurements.ExpectationMP, ...]:
        qml.CNOT(pair)
        return tuple(qml.expval(qml.Z(wire)) for wire in (2, 1, 0))

    np.testing.assert_allclose(circuit(), [1, 1, -1 if pair == (1, 0) else 1])


@pytest.mark.parametrize("shots", SHOTS)
def test_errors_stay_with_wires_that_only_one_of_the_circuits_reads(shots: int | None) -> None:
    model = NoiseModel()
    model.add_readout_error(ReadoutError([[0, 1], [1, 0]]), [1])
    device = qml.device("qrnn.aer", noise=model)

    @qml.qnode(device, shots=shots)
    def circuit() -> tuple[qml.measurements.ExpectationMP, ...]:
        qml.X("a")
        qml.Hadamard("b")
        return qml.expval(qml.Z("c")), qml.expval(qml.Z("b")), qml.expval(qml.X("b"))

    first, _, last = circuit()
    assert (first, last) == pytest.approx((1.0, -1.0))
