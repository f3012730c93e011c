"""How PennyLane's own devices are told to run mid-circuit measurements."""

from collections.abc import Iterable, Sequence

from pennylane.operation import Operator
from pennylane.ops import MidMeasure

# Of a statevector in which every measurement has a wire of its own.
MAX_DEFERRED_WIRES = 18


def measurement_method(
    device: str,
    circuits: Iterable[Sequence[Operator]],
    *,
    shots: int | None = None,
    wanted: str | None = None,
) -> str | None:
    """The ``mcm_method`` of a batch of circuits.

    Tree traversal is hundreds of times as fast as one shot at a time. It normalises each history
    of outcomes on its own (PennyLane 0.45), which is wrong where a postselected measurement follows
    one that is not; and with shots it ends at a history that none is left of.

    Args:
        device: Name of the device.
        circuits: The operations of each circuit, with those of neurons that measure
            (:func:`~qrnn_circuits.circuits.neuron.without_neurons`).
        shots: Of each circuit; None for exact distributions.
        wanted: The method that the user asks for.

    Returns:
        A method, or None for the device's own choice.

    Raises:
        ValueError: If exact distributions of ``default.qubit`` would be wrong (tree traversal) or
            too large (deferred measurements).
    """
    if device not in ("default.qubit", "lightning.qubit"):
        return wanted
    free, mixed, wires = False, False, 0
    for operations in circuits:
        kept = [part.postselect is not None for part in operations if isinstance(part, MidMeasure)]
        free = free or not all(kept)
        # After the first free measurement, is any postselected?
        mixed = mixed or (False in kept and any(kept[kept.index(False) :]))
        used = {wire for operation in operations for wire in operation.wires}
        wires = max(wires, len(used) + len(kept))
    if not free:
        return wanted or "tree-traversal"
    if device != "default.qubit" or shots is not None:
        return wanted
    if mixed and wanted == "tree-traversal":
        raise ValueError(
            "mcm_method must not be 'tree-traversal' on default.qubit for this circuit: a "
            "postselected measurement follows one that is not, and PennyLane normalises each "
            "of its histories on its own"
        )
    if wanted is not None:
        return wanted
    if mixed and wires > MAX_DEFERRED_WIRES:
        raise ValueError(
            "default.qubit has no exact method for this circuit: a postselected measurement "
            f"follows one that is not, so that it needs {wires} wires at once, more than "
            f"{MAX_DEFERRED_WIRES}. Give it shots, or take qrnn.torch."
        )
    return "deferred" if mixed else "tree-traversal"
