import pytest
from pennylane.wires import Wires

from qrnn_backends.qiskit_common.qubits import are_numbers, qubit_order


@pytest.mark.parametrize(
    ("used", "wires", "placed", "expected"),
    [
        ([3, 1], None, 0, {3: 0, 1: 1}),
        ([3, 1], None, 5, {3: 3, 1: 1}),
        ([3, 1], None, 2, {3: 2, 1: 1}),
        (["b", "a"], Wires(["a", "c", "b"]), 3, {"b": 2, "a": 0}),
        ([0, 2], Wires([2, 1, 0]), 3, {0: 2, 2: 0}),
        # A deferred measurement takes a wire that the device has not.
        ([2, 1], Wires([0, 1]), 3, {2: 3, 1: 1}),
        ([10**9, 0], None, 1, {10**9: 1, 0: 0}),
    ],
)
def test_wires_have_the_place_that_the_device_or_their_number_gives_them(
    used: list[object], wires: Wires | None, placed: int, expected: dict[object, int]
) -> None:
    order = qubit_order(used, wires, placed)
    assert {wire: order.index(wire) for wire in used} == expected
    assert len(order) == 1 + max(expected.values())


def test_only_integers_from_0_on_are_numbers_of_qubits() -> None:
    assert are_numbers(Wires([4, 0]))
    assert not are_numbers(Wires([0, "a"]))
    assert not are_numbers(Wires([-1]))
