from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from pennylane.devices import Tracker
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from qrnn_backends.readout import NoShotsKeptError
from qrnn_circuits import QRNN
from qrnn_circuits.circuits.realisations import (
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
)
from qrnn_circuits.circuits.sequence import compile_circuit
from tests.backends.dynamic_circuits import (
    Instruction,
    circuits,
    deferred,
    flat,
    queue,
    within_error,
)

MakeModel = Callable[..., QRNN]


@settings(max_examples=15)
@given(circuits(measurements=3))
def test_without_shots_dynamic_circuits_are_exact(instructions: list[Instruction]) -> None:
    def circuit() -> Any:  # noqa: ANN401
        first, second, third = queue(instructions)
        return (
            qml.probs(wires=[2, 0]),
            qml.expval(qml.X(0) @ qml.Y(1) + qml.Z(2)),
            qml.expval(first + 2 * second),
            qml.probs(op=[third, first]),
        )

    expected = flat(deferred(circuit))
    exact = flat(qml.QNode(circuit, qml.device("qrnn.aer"))())
    np.testing.assert_allclose(exact, expected, atol=1e-8)


@pytest.mark.parametrize("method", ["statevector", "matrix_product_state"])
def test_methods_with_a_state_are_exact(method: str) -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.StatePrep(np.array([0.6, 0.0, 0.0, 0.8j]), wires=[0, 1])
        value = qml.measure(1)
        qml.cond(value, qml.CRX)(0.7, [0, 2])
        qml.measure(0, postselect=1, reset=True)
        return qml.probs(wires=[0, 2]), qml.expval(value)

    expected = flat(deferred(circuit))
    exact = qml.QNode(circuit, qml.device("qrnn.aer", method=method))()
    np.testing.assert_allclose(flat(exact), expected, atol=1e-8)


def test_every_kind_of_measurement_is_sampled() -> None:
    shots = 20_000

    def circuit() -> Any:  # noqa: ANN401
        qml.RY(0.8, 0)
        qml.CNOT([0, 1])
        value = qml.measure(1, reset=True)
        qml.cond(value, qml.RX)(0.5, 1)
        return (
            qml.expval(qml.X(0)),
            qml.expval(qml.Hamiltonian([0.5, -2.0], [qml.Y(1), qml.Z(1)])),
            qml.var(qml.Y(1)),
            qml.probs(wires=[0, 1]),
            qml.expval(value),
        )

    expected = flat(deferred(circuit))
    device = qml.device("qrnn.aer", seed=2)
    with Tracker(device) as tracker:
        sampled = flat(qml.set_shots(qml.QNode(circuit, device), shots)())
    # No standard deviation is above that of Y - 2 Z.
    assert (np.abs(sampled - expected) <= 4 * np.sqrt(5 / shots)).all()
    assert tracker.totals["runs"] == 1


def test_values_and_observables_come_from_the_same_shots() -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.Hadamard(0)
        value = qml.measure(0)
        return qml.sample(value), qml.sample(qml.Z(0)), qml.sample(wires=[0]), qml.counts(value)

    results = qml.set_shots(qml.QNode(circuit, qml.device("qrnn.aer", seed=1)), 50)()
    values, signs, bits, counts = results
    assert np.array_equal(signs, 1 - 2 * values)
    assert np.array_equal(bits, values[:, None])
    assert counts == {0: 50 - values.sum(), 1: values.sum()}


