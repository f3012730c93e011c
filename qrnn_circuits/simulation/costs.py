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
    "row time index": 1.3e-5,
    "row entry": 5.5e-10,
    "pair entry": 3.5e-9,
    "bucket time index": 7.9e-5,
    "bucket": 5.8e-6,
    "bucket entry": 2.7e-10,
    "bucket state entry": 6.2e-9,
    "product": 5.3e-11,
    "transfer": 0.002,
    "transfer wire": 0.00018,
    "transfer sequence step": 2e-7,
    "transfer state entry": 6.8e-9,
    "operator entry": 1.4e-9,
    "operator product": 3.2e-10,
    "state": 0.0011,
    "state gate": 0.00011,
    "state table entry": 4e-8,
    "state step": 0.00017,
    "state sequence step": 5.7e-7,
    "state step gate": 4.3e-5,
    "state step gate entry": 3.2e-9,
    "state readout entry": 3e-9,
}


def seconds(counts: Counts) -> float:
    """The time that parts are expected to take."""
    return sum(SECONDS[part] * count for part, count in counts.items())


def expected_distinct(kinds: float, draws: int) -> float:
    """How many of several equally likely kinds occur in some draws, on average."""
    return kinds * (1 - (1 - 1 / kinds) ** draws)
