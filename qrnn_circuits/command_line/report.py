"""``qrnn report``: a run as one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from qrnn_circuits.choices import PRETRAINED
from qrnn_circuits.command_line.devices import device_title, fake_chip, make_device
from qrnn_circuits.command_line.errors import device_errors, run_errors, usage_errors
from qrnn_circuits.command_line.networks import is_pretrained, load_network
from qrnn_circuits.command_line.options import (
    CheckpointChoice,
    DataOption,
    EncodingChoice,
    EncodingOption,
    NoiseOption,
    RunArgument,
    SeedOption,
    StepsOption,
    ToleranceOption,
)
from qrnn_circuits.command_line.plain import echo
from qrnn_circuits.command_line.run_forecast import of_symbols_only, refuse_for_forecasts
from qrnn_circuits.command_line.waiting import clear, doing

# On a device, where it is not said how many.
_SEQUENCES = 3


def report(
    folder: RunArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the page (.html); by default report.html in the folder, or "
            "NAME.html here for a network that comes with the package.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        CheckpointChoice | None,
        typer.Option(
            help="The checkpoint with the smallest sampled validation error, or the latest one. By "
            "default the best one, or the last where there is no best one yet.",
            show_default=False,
        ),
    ] = None,
    data: DataOption = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Run some test sequences on this PennyLane device as well, such as qrnn.aer, and "
            "show its answers beside the exact ones.",
            show_default=False,
        ),
    ] = None,
    noise: NoiseOption = None,
    shots: Annotated[
        int | None,
        typer.Option(min=1, help="Of each circuit; by default none: exact.", show_default=False),
    ] = None,
    sequences: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many test sequences run on the device; by default 3, or all of a smaller "
            "test set.",
            show_default=False,
        ),
    ] = None,
    steps: StepsOption = None,
    tolerance: ToleranceOption = 0.0,
    encoding: EncodingOption = EncodingChoice.LANE,
    seed: SeedOption = None,
) -> None:
    """Write all about a run into one HTML page, which needs no internet.

    The page has the figures of the test, what to try next, the curves of the training, answers on
    examples or forecasts, the circuit of one step, the gates of every realisation, the settings,
    and with --device the answers of a device.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.atomic_files import write_atomically
        from qrnn_circuits.command_line.run_places import check_page, checkpoint_of
        from qrnn_circuits.execution import plan_run
        from qrnn_circuits.execution.run_report import make_run_report, read_curves
        from qrnn_circuits.execution.run_report_page import report_page
        from qrnn_circuits.tasks import Forecast

        chosen = checkpoint_of(folder) if checkpoint is None else checkpoint
        run = load_network(folder, chosen, {} if data is None else {"data": data})
        file = _file(folder) if out is None else out
        check_page(file)
        run.task.test()  # reads the data, which may be missing
        curves = {} if is_pretrained(folder) else read_curves(folder)
        if device is None:
            of_a_device = {
                "noise": noise,
                "shots": shots,
                "sequences": sequences,
                "steps": steps,
                "seed": seed,
            }
            for name, value in of_a_device.items():
                if value is not None:
                    raise ValueError(
                        f"{name} is for a device, got {value}: name one, as --device qrnn.aer"
                    )
        if isinstance(run.task, Forecast):
            refuse_for_forecasts(of_symbols_only(None, tolerance, encoding))
        plan = None
        if device is not None:
            some = min(_SEQUENCES, len(run.task.test()))
            doing("compiling the circuits")
            plan = plan_run(
                run.of_symbols(),
                sequences=some if sequences is None else sequences,
                steps=steps,
                shots=shots,
                tolerance=tolerance,
                encoding=encoding.value,
                chip=fake_chip(noise),
            )
            chosen_device = make_device(device, plan.wires, noise=noise, seed=seed)
            if hasattr(chosen_device, "submit"):
                raise ValueError(f"device {device!r} keeps jobs: send it one with qrnn submit")
    measured = None
    if plan is not None:
        title = device_title(str(device), noise=noise)
        doing(f"running {len(plan.tapes):,} circuit(s) on {title}")
        with device_errors():
            from qrnn_circuits.execution.run import run_and_report

            measured = run_and_report(plan, chosen_device, title)
    with run_errors():
        found = make_run_report(
            run,
            folder,
            chosen.value,
            curves,
            tolerance=tolerance,
            encoding=encoding.value,
            device=measured,
            progress=doing,
        )
    doing("drawing")
    page = report_page(found)
    with usage_errors():
        write_atomically(file, page.encode())
    clear()
    echo(f"The report is in {file}.")


def _file(folder: Path) -> Path:
    if is_pretrained(folder):
        return Path(f"{str(folder).removeprefix(PRETRAINED)}.html")
    return folder / "report.html"
