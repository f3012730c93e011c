"""Counts what a trained circuit takes without its small rotations, and how far that moves it.

Trains cells of unitary semantics and order 1 on XOR, then transpiles 12 steps of each to a Heron
chip (fake_fez) by Qiskit at optimisation level 3. Each scored step of some test sequences is one
circuit, conditioned on the right outcomes before it: "right" is the share whose most probable
symbol is right, "mean TVD" and "largest" are how far its distribution moves by dropping. "Bound" is
what the package promises of all 12 steps where nothing is conditioned. Prints markdown.

    python -m benchmarks.dropped_rotations [--steps 1000] [--sequences 4]
"""

import argparse

import pennylane as qml

from benchmarks.runs import trained
from benchmarks.tables import print_head, print_row
from qrnn_circuits import compile_circuit
from qrnn_circuits.circuits.qiskit.resources import resources
from qrnn_circuits.circuits.qiskit.target import resolve_target
from qrnn_circuits.execution import plan_run
from qrnn_circuits.execution.run import run_and_report
from qrnn_circuits.training import RunConfig, TrainedRun

# Workspace wires and degree.
CELLS = ((2, 2), (3, 3))
TOLERANCES = (0.0, 0.001, 0.005, 0.02, 0.06)
LENGTH = 12


def trained_cell(workspace: int, degree: int, steps: int) -> TrainedRun:
    """A cell after so many steps of ``qrnn train xor --recipe paper``, with seed 0."""
    settings = {
        "workspace": workspace,
        "degree": degree,
        "order": 1,
        "semantics": "unitary",
        "dtype": "float64",
        "steps": steps,
        "task_options": {"length": LENGTH},
    }
    return trained(RunConfig.resolve("xor", settings, recipe="paper"))


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="of training")
    parser.add_argument("--sequences", type=int, default=4, help="of the test set")
    arguments = parser.parse_args()
    chip = resolve_target("fake_fez")
    device = qml.device("qrnn.torch")
    columns = ["W, d", "tolerance", "CNOTs", "on fake_fez", "right", "mean TVD", "largest", "bound"]
    print_head(columns, texts=1)
    for workspace, degree in CELLS:
        run = trained_cell(workspace, degree, arguments.steps)
        for tolerance in TOLERANCES:
            compiled = compile_circuit(run.model, [0] * LENGTH, tolerance=tolerance)
            circuit = compiled.to_qiskit()
            plan = plan_run(run, sequences=arguments.sequences, tolerance=tolerance)
            report = run_and_report(plan, device, device.name)
            cells = [
                f"{workspace}, {degree}",
                f"{tolerance:g}",
                f"{resources(circuit).two_qubit_gates:,}",
                f"{resources(chip.transpile(circuit)).two_qubit_gates:,}",
                f"{report.accuracy:.0%}",
                f"{report.distance:.1g}",
                f"{max(entry.distance for entry in report.circuits):.1g}",
                f"{compiled.distribution_bounds()[-1]:.2g}",
            ]
            print_row(cells)


if __name__ == "__main__":
    main()
