from collections.abc import Callable
from dataclasses import replace
from math import log, sqrt

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from qiskit.circuit import Measure, Parameter, Reset
from qiskit.circuit.library import CXGate, RZGate, SXGate, XGate
from qiskit.transpiler import InstructionProperties, Target
from scipy.stats import binom, multinomial

from qrnn_circuits import QRNN
from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.circuits import Inspection, compile_circuit, inspect_circuit
from qrnn_circuits.execution.verdict import (
    FEW_SHOTS,
    LEAST_FIDELITY,
    LEAST_SIGNAL,
    MANY_SHOTS,
    Verdict,
    exact_share,
    question,
    shots_for_majority,
    verdicts,
)
from qrnn_circuits.tasks import Digits, Memorise, Task, Xor

MakeModel = Callable[..., QRNN]


@given(
    weights=st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
    share=st.floats(0.2, 1),
    seed=st.integers(0, 100),
)
def test_the_needed_shots_make_the_answer_the_most_frequent_symbol(
    weights: list[float], share: float, seed: int
) -> None:
    exact = np.array(weights) / sum(weights)
    *_, second, first = np.sort(exact)
    if share * (first - second) < LEAST_SIGNAL:
        return
    shots = shots_for_majority(exact.tolist(), share)
    assert shots is not None
    noisy = share * exact + (1 - share) / 4
    counts = np.random.default_rng(seed).multinomial(shots, noisy, size=4_000)
    others = np.delete(counts, exact.argmax(), axis=1).max(axis=1)
    # The normal approximation, and a sample of 4,000 draws.
    assert (counts[:, exact.argmax()] > others).mean() > 0.97