@pytest.mark.parametrize(
    ("realisation", "sizes"),
    [
        (Postselect(), {"workspace": 1, "stages": 0}),
        (Multiplexed(), {"workspace": 2, "stages": 1}),
        (Amplified(7), {"workspace": 1, "stages": 0}),
        # The input neuron's control is in a basis state, and the readout is diagonal in that of
        # the output neuron.
        (RepeatUntilSuccess(8), {"workspace": 1, "stages": 0}),
    ],
)
def test_compiled_sequences_have_the_distribution_and_acceptance_of_the_model(
    make_model: MakeModel,
    realisation: Realisation,
    sizes: dict[str, int],
) -> None:
    shots = 10_000
    model = make_model(lane=1, order=1, degree=1, semantics=realisation.semantics, seed=3, **sizes)
    # After a step the workspace is a superposition, which repeated attempts change.
    inputs, outcomes = ([1], []) if isinstance(realisation, RepeatUntilSuccess) else ([1, 0], [0])
    with torch.no_grad():
        output = model(torch.tensor([inputs]), torch.tensor([[*outcomes, 0]]))
    expected = np.asarray(output.log_probs[0, -1].exp())
    # The model counts the last outcome as conditioned; the circuit samples it.
    acceptance = float(output.log_acceptance[0].exp()) / expected[0]
    circuit = compile_circuit(model, inputs, outcomes, realisation=realisation)
    device = qml.device("qrnn.aer", seed=4)
    with Tracker(device) as tracker:
        (sampled,) = circuit.qnode(device, shots=shots)()
    kept = tracker.totals.get("kept_shots", shots)
    bias = 0.0
    if isinstance(realisation, Amplified):
        # Success is off by twice the error, once for each neuron that acts.
        bias = 2 * realisation.error(1) * len(model.cell.neuron_coefficients) * len(inputs)
    if isinstance(realisation, RepeatUntilSuccess):
        bias = 2.0 * 2.0**-realisation.attempts
    assert within_error(sampled, expected, kept, bias)
    assert within_error(np.array(kept / shots), np.array(acceptance), shots, bias)


def test_a_batch_of_tapes_is_one_run() -> None:
    angles = np.linspace(0.0, 3.0, 100)

    def tape(angle: float, shots: int) -> qml.tape.QuantumScript:
        return qml.tape.QuantumScript(
            [qml.RY(angle, 0), qml.ops.MidMeasure(0, reset=True, meas_uid=f"{angle}")],
            [qml.probs(op=qml.ops.MeasurementValue([qml.ops.MidMeasure(0, meas_uid=f"{angle}")]))],
            shots=shots,
        )

    device = qml.device("qrnn.aer", seed=1)
    with Tracker(device) as tracker:
        results = qml.execute([tape(angle, 200) for angle in angles], device)
    assert tracker.totals["runs"] == 1
    assert tracker.totals["simulations"] == 100
    for angle, result in zip(angles, results, strict=True):
        expected = np.array([np.cos(angle / 2) ** 2, np.sin(angle / 2) ** 2])
        assert within_error(result, expected, 200)
    with Tracker(device) as tracker:
        qml.execute([tape(0.1, 20), tape(0.2, 30), tape(0.3, 20)], device)
    # Aer has one number of shots for all circuits of a run.
    assert tracker.totals["runs"] == 2


def trainable_circuit(angles: torch.Tensor) -> Any:  # noqa: ANN401
    qml.RY(angles[0], 0)
    first = qml.measure(0, reset=True)
    qml.cond(first, qml.RX)(angles[1], 1)
    qml.cond(~first, qml.CRY)(angles[2], [1, 0])
    qml.RY(angles[3], 1)
    second = qml.measure(0)
    return qml.expval(qml.Z(1) @ qml.Z(0)), qml.expval(first + second)


def gradient(device: qml.devices.Device, **options: Any) -> torch.Tensor:  # noqa: ANN401
    angles = torch.tensor([0.5, 0.9, 1.3, 1.7], dtype=torch.float64, requires_grad=True)
    shots = options.pop("shots", None)
    node = qml.QNode(trainable_circuit, device, interface="torch", **options)
    first, second = (node if shots is None else qml.set_shots(node, shots))(angles)
    (first + 2 * second).backward()
    assert angles.grad is not None
    return angles.grad


def test_parameter_shift_gives_the_gradient_of_dynamic_circuits() -> None:
    expected = gradient(qml.device("default.qubit"), diff_method="backprop", mcm_method="deferred")
    exact = gradient(qml.device("qrnn.aer"), diff_method="parameter-shift")
    torch.testing.assert_close(exact, expected, rtol=0, atol=1e-8)
    shots = 2_000
    sampled = gradient(qml.device("qrnn.aer", seed=1), diff_method="parameter-shift", shots=shots)
    # At most four shifted results, each with a standard deviation of at most 3.
    assert (sampled - expected).abs().max() < 4 * 3 * np.sqrt(4 / shots)


