from collections.abc import Callable, Hashable
from math import ceil
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from pennylane.measurements import MeasurementProcess

from qrnn_backends.readout import NoShotsKeptError
from qrnn_circuits.circuits.neuron import NeuronOperation
from tests.backends.dynamic_circuits import Instruction, circuits, deferred, queue, within_error

SHOTS = 20_000


def postselecting() -> tuple[Any, Any]:
    """Several postselections, before and after measurements that are free."""
    qml.RY(1.2, wires=0)
    qml.CNOT([0, 1])
    first = qml.measure(0, reset=True)
    qml.RX(0.9, wires=0)
    qml.measure(0, postselect=0)
    qml.cond(first, qml.RY)(2.0, wires=2)
    qml.CRY(1.4, wires=[1, 2])
    qml.measure(2, postselect=0, reset=True)
    qml.RX(0.7, wires=2)
    second = qml.measure(1)
    qml.cond(second, qml.Hadamard)(2)
    return first, second


def returning(*measures: Callable[..., MeasurementProcess]) -> Callable[[], Any]:
    def circuit() -> Any:  # noqa: ANN401
        first, second = postselecting()
        results = [measure(first, second) for measure in measures]
        return results if len(results) > 1 else results[0]

    return circuit


def sampled(
    circuit: Callable[[], Any],
    shots: int | list[int | tuple[int, int]] = SHOTS,
    seed: int = 1,
    **options: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    node = qml.QNode(circuit, qml.device("qrnn.torch", seed=seed), **options)
    return qml.set_shots(node, shots=shots)()


@settings(max_examples=25)
@given(circuits(3))
def test_shots_follow_the_exact_joint_distribution(instructions: list[Instruction]) -> None:
    def outcomes() -> MeasurementProcess:
        return qml.probs(op=queue(instructions))

    def wires() -> MeasurementProcess:
        queue(instructions)
        return qml.probs(wires=[2, 0, 1])

    for circuit in (outcomes, wires):
        expected = np.asarray(deferred(circuit))
        # Some postselections keep next to nothing.
        found = np.asarray(sampled(circuit, postselect_mode="fill-shots"))
        # Hundreds of numbers, some of rare events, are compared.
        error = np.sqrt(np.clip(expected * (1 - expected), 0, None) / SHOTS)
        assert (np.abs(found - expected) <= 5.5 * error + 4 / SHOTS).all()


@pytest.mark.parametrize("mode", ["hw-like", "fill-shots"])
def test_several_postselections_leave_the_exact_distribution(mode: str) -> None:
    circuit = returning(lambda m, n: qml.probs(op=[m, n]), lambda m, n: qml.probs(wires=[2, 1]))
    results = sampled(circuit, postselect_mode=mode)
    for found, expected in zip(results, deferred(circuit), strict=True):
        assert within_error(found, expected, SHOTS // 2)


def test_the_share_of_kept_shots_is_the_acceptance() -> None:
    device = qml.device("qrnn.torch", seed=3)
    node = qml.set_shots(
        qml.QNode(returning(lambda m, n: qml.sample(op=[m, n])), device), shots=SHOTS
    )
    with qml.Tracker(device) as tracker:
        samples = node()
    # By amplitudes: wire 1 and the record agree with wire 0's first outcome.
    one = np.sin(0.6) ** 2
    turned = np.cos((2.0 + 1.4) / 2) ** 2
    share = np.cos(0.45) ** 2 * ((1 - one) + one * turned)
    assert len(samples) == tracker.totals["kept_shots"]
    assert within_error(np.array(len(samples) / SHOTS), np.array(share), SHOTS)
    assert tracker.totals["shots"] == SHOTS


def test_outcomes_and_terminal_bits_come_from_the_same_shots() -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.Hadamard(0)
        qml.Hadamard(1)
        value = qml.measure(0)
        other = qml.measure(1)
        qml.cond(value, qml.X)(1)
        return qml.sample(op=[value, other]), qml.sample(wires=[0, 1]), qml.sample(qml.Z(0))

    outcomes, bits, signs = sampled(circuit, shots=500)
    np.testing.assert_array_equal(bits[:, 0], outcomes[:, 0])
    np.testing.assert_array_equal(bits[:, 1], outcomes[:, 0] ^ outcomes[:, 1])
    np.testing.assert_array_equal(signs, 1 - 2 * bits[:, 0])


def test_statistics_of_observables_are_within_their_error() -> None:
    hamiltonian = qml.Hamiltonian(
        [0.5, -1.5, 2.0], [qml.X(2) @ qml.Z(1), qml.Y(2), qml.Identity(0)]
    )
    measures: list[Callable[..., MeasurementProcess]] = [
        lambda m, n: qml.expval(hamiltonian),
        lambda m, n: qml.var(qml.Y(2)),
        lambda m, n: qml.expval(qml.Hermitian(np.array([[1.0, 1j], [-1j, -1.0]]), 2)),
        lambda m, n: qml.expval(m + 2 * n),
        lambda m, n: qml.var(n),
    ]
    found = sampled(returning(*measures, lambda m, n: qml.shadow_expval(qml.X(2))))
    expected = deferred(returning(*measures, lambda m, n: qml.expval(qml.X(2))))
    # Half the width of each spectrum; single values of a shadow are -3, 0 and 3.
    errors = np.array([2, 1, 1.5, 1.5, 1, 3]) / np.sqrt(SHOTS / 2)
    assert (np.abs(np.array(found) - np.array(expected)) < 4 * errors).all()


def test_counts_and_samples_of_all_kinds() -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.X(1)
        value, other = qml.measure(1), qml.measure(0)
        qml.RY(0.4, wires=2)
        return (
            qml.counts(wires=[0, 1]),
            qml.counts(wires=[0, 1], all_outcomes=True),
            qml.counts(qml.Z(1)),
            qml.counts(op=value),
            qml.counts(op=[value, other]),
            qml.sample(),
            qml.sample(op=value),
        )

    plain, every, signs, single, several, samples, values = sampled(circuit, shots=5)
    assert plain == {"01": 5}
    assert every == {"00": 0, "01": 5, "10": 0, "11": 0}
    assert signs == {-1.0: 5}
    assert single == {1: 5}
    assert several == {"10": 5}
    assert samples.shape == (5, 3)
    np.testing.assert_array_equal(samples[:, :2], [[0, 1]] * 5)
    np.testing.assert_array_equal(values, np.ones(5))


def test_a_shot_vector_gives_one_result_for_each_copy() -> None:
    circuit = returning(lambda m, n: qml.probs(op=[m, n]), lambda m, n: qml.sample(wires=0))
    results = sampled(circuit, shots=[5000, (8000, 2)])
    for (_, samples), shots in zip(results, (5000, 8000, 8000), strict=True):
        assert 0.5 < len(samples) / shots < 0.9
    expected = deferred(returning(lambda m, n: qml.probs(op=[m, n])))
    for probabilities, _ in results:
        assert within_error(probabilities, expected, 2500)
    assert not np.array_equal(results[1][0], results[2][0])


def test_a_seed_repeats_the_shots() -> None:
    circuit = returning(lambda m, n: qml.sample(op=[m, n]), lambda m, n: qml.sample(qml.X(2)))
    first, again, other = (sampled(circuit, shots=200, seed=seed) for seed in (7, 7, 8))
    for found, repeated in zip(first, again, strict=True):
        np.testing.assert_array_equal(found, repeated)
    assert not all(np.array_equal(*pair) for pair in zip(first, other, strict=True))


def test_shots_in_parts_follow_the_same_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = returning(lambda m, n: qml.probs(op=[m, n]), lambda m, n: qml.probs(op=qml.X(2)))
    # Room for 8 shots, which four measurements may send into 16 branches.
    monkeypatch.setattr("qrnn_backends.torch.sampling.MAX_AMPLITUDES", 4 * 8 * 2**3)
    for found, expected in zip(sampled(circuit, shots=1000), deferred(circuit), strict=True):
        assert within_error(found, expected, 500)


def test_many_measurements_run_as_one_trajectory_for_each_shot() -> None:
    def circuit(wires: list[Hashable]) -> MeasurementProcess:
        values = []
        for step in range(30):
            wire = wires[step % 2]
            qml.RY(0.5 + step, wires=wire)
            values.append(qml.measure(wire, reset=True))
        return qml.sample(op=values)

    samples = sampled(lambda: circuit(["a", "b"]), shots=4000)
    expected = np.sin((0.5 + np.arange(30)) / 2) ** 2
    assert samples.shape == (4000, 30)
    assert within_error(samples.mean(0), expected, 4000)


def test_a_batch_of_parameters_gives_a_batch_of_samples() -> None:
    angles = np.array([0.4, 1.3, 2.2])

    def circuit() -> Any:  # noqa: ANN401
        qml.RY(angles, wires=0)
        value = qml.measure(0)
        qml.cond(value, qml.X)(1)
        return qml.sample(wires=[0, 1]), qml.probs(op=value), qml.counts(op=value)

    samples, probabilities, counts = sampled(circuit)
    assert samples.shape == (3, SHOTS, 2)
    np.testing.assert_array_equal(samples[..., 0], samples[..., 1])
    ones = np.sin(angles / 2) ** 2
    assert within_error(probabilities, np.stack((1 - ones, ones), 1), SHOTS)
    assert [count[1] for count in counts] == samples[..., 0].sum(1).tolist()


def test_entries_of_a_batch_that_keep_different_shots_have_no_common_samples() -> None:
    def circuit() -> MeasurementProcess:
        qml.RY(np.array([0.4, 2.2]), wires=0)
        qml.measure(0, postselect=0)
        return qml.sample(wires=0)

    with pytest.raises(ValueError, match="different numbers of shots"):
        sampled(circuit, shots=100)
    assert sampled(circuit, shots=100, postselect_mode="fill-shots").shape == (2, 100, 1)


def test_a_native_neuron_drops_the_shots_that_its_circuit_drops() -> None:
    coefficients = np.array([1.3, 0.6])

    def circuit() -> MeasurementProcess:
        qml.Hadamard(0)
        NeuronOperation(coefficients, range(3), order=1, degree=1, realisation="postselect")
        return qml.probs(wires=[0, 1])

    angles = np.array([1.3, 1.9])
    blocks = np.stack((np.cos(angles / 2) ** 2, np.sin(angles / 2) ** 2), 1)
    expected = (blocks**2).ravel() / 2
    device = qml.device("qrnn.torch", seed=5)
    with qml.Tracker(device) as tracker:
        found = qml.set_shots(qml.QNode(circuit, device), shots=SHOTS)()
    kept = tracker.totals["kept_shots"]
    assert within_error(np.array(kept / SHOTS), expected.sum(keepdims=True), SHOTS)
    assert within_error(found, expected / expected.sum(), kept)


def test_without_a_kept_shot_the_error_tells_how_many_are_needed() -> None:
    def circuit() -> MeasurementProcess:
        qml.RY(0.02, wires=0)
        qml.measure(0, postselect=1)
        return qml.expval(qml.Z(0))

    share = np.sin(0.01) ** 2
    message = f"none of 10 shots.*a share of {share:.2g}, so that {ceil(100 / share)} shots"
    with pytest.raises(NoShotsKeptError, match=message):
        sampled(circuit, shots=10)

    def impossible() -> MeasurementProcess:
        qml.measure(0, postselect=1)
        return qml.classical_shadow(wires=0)

    with pytest.raises(NoShotsKeptError, match="probability 0"):
        sampled(impossible, shots=10)
    with pytest.raises(ValueError, match="probability 0"):
        sampled(impossible, shots=10, postselect_mode="fill-shots")


def test_results_are_tensors_for_torch() -> None:
    def circuit(angle: torch.Tensor) -> Any:  # noqa: ANN401
        qml.RY(angle, wires=0)
        return qml.expval(qml.Z(0)), qml.sample(wires=0), qml.counts(wires=0)

    node = qml.set_shots(qml.QNode(circuit, qml.device("qrnn.torch")), shots=10)
    expectation, samples, counts = node(torch.tensor(0.0))
    assert expectation == torch.tensor(1.0)
    assert torch.equal(samples, torch.zeros(10, 1, dtype=torch.int64))
    assert counts == {"0": 10}
