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
    data=st.data(),
    seed=st.integers(0, 2**31),
)
def test_every_row_meets_its_own_operator(
    way: type[CopiedOperators | SummedColumns],
    dtype: torch.dtype,
    batch: int,
    times: int,
    size: int,
    looked_up: int,
    data: st.DataObject,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    operators = torch.randn(3, size, size, generator=generator, dtype=dtype)
    pairs = torch.randint(3, (times * batch,), generator=generator)
    rows = torch.randn(times + 1, batch, 1, size, generator=generator, dtype=dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_products, "MOST_LOOKED_UP", looked_up)
        products = way(operators, pairs, batch)
    met = operators[pairs].double().view(times, batch, size, size)
    first = data.draw(st.integers(0, times - 1))
    last = data.draw(st.integers(first + 1, times))
    # What the states after the first one hold before does not count; gradients are added up.
    states = [rows[first], *torch.full((last - first, batch, 1, size), torch.nan, dtype=dtype)]
    gradients = [*rows.flip(0)[times - last : times - first + 1]]
    after, back = rows[first, :, 0].double(), [each[:, 0].double() for each in gradients]
    products.advance(first, states)
    products.retreat(last, gradients)
    for time, state in zip(range(first, last), states[1:], strict=True):
        after = torch.einsum("bij,bj->bi", met[time], after)
        assert torch.allclose(state[:, 0].double(), after, rtol=1e-4, atol=1e-4)
    for at, time in enumerate(reversed(range(first, last))):
        back[at + 1] += torch.einsum("bij,bi->bj", met[time], back[at])
        assert torch.allclose(gradients[at + 1][:, 0].double(), back[at + 1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("batch", "way"), [(127, CopiedOperators), (128, SummedColumns)])
def test_operators_are_copied_for_few_amplitudes_alone(batch: int, way: type[RowProducts]) -> None:
    pairs = torch.zeros(5 * batch, dtype=torch.int64)
    assert type(row_products.row_products(torch.eye(8)[None], pairs, batch)) is way
