"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class CheckpointChoice(StrEnum):
    """The two checkpoints of a run."""

    BEST = "best"
    LAST = "last"


RunArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder of the run: the --out of qrnn train.")
]
CheckpointOption = Annotated[
    CheckpointChoice,
    typer.Option(
        help="The checkpoint with the smallest sampled validation error, or the latest one."
    ),
]


def absolute_data(data: str) -> str:
    """A data folder by its full path, so that it is found from everywhere; else the same text."""
    return data if data in ("embedded", "download") else str(Path(data).absolute())
