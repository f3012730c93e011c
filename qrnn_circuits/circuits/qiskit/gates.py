"""Gates for Qiskit circuits: the polynomial rotation and the unitary quantum neuron.

Importing this module needs Qiskit. The definition of each gate is its default synthesis;
:mod:`qrnn_circuits.circuits.qiskit.plugins` offers the others to ``transpile``. Realisations that
measure their ancillas are no gates; :func:`quantum_neuron_circuit` gives them as circuits.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pennylane.math import unwrap
from pennylane.ops import MidMeasure

from qrnn_circuits.checks import check_instance, check_integer
from qrnn_circuits.circuits.angles import (
    activation_table,
    angle_table,
    coefficient_count,
    table_parity_angles,
)
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.convert import Converter, Item
from qrnn_circuits.circuits.realisations import (
    REALISATIONS,
    Amplified,
    Multiplexed,
    Realisation,
    realisation_at,
)
from qrnn_circuits.neuron import check_neuron_options
from qrnn_circuits.optional_packages import require_modules
from qrnn_circuits.synthesis import (
    Mix,
    ParityWalk,
    Rotate,
    closed_walk,
    multiplexed_walk,
    parities_up_to,
    polynomial_to_parities,
)

require_modules("qiskit")
from qiskit import QuantumCircuit  # noqa: E402
from qiskit.circuit import Gate, ParameterExpression  # noqa: E402
from qiskit.circuit.library import RYGate  # noqa: E402

# A number or a Qiskit ParameterExpression, whose type Qiskit does not declare.
Coefficient = Any


class _MultiplexedRYGate(Gate, ABC):  # type: ignore[misc]
    """A rotation of the last qubit by an angle for each pattern of the others."""

    @property
    def num_controls(self) -> int:
        """Number m of control qubits."""
        return int(self.num_qubits) - 1

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[np.complex128]:
        return _multiplexed_matrix(self._table())

    @abstractmethod
    def _table(self) -> NDArray[np.float64]:
        """The angle of each pattern in radians, variable 0 most significant, shape ``(2**m,)``."""


class PolynomialRYGate(_MultiplexedRYGate):
    """``RY(phi(x))`` on the last qubit, for a Boolean polynomial ``phi`` of the bits of the others.

    The name of its synthesis methods in a ``HLSConfig`` is ``polynomial_ry``: ``"parity"``, the
    default, walks through the parities of the controls; ``"textbook"`` is one multi-controlled RY
    for each monomial.

    Attributes:
        degree: Degree of the polynomial.
    """

    def __init__(
        self,
        coefficients: Sequence[Coefficient],
        num_controls: int,
        degree: int,
        label: str | None = None,
    ) -> None:
        """Stores the coefficients.

        Args:
            coefficients: Numbers in radians or Qiskit parameter expressions, one for each monomial
                in the order of ``BooleanPolynomial.monomials``: smaller monomials first, then in
                lexicographic order.
            num_controls: Number m of control qubits, at least 1. Variable i is qubit i.
            degree: From 1 to m.
            label: What drawings call the gate.

        Raises:
            ValueError: If a number is out of range or the coefficients are too few or too many.
        """
        coefficients = _checked(coefficients, num_controls, degree)
        super().__init__("polynomial_ry", num_controls + 1, coefficients, label=label)
        self.degree = degree

    def inverse(self, annotated: bool = False) -> "PolynomialRYGate":
        """The rotation the other way."""
        return PolynomialRYGate([-c for c in self.params], self.num_controls, self.degree)

    def synthesised(self, method: str = "parity") -> QuantumCircuit:
        """A circuit of the gate.

        Args:
            method: ``"parity"`` or ``"textbook"``.

        Raises:
            ValueError: If there is no such method.
        """
        controls, target = list(range(self.num_controls)), self.num_controls
        if method == "parity":
            matrix = polynomial_to_parities(self.num_controls, self.degree)
            walk = closed_walk(self.num_controls, parities_up_to(self.num_controls, self.degree))
            return _walk_circuit(walk, _combinations(matrix, self.params))
        if method != "textbook":
            raise ValueError(f"method must be 'parity' or 'textbook', got {method!r}")
        circuit = QuantumCircuit(self.num_qubits)
        monomials = parities_up_to(self.num_controls, self.degree)
        for monomial, coefficient in zip(monomials, self.params, strict=True):
            gate = RYGate(coefficient)
            if monomial:
                gate = gate.control(len(monomial), annotated=False)
            circuit.append(gate, [*(controls[i] for i in monomial), target])
        return circuit

    def _define(self) -> None:
        self.definition = self.synthesised()

    def _table(self) -> NDArray[np.float64]:
        coefficients = np.array([float(c) for c in self.params])
        return np.asarray(angle_table(coefficients, self.num_controls, self.degree))

    def __eq__(self, other: object) -> bool:
        return bool(super().__eq__(other)) and self.degree == getattr(other, "degree", None)


class QuantumNeuronGate(_MultiplexedRYGate):
    """The unitary quantum neuron: ``RY(f(x))`` with ``tan(f/2) = tan(phi/2)**(2**order)``.

    The last qubit is rotated; ``phi`` is a Boolean polynomial of the bits of the others. The name
    of its synthesis methods in a ``HLSConfig`` is ``quantum_neuron``: ``"multiplexed"``, the
    default, is exact and needs no ancilla; ``"amplified"``, with the option ``length``, is the
    amplitude amplification of that odd length, needs clean ancillas and holds to within its error.
    Of order 0 it is the rotation by ``phi`` in both, as a :class:`PolynomialRYGate` is.

    Attributes:
        order: How often the activation is sharpened.
        degree: Degree of the polynomial.
    """

    def __init__(
        self,
        coefficients: Sequence[float],
        num_controls: int,
        *,
        order: int = 2,
        degree: int = 2,
        label: str | None = None,
    ) -> None:
        """Stores the coefficients.

        Args:
            coefficients: Numbers in radians, as for :class:`PolynomialRYGate`. The angles of the
                circuit are not linear in them, so they cannot be parameters.
            num_controls: Number m of control qubits. Variable i is qubit i.
            order: From 0 to ``MAX_ORDER``.
            degree: From 1 to m.
            label: What drawings call the gate.

        Raises:
            TypeError: If a coefficient is a Qiskit parameter.
            ValueError: If a number is out of range or the coefficients are too few or too many.
        """
        check_neuron_options(order, "unitary")
        coefficients = _checked_numbers(coefficients, num_controls, degree)
        super().__init__("quantum_neuron", num_controls + 1, coefficients, label=label)
        self.order = order
        self.degree = degree

    def _define(self) -> None:
        if self.order == 0:
            rotation = PolynomialRYGate(self.params, self.num_controls, self.degree)
            self.definition = rotation.synthesised()
            return
        Multiplexed().check(order=self.order, controls=self.num_controls)
        angles = table_parity_angles(self._table(), self.num_controls)
        self.definition = _walk_circuit(multiplexed_walk(self.num_controls), list(angles))

    def _table(self) -> NDArray[np.float64]:
        coefficients = np.array([float(c) for c in self.params])
        table = activation_table(coefficients, self.num_controls, self.degree, self.order)
        return np.asarray(table)

    def __eq__(self, other: object) -> bool:
        return bool(super().__eq__(other)) and (self.order, self.degree) == (
            getattr(other, "order", None),
            getattr(other, "degree", None),
        )


def neuron_gate(neuron: NeuronOperation) -> Gate | None:
    """The gate of a neuron that is exactly one on its wires.

    Args:
        neuron: With numbers for coefficients.

    Returns:
        Of order 0 a :class:`PolynomialRYGate`, of a multiplexed neuron a
        :class:`QuantumNeuronGate`, and None for any other.
    """
    options = neuron.hyperparameters
    order, degree, inverse = options["order"], options["degree"], options["inverse"]
    controls = len(neuron.control_wires)
    if options["parities"] is not None or neuron.batch_size is not None:
        return None
    coefficients = [float(value) for value in unwrap(neuron.data)[0]]
    if order == 0:
        sign = -1 if inverse else 1
        return PolynomialRYGate([sign * value for value in coefficients], controls, degree)
    if isinstance(neuron.realisation, Multiplexed) and not inverse:
        return QuantumNeuronGate(coefficients, controls, order=order, degree=degree)
    return None


def quantum_neuron_circuit(
    coefficients: Sequence[float],
    num_controls: int,
    realisation: Realisation | str,
    *,
    order: int = 2,
    degree: int = 2,
) -> QuantumCircuit:
    """A neuron of any realisation, to be composed into other circuits.

    Realisations that measure their ancillas are neither gates nor, where they are dynamic, Qiskit
    instructions, which hold no control flow: use ``circuit.compose(neuron, qubits, clbits)``.

    Args:
        coefficients: Numbers in radians, as for :class:`PolynomialRYGate`.
        num_controls: Number m of control qubits.
        realisation: How it is built: a realisation, or the name of one.
        order: From 0 to ``MAX_ORDER``.
        degree: From 1 to m.

    Returns:
        A circuit with the quantum registers ``control``, ``target`` and ``ancilla``, and the
        classical registers ``flag``, whose bits all read 0 in a shot that counts, and ``attempt``,
        where the realisation has any.

    Raises:
        TypeError: If a coefficient is a Qiskit parameter.
        ValueError: If an argument is out of range.
    """
    realisation = realisation_at(REALISATIONS.resolve(realisation), order)
    wires = range(num_controls + 1 + realisation.ancillas(order))
    values = np.array(_checked_numbers(coefficients, num_controls, degree))
    neuron = NeuronOperation(values, wires, order, degree, realisation)
    return _neuron_converter(num_controls, wires).convert([Item(neuron)]).circuit


def amplified_circuit(
    gate: QuantumNeuronGate, realisation: Amplified | str = "amplified"
) -> QuantumCircuit:
    """A neuron's amplification without resets: its ancillas end in 0 but for its error.

    Args:
        gate: The neuron.
        realisation: The amplification, or the name of one, as ``"amplified,length=5"``.

    Returns:
        A unitary circuit on the gate's qubits and, after them, ``order + 1`` ancillas, of
        order 0 none.

    Raises:
        TypeError: If ``gate`` or ``realisation`` is something else.
    """
    check_instance("gate", gate, QuantumNeuronGate, "make one of the coefficients")
    amplified = REALISATIONS.resolve(realisation)
    check_instance("realisation", amplified, Amplified, "'amplified', or with ',length=5'")
    wires = range(gate.num_qubits + amplified.ancillas(gate.order))
    coefficients = np.array(gate.params, dtype=float)
    neuron = NeuronOperation(coefficients, wires, gate.order, gate.degree, amplified)
    unitary = [
        operation for operation in neuron.decomposition() if not isinstance(operation, MidMeasure)
    ]
    return _neuron_converter(gate.num_controls, wires).convert(map(Item, unitary)).circuit


def _neuron_converter(num_controls: int, wires: range) -> Converter:
    quantum = {
        "control": wires[:num_controls],
        "target": wires[num_controls : num_controls + 1],
        "ancilla": wires[num_controls + 1 :],
    }

    def register(measurement: MidMeasure, used: bool) -> str | None:
        if measurement.postselect is not None:
            return "flag"
        return "attempt" if used else None

    return Converter(quantum, register)


def _checked(
    coefficients: Sequence[Coefficient], num_controls: int, degree: int
) -> list[Coefficient]:
    check_integer("num_controls", num_controls, 1)
    if not isinstance(coefficients, Iterable):
        raise TypeError(f"coefficients must be a list, one for each monomial, got {coefficients!r}")
    coefficients = list(coefficients)
    expected = coefficient_count(num_controls, degree)
    if len(coefficients) != expected:
        raise ValueError(
            f"coefficients must be {expected} for {num_controls} controls and degree {degree}, got "
            f"{len(coefficients)}"
        )
    return [c if _is_parameter(c) else _number(c) for c in coefficients]


def _checked_numbers(
    coefficients: Sequence[Coefficient], num_controls: int, degree: int
) -> list[float]:
    """The coefficients of a neuron, whose angles no parameters give."""
    coefficients = _checked(coefficients, num_controls, degree)
    if any(map(_is_parameter, coefficients)):
        raise TypeError(
            "coefficients of a quantum neuron must be numbers, got a Qiskit parameter: its angles "
            "are not linear in them. Compile with symbolic=True for a circuit whose angles are "
            "parameters, or take a PolynomialRYGate for a neuron of order 0."
        )
    return coefficients


def _is_parameter(coefficient: Coefficient) -> bool:
    """Whether it has no value yet: an expression whose parameters are bound is a number."""
    return isinstance(coefficient, ParameterExpression) and bool(coefficient.parameters)


def _number(coefficient: Coefficient) -> float:
    try:
        number = float(coefficient)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"coefficients must be numbers or Qiskit parameters, got {coefficient!r}"
        ) from error
    if not isfinite(number):
        raise ValueError(f"coefficients must be finite, got {number}")
    return number


def _combinations(
    matrix: NDArray[np.float64], coefficients: Sequence[Coefficient]
) -> list[Coefficient]:
    """``matrix @ coefficients``, also for parameter expressions."""
    return [
        sum(
            (float(row[place]) * coefficients[place] for place in np.flatnonzero(row).tolist()),
            start=0.0,
        )
        for row in matrix
    ]


def _walk_circuit(walk: ParityWalk, angles: Sequence[Coefficient]) -> QuantumCircuit:
    """A closed walk: controls first, the target last."""
    target = walk.controls
    circuit = QuantumCircuit(target + 1)
    for step in walk.steps:
        if isinstance(step, Rotate):
            circuit.ry(angles[step.index], target)
        elif isinstance(step, Mix):
            circuit.cx(step.control, step.onto)
        else:
            circuit.cx(step.control, target)
    return circuit


def _multiplexed_matrix(table: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The matrix of RYs by a table of angles in Qiskit's order: qubit 0 least significant."""
    controls = table.size.bit_length() - 1
    # Qubit i is variable i, the table's most significant first: reverse the bits.
    ordered = table.reshape((2,) * controls).transpose().reshape(-1)
    cos, sin = np.cos(ordered / 2), np.sin(ordered / 2)
    matrix = np.block([[np.diag(cos), np.diag(-sin)], [np.diag(sin), np.diag(cos)]])
    return matrix.astype(np.complex128)
