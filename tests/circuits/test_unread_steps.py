from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
import torch

from qrnn_circuits import QRNN, UNREAD, compile_circuit
from qrnn_circuits.circuits.draw import draw_step, draw_text
from qrnn_circuits.circuits.inspection import inspect_circuit
from qrnn_circuits.network import RecurrentNetwork
from tests.cells.rotation_cell import RotationCell

MakeModel = Callable[..., QRNN]

INPUTS = [1, 3, 2, 0, 1]


@pytest.fixture
def model(make_model: MakeModel) -> QRNN:
    return make_model(lane=2, workspace=2, order=1, semantics="unitary")


def predicted(model: QRNN, outcomes: list[int | None]) -> tuple[np.ndarray, float]:
    """The last step's distribution and the share of kept shots, by the model."""
    output = model.sample(
        torch.tensor([INPUTS]),
        torch.tensor([[outcome or 0 for outcome in outcomes]]),
        sampled=torch.tensor([[outcome is None for outcome in outcomes]]),
    )
    return output.log_probs[0, -1].exp().numpy(), output.log_acceptance.exp().item()


@pytest.mark.parametrize("device", ["default.qubit", "qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize(
    "outcomes", [[UNREAD] * 4 + [None], [UNREAD, 2, UNREAD, UNREAD, None]], ids=["once", "twice"]
)
def test_devices_read_what_the_model_predicts_after_unread_steps(
    model: QRNN, outcomes: list[int | None], device: str
) -> None:
    # PennyLane warns where mid-circuit measurements meet tensors that require gradients.
    circuit = compile_circuit(model.requires_grad_(False), INPUTS, outcomes)
    (result,) = circuit.qnode(device)()
    assert np.allclose(qml.math.to_numpy(result), predicted(model, outcomes)[0], atol=1e-10)


def test_postselected_neurons_of_unread_steps_agree_with_the_model(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1).requires_grad_(False)
    circuit = compile_circuit(model, [1, 0, 1], [UNREAD, UNREAD, None])
    (result,) = circuit.qnode("default.qubit")()
    symbols = torch.tensor([[1, 0, 1]])
    sampled = torch.tensor([[False, False, True]])
    output = model.sample(symbols, torch.full_like(symbols, UNREAD), sampled=sampled)
    expected = output.log_probs[0, -1].exp()
    assert np.allclose(qml.math.to_numpy(result), expected, atol=1e-10)


def test_gradients_through_unread_steps_equal_those_of_the_model(model: QRNN) -> None:
    outcomes = [UNREAD] * 4 + [None]
    parameters = list(model.parameters())
    (result,) = compile_circuit(model, INPUTS, outcomes).qnode("default.qubit")()
    gradients = torch.autograd.grad(result[2].log(), parameters)
    loss = model.loss(torch.tensor([INPUTS]), torch.tensor([[UNREAD] * 4 + [2]]))
    for ours, expected in zip(gradients, torch.autograd.grad(-loss, parameters), strict=True):
        assert torch.allclose(ours, expected, atol=1e-10)


def test_an_unread_step_has_neither_output_stage_nor_measurement(model: QRNN) -> None:
    circuit = compile_circuit(model, INPUTS, [UNREAD, 2, UNREAD, UNREAD, None])
    stages = {(item.step, item.stage) for item in circuit.staged_operations()}
    assert {step for step, stage in stages if stage == "output stage"} == {1, 4}
    assert {step for step, stage in stages if stage == "read lane"} == {1, 4}
    qiskit = circuit.to_qiskit()
    assert qiskit.count_ops()["measure"] == 2 * model.cell.lane
    assert circuit.to_openqasm3().count("measure") == 2 * model.cell.lane


def test_between_unread_steps_only_the_bits_that_differ_are_flipped(model: QRNN) -> None:
    circuit = compile_circuit(model, [1, 3, 3, 2], [UNREAD, UNREAD, UNREAD, None])
    flips = [
        (item.step, item.operation.wires[0])
        for item in circuit.staged_operations()
        if item.stage == "write input"
    ]
    assert flips == [(0, 1), (1, 0), (3, 1)]


def test_kept_shots_hold_one_outcome_for_each_step_that_is_read(model: QRNN) -> None:
    circuit = compile_circuit(model, INPUTS, [UNREAD, 2, UNREAD, UNREAD, None])
    # Qiskit writes its first bit last: symbol 2, then symbol 3.
    assert circuit.kept({"1101": 5, "1110": 7}) == {(2, 3): 5}


@pytest.mark.parametrize("semantics", ["unitary", "postselected"])
def test_kept_shots_of_a_circuit_that_reads_nothing_hold_no_outcomes(
    make_model: MakeModel, semantics: str
) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics=semantics)
    circuit = compile_circuit(model, [0, 1], [UNREAD, UNREAD])
    flags = circuit.to_qiskit().num_clbits
    assert circuit.kept({"0" * flags: 5}) == {(): 5}
    if flags:
        assert circuit.kept({"1" * flags: 5}) == {}


