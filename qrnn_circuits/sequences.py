"""Batches of sequences as a network takes them: checked, and with padding told from steps.

Sequences of unequal length are padded at their ends, or packed as PyTorch packs them.
"""

from dataclasses import dataclass, replace
from math import nan

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from qrnn_circuits.cells.base import PADDING, UNREAD, Cell
from qrnn_circuits.checks import as_integer
from qrnn_circuits.tensors import check_finite, check_tensor, check_type, first_parameter
from qrnn_circuits.tracing import is_traced

Symbols = Tensor | PackedSequence
"""A batch of sequences, padded or packed."""


@dataclass(frozen=True)
class Steps:
    """A batch whose padding is told from its steps.

    Attributes:
        inputs: Input symbols, 0 where there is padding, int64, shape ``(B, T)`` with the length T
            of the longest sequence; or features, shape ``(B, T, F)``.
        outcomes: What each step is conditioned on, or ``UNREAD``, also where there is padding,
            int64, shape ``(B, T)``.
        lengths: Number of steps of each sequence, int64, shape ``(B,)``; None where none is padded.
        columns: Number of steps that the batch was given with, at least T.
        marked: Whether there may be a step that is unread, or padding.
        ignoring: Whether unread steps are what the user had ignored.
    """

    inputs: Tensor
    outcomes: Tensor
    lengths: Tensor | None
    columns: int
    marked: bool
    ignoring: bool = False

    def mask(self, marked: Tensor) -> Tensor:
        """A mask of the given batch as one of these steps, False where there is padding."""
        if self.lengths is None:
            return marked
        steps = self.inputs.shape[1]
        return marked[:, :steps] & ~ended(self.lengths, steps)

    def scored(self, scored: Symbols | None) -> Tensor | None:
        """The steps that count in a loss, bool, shape ``(B, T)``; None for all.

        Args:
            scored: What is to count of the given batch, or None for all that is read.

        Raises:
            TypeError: If it is no mask.
            ValueError: If it is of another shape, or marks an unread step.
        """
        if scored is not None:
            if isinstance(scored, PackedSequence):
                _check_lengths("scored", scored, self._lengths())
            given = unpacked("scored", scored, 0)
            check_mask("scored", given, (len(self.inputs), self.columns), self.inputs)
            scored = self.mask(given)
        if not self.marked:
            return scored
        unread = self.outcomes == UNREAD
        if scored is None:
            return ~unread
        if self.ignoring:
            return scored & ~unread
        if not is_traced() and (scored & unread).any():
            row, step = (scored & unread).nonzero()[0].tolist()
            raise ValueError(
                f"scored marks step {step} of sequence {row}, whose outcome is UNREAD ({UNREAD}): "
                "a scored step is read, so give its right symbol in outcomes"
            )
        return scored

    def _lengths(self) -> list[int]:
        """Number of steps of each sequence."""
        if self.lengths is None:
            return [self.inputs.shape[1]] * len(self.inputs)
        lengths: list[int] = self.lengths.tolist()
        return lengths

    def predictions(self, log_probs: Tensor) -> Tensor:
        """Predictions of all steps for the given batch, NaN where there is padding."""
        missing = self.columns - log_probs.shape[1]
        return pad(log_probs, (0, 0, 0, missing), value=nan) if missing else log_probs

    def with_padding(self, outcomes: Tensor) -> Tensor:
        """Outcomes of all steps for the given batch, with its padding."""
        if self.lengths is None:
            return outcomes
        outcomes = pad(outcomes, (0, self.columns - outcomes.shape[1]))
        return outcomes.masked_fill(ended(self.lengths, self.columns), PADDING)


