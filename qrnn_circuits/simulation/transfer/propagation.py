"""One place forward and back: the matrix products of a batch in each layout."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from qrnn_circuits.simulation.transfer.layouts import (
    ChunkedLayout,
    GroupedLayout,
    Layout,
    RowLayout,
)

# Entries of operators that are looked up for rows of a few places at once.
MOST_LOOKED_UP = 2**20


class Propagation(ABC):
    """Takes states from place to place, and gradients back.

    Attributes:
        states: Those of all places of the window, one after another, shape ``(rows, 2**W)``.
        places: The states of each place: views of these.
        first: The window's first place.
    """

    states: Tensor
    places: Sequence[Tensor]
    first: int

    def __init__(self, widths: list[int]) -> None:
        """Remembers where places begin.

        Args:
            widths: Number of rows of each place.
        """
        self._widths = widths
        self._begins = [0, *accumulate(widths)]

    def enter(self, states: Tensor, first: int, last: int) -> None:
        """Starts a window.

        Args:
            states: Of its first place, shape ``(rows, 2**W)``.
            first: Its first place.
            last: Its last place.
        """
        self.first = first
        widths = self._widths[first : last + 1]
        # Two windows at a time would take twice the memory.
        self.leave()
        self.states = states.new_empty(sum(widths), states.shape[1])
        self.places = self._split(widths)
        self.places[0].copy_(states.view_as(self.places[0]))

    def leave(self) -> None:
        """Gives the memory of the window back."""
        self.places = ()
        self.states = torch.empty(0)

    def _split(self, widths: list[int]) -> Sequence[Tensor]:
        """The places of a window."""
        places: Sequence[Tensor] = self.states.split(widths)
        return places

    def stretch(self, first: int, last: int) -> Tensor:
        """The states of neighbouring places of the window, one after another.

        Args:
            first: The first place.
            last: The last place.
        """
        begin = self._begins[self.first]
        return self.states[self._begins[first] - begin : self._begins[last + 1] - begin]

    def _add_outer_products(
        self,
        gradient: Tensor,
        layout: "RowLayout | ChunkedLayout",
        first: int,
        last: int,
        products: Tensor,
    ) -> None:
        """Adds what each operator gets from its rows in a stretch.

        Args:
            gradient: Of the operators, shape ``(n, 2**W, 2**W)``.
            layout: The arrangement.
            first: The first place of the stretch.
            last: Its last place.
            products: Gradients of the products of these rows and their operators, as the states.
        """
        order, counts = layout.order, layout.counts
        here = counts[first:last].sum(0)
        if last - first < len(counts):
            # Those of one operator are sorted by their places.
            ends = counts.sum(0).cumsum() - counts[last:].sum(0)
            parts = zip((ends - here).tolist(), ends.tolist(), strict=True)
            order = torch.cat([order[begin:end] for begin, end in parts]) - self._begins[first]
        sizes = here.tolist()
        for total, after, before in zip(
            gradient.unbind(0),
            products.index_select(0, order).split(sizes),
            self.stretch(first, last).index_select(0, order).split(sizes),
            strict=True,
        ):
            total.addmm_(after.T, before)

    @abstractmethod
    def advance(self, place: int) -> None:
        """Fills the place after this one."""

    @abstractmethod
    def start_backward(self) -> None:
        """Sets the gradients of the operators to zero."""

    @abstractmethod
    def retreat(self, place: int, gradient: Tensor) -> Tensor:
        """Takes the gradient of the next place's states to that of this one's.

        What the operators of this place contribute to their gradient counts after :meth:`collect`.
        """

    @abstractmethod
    def collect(self, first: int, last: int) -> None:
        """Adds up the gradients of operators after the backward pass through a stretch.

        Args:
            first: Its first place.
            last: Its last place, from which the gradient was taken back.
        """

    @abstractmethod
    def gradients(self) -> tuple[Tensor, Tensor | None]:
        """The gradients of the operators, and of the read-out if it is applied here."""


class RowPropagation(Propagation):
    """A batch of products of one row and its own operator, see :class:`RowLayout`."""

    def __init__(self, operators: Tensor, layout: RowLayout) -> None:
        """Keeps the operators.

        Args:
            operators: With the read-out of the outcome before them, shape ``(n, 2**W, 2**W)``.
            layout: The arrangement.
        """
        super().__init__(layout.widths)
        self._every, self._layout = operators, layout
        self._batch = layout.widths[0]
        entries = self._batch * operators[0].numel()
        self._length = min(max(MOST_LOOKED_UP // entries, 1), len(layout.widths) - 1)
        self._block: int | None = None
        # One after another they would lie scattered in memory, with what is kept in between.
        self._looked_up = operators.new_empty(self._length * self._batch, *operators.shape[1:])
        each = self._looked_up.view(self._length, self._batch, *operators.shape[1:])
        self._operators, self._transposed = each.unbind(0), each.mT.unbind(0)

    def _split(self, widths: list[int]) -> Sequence[Tensor]:
        return self.states.view(len(widths), self._batch, 1, -1).unbind(0)

    def advance(self, place: int) -> None:
        """See :class:`Propagation`."""
        at = place - self.first
        operators = self._transposed[self._look_up(place)]
        torch.bmm(self.places[at], operators, out=self.places[at + 1])

    def _look_up(self, place: int) -> int:
        """Where the operators of a place are; looks up those of its neighbours as well."""
        block, at = divmod(place, self._length)
        if block != self._block:
            self._block = block
            rows = self._length * self._batch
            tokens = self._layout.tokens[block * rows : (block + 1) * rows]
            torch.index_select(self._every, 0, tokens, out=self._looked_up[: len(tokens)])
        return at

    def start_backward(self) -> None:
        """See :class:`Propagation`."""
        self._gradient = torch.zeros_like(self._every)
        self._product_gradients: list[Tensor] = []

    def retreat(self, place: int, gradient: Tensor) -> Tensor:
        """See :class:`Propagation`."""
        self._product_gradients.append(gradient)
        return torch.bmm(gradient.unsqueeze(1), self._operators[self._look_up(place)]).squeeze(1)

    def collect(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        states, members = self.stretch(first, last), self._layout.members
        if members is None or (last - first) * self._batch < len(self._layout.tokens):
            products = torch.cat(self._product_gradients[::-1])
            self._product_gradients.clear()
            self._add_outer_products(self._gradient, self._layout, first, last, products)
            return
        size = states.shape[1]
        # The row after the last one is zero: groups are filled up with it.
        self._product_gradients.insert(0, states.new_zeros(1, size))
        products = torch.cat(self._product_gradients[::-1])
        self._product_gradients.clear()
        after, before = (
            table.index_select(0, members.flatten()).view(*members.shape, size)
            for table in (products, states)
        )
        self._gradient.baddbmm_(after.mT, before)

    def gradients(self) -> tuple[Tensor, None]:
        """See :class:`Propagation`."""
        return self._gradient, None


class ChunkedPropagation(Propagation):
    """A batch of products of chunks of rows and their operators, see :class:`ChunkedLayout`."""

    def __init__(self, operators: Tensor, layout: ChunkedLayout) -> None:
        """Keeps the operators.

        Args:
            operators: With the read-out of the outcome before them, shape ``(n, 2**W, 2**W)``.
            layout: The arrangement.
        """
        super().__init__(layout.widths)
        self._operators = operators
        self._layout = layout
        # Their first rows stay zero: padding is copied from there.
        self._products, self._back = operators.new_zeros(
            2, max(layout.widths), operators.shape[-1]
        ).unbind(0)

    def _multiply(self, rows: Tensor, operators: Tensor, products: Tensor) -> Tensor:
        """The product of each chunk with its operator, after the row of zeros."""
        products = products[: len(rows)]
        chunks = (len(operators), self._layout.size, rows.shape[1])
        torch.bmm(rows[1:].view(chunks), operators, out=products[1:].view(chunks))
        return products

    def advance(self, place: int) -> None:
        """See :class:`Propagation`."""
        at = place - self.first
        operators = self._operators.index_select(0, self._layout.operators[place])
        products = self._multiply(self.places[at], operators.mT, self._products)
        torch.index_select(products, 0, self._layout.sources[place], out=self.places[at + 1])

    def start_backward(self) -> None:
        """See :class:`Propagation`."""
        self._gradient = torch.zeros_like(self._operators)
        self._product_gradients: list[Tensor] = []

    def retreat(self, place: int, gradient: Tensor) -> Tensor:
        """See :class:`Propagation`."""
        products = gradient.index_select(0, self._layout.targets[place])
        self._product_gradients.append(products)
        operators = self._operators.index_select(0, self._layout.operators[place])
        return self._multiply(products, operators, self._back)

    def collect(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        products = torch.cat(self._product_gradients[::-1])
        self._product_gradients.clear()
        self._add_outer_products(self._gradient, self._layout, first, last, products)

    def gradients(self) -> tuple[Tensor, None]:
        """See :class:`Propagation`."""
        return self._gradient, None


class GroupedPropagation(Propagation):
    """One product for each operator that a place needs, see :class:`GroupedLayout`."""

    def __init__(self, operators: Tensor, readout: Tensor, layout: GroupedLayout) -> None:
        """Keeps the operators.

        Args:
            operators: Of symbols and of products, shape ``(n, 2**W, 2**W)``.
            readout: Amplitudes of the output stage, shape ``(2**I, 2**W)``.
            layout: The arrangement.
        """
        super().__init__(layout.widths)
        self._operators, self._transposed = operators.unbind(0), operators.mT.unbind(0)
        self._shape = operators.shape
        # After the last symbol: no outcome, which leaves the state as it is.
        self._readout = torch.cat((readout, readout.new_ones(1, readout.shape[1])))
        self._layout = layout

    def _read_out(self, place: int) -> tuple[Tensor, Tensor]:
        """The states that meet an operator, and the read-out that they are multiplied by."""
        states = self.places[place - self.first][: self._layout.active[place]]
        return states, self._readout.index_select(0, self._layout.outcomes[place])

    def advance(self, place: int) -> None:
        """See :class:`Propagation`."""
        states, readout = self._read_out(place)
        products = torch.empty_like(states)
        sizes = self._layout.sizes[place]
        for operator, rows, out in zip(
            self._layout.operators[place],
            (states * readout).split(sizes),
            products.split(sizes),
            strict=True,
        ):
            torch.mm(rows, self._transposed[operator], out=out)
        torch.index_select(
            products, 0, self._layout.sources[place], out=self.places[place + 1 - self.first]
        )

    def start_backward(self) -> None:
        """See :class:`Propagation`."""
        self._gradient = self._readout.new_zeros(self._shape)
        self._gradients = self._gradient.unbind(0)
        self._readout_gradient = torch.zeros_like(self._readout)
        self._pairs: defaultdict[int, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def retreat(self, place: int, gradient: Tensor) -> Tensor:
        """See :class:`Propagation`."""
        states, readout = self._read_out(place)
        products = gradient.index_select(0, self._layout.targets[place])
        sizes = self._layout.sizes[place]
        back = torch.empty_like(states)
        for operator, rows, from_above, out in zip(
            self._layout.operators[place],
            (states * readout).split(sizes),
            products.split(sizes),
            back.split(sizes),
            strict=True,
        ):
            torch.mm(from_above, self._operators[operator], out=out)
            self._pairs[operator].append((from_above, rows))
        self._readout_gradient.index_add_(0, self._layout.outcomes[place], back * states)
        whole = back.new_zeros(self._layout.widths[place], back.shape[1])
        torch.mul(back, readout, out=whole[: len(back)])
        return whole

    def collect(self, first: int, last: int) -> None:
        """See :class:`Propagation`."""
        for operator, pairs in self._pairs.items():
            products, states = (torch.cat(parts) for parts in zip(*pairs, strict=True))
            self._gradients[operator].addmm_(products.T, states)
        self._pairs.clear()

    def gradients(self) -> tuple[Tensor, Tensor]:
        """See :class:`Propagation`."""
        return self._gradient, self._readout_gradient[:-1]


def propagation(operators: Tensor, readout: Tensor, layout: Layout) -> Propagation:
    """The propagation of a layout."""
    match layout:
        case RowLayout():
            return RowPropagation(operators, layout)
        case ChunkedLayout():
            return ChunkedPropagation(operators, layout)
        case GroupedLayout():
            return GroupedPropagation(operators, readout, layout)
    raise TypeError(f"layout must be a row, chunked or grouped layout, got {layout!r}")
