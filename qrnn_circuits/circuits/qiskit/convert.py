"""Qiskit circuits from PennyLane tapes, with native dynamic circuits."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import Conditional, MidMeasure

from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.basic import basic_operations, qiskit_gates
from qrnn_circuits.circuits.qiskit.shared import neuron_operations
from qrnn_circuits.optional_packages import require_modules

if TYPE_CHECKING:
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
    from qiskit.circuit import CircuitInstruction, Clbit, Gate, Qubit
    from qiskit.circuit.classical.expr import Expr

# A basic operation and its Qiskit gate, which measurements and phases do not have.
_Step = tuple[Operator, "Gate | None"]


@dataclass(frozen=True)
class Item:
    """An operation to be converted.

    Attributes:
        operation: The operation.
        key: Operations of one key are converted once and then repeated: they must be equal. None
            if this operation is not repeated.
        section: Name of the part of the circuit that it belongs to.
    """

    operation: Operator
    key: Hashable = None
    section: str = ""


@dataclass(frozen=True)
class Converted:
    """A Qiskit circuit with what its classical bits must read.

    Attributes:
        circuit: The circuit. It keeps every shot: Qiskit has no postselection.
        postselected: For each postselected measurement, the position of its bit among the
            circuit's classical bits and the value that a kept shot reads there.
    """

    circuit: "QuantumCircuit"
    postselected: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Converter:
    """Rules by which operations become a Qiskit circuit.

    Conditions on measurement values become ``if_test`` blocks, one for each run of operations that
    share a condition. A measurement that is neither postselected nor recorded nor used, but
    resets its wire, becomes a ``reset`` alone.

    Attributes:
        quantum: Wires of each quantum register, in order.
        classical: Name of the classical register that takes the result of a measurement, given
            the measurement and whether a condition uses it, or None if it is not recorded.
        angle: Turns the parameter of a gate into a number or a Qiskit parameter expression.
        misread: Whether a shot that postselection keeps may have been misread. Then a wire that is
            reset after a postselected measurement is reset as others are; otherwise it is known to
            be in the postselected state, and takes an X or nothing.
        barriers: Whether to put a barrier in front of every section but the first, labelled with
            its name.
        neuron_gate: The one gate that a neuron becomes, or None for one that is decomposed.
    """

    quantum: Mapping[str, Sequence[Hashable]]
    classical: Callable[[MidMeasure, bool], str | None]
    angle: Callable[[Any], Any] = field(default=lambda value: float(qml.math.unwrap([value])[0]))
    misread: bool = False
    barriers: bool = False
    neuron_gate: "Callable[[NeuronOperation], Gate | None]" = field(default=lambda neuron: None)

    def convert(self, items: Iterable[Item]) -> Converted:
        """Converts operations.

        Args:
            items: The operations; those that are no gates of Qiskit are decomposed.

        Raises:
            ImportError: If Qiskit is not installed.
            TypeError: If an operation has no Qiskit gate, no decomposition and no matrix.
            ValueError: If a wire is in no register, or a condition uses a measurement that does not
                come before it.
        """
        require_modules("qiskit")
        from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

        expanded = list(self._expanded(items))
        used = {
            measurement.meas_uid
            for operation in {id(operation): operation for operation, _, _ in expanded}.values()
            if isinstance(operation, Conditional)
            for measurement in operation.meas_val.measurements
        }
        names: dict[str, int] = {}
        for operation, gate, _ in expanded:
            if gate is None and isinstance(operation, MidMeasure):
                name = self._register(operation, operation.meas_uid in used)
                if name is not None:
                    names[name] = names.get(name, 0) + 1
        quantum = [QuantumRegister(len(w), n) for n, w in self.quantum.items() if len(w)]
        classical = [ClassicalRegister(names[name], name) for name in names]
        circuit = QuantumCircuit(*quantum, *classical)
        return _Writer(self, circuit, quantum, classical, used).write(expanded)

    def _register(self, measurement: MidMeasure, used: bool) -> str | None:
        name = self.classical(measurement, used)
        if name is None and (used or measurement.postselect is not None):
            raise ValueError(f"{measurement} is used or postselected and needs a classical bit")
        return name

    def _expanded(self, items: Iterable[Item]) -> Iterator[tuple[Operator, "Gate | None", str]]:
        """Basic operations with their Qiskit gates and sections."""
        cache: dict[Hashable, list[_Step]] = {}
        for item in items:
            steps = cache.get(item.key) if item.key is not None else None
            if steps is None:
                steps = self._steps(item.operation)
                if item.key is not None:
                    cache[item.key] = steps
            for operation, gate in steps:
                yield operation, gate, item.section

    def _steps(self, operation: Operator) -> list[_Step]:
        """The basic operations of one; what repeats within a neuron is worked out once."""
        if isinstance(operation, NeuronOperation):
            whole = self.neuron_gate(operation)
            if whole is not None:
                return [(operation, whole)]
        decompose = (
            neuron_operations if isinstance(operation, NeuronOperation) else basic_operations
        )
        gates: dict[int, Gate | None] = {}
        steps: list[_Step] = []
        for basic in decompose(operation):
            # Conditioned operations share the gate of their base.
            base = basic.base if isinstance(basic, Conditional) else basic
            if id(base) not in gates:
                gates[id(base)] = self._gate(base)
            steps.append((basic, gates[id(base)]))
        return steps

    def _gate(self, operation: Operator) -> "Gate | None":
        if isinstance(operation, MidMeasure) or operation.name in ("GlobalPhase", "Barrier"):
            return None
        angles = [self.angle(value) for value in operation.data]
        if operation.name in qiskit_gates():
            return qiskit_gates()[operation.name](*angles)
        gate = qiskit_gates()[operation.base.name](*angles)
        values = "".join("01"[bool(value)] for value in operation.control_values)
        # Qiskit counts the bits of a control state from the right.
        return gate.control(len(values), ctrl_state=values[::-1], annotated=False)


class _Writer:
    """Writes expanded operations into one circuit."""

    def __init__(
        self,
        converter: Converter,
        circuit: "QuantumCircuit",
        quantum: Sequence["QuantumRegister"],
        classical: Sequence["ClassicalRegister"],
        used: set[str],
    ) -> None:
        self.converter = converter
        self.circuit = circuit
        self.used = used
        wires = [wires for wires in converter.quantum.values() if len(wires)]
        self.qubits: dict[Hashable, Qubit] = {
            wire: qubit
            for register, labels in zip(quantum, wires, strict=True)
            for wire, qubit in zip(labels, register, strict=True)
        }
        self.free = {register.name: iter(register) for register in classical}
        self.bits: dict[str, Clbit] = {}
        self.postselected: list[tuple[int, int]] = []
        # Operations that wait for their common condition to end.
        self.condition: Any = None
        self.waiting: list[CircuitInstruction] = []
        # Of operations that repeat, by their identity; conditions until the next measurement.
        self.instructions: dict[int, CircuitInstruction] = {}
        self.unconditioned: dict[int, CircuitInstruction] = {}
        self.conditions: dict[int, Any] = {}

    def write(self, expanded: Sequence[tuple[Operator, "Gate | None", str]]) -> Converted:
        section = expanded[0][2] if expanded else ""
        for operation, gate, next_section in expanded:
            if next_section != section:
                section = next_section
                self._close()
                if self.converter.barriers:
                    self.circuit.barrier(label=section)
            instruction = self.unconditioned.get(id(operation))
            if instruction is None:
                self._write_one(operation, gate)
            else:
                self._close()
                _append(self.circuit, instruction)
        self._close()
        return Converted(self.circuit, tuple(self.postselected))

    def _write_one(self, operation: Operator, gate: "Gate | None") -> None:
        if isinstance(operation, Conditional):
            if gate is None:
                return  # A phase of a whole branch has no effect.
            condition = self._condition(operation)
            if condition is False:
                return
            if condition is not True:
                if condition != self.condition:
                    self._close()
                    self.condition = condition
                self.waiting.append(self._instruction(operation, gate))
                return
        self._close()
        if gate is not None:
            instruction = self._instruction(operation, gate)
            self.unconditioned[id(operation)] = instruction
            _append(self.circuit, instruction)
        elif isinstance(operation, MidMeasure):
            self._measure(operation, self._qubit(operation.wires[0]))
        elif operation.name == "Barrier":
            self.circuit.barrier([self._qubit(wire) for wire in operation.wires])
        else:
            # PennyLane's GlobalPhase(a) is exp(-i a).
            self.circuit.global_phase -= self.converter.angle(operation.data[0])

    def _instruction(self, operation: Operator, gate: "Gate") -> "CircuitInstruction":
        instruction = self.instructions.get(id(operation))
        if instruction is None:
            from qiskit.circuit import CircuitInstruction

            instruction = CircuitInstruction(gate, [self._qubit(wire) for wire in operation.wires])
            self.instructions[id(operation)] = instruction
        return instruction

    def _measure(self, measurement: MidMeasure, qubit: "Qubit") -> None:
        name = self.converter.classical(measurement, measurement.meas_uid in self.used)
        if name is not None:
            bit = next(self.free[name])
            self.conditions = {}
            self.bits[measurement.meas_uid] = bit
            self.circuit.measure(qubit, bit)
            if measurement.postselect is not None:
                place = self.circuit.find_bit(bit).index
                self.postselected.append((place, int(measurement.postselect)))
        if measurement.reset:
            if measurement.postselect is None or self.converter.misread:
                self.circuit.reset(qubit)
            elif measurement.postselect:
                self.circuit.x(qubit)

    def _condition(self, operation: Conditional) -> Any:  # noqa: ANN401
        """A Qiskit condition, or whether the operation acts always or never."""
        place = id(operation.meas_val)
        if place not in self.conditions:
            self.conditions[place] = self._new_condition(operation)
        return self.conditions[place]

    def _new_condition(self, operation: Conditional) -> Any:  # noqa: ANN401
        measurements = operation.meas_val.measurements
        bits = [self.bits.get(measurement.meas_uid) for measurement in measurements]
        if None in bits:
            raise ValueError(f"{operation} depends on a measurement that does not come before it")
        true = [branch for branch, value in operation.meas_val.items() if bool(value)]
        if len(true) in (0, 2 ** len(bits)):
            return bool(true)
        if len(bits) == 1:
            return bits[0], true[0][0]
        from qiskit.circuit.classical import expr

        terms = []
        for branch in true:
            read = zip(bits, branch, strict=True)
            factors = [expr.lift(bit) if value else expr.logic_not(bit) for bit, value in read]
            terms.append(_joined(expr.logic_and, factors))
        return _joined(expr.logic_or, terms)

    def _close(self) -> None:
        """Writes the waiting operations as one block."""
        if not self.waiting:
            return
        from qiskit import QuantumCircuit
        from qiskit.circuit.classical import expr

        qubits = list(dict.fromkeys(qubit for step in self.waiting for qubit in step.qubits))
        if isinstance(self.condition, tuple):
            bits = [self.condition[0]]
        else:
            bits = list(dict.fromkeys(var.var for var in expr.iter_vars(self.condition)))
        body = QuantumCircuit(qubits, bits)
        for instruction in self.waiting:
            _append(body, instruction)
        self.circuit.if_test(self.condition, body, qubits, bits)
        self.waiting, self.condition = [], None

    def _qubit(self, wire: Hashable) -> "Qubit":
        try:
            return self.qubits[wire]
        except KeyError:
            registers = {name: list(wires) for name, wires in self.converter.quantum.items()}
            raise ValueError(f"wire {wire} is in none of the registers {registers}") from None


def _joined(join: "Callable[[Expr, Expr], Expr]", parts: "Sequence[Expr]") -> "Expr":
    """Parts of an expression, joined in pairs: Qiskit cannot read QPY of a hundred levels."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return join(_joined(join, parts[:half]), _joined(join, parts[half:]))


