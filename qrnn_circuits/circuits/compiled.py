"""The circuit of a sequence in its forms: tapes and QNodes, Qiskit, OpenQASM 3."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

import pennylane as qml
import torch
from pennylane.operation import Operator

from qrnn_circuits.cells.base import UNREAD, Cell
from qrnn_circuits.circuits.cell import Registers, registers
from qrnn_circuits.circuits.dropping import distribution_bound, neuron_change
from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.measurement_method import measurement_method
from qrnn_circuits.circuits.neuron import (
    NeuronOperation,
    check_device,
    neurons_kept,
    runs_neurons,
    without_neurons,
)
from qrnn_circuits.circuits.qiskit.convert import Converted
from qrnn_circuits.circuits.qiskit.sequence import convert_sequence, kept_outcomes
from qrnn_circuits.circuits.qiskit.symbolic import SymbolicAngles
from qrnn_circuits.circuits.realisations import Realisation
from qrnn_circuits.circuits.stages import StagedOperation
from qrnn_circuits.circuits.steps import StepInput, sequence_operations
from qrnn_circuits.circuits.tapes import no_gradient, postselects, supports
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tracing import renew_parameters

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter


@dataclass(frozen=True)
class CompiledCircuit:
    """The circuit of a sequence: on PennyLane devices, in Qiskit or as OpenQASM 3.

    The lane is measured after each step that is read, reset and used again. Whenever a circuit is
    made it takes the model's parameters of that time, so that it follows a model that is trained.

    Attributes:
        model: The network.
        inputs: The input symbol, or the features, of each of T steps.
        outcomes: For each step the outcome that its lane is conditioned on, None where the lane is
            sampled, ``UNREAD`` where it is not read.
        steps: The sampled steps whose lane the QNode returns.
        realisation: How neurons are built.
        symbolic: Whether trained parameters are Qiskit parameters in :meth:`to_qiskit`.
        tolerance: Neurons drop rotations by at most this angle, in radians; with 0 none. See
            :meth:`distribution_bounds`.
        encoding: ``"lane"`` where X gates write inputs on the lane, ``"angles"`` where neurons have
            them in their angles.

    Example:
        >>> from qrnn_circuits import QRNN, compile_circuit
        >>> circuit = compile_circuit(QRNN(lane=1, workspace=2, semantics="unitary"), [0, 1], [0])
        >>> circuit.registers.workspace, circuit.steps
        (range(1, 3), (1,))
        >>> len(circuit.qnode("qrnn.torch")()[0])
        2
    """

    model: RecurrentNetwork
    inputs: tuple[StepInput, ...]
    outcomes: tuple[int | None, ...]
    steps: tuple[int, ...]
    realisation: Realisation
    symbolic: bool = False
    tolerance: float = 0.0
    encoding: Encoding = "lane"

    @property
    def registers(self) -> Registers:
        """The wires of lane, workspace and ancillas."""
        return registers(self.model.cell, self.realisation)

    @property
    def tape(self) -> qml.tape.QuantumScript:
        """The circuit, which returns the distribution of each requested step's lane."""
        with qml.QueuingManager.stop_recording():
            operations, results = self._tape_operations()
            measurements = self._measurements(results, qml.probs)
        return qml.tape.QuantumScript(operations, measurements)

    def staged_operations(self) -> list[StagedOperation]:
        """The operations, each with its step, stage and neuron, up to the last step's readout."""
        return self._operations_of(self.model.cell)

    def distribution_bounds(self) -> tuple[float, ...]:
        """How far dropped rotations can move what is read, by step.

        Returns:
            For each of T steps a bound on the total variation distance between the distributions,
            with and without dropping, of all that is read up to this step: the lane after each
            step and, as one more outcome, that something is not what it is conditioned or
            postselected on. The lane of a step that is sampled has a distribution within this bound
            where nothing is conditioned on, else within the bound divided by the acceptance. 0
            without a tolerance, at most 1.
        """
        if not self.tolerance:
            return (0.0,) * len(self.inputs)
        changes = [0.0] * len(self.inputs)
        found: dict[object, float] = {}  # Equal neurons recur in every step.
        for item in self.staged_operations():
            if isinstance(item.operation, NeuronOperation):
                key = item.neuron_key
                if key not in found:
                    found[key] = neuron_change(item.operation)
                changes[item.step] += found[key]
        return tuple(map(distribution_bound, accumulate(changes)))

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
            TypeError: If it is no device.
            ValueError: If every step is conditioned, so that there is nothing to return, if
                ``returns`` is neither ``"probs"`` nor ``"sample"``, or if ``default.qubit`` without
                shots would be wrong (tree traversal) or too large (deferred measurements).
        """
        if not self.steps:
            raise ValueError(
                "outcomes conditions every step that is read, so that a QNode has nothing to "
                "return: leave out the last outcome, or put None for a step that is to be sampled"
            )
        if returns not in ("probs", "sample"):
            raise ValueError(f"returns must be 'probs' or 'sample', got {returns!r}")
        if isinstance(device, str):
            device = qml.device(device)
        check_device(device)
        if device.name == "default.qubit" and shots is None:
            mcm_method = measurement_method(
                device.name, [list(without_neurons(self.tape.operations))], wanted=mcm_method
            )

        differentiable = self.steps == (len(self.inputs) - 1,) and shots is None
        expand = not runs_neurons(device)
        # Tree traversal (PennyLane 0.45) returns a number for wires read beside measured values.
        read_last = mcm_method == "tree-traversal" and len(self.steps) > 1

        def circuit() -> list[qml.measurements.MeasurementProcess]:
            with qml.QueuingManager.stop_recording(), neurons_kept():
                operations, results = self._tape_operations(read_last=read_last)
                if not differentiable:
                    # PennyLane cannot combine torch tensors with mid-circuit distributions.
                    operations = [_with_numbers(operation) for operation in operations]
                if expand:
                    operations = list(without_neurons(operations))
            for operation in operations:
                qml.apply(operation)
            return self._measurements(results, qml.probs if returns == "probs" else qml.sample)

        interface = "torch" if differentiable else "numpy"
        ratios = differentiable and expand and postselects(self.tape.operations)
        # Backpropagation goes through ratios too.
        wrong = ratios and not supports(device, self.tape, "backprop")
        qnode = qml.QNode(
            circuit,
            device,
            interface=interface,
            diff_method=no_gradient if wrong else "best",
            mcm_method=mcm_method,
        )
        return qnode if shots is None else qml.set_shots(qnode, shots=shots)

    def to_qiskit(self, *, barriers: bool = False, high_level: bool = False) -> "QuantumCircuit":
        """The circuit for Qiskit, with dynamic circuits of its own.

        Quantum registers: ``lane``, ``workspace``, ``ancilla``. Classical registers: ``outcome``,
        with the bits of the lane at each step that is read, most significant first; ``flag``, the
        postselected ancilla measurements, which all read 0 in a shot that counts; ``attempt``,
        the failures that a dynamic realisation met and undid. Qiskit has no postselection: see
        :meth:`kept`.

        Args:
            barriers: Whether to put a barrier in front of every stage but the first, labelled
                ``"<step>: <stage>"``.
            high_level: Whether multiplexed neurons stay one ``quantum_neuron`` gate each, and those
                of order 0 one ``polynomial_ry``, of which ``hls_config`` of Qiskit's ``transpile``
                chooses the synthesis. All others are decomposed.

        Raises:
            ImportError: If Qiskit is not installed.
            ValueError: If ``high_level`` is asked of a symbolic circuit.
        """
        if high_level and self.symbolic:
            raise ValueError(
                "high_level must be False for a circuit compiled with symbolic=True: gates of "
                "neurons take numbers"
            )
        if barriers or high_level:
            return self._convert(barriers=barriers, high_level=high_level).circuit
        return self._converted().circuit.copy()

    def kept(self, counts: Mapping[str, int]) -> Counter[tuple[int, ...]]:
        """Keeps the shots whose flags read 0 and whose conditioned outcomes are right.

        Args:
            counts: Bit strings of all classical bits with their counts, as Aer's
                ``result.get_counts()`` or ``join_data().get_counts()`` of a sampler gives them.

        Returns:
            How often each sequence of outcomes was read in the kept shots, one outcome for each
            step that is read. The kept share of all shots is the acceptance.

        Raises:
            TypeError: If a key is no bit string.
            ValueError: If a bit string does not have one character for each classical bit.
        """
        return kept_outcomes(self._converted(), self.model.cell.lane, counts)

    def parameter_values(self, model: RecurrentNetwork | None = None) -> "dict[Parameter, float]":
        """Values of the parameters of a symbolic circuit, for ``assign_parameters``.

        Args:
            model: A network of the same sizes; by default the compiled one.

        Returns:
            A value for each parameter of the circuit. Where an angle is linear in
            the cell's parameters, these are the circuit's; otherwise, as for multiplexed neurons,
            the angle of one gate is a parameter.

        Raises:
            ValueError: If the circuit is not symbolic, or the model is of another size, or has its
                parameters pruned or computed otherwise.
        """
        if not self.symbolic:
            raise ValueError("a circuit has parameters only if it is compiled with symbolic=True")
        model = self.model if model is None else model
        expected, cell = self.model.cell, model.cell
        for name, size in expected.sizes().items():
            if cell.sizes().get(name) != size:
                raise ValueError(
                    f"model must be of the compiled circuit's sizes: {name} is "
                    f"{cell.sizes().get(name)!r}, not {size!r}"
                )
        # All steps share their parameters: one that is read tells all values.
        step = next((t for t, outcome in enumerate(self.outcomes) if outcome != UNREAD), 0)
        one = replace(
            self,
            model=model,
            inputs=(self.inputs[step],),
            outcomes=(self.outcomes[step],),
            steps=(),
        )
        values = SymbolicAngles.of_copy(model.cell)
        if not values.has_parameters_of(self._symbols):
            raise ValueError(
                "model must have the parameters of the compiled circuit, pruned and computed from "
                "others as these are: compile it with symbolic=True for a circuit of its own"
            )
        one._convert(angles=values)
        present = set(self._converted().circuit.parameters)
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

    def _converted(self) -> Converted:
        """The circuit without barriers: kept, but for a model that has been trained since."""
        # A symbolic circuit is the same for all values, and so must be its parameters.
        cell = self.model.cell
        values = () if self.symbolic else (*cell.parameters(), *cell.buffers())
        key = [value.detach().cpu().clone() for value in values]
        known = self._conversions
        if not (known and len(known[0][0]) == len(key) and all(map(torch.equal, known[0][0], key))):
            known[:] = [(key, self._convert())]
        return known[0][1]

    @cached_property
    def _conversions(self) -> list[tuple[list[torch.Tensor], Converted]]:
        """The latest conversion, with the model's parameters at that time."""
        return []

    @cached_property
    def _symbols(self) -> SymbolicAngles:
        """The parameters of a symbolic circuit, the same ones with barriers and without."""
        return SymbolicAngles.of_copy(self.model.cell)

    def _convert(
        self,
        *,
        barriers: bool = False,
        high_level: bool = False,
        angles: SymbolicAngles | None = None,
    ) -> Converted:
        if angles is None and self.symbolic:
            angles = self._symbols.from_the_start()
        return convert_sequence(
            self._operations_of,
            self.model.cell,
            self.registers,
            angles=angles,
            barriers=barriers,
            high_level=high_level,
        )

    def _measurements(
        self,
        results: Sequence[list[qml.ops.MeasurementValue]],
        measure: Callable[..., qml.measurements.MeasurementProcess],
    ) -> list[qml.measurements.MeasurementProcess]:
        """What a QNode returns: the lane itself stands for a last step that is not measured."""
        lane = list(self.registers.lane)
        return [
            measure(op=results[step]) if results[step] else measure(wires=lane)
            for step in self.steps
        ]

    def _operations_of(self, cell: Cell) -> list[StagedOperation]:
        return self._sequence(cell)[0]

    def _sequence(
        self, cell: Cell, *, read_last: bool = True
    ) -> tuple[list[StagedOperation], list[list[qml.ops.MeasurementValue]]]:
        renew_parameters(cell)
        return sequence_operations(
            cell,
            self.inputs,
            self.outcomes,
            self.realisation,
            read_last=read_last,
            tolerance=self.tolerance,
            encoding=self.encoding,
        )

    def _tape_operations(
        self, *, read_last: bool = False
    ) -> tuple[list[Operator], list[list[qml.ops.MeasurementValue]]]:
        """The operations of a tape, by default up to where a sampled last step can be read."""
        operations, results = self._sequence(self.model.cell, read_last=read_last)
        return [item.operation for item in operations], results


def _with_numbers(operation: Operator) -> Operator:
    """The operation with numpy arrays for torch tensors."""
    if not operation.data:
        return operation
    with qml.QueuingManager.stop_recording():
        numbers = [qml.math.to_numpy(value) for value in operation.data]
        return qml.ops.functions.bind_new_parameters(operation, numbers)
