"""``qrnn jobs``: what was submitted, and how far it has come."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from qrnn_circuits.command_line.errors import run_errors
from qrnn_circuits.command_line.options import JsonOption
from qrnn_circuits.job_store import JobRecord, JobStore


def jobs(
    job: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show this one with all that is known.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the recorded jobs, the latest first.

    Nothing is asked of a service: qrnn results does that.
    """
    with run_errors():
        store = JobStore()
        records = store.records() if job is None else [store.get(job)]
    if as_json:
        entries = [record.to_json() for record in records]
        typer.echo(json.dumps(entries if job is None else entries[0]))
    elif not records:
        typer.echo(f"no jobs in {store.path}")
    else:
        Console().print(_table(records) if job is None else _details(records[0]))


def _table(records: list[JobRecord]) -> Table:
    table = Table(box=None)
    for column in ("job", "submitted", "backend", "status", "task"):
        table.add_column(column, no_wrap=True)
    table.add_column("shots", justify="right", no_wrap=True)
    for record in records:
        table.add_row(
            record.id,
            _local_time(record),
            record.backend,
            record.status.value,
            _planned(record, "task") or "",
            f"{record.shots:,}",
        )
    return table


def _details(record: JobRecord) -> Table:
    table = Table(box=None, show_header=False)
    usage = None if record.usage is None else f"about {record.usage:.1f} s"
    for name, value in {
        "job": record.id,
        "submitted": _local_time(record),
        "device": record.device,
        "backend": record.backend,
        "mode": record.mode,
        "status": record.status.value,
        "error": record.error,
        "service's name": record.service_job,
        "task": _planned(record, "task"),
        "realisation": _planned(record, "realisation"),
        "folder": record.context.get("folder"),
        "circuits": f"{record.circuits:,}",
        "shots": f"{record.shots:,}",
        "usage": usage,
        "seed": record.seed,
        "circuit hash": record.circuit_hash,
    }.items():
        if value is not None:
            table.add_row(name, str(value))
    return table


def _planned(record: JobRecord, name: str) -> str | None:
    """What the plan says, for a job of qrnn submit."""
    value: str | None = record.context.get("plan", {}).get(name)
    return value


def _local_time(record: JobRecord) -> str:
    return f"{datetime.fromisoformat(record.created).astimezone():%Y-%m-%d %H:%M}"