def test_a_training_step_takes_one_run_for_its_results_and_one_for_its_gradient() -> None:
    device = qml.device("qrnn.aer", seed=1)
    node = qml.set_shots(
        qml.QNode(trainable_circuit, device, interface="torch", diff_method="parameter-shift"), 200
    )
    angles = torch.tensor([0.5, 0.9, 1.3, 1.7], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([angles], lr=0.1)
    steps = 3
    with Tracker(device) as tracker:
        for _ in range(steps):
            optimizer.zero_grad()
            first, second = node(angles)
            (first + second).backward()
            optimizer.step()
    assert tracker.totals["runs"] == 2 * steps
    # Three gates with two shifts each, and a controlled one with four.
    assert tracker.totals["simulations"] == (1 + 10) * steps


def test_gradients_of_postselected_circuits_are_refused_and_their_results_are_not() -> None:
    angle = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def circuit(angle: torch.Tensor | float) -> Any:  # noqa: ANN401
        qml.RY(angle, 0)
        qml.CNOT([0, 1])
        qml.RY(0.3, 0)
        qml.measure(0, postselect=1)
        return qml.expval(qml.Z(1))

    node = qml.QNode(circuit, qml.device("qrnn.aer"), interface="torch")
    result = node(angle)
    expected = deferred(lambda: circuit(angle.item()))
    assert result.item() == pytest.approx(float(expected), abs=1e-8)
    with pytest.raises(ValueError, match="wrong for postselected circuits"):
        result.backward()
    differences = qml.QNode(
        circuit, qml.device("qrnn.aer"), interface="torch", diff_method="finite-diff"
    )
    (slope,) = torch.autograd.grad(differences(angle), angle)
    step = 1e-6
    numeric = (node(angle.detach() + step) - node(angle.detach() - step)) / (2 * step)
    assert slope.item() == pytest.approx(float(numeric), abs=1e-4)


def coin() -> Any:  # noqa: ANN401
    qml.Hadamard(0)
    value = qml.measure(0)
    return qml.sample(value), qml.sample(wires=[0])


def test_equal_seeds_give_equal_samples_and_successive_batches_differ() -> None:
    node, twin, other = (
        qml.set_shots(qml.QNode(coin, qml.device("qrnn.aer", seed=seed)), 100) for seed in (3, 3, 4)
    )
    first, second = flat(node()), flat(node())
    assert np.array_equal(flat(twin()), first)
    assert np.array_equal(flat(twin()), second)
    assert not np.array_equal(first, second)
    assert not np.array_equal(flat(other()), first)


def test_shot_vectors_take_one_run_and_lose_shots_copy_by_copy() -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        qml.measure(0, postselect=1)
        return qml.sample(wires=[0, 1]), qml.expval(qml.Z(1))

    device = qml.device("qrnn.aer", seed=1)
    with Tracker(device) as tracker:
        copies = qml.set_shots(qml.QNode(circuit, device), shots=[40, (60, 2)])()
    assert tracker.totals["runs"] == 1
    assert [expectation for _, expectation in copies] == [-1.0] * 3
    kept = [len(samples) for samples, _ in copies]
    assert sum(kept) == tracker.totals["kept_shots"]
    assert all(10 < number < total - 10 for number, total in zip(kept, (40, 60, 60), strict=True))


def test_no_kept_shot_tells_the_share_and_the_shots_that_it_takes() -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.RY(0.02, 0)
        qml.measure(0, postselect=1)
        return qml.expval(qml.Z(0))

    node = qml.set_shots(qml.QNode(circuit, qml.device("qrnn.aer", seed=1)), 10)
    with pytest.raises(NoShotsKeptError, match=r"none of 10 shots.*share of 0.0001, .* 10000\d\d"):
        node()


@pytest.mark.filterwarnings("ignore:Setting shots on device is deprecated")
@pytest.mark.parametrize("noise", [None, "fake_fez"])
def test_the_circuit_of_pennylane_qiskit_618_runs(noise: str | None) -> None:
    # As reported, but for the device; there, "qiskit.remote" could not decompose the measurement.
    SHOTS = 2  # noqa: N806
    dev = qml.device("qrnn.aer", wires=3, shots=SHOTS, noise=noise)

    def test_circuit() -> Any:  # noqa: ANN401
        qml.Hadamard(0)
        m = qml.measure(0)  # noqa: F841
        # qml.cond(m, qml.PauliX)(1)
        return qml.probs(wires=[0, 1])

    qnode = qml.QNode(test_circuit, dev, mcm_method="one-shot")()

    assert qnode.sum() == 1.0
    assert set(qnode) <= {0.0, 0.5, 1.0}

    def conditioned() -> Any:  # noqa: ANN401
        qml.Hadamard(0)
        m = qml.measure(0)
        qml.cond(m, qml.PauliX)(1)
        return qml.probs(wires=[0, 1])

    shots = 1000
    for circuit, ones in ((test_circuit, 2), (conditioned, 3)):
        node = qml.set_shots(qml.QNode(circuit, dev, mcm_method="one-shot"), shots)
        expected = np.zeros(4)
        expected[[0, ones]] = 0.5
        # A chip's readout errors are a few percent.
        assert within_error(node(), expected, shots, bias=0.0 if noise is None else 0.1)


def bell() -> Any:  # noqa: ANN401
    qml.RY(0.8, 0)
    qml.CNOT([0, 1])
    return qml.probs(wires=[0, 1]), qml.expval(qml.X(0) @ qml.X(1)), qml.var(qml.Z(0))


@pytest.mark.parametrize("noise", ["fake_manila", "depolarizing"])
def test_noisy_results_without_shots_are_the_limit_of_many_shots(noise: str) -> None:
    model: Any = noise
    if noise == "depolarizing":
        model = NoiseModel()
        model.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), ["cx"])
        model.add_all_qubit_readout_error(ReadoutError([[0.95, 0.05], [0.1, 0.9]]))
    shots = 40_000
    exact = flat(qml.QNode(bell, qml.device("qrnn.aer", noise=model))())
    sampled = flat(
        qml.set_shots(qml.QNode(bell, qml.device("qrnn.aer", noise=model, seed=2)), shots)()
    )
    ideal = flat(qml.QNode(bell, qml.device("default.qubit"))())
    assert (np.abs(sampled - exact) <= 4 / np.sqrt(shots)).all()
    assert np.abs(exact - ideal).max() > 8 / np.sqrt(shots)


