"""A whole sequence of a QRNN as one circuit, whose wires do not grow with the steps."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pennylane as qml
import torch
from pennylane.operation import Operator
from pennylane.ops import MidMeasure

from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.circuits.cell import Registers, cell_step, condition_lane, registers
from qrnn_circuits.circuits.qiskit.convert import Converted, Converter, Item
from qrnn_circuits.circuits.qiskit.symbolic import SymbolicAngles
from qrnn_circuits.circuits.realisations.base import (
    DEFAULT_ATTEMPTS,
    DEFAULT_LENGTH,
    Realisation,
    check_realisation,
    check_semantics,
    default_realisation,
)
from qrnn_circuits.circuits.stages import StagedOperation, staged
from qrnn_circuits.network import QRNN
from qrnn_circuits.optional_packages import require_qiskit

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

# Of a statevector in which every measurement has a wire of its own.
_MAX_DEFERRED_WIRES = 16


@dataclass(frozen=True)
class CompiledCircuit:
    """The circuit of a sequence: on PennyLane devices, in Qiskit, as OpenQASM 3 or as a drawing.

    The lane is measured after each step, reset and used again. The model's parameters are read
    whenever a circuit is made, so a compiled circuit follows a model that goes on training.

    Attributes:
        model: The network.
        inputs: The input symbol of each of T steps.
        outcomes: For each step the outcome that its lane is conditioned on, or None where the
            lane is sampled.
        steps: The sampled steps whose lane the QNode returns.
        realisation: How neurons are built.
        attempts: How often a neuron is tried, for ``"repeat_until_success"``.
        length: Length of the amplification, for ``"amplified"``.
        symbolic: Whether trained parameters are Qiskit parameters in :meth:`to_qiskit`.
    """

    model: QRNN
    inputs: tuple[int, ...]
    outcomes: tuple[int | None, ...]
    steps: tuple[int, ...]
    realisation: Realisation
    attempts: int = DEFAULT_ATTEMPTS
    length: int = DEFAULT_LENGTH
    symbolic: bool = False

    @property
    def registers(self) -> Registers:
        """The wires of lane, workspace and ancillas."""
        return registers(self.model.cell, self.realisation)

    @property
    def tape(self) -> qml.tape.QuantumScript:
        """The circuit, which returns the distribution of each requested step's lane."""
        operations, results = self._operations(self.model.cell, read_last=False)
        with qml.QueuingManager.stop_recording():
            measurements = self._measurements(results, qml.probs)
        return qml.tape.QuantumScript([item.operation for item in operations], measurements)

    def staged_operations(self) -> list[StagedOperation]:
        """The operations, each with its step, stage and neuron, up to the last step's read-out."""
        return self._operations(self.model.cell)[0]

    def qnode(
        self,
        device: "qml.devices.Device | str" = "default.qubit",
        *,
        returns: Literal["probs", "sample"] = "probs",
        shots: int | None = None,
        mcm_method: str | None = None,
    ) -> qml.QNode:
        """A QNode without arguments that runs the circuit.

        Args:
            device: A PennyLane device or the name of one. It must run mid-circuit measurements,
                and postselection where outcomes are conditioned or neurons are postselected.
            returns: ``"probs"`` for each requested step's distribution, ``(2**I,)`` each, given
                every conditioned outcome, also later ones; ``"sample"`` for the bits of its lane
                in each shot, ``(shots, I)``.
            shots: Number of shots; by default none, which only analytic devices run.
            mcm_method: PennyLane's method for mid-circuit measurements; by default the device's
                choice, but on ``default.qubit`` without shots ``"tree-traversal"``, which follows
                every sampled history. It normalises each history on its own (PennyLane 0.45), so
                where a postselected measurement follows one that is not, the default is
                ``"deferred"``, with a wire for each measurement.

        Returns:
            A QNode that returns a list with one entry for each of ``steps``. If the last step is
            the only one of them, and without shots, it is differentiable in the model's parameters
            where the device is.

        Raises:
            ValueError: If every step is conditioned, so that there is nothing to return, if
                ``returns`` is neither ``"probs"`` nor ``"sample"``, or if ``default.qubit`` without
                shots would be wrong (tree traversal) or too large (deferred measurements).
        """
        if not self.steps:
            raise ValueError(
                "outcomes conditions every step, so that a QNode has nothing to return: leave "
                "out the last outcome, or put None for a step that is to be sampled"
            )
        if returns not in ("probs", "sample"):
            raise ValueError(f"returns must be 'probs' or 'sample', got {returns!r}")
        if isinstance(device, str):
            device = qml.device(device)
        if device.name == "default.qubit" and shots is None:
            mcm_method = self._analytic_method(mcm_method)

        differentiable = self.steps == (len(self.inputs) - 1,) and shots is None
        # PennyLane looks for measurements before it decomposes anything.
        expand = self.realisation != "multiplexed" and not device.name.startswith("qrnn.")

        def circuit() -> list[qml.measurements.MeasurementProcess]:
            operations, results = self._operations(self.model.cell, read_last=False)
            for item in operations:
                operation = item.operation
                if not differentiable:
                    # PennyLane cannot combine torch tensors with mid-circuit distributions.
                    operation = _with_numbers(operation)
                if expand and item.neuron is not None:
                    operation.decomposition()
                else:
                    qml.apply(operation)
            return self._measurements(results, qml.probs if returns == "probs" else qml.sample)

        interface = "torch" if differentiable else "numpy"
        qnode = qml.QNode(circuit, device, interface=interface, mcm_method=mcm_method)
        return qnode if shots is None else qml.set_shots(qnode, shots=shots)

    def to_qiskit(self, *, barriers: bool = False) -> "QuantumCircuit":
        """The circuit for Qiskit, with dynamic circuits of its own.

        Quantum registers: ``lane``, ``workspace``, ``ancilla``. Classical registers: ``outcome``,
        with the bits of each step's lane, most significant first, step after step; ``flag``, the
        postselected ancilla measurements, which all read 0 in a shot that counts; ``attempt``,
        the failures that ``"repeat_until_success"`` met and undid. Qiskit has no postselection: see
        :meth:`kept`.

        Args:
            barriers: Whether to put a barrier in front of every stage but the first, labelled
                ``"<step>: <stage>"``.

        Raises:
            ImportError: If Qiskit is not installed.
        """
        if barriers:
            return self._convert(barriers=True).circuit.copy()
        return self._converted.circuit.copy()

    def kept(self, counts: Mapping[str, int]) -> Counter[tuple[int, ...]]:
        """Keeps the shots whose flags read 0 and whose conditioned outcomes are right.

        Args:
            counts: Bit strings of all classical bits with their counts, as Aer's
                ``result.get_counts()`` or ``join_data().get_counts()`` of a sampler gives them.

        Returns:
            How often each sequence of T outcomes was read in the kept shots. The kept share of all
            shots is the acceptance.

        Raises:
            ValueError: If a bit string does not have one character for each classical bit.
        """
        circuit = self._converted.circuit
        register = next(register for register in circuit.cregs if register.name == "outcome")
        places = [circuit.find_bit(bit).index for bit in register]
        lane = self.model.cell.lane
        kept: Counter[tuple[int, ...]] = Counter()
        for text, count in counts.items():
            # Qiskit writes its first bit last.
            bits = text.replace(" ", "")[::-1]
            if len(bits) != circuit.num_clbits:
                raise ValueError(
                    f"counts must be of the circuit's {circuit.num_clbits} classical bits, got "
                    f"{text!r}"
                )
            if all(bits[place] == str(value) for place, value in self._converted.postselected):
                outcome = "".join(bits[place] for place in places)
                symbols = [
                    int(outcome[start : start + lane], 2) for start in range(0, len(outcome), lane)
                ]
                kept[tuple(symbols)] += count
        return kept

    def parameter_values(self, model: QRNN | None = None) -> "dict[Parameter, float]":
        """Values of the parameters of a symbolic circuit, for ``assign_parameters``.

        Args:
            model: A network of the same sizes; by default the compiled one.

        Returns:
            A value for each parameter of the circuit. For the realisation ``"multiplexed"``, whose
            angles are not linear in the coefficients, a parameter is the angle of one gate; for
            the others, one coefficient. Work stages have a parameter for each theta.

        Raises:
            ValueError: If the circuit is not symbolic, or the model is of another size.
        """
        if not self.symbolic:
            raise ValueError("a circuit has parameters only if it is compiled with symbolic=True")
        model = self.model if model is None else model
        expected, cell = self.model.cell, model.cell
        for name in ("lane", "workspace", "stages", "order", "degree", "semantics"):
            if getattr(cell, name) != getattr(expected, name):
                raise ValueError(
                    f"model must be of the compiled circuit's sizes: {name} is "
                    f"{getattr(cell, name)!r}, not {getattr(expected, name)!r}"
                )
        # All steps share their parameters: one tells all values.
        first = replace(
            self, model=model, inputs=self.inputs[:1], outcomes=self.outcomes[:1], steps=()
        )
        values = SymbolicAngles(_trainable_double(cell), linear=self._linear)
        first._convert(angles=values)
        present = set(self._converted.circuit.parameters)
        by_name = {parameter.name: value for parameter, value in values.values().items()}
        return {parameter: by_name[parameter.name] for parameter in present}

    def to_openqasm3(self) -> str:
        """The Qiskit circuit as an OpenQASM 3 program.

        Raises:
            ImportError: If Qiskit is not installed.
        """
        circuit = self.to_qiskit()
        from qiskit import qasm3

        return str(qasm3.dumps(circuit))

    def draw(self, style: Literal["text", "mpl"] = "text") -> Any:  # noqa: ANN401
        """A drawing.

        Args:
            style: ``"text"`` for a string with one box for each neuron; ``"mpl"`` for the
                first step as a matplotlib figure
                (:func:`~qrnn_circuits.circuits.draw.draw_step`).

        Raises:
            ValueError: If there is no such style.
        """
        if style == "mpl":
            from qrnn_circuits.circuits.draw import draw_step

            return draw_step(self)
        if style != "text":
            raise ValueError(f"style must be 'text' or 'mpl', got {style!r}")
        labels = {
            wire: f"{name.removesuffix('s')} {place}"
            for name, wires in zip(self.registers._fields, self.registers, strict=True)
            for place, wire in enumerate(wires)
        }
        (tape,), _ = qml.map_wires(self.tape, labels)
        text: str = qml.drawer.tape_text(tape, wire_order=labels.values(), decimals=2)
        return text

    def _analytic_method(self, mcm_method: str | None) -> str:
        """How ``default.qubit`` gets this circuit's exact distributions."""
        measurements = [
            part
            for item in self._operations(self.model.cell, read_last=False)[0]
            for part in (
                [item.operation] if item.neuron is None else item.operation.decomposition()
            )
            if isinstance(part, MidMeasure)
        ]
        free = [measurement.postselect is None for measurement in measurements]
        # After the first free measurement, is any postselected?
        mixed = True in free and not all(free[free.index(True) :])
        if mixed and mcm_method == "tree-traversal":
            raise ValueError(
                "mcm_method must not be 'tree-traversal' on default.qubit for this circuit: a "
                "postselected measurement follows one that is not, and PennyLane normalises each "
                "of its histories on its own"
            )
        if mcm_method is not None:
            return mcm_method
        wires = sum(map(len, self.registers)) + len(measurements)
        if mixed and wires > _MAX_DEFERRED_WIRES:
            raise ValueError(
                "default.qubit has no exact method for this circuit: a postselected measurement "
                f"follows one that is not, so that it needs {wires} wires at once, more than "
                f"{_MAX_DEFERRED_WIRES}. Give shots, or run to_qiskit() on a simulator."
            )
        return "deferred" if mixed else "tree-traversal"

    @property
    def _linear(self) -> bool:
        return self.realisation != "multiplexed"

    @cached_property
    def _converted(self) -> Converted:
        return self._convert()

    def _convert(
        self, *, barriers: bool = False, angles: "SymbolicAngles | None" = None
    ) -> Converted:
        require_qiskit()
        rules: dict[str, Any] = {}
        if angles is None and self.symbolic:
            angles = SymbolicAngles(_trainable_double(self.model.cell), linear=self._linear)
        if angles is not None:
            cell = angles.cell
            rules["angle"] = angles
        else:
            cell = deepcopy(self.model.cell).double()
        lane, workspace, ancillas = self.registers
        converter = Converter(
            {"lane": lane, "workspace": workspace, "ancilla": ancillas},
            self._classical_register,
            barriers=barriers,
            **rules,
        )
        with torch.set_grad_enabled(angles is not None):
            operations, _ = self._operations(cell)
            return converter.convert(
                Item(
                    item.operation,
                    # Equal neurons recur in every step.
                    key=item.neuron,
                    section=f"{item.step}: {item.stage}",
                )
                for item in operations
            )

    def _classical_register(self, measurement: MidMeasure, used: bool) -> str | None:
        if measurement.wires[0] in self.registers.lane:
            return "outcome"
        if measurement.postselect is not None:
            return "flag"
        return "attempt" if used or not measurement.reset else None

    def _measurements(
        self,
        results: Sequence[list[qml.ops.MeasurementValue]],
        measure: Callable[..., qml.measurements.MeasurementProcess],
    ) -> list[qml.measurements.MeasurementProcess]:
        """What a QNode returns: the lane itself stands for the results of an unread last step."""
        lane = list(self.registers.lane)
        return [
            measure(op=results[step]) if results[step] else measure(wires=lane)
            for step in self.steps
        ]

    def _operations(
        self, cell: QRNNCell, *, read_last: bool = True
    ) -> tuple[list[StagedOperation], list[list[qml.ops.MeasurementValue]]]:
        """All operations, and the results of measuring each step's lane.

        Without ``read_last``, a last step that is sampled is left to a terminal measurement.
        """
        operations: list[StagedOperation] = []
        results: list[list[qml.ops.MeasurementValue]] = []
        last = len(self.inputs) - 1
        held = 0
        for step, (symbol, outcome) in enumerate(zip(self.inputs, self.outcomes, strict=True)):
            with qml.queuing.AnnotatedQueue() as queue:
                cell_step(
                    cell,
                    symbol,
                    self.realisation,
                    attempts=self.attempts,
                    length=self.length,
                    lane_symbol=held,
                )
            operations += staged(_queued(queue), cell, step)
            if outcome is None and step == last and not read_last:
                results.append([])
                break
            with qml.queuing.AnnotatedQueue() as queue:
                # Where the outcome is known, the flips of the next input take it off as well.
                results.append(
                    condition_lane(cell, outcome, reset=outcome is None and step != last)
                )
            held = outcome or 0
            operations += [
                StagedOperation(operation, step, "read lane", None) for operation in _queued(queue)
            ]
        return operations, results


