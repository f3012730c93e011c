"""A trained network's task on a device: plan the circuits, run them, report."""

from qrnn_circuits.execution.execute import execute
from qrnn_circuits.execution.plan import Plan, PlannedCircuit, plan_run
from qrnn_circuits.execution.report import CircuitReport, Report, report

__all__ = [
    "CircuitReport",
    "Plan",
    "PlannedCircuit",
    "Report",
    "execute",
    "plan_run",
    "report",
]
