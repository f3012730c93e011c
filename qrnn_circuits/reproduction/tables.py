"""Published figures beside those of finished runs."""

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qrnn_circuits.reproduction.experiment import Experiment, Published, Quantity, row_name
from qrnn_circuits.reproduction.results import RunResult


@dataclass(frozen=True)
class Row:
    """What is known of a quantity in a case.

    Attributes:
        case: Name of the case, or of those that share the row.
        quantity: The quantity.
        published: What it is compared with; None where nothing is.
        median: Over the runs that have this figure; None where the middle run has none, because it
            diverged or did not reach what the figure is about.
        lower: First quartile; a run without the figure counts as infinitely large.
        upper: Third quartile; None where it is of such a run.
        chosen: Of the run with the best validation, or of the only one; None where there is none.
        chosen_error: Its standard error over the test set; None where it has none.
        reached: Number of runs that have the figure.
        done: Number of finished runs.
        planned: Number of runs.
        seconds: Median wall-clock time of a run; None where none is known.

    Example:
        >>> quantity = Quantity("steps", "steps")
        >>> Row("all", quantity, None, 3, 2, 5, 3, None, 4, 4, 5, 1.5).planned
        5
    """

    case: str
    quantity: Quantity
    published: Published | None
    median: float | None
    lower: float | None
    upper: float | None
    chosen: float | None
    chosen_error: float | None
    reached: int
    done: int
    planned: int
    seconds: float | None


def rows_of(experiment: Experiment, runs: Mapping[tuple[str, int], RunResult]) -> Iterator[Row]:
    """The rows of an experiment's table: every quantity of every case.

    Args:
        experiment: The experiment.
        runs: Its finished runs, by case and seed.

    Example:
        >>> from qrnn_circuits.reproduction.experiment_files import read_experiment
        >>> experiment = read_experiment("xor-initialisation")
        >>> {row.done for row in rows_of(experiment, {})}
        {0}
    """
    published = {(each.case, each.quantity): each for each in experiment.published}
    names = [row_name(case, experiment.rows_by) for case in experiment.cases]
    for name in dict.fromkeys(names):
        cases = [case for case, own in zip(experiment.cases, names, strict=True) if own == name]
        keys = [(case.name, seed) for case in cases for seed in range(case.seeds)]
        own = [runs[key] for key in keys if key in runs]
        for quantity in experiment.quantities:
            yield _row(name, quantity, published.get((name, quantity.name)), own, len(keys))


def _row(
    name: str,
    quantity: Quantity,
    published: Published | None,
    runs: list[RunResult],
    planned: int,
) -> Row:
    values = [figure(run, quantity.name) for run in runs]
    known = [value for value in values if value is not None]
    lower, median, upper = quartiles(values)
    seconds = [run.seconds for run in runs if run.seconds is not None]
    best = min(runs, key=validation_rank, default=None)
    if best is not None and len(runs) > 1 and math.isinf(validation_rank(best)[0]):
        best = None
    return Row(
        name,
        quantity,
        published,
        median,
        lower,
        upper,
        None if best is None else figure(best, quantity.name),
        None if best is None else standard_error(best, quantity.name),
        len(known),
        len(runs),
        planned,
        statistics.median(seconds) if seconds else None,
    )


def figure(run: RunResult, name: str) -> float | None:
    """A number among the figures of a run; None where it has none.

    Args:
        run: The run.
        name: Of the figure.

    Example:
        >>> figure(RunResult("xor", "all", 0, {}, {"steps": 3}), "steps")
        3.0
    """
    value = run.figures.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def standard_error(run: RunResult, name: str) -> float | None:
    """The standard error of a figure of a run; None where it has none.

    Args:
        run: The run.
        name: Of the figure.

    Example:
        >>> figures = {"test_error": 0.1, "test_standard_error": 0.01}
        >>> standard_error(RunResult("xor", "all", 0, {}, figures), "test_error")
        0.01
    """
    found = [figure(run, other) for other in standard_error_names(name)]
    return next((value for value in found if value is not None), None)


def standard_error_names(name: str) -> list[str]:
    """The names under which results may have the standard error of a figure.

    Args:
        name: Of the figure.

    Example:
        >>> standard_error_names("test_error")
        ['test_error_error', 'test_standard_error']
    """
    stem = name.removesuffix("_error")
    return [f"{name}_error", *([f"{stem}_standard_error"] if stem != name else [])]


