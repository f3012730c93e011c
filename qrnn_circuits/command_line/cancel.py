"""``qrnn cancel``: takes submitted jobs back."""

from typing import Annotated, Any

import typer

from qrnn_circuits.command_line.devices import make_device
from qrnn_circuits.command_line.errors import show_error
from qrnn_circuits.command_line.waiting import clear, doing
from qrnn_circuits.job_store import JobError, JobStore


def cancel(
    jobs: Annotated[list[str], typer.Argument(metavar="ID...", help="What qrnn submit printed.")],
) -> None:
    """Take submitted jobs back before they have run.

    Each that cannot be, because it has ended or is simulated on this machine, is named with the
    reason, and the others are cancelled even so.
    """
    failed = False
    for job in jobs:
        doing(f"cancelling job {job}")
        try:
            _cancel(job)
        except (JobError, ValueError) as error:
            failed = True
            show_error(error)
        else:
            clear()
            typer.echo(f"job {job} is cancelled")
    if failed:
        raise typer.Exit(1)


def _cancel(job: str) -> None:
    record = JobStore().get(job)
    device: Any = make_device(record.device, wires=1)
    if not hasattr(device, "cancel"):
        raise ValueError(f"device {record.device!r} of job {job} cancels no jobs")
    device.cancel(job)
