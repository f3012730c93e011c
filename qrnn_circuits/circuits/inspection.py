"""What a model's circuit takes, on paper and on a chip."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from math import exp
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.checks import as_integer
from qrnn_circuits.circuits.chip_checks import check_instructions, check_width
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.qiskit.convert import without_sections
from qrnn_circuits.circuits.qiskit.mid_circuit import mid_circuit_instructions
from qrnn_circuits.circuits.qiskit.resources import (
    Estimate,
    Resources,
    estimate,
    resources,
    section_resources,
)
from qrnn_circuits.circuits.qiskit.target import Chip, resolve_target
from qrnn_circuits.circuits.realisations import (
    REALISATIONS,
    Realisation,
    realisation_of,
    realisations_of,
)
from qrnn_circuits.circuits.sequence import check_network, compile_circuit
from qrnn_circuits.circuits.steps import StepInput
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.tracing import copied

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True)
class StageInspection:
    """One stage of a step, all steps counted together.

    Attributes:
        stage: Its name.
        resources: Before transpilation.
        transpiled: After it, with barriers between the stages, so that nothing is simplified or
            moved across; None where the circuit is not transpiled.
    """

    stage: str
    resources: Resources
    transpiled: Resources | None


@dataclass(frozen=True)
class RealisationInspection:
    """The circuit of one realisation.

    Attributes:
        realisation: How neurons are built. If its semantics are not the model's, the circuit does
            not compute the model.
        resources: Before transpilation.
        transpiled: After it; None without a target, or for too many gates.
        estimate: From the target's calibration data; None without any.
        stages: The same counts for each stage.
        acceptance: Share of the shots in which every flag reads 0 and every conditioned outcome is
            right, as the model predicts it; None for a realisation of other semantics than the
            model's, for one that fails now and then, as ``"repeat_until_success"`` does, and where
            an outcome before the last step is sampled.
        error: How far each neuron may be from its semantics in operator norm, where that is
            bounded; else None.
        distribution_bounds: How far dropped rotations can move what is read up to each step: see
            :meth:`~qrnn_circuits.circuits.compiled.CompiledCircuit.distribution_bounds`.
        mid_circuit: Names of the target's instructions that measure and reset before the circuit
            has ended, such as ``"measure_2"`` where it has IBM's for that; none without a target.
    """

    realisation: Realisation
    resources: Resources
    transpiled: Resources | None
    estimate: Estimate | None
    stages: tuple[StageInspection, ...]
    acceptance: float | None
    error: float | None
    distribution_bounds: tuple[float, ...]
    mid_circuit: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """The circuits of a model, by realisation.

    Attributes:
        cell: Sizes of the cell: lane, workspace, stages, order, degree and semantics.
        inputs: The input symbols, or the features, of the inspected steps.
        outcomes: The outcome that each step is conditioned on, None where it is sampled, ``UNREAD``
            where it is not read.
        target: Name of the target; None without one.
        realisations: One entry for each.
        tolerance: Neurons drop rotations by at most this angle, in radians; with 0 none.
        encoding: Whether inputs are on the ``"lane"`` or in the ``"angles"`` of neurons.

    Example:
        >>> from qrnn_circuits import QRNN
        >>> inspection = inspect_circuit(QRNN(lane=1, workspace=1, degree=1), [0, 1], [0])
        >>> inspection.inputs, inspection.outcomes, inspection.target
        ((0, 1), (0, None), None)
        >>> [entry.realisation.name for entry in inspection.realisations]
        ['postselect']
    """

    cell: dict[str, int | str]
    inputs: tuple[StepInput, ...]
    outcomes: tuple[int | None, ...]
    target: str | None
    realisations: tuple[RealisationInspection, ...]
    tolerance: float = 0.0
    encoding: Encoding = "lane"

    def to_json(self) -> dict[str, Any]:
        """All figures as plain dictionaries and lists; realisations as their text."""
        values = asdict(self)
        values["inputs"] = [x.tolist() if isinstance(x, Tensor) else x for x in self.inputs]
        for entry, figures in zip(self.realisations, values["realisations"], strict=True):
            figures["realisation"] = str(entry.realisation)
            figures["semantics"] = entry.realisation.semantics
        return values


def inspect_circuit(
    model: RecurrentNetwork,
    inputs: Sequence[StepInput] | Tensor = (0,),
    outcomes: Sequence[int | None] | None = None,
    *,
    realisations: Sequence[Realisation | str] | None = None,
    target: Any = None,  # noqa: ANN401
    most_gates: int | None = None,
    optimization_level: int = 3,
    seed: int = 0,
    progress: Callable[[str], None] = lambda doing: None,
    tolerance: float = 0.0,
    encoding: Encoding = "lane",
) -> Inspection:
    """Counts the circuits of a sequence, by default of one step.

    Args:
        model: The network.
        inputs: The input symbols, or the features of each step, shape ``(T, F)``.
        outcomes: As for :func:`~qrnn_circuits.circuits.sequence.compile_circuit`.
        realisations: Which to inspect, each as for ``compile_circuit``; by default every one that
            has a name and the model's semantics. Others are counted as well, for a model of the
            same sizes that has their semantics. Of a cell of order 0, whose circuit is the same in
            all, one is.
        target: Where to transpile to: see :func:`~.qiskit.target.resolve_target`;
            by default nothing is transpiled.
        most_gates: A circuit of more two-qubit gates than these is not transpiled, which takes a
            minute for each 20,000 of them, unless no realisation of the model's semantics has
            fewer. By default all circuits are.
        optimization_level: Qiskit's, from 0 to 3.
        seed: Of the transpiler.
        progress: Is told what is being done, such as ``"transpiling realisation 2 of 4"``.
        tolerance: Neurons drop rotations by at most this angle, in radians; with 0 none.
        encoding: Whether inputs are on the ``"lane"`` or in the ``"angles"`` of neurons.

    Returns:
        The counts.

    Raises:
        ImportError: If Qiskit is not installed.
        TypeError: If the model is no network, or ``optimization_level`` no integer.
        UnsupportedTargetError: If the target lacks what a realisation needs; the message says which
            realisations would run there.
        ValueError: If another argument is not acceptable.

    Example:
        >>> from qrnn_circuits import QRNN
        >>> model = QRNN(lane=1, workspace=2, semantics="unitary")
        >>> inspection = inspect_circuit(model, realisations=["multiplexed"])
        >>> inspection.realisations[0].resources.two_qubit_gates
        20
    """
    check_network(model)
    cell = model.cell
    chosen = (
        [REALISATIONS.resolve(given) for given in realisations]
        if realisations is not None
        else realisations_of(cell.semantics)
    )
    if chosen and not cell.order:
        chosen = [realisation_of(None, cell.semantics)]
    optimization_level = as_integer("optimization_level", optimization_level, 0, 3)
    chip = None if target is None else resolve_target(target)
    circuits = [
        compile_circuit(
            _of_semantics(model, realisation.semantics),
            inputs,
            outcomes,
            realisation=realisation,
            tolerance=tolerance,
            encoding=encoding,
        )
        for realisation in chosen
    ]
    for circuit in circuits:
        check_width(chip, cell, circuit.realisation)
    staged = []
    for place, circuit in enumerate(circuits):
        progress(f"building realisation {place + 1} of {len(circuits)}, {circuit.realisation}")
        staged.append(circuit.to_qiskit(barriers=True))
        if chip is not None:
            check_instructions(chip, circuit, staged[-1])
    counted = []
    for place, (circuit, sections) in enumerate(zip(circuits, staged, strict=True)):
        progress(f"counting realisation {place + 1} of {len(circuits)}, {circuit.realisation}")
        # A barrier takes nothing.
        counted.append(section_resources(sections, _first_section(circuit)))
    gates = [before.two_qubit_gates for before, _ in counted]
    own = [
        count
        for circuit, count in zip(circuits, gates, strict=True)
        if circuit.realisation.semantics == cell.semantics
    ]
    entries = []
    for place, circuit in enumerate(circuits):
        fits = most_gates is None or gates[place] <= max(most_gates, min(own, default=0))
        entries.append(
            _inspected(
                circuit,
                staged[place],
                counted[place],
                model,
                chip if fits else None,
                optimization_level,
                seed,
                f"realisation {place + 1} of {len(circuits)}, {circuit.realisation}",
                progress,
            )
        )
    first = circuits[0] if circuits else compile_circuit(model, inputs, outcomes)
    return Inspection(
        cell={**cell.sizes(), "semantics": cell.semantics},
        inputs=first.inputs,
        outcomes=first.outcomes,
        target=None if chip is None else chip.name,
        realisations=tuple(entries),
        tolerance=tolerance,
        encoding=encoding,
    )


def representative(model: RecurrentNetwork, inspection: Inspection) -> CompiledCircuit:
    """The circuit of an inspection's first realisation, as it was inspected."""
    realisation = inspection.realisations[0].realisation
    return compile_circuit(
        _of_semantics(model, realisation.semantics),
        inspection.inputs,
        inspection.outcomes,
        realisation=realisation,
        tolerance=inspection.tolerance,
        encoding=inspection.encoding,
    )


