from collections.abc import Callable
from time import process_time

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qrnn_backends.qiskit_common.chip_model import ChipModel, chip_model
from qrnn_circuits.circuits.qiskit.target import UnsupportedTargetError

SHOTS = 4_000


@pytest.fixture(scope="module")
def manila() -> ChipModel:
    return chip_model("fake_manila")


@pytest.fixture(scope="module")
def runtime_noise() -> NoiseModel:
    """Noise of the whole chip as Qiskit Runtime's local testing mode has it."""
    backend = FakeManilaV2()
    backend.run(QuantumCircuit(1)).result()
    return backend.sim.options.noise_model


def unitary_circuit() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(0.7, 1)
    circuit.cx(1, 2)
    circuit.rx(1.1, 2)
    circuit.cx(0, 1)
    return circuit


def dynamic_circuit() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 4)
    circuit.ry(1.0, 0)
    circuit.cx(0, 1)
    circuit.measure(1, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(0.8, 2)
    circuit.reset(1)
    circuit.cx(2, 1)
    circuit.measure([0, 1, 2], [1, 2, 3])
    return circuit


def exact(
    circuit: QuantumCircuit, simulator: AerSimulator, qubits: list[int]
) -> NDArray[np.complex128]:
    """Density matrix of some qubits."""
    saved = circuit.copy()
    saved.save_density_matrix(qubits)
    result = simulator.run(saved, shots=1, method="density_matrix").result()
    return np.asarray(result.data(0)["density_matrix"])


def shares(circuit: QuantumCircuit, simulator: AerSimulator) -> NDArray[np.float64]:
    counts = simulator.run(circuit, shots=SHOTS, seed_simulator=3).result().get_counts()
    table = np.zeros(2**circuit.num_clbits)
    for text, count in counts.items():
        table[int(text.replace(" ", ""), 2)] = count / SHOTS
    return table


def test_the_state_is_that_of_the_whole_chip_in_runtime_local_mode(
    manila: ChipModel, runtime_noise: NoiseModel
) -> None:
    on_chip = manila.transpile(unitary_circuit())
    active = sorted(
        {on_chip.find_bit(qubit).index for each in on_chip.data for qubit in each.qubits}
    )
    # Relaxation while a qubit waits is part of the noise.
    on_chip.delay(20_000, active[0], unit="ns")
    (compacted,), simulator = manila.compact([on_chip])
    assert (on_chip.num_qubits, compacted.num_qubits) == (5, 3)
    expected = exact(on_chip, AerSimulator(noise_model=runtime_noise), active)
    assert exact(compacted, simulator, [0, 1, 2]) == pytest.approx(expected, abs=1e-9)
    ideal = exact(on_chip, AerSimulator(), active)
    assert np.abs(ideal - expected).max() > 0.01


def test_dynamic_circuits_have_the_distribution_of_runtime_local_mode(
    manila: ChipModel, runtime_noise: NoiseModel
) -> None:
    on_chip = manila.transpile(dynamic_circuit())
    (compacted,), simulator = manila.compact([on_chip])
    measured = shares(compacted, simulator)
    expected = shares(on_chip, AerSimulator(noise_model=runtime_noise))
    ideal = shares(dynamic_circuit(), AerSimulator())
    error = np.sqrt((measured * (1 - measured) + expected * (1 - expected)) / SHOTS)
    assert (np.abs(measured - expected) <= 4 * error + 1e-12).all()
    # The noise is far above what the shots can tell.
    assert (np.abs(measured - ideal) > 6 * error).any()


def test_parameters_survive_and_a_circuit_is_transpiled_once(manila: ChipModel) -> None:
    angle = Parameter("angle")
    circuit = QuantumCircuit(2)
    circuit.ry(angle, 0)
    circuit.cry(2 * angle, 0, 1)
    transpiled = manila.transpile(circuit)
    assert set(transpiled.parameters) == {angle}
    assert set(transpiled.count_ops()) <= set(manila.target.operation_names)
    assert manila.transpile(circuit) is transpiled
    assert manila.transpile(circuit.copy()) == transpiled
    assert chip_model("fake_manila") is manila


def test_several_circuits_share_the_qubits_and_the_noise_of_all(manila: ChipModel) -> None:
    one = QuantumCircuit(5, 1)
    one.x(0)
    one.measure(0, 0)
    other = QuantumCircuit(5, 1)
    other.x(3)
    other.barrier()
    other.measure(3, 0)
    compacted, simulator = manila.compact([one, other])
    assert [circuit.num_qubits for circuit in compacted] == [2, 2]
    assert simulator.options.noise_model.noise_qubits == [0, 1]
    again, same_simulator = manila.compact([other, one])
    assert same_simulator is simulator
    assert again[0] == compacted[1]


def test_what_does_not_fit_onto_the_chip_is_named() -> None:
    with pytest.raises(ValueError, match=r"no backend 'fake_manilla'.*close names are fake_manila"):
        chip_model("fake_manilla")
    lima = chip_model("fake_lima")
    with pytest.raises(UnsupportedTargetError, match=r"fake_lima has 5 qubits.* needs 6"):
        lima.transpile(QuantumCircuit(6))
    with pytest.raises(
        UnsupportedTargetError, match=r"no if_else: .*'postselect', 'amplified' and 'multiplexed'"
    ):
        lima.transpile(dynamic_circuit())


def test_a_qubit_without_calibration_data_is_named() -> None:
    circuit = QuantumCircuit(156)
    circuit.x([145, 146])
    with pytest.raises(UnsupportedTargetError, match="no data on T1 and T2 of qubit 146"):
        chip_model("fake_kingston").compact([circuit])


def best_of(runs: int, run: Callable[[], object]) -> float:
    times = []
    for _ in range(runs):
        start = process_time()
        run()
        times.append(process_time() - start)
    return min(times)


def test_a_known_circuit_runs_at_once_on_a_large_chip() -> None:
    chip = chip_model("fake_fez")
    circuit = dynamic_circuit()

    def run() -> None:
        circuits, simulator = chip.compact([chip.transpile(circuit)])
        simulator.run(circuits, shots=500, memory=True).result()

    run()
    assert best_of(3, run) < 0.5
