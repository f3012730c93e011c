import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
import torch
from qiskit import transpile
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import Target
from rich.console import Console

from qrnn_circuits import QRNN, UNREAD
from qrnn_circuits.circuits.inspection import Inspection, inspect_circuit, representative
from qrnn_circuits.circuits.qiskit.resources import resources
from qrnn_circuits.circuits.qiskit.target import UnsupportedTargetError
from qrnn_circuits.circuits.realisations import (
    Amplified,
    Multiplexed,
    Postselect,
    RepeatUntilSuccess,
)
from qrnn_circuits.circuits.sequence import compile_circuit
from qrnn_circuits.command_line.inspection_table import inspection_tables

MakeModel = Callable[..., QRNN]
ALL_TO_ALL = ["cx", "rz", "sx", "x"]
STAGES = ["write input", "input stage", "work stage 1", "remove input", "output stage", "read lane"]
EVERY = [Postselect(), RepeatUntilSuccess(), Amplified(3), Multiplexed()]


@pytest.fixture
def unitary(make_model: MakeModel) -> QRNN:
    return make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")


def test_the_multiplexed_cell_of_two_workspace_wires_takes_20_cnots(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2, order=2, degree=2, semantics="unitary")
    inspection = inspect_circuit(model, realisations=["multiplexed"], target=ALL_TO_ALL)
    (entry,) = inspection.realisations
    assert entry.resources.two_qubit_gates == 20
    assert entry.transpiled is not None
    assert entry.transpiled.two_qubit_gates <= 20
    assert entry.estimate is None


def test_stages_add_up_to_the_whole_circuit(unitary: QRNN) -> None:
    inspection = inspect_circuit(unitary, [1, 0], realisations=EVERY)
    assert [entry.realisation for entry in inspection.realisations] == EVERY
    for entry in inspection.realisations:
        for name in ("one_qubit_gates", "two_qubit_gates", "measurements", "resets"):
            total = sum(getattr(stage.resources, name) for stage in entry.stages)
            assert total == getattr(entry.resources, name)
        assert [stage.stage for stage in entry.stages] == STAGES


def test_a_stage_counts_all_steps_but_the_qubits_of_one(unitary: QRNN) -> None:
    (one,), (two,) = (
        inspect_circuit(unitary, inputs, realisations=["multiplexed"]).realisations
        for inputs in ([1], [1, 1])
    )
    for single, double in zip(one.stages, two.stages, strict=True):
        once, twice = single.resources, double.resources
        assert twice.qubits == once.qubits
        if single.stage != "read lane":  # Between steps the lane is reset as well.
            assert replace(twice, qubits=0) == replace(
                once, **{name: 2 * value for name, value in vars(once).items()} | {"qubits": 0}
            )


@pytest.mark.parametrize(("seed", "level"), [(0, 3), (1, 3), (0, 1)])
def test_a_transpiled_circuit_is_qiskits_of_the_seed_and_level_without_barriers(
    make_model: MakeModel, seed: int, level: int
) -> None:
    model = make_model(lane=1, workspace=2, order=1, degree=1)
    backend = GenericBackendV2(7, coupling_map=[[i, i + 1] for i in range(6)], seed=1)
    inspection = inspect_circuit(
        model, [1, 0], [1, None], target=backend, optimization_level=level, seed=seed
    )
    circuit = compile_circuit(model, [1, 0], [1, None]).to_qiskit()
    expected = transpile(circuit, backend, optimization_level=level, seed_transpiler=seed)
    assert inspection.realisations[0].transpiled == resources(expected)


def test_by_default_every_realisation_of_the_models_semantics_is_inspected(
    make_model: MakeModel, unitary: QRNN
) -> None:
    postselected = make_model(lane=1, workspace=1, order=1, degree=1)
    names = [
        [entry.realisation.name for entry in inspect_circuit(model).realisations]
        for model in (postselected, unitary)
    ]
    # Examples elsewhere may have registered more.
    assert names[0] == ["postselect"]
    assert names[1][:3] == ["multiplexed", "repeat_until_success", "amplified"]


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_the_picture_of_an_inspection_is_of_the_circuit_that_runs_by_default(
    semantics: str, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics=semantics)
    drawn = representative(model, inspect_circuit(model))
    assert drawn.realisation == compile_circuit(model, [0], [None]).realisation


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_of_order_0_one_circuit_stands_for_all_realisations(
    semantics: str, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=2, order=0, degree=2, semantics=semantics)
    kept = model(torch.tensor([[1, 0]]), torch.tensor([[1, 0]])).log_acceptance.exp().item()
    for realisations in (None, EVERY):
        inspection = inspect_circuit(model, [1, 0], [1, 0], realisations=realisations)
        (entry,) = inspection.realisations
        assert entry.realisation.name == "multiplexed"
        assert entry.acceptance == pytest.approx(kept)
        assert entry.error is None
        assert (entry.resources.qubits, entry.resources.measurements) == (3, 2)
    words = " ".join(rendered(inspection).split())
    assert "neurons of order 0 are the same in every realisation" in words
    (free,) = inspect_circuit(model, [1, 0]).realisations
    assert free.acceptance == 1


