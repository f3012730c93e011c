from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.settings.run_settings import RunSettings
from qrnn_circuits.training import RunConfig
from qrnn_circuits.training.schedule import Schedule

Tiny = Callable[..., RunConfig]


@given(restarts=st.integers(0, 4), after=st.integers(1, 20), rest=st.integers(0, 30))
def test_every_trial_takes_the_first_steps_of_an_attempt_and_the_last_one_ends_it(
    restarts: int, after: int, rest: int
) -> None:
    steps = (restarts + 1) * after + rest
    settings = RunSettings(
        task="xor", steps=steps, restarts=restarts, restart_after=after if restarts else None
    )
    schedule = Schedule(settings)
    positions = [schedule.position(step) for step in range(steps)]
    whole = list(range(schedule.attempt))
    assert positions == [*(whole[:after] * restarts), *whole]
    begun = [step for step in range(steps) if schedule.begins(step)]
    last = [(restarts + 1) * after] if restarts and rest else []
    assert begun == [after * trial for trial in range(1, restarts + 1)] + last


def test_the_rate_falls_along_half_a_cosine_which_every_trial_begins_anew() -> None:
    settings = RunSettings(
        task="xor", steps=8, learning_rate=0.2, decay="cosine", restarts=2, restart_after=2
    )
    rates = [Schedule(settings).learning_rate(step) for step in range(8)]
    falling = [0.2, 0.1 * (1 + sqrt(0.5)), 0.1, 0.1 * (1 - sqrt(0.5))]
    assert rates == pytest.approx([*falling[:2], *falling[:2], *falling])


def test_lengths_grow_over_two_thirds_of_an_attempt_up_to_that_of_the_task() -> None:
    schedule = Schedule(RunSettings(task="xor", steps=90, curriculum="3,6,12"))
    lengths = [schedule.length(step) for step in range(90)]
    assert lengths == [3] * 20 + [6] * 20 + [12] * 20 + [None] * 30


def test_the_weight_of_the_acceptance_grows_to_its_value() -> None:
    schedule = Schedule(
        RunSettings(task="xor", steps=9, acceptance_weight=0.4, acceptance_warmup=4)
    )
    weights = [schedule.acceptance_weight(step) for step in range(6)]
    assert weights == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    at_once = Schedule(RunSettings(task="xor", acceptance_weight=0.4))
    assert at_once.acceptance_weight(0) == 0.4


def test_weights_and_lengths_grow_anew_in_every_trial() -> None:
    weights = {"acceptance_weight": 0.4, "sparsity_weight": 1.0}
    once: dict[str, Any] = {**weights, "acceptance_warmup": 4, "curriculum": "3,6"}
    alone = Schedule(RunSettings(task="xor", steps=9, **once))
    tried: dict[str, Any] = {"restarts": 2, "restart_after": 3}
    schedule = Schedule(RunSettings(task="xor", steps=15, **once, **tried))
    order = [0, 1, 2, 0, 1, 2, *range(9)]
    for follow in ("acceptance_weight", "sparsity_weight", "length"):
        whole = [getattr(alone, follow)(step) for step in range(9)]
        assert [getattr(schedule, follow)(step) for step in range(15)] == [whole[i] for i in order]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"curriculum": "6,3"}, "curriculum must be growing lengths .* got '6,3'"),
        ({"curriculum": "a"}, "curriculum must be growing lengths .* got 'a'"),
        ({"curriculum": "3,60"}, "curriculum must not go beyond the length of the task, 6, got"),
        ({"curriculum": "1,3"}, "length must be from 2 to 1048576, got 1"),
        ({"restarts": 2}, "restarts and restart_after go together, got 2 and None"),
        ({"restart_after": 3}, "restarts and restart_after go together, got 0 and 3"),
        ({"restarts": 2, "restart_after": 5}, r"steps must be at least .*, 15, got 12"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    tiny: Tiny, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_a_curriculum_needs_a_task_with_a_length() -> None:
    with pytest.raises(ValueError, match="curriculum is for tasks with an option length, which"):
        RunConfig.resolve("quotes", {"curriculum": "3,6"})


def test_a_run_with_a_curriculum_keeps_its_number_of_steps(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match="steps is 12, got 24"):
        tiny(curriculum="2,3").changed({"steps": 24})


def test_the_weight_of_the_angles_grows_until_they_are_pruned() -> None:
    settings = RunSettings(task="xor", steps=8, sparsity_weight=0.6, prune_tolerance=0.1)
    schedule = Schedule(settings)
    weights = [schedule.sparsity_weight(step) for step in range(8)]
    assert weights == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.0, 0.0])
    assert [schedule.prune_tolerance(step) for step in range(8)] == [None] * 6 + [0.1] * 2
    never = Schedule(RunSettings(task="xor", steps=8, sparsity_weight=0.6))
    assert never.sparsity_weight(7) == 0.6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prune_tolerance": 0.1}, "prune_tolerance is for neurons of order 0 or postselected"),
        ({"cell": "tests.cells.rotation_cell:RotationCell"}, "takes no sparsity_weight, got 0.1"),
    ],
)
def test_what_cannot_be_made_sparse_is_refused(changes: dict[str, object], message: str) -> None:
    settings = {"order": 1, "semantics": "unitary", "sparsity_weight": 0.1}
    unused = () if "cell" not in changes else ("order", "semantics")
    given = {name: value for name, value in settings.items() if name not in unused}
    with pytest.raises(ValueError, match=message):
        RunConfig.resolve("xor", given, changes, recipe="none")


def test_a_recipe_that_prunes_serves_neurons_that_cannot_be_pruned() -> None:
    assert RunConfig.resolve("xor", {}, recipe="chip").prune_tolerance is not None
    assert RunConfig.resolve("xor", {"order": 1}, recipe="chip").prune_tolerance is None
