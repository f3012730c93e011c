from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pennylane as qml
import pytest
import torch
from torch.nn.utils import prune

from qrnn_circuits import ZeroProbabilityError
from qrnn_circuits.circuits import NeuronOperation, UnsupportedTargetError, compile_circuit
from qrnn_circuits.execution import plan_run, run_plan
from qrnn_circuits.tasks import Digits, Dna, Memorise, Task, Xor
from qrnn_circuits.training import TrainedRun
from tests.branches import branches

MakeRun = Callable[..., TrainedRun]


def test_every_scored_step_of_the_sequences_is_a_circuit(make_run: MakeRun) -> None:
    run = make_run(Xor(length=8))
    test = run.task.test()
    plan = plan_run(run, sequences=3)
    last = len(test) - 1
    rows = [0, round(last / 2), last]
    assert [(circuit.sequence, circuit.step) for circuit in plan.circuits] == [
        (row, step) for row in rows for step in (1, 4, 7)
    ]
    assert all(
        circuit.right == test.outcomes[circuit.sequence, circuit.step] for circuit in plan.circuits
    )
    assert (plan.task, plan.training_step, plan.wires, plan.shots) == ("xor", 7, 4, None)
    assert len(plan.tapes) == len(plan.circuits)


def test_steps_shortens_the_sequences(make_run: MakeRun) -> None:
    plan = plan_run(make_run(Xor(length=8)), sequences=2, steps=5)
    assert [circuit.step for circuit in plan.circuits] == [1, 4, 1, 4]


def test_digits_are_of_several_classes_and_asked_for_the_label(make_run: MakeRun) -> None:
    plan = plan_run(make_run(Digits(), semantics="unitary"), sequences=2)
    assert [(circuit.step, circuit.right) for circuit in plan.circuits] == [(63, 0), (63, 1)]


