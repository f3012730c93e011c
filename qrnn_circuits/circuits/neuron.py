"""The quantum neuron as a PennyLane operation, which its realisation decomposes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.debugging import PLDB
from pennylane.operation import MatrixUndefinedError, Operation, Operator
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn, TensorLike
from pennylane.wires import Wires, WiresLike

from qrnn_circuits.checks import check_instance
from qrnn_circuits.circuits.angles import (
    activation_table,
    coefficient_count,
    control_count,
    multiplexed_matrix,
    parity_table,
    select_angles,
)
from qrnn_circuits.circuits.gate_lists import Gates, SharedGates
from qrnn_circuits.circuits.realisations import REALISATIONS, Realisation, realisation_at
from qrnn_circuits.circuits.rotation import check_coefficients
from qrnn_circuits.neuron import check_neuron_options
from qrnn_circuits.synthesis import Parity


class NeuronOperation(Operation):  # type: ignore[misc]
    """A rotation of one wire that others control, sharpened by its order.

    What it does to the target depends on the semantics of its realisation (see
    :func:`qrnn_circuits.neuron.block_amplitudes`), and how near it comes on the realisation itself:
    see the classes of :mod:`qrnn_circuits.circuits.realisations`. It has a matrix where the
    realisation is exactly a unitary on the wires, as the multiplexed one is. Of order 0 it is the
    rotation by its polynomial, whichever realisation is given. In a QNode of another device than
    ``qrnn``'s, the circuit of those that measure is queued in their place; of the operation itself
    nothing can be made there, such as its adjoint.

    Args:
        coefficients: Of the polynomial ``phi``, in radians, shape ``(P,)`` or ``(B, P)``.
        wires: The control wires in the order of the polynomial's variables, the target, then
            ``realisation.ancillas(order)`` ancillas, which start and end in 0; none of order 0.
        order: Order of the neuron, from 0 to 6.
        degree: Degree of the polynomial.
        realisation: The circuit of the neuron, or the name of one, such as
            ``"amplified,length=5"``.
        inverse: Whether to rotate the other way.
        parities: The parities of the controls, of the realisation's ``spectrum``, that the circuit
            rotates by: without the others it has fewer gates and does less exactly what the
            coefficients say. None for all. See :func:`~.dropping.kept_parities`.

    Raises:
        ValueError: If an option is out of range, or the wires or coefficients do not fit.

    Example:
        >>> neuron = NeuronOperation([0.3, 0.5], ["x", "t"], 1, 1, "multiplexed")
        >>> [gate.name for gate in neuron.decomposition()]
        ['RY', 'CNOT', 'RY', 'CNOT']
    """

    num_params = 1
    ndim_params = (1,)
    grad_method = None
    resource_keys = frozenset(
        {"num_wires", "order", "degree", "realisation", "inverse", "parities"}
    )

    def __init__(
        self,
        coefficients: TensorLike,
        wires: WiresLike,
        order: int,
        degree: int,
        realisation: Realisation | str,
        inverse: bool = False,
        parities: Sequence[Sequence[int]] | None = None,
    ) -> None:
        wires = Wires(wires)
        realisation = realisation_at(REALISATIONS.resolve(realisation), order)
        check_neuron_options(order, realisation.semantics)
        ancillas = realisation.ancillas(order)
        controls = len(wires) - 1 - ancillas
        if controls < 1:
            raise ValueError(
                f"wires must hold at least one control, the target and {ancillas} ancillas "
                f"(realisation {realisation.name!r}, order {order}), got {len(wires)} wires"
            )
        realisation.check(order=order, controls=controls)
        coefficients = check_coefficients(coefficients, controls, degree)
        kept = None if parities is None else tuple(map(tuple, parities))
        if kept is not None:
            spectrum = realisation.spectrum(coefficients, controls, order=order, degree=degree)
            if spectrum is None:
                raise ValueError(
                    f"parities must be None for realisation {realisation.name!r}, which can drop "
                    f"none (it has no spectrum), got {parities}"
                )
            select_angles(spectrum.angles, spectrum.parities, kept)
        self._hyperparameters = {
            "order": order,
            "degree": degree,
            "realisation": realisation,
            "inverse": inverse,
            "parities": kept,
        }
        self._queued_as_circuit = False
        super().__init__(coefficients, wires=wires)

    def queue(self, context: Any = qml.QueuingManager) -> "NeuronOperation":  # noqa: ANN401
        """Queues the neuron, or its circuit where the QNode's device needs that.

        PennyLane's devices look for mid-circuit measurements before they decompose anything.
        """
        if self.realisation.measures and _in_qnode_of_another_device():
            super().decomposition()
            self._queued_as_circuit = True
        else:
            context.append(self)
        return self

    @property
    def realisation(self) -> Realisation:
        """The circuit of the neuron: of order 0 :class:`~.realisations.Unsharpened`."""
        realisation: Realisation = self.hyperparameters["realisation"]
        return realisation

    @property
    def control_wires(self) -> Wires:
        """The wires whose bits are the polynomial's variables."""
        return self.wires[: self._controls]

    @property
    def target_wire(self) -> Wires:
        """The rotated wire."""
        return self.wires[self._controls : self._controls + 1]

    @property
    def ancilla_wires(self) -> Wires:
        """The ancillas."""
        return self.wires[self._controls + 1 :]

    @property
    def resource_params(self) -> dict[str, Any]:
        """What its gate counts depend on."""
        return {"num_wires": len(self.wires), **self.hyperparameters}

    @property
    def has_matrix(self) -> bool:
        """Whether the neuron is exactly a unitary on its wires."""
        kind = self.realisation
        return bool(
            kind.exact
            and kind.semantics == "unitary"
            and not kind.measures
            and not self.ancilla_wires
        )

    def matrix(self, wire_order: WiresLike | None = None) -> TensorLike:
        """The rotation of the target for each control pattern.

        Raises:
            MatrixUndefinedError: If the realisation measures ancillas or is not exact.
        """
        if not self.has_matrix:
            raise MatrixUndefinedError
        return super().matrix(wire_order)

    @staticmethod
    def compute_matrix(
        coefficients: TensorLike,
        order: int,
        degree: int,
        realisation: Realisation,
        inverse: bool = False,
        parities: Sequence[Parity] | None = None,
    ) -> TensorLike:
        """Block-diagonal, one rotation for each control pattern; leading B for a batch."""
        controls = control_count(coefficients, degree)
        options = {"order": order, "degree": degree}
        spectrum = realisation.spectrum(coefficients, controls, **options)
        if parities is None or spectrum is None:
            table = activation_table(coefficients, controls, degree, order)
        else:
            angles = select_angles(spectrum.angles, spectrum.parities, parities)
            table = parity_table(angles, parities, controls)
        return multiplexed_matrix(-table if inverse else table)

    @staticmethod
    def compute_decomposition(
        coefficients: TensorLike,
        wires: WiresLike,
        order: int,
        degree: int,
        realisation: Realisation,
        inverse: bool = False,
        parities: Sequence[Parity] | None = None,
    ) -> list[Operator]:
        """The circuit of the realisation: gates, mid-circuit measurements and conditioned gates."""
        with qml.queuing.AnnotatedQueue() as recorded:
            _queue(coefficients, wires, order, degree, realisation, inverse, parities)
        operations = list(recorded.queue)
        if qml.QueuingManager.recording():
            for operation in operations:
                qml.apply(operation)
        return operations

    def shared_decomposition(self) -> Gates:
        """The circuit, in which gates that repeat are the same objects: to be looked at only."""
        with SharedGates() as recorded:
            _queue(self.data[0], self.wires, **self.hyperparameters)
        operations: Gates = recorded.operations
        return operations

    def decomposition(self) -> list[Operator]:
        """The circuit: gates, mid-circuit measurements and conditioned gates.

        Raises:
            ValueError: If a QNode of another device has the circuit already.
        """
        self._check_not_queued("its circuit")
        decomposition: list[Operator] = super().decomposition()
        return decomposition

    def adjoint(self) -> "NeuronOperation":
        """The neuron that rotates the other way: the adjoint of each block.

        Raises:
            ValueError: If a QNode of another device has the circuit already.
        """
        self._check_not_queued("its adjoint")
        options = self.hyperparameters | {"inverse": not self.hyperparameters["inverse"]}
        return NeuronOperation(self.data[0], self.wires, **options)

    def label(
        self,
        decimals: int | None = None,
        base_label: str | None = None,
        cache: dict[str, Any] | None = None,
    ) -> str:
        """The name in drawings: its many coefficients do not fit there."""
        return base_label or ("Neuron†" if self.hyperparameters["inverse"] else "Neuron")

    def _check_not_queued(self, wanted: str) -> None:
        if self._queued_as_circuit:
            raise ValueError(
                f"{wanted} must not be asked for in a QNode of another device than qrnn's, where "
                f"the circuit of a neuron that measures (realisation {self.realisation.name!r}) is "
                "queued at once: give inverse=True for the adjoint, or take realisation "
                "'multiplexed', device 'qrnn.torch' or 'qrnn.aer'"
            )

    @property
    def _controls(self) -> int:
        return len(self.wires) - 1 - self.realisation.ancillas(self.hyperparameters["order"])


