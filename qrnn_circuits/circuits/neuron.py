"""The quantum neuron as a PennyLane operation, with one decomposition for each realisation."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.operation import MatrixUndefinedError, Operation, Operator
from pennylane.typing import TensorLike
from pennylane.wires import Wires, WiresLike

from qrnn_circuits.circuits.angles import activation_table, coefficient_count, multiplexed_matrix
from qrnn_circuits.circuits.realisations.amplified import amplified_neuron
from qrnn_circuits.circuits.realisations.base import (
    DEFAULT_ATTEMPTS,
    DEFAULT_LENGTH,
    REALISATIONS,
    Realisation,
    ancilla_count,
    check_realisation,
)
from qrnn_circuits.circuits.realisations.multiplexed import multiplexed_neuron
from qrnn_circuits.circuits.realisations.postselect import postselected_neuron
from qrnn_circuits.circuits.realisations.repeat_until_success import repeat_until_success_neuron
from qrnn_circuits.circuits.rotation import check_coefficients


class NeuronOperation(Operation):  # type: ignore[misc]
    """A rotation of one wire that others control, sharpened by its order.

    What it does to the target depends on the realisation (see
    :func:`qrnn_circuits.neuron.block_amplitudes` for the two semantics):

    - ``"postselect"``: the postselected block, exactly; every ancilla is measured mid-circuit and
      postselected on 0.
    - ``"repeat_until_success"``: the unitary rotation, exactly where the controls are in a basis
      state; a dynamic circuit that postselects the last of its attempts only.
    - ``"amplified"``: the unitary rotation within the error of its length
      (:func:`~qrnn_circuits.circuits.amplification_error`), by singular value
      transformation; nothing is postselected.
    - ``"multiplexed"``: the unitary rotation, exactly, from a table of all its angles. The only one
      that is a unitary on its wires, so the only one with a matrix.

    Args:
        coefficients: Of the polynomial ``phi``, in radians, shape ``(P,)`` or ``(B, P)``.
        wires: The control wires in the order of the polynomial's variables, the target, then
            ``ancilla_count(realisation, order)`` ancillas, which start and end in 0.
        order: Order of the neuron, from 1 to 6.
        degree: Degree of the polynomial.
        realisation: One of ``REALISATIONS``.
        attempts: How often ``"repeat_until_success"`` tries each ancilla at most.
        length: Degree of the polynomial of ``"amplified"``, odd.
        inverse: Whether to rotate the other way.

    Raises:
        ValueError: If an option is out of range, or the wires or coefficients do not fit.
    """

    num_params = 1
    ndim_params = (1,)
    grad_method = None
    resource_keys = frozenset(
        {"num_wires", "order", "degree", "realisation", "attempts", "length", "inverse"}
    )

    def __init__(
        self,
        coefficients: TensorLike,
        wires: WiresLike,
        order: int,
        degree: int,
        realisation: Realisation,
        attempts: int = DEFAULT_ATTEMPTS,
        length: int = DEFAULT_LENGTH,
        inverse: bool = False,
    ) -> None:
        wires = Wires(wires)
        ancillas = ancilla_count(realisation, order)
        controls = len(wires) - 1 - ancillas
        if controls < 1:
            raise ValueError(
                f"wires must hold at least one control, the target and {ancillas} ancillas "
                f"(realisation {realisation!r}, order {order}), got {len(wires)} wires"
            )
        check_realisation(
            realisation, order=order, controls=controls, attempts=attempts, length=length
        )
        coefficients = check_coefficients(coefficients, controls, degree)
        self._hyperparameters = {
            "order": order,
            "degree": degree,
            "realisation": realisation,
            "attempts": attempts,
            "length": length,
            "inverse": inverse,
        }
        super().__init__(coefficients, wires=wires)

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
        """Whether the realisation is a unitary on its wires."""
        return bool(self.hyperparameters["realisation"] == "multiplexed")

    def matrix(self, wire_order: WiresLike | None = None) -> TensorLike:
        """The multiplexed rotation; other realisations measure ancillas and have no matrix."""
        if not self.has_matrix:
            raise MatrixUndefinedError
        return super().matrix(wire_order)

    @staticmethod
    def compute_matrix(
        coefficients: TensorLike, order: int, degree: int, inverse: bool = False, **_: object
    ) -> TensorLike:
        """Block-diagonal, one rotation for each control pattern; leading B for a batch."""
        size = qml.math.shape(coefficients)[-1]
        controls = next(m for m in range(degree, size) if coefficient_count(m, degree) == size)
        table = activation_table(coefficients, controls, degree, order)
        return multiplexed_matrix(-table if inverse else table)

    @staticmethod
    def compute_decomposition(
        coefficients: TensorLike, wires: WiresLike, realisation: Realisation, **options: int
    ) -> list[Operator]:
        """The circuit of the realisation: one- and two-qubit gates and mid-circuit measurements."""
        with qml.queuing.AnnotatedQueue() as recorded:
            _QUEUE[realisation](coefficients, wires=wires, realisation=realisation, **options)
        operations = list(recorded.queue)
        if qml.QueuingManager.recording():
            for operation in operations:
                qml.apply(operation)
        return operations

    def adjoint(self) -> "NeuronOperation":
        """The neuron that rotates the other way: the adjoint of each block."""
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

    @property
    def _controls(self) -> int:
        options = self.hyperparameters
        return len(self.wires) - 1 - ancilla_count(options["realisation"], options["order"])


def _split(
    wires: WiresLike, realisation: Realisation, order: int
) -> tuple[list[Any], Any, list[Any]]:
    """Controls, target and ancillas."""
    wires = list(Wires(wires))
    controls = len(wires) - 1 - ancilla_count(realisation, order)
    return wires[:controls], wires[controls], wires[controls + 1 :]


def _postselect(
    coefficients: TensorLike, wires: WiresLike, order: int, degree: int, inverse: bool, **_: object
) -> None:
    controls, target, ancillas = _split(wires, "postselect", order)
    postselected_neuron(coefficients, controls, target, ancillas, degree=degree, inverse=inverse)


def _repeat_until_success(
    coefficients: TensorLike,
    wires: WiresLike,
    order: int,
    degree: int,
    attempts: int,
    inverse: bool,
    **_: object,
) -> None:
    controls, target, ancillas = _split(wires, "repeat_until_success", order)
    repeat_until_success_neuron(
        coefficients, controls, target, ancillas, degree=degree, attempts=attempts, inverse=inverse
    )


def _amplified(
    coefficients: TensorLike,
    wires: WiresLike,
    order: int,
    degree: int,
    length: int,
    inverse: bool,
    **_: object,
) -> None:
    controls, target, ancillas = _split(wires, "amplified", order)
    amplified_neuron(
        coefficients, controls, target, ancillas, degree=degree, length=length, inverse=inverse
    )


def _multiplexed(
    coefficients: TensorLike, wires: WiresLike, order: int, degree: int, inverse: bool, **_: object
) -> None:
    controls, target, _none = _split(wires, "multiplexed", order)
    multiplexed_neuron(coefficients, controls, target, order=order, degree=degree, inverse=inverse)


_QUEUE: dict[Realisation, Callable[..., None]] = {
    "postselect": _postselect,
    "repeat_until_success": _repeat_until_success,
    "amplified": _amplified,
    "multiplexed": _multiplexed,
}


def _resources(
    num_wires: int, order: int, degree: int, realisation: Realisation, **options: int
) -> dict[Any, int]:
    """Counts the gates of a circuit; their number does not depend on the coefficients."""
    controls = num_wires - 1 - ancilla_count(realisation, order)
    operations = NeuronOperation.compute_decomposition(
        np.zeros(coefficient_count(controls, degree)),
        wires=range(num_wires),
        order=order,
        degree=degree,
        realisation=realisation,
        **options,
    )
    gates = [
        operation.base if isinstance(operation, qml.ops.Conditional) else operation
        for operation in operations
    ]
    return Counter(qml.resource_rep(type(gate), **gate.resource_params) for gate in gates)


def _is_realisation(name: str, realisation: str, **_: object) -> bool:
    return name == realisation


qml.add_decomps(
    NeuronOperation,
    *(
        qml.register_condition(
            partial(_is_realisation, name),
            qml.register_resources(_resources, _QUEUE[name], name=name),
        )
        for name in REALISATIONS
    ),
)
