"""``qrnn run``: a trained network's task on any device."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qrnn_circuits.command_line.devices import device_title, fake_chip, make_device
from qrnn_circuits.command_line.errors import device_errors, run_errors, usage_errors
from qrnn_circuits.command_line.networks import load_network
from qrnn_circuits.command_line.options import (
    BackendOption,
    ChartOption,
    CheckpointChoice,
    CheckpointOption,
    EncodingChoice,
    EncodingOption,
    JsonOption,
    MaxUsageOption,
    MitigationOption,
    NoiseOption,
    RealisationOption,
    RunArgument,
    SeedOption,
    SequencesOption,
    StepsOption,
    ToleranceOption,
)
from qrnn_circuits.command_line.run_forecast import of_symbols_only, run_forecast_on
from qrnn_circuits.command_line.submission import fetch_job, show_waiting, submit_plan
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.command_line.waiting import clear, doing

if TYPE_CHECKING:
    from qrnn_circuits.execution import Report


def run(
    folder: RunArgument,
    device: Annotated[
        str,
        typer.Option(
            help="Name of a PennyLane device: qrnn.torch, qrnn.aer, qrnn.ibm, default.qubit, or of "
            "any other that is installed."
        ),
    ] = "qrnn.torch",
    shots: Annotated[
        int | None,
        typer.Option(
            help="Of each circuit; by default none: exact distributions, of simulators.",
            show_default=False,
        ),
    ] = None,
    realisation: RealisationOption = None,
    tolerance: ToleranceOption = 0.0,
    encoding: EncodingOption = EncodingChoice.LANE,
    backend: BackendOption = None,
    noise: NoiseOption = None,
    mitigation: MitigationOption = None,
    sequences: SequencesOption = None,
    steps: StepsOption = None,
    max_usage: MaxUsageOption = None,
    seed: SeedOption = None,
    chart: ChartOption = None,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
    as_json: JsonOption = False,
) -> None:
    """Run a trained network's task on a device, and compare it with the exact model.

    Every scored step of the sequences is one circuit, conditioned on the right outcomes of all
    earlier steps; all circuits are one batch. Of a forecast, sequences are windows, and each is
    forecast on the device beside the exact forecast and the truth.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.execution import plan_run
        from qrnn_circuits.execution.figure_files import check_chart_path
        from qrnn_circuits.tasks import Forecast

        if chart is not None:
            check_chart_path(chart)
        loaded = load_network(folder, checkpoint)
    if isinstance(loaded.task, Forecast):
        run_forecast_on(
            loaded,
            device,
            folder=folder,
            shots=shots,
            realisation=realisation,
            sequences=sequences,
            chart=chart,
            as_json=as_json,
            device_options={
                "backend": backend,
                "noise": noise,
                "mitigation": mitigation,
                "seed": seed,
                "max_usage": max_usage,
            },
            meaningless=of_symbols_only(steps, tolerance, encoding),
        )
        return
    with run_errors(), usage_errors():
        doing("compiling the circuits")
        plan = plan_run(
            loaded.of_symbols(),
            realisation=realisation,
            tolerance=tolerance,
            encoding=encoding.value,
            sequences=sequences,
            steps=steps,
            shots=shots,
            mitigation=mitigation,
            chip=fake_chip(noise, backend),
        )
        chosen: Any = make_device(
            device,
            plan.wires,
            backend=backend,
            noise=noise,
            mitigation=mitigation,
            seed=seed,
            max_usage=max_usage,
        )
    with device_errors():
        from qrnn_circuits.execution import make_report
        from qrnn_circuits.execution.run import run_and_report

        if hasattr(chosen, "submit"):
            start = time.perf_counter()
            sent = submit_plan(plan, chosen, folder, err=True)
            show_waiting(sent)
            fetched, kept = fetch_job(chosen, sent.job)
            seconds = time.perf_counter() - start
            result = make_report(plan, fetched, device=sent.device, seconds=seconds, kept=kept)
        else:
            title = device_title(device, backend=backend, noise=noise)
            doing(f"running {len(plan.tapes):,} circuit(s) on {title}")
            result = run_and_report(plan, chosen, title)
    show_report(result, chart, as_json=as_json)


def show_report(result: "Report", chart: Path | None, *, as_json: bool) -> None:
    """Prints a report as a table, or as one JSON object, and draws its chart if there is a path."""
    from qrnn_circuits.execution.findings import find_faults
    from qrnn_circuits.execution.report_table import accuracy_text, report_table

    clear()
    findings = find_faults(result)
    if as_json:
        found = None if findings is None else findings.to_json()
        typer.echo(json.dumps({**result.to_json(), "findings": found}))
    else:
        console = table_console()
        console.print(report_table(result))
        console.print(accuracy_text(result), highlight=False, soft_wrap=True)
        for text in () if findings is None else findings.texts:
            console.print(text, style="bold yellow", highlight=False, markup=False)
        if result.seconds is not None:
            console.print(f"wall time {result.seconds:.2f} s", highlight=False)
    if chart is not None:
        from qrnn_circuits.execution.figure_files import write_figure
        from qrnn_circuits.execution.report_chart import draw_report

        doing("drawing")
        with usage_errors():
            write_figure(draw_report(result), chart)
