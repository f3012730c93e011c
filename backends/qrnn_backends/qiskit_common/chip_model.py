"""A local model of a chip: its transpiler target, and the noise of the qubits that are used."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from qrnn_circuits.circuits.qiskit.mid_circuit import plain_instruction
from qrnn_circuits.circuits.qiskit.target import Chip, UnsupportedTargetError, fake_backend

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.transpiler import Target
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel

_CACHED_CIRCUITS = 64
_CACHED_SIMULATORS = 64


class ChipModel:
    """A fake backend, which holds a snapshot of a chip's calibration data.

    Its noise is that of Qiskit Runtime's local testing mode, from the same calibration data by the
    same code of Aer: depolarising gate errors, thermal relaxation during gates and delays, and
    readout errors. Only the errors of the qubits that a circuit uses are built.

    Attributes:
        name: Name of the fake backend.
        target: Qiskit's description of the chip.
    """

    def __init__(self, name: str) -> None:
        """Looks the chip up.

        Args:
            name: Of a fake backend of ``qiskit_ibm_runtime.fake_provider``, such as ``"fake_fez"``.

        Raises:
            ImportError: If Qiskit is not installed.
            ValueError: If there is no such backend.
        """
        backend = fake_backend(name)
        self.name: str = backend.name
        self.target: Target = backend.target
        self._properties: dict[str, Any] = backend.properties().to_dict()
        self._chip = Chip(self.name, self.target, None)
        # The circuits are kept with their results, so that no other circuit can take their id.
        self._transpiled: LRUCache[int, tuple[QuantumCircuit, QuantumCircuit]] = LRUCache(
            _CACHED_CIRCUITS
        )
        self._simulators: LRUCache[tuple[int, ...], AerSimulator] = LRUCache(_CACHED_SIMULATORS)

    def transpile(self, circuit: "QuantumCircuit") -> "QuantumCircuit":
        """Transpiles a circuit to the chip, once for each circuit object.

        Args:
            circuit: The circuit. Its parameters stay parameters.

        Returns:
            The circuit on the chip's qubits and in its gates.

        Raises:
            UnsupportedTargetError: If the chip has too few qubits or lacks an instruction.
        """
        known = self._transpiled.get(id(circuit))
        if known is None:
            known = circuit, self._chip.transpile(circuit)
            self._transpiled[id(circuit)] = known
        return known[1]

    def compact(
        self, circuits: Sequence["QuantumCircuit"]
    ) -> "tuple[list[QuantumCircuit], AerSimulator]":
        """Leaves out the qubits that no circuit uses.

        Args:
            circuits: Circuits on the chip's qubits and in its gates.

        Returns:
            The circuits on the active qubits of all of them, and a simulator with the noise of
            these qubits. Aer knows one kind of measurement and of reset, and takes all as these.

        Raises:
            UnsupportedTargetError: If the chip's calibration data lack those of a qubit.
        """
        active = tuple(sorted({qubit for circuit in circuits for qubit in _active(circuit)}))
        simulator = self._simulators.get(active)
        if simulator is None:
            from qiskit_aer import AerSimulator

            simulator = AerSimulator(noise_model=self._noise_model(active))
            self._simulators[active] = simulator
        return [_compacted(circuit, active) for circuit in circuits], simulator

    def _noise_model(self, active: Sequence[int]) -> "NoiseModel":
        from qiskit_aer.noise import NoiseModel
        from qiskit_ibm_runtime.models import BackendProperties

        for qubit in active:
            missing = {"T1", "T2"} - {entry["name"] for entry in self._properties["qubits"][qubit]}
            if missing:
                raise UnsupportedTargetError(
                    f"{self.name} has no data on {' and '.join(sorted(missing))} of qubit {qubit}, "
                    "so that its noise is not known: use fewer wires, or another chip"
                )
        place = {qubit: number for number, qubit in enumerate(active)}
        # Snapshots of newer chips have no frequencies. At Aer's temperature of 0 they do not count.
        frequency = {"name": "frequency", "value": 0.0, "unit": "GHz", "date": datetime.now()}
        qubits = [
            [entry for entry in self._properties["qubits"][qubit] if entry["name"] != "frequency"]
            + [frequency]
            for qubit in active
        ]
        gates = [
            gate | {"qubits": [place[qubit] for qubit in gate["qubits"]]}
            for gate in self._properties["gates"]
            if place.keys() >= set(gate["qubits"])
        ]
        properties = BackendProperties.from_dict(
            self._properties | {"qubits": qubits, "gates": gates, "general_qlists": []}
        )
        return NoiseModel.from_backend_properties(properties, dt=self.target.dt)


@lru_cache(maxsize=8)
def chip_model(name: str) -> ChipModel:
    """The model of a chip, with what it has transpiled and built before.

    Args:
        name: Of a fake backend of ``qiskit_ibm_runtime.fake_provider``, such as ``"fake_fez"``.

    Raises:
        ImportError: If Qiskit is not installed.
        ValueError: If there is no such backend.
    """
    return ChipModel(name)


def _active(circuit: "QuantumCircuit") -> set[int]:
    return {
        circuit.find_bit(qubit).index
        for instruction in circuit.data
        if instruction.operation.name != "barrier"
        for qubit in instruction.qubits
    }


def _compacted(circuit: "QuantumCircuit", active: Sequence[int]) -> "QuantumCircuit":
    from qiskit import QuantumCircuit, QuantumRegister

    compacted = QuantumCircuit(
        QuantumRegister(len(active), "q"),
        *circuit.cregs,
        global_phase=circuit.global_phase,
    )
    place = {circuit.qubits[qubit]: compacted.qubits[number] for number, qubit in enumerate(active)}
    for instruction in circuit.data:
        qubits = [place[qubit] for qubit in instruction.qubits if qubit in place]
        # Only a barrier can be on idle qubits, and it does nothing to a simulation.
        if instruction.operation.name != "barrier":
            compacted.append(plain_instruction(instruction.operation), qubits, instruction.clbits)
    return compacted
