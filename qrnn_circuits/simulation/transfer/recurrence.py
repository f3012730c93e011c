"""The recurrence of a batch under given operators, as one differentiable function.

No graph is recorded over the steps: the states are kept, or computed again one segment at a time
where they are many, and the backward pass goes through them in reverse. What else there is of every
state is there for one chunk at a time. States are scaled on the way by factors that count as
constants: nothing that is read depends on them.
"""

from itertools import pairwise
from math import isqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.simulation.transfer.buckets import Buckets
from qrnn_circuits.simulation.transfer.propagation import propagation
from qrnn_circuits.simulation.transfer.reading import Owners, reading
from qrnn_circuits.tracing import first_derivative

# Most bytes of a batch's states that are kept; of more, those of one segment at a time are.
MOST_STATE_BYTES = 2**28
# Most bytes of states in a chunk. What is read and what gradients need is several times as much.
CHUNK_BYTES = 2**24
# Most time indices in a chunk. Python's garbage collector goes through all of a program's objects
# where many new ones live long: without a limit, 10,000 steps may take twice as long.
MOST_CHUNK_LENGTH = 2**9

Interval = tuple[int, int]
"""The first and the last time index of a segment or a chunk.

Each begins with the time index that the one before ends with.
"""


class Readings(NamedTuple):
    """What is read along the recurrence.

    Attributes:
        weights: For each state that is read and each outcome, its probability up to a factor common
            to all outcomes, shape ``(R, 2**I)``.
        final: States of the last time index, scaled to a largest amplitude of 1.
        scales: What each of them has been divided by at some time indices, shape ``(n, B)``; their
            product is what it lacks where all sequences are of equal length.
        least: The smallest largest amplitude that any state had when it was scaled, shape ``()``.
    """

    weights: Tensor
    final: Tensor
    scales: Tensor
    least: Tensor


