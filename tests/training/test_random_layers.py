"""Runs whose networks draw at random in training, as dropout does, and nowhere else."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qrnn_circuits.cells import QRNNCell
from qrnn_circuits.layers import HybridCell, HybridLayer
from qrnn_circuits.simulation.variational import Evaluate
from qrnn_circuits.training import (
    EnsembleTrainer,
    RunConfig,
    Trainer,
    evaluate,
    evaluate_forecast,
    load_run,
    read_scalars,
)
from tests.training.crashes import assert_crash_changes_nothing

SEEDS = range(2)
Make = Callable[..., RunConfig]


class RestlessCell(QRNNCell):
    """Reads the other symbol half of the times in training."""

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        if self.training:
            inputs = inputs ^ torch.randint(2, inputs.shape)
        return super().forward(inputs, state)


class ForgetfulCell(HybridCell):
    """Drops parts of what it reads by a module of PyTorch."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self.forget = nn.Dropout(0.5)

    def bank_sizes(self, features: int, hidden: int) -> Sequence[tuple[int, int]]:
        return ((1, hidden + features),)

    def step(
        self, inputs: Tensor, state: Tensor, circuits: Sequence[Evaluate]
    ) -> tuple[Tensor, Tensor]:
        values = torch.cat((state, self.forget(inputs)), -1)
        (state,) = self.banks[0](values, circuits[0])
        return state, state


class ForgetfulLayer(HybridLayer):
    cell_type = ForgetfulCell


def restless(**changes: object) -> RunConfig:
    """A run of symbols whose cell draws."""
    options = {"length": 6, "reading": "every"}
    sizes = {"workspace": 1, "degree": 1, "batch_size": 4, "cell": RestlessCell}
    settings: dict[str, Any] = {**sizes, "steps": 6, "validate_every": 3, "task_options": options}
    return RunConfig.resolve("xor", settings | changes, recipe="none")


def dropping(**changes: object) -> RunConfig:
    """A forecast whose layers drop what one hands to the next."""
    settings: dict[str, Any] = {
        "cell": "qrnn,dropout=0.5",
        "num_layers": 2,
        "hidden_size": 2,
        "steps": 6,
        "validate_every": 3,
        "dtype": "float64",
        "task_options": {"series": "sines", "points": 40, "window": 2},
    }
    return RunConfig.resolve("forecast", settings | changes, recipe="none")


def forgetful(**changes: object) -> RunConfig:
    """A forecast by a layer of one's own."""
    return dropping(cell=ForgetfulLayer, num_layers=1, **changes)


def test_networks_are_validated_and_tested_without_dropping(tmp_path: Path) -> None:
    Trainer.start(dropping(), tmp_path / "forecast").run()
    run = load_run(tmp_path / "forecast", "last")
    assert not run.model.training
    batch = run.task.validation()
    expected = (run.model(batch.inputs) - batch.targets).square().mean().item()
    (_, found) = read_scalars(tmp_path / "forecast", "validation/loss")[-1]
    assert found == pytest.approx(expected, rel=1e-6)
    figures = evaluate_forecast(run)
    run.model.train()
    assert evaluate_forecast(run) == figures
    assert run.model.training
    assert run.model.layer.training

    Trainer.start(restless(), tmp_path / "symbols").run()
    symbols = load_run(tmp_path / "symbols", "last").of_symbols()
    test = symbols.task.validation()
    expected = symbols.model.loss(*test.tensors).item()
    (_, found) = read_scalars(tmp_path / "symbols", "validation/loss")[-1]
    assert found == pytest.approx(expected, rel=1e-5)
    answers = evaluate(symbols)
    symbols.model.train()
    assert evaluate(symbols) == answers


@pytest.mark.parametrize("make", [dropping, restless])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_what_is_drawn_is_the_same_in_every_run_of_a_seed_and_after_a_crash(
    tmp_path: Path, make: Make, optimizer: str
) -> None:
    config = make(optimizer=optimizer, checkpoint_every=2)
    assert_crash_changes_nothing(config, tmp_path, step=5)


@pytest.mark.parametrize("make", [dropping, forgetful, restless])
def test_seeds_together_draw_what_each_draws_by_itself(tmp_path: Path, make: Make) -> None:
    config = make(dtype="float64")
    EnsembleTrainer.start(config, SEEDS, tmp_path / "together").run()
    for seed in SEEDS:
        Trainer.start(replace(config, seed=seed), tmp_path / f"seed-{seed}").run()
        together, alone = (
            load_run(folder / f"seed-{seed}", "last").model.state_dict()
            for folder in (tmp_path / "together", tmp_path)
        )
        for name, values in alone.items():
            if isinstance(values, Tensor):
                torch.testing.assert_close(together[name], values, rtol=0, atol=1e-9)


def test_a_step_leaves_the_random_numbers_of_others_as_they_were(tmp_path: Path) -> None:
    trainer = Trainer.start(dropping(), tmp_path / "run")
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    trainer.run()
    assert torch.equal(torch.rand(1), expected)
