from itertools import combinations
from math import prod

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pack_sequence

from qrnn_circuits import FeatureQRNNCell, QRNNLayer, RecurrentNetwork
from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.neuron import Semantics
from tests.conftest import WIDE
from tests.dense import neuron, on_wires, rotation

# Features, lane, workspace, stages, order, degree, semantics.
SIZES = [
    (1, 1, 2, 1, 0, 2, "unitary"),
    (2, 2, 3, 0, 0, 3, "unitary"),
    (3, 1, 2, 2, 0, 4, "unitary"),
    (1, 2, 2, 1, 1, 2, "postselected"),
    (2, 1, 3, 1, 2, 2, "postselected"),
    (2, 2, 2, 1, 2, 1, "unitary"),
]


def make_cell(size: tuple[int, int, int, int, int, int, str]) -> FeatureQRNNCell:
    names = ("features", "lane", "workspace", "stages", "order", "degree", "semantics")
    return FeatureQRNNCell(
        **dict(zip(names, size, strict=True)),  # type: ignore[arg-type]
        initialisation=WIDE,
        generator=torch.Generator().manual_seed(3),
        dtype=torch.float64,
    )


def on_some_wires(
    row: list[float],
    degree: int,
    controls: list[int],
    target: int,
    options: tuple[int, str],
    wires: int,
) -> NDArray[np.float64]:
    """A neuron that leaves some wires alone, on all of them."""
    used = sorted([*controls, target])
    places = [used.index(wire) for wire in controls]
    small = neuron(row, degree, places, used.index(target), *options)
    others = [wire for wire in range(wires) if wire not in used]
    # The other wires first, then back into their places.
    whole = np.kron(np.eye(2 ** len(others)), small).reshape((2,) * 2 * wires)
    order = np.argsort([*others, *used])
    axes = [*order, *(order + wires)]
    return np.asarray(whole.transpose(axes).reshape(2**wires, 2**wires), dtype=np.float64)


