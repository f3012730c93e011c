"""Counts the two-qubit gates of one step, each realisation against the paper's textbook circuit.

The textbook circuit is the postselected neuron of order 2 with one multi-controlled RY for each
monomial of its polynomial. Everything is transpiled by Qiskit at optimisation level 3, to a Heron
chip (fake_fez) and to all-to-all CX. Prints markdown; the largest cells take minutes.

    python -m benchmarks.gate_counts [--largest 10] [--length 3] [--attempts 3]
"""

import argparse

import pennylane as qml
import torch
from qiskit import QuantumCircuit

from benchmarks.tables import print_head, print_row
from qrnn_circuits import QRNN, Initialisation
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.convert import to_qiskit
from qrnn_circuits.circuits.qiskit.resources import resources
from qrnn_circuits.circuits.qiskit.target import resolve_target
from qrnn_circuits.circuits.realisations import (
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
)
from qrnn_circuits.circuits.realisations.postselect import textbook_neuron
from qrnn_circuits.circuits.sequence import compile_circuit

# Workspace W, lane I, degree d.
CELLS = ((2, 1, 1), (2, 1, 2), (3, 1, 2), (4, 2, 2), (4, 2, 3), (8, 2, 2))
TARGETS = {"all-to-all CX": ["cx", "rz", "sx", "x"], "fake_fez": "fake_fez"}
GENERIC = Initialisation(bias_spread=0.5, weight_spread=0.5, theta_spread=0.5)


def circuit_of(workspace: int, lane: int, degree: int, realisation: Realisation) -> CompiledCircuit:
    """One step of a cell of order 2 and one work stage, with generic parameters."""
    model = QRNN(
        workspace=workspace,
        lane=lane,
        degree=degree,
        semantics=realisation.semantics,
        initialisation=GENERIC,
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    ).requires_grad_(False)
    return compile_circuit(model, [0], realisation=realisation)


def textbook(circuit: CompiledCircuit) -> QuantumCircuit:
    """The postselected circuit with a multi-controlled RY for each monomial."""
    with qml.queuing.AnnotatedQueue() as queue:
        for item in circuit.staged_operations():
            neuron = item.operation
            if isinstance(neuron, NeuronOperation):
                textbook_neuron(
                    neuron.data[0],
                    list(neuron.control_wires),
                    neuron.target_wire[0],
                    list(neuron.ancilla_wires),
                    degree=neuron.hyperparameters["degree"],
                )
            else:
                qml.apply(neuron)
    tape = qml.tape.QuantumScript.from_queue(queue)
    return to_qiskit(
        tape, dict(zip(("lane", "workspace", "ancilla"), circuit.registers, strict=True))
    )


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=10, help="most lane and workspace wires")
    parser.add_argument("--length", type=int, default=3, help="of amplified neurons")
    parser.add_argument("--attempts", type=int, default=3, help="of repeat_until_success")
    arguments = parser.parse_args()
    realisations = (
        Postselect(),
        RepeatUntilSuccess(arguments.attempts),
        Amplified(arguments.length),
        Multiplexed(),
    )
    chips = {name: resolve_target(target) for name, target in TARGETS.items()}
    columns = [
        "W, I, d",
        "target",
        "textbook",
        "postselect",
        "fewer by",
        f"repeat_until_success ({arguments.attempts} attempts, all run)",
        f"amplified (L = {arguments.length})",
        "multiplexed",
    ]
    print_head(columns, texts=2)
    for workspace, lane, degree in CELLS:
        if workspace + lane > arguments.largest:
            continue
        circuits = {
            realisation.name: circuit_of(workspace, lane, degree, realisation)
            for realisation in realisations
        }
        qiskit = {"textbook": textbook(circuits["postselect"])}
        qiskit |= {name: circuit.to_qiskit() for name, circuit in circuits.items()}
        for target, chip in chips.items():
            counts = {
                name: resources(chip.transpile(circuit)).two_qubit_gates
                for name, circuit in qiskit.items()
            }
            cells = [
                f"{workspace}, {lane}, {degree}",
                target,
                f"{counts['textbook']:,}",
                f"{counts['postselect']:,}",
                f"{counts['textbook'] / counts['postselect']:.1f}x",
                *(f"{counts[name]:,}" for name in list(circuits)[1:]),
            ]
            print_row(cells)


if __name__ == "__main__":
    main()
