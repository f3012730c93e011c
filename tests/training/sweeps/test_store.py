import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from qrnn_circuits.training.sweeps.store import (
    STUDY,
    SweepError,
    held_lock,
    journal_exists,
    open_journal,
)

optuna = pytest.importorskip("optuna")

SmallDisk = Callable[[int], AbstractContextManager[None]]


def test_a_lock_is_held_once_and_again_when_it_is_free(tmp_path: Path) -> None:
    with held_lock(tmp_path, "name") as held:
        assert held
        with held_lock(tmp_path, "name", wait=False) as again:
            assert not again
        with held_lock(tmp_path, "other", wait=False) as other:
            assert other
    with held_lock(tmp_path, "name", wait=False) as held:
        assert held


@pytest.mark.parametrize("torn", [b'{"op_code": 2, "wor', b"\0"])
def test_a_journal_whose_last_line_was_torn_goes_on(tmp_path: Path, torn: bytes) -> None:
    study = optuna.create_study(storage=open_journal(tmp_path), study_name=STUDY)
    study.set_user_attr("first", 1)
    with (tmp_path / "sweep.journal").open("ab") as file:
        file.write(torn)
    study = optuna.load_study(storage=open_journal(tmp_path), study_name=STUDY)
    study.set_user_attr("second", 2)
    again = optuna.load_study(storage=open_journal(tmp_path), study_name=STUDY)
    assert again.user_attrs == {"first": 1, "second": 2}


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    assert not journal_exists(tmp_path / "absent")
    assert not journal_exists(tmp_path)
    (tmp_path / "notes").touch()
    with pytest.raises(FileExistsError, match="is not empty and holds no sweep"):
        journal_exists(tmp_path)
    with pytest.raises(NotADirectoryError, match="notes must be a folder, but is a file"):
        journal_exists(tmp_path / "notes")


def test_a_full_disk_is_an_error_of_a_sweep_that_can_go_on(
    tmp_path: Path, small_disk: SmallDisk
) -> None:
    study = optuna.create_study(storage=open_journal(tmp_path), study_name=STUDY)
    study.set_user_attr("first", 1)
    limit = small_disk((tmp_path / "sweep.journal").stat().st_size + 10)
    with limit, pytest.raises(SweepError, match="begin the same sweep again"):
        study.set_user_attr("second", "2" * 100)
    again = optuna.load_study(storage=open_journal(tmp_path), study_name=STUDY)
    again.set_user_attr("third", 3)
    assert again.user_attrs == {"first": 1, "third": 3}


def test_a_wait_for_another_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("qrnn_circuits.training.sweeps.store._PATIENCE", 0.01)
    told = threading.Event()
    monkeypatch.setattr(caplog.handler, "emit", lambda record: told.set())

    def own() -> None:
        with held_lock(tmp_path, "name"):
            owned.set()
            assert told.wait(60)

    owned, owner = threading.Event(), threading.Thread(target=own)
    owner.start()
    assert owned.wait(60)
    with held_lock(tmp_path, "name") as held:
        assert held
        assert told.is_set()
    owner.join()
