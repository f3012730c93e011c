"""What a model's circuit takes, on paper and on a chip."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from math import exp
from typing import TYPE_CHECKING, Any

import torch

from qrnn_circuits.circuits.qiskit.resources import (
    Estimate,
    Resources,
    estimate,
    resources,
    section_resources,
)
from qrnn_circuits.circuits.qiskit.target import Chip, UnsupportedTargetError, resolve_target
from qrnn_circuits.circuits.realisations.amplified import amplification_error
from qrnn_circuits.circuits.realisations.base import (
    DEFAULT_ATTEMPTS,
    DEFAULT_LENGTH,
    REALISATIONS,
    SEMANTICS,
    Realisation,
    check_realisation,
)
from qrnn_circuits.circuits.sequence import CompiledCircuit, compile_circuit
from qrnn_circuits.network import QRNN

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class StageInspection:
    """One stage of a step, all steps counted together.

    Attributes:
        stage: Its name.
        resources: Before transpilation.
        transpiled: After it, with barriers between the stages, so that nothing is simplified or
            moved across; None without a target.
    """

    stage: str
    resources: Resources
    transpiled: Resources | None


@dataclass(frozen=True)
class RealisationInspection:
    """The circuit of one realisation.

    Attributes:
        realisation: Its name.
        semantics: What it gives; if it is not the model's, the circuit does not compute the model.
        resources: Before transpilation.
        transpiled: After it; None without a target.
        estimate: From the target's calibration data; None without any.
        stages: The same counts for each stage.
        acceptance: Share of the shots in which every flag reads 0 and every conditioned outcome is
            right, as the model predicts it; None for a realisation of other semantics than the
            model's, for ``"repeat_until_success"``, whose last attempts fail now and then, and
            where an outcome before the last step is sampled.
        amplification_error: For ``"amplified"``, how far each neuron may be from the exact one in
            operator norm; else None.
    """

    realisation: Realisation
    semantics: str
    resources: Resources
    transpiled: Resources | None
    estimate: Estimate | None
    stages: tuple[StageInspection, ...]
    acceptance: float | None
    amplification_error: float | None


@dataclass(frozen=True)
class Inspection:
    """The circuits of a model, by realisation.

    Attributes:
        cell: Sizes of the cell: lane, workspace, stages, order, degree and semantics.
        inputs: The input symbols of the inspected steps.
        outcomes: The outcome that each step is conditioned on, or None where it is sampled.
        target: Name of the target; None without one.
        attempts: Attempts of ``"repeat_until_success"``.
        length: Length of ``"amplified"``.
        realisations: One entry for each.
    """

    cell: dict[str, int | str]
    inputs: tuple[int, ...]
    outcomes: tuple[int | None, ...]
    target: str | None
    attempts: int
    length: int
    realisations: tuple[RealisationInspection, ...]

    def to_json(self) -> dict[str, Any]:
        """All figures as plain dictionaries and lists."""
        return asdict(self)

    def tables(self) -> "list[Table]":
        """Tables for a terminal: realisations side by side, then the stages of each."""
        from qrnn_circuits.command_line.inspection_table import realisation_table, stage_table

        stages = [stage_table(self, entry) for entry in self.realisations]
        return [realisation_table(self), *stages]


def inspect_circuit(
    model: QRNN,
    inputs: Sequence[int] = (0,),
    outcomes: Sequence[int | None] | None = None,
    *,
    realisations: Sequence[Realisation] | None = None,
    target: Any = None,  # noqa: ANN401
    attempts: int = DEFAULT_ATTEMPTS,
    length: int = DEFAULT_LENGTH,
    optimization_level: int = 3,
    seed: int = 0,
) -> Inspection:
    """Counts the circuits of a sequence, by default of one step.

    Args:
        model: The network.
        inputs: The input symbols.
        outcomes: As for :func:`~qrnn_circuits.circuits.sequence.compile_circuit`.
        realisations: Which to inspect, by default those of the model's semantics. Others are
            counted as well, for a model of the same sizes that has their semantics.
        target: Where to transpile to: see :func:`~.qiskit.target.resolve_target`;
            by default nothing is transpiled.
        attempts: As for ``compile_circuit``.
        length: As for ``compile_circuit``.
        optimization_level: Qiskit's, from 0 to 3.
        seed: Of the transpiler.

    Returns:
        The counts.

    Raises:
        ImportError: If Qiskit is not installed.
        UnsupportedTargetError: If the target lacks what a realisation needs; the message says which
            realisations would run there.
        ValueError: If another argument is not acceptable.
    """
    cell = model.cell
    if realisations is None:
        realisations = [name for name in REALISATIONS if SEMANTICS[name] == cell.semantics]
    for name in realisations:
        check_realisation(
            name,
            order=cell.order,
            controls=cell.polynomial.variables,
            attempts=attempts,
            length=length,
        )
    if not 0 <= optimization_level <= 3:
        raise ValueError(f"optimization_level must be from 0 to 3, got {optimization_level}")
    chip = None if target is None else resolve_target(target)
    circuits = [
        compile_circuit(
            _of_semantics(model, SEMANTICS[name]),
            inputs,
            outcomes,
            realisation=name,
            attempts=attempts,
            length=length,
        )
        for name in realisations
    ]
    if chip is not None:
        for circuit in circuits:
            _check_instructions(chip, circuit)
    first = circuits[0] if circuits else compile_circuit(model, inputs, outcomes)
    return Inspection(
        cell={
            "lane": cell.lane,
            "workspace": cell.workspace,
            "stages": cell.stages,
            "order": cell.order,
            "degree": cell.degree,
            "semantics": cell.semantics,
        },
        inputs=first.inputs,
        outcomes=first.outcomes,
        target=None if chip is None else chip.name,
        attempts=attempts,
        length=length,
        realisations=tuple(
            _inspected(circuit, model, chip, optimization_level, seed) for circuit in circuits
        ),
    )


def representative(model: QRNN, inspection: Inspection) -> CompiledCircuit:
    """The circuit of an inspection's first realisation, as it was inspected."""
    realisation = inspection.realisations[0].realisation
    return compile_circuit(
        _of_semantics(model, SEMANTICS[realisation]),
        inspection.inputs,
        inspection.outcomes,
        realisation=realisation,
        attempts=inspection.attempts,
        length=inspection.length,
    )


