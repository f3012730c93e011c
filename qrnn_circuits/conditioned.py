"""Batches that are conditioned on every outcome, run through transfer operators."""

from typing import NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.batch_plan import BatchPlan, batch_plan
from qrnn_circuits.cell import StepGates, transfer_operators
from qrnn_circuits.planned_operators import planned_operators
from qrnn_circuits.recurrence import recur

# Places from one whose states are scaled to the next.
SCALE_EVERY = 8
# More states of one place do not stay in a core's cache from one operation to the next.
MOST_PLACE_BYTES = 2**21
# Amplitudes that are smaller by the square of the type's precision are still normal numbers.
_LEAST_AMPLITUDE = {torch.float32: 2.0**-60, torch.float64: 2.0**-480}


class ConditionedRun(NamedTuple):
    """Predictions of some steps.

    Attributes:
        weights: The probability of each outcome of each step that was asked for, up to a factor
            common to all outcomes, shape ``(R, 2**I)``, earlier steps first.
        rows: The sequence of each such step, shape ``(R,)``.
        steps: Its number in the sequence, likewise.
        final: States after the last step and before its read-out, scaled to a largest amplitude of
            1, shape ``(B, 2**W)``, if all steps were asked for.
        log_scales: Natural log of the factor that each of them lacks, float64, likewise.
        least: The smallest largest amplitude that any state had on the way, shape ``()``.
    """

    weights: Tensor
    rows: Tensor
    steps: Tensor
    final: Tensor
    log_scales: Tensor
    least: Tensor

    def reliable(self, outcomes: Tensor) -> bool:
        """Whether nothing underflowed and no step asked for has a conditioned outcome of weight 0.

        Args:
            outcomes: What each step that was asked for is conditioned on, shape ``(R,)``.
        """
        kept = self.weights.detach().gather(1, outcomes[:, None])
        least_weight, least = torch.stack((kept.min(), self.least)).tolist()
        return bool(least_weight > 0 and least >= _LEAST_AMPLITUDE[self.final.dtype])


def run_conditioned(
    gates: StepGates,
    inputs: Tensor,
    outcomes: Tensor,
    read: Tensor | None,
    state: Tensor,
    *,
    scale_every: int = SCALE_EVERY,
) -> ConditionedRun:
    """Runs a batch through transfer operators.

    Args:
        gates: From :meth:`QRNNCell.step_gates`.
        inputs: Input symbols, int64, shape ``(B, T)``.
        outcomes: The outcomes that each step is conditioned on, likewise.
        read: The steps whose predictions are asked for, bool, likewise, or ``None`` for all. The
            last step of each sequence is always among them.
        state: Workspace amplitudes to start from, shape ``(B, 2**W)``.
        scale_every: Operators from one after which states are scaled to the next.
    """
    symbols, size = gates.readout.shape
    rows = max(MOST_PLACE_BYTES // (size * state.element_size()), 1)
    parts = [slice(begin, begin + rows) for begin in range(0, len(inputs), rows)]
    plans = [
        batch_plan(
            inputs[part],
            outcomes[part],
            None if read is None else read[part],
            symbols=symbols,
            size=size,
            scale_every=scale_every,
        )
        for part in parts
    ]
    used = plans[0].operators.used
    if len(parts) > 1:
        used = torch.cat([plan.operators.used for plan in plans]).unique()
    stages = gates.workspace
    if len(used) < symbols:
        stages = stages.of_symbols(used)
    transfer = transfer_operators(stages, len(used))
    runs = []
    for part, plan in zip(parts, plans, strict=True):
        own = transfer
        if len(plan.operators.used) < len(used):
            own = transfer.index_select(0, torch.searchsorted(used, plan.operators.used))
        every = inputs[part] if read is None else None
        runs.append(_run_part(gates.readout, own, plan, state[part], every))
    return runs[0] if len(runs) == 1 else _joined(runs, rows)


def _run_part(
    readout: Tensor, transfer: Tensor, plan: BatchPlan, state: Tensor, every: Tensor | None
) -> ConditionedRun:
    """Runs some sequences; ``every`` holds their inputs if all steps were asked for."""
    operators, scales = planned_operators(transfer, readout, plan.operators)
    readings = recur(operators, readout, state, plan.layout)
    log_scales, least = readings.log_scales, readings.least
    if every is not None:
        log_scales = log_scales + scales.flatten().double().log()[every].sum(1)
    elif len(scales) > len(readout):
        least = torch.minimum(least, scales[len(readout) :].min())
    return ConditionedRun(
        readings.weights, plan.rows, plan.steps, readings.final, log_scales, least
    )


def _joined(runs: list[ConditionedRun], rows: int) -> ConditionedRun:
    """What the parts of a batch tell, of some rows each, as of the batch."""
    weights, numbers, steps, final, log_scales, least = zip(*runs, strict=True)
    order = torch.cat(steps).argsort(stable=True)
    row = torch.cat([numbers[part] + part * rows for part in range(len(runs))])
    return ConditionedRun(
        torch.cat(weights).index_select(0, order),
        row.index_select(0, order),
        torch.cat(steps).index_select(0, order),
        torch.cat(final),
        torch.cat(log_scales),
        torch.stack(least).min(),
    )
