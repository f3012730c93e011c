"""Times our model of a chip against Qiskit Runtime's local testing mode, and compares their bits.

Every time is of 500 shots of one dynamic circuit of 3 qubits, in a fresh process after its imports:
the first run, which sets everything up, and the best of three that follow. The distance is the
total variation distance of the two distributions from many more shots, beside the one that two
samples of one distribution are expected to have (with four standard errors). Prints markdown;
takes minutes, most of them for Runtime's mode.

    python -m benchmarks.chip_model [--chip fake_fez] [--shots 20000]
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHOTS = 500
WARM_RUNS = 3
SIDES = {"ours": "`chip_model`", "runtime": "Runtime's local testing mode"}

Sampler = Callable[[int], dict[str, int]]


def dynamic_circuit() -> Any:  # noqa: ANN401
    """A mid-circuit measurement, a condition on it, a reset and entangling gates."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(3, 4)
    circuit.ry(1.0, 0)
    circuit.cx(0, 1)
    circuit.measure(1, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.ry(0.8, 2)
    circuit.reset(1)
    circuit.cry(0.7, 2, 1)
    circuit.cx(0, 2)
    circuit.measure([0, 1, 2], [1, 2, 3])
    return circuit


def ours(name: str) -> Sampler:
    """Samples the circuit with our model, transpiling it again and again as a user would."""
    from qrnn_backends.qiskit_common.chip_model import chip_model

    circuit = dynamic_circuit()

    def sample(shots: int) -> dict[str, int]:
        chip = chip_model(name)
        circuits, simulator = chip.compact([chip.transpile(circuit)])
        counts: dict[str, int] = simulator.run(circuits, shots=shots).result().get_counts()
        return counts

    return sample


def runtime(name: str) -> Sampler:
    """Samples the circuit with Runtime's sampler on the fake backend as it comes."""
    from qiskit import transpile
    from qiskit_ibm_runtime import SamplerV2

    from qrnn_circuits.circuits.qiskit.target import fake_backend

    circuit = dynamic_circuit()
    ready: dict[str, Any] = {}

    def sample(shots: int) -> dict[str, int]:
        if not ready:
            backend = fake_backend(name)
            ready["circuit"] = transpile(circuit, backend, optimization_level=3, seed_transpiler=0)
            ready["sampler"] = SamplerV2(mode=backend)
        result = ready["sampler"].run([ready["circuit"]], shots=shots).result()
        counts: dict[str, int] = result[0].join_data().get_counts()
        return counts

    return sample


def measure(side: str, chip: str, shots: int) -> dict[str, Any]:
    """Times and counts of one side, in this process."""
    start = perf_counter()
    for package in ("pennylane", "torch", "qiskit_aer", "qiskit_ibm_runtime"):
        import_module(package)
    sample = {"ours": ours, "runtime": runtime}[side](chip)
    imported = perf_counter()
    times = []
    for _ in range(1 + WARM_RUNS):
        before = perf_counter()
        sample(SHOTS)
        times.append(perf_counter() - before)
    return {
        "imports": imported - start,
        "cold": times[0],
        "warm": min(times[1:]),
        "counts": sample(shots),
    }


def shares(counts: dict[str, int]) -> NDArray[np.float64]:
    """How often each pattern of the 4 bits was read."""
    table = np.zeros(16)
    for text, count in counts.items():
        table[int(text.replace(" ", ""), 2)] += count
    whole: NDArray[np.float64] = table / table.sum()
    return whole


def noise_floor(distribution: NDArray[np.float64], shots: int) -> float:
    """What the distance of two samples of one distribution stays below, up to 4 standard errors."""
    generator = np.random.default_rng(0)
    pairs = generator.multinomial(shots, distribution, size=(2, 2000)) / shots
    distances = np.abs(pairs[0] - pairs[1]).sum(axis=1) / 2
    return float(distances.mean() + 4 * distances.std())


def main() -> None:
    """Runs both sides, each in a process of its own, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--chip", default="fake_fez", help="name of a fake backend")
    parser.add_argument("--shots", type=int, default=20_000, help="for the distance")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.chip, options.shots)))
        return
    print(f"| {options.chip}, {SHOTS} shots | imports | first run | later runs |")
    print("| --- | --- | --- | --- |")
    distributions = []
    for side, label in SIDES.items():
        arguments = [f"--side={side}", f"--chip={options.chip}", f"--shots={options.shots}"]
        process = subprocess.run(
            [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
        )
        found = json.loads(process.stdout.splitlines()[-1])
        distributions.append(shares(found["counts"]))
        times = [f"{found[name]:.2f} s" for name in ("imports", "cold", "warm")]
        print(f"| {label} | {' | '.join(times)} |", flush=True)
    distance = np.abs(distributions[0] - distributions[1]).sum() / 2
    floor = noise_floor(distributions[1], options.shots)
    print(
        f"\nTotal variation distance at {options.shots} shots: {distance:.4f}; two samples of one "
        f"distribution stay below {floor:.4f}."
    )


if __name__ == "__main__":
    main()
