import json
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch

from qrnn_circuits.circuits import UnsupportedTargetError
from qrnn_circuits.circuits.neuron import without_neurons
from qrnn_circuits.circuits.tapes import read_row
from qrnn_circuits.execution.forecast_plan import ForecastPlan, plan_forecast, with_tapes
from qrnn_circuits.execution.forecast_report import make_forecast_report
from tests.execution.test_forecast_run import untrained


@pytest.mark.parametrize("layer", [{}, {"order": 1}, {"cell": "qrnn,readout=populations"}])
def test_what_default_qubit_reads_of_a_windows_circuit_gives_the_exact_forecast(
    layer: dict[str, Any],
) -> None:
    run = untrained(**{"cell": "qrnn", **layer})
    plan = with_tapes(plan_forecast(run, windows=3), run)
    tapes = [tape.copy(operations=list(without_neurons(tape.operations))) for tape in plan.tapes]
    results = qml.execute(tapes, qml.device("default.qubit"), diff_method=None)
    report = make_forecast_report(
        plan, torch.stack([read_row(result) for result in results]), device="default.qubit"
    )
    torch.testing.assert_close(report.forecasts[0], report.forecasts[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(
        report.forecasts[2],
        run.task.unscaled(run.task.test().targets[list(plan.rows)]),
        atol=1e-12,
        rtol=0,
    )


def test_a_plan_reports_the_same_after_it_was_written_as_json() -> None:
    run = untrained("qrnn")
    plan = plan_forecast(run, windows=4, shots=100)
    again = ForecastPlan.from_json(json.loads(json.dumps(plan.to_json())))
    outputs = torch.linspace(-1, 1, 8).view(4, 2)
    reports = [make_forecast_report(each, outputs, device="chip") for each in (plan, again)]
    assert reports[0].to_json() == reports[1].to_json()


@pytest.mark.parametrize(
    "damage",
    [
        {"truth": [[0.0]]},
        {"exact": "text"},
        {"head": [[float("nan"), 0.0, 0.0]]},
        {"low": [10**400]},
        {"span": None},
        {"rows": [-1, 3, 5]},
        {"rows": 3},
        {"targets": [7]},
        {"shots": 0},
        {"mean_error": "0.1"},
        {"mitigation": 3},
        {"cell": "\x1b[2J"},
        {"more": 1},
    ],
)
def test_what_is_no_plan_is_refused(damage: dict[str, Any]) -> None:
    data = plan_forecast(untrained("qrnn"), windows=3, shots=100).to_json()
    assert ForecastPlan.from_json(data).rows == (0, 4, 7)
    with pytest.raises(ValueError, match=r"no plan of a forecast|must be"):
        ForecastPlan.from_json(data | damage)


def test_nothing_is_planned_of_which_no_shot_would_be_left() -> None:
    run = untrained("qrnn", order=1, stages=0, semantics="postselected")
    with pytest.raises(ValueError, match=r"so that none of 1 would be left: [0-9,]+ shots"):
        plan_forecast(run, windows=3, shots=1)


def test_circuits_wider_than_the_chip_are_refused_before_any_is_built() -> None:
    run = untrained(cell="qrnn", hidden_size=5)
    message = "has 5 qubits, the circuit needs .*only a network with a smaller workspace"
    with pytest.raises(UnsupportedTargetError, match=message):
        plan_forecast(run, chip="fake_manila")


def test_circuits_that_read_what_others_give_are_not_known_beforehand() -> None:
    run = untrained("qrnn", num_layers=2)
    with pytest.raises(ValueError, match="one layer in one direction, got 2 cells"):
        with_tapes(plan_forecast(run, windows=3, shots=10), run)


def test_as_many_numbers_are_read_as_the_linear_layer_takes() -> None:
    plan = plan_forecast(untrained("qrnn"), windows=3)
    with pytest.raises(ValueError, match=r"must give numbers of shape \(3, 2\), got \(3, 4\)"):
        make_forecast_report(plan, torch.zeros(3, 4), device="chip")


def test_a_report_tells_the_errors_of_device_and_exact_network_and_the_fewest_kept_shots() -> None:
    plan = plan_forecast(untrained("qrnn"), windows=4, shots=100)
    outputs = torch.linspace(-1, 1, 8).view(4, 2)
    report = make_forecast_report(plan, outputs, device="chip", kept=[70, None, 40, 90])
    assert report.kept == 40
    device, exact, truth = report.forecasts.numpy()
    pairs = (device, truth), (exact, truth), (device, exact)
    expected = [np.sqrt(np.square(one - other).mean()) for one, other in pairs]
    (errors,) = report.root_mean_squared_errors.values()
    np.testing.assert_allclose(errors, expected)
    named = report.to_json()["root_mean_squared_errors"][plan.targets[0]]
    assert named == dict(zip(("device", "exact", "difference"), errors, strict=True))
