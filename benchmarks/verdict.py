"""Measures which share of the exact distribution a chip's noise leaves, against the fidelity.

Networks with random parameters are run under the noise model of a chip, all steps but the last
unread. The share is the coefficient of the least-squares fit of what is measured by a mixture of
the exact and the uniform distribution; beside it stand the fidelity of gates and measurements (the
noise model has no errors of waiting qubits), the exponent that leads from one to the other, and
how far any symbol is from the mixture. Prints markdown; takes a minute.

    python -m benchmarks.verdict [--chip fake_fez] [--shots 8000]
"""

import argparse
from math import log
from statistics import median

import numpy as np
import pennylane as qml
import torch

from benchmarks.tables import print_head, print_row
from qrnn_circuits import QRNN, Initialisation
from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.circuits import compile_circuit, inspect_circuit

WIDE = Initialisation(bias_spread=0.5, weight_spread=0.5, theta_spread=0.5)
# Order, workspace, degree, steps.
SIZES = ((0, 2, 1, 2), (0, 2, 2, 6), (1, 2, 2, 3), (1, 2, 2, 6), (1, 2, 2, 12), (1, 3, 2, 6))
SEEDS = (0, 1, 2)
LANE = 2


def main() -> None:
    """Prints a line for each network, and the middle of the exponents."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--chip", default="fake_fez", help="name of a fake backend")
    parser.add_argument("--shots", type=int, default=8_000, help="of each circuit")
    options = parser.parse_args()
    device = qml.device("qrnn.aer", noise=options.chip, seed=1)
    setting = "order, W, degree, steps, seed"
    print_head([setting, "two-qubit gates", "fidelity", "share", "exponent", "rest"])
    exponents = []
    for order, workspace, degree, steps in SIZES:
        for seed in SEEDS:
            model = QRNN(
                lane=LANE,
                workspace=workspace,
                order=order,
                degree=degree,
                semantics="unitary",
                initialisation=WIDE,
                generator=torch.Generator().manual_seed(seed),
            )
            inputs = [(3 * step + seed) % 2**LANE for step in range(steps)]
            outcomes = [UNREAD] * (steps - 1)
            inspection = inspect_circuit(
                model, inputs, outcomes, realisations=["multiplexed"], target=options.chip
            )
            (entry,) = inspection.realisations
            if entry.estimate is None or entry.transpiled is None:
                parser.error(f"{options.chip} has no calibration data")
            fidelity = entry.estimate.fidelity / entry.estimate.idle_fidelity
            circuit = compile_circuit(model, inputs, outcomes)
            exact = np.array(circuit.qnode("qrnn.torch")()[0].tolist()) - 1 / 2**LANE
            found = circuit.qnode(device, shots=options.shots)()[0] - 1 / 2**LANE
            share = (found @ exact) / (exact @ exact)
            exponents.append(log(share) / log(fidelity))
            cells = [
                f"{order}, {workspace}, {degree}, {steps}, {seed}",
                f"{entry.transpiled.two_qubit_gates}",
                f"{fidelity:.3f}",
                f"{share:.3f}",
                f"{exponents[-1]:.2f}",
                f"{np.abs(found - share * exact).max():.3f}",
            ]
            print_row(cells)
    print(
        f"\nExponents from {min(exponents):.2f} to {max(exponents):.2f}, median "
        f"{median(exponents):.2f}."
    )


if __name__ == "__main__":
    main()
