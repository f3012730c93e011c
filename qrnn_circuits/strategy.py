"""Two exact ways to run many steps: through transfer operators, or on the states themselves."""

from typing import Literal, Protocol

import torch
from torch import Tensor

from qrnn_circuits.cell import WorkspaceGate, apply_workspace_gates, transfer_operators

Strategy = Literal["auto", "transfer", "state"]


class Evolution(Protocol):
    """The input and work stages of one step, for a whole batch."""

    def __call__(self, state: Tensor, inputs: Tensor) -> Tensor:
        """Takes workspace states ``(B, 2**W)`` and input symbols ``(B,)`` one step on."""


class TransferEvolution:
    """Builds the operators of all input symbols once; each step is one matrix product a symbol."""

    def __init__(self, gates: list[WorkspaceGate], symbols: int) -> None:
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


class StateEvolution:
    """Applies every gate to every state: no operator is ever built."""

    def __init__(self, gates: list[WorkspaceGate]) -> None:
        """Keeps the gates.

        Args:
            gates: From :meth:`QRNNCell.step_gates`.
        """
        self.gates = gates

    def __call__(self, state: Tensor, inputs: Tensor) -> Tensor:
        """See :class:`Evolution`."""
        return apply_workspace_gates(self.gates, state.T, inputs).T


# Seconds on two CPU cores, forward and backward, as benchmarks/strategies.py measures them.
_SECONDS_PER_GATE = 1e-4
_SECONDS_PER_GATE_AMPLITUDE = 6e-9
_SECONDS_PER_GATE_AMPLITUDE_BY_SAMPLE = 2e-8
_SECONDS_PER_STEP = 2e-4
_SECONDS_PER_PRODUCT = 6e-11


def cheaper_strategy(
    *, gates: int, symbols: int, workspace: int, batch: int, steps: int
) -> Literal["transfer", "state"]:
    """Estimates which strategy takes less time.

    Args:
        gates: Number of gates of the input and work stages.
        symbols: Number of input symbols, ``2**I``.
        workspace: Number W of workspace wires.
        batch: Number of sequences B.
        steps: Number of steps T.
    """
    size = 2**workspace
    build = gates * (_SECONDS_PER_GATE + _SECONDS_PER_GATE_AMPLITUDE * symbols * size * size)
    products = steps * (_SECONDS_PER_STEP + _SECONDS_PER_PRODUCT * batch * size * size)
    direct = _SECONDS_PER_GATE + _SECONDS_PER_GATE_AMPLITUDE_BY_SAMPLE * batch * size
    return "transfer" if build + products <= steps * gates * direct else "state"
