"""Several runs of one task side by side: settings that differ, figures, curves and gates."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, stdev
from typing import Any

from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.inspection import Inspection, inspect_circuit
from qrnn_circuits.circuits.realisations import REALISATIONS
from qrnn_circuits.execution.run_report import Curve, used_settings
from qrnn_circuits.tasks import Forecast
from qrnn_circuits.training import TrainedRun, evaluate
from qrnn_circuits.training.task_options import option_names
from qrnn_circuits.training.validation import forecasts, normalised_error, normalised_squares

# By which a median of normally distributed values varies more than their mean.
_OF_MEDIAN = math.sqrt(math.pi / 2)


@dataclass(frozen=True)
class Member:
    """A trained run.

    Attributes:
        run: The network and its task.
        place: Folder of the run, or ``pretrained:NAME``.
        curves: What was logged, by name.
    """

    run: TrainedRun[Any, Any]
    place: Path
    curves: dict[str, Curve]


@dataclass(frozen=True)
class Figure:
    """A figure of a test, of one run or of several seeds.

    Attributes:
        value: The figure; of several seeds the median.
        standard_error: Of the value; None where nothing is known of it.
        least: The least of all seeds.
        greatest: The greatest of all seeds.

    Example:
        >>> Figure.of([0.1, 0.2, 0.6]).value
        0.2
    """

    value: float
    standard_error: float | None
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float], standard_error: float | None = None) -> "Figure":
        """The figure of one run or of several seeds.

        Args:
            values: Of each seed.
            standard_error: Of the value of one run; that of several follows from their spread.
        """
        if len(values) > 1:
            standard_error = _OF_MEDIAN * stdev(values) / math.sqrt(len(values))
        return cls(median(values), standard_error, min(values), max(values))


@dataclass(frozen=True)
class Candidate:
    """What is compared: a run, or the runs of several seeds.

    Attributes:
        letter: By which tables call it.
        name: Its folder, or ``pretrained:NAME``.
        seeds: Number of runs.
        parameters: Number of trained numbers of each.
        settings: Value of each setting that has an effect.
        figures: Of the test by name, the one that decides first.
        curves: What was logged of each run, by name.
        inspection: Of one step in every realisation, of the run with the middle figure; None for
            forecasts and without Qiskit.
    """

    letter: str
    name: str
    seeds: int
    parameters: int
    settings: dict[str, str]
    figures: dict[str, Figure]
    curves: tuple[dict[str, Curve], ...]
    inspection: Inspection | None


@dataclass(frozen=True)
class Comparison:
    """Candidates of one task.

    Attributes:
        task: Its name.
        of_series: Whether real values are forecast.
        candidates: In the order in which they were named.
        other_tests: Options of the task in which they differ: they may not be tested on the same.
        missing: Why there are no counts of gates of a task of symbols; else empty.
    """

    task: str
    of_series: bool
    candidates: tuple[Candidate, ...]
    other_tests: tuple[str, ...]
    missing: str

    @property
    def deciding(self) -> str:
        """Name of the figure by which the best is found."""
        return next(iter(self.candidates[0].figures))

    @property
    def differing(self) -> list[tuple[str, list[str]]]:
        """Each setting in which they differ, and its value for each of them."""
        names = dict.fromkeys(name for each in self.candidates for name in each.settings)
        rows = [
            (name, [each.settings.get(name, "-") for each in self.candidates]) for name in names
        ]
        return [(name, values) for name, values in rows if len(set(values)) > 1]


def make_comparison(
    named: Sequence[tuple[str, Sequence[Member]]],
    *,
    tolerance: float = 0.0,
    encoding: Encoding = "lane",
    progress: Callable[[str], None] = lambda doing: None,
) -> Comparison:
    """Tests all runs and puts them side by side.

    Args:
        named: Name and runs of each candidate, two candidates at least.
        tolerance: Neurons of the circuits drop rotations by at most this angle, in radians.
        encoding: Whether the circuits' inputs are on the ``"lane"`` or in ``"angles"``.
        progress: Is told what is being done.

    Raises:
        FileNotFoundError: If a task's data are missing.
        ValueError: If the runs are of different tasks, or are fewer than two candidates.
        ZeroProbabilityError: If a network rules an outcome of the test set out altogether.

    Example:
        >>> from qrnn_circuits.training import load_pretrained
        >>> places = [Path("pretrained:xor-chip"), Path("pretrained:xor-chip")]
        >>> runs = [Member(load_pretrained("xor-chip"), place, {}) for place in places]
        >>> comparison = make_comparison([("one", runs[:1]), ("both", runs)])
        >>> [candidate.seeds for candidate in comparison.candidates]
        [1, 2]
    """
    if len(named) < 2:
        raise ValueError(f"at least two runs must be named to compare, got {len(named)}")
    first_name, first = named[0]
    task = first[0].run.config.task
    for name, members in named:
        for member in members:
            if (other := member.run.config.task) != task:
                raise ValueError(
                    f"{name} is of the task {other}, and {first_name} of {task}: compare runs of "
                    "one task"
                )
    of_series = isinstance(first[0].run.task, Forecast)
    candidates, missing = [], ""
    for place, (name, members) in enumerate(named):
        progress(f"testing {name}")
        figures, middle = _figures(members, of_series)
        inspection = None
        if not of_series:
            try:
                inspection = inspect_circuit(
                    members[middle].run.model,
                    realisations=REALISATIONS.names(),
                    tolerance=tolerance,
                    encoding=encoding,
                    progress=lambda doing, name=name: progress(f"{name}: {doing}"),  # type: ignore[misc]
                )
            except ImportError as error:
                missing = str(error)
        candidates.append(
            Candidate(
                letter=_letter(place),
                name=name,
                seeds=len(members),
                parameters=sum(p.numel() for p in members[middle].run.model.parameters()),
                settings=_settings(members),
                figures=figures,
                curves=tuple(member.curves for member in members),
                inspection=inspection,
            )
        )
    options = option_names(task)
    comparison = Comparison(task, of_series, tuple(candidates), (), missing)
    different = tuple(name for name, _ in comparison.differing if name in options)
    return replace(comparison, other_tests=different)


def _figures(members: Sequence[Member], of_series: bool) -> tuple[dict[str, Figure], int]:
    """The figures of a candidate, and which of its runs has the middle one."""
    if of_series:
        found = [_forecast_errors(member.run) for member in members]
        errors = [error for error, _, _ in found]
        figures = {
            "normalised error": Figure.of(errors, found[0][1]),
            "mean squared error": Figure.of([squared for _, _, squared in found]),
        }
    else:
        results = [evaluate(member.run) for member in members]
        errors = [result.test_error for result in results]
        figures = {
            "test error": Figure.of(errors, results[0].standard_error),
            "sampled error": Figure.of([result.sampled_error for result in results]),
        }
    order = sorted(range(len(errors)), key=lambda index: errors[index])
    return figures, order[(len(order) - 1) // 2]


def _forecast_errors(run: TrainedRun[Any, Any]) -> tuple[float, float, float]:
    """Normalised error, its standard error over windows, and the mean squared error."""
    batch = run.task.test()
    found = forecasts(run.model, batch)
    squares = normalised_squares(found, batch.targets).double()
    error = normalised_error(found, batch.targets)
    spread = float(squares.std()) / math.sqrt(len(squares)) if len(squares) > 1 else 0.0
    mean = float((found - batch.targets).square().mean())
    # The derivative of a square root.
    return error, spread / (2 * error) if error else 0.0, mean


def _settings(members: Sequence[Member]) -> dict[str, str]:
    settings = dict(used_settings(members[0].run))
    if len(members) > 1:
        settings["seed"] = ", ".join(str(member.run.config.seed) for member in members)
    return settings


def _letter(place: int) -> str:
    """A, B, ..., Z, A1, B1, ...: what a table calls a candidate."""
    round_, letter = divmod(place, 26)
    return chr(ord("A") + letter) + (str(round_) if round_ else "")
