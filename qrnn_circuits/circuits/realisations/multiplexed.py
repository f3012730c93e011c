"""The neuron of unitary semantics, exact: a rotation by the table of its activation."""

from collections.abc import Hashable, Sequence

from pennylane.typing import TensorLike

from qrnn_circuits.circuits.angles import activation_table, table_parity_angles
from qrnn_circuits.circuits.gate_lists import queue, walk_gates
from qrnn_circuits.synthesis import multiplexed_walk


def multiplexed_neuron(
    coefficients: TensorLike,
    controls: Sequence[Hashable],
    target: Hashable,
    *,
    order: int,
    degree: int,
    inverse: bool = False,
) -> None:
    """Queues the multiplexed rotation ``RY(f(x))``: ``2**m`` rotations and as many CNOTs.

    Args:
        coefficients: Of the polynomial, in radians, shape ``(P,)`` or ``(B, P)``.
        controls: The m control wires, in the order of the polynomial's variables.
        target: The wire that the neuron rotates.
        order: Order of the neuron.
        degree: Degree of the polynomial.
        inverse: Whether to rotate the other way.
    """
    table = activation_table(coefficients, len(controls), degree, order)
    angles = table_parity_angles(-table if inverse else table, len(controls))
    queue(walk_gates(multiplexed_walk(len(controls)).steps, angles, controls, target))