def dense_step(cell: FeatureQRNNCell, features: list[float], *, read: bool) -> NDArray[np.float64]:
    """The step on lane and workspace as a product of the dense matrices of its neurons."""
    wires = cell.lane + cell.workspace
    workspace = range(cell.lane, wires)
    options = (cell.order, cell.semantics)

    def of_bits(row: list[float], bits: int) -> list[float]:
        """Coefficients in the control bits, by the set of bits."""
        variables = range(bits + cell.features)
        sets = [s for size in range(cell.degree + 1) for s in combinations(variables, size)]
        degree = min(cell.degree, bits)
        found = {s: 0.0 for n in range(degree + 1) for s in combinations(range(bits), n)}
        for places, value in zip(sets, row, strict=True):
            shift = prod(features[place - bits] for place in places if place >= bits)
            found[tuple(place for place in places if place < bits)] += value * shift
        return list(found.values())

    matrix = np.eye(2**wires)

    def add_neuron(row: list[float], controls: list[int], target: int) -> None:
        nonlocal matrix
        degree = min(cell.degree, len(controls))
        own = of_bits(row, len(controls))
        matrix = on_some_wires(own, degree, controls, target, options, wires) @ matrix

    rows = iter(cell.coefficients.tolist())
    for stage in range(1 + cell.stages):
        if stage:
            angles = cell.theta[stage - 1].tolist()
            turns = {wire: rotation(a) for wire, a in zip(workspace, angles, strict=True)}
            matrix = on_wires(turns, wires) @ matrix
        for target in workspace:
            add_neuron(next(rows), [wire for wire in workspace if wire != target], target)
    for target, row in enumerate(cell.readout_coefficients.tolist() if read else ()):
        add_neuron(row, list(workspace), target)
    return matrix


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("read", [True, False])
def test_a_step_equals_the_dense_circuit(
    size: tuple[int, int, int, int, int, int, str], read: bool
) -> None:
    cell = make_cell(size)
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, cell.features, generator=generator, dtype=torch.float64)
    state = torch.randn(2, 2**cell.workspace, generator=generator, dtype=torch.float64)

    found = cell(features, state) if read else cell.evolve(features, state)[:, None]

    for row in range(2):
        matrix = dense_step(cell, features[row].tolist(), read=read)
        expected = (matrix[:, : 2**cell.workspace] @ state[row].numpy()).reshape(2**cell.lane, -1)
        expected = expected if read else expected[:1]
        np.testing.assert_allclose(found[row].detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("order", "stages", "semantics", "readout"),
    [
        (4, 8, "postselected", None),
        (5, 4, "postselected", None),
        # The outcome 1 has an amplitude of about 1e-22, then of 1e-26.
        (4, 1, "postselected", 0.08),
        (4, 1, "unitary", 0.08),
        (5, 1, "unitary", 0.3),
    ],
)
def test_steps_and_outcomes_that_float32_cannot_hold_are_those_of_dense_matrices(
    order: int, stages: int, semantics: Semantics, readout: float | None
) -> None:
    size = 2, 1, 2, stages, order, 2, semantics
    cell = make_cell(size).float()
    if readout is not None:
        with torch.no_grad():
            cell.readout_coefficients.zero_()[:, 0] = readout
    layer = QRNNLayer(2, 1, workspace=2, stages=stages, order=order, semantics=semantics)
    layer.load_state_dict({f"cells.0.{name}": own for name, own in cell.state_dict().items()})
    generator = torch.Generator().manual_seed(1)
    features, outcomes = torch.randn(3, 2, generator=generator), torch.tensor([[0, 1, 0]])
    unread, state = np.eye(4)[0], np.eye(4)[0]
    distributions, expectations, log_acceptance = [], [], 0.0
    for row, outcome in zip(features.tolist(), outcomes[0].tolist(), strict=True):
        step = dense_step(cell, row, read=True)[:, :4]
        zero, one = ((step @ unread).reshape(2, 4) ** 2).sum(1)
        expectations.append((zero - one) / (zero + one))
        joint = (step @ state).reshape(2, 4)
        weights = (joint**2).sum(1)
        distributions.append(weights / weights.sum())
        log_acceptance += np.log(weights[outcome])
        state = joint[outcome] / np.sqrt(weights[outcome])
        unread = dense_step(cell, row, read=False)[:4, :4] @ unread
        unread /= np.linalg.norm(unread)

    network = RecurrentNetwork(cell)
    found = network(features[None], outcomes)
    loss = network.loss(features[None], outcomes)
    gradients = torch.autograd.grad(loss, list(cell.parameters()))

    assert found.log_acceptance.item() == pytest.approx(log_acceptance, rel=1e-5)
    np.testing.assert_allclose(found.log_probs[0].exp().detach(), distributions, atol=1e-5)
    np.testing.assert_allclose(layer(features)[0].detach()[:, 0], expectations, atol=1e-5)
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("size", SIZES)
def test_gradients_reach_the_features(size: tuple[int, int, int, int, int, int, str]) -> None:
    network = RecurrentNetwork(make_cell(size))
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(
        1, 2, network.cell.features, generator=generator, dtype=torch.float64
    ).requires_grad_()
    outcomes = torch.tensor([[UNREAD, 1]])

    assert torch.autograd.gradcheck(lambda x: network.loss(x, outcomes), inputs)


