"""Measures how far each approximate realisation of a neuron is from its unitary semantics.

For "repeat_until_success" the infidelity on uniformly superposed controls, given success, the mean
over random neurons; it is exact where the controls are in a basis state. For "amplified" a bound of
the error in operator norm of any neuron. Prints markdown.

    python -m benchmarks.realisation_errors [--neurons 50]
"""

import argparse

import torch

from benchmarks.tables import print_head, print_row
from qrnn_circuits import Initialisation, QuantumNeuron
from qrnn_circuits.circuits import Amplified, RepeatUntilSuccess
from qrnn_circuits.circuits.realisations.amplified import LENGTHS

CONTROLS, DEGREE = 3, 2
SPREADS = (0.1, 0.3, 0.5, 1.0)


def mean_infidelity(
    realisation: RepeatUntilSuccess, spread: float, order: int, neurons: int
) -> float:
    """The mean over random neurons whose coefficients all have this spread."""
    total = 0.0
    for seed in range(neurons):
        neuron = QuantumNeuron(
            CONTROLS,
            order=order,
            degree=DEGREE,
            initialisation=Initialisation(bias_spread=spread, weight_spread=spread),
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        angles = neuron.angles().detach().numpy()
        total += realisation.superposition_infidelity(angles, order)
    return total / neurons


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, default=50)
    neurons = parser.parse_args().neurons
    print(f"Repeat until success, {CONTROLS} controls, degree {DEGREE}: mean infidelity\n")
    print_head(["spread of the coefficients", "attempts", "order 1", "order 2"], texts=2)
    for spread in SPREADS:
        for attempts in (1, 3):
            realisation = RepeatUntilSuccess(attempts)
            figures = (mean_infidelity(realisation, spread, order, neurons) for order in (1, 2))
            print_row([spread, attempts, *(f"{figure:.1e}" for figure in figures)])
    print("\nAmplified: bound of the error\n")
    print_head(["length L", "order 1", "order 2"], texts=1)
    for length in LENGTHS:
        bounds = (Amplified(length).error(order) for order in (1, 2))
        print_row([length, *(f"{bound:.1e}" for bound in bounds)])


if __name__ == "__main__":
    main()
