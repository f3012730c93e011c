"""Samples of programs' bits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qrnn_backends.aer.measurement_errors import MeasurementErrors
from qrnn_backends.aer.simulation import Simulation, run
from qrnn_backends.qiskit_common.aer_failures import without_idle_qubits
from qrnn_backends.qiskit_common.aer_seeds import SEEDS_OF_A_CIRCUIT
from qrnn_backends.qiskit_common.program import Program
from qrnn_backends.qiskit_common.readout_errors import assignment_matrices
from qrnn_backends.readout import NoShotsKeptError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# Shots of each circuit, in search of those that postselection keeps.
_MOST_DRAWN = 10_000_000
# After so many of which none is kept, none is likely to be.
_MOST_DRAWN_IN_VAIN = 100_000


def sample(
    simulation: Simulation, programs: Sequence[Program], shots: int, seed: int
) -> list[NDArray[np.uint8]]:
    """Runs all programs, in one run of Aer where each has random numbers of its own there.

    Args:
        simulation: Where they run.
        programs: The programs.
        shots: Number of shots of each.
        seed: From 0 to ``2**31 - 1``. Equal seeds give equal samples.

    Returns:
        For each program, the value of each classical bit in each shot, shape ``(shots, bits)``.

    Raises:
        SimulationError: If Aer fails, for instance for want of memory.
        UnsupportedTargetError: If there are too few qubits or an instruction is lacking.
    """
    circuits, simulator = simulation.prepare(programs)
    options: dict[str, Any] = {"shots": shots, "memory": True, "method": simulation.method}
    parts, seeds = [circuits], [seed]
    if shots > SEEDS_OF_A_CIRCUIT and len(circuits) > 1:
        parts = [[circuit] for circuit in circuits]
        seeds = np.random.default_rng(seed).integers(2**31, size=len(parts)).tolist()

    def sampled(part: "Sequence[QuantumCircuit]", own: int) -> list[NDArray[np.uint8]]:
        result = without_idle_qubits(
            part,
            lambda truncated: run(
                simulator, part, seed_simulator=own, enable_truncation=truncated, **options
            ),
        )
        return [
            _bits(result.data(number).get("memory"), shots, circuit.num_clbits)
            for number, circuit in enumerate(part)
        ]

    return [bits for part, own in zip(parts, seeds, strict=True) for bits in sampled(part, own)]


def sample_kept(
    simulation: Simulation, programs: Sequence[Program], shots: int, seed: int
) -> list[NDArray[np.uint8]]:
    """Runs all programs until postselection has kept as many shots of each as are asked for.

    Args:
        simulation: Where they run.
        programs: The programs.
        shots: Number of kept shots of each.
        seed: From 0 to ``2**31 - 1``. Equal seeds give equal samples.

    Returns:
        For each program, the value of each classical bit in each kept shot, shape
        ``(shots, bits)``.

    Raises:
        NoShotsKeptError: If too few are kept of ten million, or none of a hundred thousand.
        SimulationError: If Aer fails, for instance for want of memory.
        UnsupportedTargetError: If there are too few qubits or an instruction is lacking.
    """
    random = np.random.default_rng(seed)
    kept = [np.zeros((0, 0), dtype=np.uint8)] * len(programs)
    lacking, drawn, wanted = list(range(len(programs))), 0, shots
    while lacking:
        part = [programs[place] for place in lacking]
        bits = sample(simulation, part, wanted, int(random.integers(2**31)))
        for place, program, values in zip(lacking, part, bits, strict=True):
            found = values[program.readout.kept(values)]
            kept[place] = np.concatenate((kept[place], found)) if drawn else found
        drawn += wanted
        lacking = [place for place in lacking if len(kept[place]) < shots]
        if not lacking:
            break
        fewest = min(len(kept[place]) for place in lacking)
        if drawn >= (_MOST_DRAWN if fewest else _MOST_DRAWN_IN_VAIN):
            raise NoShotsKeptError(
                f"postselection kept {fewest} of {drawn} shots, where {shots} are to be kept with "
                "postselect_mode='fill-shots': postselect on less, or take qrnn.torch, which draws "
                "from what is kept"
            )
        # A fifth more than the share of kept shots makes likely, and at most ten times as many.
        share = max(fewest, 1) / drawn
        wanted = min(int(1.2 * (shots - fewest) / share) + 1, 10 * drawn, _MOST_DRAWN)
    return [values[:shots] for values in kept]


def _bits(memory: Sequence[str] | None, shots: int, size: int) -> NDArray[np.uint8]:
    """Bits from Aer's hexadecimal numbers, whose least significant bit is bit 0."""
    if memory is None:
        return np.zeros((shots, size), dtype=np.uint8)
    width = (size + 7) // 8
    packed = b"".join(int(text, 16).to_bytes(width, "little") for text in memory)
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(shots, width)
    return np.unpackbits(rows, axis=1, count=size, bitorder="little")


def readout_matrices(
    simulation: Simulation, programs: Sequence[Program]
) -> list[NDArray[np.float64]]:
    """The readout errors that the simulation's noise has.

    Args:
        simulation: Where the programs run.
        programs: Programs without conditions.

    Returns:
        For each program those of its bits, as
        :func:`~qrnn_backends.qiskit_common.readout_errors.assignment_matrices` gives them.

    Raises:
        UnsupportedTargetError: If there are too few qubits or an instruction is lacking.
        ValueError: If a program has conditions or returns samples or counts, a bit says nothing of
            its qubit.
    """
    for program in programs:
        program.readout.check_mitigable()
    circuits, simulator = simulation.prepare(programs)
    qubits = range(max(circuit.num_qubits for circuit in circuits))
    errors = MeasurementErrors(simulator.options.noise_model).of_readout(qubits)
    matrices = [np.eye(2) if error is None else error.T for error in errors]
    return [assignment_matrices(circuit, matrices.__getitem__) for circuit in circuits]