def checked_steps(
    inputs: Symbols, outcomes: Symbols, cell: Cell, ignore_index: int | None = None
) -> Steps:
    """Checks a batch and tells its padding from its steps.

    Args:
        inputs: Input symbols, shape ``(B, T)``; or, of a cell of real inputs, features, shape
            ``(B, T, F)``; or packed sequences.
        outcomes: Outcomes, ``UNREAD`` or ``PADDING``, shape ``(B, T)``, or packed sequences.
        cell: What is to run along them.
        ignore_index: A number in ``outcomes`` that stands for padding, or for ``UNREAD`` where an
            outcome follows.

    Raises:
        TypeError: If something is no tensor of integers, or only one of the two is packed.
        ValueError: If a shape or a symbol is not acceptable.
    """
    if isinstance(inputs, PackedSequence) or isinstance(outcomes, PackedSequence):
        _check_packed_alike(inputs, outcomes)
    inputs = unpacked("inputs", inputs, 0, cell.features)
    outcomes = unpacked("outcomes", outcomes, PADDING)
    parameter = next(cell.parameters(), None)
    if cell.features:
        _check_features(inputs, cell)
    else:
        check_symbols("inputs", inputs, parameter)
    check_symbols("outcomes", outcomes, parameter)
    if inputs.shape[:2] != outcomes.shape:
        raise ValueError(
            f"inputs and outcomes must be of as many sequences and steps, got shapes "
            f"{tuple(inputs.shape)} and {tuple(outcomes.shape)}"
        )
    if ignore_index is not None:
        ignore_index = as_integer("ignore_index", ignore_index, -(2**63))
        outcomes = _ignored(outcomes, ignore_index)
    if is_traced():
        steps = _without_padding(inputs, outcomes)
    else:
        ends = outcomes.aminmax() if cell.features else (*outcomes.aminmax(), *inputs.aminmax())
        least, greatest, *of_inputs = torch.stack(ends).tolist()
        steps = Steps(inputs, outcomes, None, inputs.shape[1], least == UNREAD)
        if least == PADDING:
            steps = _without_padding(inputs, outcomes)
            if not cell.features:
                of_inputs = torch.stack(steps.inputs.aminmax()).tolist()
        if steps.marked:
            least = int(steps.outcomes.masked_fill(steps.outcomes == UNREAD, 0).amin())
        marks = f", UNREAD ({UNREAD}) or PADDING ({PADDING})"
        _check_range("outcomes", least, greatest, cell.lane, marks)
        if cell.features:
            check_finite("inputs", steps.inputs)
        else:
            _check_range("inputs", of_inputs[0], of_inputs[1], cell.lane)
    return steps if ignore_index is None else replace(steps, ignoring=True)


def ended(lengths: Tensor, steps: int) -> Tensor:
    """Where sequences have ended, bool, shape ``(B, steps)``.

    Args:
        lengths: Number of steps of each sequence, int64, shape ``(B,)``.
        steps: Number of steps to look at.
    """
    return torch.arange(steps, device=lengths.device) >= lengths[:, None]


def acceptance_per_step(log_acceptance: Tensor, steps: int, lengths: Tensor | None) -> Tensor:
    """A log acceptance over the number of steps, of which there are ``steps`` or ``lengths``."""
    return log_acceptance / (steps if lengths is None else lengths.clamp(min=1))


def _without_padding(inputs: Tensor, outcomes: Tensor) -> Steps:
    """Tells padding from steps, and leaves out what is padding in every sequence.

    Args:
        inputs: Anything where there is padding, shape ``(B, T)`` or ``(B, T, F)``.
        outcomes: With ``PADDING`` after the end of each sequence, int64, shape ``(B, T)``.

    Raises:
        ValueError: If a step follows padding, or there is no step at all.
    """
    padding = outcomes == PADDING
    lengths = (~padding).sum(1)
    columns = longest = outcomes.shape[1]
    if not is_traced():
        early = (padding != ended(lengths, columns)).any(1).nonzero()[:, 0].tolist()
        if early:
            raise ValueError(
                f"outcomes of sequence {early[0]} have PADDING ({PADDING}) before their end: only "
                f"what follows the last step is padding, and a step that is not read is UNREAD "
                f"({UNREAD})"
            )
        longest = int(lengths.max())
        if not longest:
            raise ValueError("outcomes must have at least one step, but all of them are padding")
    return Steps(
        inputs.masked_fill(padding.view(*padding.shape, *[1] * (inputs.ndim - 2)), 0)[:, :longest],
        outcomes.masked_fill(padding, UNREAD)[:, :longest],
        lengths,
        columns,
        marked=True,
    )


