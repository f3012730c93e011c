from collections.abc import Callable
from math import comb
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits import QRNN, Initialisation, QRNNCell
from qrnn_circuits.choices import Basis
from qrnn_circuits.numerical_errors import ParameterRangeError
from qrnn_circuits.simulation.transfer.operators import transfer_operators
from tests.conftest import sized
from tests.dense import DenseCell

SIZES = sized(
    (2, 2, 1, 0, 2),
    (1, 1, 1, 1, 1),
    (2, 1, 1, 2, 2),
    (1, 2, 2, 2, 2),
    (2, 2, 1, 1, 3),
    (3, 1, 2, 2, 1),
    (2, 2, 0, 3, 2),
)


@pytest.mark.parametrize("basis", ["monomials", "parities"])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_step_equals_the_dense_circuit(
    sizes: dict[str, int],
    semantics: str,
    basis: str,
    make_model: Callable[..., QRNN],
    dense_cell: Callable[[QRNN], DenseCell],
) -> None:
    model = make_model(**sizes, semantics=semantics, basis=basis)
    dense = dense_cell(model)
    size, symbols = 2 ** sizes["workspace"], 2 ** sizes["lane"]
    states = torch.eye(size, dtype=torch.float64)
    for symbol in range(symbols):
        joint = model.cell(torch.full((size,), symbol), states)
        expected = dense.step(symbol)[:, :size].T.reshape(size, symbols, size)
        assert np.abs(joint.detach().numpy() - expected).max() < 1e-10


def test_transfer_operators_hold_the_image_of_each_basis_state(
    make_model: Callable[..., QRNN],
) -> None:
    cell = make_model(workspace=3, lane=2, stages=2).cell
    gates = cell.step_gates()
    operators = transfer_operators(gates.workspace, 4)
    basis = torch.eye(8, dtype=torch.float64)
    scale = gates.log_scale.exp()
    for symbol in range(4):
        joint = cell(torch.full((8,), symbol), basis)
        expected = scale * operators[symbol].T[:, None, :] * gates.readout
        assert torch.allclose(joint, expected, rtol=0, atol=1e-12)


@given(
    lane=st.integers(1, 3), workspace=st.integers(1, 6), stages=st.integers(0, 3), data=st.data()
)
def test_parameters_are_as_many_as_the_formula_says(
    lane: int, workspace: int, stages: int, data: st.DataObject
) -> None:
    controls = workspace + lane - 1
    degree = data.draw(st.integers(1, controls))
    cell = QRNNCell(lane=lane, workspace=workspace, stages=stages, degree=degree)
    per_neuron = 1 + sum(comb(controls, r) for r in range(1, degree + 1))
    expected = per_neuron * (workspace + stages * workspace + lane) + stages * workspace
    assert sum(parameter.numel() for parameter in cell.parameters()) == expected


@pytest.mark.parametrize(
    ("workspace", "lane", "stages", "degree", "parameters"),
    [(5, 3, 1, 3, 837), (8, 2, 2, 2, 1212), (6, 2, 2, 3, 1292), (5, 3, 2, 3, 1162)],
)
def test_published_models_have_their_published_number_of_parameters(
    workspace: int, lane: int, stages: int, degree: int, parameters: int
) -> None:
    cell = QRNNCell(lane=lane, workspace=workspace, stages=stages, degree=degree)
    assert sum(parameter.numel() for parameter in cell.parameters()) == parameters


def test_one_seed_gives_one_set_of_initial_parameters() -> None:
    first, again, other = (
        QRNNCell(
            lane=1,
            workspace=2,
            initialisation=Initialisation(weight_spread=0.1),
            generator=torch.Generator().manual_seed(seed),
        )
        for seed in (1, 1, 2)
    )
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        assert not torch.equal(parameter, other.get_parameter(name))


