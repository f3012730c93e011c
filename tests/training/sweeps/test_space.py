from pathlib import Path
from typing import Any

import pytest

from qrnn_circuits.training import RunConfig, Sweep
from qrnn_circuits.training.sweeps.space import Choices, Range, SweepSpace


def test_lists_and_tables_vary_and_the_rest_is_fixed() -> None:
    space = SweepSpace(
        "xor",
        {
            "steps": 20,
            "workspace": {"low": 2, "high": 5},
            "learning_rate": {"low": 1, "high": 2.5, "log": True},
            "seed": [3, 1],
            "task_options": {"length": [6, 9]},
        },
    )
    assert space.varied == {
        "workspace": Range(2, 5, log=False),
        "learning_rate": Range(1.0, 2.5, log=True),
        "seed": Choices((3, 1)),
        "length": Choices((6, 9)),
    }
    assert [type(space.varied[name].low) for name in ("workspace", "learning_rate")] == [int, float]  # type: ignore[union-attr]
    assert not space.is_grid
    values = {"workspace": 3, "learning_rate": 1.5, "seed": 1, "length": 9}
    expected = {
        "steps": 20,
        "workspace": 3,
        "learning_rate": 1.5,
        "seed": 1,
        "task_options": {"length": 9},
    }
    assert space.config(values) == RunConfig.resolve("xor", expected)


def test_a_grid_has_every_combination_once() -> None:
    space = SweepSpace("xor", {"optimizer": ["adam", "sgd"], "seed": [0, 1, 2]})
    assert space.is_grid
    assert list(space.grid()) == [
        {"optimizer": optimizer, "seed": seed}
        for optimizer in ("adam", "sgd")
        for seed in (0, 1, 2)
    ]


def test_the_settings_in_which_spaces_differ_are_named() -> None:
    space = SweepSpace("xor", {"seed": [0, 1], "task_options": {"length": 6}})
    assert space.differences(SweepSpace("xor", dict(space.settings))) == []
    other = SweepSpace("xor", {"seed": [0], "task_options": {"length": 6}, "steps": 3})
    assert space.differences(other) == ["seed is [0, 1], got [0]", "steps is None, got 3"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 3}, r"must vary some setting: give one a list"),
        ({"sed": [1]}, "unknown setting 'sed'; did you mean"),
        ({"task_options": {"lenth": [1]}}, "has no option 'lenth'; did you mean length"),
        ({"seed": []}, r"seed must list at least one value, got \[\]"),
        ({"seed": [1, 1.0]}, r"seed must list each value once, got \[1, 1.0\]"),
        ({"seed": [[1]]}, r"seed must list numbers, strings or booleans, got \[1\]"),
        ({"seed": {"low": 1, "hihg": 2}}, "seed has an unknown key 'hihg' .*did you mean high"),
        ({"seed": {"low": 1}}, "seed must have a number for high in its range, got None"),
        ({"seed": {"low": "1", "high": 2}}, "seed must have a number for low .*got '1'"),
        ({"seed": {"low": 2, "high": 2}}, "seed must have a range from low to high, got 2 to 2"),
        ({"seed": {"low": 0, "high": float("inf")}}, "seed must have a finite high"),
        ({"seed": {"low": 0, "high": 1, "log": True}}, "seed must have a range above 0"),
        ({"seed": {"low": 0, "high": 1, "log": 1}}, "seed must have true or false for log"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        SweepSpace("xor", settings)


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="task must be one of memorise"):
        SweepSpace("xr", {"seed": [0]})


def test_what_a_sweep_leaves_out_is_as_in_its_recipe_also_for_those_that_join(
    tmp_path: Path,
) -> None:
    pytest.importorskip("optuna")
    settings = {"steps": 3, "seed": [0, 1]}
    Sweep.open(tmp_path / "sweep", SweepSpace("xor", settings, "paper"))
    expected = RunConfig.resolve("xor", {"steps": 3}, recipe="paper")
    joined = Sweep.open(tmp_path / "sweep")
    assert joined.space.config({"seed": 0}) == expected
    assert expected != RunConfig.resolve("xor", {"steps": 3})
    with pytest.raises(ValueError, match="another sweep: recipe is 'paper', got None"):
        Sweep.open(tmp_path / "sweep", SweepSpace("xor", settings))
    with pytest.raises(ValueError, match=r"recipe must be .*paper"):
        Sweep.open(tmp_path / "none", SweepSpace("xor", settings, "papyrus"))
    assert not (tmp_path / "none").exists()


def test_a_trial_of_a_network_that_no_checkpoint_can_hold_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    sweep = Sweep.open(tmp_path, SweepSpace("xor", {"degree": {"low": 1, "high": 2}}), trials=1)
    monkeypatch.setattr("qrnn_circuits.training.checkpoint._LIMIT", 1)
    with sweep.take() as trial:
        assert trial is not None
        assert sweep.run(trial) is None
    (failed,) = sweep.trials()
    assert failed.state == "fail"
    assert "a network must have at most 1 bytes" in str(failed.reason)
