import numpy as np
import torch

from qrnn_circuits.simulation.transfer.reading import Owners, OwnReading, SharedReading


def test_each_state_is_read_by_its_own_cell() -> None:
    generator = torch.Generator().manual_seed(0)
    cells, outcomes, size = 3, 4, 8
    numbers = np.array([2, 0, 2, 2, 1, 0, 2])
    states, gradient = (
        torch.randn(len(numbers), columns, generator=generator, dtype=torch.float64)
        for columns in (size, outcomes)
    )
    # The row after those of the cells is of none.
    readout = torch.randn(cells * outcomes + 1, size, generator=generator, dtype=torch.float64)
    leaves = states.clone().requires_grad_(), readout.clone().requires_grad_()
    own = leaves[1][:-1].view(cells, outcomes, size)[torch.from_numpy(numbers)]
    expected = (leaves[0][:, None] * own).square().sum(-1)
    expected.backward(gradient)
    reading = OwnReading(readout, Owners(cells, numbers))
    parts = [(0, 2), (2, 7)]
    found = [reading.weights(states[first:last], first) for first, last in parts]
    torch.testing.assert_close(torch.cat(found), expected)
    reading.start_backward()
    halves = [
        reading.backward(gradient[first:last], states[first:last], first) for first, last in parts
    ]
    torch.testing.assert_close(2 * states * torch.cat(halves), leaves[0].grad)
    torch.testing.assert_close(reading.readout_gradient, leaves[1].grad)


def test_one_cell_reads_as_if_it_were_one_of_several() -> None:
    generator = torch.Generator().manual_seed(0)
    states, readout = torch.randn(2, 4, 8, generator=generator, dtype=torch.float64)
    shared = SharedReading(readout)
    own = OwnReading(readout, Owners(1, np.zeros(4, dtype=np.int64)))
    weights = shared.weights(states, 0)
    torch.testing.assert_close(own.weights(states, 0), weights)
    own.start_backward()
    shared.start_backward()
    torch.testing.assert_close(
        own.backward(weights, states, 0), shared.backward(weights, states, 0)
    )
    torch.testing.assert_close(own.readout_gradient, shared.readout_gradient)
