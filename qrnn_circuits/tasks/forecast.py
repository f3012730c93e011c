"""Forecasts of real series: generated ones, or columns of the user's own file."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np
import torch
from torch import Tensor

from qrnn_circuits.bounded_readers.files import brief, full_path
from qrnn_circuits.checks import check_choice, check_integer, check_number
from qrnn_circuits.choices import ScaledBy as ScaledBy
from qrnn_circuits.settings.built_in_tasks import ForecastOptions
from qrnn_circuits.tasks.base import BaseBatch, BaseTask
from qrnn_circuits.tasks.sequence_files import PARTS
from qrnn_circuits.tasks.series_data import (
    Columns,
    Scaling,
    Table,
    Values,
    cut_windows,
    read_table,
    split_ends,
    window_count,
)
from qrnn_circuits.tasks.series_generators import GENERATORS

_POINTS = 1000
# So that windows of all points fit into memory.
_MOST_POINTS = 10**6
_MOST_ENTRIES = 2**25


@dataclass(frozen=True)
class SeriesBatch(BaseBatch):
    """Windows of a series and what is to be forecast from each.

    Attributes:
        inputs: Scaled values of each step, float64, shape ``(B, T, F)``.
        targets: Scaled values to be forecast, float64, shape ``(B, K)``.

    Example:
        >>> batch = Forecast(series="bessel", points=50, window=4).test()
        >>> len(batch), batch.inputs.shape[1:], batch.targets.shape[1:]
        (9, torch.Size([4, 1]), torch.Size([1]))
    """

    inputs: Tensor
    targets: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """Both fields."""
        return self.inputs, self.targets

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self)


@dataclass(frozen=True)
class SeriesContents:
    """What must be known of a series to build a network for it, and to read its forecasts.

    Attributes:
        inputs: Names of the columns that are known.
        targets: Names of the columns to be forecast.
        low: The least value of each target, which is scaled to 0.
        span: The range of each target.
        checksum: SHA-256 of the file, in hexadecimal; empty for a generated series.
    """

    inputs: Sequence[str]
    targets: Sequence[str]
    low: Sequence[float]
    span: Sequence[float]
    checksum: str

    def __post_init__(self) -> None:
        """Checks what may come from a file.

        Raises:
            TypeError: If something has the wrong type.
            ValueError: If something is out of range.
        """
        if not isinstance(self.checksum, str):
            raise TypeError(f"checksum must be a string, got {brief(repr(self.checksum))}")
        for name, kind in (("inputs", str), ("targets", str), ("low", float), ("span", float)):
            values = getattr(self, name)
            if not isinstance(values, list) or not all(isinstance(each, kind) for each in values):
                raise TypeError(
                    f"{name} must be a list of {kind.__name__}, got {brief(repr(values))}"
                )
        if not self.inputs or not len(self.targets) == len(self.low) == len(self.span) >= 1:
            raise ValueError("contents must have inputs, and low and span for each target")
        if not np.isfinite([*self.low, *self.span]).all() or min(self.span) <= 0:
            raise ValueError("contents must have finite low and positive span")

    @property
    def scaling(self) -> Scaling:
        """Of the targets."""
        return Scaling(np.array(self.low), np.array(self.span))


@dataclass(frozen=True)
class Forecast(ForecastOptions, BaseTask[SeriesBatch]):
    r"""Forecast a real series from a window of its past.

    Every window of ``window`` points is a sequence, and the values ``horizon`` points after its
    last one are to be forecast. Windows are shared out in order of time: the first to train on, the
    next to watch the run, the last to test. A generated series of which some columns drive the
    others, such as NARMA's, is forecast from what drives it.

    Attributes:
        series: Name of a generated series, a key of
            :data:`~qrnn_circuits.tasks.series_generators.GENERATORS`.
        data: In place of it a CSV file with a point in each row.
        columns: The columns of the file that are known, by names or numbers from 1 with commas; all
            of them by default.
        targets: The columns to be forecast, by default the same.
        points: Number of points that are generated, by default 1,000, or most that are read.
        window: Points in a window.
        horizon: Points from the last of a window to the one that is forecast.
        scaling: By which points each column is scaled to [0, 1]: ``"training"``, or ``"all"``, as
            published benchmarks do, or ``"none"``.
        validation_share: Share of the windows that runs are watched on.
        test_share: Share of the windows that networks are judged on.
        series_seed: Of generated series with randomness.
        contents: What is known of the series, see :class:`SeriesContents`: kept with a run, which
            can so be loaded without the file.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("rain.csv").write_text("day,mm\n" + "mon,1.5\ntue,2\nwed,0.5\n" * 10)
        >>> task = Forecast(data="rain.csv", window=3)
        >>> task.contents["inputs"], len(task.test())
        (['mm'], 5)
        >>> task.unscaled(task.test().targets[:1]).tolist()
        [[2.0]]
    """

    name: ClassVar[str] = "forecast"

    def __post_init__(self) -> None:
        """Checks the options, and reads or generates the series unless its contents are known.

        Raises:
            FileNotFoundError: If there is no such file.
            ImportError: If the series needs a package that is not installed.
            TypeError: If an option has the wrong type.
            ValueError: If an option or the file is not acceptable.
        """
        for name in ("series", "data"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a string, got {getattr(self, name)!r}")
        for name in ("columns", "targets"):
            if not isinstance(getattr(self, name), str | None):
                raise TypeError(
                    f"{name} must be a string, names or numbers of columns with commas between "
                    f"them, got {brief(repr(getattr(self, name)))}"
                )
        if bool(self.series) == bool(self.data):
            found = "both" if self.series else "neither"
            raise ValueError(
                f"series or data must say what to forecast, got {found}: give --series with one of "
                f"{', '.join(GENERATORS)}, or --data FILE"
            )
        if self.series:
            check_choice("series", self.series, GENERATORS)
            for name in ("columns", "targets"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name} is for columns of a file, got {getattr(self, name)!r} with the "
                        f"series {self.series!r}"
                    )
        else:
            object.__setattr__(self, "data", str(full_path(self.data)))
            if self.series_seed:
                raise ValueError(
                    f"series_seed is for a generated series, got {self.series_seed!r} with data"
                )
        if self.points is not None:
            check_integer("points", self.points, 3, _MOST_POINTS)
        check_integer("window", self.window, 1)
        check_integer("horizon", self.horizon, 1)
        check_integer("series_seed", self.series_seed, 0)
        check_choice("scaling", self.scaling, get_args(ScaledBy))
        for name in ("validation_share", "test_share"):
            object.__setattr__(self, name, check_number(name, getattr(self, name)))
        if self.contents is None:
            object.__setattr__(self, "contents", dataclasses.asdict(self._found))
        _ = self._contents

    @cached_property
    def _contents(self) -> SeriesContents:
        names = [field.name for field in dataclasses.fields(SeriesContents)]
        if not isinstance(self.contents, dict) or set(self.contents) != {*names}:
            raise ValueError(f"contents must be a table of {', '.join(names)}: leave it out")
        return SeriesContents(**self.contents)

    @property
    def features(self) -> int:
        """Number F of values that are known of each step."""
        return len(self._contents.inputs)

    @property
    def target_names(self) -> tuple[str, ...]:
        """A name for each of the K values that are forecast."""
        return tuple(self._contents.targets)

    @property
    def forecasts_its_inputs(self) -> bool:
        """Whether the values that are forecast are those that are known."""
        return self._contents.inputs == self._contents.targets

    @property
    def known_targets(self) -> Sequence[int] | None:
        """The place of each target among the values that are known, or None if one is not."""
        inputs, targets = list(self._contents.inputs), self._contents.targets
        return [inputs.index(n) for n in targets] if set(targets) <= set(inputs) else None

    @property
    def found(self) -> str:
        """How many points of which columns the file holds, and which columns are left out."""
        if not self.data:
            return ""
        points, contents = len(self._series[0].values), self._contents
        counts = (len(self._parts[part]) for part in PARTS)
        text = f"{points:,} points of {brief(', '.join(contents.inputs))}"
        if not self.forecasts_its_inputs:
            text += f", to forecast {brief(', '.join(contents.targets))}"
        if not self._file.has_header:
            text += " (the first row is a point, since it holds numbers)"
        text += "; windows to train on, validate by and test by: {}, {} and {}".format(*counts)
        used = {"", *contents.inputs, *contents.targets}
        if left_out := [name for name in self._file.names if name not in used]:
            text += f"; left out: {brief(', '.join(left_out))}"
        return text

    def unscaled(self, targets: Tensor) -> Tensor:
        """Forecasts in the units of the series.

        Args:
            targets: Scaled, shape ``(..., K)``.
        """
        return torch.from_numpy(self._contents.scaling.undo(targets.double().cpu().numpy()))

    @cached_property
    def _file(self) -> Table:
        return read_table(Path(self.data))

    @cached_property
    def _series(self) -> tuple[Columns, Columns]:
        """The columns that are known and those to be forecast, in their own units."""
        if self.series:
            made = GENERATORS[self.series](self.points or _POINTS, self.series_seed)
            return Columns(made.input_names, made.inputs), Columns(made.target_names, made.targets)
        inputs = self._file.chosen("columns", self.columns, self.points)
        if self.targets is None:
            return inputs, inputs
        return inputs, self._file.chosen("targets", self.targets, self.points)

    @cached_property
    def _found(self) -> SeriesContents:
        """What the series holds now."""
        inputs, targets = self._series
        _ = self._scaled
        low, span = (each.tolist() for each in (self._scalings[1].low, self._scalings[1].span))
        checksum = self._file.checksum if self.data else ""
        return SeriesContents(list(inputs.names), list(targets.names), low, span, checksum)

    @cached_property
    def _ends(self) -> Sequence[int]:
        """Where the windows of each part end."""
        points, features = self._series[0].values.shape
        count = window_count(points, self.window, self.horizon)
        if count * self.window * features > _MOST_ENTRIES:
            raise ValueError(
                f"window must be shorter, or points fewer: {count:,} windows of {self.window} are "
                f"more than {_MOST_ENTRIES:,} values"
            )
        return [*split_ends(count, self.validation_share, self.test_share), count]

    @cached_property
    def _scalings(self) -> tuple[Scaling, Scaling]:
        """Of what is known and of what is to be forecast."""
        if self.scaling == "none":
            first, second = (Scaling.none(each.values.shape[1]) for each in self._series)
            return first, second
        known, forecast = (None, None)
        if self.scaling == "training":
            # The last training window, and what is forecast from it.
            known = self._ends[0] + self.window - 1
            forecast = known + self.horizon
        inputs, targets = self._series
        # A column that is both is scaled once.
        ends = [forecast if name in targets.names else known for name in inputs.names]
        return (
            Scaling.fitted(inputs, ends),
            Scaling.fitted(targets, [forecast] * len(targets.names)),
        )

    @cached_property
    def _scaled(self) -> tuple[Values, Values]:
        """What is known and what is to be forecast, scaled."""
        (known, forecast), (inputs, targets) = self._scalings, self._series
        return known.apply(inputs), forecast.apply(targets)

    @cached_property
    def _parts(self) -> dict[str, SeriesBatch]:
        """The windows of each part, in order of time."""
        found, known = self._found, self._contents
        # Another machine may round a generated series otherwise.
        for what in ("inputs", "targets", "checksum"):
            if getattr(found, what) != getattr(known, what):
                raise ValueError(
                    f"{self.data or self.series} is not what the run began with: its {what} was "
                    f"{brief(getattr(known, what))}, and now is {brief(getattr(found, what))}"
                )
        windows, wanted = cut_windows(*self._scaled, self.window, self.horizon)
        cuts = zip([0, *self._ends], self._ends, strict=False)
        return {
            part: SeriesBatch(
                torch.from_numpy(windows[first:last].copy()),
                torch.from_numpy(wanted[first:last].copy()),
            )
            for part, (first, last) in zip(PARTS, cuts, strict=True)
        }

    def batch(self, size: int, generator: torch.Generator) -> SeriesBatch:
        """Draws training windows without repetition: all of them where there are no more."""
        check_integer("size", size, 1)
        train = self._parts["train"]
        return train.rows(torch.randperm(len(train), generator=generator)[:size])

    def training(self) -> SeriesBatch:
        """All windows to train on, in order of time."""
        return self._parts["train"]

    def validation(self) -> SeriesBatch:
        """The windows of the validation, in order of time."""
        return self._parts["validation"]

    def test(self) -> SeriesBatch:
        """The windows of the test, in order of time."""
        return self._parts["test"]
