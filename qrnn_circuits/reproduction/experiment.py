"""An experiment: what is run, what it is compared with and how it is shown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TRAINING = "training"
"""Name of the measurement that trains networks and tests them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,=+-]*")


@dataclass(frozen=True)
class Case:
    """One setting of an experiment.

    Attributes:
        name: As tables and folders have it.
        settings: Of the run, or of the measurement.
        entry: Name of the entry of ``cases``; empty where there is none.
        varied: What the grid sets in this case, by the names of the grid.
        seeds: How many seeds it is run with.

    Example:
        >>> Case("W=3", {"workspace": 3}, "W=3", {}, 2).name
        'W=3'
    """

    name: str
    settings: Mapping[str, Any]
    entry: str
    varied: Mapping[str, Any]
    seeds: int


@dataclass(frozen=True)
class Published:
    """A published figure.

    Attributes:
        case: Name of the row of the table that it is compared with.
        quantity: Name of the quantity.
        value: The figure, in the unit of the quantity; None for "not reached".
        source: Where it stands.
        spread: What the source says of its uncertainty, in the same unit.
        upper: The other end, where the source has a range that begins at ``value``.
        note: What is to be said about the figure.

    Example:
        >>> Published("W=3", "validation_loss", 0.247, "table 1").value
        0.247
    """

    case: str
    quantity: str
    value: float | None
    source: str
    spread: float | None = None
    upper: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Quantity:
    """A figure that an experiment reports.

    Attributes:
        name: Of the figure in the results.
        label: In tables and charts.
        unit: ``"%"`` for shares, which are shown as per cent; else what follows the number.
        digits: Significant digits in tables.

    Example:
        >>> Quantity("test_error", "test error", "%").digits
        3
    """

    name: str
    label: str
    unit: str = ""
    digits: int = 3


@dataclass(frozen=True)
class ChartSettings:
    """How an experiment is drawn.

    Attributes:
        kind: Name of the kind of chart.
        quantity: Name of the quantity, or of a curve in the results.
        x: Name in the grid of what the horizontal axis shows.
        y: Name in the grid of what tells lines or rows apart; empty for the entries of ``cases``.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis, or of the colours of a heat map.
        rows_label: Of the vertical axis of a heat map, by default the name of ``y``.
        x_log: Whether the horizontal axis is logarithmic.
        y_log: Whether the vertical axis is logarithmic.
        least: Smaller values are drawn as this one.
        column: Which number of a curve's points is drawn.
        cases: Names of the cases that are drawn, by default all.
        beside: Names of experiments whose results are drawn in the same chart.

    Example:
        >>> ChartSettings("cases", "test_error").x_log
        False
    """

    kind: str
    quantity: str
    x: str = ""
    y: str = ""
    x_label: str = ""
    y_label: str = ""
    rows_label: str = ""
    x_log: bool = False
    y_log: bool = False
    least: float | None = None
    column: int = 1
    cases: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Experiment:
    """What is run, and what it is compared with.

    Attributes:
        name: Of the file.
        title: In tables.
        question: What the experiment answers, one sentence.
        measurement: ``"training"``, or a name among the measurements.
        cases: All that is run.
        rows_by: Names of the grid by which cases share a row of the table; by default each has one.
        seeds_together: How many seeds one process trains together, for training.
        minutes: How long it takes on two cores, measured.
        needs_data: ``"mnist"`` where prepared MNIST files are read.
        quantities: What is reported.
        published: What it is compared with.
        charts: What is drawn.
        pictures: Names of pictures that a measurement leaves in its folder, for the report.
        remarks: Why the figures differ from the published ones, in words.

    Example:
        >>> from qrnn_circuits.reproduction.experiment_files import read_experiment
        >>> experiment = read_experiment("xor-initialisation")
        >>> experiment.measurement, experiment.cases[0].settings["task"]
        ('training', 'xor')
    """

    name: str
    title: str
    question: str
    measurement: str
    cases: tuple[Case, ...]
    rows_by: tuple[str, ...]
    seeds_together: int
    minutes: float
    needs_data: str | None
    quantities: tuple[Quantity, ...]
    published: tuple[Published, ...]
    charts: tuple[ChartSettings, ...]
    pictures: tuple[str, ...]
    remarks: str

    @property
    def runs(self) -> int:
        """Number of runs: of all seeds of all cases."""
        return sum(case.seeds for case in self.cases)


def case_name(entry: str, varied: Mapping[str, Any]) -> str:
    """Name of a case, which names a folder as well.

    Args:
        entry: Name of its entry of ``cases``; empty where there is none.
        varied: What the grid sets in it, by the names of the grid.

    Raises:
        ValueError: If the name has characters that are not for folders.

    Example:
        >>> case_name("small", {"task_options.length": 5})
        'small,length=5'
    """
    parts = [entry] if entry else []
    parts += [f"{key.rpartition('.')[2]}={value}" for key, value in varied.items()]
    joined = ",".join(parts) or "all"
    if not _NAME.fullmatch(joined):
        raise ValueError(
            f"the name of a case must be of letters, digits and _.,=+- as it names a folder, got "
            f"{joined!r}"
        )
    return joined


def row_name(case: Case, rows_by: Sequence[str]) -> str:
    """Name of the row of the table to which a case belongs.

    Args:
        case: The case.
        rows_by: Names of the grid by which cases share a row; where empty, each has its own.

    Example:
        >>> case = Case("W=3,d=1", {}, "", {"W": 3, "d": 1}, 2)
        >>> row_name(case, ["W"]), row_name(case, [])
        ('W=3', 'W=3,d=1')
    """
    if not rows_by:
        return case.name
    return case_name(case.entry, {key: case.varied[key] for key in rows_by})


def in_order(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Experiments in the order in which all are run: the short ones first.

    Args:
        experiments: The experiments.

    Example:
        >>> in_order([])
        []
    """
    return sorted(experiments, key=lambda each: (each.minutes, each.name))
