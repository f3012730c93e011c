from collections.abc import Callable
from pathlib import Path

import pytest

from qrnn_circuits.training import RunConfig, Trainer, read_scalars
from qrnn_circuits.training.optimizers import build_optimizer

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
    )
    Trainer.start(config, tmp_path / "run").run()
    losses = [loss for _, loss in read_scalars(tmp_path / "run", "train/loss")]
    assert losses[-1] < losses[0] / 2


def test_the_learning_rate_and_the_history_reach_the_optimizer(tiny: Tiny) -> None:
    config = tiny(optimizer="lbfgs", learning_rate=0.3, history=7)
    (group,) = build_optimizer(config, config.build_model().parameters()).param_groups
    assert (group["lr"], group["history_size"]) == (0.3, 7)
