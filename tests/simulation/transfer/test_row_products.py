import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.simulation.transfer import row_products
from qrnn_circuits.simulation.transfer.row_products import (
    CopiedOperators,
    RowProducts,
    SummedColumns,
)

WAYS = (CopiedOperators, SummedColumns)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(
    batch=st.integers(1, 6),
    times=st.integers(1, 7),
    size=st.sampled_from((2, 4, 8)),
    looked_up=st.integers(1, 300),
    seed=st.integers(0, 2**31),
)
def test_every_row_meets_its_own_operator(
    way: type[CopiedOperators | SummedColumns],
    dtype: torch.dtype,
    batch: int,
    times: int,
    size: int,
    looked_up: int,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    operators = torch.randn(3, size, size, generator=generator, dtype=dtype)
    pairs = torch.randint(3, (times * batch,), generator=generator)
    rows = torch.randn(times, batch, 1, size, generator=generator, dtype=dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_products, "MOST_LOOKED_UP", looked_up)
        products = way(operators, pairs, batch)
    met = operators[pairs].double().view(times, batch, size, size)
    for time in [*range(times), *reversed(range(times))]:
        # What an output holds before does not count.
        forward, back = (torch.full((batch, 1, size), torch.nan, dtype=dtype) for _ in range(2))
        products.advance(time, rows[time], forward)
        products.retreat(time, rows[time], back)
        given = rows[time, :, 0].double()
        after = torch.einsum("bij,bj->bi", met[time], given)
        before = torch.einsum("bij,bi->bj", met[time], given)
        assert torch.allclose(forward[:, 0].double(), after, rtol=1e-5, atol=1e-5)
        assert torch.allclose(back[:, 0].double(), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("batch", "way"), [(127, CopiedOperators), (128, SummedColumns)])
def test_operators_are_copied_for_few_amplitudes_alone(batch: int, way: type[RowProducts]) -> None:
    pairs = torch.zeros(5 * batch, dtype=torch.int64)
    assert type(row_products.row_products(torch.eye(8)[None], pairs, batch)) is way
