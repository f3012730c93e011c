from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.devices import ExecutionConfig, MCMConfig
from pennylane.devices.default_qubit import accepted_analytic_measurement
from pennylane.exceptions import DeviceError, WireError
from pennylane.ops import MidMeasure
from pennylane.tape import QuantumScript
from pennylane.wires import Wires

from qrnn_backends.gradients import (
    finite_difference,
    simultaneous_perturbation,
    unmeasured_hadamard_grad,
)
from qrnn_backends.parameter_shift import unpostselected_param_shift
from qrnn_backends.qiskit_common.observables import split_observables
from qrnn_backends.qiskit_common.preprocess import (
    measure_all_wires,
    resolve_config,
    sampled_circuits,
)
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import REALISATIONS

HAMILTONIAN = qml.Hamiltonian([0.5, 2.0, -1.0, 3.0], [qml.X(0), qml.Z(0), qml.Z(1), qml.I(1)])


def mixed(*, hamiltonian: bool = True, values: bool = True) -> Callable[[], Any]:
    def queue() -> Any:  # noqa: ANN401
        qml.RY(0.7, 0)
        qml.CNOT([0, 1])
        first = qml.measure(1)
        qml.cond(first, qml.RX)(0.4, 0)
        second = qml.measure(1)
        read = (qml.expval(first), qml.probs(op=[second, first])) if values else ()
        summed = (qml.expval(HAMILTONIAN), qml.expval(qml.Y(0))) if hamiltonian else ()
        return (*read[:1], *summed, *read[1:])

    return queue


@pytest.mark.parametrize(("hamiltonian", "values"), [(True, True), (True, False), (False, True)])
def test_split_results_are_put_together_in_the_order_of_the_tape(
    hamiltonian: bool, values: bool
) -> None:
    queue = mixed(hamiltonian=hamiltonian, values=values)
    tape = qml.tape.make_qscript(queue)()
    parts, combine = split_observables(tape, without_shots=True)
    assert len(parts) == (3 if hamiltonian else 1)
    device = qml.device("default.qubit")
    run = [qml.defer_measurements(part)[0][0] for part in parts]
    expected = device.execute(qml.defer_measurements(tape)[0][0])
    results = combine(device.execute(run))
    for result, right in zip(results, expected, strict=True):
        assert result == pytest.approx(right)


def test_values_of_mid_circuit_measurements_are_read_in_the_same_shots() -> None:
    tape = qml.tape.make_qscript(mixed())()
    parts, _ = split_observables(tape, without_shots=True)
    assert [sum(each.mv is not None for each in part.measurements) for part in parts] == [2, 0, 0]


def test_a_constant_beside_values_takes_no_circuit_of_its_own() -> None:
    value = qml.measure(0)
    tape = QuantumScript(
        value.measurements, [qml.expval(qml.I(0)), qml.expval(value)], shots=(5, 6)
    )
    parts, combine = split_observables(tape, without_shots=False)
    assert [part.shots for part in parts] == [tape.shots]
    assert combine(((0.25, 0.5),)) == ((1.0, 0.25), (1.0, 0.5))


def test_shot_vectors_are_split_copy_by_copy() -> None:
    tape = qml.tape.make_qscript(mixed())().copy(shots=(10, 20))
    parts, combine = split_observables(tape, without_shots=False)
    assert [part.shots for part in parts] == [tape.shots] * 3
    count = [len(part.measurements) for part in parts]
    copies = combine(
        tuple(
            tuple(tuple(100.0 * copy + place for place in range(number)) for copy in (1, 2))
            if number > 1
            else (100.0, 200.0)
            for number in count
        )
    )
    assert len(copies) == 2
    assert all(len(copy) == len(tape.measurements) for copy in copies)
    # The value that comes first is read after the first circuit's observables.
    assert [copy[0] for copy in copies] == [100.0 + count[0] - 2, 200.0 + count[0] - 2]


@pytest.mark.parametrize(
    ("wires", "order"), [([1, 0], [0, 1]), (["b", "a"], ["b", "a"]), ([2, 0], [2, 0])]
)
def test_measurements_without_wires_are_of_all_wires_in_the_order_of_default_qubit(
    wires: list[Any], order: list[Any]
) -> None:
    operations = [qml.RX(0.3, wires[0]), qml.RX(1.2, wires[1])]
    tape = QuantumScript(operations, [qml.probs()])
    (named,), _ = measure_all_wires(tape, wires=None, name="device")
    assert named.measurements[0].wires.tolist() == order
    device = qml.device("default.qubit")
    assert device.execute(named) == pytest.approx(device.execute(tape))
    with pytest.raises(WireError, match="not found on the device"):
        measure_all_wires(tape, wires=Wires(["c"]), name="device")