def test_stages_are_in_the_order_of_a_step_where_the_first_step_lacks_some(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, workspace=2, order=0, stages=1)
    (entry,) = inspect_circuit(model, [0, 1], [UNREAD]).realisations
    assert [stage.stage for stage in entry.stages] == STAGES


def test_a_chip_gives_counts_by_stage_and_an_estimate(unitary: QRNN) -> None:
    inspection = inspect_circuit(unitary, realisations=["multiplexed"], target="fake_fez")
    (entry,) = inspection.realisations
    assert inspection.target == "fake_fez"
    assert entry.transpiled is not None
    assert entry.estimate is not None
    assert entry.transpiled.qubits == 2
    # A measurement takes 1.56 us on this chip, and the gates a fraction of that.
    assert 1.5e-6 < entry.estimate.duration < 5e-6
    assert 0.8 < entry.estimate.fidelity < 1
    assert all(stage.transpiled is not None for stage in entry.stages)


def test_acceptance_and_error_are_predicted_where_they_are_defined(
    make_model: MakeModel, unitary: QRNN
) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1)
    (entry,) = inspect_circuit(model, [1, 0], [1, 0]).realisations
    log_acceptance = model(torch.tensor([[1, 0]]), torch.tensor([[1, 0]])).log_acceptance
    assert entry.acceptance == pytest.approx(log_acceptance.exp().item(), rel=1e-9)
    assert inspect_circuit(model, [1, 0]).realisations[0].acceptance is None
    every = ["postselect", "repeat_until_success", "amplified,length=5", "multiplexed"]
    entries = inspect_circuit(unitary, realisations=every).realisations
    assert [entry.acceptance for entry in entries] == [None, None, 1.0, 1.0]
    errors = [entry.error for entry in entries]
    assert errors == [None, None, pytest.approx(Amplified(5).error(1)), None]
    # Each order adds the error of its polynomial.
    twice = make_model(lane=1, workspace=1, order=2, degree=1, semantics="unitary")
    (entry,) = inspect_circuit(twice, realisations=["amplified,length=3"]).realisations
    assert entry.error == 2 * (Amplified(3).error(1) or 0)
    # Conditioning on an outcome also keeps a share only.
    (entry,) = inspect_circuit(unitary, [1], [1], realisations=["multiplexed"]).realisations
    log_acceptance = unitary(torch.tensor([[1]]), torch.tensor([[1]])).log_acceptance
    assert entry.acceptance == pytest.approx(log_acceptance.exp().item(), rel=1e-9)


def rendered(inspection: Inspection, width: int = 120) -> str:
    console = Console(file=StringIO(), width=width)
    for table in inspection_tables(inspection):
        console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_tables_and_json_hold_the_same_counts(unitary: QRNN) -> None:
    inspection = inspect_circuit(unitary, realisations=EVERY, target=ALL_TO_ALL)
    figures = json.loads(json.dumps(inspection.to_json()))
    text = rendered(inspection)
    for entry in figures["realisations"]:
        before = entry["resources"]["two_qubit_gates"]
        after = entry["transpiled"]["two_qubit_gates"]
        assert f"{before:,} -> {after:,}" in text
        assert f"{entry['realisation']}, by stage" in text
    assert "postselect *" in text
    assert "costs only, not its function" in text
    assert "what is conditioned counts as run" in text
    assert figures["cell"]["semantics"] == "unitary"


def test_tables_of_ten_thousand_gates_break_no_name_and_no_count_at_80_columns(
    unitary: QRNN,
) -> None:
    inspection = inspect_circuit(unitary, target=ALL_TO_ALL)
    many = replace(inspection.realisations[0].resources, depth=16_024, two_qubit_gates=12_345)
    stages = tuple(
        replace(stage, resources=many, transpiled=many)
        for stage in inspection.realisations[0].stages
    )
    entries = tuple(
        replace(entry, resources=many, transpiled=many, stages=stages)
        for entry in inspection.realisations[:2]
    )
    text = rendered(replace(inspection, realisations=entries), 80)
    assert text.count("12,345 -> 12,345") == 2 + 2 * len(stages)
    assert text.count("16,024 -> 16,024") == 2 + 2 * len(stages)
    assert "repeat_until_success" in text.splitlines()[1]


def test_tables_show_duration_and_fidelity_of_a_chip(unitary: QRNN) -> None:
    inspection = inspect_circuit(
        unitary, realisations=["multiplexed"], target=GenericBackendV2(2, seed=1)
    )
    (entry,) = inspection.realisations
    assert entry.estimate is not None
    text = rendered(inspection)
    assert f"{1e6 * entry.estimate.duration:.1f} us" in text
    assert f"{entry.estimate.fidelity:.3g}" in text


