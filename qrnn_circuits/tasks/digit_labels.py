"""Labels of digits: numbers that one or more symbols spell, the most significant bits first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from qrnn_circuits.tasks.task import Batch

if TYPE_CHECKING:
    from qrnn_circuits.network import RecurrentNetwork


def label_length(classes: int, lane: int) -> int:
    """Number of symbols that spell any of some classes.

    Args:
        classes: Number of classes, at least 1.
        lane: Number of bits of a symbol.

    Example:
        >>> label_length(10, 2)
        2
    """
    bits = (classes - 1).bit_length()
    return max(1, -(-bits // lane))


def spell_labels(classes: Tensor, length: int, lane: int) -> Tensor:
    """Writes numbers of classes as symbols.

    Args:
        classes: Shape ``(B,)``.
        length: Number of symbols of each.
        lane: Number of bits of a symbol.

    Returns:
        Symbols, shape ``(B, length)``.

    Example:
        >>> spell_labels(torch.tensor([7, 9]), 2, 2)
        tensor([[1, 3],
                [2, 1]])
    """
    shifts = lane * torch.arange(length - 1, -1, -1)
    symbols: Tensor = classes[:, None] >> shifts & 2**lane - 1
    return symbols


def label_name(label: Sequence[int], names: Sequence[str], lane: int) -> str:
    """The name of the class that symbols spell.

    Args:
        label: The symbols; a wider lane than the task's can yield symbols beyond it.
        names: Of the classes, in order.
        lane: Number of bits of a symbol.

    Example:
        >>> label_name([2, 1], [*"0123456789"], lane=2), label_name([1], ["even", "odd"], lane=2)
        ('9', 'odd')
        >>> label_name([3], ["even", "odd"], lane=2)
        'none of even, odd'
    """
    number = 0
    for symbol in label:
        number = (number << lane) + symbol
    if number < len(names) and max(label) < 2**lane:
        return names[number]
    return f"none of {', '.join(names)}"


def label_log_probs(model: "RecurrentNetwork", batch: Batch, length: int) -> Tensor:
    """Natural logs of the exact probabilities of all labels that a network could give.

    Args:
        model: The network.
        batch: Sequences whose last ``length`` outcomes are a label.
        length: Number of symbols of a label.

    Returns:
        Those of every string of symbols, the strings in ascending order, shape
        ``(B, 2**(I * length))``.
    """
    # A label of probability zero is a wrong answer, no error: the steps that spell it must
    # not be conditioned on it. A sampled outcome is always possible.
    generator = torch.Generator(batch.inputs.device).manual_seed(0)
    reading = batch.inputs.shape[1] - length
    state = None
    if reading:
        state = model(batch.inputs[:, :reading], batch.outcomes[:, :reading]).state
    inputs = batch.inputs[:, reading : reading + 1]
    log_probs = torch.zeros(len(batch), 1, device=batch.inputs.device)
    for step in range(length):
        readout = model.sample(
            inputs,
            torch.zeros_like(inputs),
            sampled=torch.ones_like(inputs, dtype=torch.bool),
            state=state,
            generator=generator,
        )
        spread = readout.log_probs.reshape(len(batch), log_probs.shape[1], -1)
        log_probs = (log_probs[:, :, None] + spread).flatten(1)
        if step + 1 < length:
            symbols = spread.shape[2]
            each = torch.arange(symbols, device=inputs.device).repeat(len(inputs))[:, None]
            possible = readout.log_probs.flatten()[:, None] > -torch.inf
            outcomes = each.where(possible, readout.outcomes.repeat_interleave(symbols, 0))
            state = None if state is None else state.repeat_interleave(symbols, 0)
            inputs = inputs.repeat_interleave(symbols, 0)
            state, inputs = model(inputs, outcomes, state=state).state, each
    return log_probs