_keeps_neurons = ContextVar("_keeps_neurons", default=False)


@contextmanager
def neurons_kept() -> Iterator[None]:
    """Within, neurons that measure are queued as such, whatever device the QNode has."""
    token = _keeps_neurons.set(True)
    try:
        yield
    finally:
        _keeps_neurons.reset(token)


def runs_neurons(device: qml.devices.Device) -> bool:
    """Whether a device takes neurons that measure as they are."""
    return str(getattr(device, "name", "")).startswith("qrnn.")


def check_device(device: object) -> None:
    """Raises a ``TypeError`` where something else is given than a device of PennyLane."""
    # QNodes and `qml.execute` take one of the older interface too.
    if not isinstance(device, qml.devices.LegacyDevice):
        check_instance("device", device, qml.devices.Device, "qml.device(name) makes one")


def _in_qnode_of_another_device() -> bool:
    # Within qml.adjoint, qml.ctrl and the like there is a queue in the QNode's own one.
    if _keeps_neurons.get() or len(qml.QueuingManager._active_contexts) != 1:
        return False
    # What PennyLane's breakpoints ask: only a QNode sets it.
    return PLDB.has_active_dev() and not runs_neurons(PLDB.get_active_device())


def without_neurons(operations: Iterable[Operator]) -> Iterator[Operator]:
    """The operations, with its circuit in place of every neuron whose realisation measures."""
    for operation in operations:
        if isinstance(operation, NeuronOperation) and operation.realisation.measures:
            yield from operation.decomposition()
        else:
            yield operation


