import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch

from qrnn_circuits.circuits.sequence import compile_circuit
from qrnn_circuits.execution.run_report import find_examples, make_run_report, used_settings
from qrnn_circuits.tasks import Forecast, Memorise
from qrnn_circuits.training import RunConfig, TrainedRun, evaluate
from tests.execution.conftest import MakeRun


def test_examples_have_the_distributions_of_their_circuits(unitary_run: TrainedRun) -> None:
    for example in find_examples(unitary_run):
        outcomes = unitary_run.task.test().outcomes[example.sequence, : example.step].tolist()
        circuit = compile_circuit(unitary_run.model, list(example.inputs), outcomes)
        device = qml.device("default.qubit")
        (probabilities,) = qml.execute([circuit.tape], device)
        np.testing.assert_allclose(example.exact, probabilities.detach(), atol=1e-9)


def test_examples_are_spread_over_the_test_set(make_run: MakeRun) -> None:
    examples = find_examples(make_run())
    rows = [example.sequence for example in examples]
    assert rows == sorted(set(rows))
    assert rows[-1] == len(make_run().task.test()) - 1
    assert {example.step for example in examples} == {7}


def test_examples_leave_the_model_in_its_precision(unitary_run: TrainedRun) -> None:
    unitary_run.model.float()
    find_examples(unitary_run)
    assert {parameter.dtype for parameter in unitary_run.model.parameters()} == {torch.float32}


def test_settings_without_effect_are_not_listed(make_run: MakeRun) -> None:
    names = [name for name, _ in used_settings(make_run(Memorise(length=2)))]
    assert names[0] == "task"
    assert "hidden_size" not in names
    assert {"length", "workspace", "steps"} <= set(names)
    assert len(set(names)) == len(names)


def test_lists_of_names_are_told_in_words_and_empty_settings_as_none(
    make_run: MakeRun, tmp_path: Path
) -> None:
    rows = [f"{step % 3},{step % 5}" for step in range(60)]
    (tmp_path / "weather.csv").write_text("\n".join(["rain,wind", *rows]))
    task: Any = Forecast(data=str(tmp_path / "weather.csv"))
    config = RunConfig.resolve(task, {})
    found = dict(used_settings(dataclasses.replace(make_run(Memorise(length=2)), config=config)))
    assert found["inputs"] == found["targets"] == "rain, wind"
    assert {found[name] for name in ("series", "columns", "cell_options")} == {"-"}
    assert found["span"] == "[2.0, 4.0]"


def test_without_qiskit_a_report_says_how_to_get_the_circuit(
    unitary_run: TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("install qrnn-circuits[qiskit]")

    monkeypatch.setattr("qrnn_circuits.execution.run_report.inspect_circuit", missing)
    report = make_run_report(unitary_run, Path("run"), "best", {})
    assert (report.inspection, report.circuit) == (None, None)
    assert report.missing == "install qrnn-circuits[qiskit]"
    assert report.figures == evaluate(unitary_run)
