"""Inputs in the angles of neurons: what the lane is known to hold controls no gate.

A circuit is built for given inputs, so that a lane wire holds a known bit from where it is written
to where it is rotated. A neuron that such a wire controls is the neuron of another polynomial, in
the controls that are left: ``a + b x + c x y`` with ``x = 1`` is ``(a + b) + c y``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import pennylane as qml
from pennylane.ops import MidMeasure

from qrnn_circuits.checks import check_choice
from qrnn_circuits.circuits.cell import neuron_operation
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.stages import StagedOperation
from qrnn_circuits.synthesis import parities_up_to

Encoding = Literal["lane", "angles"]


def check_encoding(encoding: str, *, symbolic: bool) -> None:
    """Raises a ``ValueError`` where there is no such encoding, or angles are parameters."""
    check_choice("encoding", encoding, get_args(Encoding))
    if encoding == "angles" and symbolic:
        raise ValueError(
            "encoding must be 'lane' with symbolic=True, got 'angles': the circuit's parameters "
            "are those of all inputs"
        )


def encode_in_angles(
    operations: Iterable[StagedOperation], lane: Sequence[int], *, tolerance: float = 0.0
) -> list[StagedOperation]:
    """Takes known controls out of neurons, and writes on the lane only what still acts there.

    Args:
        operations: Of a sequence, each lane wire 0 at first; their neurons drop nothing.
        lane: The lane wires.
        tolerance: The neurons drop rotations by at most this angle, in radians; with 0 none.

    Returns:
        Operations that do the same to the workspace and to all that is read.
    """
    known = dict.fromkeys(lane, 0)
    written = dict(known)
    encoded: list[StagedOperation] = []
    for item in operations:
        operation = item.operation
        if operation.name == "PauliX" and operation.wires[0] in known:
            known[operation.wires[0]] ^= 1
            continue
        bits: tuple[tuple[int, int], ...] = ()
        kept: list[int] = []
        if isinstance(operation, NeuronOperation):
            operation = _without_known(operation, known, tolerance)
            bits = tuple((wire, known[wire]) for wire in item.operation.wires if wire in known)
            kept = [wire for wire in operation.control_wires if wire in known]
        for wire in operation.wires:
            if wire in known and known[wire] != written[wire]:
                with qml.QueuingManager.stop_recording():
                    flip = qml.X(wire)
                encoded.append(StagedOperation(flip, item.step, item.stage, None))
                written[wire] = known[wire]
            if wire in known and wire not in kept:
                del known[wire]
        encoded.append(replace(item, operation=operation, known=bits))
        if isinstance(operation, MidMeasure) and operation.wires[0] in lane:
            value = 0 if operation.reset else operation.postselect
            if value is not None:
                known[operation.wires[0]] = written[operation.wires[0]] = int(value)
    return encoded


def _without_known(
    neuron: NeuronOperation, known: Mapping[int, int], tolerance: float
) -> NeuronOperation:
    """The neuron without the controls whose bits are known, but with one control at least."""
    options = neuron.hyperparameters
    controls, degree = list(neuron.control_wires), options["degree"]
    free = [place for place, wire in enumerate(controls) if wire not in known]
    free = free or [len(controls) - 1]
    position = {place: number for number, place in enumerate(free)}
    left = parities_up_to(len(free), min(degree, len(free)))
    row = {monomial: number for number, monomial in enumerate(left)}
    monomials = parities_up_to(len(controls), degree)
    restriction = np.zeros((len(monomials), len(left)))
    for number, monomial in enumerate(monomials):
        if all(known[controls[place]] for place in monomial if place not in position):
            rest = tuple(position[place] for place in monomial if place in position)
            restriction[number, row[rest]] = 1
    coefficients = neuron.data[0]
    matrix = qml.math.cast_like(qml.math.convert_like(restriction, coefficients), coefficients)
    return neuron_operation(
        qml.math.tensordot(coefficients, matrix, [[-1], [0]]),
        [controls[place] for place in free],
        neuron.target_wire[0],
        neuron.ancilla_wires,
        order=options["order"],
        degree=min(degree, len(free)),
        realisation=neuron.realisation,
        tolerance=tolerance,
    )
