"""What the readout makes of states: the weights of all outcomes, and gradients of these.

The rows of a batch may belong to several cells, each with a readout of its own. The states of each
cell are then gathered, so that they are read in one product for each cell, all of equal size.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qrnn_circuits.simulation.transfer.products import Integers


@dataclass(frozen=True)
class Owners:
    """Which cell each state that is read belongs to.

    Attributes:
        cells: Number E of cells.
        numbers: The number of the cell of each state, in the order of reading, shape ``(R,)``.
    """

    cells: int
    numbers: Integers


class Reading(ABC):
    """Reads states, some at a time.

    Attributes:
        readout_gradient: What all calls of :meth:`backward` so far contribute.
    """

    readout_gradient: Tensor

    def __init__(self, readout: Tensor) -> None:
        self._readout = readout
        self._squares = readout * readout

    def start_backward(self) -> None:
        """Sets the gradient of the readout to zero."""
        self.readout_gradient = torch.zeros_like(self._readout)

    @abstractmethod
    def weights(self, states: Tensor, begin: int) -> Tensor:
        """The weight of each outcome.

        Args:
            states: Shape ``(n, 2**W)``.
            begin: Number of states that are read before these.

        Returns:
            Shape ``(n, 2**I)``.
        """

    @abstractmethod
    def backward(self, gradient: Tensor, states: Tensor, begin: int) -> Tensor:
        """Half the gradient of the states over the states, from that of the weights.

        Args:
            gradient: Shape ``(n, 2**I)``.
            states: Those that were read.
            begin: Number of states that are read before these.
        """


class SharedReading(Reading):
    """One readout for all states."""

    def weights(self, states: Tensor, begin: int) -> Tensor:
        """See :class:`Reading`."""
        return (states * states) @ self._squares.T

    def backward(self, gradient: Tensor, states: Tensor, begin: int) -> Tensor:
        """See :class:`Reading`."""
        self.readout_gradient += 2 * self._readout * (gradient.T @ (states * states))
        return gradient @ self._squares


class OwnReading(Reading):
    """A readout for each cell."""

    def __init__(self, readout: Tensor, owners: Owners) -> None:
        """Keeps the readouts.

        Args:
            readout: Those of all cells one after another, shape ``(E * 2**I, 2**W)``; what follows
                them is of no cell.
            owners: The cells of the states.
        """
        super().__init__(readout)
        self._owners = owners
        self._outcomes = len(readout) // owners.cells
        self._length = owners.cells * self._outcomes
        self._by_cell = self._squares[: self._length].view(owners.cells, self._outcomes, -1)
        self._orders: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def weights(self, states: Tensor, begin: int) -> Tensor:
        """See :class:`Reading`."""
        order, places = self._order(begin, len(states))
        squares = self._gathered(states * states, order)
        products = torch.bmm(squares, self._by_cell.mT)
        return products.flatten(0, 1).index_select(0, places)

    def backward(self, gradient: Tensor, states: Tensor, begin: int) -> Tensor:
        """See :class:`Reading`."""
        order, places = self._order(begin, len(states))
        gathered = self._gathered(gradient, order)
        to_squares = torch.bmm(gathered.mT, self._gathered(states * states, order))
        own = self._readout[: self._length]
        self.readout_gradient[: self._length] += 2 * own * to_squares.flatten(0, 1)
        back = torch.bmm(gathered, self._by_cell)
        return back.flatten(0, 1).index_select(0, places)

    def _gathered(self, rows: Tensor, order: Tensor) -> Tensor:
        """The rows of each cell, filled up with zeros, shape ``(E, most, n)``."""
        rows = torch.cat((rows, rows.new_zeros(1, rows.shape[1])))
        return rows.index_select(0, order).view(self._owners.cells, -1, rows.shape[1])

    def _order(self, begin: int, count: int) -> tuple[Tensor, Tensor]:
        """Which row each gathered one is, and where each row has been gathered."""
        if (begin, count) not in self._orders:
            numbers = self._owners.numbers[begin : begin + count]
            sizes = np.bincount(numbers, minlength=self._owners.cells)
            sorted_rows = numbers.argsort(kind="stable")
            taken = np.arange(sizes.max()) < sizes[:, None]
            order = np.full(taken.shape, count)
            order[taken] = sorted_rows
            places = np.empty(count, dtype=np.int64)
            places[sorted_rows] = np.flatnonzero(taken)
            device = self._readout.device
            tables = tuple(torch.from_numpy(table).to(device) for table in (order.ravel(), places))
            self._orders[begin, count] = tables[0], tables[1]
        return self._orders[begin, count]


def reading(readout: Tensor, owners: Owners | None) -> Reading:
    """The reading of states of one cell, or of those of several."""
    return SharedReading(readout) if owners is None else OwnReading(readout, owners)
