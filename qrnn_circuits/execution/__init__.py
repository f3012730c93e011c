"""A trained network's task on a device: plan the circuits, run them, report."""

from qrnn_circuits.execution.plan import Plan, PlannedCircuit
from qrnn_circuits.execution.planning import plan_run
from qrnn_circuits.execution.report import CircuitReport, Report, make_report
from qrnn_circuits.execution.run import run_plan
from qrnn_circuits.execution.verdict import question, verdicts

__all__ = [
    "CircuitReport",
    "Plan",
    "PlannedCircuit",
    "Report",
    "make_report",
    "plan_run",
    "question",
    "run_plan",
    "verdicts",
]
