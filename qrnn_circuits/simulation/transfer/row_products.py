"""Products of many rows, each with the operator that it meets, from one time index to the next."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

# Numbers that are looked up for rows of a few time indices at once: one by one, a training step
# takes a tenth longer, of DNA a fifth.
MOST_LOOKED_UP = 2**20

# From so many amplitudes of all rows on, a call of `embedding_bag` takes less time than a batched
# product with copies of operators.
LEAST_SUMMED = 2**10


class RowProducts(ABC):
    """Multiplies the rows of a time index by their operators, or by these transposed.

    Attributes:
        length: Number of time indices of which something is looked up at once.
    """

    def __init__(self, pairs: Tensor, batch: int, numbers: int) -> None:
        """Chooses how many time indices are looked up at once.

        Args:
            pairs: Number of the operator of each row at each time index, shape ``(J * B,)``.
            batch: Number of rows B.
            numbers: How many numbers are looked up for each row.
        """
        self._pairs, self._batch = pairs, batch
        self.length = min(max(MOST_LOOKED_UP // (batch * numbers), 1), len(pairs) // batch)
        self._block: int | None = None

    def _along(
        self, looked_up: Sequence[Tensor], times: range, states: Sequence[Tensor]
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Goes from one time index to the next.

        Args:
            looked_up: Views of what :meth:`_enter` fills in, one for each time index.
            times: The time indices of the operators, forward or back.
            states: Those before the first operator and after each, shape ``(B, 1, 2**W)``.

        Yields:
            What was looked up for a time index, the states before, and those after.
        """
        between = pairwise(states)
        while times:
            block, at = divmod(times[0], self.length)
            if block != self._block:
                self._block = block
                rows = self.length * self._batch
                self._enter(self._pairs[block * rows : (block + 1) * rows])
            here = looked_up[at:] if times.step > 0 else looked_up[at::-1]
            for each, (before, after) in zip(here[: len(times)], between, strict=False):
                yield each, before, after
            times = times[len(here) :]

    @abstractmethod
    def _enter(self, pairs: Tensor) -> None:
        """Looks up what the rows of some time indices need.

        Args:
            pairs: Numbers of their operators, those of each time index one after another.
        """

    @abstractmethod
    def advance(self, time: int, states: Sequence[Tensor]) -> None:
        """Multiplies rows by one operator after another.

        Args:
            time: The first time index.
            states: Those of this time index, and of the next ones to be filled in, each of shape
                ``(B, 1, 2**W)``.
        """

    @abstractmethod
    def retreat(self, time: int, gradients: Sequence[Tensor]) -> None:
        """Multiplies rows by one transposed operator after another.

        Args:
            time: The last time index.
            gradients: That of its states, and those of the time indices before it, latest first, to
                which the products are added, each of shape ``(B, 1, 2**W)``.
        """


class CopiedOperators(RowProducts):
    """A batch of products, each with a copy of its operator."""

    def __init__(self, operators: Tensor, pairs: Tensor, batch: int) -> None:
        """Keeps the operators.

        Args:
            operators: Shape ``(n, 2**W, 2**W)``.
            pairs: See :class:`RowProducts`.
            batch: Number of rows B.
        """
        super().__init__(pairs, batch, operators[0].numel())
        self._every = operators
        # One after another they would lie scattered in memory, with what is kept in between.
        self._copies = operators.new_empty(self.length * batch, *operators.shape[1:])
        each = self._copies.view(self.length, batch, *operators.shape[1:])
        self._operators, self._transposed = each.unbind(0), each.mT.unbind(0)

    def _enter(self, pairs: Tensor) -> None:
        torch.index_select(self._every, 0, pairs, out=self._copies[: len(pairs)])

    def advance(self, time: int, states: Sequence[Tensor]) -> None:
        """See :class:`RowProducts`."""
        times = range(time, time + len(states) - 1)
        for operators, before, after in self._along(self._transposed, times, states):
            torch.bmm(before, operators, out=after)

    def retreat(self, time: int, gradients: Sequence[Tensor]) -> None:
        """See :class:`RowProducts`."""
        times = range(time - 1, time - len(gradients), -1)
        for operators, later, earlier in self._along(self._operators, times, gradients):
            earlier.baddbmm_(later, operators)


class SummedColumns(RowProducts):
    """Sums of an operator's columns, each times a number of the row, where the operator lies.

    Copies of operators take several times as long to write and to read as the products themselves:
    a training step of DNA took a third longer, that of 32 seeds together three times as long.
    """

    def __init__(self, operators: Tensor, pairs: Tensor, batch: int) -> None:
        """Keeps the operators.

        Args:
            operators: Shape ``(n, 2**W, 2**W)``.
            pairs: See :class:`RowProducts`.
            batch: Number of rows B.
        """
        self._size = operators.shape[1]
        super().__init__(pairs, batch, self._size)
        # Of tables with gradients, `embedding_bag` keeps what their gradients would need.
        operators = operators.detach()
        self._rows, self._columns = operators.flatten(0, 1), operators.mT.flatten(0, 1)
        self._offset = torch.arange(self._size, dtype=torch.int32, device=pairs.device)
        self._begins = self._size * torch.arange(batch + 1, dtype=torch.int32, device=pairs.device)
        self._places = self._offset.new_empty(self.length * batch, self._size)
        self._by_time = self._places.view(self.length, -1).unbind(0)

    def _enter(self, pairs: Tensor) -> None:
        torch.add(pairs.int()[:, None] * self._size, self._offset, out=self._places[: len(pairs)])

    def advance(self, time: int, states: Sequence[Tensor]) -> None:
        """See :class:`RowProducts`."""
        times = range(time, time + len(states) - 1)
        for places, before, after in self._along(self._by_time, times, states):
            after.copy_(self._sums(self._columns, places, before))

    def retreat(self, time: int, gradients: Sequence[Tensor]) -> None:
        """See :class:`RowProducts`."""
        times = range(time - 1, time - len(gradients), -1)
        for places, later, earlier in self._along(self._by_time, times, gradients):
            earlier.add_(self._sums(self._rows, places, later))

    def _sums(self, table: Tensor, places: Tensor, rows: Tensor) -> Tensor:
        return embedding_bag(
            places,
            table,
            self._begins,
            mode="sum",
            per_sample_weights=rows.view(-1),
            include_last_offset=True,
        ).view_as(rows)


def row_products(operators: Tensor, pairs: Tensor, batch: int) -> RowProducts:
    """The faster way for a number of rows.

    Args:
        operators: Shape ``(n, 2**W, 2**W)``.
        pairs: See :class:`RowProducts`.
        batch: Number of rows B.
    """
    size = operators.shape[1]
    # Columns are counted by 32 bits.
    many = batch * size >= LEAST_SUMMED and max(batch, len(operators)) * size < 2**31
    way = SummedColumns if many else CopiedOperators
    return way(operators, pairs, batch)
