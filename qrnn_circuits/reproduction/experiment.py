"""An experiment, as its TOML file states it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from qrnn_circuits.bounded_files import read_toml
from qrnn_circuits.checks import check_integer, similar

TRAINING = "training"
"""Name of the measurement that trains networks and tests them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,=+-]*")
_DATA = ("mnist",)

T = TypeVar("T")


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
        y: Name in the grid of what tells lines or rows apart.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis.
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
        remarks: Why the figures differ from the published ones, in words.

    Example:
        >>> from qrnn_circuits.reproduction.experiment import read_experiment
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
    remarks: str

    @property
    def runs(self) -> int:
        """Number of runs: of all seeds of all cases."""
        return sum(case.seeds for case in self.cases)


@dataclass(frozen=True)
class _File:
    """The keys of a file."""

    title: str
    question: str
    minutes: float
    measurement: str = TRAINING
    seeds: int = 1
    seeds_together: int = 10_000
    needs_data: str | None = None
    remarks: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    rows_by: list[str] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    quick: dict[str, Any] = field(default_factory=dict)
    quantities: list[dict[str, Any]] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    charts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _CaseEntry:
    """The keys of an entry of ``cases``."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: int | None = None


@dataclass(frozen=True)
class _Quick:
    """The keys of the table ``quick``."""

    minutes: float
    seeds: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    cases: list[str] = field(default_factory=list)


def experiment_names() -> list[str]:
    """Names of all experiments that come with the package, sorted.

    Example:
        >>> "dna" in experiment_names()
        True
    """
    folder = files("qrnn_circuits.reproduction") / "experiments"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def in_order(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Experiments in the order in which all are run: the short ones first.

    Args:
        experiments: The experiments.

    Example:
        >>> in_order([])
        []
    """
    return sorted(experiments, key=lambda each: (each.minutes, each.name))


def read_experiment(name: str, *, quick: bool = False) -> Experiment:
    """Reads an experiment that comes with the package.

    Args:
        name: Of the experiment.
        quick: Whether to take few seeds, steps and cases, as its file says.

    Raises:
        ValueError: If there is none of this name, or its file is not acceptable.

    Example:
        >>> full, quick = (read_experiment("xor-initialisation", quick=q) for q in (False, True))
        >>> full.runs > quick.runs > 0
        True
    """
    if name not in experiment_names():
        raise ValueError(f"unknown experiment {name!r}{similar(name, experiment_names())}")
    folder = Path(str(files("qrnn_circuits.reproduction"))) / "experiments"
    return read_experiment_file(folder / f"{name}.toml", quick=quick)


def read_experiment_file(path: Path, *, quick: bool = False) -> Experiment:
    """Reads the file of an experiment.

    Args:
        path: The file; its name without ``.toml`` is that of the experiment.
        quick: Whether to take few seeds, steps and cases, as the file says.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TOML file, lacks a key, or has an unknown or unacceptable one.
    """
    try:
        return _experiment(path.stem, read_toml(path), quick)
    except (TypeError, ValueError) as error:
        text = str(error)
        raise ValueError(text if text.startswith(str(path)) else f"{path}: {text}") from error


def _experiment(name: str, tables: Mapping[str, Any], quick: bool) -> Experiment:
    file = _filled(_File, "the experiment", tables)
    _check_data(file.needs_data)
    check_integer("seeds", file.seeds, 1)
    check_integer("seeds_together", file.seeds_together, 1)
    for key in file.rows_by:
        if key not in file.grid:
            raise ValueError(f"rows_by names no key of the grid: {key!r}{similar(key, file.grid)}")
    asked = _filled(_Quick, "quick", file.quick)
    cases = _cases(file, asked if quick else None)
    experiment = Experiment(
        name=name,
        title=file.title,
        question=file.question,
        measurement=file.measurement,
        cases=cases,
        rows_by=tuple(file.rows_by),
        seeds_together=file.seeds_together,
        minutes=asked.minutes if quick else file.minutes,
        needs_data=file.needs_data,
        quantities=tuple(_filled(Quantity, "a quantity", each) for each in file.quantities),
        published=tuple(
            _filled(Published, "a published figure", {"value": None, **each})
            for each in file.published
        ),
        charts=tuple(_filled(ChartSettings, "a chart", each) for each in file.charts),
        remarks=" ".join(file.remarks.split()),
    )
    _check_published(experiment, _cases(file, None))
    _cases(file, asked)
    return experiment


