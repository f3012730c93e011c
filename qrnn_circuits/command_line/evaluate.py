"""``qrnn evaluate``: tests a trained network on the whole test set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.networks import load_network
from qrnn_circuits.command_line.options import (
    CheckpointChoice,
    CheckpointOption,
    DataOption,
    JsonOption,
    RunArgument,
)
from qrnn_circuits.command_line.plain import echo, plain
from qrnn_circuits.command_line.waiting import clear, doing

if TYPE_CHECKING:
    from torch import Tensor

    from qrnn_circuits.training import Evaluation, ForecastEvaluation, TrainedRun


def evaluate(
    folder: RunArgument,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
    data: DataOption = None,
    chart: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Of a forecast: draw it beside the truth (.png, .svg, .pdf).",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the test error of a trained network, with its standard error.

    The sampled error is what one measurement of each answer gives; the test error goes by the most
    probable answer, and below it stands that of guessing the most frequent one. Of a forecast it is
    the mean squared error, and the root of it as a share of the standard deviation, beside that of
    the last value taken for the forecast.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.tasks import Forecast
        from qrnn_circuits.training import evaluate as evaluate_run
        from qrnn_circuits.training import evaluate_forecast
        from qrnn_circuits.training.validation import forecasts

        options = {} if data is None else {"data": data}
        run = load_network(folder, checkpoint, options)
        of_series = isinstance(run.task, Forecast)
        if chart is not None:
            _check_chart(chart, of_series=of_series)
        sequences = len(run.task.test())  # reads the data, which may be missing
    with run_errors():
        doing(f"testing {sequences:,} sequence(s)")
        result: Any
        if of_series:
            found = forecasts(run.model, run.task.test())
            result = evaluate_forecast(run, found)
        else:
            result = evaluate_run(run)
    clear()
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    else:
        source = f"with the {checkpoint.value} checkpoint, of step {run.step}"
        echo(_of_forecast(result, source) if of_series else _of_symbols(result, source))
    if chart is not None:
        with usage_errors():
            _draw(run, found, result, chart)
        echo(f"The forecasts are drawn in {chart}.", err=as_json)


def _check_chart(chart: Path, *, of_series: bool) -> None:
    """Raises where there is nothing to draw, or no such file can be written."""
    from qrnn_circuits.execution.figure_files import check_chart_path

    if not of_series:
        raise ValueError(f"chart is for forecasts, got {chart} for a task of symbols: leave it out")
    check_chart_path(chart)


def _draw(
    run: "TrainedRun[Any, Any]", found: "Tensor", result: "ForecastEvaluation", chart: Path
) -> None:
    from qrnn_circuits.execution.figure_files import write_figure
    from qrnn_circuits.execution.forecast_chart import forecast_figure
    from qrnn_circuits.training.forecast_evaluation import in_own_units

    task = run.task
    what = task.series or plain(Path(task.data).name).plain
    title = (
        f"{what}, {task.horizon} point{'s' * (task.horizon > 1)} ahead, by {run.config.cell}: "
        f"normalised error {result.normalised_error:.3g}"
    )
    write_figure(forecast_figure(in_own_units(run, found), task.target_names, title), chart)


def _of_forecast(result: "ForecastEvaluation", source: str) -> str:
    lines = [
        f"mean squared error  {result.mean_squared_error:.3g} (of scaled values)",
        f"normalised error    {result.normalised_error:.3g} (root mean squared error as a share of "
        "the standard deviation)",
    ]
    if result.persistence is not None:
        lines.append(f"                    {result.persistence:.3g} by the last value")
    for name, error in result.root_mean_squared_errors.items():
        lines.append(f"RMSE                {error:.3g} of {name}, in its own units")
    lines.append(f"on                  {result.windows:,} windows, {source}")
    return "\n".join(lines)


def _of_symbols(result: "Evaluation", source: str) -> str:
    lines = [
        f"test error     {result.test_error:.2%} +- {result.standard_error:.2%} (standard error)",
        f"sampled error  {result.sampled_error:.2%}",
        f"on             {result.count:,} {result.unit.replace('_', ' ')}, {source}",
    ]
    if result.guessing_error is not None:
        guessed = f"               {result.guessing_error:.2%} by guessing the most frequent answer"
        lines.insert(1, guessed)
    return "\n".join(lines)
