import re
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from tests.running import TRAIN


def test_the_best_validation_is_told_by_what_it_was_chosen_by(
    qrnn: Callable[..., Result], tiny: tuple[str, ...], tmp_path: Path
) -> None:
    printed = qrnn(*TRAIN, *tiny, "--steps", 12, "--out", tmp_path / "run").stdout
    validations = re.findall(r"step (\d+)/.* error (\S+) \(sampled (\S+)%\)", printed)
    step, error, sampled = min(validations, key=lambda validation: float(validation[2]))
    assert (
        f"The best validation, by its sampled error of {sampled}%, is that of step {step}, with an "
        f"error of {error}."
    ) in printed
