"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qrnn_circuits.checks import check_integer, check_number
from qrnn_circuits.choices import PRETRAINED


class CheckpointChoice(StrEnum):
    """The two checkpoints of a run."""

    BEST = "best"
    LAST = "last"


class EncodingChoice(StrEnum):
    """Where the inputs of a circuit are."""

    LANE = "lane"
    ANGLES = "angles"


def check_out(out: Path) -> Path:
    """A folder that commands would not take for a network that comes with the package.

    Raises:
        typer.BadParameter: They would.
    """
    if str(out).startswith(PRETRAINED):
        raise typer.BadParameter(
            f"must not begin with {PRETRAINED}, with which networks of the package do, got {out}: "
            "name another folder"
        )
    return out


RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help=f"Folder of the run: the --out of qrnn train. Or {PRETRAINED}NAME, a network that "
        "comes with the package.",
    ),
]
CheckpointOption = Annotated[
    CheckpointChoice,
    typer.Option(
        help="The checkpoint with the smallest sampled validation error, or the latest one."
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        help="Where the task's data lie now, if not where the run says.", show_default=False
    ),
]

RealisationOption = Annotated[
    str | None,
    typer.Option(
        help="How neurons are built: postselect, repeat_until_success, amplified or multiplexed, "
        "with options after commas (amplified,length=5), or module:attribute. By default exactly, "
        "as the network's semantics ask.",
        show_default=False,
    ),
]


def check_tolerance(value: float) -> float:
    """A tolerance, or an error before anything that takes long.

    Raises:
        typer.BadParameter: It is negative or not finite.
    """
    try:
        return check_number("tolerance in radians", value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


ToleranceOption = Annotated[
    float,
    typer.Option(
        callback=check_tolerance,
        help="Neurons drop rotations up to this angle in radians, for fewer gates; how far that "
        "can move the results is reported. With 0 nothing is dropped.",
    ),
]
EncodingOption = Annotated[
    EncodingChoice,
    typer.Option(
        help="lane: X gates write inputs on the lane, which controls the neurons; angles: neurons "
        "have them in their angles, for fewer gates to the same effect."
    ),
]
SequencesOption = Annotated[
    int | None,
    typer.Option(
        help="How many sequences, spread evenly over the test set; by default 10, or all of a "
        "smaller test set.",
        show_default=False,
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option(help="Steps of each sequence; by default all.", show_default=False),
]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        help="Which of the task's recommended settings to begin with, or none.",
        show_default="what the task names",
    ),
]
BackendOption = Annotated[
    str | None,
    typer.Option(
        help="Of a device that has several: the name of a chip, least_busy, or a local model of a "
        "chip such as fake_fez (qrnn.ibm).",
        show_default=False,
    ),
]
NoiseOption = Annotated[
    str | None,
    typer.Option(
        help="Simulate the noise of a chip, such as fake_fez (qrnn.aer).", show_default=False
    ),
]
MaxUsageOption = Annotated[
    float | None,
    typer.Option(
        help="Send nothing that is estimated to take more seconds of the chip's time (qrnn.ibm).",
        show_default=False,
    ),
]
MitigationOption = Annotated[
    str | None,
    typer.Option(
        help="Correct the chip's readout errors: m3 (qrnn.ibm, and qrnn.aer with noise).",
        show_default=False,
    ),
]


def check_seed(value: int | None) -> int | None:
    """A seed, or an error: a range in the option's type would take half of the help's width.

    Raises:
        typer.BadParameter: If it is negative, or has more than 63 bits.
    """
    if value is not None:
        try:
            check_integer("seed", value, 0, 2**63 - 1)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return value


SeedOption = Annotated[
    int | None,
    typer.Option(callback=check_seed, help="Of the shots of a simulator.", show_default=False),
]
ChartOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Draw exact and device distributions as bars, or forecasts beside the truth (.png, "
        ".svg, .pdf).",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
