import pytest
import torch

from qrnn_circuits.simulation.variational import variational_circuits, wire_groups
from tests.layers.paper_circuits import expectations


@pytest.mark.parametrize("wires", [1, 2, 3, 5, 7, 9])
@pytest.mark.parametrize("samples", [1, 1000])
def test_circuits_of_two_layers_read_what_default_qubit_does_and_so_do_gradients(
    wires: int, samples: int
) -> None:
    generator = torch.Generator().manual_seed(wires)
    angles = torch.randn(2, 2, wires, 3, dtype=torch.float64, generator=generator)
    values = torch.randn(1, 3, wires, dtype=torch.float64, generator=generator)
    inputs = angles.requires_grad_(), values.requires_grad_()
    found = variational_circuits(angles, samples)(values)
    expected = torch.stack([expectations(values[0], own) for own in angles])
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    weights = torch.randn(found.shape, dtype=torch.float64, generator=generator)
    gradients = [torch.autograd.grad((weights * each).sum(), inputs) for each in (found, expected)]
    for own, reference in zip(*gradients, strict=True):
        assert torch.allclose(own, reference, rtol=0, atol=1e-12)


@pytest.mark.parametrize("wires", range(1, 21))
def test_groups_of_wires_are_about_equally_large(wires: int) -> None:
    groups = wire_groups(wires)
    assert sum(groups) == wires
    assert max(groups) <= 4
    assert max(groups) - min(groups) <= 1


def test_no_sample_has_no_expectation() -> None:
    values = torch.ones(1, 0, 6)
    assert variational_circuits(torch.ones(2, 2, 6, 3), 0)(values).shape == (2, 0, 6)
