"""``qrnn inspect``: what a trained network takes as a circuit."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.networks import load_network
from qrnn_circuits.command_line.options import (
    CheckpointChoice,
    CheckpointOption,
    EncodingChoice,
    EncodingOption,
    JsonOption,
    RunArgument,
    StepsOption,
    ToleranceOption,
)
from qrnn_circuits.command_line.plain import echo
from qrnn_circuits.command_line.run_forecast import refuse_for_forecasts
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.command_line.waiting import clear, doing

if TYPE_CHECKING:
    from torch import Tensor

    from qrnn_circuits.circuits.inspection import Inspection
    from qrnn_circuits.execution.verdict import Verdict
    from qrnn_circuits.network import RecurrentNetwork
    from qrnn_circuits.training import TrainedRun

# Circuits of more are transpiled where they are asked for: it takes half a minute or much longer.
_MOST_GATES = 10_000


def inspect(
    folder: RunArgument,
    realisation: Annotated[
        list[str] | None,
        typer.Option(
            help="How neurons are built, as for qrnn run, or all; may be given several times. By "
            "default every way that has the network's semantics. One that is not named is "
            f"transpiled up to {_MOST_GATES:,} two-qubit gates, or if no other has fewer."
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
            help="Write a picture of the last step in the first realisation (.png, .svg, .pdf).",
        ),
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option(
            help="Inspect the circuit of a test sequence, a row from 0, as qrnn run does: up to "
            "its last scored step. Of a forecast a test window, by default the first.",
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
    as_json: JsonOption = False,
) -> None:
    """Count the qubits and gates of a trained network's circuit, on paper and on a chip.

    With a chip, it also says whether the circuit can work there and what would help.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.circuits.draw import draw_step
        from qrnn_circuits.circuits.inspection import inspect_circuit, representative
        from qrnn_circuits.circuits.realisations import REALISATIONS
        from qrnn_circuits.execution.figure_files import check_chart_path, write_figure
        from qrnn_circuits.execution.verdict import verdicts
        from qrnn_circuits.tasks import Forecast

        if draw is not None:
            check_chart_path(draw)
        run = load_network(folder, checkpoint)
        forecast = isinstance(run.task, Forecast)
        if forecast:
            given = {"steps": steps, "inputs": inputs, "outcomes": outcomes}
            refuse_for_forecasts(given, ": --sequence N inspects test window N")
            asked = _window(run, 0 if sequence is None else sequence)
        else:
            asked = _question(run.of_symbols(), sequence, steps, inputs, outcomes)
        named = [
            each
            for name in realisation or []
            for each in (REALISATIONS.names() if name == "all" else [name])
        ]
        target = backend.split(",") if backend is not None and "," in backend else backend
        result = inspect_circuit(
            asked.network,
            asked.inputs,
            asked.outcomes,
            realisations=list(dict.fromkeys(named)) or None,
            target=target,
            # Who names one realisation waits for it.
            most_gates=None if realisation and "all" not in realisation else _MOST_GATES,
            tolerance=tolerance,
            encoding=encoding.value,
            progress=doing,
        )
        # A forecast is a mean over shots, not the answer of their majority.
        judged: Sequence[Verdict | None] = (
            [None] * len(result.realisations)
            if forecast
            else verdicts(run.model, result, run.task, asked.right)
        )
        if draw is not None:
            doing("drawing")
            circuit = representative(asked.network, result)
            write_figure(draw_step(circuit, len(circuit.inputs) - 1), draw)
    clear()
    if as_json:
        figures = result.to_json()
        for entry, verdict in zip(figures["realisations"], judged, strict=True):
            entry["verdict"] = None if verdict is None else verdict.to_json()
        typer.echo(json.dumps({"sequence": asked.sequence, **figures}))
    else:
        pruned = run.config.prune_tolerance is not None
        _show(result, judged, asked.sequence, forecast=forecast, pruned=pruned)
    if draw is not None:
        echo(f"The picture of the last step is in {draw}.", err=as_json)


