"""Batches of tapes on a device, with the gradients that the device does best."""

from typing import Literal

import pennylane as qml
import torch
from torch import Tensor

Readout = Literal["expectations", "populations"]
"""Z of each wire that is read, or the probability of each basis state of them all."""


def execute_tapes(
    tapes: list[qml.tape.QuantumScript],
    device: qml.devices.Device,
    *,
    gradient: bool,
    mcm_method: str | None = None,
) -> Tensor:
    """Runs tapes that read equally many numbers, as one batch.

    Args:
        tapes: All with the same shots, or all without.
        device: The device.
        gradient: Whether gradients are asked for: by the parameter-shift rule where there are
            shots, else as the device does best.
        mcm_method: How mid-circuit measurements are run, or None for the device's own choice.

    Returns:
        What each tape reads, shape ``(tapes, numbers)``.
    """
    if not gradient:
        with torch.no_grad():
            results = qml.execute(tapes, device, diff_method=None, mcm_method=mcm_method)
    else:
        method = "parameter-shift"
        if not tapes[0].shots:
            for candidate in ("backprop", "adjoint", "device"):
                configuration = qml.devices.ExecutionConfig(gradient_method=candidate)
                if device.supports_derivatives(configuration, tapes[0]):
                    method = candidate
                    break
        results = qml.execute(
            tapes, device, diff_method=method, interface="torch", mcm_method=mcm_method
        )
    return torch.stack([_row(result) for result in results])


def _row(result: object) -> Tensor:
    """What one circuit reads, as one vector."""
    values = result if isinstance(result, (tuple, list)) else (result,)
    return torch.cat([torch.as_tensor(value).reshape(-1) for value in values])
