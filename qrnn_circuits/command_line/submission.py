"""Sends a plan to a device that keeps jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from qrnn_circuits.command_line.devices import device_title
from qrnn_circuits.command_line.networks import is_pretrained
from qrnn_circuits.command_line.waiting import clear, doing

if TYPE_CHECKING:
    from qrnn_circuits.execution import Plan
    from qrnn_circuits.execution.forecast_plan import ForecastPlan


@dataclass(frozen=True)
class Submission:
    """A job that a device keeps.

    Attributes:
        job: The device's name of it.
        backend: Name of the chip.
        seconds: Estimated seconds of the chip's time.
        device: What reports call the device.
    """

    job: str
    backend: str
    seconds: float
    device: str


def submit_plan(
    plan: "Plan | ForecastPlan",
    device: Any,  # noqa: ANN401
    folder: Path,
    *,
    err: bool,
) -> Submission:
    """Submits a plan as one job, from which ``qrnn results`` reports without the model.

    The estimated usage is printed before anything is sent.

    Args:
        plan: With its tapes.
        device: One with ``estimate`` and ``submit``.
        folder: Of the trained network, or its name.
        err: Whether to print to the standard error.
    """
    circuits = f"{len(plan.tapes):,} circuit(s)"
    doing(f"transpiling {circuits}", "Nothing was sent.")
    usage = device.estimate(plan.tapes)
    clear()
    typer.echo(f"usage    {usage}", err=err)
    title = device_title(device.name, backend=usage.backend)
    where = str(folder if is_pretrained(folder) else folder.absolute())
    context = {"plan": plan.to_json(), "device": title, "folder": where}
    doing(f"sending {circuits} to {usage.backend}", "If the job is on record, qrnn jobs lists it.")
    job = device.submit(plan.tapes, context=context)
    doing("finishing", advice_on(job))
    return Submission(job, usage.backend, usage.seconds, title)


def show_waiting(sent: Submission) -> None:
    """Says that a job is waited for, and how its report can be had later as well."""
    clear()
    typer.echo(f"waiting  (qrnn results {sent.job} does so later as well)", err=True)
    doing(f"waiting for job {sent.job} on {sent.backend}", advice_on(sent.job))


def fetch_job(
    device: Any,  # noqa: ANN401
    job: str,
    *,
    wait: bool = True,
) -> tuple[Sequence[Any], Sequence[int] | None]:
    """The results of a job, and how many shots postselection left each circuit, if that is known.

    Args:
        device: One with ``fetch``.
        job: The device's name of it.
        wait: Whether to wait until the service has run the job.
    """
    import pennylane as qml

    with qml.Tracker(device) as tracker:
        fetched: Sequence[Any] = device.fetch(job, wait=wait)
    return fetched, tracker.history.get("kept_shots")


def advice_on(job: str) -> str:
    """What a user is to know who no longer waits for a job."""
    return f"The job is on record, get it with: qrnn results {job}"
