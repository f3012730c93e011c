"""The neuron of unitary semantics, exact: a rotation by the table of its activation."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pennylane.typing import TensorLike

from qrnn_circuits.circuits.angles import (
    Spectrum,
    activation_table,
    select_angles,
    table_parity_angles,
)
from qrnn_circuits.circuits.gate_lists import queue, walk_gates
from qrnn_circuits.circuits.realisations.base import Realisation
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.synthesis import Parity, closed_walk, multiplexed_walk, parities_up_to

# A table of 2**m angles becomes as many gates through a dense matrix of 4**m numbers.
MAX_CONTROLS = 10


@dataclass(frozen=True)
class Multiplexed(Realisation):
    """The multiplexed rotation ``RY(f(x))``: ``2**m`` rotations and as many CNOTs, no ancilla.

    Example:
        >>> Multiplexed().ancillas(order=2), Multiplexed().exact
        (0, True)
    """

    name: ClassVar[str] = "multiplexed"
    semantics: ClassVar[Semantics] = "unitary"
    exact: ClassVar[bool] = True

    def check(self, *, order: int, controls: int) -> None:
        """Raises a ``ValueError`` also where the table has too many angles."""
        super().check(order=order, controls=controls)
        if order and controls > MAX_CONTROLS:
            raise ValueError(
                f"realisation 'multiplexed' takes at most {MAX_CONTROLS} controls "
                f"(lane and workspace wires but the target), got {controls}: each neuron becomes "
                f"2**controls rotations and CNOTs, by a dense matrix of 4**controls numbers. "
                f"'repeat_until_success' and 'amplified' grow with the number of coefficients only"
            )

    def spectrum(
        self, coefficients: TensorLike, controls: int, *, order: int, degree: int
    ) -> Spectrum:
        """The parities of the activation, ``2**m`` of them."""
        table = activation_table(coefficients, controls, degree, order)
        return Spectrum(parities_up_to(controls, controls), table_parity_angles(table, controls))

    def queue(
        self,
        coefficients: TensorLike,
        controls: Sequence[Hashable],
        target: Hashable,
        ancillas: Sequence[Hashable],
        *,
        order: int,
        degree: int,
        inverse: bool = False,
        parities: Sequence[Parity] | None = None,
    ) -> None:
        """Queues the rotations and CNOTs of a closed walk through all parities."""
        every, angles = self.spectrum(coefficients, len(controls), order=order, degree=degree)
        if parities is None:
            walk = multiplexed_walk(len(controls))
        else:
            walk = closed_walk(len(controls), parities, quick=True)
            angles = select_angles(angles, every, parities)
        queue(walk_gates(walk.steps, -angles if inverse else angles, controls, target))
