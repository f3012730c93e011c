"""A plan run on a device from beginning to end."""

import time

import pennylane as qml

from qrnn_circuits.execution.plan import Plan
from qrnn_circuits.execution.report import Report, make_report
from qrnn_circuits.execution.run import run_plan


def measure(plan: Plan, device: "qml.devices.Device", title: str) -> Report:
    """Runs all circuits of a plan, waits for the results, and reports on them.

    Args:
        plan: With its tapes.
        device: As :func:`~qrnn_circuits.execution.run_plan` takes it.
        title: What the report calls the device.

    Raises:
        ValueError: As ``run_plan`` does; and whatever the device raises.

    Example:
        >>> from qrnn_circuits.execution import plan_run
        >>> from qrnn_circuits.training import load_pretrained
        >>> plan = plan_run(load_pretrained("xor-chip"), steps=2)
        >>> report = measure(plan, qml.device("qrnn.torch"), "a simulator")
        >>> report.distance < 1e-6
        True
    """
    start = time.perf_counter()
    with qml.Tracker(device) as tracker:
        results = run_plan(plan, device)
    seconds = time.perf_counter() - start
    kept = tracker.history.get("kept_shots")
    return make_report(plan, results, device=title, seconds=seconds, kept=kept)
