"""The network step by step and gate by gate, with the gradients that torch records."""

from typing import NamedTuple

import torch
from torch import Tensor

from qrnn_circuits import QRNN
from qrnn_circuits.gates import apply_workspace_gates


class PlainRun(NamedTuple):
    """What :class:`~qrnn_circuits.QRNNOutput` holds, but for the outcomes."""

    log_probs: Tensor
    log_acceptance: Tensor
    state: Tensor


def plain_run(
    model: QRNN, inputs: Tensor, outcomes: Tensor, state: Tensor | None = None
) -> PlainRun:
    gates = model.cell.step_gates()
    if state is None:
        state = torch.eye(2**model.cell.workspace, dtype=gates.readout.dtype)[:1]
        state = state.expand(len(inputs), -1)
    log_probs = []
    log_acceptance = state.new_zeros(len(inputs), dtype=torch.float64)
    for symbols, outcome in zip(inputs.T, outcomes.T, strict=True):
        evolved = apply_workspace_gates(gates.workspace, state.T, symbols).T
        weights = (evolved**2) @ (gates.readout**2).T
        kept = weights.gather(1, outcome[:, None])
        log_probs.append((weights / weights.sum(1, keepdim=True)).log())
        log_acceptance = log_acceptance + kept[:, 0].double().log() + 2 * gates.log_scale
        state = evolved * gates.readout[outcome] / kept.sqrt()
    return PlainRun(torch.stack(log_probs, 1), log_acceptance, state)
