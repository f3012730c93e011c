from typing import Any

import pennylane as qml
import pytest
import torch

from qrnn_circuits.execution.forecast_run import plan_forecast, run_forecast
from qrnn_circuits.training import RunConfig, TrainedRun
from qrnn_circuits.training.validation import forecasts


def untrained(cell: str) -> TrainedRun[Any, Any]:
    options = {"series": "sines", "points": 40, "window": 2}
    settings: dict[str, Any] = {"cell": cell, "hidden_size": 2, "task_options": options}
    config = RunConfig.resolve("forecast", settings)
    return TrainedRun(config, config.build_task(), config.build_model(), step=0)


@pytest.mark.parametrize(
    "cell",
    [
        "qrnn",
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
    report = run_forecast(plan, qml.device("default.qubit"))
    scaled = forecasts(run.model, run.task.test())[list(plan.rows)]
    expected = run.task.unscaled(scaled)
    truth = run.task.unscaled(run.task.test().targets[list(plan.rows)])
    torch.testing.assert_close(report.forecasts[0], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(report.forecasts[2], truth, atol=1e-12, rtol=0)


def test_with_shots_forecasts_are_off_by_what_the_read_out_makes_of_shot_noise() -> None:
    run = untrained("qrnn")
    shots = 1000
    report = run_forecast(
        plan_forecast(run, windows=5, shots=shots), qml.device("qrnn.torch", seed=1)
    )
    # An expectation of Z has a standard error of at most 1 / sqrt(shots).
    most = run.model.head.weight.abs().sum() / shots**0.5
    scale = run.task.unscaled(torch.tensor([1.0])) - run.task.unscaled(torch.tensor([0.0]))
    off = (report.forecasts[0] - report.forecasts[1]).abs() / scale
    assert 0 < off.max() < 5 * most


def test_a_realisation_is_for_cells_of_neurons() -> None:
    with pytest.raises(ValueError, match="realisation must be left out for the cell 'qlstm'"):
        plan_forecast(untrained("qlstm"), realisation="multiplexed")
