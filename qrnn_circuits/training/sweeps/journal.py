"""What can be told of a sweep's journal before Optuna replays it.

Optuna takes each line for one of its own: a changed number of a study or a trial makes it leave the
line out, or fail with whatever Python raises.
"""

from pathlib import Path
from typing import Any

from qrnn_circuits.bounded_readers.files import open_file, parse_json

# Bytes of a journal, which has about 2,000 for each run, and of a line.
_LIMIT = 2**28
_LINE_LIMIT = 2**20
_CREATE_STUDY, _CREATE_TRIAL, _LAST_OPERATION = 0, 4, 9
_WAY_OUT = "name another folder, or put a copy of it back"


def check_journal(path: Path, study: str) -> None:
    """Checks the form of all lines of a journal.

    Args:
        path: The journal, which may be missing.
        study: Name of its only study.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no regular file, is too large, or a line is not as Optuna writes it.
    """
    try:
        with open_file(path, _LIMIT) as file:
            studies = trials = number = 0
            while line := file.readline(_LINE_LIMIT):
                if not line.endswith(b"\n") and not file.read(1):
                    return  # A killed process has written so far.
                number += 1
                try:
                    operation = _operation(line, study, studies, trials)
                except ValueError as error:
                    raise journal_error(path, f"line {number}: {error}") from None
                studies += operation == _CREATE_STUDY
                trials += operation == _CREATE_TRIAL
    except FileNotFoundError:
        return


def journal_error(path: Path, reason: object) -> ValueError:
    """The error of a journal that cannot be replayed."""
    return ValueError(f"the sweep's journal {path} is damaged ({reason}): {_WAY_OUT}")


def _operation(line: bytes, study: str, studies: int, trials: int) -> int:
    """The kind of a line that is in order.

    Raises:
        ValueError: It is not.
    """
    if not line.endswith(b"\n"):
        raise ValueError(f"it has more than {_LINE_LIMIT:,} bytes")
    log: Any = parse_json("it", line)
    if not isinstance(log, dict):
        raise ValueError("it is no JSON object")
    operation = log.get("op_code")
    if type(operation) is not int or not 0 <= operation <= _LAST_OPERATION:
        raise ValueError(f"its op_code is {operation!r}")
    if not isinstance(log.get("worker_id"), str):
        raise ValueError("it names no worker_id")
    if operation == _CREATE_STUDY:
        # Optuna writes this line once more whenever it looks for the study.
        if log.get("study_name") != study:
            raise ValueError(f"it begins a study {log.get('study_name')!r}")
    elif operation <= _CREATE_TRIAL:
        _check_index("study_id", log, min(studies, 1))
    else:
        _check_index("trial_id", log, trials)
    return operation


def _check_index(name: str, log: dict[str, Any], count: int) -> None:
    value = log.get(name)
    if type(value) is not int or not 0 <= value < count:
        raise ValueError(f"its {name} is {value!r}, of {count}")
