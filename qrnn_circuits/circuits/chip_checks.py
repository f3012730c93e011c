"""Whether a circuit can run on a chip, and which realisations would."""

from dataclasses import replace
from typing import TYPE_CHECKING

from qrnn_circuits.cells.base import Cell
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.qiskit.target import Chip, UnsupportedTargetError, resolve_target
from qrnn_circuits.circuits.realisations import Realisation, realisation_at, realisations_of

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def check_width(chip: Chip | str | None, cell: Cell, realisation: Realisation) -> None:
    """Checks that a chip has a qubit for each wire of a cell's circuit.

    Args:
        chip: The chip, or the name of a fake backend; None where there is none to ask.
        cell: The cell.
        realisation: How its neurons are built.

    Raises:
        UnsupportedTargetError: If it has too few; the message says which realisations fit there.
    """

    def wires(built: Realisation) -> int:
        ancillas = realisation_at(built, cell.order).ancillas(cell.order)
        return cell.lane + cell.workspace + ancillas

    if isinstance(chip, str):
        chip = resolve_target(chip)
    if chip is None or chip.target is None:
        return
    qubits = chip.target.num_qubits
    if qubits is None or wires(realisation) <= qubits:
        return
    fitting = [
        other.name for other in realisations_of(realisation.semantics) if wires(other) <= qubits
    ]
    advice = (
        f"realisations that fit there: {', '.join(fitting)}"
        if fitting
        else "no realisation fits there, only a network with a smaller workspace, a smaller lane "
        "or, where it is postselected, of a lower order"
    )
    raise UnsupportedTargetError(
        f"{chip.name} has {qubits} qubits, the circuit needs {wires(realisation)} with the "
        f"realisation {realisation.name!r}; {advice}"
    )


def check_instructions(chip: Chip, circuit: CompiledCircuit, converted: "QuantumCircuit") -> None:
    """Checks that a chip has the instructions of a circuit.

    Args:
        chip: The chip.
        circuit: The circuit.
        converted: The same for Qiskit.

    Raises:
        UnsupportedTargetError: If it lacks one; the message says which realisations run there.
    """
    missing = chip.missing(converted)
    if not missing:
        return
    fitting = [
        realisation.name
        for realisation in realisations_of(circuit.model.cell.semantics)
        if not chip.missing(replace(circuit, realisation=realisation).to_qiskit())
    ]
    advice = (
        f"realisations that run there: {', '.join(fitting)}"
        if fitting
        else "no realisation of these semantics runs there"
    )
    raise UnsupportedTargetError(
        f"{chip.name} has no {' and no '.join(missing)}, which the realisation "
        f"{circuit.realisation.name!r} of {len(circuit.inputs)} step(s) needs; {advice}"
    )
