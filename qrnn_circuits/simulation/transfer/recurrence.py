"""The recurrence of a batch under given operators, as one differentiable function.

No graph is recorded over the steps: the states are kept, or recomputed a window of places at a time
where they are many, and the backward pass goes through them in reverse. What else there is of every
state is there for one stretch of places at a time. States are scaled on the
way by factors that count as constants: nothing that is read depends on them.
"""

from math import isqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from qrnn_circuits.simulation.transfer.layouts import Layout
from qrnn_circuits.simulation.transfer.propagation import propagation

# Most bytes of a batch's states that are kept; of more, those of one window at a time are.
MOST_STATE_BYTES = 2**28
# Most bytes of states in a stretch. What is read and what gradients need is several times as much.
STRETCH_BYTES = 2**22
# Most places in a stretch. Python's garbage collector goes through all of a program's objects where
# many new ones live long.
STRETCH_PLACES = 2**9

Stretch = tuple[int, int]
"""The first and the last of neighbouring places."""


class Readings(NamedTuple):
    """What is read along the recurrence.

    Attributes:
        weights: For each state that is read and each outcome, its probability up to a factor common
            to all outcomes, shape ``(R, 2**I)``.
        final: States of the last place, scaled to a largest amplitude of 1.
        log_scales: Natural log of the factor that each of them lacks, float64, where all
            sequences are of equal length.
        least: The smallest largest amplitude that any state had when it was scaled, shape ``()``.
    """

    weights: Tensor
    final: Tensor
    log_scales: Tensor
    least: Tensor


def recur(
    operators: Tensor, readout: Tensor, state: Tensor, layout: Layout, *, parts: int = 1
) -> Readings:
    """Takes a batch through its operators and reads states on the way.

    Args:
        operators: As the layout takes them: :mod:`~qrnn_circuits.simulation.transfer.propagation`.
        readout: Amplitudes of the output stage, shape ``(2**I, 2**W)``.
        state: States of place 0 in the order of the batch, shape ``(B, 2**W)``.
        layout: The arrangement of the sequences.
        parts: Number of parts of a batch, this one among them, that keep their states until the
            backward pass.
    """
    return Readings(
        *_Recurrence.apply(  # type: ignore[no-untyped-call]
            operators, readout, state, layout, parts
        )
    )


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        operators: Tensor,
        readout: Tensor,
        state: Tensor,
        layout: Layout,
        parts: int,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        run = _Run(operators, readout, state, layout, parts)
        ctx.save_for_backward(operators, readout, state)
        ctx.run = run
        outputs = run.forward()
        ctx.mark_non_differentiable(*outputs[2:])
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401
        weights: Tensor | None,
        final: Tensor | None,
        *_: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        return *ctx.run.backward(weights, final), None, None


