"""What a new user does first, in an environment that holds nothing but the installed package."""

import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pennylane as qml
from qiskit import QuantumCircuit, transpile
from qiskit.transpiler.passes.synthesis.high_level_synthesis import HLSConfig

import qrnn_backends
import qrnn_circuits
from qrnn_circuits.circuits.qiskit.gates import QuantumNeuronGate

BASIS = ["cx", "ry", "rz", "sx", "x"]


def check_installed() -> None:
    """Both packages come from this environment, and all that they announce can be imported."""
    for package in (qrnn_circuits, qrnn_backends):
        if not Path(str(package.__file__)).is_relative_to(sys.prefix):
            raise ImportError(f"{package.__name__} is imported from {package.__file__}")
    for point in distribution("qrnn-circuits").entry_points:
        print(point.group, point.name, point.load())


def run_devices() -> None:
    """A rotation, a measurement and a rotation that depends on it, on both local devices."""
    for name in ("qrnn.torch", "qrnn.aer"):
        device = qml.device(name, wires=1)

        def circuit() -> qml.measurements.MeasurementProcess:
            qml.RY(0.7, wires=0)
            flipped = qml.measure(0)
            qml.cond(flipped, qml.PauliX)(wires=0)
            return qml.probs(wires=0)

        probabilities = qml.set_shots(qml.QNode(circuit, device), 1000)()
        print(name, probabilities)
        np.testing.assert_allclose(probabilities, [1, 0])


def synthesise() -> None:
    """A neuron's gate, in both ways that the entry points offer to Qiskit."""
    for method, ancillas in (("multiplexed", 0), ("amplified", 3)):
        circuit = QuantumCircuit(2 + ancillas)
        circuit.append(QuantumNeuronGate([0.4, 0.9], 1, order=1, degree=1), [0, 1])
        config = HLSConfig(quantum_neuron=[method], qubits_initially_zero=True)
        gates = transpile(circuit, basis_gates=BASIS, hls_config=config).count_ops()
        print(method, dict(gates))
        if not 0 < gates["cx"] < 100:
            raise ValueError(f"{method} takes {gates['cx']} CNOTs")


def use_commands() -> None:
    """Trains a network, evaluates it and runs its circuit, by the installed command."""
    command = Path(sysconfig.get_path("scripts")) / "qrnn"
    for arguments in (
        "--help",
        "train xor --steps 2 --out run",
        "evaluate run",
        "run run --device qrnn.torch --steps 2",
    ):
        subprocess.run([command, *arguments.split()], check=True)


if __name__ == "__main__":
    check_installed()
    run_devices()
    synthesise()
    use_commands()