@pytest.mark.parametrize("name", ["coefficients", "theta"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_parameters_that_are_not_finite_are_rejected(name: str, value: float) -> None:
    cell = QRNNCell(lane=1, workspace=2)
    with torch.no_grad():
        cell.get_parameter(name)[0, 0] = value
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        cell.step_gates()


@pytest.mark.parametrize(
    ("dtype", "size", "accepted"),
    [
        (torch.float32, 6e4, True),
        (torch.float32, 7e4, False),
        (torch.float64, 1e12, True),
        (torch.float64, 1e14, False),
    ],
)
def test_parameters_are_accepted_while_their_type_tells_angles_apart(
    dtype: torch.dtype, size: float, accepted: bool
) -> None:
    cell = QRNNCell(lane=1, workspace=2, dtype=dtype)
    with torch.no_grad():
        cell.coefficients[1, 0] = -size
    if accepted:
        cell.step_gates()
        return
    with pytest.raises(ParameterRangeError, match="coefficients must be finite and at most"):
        cell.step_gates()


def test_initial_parameters_too_large_for_angles_are_rejected() -> None:
    with pytest.raises(ParameterRangeError, match="a smaller learning rate or initial spread"):
        QRNNCell(lane=1, workspace=2, initialisation=Initialisation(bias_spread=1e39))


def test_half_precision_is_refused() -> None:
    cell = QRNNCell(lane=1, workspace=2).half()
    with pytest.raises(TypeError, match=r"float32 or torch\.float64, got torch\.float16"):
        cell.step_gates()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lane": 0}, "lane must be at least 1, got 0"),
        ({"workspace": 0}, "workspace must be at least 1, got 0"),
        ({"stages": -1}, "stages must be at least 0, got -1"),
        ({"order": -1}, "order must be between 0"),
        ({"degree": 3}, r"degree must be between 1 and the number of variables \(here 2"),
        ({"semantics": "exact"}, "semantics must be one of"),
        ({"dtype": torch.float16}, "dtype must be torch.float32 or torch.float64"),
    ],
)
def test_options_out_of_range_are_rejected(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QRNNCell(**({"lane": 1, "workspace": 2} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [0, 1])
def test_both_bases_start_with_the_same_functions(order: int) -> None:
    sizes = {"lane": 2, "workspace": 3, "degree": 3, "order": order, "dtype": torch.float64}
    spreads = Initialisation(bias_spread=0.3, weight_spread=0.2)
    monomials, parities = (
        QRNNCell(
            **sizes,  # type: ignore[arg-type]
            basis=basis,
            initialisation=spreads,
            generator=torch.Generator().manual_seed(0),
        )
        for basis in get_args(Basis)
    )
    assert not torch.allclose(monomials.coefficients, parities.coefficients)
    tables = [cell.polynomial.table(cell.neuron_coefficients) for cell in (monomials, parities)]
    torch.testing.assert_close(*tables, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lane": 1.0}, "lane must be an integer, got 1.0"),
        ({"workspace": None}, "workspace must be an integer, got None"),
        ({"stages": True}, "stages must be an integer, got True"),
        ({"order": 1.5}, "order must be an integer, got 1.5"),
        ({"degree": "2"}, "degree must be an integer, got '2'"),
        ({"initialisation": 0.1}, "initialisation must be an Initialisation, got a float"),
        ({"generator": 3}, "generator must be a torch.Generator, got a int"),
    ],
)
def test_options_of_wrong_types_are_rejected(options: dict[str, object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        QRNNCell(**({"lane": 1, "workspace": 2} | options))  # type: ignore[arg-type]


def test_sizes_of_numpy_are_sizes() -> None:
    cell = QRNNCell(lane=np.int64(1), workspace=np.int64(2), order=np.int32(1))  # type: ignore[arg-type]
    assert [type(value) for value in (cell.lane, cell.workspace, cell.order)] == [int] * 3


@pytest.mark.parametrize("basis", get_args(Basis))
@pytest.mark.parametrize("order", [0, 2])
def test_a_cell_without_memory_has_the_shapes_of_one_with_numbers(basis: Basis, order: int) -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    empty, full = (
        QRNNCell(lane=1, workspace=2, order=order, basis=basis, generator=drawn, device=device)
        for drawn, device in ((generator, "meta"), (None, "cpu"))
    )
    assert torch.equal(generator.get_state(), before)
    symbols = torch.tensor([0, 1, 1])
    for method in ("forward", "evolve"):
        shapes = [
            getattr(cell, method)(symbols.to(cell.theta.device), cell.initial_state(3)).shape
            for cell in (empty, full)
        ]
        assert shapes[0] == shapes[1]
    assert empty.parity_angles().shape == full.parity_angles().shape
    empty.prune(0.1)
