import io
import re
from collections.abc import Callable

from rich.console import Console

from qrnn_circuits.training import (
    LineProgress,
    LiveProgress,
    Progress,
    RunConfig,
    Validation,
    progress_for,
)

Tiny = Callable[..., RunConfig]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watch(progress: Progress, config: RunConfig) -> None:
    """Tells a display of 12 steps with validations, a retreat and a restart."""
    progress.start(config, 0, None)
    for step in range(1, 13):
        progress.step(step, 0.5 + step)
        if step % 4 == 0:
            progress.validation(Validation(step, 0.3, 0.0625, 0.25, -3.25))
        if step == 9:
            progress.retreat(9, 4)
            progress.restart(9, 1)
    progress.stop()


def test_a_pipe_gets_one_plain_line_per_validation(tiny: Tiny) -> None:
    file = io.StringIO()
    progress = progress_for(Console(file=file))
    assert type(progress) is LineProgress
    watch(progress, tiny())
    lines = file.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[2] == "step 9: back to the best checkpoint, of step 4, at half the rate"
    assert lines[3] == "step 9: trial 2 begins, with other initial parameters"
    assert re.fullmatch(
        r"step 8/12  loss 8\.5  error 6\.25% \(sampled 25\.00%\)  acceptance 10\^-3\.2  "
        r"[\d.e+]+ steps/s  \d:\d\d:\d\d left",
        lines[1],
    )


def test_a_terminal_gets_a_live_display_with_every_figure(tiny: Tiny) -> None:
    file = Terminal()
    progress = progress_for(Console(file=file, width=100, force_terminal=True))
    assert isinstance(progress, LiveProgress)
    watch(progress, tiny())
    assert "back to the best checkpoint, of step 4" in file.getvalue()
    assert "trial 2 begins" in file.getvalue()
    last = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", file.getvalue()).splitlines()[-2:]
    assert re.search(r"xor .* step 12/12 .*steps/s +\d:\d\d:\d\d left", last[0])
    assert last[1].strip() == (
        "loss 12.5  validation: error 6.25% (sampled 25.00%)  acceptance 10^-3.2"
    )


def test_a_share_that_many_shots_keep_is_told_in_percent(tiny: Tiny) -> None:
    file = io.StringIO()
    progress = LineProgress(Console(file=file))
    progress.start(tiny(), 0, None)
    for log10_acceptance in (0.0, -0.25):
        progress.validation(Validation(4, 0.3, 0.0625, 0.25, log10_acceptance))
    progress.stop()
    assert re.findall(r"acceptance (\S+)", file.getvalue()) == ["100.0%", "56.2%"]


def test_a_dumb_terminal_gets_lines(tiny: Tiny) -> None:
    console = Console(file=Terminal(), force_terminal=True, _environ={"TERM": "dumb"})
    assert type(progress_for(console)) is LineProgress


def test_steps_without_end_have_a_time_that_is_left(tiny: Tiny) -> None:
    out = io.StringIO()
    watch(LineProgress(Console(file=out)), tiny(steps=2**63 - 1))
    assert "days" in out.getvalue()