@qml.transform  # type: ignore[untyped-decorator]
def expand_neurons(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Puts its circuit in place of every neuron that measures ancillas.

    For a tape that is executed on a device of PennyLane's own, which looks for mid-circuit
    measurements before it decomposes anything. QNodes need it not, and neither do ``qrnn`` devices.

    Args:
        tape: A tape, or a QNode or a function that queues a circuit.

    Example:
        >>> neuron = NeuronOperation([0.3, 0.5], [0, 1, 2], 1, 1, "postselect")
        >>> tape = qml.tape.QuantumScript([qml.H(0), neuron], [qml.probs(wires=1)])
        >>> tapes, _ = expand_neurons(tape)
        >>> qml.execute(tapes, qml.device("default.qubit"))[0].round(4)
        array([0.9862, 0.0138])
    """
    with qml.QueuingManager.stop_recording():
        expanded = tape.copy(operations=list(without_neurons(tape.operations)))
    trainable = qml.math.get_trainable_indices(expanded.get_parameters(trainable_only=False))
    expanded.trainable_params = trainable
    return (expanded,), lambda results: results[0]


def _queue(
    coefficients: TensorLike,
    wires: WiresLike,
    order: int,
    degree: int,
    realisation: Realisation,
    inverse: bool = False,
    parities: Sequence[Parity] | None = None,
    **_: object,
) -> None:
    wires = list(Wires(wires))
    target = len(wires) - 1 - realisation.ancillas(order)
    # Only realisations with a spectrum take parities.
    kept: dict[str, Any] = {} if parities is None else {"parities": parities}
    realisation.queue(
        coefficients,
        wires[:target],
        wires[target],
        wires[target + 1 :],
        order=order,
        degree=degree,
        inverse=inverse,
        **kept,
    )


def _resources(
    num_wires: int,
    order: int,
    degree: int,
    realisation: Realisation,
    inverse: bool,
    parities: tuple[Parity, ...] | None,
) -> dict[Any, int]:
    """Counts the gates of a circuit; their number does not depend on the coefficients."""
    controls = num_wires - 1 - realisation.ancillas(order)
    operations = NeuronOperation.compute_decomposition(
        np.zeros(coefficient_count(controls, degree)),
        range(num_wires),
        order,
        degree,
        realisation,
        inverse,
        parities,
    )
    gates = [
        operation.base if isinstance(operation, qml.ops.Conditional) else operation
        for operation in operations
    ]
    return Counter(qml.resource_rep(type(gate), **gate.resource_params) for gate in gates)


qml.add_decomps(NeuronOperation, qml.register_resources(_resources, _queue, name="realisation"))