def predicted_acceptance(circuit: CompiledCircuit) -> float | None:
    """Share of the shots that a circuit keeps, from the model.

    Returns:
        ``exp(log_acceptance)``; 1 for an unconditioned circuit without flags. None for a
        realisation that fails now and then, as ``"repeat_until_success"`` does, and where an
        outcome before the last step is sampled in a circuit that conditions on anything.
    """
    model, outcomes = circuit.model, circuit.outcomes
    realisation = circuit.realisation
    if not realisation.predictable:
        return None
    if not realisation.postselects and all(
        outcome is None or outcome == UNREAD for outcome in outcomes
    ):
        return 1.0
    if None in outcomes[:-1]:
        return None
    with torch.no_grad():
        output = model.sample(
            torch.stack([torch.as_tensor(step) for step in circuit.inputs])[None],
            torch.tensor([[outcome or 0 for outcome in outcomes]]),
            sampled=torch.tensor([[outcome is None for outcome in outcomes]]),
        )
    return exp(output.log_acceptance.item())


def _inspected(
    circuit: CompiledCircuit,
    staged: "QuantumCircuit",
    counted: tuple[Resources, dict[str, Resources]],
    model: RecurrentNetwork,
    chip: Chip | None,
    optimization_level: int,
    seed: int,
    name: str,
    progress: Callable[[str], None],
) -> RealisationInspection:
    before, sections = counted
    transpiled, estimated, after = None, None, {}
    mid_circuit: tuple[str, ...] = ()
    if chip is not None:
        progress(f"transpiling {name}")
        whole = without_sections(staged)
        chosen = chip.transpile(whole, optimization_level=optimization_level, seed=seed)
        transpiled = resources(chosen)
        mid_circuit = tuple(mid_circuit_instructions(chosen))
        if chip.target is not None:
            estimated = estimate(chosen, chip.target)
        progress(f"transpiling {name}, stage by stage")
        chosen = chip.transpile(staged, optimization_level=optimization_level, seed=seed)
        after = _by_stage(section_resources(chosen, _first_section(circuit))[1])
    realisation = circuit.realisation
    ours = model.cell.semantics == realisation.semantics
    return RealisationInspection(
        realisation=realisation,
        resources=before,
        transpiled=transpiled,
        estimate=estimated,
        stages=tuple(
            StageInspection(stage, counts, after.get(stage))
            for stage, counts in _by_stage(sections).items()
        ),
        acceptance=predicted_acceptance(circuit) if ours else None,
        error=realisation.error(model.cell.order),
        distribution_bounds=circuit.distribution_bounds(),
        mid_circuit=mid_circuit,
    )


def _first_section(circuit: CompiledCircuit) -> str:
    """The section that begins without a barrier."""
    return f"0: {circuit.staged_operations()[0].stage}"


def _by_stage(sections: dict[str, Resources]) -> dict[str, Resources]:
    """Adds up the sections ``"<step>: <stage>"`` of all steps; qubits are the most of any step.

    The stages are in the order in which they follow in a step.
    """
    order = _stage_order(sections)
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
    return {stage: stages[stage] for stage in order}


def _stage_order(sections: Iterable[str]) -> list[str]:
    """The stages of all steps, of which some steps, as the first, may lack some."""
    order: list[str] = []
    for _, names in groupby(sections, key=lambda section: section.split(": ")[0]):
        place = len(order)
        for stage in reversed([name.split(": ", 1)[1] for name in names]):
            if stage in order:
                place = order.index(stage)
            else:
                order.insert(place, stage)
    return order


def _of_semantics(model: RecurrentNetwork, semantics: Semantics) -> RecurrentNetwork:
    """The model, or a copy of it with other semantics."""
    if model.cell.semantics == semantics:
        return model
    twin = copied(model)
    twin.cell.semantics = semantics
    return twin
