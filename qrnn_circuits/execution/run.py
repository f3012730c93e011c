"""Runs the circuits of a plan on a PennyLane device, as one batch."""

import time
from collections.abc import Sequence
from typing import Any

import pennylane as qml

from qrnn_circuits.checks import check_instance
from qrnn_circuits.circuits.measurement_method import measurement_method
from qrnn_circuits.circuits.neuron import check_device, runs_neurons, without_neurons
from qrnn_circuits.execution.plan import Plan
from qrnn_circuits.execution.report import Report, make_report


def run_plan(plan: Plan, device: "qml.devices.Device") -> Sequence[Any]:
    """Runs all circuits of a plan and waits for the results.

    Args:
        plan: With its tapes.
        device: Any device that runs mid-circuit measurements, and postselection where outcomes are
            conditioned or neurons are postselected.

    Returns:
        A result for each circuit, as :func:`~qrnn_circuits.execution.make_report` takes them.

    Raises:
        TypeError: If one argument is something else.
        ValueError: If ``default.qubit`` is too narrow for a circuit without shots, or PennyLane's
            tree traversal meets a circuit that keeps no shots; and whatever the device raises.

    Example:
        >>> from qrnn_circuits.training import RunConfig, TrainedRun
        >>> settings = {"workspace": 1, "degree": 1, "task_options": {"length": 2}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> run = TrainedRun(config, config.build_task(), config.build_model(), step=0)
        >>> from qrnn_circuits.execution import plan_run
        >>> plan = plan_run(run)
        >>> [len(result) for result in run_plan(plan, qml.device("qrnn.torch"))]
        [8, 8]
    """
    check_instance("plan", plan, Plan, "plan_run(run) makes one")
    check_device(device)
    tapes: Sequence[qml.tape.QuantumScript] = plan.tapes
    if not runs_neurons(device):
        tapes = [tape.copy(operations=list(without_neurons(tape.operations))) for tape in tapes]
    circuits = [tape.operations for tape in tapes]
    method = measurement_method(device.name, circuits, shots=plan.shots)
    try:
        results: Sequence[Any] = qml.execute(
            tapes,
            device,
            diff_method=None,
            postselect_mode=None if plan.shots is None else "hw-like",
            mcm_method=method,
        )
    except (ValueError, ZeroDivisionError) as error:
        if method != "tree-traversal" or not _is_without_shots(error):
            raise
        raise ValueError(
            f"{device.name} kept none of {plan.shots:,} shots of a circuit, on which PennyLane's "
            "tree traversal ends: give it more shots"
        ) from error
    return results


def run_and_report(plan: Plan, device: "qml.devices.Device", title: str) -> Report:
    """Runs all circuits of a plan, waits for the results, and reports on them.

    Args:
        plan: With its tapes.
        device: As :func:`run_plan` takes it.
        title: What the report calls the device.

    Raises:
        ValueError: As :func:`run_plan` does; and whatever the device raises.

    Example:
        >>> from qrnn_circuits.execution import plan_run
        >>> from qrnn_circuits.training import load_pretrained
        >>> plan = plan_run(load_pretrained("xor-chip"), steps=2)
        >>> report = run_and_report(plan, qml.device("qrnn.torch"), "a simulator")
        >>> report.distance < 1e-6
        True
    """
    start = time.perf_counter()
    with qml.Tracker(device) as tracker:
        results = run_plan(plan, device)
    seconds = time.perf_counter() - start
    kept = tracker.history.get("kept_shots")
    return make_report(plan, results, device=title, seconds=seconds, kept=kept)


def _is_without_shots(error: Exception) -> bool:
    """Whether PennyLane 0.45 met a history that no shot is left of."""
    return isinstance(error, ZeroDivisionError) or "need at least one array" in str(error)
