"""Time indices forward and back: the matrix products of a batch in either kind of buckets."""

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
    def advance(self, first: int, last: int) -> None:
        """Fills in the states of the time indices after one, up to another."""

    @abstractmethod
    def start_backward(self) -> None:
        """Sets the gradients of the operators to zero."""

    @abstractmethod
    def enter_chunk(self, first: int, last: int, gradient: Tensor, reads: Tensor) -> Tensor:
        """Starts the backward pass through a chunk, from its last time index to its first.

        Args:
            first: Its first time index.
            last: Its last time index.
            gradient: What the time indices after it contribute to the gradient of the states of
                the last one.
            reads: Gradients of the states that are read at the time indices after the first, one
                after another, shape ``(rows, 2**W)``.

        Returns:
            The gradient of the states of the last time index, for changes in place.
        """

    @abstractmethod
    def retreat(self, last: int, first: int) -> Tensor:
        """Takes the gradient of the states of a time index back to an earlier one.

        What the operators between the two contribute to their gradient counts after
        :meth:`collect`.

        Args:
            last: The time index that was come to before.
            first: The time index to go to.

        Returns:
            The gradient of the states of the first, with that of what is read there unless the
            chunk begins with it, for changes in place.
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

    def advance(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        states = self.by_time[first - self.first : last + 1 - self.first]
        self._products.advance(first, states)

    def start_backward(self) -> None:
        """See :class:`Propagation`."""
        self._gradient = torch.zeros_like(self._every)

    def enter_chunk(self, first: int, last: int, gradient: Tensor, reads: Tensor) -> Tensor:
        """See :class:`Propagation`."""
        rows, size = (last - first + 1) * self._batch, gradient.shape[1]
        # The row after the last one is zero: buckets are filled up with it.
        self._to_states = gradient.new_zeros(rows + 1, size)
        each = self._to_states[:rows].view(-1, self._batch, 1, size).unbind(0)
        self._chunk_last, self._latest_first = last, each[::-1]
        if len(reads) == rows - self._batch:
            self._to_states[self._batch : rows] = reads
        else:
            counts = self._buckets.read_counts
            times = [time for time in range(first + 1, last + 1) if counts[time]]
            parts = reads.split([counts[time] for time in times])
            for time, part in zip(times, parts, strict=True):
                _add_rows(each[time - first].squeeze(1), part, self._buckets.reads[time])
        return each[-1].squeeze(1).add_(gradient)

    def retreat(self, last: int, first: int) -> Tensor:
        """See :class:`Propagation`."""
        begin, end = self._chunk_last - last, self._chunk_last - first
        gradients = self._latest_first[begin : end + 1]
        self._products.retreat(last, gradients)
        return gradients[-1].squeeze(1)

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

    def advance(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        for time in range(first, last):
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

    def enter_chunk(self, first: int, last: int, gradient: Tensor, reads: Tensor) -> Tensor:
        """See :class:`Propagation`."""
        self._products: defaultdict[int, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        self._chunk_first = first
        self._reads = reads.split(self._buckets.read_counts[first + 1 : last + 1])
        self._to_states = gradient
        self._add_reads(last)
        return gradient

    def _add_reads(self, time: int) -> None:
        """Adds the gradient of what is read at a time index of the chunk after its first."""
        at = time - self._chunk_first - 1
        if at >= 0:
            _add_rows(self._to_states, self._reads[at], self._buckets.reads[time])

    def retreat(self, last: int, first: int) -> Tensor:
        """See :class:`Propagation`."""
        for time in reversed(range(first, last)):
            states, readout = self._read_out(time)
            products = self._to_states.index_select(0, self._buckets.targets[time])
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
            self._to_states = back.new_zeros(self._buckets.widths[time], back.shape[1])
            torch.mul(back, readout, out=self._to_states[: len(back)])
            self._add_reads(time)
        return self._to_states

    def collect(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        for operator, parts in self._products.items():
            products, states = (torch.cat(part) for part in zip(*parts, strict=True))
            self._gradients[operator].addmm_(products.T, states)

    def gradients(self) -> tuple[Tensor, Tensor]:
        """See :class:`Propagation`."""
        return self._gradient, self._readout_gradient[:-1]


def _add_rows(total: Tensor, rows: Tensor, places: Tensor | None) -> None:
    """Adds rows in their places; in order where there are none."""
    if places is None:
        total += rows
    elif len(rows):
        total.index_add_(0, places, rows)


def propagation(operators: Tensor, readout: Tensor, buckets: Buckets) -> Propagation:
    """The propagation of some kind of buckets."""
    match buckets:
        case RowBuckets():
            return RowPropagation(operators, buckets)
        case OperatorBuckets():
            return OperatorPropagation(operators, readout, buckets)
    raise TypeError(f"buckets must be RowBuckets or OperatorBuckets, got {buckets!r}")
