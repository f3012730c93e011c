"""Making tapes ready for a job of qrnn.ibm, whose results any process puts together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pennylane.tape import QuantumScript
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import Result

from qrnn_backends.circuit_checks import check_measured
from qrnn_backends.qiskit_common.observables import Combination, divided
from qrnn_backends.readout import stacked


@dataclass(frozen=True)
class Recipe:
    """How the results of a job's circuits become those of one tape.

    Attributes:
        entries: Of each entry of a batch of parameters; one without a batch.
        batched: Whether the parameters are a batch.
    """

    entries: tuple[Combination, ...]
    batched: bool

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return {"entries": [each.to_json() for each in self.entries], "batched": self.batched}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recipe":
        """Reads what :meth:`to_json` gave."""
        return cls(tuple(map(Combination.from_json, data["entries"])), data["batched"])

    def result(self, results: Iterator[Result]) -> Result:
        """Takes what belongs to the tape from the results of all circuits, in order."""
        entries = [each([next(results) for _ in each.sizes]) for each in self.entries]
        return stacked(entries) if self.batched else entries[0]


def job_of(
    pipeline: CompilePipeline, tapes: Sequence[QuantumScript]
) -> tuple[list[QuantumScript], list[Recipe]]:
    """Divides tapes into the circuits of a job.

    Args:
        pipeline: What :func:`~qrnn_backends.qiskit_common.preprocess.measured_circuits` gave.
        tapes: Tapes with measurements.

    Returns:
        The circuits, and a recipe for the result of each tape.

    Raises:
        TypeError: If they are no sequence of tapes.
        ValueError: If a tape measures nothing.
    """
    several = isinstance(tapes, Sequence)
    for tape in tapes if several else [tapes]:
        if not several or not isinstance(tape, QuantumScript):
            raise TypeError(
                "tapes must be a list of qml.tape.QuantumScript, got "
                f"{'a single' if isinstance(tape, QuantumScript) else 'a'} {type(tape).__name__}; "
                "qml.workflow.construct_tape(qnode)(...) gives the tape of a QNode"
            )
    circuits: list[QuantumScript] = []
    recipes = []
    check_measured(tapes)
    for tape in tapes:
        entries, _ = pipeline((tape,))
        parts = [divided(entry) for entry in entries]
        circuits += [circuit for part, _ in parts for circuit in part]
        combinations = tuple(combination for _, combination in parts)
        recipes.append(Recipe(combinations, tape.batch_size is not None))
    return circuits, recipes


def put_together(
    recipes: Sequence[Mapping[str, Any]] | None, results: Sequence[Result]
) -> tuple[Result, ...]:
    """The result of each tape from those of all circuits; without recipes, of one circuit each."""
    if recipes is None:
        return tuple(results)
    parts = iter(results)
    return tuple(Recipe.from_json(recipe).result(parts) for recipe in recipes)
