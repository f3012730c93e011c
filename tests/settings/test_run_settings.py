from pathlib import Path

import pytest

from qrnn_circuits.settings.run_settings import read_toml


def test_a_toml_file_gives_fields_and_task_options(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('task = "xor"\nlearning_rate = 1\nworkspace = 3\n[task_options]\nlength = 9\n')
    assert read_toml(path) == {
        "task": "xor",
        "learning_rate": 1,
        "workspace": 3,
        "task_options": {"length": 9},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workspace = ", "not a TOML file"),
        ("workspaces = 3", "unknown setting 'workspaces'; did you mean workspace?"),
        ("qqq = 3", "unknown setting 'qqq'; known are task, .*stop_error"),
        ("task_options = 3", "task_options must be a table, got 3"),
    ],
)
def test_a_wrong_toml_file_is_refused_with_its_name(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        read_toml(path)
    assert str(path) in str(caught.value)


def test_a_missing_toml_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no configuration file .*absent\.toml"):
        read_toml(tmp_path / "absent.toml")
