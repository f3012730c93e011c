"""A fifth realisation, in a file of its own: nothing else knows of it."""

import json
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pennylane as qml
import pytest
from pennylane.typing import TensorLike
from typer.testing import CliRunner

from qrnn_circuits import QRNN
from qrnn_circuits.circuits import (
    REALISATIONS,
    NeuronOperation,
    Realisation,
    compile_circuit,
    draw_step,
    register_realisation,
)
from qrnn_circuits.circuits.angles import activation_table
from qrnn_circuits.command_line import app
from qrnn_circuits.execution import Plan, make_report, plan_run, run_plan
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.tasks import Memorise
from qrnn_circuits.training import RunConfig, TrainedRun
from tests.circuits.known_warnings import TREE_TRAVERSAL
from tests.dense import DenseCell
from tests.running import TRAIN

MakeModel = Callable[..., QRNN]
DenseOf = Callable[[QRNN], DenseCell]


@dataclass(frozen=True)
class Patterns(Realisation):
    """One rotation for each control pattern, by as many controls."""

    semantics: ClassVar[Semantics] = "unitary"

    backwards: bool = False

    def queue(
        self,
        coefficients: TensorLike,
        controls: Sequence[Hashable],
        target: Hashable,
        ancillas: Sequence[Hashable],
        *,
        order: int,
        degree: int,
        inverse: bool = False,
    ) -> None:
        table = activation_table(coefficients, len(controls), degree, order)
        patterns = range(2 ** len(controls))
        for pattern in reversed(patterns) if self.backwards else patterns:
            bits = [pattern >> place & 1 for place in reversed(range(len(controls)))]
            angle = -table[..., pattern] if inverse else table[..., pattern]
            qml.ctrl(qml.RY(angle, wires=target), controls, control_values=bits)


PATTERNS = f"{__name__}:Patterns"

pytestmark = TREE_TRAVERSAL


@pytest.fixture
def model(make_model: MakeModel) -> QRNN:
    return make_model(lane=1, workspace=2, order=2, degree=2, semantics="unitary")


@pytest.mark.parametrize("device", ["default.qubit", "qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize("realisation", [Patterns(), Patterns(backwards=True), PATTERNS])
def test_devices_run_it_like_the_dense_cell(
    device: str, realisation: Realisation | str, model: QRNN, dense_cell: DenseOf
) -> None:
    circuit = compile_circuit(model, [1, 0], [1], realisation=realisation)
    assert isinstance(circuit.realisation, Patterns)
    distributions, _, _ = dense_cell(model).run([1, 0], [1, 0])
    (found,) = circuit.qnode(device)()
    np.testing.assert_allclose(found.detach(), distributions[1], rtol=0, atol=1e-9)


def test_its_circuit_is_what_devices_run_as_nothing_says_that_it_is_exact(model: QRNN) -> None:
    neurons = [
        operation
        for operation in compile_circuit(model, [1], realisation=Patterns()).tape.operations
        if isinstance(operation, NeuronOperation)
    ]
    assert len(neurons) == 5
    assert not any(neuron.has_matrix for neuron in neurons)
    assert len(neurons[0].decomposition()) == 4


def test_it_goes_through_qiskit_with_its_parameters(model: QRNN, make_model: MakeModel) -> None:
    from qiskit.quantum_info import Operator

    other = make_model(lane=1, workspace=2, order=2, degree=2, semantics="unitary", seed=4)
    symbolic = compile_circuit(model, [1], [0], realisation=Patterns(), symbolic=True)
    bound = symbolic.to_qiskit().assign_parameters(symbolic.parameter_values(other))
    exact = compile_circuit(other, [1], [0]).to_qiskit()
    for circuit in (bound, exact):
        circuit.remove_final_measurements()
    np.testing.assert_allclose(Operator(bound).data, Operator(exact).data, rtol=0, atol=1e-9)


def test_the_command_inspects_it_by_module_and_attribute(tmp_path: Path) -> None:
    options = "--length 6 --workspace 2 --degree 1 --semantics unitary --steps 1 --batch-size 4"
    folder = str(tmp_path / "run")
    trained = CliRunner().invoke(app, [*TRAIN, *options.split(), "--out", folder])
    assert trained.exit_code == 0, trained.stderr
    text = f"{PATTERNS},backwards=True"
    picture = str(tmp_path / "step.svg")
    arguments = ["inspect", folder, "--realisation", text, "--draw", picture, "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    (entry,) = json.loads(result.stdout)["realisations"]
    assert (entry["realisation"], entry["semantics"]) == (text, "unitary")
    assert entry["acceptance"] == 1
    assert entry["error"] is None
    assert entry["resources"]["larger_gates"] == 6 * 8
    table = CliRunner().invoke(app, ["inspect", folder, "--realisation", PATTERNS]).stdout
    assert re.search(r"larger gates +48\b", table)


def test_a_plan_of_it_is_run_written_and_read_back(make_model: MakeModel) -> None:
    task = Memorise(length=2)
    sizes = {"lane": task.lane, "workspace": 1, "order": 1, "degree": 1}
    trained = TrainedRun(
        RunConfig(task=task.name), task, make_model(**sizes, semantics="unitary"), 7
    )
    plan = plan_run(trained, realisation=Patterns(backwards=True))
    results = run_plan(plan, qml.device("qrnn.torch"))
    assert make_report(plan, results, device="qrnn.torch").distance < 1e-9
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again.realisation == Patterns(backwards=True)


def test_it_can_be_given_a_name(model: QRNN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REALISATIONS, "_registered", dict(REALISATIONS._registered))
    register_realisation("patterns", Patterns)
    circuit = compile_circuit(model, [0], realisation="patterns,backwards=True")
    assert circuit.realisation == Patterns(backwards=True)
    assert "patterns" in REALISATIONS.names()
    assert len(draw_step(circuit).axes) > 1


def test_one_that_does_not_say_its_semantics_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"Silent\.semantics must say what queue does"):
        type("Silent", (Realisation,), {"queue": Patterns.queue, "__qualname__": "Silent"})