def predicted_acceptance(circuit: CompiledCircuit) -> float | None:
    """Share of the shots that a circuit keeps, from the model.

    Returns:
        ``exp(log_acceptance)``; 1 for an unconditioned circuit without flags. None for
        ``"repeat_until_success"`` and where an outcome before the last step is sampled in a circuit
        that conditions on anything.
    """
    model, outcomes = circuit.model, circuit.outcomes
    if circuit.realisation == "repeat_until_success":
        return None
    if circuit.realisation != "postselect" and all(outcome is None for outcome in outcomes):
        return 1.0
    if None in outcomes[:-1]:
        return None
    with torch.no_grad():
        output = model.sample(
            torch.tensor([circuit.inputs]),
            torch.tensor([[outcome or 0 for outcome in outcomes]]),
            sampled=torch.tensor([[outcome is None for outcome in outcomes]]),
        )
    return exp(output.log_acceptance.item())


def _inspected(
    circuit: CompiledCircuit, model: QRNN, chip: Chip | None, optimization_level: int, seed: int
) -> RealisationInspection:
    whole = circuit.to_qiskit()
    staged = circuit.to_qiskit(barriers=True)
    first = f"0: {circuit.staged_operations()[0].stage}"
    before = _by_stage(section_resources(staged, first))
    transpiled, estimated, after = None, None, {}
    if chip is not None:
        chosen = chip.transpile(whole, optimization_level=optimization_level, seed=seed)
        transpiled = resources(chosen)
        if chip.target is not None:
            estimated = estimate(chosen, chip.target)
        chosen = chip.transpile(staged, optimization_level=optimization_level, seed=seed)
        after = _by_stage(section_resources(chosen, first))
    realisation = circuit.realisation
    ours = model.cell.semantics == SEMANTICS[realisation]
    return RealisationInspection(
        realisation=realisation,
        semantics=SEMANTICS[realisation],
        resources=resources(whole),
        transpiled=transpiled,
        estimate=estimated,
        stages=tuple(
            StageInspection(stage, counts, after.get(stage)) for stage, counts in before.items()
        ),
        acceptance=predicted_acceptance(circuit) if ours else None,
        amplification_error=(
            amplification_error(circuit.length, model.cell.order)
            if realisation == "amplified"
            else None
        ),
    )


def _by_stage(sections: dict[str, Resources]) -> dict[str, Resources]:
    """Adds up the sections ``"<step>: <stage>"`` of all steps; qubits are the most of any step."""
    stages: dict[str, Resources] = {}
    for section, counts in sections.items():
        stage = section.split(": ", 1)[1]
        if stage not in stages:
            stages[stage] = counts
            continue
        other = asdict(stages[stage])
        stages[stage] = Resources(
            **{
                name: max(value, other[name]) if name == "qubits" else value + other[name]
                for name, value in asdict(counts).items()
            }
        )
    return stages


def _check_instructions(chip: Chip, circuit: CompiledCircuit) -> None:
    """Raises where the target lacks control flow, naming realisations that run there."""
    missing = chip.missing(circuit.to_qiskit())
    if not missing:
        return
    fitting = [
        name
        for name in REALISATIONS
        if SEMANTICS[name] == circuit.model.cell.semantics
        and not chip.missing(replace(circuit, realisation=name).to_qiskit())
    ]
    advice = (
        f"realisations that run there: {', '.join(fitting)}"
        if fitting
        else "no realisation of these semantics runs there"
    )
    raise UnsupportedTargetError(
        f"{chip.name} has no {' and no '.join(missing)}, which the realisation "
        f"{circuit.realisation!r} of {len(circuit.inputs)} step(s) needs; {advice}"
    )


def _of_semantics(model: QRNN, semantics: str) -> QRNN:
    """The model, or a copy of it with other semantics."""
    if model.cell.semantics == semantics:
        return model
    twin = deepcopy(model)
    twin.cell.semantics = semantics  # type: ignore[assignment]
    return twin
