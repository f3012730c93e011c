from collections.abc import Callable

import pennylane as qml
import pytest
import torch

from qrnn_circuits import QRNN
from qrnn_circuits.circuits import cell_step, registers, step_distribution

pytestmark = pytest.mark.filterwarnings(
    # Raised inside PennyLane's tree traversal for differentiable torch parameters.
    "ignore:Converting a tensor with requires_grad=True to a scalar:UserWarning"
)

# Workspace, lane, stages, order, degree, steps.
SIZES = [
    (1, 1, 1, 1, 1, 3),
    (2, 1, 1, 1, 2, 2),
    (2, 1, 1, 2, 2, 3),
    (1, 2, 2, 2, 2, 2),
    (2, 2, 1, 2, 3, 2),
    (1, 1, 0, 3, 1, 2),
]


@pytest.mark.parametrize(("workspace", "lane", "stages", "order", "degree", "steps"), SIZES)
def test_the_gate_level_circuit_and_its_gradients_equal_the_fast_path(
    workspace: int,
    lane: int,
    stages: int,
    order: int,
    degree: int,
    steps: int,
    make_model: Callable[..., QRNN],
    random_symbols: Callable[..., torch.Tensor],
) -> None:
    model = make_model(workspace=workspace, lane=lane, stages=stages, order=order, degree=degree)
    inputs, outcomes = random_symbols(model, 1, steps), random_symbols(model, 1, steps, seed=1)
    circuit = step_distribution(model, inputs[0].tolist(), outcomes[0, :-1].tolist())
    fast = model(inputs, outcomes).log_probs[0, -1].exp()
    assert torch.allclose(circuit, fast, rtol=0, atol=1e-8)
    parameters = [p for p in model.parameters() if p.numel()]
    for symbol in range(2**lane):
        expected = torch.autograd.grad(fast[symbol], parameters, retain_graph=True)
        gradients = torch.autograd.grad(circuit[symbol], parameters, retain_graph=True)
        for gradient, fast_gradient in zip(gradients, expected, strict=True):
            assert torch.allclose(gradient, fast_gradient, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("workspace", "lane", "order"), [(1, 1, 1), (2, 1, 1), (1, 1, 2)])
def test_the_circuit_is_accepted_as_often_as_the_fast_path_says(
    workspace: int, lane: int, order: int, make_model: Callable[..., QRNN]
) -> None:
    model = make_model(workspace=workspace, lane=lane, stages=0, order=order, degree=1)
    wires = registers(model.cell)
    model.requires_grad_(False)
    tape = qml.tape.make_qscript(cell_step)(model.cell, 1)

    def circuit() -> qml.measurements.ProbabilityMP:
        flags = []
        for operation in tape.operations:
            if isinstance(operation, qml.ops.MidMeasure):
                # Nothing is postselected here: the share of runs that read 0 is what is measured.
                flags.append(qml.measure(operation.wires[0]))
            else:
                # Queues the operation again, with plain numbers for torch's.
                numbers = [float(parameter) for parameter in operation.data]
                qml.ops.functions.bind_new_parameters(operation, numbers)
        flags += [qml.measure(wire) for wire in wires.lane]
        return qml.probs(op=flags)

    qnode = qml.QNode(circuit, qml.device("default.qubit"), mcm_method="tree-traversal")
    measured = qnode().reshape(-1)[0]
    output = model(torch.tensor([[1]]), torch.tensor([[0]]))
    assert abs(measured - output.log_acceptance.exp().item()) < 1e-10


def test_the_wires_of_a_circuit_do_not_grow_with_the_steps(
    make_model: Callable[..., QRNN],
) -> None:
    model = make_model(workspace=2, lane=1)
    assert registers(model.cell) == (range(1), range(1, 3), range(3, 5))


def test_sequences_that_do_not_fit_are_rejected(make_model: Callable[..., QRNN]) -> None:
    model = make_model(workspace=1, lane=1, degree=1)
    with pytest.raises(ValueError, match="outcomes must hold one symbol for each input but the"):
        step_distribution(model, [0, 1], [0, 1])
    with pytest.raises(ValueError, match="inputs must be symbols from 0 to 1, got 2"):
        step_distribution(model, [0, 2], [0])


def test_unitary_semantics_cannot_be_postselected(make_model: Callable[..., QRNN]) -> None:
    model = make_model(workspace=1, lane=1, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match="semantics must be 'postselected'"):
        step_distribution(model, [0], [])
