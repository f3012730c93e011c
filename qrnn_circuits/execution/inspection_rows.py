"""An inspection in words: the rows of its table and what must be known to read them."""

from collections.abc import Callable

from qrnn_circuits.circuits.inspection import Inspection, RealisationInspection
from qrnn_circuits.circuits.qiskit.resources import Resources

COUNTS: dict[str, Callable[[Resources], int]] = {
    "qubits": lambda counts: counts.qubits,
    "depth": lambda counts: counts.depth,
    "one-qubit gates": lambda counts: counts.one_qubit_gates,
    "two-qubit gates": lambda counts: counts.two_qubit_gates,
    "  of them conditioned": lambda counts: counts.conditioned_two_qubit_gates,
    "larger gates": lambda counts: counts.larger_gates,
    "measurements": lambda counts: counts.measurements,
    "resets": lambda counts: counts.resets,
    "conditions": lambda counts: counts.conditions,
}
"""Names of the rows and what they show of a circuit."""
MOVED = "moved by dropping, TVD"
"""Name of the row that shows :func:`moved_text`."""


def moved_text(entry: RealisationInspection) -> str:
    """How far dropped rotations can move the distribution of the last step."""
    return f"{entry.distribution_bounds[-1]:.2g}"


def inspection_title(inspection: Inspection) -> str:
    """What was inspected."""
    names = ("workspace", "lane", "stages", "order", "degree")
    sizes = [f"{name} {inspection.cell[name]}" for name in names if name in inspection.cell]
    steps = len(inspection.inputs)
    return f"{steps} step{'s' * (steps > 1)}: {', '.join(sizes)}"


def column_names(inspection: Inspection) -> list[str]:
    """The realisations, with an asterisk where the semantics are not those of the model."""
    own = inspection.cell["semantics"]
    return [
        f"{entry.realisation}" + ("" if entry.realisation.semantics == own else " *")
        for entry in inspection.realisations
    ]


def count_rows(inspection: Inspection) -> list[tuple[str, list[str]]]:
    """Counts before and, with a target, after transpilation: a name and a text for each column."""
    entries = inspection.realisations
    # The built-in realisations have no larger gates.
    shown = [
        (name, value)
        for name, value in COUNTS.items()
        if name != "larger gates" or any(value(entry.resources) for entry in entries)
    ]
    return [
        (name, [before_after(value, entry.resources, entry.transpiled) for entry in entries])
        for name, value in shown
    ]


def estimate_rows(inspection: Inspection) -> list[tuple[str, list[str]]]:
    """What the model and the target predict: a name and a text for each column."""
    entries = inspection.realisations
    rows = [
        (
            "acceptance",
            ["-" if entry.acceptance is None else f"{entry.acceptance:.3g}" for entry in entries],
        ),
    ]
    if any(entry.error is not None for entry in entries):
        errors = ["-" if entry.error is None else f"{entry.error:.1e}" for entry in entries]
        rows.append(("error of a neuron", errors))
    if inspection.tolerance:
        rows.append((MOVED, [moved_text(entry) for entry in entries]))
    estimates = [entry.estimate for entry in entries]
    if any(found is not None for found in estimates):
        durations = ["-" if e is None else f"{1e6 * e.duration:.1f} us" for e in estimates]
        fidelities = ["-" if e is None else f"{e.fidelity:.3g}" for e in estimates]
        rows += [("duration, about", durations), ("fidelity, about", fidelities)]
    return rows


def inspection_notes(inspection: Inspection) -> list[str]:
    """What must be known to read the rows."""
    cell, entries = inspection.cell, inspection.realisations
    notes = []
    if inspection.target is not None:
        notes.append(f"before -> after transpilation to {inspection.target}")
        left_out = [str(entry.realisation) for entry in entries if entry.transpiled is None]
        if left_out:
            asked = " ".join(f"--realisation {name}" for name in left_out)
            notes.append(f"not transpiled, as it takes minutes for so many gates: {asked} does so")
    if names := sorted({name for entry in entries for name in entry.mid_circuit}):
        notes.append(f"mid-circuit measurements and resets by: {', '.join(names)}")
    if any(entry.realisation.semantics != cell["semantics"] for entry in entries):
        notes.append(
            f"* other semantics than the model's ({cell['semantics']}): costs only, "
            "not its function"
        )
    if cell.get("order") == 0:
        notes.append("neurons of order 0 are the same in every realisation")
    if any(entry.resources.conditions for entry in entries):
        notes.append("what is conditioned counts as run")
    if any(entry.estimate is not None for entry in entries):
        notes.append("fidelity: of gates and measurements, and of qubits while they wait")
    if inspection.encoding == "angles":
        notes.append("inputs are in the angles of neurons, not on the lane")
    if inspection.tolerance:
        notes.append(
            f"rotations up to {inspection.tolerance:g} rad are dropped: what is read moves by that "
            "TVD at most"
        )
    return notes


def before_after(
    value: Callable[[Resources], int], before: Resources, after: Resources | None
) -> str:
    """A count, and with a target what transpilation makes of it."""
    return f"{value(before):,}" + ("" if after is None else f" -> {value(after):,}")
