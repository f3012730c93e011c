import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pennylane as qml
import pytest
import torch
from qiskit.quantum_info import Operator

from qrnn_circuits import QRNN
from qrnn_circuits.circuits.realisations import (
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
)
from qrnn_circuits.circuits.sequence import compile_circuit
from tests.circuits.known_warnings import TREE_TRAVERSAL
from tests.circuits.lanes import lane_shares, model_distribution, within_error

MakeModel = Callable[..., QRNN]

pytestmark = TREE_TRAVERSAL


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_the_qnode_and_its_gradients_are_those_of_the_model(
    semantics: str, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=2, order=1, degree=2, semantics=semantics)
    (distribution,) = compile_circuit(model, [1, 0, 1], [0, 1]).qnode()()
    inputs, outcomes = torch.tensor([[1, 0, 1]]), torch.tensor([[0, 1, 0]])
    expected = model(inputs, outcomes).log_probs[0, -1].exp()
    assert torch.allclose(distribution, expected, rtol=0, atol=1e-9)
    parameters = list(model.parameters())
    for found, wanted in zip(
        torch.autograd.grad(distribution[0], parameters),
        torch.autograd.grad(expected[0], parameters),
        strict=True,
    ):
        assert torch.allclose(found, wanted, rtol=0, atol=1e-8)


def test_a_device_without_backpropagation_gives_no_gradients_of_postselected_circuits(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, workspace=2, order=1, degree=2)
    qnode = compile_circuit(model, [1]).qnode("lightning.qubit", mcm_method="tree-traversal")
    (distribution,) = qnode()
    expected = model(torch.tensor([[1]]), torch.tensor([[0]])).log_probs[0, -1].exp()
    assert torch.allclose(distribution, expected, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="do not come by the parameter-shift rule"):
        distribution[0].backward()


