import pytest
import torch
from torch import Tensor

from qrnn_circuits.forecaster import LAYERS, Forecaster, make_forecaster
from qrnn_circuits.forecaster_ensemble import forecasts_together
from qrnn_circuits.numerical_errors import ParameterRangeError

CELLS = [
    *LAYERS.names(),
    "qrnn,order=2,semantics=postselected,stages=2",
    "qrnn,order=1,readout=populations,num_layers=2",
    "qlstm,linear=True,qubits=3",
    "recurrent-circuit,staggered=True",
    "tests.layers.own_layers:MinimalGatedLayer",
    # No transform of torch.func follows its circuits.
    "tests.layers.own_layers:TurningLayer",
]


def make(spec: str, seed: int) -> Forecaster:
    name, options = LAYERS.parse(spec)
    return make_forecaster(
        name,
        features=2,
        targets=2,
        hidden_size=4,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
        **options,
    )


def windows(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.rand(count, 5, 4, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("spec", CELLS)
@pytest.mark.parametrize("most", [None, 2])
def test_forecasts_and_gradients_are_those_of_each_network(spec: str, most: int | None) -> None:
    together, alone = ([make(spec, seed) for seed in range(3)] for _ in range(2))
    inputs = windows(3)
    weights = torch.randn(3, 5, 2, dtype=torch.float64)

    found = forecasts_together(together, inputs, most=most)
    expected = torch.stack([own(rows) for own, rows in zip(alone, inputs, strict=True)])

    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for ours, theirs in zip(together, alone, strict=True):
        for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-11, msg=name)


@pytest.mark.parametrize(
    ("cell", "parameter"),
    [
        ("qrnn", "coefficients"),
        ("recurrent-circuit", "rotations"),
        ("qlstm", "banks.0.angles"),
    ],
)
@pytest.mark.parametrize("value", [torch.nan, 1e30])
def test_a_parameter_that_is_no_angle_is_refused(cell: str, parameter: str, value: float) -> None:
    forecasters = [make(cell, seed) for seed in range(2)]
    forecasters[1].get_parameter(f"layer.cells.0.{parameter}").data[0, 0] = value
    with pytest.raises(ParameterRangeError):
        forecasts_together(forecasters, windows(2))


@pytest.mark.parametrize("cell", ["qrnn", "recurrent-circuit", "fast-weights"])
@pytest.mark.parametrize(("value", "problem"), [(torch.nan, "finite"), (1e20, "of angles")])
def test_features_that_a_network_alone_refuses_are_refused(
    cell: str, value: float, problem: str
) -> None:
    inputs = windows(2)
    inputs[1, 0, 0, 0] = value
    with pytest.raises(ValueError, match=problem):
        forecasts_together([make(cell, seed) for seed in range(2)], inputs)


def test_there_is_a_batch_for_each_network() -> None:
    with pytest.raises(ValueError, match=r"a batch for each of 2 networks, got shape \(3,"):
        forecasts_together([make("qrnn", seed) for seed in range(2)], windows(3))