def _queued(queue: qml.queuing.AnnotatedQueue) -> list[Operator]:
    operations: list[Operator] = qml.tape.QuantumScript.from_queue(queue).operations
    return operations


def _with_numbers(operation: Operator) -> Operator:
    """The operation with numpy arrays for torch tensors."""
    if not operation.data:
        return operation
    with qml.QueuingManager.stop_recording():
        numbers = [qml.math.to_numpy(value) for value in operation.data]
        return qml.ops.functions.bind_new_parameters(operation, numbers)


def _trainable_double(cell: QRNNCell) -> QRNNCell:
    """A copy in float64 whose parameters record gradients."""
    copied: QRNNCell = deepcopy(cell).double().requires_grad_(True)
    return copied


def compile_circuit(
    model: QRNN,
    inputs: Sequence[int],
    outcomes: Sequence[int | None] | None = None,
    *,
    realisation: Realisation | None = None,
    steps: Sequence[int] | None = None,
    symbolic: bool = False,
    attempts: int = DEFAULT_ATTEMPTS,
    length: int = DEFAULT_LENGTH,
) -> CompiledCircuit:
    """Compiles a sequence into one circuit, whose number of wires does not depend on its length.

    Args:
        model: The network.
        inputs: The input symbols of T steps.
        outcomes: For each step the symbol that its lane is conditioned on, or None where it is to
            be sampled; T - 1 entries leave the last step to be sampled. By default every step is.
        realisation: How neurons are built; it must have the model's semantics. By default
            ``"postselect"`` for postselected and ``"multiplexed"`` for unitary semantics.
        steps: Positions of the sampled steps whose lane a QNode returns; by default all of them.
        symbolic: Whether trained parameters stay parameters in the Qiskit circuit, so that one
            transpiled circuit serves every parameter set.
        attempts: How often a neuron is tried, for ``"repeat_until_success"``, at least 1.
        length: Length of the amplification, odd, for ``"amplified"``.

    Returns:
        The circuit in its various forms.

    Raises:
        ValueError: If an argument is out of range, or the realisation is unknown or not of the
            model's semantics.
    """
    cell = model.cell
    realisation = default_realisation(cell.semantics) if realisation is None else realisation
    check_realisation(
        realisation,
        order=cell.order,
        controls=cell.polynomial.variables,
        attempts=attempts,
        length=length,
    )
    check_semantics(realisation, cell.semantics)
    inputs = [int(symbol) for symbol in inputs]
    if not inputs:
        raise ValueError("inputs must hold at least one symbol, got none")
    chosen: list[int | None] = (
        [None] * len(inputs)
        if outcomes is None
        else [None if symbol is None else int(symbol) for symbol in outcomes]
    )
    if len(chosen) == len(inputs) - 1:
        chosen.append(None)
    if len(chosen) != len(inputs):
        raise ValueError(
            f"outcomes must hold one symbol or None for each of the {len(inputs)} inputs, or for "
            f"each but the last, got {len(chosen)}"
        )
    for name, symbols in (("inputs", inputs), ("outcomes", chosen)):
        for symbol in symbols:
            if symbol is not None and not 0 <= symbol < 2**cell.lane:
                raise ValueError(
                    f"{name} must be symbols from 0 to {2**cell.lane - 1} (a lane of {cell.lane} "
                    f"wires), got {symbol}"
                )
    sampled = [step for step, outcome in enumerate(chosen) if outcome is None]
    requested = sampled if steps is None else [int(step) for step in steps]
    for step in requested:
        if step not in sampled:
            raise ValueError(
                f"steps must be sampled ones, whose outcome is not given (here {sampled}), got "
                f"{step}"
            )
    return CompiledCircuit(
        model,
        tuple(inputs),
        tuple(chosen),
        tuple(requested),
        realisation,
        attempts,
        length,
        symbolic,
    )
