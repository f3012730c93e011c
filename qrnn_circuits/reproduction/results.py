"""The results of an experiment: a file with a line for each finished run."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qrnn_circuits.atomic_files import cut_torn_line, errors_of
from qrnn_circuits.bounded_readers.files import open_file, parse_json
from qrnn_circuits.checks import check_integer, check_number
from qrnn_circuits.reproduction.experiment import Experiment

# Bytes of a file, a hundred times what the largest has, and of a line.
_LIMIT = 2**28
_LINE_LIMIT = 2**22
# A hundred years.
_MOST_SECONDS = 3_200_000_000
_TYPES = {
    "experiment": str,
    "case": str,
    "seed": int,
    "settings": dict,
    "figures": dict,
    "diverged": bool,
    "versions": dict,
    "command": str,
}


@dataclass(frozen=True)
class RunResult:
    """What a finished run has come to.

    Attributes:
        experiment: Name of the experiment.
        case: Name of the case.
        seed: Of the run.
        settings: Of the case, as the experiment's file states them.
        figures: What was measured, by name.
        diverged: Whether the run ended because its loss was no number.
        seconds: Wall-clock time; of seeds that were trained together, an equal share of it; None
            where the run was interrupted in between.
        versions: Of the packages that matter, by name.
        command: What makes the result.

    Example:
        >>> RunResult("xor", "all", 0, {}, {"test_error": 0.0}).figures["test_error"]
        0.0
    """

    experiment: str
    case: str
    seed: int
    settings: Mapping[str, Any]
    figures: Mapping[str, Any]
    diverged: bool = False
    seconds: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def append_results(path: Path, results: Iterable[RunResult]) -> None:
    """Adds results to a file, so that they outlast a crash once this returns.

    A line that a killed process has begun is cut off first.

    Args:
        path: The file; it and its folder are made.
        results: What to add.

    Raises:
        OSError: The file cannot be written.

    Example:
        >>> append_results(Path("xor.jsonl"), [RunResult("xor", "all", 0, {}, {})])
        >>> [result.seed for result in read_results(Path("xor.jsonl"))]
        [0]
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with errors_of(path), path.open("a+b") as file:
        cut_torn_line(file)
        file.write(lines_of(results))
        file.flush()
        os.fsync(file.fileno())


def lines_of(results: Iterable[RunResult]) -> bytes:
    """What a file of these results holds.

    Example:
        >>> lines_of([])
        b''
    """
    lines = (json.dumps(asdict(result), allow_nan=False) + "\n" for result in results)
    return "".join(lines).encode()


def read_results(path: Path) -> list[RunResult]:
    """The results in a file, of which a cut-off last line is ignored.

    Args:
        path: The file; a missing one has no results.

    Raises:
        OSError: The file cannot be read.
        TypeError: A number of a line is none.
        ValueError: A line is no result.

    Example:
        >>> read_results(Path("nothing.jsonl"))
        []
    """
    results = []
    try:
        with open_file(path, _LIMIT) as file:
            number = 0
            while line := file.readline(_LINE_LIMIT):
                if not line.endswith(b"\n"):
                    break
                number += 1
                results.append(_result(f"line {number} of {path}", line))
    except FileNotFoundError:
        return []
    return results


def _result(where: str, line: bytes) -> RunResult:
    way_out = "remove the line, and its run is done again"
    try:
        values = parse_json(where, line)
    except ValueError as error:
        raise ValueError(f"{error}: {way_out}") from error
    if not isinstance(values, dict) or values.keys() != asdict(_EMPTY).keys():
        raise ValueError(f"{where} is no result: {way_out}")
    for name, kind in _TYPES.items():
        if type(values[name]) is not kind:
            raise ValueError(f"{name} in {where} must be of {kind.__name__}: {way_out}")
    try:
        check_integer(f"seed in {where}", values["seed"], 0)
        if values["seconds"] is not None:
            seconds = check_number(f"seconds in {where}", values["seconds"])
            if seconds > _MOST_SECONDS:
                raise ValueError(
                    f"seconds in {where} must be at most {_MOST_SECONDS:,}, got {seconds:g}"
                )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error}: {way_out}") from error
    return RunResult(**values)


_EMPTY = RunResult("", "", 0, {}, {})


def finished_runs(
    experiment: Experiment, results: Iterable[RunResult]
) -> dict[tuple[str, int], RunResult]:
    """The results that belong to an experiment as it is now, by case and seed.

    Args:
        experiment: The experiment.
        results: Some of which may be of other settings or experiments, and are left out.

    Returns:
        The latest result of each planned run that has one.
    """
    planned = {
        (case.name, seed): case.settings for case in experiment.cases for seed in range(case.seeds)
    }
    return {
        key: result
        for result in results
        if result.experiment == experiment.name
        and (key := (result.case, result.seed)) in planned
        and result.settings == planned[key]
    }
