"""One time index forward and back: the matrix products of a batch in either kind of buckets."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from qrnn_circuits.simulation.transfer.buckets import Buckets, OperatorBuckets, RowBuckets
from qrnn_circuits.simulation.transfer.row_products import row_products


class Propagation(ABC):
    """Takes states from one time index to the next, and gradients back.

    Attributes:
        states: Those of all time indices of the segment, one after another, ``(rows, 2**W)``.
        by_time: The states of each of them: views of these.
        first: The segment's first time index.
    """

    states: Tensor
    by_time: Sequence[Tensor]
    first: int

    def __init__(self, widths: list[int]) -> None:
        """Remembers where the rows of each time index begin.

        Args:
            widths: Number of rows of each time index.
        """
        self._widths = widths
        self._begins = [0, *accumulate(widths)]

    def enter(self, states: Tensor, first: int, last: int) -> None:
        """Starts a segment.

        Args:
            states: Of its first time index, shape ``(rows, 2**W)``.
            first: Its first time index.
            last: Its last time index.
        """
        self.first = first
        widths = self._widths[first : last + 1]
        # Two segments at a time would take twice the memory.
        self.leave()
        self.states = states.new_empty(sum(widths), states.shape[1])
        self.by_time = self._split(widths)
        self.by_time[0].copy_(states.view_as(self.by_time[0]))

    def leave(self) -> None:
        """Gives the memory of the segment back."""
        self.by_time = ()
        self.states = torch.empty(0)

    def _split(self, widths: list[int]) -> Sequence[Tensor]:
        """The states of each time index of a segment."""
        by_time: Sequence[Tensor] = self.states.split(widths)
        return by_time

    def neighbours(self, first: int, last: int) -> Tensor:
        """The states of neighbouring time indices of the segment, one after another.

        Args:
            first: The first time index.
            last: The last time index.
        """
        begin = self._begins[self.first]
        return self.states[self._begins[first] - begin : self._begins[last + 1] - begin]

    @abstractmethod
    def advance(self, time: int) -> None:
        """Fills in the states of the time index after this one."""

    @abstractmethod
    def start_backward(self) -> None:
        """Sets the gradients of the operators to zero."""

    @abstractmethod
    def enter_chunk(self, first: int, last: int) -> None:
        """Starts the backward pass through a chunk, from its last time index to its first."""

    @abstractmethod
    def retreat(self, time: int, gradient: Tensor) -> Tensor:
        """Takes the gradient of the next time index's states to that of this one's.

        What the operators between the two contribute to their gradient counts after
        :meth:`collect`.
        """

    @abstractmethod
    def collect(self, first: int, last: int) -> None:
        """Adds up the gradients of operators after the backward pass through a chunk.

        Args:
            first: Its first time index.
            last: Its last time index, from which the gradient was taken back.
        """

    @abstractmethod
    def gradients(self) -> tuple[Tensor, Tensor | None]:
        """The gradients of the operators, and of the readout if it is applied here."""


class RowPropagation(Propagation):
    """Products of one row and its own operator, see :class:`RowBuckets`."""

    def __init__(self, operators: Tensor, buckets: RowBuckets) -> None:
        """Keeps the operators.

        Args:
            operators: With the readout of the outcome before them, shape ``(n, 2**W, 2**W)``.
            buckets: The rows of each operator.
        """
        super().__init__(buckets.widths)
        self._every, self._buckets = operators, buckets
        self._batch = buckets.widths[0]
        self._products = row_products(operators, buckets.pairs, self._batch)

    def _split(self, widths: list[int]) -> Sequence[Tensor]:
        return self.states.view(len(widths), self._batch, 1, -1).unbind(0)

    def advance(self, time: int) -> None:
        """See :class:`Propagation`."""
        at = time - self.first
        self._products.advance(time, self.by_time[at], self.by_time[at + 1])

    def start_backward(self) -> None:
        """See :class:`Propagation`."""
        self._gradient = torch.zeros_like(self._every)

    def enter_chunk(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        self._chunk_first, size = first, self.states.shape[1]
        rows = (last - first + 1) * self._batch
        # The row after the last one is zero: buckets are filled up with it.
        self._to_states = self.states.new_empty(rows + 1, size)
        self._to_states[rows] = 0
        each = self._to_states[:rows].view(-1, self._batch, 1, size)
        self._to_rows, self._to_time = each.unbind(0), each.squeeze(2).unbind(0)

    def retreat(self, time: int, gradient: Tensor) -> Tensor:
        """See :class:`Propagation`."""
        at = time - self._chunk_first
        if gradient is not self._to_time[at + 1]:
            self._to_time[at + 1].copy_(gradient)
        self._products.retreat(time, self._to_rows[at + 1], self._to_rows[at])
        return self._to_time[at]

    def collect(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        states, members = self.neighbours(first, last), self._buckets.members
        whole = (last - first) * self._batch == len(self._buckets.pairs)
        products = self._to_states[self._batch :]
        if members is None or not whole:
            self._add_outer_products(first, last, states, products)
            return
        after, before = (
            table.index_select(0, members.flatten()).view(*members.shape, -1)
            for table in (products, states)
        )
        self._gradient.baddbmm_(after.mT, before)

    def _add_outer_products(self, first: int, last: int, states: Tensor, products: Tensor) -> None:
        """Adds what each operator gets from its rows in a chunk.

        Args:
            first: The first time index of the chunk.
            last: Its last time index.
            states: Of its time indices, those of the last one at the end.
            products: Gradients of the products of the rows and their operators, as the states.
        """
        order, counts = self._buckets.order, self._buckets.counts
        here = counts[first:last].sum(0)
        if last - first < len(counts):
            # Those of one operator are sorted by their time indices.
            ends = counts.sum(0).cumsum() - counts[last:].sum(0)
            parts = zip((ends - here).tolist(), ends.tolist(), strict=True)
            order = torch.cat([order[begin:end] for begin, end in parts]) - first * self._batch
        sizes = here.tolist()
        for total, after, before in zip(
            self._gradient.unbind(0),
            products.index_select(0, order).split(sizes),
            states.index_select(0, order).split(sizes),
            strict=True,
        ):
            total.addmm_(after.T, before)

    def gradients(self) -> tuple[Tensor, None]:
        """See :class:`Propagation`."""
        return self._gradient, None


class OperatorPropagation(Propagation):
    """One product for each operator that is met at a time index, see :class:`OperatorBuckets`."""

    def __init__(self, operators: Tensor, readout: Tensor, buckets: OperatorBuckets) -> None:
        """Keeps the operators.

        Args:
            operators: Of symbols and of products, shape ``(n, 2**W, 2**W)``.
            readout: Amplitudes of the output stage, shape ``(2**I, 2**W)``.
            buckets: The rows of each operator.
        """
        super().__init__(buckets.widths)
        self._operators, self._transposed = operators.unbind(0), operators.mT.unbind(0)
        self._shape = operators.shape
        # After the last symbol: no outcome, which leaves the state as it is.
        self._readout = torch.cat((readout, readout.new_ones(1, readout.shape[1])))
        self._buckets = buckets

    def _read_out(self, time: int) -> tuple[Tensor, Tensor]:
        """The states that meet an operator, and the readout that they are multiplied by."""
        states = self.by_time[time - self.first][: self._buckets.active[time]]
        return states, self._readout.index_select(0, self._buckets.outcomes[time])

    def advance(self, time: int) -> None:
        """See :class:`Propagation`."""
        states, readout = self._read_out(time)
        products = torch.empty_like(states)
        sizes = self._buckets.sizes[time]
        for operator, rows, out in zip(
            self._buckets.operators[time],
            (states * readout).split(sizes),
            products.split(sizes),
            strict=True,
        ):
            torch.mm(rows, self._transposed[operator], out=out)
        torch.index_select(
            products, 0, self._buckets.sources[time], out=self.by_time[time + 1 - self.first]
        )

    def start_backward(self) -> None:
        """See :class:`Propagation`."""
        self._gradient = self._readout.new_zeros(self._shape)
        self._gradients = self._gradient.unbind(0)
        self._readout_gradient = torch.zeros_like(self._readout)

    def enter_chunk(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        self._products: defaultdict[int, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def retreat(self, time: int, gradient: Tensor) -> Tensor:
        """See :class:`Propagation`."""
        states, readout = self._read_out(time)
        products = gradient.index_select(0, self._buckets.targets[time])
        sizes = self._buckets.sizes[time]
        back = torch.empty_like(states)
        for operator, rows, from_above, out in zip(
            self._buckets.operators[time],
            (states * readout).split(sizes),
            products.split(sizes),
            back.split(sizes),
            strict=True,
        ):
            torch.mm(from_above, self._operators[operator], out=out)
            self._products[operator].append((from_above, rows))
        self._readout_gradient.index_add_(0, self._buckets.outcomes[time], back * states)
        whole = back.new_zeros(self._buckets.widths[time], back.shape[1])
        torch.mul(back, readout, out=whole[: len(back)])
        return whole

    def collect(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        for operator, parts in self._products.items():
            products, states = (torch.cat(part) for part in zip(*parts, strict=True))
            self._gradients[operator].addmm_(products.T, states)

    def gradients(self) -> tuple[Tensor, Tensor]:
        """See :class:`Propagation`."""
        return self._gradient, self._readout_gradient[:-1]


def propagation(operators: Tensor, readout: Tensor, buckets: Buckets) -> Propagation:
    """The propagation of some kind of buckets."""
    match buckets:
        case RowBuckets():
            return RowPropagation(operators, buckets)
        case OperatorBuckets():
            return OperatorPropagation(operators, readout, buckets)
    raise TypeError(f"buckets must be RowBuckets or OperatorBuckets, got {buckets!r}")
