"""A compiled sequence as a Qiskit circuit, and what its counts say."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from pennylane.ops import MidMeasure

from qrnn_circuits.cells.base import Cell
from qrnn_circuits.circuits.cell import Registers
from qrnn_circuits.circuits.qiskit.convert import Converted, Converter, Item
from qrnn_circuits.circuits.qiskit.symbolic import SymbolicAngles
from qrnn_circuits.circuits.stages import StagedOperation
from qrnn_circuits.optional_packages import require_modules
from qrnn_circuits.tracing import copied


def convert_sequence(
    operations: Callable[[Cell], Sequence[StagedOperation]],
    cell: Cell,
    registers: Registers,
    *,
    angles: SymbolicAngles | None = None,
    barriers: bool = False,
    high_level: bool = False,
) -> Converted:
    """Converts all steps.

    Args:
        operations: Gives the operations at the parameters of a cell.
        cell: The cell, whose parameters are taken in float64.
        registers: The wires of the circuit.
        angles: For symbolic angles, in the parameters of a cell of their own, in place of numbers.
        barriers: Whether to put a barrier in front of every stage but the first.
        high_level: Whether neurons that are exactly a gate stay one.

    Raises:
        ImportError: If Qiskit is not installed.
    """
    require_modules("qiskit")
    from qrnn_circuits.circuits.qiskit.gates import neuron_gate

    lane, workspace, ancillas = registers
    rules: dict[str, Any] = {} if angles is None else {"angle": angles}
    if high_level:
        rules["neuron_gate"] = neuron_gate
    converter = Converter(
        {"lane": lane, "workspace": workspace, "ancilla": ancillas},
        lambda measurement, used: _classical_register(measurement, used, lane),
        barriers=barriers,
        **rules,
    )
    cell = copied(cell).double() if angles is None else angles.cell
    with torch.set_grad_enabled(angles is not None):
        return converter.convert(
            Item(
                item.operation,
                # Equal neurons recur in every step.
                key=item.neuron_key,
                section=f"{item.step}: {item.stage}",
            )
            for item in operations(cell)
        )


def kept_outcomes(
    converted: Converted, lane: int, counts: Mapping[str, int]
) -> Counter[tuple[int, ...]]:
    """How often each sequence of outcomes was read in the shots that count.

    Args:
        converted: The circuit of the shots.
        lane: Number I of lane wires.
        counts: Bit strings of all classical bits with their counts.

    Raises:
        TypeError: If a key is no bit string.
        ValueError: If a bit string does not have one character for each classical bit.
    """
    if not isinstance(counts, Mapping):
        raise TypeError(
            "counts must be bit strings with their counts, as join_data().get_counts() of a "
            f"sampler's result gives them, got a {type(counts).__name__}"
        )
    circuit = converted.circuit
    # There is no such register where every step is unread.
    registers = [register for register in circuit.cregs if register.name == "outcome"]
    places = [circuit.find_bit(bit).index for register in registers for bit in register]
    kept: Counter[tuple[int, ...]] = Counter()
    for text, count in counts.items():
        if not isinstance(text, str) or set(text) - set("01 "):
            raise TypeError(f"counts must be of bit strings, as of get_counts(), got {text!r}")
        # Qiskit writes its first bit last.
        bits = text.replace(" ", "")[::-1]
        if len(bits) != circuit.num_clbits:
            raise ValueError(
                f"counts must be of the circuit's {circuit.num_clbits} classical bits, got {text!r}"
            )
        if all(bits[place] == str(value) for place, value in converted.postselected):
            outcome = "".join(bits[place] for place in places)
            symbols = [
                int(outcome[start : start + lane], 2) for start in range(0, len(outcome), lane)
            ]
            kept[tuple(symbols)] += count
    return kept


def _classical_register(measurement: MidMeasure, used: bool, lane: range) -> str | None:
    if measurement.wires[0] in lane:
        return "outcome"
    if measurement.postselect is not None:
        return "flag"
    return "attempt" if used or not measurement.reset else None
