"""Random batches of operator sequences, in every layout, and what they lead to one by one."""

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from qrnn_circuits.simulation.transfer.layouts import (
    ChunkedLayout,
    GroupedLayout,
    Layout,
    chunked_layout,
    grouped_layout,
    row_layout,
    tokens_of,
)
from qrnn_circuits.simulation.transfer.products import OperatorSequences, operator_sequences

SYMBOLS = 3
LAYOUTS = ["rows", "chunked", "grouped"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Arrangement(NamedTuple):
    """A batch in a layout.

    Attributes:
        sequences: The plan.
        layout: The arrangement.
        operators: Number of different operators of the plan.
        pairs: The operator and the outcome before it of each operator that the layout counts;
            of the plan's operators, without any outcome, if that is grouped.
    """

    sequences: OperatorSequences
    layout: Layout
    operators: int
    pairs: tuple[Integers, Integers]


@st.composite
def arrangements(draw: st.DrawFn, kind: str) -> Arrangement:
    batch, steps = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    inputs, outcomes = rng.integers(0, SYMBOLS, (2, batch, steps))
    read = rng.random((batch, steps)) < draw(st.sampled_from([0, 0.3, 1]))
    read[:, -1] = True
    # Where only some products are built, sequences are of different lengths.
    least = draw(st.sampled_from([1, 2, 100] if kind == "grouped" else [1, 100]))
    sequences = operator_sequences(
        inputs, outcomes, read, SYMBOLS, lambda counts, places: counts >= least
    )
    every, chunk = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return arrange(kind, sequences, scale_every=every, chunk=chunk)


def arrange(
    kind: str, sequences: OperatorSequences, *, scale_every: int = 2, chunk: int = 2
) -> Arrangement:
    operators = SYMBOLS + sum(len(products.left) for products in sequences.products)
    device = torch.device("cpu")
    if kind == "grouped":
        layout: Layout = grouped_layout(sequences, operators, device, scale_every=scale_every)
        pairs = np.arange(operators), np.full(operators, SYMBOLS)
        return Arrangement(sequences, layout, operators, pairs)
    found, tokens = tokens_of(sequences, SYMBOLS)
    if kind == "rows":
        layout = row_layout(sequences, tokens, device, scale_every=scale_every)
    else:
        layout = chunked_layout(
            sequences, tokens, len(found), chunk, device, scale_every=scale_every
        )
    return Arrangement(sequences, layout, operators, np.divmod(found, SYMBOLS + 1))


def layout_operators(arrangement: Arrangement, operators: Tensor, readout: Tensor) -> Tensor:
    """The plan's operators as the layout takes them: with the read-outs before them, if any."""
    which, before = (torch.from_numpy(array) for array in arrangement.pairs)
    readout = torch.cat((readout, torch.ones_like(readout[:1])))
    return operators[which] * readout[before].unsqueeze(1)


def row_sequences(layout: Layout) -> list[Integers]:
    """The sequence in each row of each place, -1 where there is none."""
    if not isinstance(layout, ChunkedLayout | GroupedLayout):
        return [np.arange(width) for width in layout.widths]
    assert layout.start is not None
    batch = int(layout.start.max()) + 1 if isinstance(layout, GroupedLayout) else layout.widths[-1]
    rows = layout.start.numpy()
    places = [rows]
    if isinstance(layout, ChunkedLayout):
        batch -= 1
        places = [np.where(rows == batch, -1, rows)]
    for sources in layout.sources:
        places.append(places[-1][sources.numpy()])
    return places


def states_one_by_one(
    sequences: OperatorSequences, operators: Floats, readout: Floats, start: Floats
) -> list[list[Floats]]:
    """The states of each sequence, from place 0 on."""
    before = np.concatenate((readout, np.ones_like(readout[:1])))
    result = []
    for row, length in enumerate(sequences.lengths):
        states = [start[row]]
        for place in range(length):
            outcome, operator = sequences.outcomes[place, row], sequences.operators[place, row]
            states.append(operators[operator] @ (before[outcome] * states[-1]))
        result.append(states)
    return result
