"""Batches that are conditioned on every outcome, run through transfer operators."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.gates import StepGates
from qrnn_circuits.sequences import ended
from qrnn_circuits.simulation.transfer.batch_plan import batch_plan
from qrnn_circuits.simulation.transfer.build import build_operators
from qrnn_circuits.simulation.transfer.operators import transfer_operators
from qrnn_circuits.simulation.transfer.recurrence import recur

# Time indices from one whose states are scaled to the next.
SCALE_EVERY = 8


class ConditionedRun(NamedTuple):
    """Predictions of some steps.

    Attributes:
        weights: The probability of each outcome of each step that was asked for, up to a factor
            common to all outcomes, shape ``(R, 2**I)``; earlier steps first, and earlier sequences
            first within a step, if all steps were asked for.
        positions: The place of each such step in the flattened batch, shape ``(R,)``.
        final: States after the last step and before its readout, scaled to a largest amplitude of
            1, shape ``(B, 2**W)``, if all steps were asked for.
        log_scales: Gives the natural log of the factor that each of them lacks, float64, shape
            ``(B,)``.
        least: The smallest largest amplitude that any state had on the way, shape ``()``.
        least_scale: The smallest number that an operator was divided by, shape ``()``.
    """

    weights: Tensor
    positions: Tensor
    final: Tensor
    log_scales: Callable[[], Tensor]
    least: Tensor
    least_scale: Tensor


def run_conditioned(
    gates: StepGates,
    inputs: Tensor,
    outcomes: Tensor,
    read: Tensor | None,
    state: Tensor,
    *,
    scale_every: int = SCALE_EVERY,
    lengths: Tensor | None = None,
) -> ConditionedRun:
    """Runs a batch through transfer operators.

    Args:
        gates: From :meth:`QRNNCell.step_gates`; those of E cells run as many batches, one after
            another in what follows, ``E * B`` sequences in all.
        inputs: Input symbols, int64, shape ``(B, T)``.
        outcomes: The outcome that each step is conditioned on, or ``UNREAD``, int64, shape
            ``(B, T)``.
        read: The steps whose predictions are asked for, bool, of that shape, or ``None`` for
            all. The last step of each sequence is always among them.
        state: Workspace amplitudes to start from, shape ``(B, 2**W)``.
        scale_every: Operators from one after which states are scaled to the next.
        lengths: Number of steps of each sequence, int64, shape ``(B,)``, if not all have T. What
            follows them is unread, and leaves the states as they are.
    """
    readout, cells = gates.readout, gates.cells
    if cells > 1:
        # Each cell has symbols and outcomes of its own.
        first = gates.first_symbols(len(inputs))[:, None]
        inputs, outcomes = inputs + first, outcomes + first.where(outcomes != UNREAD, 0)
    if lengths is not None:
        # One more symbol stands for no step: its operator is the identity, and nothing reads it.
        inputs = inputs.masked_fill(ended(lengths, inputs.shape[1]), len(readout))
        readout = torch.cat((readout, readout.new_ones(1, readout.shape[1])))
    symbols, size = readout.shape
    plan = batch_plan(
        inputs, outcomes, read, symbols=symbols, size=size, scale_every=scale_every, cells=cells
    )
    used = plan.operators.used
    stages = gates.workspace
    own = used if lengths is None else used[used < len(gates.readout)]
    if len(own) < len(gates.readout):
        stages = stages.of_symbols(own)
    transfer = transfer_operators(stages, len(own))
    if len(own) < len(used):
        identity = torch.eye(size, dtype=transfer.dtype, device=transfer.device)
        transfer = torch.cat((transfer, identity[None]))
    operators, scales = build_operators(transfer, readout, plan.operators)
    readings = recur(operators, readout, state, plan.buckets, plan.owners)
    weights = readings.weights if lengths is None or cells > 1 else readings.weights[:, :-1]

    def log_scales() -> Tensor:
        of_operators = scales.flatten().double().log()[inputs].sum(1)
        return readings.scales.double().log().sum(0) + of_operators

    return ConditionedRun(
        weights, plan.positions, readings.final, log_scales, readings.least, scales.min()
    )
