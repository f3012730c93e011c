"""The folder of runs that differ in their seeds alone: which runs these are, and how they ended."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qrnn_circuits.atomic_files import write_json
from qrnn_circuits.bounded_readers.files import parse_json, read_bytes
from qrnn_circuits.checks import as_integer, errors_in
from qrnn_circuits.training.checkpoint import CheckpointError
from qrnn_circuits.training.config import RunConfig

MOST_SEEDS = 10_000
_FILE = "ensemble.json"
_SUMMARY = "summary.json"
# Bytes of the file, a hundred times what it has.
_LIMIT = 2**22


def checked_seeds(seeds: Iterable[object]) -> list[int]:
    """The seeds, if they are acceptable."""
    if not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be several integers, such as range(5), got {seeds!r}")
    numbers: list[int] = []
    for seed in seeds:
        numbers.append(as_integer("seeds", seed, 0))
        if len(numbers) > MOST_SEEDS:
            raise ValueError(f"seeds must be at most {MOST_SEEDS:,}")
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds must be at least one, and each once, got {numbers}")
    return numbers


def check_optimizer(config: RunConfig) -> None:
    """Raises a ValueError where the optimiser cannot train several seeds together."""
    if config.optimizer == "lbfgs":
        raise ValueError(
            "optimizer must be adam, sgd or rmsprop to train several seeds together, got 'lbfgs', "
            "whose line search takes other steps in each run: start a run for each seed, or take "
            "another optimizer, as the recipe 'batches' of forecasts does"
        )


def is_described(folder: Path) -> bool:
    """Whether runs of several seeds were started in a folder."""
    return (folder / _FILE).exists()


def write_description(folder: Path, config: RunConfig, seeds: list[int]) -> None:
    """Writes which runs there are.

    Raises:
        OSError: It cannot be written.
    """
    content = {"seeds": seeds, "config": config.to_json()}
    write_json(folder / _FILE, content)


def read_description(folder: Path) -> tuple[RunConfig, list[int]]:
    """What :func:`write_description` has written.

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: A value has the wrong type.
        ValueError: The file is something else.
    """
    path = folder / _FILE
    try:
        content = read_bytes(path, _LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"there are no runs of several seeds in {folder}") from None
    try:
        values = parse_json(str(path), content)
        if not isinstance(values, dict) or not all(
            isinstance(values.get(name), kind) for name, kind in (("seeds", list), ("config", dict))
        ):
            raise ValueError(f"{path} must hold seeds and a config")
    except ValueError as error:
        raise ValueError(
            f"{error}. Each run in {folder} still goes on by itself, as by `qrnn train TASK --out "
            f"{shlex.quote(str(folder / 'seed-0'))} --resume`; without runs, remove the folder"
        ) from error
    with errors_in(path):
        config = RunConfig.from_json(values["config"])
        check_optimizer(config)
        return config, checked_seeds(values["seeds"])


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Writes how the runs ended.

    Raises:
        CheckpointError: It could not be written.
    """
    path = folder / _SUMMARY
    try:
        write_json(path, summary)
    except OSError as error:
        raise CheckpointError(
            f"the runs are saved, but their summary {path} could not be written: {error}"
        ) from error
