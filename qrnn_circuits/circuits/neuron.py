"""A quantum neuron as PennyLane operations, its ancillas postselected on 0."""

from collections.abc import Sequence
from math import pi

import pennylane as qml
from torch import Tensor

from qrnn_circuits.polynomial import BooleanPolynomial


def polynomial_rotation(
    polynomial: BooleanPolynomial, coefficients: Tensor, controls: Sequence[int], target: int
) -> None:
    """Queues ``RY(phi(x))`` on the target: one multi-controlled RY for each monomial of ``phi``.

    Args:
        polynomial: The polynomial ``phi`` of the control bits.
        coefficients: Its coefficients in radians, shape ``(P,)``.
        controls: The control wires, in the order of the polynomial's variables.
        target: The wire that is rotated.
    """
    for monomial, coefficient in zip(polynomial.monomials, coefficients, strict=True):
        if not monomial:
            qml.RY(coefficient, wires=target)
        else:
            qml.ctrl(qml.RY, control=[controls[i] for i in monomial])(coefficient, wires=target)


def postselected_neuron(
    polynomial: BooleanPolynomial,
    coefficients: Tensor,
    controls: Sequence[int],
    target: int,
    ancillas: Sequence[int],
    *,
    inverse: bool = False,
) -> None:
    """Queues a neuron whose order is the number of ancillas, each measured and postselected on 0.

    Order k is the order k - 1 circuit onto the next ancilla, a controlled ``RY(pi)`` from there
    onto the target, and the inverse of the order k - 1 circuit: 2**k - 1 measurements in all
    (Bausch, arXiv:2006.14619, figure 1). On the target it applies the block of
    :func:`qrnn_circuits.neuron.block_amplitudes`, not normalised.

    Args:
        polynomial: The polynomial ``phi`` of the control bits.
        coefficients: Its coefficients in radians, shape ``(P,)``.
        controls: The control wires, in the order of the polynomial's variables.
        target: The wire that the neuron rotates.
        ancillas: The ancilla wires, one for each order; they start and end in 0.
        inverse: Whether to rotate the other way.
    """
    *inner, ancilla = ancillas
    sign = -1 if inverse else 1

    def rotate_ancilla(inverse: bool) -> None:
        if inner:
            postselected_neuron(polynomial, coefficients, controls, ancilla, inner, inverse=inverse)
        else:
            angles = -coefficients if inverse else coefficients
            polynomial_rotation(polynomial, angles, controls, ancilla)

    rotate_ancilla(inverse=False)
    qml.CRY(sign * pi, wires=[ancilla, target])
    rotate_ancilla(inverse=True)
    qml.measure(ancilla, postselect=0)
