from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qrnn_circuits.reproduction.measurements import MEASUREMENTS
from qrnn_circuits.reproduction.measurements.settings import read_settings


@dataclass(frozen=True)
class Example:
    length: int = 3
    rate: float = 0.5


def test_what_is_not_set_keeps_its_default() -> None:
    assert read_settings(Example, {"rate": 0.1}) == Example(3, 0.1)


@pytest.mark.parametrize("name", MEASUREMENTS.names())
def test_every_measurement_refuses_a_setting_that_it_does_not_have(
    name: str, tmp_path: Path
) -> None:
    measure: Any = MEASUREMENTS.resolve(name)
    with pytest.raises(ValueError, match="unknown setting 'colour'; "):
        measure({"colour": "red"}, 0, tmp_path, lambda doing: None)
