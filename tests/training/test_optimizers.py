from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qrnn_circuits.training import RunConfig, Trainer, read_scalars
from qrnn_circuits.training.optimizers import build_optimizer
from tests.conftest import qrnn_cell

Tiny = Callable[..., RunConfig]


@pytest.mark.parametrize(
    ("optimizer", "learning_rate", "steps"),
    [("sgd", 0.1, 60), ("rmsprop", 0.02, 40), ("adam", 0.05, 40), ("lbfgs", 1.0, 4)],
)
def test_every_optimizer_lowers_the_loss(
    tmp_path: Path, optimizer: str, learning_rate: float, steps: int
) -> None:
    config = RunConfig.resolve(
        "memorise",
        {
            "task_options": {"length": 4},
            "workspace": 2,
            "stages": 1,
            "degree": 2,
            "optimizer": optimizer,
            "learning_rate": learning_rate,
            "steps": steps,
        },
        recipe="paper",
    )
    Trainer.start(config, tmp_path / "run").run()
    losses = [loss for _, loss in read_scalars(tmp_path / "run", "train/loss")]
    assert losses[-1] < losses[0] / 2


def test_the_learning_rate_and_the_history_reach_the_optimizer(tiny: Tiny) -> None:
    config = tiny(optimizer="lbfgs", learning_rate=0.3, history=7)
    (group,) = build_optimizer(config, config.build_model()).param_groups
    assert (group["lr"], group["history_size"]) == (0.3, 7)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_the_readout_moves_as_at_its_own_learning_rate_and_all_else_as_before(
    tiny: Tiny, optimizer: str
) -> None:
    def parameters_after(**rates: float) -> tuple[torch.Tensor, torch.Tensor]:
        config = tiny(optimizer=optimizer, dtype="float64", **rates)
        model = config.build_model()
        stepper = build_optimizer(config, model)
        generator = torch.Generator().manual_seed(0)
        for _ in range(3):
            # Gradients that do not depend on the parameters, so that rates act on their own.
            for parameter in model.parameters():
                parameter.grad = torch.randn(
                    parameter.shape, generator=generator, dtype=torch.float64
                )
            stepper.step()
        cell = qrnn_cell(model)
        rest = torch.cat([cell.coefficients.detach().flatten(), cell.theta.detach().flatten()])
        return cell.readout_coefficients.detach(), rest

    readout, rest = parameters_after(learning_rate=0.01, readout_learning_rate=0.3)
    assert torch.allclose(rest, parameters_after(learning_rate=0.01)[1], rtol=0, atol=0)
    assert torch.allclose(readout, parameters_after(learning_rate=0.3)[0], rtol=1e-12)
    assert not torch.allclose(readout, parameters_after(learning_rate=0.01)[0])