def test_measurements_inside_of_operations_come_to_light() -> None:
    class Reading(qml.operation.Operation):  # type: ignore[misc]
        num_wires = 1

        def decomposition(self) -> list[qml.operation.Operator]:
            return [MidMeasure(self.wires, postselect=0)]

    tape = QuantumScript([Reading(0)], [qml.probs(wires=0)], shots=10)
    config = resolve_config(ExecutionConfig(), "device")
    (decomposed,), _ = sampled_circuits(config, "device", None)((tape,))
    (measurement,) = decomposed.operations
    assert measurement.postselect == 0


@pytest.mark.parametrize(
    ("realisation", "method", "shots", "whole"),
    [
        ("multiplexed", None, 10, True),
        ("multiplexed", "deferred", 10, True),
        ("multiplexed", None, None, True),
        ("repeat_until_success", None, 10, True),
        ("repeat_until_success", None, None, False),
    ],
)
def test_neurons_stay_whole_unless_measurements_of_theirs_are_deferred(
    realisation: str, method: str | None, shots: int | None, whole: bool
) -> None:
    wires = range(2 + REALISATIONS.make(realisation).ancillas(1))
    neuron = NeuronOperation(np.array([0.1, 0.2]), wires, 1, 1, realisation)
    tape = QuantumScript([neuron], [qml.probs(wires=0)], shots=shots)
    config = resolve_config(ExecutionConfig(mcm_config=MCMConfig(mcm_method=method)), "device")
    pipeline = sampled_circuits(config, "device", None, exact=accepted_analytic_measurement)
    (prepared,), _ = pipeline((tape,))
    assert [type(each) is NeuronOperation for each in prepared.operations] == [True] or not whole
    assert not any(isinstance(each, NeuronOperation) for each in prepared.operations) or whole


def test_operations_that_cannot_run_are_refused() -> None:
    class Opaque(qml.operation.Operation):  # type: ignore[misc]
        num_wires = 1

    config = resolve_config(ExecutionConfig(), "device")
    pipeline = sampled_circuits(config, "device", None)
    with pytest.raises(DeviceError, match=r"not supported on device: Opaque"):
        pipeline((QuantumScript([Opaque(0)], [qml.probs(wires=0)], shots=10),))
    with pytest.raises(DeviceError, match="not accepted with finite shots on device"):
        pipeline((QuantumScript([], [qml.state()], shots=10),))


@pytest.mark.parametrize("method", [None, "device", "one-shot", "deferred"])
def test_circuits_with_shots_run_as_they_are_or_deferred(method: str | None) -> None:
    config = resolve_config(ExecutionConfig(mcm_config=MCMConfig(mcm_method=method)), "device")
    tape = qml.tape.make_qscript(mixed(hamiltonian=False))().copy(shots=10)
    (ready,), _ = sampled_circuits(config, "device", None)((tape,))
    native = [each for each in ready.operations if isinstance(each, MidMeasure)]
    assert len(native) == (0 if method == "deferred" else 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mcm_method": "tree-traversal"}, "mcm_method must be .* got 'tree-traversal'"),
        ({"postselect_mode": "fill-shots"}, "postselect_mode must be 'hw-like' on device"),
    ],
)
def test_other_ways_to_run_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_config(ExecutionConfig(mcm_config=MCMConfig(**options)), "device")


@pytest.mark.parametrize(
    ("given", "right"),
    [
        (qml.gradients.param_shift, unpostselected_param_shift),
        (qml.gradients.finite_diff, finite_difference),
        (qml.gradients.spsa_grad, simultaneous_perturbation),
        (qml.gradients.hadamard_grad, unmeasured_hadamard_grad),
        ("backprop", "backprop"),
    ],
)
def test_rules_for_gradients_are_those_that_are_right_or_refuse(given: Any, right: Any) -> None:  # noqa: ANN401
    config = ExecutionConfig(gradient_method=given)
    assert resolve_config(config, "device").gradient_method is right
