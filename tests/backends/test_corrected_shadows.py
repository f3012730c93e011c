"""Expectation values from classical shadows are of the wires that observables name."""

from collections.abc import Hashable

import numpy as np
import pennylane as qml
import pytest

LABELS: list[tuple[Hashable, ...]] = [(1, 2, 5), (1, 3, 0), (5, 2, 1), ("b", "a", "c"), (2, 0, 1)]


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", ["qrnn.torch", "default.qubit"])
def test_wires_of_any_names_have_their_own_values(
    name: str, labels: tuple[Hashable, ...], named: bool, several: bool
) -> None:
    # PennyLane's own device is put right with ours.
    qml.device("qrnn.torch")
    device = qml.device(name, wires=sorted(labels, key=str) if named else None, seed=1)
    observables = [qml.Z(labels[1]), qml.Z(labels[0]) + qml.Z(labels[1]) @ qml.Z(labels[0])]

    @qml.set_shots(20_000)  # type: ignore[untyped-decorator]
    @qml.qnode(device)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        for number, wire in enumerate(labels):
            qml.RY(0.4 + 0.7 * number, wire)
        return qml.shadow_expval(observables if several else observables[1], seed=7)

    first, second = np.cos([0.4, 1.1])
    expected = [second, first + first * second]
    assert np.allclose(circuit(), expected if several else expected[1], atol=0.08)


@pytest.mark.parametrize("several", [True, False])
def test_remembered_circuits_keep_every_observable(several: bool) -> None:
    device = qml.device("qrnn.torch")

    def tape(observable: qml.operation.Operator) -> qml.tape.QuantumScript:
        shadow = qml.shadow_expval([observable] if several else observable, seed=7)
        return qml.tape.QuantumScript([qml.Hadamard(0)], [shadow], shots=20_000)

    found = qml.execute([tape(qml.X(0)), tape(qml.Z(0))], device, cache=True)
    assert np.allclose(np.ravel(found), [1, 0], atol=0.08)
    assert tape(qml.X(0)).hash == tape(qml.X(0)).hash
