"""``qrnn submit``: a trained network's task as a job, to be fetched later."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qrnn_circuits.bounded_readers.files import check_nesting
from qrnn_circuits.command_line.devices import fake_chip, make_device
from qrnn_circuits.command_line.errors import device_errors, run_errors, usage_errors
from qrnn_circuits.command_line.networks import load_network
from qrnn_circuits.command_line.options import (
    BackendOption,
    CheckpointChoice,
    CheckpointOption,
    EncodingChoice,
    EncodingOption,
    JsonOption,
    MaxUsageOption,
    MitigationOption,
    RealisationOption,
    RunArgument,
    SeedOption,
    SequencesOption,
    StepsOption,
    ToleranceOption,
)
from qrnn_circuits.command_line.run_forecast import of_symbols_only, plan_to_submit
from qrnn_circuits.command_line.submission import submit_plan
from qrnn_circuits.command_line.waiting import clear, doing

if TYPE_CHECKING:
    from qrnn_circuits.execution.forecast_plan import ForecastPlan


def submit(
    folder: RunArgument,
    shots: Annotated[int, typer.Option(min=1, help="Of each circuit.", show_default=False)],
    device: Annotated[str, typer.Option(help="Name of a device that keeps jobs.")] = "qrnn.ibm",
    backend: BackendOption = None,
    mitigation: MitigationOption = None,
    realisation: RealisationOption = None,
    tolerance: ToleranceOption = 0.0,
    encoding: EncodingOption = EncodingChoice.LANE,
    sequences: SequencesOption = None,
    steps: StepsOption = None,
    max_usage: MaxUsageOption = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="An option of Qiskit Runtime's sampler, such as "
            "twirling.enable_gates=true; may be given several times.",
            show_default=False,
        ),
    ] = None,
    seed: SeedOption = None,
    checkpoint: CheckpointOption = CheckpointChoice.BEST,
    as_json: JsonOption = False,
) -> None:
    """Submit a trained network's task to a device as one job, and return at once.

    The circuits are those of qrnn run. The job is on record before it is sent: qrnn jobs lists it,
    and qrnn results fetches and reports what it gave, from any process. Of a forecast, sequences
    are windows.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.execution import Plan, plan_run
        from qrnn_circuits.tasks import Forecast

        loaded = load_network(folder, checkpoint)
        plan: Plan | ForecastPlan
        if isinstance(loaded.task, Forecast):
            plan = plan_to_submit(
                loaded,
                shots=shots,
                realisation=realisation,
                mitigation=mitigation,
                chip=fake_chip(backend),
                sequences=sequences,
                meaningless=of_symbols_only(steps, tolerance, encoding),
            )
        else:
            doing("compiling the circuits")
            plan = plan_run(
                loaded.of_symbols(),
                realisation=realisation,
                tolerance=tolerance,
                encoding=encoding.value,
                sequences=sequences,
                steps=steps,
                shots=shots,
                mitigation=mitigation,
                chip=fake_chip(backend),
            )
        chosen: Any = make_device(
            device,
            plan.wires if isinstance(plan, Plan) else None,
            backend=backend,
            mitigation=mitigation,
            seed=seed,
            max_usage=max_usage,
            options=_nested(option) if option else None,
        )
        if not hasattr(chosen, "submit"):
            raise ValueError(f"device {device!r} keeps no jobs: qrnn run runs it and waits")
    with device_errors():
        sent = submit_plan(plan, chosen, folder, err=as_json)
    clear()
    if as_json:
        answer = {"job": sent.job, "backend": sent.backend, "usage": sent.seconds}
        typer.echo(json.dumps(answer))
        return
    typer.echo(f"job      {sent.job}\nresults  qrnn results {sent.job}")


def _nested(options: Sequence[str]) -> dict[str, Any]:
    """From ``["a.b=true"]`` to ``{"a": {"b": True}}``."""
    nested: dict[str, Any] = {}
    for text in options:
        path, equals, value = text.partition("=")
        *groups, name = path.split(".")
        if not (equals and name):
            raise ValueError(f"option must look like NAME=VALUE, got {text!r}")
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise ValueError(f"option {group!r} must be a value or a group, got both")
        if name in inner:
            raise ValueError(f"option {path!r} must be given once, got {text!r} as well")
        try:
            inner[name] = json.loads(value)
        except (ValueError, RecursionError):
            inner[name] = value
    check_nesting("option", nested)
    return nested