def test_a_noise_model_acts_on_its_gates_although_the_tape_has_others() -> None:
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(1.0, 2), ["cx"])

    def circuit() -> Any:  # noqa: ANN401
        qml.CRY(np.pi, wires=[0, 1])
        return qml.probs(wires=[0, 1])

    exact = qml.QNode(circuit, qml.device("qrnn.aer", noise=noise))()
    # Two CNOTs make the controlled rotation, and any of them leaves nothing of the state.
    assert exact == pytest.approx([0.25] * 4)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"noise": "fake_fes"}, ValueError, "no backend 'fake_fes'.*close names are fake_fez"),
        ({"noise": 0.1}, TypeError, "noise must be None, the name of a fake backend or a Noise"),
        ({"method": "statevektor"}, ValueError, "method must be one of .*close names are statev"),
        ({"method": "unitary"}, ValueError, "method must be one of"),
        ({"noise": "fake_manila", "wires": 6}, ValueError, "at most the 5 qubits of fake_manila"),
        ({"noise": "fake_manila", "mitigation": "m4"}, ValueError, "must be one of m3, .*'m4'"),
        ({"mitigation": "m3"}, ValueError, "must be None without noise, got 'm3'"),
    ],
)
def test_bad_options_are_named(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        qml.device("qrnn.aer", **options)


def test_circuits_that_do_not_fit_onto_the_chip_are_refused() -> None:
    device = qml.device("qrnn.aer", noise="fake_lima")
    with pytest.raises(ValueError, match=r"fake_lima has no if_else: .* 'multiplexed' need none"):
        gradient(device, shots=10)

    def wide() -> Any:  # noqa: ANN401
        for wire in range(6):
            qml.Hadamard(wire)
        return qml.probs(wires=[0])

    with pytest.raises(ValueError, match="fake_lima has 5 qubits, the circuit needs 6"):
        qml.set_shots(qml.QNode(wide, device), 10)()
    stabilizer = qml.device("qrnn.aer", method="stabilizer")
    with pytest.raises(ValueError, match=r"Aer runs no mid-circuit .*'density_matrix"):
        qml.QNode(coin_probability, stabilizer)()


def coin_probability() -> Any:  # noqa: ANN401
    qml.Hadamard(0)
    return qml.probs(op=qml.measure(0))