def test_a_target_without_control_flow_is_told_what_runs_there(
    make_model: MakeModel, unitary: QRNN
) -> None:
    rigid = GenericBackendV2(4, control_flow=False, seed=1)
    with pytest.raises(
        UnsupportedTargetError,
        match=r"has no if_else, which the realisation 'repeat_until_success' of 1 step.* needs; "
        r"realisations that run there: multiplexed, amplified",
    ):
        inspect_circuit(unitary, realisations=["repeat_until_success"], target=rigid)
    assert inspect_circuit(unitary, realisations=["multiplexed"], target=rigid).target is not None
    # Without reset as well, what is left is one step without ancillas to be cleared.
    bare = Target(num_qubits=4)
    for name in ("cx", "rz", "sx", "x", "measure"):
        bare.add_instruction(rigid.target.operation_from_name(name), name=name)
    with pytest.raises(UnsupportedTargetError, match=r"has no reset.*that run there: multiplexed"):
        inspect_circuit(unitary, realisations=["amplified"], target=bare)
    with pytest.raises(UnsupportedTargetError, match="no realisation of these semantics runs"):
        inspect_circuit(unitary, [0, 0], realisations=["amplified"], target=bare)


def test_too_many_gates_are_counted_but_transpiled_only_where_no_circuit_has_fewer(
    unitary: QRNN,
) -> None:
    every = inspect_circuit(unitary, target=ALL_TO_ALL).realisations
    gates = {entry.realisation.name: entry.resources.two_qubit_gates for entry in every}
    fewest = min(gates, key=lambda name: gates[name])
    between = sorted(gates.values())[1]
    for most, transpiled in (
        (0, {fewest}),
        (between, {name for name, count in gates.items() if count <= between}),
        (None, {*gates}),
    ):
        found = inspect_circuit(unitary, target=ALL_TO_ALL, most_gates=most).realisations
        assert {
            entry.realisation.name for entry in found if entry.transpiled is not None
        } == transpiled
        for entry, alone in zip(found, every, strict=True):
            assert entry.resources == alone.resources
            assert entry.transpiled in (None, alone.transpiled)
            assert all(
                (stage.transpiled is None) == (entry.transpiled is None) for stage in entry.stages
            )


def test_of_many_gates_the_smallest_circuit_that_computes_the_model_is_transpiled(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, workspace=2, degree=1, semantics="postselected")
    inspection = inspect_circuit(model, realisations=EVERY, target=ALL_TO_ALL, most_gates=0)
    entries = {entry.realisation.name: entry for entry in inspection.realisations}
    gates = {name: entry.resources.two_qubit_gates for name, entry in entries.items()}
    assert gates["multiplexed"] < gates["postselect"] < gates["amplified"]
    transpiled = {name for name, entry in entries.items() if entry.transpiled is not None}
    assert transpiled == {"multiplexed", "postselect"}


def test_a_target_of_too_few_qubits_is_told_what_fits_there(unitary: QRNN) -> None:
    narrow = GenericBackendV2(2, seed=1)
    with pytest.raises(
        UnsupportedTargetError,
        match=r"has 2 qubits, the circuit needs 3 with the realisation 'repeat_until_success'; "
        r"realisations that fit there: multiplexed$",
    ):
        inspect_circuit(unitary, target=narrow)
    with pytest.raises(UnsupportedTargetError, match="only a network with a smaller workspace"):
        inspect_circuit(unitary, target=GenericBackendV2(1, basis_gates=["rz", "sx", "x"], seed=1))


def test_the_representative_circuit_is_the_inspected_one(unitary: QRNN) -> None:
    inspection = inspect_circuit(unitary, [1, 0], [1], realisations=["postselect"])
    circuit = representative(unitary, inspection)
    assert circuit.realisation == Postselect()
    assert (circuit.inputs, circuit.outcomes) == ((1, 0), (1, None))
    assert replace(circuit, model=unitary).model is unitary
    assert unitary.cell.semantics == "unitary"


def test_bad_input_is_rejected(unitary: QRNN) -> None:
    with pytest.raises(ValueError, match=r"realisation must be one of .* got 'best'"):
        inspect_circuit(unitary, realisations=["best"])
    with pytest.raises(ValueError, match="optimization_level must be from 0 to 3, got 4"):
        inspect_circuit(unitary, optimization_level=4)
    with pytest.raises(TypeError, match="optimization_level must be an integer"):
        inspect_circuit(unitary, optimization_level=1.5)  # type: ignore[arg-type]
    one = GenericBackendV2(1, basis_gates=["rz", "sx", "x"], seed=1)
    with pytest.raises(UnsupportedTargetError, match="has 1 qubits, the circuit needs 2"):
        inspect_circuit(unitary, realisations=["multiplexed"], target=one)


def test_a_figure_that_no_realisation_has_takes_no_row(unitary: QRNN) -> None:
    assert "error of a neuron" not in rendered(
        inspect_circuit(unitary, realisations=["multiplexed"])
    )
    assert "error of a neuron" in rendered(inspect_circuit(unitary))


def test_title_and_notes_are_not_wrapped_at_the_width_of_the_table(unitary: QRNN) -> None:
    lines = rendered(inspect_circuit(unitary, realisations=["multiplexed"], encoding="angles"))
    assert "inputs are in the angles of neurons, not on the lane" in lines.splitlines()