def test_a_pruned_network_has_the_plan_of_one_with_its_parameters(make_run: MakeRun) -> None:
    run = make_run(Xor(length=8))
    prune.l1_unstructured(run.model.cell, "coefficients", amount=0.5)
    pruned = plan_run(run, sequences=2)
    prune.remove(run.model.cell, "coefficients")
    plain = plan_run(run, sequences=2)
    for ours, own in zip(pruned.circuits, plain.circuits, strict=True):
        assert ours.exact == pytest.approx(own.exact, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exact_distributions_are_those_of_the_network_in_float64(
    make_run: MakeRun, dtype: torch.dtype
) -> None:
    run = make_run(Xor(length=8), dtype=dtype)
    plan = plan_run(run, sequences=4)
    test = run.task.test()
    with torch.no_grad():
        expected = run.model.double()(test.inputs, test.outcomes).log_probs.exp()
    for circuit in plan.circuits:
        torch.testing.assert_close(
            torch.tensor(circuit.exact, dtype=torch.float64),
            expected[circuit.sequence, circuit.step],
        )
    assert run.model.cell.coefficients.dtype == torch.float64  # by this test, not by the plan


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_predicted_shares_are_those_of_the_circuits(make_run: MakeRun, semantics: str) -> None:
    plan = plan_run(make_run(Xor(length=2), semantics=semantics), sequences=2)
    for circuit, tape in zip(plan.circuits, plan.tapes, strict=True):
        operations = [
            part
            for operation in tape.operations
            for part in (
                operation.decomposition() if isinstance(operation, NeuronOperation) else [operation]
            )
        ]
        initial = np.eye(2**plan.wires)[:, :1]
        (branch,) = branches(operations, range(plan.wires), initial)
        share = float((np.abs(branch.operator) ** 2).sum())
        assert circuit.predicted_share == pytest.approx(share)
        assert share < 0.9


def test_the_share_of_repeat_until_success_is_not_predicted(unitary_run: TrainedRun) -> None:
    plan = plan_run(unitary_run, realisation="repeat_until_success,attempts=2", shots=1)
    assert [circuit.predicted_share for circuit in plan.circuits] == [None, None]


def test_dropping_moves_a_distribution_by_at_most_the_bound_of_all_steps_over_the_kept_share(
    make_run: MakeRun,
) -> None:
    run = make_run(Xor(length=2), semantics="unitary", seed=1)
    plan = plan_run(run, sequences=2, tolerance=0.05)
    results = run_plan(plan, qml.device("default.qubit"))
    test = run.task.test()
    for circuit, result in zip(plan.circuits, results, strict=True):
        row = circuit.sequence
        compiled = compile_circuit(
            run.model, test.inputs[row].tolist(), test.outcomes[row, :1].tolist(), tolerance=0.05
        )
        assert circuit.predicted_share is not None
        bound = compiled.distribution_bounds()[1] / circuit.predicted_share
        assert circuit.distribution_bound == pytest.approx(bound)
        assert 1e-4 < np.abs(np.array(result) - circuit.exact).sum() / 2 <= bound < 1


@pytest.mark.parametrize(("tolerance", "bound"), [(0.0, 0.0), (0.5, None)])
def test_where_no_share_is_predicted_dropping_has_no_bound(
    unitary_run: TrainedRun, tolerance: float, bound: float | None
) -> None:
    plan = plan_run(unitary_run, realisation="repeat_until_success", tolerance=tolerance)
    assert [circuit.distribution_bound for circuit in plan.circuits] == [bound] * 2


def test_the_first_scored_step_keeps_every_shot_where_those_before_it_are_unread(
    make_run: MakeRun,
) -> None:
    run = make_run(Xor(length=5, reading="scored"), semantics="unitary", workspace=2)
    plan = plan_run(run, sequences=3)
    firsts = [circuit for circuit in plan.circuits if circuit.step == 1]
    assert [circuit.predicted_share for circuit in firsts] == [pytest.approx(1)] * 3
    for circuit, result in zip(plan.circuits, run_plan(plan, qml.device("qrnn.aer")), strict=True):
        assert np.allclose(result, circuit.exact, atol=1e-10)


def test_an_unconditioned_first_step_keeps_every_shot(unitary_run: TrainedRun) -> None:
    assert plan_run(unitary_run, steps=1).circuits[0].predicted_share == pytest.approx(1)


def test_tapes_return_samples_with_shots_and_distributions_without_or_with_mitigation(
    unitary_run: TrainedRun,
) -> None:
    for tape in plan_run(unitary_run, shots=50).tapes:
        assert tape.measurements == [qml.sample(wires=[0, 1, 2])]
        assert tape.shots.total_shots == 50
    choices: tuple[dict[str, Any], ...] = ({}, {"shots": 50, "mitigation": "m3"})
    for options in choices:
        for tape in plan_run(unitary_run, **options).tapes:
            assert tape.measurements == [qml.probs(wires=[0, 1, 2])]
            assert tape.shots.total_shots == options.get("shots")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequences": 0}, "sequences must be from 1 to 1024, got 0"),
        ({"sequences": 1025}, "sequences must be from 1 to 1024, got 1025"),
        ({"steps": 0}, "steps must be from 1 to 8, got 0"),
        ({"steps": 9}, "steps must be from 1 to 8, got 9"),
        ({"mitigation": "m3"}, "mitigation must be None without shots, got 'm3'"),
        ({"steps": 1}, "steps must be at least 2, got 1: the task scores no earlier"),
        ({"shots": 0}, "shots must be from 1 to 10000000, got 0"),
        ({"shots": 2**31}, "shots must be from 1 to 10000000, got 2147483648"),
        ({"realisation": "best"}, "realisation must be one of .* got 'best'"),
        ({"realisation": "multiplexed"}, r"semantics .*choose from \['postselect'\]"),
        ({"realisation": "repeat_until_success,attempts=0"}, "attempts must be at least 1, got 0"),
        ({"realisation": "amplified,length=4"}, "length must be odd"),
    ],
)
def test_a_wrong_argument_is_refused(
    make_run: MakeRun, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plan_run(make_run(Xor(length=8)), **options)


def test_too_few_shots_are_refused_with_the_share_and_with_shots_that_would_do(
    make_run: MakeRun,
) -> None:
    run = make_run(Memorise(length=2))
    (_, circuit) = plan_run(run).circuits
    share = circuit.predicted_share
    assert share is not None
    few = int(1 / share) - 1
    with pytest.raises(ValueError, match="step 1 of test sequence 0") as caught:
        plan_run(run, shots=few)
    assert f"a share of {share:.3g} of the shots" in str(caught.value)
    assert f"none of {few:,} would be left" in str(caught.value)
    advised = int(str(caught.value).split(": ")[1].split(" shots")[0].replace(",", ""))
    assert advised * share == pytest.approx(100, rel=1e-3)
    assert plan_run(run, shots=advised).shots == advised


@dataclass(frozen=True)
class ReadDna(Dna):
    """A task that says which steps are read."""

    reading: Literal["every", "scored"] = "every"


@pytest.mark.parametrize(
    ("task", "semantics", "options"),
    [
        (Memorise(length=30), "unitary", "--acceptance-weight"),
        (Memorise(length=30), "postselected", "--semantics unitary or --acceptance-weight"),
        (ReadDna(length=30), "unitary", "--reading scored or --acceptance-weight"),
        (
            ReadDna(length=30),
            "postselected",
            "--semantics unitary, --reading scored or --acceptance-weight",
        ),
    ],
)
def test_a_refusal_names_the_settings_that_keep_more_shots(
    make_run: MakeRun, task: Task, semantics: str, options: str
) -> None:
    with pytest.raises(ValueError, match="would be left") as caught:
        plan_run(make_run(task, semantics=semantics), shots=1)
    advice = f". A network trained with {options} keeps more"
    # A network that is read once cannot be asked for fewer steps.
    if isinstance(task, Memorise):
        advice = f". Fewer --steps keep more, and so does a network trained with {options}"
    assert str(caught.value).endswith(
        f"{advice}; without --shots, qrnn.torch gives exact distributions"
    )


@pytest.mark.parametrize("length", [20, 500])
def test_shares_that_no_shots_make_up_for_are_refused(make_run: MakeRun, length: int) -> None:
    with pytest.raises(ValueError, match="none of 1,000 would be left: no number of shots will do"):
        plan_run(make_run(Dna(length=length)), shots=1000)


def test_circuits_wider_than_the_chip_are_refused_before_any_is_built(make_run: MakeRun) -> None:
    run = make_run(Xor(length=3000), workspace=4)
    message = "has 5 qubits, the circuit needs .*only a network with a smaller workspace"
    with pytest.raises(UnsupportedTargetError, match=message):
        plan_run(run, chip="fake_manila")


def test_an_outcome_that_the_network_rules_out_is_an_error(make_run: MakeRun) -> None:
    run = make_run(Xor(length=8))
    for parameter in run.model.parameters():
        parameter.data.zero_()
    with pytest.raises(ZeroProbabilityError, match="probability zero"):
        plan_run(run)
