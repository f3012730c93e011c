"""How well a trained network forecasts the test part of its series."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.tasks import Forecast
from qrnn_circuits.training.evaluation import TrainedRun, check_run
from qrnn_circuits.training.validation import forecasts, normalised_error, root_mean_squares

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ForecastEvaluation:
    """The figures of a test.

    Attributes:
        mean_squared_error: Of the scaled values, over all targets.
        normalised_error: Root mean squared error as a share of the targets' standard deviation.
        root_mean_squared_errors: Of each target by its name, in the units of the series.
        persistence: The normalised error of the last known value taken for the forecast; None where
            what is forecast is not known.
        windows: Number of windows.

    Example:
        >>> result = ForecastEvaluation(1e-4, 0.05, {"x": 0.02}, persistence=0.9, windows=199)
        >>> result.to_json()["windows"]
        199
    """

    mean_squared_error: float
    normalised_error: float
    root_mean_squared_errors: dict[str, float]
    persistence: float | None
    windows: int

    def to_json(self) -> dict[str, Any]:
        """The figures."""
        return asdict(self)


class Forecasts(NamedTuple):
    """What was forecast and what came.

    Attributes:
        found: The forecasts in the units of the series, shape ``(N, K)``.
        truth: What came, of the same shape.
    """

    found: Values
    truth: Values


def in_own_units(run: TrainedRun[Forecast, Forecaster], found: Tensor) -> Forecasts:
    """Forecasts of the test beside what came, in the units of the series.

    Args:
        run: The network and its task.
        found: Scaled forecasts from all test windows, in order of time, shape ``(N, K)``.
    """
    truth = run.task.test().targets
    return Forecasts(*(run.task.unscaled(values).numpy() for values in (found, truth)))


def evaluate_forecast(
    run: TrainedRun[Forecast, Forecaster], found: Tensor | None = None
) -> ForecastEvaluation:
    """Tests a network on all test windows of its series.

    Args:
        run: The network and its task.
        found: Its scaled forecasts from these windows, where they are known, shape ``(N, K)``.

    Raises:
        FileNotFoundError: The task's file is missing.
        TypeError: It is no run.
        ValueError: The network reads symbols.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer, load_run
        >>> from pathlib import Path
        >>> settings = {"cell": "rnn", "steps": 2, "task_options": {"series": "bessel"}}
        >>> config = RunConfig.resolve("forecast", settings)
        >>> _ = Trainer.start(config, Path("run")).run()
        >>> evaluate_forecast(load_run("run")).windows
        199
    """
    check_run(run)
    if not isinstance(run.task, Forecast):
        raise ValueError(
            f"run must forecast real values, got one of {run.config.task!r}: of symbols, take "
            "evaluate(run)"
        )
    batch = run.task.test()
    if found is None:
        found = forecasts(run.model, batch)
    errors = root_mean_squares(run.task.unscaled(found) - run.task.unscaled(batch.targets))
    names = run.task.target_names
    persistence = None
    if (known := run.task.known_targets) is not None:
        persistence = normalised_error(batch.inputs[:, -1, known], batch.targets)
    return ForecastEvaluation(
        mean_squared_error=float((found - batch.targets).square().mean()),
        normalised_error=normalised_error(found, batch.targets),
        root_mean_squared_errors=dict(zip(names, errors.tolist(), strict=True)),
        persistence=persistence,
        windows=len(batch),
    )
