"""``qrnn inspect``: what a trained network takes as a circuit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.options import (
    CheckpointChoice,
    CheckpointOption,
    RunArgument,
    ToleranceOption,
)
from qrnn_circuits.command_line.waiting import clear, doing
from qrnn_circuits.training import load_run


def inspect(
    folder: RunArgument,
    realisation: Annotated[
        list[str] | None,
        typer.Option(
            help="How neurons are built, as for qrnn run, or all; may be given several times. By "
            "default every way that has the network's semantics."
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="Transpile to this chip: a fake backend of qiskit-ibm-runtime such as fake_fez, "
            "or gate names separated by commas, such as cx,rz,sx,x, for qubits that are all "
            "connected."
        ),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a picture of one step in the first realisation (.png, .svg, .pdf).",
        ),
    ] = None,
    inputs: Annotated[
        str, typer.Option(help="Input symbols of the inspected steps, separated by commas.")
    ] = "0",
    outcomes: Annotated[
        str | None,
        typer.Option(
            help="Outcomes that the steps are conditioned on, separated by commas, one for each "
            "input or for each but the last; 'sampled' for a step that is not conditioned, "
            "'unread' for one whose lane only carries the input. By default all are sampled."
        ),
    ] = None,
    tolerance: ToleranceOption = 0.0,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count the qubits and gates of a trained network's circuit, on paper and on a chip."""
    with run_errors(), usage_errors():
        try:
            from qrnn_circuits.cells.base import UNREAD
            from qrnn_circuits.circuits.draw import draw_step
            from qrnn_circuits.circuits.inspection import inspect_circuit, representative
            from qrnn_circuits.circuits.realisations import REALISATIONS

            run = load_run(folder, checkpoint.value)
            words = {"sampled": None, "unread": UNREAD}
            names = REALISATIONS.names() if "all" in (realisation or []) else realisation
            target = backend.split(",") if backend is not None and "," in backend else backend
            result = inspect_circuit(
                run.model,
                _symbols("inputs", inputs),
                None if outcomes is None else _outcomes("outcomes", outcomes, words),
                realisations=names or None,
                target=target,
                tolerance=tolerance,
                progress=doing,
            )
            if draw is not None:
                doing("drawing")
                circuit = representative(run.model, result)
                draw_step(circuit).savefig(draw, dpi=150)
        except ImportError as error:
            raise ValueError(str(error)) from error
    clear()
    if as_json:
        typer.echo(json.dumps(result.to_json()))
        return
    from qrnn_circuits.command_line.inspection_table import inspection_tables

    console = Console()
    for table in inspection_tables(result):
        console.print(table)


def _symbols(name: str, text: str) -> list[int]:
    return [symbol for symbol in _outcomes(name, text, {}) if symbol is not None]


def _outcomes(name: str, text: str, words: Mapping[str, int | None]) -> list[int | None]:
    try:
        return [
            words[symbol] if symbol in words else int(symbol)
            for symbol in map(str.strip, text.split(","))
        ]
    except ValueError:
        accepted = ", ".join(["whole numbers", *map(repr, words)])
        raise ValueError(f"{name} must be {accepted} separated by commas, got {text!r}") from None