def _show(
    inspection: "Inspection",
    judged: "Sequence[Verdict | None]",
    sequence: int | None,
    *,
    forecast: bool,
    pruned: bool,
) -> None:
    """Prints the tables, and the verdict on each realisation."""
    from qrnn_circuits.command_line.inspection_table import inspection_tables
    from qrnn_circuits.execution.remedies import leaving_out_pruned

    console = table_console()
    for table in inspection_tables(inspection):
        console.print(table)
    for note in leaving_out_pruned(pruned, inspection.tolerance):
        console.print(f"\n{note}", markup=False)
    if forecast:
        console.print(
            f"\nThe circuit of test window {sequence}, whose scaled values are in the angles; "
            "--sequence N takes another."
        )
    if any(judged):
        console.print(f"\n[bold]Verdict[/bold] {_subject(sequence, inspection)}")
    for entry, verdict in zip(inspection.realisations, judged, strict=True):
        if verdict is not None:
            console.print(f"{entry.realisation} {verdict.text}", markup=False)


class _Asked(NamedTuple):
    """The circuit that is inspected.

    Attributes:
        network: Of which it is.
        inputs: Symbols, or features of each step, shape ``(T, F)``.
        outcomes: Of each step, as for ``compile_circuit``.
        right: The right symbol of the last step, if it is known.
        sequence: The test sequence or window, if it is of one.
    """

    network: "RecurrentNetwork"
    inputs: "Sequence[int] | Tensor"
    outcomes: "Sequence[int | None] | None"
    right: int | None
    sequence: int | None


def _question(
    run: "TrainedRun",
    sequence: int | None,
    steps: int | None,
    inputs: str | None,
    outcomes: str | None,
) -> _Asked:
    """The circuit of a network of symbols."""
    from qrnn_circuits.cells.base import UNREAD
    from qrnn_circuits.execution.verdict import question

    if sequence is not None:
        if inputs is not None or outcomes is not None:
            raise ValueError(
                f"inputs and outcomes must be left out with sequence {sequence}, which gives them"
            )
        asked = question(run.task, sequence, steps)
        return _Asked(run.model, asked.inputs, asked.outcomes, asked.right, sequence)
    if steps is not None:
        raise ValueError(
            f"steps counts those of a test sequence, got {steps} and none: name one by --sequence"
        )
    words, count = {"sampled": None, "unread": UNREAD}, 2**run.model.cell.lane
    read = None if outcomes is None else _outcomes("outcomes", outcomes, words, count)
    symbols = [0] if inputs is None else _symbols("inputs", inputs, count)
    return _Asked(run.model, symbols, read, None, None)


def _window(run: "TrainedRun", window: int) -> _Asked:
    """The circuit of a test window of a forecast."""
    from qrnn_circuits.execution.forecast_run import window_circuit

    return _Asked(*window_circuit(run, window), None, window)


def _subject(sequence: int | None, inspection: "Inspection") -> str:
    """What the verdicts are on."""
    steps = len(inspection.inputs)
    if sequence is not None:
        return f"on step {steps - 1} of test sequence {sequence}"
    return (
        f"on {steps} step(s) with the given inputs, which may be no sequence of the task; "
        "--sequence N takes one"
    )


def _symbols(name: str, text: str, count: int) -> list[int]:
    return [symbol for symbol in _outcomes(name, text, {}, count) if symbol is not None]


def _outcomes(
    name: str, text: str, words: Mapping[str, int | None], count: int
) -> list[int | None]:
    try:
        # A number that is none of the symbols is as wrong as what is no number.
        return [
            words[symbol] if symbol in words else range(count).index(int(symbol))
            for symbol in map(str.strip, text.split(","))
        ]
    except ValueError:
        accepted = ", ".join([f"whole numbers from 0 to {count - 1}", *map(repr, words)])
        raise ValueError(f"{name} must be {accepted} separated by commas, got {text!r}") from None
