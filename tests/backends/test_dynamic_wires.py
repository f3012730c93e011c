"""What is measured on an allocated wire is a value like any other."""

import numpy as np
import pennylane as qml
import pytest

pytest.importorskip("qiskit_aer")


@pytest.mark.parametrize("method", [None, "deferred"])
@pytest.mark.parametrize("wires", [None, 6])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_values_measured_on_allocated_wires_are_returned(
    name: str, wires: int | None, method: str | None
) -> None:
    @qml.qnode(qml.device(name, wires=wires), mcm_method=method)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        measured = []
        for angle in (0.7, 1.9):
            with qml.allocate(1) as (borrowed,):
                qml.RY(angle, borrowed)
                measured.append(qml.measure(borrowed))
            qml.cond(measured[-1], qml.X)(0)
        first, second = measured
        return qml.probs(wires=0), qml.expval(first), qml.probs(op=[second, first])

    first, second = np.sin(0.35) ** 2, np.sin(0.95) ** 2
    odd = first * (1 - second) + second * (1 - first)
    found = circuit()
    assert found[0] == pytest.approx(np.array([1 - odd, odd]))
    assert found[1] == pytest.approx(first)
    assert found[2] == pytest.approx(np.kron([1 - second, second], [1 - first, first]))
