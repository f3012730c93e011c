"""What there is to tell of a run, gathered from its folder and its network."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.inspection import Inspection, inspect_circuit
from qrnn_circuits.circuits.realisations import REALISATIONS
from qrnn_circuits.circuits.sequence import compile_circuit
from qrnn_circuits.execution.next_steps import NextStep, next_steps
from qrnn_circuits.execution.planning import predictions, spread_rows
from qrnn_circuits.execution.report import Report
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import Forecast
from qrnn_circuits.tracing import copied
from qrnn_circuits.training import (
    Evaluation,
    ForecastEvaluation,
    TrainedRun,
    evaluate,
    evaluate_forecast,
    read_scalars,
)
from qrnn_circuits.training.cell_settings import unused_settings
from qrnn_circuits.training.forecast_evaluation import Forecasts, in_own_units
from qrnn_circuits.training.validation import forecasts as scaled_forecasts

CURVES = (
    "train/loss",
    "validation/loss",
    "validation/error",
    "validation/sampled_error",
    "validation/log10_acceptance",
)
"""Names of the logged scalars that a report shows."""
FORECAST_CURVES = CURVES[:3]
"""Those of a forecast, which has neither symbols to sample nor shots to keep."""

_EXAMPLES = 6
# A setting without a value.
_NONE = "-"

Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Example:
    """What a network answers at the last scored step of a test sequence.

    Attributes:
        sequence: Row of the test set, from 0.
        step: The step, from 0.
        inputs: The input symbols up to the step.
        right: The right symbol.
        exact: Probability of each symbol by the model in float64, all earlier outcomes being right.
        kept: Share of the shots of a circuit of these steps that is kept, by the model.
        text: All outcomes of the sequence in the words of the task.
        class_names: What the symbols of answers are called; empty where these are symbols.
    """

    sequence: int
    step: int
    inputs: tuple[int, ...]
    right: int
    exact: tuple[float, ...]
    kept: float
    text: str
    class_names: tuple[str, ...] = ()

    @property
    def answer(self) -> int:
        """The most probable symbol."""
        return self.exact.index(max(self.exact))


@dataclass(frozen=True)
class RunReport:
    """A run: settings, curves, figures, examples, circuits, and what to try next.

    Attributes:
        name: What the run is called.
        task: Name of its task.
        checkpoint: Of which the network is.
        step: Optimiser steps behind the network.
        parameters: Number of trained numbers.
        settings: Name and value of each setting that has an effect.
        curves: What was logged, by name; empty where nothing was.
        figures: Of the test set.
        examples: Answers to some test sequences; none for forecasts.
        inspection: Of one step in every realisation; None for forecasts and without Qiskit.
        circuit: One step in the network's own realisation, to be drawn; None as for inspection.
        forecasts: Of the test windows; None for tasks of symbols.
        targets: Names of what is forecast.
        device: How the network did on a device; None where none was asked for.
        missing: Why there is no inspection of a task of symbols; else empty.
        next_steps: What to try next.
    """

    name: str
    task: str
    checkpoint: str
    step: int
    parameters: int
    settings: tuple[tuple[str, str], ...]
    curves: dict[str, Curve]
    figures: Evaluation | ForecastEvaluation
    examples: tuple[Example, ...]
    inspection: Inspection | None
    circuit: CompiledCircuit | None
    forecasts: Forecasts | None
    targets: tuple[str, ...]
    device: Report | None
    missing: str
    next_steps: tuple[NextStep, ...]


def make_run_report(
    run: TrainedRun[Any, Any],
    place: Path,
    checkpoint: str,
    curves: dict[str, Curve],
    *,
    tolerance: float = 0.0,
    encoding: Encoding = "lane",
    device: Report | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> RunReport:
    """Gathers what there is to tell of a run.

    Args:
        run: The trained network and its task.
        place: Folder of the run, or ``pretrained:NAME``.
        checkpoint: Of which the network is: ``"best"`` or ``"last"``.
        curves: What was logged, as :func:`read_curves` reads it.
        tolerance: Neurons of the circuit drop rotations by at most this angle, in radians.
        encoding: Whether the circuit's inputs are on the ``"lane"`` or in ``"angles"``.
        device: How it did on a device, to be shown as well.
        progress: Is told what is being done.

    Raises:
        FileNotFoundError: If the task's data are missing.
        ZeroProbabilityError: If the network rules an outcome of the test set out altogether.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer, load_run
        >>> settings = {"workspace": 1, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> _ = Trainer.start(config, Path("run")).run()
        >>> place = Path("run")
        >>> report = make_run_report(load_run(place), place, "best", read_curves(place))
        >>> report.task, len(report.curves["train/loss"]), len(report.examples)
        ('memorise', 2, 2)
    """
    progress("testing")
    of_series = isinstance(run.task, Forecast)
    figures: Evaluation | ForecastEvaluation
    inspection, circuit, forecasts, missing = None, None, None, ""
    examples: tuple[Example, ...] = ()
    if of_series:
        found = scaled_forecasts(run.model, run.task.test())
        figures, forecasts = evaluate_forecast(run, found), in_own_units(run, found)
        curves = {name: curve for name, curve in curves.items() if name in FORECAST_CURVES}
    else:
        figures, examples = evaluate(run), find_examples(run)
        try:
            circuit = compile_circuit(run.model, [0], tolerance=tolerance, encoding=encoding)
            inspection = inspect_circuit(
                run.model,
                realisations=REALISATIONS.names(),
                tolerance=tolerance,
                encoding=encoding,
                progress=progress,
            )
        except ImportError as error:
            circuit, missing = None, str(error)
    return RunReport(
        name=str(place),
        task=run.config.task,
        checkpoint=checkpoint,
        step=run.step,
        parameters=sum(parameter.numel() for parameter in run.model.parameters()),
        settings=used_settings(run),
        curves=curves,
        figures=figures,
        examples=examples,
        inspection=inspection,
        circuit=circuit,
        forecasts=forecasts,
        targets=run.task.target_names if of_series else (),
        device=device,
        missing=missing,
        next_steps=next_steps(
            run,
            place,
            figures,
            curves,
            least_kept=min((example.kept for example in examples), default=None),
        ),
    )


def read_curves(folder: Path) -> dict[str, Curve]:
    """The logged curves of a run by name, as far as there are any.

    Raises:
        OSError: If the log cannot be read.
        ValueError: If a file of the log is none.
    """
    curves = {}
    for name in CURVES:
        try:
            curves[name] = read_scalars(folder, name)
        except KeyError:
            continue
    return curves


def used_settings(run: TrainedRun[Any, Any]) -> tuple[tuple[str, str], ...]:
    """Name and value of each setting that has an effect on a run, task options among them."""
    config = run.config
    unused = set(unused_settings(config.task, config.cell))
    values = {name: value for name, value in config.to_json().items() if name not in unused}
    options = values.pop("task_options")
    contents = options.pop("contents", None) or {}
    values = {"task": values.pop("task"), **options, **contents, **values}
    return tuple((name, _text(value)) for name, value in values.items())


def is_pruned(settings: Mapping[str, str]) -> bool:
    """Whether training has pruned rotations, by what :func:`used_settings` tells."""
    return settings.get("prune_tolerance", _NONE) != _NONE


def find_examples(run: TrainedRun) -> tuple[Example, ...]:
    """Answers to some sequences, spread evenly over the test set.

    Args:
        run: Of a task of symbols.

    Raises:
        FileNotFoundError: If the task's data are missing.
        ZeroProbabilityError: If the network rules a conditioned outcome out altogether.
    """
    test = run.task.test()
    model: RecurrentNetwork = copied(run.model).cpu().double().eval()
    examples = []
    for row in spread_rows(min(_EXAMPLES, len(test)), len(test)).tolist():
        scored = test.scored[row].nonzero()[:, 0].tolist()
        if not scored:
            continue
        end = scored[-1] + 1
        inputs, outcomes = test.inputs[row : row + 1, :end], test.outcomes[row : row + 1, :end]
        exact, kept = predictions(model, inputs, outcomes)
        examples.append(
            Example(
                sequence=row,
                step=end - 1,
                inputs=tuple(inputs[0].tolist()),
                right=int(outcomes[0, -1]),
                exact=tuple(exact[0].tolist()),
                kept=float(kept[0]),
                text=run.task.describe(test.outcomes[row : row + 1])[0],
                class_names=tuple(run.task.class_names),
            )
        )
    return tuple(examples)


def _text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = ", ".join(value)
    if value is None or value in ("", [], {}):
        return _NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
