from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane.exceptions import WireError


@pytest.mark.parametrize("angle", [np.nan, np.inf, torch.tensor(np.nan), np.array([0.1, np.nan])])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer", "qrnn.ibm"])
def test_no_shots_are_drawn_of_angles_that_are_not_finite(
    name: str,
    angle: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    options = {"backend": "fake_manila", "noise": False, "jobs": tmp_path / "jobs.sqlite"}
    device = qml.device(name, **(options if name == "qrnn.ibm" else {}))
    tape = qml.tape.QuantumScript([qml.RX(angle, 0)], [qml.probs(wires=0)], shots=10)
    with pytest.raises(ValueError, match=r"^parameters of gates must be finite, got (nan|inf)$"):
        qml.execute([tape], device)
    if name == "qrnn.ibm":
        with pytest.raises(ValueError, match="must be finite"):
            device.submit([tape])


@pytest.mark.parametrize("shots", [None, 10])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_what_has_nothing_to_measure_is_refused_in_one_line(name: str, shots: int | None) -> None:
    device = qml.device(name)
    empty = qml.tape.QuantumScript([qml.X(0)], [], shots)
    with pytest.raises(ValueError, match="must measure something"):
        qml.execute([empty], device)
    kinds = [qml.probs(), qml.expval(2 * qml.I())] + ([qml.sample(), qml.counts()] if shots else [])
    for measurement in kinds:
        tape = qml.tape.QuantumScript([qml.GlobalPhase(0.3)], [measurement], shots)
        with pytest.raises(WireError, match=r"must have wires, of which neither the circuit nor"):
            qml.execute([tape], device)
