"""The number of threads that pays off: one where a network's tensors are small."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from qrnn_circuits.cells.base import Cell
from qrnn_circuits.checks import as_integer
from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.network import RecurrentNetwork

# Entries of the tensors that most time is spent on, from which on a second thread pays off: the
# operators of all symbols, of which products along the sequence stay small; or a batch of states.
LEAST_OPERATOR_ENTRIES = 2**20
LEAST_STATE_ENTRIES = 2**17


@contextmanager
def worthwhile_threads(
    model: RecurrentNetwork | Forecaster, batch: int, steps: int
) -> Iterator[None]:
    """Keeps torch to one thread where the tensors of a network are too small to be shared.

    Threads wait for each other after every operation. With small tensors that takes longer than
    the operation, and far longer where other processes keep a core busy. Otherwise, and after the
    ``with`` statement, torch has as many threads as before. Both forward and backward passes
    belong inside it.

    Args:
        model: The network.
        batch: Number of sequences B that it is given.
        steps: Number of their steps T.

    Raises:
        TypeError: If the model is no network, or a number is no integer.
        ValueError: If a number is less than 1.

    Example:
        >>> from qrnn_circuits import QRNN
        >>> model = QRNN(lane=1, workspace=2)
        >>> inputs = torch.tensor([[0, 1, 1, 0]])
        >>> with worthwhile_threads(model, *inputs.shape):
        ...     model.loss(inputs, outcomes=inputs).backward()
        ...     torch.get_num_threads()
        1
    """
    batch, steps = as_integer("batch", batch, 1), as_integer("steps", steps, 1)
    # Of a compiled network too, which is of another class.
    if not (isinstance(model, Forecaster) or isinstance(getattr(model, "cell", None), Cell)):
        raise TypeError(
            "model must be a RecurrentNetwork, such as QRNN, or a Forecaster, got a "
            f"{type(model).__name__}: of a single layer, take torch.set_num_threads(1)"
        )
    before = torch.get_num_threads()
    if isinstance(model, Forecaster) or not _large(model, batch, steps):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _large(model: RecurrentNetwork, batch: int, steps: int) -> bool:
    symbols, size = 1 << model.cell.lane, 1 << model.cell.workspace
    if model.chosen_strategy(batch, steps) == "transfer":
        return symbols * size**2 >= LEAST_OPERATOR_ENTRIES
    return batch * size >= LEAST_STATE_ENTRIES
