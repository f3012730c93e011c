from collections.abc import Callable
from pathlib import Path

import pytest

TINY = """
title = "Tiny"
question = "Does it run?"
minutes = 0.1
seeds = 2

[settings]
task = "memorise"
task_options = { length = 4 }
workspace = 2
degree = 1
batch_size = 2
steps = 4
validate_every = 2

[grid]
learning_rate = [0.01, 0.1]

[quick]
minutes = 0.01
settings = { steps = 2 }
grid = { learning_rate = [0.1] }

[[quantities]]
name = "test_error"
label = "test error"
unit = "%"

[[published]]
case = "learning_rate=0.1"
quantity = "test_error"
value = 0.25
source = "nowhere"

[[charts]]
kind = "scan"
quantity = "test_error"
x = "learning_rate"
"""
"""Four runs that take a moment."""


@pytest.fixture
def experiment_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the file of a tiny experiment, some of its text replaced or added."""

    def write(*replacements: tuple[str, str], added: str = "", name: str = "tiny") -> Path:
        text = TINY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "files" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + added)
        return path

    return write
