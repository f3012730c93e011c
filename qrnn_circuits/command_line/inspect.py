"""``qrnn inspect``: what a trained network takes as a circuit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.options import (
    CheckpointChoice,
    CheckpointOption,
    EncodingChoice,
    EncodingOption,
    RunArgument,
    StepsOption,
    ToleranceOption,
)
from qrnn_circuits.command_line.waiting import clear, doing
from qrnn_circuits.training import load_run

if TYPE_CHECKING:
    from qrnn_circuits.circuits.inspection import Inspection


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
    sequence: Annotated[
        int | None,
        typer.Option(
            help="Inspect the circuit of a test sequence, a row from 0, as qrnn run does: up to "
            "its last scored step.",
            show_default=False,
        ),
    ] = None,
    steps: StepsOption = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            help="Input symbols of the inspected steps, separated by commas; by default 0.",
            show_default=False,
        ),
    ] = None,
    outcomes: Annotated[
        str | None,
        typer.Option(
            help="Outcomes that the steps are conditioned on, separated by commas, one for each "
            "input or for each but the last; 'sampled' for a step that is not conditioned, "
            "'unread' for one whose lane only carries the input. By default all are sampled."
        ),
    ] = None,
    tolerance: ToleranceOption = 0.0,
    encoding: EncodingOption = EncodingChoice.LANE,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count the qubits and gates of a trained network's circuit, on paper and on a chip.

    With a chip, it also says whether the circuit can work there and what would help.
    """
    with run_errors(), usage_errors():
        try:
            from qrnn_circuits.cells.base import UNREAD
            from qrnn_circuits.circuits.draw import draw_step
            from qrnn_circuits.circuits.inspection import inspect_circuit, representative
            from qrnn_circuits.circuits.realisations import REALISATIONS
            from qrnn_circuits.execution.verdict import question, verdicts

            run = load_run(folder, checkpoint.value).of_symbols()
            asked = None
            if sequence is not None:
                if inputs is not None or outcomes is not None:
                    raise ValueError(
                        f"inputs and outcomes must be left out with sequence {sequence}, which "
                        "gives them"
                    )
                asked = question(run.task, sequence, steps)
            elif steps is not None:
                raise ValueError(f"steps must be left out without sequence, got {steps}")
            words = {"sampled": None, "unread": UNREAD}
            names = REALISATIONS.names() if "all" in (realisation or []) else realisation
            target = backend.split(",") if backend is not None and "," in backend else backend
            result = inspect_circuit(
                run.model,
                _symbols("inputs", inputs or "0") if asked is None else asked.inputs,
                asked.outcomes
                if asked is not None
                else None
                if outcomes is None
                else _outcomes("outcomes", outcomes, words),
                realisations=names or None,
                target=target,
                tolerance=tolerance,
                encoding=encoding.value,
                progress=doing,
            )
            judged = verdicts(run.model, result, run.task, None if asked is None else asked.right)
            if draw is not None:
                doing("drawing")
                circuit = representative(run.model, result)
                draw_step(circuit).savefig(draw, dpi=150)
        except ImportError as error:
            raise ValueError(str(error)) from error
    clear()
    if as_json:
        figures = result.to_json()
        for entry, verdict in zip(figures["realisations"], judged, strict=True):
            entry["verdict"] = None if verdict is None else verdict.to_json()
        typer.echo(json.dumps({"sequence": sequence, **figures}))
        return
    from qrnn_circuits.command_line.inspection_table import inspection_tables

    console = Console()
    for table in inspection_tables(result):
        console.print(table)
    if any(judged):
        console.print(f"\n[bold]Verdict[/bold] {_subject(sequence, result)}", highlight=False)
    for entry, verdict in zip(result.realisations, judged, strict=True):
        if verdict is not None:
            console.print(f"{entry.realisation} {verdict.text}", highlight=False, markup=False)


def _subject(sequence: int | None, inspection: "Inspection") -> str:
    """What the verdicts are on."""
    steps = len(inspection.inputs)
    if sequence is not None:
        return f"on step {steps - 1} of test sequence {sequence}"
    return (
        f"on {steps} step(s) with the given inputs, which may be no sequence of the task; "
        "--sequence N takes one"
    )


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
