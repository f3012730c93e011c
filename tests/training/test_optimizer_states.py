from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from qrnn_circuits.training import CheckpointError, RunConfig, Trainer
from qrnn_circuits.training.checkpoint import read_checkpoint, write_checkpoint
from qrnn_circuits.training.optimizer_states import load_state, state_differences

Tiny = Callable[..., RunConfig]
Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "lbfgs"])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_state_of_the_same_settings_has_no_differences(
    tmp_path: Path, tiny: Tiny, optimizer: str, steps: int
) -> None:
    config = tiny(optimizer=optimizer, steps=max(steps, 1))
    trainer = Trainer.start(config, tmp_path / "run")
    if steps:
        trainer.run()
    fresh = Trainer(config, tmp_path / "other").optimizer
    assert state_differences(trainer.optimizer.state_dict(), fresh) == []


def of_parameter(name: str, value: object) -> Change:
    return lambda state: state["state"][0].__setitem__(name, value)


def of_group(name: str, value: object) -> Change:
    return lambda state: state["param_groups"][0].__setitem__(name, value)


@pytest.mark.parametrize(
    ("optimizer", "change"),
    [
        ("adam", of_parameter("exp_avg", torch.zeros(3, 3))),
        ("adam", of_parameter("exp_avg", torch.zeros(()))),
        ("adam", of_parameter("step", "1")),
        ("adam", of_parameter("other", 1)),
        ("adam", lambda state: state["state"][0].pop("exp_avg_sq")),
        ("adam", lambda state: state["state"].update({9: state["state"][0]})),
        ("adam", lambda state: state["state"].update({0: None})),
        ("adam", lambda state: state.pop("state")),
        ("adam", lambda state: state["param_groups"].append({})),
        ("adam", lambda state: state["param_groups"].__setitem__(0, 1)),
        ("adam", of_group("params", [0])),
        ("adam", of_group("betas", (0.9, 2))),
        ("adam", of_group("lr", float("nan"))),
        ("adam", of_group("lr", "1")),
        ("rmsprop", of_parameter("square_avg", torch.zeros(1))),
        ("lbfgs", of_parameter("old_dirs", [])),
        ("lbfgs", of_parameter("ro", None)),
        ("lbfgs", of_parameter("al", [])),
        ("lbfgs", of_parameter("d", torch.zeros(2))),
        ("lbfgs", of_parameter("n_iter", 1.5)),
        ("lbfgs", of_parameter("prev_loss", "0")),
    ],
)
def test_a_state_of_another_form_cannot_be_gone_on_from(
    tmp_path: Path, tiny: Tiny, optimizer: str, change: Change
) -> None:
    Trainer.start(tiny(optimizer=optimizer, steps=3), tmp_path / "run").run()
    path = tmp_path / "run" / "last.safetensors"
    checkpoint = read_checkpoint(path)
    change(checkpoint.optimizer)  # type: ignore[arg-type]
    write_checkpoint(path, checkpoint)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"last\.safetensors is of another run: .*optimiser"):
        Trainer.resume(tmp_path / "run", {"steps": 4})
    assert path.read_bytes() == before


def test_a_state_is_compared_without_changing_the_optimiser(tmp_path: Path, tiny: Tiny) -> None:
    trainer = Trainer.start(tiny(steps=3), tmp_path / "run")
    trainer.run()
    before = deepcopy(trainer.optimizer.state_dict())
    values = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    state_differences(trainer.optimizer.state_dict(), trainer.optimizer)
    assert repr(trainer.optimizer.state_dict()) == repr(before)
    for parameter, value in zip(trainer.model.parameters(), values, strict=True):
        assert torch.equal(parameter, value)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "lbfgs"])
def test_a_setting_that_a_stored_state_does_not_know_stays_as_it_is(
    tmp_path: Path, tiny: Tiny, optimizer: str
) -> None:
    trainer = Trainer.start(tiny(optimizer=optimizer, steps=2), tmp_path / "run")
    trainer.run()
    state = trainer.optimizer.state_dict()
    known = {name: state["param_groups"][0][name] for name in ("lr", "initial_lr", "params")}
    older = {**state, "param_groups": [known]}
    fresh = Trainer(trainer.config, tmp_path / "other").optimizer
    assert state_differences(older, fresh) == []
    load_state(fresh, older)
    assert fresh.state_dict()["param_groups"] == state["param_groups"]