@pytest.mark.parametrize("first", [UNREAD, 1])
def test_a_symbolic_circuit_takes_its_values_from_a_step_that_is_read(
    model: QRNN, first: int
) -> None:
    pytest.importorskip("qiskit")
    from qiskit.quantum_info import Statevector

    outcomes = [first, UNREAD, None]
    symbolic = compile_circuit(model, INPUTS[:3], outcomes, symbolic=True)
    plain = compile_circuit(model, INPUTS[:3], outcomes).to_qiskit()
    bound = symbolic.to_qiskit().assign_parameters(symbolic.parameter_values())
    assert bound.num_parameters == 0
    for circuit in (plain, bound):
        circuit.data = [gate for gate in circuit.data if gate.operation.name != "measure"]
    assert Statevector(plain).equiv(Statevector(bound))


def test_the_predicted_acceptance_is_1_where_only_the_last_step_is_read(model: QRNN) -> None:
    inspection = inspect_circuit(
        model, INPUTS, [UNREAD] * 4 + [None], realisations=["multiplexed", "amplified"]
    )
    assert [entry.acceptance for entry in inspection.realisations] == [1.0, 1.0]
    outcomes = [UNREAD, 2, UNREAD, UNREAD, None]
    inspection = inspect_circuit(model, INPUTS, outcomes, realisations=["multiplexed"])
    assert inspection.realisations[0].acceptance == pytest.approx(predicted(model, outcomes)[1])


def test_an_unread_step_is_drawn_without_an_output_stage(model: QRNN) -> None:
    circuit = compile_circuit(model, [1, 0], [UNREAD, None])
    assert draw_text(circuit).count("Neuron─") > 0
    texts = {text.get_text() for axes in draw_step(circuit).axes for text in axes.texts}
    assert not any("output" in text for text in texts)


def test_what_cannot_be_unread_is_refused(model: QRNN) -> None:
    with pytest.raises(ValueError, match=r"outcomes must be symbols from 0 to 3 .*UNREAD.*got -1"):
        compile_circuit(model, [1, 2], [-1])
    with pytest.raises(ValueError, match=r"steps must be sampled ones, .* got 0"):
        compile_circuit(model, [1, 2], [UNREAD, None], steps=[0])
    network = RecurrentNetwork(RotationCell(lane=1, workspace=1))
    with pytest.raises(NotImplementedError, match="defines the methods evolve and evolve_circuit"):
        compile_circuit(network, [1, 0], [UNREAD])


@pytest.mark.parametrize("order", [0, 1])
def test_small_rotations_are_dropped_in_unread_steps_within_the_bound(
    order: int, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=2, order=order, semantics="unitary").requires_grad_(False)
    outcomes = [UNREAD, UNREAD, None]
    whole = compile_circuit(model, [0, 1, 1], outcomes)
    dropped = compile_circuit(model, [0, 1, 1], outcomes, tolerance=0.08)
    counts = [circuit.to_qiskit().count_ops()["ry"] for circuit in (whole, dropped)]
    assert counts[1] < counts[0]
    results = [
        qml.math.to_numpy(circuit.qnode(device)()[0])
        for circuit, device in (
            (whole, "qrnn.torch"),
            (dropped, "qrnn.torch"),
            (dropped, "default.qubit"),
            (dropped, "qrnn.aer"),
        )
    ]
    assert np.allclose(results[2], results[1], atol=1e-10)
    assert np.allclose(results[3], results[1], atol=1e-10)
    distance = np.abs(results[0] - results[1]).sum() / 2
    assert 0 < distance <= dropped.distribution_bounds()[-1] < 1
