"""The lane's expectations along a real sequence, each step's from the circuit that is cut there."""

from collections.abc import Sequence

import pennylane as qml
import torch
from pennylane.operation import Operator
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD, Cell
from qrnn_circuits.circuits.cell import registers
from qrnn_circuits.circuits.measurement_method import measurement_method
from qrnn_circuits.circuits.neuron import runs_neurons, without_neurons
from qrnn_circuits.circuits.realisations import Realisation, realisation_of
from qrnn_circuits.circuits.steps import sequence_operations
from qrnn_circuits.circuits.tapes import Readout, at_steps, readings_of


def expectations_on_device(
    cell: Cell,
    inputs: Tensor,
    device: qml.devices.Device,
    *,
    shots: int | None = None,
    readout: Readout = "expectations",
    realisation: Realisation | str | None = None,
    read: Tensor | None = None,
) -> Tensor:
    """Runs one circuit for each step that is read, all in one batch, and reads its lane at the end.

    Args:
        cell: A cell of real inputs.
        inputs: Features of B sequences, shape ``(T, B, F)``.
        device: The device.
        shots: Number of shots of each circuit; none for an exact device.
        readout: What is read.
        realisation: How neurons are built, by default as for
            :func:`~qrnn_circuits.circuits.realisations.realisation_of`.
        read: The steps that are read, bool, shape ``(T, B)``; by default all.

    Returns:
        Shape ``(T, B, H)``, 0 where a step is not read; differentiable in the inputs and the
        parameters of the cell: by the parameter-shift rule where there are shots, else as the
        device does best.

    Raises:
        ValueError: If the realisation is not of the cell's semantics, or the device has no exact
            method for it.
    """
    if read is None:
        read = torch.ones(inputs.shape[:2], dtype=torch.bool)
    circuits, lane = expectation_circuits(cell, inputs, read, realisation=realisation)
    expanded = [list(without_neurons(operations)) for operations in circuits]
    rows = readings_of(
        circuits if runs_neurons(device) else expanded,
        [lane] * len(circuits),
        device,
        readout=readout,
        shots=shots,
        mcm_method=measurement_method(device.name, expanded, shots=shots),
    )
    return at_steps(rows.to(inputs), read)


def expectation_circuits(
    cell: Cell,
    inputs: Tensor,
    read: Tensor,
    *,
    realisation: Realisation | str | None = None,
) -> tuple[list[list[Operator]], Sequence[int]]:
    """The circuits that :func:`expectations_on_device` runs, by step and then by sequence.

    Args:
        cell: A cell of real inputs.
        inputs: Features of B sequences, shape ``(T, B, F)``.
        read: The steps that are read, bool, shape ``(T, B)``.
        realisation: How neurons are built.

    Returns:
        The operations of each circuit, in which neurons are not decomposed, and the wires of the
        lane, which are to be read at its end.

    Raises:
        ValueError: If the realisation is not of the cell's semantics.
    """
    chosen = realisation_of(realisation, cell.semantics, cell.order)
    circuits = []
    for step, sequence in read.nonzero().tolist():
        with qml.QueuingManager.stop_recording():
            staged, _ = sequence_operations(
                cell,
                list(inputs[: step + 1, sequence]),
                [*[UNREAD] * step, None],
                chosen,
                read_last=False,
            )
        circuits.append([item.operation for item in staged])
    return circuits, registers(cell, chosen).lane
