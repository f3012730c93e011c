from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits import QRNN
from qrnn_circuits.simulation.state.blocks import CellBlocks, GivenBlocks, SymbolGroup
from tests.conftest import WIDE

MakeModel = Callable[..., QRNN]


@given(
    workspace=st.integers(1, 5),
    lane=st.integers(1, 3),
    stages=st.integers(0, 2),
    order=st.integers(0, 6),
    semantics=st.sampled_from(["postselected", "unitary"]),
    basis=st.sampled_from(["monomials", "parities"]),
    data=st.data(),
)
def test_blocks_of_a_cell_are_its_gates_up_to_their_scale(
    workspace: int,
    lane: int,
    stages: int,
    order: int,
    semantics: str,
    basis: str,
    data: st.DataObject,
) -> None:
    model = QRNN(
        workspace=workspace,
        lane=lane,
        stages=stages,
        order=order,
        degree=data.draw(st.integers(1, workspace + lane - 1)),
        semantics=semantics,  # type: ignore[arg-type]
        basis=basis,  # type: ignore[arg-type]
        initialisation=WIDE,
        generator=torch.Generator().manual_seed(data.draw(st.integers(0, 2**31))),
        dtype=torch.float64,
    )
    symbol = data.draw(st.integers(0, 2**lane - 1))
    gates = model.cell.step_gates()
    given_blocks = GivenBlocks(gates.workspace)
    cell_blocks = CellBlocks(model.cell, {symbol}, torch.float64)
    assert cell_blocks.targets == given_blocks.targets
    assert cell_blocks.log_conditions((symbol,)) == pytest.approx(
        given_blocks.log_conditions((symbol,)), abs=1e-9
    )
    group = SymbolGroup((symbol,), None, None)
    log_scale = 0.0
    for gate in range(len(given_blocks.targets)):
        expected, found = (blocks.block(gate, group) for blocks in (given_blocks, cell_blocks))
        factor = float(expected.abs().max())
        assert torch.allclose(factor * found, expected, rtol=0, atol=1e-12)
        log_scale += float(torch.tensor(factor, dtype=torch.float64).log())
    # The tables lack a factor for each neuron, these blocks one for each neuron and symbol.
    lane_scales = neuron_scales(model)[-lane:].log().sum()
    expected_scale = log_scale + float(gates.log_scale - lane_scales)
    assert float(cell_blocks.log_scale(symbol)) == pytest.approx(expected_scale, abs=1e-9)


def neuron_scales(model: QRNN) -> torch.Tensor:
    """The largest block norm of each neuron, for any symbol."""
    cell = model.cell
    half = cell.polynomial.table(cell.neuron_coefficients) / 2
    if cell.semantics == "unitary":
        return half.new_ones(len(half))
    power = 2 ** (cell.order + 1)
    return (half.cos().pow(power) + half.sin().pow(power)).sqrt().amax(-1).detach()


@pytest.mark.parametrize("name", ["coefficients", "theta"])
def test_parameters_that_are_not_finite_are_rejected(name: str, make_model: MakeModel) -> None:
    cell = make_model(workspace=2, lane=1).cell
    with torch.no_grad():
        cell.get_parameter(name)[0, 0] = torch.nan
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        CellBlocks(cell, {0}, torch.float64)
