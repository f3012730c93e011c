"""The operations of a whole sequence: steps one after another on the same wires."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

import pennylane as qml
import torch
from pennylane.operation import Operator
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD, Cell, check_unread
from qrnn_circuits.checks import plain
from qrnn_circuits.circuits.cell import cell_stages, condition_lane
from qrnn_circuits.circuits.encoding import Encoding, encode_in_angles
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import Realisation
from qrnn_circuits.circuits.stages import StagedOperation
from qrnn_circuits.tensors import check_finite, first_parameter

StepInput = int | Tensor
"""What a step takes in: a symbol, or real features of shape ``(F,)``."""


def sequence_operations(
    cell: Cell,
    inputs: Sequence[StepInput],
    outcomes: Sequence[int | None],
    realisation: Realisation,
    *,
    read_last: bool = True,
    tolerance: float = 0.0,
    encoding: Encoding = "lane",
) -> tuple[list[StagedOperation], list[list[qml.ops.MeasurementValue]]]:
    """All operations, and the results of measuring each step's lane.

    Args:
        cell: The cell.
        inputs: The input symbols of T steps, or the features of each, shape ``(F,)``.
        outcomes: T entries: the symbol that a step's lane is postselected on, None where it is
            sampled, ``UNREAD`` where it is not read.
        realisation: How neurons are built.
        read_last: Whether the last step's lane is measured if it is sampled. Otherwise it is left
            to a terminal measurement, and its entry in the results is empty.
        tolerance: Neurons drop rotations by at most this angle, in radians; with 0 none.
        encoding: Whether inputs are on the lane or in the angles of neurons.

    Returns:
        The operations with their steps and stages; and for each step the measured bits, the most
        significant first, none of a step that is not read.
    """
    operations: list[StagedOperation] = []
    results: list[list[qml.ops.MeasurementValue]] = []
    last = len(inputs) - 1
    held = 0
    dropped = tolerance if encoding == "lane" else 0.0
    for step, (symbol, outcome) in enumerate(zip(inputs, outcomes, strict=True)):
        neurons, read = count(), outcome != UNREAD
        operations += [
            StagedOperation(
                operation,
                step,
                stage.name,
                next(neurons) if isinstance(operation, NeuronOperation) else None,
                featured=cell.features > 0,
            )
            for stage in cell_stages(
                cell, symbol, realisation, lane_symbol=held, read=read, tolerance=dropped
            )
            for operation in stage.operations
        ]
        if not read:
            held = 0 if isinstance(symbol, Tensor) else symbol
            results.append([])
            continue
        if outcome is None and step == last and not read_last:
            results.append([])
            break
        with qml.queuing.AnnotatedQueue() as queue:
            # Where the outcome is known, the flips of the next input take it off as well.
            results.append(condition_lane(cell, outcome, reset=outcome is None and step != last))
        held = outcome or 0
        operations += [
            StagedOperation(operation, step, "read lane", None) for operation in _queued(queue)
        ]
    if encoding == "angles":
        operations = encode_in_angles(operations, range(cell.lane), tolerance=tolerance)
    return operations, results


def checked_inputs(
    cell: Cell, inputs: Sequence[StepInput] | Tensor, outcomes: Sequence[int | None] | None
) -> tuple[list[StepInput], list[int | None]]:
    """An input and an outcome for each step.

    Args:
        cell: The cell.
        inputs: The input symbols of T steps; or, of a cell of real inputs, their features, shape
            ``(T, F)``.
        outcomes: T entries, as for :func:`sequence_operations`, or T - 1, which leave the last step
            to be sampled; None to sample every step.

    Raises:
        NotImplementedError: If a step is unread and the cell must be read at every step.
        TypeError: If symbols are no integers.
        ValueError: If there is no input, another number of outcomes, a symbol out of range, or
            features of another shape or that are not finite.
    """
    steps: list[StepInput]
    if cell.features:
        steps = list(_checked_features(cell, inputs))
    else:
        steps = _checked_symbols(cell, "inputs", _integers("inputs", inputs))
    if not steps:
        raise ValueError("inputs must hold at least one step, got none")
    chosen: list[int | None] = [None] * len(steps)
    if outcomes is not None:
        chosen = _integers("outcomes", outcomes, or_none=True)
    if len(chosen) == len(steps) - 1:
        chosen.append(None)
    if len(chosen) != len(steps):
        raise ValueError(
            f"outcomes must hold one symbol or None for each of the {len(steps)} inputs, or for "
            f"each but the last, got {len(chosen)}"
        )
    read = [symbol for symbol in chosen if symbol is not None and symbol != UNREAD]
    _checked_symbols(cell, "outcomes", read, f", None or UNREAD ({UNREAD})")
    if UNREAD in chosen:
        check_unread(cell)
    return steps, chosen


def _integers(name: str, symbols: object, *, or_none: bool = False) -> list[Any]:
    """Symbols as integers of Python, from those of NumPy and PyTorch too."""
    if not isinstance(symbols, Iterable):
        raise TypeError(f"{name} must be a sequence of symbols, got {symbols!r}")
    numbers = [plain(symbol) for symbol in symbols]
    for number in numbers:
        if not (number is None and or_none) and type(number) is not int:
            raise TypeError(f"{name} must hold integers, got {number!r}")
    return numbers


def _checked_symbols(
    cell: Cell, name: str, symbols: list[int], others: str = ""
) -> list[StepInput]:
    for symbol in symbols:
        if not 0 <= symbol < 2**cell.lane:
            raise ValueError(
                f"{name} must be symbols from 0 to {2**cell.lane - 1} (a lane of {cell.lane} "
                f"wires){others}, got {symbol}"
            )
    return [*symbols]


def _checked_features(cell: Cell, inputs: object) -> Tensor:
    like = first_parameter(cell)
    if isinstance(inputs, Sequence) and inputs and isinstance(inputs[0], Tensor):
        inputs = torch.stack(list(inputs))
    features = torch.as_tensor(inputs, dtype=like.dtype, device=like.device)
    if features.ndim != 2 or features.shape[1] != cell.features:
        raise ValueError(
            f"inputs must have shape (T, {cell.features}), a row of features for each step, got "
            f"{tuple(features.shape)}"
        )
    check_finite("inputs", features)
    return features


def _queued(queue: qml.queuing.AnnotatedQueue) -> list[Operator]:
    operations: list[Operator] = qml.tape.QuantumScript.from_queue(queue).operations
    return operations