class _Run:
    """A pass there and back.

    A window or a stretch begins with the place that the one before ends with.
    """

    def __init__(
        self, operators: Tensor, readout: Tensor, state: Tensor, layout: Layout, parts: int
    ) -> None:
        self.layout = layout
        self.readout = readout
        self.batch, self.size = state.shape
        self.propagation = propagation(operators, readout, layout)
        places = len(layout.widths) - 1
        bytes_a_row = self.size * state.element_size()
        bytes_a_place = max(layout.widths) * bytes_a_row
        length, most = places, MOST_STATE_BYTES // parts
        if sum(layout.widths) * bytes_a_row > most:
            length = max(isqrt(places), most // bytes_a_place, 1)
        self.windows = _stretches(0, places, length)
        self.length = min(max(STRETCH_BYTES // bytes_a_place, 1), STRETCH_PLACES)
        self.read: tuple[Stretch, Tensor, Tensor] | None = None
        if layout.start is not None:
            if len(layout.start) > self.batch:
                state = torch.cat((state, state.new_zeros(1, self.size)))
            state = state.index_select(0, layout.start)
        self.window_states = [state]
        self.scales: dict[int, Tensor] = {}

    def forward(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Fills :class:`Readings`."""
        squares_of_readout = (self.readout * self.readout).T
        weights, least = [], []
        for window, (first, last) in enumerate(self.windows):
            self._fill(window)
            for stretch in _stretches(first, last, self.length):
                states, scale = self._read(stretch)
                if len(states):
                    weights.append((states * states) @ squares_of_readout)
                    least.append(scale.min())
            if window + 1 < len(self.windows):
                self.window_states.append(self._states(last).clone())
        scales = torch.stack(
            [
                self.scales[place] if rows is None else self.scales[place].index_select(0, rows)
                for place, rows in self.layout.scaled.items()
            ]
        )
        # A view would hold on to the whole window.
        final = self._states(last)[: self.batch].clone()
        if len(self.windows) > 1:
            # The backward pass computes it again.
            self.read = None
            self.propagation.leave()
        return (
            weights[0] if len(weights) == 1 else torch.cat(weights),
            final,
            scales.squeeze(2).double().log().sum(0),
            torch.stack([scales.min(), *least]).min(),
        )

    def backward(
        self, weights: Tensor | None, final: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the operators, the read-out and the state of place 0."""
        self.propagation.start_backward()
        squares_of_readout = self.readout * self.readout
        readout_gradient = torch.zeros_like(self.readout)
        gradient = self.readout.new_zeros(self.layout.widths[-1], self.size)
        if final is not None:
            gradient[: self.batch] = final
        end = sum(self.layout.read_counts)
        for window in reversed(range(len(self.windows))):
            if len(self.windows) > 1:
                self._fill(window)
            for first, last in reversed(_stretches(*self.windows[window], self.length)):
                counts = self.layout.read_counts[first + 1 : last + 1]
                states, scale = self._read((first, last))
                if weights is None:
                    states, counts = states[:0], [0] * len(counts)
                elif len(states):
                    part = weights[end - len(states) : end]
                    readout_gradient += 2 * self.readout * (part.T @ (states * states))
                    states = (part @ squares_of_readout).mul_(states).mul_(2 / scale)
                end -= len(states)
                places = range(first + 1, last + 1)
                reads = zip(places, counts, states.split(counts), strict=True)
                for place, count, read in reversed(list(reads)):
                    gradient = self._retreat(place, gradient, read if count else None)
                self.propagation.collect(first, last)
        if self.layout.start is not None:
            everyone = gradient.new_zeros(self.batch + 1, self.size)
            gradient = everyone.index_add_(0, self.layout.start, gradient)[: self.batch]
        operators_gradient, more = self.propagation.gradients()
        if more is not None:
            readout_gradient += more
        return operators_gradient, readout_gradient, gradient

    def _retreat(self, place: int, gradient: Tensor, read: Tensor | None) -> Tensor:
        """Takes a gradient from a place to the one before, with that of what is read there."""
        if read is not None:
            rows = self.layout.reads[place]
            if rows is None:
                gradient += read
            else:
                gradient.index_add_(0, rows, read)
        if place in self.scales:
            gradient /= self.scales[place]
        return self.propagation.retreat(place - 1, gradient)

    def _states(self, place: int) -> Tensor:
        return self.propagation.places[place - self.propagation.first].view(-1, self.size)

    def _fill(self, window: int) -> None:
        first, last = self.windows[window]
        self.read = None
        self.propagation.enter(self.window_states[window], first, last)
        for place in range(first, last):
            self.propagation.advance(place)
            if place + 1 in self.layout.scaled:
                states = self._states(place + 1)
                self.scales[place + 1] = _largest(states)
                states.div_(self.scales[place + 1])

    def _read(self, stretch: Stretch) -> tuple[Tensor, Tensor]:
        """The states that are read in a stretch, scaled, and what they were divided by."""
        # The forward pass ends where the backward pass begins.
        if self.read is None or self.read[0] != stretch:
            self.read = stretch, *_scaled(self._read_states(*stretch))
        _, states, scale = self.read
        return states, scale

    def _read_states(self, first: int, last: int) -> Tensor:
        if all(rows is None for rows in self.layout.reads[first + 1 : last + 1]):
            return self.propagation.stretch(first + 1, last)
        parts = [self._states(first)[:0]]
        for place in range(first + 1, last + 1):
            if self.layout.read_counts[place]:
                rows = self.layout.reads[place]
                states = self._states(place)
                parts.append(states if rows is None else states.index_select(0, rows))
        return torch.cat(parts)


def _stretches(first: int, last: int, length: int) -> list[Stretch]:
    """Neighbouring stretches of at most some number of steps from place to place."""
    return [(begin, min(begin + length, last)) for begin in range(first, last, length)]


def _largest(states: Tensor) -> Tensor:
    """The largest amplitude of each row, or the smallest number where all are zero."""
    least = torch.finfo(states.dtype).tiny
    # Far faster than torch.linalg.vector_norm of order infinity.
    return states.abs().amax(-1, keepdim=True).clamp_(min=least)


def _scaled(states: Tensor) -> tuple[Tensor, Tensor]:
    """States with a largest amplitude of 1, and what they were divided by."""
    largest = _largest(states)
    return states / largest, largest
