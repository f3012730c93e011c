from dataclasses import replace
from typing import Any

import pennylane as qml
import pytest
import torch

from qrnn_circuits.circuits import compile_circuit
from qrnn_circuits.execution.forecast_chart import device_forecast_figure
from qrnn_circuits.execution.forecast_plan import plan_forecast
from qrnn_circuits.execution.forecast_run import run_forecast, window_circuit
from qrnn_circuits.training import RunConfig, TrainedRun
from qrnn_circuits.training.validation import forecasts


def untrained(cell: str, **layer: int | str) -> TrainedRun[Any, Any]:
    options = {"series": "sines", "points": 40, "window": 2}
    settings: dict[str, Any] = {"cell": cell, "hidden_size": 2, "task_options": options} | layer
    config = RunConfig.resolve("forecast", settings)
    return TrainedRun(config, config.build_task(), config.build_model(), step=0)


@pytest.mark.parametrize(
    "cell",
    [
        "qrnn",
        "qrnn,num_layers=2,dropout=0.5",
        "qlstm,qubits=3,linear=True",
        "qgru,qubits=3,linear=True",
        "fast-weights",
        "recurrent-circuit",
    ],
)
def test_without_shots_every_cell_forecasts_on_default_qubit_what_it_does_exactly(
    cell: str,
) -> None:
    run = untrained(cell)
    plan = plan_forecast(run, windows=3)
    assert (plan.rows[0], plan.rows[-1]) == (0, len(run.task.test()) - 1)
    report = run_forecast(plan, run, qml.device("default.qubit"))
    scaled = forecasts(run.model, run.task.test())[list(plan.rows)]
    expected = run.task.unscaled(scaled)
    truth = run.task.unscaled(run.task.test().targets[list(plan.rows)])
    torch.testing.assert_close(report.forecasts[0], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(report.forecasts[2], truth, atol=1e-12, rtol=0)


def test_with_shots_forecasts_are_off_by_what_the_readout_makes_of_shot_noise() -> None:
    run = untrained("qrnn")
    shots = 1000
    report = run_forecast(
        plan_forecast(run, windows=5, shots=shots), run, qml.device("qrnn.torch", seed=1)
    )
    # An expectation of Z has a standard error of at most 1 / sqrt(shots).
    most = run.model.head.weight.abs().sum() / shots**0.5
    scale = run.task.unscaled(torch.tensor([1.0])) - run.task.unscaled(torch.tensor([0.0]))
    off = (report.forecasts[0] - report.forecasts[1]).abs() / scale
    assert 0 < off.max() < 5 * most


def test_forecasts_that_noise_hides_are_said_to_be_worthless() -> None:
    run = untrained("qrnn")
    test = run.task.test()
    report = run_forecast(plan_forecast(run, windows=5), run, qml.device("default.qubit"))
    mean = (test.targets - test.targets.mean(0)).square().mean()
    assert report.mean_error == pytest.approx(mean.item())
    hidden = replace(report, scaled_errors=torch.stack([2 * mean.expand(5), 0 * mean.expand(5)]))
    assert hidden.remark is not None
    assert "noise or too few shots" in hidden.remark
    unlearnt = replace(report, scaled_errors=2 * mean.expand(2, 5))
    assert unlearnt.remark is not None
    assert "has not learnt" in unlearnt.remark
    assert replace(report, scaled_errors=0.5 * mean.expand(2, 5)).remark is None


def test_a_realisation_is_for_cells_of_neurons() -> None:
    with pytest.raises(ValueError, match="realisation must be left out for the cell 'qlstm'"):
        plan_forecast(untrained("qlstm"), realisation="multiplexed")


def test_the_circuit_of_a_window_reads_what_the_layer_returns_of_it() -> None:
    run = untrained("qrnn")
    network, inputs, outcomes = window_circuit(run, 3)
    circuit = compile_circuit(network.double(), inputs.double(), outcomes)
    lane = torch.as_tensor(circuit.qnode("default.qubit")()[-1]).view(2, 2)
    expectations = torch.stack(
        [(lane.sum(1 - wire) * torch.tensor([1, -1])).sum() for wire in (0, 1)]
    )
    layer = run.model.layer.double()
    torch.testing.assert_close(
        expectations.double(), layer(inputs.double()[None])[0][0, -1], atol=1e-8, rtol=0
    )


def test_the_circuit_of_a_window_is_of_one_cell() -> None:
    with pytest.raises(ValueError, match="one layer in one direction, got 2 cells"):
        window_circuit(untrained("qrnn", num_layers=2))
    with pytest.raises(ValueError, match="needs the cell 'qrnn', but the run has 'qlstm'"):
        window_circuit(untrained("qlstm"))


def test_the_legend_of_a_chart_of_forecasts_hides_no_forecast() -> None:
    run = untrained("qrnn")
    report = run_forecast(plan_forecast(run, windows=2), run, qml.device("default.qubit"))
    figure = device_forecast_figure(report)
    assert [axes.get_legend() for axes in figure.axes] == [None]
    assert len(figure.legends) == 1
    # Between windows that are apart nothing is known.
    assert {line.get_linestyle() for axes in figure.axes for line in axes.lines} == {"None"}
