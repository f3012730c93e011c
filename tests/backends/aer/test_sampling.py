import itertools

import numpy as np
import pennylane as qml
import pytest
import scipy.signal
from pennylane.ops import MidMeasure
from qiskit_aer.noise import NoiseModel, ReadoutError, amplitude_damping_error, depolarizing_error

from qrnn_backends.aer.exact import distributions
from qrnn_backends.aer.sampling import readout_matrices, sample
from qrnn_backends.aer.simulation import DirectSimulation
from qrnn_backends.qiskit_common.aer_failures import SimulationError
from qrnn_backends.readout import NoShotsKeptError
from tests.backends.tapes import program

IDEAL = DirectSimulation("automatic")


def test_column_j_is_bit_j_however_many_bits_there_are() -> None:
    ones = [0, 3, 8, 17, 64, 69]
    simulation = DirectSimulation("stabilizer")
    (bits,) = sample(
        simulation, [program(*map(qml.X, ones), wires=list(range(70)))], shots=3, seed=0
    )
    assert bits.shape == (3, 70)
    assert [np.flatnonzero(row).tolist() for row in bits] == [ones] * 3


def test_one_run_gives_independent_samples_of_each_program_and_seeds_repeat_them() -> None:
    coin = program(qml.Hadamard(0), wires=[0])
    first, second = sample(IDEAL, [coin, coin], shots=2000, seed=5)
    again, _ = sample(IDEAL, [coin, coin], shots=2000, seed=5)
    other, _ = sample(IDEAL, [coin, coin], shots=2000, seed=6)
    assert np.array_equal(first, again)
    # Coins agree half of the time, and so do successive shots.
    for left, right in ((first, second), (first, other), (first[1:], first[:-1])):
        assert abs(np.mean(left == right) - 0.5) < 4 * 0.5 / np.sqrt(2000)


@pytest.mark.parametrize("method", ["automatic", "density_matrix", "stabilizer"])
def test_no_shots_of_a_program_are_those_of_another_however_many_there_are(method: str) -> None:
    shots = 6000
    coins = program(
        qml.Hadamard(0),
        MidMeasure(0, reset=True, meas_uid="first"),
        qml.Hadamard(0),
        wires=[0],
    )
    drawn = sample(DirectSimulation(method), [coins] * 3, shots=shots, seed=5)
    signs = [1 - 2.0 * bits[:, -1] for bits in drawn]
    for left, right in itertools.combinations(signs, 2):
        overlaps = scipy.signal.correlate(left, right, method="fft")
        # Of independent coins, each sum has a standard deviation of at most sqrt(shots).
        assert np.abs(overlaps).max() < 7 * np.sqrt(shots)


@pytest.mark.parametrize("method", ["statevector", "density_matrix", "matrix_product_state"])
def test_the_first_shots_are_like_the_last_ones(method: str) -> None:
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.2, 1), ["ry"])
    simulation = DirectSimulation(method, noise)
    (bits,) = sample(simulation, [program(qml.RY(1.0, 0), wires=[0])], shots=4000, seed=1)
    halves = bits.reshape(2, 2000).mean(axis=1)
    share = bits.mean()
    assert abs(halves[0] - halves[1]) <= 4 * np.sqrt(share * (1 - share) / 1000)


def test_readout_errors_are_those_that_the_runs_have() -> None:
    noise = NoiseModel()
    noise.add_readout_error(ReadoutError([[0.9, 0.1], [0.3, 0.7]]), [1])
    simulation = DirectSimulation("automatic", noise)
    # Wire 1 is measured into bit 0.
    prepared = [
        program(*map(qml.X, ones), qml.Identity(0), qml.Identity(1), wires=[1, 0])
        for ones in ([], [0], [1], [0, 1])
    ]
    for number, (left, right) in enumerate(readout_matrices(simulation, prepared)):
        (table,) = distributions(simulation, [prepared[number]])
        ones_of_wires = [number & 1, number >> 1]
        assert table == pytest.approx(
            np.kron(left[:, ones_of_wires[1]], right[:, ones_of_wires[0]])
        )
    noise.add_all_qubit_readout_error(ReadoutError([[0.8, 0.2], [0.0, 1.0]]), warnings=False)
    ((everywhere,),) = readout_matrices(
        DirectSimulation("automatic", noise), [program(qml.X(0), wires=[0])]
    )
    assert everywhere.tolist() == [[0.8, 0.0], [0.2, 1.0]]


