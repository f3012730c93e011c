"""Tasks and cells that the package does not know, in Python."""

import json
import pkgutil
from collections.abc import Callable
from dataclasses import fields, replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from qrnn_circuits import RecurrentNetwork
from qrnn_circuits.cells import CELLS, Cell, register_cell
from qrnn_circuits.command_line.train import train
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS
from qrnn_circuits.settings.run_settings import TAKEN_NAMES
from qrnn_circuits.tasks import TASKS, Batch, register_task
from qrnn_circuits.training import RunConfig, Trainer, evaluate, load_run
from tests.cells.rotation_cell import RotationCell
from tests.custom_task import Echo

ROTATION = "tests.cells.rotation_cell:RotationCell"
ECHO = "tests.custom_task:Echo"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names echo and rotation, for one test."""
    for registry in (TASKS, CELLS):
        monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    register_task(Echo)
    register_cell("rotation", RotationCell)


@pytest.mark.parametrize("task", [ECHO, Echo, Echo(bits=3), "tests.custom_task:echo_of_three"])
def test_a_task_is_given_by_its_place_its_class_or_an_object(task: str | type[Echo] | Echo) -> None:
    config = RunConfig.resolve(task)
    assert config.build_task() == (Echo() if task in (ECHO, Echo) else Echo(bits=3))
    assert (config.workspace, config.steps) == (2, 30)
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert RunConfig.resolve(task, recipe="wide").workspace == 3
    assert RunConfig.resolve(task, recipe="none").workspace == RunConfig(task="xor").workspace


def test_registered_names_stand_for_the_same(registered: None) -> None:
    config = RunConfig.resolve(Echo, {"cell": RotationCell})
    assert (config.task, config.cell) == ("echo", "rotation")
    assert config == RunConfig.resolve("echo", {"cell": "rotation"})


def test_what_other_processes_cannot_find_is_refused() -> None:
    class Local(Echo):
        pass

    with pytest.raises(ValueError, match="must be found again by other processes"):
        RunConfig.resolve(Local)
    with pytest.raises(ValueError, match=r"Missing.* cannot be imported"):
        RunConfig.resolve("tests.custom_task:Missing")
    with pytest.raises(ValueError, match="must be a Task, of symbols, or a Forecast"):
        RunConfig.resolve(ROTATION)


class NumberedCell(RotationCell):
    """A cell that looks at its numbers as it is made."""

    def __init__(self, *, lane: int, workspace: int, reader: str) -> None:
        super().__init__(lane=lane, workspace=workspace)
        self.first = getattr(self.angles.detach(), reader)()[0]


@pytest.mark.parametrize("reader", ["tolist", "numpy"])
def test_a_cell_that_needs_numbers_to_be_made_is_trained_and_read_back(
    reader: str, tmp_path: Path
) -> None:
    cell = f"{__name__}:NumberedCell,reader={reader}"
    config = RunConfig.resolve(ECHO, {"cell": cell, "steps": 1})
    Trainer.start(config, tmp_path / "run").run()
    assert load_run(tmp_path / "run").step == 1
    assert Trainer.resume(tmp_path / "run", {"steps": 2}).step == 1


@pytest.mark.parametrize(
    ("task", "cell", "needed"),
    [
        ("xor", "qrnn_circuits.layers:QGRU", "a Cell, for symbols"),
        ("xor", "qlstm", "a Cell, for symbols"),
        ("forecast", ROTATION, "a layer called as torch.nn.RNN, for real values"),
        ("forecast", "rotation", "a layer called as torch.nn.RNN, for real values"),
    ],
)
def test_a_cell_of_the_other_kind_of_inputs_is_refused_by_kind(
    registered: None, task: str, cell: str, needed: str
) -> None:
    options = {"series": "bessel"} if task == "forecast" else {}
    for cells in (cell, pkgutil.resolve_name(cell)) if ":" in cell else (cell,):
        with pytest.raises(ValueError, match=f"cell must be {needed}.*{task}"):
            RunConfig.resolve(task, {"cell": cells, "task_options": options})
        with pytest.raises(ValueError, match=f"cell must be {needed}.*{task}"):
            RunConfig(task=task, cell=cells, task_options=options)


def test_a_task_of_neither_symbols_nor_forecasts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a Task, of symbols, or a Forecast"):
        RunConfig.resolve("tests.custom_task:Unlabelled")


def test_a_layer_that_takes_no_size_by_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must take the argument hidden_size.*\*args"):
        RunConfig.resolve("forecast", {"cell": "torch.nn:RNN", "task_options": {"series": "sines"}})


def test_another_cell_trains_is_resumed_and_evaluated(tmp_path: Path) -> None:
    fields = {"cell": ROTATION, "workspace": 1, "cell_options": {"layers": 2}, "steps": 60}
    rates = {"learning_rate": 0.1, "checkpoint_every": 20}
    Trainer.start(RunConfig.resolve(ECHO, fields, rates), tmp_path / "whole").run()
    Trainer.start(RunConfig.resolve(ECHO, fields, rates, {"steps": 30}), tmp_path / "cut").run()
    Trainer.resume(tmp_path / "cut", {"steps": 60}).run()
    whole, cut = load_run(tmp_path / "whole", "last"), load_run(tmp_path / "cut", "last")
    assert isinstance(whole.model.cell, RotationCell)
    for one, other in zip(whole.model.parameters(), cut.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert evaluate(load_run(tmp_path / "whole")).test_error == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"degree": 2}, "takes no degree"),
        ({"bias_spread": 0.3}, "takes no bias_spread"),
        ({"cell_options": {"depth": 2}}, "'depth'; its options are"),
        ({"readout_learning_rate": 0.1}, "a RotationCell has not"),
        ({"cell_options": {"device": "cuda"}}, "settings device, .*, got {'device': 'cuda'}"),
        ({"cell": f"{ROTATION},dtype=float16"}, "settings device, dtype, .*, got {'dtype'"),
    ],
)
def test_a_setting_that_a_cell_has_no_use_for_is_refused(
    fields: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        Trainer.start(RunConfig.resolve(ECHO, {"cell": ROTATION}, fields), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_cell_that_must_be_read_is_refused_by_tasks_with_unread_steps(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fields = {"cell": ROTATION, "workspace": 2, "steps": 2}
    unread = RunConfig.resolve("xor", fields, recipe="default")
    with pytest.raises(ValueError, match=r"RotationCell must be read .* give reading='every'"):
        Trainer.start(unread, folder)
    assert not folder.exists()
    every = RunConfig.resolve("xor", fields, {"task_options": {"reading": "every"}}, recipe="none")
    assert Trainer.start(every, folder).run().step == 2


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("frozen", [True, False])
def test_a_cell_with_nothing_to_train_is_refused_before_anything_is_written(
    frozen: bool, tmp_path: Path
) -> None:
    class Fixed(Cell):
        def __init__(self, *, lane: int) -> None:
            super().__init__()
            self.lane, self.workspace = lane, 1
            if frozen:
                self.angle = nn.Parameter(torch.zeros(()), requires_grad=False)

        def forward(self, inputs: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(inputs, 2**self.lane)[..., None] * state[:, None]

    symbols = torch.tensor([[1, 0]])
    network = RecurrentNetwork(Fixed(lane=1))
    if frozen:
        assert network(symbols, symbols).log_probs.exp().tolist() == [[[0, 1], [1, 0]]]
    else:
        with pytest.raises(ValueError, match=r"a Fixed must have a parameter.*got none"):
            network(symbols, symbols)
    register_cell("fixed", Fixed)
    with pytest.raises(ValueError, match="cell must have a parameter that is trained, got 'fixed'"):
        Trainer.start(RunConfig.resolve(ECHO, {"cell": "fixed"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_option_that_is_called_as_a_setting_of_every_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"other names than the settings .* got order: rename"):
        RunConfig.resolve("tests.custom_task:Ordered")
    of_tasks = {each.name for task in BUILT_IN_TASKS.values() for each in fields(task)}  # type: ignore[arg-type]
    words = set(signature(train).parameters) - {"context"} - of_tasks
    assert words <= TAKEN_NAMES, "every further option of qrnn train is taken"


def test_a_task_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must have a name.* write name: ClassVar"):
        RunConfig.resolve("tests.custom_task:Nameless")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda batch: batch.tensors, r"batch of the task 'echo' must return a Batch, .*tuple"),
        (lambda batch: replace(batch, scored=batch.scored[0]), "must have one shape"),
        (
            lambda batch: Batch(*(each.T for each in batch.tensors)),
            r"asked for, 3, got .* \(4, 3\)",
        ),
    ],
)
def test_what_a_task_draws_is_checked_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Batch], Any], told: str
) -> None:
    right = Echo.batch
    monkeypatch.setattr(Echo, "batch", lambda *arguments: change(right(*arguments)))
    with pytest.raises((TypeError, ValueError), match=told):
        Trainer.start(RunConfig.resolve(ECHO), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_amplitudes_of_another_shape_than_a_cells_are_refused_where_they_would_broadcast() -> None:
    class Narrow(RotationCell):
        def forward(self, inputs: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
            return super().forward(inputs, state)[:, :, :1]

    network = RecurrentNetwork(Narrow(lane=1, workspace=1))
    symbols = torch.tensor([[0, 1]])
    with pytest.raises(ValueError, match=r"of shape \(1, 2, 2\), .* got \(1, 2, 1\)"):
        network.loss(symbols, symbols)
