"""What experiments measure beside the errors of trained networks, by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from qrnn_circuits.registry import Registry

Measurement = Callable[[Mapping[str, Any], int, Path, Callable[[str], None]], dict[str, Any]]
"""Takes settings, a seed, a folder for files and a listener to what is being done; returns JSON."""

MEASUREMENTS = Registry[Measurement]("measurement", "qrnn_circuits.measurements", FunctionType)
"""Every measurement by its name, imported once it is asked for."""

for _name in ("acceptance", "chip", "classical_baselines", "gradient_norms", "generation"):
    MEASUREMENTS.register(_name, f"{__name__}.{_name}:measure")

__all__ = ["MEASUREMENTS", "Measurement"]
