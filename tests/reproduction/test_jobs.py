from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_circuits.reproduction.jobs import training_figures
from qrnn_circuits.tasks import Xor
from qrnn_circuits.training import RunConfig, SeedResult, Trainer, load_run, read_scalars


def trained(folder: Path, **changes: object) -> SeedResult:
    settings: dict[str, Any] = {
        "workspace": 2,
        "degree": 1,
        "optimizer": "sgd",
        "learning_rate": 1.0,
        "steps": 6,
        "validate_every": 2,
        "batch_size": 4,
        "task_options": {"length": 6},
    }
    config = RunConfig.resolve("xor", settings | changes, recipe="none")
    result = Trainer.start(config, folder).run()
    return SeedResult(0, folder, result.step, result.standing.best, result.reason, None)


def test_figures_are_those_of_all_validations_and_of_the_best_ones_test(tmp_path: Path) -> None:
    figures = training_figures(trained(tmp_path))
    losses = [loss for _, loss in read_scalars(tmp_path, "validation/loss")]
    assert figures["least_validation_loss"] == min(losses) < losses[-1]
    assert figures["last_validation_loss"] == losses[-1]
    assert (figures["steps"], figures["steps_to_stop"]) == (6, None)
    run = load_run(tmp_path)
    assert figures["best_step"] == run.step < 6
    test = Xor(length=6).test()
    output = run.model(test.inputs, test.outcomes)
    chosen = output.log_probs.exp()[test.scored]
    right = test.outcomes[test.scored]
    probabilities = chosen.gather(1, right[:, None])[:, 0].detach().double().numpy()
    wrong = (chosen.argmax(1) != right).double().numpy()
    assert figures["answers"] == len(wrong)
    for name, values in (("test", wrong), ("sampled", 1 - probabilities)):
        assert figures[f"{name}_error"] == pytest.approx(values.mean(), rel=1e-5)
        error = np.std(values) / np.sqrt(len(values))
        assert figures[f"{name}_standard_error"] == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("aim", [{"stop_loss": 100.0}, {"stop_error": 0.99}])
def test_the_steps_to_a_stop_are_known_where_an_aim_was_reached(
    tmp_path: Path, aim: dict[str, float]
) -> None:
    figures = training_figures(trained(tmp_path, steps=100, **aim))
    assert figures["steps"] == figures["steps_to_stop"] < 100
