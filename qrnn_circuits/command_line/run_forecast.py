"""What ``qrnn run``, ``submit`` and ``results`` do with a network that forecasts real values."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from qrnn_circuits.command_line.devices import device_title, fake_chip, make_device
from qrnn_circuits.command_line.errors import device_errors, run_errors, usage_errors
from qrnn_circuits.command_line.options import EncodingChoice
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.submission import fetch_job, show_waiting, submit_plan
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.command_line.waiting import clear, doing

if TYPE_CHECKING:
    from qrnn_circuits.execution.forecast_plan import ForecastPlan
    from qrnn_circuits.execution.forecast_report import ForecastReport
    from qrnn_circuits.training import TrainedRun


def refuse_for_forecasts(meaningless: Mapping[str, object], instead: str = "") -> None:
    """Raises a ``ValueError`` where an option of networks of symbols is given.

    Args:
        meaningless: Such options, each None where it is not given.
        instead: The way out, with what joins it to the message.
    """
    for name, value in meaningless.items():
        if value is not None:
            raise ValueError(
                f"{name} must be left out for a network that forecasts real values from whole "
                f"windows, got {value}{instead}"
            )


def of_symbols_only(
    steps: int | None, tolerance: float, encoding: EncodingChoice
) -> dict[str, object]:
    """Options of circuits that forecasts have no use for, each None where it is not given."""
    return {
        "steps": steps,
        "tolerance": tolerance or None,
        "encoding": encoding.value if encoding is not EncodingChoice.LANE else None,
    }


def run_forecast_on(
    run: "TrainedRun[Any, Any]",
    device: str,
    *,
    folder: Path,
    shots: int | None,
    realisation: str | None,
    sequences: int | None,
    chart: Path | None,
    as_json: bool,
    device_options: dict[str, Any],
    meaningless: Mapping[str, object],
) -> None:
    """Forecasts test windows on a device, and prints how that compares with the exact network.

    A device that keeps jobs gets one job, if all circuits are known beforehand.

    Args:
        run: The network and its task.
        device: Name of a PennyLane device.
        folder: Of the network, or its name.
        shots: Of each circuit, or None.
        realisation: How neurons are built, or None.
        sequences: How many windows, or None.
        chart: Where to draw the forecasts, or None.
        as_json: Whether to print one JSON object.
        device_options: Arguments of the device, or None for each that is not given.
        meaningless: Options of networks of symbols as they were given, or None.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.execution.forecast_plan import has_known_circuits, plan_forecast

        refuse_for_forecasts(meaningless)
        plan = plan_forecast(
            run,
            windows=sequences,
            shots=shots,
            realisation=realisation,
            mitigation=device_options.get("mitigation"),
            chip=fake_chip(device_options.get("noise"), device_options.get("backend")),
        )
        chosen: Any = make_device(device, None, **device_options)
        keeps_jobs = hasattr(chosen, "submit") and has_known_circuits(run)
        if keeps_jobs:
            plan = _compiled(plan, run)
    with device_errors():
        from qrnn_circuits.execution.forecast_run import run_forecast

        if keeps_jobs:
            start = time.perf_counter()
            sent = submit_plan(plan, chosen, folder, err=True)
            show_waiting(sent)
            report = fetch_forecast(plan, chosen, sent.job, title=sent.device, start=start)
        else:
            names = {name: device_options.get(name) for name in ("backend", "noise")}
            title = device_title(device, **names)
            doing(f"forecasting from {len(plan.rows):,} window(s) on {title}")
            report = run_forecast(plan, run, chosen, title=title)
    show_forecast(report, chart, as_json=as_json)


def plan_to_submit(
    run: "TrainedRun[Any, Any]",
    *,
    shots: int,
    realisation: str | None,
    mitigation: str | None,
    chip: str | None,
    sequences: int | None,
    meaningless: Mapping[str, object],
) -> "ForecastPlan":
    """The circuits of test windows for a job.

    Args:
        run: The network and its task.
        shots: Of each circuit.
        realisation: How neurons are built, or None.
        mitigation: By which the device is to correct readout errors, or None.
        chip: Name of the fake backend that is to run them, or None.
        sequences: How many windows, or None.
        meaningless: Options of networks of symbols as they were given, or None.
    """
    from qrnn_circuits.execution.forecast_plan import plan_forecast

    refuse_for_forecasts(meaningless)
    plan = plan_forecast(
        run,
        windows=sequences,
        shots=shots,
        realisation=realisation,
        mitigation=mitigation,
        chip=chip,
    )
    return _compiled(plan, run)


def _compiled(plan: "ForecastPlan", run: "TrainedRun[Any, Any]") -> "ForecastPlan":
    from qrnn_circuits.execution.forecast_plan import with_tapes

    doing("compiling the circuits")
    return with_tapes(plan, run)


def fetch_forecast(
    plan: "ForecastPlan",
    device: Any,  # noqa: ANN401
    job: str,
    *,
    title: str,
    wait: bool = True,
    start: float | None = None,
) -> "ForecastReport":
    """The report on a job of forecasts.

    Args:
        plan: What was submitted.
        device: One that keeps jobs.
        job: Its name.
        title: What the report calls the device.
        wait: Whether to wait until the service has run the job.
        start: When it was begun, on the clock of ``time.perf_counter``, or None.
    """
    import torch

    from qrnn_circuits.circuits.tapes import read_row
    from qrnn_circuits.execution.forecast_report import make_forecast_report

    fetched, kept = fetch_job(device, job, wait=wait)
    return make_forecast_report(
        plan,
        torch.stack([read_row(result) for result in fetched]),
        device=title,
        seconds=None if start is None else time.perf_counter() - start,
        kept=kept,
    )


def show_forecast(report: "ForecastReport", chart: Path | None, *, as_json: bool) -> None:
    """Prints a report as a table, or as one JSON object, and draws its chart if there is a path."""
    from qrnn_circuits.command_line.forecast_table import forecast_table, forecast_texts

    clear()
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        console = table_console()
        console.print(forecast_table(report))
        for text in forecast_texts(report):
            console.print(plain(text), soft_wrap=True)
        if report.remark is not None:
            console.print(f"These forecasts are {report.remark}.", highlight=False, markup=False)
    if chart is not None:
        from qrnn_circuits.execution.figure_files import write_figure
        from qrnn_circuits.execution.forecast_chart import device_forecast_figure

        doing("drawing")
        with usage_errors():
            write_figure(device_forecast_figure(report), chart)