def quartiles(values: list[float | None]) -> tuple[float | None, float | None, float | None]:
    """First quartile, median and third quartile, where None is larger than any number.

    They are among the values, or halfway between two: a quartile between a number and None is None.

    Args:
        values: Any number of them.

    Example:
        >>> quartiles([4.0, 1.0, None, 2.0, 3.0])
        (2.0, 3.0, 4.0)
        >>> quartiles([1.0, None])
        (None, None, None)
    """
    if not values:
        return None, None, None
    infinity = float("inf")
    ordered = sorted(infinity if value is None else value for value in values)
    found = []
    for share in (0.25, 0.5, 0.75):
        place = share * (len(ordered) - 1)
        below = ordered[int(place)]
        above = ordered[min(int(place) + 1, len(ordered) - 1)]
        part = place - int(place)
        value = below if part == 0 else below + part * (above - below)
        found.append(value if value < infinity else None)
    return found[0], found[1], found[2]


def validation_rank(run: RunResult) -> tuple[float, float, int]:
    """By which runs are chosen: the least is the best. Without a validation only the seed counts.

    Args:
        run: The run.

    Example:
        >>> validation_rank(RunResult("xor", "all", 3, {}, {}))
        (inf, inf, 3)
    """
    sampled = figure(run, "validation_sampled_error")
    error = figure(run, "validation_error")
    if sampled is None or error is None:
        return math.inf, math.inf, run.seed
    return sampled, error, run.seed


def shown(value: float | None, quantity: Quantity) -> str:
    """A figure in its unit; a dash for None.

    Args:
        value: The figure.
        quantity: What it is of.

    Example:
        >>> shown(0.0123, Quantity("test_error", "test error", "%"))
        '1.23 %'
        >>> shown(None, Quantity("steps", "steps"))
        '-'
    """
    if value is None:
        return "-"
    if quantity.unit == "%":
        return f"{100 * value:.{max(quantity.digits - 1, 0)}f} %"
    number = f"{value:,.0f}" if value == int(value) else f"{value:.{quantity.digits}g}"
    return f"{number} {quantity.unit}".strip()


def published_text(row: Row) -> str:
    """What is published of a row, with its uncertainty; empty where nothing is.

    Args:
        row: The row.

    Example:
        >>> quantity = Quantity("test_error", "test error", "%")
        >>> published = Published("all", "test_error", 0.014, "table", spread=0.004)
        >>> published_text(Row("all", quantity, published, *[None] * 5, 0, 0, 5, None))
        '1.40 % +- 0.40 %'
    """
    found = row.published
    if found is None:
        return ""
    if found.value is None:
        return found.note
    text = shown(found.value, row.quantity)
    if found.upper is not None:
        text += f" to {shown(found.upper, row.quantity)}"
    if found.spread is not None:
        text += f" +- {shown(found.spread, row.quantity)}"
    return text


def chosen_text(row: Row) -> str:
    """The figure of the chosen run, with its standard error.

    Args:
        row: The row.

    Example:
        >>> quantity = Quantity("test_error", "test error", "%")
        >>> chosen_text(Row("all", quantity, None, *[None] * 3, 0.005, 0.0016, 1, 1, 5, None))
        '0.50 % +- 0.16 %'
    """
    text = shown(row.chosen, row.quantity)
    if row.chosen is None or not row.chosen_error:
        return text
    return f"{text} +- {shown(row.chosen_error, row.quantity)}"


def quartiles_text(row: Row) -> str:
    """The quartiles; empty of a single run.

    Args:
        row: The row.

    Example:
        >>> quantity = Quantity("steps", "steps")
        >>> quartiles_text(Row("all", quantity, None, 3, 2, None, *[None] * 2, 3, 4, 5, None))
        '2 to -'
    """
    if row.done < 2:
        return ""
    return f"{shown(row.lower, row.quantity)} to {shown(row.upper, row.quantity)}"


def seeds_text(row: Row) -> str:
    """How many seeds of a row are finished, and how many of these have the figure.

    Args:
        row: The row.

    Example:
        >>> quantity = Quantity("steps", "steps")
        >>> seeds_text(Row("all", quantity, None, *[None] * 5, 2, 3, 5, None))
        '2 reached, 3 of 5'
    """
    text = f"{row.done} of {row.planned}"
    return text if row.reached == row.done else f"{row.reached} reached, {text}"
