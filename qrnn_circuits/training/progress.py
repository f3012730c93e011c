"""What a training run shows while it goes on."""

import time
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.validation import Validation

# Seconds, near the longest that timedelta has.
_LONGEST = 8e13


class Progress:
    """Is told how a run goes; this one shows nothing.

    Example:
        >>> from qrnn_circuits.training import Progress, RunConfig, Trainer
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> Trainer.start(config, Path("run")).run(Progress()).step
        2
    """

    def start(self, config: RunConfig, step: int, last: Validation | None) -> None:
        """Begins the display.

        Args:
            config: Of the run.
            step: Optimiser steps taken before.
            last: The latest validation, if there was one.
        """

    def step(self, step: int, loss: float) -> None:
        """Takes note of a step and its training loss."""

    def validation(self, validation: Validation) -> None:
        """Takes note of a validation."""

    def retreat(self, step: int, best_step: int) -> None:
        """Takes note that the run goes on from its best checkpoint.

        Args:
            step: Optimiser steps taken so far.
            best_step: Optimiser steps behind the checkpoint.
        """

    def restart(self, step: int, trial: int) -> None:
        """Takes note that the run starts anew.

        Args:
            step: Optimiser steps taken so far.
            trial: Number of the trial that begins, from 1.
        """

    def stop(self) -> None:
        """Ends the display, also where a run ends with an error."""


class LineProgress(Progress):
    """Prints a line at every validation: for logs and pipes.

    Args:
        console: Of rich, to print to.

    Example:
        >>> import io
        >>> progress = LineProgress(Console(file=io.StringIO()))
        >>> progress.step(1, loss=0.5)
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._loss = "-"

    def start(self, config: RunConfig, step: int, last: Validation | None) -> None:
        """Starts the clock."""
        self._steps = config.steps
        self._first_step = step
        self._of_series = config.of_series
        self._started = time.monotonic()

    def step(self, step: int, loss: float) -> None:
        """Keeps the loss for the next line."""
        self._loss = f"{loss:.4g}"

    def validation(self, validation: Validation) -> None:
        """Prints the line."""
        speed = (validation.step - self._first_step) / (time.monotonic() - self._started)
        left = (self._steps - validation.step) / speed
        self._print(
            f"step {validation.step}/{self._steps}  loss {self._loss}  "
            f"{_figures(validation, self._of_series)}  {speed:.3g} steps/s  {_duration(left)} left"
        )

    def retreat(self, step: int, best_step: int) -> None:
        """Prints what happened."""
        self._print(
            f"step {step}: back to the best checkpoint, of step {best_step}, at half the rate"
        )

    def restart(self, step: int, trial: int) -> None:
        """Prints what happened."""
        self._print(f"step {step}: trial {trial + 1} begins, with other initial parameters")

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


class LiveProgress(LineProgress):
    """Keeps a bar and the latest figures at the bottom of a terminal, below what else happened.

    Args:
        console: Of rich, on a terminal.

    Example:
        >>> progress = LiveProgress(Console(force_terminal=True))
        >>> isinstance(progress, Progress)
        True
    """

    def start(self, config: RunConfig, step: int, last: Validation | None) -> None:
        """Shows the display."""
        self._validation = last
        self._of_series = config.of_series
        self._bar = Bar(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=None),
            TextColumn("step {task.completed}/{task.total}"),
            _SpeedColumn(table_column=Column(no_wrap=True)),
            expand=True,
        )
        self._task = self._bar.add_task(config.task, total=config.steps, completed=step)
        self._live = Live(console=self._console, get_renderable=self._render)
        self._live.start(refresh=True)

    def step(self, step: int, loss: float) -> None:
        """Moves the bar."""
        super().step(step, loss)
        self._bar.update(self._task, completed=step)

    def validation(self, validation: Validation) -> None:
        """Replaces the figures."""
        self._validation = validation

    def stop(self) -> None:
        """Leaves the last state of the display on the terminal."""
        self._live.stop()

    def _render(self) -> RenderableType:
        figures = "none yet"
        if self._validation is not None:
            figures = _figures(self._validation, self._of_series)
        return Group(self._bar, Text(f"loss {self._loss}  validation: {figures}"))


class _SpeedColumn(ProgressColumn):
    """Steps per second and the time left."""

    def render(self, task: Task) -> Text:
        """The text of the column."""
        if not task.speed:
            return Text("- steps/s")
        left = (task.remaining or 0) / task.speed
        return Text(f"{task.speed:.3g} steps/s  {_duration(left)} left")


def progress_for(console: Console) -> Progress:
    """The display that suits where the console writes to.

    Example:
        >>> import io
        >>> type(progress_for(Console(file=io.StringIO()))).__name__
        'LineProgress'
    """
    return LiveProgress(console) if is_live(console) else LineProgress(console)


def is_live(console: Console) -> bool:
    """Whether a display can be redrawn where the console writes to.

    Example:
        >>> import io
        >>> is_live(Console(file=io.StringIO()))
        False
    """
    return console.file.isatty() and not console.is_dumb_terminal


def _figures(validation: Validation, of_series: bool) -> str:
    if of_series:
        return f"mean squared error {validation.loss:.3g}  normalised error {validation.error:.3g}"
    return (
        f"error {validation.error:.2%} (sampled {validation.sampled_error:.2%})  "
        f"acceptance {_share(validation.log10_acceptance)}"
    )


def _share(log10: float) -> str:
    """A share in percent, or as a power of ten where it is below a thousandth."""
    return f"{10**log10:.1%}" if log10 >= -3 else f"10^{log10:.1f}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(min(seconds, _LONGEST))))
