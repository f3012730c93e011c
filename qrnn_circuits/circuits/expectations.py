"""The lane's expectations along a real sequence, each step's from the circuit that is cut there."""

import pennylane as qml
import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD, Cell
from qrnn_circuits.circuits.cell import registers
from qrnn_circuits.circuits.measurement_method import measurement_method
from qrnn_circuits.circuits.neuron import without_neurons
from qrnn_circuits.circuits.realisations import Realisation, realisation_of
from qrnn_circuits.circuits.steps import sequence_operations
from qrnn_circuits.circuits.tapes import Readout, execute_tapes


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
    chosen = realisation_of(realisation, cell.semantics)
    lane = registers(cell, chosen).lane
    own = device.name.startswith("qrnn.")
    if read is None:
        read = torch.ones(inputs.shape[:2], dtype=torch.bool)
    places = read.nonzero().tolist()
    tapes, expanded = [], []
    for step, sequence in places:
        with qml.QueuingManager.stop_recording():
            staged, _ = sequence_operations(
                cell,
                list(inputs[: step + 1, sequence]),
                [*[UNREAD] * step, None],
                chosen,
                read_last=False,
            )
            operations = [item.operation for item in staged]
            expanded.append(list(without_neurons(operations)))
            measured = (
                [qml.expval(qml.Z(wire)) for wire in lane]
                if readout == "expectations"
                else [qml.probs(wires=lane)]
            )
        gates = operations if own else expanded[-1]
        tapes.append(qml.tape.QuantumScript(gates, measured, shots=shots))
    wanted = torch.is_grad_enabled() and (
        inputs.requires_grad or any(p.requires_grad for p in cell.parameters())
    )
    method = measurement_method(device.name, expanded, shots=shots)
    rows = execute_tapes(tapes, device, gradient=wanted, mcm_method=method).to(inputs)
    outputs = rows.new_zeros(*inputs.shape[:2], rows.shape[1])
    return outputs.index_put(tuple(torch.tensor(places).T.to(inputs.device)), rows)
