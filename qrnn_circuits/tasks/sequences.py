"""Sequences of the user's own: text, or whole numbers from a CSV or NPZ file."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, get_args

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from qrnn_circuits.bounded_readers.files import brief, full_path
from qrnn_circuits.cells.base import PADDING
from qrnn_circuits.checks import check_choice, check_integer, check_number
from qrnn_circuits.settings.built_in_tasks import SequencesOptions
from qrnn_circuits.tasks.digit_labels import label_name
from qrnn_circuits.tasks.sequence_data import (
    MOST_SYMBOLS,
    SequenceData,
    SequencePart,
    pieces,
    read_sequences,
    split_sequences,
)
from qrnn_circuits.tasks.sequence_files import MOST_SEQUENCES, PARTS, Target, short
from qrnn_circuits.tasks.task import Batch, Prompt, Task, check_reading, draw_evenly, spell

_DEFAULT_SHARE = 0.1


@dataclass(frozen=True)
class Contents:
    """What must be known of a file to build a network for it, and to sample from that.

    Attributes:
        alphabet: The characters of a text in the order of their symbols; empty for numbers.
        symbols: Number of different symbols.
        classes: Names of the classes in their order; empty without labels.
        starts: The symbols with which training sequences begin.
        longest: Most steps of a sequence.
        checksum: SHA-256 of the file, in hexadecimal.
    """

    alphabet: str
    symbols: int
    classes: Sequence[str]
    starts: Sequence[int]
    longest: int
    checksum: str

    def __post_init__(self) -> None:
        """Checks what may come from a file.

        Raises:
            TypeError: If something has the wrong type.
            ValueError: If something is out of range.
        """
        for name in ("alphabet", "checksum"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string, got {brief(repr(getattr(self, name)))}")
        check_integer("symbols", self.symbols, 2, MOST_SYMBOLS)
        check_integer("longest", self.longest, 1)
        for name in ("classes", "starts"):
            if not isinstance(getattr(self, name), list):
                raise TypeError(f"{name} must be a list, got {brief(repr(getattr(self, name)))}")
        for start in self.starts:
            check_integer("starts", start, 0, self.symbols - 1)
        if self.alphabet and len(self.alphabet) != self.symbols:
            raise ValueError(
                f"alphabet must have {self.symbols} characters, got {len(self.alphabet)}"
            )
        if not all(isinstance(name, str) for name in self.classes):
            raise TypeError(f"classes must be strings, got {self.classes!r}")
        if len(self.classes) > MOST_SYMBOLS or not self.starts:
            raise ValueError("contents must have starts, and at most 256 classes")


@dataclass(frozen=True)
class _Part:
    """Some sequences, filled up with padding, and the number of steps of each."""

    steps: Batch
    lengths: Tensor

    def rows(self, rows: Tensor) -> Batch:
        """Some of the sequences, with no more steps than the longest of them has."""
        longest = int(self.lengths[rows].max())
        return Batch(*(each[rows, :longest] for each in self.steps.tensors))


@dataclass(frozen=True)
class Sequences(SequencesOptions, Task):
    r"""Predict each next symbol of the sequences in a file, or a label after each of them.

    Sequences may be of unequal length. The lane takes as many wires as the alphabet and the classes
    need. A text's alphabet are its characters, sorted; see
    :func:`~qrnn_circuits.tasks.sequence_data.read_sequences` for what a file may hold.

    Next symbols: every step is scored and conditioned on the symbol that follows. Labels: the step
    that reads the last symbol is scored, and its outcome is the number of the class; all steps
    before it are unread, or conditioned on 0.

    Attributes:
        data: The file: text, ``.csv`` or ``.npz``.
        target: ``"next"`` or ``"label"``.
        length: For next symbols, steps of the pieces into which sequences are cut; all lines of a
            text are then one sequence. None to take lines and rows as they are.
        validation_share: Share of the sequences, by default 0.1, that runs are watched on. With 0
            they are the training sequences. A file that splits its sequences leaves no choice.
        test_share: Share of the sequences, by default 0.1, that networks are judged on, with the
            same meaning of 0.
        reading: ``"scored"`` to leave all steps before a label unread, or ``"every"``.
        contents: What is known of the file, see :class:`Contents`: kept with a run, which can so be
            loaded without the file.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("greetings.txt").write_text("hello\nhowdy\nhi\n")
        >>> task = Sequences(data="greetings.txt", validation_share=0, test_share=0)
        >>> task.contents["alphabet"], task.lane
        ('dehilowy', 3)
        >>> batch = task.test()
        >>> task.describe(batch.outcomes), batch.scored.sum(1).tolist()
        (['ello', 'owdy', 'i'], [4, 4, 1])
    """

    name: ClassVar[str] = "sequences"

    def __post_init__(self) -> None:
        """Checks the options, and reads the file unless its contents are known.

        Raises:
            FileNotFoundError: If there is no such file.
            TypeError: If an option has the wrong type.
            ValueError: If an option or the file is not acceptable.
        """
        if not isinstance(self.data, str):
            raise TypeError(f"data must be a string, got {self.data!r}")
        if not self.data:
            raise ValueError("data must name a file of text, .csv or .npz: give --data FILE")
        object.__setattr__(self, "data", str(full_path(self.data)))
        check_choice("target", self.target, get_args(Target))
        check_reading(self.reading)
        if self.length is not None:
            check_integer("length", self.length, 1)
            if self.target == "label":
                raise ValueError(
                    f"length is for target='next', got {self.length} with target='label', whose "
                    "sequences are read as a whole"
                )
        if sum(self._shares) >= 1:
            raise ValueError(
                "validation_share and test_share must leave something to train on, got "
                f"{self._shares[0]:g} and {self._shares[1]:g}"
            )
        if self.contents is None:
            object.__setattr__(self, "contents", dataclasses.asdict(self._read()))
        _ = self._contents

    @property
    def _shares(self) -> tuple[float, float]:
        shares = []
        for name in ("validation_share", "test_share"):
            share = getattr(self, name)
            shares.append(_DEFAULT_SHARE if share is None else check_number(name, share))
        return shares[0], shares[1]

    def _read(self) -> Contents:
        """What the file holds now."""
        data, train = self._data, self._parts[0]
        return Contents(
            alphabet=data.alphabet,
            symbols=data.symbols,
            classes=list(data.classes),
            starts=sorted({int(sequence[0]) for sequence in train.sequences}),
            longest=max(int(part.lengths.max()) for part in self._batches.values()),
            checksum=data.checksum,
        )

    @cached_property
    def _contents(self) -> Contents:
        names = [field.name for field in dataclasses.fields(Contents)]
        if not isinstance(self.contents, dict) or set(self.contents) != {*names}:
            raise ValueError(f"contents must be a table of {', '.join(names)}: leave it out")
        return Contents(**self.contents)

    @cached_property
    def _data(self) -> SequenceData:
        data = read_sequences(Path(self.data), self.target, whole=self.length is not None)
        if data.parts is not None and (self.validation_share, self.test_share) != (None, None):
            raise ValueError(
                f"validation_share and test_share must be left out: {self.data} splits its "
                "sequences itself"
            )
        if self.contents is not None and data.checksum != self._contents.checksum:
            raise ValueError(
                f"{self.data} is not the file that the run began with: its SHA-256 is "
                f"{data.checksum}, not {brief(self._contents.checksum)}"
            )
        return data

    @cached_property
    def _parts(self) -> tuple[SequencePart, SequencePart, SequencePart]:
        return split_sequences(self._data, *self._shares, cut=self.length is not None)

    @cached_property
    def _batches(self) -> dict[str, _Part]:
        """The steps of all sequences of each part."""
        return dict(zip(PARTS, map(self._steps, self._parts), strict=True))

    def _steps(self, part: SequencePart) -> _Part:
        """Puts symbols and labels in place."""
        rows = [torch.from_numpy(sequence) for sequence in part.sequences]
        if self.length is not None:
            count = sum(-(-(len(each) - 1) // self.length) for each in part.sequences)
            if count > MOST_SEQUENCES:
                raise ValueError(
                    f"length must be longer: it cuts {self.data} into {count:,} pieces, and at "
                    f"most {MOST_SEQUENCES:,} are accepted, got {self.length}"
                )
            cut = (pieces(sequence, self.length) for sequence in part.sequences)
            rows = [torch.from_numpy(piece) for each in cut for piece in each]
        symbols = pad_sequence(rows, batch_first=True).long()
        lengths = torch.tensor([len(row) for row in rows])
        step = torch.arange(symbols.shape[1])
        if part.labels is None:
            lengths = lengths - 1
            over = step[:-1] >= lengths[:, None]
            outcomes = symbols[:, 1:].masked_fill(over, PADDING)
            return _Part(Batch(symbols[:, :-1], outcomes, ~over), lengths)
        last = step == lengths[:, None] - 1
        labels = torch.from_numpy(part.labels)[:, None]
        outcomes = torch.where(last, labels, 0).masked_fill(step >= lengths[:, None], PADDING)
        return _Part(Batch(symbols, outcomes, last).read(self.reading), lengths)

    @property
    def found(self) -> str:
        """How many sequences and which symbols and classes the file holds."""
        contents = self._contents
        counts = (len(self._batches[part].lengths) for part in PARTS)
        text = "sequences to train on, validate by and test by: {}, {} and {}".format(*counts)
        text += f"; of at most {contents.longest} step(s) and {contents.symbols} symbols"
        if contents.alphabet:
            text += f", {short(contents.alphabet)}"
        if contents.classes:
            text += f"; {len(contents.classes)} classes, {brief(', '.join(contents.classes))}"
        train, _, test = ([each.tobytes() for each in part.sequences] for part in self._parts)
        if shared := 0 if train == test else sum(map(set(train).__contains__, test)):
            text += f"; {shared} of those to test by are also trained on"
        return text

    @property
    def answer_unit(self) -> str:
        """``"sequences"`` with labels, else ``"scored_steps"``."""
        return "sequences" if self.target == "label" else super().answer_unit

    @property
    def class_names(self) -> Sequence[str]:
        """The classes of labels."""
        return self._contents.classes

    @property
    def lane(self) -> int:
        """Number of lane wires, as many as the symbols and the classes need."""
        most = max(self._contents.symbols, len(self._contents.classes))
        return (most - 1).bit_length()

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draws training sequences, each equally often as far as ``size`` divides."""
        check_integer("size", size, 1)
        train = self._batches["train"]
        return train.rows(draw_evenly(len(train.lengths), size, generator))

    def validation(self) -> Batch:
        """The sequences of the validation."""
        return self._batches["validation"].steps

    def test(self) -> Batch:
        """The sequences of the test."""
        return self._batches["test"].steps

    def prompt(self, count: int, generator: torch.Generator) -> Prompt:
        """Symbols that training sequences begin with, or random test sequences to name."""
        check_integer("count", count, 1)
        if self.target == "label":
            test = self._batches["test"]
            batch = test.rows(torch.randint(len(test.lengths), (count,), generator=generator))
            return Prompt(batch.inputs, batch.outcomes, batch.scored, autoregressive=False)
        starts = torch.tensor(self._contents.starts)
        inputs = torch.zeros(count, self._contents.longest, dtype=torch.int64)
        inputs[:, 0] = starts[torch.randint(len(starts), (count,), generator=generator)]
        everywhere = torch.ones_like(inputs, dtype=torch.bool)
        return Prompt(inputs, torch.zeros_like(inputs), everywhere, autoregressive=True)

    def describe_sample(self, prompt: Prompt, symbols: Tensor) -> list[str]:
        """The first symbol and those that follow, or sequences with the classes that are drawn."""
        if self.target == "next":
            return self.describe(torch.cat([prompt.inputs[:, :1], symbols], 1))
        given = prompt.inputs.masked_fill(prompt.outcomes == PADDING, PADDING)
        pairs = zip(self._spell(given), self.describe(symbols), strict=True)
        return [f"{sequence}: {name}" for sequence, name in pairs]

    def describe(self, symbols: Tensor) -> list[str]:
        """The characters or numbers that follow, or the names of the classes."""
        if self.target == "next":
            return self._spell(symbols)
        last = (symbols != PADDING).sum(1, keepdim=True) - 1
        return [
            label_name(label, self._contents.classes, self.lane)
            for label in symbols.gather(1, last).tolist()
        ]

    def _spell(self, symbols: Tensor) -> list[str]:
        """The characters or numbers of sequences."""
        texts = self._contents.alphabet or [f"{number} " for number in range(2**self.lane)]
        return [text.rstrip(" ") or text for text in spell(symbols, texts)]
