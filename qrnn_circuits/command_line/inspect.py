"""``qrnn inspect``: what a trained network takes as a circuit."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.options import CheckpointChoice, CheckpointOption, RunArgument
from qrnn_circuits.training import load_run


class RealisationChoice(StrEnum):
    """The realisations, and all of them."""

    POSTSELECT = "postselect"
    REPEAT_UNTIL_SUCCESS = "repeat_until_success"
    AMPLIFIED = "amplified"
    MULTIPLEXED = "multiplexed"
    ALL = "all"


def inspect(
    folder: RunArgument,
    realisation: Annotated[
        list[RealisationChoice] | None,
        typer.Option(
            help="How neurons are built; may be given several times. By default every way that "
            "has the network's semantics."
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
            "input or for each but the last. By default none is."
        ),
    ] = None,
    attempts: Annotated[
        int, typer.Option(help="Attempts of repeat_until_success.", show_default=True)
    ] = 3,
    length: Annotated[int, typer.Option(help="Length of amplified, odd.", show_default=True)] = 7,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count the qubits and gates of a trained network's circuit, on paper and on a chip."""
    with run_errors(), usage_errors():
        try:
            from qrnn_circuits.circuits.draw import draw_step
            from qrnn_circuits.circuits.inspection import inspect_circuit, representative

            run = load_run(folder, checkpoint.value)
            names: Any = [choice.value for choice in realisation or []]
            if "all" in names:
                names = [choice.value for choice in RealisationChoice if choice.value != "all"]
            target = backend.split(",") if backend is not None and "," in backend else backend
            result = inspect_circuit(
                run.model,
                _symbols("inputs", inputs),
                None if outcomes is None else _symbols("outcomes", outcomes),
                realisations=names or None,
                target=target,
                attempts=attempts,
                length=length,
            )
            if draw is not None:
                circuit = representative(run.model, result)
                draw_step(circuit).savefig(draw, dpi=150)
        except ImportError as error:
            raise ValueError(str(error)) from error
    if as_json:
        typer.echo(json.dumps(result.to_json()))
        return
    console = Console()
    for table in result.tables():
        console.print(table)


def _symbols(name: str, text: str) -> list[int]:
    try:
        return [int(symbol) for symbol in text.split(",")]
    except ValueError:
        raise ValueError(
            f"{name} must be whole numbers separated by commas, got {text!r}"
        ) from None