def recur(
    operators: Tensor,
    readout: Tensor,
    state: Tensor,
    buckets: Buckets,
    owners: Owners | None = None,
) -> Readings:
    """Takes a batch through its operators and reads states on the way.

    Args:
        operators: As :mod:`~qrnn_circuits.simulation.transfer.propagation` takes them.
        readout: Amplitudes of the output stage, shape ``(2**I, 2**W)``.
        state: States of time index 0 in the order of the batch, shape ``(B, 2**W)``.
        buckets: The rows that meet each operator.
        owners: The cells that the states are read by, where there are several.
    """
    return Readings(
        *_Recurrence.apply(  # type: ignore[no-untyped-call]
            operators, readout, state, buckets, owners
        )
    )


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        operators: Tensor,
        readout: Tensor,
        state: Tensor,
        buckets: Buckets,
        owners: Owners | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        run = _Run(operators, readout, state, buckets, owners)
        ctx.save_for_backward(operators, readout, state)
        ctx.run = run
        outputs = run.forward()
        ctx.mark_non_differentiable(*outputs[2:])
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    @first_derivative
    def backward(
        ctx: Any,  # noqa: ANN401
        weights: Tensor | None,
        final: Tensor | None,
        *_: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        return *ctx.run.backward(weights, final), None, None


class _Run:
    """A pass there and back."""

    def __init__(
        self,
        operators: Tensor,
        readout: Tensor,
        state: Tensor,
        buckets: Buckets,
        owners: Owners | None = None,
    ) -> None:
        self.buckets = buckets
        self.readout = readout
        self.batch, self.size = state.shape
        self.propagation = propagation(operators, readout, buckets)
        self.reading = reading(readout, owners)
        last = len(buckets.widths) - 1
        row_bytes = self.size * state.element_size()
        most_bytes = max(buckets.widths) * row_bytes
        length = last
        if sum(buckets.widths) * row_bytes > MOST_STATE_BYTES:
            length = max(isqrt(last), MOST_STATE_BYTES // most_bytes, 1)
        self.segments = _intervals(0, last, length)
        self.chunk_length = min(max(CHUNK_BYTES // most_bytes, 1), MOST_CHUNK_LENGTH)
        self.read: tuple[Interval, Tensor, Tensor] | None = None
        if buckets.start is not None:
            state = state.index_select(0, buckets.start)
        self.segment_states = [state]
        self.scales: dict[int, Tensor] = {}

    def forward(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Fills :class:`Readings`."""
        weights, least, count = [], [], 0
        for segment, (first, last) in enumerate(self.segments):
            self._fill(segment)
            for chunk in _intervals(first, last, self.chunk_length):
                states, scale = self._read(chunk)
                if len(states):
                    weights.append(self.reading.weights(states, count))
                    least.append(scale.min())
                    count += len(states)
            if segment + 1 < len(self.segments):
                self.segment_states.append(self._states(last).clone())
        scales = torch.stack(
            [
                self.scales[time] if rows is None else self.scales[time].index_select(0, rows)
                for time, rows in self.buckets.scaled.items()
            ]
        )
        # A view would hold on to the whole segment.
        final = self._states(last)[: self.batch].clone()
        if len(self.segments) > 1:
            # The backward pass computes it again.
            self.read = None
            self.propagation.leave()
        return (
            weights[0] if len(weights) == 1 else torch.cat(weights),
            final,
            scales.squeeze(2),
            torch.stack([scales.min(), *least]).min(),
        )

    def backward(
        self, weights: Tensor | None, final: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the operators, the readout and the state of time index 0."""
        self.propagation.start_backward()
        self.reading.start_backward()
        gradient = self.readout.new_zeros(self.buckets.widths[-1], self.size)
        if final is not None:
            gradient[: self.batch] = final
        end = sum(self.buckets.read_counts)
        for segment in reversed(range(len(self.segments))):
            if len(self.segments) > 1:
                self._fill(segment)
            for first, last in reversed(_intervals(*self.segments[segment], self.chunk_length)):
                states, scale = self._read((first, last))
                if weights is None or not len(states):
                    reads = torch.zeros_like(states)
                else:
                    begin = end - len(states)
                    reads = self.reading.backward(weights[begin:end], states, begin)
                    reads.mul_(states).mul_(2 / scale)
                end -= len(states)
                gradient = self.propagation.enter_chunk(first, last, gradient, reads)
                for earlier, later in reversed(self._stretches(first, last)):
                    if later in self.scales:
                        gradient /= self.scales[later]
                    gradient = self.propagation.retreat(later, earlier)
                self.propagation.collect(first, last)
        if self.buckets.start is not None:
            gradient = torch.empty_like(gradient).index_copy_(0, self.buckets.start, gradient)
        operators_gradient, more = self.propagation.gradients()
        readout_gradient = self.reading.readout_gradient
        if more is not None:
            readout_gradient += more
        return operators_gradient, readout_gradient, gradient

    def _stretches(self, first: int, last: int) -> list[Interval]:
        """Neighbouring intervals, each of which ends where states are scaled, or with the last."""
        scaled = [time for time in self.buckets.scaled if first < time < last]
        return list(pairwise([first, *scaled, last]))

    def _states(self, time: int) -> Tensor:
        return self.propagation.by_time[time - self.propagation.first].view(-1, self.size)

    def _fill(self, segment: int) -> None:
        first, last = self.segments[segment]
        self.read = None
        self.propagation.enter(self.segment_states[segment], first, last)
        for begin, end in self._stretches(first, last):
            self.propagation.advance(begin, end)
            if end in self.buckets.scaled:
                states = self._states(end)
                self.scales[end] = _largest(states)
                states.div_(self.scales[end])

    def _read(self, chunk: Interval) -> tuple[Tensor, Tensor]:
        """The states that are read in a chunk, scaled, and what they were divided by."""
        # The forward pass ends where the backward pass begins.
        if self.read is None or self.read[0] != chunk:
            states = self._read_states(*chunk)
            scale = _largest(states)
            self.read = chunk, states / scale, scale
        _, states, scale = self.read
        return states, scale

    def _read_states(self, first: int, last: int) -> Tensor:
        if all(rows is None for rows in self.buckets.reads[first + 1 : last + 1]):
            return self.propagation.neighbours(first + 1, last)
        parts = [self._states(first)[:0]]
        for time in range(first + 1, last + 1):
            if self.buckets.read_counts[time]:
                rows = self.buckets.reads[time]
                states = self._states(time)
                parts.append(states if rows is None else states.index_select(0, rows))
        return torch.cat(parts)


def _intervals(first: int, last: int, length: int) -> list[Interval]:
    """Neighbouring intervals of some length, the last of which may be shorter."""
    return [(begin, min(begin + length, last)) for begin in range(first, last, length)]


def _largest(states: Tensor) -> Tensor:
    """The largest amplitude of each row, or the smallest number where all are zero."""
    least = torch.finfo(states.dtype).tiny
    # Far faster than torch.linalg.vector_norm of order infinity.
    return states.abs().amax(-1, keepdim=True).clamp_(min=least)
