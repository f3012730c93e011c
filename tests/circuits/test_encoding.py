"""Inputs in the angles of neurons: the same network, with fewer gates."""

import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qrnn_circuits import QRNN, UNREAD
from qrnn_circuits.circuits import NeuronOperation, compile_circuit
from qrnn_circuits.circuits.qiskit.resources import resources
from qrnn_circuits.neuron import Initialisation, Semantics

SPREAD = Initialisation(bias_spread=1.0, weight_spread=1.0, theta_spread=1.0)


def network(
    lane: int, workspace: int, order: int, degree: int, semantics: Semantics = "unitary"
) -> QRNN:
    return QRNN(
        lane=lane,
        workspace=workspace,
        order=order,
        degree=degree,
        semantics=semantics,
        initialisation=SPREAD,
        generator=torch.Generator().manual_seed(order + 10 * degree),
        dtype=torch.float64,
    )


@settings(max_examples=12, deadline=None)
@given(
    sizes=st.sampled_from([(1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 2, 2), (2, 2, 3)]),
    kind=st.sampled_from([(0, "unitary"), (1, "unitary"), (1, "postselected")]),
    seed=st.integers(0, 99),
)
def test_what_is_read_has_the_distribution_of_the_model(
    sizes: tuple[int, int, int], kind: tuple[int, Semantics], seed: int
) -> None:
    lane, workspace, degree = sizes
    model = network(lane, workspace, kind[0], degree, kind[1]).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(2**lane, (1, 4), generator=generator)
    outcomes = torch.randint(2**lane, (1, 4), generator=generator)
    outcomes[0, [0, 2]] = UNREAD
    circuit = compile_circuit(
        model, inputs[0].tolist(), outcomes[0, :-1].tolist(), encoding="angles"
    )
    # Postselected ancillas would take a wire each.
    device = "default.qubit" if kind[1] == "unitary" else "qrnn.torch"
    (found,) = circuit.qnode(device)()
    expected = model(inputs, outcomes).log_probs[0, -1].exp()
    torch.testing.assert_close(torch.as_tensor(found), expected, rtol=0, atol=1e-9)


def test_sampled_outcomes_have_the_same_joint_distribution_as_with_inputs_on_the_lane() -> None:
    model = network(1, 2, 0, 2)
    found = [
        compile_circuit(model, [1, 0, 1], encoding=encoding).qnode("default.qubit")()
        for encoding in ("lane", "angles")
    ]
    for first, second in zip(*found, strict=True):
        assert second == pytest.approx(first, abs=1e-9)


@pytest.mark.parametrize("outcome", [UNREAD, None, 2])
def test_no_known_wire_controls_a_neuron_but_where_it_is_the_only_one(outcome: int | None) -> None:
    circuit = compile_circuit(network(2, 2, 0, 3), [3, 1], [outcome], encoding="angles")
    for item in circuit.staged_operations():
        operation = item.operation
        if isinstance(operation, NeuronOperation) and item.stage != "output stage":
            assert set(operation.control_wires) <= {2, 3}
            assert operation.hyperparameters["degree"] == 1
        elif item.stage not in ("output stage", "read lane"):
            assert not set(operation.wires) & {0, 1}
    alone = compile_circuit(network(1, 1, 0, 1), [1], encoding="angles").staged_operations()
    assert next(item.operation.name for item in alone if 0 in item.operation.wires) == "PauliX"


def test_the_gates_of_all_inputs_are_those_of_a_neuron_of_fewer_controls() -> None:
    model = network(2, 2, 1, 2)
    # Work and input stage: two neurons of one control each; the output stage of three and two.
    expected = 4 * 2 + 8 + 4
    for symbol in range(4):
        circuit = compile_circuit(model, [symbol], encoding="angles")
        assert resources(circuit.to_qiskit()).two_qubit_gates <= expected
    on_lane = compile_circuit(model, [0])
    assert resources(on_lane.to_qiskit()).two_qubit_gates == 6 * 8


def test_the_gradient_is_that_of_the_model() -> None:
    model = network(1, 2, 0, 2)
    circuit = compile_circuit(model, [1, 0, 1], [UNREAD, UNREAD], encoding="angles")
    names, parameters = zip(*model.named_parameters(), strict=True)
    with torch.enable_grad():
        found = torch.autograd.grad(circuit.qnode("qrnn.torch")()[0][1], parameters)
        outcomes = torch.tensor([[UNREAD, UNREAD, 1]])
        exact = model(torch.tensor([[1, 0, 1]]), outcomes).log_probs[0, -1].exp()[1]
        expected = torch.autograd.grad(exact, parameters)
    for name, first, second in zip(names, found, expected, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-9, msg=name)


def test_dropping_moves_no_distribution_further_than_its_bound() -> None:
    model = network(1, 3, 0, 2)
    inputs = [1, 0, 1]
    outcomes = [UNREAD, UNREAD]
    exact = compile_circuit(model, inputs, outcomes).qnode("default.qubit")()[0]
    gates = []
    for tolerance in (0.0, 0.3, 1.0):
        circuit = compile_circuit(model, inputs, outcomes, encoding="angles", tolerance=tolerance)
        found = circuit.qnode("default.qubit")()[0]
        distance = abs(found - exact).sum() / 2
        assert distance <= circuit.distribution_bounds()[-1] + 1e-9
        gates.append(resources(circuit.to_qiskit()).two_qubit_gates)
    assert gates == sorted(gates, reverse=True)
    assert gates[0] > gates[-1]


def test_circuits_of_other_inputs_have_the_same_gates_on_the_same_wires() -> None:
    model = network(1, 2, 0, 1)
    shapes = set()
    for inputs in ([0, 0, 1], [1, 1, 0]):
        tape = compile_circuit(model, inputs, [UNREAD, UNREAD], encoding="angles").tape
        (expanded,), _ = qml.transforms.decompose(tape, gate_set={"RY", "CNOT", "PauliX"})
        shapes.add(tuple((gate.name, tuple(gate.wires)) for gate in expanded.operations))
    assert len(shapes) == 1


def test_an_encoding_that_cannot_be_is_refused() -> None:
    model = network(1, 2, 0, 1)
    with pytest.raises(ValueError, match="encoding must be one of lane, angles, got 'x'"):
        compile_circuit(model, [0], encoding="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="encoding must be 'lane' with symbolic=True"):
        compile_circuit(model, [0], encoding="angles", symbolic=True)
