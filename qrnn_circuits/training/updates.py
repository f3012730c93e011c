"""One step of an optimiser: what it takes, and whether it has led to numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, optim

from qrnn_circuits.tasks import BaseBatch
from qrnn_circuits.training.gradient import DataParallelLoss, Share


class StepBatch(NamedTuple):
    """What a step trains on.

    Attributes:
        batch: The sequences, on the CPU.
        acceptance_weight: How much the acceptance counts in the loss.
        sparsity_weight: How much the angles count in the loss.
        seed: Gives that of what the network itself draws in the step, as dropout does.
    """

    batch: BaseBatch
    acceptance_weight: float
    sparsity_weight: float
    seed: Callable[[], int]


def update(
    optimizer: optim.Optimizer,
    loss: DataParallelLoss,
    share: Share,
    step: StepBatch,
    clip_norm: float | None,
    received: int | None,
) -> tuple[Tensor, int | None]:
    """Changes the parameters of a network by one step of its optimiser.

    Args:
        optimizer: Of the parameters.
        loss: Of the network.
        share: What this process computes of the batch.
        step: What is trained on.
        clip_norm: Greatest norm of the gradients, if they are clipped.
        received: Number of the signal that this process has received, or ``None``.

    Returns:
        The loss before the step, and the signal that some process had received by then.

    Raises:
        Exception: Whatever the loss raises.
    """

    def closure() -> Tensor:
        nonlocal received
        optimizer.zero_grad()
        # Seeded at each evaluation: a line search compares values of one function.
        with drawing(step.seed(), share.rows.inputs.device):
            value, received = loss.backward(
                share, received, step.acceptance_weight, step.sparsity_weight
            )
        if clip_norm is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        return value

    # PyTorch says that a closure returns a float, and hands on whatever it returns.
    before: Any = optimizer.step(cast(Callable[[], float], closure))
    return before, received


@contextmanager
def drawing(seed: int, device: torch.device) -> Iterator[None]:
    """While entered, layers draw by a seed; what is drawn later is as if nothing had been.

    Args:
        seed: Of the step.
        device: Where the network lives.
    """
    generators = [torch.default_generator]
    if device.type == "cuda":
        generators.append(torch.cuda.default_generators[device.index or 0])
    states = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(seed)
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


@torch.no_grad()
def zero_if_finite(parameters: Sequence[Sequence[Tensor]]) -> Tensor:
    """0 for each of several networks of one shape whose parameters are finite, else NaN.

    Args:
        parameters: Those of each of E networks.

    Returns:
        Shape ``(E,)``.
    """
    rows = [torch.stack(same).flatten(1) for same in zip(*parameters, strict=True)]
    return torch.stack([(each - each).sum(1) for each in rows]).sum(0)
