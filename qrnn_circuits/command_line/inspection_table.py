"""Inspections as tables for a terminal."""

from collections.abc import Callable

from rich.table import Table

from qrnn_circuits.circuits.inspection import Inspection, RealisationInspection
from qrnn_circuits.circuits.qiskit.resources import Resources
from qrnn_circuits.command_line.plain import plain

# Names of the rows and what they show of a circuit.
_COUNTS: dict[str, Callable[[Resources], int]] = {
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


def inspection_tables(inspection: Inspection) -> list[Table]:
    """The realisations side by side, then the stages of each."""
    stages = [stage_table(inspection, entry) for entry in inspection.realisations]
    return [realisation_table(inspection), *stages]


def realisation_table(inspection: Inspection) -> Table:
    """One column for each realisation; counts before and, with a target, after transpilation."""
    cell = inspection.cell
    steps = len(inspection.inputs)
    title = (
        f"{steps} step(s): workspace {cell['workspace']}, lane {cell['lane']}, stages "
        f"{cell['stages']}, order {cell['order']}, degree {cell['degree']}"
    )
    caption = []
    if inspection.target is not None:
        caption.append(f"before -> after transpilation to {inspection.target}")
    if names := sorted({name for entry in inspection.realisations for name in entry.mid_circuit}):
        caption.append(f"measured and reset inside of circuits by {', '.join(names)}")
    if any(entry.realisation.semantics != cell["semantics"] for entry in inspection.realisations):
        caption.append(
            f"* other semantics than the model's ({cell['semantics']}): costs only, "
            "not its function"
        )
    if cell.get("order") == 0:
        caption.append("neurons of order 0 are the same in every realisation")
    if any(entry.resources.conditions for entry in inspection.realisations):
        caption.append("what is conditioned counts as run")
    if any(entry.estimate is not None for entry in inspection.realisations):
        caption.append("fidelity: of gates and measurements, and of qubits while they wait")
    if inspection.encoding == "angles":
        caption.append("inputs are in the angles of neurons, not on the lane")
    if inspection.tolerance:
        caption.append(
            f"rotations up to {inspection.tolerance:g} rad are dropped, which moves what is read "
            "by at most so much"
        )
    shown = plain("\n".join(caption), "table.caption") if caption else None
    table = Table(title=title, caption=shown)
    table.add_column("")
    for entry in inspection.realisations:
        mark = "" if entry.realisation.semantics == cell["semantics"] else " *"
        table.add_column(plain(f"{entry.realisation}{mark}"), justify="right")
    for name, value in _COUNTS.items():
        if name == "larger gates" and not any(value(e.resources) for e in inspection.realisations):
            continue  # The built-in realisations have none.
        table.add_row(
            name,
            *(
                _before_after(value, entry.resources, entry.transpiled)
                for entry in inspection.realisations
            ),
        )
    table.add_section()
    table.add_row(
        "acceptance",
        *(
            "-" if entry.acceptance is None else f"{entry.acceptance:.3g}"
            for entry in inspection.realisations
        ),
    )
    table.add_row(
        "error of a neuron",
        *(
            "-" if entry.error is None else f"{entry.error:.1e}"
            for entry in inspection.realisations
        ),
    )
    if inspection.tolerance:
        table.add_row(
            "moved by dropping, TVD",
            *(f"{entry.distribution_bounds[-1]:.2g}" for entry in inspection.realisations),
        )
    if any(entry.estimate is not None for entry in inspection.realisations):
        table.add_row(
            "duration, about",
            *(
                "-" if entry.estimate is None else f"{1e6 * entry.estimate.duration:.1f} us"
                for entry in inspection.realisations
            ),
        )
        table.add_row(
            "fidelity, about",
            *(
                "-" if entry.estimate is None else f"{entry.estimate.fidelity:.3g}"
                for entry in inspection.realisations
            ),
        )
    return table


def stage_table(inspection: Inspection, entry: RealisationInspection) -> Table:
    """One row for each stage of a realisation."""
    caption = None
    if inspection.target is not None:
        caption = "transpiled with barriers between stages, which costs a few gates"
    names = ("depth", "one-qubit gates", "two-qubit gates", "measurements")
    table = Table(title=plain(f"{entry.realisation}, by stage", "table.title"), caption=caption)
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for stage in entry.stages:
        table.add_row(
            stage.stage,
            *(_before_after(_COUNTS[name], stage.resources, stage.transpiled) for name in names),
        )
    return table


def _before_after(
    value: Callable[[Resources], int], before: Resources, after: Resources | None
) -> str:
    return f"{value(before):,}" + ("" if after is None else f" -> {value(after):,}")
