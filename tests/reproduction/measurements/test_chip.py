import json
from math import sqrt
from pathlib import Path
from typing import Any

import pennylane as qml
import pytest

from qrnn_circuits.circuits import compile_circuit
from qrnn_circuits.circuits.neuron import without_neurons
from qrnn_circuits.execution.verdict import question
from qrnn_circuits.reproduction.measurements import chip
from qrnn_circuits.training import RunConfig, TrainedRun, load_pretrained
from tests.conftest import network_of, task_of


def measured(**settings: Any) -> dict[str, Any]:  # noqa: ANN401
    return chip.measure(settings, 0, Path(), lambda doing: None)


@pytest.fixture(scope="module")
def first_answers() -> dict[str, Any]:
    """The first scored step of some sequences, before which nothing is conditioned."""
    return measured(network="xor-chip", sequences=8, steps=2, shots=200)


def test_gates_on_paper_are_those_of_the_decomposed_tape(first_answers: dict[str, Any]) -> None:
    run = load_pretrained("xor-chip")
    asked = question(run.task, 0, 2)
    circuit = compile_circuit(run.model, asked.inputs, asked.outcomes[:-1])
    tape = qml.tape.QuantumScript(list(without_neurons(circuit.tape.operations)))
    (tape,), _ = qml.transforms.decompose(tape, gate_set={"RY", "RZ", "RX", "X", "CNOT"})
    assert first_answers["two_qubit_gates"] == sum(len(each.wires) == 2 for each in tape.operations)


def test_a_sparse_cell_answers_under_noise_and_keeps_all_shots_where_nothing_is_conditioned(
    first_answers: dict[str, Any],
) -> None:
    assert first_answers["circuits"] == first_answers["sequences"] == 8
    assert first_answers["predicted_share"] == pytest.approx(1)
    assert first_answers["kept_share"] == 1
    assert first_answers["exact_right"] == 1
    assert 0 < first_answers["chip_two_qubit_gates"] < 40
    assert 0.7 < first_answers["single_right"] < first_answers["exact_single_right"]
    json.dumps(first_answers, allow_nan=False)


def test_the_standard_error_of_one_answer_a_sequence_is_binomial(
    first_answers: dict[str, Any],
) -> None:
    right = first_answers["right"]
    assert first_answers["right_error"] == pytest.approx(sqrt(right * (1 - right) / 7))


def test_a_network_that_would_keep_no_shot_is_counted_and_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"workspace": 1, "order": 1, "degree": 1, "task_options": {"length": 12}}
    config = RunConfig.resolve("xor", settings, recipe="paper")
    run = TrainedRun(config, task_of(config), network_of(config), step=0)
    monkeypatch.setattr(chip, "load_pretrained", lambda name: run)
    found = measured(sequences=1, shots=10)
    assert found["predicted_share"] < 0.1
    assert found["chip_two_qubit_gates"] > 0
    not_run = ("right", "right_error", "single_right", "kept_share", "seconds")
    assert [found[name] for name in not_run] == [None] * 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "xor"}, "network must be one of .*xor-chip, got 'xor'"),
        ({"shots": 0}, "shots must be at least 1, got 0"),
        ({"noise": "fake_moon", "sequences": 1, "steps": 2}, "fake_moon"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measured(**settings)
