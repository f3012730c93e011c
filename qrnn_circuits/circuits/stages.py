"""The operations of a compiled circuit, each with where it comes from."""

from collections.abc import Hashable
from dataclasses import dataclass

from pennylane.operation import Operator


@dataclass(frozen=True)
class StagedOperation:
    """An operation of a compiled circuit and where it comes from.

    Attributes:
        operation: The operation.
        step: The step of the sequence, from 0.
        stage: Name of the cell's stage, or ``"read lane"``.
        neuron: Which of the step's neurons it is, in the order in which they act; None for other
            operations.
        known: Lane wires and their bits where inputs are in the angles.
        featured: Whether features of the step are in the angles.
    """

    operation: Operator
    step: int
    stage: str
    neuron: int | None
    known: tuple[tuple[int, int], ...] = ()
    featured: bool = False

    @property
    def neuron_key(self) -> Hashable:
        """Equal for neurons of equal circuits; None for other operations."""
        if self.neuron is None:
            return None
        return self.neuron, self.known, self.step if self.featured else None
