"""Handwritten digits, read bit by bit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, get_args

import torch
from torch import Tensor

from qrnn_circuits.checks import check_bool, check_choice, check_integer, check_number
from qrnn_circuits.choices import Labels, Reduction
from qrnn_circuits.settings.built_in_tasks import NO_FOLDERS, DigitsOptions
from qrnn_circuits.tasks.digit_data import (
    EMBEDDED_SIDE,
    MNIST_SIDE,
    DigitSplit,
    DigitSplits,
    load_coordinates,
    load_embedded,
    load_embedded_coordinates,
    load_mnist,
    load_pixels,
    named_folder,
)
from qrnn_circuits.tasks.digit_labels import label_length, label_log_probs, label_name, spell_labels
from qrnn_circuits.tasks.images import quantise, unscan
from qrnn_circuits.tasks.mnist import download_mnist
from qrnn_circuits.tasks.task import Answers, Batch, Prompt, Task, check_reading, draw_evenly
from qrnn_circuits.tensors import first_parameter

if TYPE_CHECKING:
    from qrnn_circuits.network import RecurrentNetwork

_DIMS: Mapping[Reduction, tuple[int, int]] = {"umap": (2, 4), "pca": (1, 8)}
_DEFAULT_DIMS = 2
_DEFAULT_RESOLUTION = 4


@dataclass(frozen=True)
class Digits(DigitsOptions, Task):
    """Read a digit's pixels or coordinates and then name it, or draw it.

    A digit is read as ``data_steps`` data symbols. Naming: every data symbol is an input, and from
    the last one on ``label_steps`` scored steps spell the number of the digit's class, its most
    significant bits first; the input of a further label step is the label symbol before. All
    steps before the label are conditioned on 0, as in Bausch, arXiv:2006.14619, or unread. Drawing
    (``generate``): the first input is the class, each other input is the symbol before, and the
    outcome of step t, which is scored, is data symbol t.

    Attributes:
        digits: Which digits, as numbers and ranges: ``"0,1"``, ``"0-9"``, ``"3,6-8"``.
        labels: ``"digit"``: each digit is a class, numbered in ascending order; ``"even-odd"``:
            even digits are class 0 and odd digits are class 1.
        generate: Draw digits in place of naming them.
        reduce: Read coordinates in place of pixels, one bit of each a step: ``"umap"`` or
            ``"pca"``. They come from prepared files in a folder; the principal components of the
            embedded digits are found anew.
        dims: Number of coordinates with ``reduce``: 2 to 4 for UMAP and 1 to 8 for PCA, by
            default 2.
        resolution: Number of bits of each coordinate with ``reduce``, 1 to 8, by default 4.
        jitter: Standard deviation of the normal numbers that each batch adds to the coordinates of
            its training images before their bits are taken, as a share of a coordinate's range;
            needs ``reduce``. Points on the two sides of a border of cells have unlike bits, and
            with it training sees both.
        data: ``"embedded"``: 8x8 digits that come with scikit-learn; ``"download"``: MNIST,
            10x10; else a folder with MNIST files, or ``"$QRNN_DATA_DIR"`` for the folder that this
            environment variable names.
        deskewed: Read digits that have been set upright; needs the prepared file.
        reading: ``"every"``, or ``"scored"`` to leave all steps before the label unread.
        omit_last: Leave the last data symbol out, so that the label is named one step earlier, as
            in Bausch, arXiv:2006.14619; needs labels of one symbol.

    Example:
        >>> task = Digits(digits="0,1")
        >>> task.lane, task.data_steps, task.label_steps, task.default_recipe
        (2, 64, 1, 'embedded')
        >>> task.test().inputs.shape
        torch.Size([90, 64])
    """

    name: ClassVar[str] = "digits"

    @property
    def answer_unit(self) -> str:
        """``"images"``, or ``"scored_steps"`` where digits are drawn."""
        return super().answer_unit if self.generate else "images"

    @property
    def answers_need_runs(self) -> bool:
        """Whether a label has several symbols: it is the most probable of all strings."""
        return not self.generate and self.label_steps > 1

    def __post_init__(self) -> None:
        """Checks the options and fills in ``dims`` and ``resolution``.

        Raises:
            TypeError: If an option has the wrong type.
            ValueError: If an option is not acceptable, or not together with the others.
        """
        for name in ("generate", "deskewed", "omit_last"):
            check_bool(name, getattr(self, name))
        for name in ("digits", "data"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string, got {getattr(self, name)!r}")
        if not self.data:
            raise ValueError("data must be 'embedded', 'download' or a folder, got ''")
        check_reading(self.reading)
        check_choice("labels", self.labels, get_args(Labels))
        if check_number("jitter", self.jitter) > 1:
            raise ValueError(f"jitter must be at most 1, got {self.jitter}")
        if self.reduce is None:
            for name in ("dims", "resolution"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} needs reduce='umap' or reduce='pca'")
            if self.jitter:
                raise ValueError("jitter needs reduce='umap' or reduce='pca'")
        else:
            self._check_reduce(self.reduce)
        if self.deskewed and self.data in NO_FOLDERS:
            raise ValueError(
                f"deskewed needs data to be a folder with mnist-10x10-deskewed.npz, got "
                f"{self.data!r}"
            )
        if len(set(self._class_of_digit.values())) < 2 and not self.generate:
            raise ValueError(
                f"digits must be of at least two classes with labels={self.labels!r}, got "
                f"{self.digits!r}"
            )
        if self.omit_last and (self.generate or self.label_steps > 1 or self.data_steps < 1):
            raise ValueError(
                "omit_last needs labels of one symbol after two data symbols or more, got "
                f"generate={self.generate}, digits={self.digits!r}, resolution={self.resolution}"
            )
        if self.generate and self.classes > 2**self.lane:
            raise ValueError(
                f"generate takes at most {2**self.lane} classes, as many as there are symbols, got "
                f"digits={self.digits!r} with {self.classes}"
            )

    def _check_reduce(self, reduce: Reduction) -> None:
        if reduce not in get_args(Reduction):
            raise ValueError(f"reduce must be None or one of {get_args(Reduction)}, got {reduce!r}")
        if self.dims is None:
            object.__setattr__(self, "dims", _DEFAULT_DIMS)
        if self.resolution is None:
            object.__setattr__(self, "resolution", _DEFAULT_RESOLUTION)
        check_integer("dims", self.dims, *_DIMS[reduce])
        check_integer("resolution", self.resolution, 1, 8)
        if self.data in NO_FOLDERS and (reduce, self.data) != ("pca", "embedded"):
            raise ValueError(
                f"reduce needs data to be a folder with the prepared files, got {self.data!r} with "
                f"{reduce!r}; only the 'embedded' digits need none, and only for 'pca'"
            )
        for name in ("generate", "deskewed"):
            if getattr(self, name):
                raise ValueError(f"{name} works on pixels, so that reduce must be None")

    @property
    def lane(self) -> int:
        """Number of lane wires: 2 for two scans of the pixels, or one for each coordinate."""
        return 2 if self.dims is None else self.dims

    @property
    def classes(self) -> int:
        """Number of classes."""
        return max(self._class_of_digit.values()) + 1

    @property
    def side(self) -> int:
        """Height and width of the images in pixels."""
        return EMBEDDED_SIDE if self.data == "embedded" else MNIST_SIDE

    @property
    def data_steps(self) -> int:
        """Number of data symbols of a digit."""
        symbols = self.side**2 if self.resolution is None else self.resolution
        return symbols - self.omit_last

    @property
    def label_steps(self) -> int:
        """Number of symbols that spell a class."""
        return label_length(self.classes, self.lane)

    @cached_property
    def _class_of_digit(self) -> dict[int, int]:
        digits = parse_digits(self.digits)
        if self.labels == "even-odd":
            return {digit: digit % 2 for digit in digits}
        return {digit: number for number, digit in enumerate(digits)}

    @cached_property
    def _splits(self) -> DigitSplits:
        if self.data == "embedded" and self.reduce is None:
            splits = load_embedded()
        elif self.data == "embedded":
            splits = load_embedded_coordinates(list(self._class_of_digit), self.lane)
        elif self.data == "download":
            splits = load_mnist(download_mnist())
        elif self.reduce is None:
            splits = load_pixels(named_folder(self.data), deskewed=self.deskewed)
        else:
            splits = load_coordinates(named_folder(self.data), self.reduce, self.lane)
        return DigitSplits(*map(self._select, (splits.train, splits.validation, splits.test)))

    def _select(self, split: DigitSplit) -> DigitSplit:
        """The task's digits."""
        wanted = torch.tensor(list(self._class_of_digit))
        rows = torch.isin(split.digits, wanted)
        found = split.digits[rows]
        missing = set(wanted.tolist()) - set(found.tolist())
        if missing:
            raise ValueError(f"digits {sorted(missing)} do not occur in the data {self.data!r}")
        return DigitSplit(split.features[rows], found)

    @cached_property
    def _first_rows(self) -> Tensor:
        """Row of ``_splits.train`` at which each digit starts, and the number of rows."""
        counts = torch.unique_consecutive(self._splits.train.digits, return_counts=True)[1]
        return torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])

    def _sequences(self, split: DigitSplit) -> Batch:
        """Puts data symbols and classes in place."""
        features = split.features
        symbols = features if self.resolution is None else quantise(features, self.resolution)
        data = symbols[:, : self.data_steps].long()
        class_table = torch.zeros(10, dtype=torch.int64)
        for digit, number in self._class_of_digit.items():
            class_table[digit] = number
        classes = class_table[split.digits]
        if self.generate:
            inputs = torch.cat([classes[:, None], data[:, :-1]], 1)
            return Batch(inputs, data, torch.ones_like(data, dtype=torch.bool))
        labels = spell_labels(classes, self.label_steps, self.lane)
        inputs = torch.cat([data, labels[:, :-1]], 1)
        outcomes = torch.cat([torch.zeros_like(data[:, 1:]), labels], 1)
        scored = (torch.arange(outcomes.shape[1]) >= self.data_steps - 1).repeat(len(data), 1)
        return Batch(inputs, outcomes, scored).read(self.reading)

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draws digits with replacement, each equally often as far as ``size`` divides."""
        digits = draw_evenly(len(self._class_of_digit), size, generator)
        first, end = self._first_rows[digits], self._first_rows[digits + 1]
        fraction = torch.rand(size, generator=generator, dtype=torch.float64)
        rows = first + (fraction * (end - first)).long()
        train = self._splits.train
        features = train.features[rows]
        if self.jitter:
            noise = torch.randn(features.shape, generator=generator, dtype=torch.float64)
            features = (features + 256 * self.jitter * noise).round().clamp(0, 255).byte()
        return self._sequences(DigitSplit(features, train.digits[rows]))

    def validation(self) -> Batch:
        """The whole validation split of the chosen digits."""
        return self._sequences(self._splits.validation)

    def test(self) -> Batch:
        """The whole test split of the chosen digits."""
        return self._sequences(self._splits.test)

    def prompt(self, count: int, generator: torch.Generator) -> Prompt:
        """Classes in turn to draw, or random test digits to name."""
        check_integer("count", count, 1)
        if self.generate:
            present = torch.tensor(sorted(set(self._class_of_digit.values())))
            inputs = torch.zeros(count, self.data_steps, dtype=torch.int64)
            inputs[:, 0] = present[torch.arange(count) % len(present)]
            everywhere = torch.ones_like(inputs, dtype=torch.bool)
            return Prompt(inputs, torch.zeros_like(inputs), everywhere, autoregressive=True)
        test = self._splits.test
        rows = torch.randint(len(test.digits), (count,), generator=generator)
        batch = self._sequences(DigitSplit(test.features[rows], test.digits[rows]))
        return Prompt(batch.inputs, batch.outcomes, batch.scored, autoregressive=True)

    @property
    def class_names(self) -> Sequence[str]:
        """The digits, or even and odd; none where several symbols name one."""
        return () if self.generate or self.label_steps > 1 else self._names

    @property
    def _names(self) -> list[str]:
        names = {"digit": list(map(str, self._class_of_digit)), "even-odd": ["even", "odd"]}
        return names[self.labels]

    def describe(self, symbols: Tensor) -> list[str]:
        """The drawing as rows of text, or the name of the class.

        In a drawing ``#`` is ink, ``.`` is background, and ``+`` is a pixel that the two scans
        disagree on.
        """
        if self.generate:
            return [
                "\n".join("".join("#+."[int(2 * pixel)] for pixel in row) for row in image)
                for image in self.images(symbols).tolist()
            ]
        return [
            label_name(label, self._names, self.lane)
            for label in symbols[:, -self.label_steps :].tolist()
        ]

    def images(self, symbols: Tensor) -> Tensor:
        """Reads images back from pixel symbols.

        Args:
            symbols: Data symbols, shape ``(B, side**2)``: sampled outcomes with ``generate``, and
                the first ``data_steps`` inputs without.

        Returns:
            The mean of the two scans, 1 for background and 0 for ink, float32, shape
            ``(B, side, side)``.

        Raises:
            ValueError: If ``reduce`` is set or the shape is another.
        """
        if self.reduce is not None:
            raise ValueError(f"reduce={self.reduce!r} keeps no pixels to make images of")
        return unscan(symbols, self.side)

    @torch.no_grad()
    def answers(self, model: "RecurrentNetwork", batch: Batch, chunk: int = 500) -> Answers:
        """Asks a network for the label of every digit, or with ``generate`` for every symbol.

        The most probable label is found among all strings of ``label_steps`` symbols, with their
        exact probabilities; a string that is no label is a wrong answer.

        Args:
            model: The network.
            batch: The questions.
            chunk: Number of digits that are read at a time, at least 1.

        Returns:
            One answer per digit, on the CPU; with ``generate`` one per symbol.

        Raises:
            ValueError: If ``chunk`` is less than 1.
        """
        if self.generate:
            return super().answers(model, batch, chunk)
        check_integer("chunk", chunk, 1)
        device = first_parameter(model).device
        symbols = 2**model.cell.lane
        places = symbols ** torch.arange(self.label_steps - 1, -1, -1)
        correct, probability = [], []
        for part in batch.chunks(chunk):
            log_probs = label_log_probs(model, part.to(device), self.label_steps).cpu()
            right = (part.outcomes[:, -self.label_steps :] * places).sum(1)
            correct.append(log_probs.argmax(1) == right)
            probability.append(log_probs.gather(1, right[:, None])[:, 0].exp())
        return Answers(torch.cat(correct), torch.cat(probability))


def parse_digits(text: str) -> list[int]:
    """Reads a choice of digits such as ``"0,1"``, ``"0-9"`` or ``"3,6-8"``.

    Returns:
        The digits, ascending.

    Raises:
        ValueError: If the text is something else or names a digit twice.
    """
    digits: list[int] = []
    for part in text.split(","):
        ends = part.strip().split("-")
        if len(ends) > 2 or not all(len(end) == 1 and end in "0123456789" for end in ends):
            raise ValueError(f"digits must be like '0,1', '0-9' or '3,6-8', got {text!r}")
        first, last = int(ends[0]), int(ends[-1])
        if first > last:
            raise ValueError(
                f"digits has a range that runs backwards: {part.strip()!r} in {text!r}"
            )
        digits += range(first, last + 1)
    if len(set(digits)) < len(digits):
        raise ValueError(f"digits must name each digit once, got {text!r}")
    return sorted(digits)
