"""Labels of wires may be anything that is hashable, also what has parts."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray

pytest.importorskip("qiskit_aer")

LATTICE: list[Hashable] = [(0, 0), (0, 1), (1, 0), (1, 1)]
ALONE: list[Hashable] = [frozenset("q"), "q", ("a",), "a"]
MATRIX = np.diag([1.0, 2, 3, 4]) + np.eye(4)[::-1]


def flat(name: str, labels: list[Hashable], wires: Any, shots: int | None = None) -> Any:  # noqa: ANN401
    @qml.qnode(qml.device(name, wires=wires, seed=3))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        first, second, third, fourth = labels
        for number, wire in enumerate(labels):
            qml.RY(0.3 + 0.4 * number, [wire])
        qml.QFT([first, second, third])
        qml.MultiRZ(0.4, labels)
        qml.QubitUnitary(qml.matrix(qml.IsingXY(0.3, [0, 1])), [first, third])
        read = qml.measure([fourth], reset=True)
        qml.cond(read, qml.SISWAP)([second, fourth])
        return (
            qml.expval(qml.Hermitian(MATRIX, [fourth, first])),
            qml.probs(wires=[third, second]),
            qml.expval(qml.X([first]) @ qml.Y([second])),
        )

    return np.hstack(qml.set_shots(circuit, shots)())


def expected() -> NDArray[np.float64]:
    found: NDArray[np.float64] = flat("default.qubit", list(range(4)), None)
    return found


@pytest.mark.parametrize("labels", [LATTICE, ALONE])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_labels_with_parts_are_one_wire_each(name: str, labels: list[Hashable]) -> None:
    for wires in (None, labels[::-1]):
        assert flat(name, labels, wires) == pytest.approx(expected())
        assert flat(name, labels, wires, 20_000) == pytest.approx(expected(), abs=0.05)


def test_errors_name_labels_with_parts(tmp_path: Path) -> None:
    tape = qml.tape.QuantumScript([qml.X([(0, 1)])], [qml.probs(wires=[(0, 1)])], shots=10)
    device = qml.device("qrnn.ibm", backend="fake_manila", noise=False, jobs=tmp_path / "jobs")
    (shares,) = qml.execute([tape], device)
    assert shares == pytest.approx([0, 1])
    with pytest.raises(qml.exceptions.WireError, match=r"\(0, 1\)"):
        qml.execute([tape], qml.device("qrnn.aer", wires=[(0, 0)]))
