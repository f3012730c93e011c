"""``qrnn evaluate``: tests a trained network on the whole test set."""

import json
from typing import Annotated

import typer

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.networks import load_network
from qrnn_circuits.command_line.options import (
    CheckpointChoice,
    CheckpointOption,
    RunArgument,
)
from qrnn_circuits.command_line.waiting import clear, doing
from qrnn_circuits.training import evaluate as evaluate_run


def evaluate(
    folder: RunArgument,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
    data: Annotated[
        str | None,
        typer.Option(help="Where the task's data lie now, if not where the run says."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the test error of a trained network, with its standard error.

    The sampled error is what one measurement of each answer gives; the test error goes by the most
    probable answer.
    """
    with run_errors(), usage_errors():
        options = {} if data is None else {"data": data}
        run = load_network(folder, checkpoint, options)
        sequences = len(run.task.test())  # reads the data, which may be missing
    with run_errors():
        doing(f"testing {sequences:,} sequence(s)")
        result = evaluate_run(run)
    clear()
    if as_json:
        typer.echo(json.dumps(result.to_json()))
        return
    typer.echo(
        f"test error     {result.test_error:.2%} +- {result.standard_error:.2%} (standard error)\n"
        f"sampled error  {result.sampled_error:.2%}\n"
        f"on             {result.count:,} {result.unit.replace('_', ' ')}, "
        f"with the {checkpoint.value} checkpoint, of step {run.step}"
    )
