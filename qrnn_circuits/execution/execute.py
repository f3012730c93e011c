"""Runs the circuits of a plan on a PennyLane device, as one batch."""

from collections.abc import Iterator, Sequence
from typing import Any

import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import MidMeasure

from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.execution.plan import Plan

# Of a statevector in which every measurement has a wire of its own.
_MAX_DEFERRED_WIRES = 16


def execute(plan: Plan, device: "qml.devices.Device") -> Sequence[Any]:
    """Runs all circuits of a plan and waits for the results.

    Args:
        plan: With its tapes.
        device: Any device that runs mid-circuit measurements, and postselection where outcomes are
            conditioned or neurons are postselected.

    Returns:
        A result for each circuit, as :func:`~qrnn_circuits.execution.report` takes them.

    Raises:
        ValueError: If ``default.qubit`` is too narrow for a circuit without shots, or PennyLane's
            tree traversal meets a circuit that keeps no shots; and whatever the device raises.
    """
    tapes: Sequence[qml.tape.QuantumScript] = plan.tapes
    if not device.name.startswith("qrnn."):
        # PennyLane looks for measurements before it decomposes anything.
        tapes = [tape.copy(operations=list(_expanded(tape.operations))) for tape in tapes]
    method = _method(device.name, tapes, plan.shots)
    try:
        results: Sequence[Any] = qml.execute(
            tapes,
            device,
            diff_method=None,
            postselect_mode=None if plan.shots is None else "hw-like",
            mcm_method=method,
        )
    except (ValueError, ZeroDivisionError) as error:
        if method != "tree-traversal" or not _is_without_shots(error):
            raise
        raise ValueError(
            f"{device.name} kept none of {plan.shots:,} shots of a circuit, on which PennyLane's "
            "tree traversal ends: give it more shots"
        ) from error
    return results


def _expanded(operations: Sequence[Operator]) -> Iterator[Operator]:
    """The operations, with the parts of neurons for neurons."""
    for operation in operations:
        if isinstance(operation, NeuronOperation):
            yield from operation.decomposition()
        else:
            yield operation


def _method(name: str, tapes: Sequence[qml.tape.QuantumScript], shots: int | None) -> str | None:
    """PennyLane's method for mid-circuit measurements; None for the device's own choice."""
    if name not in ("default.qubit", "lightning.qubit"):
        return None
    measurements = [
        [operation for operation in tape.operations if isinstance(operation, MidMeasure)]
        for tape in tapes
    ]
    if all(part.postselect is not None for parts in measurements for part in parts):
        # Hundreds of times as fast as one shot at a time.
        return "tree-traversal"
    # Otherwise it normalises each history on its own, or ends at one without shots (0.45).
    if name != "default.qubit" or shots is not None:
        return None
    wires = max(
        len(tape.wires) + len(parts) for tape, parts in zip(tapes, measurements, strict=True)
    )
    if wires > _MAX_DEFERRED_WIRES:
        raise ValueError(
            f"default.qubit would need {wires} wires at once to be exact here, more than "
            f"{_MAX_DEFERRED_WIRES}, since some measurements are not postselected: give it shots, "
            "or take qrnn.torch"
        )
    return "deferred"


def _is_without_shots(error: Exception) -> bool:
    """Whether PennyLane 0.45 met a history that no shot is left of."""
    return isinstance(error, ZeroDivisionError) or "need at least one array" in str(error)
