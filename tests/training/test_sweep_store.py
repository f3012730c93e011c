import sys
from pathlib import Path

import pytest

from qrnn_circuits.training.sweep_store import (
    STUDY,
    held_lock,
    journal_exists,
    open_journal,
    require_optuna,
)

optuna = pytest.importorskip("optuna")


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


def test_without_optuna_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r'pip install "qrnn-circuits\[sweep\]"'):
        require_optuna()
