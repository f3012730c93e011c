from qrnn_circuits.synthesis import Mix, Rotate, Toggle, two_qubit_gates


def test_all_steps_but_rotations_are_two_qubit_gates() -> None:
    assert two_qubit_gates([Mix(0, 1), Rotate(0), Toggle(1), Rotate(1), Mix(0, 1)]) == 3
