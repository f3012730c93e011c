"""A batch of programs that is ready to be sent, and what the chip would take for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from pennylane.tape import QuantumScript

from qrnn_backends.ibm import sampling
from qrnn_backends.ibm.chip import RuntimeChip
from qrnn_backends.ibm.limits import Division, divide
from qrnn_backends.ibm.options import check_repetition_delay, executed_shots
from qrnn_backends.ibm.preprocess import Recipe
from qrnn_backends.ibm.sampling import Pub
from qrnn_backends.ibm.usage import UsageEstimate, usage
from qrnn_backends.mitigation import Mitigation
from qrnn_backends.qiskit_common.program import Program

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True)
class PreparedBatch:
    """Programs on a chip, in jobs.

    Attributes:
        chip: The chip.
        programs: The batch.
        division: Its jobs.
        estimate: What they would take of the chip's time.
    """

    chip: RuntimeChip
    programs: list[Program]
    division: Division
    estimate: UsageEstimate

    @property
    def pubs(self) -> list[Pub]:
        """What all jobs run, in order."""
        return list(chain.from_iterable(self.division.jobs))

    def layout(
        self,
        tapes: Sequence[QuantumScript],
        recipes: Sequence[Recipe] | None,
        mitigation: Mitigation | None,
    ) -> dict[str, Any]:
        """How the bits of the batch become results, as plain JSON.

        Args:
            tapes: The batch.
            recipes: By which the results of several tapes become one; None for one result each.
            mitigation: Of readout errors.

        Raises:
            ValueError: If results are to be corrected that cannot be.
        """
        errors = None if mitigation is None else self.chip.readout_matrices
        layout = sampling.layout(self.programs, self.pubs, errors)
        if mitigation is not None:
            layout["mitigation"] = mitigation.name
        if recipes is not None:
            layout = sampling.with_shares(layout, tapes)
            layout["recipes"] = [recipe.to_json() for recipe in recipes]
        if len(self.division.jobs) > 1:
            layout["jobs"] = len(self.division.jobs)
        return layout


def prepare_batch(
    programs: list[Program],
    chip: RuntimeChip,
    options: Mapping[str, Any],
    transpiled: "dict[str, QuantumCircuit]",
) -> PreparedBatch:
    """Transpiles programs, each structure once, and divides them into jobs.

    Args:
        programs: The batch.
        chip: Where it is to run.
        options: Of the sampler.
        transpiled: Circuits that are known by the structure of their programs; takes new ones.

    Raises:
        JobLimitError: If a circuit is above one of IBM's limits for a job by itself.
        UnsupportedTargetError: If the chip lacks qubits or instructions.
        ValueError: If the chip does not take the delay between shots.
    """
    check_repetition_delay(options, chip.backend)

    def transpile(program: Program) -> "QuantumCircuit":
        if program.structure not in transpiled:
            transpiled[program.structure] = chip.transpile(program.circuit)
        return transpiled[program.structure]

    division = divide(
        sampling.bundle(programs, transpile), lambda shots: executed_shots(options, shots)
    )
    return PreparedBatch(chip, programs, division, usage(division.jobs, chip, options))
