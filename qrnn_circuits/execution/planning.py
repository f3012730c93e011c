"""From a trained network to the circuits that show how it does its task on a device."""

from math import ceil
from typing import Any

import pennylane as qml
import torch

from qrnn_circuits.checks import check_integer
from qrnn_circuits.circuits.chip_checks import check_width
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.realisations import Realisation, realisation_at
from qrnn_circuits.circuits.sequence import compile_circuit
from qrnn_circuits.execution.plan import Plan, PlannedCircuit
from qrnn_circuits.execution.remedies import alternatives, keeping_shots
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import Batch
from qrnn_circuits.tracing import copied
from qrnn_circuits.training import TrainedRun
from qrnn_circuits.training.evaluation import check_run

# So many kept shots tell a distribution from another: what is advised where too few would be left.
_USEFUL_SHOTS = 100
# No number of shots makes up for a smaller share.
LEAST_SHARE = 1e-12
# Simulators hold the bits of all shots of a circuit: a gigabyte or so.
MOST_SHOTS = 10_000_000
_SEQUENCES = 10


def plan_run(
    run: TrainedRun,
    *,
    realisation: Realisation | str | None = None,
    sequences: int | None = 1,
    steps: int | None = None,
    shots: int | None = None,
    mitigation: str | None = None,
    tolerance: float = 0.0,
    encoding: Encoding = "lane",
    chip: str | None = None,
) -> Plan:
    """Builds a circuit for every scored step of some test sequences.

    Args:
        run: The trained network and its task.
        realisation: How neurons are built, as for
            :func:`~qrnn_circuits.circuits.sequence.compile_circuit`.
        sequences: How many sequences, spread evenly over the test set; None for 10, or for all of a
            smaller test set.
        steps: How many steps of each, from the first; by default all.
        shots: Of each circuit, at most ``MOST_SHOTS``; by default none, for devices that give exact
            distributions.
        mitigation: By which the device corrects readout errors in the results of shots, if it does.
        tolerance: Up to which angle neurons drop rotations, in radians, as for ``compile_circuit``.
        encoding: Whether inputs are on the ``"lane"`` or in the ``"angles"`` of neurons.
        chip: Name of a fake backend such as ``"fake_fez"`` that is to run the circuits, which are
            refused where it has too few qubits; None where there is none to ask.

    Returns:
        The plan.

    Raises:
        FileNotFoundError: If the task's data are missing.
        UnsupportedTargetError: If the chip has too few qubits.
        TypeError: If it is no run, or a number is not an integer.
        ValueError: If the network forecasts real values, an argument is out of range, the
            realisation is not of the model's semantics, no step is scored, there is mitigation but
            no shots, or the model predicts that a circuit keeps less than one shot.
        ZeroProbabilityError: If the model rules a conditioned outcome out altogether.

    Example:
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "degree": 1, "task_options": {"length": 2}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> plan = plan_run(run)
        >>> [circuit.step for circuit in plan.circuits]
        [0, 1]
    """
    check_run(run)
    run = run.of_symbols()
    check_shots(shots, mitigation)
    model = copied(run.model).cpu().double().eval()
    rows, batch = _questions(run.task.test(), sequences, steps)
    # Fails on a wrong realisation before anything is computed.
    options: dict[str, Any] = {"tolerance": tolerance, "encoding": encoding}
    checked = compile_circuit(model, [0], realisation=realisation, **options)
    realisation = checked.realisation
    check_width(chip, model.cell, realisation)
    predictable = realisation_at(realisation, model.cell.order).predictable
    planned, compiled = [], []
    for step in range(batch.inputs.shape[1]):
        chosen = batch.scored[:, step].nonzero()[:, 0]
        if not len(chosen):
            continue
        inputs, outcomes = batch.inputs[chosen, : step + 1], batch.outcomes[chosen, : step + 1]
        exact, shares = predictions(model, inputs, outcomes)
        for index, row in enumerate(rows[chosen].tolist()):
            circuit = compile_circuit(
                model,
                inputs[index].tolist(),
                outcomes[index, :-1].tolist(),
                realisation=realisation,
                **options,
            )
            share = float(shares[index]) if predictable else None
            planned.append(
                PlannedCircuit(
                    sequence=row,
                    step=step,
                    right=int(outcomes[index, -1]),
                    exact=tuple(exact[index].tolist()),
                    predicted_share=share,
                    distribution_bound=_conditional_bound(circuit, share),
                )
            )
            compiled.append(circuit)
    if shots is not None:
        settings = alternatives(keeping_shots(run.task, model, realisation))
        _check_kept(planned, shots, f"network trained with {settings}")
    order = sorted(range(len(planned)), key=lambda i: (planned[i].sequence, planned[i].step))
    return Plan(
        task=run.task.name,
        training_step=run.step,
        realisation=realisation,
        wires=sum(map(len, compiled[0].registers)),
        shots=shots,
        circuits=tuple(planned[i] for i in order),
        mitigation=mitigation,
        **options,
        class_names=tuple(run.task.class_names),
        tapes=tuple(_tape(compiled[i], shots, mitigation) for i in order),
    )


