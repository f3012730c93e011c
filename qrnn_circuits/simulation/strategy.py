"""Two exact ways to run many steps: through transfer operators, or on the states themselves."""

from functools import lru_cache
from typing import Literal, Protocol

import torch
from torch import Tensor

from qrnn_circuits.choices import Strategy as Strategy
from qrnn_circuits.gates import WorkspaceStages
from qrnn_circuits.simulation.costs import Counts, expected_distinct, seconds
from qrnn_circuits.simulation.state.reversible import MOST_MIXED_AMPLITUDES
from qrnn_circuits.simulation.state.run import MOST_TABLE_BYTES
from qrnn_circuits.simulation.transfer.costs import cheapest_buckets, expected_recurrence_size
from qrnn_circuits.simulation.transfer.operators import transfer_operators


class Evolution(Protocol):
    """The input and work stages of one step, for a whole batch."""

    def __call__(self, state: Tensor, inputs: Tensor) -> Tensor:
        """Takes workspace states ``(B, 2**W)`` and input symbols ``(B,)`` one step on."""


class TransferEvolution:
    """Builds the operators of all input symbols once; each step is one matrix product a symbol."""

    def __init__(self, gates: WorkspaceStages, symbols: int) -> None:
        """Pushes the identity through the gates.

        Args:
            gates: From :meth:`QRNNCell.step_gates`.
            symbols: Number of input symbols, ``2**I``.
        """
        self.operators = transfer_operators(gates, symbols)

    def __call__(self, state: Tensor, inputs: Tensor) -> Tensor:
        """See :class:`Evolution`."""
        order = inputs.argsort()
        counts = torch.bincount(inputs, minlength=len(self.operators)).tolist()
        groups = state.index_select(0, order).split(counts)
        products = [
            group @ operator.T
            for group, operator in zip(groups, self.operators, strict=True)
            if len(group) > 0
        ]
        return torch.cat(products).index_select(0, order.argsort())


def operator_counts(*, stages: int, symbols: int, workspace: int, batch: int, steps: int) -> Counts:
    """The parts of the transfer strategy but for the recurrence.

    Args:
        stages: Number of work stages.
        symbols: Number of input symbols, ``2**I``.
        workspace: Number W of workspace wires.
        batch: Number of sequences B.
        steps: Number of steps T.
    """
    size = 2**workspace
    # Only of the symbols that occur.
    entries = expected_distinct(symbols, batch * steps) * size**2
    return {
        "transfer": 1,
        "transfer wire": workspace,
        "transfer sequence step": batch * steps,
        "transfer state entry": batch * steps * size,
        "operator entry": (1 + stages) * entries,
        # Every half-stage is a matrix product with matrices of 2**(W/2) rows.
        "operator product": 2 * stages * entries * size**0.5,
    }


def state_counts(*, stages: int, symbols: int, workspace: int, batch: int, steps: int) -> Counts:
    """The parts of the state strategy.

    Args:
        stages: Number of work stages.
        symbols: Number of input symbols, ``2**I``.
        workspace: Number W of workspace wires.
        batch: Number of sequences B.
        steps: Number of steps T.
    """
    size = 2**workspace
    neurons, gates = workspace * (1 + stages), workspace * (1 + 2 * stages)
    table_entries = neurons * symbols * size / 2
    together = 4 * table_entries <= MOST_TABLE_BYTES and batch * size <= MOST_MIXED_AMPLITUDES
    groups = 1 if together else expected_distinct(symbols, batch)
    return {
        "state": 1,
        "state gate": gates,
        "state table entry": table_entries,
        "state step": steps,
        "state sequence step": batch * steps,
        "state step gate": steps * gates * groups,
        "state step gate entry": steps * gates * batch * size,
        "state readout entry": steps * batch * size * symbols,
    }


@lru_cache(maxsize=1024)
def cheaper_strategy(
    *, stages: int, symbols: int, workspace: int, batch: int, steps: int
) -> Literal["transfer", "state"]:
    """Estimates which strategy takes less time for random symbols of which every step is scored.

    Args:
        stages: Number of work stages.
        symbols: Number of input symbols, ``2**I``.
        workspace: Number W of workspace wires.
        batch: Number of sequences B.
        steps: Number of steps T.
    """
    run = expected_recurrence_size(
        batch=batch, length=steps, size=2**workspace, operators=symbols, pairs=symbols**2
    )
    sizes = {"stages": stages, "symbols": symbols, "workspace": workspace}
    transfer = (
        seconds(operator_counts(**sizes, batch=batch, steps=steps)) + cheapest_buckets(run)[1]
    )
    state = seconds(state_counts(**sizes, batch=batch, steps=steps))
    return "transfer" if transfer <= state else "state"
