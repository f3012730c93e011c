"""The rotation of one wire by a Boolean polynomial of others, as a PennyLane operation."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.operation import Operation, Operator
from pennylane.typing import TensorLike
from pennylane.wires import Wires, WiresLike

from qrnn_circuits.circuits.angles import (
    angle_table,
    coefficient_count,
    control_count,
    multiplexed_matrix,
    parity_angles,
)
from qrnn_circuits.circuits.gate_lists import queue, walk_gates
from qrnn_circuits.synthesis import ParityWalk, closed_walk, parities_up_to


def check_coefficients(coefficients: TensorLike, controls: int, degree: int) -> TensorLike:
    """Returns the coefficients as an array.

    Raises:
        ValueError: If their shape is not ``(P,)`` or ``(B, P)``, or there is no such polynomial.
    """
    if isinstance(coefficients, list | tuple):
        coefficients = np.array(coefficients)
    size = coefficient_count(controls, degree)
    shape = qml.math.shape(coefficients)
    if len(shape) not in (1, 2) or shape[-1] != size:
        raise ValueError(
            f"coefficients must have shape ({size},) or (B, {size}), one for each monomial of "
            f"degree {degree} in {controls} variables, got {shape}"
        )
    return coefficients


class PolynomialRY(Operation):  # type: ignore[misc]
    r"""``RY(phi(x))`` on the last wire, where the other wires read x.

    ``phi(x) = sum over S, |S| <= degree, of coefficients[S] * prod(x_i for i in S)``, the
    monomials in the order of ``qrnn_circuits.BooleanPolynomial.monomials``.

    It decomposes into one RY for each monomial between CNOTs, as few as a search for a short walk
    through the parities finds (see :func:`qrnn_circuits.synthesis.closed_walk`). The decomposition
    system also knows :func:`textbook_decomposition`, to be fixed by
    ``qml.decompose(..., fixed_decomps={PolynomialRY: textbook_decomposition})``.

    Args:
        coefficients: In radians, shape ``(P,)`` or ``(B, P)``.
        wires: The control wires, in the order of the polynomial's variables, then the target.
        degree: Degree of the polynomial, from 1 to the number of controls.

    Raises:
        ValueError: If the coefficients do not fit the wires and the degree.

    Example:
        >>> rotation = PolynomialRY([0.1, 0.2, 0.3], ["x", "y", "target"], degree=1)
        >>> [gate.name for gate in rotation.decomposition()]
        ['RY', 'CNOT', 'RY', 'CNOT', 'CNOT', 'RY', 'CNOT']
    """

    num_params = 1
    ndim_params = (1,)
    grad_method = None
    resource_keys = frozenset({"num_wires", "degree"})

    def __init__(self, coefficients: TensorLike, wires: WiresLike, degree: int) -> None:
        wires = Wires(wires)
        coefficients = check_coefficients(coefficients, len(wires) - 1, degree)
        self._hyperparameters = {"degree": degree}
        super().__init__(coefficients, wires=wires)

    @property
    def resource_params(self) -> dict[str, int]:
        """What its gate counts depend on."""
        return {"num_wires": len(self.wires), "degree": self.hyperparameters["degree"]}

    @staticmethod
    def compute_decomposition(
        coefficients: TensorLike, wires: WiresLike, degree: int
    ) -> list[Operator]:
        """The parity network: RY and CNOT gates."""
        *controls, target = Wires(wires)
        walk = _walk(len(controls), degree)
        angles = parity_angles(coefficients, len(controls), degree)
        return _queued(walk_gates(walk.steps, angles, controls, target))

    @staticmethod
    def textbook_decomposition(
        coefficients: TensorLike, wires: WiresLike, degree: int
    ) -> list[Operator]:
        """One multi-controlled RY for each monomial, as in the paper (arXiv:2006.14619)."""
        *controls, target = Wires(wires)
        gates: list[Operator] = []
        with qml.QueuingManager.stop_recording():
            for index, monomial in enumerate(parities_up_to(len(controls), degree)):
                rotation = qml.RY(coefficients[..., index], wires=target)
                gates.append(
                    qml.ctrl(rotation, [controls[i] for i in monomial]) if monomial else rotation
                )
        return _queued(gates)

    @staticmethod
    def compute_matrix(coefficients: TensorLike, degree: int) -> TensorLike:
        """Block-diagonal, one rotation for each control pattern; leading B for a batch."""
        controls = control_count(coefficients, degree)
        return multiplexed_matrix(angle_table(coefficients, controls, degree))

    def adjoint(self) -> "PolynomialRY":
        """The rotation the other way."""
        return PolynomialRY(-self.data[0], self.wires, **self.hyperparameters)

    def pow(self, z: float) -> list[Operator]:
        """The rotation by z times the angle."""
        return [PolynomialRY(self.data[0] * z, self.wires, **self.hyperparameters)]


def _walk(controls: int, degree: int) -> ParityWalk:
    return closed_walk(controls, parities_up_to(controls, degree))


def _queued(gates: Sequence[Operator]) -> list[Operator]:
    if qml.QueuingManager.recording():
        queue(gates)
    return list(gates)


def _parity_resources(num_wires: int, degree: int) -> dict[Any, int]:
    walk = _walk(num_wires - 1, degree)
    return {
        qml.resource_rep(qml.RY): len(walk.parities),
        qml.resource_rep(qml.CNOT): walk.two_qubit_gates,
    }


def _textbook_resources(num_wires: int, degree: int) -> dict[Any, int]:
    with qml.QueuingManager.stop_recording():
        gates = PolynomialRY.textbook_decomposition(
            np.zeros(coefficient_count(num_wires - 1, degree)), range(num_wires), degree
        )
    return Counter(qml.resource_rep(type(gate), **gate.resource_params) for gate in gates)


parity_network_decomposition = qml.register_resources(
    _parity_resources, PolynomialRY.compute_decomposition, name="parity_network"
)
textbook_decomposition = qml.register_resources(
    _textbook_resources, PolynomialRY.textbook_decomposition, name="textbook"
)
qml.add_decomps(PolynomialRY, parity_network_decomposition, textbook_decomposition)