@pytest.mark.parametrize(("wires", "shots"), [(60, 1), (1, 2**63 - 1)])
def test_a_failure_of_aer_is_an_error_that_it_does_not_log_as_well(
    caplog: pytest.LogCaptureFixture, wires: int, shots: int
) -> None:
    names = list(range(wires))
    too_large = program(*map(qml.Hadamard, names), *map(qml.T, names), wires=names)
    with pytest.raises(SimulationError, match="not enough memory: take fewer shots or fewer wires"):
        sample(DirectSimulation("statevector"), [too_large], shots=shots, seed=0)
    assert not caplog.records


@pytest.mark.parametrize("method", ["stabilizer", "extended_stabilizer"])
def test_a_method_that_does_not_run_a_circuit_is_named(method: str) -> None:
    turned = program(qml.RY(0.3, 0), wires=[0])
    with pytest.raises(SimulationError, match=f"method '{method}' does not run gates"):
        sample(DirectSimulation(method), [turned], shots=10, seed=0)


def test_a_method_that_does_not_run_an_error_is_named() -> None:
    damped = NoiseModel()
    damped.add_all_qubit_quantum_error(amplitude_damping_error(0.3), ["x"])
    flipped = program(qml.X(0), wires=[0])
    with pytest.raises(SimulationError, match=r"'stabilizer' does not run .* errors of its noise"):
        sample(DirectSimulation("stabilizer", damped), [flipped], shots=10, seed=0)


def test_filled_shots_have_the_kept_distribution() -> None:
    errors = NoiseModel()
    errors.add_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]), [1])

    def circuit() -> object:
        qml.RX(1.0, 0)
        qml.CNOT([0, 1])
        qml.RY(0.6, 0)
        value = qml.measure(1, postselect=1)
        return qml.probs(wires=0), qml.expval(value), qml.sample(wires=[0, 1])

    one = np.sin(0.5) ** 2
    # Given that 1 is read, from a 1 or by mistake.
    right, mistaken = 0.8 * one, 0.1 * (1 - one)
    for noise, true in ((None, 1.0), (errors, right / (right + mistaken))):
        device = qml.device("qrnn.aer", wires=2, noise=noise, seed=4)
        node = qml.QNode(circuit, device, shots=(2000, 3000), postselect_mode="fill-shots")
        with qml.Tracker(device) as tracker:
            copies = node()
        assert tracker.totals["kept_shots"] == 5000
        for shots, (distribution, value, samples) in zip((2000, 3000), copies, strict=True):
            assert (value, samples.shape) == (1, (shots, 2))
            flipped = np.sin(0.3) ** 2
            expected = true * (1 - flipped) + (1 - true) * flipped
            assert abs(distribution[1] - expected) < 4 * np.sqrt(expected / shots)


def filled(angle: float, shots: int) -> qml.QNode:
    """Keeps the shots in which a wire that is turned reads 1."""

    def circuit() -> object:
        qml.RX(angle, 0)
        qml.measure(0, postselect=1)
        return qml.probs(wires=0)

    device = qml.device("qrnn.aer", seed=1)
    return qml.QNode(circuit, device, shots=shots, postselect_mode="fill-shots")


def test_what_is_hardly_ever_kept_cannot_be_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qrnn_backends.aer.sampling._MOST_DRAWN", 20_000)
    with pytest.raises(NoShotsKeptError, match=r"kept . of \d+ shots, where 100 .*qrnn.torch"):
        filled(0.01, shots=100)()


def test_what_is_never_kept_is_not_drawn_for_minutes() -> None:
    with pytest.raises(NoShotsKeptError, match=r"kept 0 of \d{6} shots"):
        filled(0.0, shots=10)()


def test_filled_shots_are_not_mitigated() -> None:
    pytest.importorskip("mthree")
    device = qml.device("qrnn.aer", noise="fake_manila", mitigation="m3")

    def circuit() -> object:
        qml.measure(0, postselect=0)
        return qml.probs(wires=0)

    node = qml.QNode(circuit, device, shots=10, postselect_mode="fill-shots")
    with pytest.raises(ValueError, match="postselect_mode must be 'hw-like' with mitigation"):
        node()


def test_pauli_products_of_many_wires_need_no_table_of_their_values() -> None:
    product = qml.prod(*map(qml.X, range(40)))

    def circuit() -> object:
        qml.Hadamard(0)
        for wire in range(39):
            qml.CNOT([wire, wire + 1])
        qml.Z(0)
        return qml.expval(product), qml.var(product), qml.counts(3 * product)

    device = qml.device("qrnn.aer", method="matrix_product_state", seed=1)
    assert qml.set_shots(qml.QNode(circuit, device), 20)() == (-1.0, 0.0, {-3.0: 20})
