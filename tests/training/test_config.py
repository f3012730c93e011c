import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.tasks import TASKS, BaseTask
from qrnn_circuits.tasks.recipes import choose_recipe
from qrnn_circuits.training import RunConfig
from qrnn_circuits.training.task_options import build_task
from tests.conftest import network_of, qrnn_cell, task_of

Tiny = Callable[..., RunConfig]
Needed = Callable[[str], dict[str, Any]]


def default_recipe(task: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return choose_recipe(build_task(task, options or {}))


@pytest.mark.parametrize("task", TASKS.names())
def test_the_default_recipe_of_a_task_makes_a_network(task: str, needed_options: Needed) -> None:
    config = RunConfig.resolve(task, {"task_options": needed_options(task)})
    recipe = default_recipe(task, needed_options(task))
    assert recipe
    assert recipe.pop("task_options", {}).items() <= config.task_options.items()
    for name, value in recipe.items():
        assert getattr(config, name) == value
    if config.of_series:
        assert isinstance(config.build_model(), Forecaster)
        return
    model = network_of(config)
    assert model.cell.lane == task_of(config).lane
    assert model.cell.workspace == config.workspace


def test_later_layers_replace_earlier_ones_and_all_replace_what_the_task_recommends() -> None:
    recommended = RunConfig.resolve("xor")
    assert recommended.degree == default_recipe("xor")["degree"]
    config = RunConfig.resolve("xor", {"degree": 2, "seed": 1}, {"seed": 2})
    assert (config.degree, config.seed) == (2, 2)
    assert config.batch_size == default_recipe("xor")["batch_size"]
    assert config.optimizer == "adam"


def test_an_integer_counts_as_a_number() -> None:
    assert isinstance(RunConfig.resolve("xor", {"learning_rate": 1}).learning_rate, float)


def test_task_options_are_merged_one_by_one_and_filled_in() -> None:
    config = RunConfig.resolve(
        "digits",
        {"task_options": {"digits": "0-9", "generate": True}},
        {"task_options": {"generate": False}},
    )
    assert config.task_options["digits"] == "0-9"
    assert config.task_options["generate"] is False
    assert config.task_options["data"] == "embedded"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("task", "xr", "task must be one of memorise, .*got 'xr'"),
        ("workspace", 0, "workspace must be at least 1, got 0"),
        ("workspace", "4", "workspace must be an integer, got '4'"),
        ("workspace", True, "workspace must be an integer, got True"),
        ("lane", 1, "lane must be at least 2, got 1"),
        ("stages", -1, "stages must be from 0 to 4096, got -1"),
        ("stages", 2**31, "stages must be from 0 to 4096"),
        ("batch_size", 2**31, "batch_size must be from 1 to 1048576"),
        ("history", 2**40, "history must be from 1 to 65536"),
        ("order", -1, "order must be at least 0"),
        ("degree", 1.5, "degree must be an integer, got 1.5"),
        ("semantics", "exact", "semantics must be one of postselected, unitary, got 'exact'"),
        ("strategy", "fast", "strategy must be one of auto"),
        ("dtype", "float16", "dtype must be one of float32, float64, got 'float16'"),
        ("device", "tpu", "device must be one of cpu, cuda, got 'tpu'"),
        ("optimizer", "adamw", "optimizer must be one of adam, sgd, rmsprop, lbfgs"),
        ("loss", "mse", "loss must be one of nll, paper"),
        ("learning_rate", 0, "learning_rate must be greater than 0"),
        ("learning_rate", float("nan"), "learning_rate must be finite and at least 0, got nan"),
        ("learning_rate", "fast", "learning_rate must be a number, got 'fast'"),
        ("bias_spread", -1, "bias_spread must be finite and at least 0, got -1"),
        ("batch_size", 0, "batch_size must be from 1 to 1048576"),
        ("steps", 0, "steps must be at least 1"),
        ("seed", -1, "seed must be at least 0"),
        ("decay", "linear", "decay must be one of"),
        ("clip_norm", 0, "clip_norm must be greater than 0"),
        ("readout_learning_rate", 0, "readout_learning_rate must be greater than 0"),
        ("patience", 0, "patience must be at least 1"),
        ("stop_loss", float("inf"), "stop_loss must be finite"),
        ("stop_error", "1%", "stop_error must be a number"),
        ("stop_error", 2, "stop_error must be a share of the answers, from 0 to 1, got 2"),
        ("task_options", {"lenth": 3}, "has no option 'lenth'; did you mean length?"),
        (
            "task_options",
            {"digits": "0,1"},
            "'xor' has no option 'digits'; it is an option of digits",
        ),
        ("task_options", {"length": 0}, "length must be from 2 to 1048576, got 0"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_is_accepted(
    field: str, value: object, message: str
) -> None:
    values: dict[str, Any] = {"task": "xor", field: value}
    with pytest.raises((TypeError, ValueError), match=message):
        RunConfig(**values)


def test_a_layer_of_another_task_is_refused() -> None:
    with pytest.raises(ValueError, match="task must be 'xor' here, got 'dna'"):
        RunConfig.resolve("xor", {"task": "dna"})


def test_a_history_without_lbfgs_is_refused() -> None:
    with pytest.raises(ValueError, match="history is for the optimizer 'lbfgs', not for 'adam'"):
        RunConfig.resolve("xor", {"history": 3})


def test_a_setting_that_the_cell_has_otherwise_is_refused() -> None:
    message = "order must be given once, got 0 and, with the cell, 1"
    with pytest.raises(ValueError, match=message):
        RunConfig.resolve("xor", {"cell": "qrnn,order=1", "order": 0})
    for given in ({"order": 1}, {}):  # That of the recipe gives way.
        config = RunConfig.resolve("xor", {"cell": "qrnn,order=1", **given})
        assert dict(config.sizes(config.build_model()))["order"] == 1


def test_rotations_of_a_cell_that_cannot_be_pruned_are_refused_before_training() -> None:
    with pytest.raises(ValueError, match=r"got 0\.5 for unitary ones of order 1, which"):
        RunConfig.resolve("xor", {"cell": "qrnn,order=1", "prune_tolerance": 0.5})


@pytest.mark.parametrize(
    ("name", "other"), [("acceptance_warmup", "acceptance_weight"), ("theta_spread", "stages")]
)
def test_a_setting_without_the_one_that_it_needs_is_refused(name: str, other: str) -> None:
    with pytest.raises(ValueError, match=f"{name} needs {other}, which is 0, got 3: give both"):
        RunConfig.resolve("xor", {name: 3})
    assert getattr(RunConfig.resolve("xor", {name: 0}), name) == 0
    # A sweep over the other may come to 0.
    for value in (0, 1):
        assert getattr(RunConfig.resolve("xor", {name: 3, other: value}), name) == 3


@pytest.mark.parametrize("name", ["clip_norm", "readout_learning_rate"])
def test_what_is_not_for_lbfgs_is_refused_and_left_out_where_the_task_recommends_it(
    name: str,
) -> None:
    with pytest.raises(ValueError, match=f"{name} is not for the optimizer 'lbfgs'"):
        RunConfig.resolve("digits", {"optimizer": "lbfgs", name: 1.0})
    pixels = {"task_options": {"data": "folder"}}
    assert getattr(RunConfig.resolve("digits", pixels), name) is not None
    assert getattr(RunConfig.resolve("digits", pixels, {"optimizer": "lbfgs"}), name) is None


@pytest.mark.parametrize("name", ["learning_rate", "readout_learning_rate"])
def test_a_rate_beyond_the_numbers_of_the_network_is_refused(tiny: Tiny, name: str) -> None:
    for rate, dtype in ((1e38, "float32"), (1e39, "float64")):
        tiny(**{name: rate}, dtype=dtype)
    with pytest.raises(ValueError, match=rf"{name} must be at most 3\.403e\+38, .*got 1e\+39"):
        tiny(**{name: 1e39}, dtype="float32")


def test_the_learning_rate_falls_along_half_a_cosine(tiny: Tiny) -> None:
    config = tiny(decay="cosine", learning_rate=0.5, steps=4)
    rates = [config.schedule.learning_rate(step) for step in range(4)]
    assert rates == pytest.approx([0.5, 0.25 * (1 + 0.5**0.5), 0.25, 0.25 * (1 - 0.5**0.5)])
    assert tiny(learning_rate=0.5).schedule.learning_rate(3) == 0.5


def test_the_steps_of_a_decaying_run_stay_as_they_are(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match="steps is 12, got 99"):
        tiny(decay="cosine").changed({"steps": 99})


@pytest.mark.parametrize("task", TASKS.names())
def test_a_configuration_comes_back_through_json(task: str, needed_options: Needed) -> None:
    layer = {"patience": 3, "stop_error": 0, "task_options": needed_options(task)}
    config = RunConfig.resolve(task, layer)
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_equal_seeds_give_equal_networks_and_other_seeds_do_not(tiny: Tiny) -> None:
    first, again, other = (
        qrnn_cell(tiny(seed=seed).build_model()).coefficients for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_batches_do_not_repeat_the_draws_of_the_initialisation(tiny: Tiny) -> None:
    config = tiny(weight_spread=1.0, dtype="float64")
    initial = qrnn_cell(config.build_model()).coefficients
    draws = torch.randn(initial.shape, generator=config.batch_generator(), dtype=torch.float64)
    assert not torch.isclose(initial, draws).any()


def test_the_spreads_and_the_type_reach_the_network(tiny: Tiny) -> None:
    config = tiny(bias_spread=0, theta_spread=0, weight_spread=0.5, dtype="float64")
    cell = qrnn_cell(config.build_model())
    assert cell.theta.dtype == torch.float64
    assert not cell.theta.any()
    assert torch.equal(
        cell.coefficients[:, 0], torch.full_like(cell.coefficients[:, 0], torch.pi / 2)
    )
    whole = qrnn_cell(replace(config, weight_spread=1.0).build_model())
    torch.testing.assert_close(cell.coefficients[:, 1:], whole.coefficients[:, 1:] / 2)
    assert whole.coefficients[:, 1:].all()


def test_spreads_that_are_left_out_follow_from_the_order(tiny: Tiny) -> None:
    for order, spreads in ((0, (0.05, 0.02)), (1, (0.1, 0.0))):
        config = tiny(order=order)
        assert (config.bias_spread, config.weight_spread) == (None, None)
        given = tiny(order=order, bias_spread=spreads[0], weight_spread=spreads[1])
        drawn, expected = (qrnn_cell(each.build_model()).coefficients for each in (config, given))
        assert torch.equal(drawn, expected)
        assert RunConfig.from_json(config.to_json()) == config


def test_networks_of_order_0_are_called_unitary() -> None:
    for recipe, order in (("paper", 0), ("none", 0), ("chip", None)):
        config = RunConfig.resolve("xor", {} if order is None else {"order": order}, recipe=recipe)
        assert (config.order, config.semantics) == (0, "unitary")
    assert RunConfig.resolve("xor", {"order": 1}, recipe="paper").semantics == "postselected"


def test_the_schedule_of_a_run_may_change(tiny: Tiny) -> None:
    changes = {
        "steps": 99,
        "validate_every": 7,
        "checkpoint_every": 8,
        "patience": 9,
        "stop_loss": 0.1,
        "stop_error": 0.2,
        "device": "cuda",
    }
    config = tiny().changed(changes)
    assert config == tiny(**changes)


def test_every_setting_that_contradicts_a_run_is_named_with_both_values(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match=r"learning_rate is 0\.005, got 0\.1; length is 6, got 9"):
        tiny().changed({"learning_rate": 0.1, "seed": 0, "task_options": {"length": 9}})
    with pytest.raises(ValueError, match="a run of the task 'xor', not 'dna'"):
        tiny().changed({"task": "dna"})


def test_the_data_of_a_run_may_move_to_another_folder_but_not_become_others() -> None:
    config = RunConfig.resolve("digits", {"task_options": {"data": "/old"}})
    moved = config.changed({"task_options": {"data": "/new"}})
    assert moved.task_options["data"] == "/new"
    with pytest.raises(ValueError, match="data is '/old', got 'embedded'"):
        config.changed({"task_options": {"data": "embedded"}})


@pytest.mark.parametrize("given", ["chip", None, 3, [("steps", 5)]])
def test_settings_are_named_and_no_recipe_stands_in_their_place(given: object) -> None:
    with pytest.raises(TypeError, match=r"settings must be a Mapping, got .*recipe='chip'"):
        RunConfig.resolve("xor", given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "settings"),
    [("memorise", {"basis": "parities"}), ("forecast", {"task_options": {"series": "sines"}})],
)
def test_a_sketch_has_the_shapes_of_the_network_without_numbers(
    task: str, settings: dict[str, Any]
) -> None:
    config = RunConfig.resolve(task, settings)
    sketch, model = config.sketch().state_dict(), config.build_model().state_dict()
    assert all(tensor.is_meta for tensor in sketch.values())
    assert [tensor.shape for tensor in sketch.values()] == [t.shape for t in model.values()]
    assert sketch.keys() == model.keys()


def test_a_task_has_numbers_also_where_its_network_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    devices = []

    def made(*given: Any) -> BaseTask:  # noqa: ANN401
        devices.append(torch.get_default_device().type)
        return build_task(*given)

    monkeypatch.setattr("qrnn_circuits.training.config.build_task", made)
    RunConfig.resolve("forecast", {"task_options": {"series": "sines"}}).sketch()
    assert set(devices) == {"cpu"}
