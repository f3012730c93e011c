from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from qrnn_circuits.training import LogError, Validation, read_scalars
from qrnn_circuits.training.log import Log

SmallDisk = Callable[[int], AbstractContextManager[None]]


def test_logged_scalars_are_read_back_under_their_documented_names(tmp_path: Path) -> None:
    with Log(tmp_path, first_step=1) as log:
        log.step(1, 0.5)
        log.validation(Validation(1, 0.25, 0.125, 0.75, -3.5))
    expected = {
        "train/loss": 0.5,
        "validation/loss": 0.25,
        "validation/error": 0.125,
        "validation/sampled_error": 0.75,
        "validation/log10_acceptance": -3.5,
    }
    assert {name: read_scalars(tmp_path, name) for name in expected} == {
        name: [(1, value)] for name, value in expected.items()
    }


def test_steps_that_a_resumed_run_takes_again_count_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Log(tmp_path, first_step=1) as log:
        for step in range(1, 7):
            log.step(step, float(step))
    with Log(tmp_path, first_step=4) as log:
        for step in range(4, 9):
            log.step(step, -float(step))
    curve = read_scalars(tmp_path, "train/loss")
    assert curve == [(1, 1), (2, 2), (3, 3), (4, -4), (5, -5), (6, -6), (7, -7), (8, -8)]
    assert caplog.text == ""


@pytest.mark.parametrize("times", [(2_000, 1_000, 1_000), (2_000, 2_000, 2_000), (5, -5, -9)])
def test_a_clock_set_back_loses_no_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: tuple[int, ...]
) -> None:
    for part, now in enumerate(times):
        monkeypatch.setattr("time.time_ns", lambda now=now: now)
        first = 1 + 4 * part
        with Log(tmp_path, first_step=first) as log:
            # The last step is taken again by the run that goes on.
            for step in range(first, first + 5):
                log.step(step, float(part))
    expected = [(step, float(min((step - 1) // 4, 2))) for step in range(1, 14)]
    assert read_scalars(tmp_path, "train/loss") == expected


def test_flushed_events_are_on_disk_while_the_log_is_open(tmp_path: Path) -> None:
    with Log(tmp_path, first_step=1) as log:
        log.step(1, 0.5)
        log.flush()
        assert read_scalars(tmp_path, "train/loss") == [(1, 0.5)]


def test_a_long_curve_is_read_whole(tmp_path: Path) -> None:
    with Log(tmp_path, first_step=1) as log:
        for step in range(1, 20_001):
            log.step(step, 1.0)
    assert [step for step, _ in read_scalars(tmp_path, "train/loss")] == list(range(1, 20_001))


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path, small_disk: SmallDisk) -> None:
    def write() -> None:
        with Log(tmp_path, first_step=1) as log:
            log.step(1, 0.5)

    message = r"events\.out\.tfevents.* could not be written: File too large"
    with small_disk(100), pytest.raises(LogError, match=message):
        write()


def test_an_unknown_scalar_is_an_error(tmp_path: Path) -> None:
    with Log(tmp_path, first_step=1) as log:
        log.step(1, 0.5)
    with pytest.raises(KeyError, match="train/speed"):
        read_scalars(tmp_path, "train/speed")


def test_a_folder_that_tensorboard_cannot_name_is_to_be_renamed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not UTF-8: rename the folder"):
        read_scalars(tmp_path / "\udcff", "train/loss")
