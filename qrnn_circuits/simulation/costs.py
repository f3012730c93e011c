"""Measured times of the parts of a training step, from which whole steps are estimated.

What there is of each part is counted in :mod:`~qrnn_circuits.simulation.strategy` for the
strategies and in :mod:`~qrnn_circuits.simulation.transfer.costs` for the recurrence.
``python -m benchmarks.fit_costs`` measures the times again.
"""

from collections.abc import Mapping

Counts = dict[str, float]
"""How much there is of each part."""

# On one core in float32, forward and backward together. An entry is one number of a matrix or a
# state, a product one multiplication and addition of a matrix product.
SECONDS: Mapping[str, float] = {
    "copied row time index": 1.3e-5,
    "copied row entry": 4e-10,
    "row time index": 3.2e-5,
    "row entry": 1.3e-10,
    "pair entry": 5.1e-9,
    "bucket time index": 7e-5,
    "bucket": 9.3e-6,
    "bucket entry": 4.9e-10,
    "bucket state entry": 6.7e-9,
    "product": 4.9e-11,
    "transfer": 0.0022,
    "transfer wire": 0.00018,
    "transfer sequence step": 2.1e-7,
    "transfer state entry": 2.7e-9,
    "operator entry": 0,
    "operator product": 4.6e-10,
    "state": 0.0013,
    "state gate": 0.00011,
    "state table entry": 3.8e-8,
    "state step": 0.00025,
    "state sequence step": 6.9e-7,
    "state step gate": 4.5e-5,
    "state step gate entry": 3.3e-9,
    "state readout entry": 4.7e-9,
}


def seconds(counts: Counts) -> float:
    """The time that parts are expected to take."""
    return sum(SECONDS[part] * count for part, count in counts.items())


def expected_distinct(kinds: float, draws: int) -> float:
    """How many of several equally likely kinds occur in some draws, on average."""
    return kinds * (1 - (1 - 1 / kinds) ** draws)
