"""The test error of Henon forecasts, one point ahead from four, by the default recipe on ten seeds.

Every seed is trained twice, as it is and with its initial parameters moved by normal numbers of
standard deviation 1e-6, in place of another machine. Columns are scaled over all points, as in the
benchmark of Fellner et al. (arXiv:2504.12416), whose median errors are 5.8e-6 of an RNN with 114
parameters, 2.2e-6 of an LSTM with 978 and 2.3e-6 of a linear-enhanced QLSTM with 452; theirs were
trained by Adam, ours by the recipe. Prints Markdown.

    python -m benchmarks.henon [--seeds 0 1 2] [--cells qrnn rnn] [--set stages=2 ...]
"""

import argparse
import statistics
import time
from typing import Any

import torch

from benchmarks.perturbation import PerturbedConfig
from benchmarks.runs import trained
from benchmarks.settings import SET_HELP, python_values
from benchmarks.tables import print_head, print_row
from qrnn_circuits.training import RunConfig, evaluate_forecast


def test_error(cell: str, seed: int, perturbed: bool, settings: dict[str, Any]) -> float:
    """Trains a network and returns the mean squared error of its best checkpoint."""
    options = {"task_options": {"series": "henon", "scaling": "all"}}
    kind = PerturbedConfig if perturbed else RunConfig
    config = kind.resolve("forecast", options, {"cell": cell, "seed": seed, **settings})
    return evaluate_forecast(trained(config)).mean_squared_error


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--cells", nargs="+", default=["qrnn", "rnn"])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help=SET_HELP)
    arguments = parser.parse_args()
    settings = python_values(arguments.set)
    torch.set_num_threads(1)
    print_head(["cell", "seed", "mean squared error", "parameters moved", "processor seconds"])
    for cell in arguments.cells:
        found = []
        for seed in arguments.seeds:
            started = time.process_time()
            pair = [test_error(cell, seed, moved, settings) for moved in (False, True)]
            seconds = (time.process_time() - started) / 2
            found += pair
            print_row([cell, seed, *(f"{error:.1e}" for error in pair), f"{seconds:.0f}"])
        summary = f"median {statistics.median(found):.1e}, worst {max(found):.1e}"
        print_row([cell, summary, "", "", ""])


if __name__ == "__main__":
    main()
