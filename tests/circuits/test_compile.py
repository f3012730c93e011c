from collections.abc import Callable

import pytest
import torch

import qrnn_circuits
from qrnn_circuits import QRNN, UNREAD, QRNNCell, QRNNLayer
from qrnn_circuits.circuits.inspection import inspect_circuit
from qrnn_circuits.circuits.sequence import compile_circuit

MakeModel = Callable[..., QRNN]


def test_compile_is_exported_and_follows_the_models_semantics(make_model: MakeModel) -> None:
    assert qrnn_circuits.compile_circuit is compile_circuit
    for semantics, realisation in (("postselected", "postselect"), ("unitary", "multiplexed")):
        model = make_model(lane=1, workspace=1, degree=1, semantics=semantics)
        assert compile_circuit(model, torch.tensor([0])).realisation.name == realisation


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_neurons_of_order_0_are_unitary_and_lose_no_shots_whatever_they_are_called(
    make_model: MakeModel, semantics: str
) -> None:
    model = make_model(lane=1, workspace=2, degree=1, order=0, semantics=semantics)
    circuit = compile_circuit(model, [1, 0], [UNREAD, None])
    assert (model.cell.semantics, circuit.realisation.name) == ("unitary", "multiplexed")
    named = compile_circuit(model, [1, 0], [UNREAD, None], realisation="postselect")
    assert named.realisation.name == "postselect"
    operations = [*circuit.tape.operations, *named.tape.operations]
    assert [each for each in operations if getattr(each, "postselect", None) is not None] == []


def test_outcomes_may_be_left_out_at_the_end_or_be_sampled_in_between(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=2, workspace=1, degree=1)
    for outcomes, expected, steps in (
        (None, (None, None, None), (0, 1, 2)),
        ([3, 1], (3, 1, None), (2,)),
        ([3, None, 1], (3, None, 1), (1,)),
        ([3, 2, 1], (3, 2, 1), ()),
    ):
        circuit = compile_circuit(model, [0, 1, 2], outcomes)
        assert (circuit.outcomes, circuit.steps) == (expected, steps)


def test_bad_input_is_rejected(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match=r"realisation must be one of .*multiplexed.*, got 'best'"):
        compile_circuit(model, [0], realisation="best")
    with pytest.raises(ValueError, match="'postselect' gives neurons of 'postselected' semantics"):
        compile_circuit(model, [0], realisation="postselect")
    with pytest.raises(ValueError, match=r"length must be odd, .* got 4"):
        compile_circuit(model, [0], realisation="amplified,length=4")
    with pytest.raises(ValueError, match="attempts must be at least 1, got 0"):
        compile_circuit(model, [0], realisation="repeat_until_success,attempts=0")
    with pytest.raises(ValueError, match="inputs must hold at least one step"):
        compile_circuit(model, [])
    with pytest.raises(ValueError, match=r"inputs must be symbols from 0 to 1 .*, got 2"):
        compile_circuit(model, [2])
    with pytest.raises(ValueError, match=r"outcomes must be symbols from 0 to 1 .*, got -1"):
        compile_circuit(model, [1], [-1])
    with pytest.raises(ValueError, match=r"for each of the 3 inputs, .* got 1"):
        compile_circuit(model, [0, 1, 0], [1])
    with pytest.raises(ValueError, match=r"steps must be sampled ones.*\(here \[1\]\), got 0"):
        compile_circuit(model, [0, 1], [1], steps=[0])
    wide = make_model(lane=2, workspace=10, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match=r"takes at most 10 controls .* got 11"):
        compile_circuit(wide, [0])


@pytest.mark.parametrize("given", [QRNNCell(lane=1, workspace=2), QRNNLayer(1, 2), "xor"])
def test_what_is_no_network_is_refused_with_the_way_to_run_it(given: object) -> None:
    for reads in (compile_circuit, inspect_circuit):
        with pytest.raises(
            TypeError, match=r"model must be a RecurrentNetwork.*RecurrentNetwork\(cell"
        ):
            reads(given, [0])  # type: ignore[arg-type]


def test_a_network_without_numbers_has_no_circuit() -> None:
    model = QRNN(lane=1, workspace=2, device="meta")
    for reads in (compile_circuit, inspect_circuit):
        with pytest.raises(ValueError, match=r"parameters must have numbers.*load_state_dict"):
            reads(model, [0])
