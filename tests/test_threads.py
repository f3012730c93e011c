from collections.abc import Iterator
from typing import Any

import pytest
import torch

from qrnn_circuits import QRNN
from qrnn_circuits.simulation.strategy import Strategy
from qrnn_circuits.threads import worthwhile_threads


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("strategy", "workspace", "batch", "threads"),
    [
        ("auto", 5, 2, 1),
        ("transfer", 8, 1000, 1),
        ("transfer", 9, 1, 2),
        ("state", 10, 1, 1),
        ("state", 10, 128, 2),
        # The states of one sequence are small, though its operators would be large.
        ("auto", 12, 1, 1),
    ],
)
def test_small_tensors_stay_on_one_thread(
    strategy: Strategy, workspace: int, batch: int, threads: int
) -> None:
    model = QRNN(lane=2, workspace=workspace, strategy=strategy)
    with worthwhile_threads(model, batch, 1):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2


def test_threads_are_given_back_after_an_error() -> None:
    model = QRNN(lane=1, workspace=2)
    with pytest.raises(KeyError), worthwhile_threads(model, 1, 1):
        raise KeyError
    assert torch.get_num_threads() == 2


def test_large_tensors_get_no_more_threads_than_the_caller_has() -> None:
    torch.set_num_threads(1)
    with worthwhile_threads(QRNN(lane=2, workspace=9, strategy="transfer"), 1, 1):
        assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("model", "batch", "words"),
    [
        (3, 1, "model must be a RecurrentNetwork.*got a int"),
        (QRNN(lane=1, workspace=2).cell, 1, "model must be a RecurrentNetwork.*got a QRNNCell"),
        (QRNN(lane=1, workspace=2), 2.5, r"batch must be an integer, got 2\.5"),
        (QRNN(lane=1, workspace=2), 0, "batch must be at least 1, got 0"),
    ],
)
def test_what_is_no_network_or_no_number_is_named(model: Any, batch: Any, words: str) -> None:  # noqa: ANN401
    with pytest.raises((TypeError, ValueError), match=words), worthwhile_threads(model, batch, 2):
        pass
    assert torch.get_num_threads() == 2
