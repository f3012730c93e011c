"""Measurements and resets inside of a circuit, in the forms that a target has."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qiskit import QuantumCircuit
    from qiskit.circuit import Clbit, Instruction, Qubit
    from qiskit.transpiler import Target

# IBM's instructions for the middle of a circuit, which are shorter than those for its end, and
# the instructions that do the same anywhere.
_FORMS = {"measure_2": "measure", "reset_2": "reset"}


def plain_name(name: str) -> str:
    """The name of an instruction, those for the middle of a circuit as ``measure`` or ``reset``."""
    return _FORMS.get(name, name)


def mid_circuit_instructions(circuit: "QuantumCircuit") -> list[str]:
    """Names of the instructions that measure or reset before a circuit has ended.

    Args:
        circuit: The circuit. A measurement is one whose qubit is used later or whose bit is read
            later, a reset one whose qubit is used later.

    Returns:
        The names in order, each once.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(1, 2)
        >>> for bit in range(2):
        ...     _ = circuit.measure(0, bit)
        >>> mid_circuit_instructions(circuit)
        ['measure']
    """
    return sorted({circuit.data[place].name for place in _inside(circuit)})


def described(instructions: "Iterable[str]") -> str:
    """Names of :func:`mid_circuit_instructions`, with what the qubits of plain ones lack.

    Example:
        >>> described(["measure_2", "reset"])
        'measure_2, reset (no reset_2 there)'
    """
    short = {plain: form for form, plain in _FORMS.items()}
    return ", ".join(
        f"{name} (no {short[name]} there)" if name in short else name for name in instructions
    )


def in_forms_of(circuit: "QuantumCircuit", target: "Target") -> "QuantumCircuit":
    """A circuit with the instructions for its middle that its qubits have; elsewhere as it is.

    Qiskit Runtime's own pass leaves measurements that conditions wait for, takes those before a
    barrier on idle qubits for some of the middle, and warns of each qubit without a form.

    Args:
        circuit: On the target's qubits.
        target: The target.
    """

    def supported(place: int, form: str) -> bool:
        qubits = circuit.data[place].qubits
        where = tuple(circuit.find_bit(qubit).index for qubit in qubits)
        return bool(target.instruction_supported(form, where))

    return _replaced(circuit, _inside(circuit), target, supported)


def in_only_forms_of(circuit: "QuantumCircuit", target: "Target") -> "QuantumCircuit":
    """A circuit to transpile, with the instructions for its middle where a target has no others."""
    lacking = {
        place
        for place, instruction in enumerate(circuit.data)
        if instruction.name in _FORMS.values() and instruction.name not in target.operation_names
    }
    return _replaced(circuit, lacking, target, lambda place, form: True)


def _replaced(
    circuit: "QuantumCircuit",
    places: "Iterable[int]",
    target: "Target",
    takes: "Callable[[int, str], bool]",
) -> "QuantumCircuit":
    """A circuit with a target's forms at some places; where it has none, the circuit."""
    forms = {plain: form for form, plain in _FORMS.items() if form in target.operation_names}
    if not forms:
        return circuit
    replaced = circuit.copy()
    for place in places:
        instruction = circuit.data[place]
        form = forms.get(instruction.name)
        if form is not None and takes(place, form):
            operation = target.operation_from_name(form)
            replaced.data[place] = instruction.replace(operation=operation)
    return replaced


def _inside(circuit: "QuantumCircuit") -> list[int]:
    """Places of the instructions that measure or reset before a circuit has ended."""
    places = []
    later: set[Qubit | Clbit] = set()
    for place in reversed(range(len(circuit.data))):
        instruction = circuit.data[place]
        if instruction.name == "barrier":
            continue
        kind = plain_name(instruction.name)
        if kind in _FORMS.values() and {*instruction.qubits, *instruction.clbits} & later:
            places.append(place)
        later.update(instruction.qubits)
        if kind != "measure":
            later.update(instruction.clbits)
    return places


def plain_instruction(instruction: "Instruction") -> "Instruction":
    """``measure`` and ``reset`` for the instructions of the middle of a circuit; others as is."""
    kind = _FORMS.get(instruction.name)
    if kind is None:
        return instruction
    from qiskit.circuit import Measure, Reset

    return Measure() if kind == "measure" else Reset()


def without_resets(circuit: "QuantumCircuit", *, conditions: bool) -> "QuantumCircuit":
    """A circuit that does the same with as few resets as can be.

    A reset of a qubit that is in 0 from the start, or that nothing acts on later, is left out. One
    after a measurement is, with conditions, an X where the bit reads 1. Like a reset by a chip's
    own control, that one depends on what was read.

    Args:
        circuit: The circuit.
        conditions: Whether conditions may be used.

    Returns:
        The circuit; it has resets left where there is no other way.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(1, 1)
        >>> for _ in range(2):
        ...     _ = circuit.x(0), circuit.measure(0, 0), circuit.reset(0)
        >>> dict(without_resets(circuit, conditions=True).count_ops())
        {'x': 2, 'measure': 2, 'if_else': 1}
    """
    used_later = _used_later(circuit)
    written = circuit.copy_empty_like()
    touched: set[Qubit] = set()
    # The bits that still tell the state of a qubit.
    known: dict[Qubit, Clbit] = {}
    for place, instruction in enumerate(circuit.data):
        if instruction.name == "reset":
            (qubit,) = instruction.qubits
            if qubit not in touched or qubit not in used_later[place]:
                continue
            if conditions and qubit in known:
                with written.if_test((known[qubit], True)):
                    written.x(qubit)
                del known[qubit]
                continue
        written.append(instruction)
        if instruction.name == "barrier":
            continue
        touched.update(instruction.qubits)
        changed = set(instruction.clbits) if instruction.name == "measure" else set()
        known = {
            qubit: bit
            for qubit, bit in known.items()
            if qubit not in instruction.qubits and bit not in changed
        }
        if instruction.name == "measure":
            known[instruction.qubits[0]] = instruction.clbits[0]
    return written


def _used_later(circuit: "QuantumCircuit") -> "list[set[Qubit]]":
    """For each place of a circuit, the qubits that anything but a reset acts on after it."""
    later: list[set[Qubit]] = []
    used: set[Qubit] = set()
    for instruction in reversed(circuit.data):
        later.append(used)
        if instruction.name not in ("barrier", "reset") and not used.issuperset(instruction.qubits):
            used = used | set(instruction.qubits)
    return later[::-1]
