from typing import Any

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Operator
from qiskit.transpiler.passes.synthesis.high_level_synthesis import HLSConfig
from qiskit.transpiler.passes.synthesis.plugin import high_level_synthesis_plugin_names

from qrnn_circuits import QRNN, UNREAD, Initialisation, compile_circuit
from qrnn_circuits.circuits.qiskit.gates import PolynomialRYGate, QuantumNeuronGate
from qrnn_circuits.circuits.qiskit.plugins import (
    AmplifiedQuantumNeuron,
    MultiplexedQuantumNeuron,
    ParityPolynomialRY,
    TextbookPolynomialRY,
)
from qrnn_circuits.synthesis import closed_walk, parities_up_to

BASIS = ["cx", "ry", "rz", "sx", "x", "h"]
COEFFICIENTS = np.random.default_rng(0).normal(size=7).tolist()


def polynomial_circuit() -> QuantumCircuit:
    circuit = QuantumCircuit(4)
    circuit.append(PolynomialRYGate(COEFFICIENTS, 3, 2), range(4))
    return circuit


def test_the_methods_are_registered() -> None:
    assert set(high_level_synthesis_plugin_names("polynomial_ry")) == {
        "default",
        "parity",
        "textbook",
    }
    assert set(high_level_synthesis_plugin_names("quantum_neuron")) == {
        "default",
        "multiplexed",
        "amplified",
    }


@pytest.mark.parametrize(
    ("config", "cx"),
    [
        (None, 8),
        (HLSConfig(polynomial_ry=["parity"]), 8),
        (HLSConfig(polynomial_ry=["textbook"]), 30),
        # The first that does not decline.
        (HLSConfig(polynomial_ry=["parity", "textbook"]), 8),
    ],
)
def test_transpile_picks_the_method_of_a_polynomial_rotation(
    config: HLSConfig | None, cx: int
) -> None:
    circuit = polynomial_circuit()
    transpiled = transpile(circuit, basis_gates=BASIS, hls_config=config, optimization_level=3)
    assert transpiled.count_ops()["cx"] == cx
    assert np.allclose(Operator(transpiled).data, Operator(circuit).data, atol=1e-10)


@pytest.mark.parametrize("method", ["parity", "textbook"])
def test_parameters_survive_transpilation(method: str) -> None:
    names = ParameterVector("w", 7)
    circuit = QuantumCircuit(4)
    circuit.append(PolynomialRYGate(list(names), 3, 2), range(4))
    config = HLSConfig(polynomial_ry=[method])
    transpiled = transpile(circuit, basis_gates=BASIS, hls_config=config)
    bound = transpiled.assign_parameters(dict(zip(names, COEFFICIENTS, strict=True)))
    assert np.allclose(Operator(bound).data, Operator(polynomial_circuit()).data, atol=1e-10)


def test_transpile_picks_the_method_of_a_neuron() -> None:
    gate = QuantumNeuronGate(COEFFICIENTS, 3, order=1, degree=2)
    expected = Operator(gate.definition).data
    circuit = QuantumCircuit(6)
    circuit.append(gate, range(4))
    for config in (None, HLSConfig(quantum_neuron=["multiplexed", "amplified"])):
        exact = transpile(circuit, basis_gates=BASIS, hls_config=config)
        assert exact.count_ops()["cx"] == 8
    config = HLSConfig(quantum_neuron=[("amplified", {"length": 7})])
    amplified = transpile(circuit, basis_gates=BASIS, hls_config=config)
    assert amplified.count_ops()["cx"] > 80
    # The two qubits after the gate's own were clean and are clean again.
    block = Operator(amplified).data[:16, :16]
    assert np.linalg.norm(block - expected, 2) < 2e-3


def test_without_clean_ancillas_amplification_declines() -> None:
    gate = QuantumNeuronGate(COEFFICIENTS, 3, order=1, degree=2)
    assert AmplifiedQuantumNeuron().run(gate, num_clean_ancillas=1) is None
    assert AmplifiedQuantumNeuron().run(gate, num_clean_ancillas=2) is not None


def test_of_order_0_every_method_is_the_walk_through_the_parities_of_the_degree() -> None:
    coefficients = np.random.default_rng(0).normal(size=11).tolist()
    circuit = QuantumCircuit(5)
    circuit.append(QuantumNeuronGate(coefficients, 4, order=0, degree=2), range(5))
    walk = closed_walk(4, parities_up_to(4, 2))
    for method in ("multiplexed", "amplified"):
        config = HLSConfig(quantum_neuron=[method])
        transpiled = transpile(circuit, basis_gates=BASIS, hls_config=config, optimization_level=0)
        assert transpiled.count_ops()["cx"] == walk.two_qubit_gates < 2**4
        assert np.allclose(Operator(transpiled).data, Operator(circuit).data, atol=1e-10)


def test_other_gates_are_declined() -> None:
    other = PolynomialRYGate([0.1, 0.2], 1, 1)
    for plugin in (MultiplexedQuantumNeuron(), AmplifiedQuantumNeuron()):
        assert plugin.run(other) is None
    neuron = QuantumNeuronGate([0.1, 0.2], 1, degree=1)
    for plugin in (ParityPolynomialRY(), TextbookPolynomialRY()):
        assert plugin.run(neuron) is None


@pytest.mark.parametrize(
    ("order", "name", "methods"),
    [
        (0, "polynomial_ry", ["parity", "textbook"]),
        (1, "quantum_neuron", ["multiplexed", ("amplified", {"length": 3})]),
    ],
)
def test_transpile_picks_the_method_of_the_neurons_of_a_compiled_circuit(
    order: int, name: str, methods: list[Any]
) -> None:
    generator = torch.Generator().manual_seed(1)
    model = QRNN(
        lane=1,
        workspace=2,
        order=order,
        degree=2,
        semantics="unitary",
        initialisation=Initialisation(0.5, 0.5, 0.5),
        generator=generator,
    )
    compiled = compile_circuit(model, [1], [UNREAD], realisation="multiplexed")
    whole = compiled.to_qiskit(high_level=True)
    assert whole.count_ops()[name] == len(model.cell.neuron_coefficients) - 1
    assert Operator(whole).equiv(Operator(compiled.to_qiskit()))
    wide = QuantumCircuit(5)
    wide.compose(whole, wide.qubits[: whole.num_qubits], inplace=True)
    counts = [
        transpile(wide, basis_gates=BASIS, hls_config=HLSConfig(**{name: [method]})).count_ops()
        for method in methods
    ]
    assert counts[0]["cx"] < counts[1]["cx"]


def test_a_symbolic_circuit_has_no_gates_of_neurons() -> None:
    model = QRNN(lane=1, workspace=2, semantics="unitary")
    symbolic = compile_circuit(model, [1], realisation="multiplexed", symbolic=True)
    with pytest.raises(ValueError, match="high_level must be False"):
        symbolic.to_qiskit(high_level=True)
