"""Batches of tapes on a device, with the gradients that the device does best."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NoReturn, get_args

import pennylane as qml
import torch
from pennylane.operation import Operator
from torch import Tensor

from qrnn_circuits.checks import check_choice
from qrnn_circuits.circuits.neuron import without_neurons

Readout = Literal["expectations", "populations"]
"""Z of each wire that is read, or the probability of each basis state of them all."""


def wires_read(readout: Readout, hidden_size: int) -> int:
    """How many wires are read for the values that a layer returns of a step.

    Args:
        readout: The option of a layer.
        hidden_size: Number of values.

    Raises:
        ValueError: If the readout is not known, or cannot have as many values.
    """
    check_choice("readout", readout, get_args(Readout))
    if readout == "expectations":
        return hidden_size
    wires = hidden_size.bit_length() - 1
    if wires < 1 or hidden_size != 2**wires:
        raise ValueError(
            "hidden_size must be a power of two of at least 2 with readout='populations', one for "
            f"each basis state of the wires that are read, got {hidden_size}"
        )
    return wires


def readings_of(
    circuits: Sequence[list[Operator]],
    wires: Sequence[Sequence[int]],
    device: qml.devices.Device,
    *,
    readout: Readout = "expectations",
    shots: int | None = None,
    mcm_method: str | None = None,
) -> Tensor:
    """Runs circuits as one batch and reads some wires of each.

    Gradients come by the parameter-shift rule where there are shots, else as the device does best.

    Args:
        circuits: The operations of each, not queued.
        wires: Those of each circuit that are read, n in order.
        device: The device.
        readout: Z of each wire, or the populations of them all.
        shots: Of each circuit; none for an exact device.
        mcm_method: How mid-circuit measurements are run, or None for the device's own choice.

    Returns:
        Shape ``(circuits, n)`` or ``(circuits, 2**n)``, differentiable in the parameters of the
        gates.

    Raises:
        ValueError: If gradients would come by the parameter-shift rule through postselection; and
            whatever the device raises.

    Example:
        >>> angle = torch.tensor(0.5, requires_grad=True)
        >>> circuits = [[qml.RY(angle, wires=0)], [qml.RX(2 * angle, wires=0)]]
        >>> found = readings_of(circuits, [[0], [0]], qml.device("qrnn.torch"))
        >>> torch.allclose(found[:, 0].double(), torch.tensor([0.5, 1.0]).cos().double())
        True
    """
    tapes = reading_tapes(circuits, wires, readout=readout, shots=shots)
    for tape in tapes:
        tape.trainable_params = [
            place
            for place, value in enumerate(tape.get_parameters(trainable_only=False))
            if isinstance(value, Tensor) and value.requires_grad
        ]
    gradient = any(tape.trainable_params for tape in tapes)
    return execute_tapes(
        tapes, device, gradient=gradient and torch.is_grad_enabled(), mcm_method=mcm_method
    )


def reading_tapes(
    circuits: Sequence[list[Operator]],
    wires: Sequence[Sequence[int]],
    *,
    readout: Readout = "expectations",
    shots: int | None = None,
) -> list[qml.tape.QuantumScript]:
    """Tapes that read some wires of circuits at their end.

    Args:
        circuits: The operations of each.
        wires: Those of each circuit that are read, n in order.
        readout: Z of each wire, or the populations of them all.
        shots: Of each circuit; none for an exact device.
    """
    tapes = []
    for operations, places in zip(circuits, wires, strict=True):
        with qml.QueuingManager.stop_recording():
            if readout == "expectations":
                read = [qml.expval(qml.Z(wire)) for wire in places]
            else:
                read = [qml.probs(wires=list(places))]
        tapes.append(qml.tape.QuantumScript(operations, read, shots=shots))
    return tapes


def at_steps(rows: Tensor, read: Tensor) -> Tensor:
    """What is read at steps in their places.

    Args:
        rows: Of the steps that are read, by step and then by sequence, shape ``(N, H)``.
        read: The steps that are read, bool, shape ``(T, B)``.

    Returns:
        Shape ``(T, B, H)``, 0 where a step is not read; differentiable.

    Example:
        >>> at_steps(torch.tensor([[5.0], [7.0]]), torch.tensor([[True, False], [False, True]]))
        tensor([[[5.],
                 [0.]],
        <BLANKLINE>
                [[0.],
                 [7.]]])
    """
    outputs = rows.new_zeros(*read.shape, rows.shape[1])
    return outputs.index_put((read.to(rows.device),), rows)


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

    Raises:
        ValueError: If gradients would come by the parameter-shift rule through postselection.
    """
    if not gradient:
        with torch.no_grad(), _double_precision():
            results = qml.execute(tapes, device, diff_method=None, mcm_method=mcm_method)
    else:
        exact = () if tapes[0].shots else ("backprop", "adjoint", "device")
        able = (method for method in exact if supports(device, tapes[0], method))
        method = next(able, "parameter-shift")
        if method == "parameter-shift" and any(postselects(tape.operations) for tape in tapes):
            no_gradient(tapes[0])
        with _double_precision():
            results = qml.execute(
                tapes, device, diff_method=method, interface="torch", mcm_method=mcm_method
            )
    return torch.stack([read_row(result) for result in results])


@contextmanager
def _double_precision() -> Iterator[None]:
    """Has PennyLane make doubles of Python's numbers, as lightning.qubit returns them."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def postselects(operations: Iterable[Operator]) -> bool:
    """Whether a circuit postselects an outcome, so that its results are ratios."""
    return any(
        getattr(operation, "postselect", None) is not None
        for operation in without_neurons(operations)
    )


def supports(device: qml.devices.Device, tape: qml.tape.QuantumScript, method: str) -> bool:
    """Whether a device has a method of its own for the gradients of a circuit."""
    configuration = qml.devices.ExecutionConfig(gradient_method=method)
    return bool(device.supports_derivatives(configuration, tape))


@qml.transform  # type: ignore[untyped-decorator]
def no_gradient(tape: qml.tape.QuantumScript) -> NoReturn:
    """In place of a rule for gradients where PennyLane would take one that is wrong.

    Raises:
        ValueError: Always.
    """
    raise ValueError(
        "gradients of postselected circuits do not come by the parameter-shift rule, which this "
        f"device takes{' with shots' if tape.shots else ''}: train without a device, or on "
        "qrnn.torch or default.qubit without shots, and run it here within torch.no_grad()"
    )


def read_row(result: object) -> Tensor:
    """What one circuit reads, as one vector."""
    values = result if isinstance(result, (tuple, list)) else (result,)
    return torch.cat([torch.as_tensor(value).reshape(-1) for value in values])
