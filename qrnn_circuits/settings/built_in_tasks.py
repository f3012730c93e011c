"""The options of the tasks of this package, and what each task asks of a network."""

from dataclasses import dataclass
from typing import Any

from qrnn_circuits.choices import SERIES_NAMES, Labels, Reading, Reduction, ScaledBy, Target
from qrnn_circuits.registry import Registry
from qrnn_circuits.settings.task_options import TaskOptions, option

DATA_VARIABLE = "QRNN_DATA_DIR"
VARIABLE_FOLDER = f"${DATA_VARIABLE}"
"""The folder that the environment names, for networks that were trained elsewhere."""

VALIDATION = 5000
"""Training images of a raw database of digits that are the validation split."""

NO_FOLDERS = ("embedded", "download")
"""Sources of digits that are no folders."""

_READING = (
    "every: steps that are not scored are conditioned on an outcome; scored: their lane only "
    "carries the input, so that no shots are lost."
)


@dataclass(frozen=True)
class MemoriseOptions(TaskOptions):
    """Learn two sequences by heart: 0, 1, 2, 3, 0, 1, ... and 4, 4, 4, ....

    Every step is scored: the right answer is the next symbol.
    """

    length: int = option(20, "Steps of a sequence.")


@dataclass(frozen=True)
class QuotesOptions(TaskOptions):
    """Learn six famous lines by heart, letter by letter, in an alphabet of 32 characters.

    The lines begin with different letters, so that the first one tells which is meant. The right
    answer is the next character.
    """

    advice: bool = option(True, "Whether the network is told the consonants.")
    reading: Reading = option("every", _READING)


@dataclass(frozen=True)
class XorOptions(TaskOptions):
    """Predict every third bit of a stream: random bits a and b, then a XOR b, and so on.

    From Elman, Finding Structure in Time (1990). The step that reads b is scored.
    """

    length: int = option(36, "Steps of a sequence, at least 2.")
    reading: Reading = option("every", _READING)


@dataclass(frozen=True)
class LettersOptions(TaskOptions):
    """Predict the vowels after random consonants: ba, dii and guuu.

    From Elman, Finding Structure in Time (1990). Every step is scored; where any consonant may
    follow, the right answer is a symbol that says so.
    """

    length: int = option(36, "Steps of a sequence.")


@dataclass(frozen=True)
class DnaOptions(TaskOptions):
    """Remember one base: of a sequence of random bases, one in the first half is marked.

    Only the last step is scored: the right answer is the marked base.
    """

    length: int = option(20, "Steps of a sequence, at least 2.")
    reading: Reading = option("every", _READING)


@dataclass(frozen=True)
class DigitsOptions(TaskOptions):
    """Read a handwritten digit bit by bit, then name it; or, with --generate, draw one.

    A step brings in two pixels, or one bit of each coordinate with --reduce. The label after the
    last one is scored, and every step of a digit that is drawn.
    """

    digits: str = option("0,1", "Which digits, as 0,1 or 0-9 or 3,6-8.")
    labels: Labels = option("digit", "What is to be named: the digit, or even-odd.")
    generate: bool = option(False, "Draw digits in place of naming them.")
    reduce: Reduction | None = option(None, "Read coordinates in place of pixels: umap or pca.")
    dims: int | None = option(None, "Number of coordinates with --reduce, by default 2.")
    resolution: int | None = option(None, "Bits of each coordinate with --reduce, by default 4.")
    jitter: float = option(
        0.0,
        "Noise on coordinates of training images, drawn anew at each step: its standard deviation "
        "as a share of a coordinate's range.",
    )
    data: str = option(
        "embedded",
        f"Folder with MNIST files, by default ${DATA_VARIABLE}; or download; or embedded, the 8x8 "
        "digits of scikit-learn, the default without that variable.",
        words=(*NO_FOLDERS, VARIABLE_FOLDER),
        variable=DATA_VARIABLE,
    )
    deskewed: bool = option(False, "Read digits that have been set upright.")
    reading: Reading = option("every", _READING)
    omit_last: bool = option(False, "Leave the last data symbol out, as the paper does.")

    @property
    def default_recipe(self) -> str:
        """``"embedded"``, and of MNIST ``"drawing"`` or ``"pixels"``; or ``...coordinates``."""
        if self.reduce is not None:
            return "embedded-coordinates" if self.data == "embedded" else "coordinates"
        if self.data == "embedded":
            return "embedded"
        return "drawing" if self.generate else "pixels"


@dataclass(frozen=True)
class SequencesOptions(TaskOptions):
    """Predict each next symbol of the sequences in a file of yours, or a label after each of them.

    The symbols are the characters of a text, or the whole numbers of a table.
    """

    data: str = option("", "File of sequences: text, .csv or .npz.", words=())
    target: Target = option(
        "next", "next: each next symbol; label: a class at the end of each sequence."
    )
    length: int | None = option(
        None, "Steps of the pieces into which sequences, or a whole text, are cut."
    )
    validation_share: float | None = option(
        None, "Share of the sequences to watch a run on, by default 0.1."
    )
    test_share: float | None = option(
        None, "Share of the sequences to judge a network on, by default 0.1."
    )
    reading: Reading = option("scored", _READING)
    contents: dict[str, Any] | None = option(None, "What the file holds.", found=True)

    @property
    def default_recipe(self) -> str:
        """``"next"`` or ``"label"``, as the target is."""
        return self.target


@dataclass(frozen=True)
class ForecastOptions(TaskOptions):
    """Forecast a real series from a window of its past: a generated one, or columns of a CSV file.

    The first windows are trained on, the next watch the run, the last test the network.
    """

    series: str = option("", f"Generated series: {', '.join(SERIES_NAMES)}.")
    data: str = option("", "CSV file with a point in each row.", words=())
    columns: str | None = option(
        None, "Columns of the file that are known, by names or numbers with commas, by default all."
    )
    targets: str | None = option(None, "Columns to forecast, by default the same.")
    points: int | None = option(None, "Points to generate, by default 1000, or most to read.")
    window: int = option(4, "Points in a window.")
    horizon: int = option(1, "Points from a window's last to the one that is forecast.")
    scaling: ScaledBy = option(
        "training", "Points by which columns are scaled to [0, 1]: training, all or none."
    )
    validation_share: float = option(0.2, "Share of the windows to watch a run on.")
    test_share: float = option(0.2, "Share of the windows to judge a network on.")
    series_seed: int = option(0, "Of generated series with randomness.")
    contents: dict[str, Any] | None = option(None, "What the series holds.", found=True)


BUILT_IN_TASKS: dict[str, type[TaskOptions]] = {
    "memorise": MemoriseOptions,
    "quotes": QuotesOptions,
    "xor": XorOptions,
    "letters": LettersOptions,
    "dna": DnaOptions,
    "digits": DigitsOptions,
    "sequences": SequencesOptions,
    "forecast": ForecastOptions,
}
"""The options of every task of this package by the task's name."""

TASK_OPTIONS = Registry[TaskOptions]("task", "qrnn_circuits.tasks", TaskOptions)
"""The options of every task by its name; a task that is not of this package stands for its own."""

for _name, _options in BUILT_IN_TASKS.items():
    TASK_OPTIONS.register(_name, _options)
