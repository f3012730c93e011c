from collections.abc import Callable

import pennylane as qml
import pytest
from pennylane.operation import Operator

from qrnn_circuits.circuits.measurement_method import MAX_DEFERRED_WIRES, measurement_method


def circuit(measure: Callable[[], object]) -> list[Operator]:
    operations: list[Operator] = qml.tape.make_qscript(measure)().operations
    return operations


def kept() -> None:
    qml.measure(0, postselect=0)
    qml.measure(1, postselect=1)


def free() -> None:
    qml.measure(0, postselect=0)
    qml.measure(1)


def mixed() -> None:
    qml.measure(0)
    qml.measure(1, postselect=0)


def wide() -> None:
    for wire in range(MAX_DEFERRED_WIRES // 2):
        qml.measure(wire)
    mixed()


@pytest.mark.parametrize(
    ("device", "measure", "shots", "wanted", "method"),
    [
        ("default.qubit", kept, None, None, "tree-traversal"),
        ("default.qubit", kept, 10, None, "tree-traversal"),
        ("lightning.qubit", kept, 10, None, "tree-traversal"),
        ("default.qubit", kept, None, "deferred", "deferred"),
        ("default.qubit", free, None, None, "tree-traversal"),
        ("default.qubit", free, None, "tree-traversal", "tree-traversal"),
        ("default.qubit", free, 10, None, None),
        ("default.qubit", mixed, None, None, "deferred"),
        ("default.qubit", mixed, None, "deferred", "deferred"),
        ("default.qubit", mixed, 10, None, None),
        ("default.qubit", wide, None, "deferred", "deferred"),
        ("lightning.qubit", mixed, None, None, None),
        ("qrnn.torch", kept, None, None, None),
        ("qrnn.torch", mixed, 10, "deferred", "deferred"),
    ],
)
def test_trees_are_walked_where_they_are_exact_and_wires_are_taken_where_they_are_not(
    device: str,
    measure: Callable[[], None],
    shots: int | None,
    wanted: str | None,
    method: str | None,
) -> None:
    assert measurement_method(device, [circuit(measure)], shots=shots, wanted=wanted) == method


def test_one_method_fits_all_circuits_of_a_batch() -> None:
    batch = [circuit(measure) for measure in (kept, mixed, free)]
    assert measurement_method("default.qubit", batch) == "deferred"


def test_what_default_qubit_gets_wrong_or_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="mcm_method must not be 'tree-traversal'"):
        measurement_method("default.qubit", [circuit(mixed)], wanted="tree-traversal")
    with pytest.raises(ValueError, match=r"needs 20 wires at once, more than 18\..*qrnn.torch"):
        measurement_method("default.qubit", [circuit(wide)])
