"""``qrnn jobs``: what was submitted, and how far it has come."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from qrnn_circuits.command_line.errors import run_errors
from qrnn_circuits.command_line.options import JsonOption
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.job_store import DamagedRecord, JobRecord, JobStore


def jobs(
    job: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show this one with all that is known.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the recorded jobs, the latest first.

    A damaged one says so, and what is wrong with it.
    Nothing is asked of a service: qrnn results does that.
    """
    with run_errors():
        store = JobStore()
        if job is not None:
            _show(store.get(job), as_json=as_json)
            return
        entries = store.entries()
    console = table_console()
    if as_json:
        typer.echo(json.dumps([entry.to_json() for entry in entries]))
    elif not entries:
        console.print(plain(f"no jobs in {store.path}"), soft_wrap=True)
    else:
        console.print(_table(entries))
        for entry in entries:
            if isinstance(entry, DamagedRecord):
                console.print(
                    plain(f"job {entry.id} is damaged: {entry.reason}", "bold yellow"),
                    soft_wrap=True,
                )


def _show(record: JobRecord, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(record.to_json()))
    else:
        table_console().print(_details(record))


def _table(entries: list[JobRecord | DamagedRecord]) -> Table:
    table = Table(box=None)
    # What is wide for the terminal takes letters from any column but this one, to be copied.
    table.add_column(
        "job", no_wrap=True, min_width=min(60, max(len(entry.id) for entry in entries))
    )
    for column in ("submitted", "backend", "status", "task"):
        table.add_column(column, no_wrap=True)
    table.add_column("shots", justify="right", no_wrap=True)
    for entry in entries:
        if isinstance(entry, DamagedRecord):
            table.add_row(plain(entry.id), "", "", plain("damaged", "bold yellow"))
            continue
        table.add_row(
            plain(entry.id),
            _local_time(entry),
            plain(entry.backend),
            entry.status.value,
            plain(_planned(entry, "task") or ""),
            f"{entry.shots:,}",
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
            table.add_row(name, plain(value))
    return table


def _planned(record: JobRecord, name: str) -> str | None:
    """What the plan says, for a job of qrnn submit."""
    plan = record.context.get("plan")
    value = plan.get(name) if isinstance(plan, dict) else None
    return value if isinstance(value, str) else None


def _local_time(record: JobRecord) -> str:
    return f"{datetime.fromisoformat(record.created).astimezone():%Y-%m-%d %H:%M}"
