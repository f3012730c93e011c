import gc
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import nn

from qrnn_circuits import QRNN, Initialisation, QRNNCell
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import Task
from qrnn_circuits.training import RunConfig
from tests.dense import DenseCell, monomials_of_parities

# How long an example takes says more about the machine than about the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


def pytest_collection_finish() -> None:
    """Spares the garbage collector the walk over all that was imported and collected."""
    gc.collect()
    gc.freeze()


WIDE = Initialisation(bias_spread=0.5, weight_spread=0.5, theta_spread=0.5)


def qrnn_cell(network: nn.Module) -> QRNNCell:
    """The cell of a network that is known to be a QRNN."""
    assert isinstance(network, RecurrentNetwork)
    assert isinstance(network.cell, QRNNCell)
    return network.cell


def task_of(config: RunConfig) -> Task:
    """The task of a run that is known to be one of symbols."""
    task = config.build_task()
    assert isinstance(task, Task)
    return task


def network_of(config: RunConfig, device: torch.device | None = None) -> RecurrentNetwork:
    """The untrained network of a run that is known to be one of symbols."""
    model = config.build_model(device)
    assert isinstance(model, RecurrentNetwork)
    return model


def sized(*sizes: tuple[int, ...]) -> list[Any]:
    """Parameters of tests: sizes of a network by their names, and what follows them.

    Args:
        sizes: Workspace, lane, stages, order and degree, and further parameters.
    """
    names = ("workspace", "lane", "stages", "order", "degree")
    return [
        pytest.param(dict(zip(names, each, strict=False)), *each[5:], id="-".join(map(str, each)))
        for each in sizes
    ]


@pytest.fixture
def make_model() -> Callable[..., QRNN]:
    """Models in float64 with parameters far from their symmetric initial values."""

    def make(*, seed: int = 0, **options: object) -> QRNN:
        defaults: dict[str, object] = {
            "initialisation": WIDE,
            "generator": torch.Generator().manual_seed(seed),
            "dtype": torch.float64,
        }
        return QRNN(**(defaults | options))  # type: ignore[arg-type]

    return make


@pytest.fixture
def dense_cell() -> Callable[[QRNN], DenseCell]:
    """The independent dense twin of a model's cell."""

    def make(model: QRNN) -> DenseCell:
        cell = model.cell
        coefficients = cell.neuron_coefficients.detach().double().numpy()
        if cell.basis == "parities":
            controls = cell.lane + cell.workspace - 1
            rows = [monomials_of_parities(row, controls, cell.degree) for row in coefficients]
            coefficients = np.array(rows)
        return DenseCell(
            lane=cell.lane,
            workspace=cell.workspace,
            stages=cell.stages,
            order=cell.order,
            degree=cell.degree,
            semantics=cell.semantics,
            coefficients=coefficients,
            theta=cell.theta.detach().double().numpy(),
        )

    return make


@pytest.fixture
def random_symbols() -> Callable[..., torch.Tensor]:
    def draw(model: QRNN, batch: int, steps: int, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(2**model.cell.lane, (batch, steps), generator=generator)

    return draw


@pytest.fixture
def needed_options(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """The options without which a task cannot be built."""

    def options(task: str) -> dict[str, Any]:
        if task == "forecast":
            return {"series": "bessel", "points": 60}
        if task != "sequences":
            return {}
        path = tmp_path / "sequences.txt"
        path.write_text("abcd\nbcda\ncdab\ndabc\nacbd\n", encoding="utf-8")
        return {"data": str(path)}

    return options


@pytest.fixture
def small_disk() -> Callable[[int], AbstractContextManager[None]]:
    """Files cannot grow beyond some bytes: writing fails with OSError, as on a full disk."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit
