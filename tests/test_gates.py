import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits import QRNN, FeatureQRNNCell, RecurrentNetwork
from qrnn_circuits.gates import GateTables, gate_tables
from qrnn_circuits.neuron import MAX_ORDER, Semantics, block_amplitudes
from qrnn_circuits.numerical_errors import PrecisionError
from qrnn_circuits.polynomial import BooleanPolynomial
from qrnn_circuits.simulation.strategy import Strategy


def polynomial_of(lane: int, workspace: int) -> BooleanPolynomial:
    controls = workspace + lane - 1
    return BooleanPolynomial(controls, max(controls - 1, 1))


def random_coefficients(seed: int, lane: int, workspace: int, stages: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (workspace * (1 + stages) + lane, polynomial_of(lane, workspace).size)
    return 2 * torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@given(
    seed=st.integers(0, 2**31),
    lane=st.integers(1, 3),
    workspace=st.integers(1, 3),
    stages=st.integers(0, 2),
    order=st.integers(0, MAX_ORDER),
)
def test_tables_times_their_scales_are_the_blocks_of_all_neurons(
    semantics: Semantics, seed: int, lane: int, workspace: int, stages: int, order: int
) -> None:
    polynomial = polynomial_of(lane, workspace)
    coefficients = random_coefficients(seed, lane, workspace, stages)
    tables = gate_tables(
        coefficients, polynomial, lane=lane, workspace=workspace, order=order, semantics=semantics
    )
    angles = polynomial.table(coefficients)
    expected = torch.stack(block_amplitudes(angles, order, semantics))
    neurons = len(angles) - lane
    for found, exact in zip(tables.blocks, expected, strict=True):
        assert found.shape == (1 + stages, workspace, 2**lane, 2 ** (workspace - 1))
        assert torch.allclose(found.view(neurons, -1) * tables.scales[:neurons], exact[:neurons])
    if order == 0:
        assert torch.equal(tables.scales, torch.ones_like(tables.scales))
    largest = (tables.blocks**2).sum(0).amax((-2, -1))
    assert torch.allclose(largest, torch.ones_like(largest))
    for outcome in range(2**lane):
        bits = [outcome >> (lane - 1 - wire) & 1 for wire in range(lane)]
        amplitudes = torch.ones(2**workspace, dtype=torch.float64)
        for wire, bit in enumerate(bits):
            # Lane wires before this one hold the outcome so far; those after it still read 0.
            others = [*bits[:wire], *[0] * (lane - 1 - wire)]
            controls = sum(other << (lane - 2 - i) for i, other in enumerate(others))
            amplitudes *= expected[bit, neurons + wire].view(-1, 2**workspace)[controls]
        assert torch.allclose(tables.readout[outcome] * tables.scales[neurons:].prod(), amplitudes)


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@pytest.mark.parametrize(
    ("lane", "workspace", "order"), [(2, 2, 0), (1, 1, 1), (2, 2, 2), (3, 1, 3)]
)
def test_gradients_equal_finite_differences(
    semantics: Semantics, lane: int, workspace: int, order: int
) -> None:
    coefficients = random_coefficients(0, lane, workspace, 1)

    def all_tables(coefficients: Tensor) -> GateTables:
        return gate_tables(
            coefficients,
            polynomial_of(lane, workspace),
            lane=lane,
            workspace=workspace,
            order=order,
            semantics=semantics,
        )

    def tables(coefficients: Tensor) -> tuple[Tensor, Tensor]:
        found = all_tables(coefficients)
        # Scales count as constants, which finite differences do not know.
        scales = found.scales if semantics == "unitary" else fixed / found.scales
        neurons = len(scales) - lane
        relative = scales[:neurons].view(*found.blocks.shape[1:3], 1, 1).detach()
        readout = found.readout / scales[neurons:].prod().detach()
        return found.blocks / relative, readout

    fixed = all_tables(coefficients).scales
    assert torch.autograd.gradcheck(tables, coefficients.requires_grad_())


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize(
    ("semantics", "order"), [("postselected", 2), ("unitary", 1), ("unitary", 0)]
)
@pytest.mark.parametrize("lane", [1, 2])
def test_tables_of_several_cells_are_those_of_each(
    semantics: Semantics, order: int, lane: int, traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if traced:
        monkeypatch.setattr("qrnn_circuits.gates.is_traced", lambda: True)
    options = {"lane": lane, "workspace": 2, "order": order, "semantics": semantics}
    polynomial = polynomial_of(lane, 2)
    each = [random_coefficients(seed, lane, 2, 1) for seed in range(3)]
    coefficients = torch.stack(each, 1).requires_grad_()
    found = gate_tables(coefficients, polynomial, **options)  # type: ignore[arg-type]
    blocks, readout = (tensor.unflatten(-2, (3, -1)) for tensor in found[:2])
    (found.blocks.cos().sum() + found.readout.cos().sum()).backward()
    gradient = coefficients.grad
    assert gradient is not None
    for number, own in enumerate(each):
        leaf = own.requires_grad_()
        expected = gate_tables(leaf, polynomial, **options)  # type: ignore[arg-type]
        torch.testing.assert_close(blocks[:, :, :, number], expected.blocks)
        torch.testing.assert_close(readout[number], expected.readout)
        torch.testing.assert_close(found.scales[:, number], expected.scales)
        (expected.blocks.cos().sum() + expected.readout.cos().sum()).backward()
        torch.testing.assert_close(gradient[:, number], leaf.grad)


def test_a_gradient_that_is_not_finite_is_an_error_and_no_nan() -> None:
    coefficients, polynomial = torch.ones(3, 4, requires_grad=True), BooleanPolynomial(2, 2)
    tables = gate_tables(
        coefficients, polynomial, lane=1, workspace=2, order=1, semantics="postselected"
    )
    with pytest.raises(PrecisionError, match=r"the gradient .* is not finite in torch\.float32"):
        tables.blocks.backward(torch.full_like(tables.blocks, torch.inf))


@pytest.mark.parametrize("strategy", ["transfer", "state", "stepwise"])
def test_angles_of_no_work_stage_have_a_gradient_as_every_parameter_has(
    strategy: Strategy,
) -> None:
    symbols, features = torch.tensor([[0, 1, 1]]), torch.ones(1, 3, 2)
    of_symbols = QRNN(lane=1, workspace=2, stages=0, strategy=strategy)
    of_features = RecurrentNetwork(FeatureQRNNCell(features=2, lane=1, workspace=2, stages=0))
    for network, inputs in ((of_symbols, symbols), (of_features, features)):
        network.loss(inputs, symbols).backward()
        for parameter in network.parameters():
            assert parameter.grad is not None
            assert parameter.grad.shape == parameter.shape