def test_a_lane_whose_neuron_has_no_bits_tells_of_the_features_of_its_step_alone() -> None:
    layer = QRNNLayer(2, 3, workspace=3, degree=1, dtype=torch.float64)
    readout = layer.cells[0].get_parameter("readout_coefficients")
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(4, 6, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        readout[:, 1:4] = 0
        found = layer(inputs)[0]

    angles = readout[:, 0] + inputs @ readout[:, 4:].T
    assert torch.allclose(found, angles.cos(), rtol=0, atol=1e-12)


def test_spreads_are_those_of_the_coefficients_of_features() -> None:
    cell = FeatureQRNNCell(
        features=40,
        lane=40,
        workspace=3,
        stages=9,
        degree=1,
        feature_spread=0.3,
        readout_feature_spread=3.0,
        generator=torch.Generator().manual_seed(0),
    )
    assert cell.coefficients[:, 3:].std().item() == pytest.approx(0.3, rel=0.1)
    assert cell.readout_coefficients[:, 4:].std().item() == pytest.approx(3.0, rel=0.1)
    assert cell.coefficients[:, :3].std() < 0.1


def test_outcomes_are_no_inputs_of_such_a_cell() -> None:
    network = RecurrentNetwork(make_cell(SIZES[0]))
    inputs, outcomes = torch.zeros(1, 2, 1, dtype=torch.float64), torch.zeros(1, 2).long()

    with pytest.raises(ValueError, match="autoregressive must be False"):
        network.sample(inputs, outcomes, sampled=outcomes == 0, autoregressive=True)


@pytest.mark.parametrize(
    ("inputs", "error", "problem"),
    [
        (torch.zeros(1, 2, 1), TypeError, "inputs must be a tensor of the type of the parameters"),
        (torch.zeros(1, 2, dtype=torch.float64), ValueError, r"shape \(B, T, 1\)"),
        (torch.zeros(1, 2, 3, dtype=torch.float64), ValueError, r"shape \(B, T, 1\)"),
        (torch.full((1, 2, 1), torch.nan, dtype=torch.float64), ValueError, "finite"),
        (torch.zeros(1, 3, 1, dtype=torch.float64), ValueError, "as many sequences and steps"),
    ],
)
def test_wrong_features_are_refused(
    inputs: torch.Tensor, error: type[Exception], problem: str
) -> None:
    network = RecurrentNetwork(make_cell(SIZES[0]))
    with pytest.raises(error, match=problem):
        network(inputs, torch.zeros(1, 2, dtype=torch.int64))


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ({"features": 0}, "features must be at least 1, got 0"),
        ({"lane": 0}, "lane must be at least 1, got 0"),
        ({"workspace": 1}, "workspace must be at least 2, got 1"),
        ({"workspace": 31}, r"workspace must be at most 30, got 31: .* has 2\*\*31 amplitudes"),
        ({"workspace": 2**63 - 1}, "workspace must be at most 30, got 9223372036854775807"),
        ({"stages": -1}, "stages must be at least 0, got -1"),
        ({"degree": 9}, "degree must be between 1 and"),
        ({"feature_spread": -1.0}, "^feature_spread must be finite"),
        ({"readout_feature_spread": -1.0}, "readout_feature_spread must be finite"),
        ({"dtype": torch.float16}, "dtype must be torch.float32 or torch.float64"),
    ],
)
def test_options_out_of_range_are_refused(option: dict[str, object], problem: str) -> None:
    options = {"features": 1, "lane": 1, "workspace": 2, **option}
    with pytest.raises(ValueError, match=problem):
        FeatureQRNNCell(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [SIZES[1], SIZES[3]])
def test_packed_features_fare_as_each_sequence_alone(
    size: tuple[int, int, int, int, int, int, str],
) -> None:
    network = RecurrentNetwork(make_cell(size))
    generator = torch.Generator().manual_seed(2)
    inputs = [
        torch.randn(length, network.cell.features, generator=generator, dtype=torch.float64)
        for length in (2, 3)
    ]
    outcomes = [torch.tensor([UNREAD, 1]), torch.tensor([0, UNREAD, 1])]

    together = network(
        pack_sequence(inputs, enforce_sorted=False), pack_sequence(outcomes, enforce_sorted=False)
    )
    for row, (features, chosen) in enumerate(zip(inputs, outcomes, strict=True)):
        alone = network(features[None], chosen[None])
        last = len(chosen) - 1
        assert torch.allclose(together.log_probs[row, last], alone.log_probs[0, last])
        assert torch.allclose(together.log_acceptance[row], alone.log_acceptance[0])
        assert torch.allclose(together.state[row], alone.state[0])


def test_parameters_are_drawn_anew_from_a_seed() -> None:
    cell = make_cell(SIZES[0])
    first = [parameter.clone() for parameter in cell.parameters()]

    cell.reset_parameters(torch.Generator().manual_seed(4))
    assert not any(map(torch.equal, first, cell.parameters()))

    cell.reset_parameters(torch.Generator().manual_seed(3))
    assert all(map(torch.equal, first, cell.parameters()))