def _ignored(outcomes: Tensor, ignore_index: int) -> Tensor:
    """Outcomes of which one number is to be ignored, as targets of PyTorch's losses have it.

    Args:
        outcomes: Int64, shape ``(B, T)``.
        ignore_index: The number.

    Returns:
        The outcomes, with ``PADDING`` where nothing but the number follows, and ``UNREAD`` in place
        of the number where a step follows.
    """
    marked = outcomes == ignore_index
    after = marked.flip(1).int().cummin(1).values.flip(1).bool()
    return outcomes.masked_fill(marked, UNREAD).masked_fill(after, PADDING)


def unpacked(name: str, symbols: Symbols, padding: int, features: int = 0) -> Tensor:
    """A batch in the order in which it was packed, padded.

    Args:
        name: Of the argument.
        symbols: The batch.
        padding: What it is padded with, if it is packed.
        features: Number of features of a step; 0 where it is a symbol.
    """
    if not isinstance(symbols, PackedSequence):
        return symbols
    if symbols.data.ndim != (2 if features else 1):
        wanted = f"{features} features" if features else "symbols, one number"
        raise ValueError(
            f"{name} must be packed sequences of {wanted} for each step, got steps of shape "
            f"{tuple(symbols.data.shape[1:])}"
        )
    return pad_packed_sequence(symbols, batch_first=True, padding_value=padding)[0]


def check_mask(name: str, mask: Tensor, shape: tuple[int, ...], parameter: Tensor | None) -> None:
    """Checks a mask of the steps of a batch.

    Raises:
        TypeError: If it is no tensor of type bool.
        ValueError: If it has another shape, or is on another device than the parameters.
    """
    check_type(name, mask, torch.bool, "a tensor of type torch.bool")
    check_tensor(name, mask, parameter)
    if mask.shape != shape:
        raise ValueError(
            f"{name} must have the shape of outcomes, {tuple(shape)}, got {tuple(mask.shape)}"
        )


def _check_packed_alike(inputs: Symbols, outcomes: Symbols) -> None:
    if not (isinstance(inputs, PackedSequence) and isinstance(outcomes, PackedSequence)):
        raise TypeError(
            "inputs and outcomes must both be packed sequences or both be tensors, got a "
            f"{type(inputs).__name__} and a {type(outcomes).__name__}"
        )
    _check_lengths("outcomes", outcomes, pad_packed_sequence(inputs)[1].tolist())


def _check_lengths(name: str, packed: PackedSequence, expected: list[int]) -> None:
    """Raises a ``ValueError`` where packed sequences are not as long as those of the inputs."""
    lengths = pad_packed_sequence(packed)[1].tolist()
    if lengths != expected:
        raise ValueError(
            f"inputs and {name} must be of the same lengths, got {expected} and {lengths}"
        )


def check_symbols(name: str, symbols: Tensor, parameter: Tensor | None) -> None:
    """Checks a batch of inputs or outcomes, but not their range.

    Args:
        name: Of the argument.
        symbols: The batch.
        parameter: One of the parameters, if there are any.

    Raises:
        TypeError: If it is no dense tensor of integers.
        ValueError: If its shape, or the device that it is on, is not acceptable.
    """
    check_type(name, symbols, torch.int64, "a tensor of type torch.int64")
    check_tensor(name, symbols, parameter)
    if symbols.ndim != 2 or 0 in symbols.shape:
        raise ValueError(
            f"{name} must have shape (B, T) with B and T at least 1, got {tuple(symbols.shape)}"
        )


def _check_features(features: Tensor, cell: Cell) -> None:
    parameter = first_parameter(cell)
    wanted = f"a tensor of the type of the parameters, {parameter.dtype}"
    check_type("inputs", features, parameter.dtype, wanted)
    check_tensor("inputs", features, parameter)
    if features.ndim != 3 or 0 in features.shape or features.shape[2] != cell.features:
        raise ValueError(
            f"inputs must have shape (B, T, {cell.features}) with B and T at least 1, got "
            f"{tuple(features.shape)}"
        )


def _check_range(name: str, least: int, greatest: int, lane: int, marks: str = "") -> None:
    if least < 0 or greatest >= 2**lane:
        raise ValueError(
            f"{name} must be symbols from 0 to {2**lane - 1} (a lane of {lane} wires){marks}, got "
            f"{least if least < 0 else greatest}"
        )