def _append(circuit: "QuantumCircuit", instruction: "CircuitInstruction") -> None:
    """Appends a gate on qubits that the circuit has."""
    if instruction.is_standard_gate() or not instruction.is_parameterized():
        circuit._append(instruction)
    else:
        circuit.append(instruction)  # makes a copy, whose parameters are its own


def without_sections(circuit: "QuantumCircuit") -> "QuantumCircuit":
    """A copy without the barriers that are labelled by the name of a section."""
    whole = circuit.copy_empty_like()
    for instruction in circuit.data:
        if instruction.name != "barrier" or instruction.label is None:
            _append(whole, instruction)
    return whole


def to_qiskit(
    tape: qml.tape.QuantumScript, registers: Mapping[str, Sequence[Hashable]] | None = None
) -> "QuantumCircuit":
    """Converts a tape; every measurement of it gets a bit of the classical register ``c``.

    Mid-circuit measurements, resets and conditions become Qiskit's own. A postselected measurement
    is an ordinary one: it is up to the caller to keep the right shots. The tape's final
    measurement processes have no counterpart and are left out.

    Args:
        tape: Gates, mid-circuit measurements and conditioned gates. Operations that Qiskit does
            not have are decomposed.
        registers: Wires of each quantum register, in order; by default one register ``q``.

    Returns:
        The circuit.

    Raises:
        ImportError: If Qiskit is not installed.
        TypeError: If an operation has no Qiskit gate, no decomposition and no matrix.
        ValueError: If a wire is in no register, or a condition uses a measurement that does not
            come before it.

    Example:
        >>> tape = qml.tape.QuantumScript([qml.H(0), qml.CNOT([0, 1])])
        >>> dict(to_qiskit(tape).count_ops())
        {'h': 1, 'cx': 1}
    """
    registers = {"q": list(tape.wires)} if registers is None else registers
    converter = Converter(registers, lambda measurement, used: "c")
    return converter.convert(Item(operation) for operation in tape.operations).circuit