def check_shots(shots: int | None, mitigation: str | None) -> None:
    """Checks the shots of a circuit, and that there are some for mitigation to correct.

    Raises:
        TypeError: If the number is not an integer.
        ValueError: If it is out of range, or there is mitigation but no shots.
    """
    if shots is not None:
        check_integer("shots", shots, 1, MOST_SHOTS)
    elif mitigation is not None:
        raise ValueError(
            f"mitigation must be None without shots, got {mitigation!r}: it corrects shots"
        )


def shots_advice(share: float) -> str:
    """How many shots would leave a useful number of them, given the predicted share."""
    if share < _USEFUL_SHOTS / MOST_SHOTS:
        return "no number of shots will do"
    return f"{ceil(_USEFUL_SHOTS / share):,} shots would keep about {_USEFUL_SHOTS}"


def spread_rows(sequences: int | None, count: int) -> torch.Tensor:
    """Rows spread evenly over a test set.

    Args:
        sequences: How many; None for 10, or for all of a smaller test set.
        count: Of the test set.

    Raises:
        TypeError: If the number is not an integer.
        ValueError: If it is out of range.
    """
    sequences = min(_SEQUENCES, count) if sequences is None else sequences
    check_integer("sequences", sequences, 1, count)
    return torch.linspace(0, count - 1, sequences, dtype=torch.float64).round().long()


def _questions(test: Batch, sequences: int | None, steps: int | None) -> tuple[torch.Tensor, Batch]:
    """Rows of the test set, shape ``(sequences,)``, and the first steps of these sequences."""
    rows = spread_rows(sequences, len(test))
    batch = test.rows(rows)
    if steps is None:
        return rows, batch
    check_integer("steps", steps, 1, batch.inputs.shape[1])
    if not batch.scored[:, :steps].any():
        first = int(batch.scored.any(0).int().argmax())
        raise ValueError(
            f"steps must be at least {first + 1}, got {steps}: the task scores no earlier step of "
            "these sequences"
        )
    return rows, Batch(*(tensor[:, :steps] for tensor in batch.tensors))


@torch.no_grad()
def predictions(
    model: RecurrentNetwork, inputs: torch.Tensor, outcomes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a network predicts at the last of some steps, all earlier ones being conditioned.

    Args:
        model: The network.
        inputs: Input symbols, int64, shape ``(B, T)``.
        outcomes: What each earlier step is conditioned on, or ``UNREAD``; the last column does not
            count; int64, shape ``(B, T)``.

    Returns:
        The distributions of the last step, shape ``(B, 2**I)``, and the kept shares of the shots,
        shape ``(B,)``.
    """
    sampled = torch.zeros_like(outcomes, dtype=torch.bool)
    sampled[:, -1] = True
    # The drawn symbol counts in neither; a generator leaves torch's own as it is.
    output = model.sample(inputs, outcomes, sampled=sampled, generator=torch.Generator())
    return output.log_probs[:, -1].exp(), output.log_acceptance.exp().clamp(max=1)


def _conditional_bound(circuit: CompiledCircuit, share: float | None) -> float | None:
    """How far dropping can move the last step's distribution, given all that is conditioned on."""
    bound = circuit.distribution_bounds()[-1]
    if share is None:
        return None if bound else 0.0
    return min(1.0, bound / max(share, LEAST_SHARE))


def _check_kept(planned: list[PlannedCircuit], shots: int, network: str) -> None:
    """Raises where a circuit would hardly keep a shot."""
    predictable = [circuit for circuit in planned if circuit.predicted_share is not None]
    worst = min(predictable, key=lambda circuit: circuit.predicted_share or 0, default=None)
    if worst is None or worst.predicted_share is None or worst.predicted_share * shots >= 1:
        return
    # The first scored step is the fewest that can be asked for.
    shorter = min(circuit.step for circuit in planned) < worst.step
    remedy = f"A {network} keeps more"
    if shorter:
        remedy = f"Fewer --steps keep more, and so does a {network}"
    raise ValueError(
        f"{worst.describe()} keeps a share of {worst.predicted_share:.3g} of the shots, as the "
        f"model predicts, so that none of {shots:,} would be left: "
        f"{shots_advice(worst.predicted_share)}. {remedy}; without --shots, qrnn.torch gives exact "
        "distributions"
    )


def _tape(
    circuit: CompiledCircuit, shots: int | None, mitigation: str | None
) -> qml.tape.QuantumScript:
    tape = circuit.tape
    measurements = tape.measurements
    if shots is not None and mitigation is None:
        with qml.QueuingManager.stop_recording():
            measurements = [qml.sample(wires=list(circuit.registers.lane))]
    script = qml.tape.QuantumScript(tape.operations, measurements, shots=shots)
    # PennyLane's devices combine measurements with numpy arrays only.
    (script,), _ = qml.transforms.convert_to_numpy_parameters(script)
    return script
