"""The files that state experiments, one TOML file each.

A file has the keys of an experiment: ``title``, ``question``, ``minutes`` on two cores, ``seeds``,
``measurement``, ``needs_data``, ``seeds_together``, ``remarks`` and ``pictures``; the settings that
all cases have, in the table ``settings``; the cases, in ``cases``, ``grid`` (lists of values, of
which all combinations are run in each case; dots lead into tables) or both; what ``qrnn reproduce
--quick`` takes in their place, in ``quick``; and what is reported, in ``quantities``, ``rows_by``,
``published`` and ``charts``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from qrnn_circuits.bounded_readers.files import read_toml
from qrnn_circuits.checks import check_choice, check_integer, similar
from qrnn_circuits.reproduction.experiment import (
    TRAINING,
    Case,
    ChartSettings,
    Experiment,
    Published,
    Quantity,
    case_name,
    row_name,
)

_DATA = ("mnist",)
_FOLDER = Path(__file__).parent / "experiments"

T = TypeVar("T")


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
    pictures: list[str] = field(default_factory=list)
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
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


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
    return read_experiment_file(_FOLDER / f"{name}.toml", quick=quick)


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
    if file.needs_data is not None:
        check_choice("needs_data", file.needs_data, _DATA)
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
        pictures=tuple(file.pictures),
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
        for combination in product(*grid.values()):
            varied = dict(zip(grid, combination, strict=True))
            settings = _merged(file.settings, entry.settings)
            if quick is not None:
                settings = _merged(settings, quick.settings)
            settings = _merged(settings, _nested(varied))
            seeds = file.seeds if entry.seeds is None else entry.seeds
            seeds = seeds if quick is None else min(seeds, quick.seeds)
            check_integer("seeds", seeds, 1)
            name = case_name(entry.name, varied)
            cases.append(Case(name, settings, entry.name, varied, seeds))
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise ValueError(f"each case must have a name of its own, got {', '.join(names)}")
    return tuple(cases)


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