@pytest.mark.parametrize("p", [0.51, 0.55, 0.6, 0.65, 0.7, 0.75, 0.78, 0.8, 0.82, 0.85])
def test_the_needed_shots_of_two_symbols_are_the_fewest_by_the_binomial_distribution(
    p: float,
) -> None:
    def majority(shots: int) -> float:
        return float(binom.sf(shots // 2, shots, p))

    shots = shots_for_majority([p, 1 - p])
    assert shots is not None
    # An even number can be a tie, so that one shot more must not be too few.
    assert min(majority(shots), majority(shots + 1)) >= 0.99 - 1e-4
    fewer = int(0.97 * shots) - 1
    assert shots == 10 or min(majority(fewer), majority(fewer + 1)) < 0.99


@pytest.mark.parametrize("exact", [[0.5, 0.3, 0.1, 0.1], [0.65, 0.25, 0.05, 0.05]])
def test_the_needed_shots_of_more_symbols_leave_each_its_part_of_the_error(
    exact: list[float],
) -> None:
    shots = shots_for_majority(exact)
    assert shots is not None
    p, q, *_ = exact
    # All numbers of shots that read one of the two, and of these that read the first.
    leads = sum(
        float(multinomial.pmf([first, second, shots - first - second], shots, [p, q, 1 - p - q]))
        for first in range(shots + 1)
        for second in range(min(first, shots - first + 1))
    )
    assert 1 - 0.01 / 3 <= leads < 0.999


def test_without_a_most_probable_symbol_no_shots_do() -> None:
    assert shots_for_majority([0.5, 0.5]) is None
    assert shots_for_majority([0.7, 0.3], 0.0) is None


def line_target(error: float) -> Target:
    """Four qubits in a line, whose two-qubit gates alone have errors."""
    target = Target(num_qubits=4)
    line = {(0,), (1,), (2,), (3,)}
    for gate in (RZGate(Parameter("angle")), SXGate(), XGate(), Measure(), Reset()):
        target.add_instruction(
            gate, {qubit: InstructionProperties(duration=1e-7, error=0.0) for qubit in line}
        )
    pairs = {(i, j) for i in range(4) for j in range(4) if abs(i - j) == 1}
    target.add_instruction(
        CXGate(), {pair: InstructionProperties(duration=1e-7, error=error) for pair in pairs}
    )
    return target


def judge(
    model: QRNN, error: float, task: Task, right: int | None = None, steps: int = 2
) -> Verdict:
    inputs, outcomes = [0, 1][:steps], [UNREAD, None][-steps:]
    inspection = inspect_circuit(model, inputs, outcomes, target=line_target(error))
    (verdict,) = (found for found in verdicts(model, inspection, task, right) if found is not None)
    return verdict


@pytest.fixture
def small(make_model: MakeModel) -> QRNN:
    """Of order 0: one circuit, without ancillas, that keeps every shot."""
    return make_model(lane=2, workspace=1, stages=1, order=0, degree=2)


def test_a_verdict_holds_the_numbers_that_it_follows_from(small: QRNN) -> None:
    found = judge(small, 0.01, Xor(length=2))
    inspection = inspect_circuit(small, [0, 1], [UNREAD, None], target=line_target(0.01))
    transpiled = inspection.realisations[0].transpiled
    assert transpiled is not None
    assert found.fidelity == pytest.approx(0.99**transpiled.two_qubit_gates)
    circuit = compile_circuit(small, [0, 1], [UNREAD, None])
    exact = np.array(circuit.qnode("default.qubit")()[0].tolist())
    *_, second, first = np.sort(exact)
    assert found.answer == exact.argmax()
    assert found.margin == pytest.approx(first - second)
    assert found.exact_share == exact_share(found.fidelity) == sqrt(found.fidelity)
    assert found.signal == pytest.approx(sqrt(found.fidelity) * (first - second))
    assert found.acceptance == 1
    assert found.shots == found.kept_shots == shots_for_majority(exact.tolist(), found.exact_share)


def test_few_gate_errors_work_and_many_do_not(small: QRNN) -> None:
    good = judge(small, 1e-3, Xor(length=2))
    assert good.category == "works"
    assert good.text.startswith("works: the network's answer ")
    assert "with 99 % probability (fidelity 0.9" in good.text
    bad = judge(small, 0.4, Xor(length=6))
    assert bad.category == "cannot work"
    assert "which no number of shots averages out" in bad.text
    assert bad.text.endswith(
        ". Fewer steps take fewer gates, and so does a --tolerance that drops small rotations, or "
        "a network trained with --reading scored, a lower --degree, fewer --stages or a shorter "
        "--length."
    )


def test_a_circuit_of_one_step_is_not_told_to_take_fewer(small: QRNN) -> None:
    bad = judge(small, 0.9, Xor(length=2), steps=1)
    assert bad.category == "cannot work"
    assert "ewer steps" not in bad.text
    assert ". What would take fewer gates: a --tolerance that drops small rotations, or" in bad.text


def test_a_fidelity_lower_than_any_measured_is_told_to_be_a_guess(small: QRNN) -> None:
    exponent = 1 / log(judge(small, 1e-3, Xor(length=2)).fidelity, 1 - 1e-3)
    errors = [1 - (factor * LEAST_FIDELITY) ** exponent for factor in (1.1, 0.9)]
    surely, perhaps = (judge(small, error, Xor(length=2)) for error in errors)
    assert (surely.category, perhaps.category) == ("works", "may work")
    assert surely.fidelity > LEAST_FIDELITY > perhaps.fidelity
    assert "a guess (fidelity 0.036, share of kept shots 1)" in perhaps.text
    assert "Fewer steps take fewer gates" in perhaps.text


def with_acceptance(inspection: Inspection, acceptance: float | None) -> Inspection:
    return replace(
        inspection,
        realisations=tuple(
            replace(entry, acceptance=acceptance) for entry in inspection.realisations
        ),
    )


def test_a_small_share_of_kept_shots_needs_many_or_cannot_work(small: QRNN) -> None:
    inspection = inspect_circuit(small, [0, 1], [UNREAD, None], target=line_target(1e-3))
    task = Xor(length=6)
    (full,) = verdicts(small, inspection, task)
    assert full is not None
    assert full.kept_shots is not None
    # Rounded up, each is a number of shots at or just beyond a limit.
    for category, shots in (
        ("works", FEW_SHOTS),
        ("needs many shots", FEW_SHOTS + 1),
        ("needs many shots", MANY_SHOTS),
        ("cannot work", MANY_SHOTS + 1),
    ):
        share = full.kept_shots / (shots - 0.5)
        (found,) = verdicts(small, with_acceptance(inspection, share), task)
        assert found is not None
        assert found.shots == shots
        assert found.category == category
        assert found.text.startswith(f"{category}: ")
        # Rounded up to two digits.
        told = int(found.text.split("about ")[1].split(" ")[0].replace(",", ""))
        assert shots <= told < 1.1 * shots
        assert ("--acceptance-weight" in found.text) == (category != "works")
        assert ("--reading scored" in found.text) == (category != "works")
    (none,) = verdicts(small, with_acceptance(inspection, 0.0), task)
    assert none is not None
    assert none.shots is None
    assert f"more than {MANY_SHOTS:,} shots" in none.text


@pytest.mark.parametrize(("factor", "works"), [(1.02, True), (0.98, False)])
def test_a_signal_is_the_margin_times_the_root_of_the_fidelity(
    small: QRNN, factor: float, works: bool
) -> None:
    inspection = inspect_circuit(small, [0, 1], [UNREAD, None], target=line_target(1e-3))
    (found,) = verdicts(small, inspection, Xor(length=2))
    assert found is not None
    (entry,) = inspection.realisations
    assert entry.estimate is not None
    fidelity = (factor * LEAST_SIGNAL / found.margin) ** 2
    entry = replace(entry, estimate=replace(entry.estimate, fidelity=fidelity))
    (found,) = verdicts(small, replace(inspection, realisations=(entry,)), Xor(length=2))
    assert found is not None
    assert found.signal == pytest.approx(factor * LEAST_SIGNAL)
    assert (found.category != "cannot work") == works
    assert ("a lead of" in found.text) != works


def test_a_share_that_a_circuit_does_not_tell_is_the_networks(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    inspection = inspect_circuit(
        model, [0, 1], [1, None], realisations=["multiplexed"], target=line_target(1e-4)
    )
    told, untold = (
        verdicts(model, each, Memorise(length=2))[0]
        for each in (inspection, with_acceptance(inspection, None))
    )
    assert told is not None
    assert untold is not None
    assert told.acceptance < 0.9
    assert untold.acceptance == pytest.approx(told.acceptance)


def test_postselected_neurons_are_told_of_unitary_ones(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, order=1, degree=1)
    inspection = inspect_circuit(model, [0], target=line_target(1e-4))
    (found,) = verdicts(model, with_acceptance(inspection, 1e-9), Memorise(length=2))
    assert found is not None
    assert found.category == "cannot work"
    assert found.text.endswith("a network trained with --semantics unitary or --acceptance-weight.")


def test_a_network_without_an_answer_is_not_the_chips_fault(small: QRNN) -> None:
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.zero_()
        # The output neurons turn each lane wire by a right angle, to both symbols alike.
        small.cell.get_parameter("readout_coefficients")[..., 0] = torch.pi / 2
    found = judge(small, 1e-4, Xor(length=2))
    assert found.margin == pytest.approx(0, abs=1e-9)
    assert found.category == "cannot work"
    assert "the network itself prefers its answer" in found.text
    assert found.text.endswith("A network that is trained further may be surer.")


def test_a_wrong_answer_of_the_network_is_told(small: QRNN) -> None:
    answer = judge(small, 1e-3, Xor(length=2)).answer
    wrong = judge(small, 1e-3, Xor(length=2), right=(answer + 1) % 4)
    assert f"The network itself is wrong here: the right answer is {(answer + 1) % 4}" in wrong.text
    assert "wrong" not in judge(small, 1e-3, Xor(length=2), right=answer).text


def test_answers_are_called_by_the_names_of_classes(small: QRNN) -> None:
    task = Digits(digits="3,6,8,9")
    answer = judge(small, 1e-3, task).answer
    right = (answer + 1) % 4
    text = judge(small, 1e-3, task, right=right).text
    assert f"the network's answer {'3689'[answer]} is the most frequent one" in text
    assert f"the right answer is {'3689'[right]}" in text


def test_there_is_no_verdict_without_data_or_without_one_last_sampled_step(
    make_model: MakeModel, small: QRNN
) -> None:
    task = Xor(length=2)
    for inputs, outcomes in (([0, 1], None), ([0, 1], [0, 1])):
        inspection = inspect_circuit(small, inputs, outcomes, target=line_target(0.01))
        assert verdicts(small, inspection, task) == (None,)
    assert verdicts(small, inspect_circuit(small, [0]), task) == (None,)
    unitary = make_model(lane=1, workspace=1, order=1, degree=1, semantics="unitary")
    inspection = inspect_circuit(
        unitary, [0], realisations=["postselect", "multiplexed"], target=line_target(0.01)
    )
    foreign, own = verdicts(unitary, inspection, task)
    assert foreign is None
    assert own is not None


def test_a_question_is_the_circuit_of_the_last_scored_step() -> None:
    task = Xor(length=8, reading="scored")
    test = task.test()
    asked = question(task, 5)
    assert asked.inputs == tuple(test.inputs[5].tolist())
    first, second = test.outcomes[5, [1, 4]].tolist()
    assert asked.outcomes == (UNREAD, first, UNREAD, UNREAD, second, UNREAD, UNREAD, None)
    assert asked.right == test.outcomes[5, 7]
    assert len(question(task, 5, steps=6).inputs) == 5
    assert len(question(Digits(), 0).inputs) == 64


@pytest.mark.parametrize(
    ("sequence", "steps", "message"),
    [
        (-1, None, "sequence must be from 0 to 1023, got -1"),
        (1024, None, "sequence must be from 0 to 1023, got 1024"),
        (0, 9, "steps must be from 1 to 8, got 9"),
        (0, 1, "steps must be at least 2, got 1: the task scores no earlier step"),
    ],
)
def test_a_question_that_the_task_does_not_have_is_refused(
    sequence: int, steps: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        question(Xor(length=8), sequence, steps)


def test_the_predicted_share_is_near_that_of_a_noisy_run(make_model: MakeModel) -> None:
    pytest.importorskip("qiskit_aer")
    model = make_model(lane=2, workspace=2, order=0, degree=2, semantics="unitary")
    inputs, outcomes = [0, 3, 2], [UNREAD, UNREAD]
    inspection = inspect_circuit(model, inputs, outcomes, target="fake_fez")
    (entry,) = inspection.realisations
    assert entry.estimate is not None
    # Aer's noise model has no errors of waiting qubits.
    predicted = exact_share(entry.estimate.fidelity / entry.estimate.idle_fidelity)
    circuit = compile_circuit(model, inputs, outcomes)
    exact = np.array(circuit.qnode("default.qubit")()[0].tolist()) - 1 / 4
    device = qml.device("qrnn.aer", noise="fake_fez", seed=1)
    noisy = circuit.qnode(device, shots=4_000)()[0] - 1 / 4
    measured = (noisy @ exact) / (exact @ exact)
    assert 0.5 < predicted < 0.95
    assert measured == pytest.approx(predicted, rel=0.3)
    (found,) = verdicts(model, inspection, Xor(length=3))
    assert found is not None
    assert found.category == "works"
    assert noisy.argmax() == found.answer
