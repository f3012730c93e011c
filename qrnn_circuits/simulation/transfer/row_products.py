"""Products of many rows, each with the operator that it meets, from one time index to the next."""

from abc import ABC, abstractmethod

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

    def _look_up(self, time: int) -> int:
        """Where a time index is among those that are looked up; looks up its neighbours as well."""
        block, at = divmod(time, self.length)
        if block != self._block:
            self._block = block
            rows = self.length * self._batch
            self._enter(self._pairs[block * rows : (block + 1) * rows])
        return at

    @abstractmethod
    def _enter(self, pairs: Tensor) -> None:
        """Looks up what the rows of some time indices need.

        Args:
            pairs: Numbers of their operators, those of each time index one after another.
        """

    @abstractmethod
    def advance(self, time: int, rows: Tensor, out: Tensor) -> None:
        """Multiplies operators by rows.

        Args:
            time: The time index.
            rows: Shape ``(B, 1, 2**W)``.
            out: Where the products go, of that shape.
        """

    @abstractmethod
    def retreat(self, time: int, rows: Tensor, out: Tensor) -> None:
        """Multiplies transposed operators by rows, as :meth:`advance`."""


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

    def advance(self, time: int, rows: Tensor, out: Tensor) -> None:
        """See :class:`RowProducts`."""
        torch.bmm(rows, self._transposed[self._look_up(time)], out=out)

    def retreat(self, time: int, rows: Tensor, out: Tensor) -> None:
        """See :class:`RowProducts`."""
        torch.bmm(rows, self._operators[self._look_up(time)], out=out)


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

    def _enter(self, pairs: Tensor) -> None:
        places = pairs.int()[:, None] * self._size + self._offset
        self._places = places.flatten().split(self._batch * self._size)

    def advance(self, time: int, rows: Tensor, out: Tensor) -> None:
        """See :class:`RowProducts`."""
        self._add_up(self._columns, time, rows, out)

    def retreat(self, time: int, rows: Tensor, out: Tensor) -> None:
        """See :class:`RowProducts`."""
        self._add_up(self._rows, time, rows, out)

    def _add_up(self, table: Tensor, time: int, rows: Tensor, out: Tensor) -> None:
        at = self._look_up(time)
        sums = embedding_bag(
            self._places[at],
            table,
            self._begins,
            mode="sum",
            per_sample_weights=rows.view(-1),
            include_last_offset=True,
        )
        out.copy_(sums.view_as(out))


def row_products(operators: Tensor, pairs: Tensor, batch: int) -> RowProducts:
    """The faster way for a number of rows.

    Args:
        operators: Shape ``(n, 2**W, 2**W)``.
        pairs: See :class:`RowProducts`.
        batch: Number of rows B.
    """
    many = batch * operators.shape[1] >= LEAST_SUMMED
    way = SummedColumns if many else CopiedOperators
    return way(operators, pairs, batch)
