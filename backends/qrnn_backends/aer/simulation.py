"""Where Aer runs programs: on ideal or noisy qubits that are all connected, or on a chip's."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from cachetools import LRUCache

from qrnn_backends.aer.measurement_errors import MeasurementErrors
from qrnn_backends.qiskit_common.aer_failures import SimulationError, failures_not_logged
from qrnn_backends.qiskit_common.chip_model import ChipModel
from qrnn_backends.qiskit_common.instructions import instructions
from qrnn_backends.qiskit_common.program import Program
from qrnn_circuits.circuits.qiskit.target import Chip

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.result import Result
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel

_CACHED_CIRCUITS = 64

_NOT_RUN = re.compile(r'contains invalid (?:instructions|parameters).* for "(\w+)" method')


def run(
    simulator: "AerSimulator",
    circuits: "Sequence[QuantumCircuit]",
    **options: Any,  # noqa: ANN401
) -> "Result":
    """What Aer makes of circuits.

    Args:
        simulator: Aer.
        circuits: Without parameters.
        options: Of ``AerSimulator.run``.

    Raises:
        SimulationError: If Aer failed.
    """
    with failures_not_logged():
        result = simulator.run(list(circuits), **options).result()
    if not result.success:
        reasons = {str(part.status) for part in result.results if not part.success}
        text = "; ".join(sorted(reasons)) or str(result.status)
        if unknown := _NOT_RUN.search(text):
            text = (
                f"method {unknown.group(1)!r} does not run gates, angles or conditions of the "
                "circuit, or errors of its noise: take method='automatic'"
            )
        raise SimulationError(text)
    return result


class Simulation(Protocol):
    """Where programs run.

    Attributes:
        name: What messages call it.
        method: Aer's simulation method.
        noisy: Whether gates or readout have errors.
        placed: Number of a circuit's qubits that are not like the others, the first ones.
    """

    name: str
    method: str
    noisy: bool
    placed: int

    def prepare(self, programs: Sequence[Program]) -> "tuple[list[QuantumCircuit], AerSimulator]":
        """Circuits in gates that a simulator knows, without parameters, and that simulator.

        Raises:
            UnsupportedTargetError: If there are too few qubits or an instruction is lacking.
        """
        ...


class DirectSimulation:
    """Runs circuits as they are, with Aer's gates or those that a noise model has.

    Attributes:
        name: What messages call it.
        method: Aer's simulation method.
        noisy: Whether there is a noise model.
        placed: Number of qubits up to the last one with errors of its own.
    """

    def __init__(self, method: str, noise_model: "NoiseModel | None" = None) -> None:
        from qiskit.circuit.library import get_standard_gate_name_mapping
        from qiskit_aer import AerSimulator

        self.name = "Aer"
        self.method = method
        self.noisy = noise_model is not None
        local = noise_model.noise_qubits if noise_model is not None else []
        self.placed = max(local, default=-1) + 1
        self._simulator = AerSimulator(method=method, noise_model=noise_model)
        # Aer also names its own instructions there, which the transpiler does not know.
        names = set(self._simulator.configuration().basis_gates)
        basis = sorted(names & set(get_standard_gate_name_mapping()))
        self._known = {*basis, "barrier", "if_else", "measure", "reset"}
        if noise_model is not None:
            # Circuits wait for nothing.
            _check_gates(noise_model, {*basis, "measure", "reset"} - {"delay"})
            # Refuses those of several qubits.
            MeasurementErrors(noise_model)
        self._chip = Chip(self.name, None, tuple(basis))
        self._transpiled: LRUCache[str, QuantumCircuit] = LRUCache(_CACHED_CIRCUITS)

    def prepare(self, programs: Sequence[Program]) -> "tuple[list[QuantumCircuit], AerSimulator]":
        """Circuits in gates that the simulator knows, without parameters, and the simulator.

        Raises:
            UnsupportedTargetError: If an instruction is lacking.
        """
        circuits = []
        for program in programs:
            circuit = self._transpiled.get(program.structure)
            if circuit is None:
                circuit = program.circuit
                names = {instruction.name for instruction, _ in instructions(circuit)}
                if not names <= self._known:
                    circuit = self._chip.transpile(circuit, optimization_level=0)
                self._transpiled[program.structure] = circuit
            circuits.append(program.bound(circuit))
        return circuits, self._simulator


class ChipSimulation:
    """Transpiles circuits to a chip and runs them with its noise.

    Attributes:
        name: What messages call it.
        method: Aer's simulation method.
        noisy: True.
        placed: 0: the transpiler chooses the qubits.
    """

    def __init__(self, method: str, chip: ChipModel) -> None:
        self.name = chip.name
        self.method = method
        self.noisy = True
        self.placed = 0
        self._chip = chip

    def prepare(self, programs: Sequence[Program]) -> "tuple[list[QuantumCircuit], AerSimulator]":
        """Circuits on the active qubits of the chip, without parameters, and their simulator.

        Raises:
            UnsupportedTargetError: If there are too few qubits or an instruction is lacking.
        """
        circuits, simulator = self._chip.compact(
            [program.bound(self._chip.transpile(program.circuit)) for program in programs]
        )
        return circuits, simulator


def _check_gates(noise_model: "NoiseModel", known: set[str]) -> None:
    """Raises a ``ValueError`` where gates have errors that no circuit is written in."""
    unknown = set(noise_model.noise_instructions) - known
    if unknown:
        raise ValueError(
            f"noise must have errors on what Aer runs, {', '.join(sorted(known))}, but has some on "
            f"{', '.join(sorted(unknown))}: put them on the gates that these are made of"
        )
