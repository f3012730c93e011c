import numpy as np
import pennylane as qml

from qrnn_backends.measurements import with_known_values


def test_a_function_of_outcomes_runs_once_for_each_of_them() -> None:
    calls = []

    def product(*bits: int) -> int:
        calls.append(bits)
        return int(np.prod(bits))

    measured = [qml.ops.MidMeasure(wire, meas_uid=str(wire)) for wire in range(3)]
    known = with_known_values(qml.expval(qml.ops.MeasurementValue(measured, product)))
    for _ in range(3):
        assert [value for _, value in known.mv.items()] == [0] * 7 + [1]
    assert len(calls) == 8
    plain = qml.expval(qml.Z(0))
    assert with_known_values(plain) is plain