def test_every_sampled_step_is_returned_given_all_conditioned_outcomes(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    # P(o0, o1 = 1, o2), by the chain rule.
    joint = np.zeros((2, 2))
    for first in range(2):
        weight = model_distribution(model, [1], [])[first]
        weight *= model_distribution(model, [1, 0], [first])[1]
        joint[first] = weight * model_distribution(model, [1, 0, 1], [first, 1])
    joint /= joint.sum()
    circuit = compile_circuit(model, [1, 0, 1], [None, 1, None])
    assert circuit.steps == (0, 2)
    zeroth, second = circuit.qnode()()
    assert np.allclose(zeroth, joint.sum(1), atol=1e-9)
    assert np.allclose(second, joint.sum(0), atol=1e-9)
    (only,) = compile_circuit(model, [1, 0, 1], [None, 1, None], steps=[0]).qnode()()
    assert np.allclose(only, joint.sum(1), atol=1e-9)


@pytest.mark.parametrize(
    ("device", "method"),
    [
        ("default.qubit", None),
        ("default.qubit", "deferred"),
        ("lightning.qubit", "tree-traversal"),
        ("qrnn.torch", None),
        ("qrnn.aer", None),
    ],
)
def test_each_of_several_sampled_steps_returns_a_distribution(
    device: str, method: str | None, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    first = model_distribution(model, [1], [])
    second = sum(first[bit] * model_distribution(model, [1, 0], [bit]) for bit in range(2))
    circuit = compile_circuit(model, [1, 0], realisation="multiplexed")
    found = circuit.qnode(device, mcm_method=method)()
    np.testing.assert_allclose(found, [first, second], rtol=0, atol=1e-9)


def test_what_default_qubit_cannot_weigh_or_hold_is_refused(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2, order=1, degree=1)
    with pytest.raises(ValueError, match=r"follows one that is not.* needs 21 wires at once"):
        compile_circuit(model, [1, 0, 1]).qnode()
    unitary = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match="mcm_method must not be 'tree-traversal'"):
        compile_circuit(unitary, [1, 0], [None, 1]).qnode(mcm_method="tree-traversal")


def test_retries_on_default_qubit_have_the_weights_of_their_branches(
    make_model: MakeModel,
) -> None:
    options = {"lane": 1, "workspace": 1, "stages": 0, "order": 1, "degree": 1}
    model = make_model(**options, semantics="unitary", seed=3)
    circuit = compile_circuit(model, [1], realisation=RepeatUntilSuccess(4))
    (distribution,) = circuit.qnode()()
    measured, kept = lane_shares(circuit, 0, 20_000)
    assert within_error(measured, np.asarray(distribution.detach()), kept)
    # At most 1 in 2**4 of a pattern is lost.
    expected = model_distribution(model, [1], [])
    assert 0 < np.abs(np.asarray(distribution.detach()) - expected).max() < 2**-4


def test_shots_of_default_qubit_see_the_measurements_inside_of_neurons(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, workspace=1, stages=0, order=1, degree=1)
    device = qml.device("default.qubit", seed=5)
    qnode = compile_circuit(model, [1]).qnode(device, shots=500, mcm_method="one-shot")
    (shares,) = qnode()
    # Some shots are lost to postselection.
    assert within_error(np.asarray(shares), model_distribution(model, [1], []), 100)


def test_samples_have_one_row_for_each_shot_and_one_column_for_each_lane_wire(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=2, workspace=1, order=1, degree=1, semantics="unitary")
    circuit = compile_circuit(model, [1, 2])
    first, second = circuit.qnode(
        qml.device("default.qubit", wires=3, seed=1), returns="sample", shots=50
    )()
    assert first.shape == second.shape == (50, 2)


@pytest.mark.parametrize(
    "realisation", [Postselect(), RepeatUntilSuccess(2), Amplified(3), Multiplexed()]
)
def test_fifty_steps_have_the_wires_of_one_and_fifty_times_its_gates(
    realisation: Realisation, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=2, order=1, degree=2, semantics=realisation.semantics)
    start = time.perf_counter()
    # All the same symbol, so that every later step has the same flips.
    sizes = [
        compile_circuit(model, [1] * steps, [0] * steps, realisation=realisation).to_qiskit()
        for steps in (1, 2, 50)
    ]
    assert time.perf_counter() - start < 10
    one, two, fifty = sizes
    assert one.num_qubits == two.num_qubits == fifty.num_qubits
    assert fifty.size() == one.size() + 49 * (two.size() - one.size())
    assert len(fifty.cregs[-1]) >= 1


def test_an_input_is_only_written_where_it_differs_from_the_known_outcome(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=2, workspace=1, order=1, degree=1, semantics="unitary")
    flips = [
        compile_circuit(model, [0, 3], [outcome, 0]).to_qiskit().count_ops().get("x", 0)
        for outcome in range(4)
    ]
    # Two flips take the input off again.
    assert flips == [4, 3, 3, 2]
    sampled = compile_circuit(model, [0, 3]).to_qiskit().count_ops()
    assert (sampled["x"], sampled["reset"]) == (4, 2)


def test_every_operation_knows_its_step_stage_and_neuron(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2, stages=1, order=1, degree=1)
    items = compile_circuit(model, [1, 1], [1]).staged_operations()
    assert [(item.step, item.stage, item.neuron) for item in items if item.step == 0] == [
        (0, "write input", None),
        (0, "input stage", 0),
        (0, "input stage", 1),
        (0, "work stage 1", None),
        (0, "work stage 1", None),
        (0, "work stage 1", 2),
        (0, "work stage 1", 3),
        (0, "remove input", None),
        (0, "output stage", 4),
        (0, "read lane", None),
    ]
    # The outcome 1 stays on the lane as the next input.
    assert items[10].stage == "input stage"


def test_the_tape_is_the_circuit_of_the_qnode(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    circuit = compile_circuit(model, [1, 0], [1])
    built = qml.workflow.construct_tape(circuit.qnode())()
    assert list(map(type, circuit.tape.measurements)) == list(map(type, built.measurements))
    for ours, theirs in zip(circuit.tape.operations, built.operations, strict=True):
        assert (ours.name, ours.wires) == (theirs.name, theirs.wires)
        assert all(map(torch.equal, ours.data, theirs.data))


def test_multiplexed_steps_have_the_matrix_of_the_dense_cell(
    make_model: MakeModel, dense_cell: Callable[[QRNN], object]
) -> None:
    model = make_model(lane=1, workspace=2, order=2, degree=2, semantics="unitary")
    circuit = compile_circuit(model, [1]).to_qiskit()
    circuit.remove_final_measurements()
    expected = dense_cell(model).step(1)  # type: ignore[attr-defined]
    assert np.allclose(Operator(circuit.reverse_bits()).data, expected, atol=1e-10)


class OlderDevice(qml.devices.QubitDevice):  # type: ignore[misc]
    """A device of PennyLane's older interface, by dense matrices."""

    name = short_name = "older"
    pennylane_requires, version, author = ">=0", "0", "tests"
    operations: ClassVar = {"RY", "CNOT", "PauliX"}
    observables: ClassVar = {"PauliZ"}

    def apply(self, operations: list[Any], **_: object) -> None:
        self._state = np.eye(2 ** len(self.wires))[0]
        for operation in operations:
            self._state = qml.matrix(operation, self.wires) @ self._state

    def analytic_probability(self, wires: Any = None) -> Any:  # noqa: ANN401
        return self.marginal_prob(np.abs(self._state) ** 2, wires)


def test_a_device_of_the_older_interface_runs_a_circuit(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")
    circuit = compile_circuit(model, [0])
    (found,) = circuit.qnode(OlderDevice(wires=circuit.tape.wires))()
    np.testing.assert_allclose(found.detach(), model_distribution(model, [0], []), atol=1e-6)


def test_what_a_compiled_circuit_cannot_do_is_refused(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match="outcomes conditions every step"):
        compile_circuit(model, [0], [1]).qnode()
    with pytest.raises(TypeError, match=r"device must be a Device, got .*qml\.device\(name\)"):
        compile_circuit(model, [0]).qnode(None)
    with pytest.raises(ValueError, match="returns must be 'probs' or 'sample', got 'counts'"):
        compile_circuit(model, [0]).qnode(returns="counts")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="only if it is compiled with symbolic=True"):
        compile_circuit(model, [0]).parameter_values()
    other = make_model(lane=1, workspace=2, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match="workspace is 2, not 1"):
        compile_circuit(model, [0], symbolic=True).parameter_values(other)


@pytest.mark.parametrize("symbols", ["01", ["0", "1"], [0.0, 1.5], [True, 0], [0, [1]], 3])
def test_symbols_that_are_no_integers_are_refused(
    make_model: MakeModel,
    symbols: Any,  # noqa: ANN401
) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")
    for arguments in ((symbols,), ([0, 1], symbols)):
        name = "inputs" if len(arguments) == 1 else "outcomes"
        with pytest.raises(TypeError, match=f"{name} must (hold integers|be a sequence)"):
            compile_circuit(model, *arguments)


def test_symbols_of_numpy_and_torch_are_taken(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")
    circuit = compile_circuit(model, torch.tensor([0, 1]), list(np.array([1])))
    assert (circuit.inputs, circuit.outcomes) == ((0, 1), (1, None))
    assert all(type(symbol) is int for symbol in circuit.inputs)
