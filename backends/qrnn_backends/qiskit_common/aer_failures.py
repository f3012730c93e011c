"""What is done where Aer gives up on a circuit."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_T = TypeVar("_T")

_AERS_LOGGER = logging.getLogger("qiskit_aer.backends.aerbackend")
_LOGGED = "Simulation failed"
# As C++ and Aer say it.
_NO_MEMORY = re.compile(
    r"bad_alloc|vector::reserve|length_error|Insufficient memory", re.IGNORECASE
)


class SimulationError(RuntimeError):
    """Aer gave up on a circuit.

    Args:
        reason: What Aer says.
    """

    def __init__(self, reason: str) -> None:
        if _NO_MEMORY.search(reason):
            reason += " (there is not enough memory: take fewer shots or fewer wires)"
        super().__init__(f"Aer failed: {reason}")


def without_idle_qubits(circuits: "Sequence[QuantumCircuit]", run: "Callable[[bool], _T]") -> _T:
    """Runs circuits, where Aer looks for idle qubits to leave out if there are any.

    Args:
        circuits: What is run.
        run: Runs them, given Aer's option ``enable_truncation``.

    Raises:
        SimulationError: If ``run`` raises it.
    """
    idle = any(map(_has_idle_qubits, circuits))
    try:
        return run(idle)
    except SimulationError:
        if not idle:
            raise
        # Aer 0.18 fails on some conditions where it looks for them.
        return run(False)


@contextmanager
def failures_not_logged() -> Iterator[list[str]]:
    """What Aer would have logged of failures, which are raised."""
    reasons: list[str] = []

    def take(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if text.startswith(_LOGGED):
            reasons.append(" ".join(text.partition("\n")[2].split()))
        return not text.startswith(_LOGGED)

    _AERS_LOGGER.addFilter(take)
    try:
        yield reasons
    finally:
        _AERS_LOGGER.removeFilter(take)


def _has_idle_qubits(circuit: "QuantumCircuit") -> bool:
    active = {qubit for instruction in circuit.data for qubit in instruction.qubits}
    return bool(len(active) < circuit.num_qubits)