def _filled(kind: type[T], what: str, values: object) -> T:
    """An object of a dataclass, from a table whose keys are its fields.

    Raises:
        TypeError: It is no table, or a value has another type.
        ValueError: A key is missing or unknown.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{what} must be a table, got {values!r}")
    # dataclasses.fields asks for an instance or a class that mypy knows to be a dataclass.
    known: Any = kind
    types = {entry.name: entry.type for entry in fields(known)}
    for name, value in values.items():
        if name not in types:
            raise ValueError(f"unknown key {name!r} of {what}{similar(name, list(types))}")
        _check_type(name, value, types[name])
    try:
        return kind(**values)
    except TypeError as error:
        missing = str(error).partition("missing ")[2] or str(error)
        raise ValueError(f"{what} lacks {missing}, got {', '.join(values)}") from error


def _check_type(name: str, value: object, kind: Any) -> None:  # noqa: ANN401 - a type or a union
    accepted = str(getattr(kind, "__name__", kind))
    base = accepted.partition("[")[0]
    if base == "float" or "float" in accepted:
        fits = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    elif base == "int" and "str" not in accepted:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif base in ("list", "dict", "bool"):
        fits = isinstance(value, {"list": list, "dict": dict, "bool": bool}[base])
    else:
        fits = value is None or not isinstance(value, list | dict | float)
    if not fits:
        raise TypeError(f"{name} must be of type {accepted}, got {value!r}")


def _check_data(value: str | None) -> None:
    if value is not None and value not in _DATA:
        raise ValueError(f"needs_data must be one of {', '.join(_DATA)}, got {value!r}")


def _cases(file: _File, quick: _Quick | None) -> tuple[Case, ...]:
    """All named cases, each with all values of the grid."""
    entries = [_filled(_CaseEntry, "a case", each) for each in file.cases]
    grid = file.grid if quick is None else file.grid | quick.grid
    if quick is not None and quick.cases:
        known = [entry.name for entry in entries]
        for name in quick.cases:
            if name not in known:
                raise ValueError(f"quick names an unknown case {name!r}{similar(name, known)}")
        entries = [entry for entry in entries if entry.name in quick.cases]
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise TypeError(f"{name} of the grid must be a list of values, got {values!r}")
    cases = []
    for entry in entries or [_CaseEntry("")]:
        for values in product(*grid.values()):
            varied = dict(zip(grid, values, strict=True))
            settings = _merged(file.settings, entry.settings)
            if quick is not None:
                settings = _merged(settings, quick.settings)
            settings = _merged(settings, _nested(varied))
            seeds = file.seeds if entry.seeds is None else entry.seeds
            seeds = seeds if quick is None else min(seeds, quick.seeds)
            check_integer("seeds", seeds, 1)
            name = _case_name(entry.name, varied)
            cases.append(Case(name, settings, entry.name, varied, seeds))
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise ValueError(f"each case must have a name of its own, got {', '.join(names)}")
    return tuple(cases)


def _case_name(name: str, varied: Mapping[str, Any]) -> str:
    parts = [name] if name else []
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
    return _case_name(case.entry, {key: case.varied[key] for key in rows_by})


def _nested(varied: Mapping[str, Any]) -> dict[str, Any]:
    """Tables, from values whose names have dots."""
    nested: dict[str, Any] = {}
    for name, value in varied.items():
        *parents, last = name.split(".")
        table = nested
        for parent in parents:
            table = table.setdefault(parent, {})
        table[last] = value
    return nested


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables on top of each other, the later one above, and so the tables in them."""
    merged = dict(first)
    for name, value in second.items():
        before = merged.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(before, value) if both else value  # type: ignore[arg-type]
    return merged


def _check_published(experiment: Experiment, cases: tuple[Case, ...]) -> None:
    """Raises where a published figure or a chart names what there is not."""
    names = list(dict.fromkeys(row_name(case, experiment.rows_by) for case in cases))
    known = [quantity.name for quantity in experiment.quantities]
    for each in experiment.published:
        if each.case not in names:
            raise ValueError(
                f"a published figure is of an unknown case {each.case!r}{similar(each.case, names)}"
            )
        if each.quantity not in known:
            raise ValueError(
                f"a published figure is of an unknown quantity {each.quantity!r}"
                f"{similar(each.quantity, known)}"
            )
