import json
import math
from pathlib import Path
from typing import Any

import pytest

from qrnn_circuits.reproduction.measurements.classical_baselines import measure

BESSEL = {"series": "bessel", "points": 50}


def measured(seed: int = 0, **settings: Any) -> dict[str, Any]:  # noqa: ANN401
    return measure(settings, seed, Path(), lambda doing: None)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_short_dna_is_solved_by_classical_networks(cell: str) -> None:
    found = measured(cell=cell, task_options={"length": 5}, learning_rate=0.03, steps=600)
    assert found["test_error"] == 0
    assert found["final_loss"] <= 1e-3
    assert found["steps_to_stop"] == found["curve"][-1][0] < 600
    assert 0 < found["steps_to_no_error"] <= found["steps_to_stop"]
    assert len(found["curve"]) <= 50
    json.dumps(found, allow_nan=False)


def test_an_untrained_network_guesses_and_does_not_stop() -> None:
    found = measured(task_options={"length": 9}, steps=1, learning_rate=1e-9)
    assert found["steps_to_stop"] is found["steps_to_no_error"] is None
    assert [step for step, *_ in found["curve"]] == [0, 1]
    # Symbols of a lane of three bits, of which four are right at times.
    assert found["final_loss"] == pytest.approx(math.log(8), abs=0.3)
    assert found["test_error"] > 0.5


def test_a_seed_repeats_a_curve_and_another_does_not() -> None:
    options: dict[str, Any] = {"task": "xor", "task_options": {"length": 6}, "steps": 20}
    first, again, other = (measured(seed, **options)["curve"] for seed in (0, 0, 1))
    assert first == again != other


def test_a_loss_that_is_no_number_ends_training_with_plain_results() -> None:
    found = measured(task_options={"length": 4}, learning_rate=1e37, steps=100)
    assert found["steps_to_stop"] is found["final_loss"] is found["test_error"] is None
    assert found["curve"][-1][0] < 100
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "gru"}, "cell must be one of rnn, lstm, got 'gru'"),
        ({"parameters": 20}, "parameters must be at least 27, got 20"),
        ({"task_options": {"width": 3}}, "has no option 'width'"),
        ({"stop_loss": 0}, "stop_loss must be greater than 0"),
        (
            {"task": "forecast", "task_options": BESSEL},
            "task must be one of symbols, got 'forecast'",
        ),
    ],
)
def test_settings_that_cannot_be_measured_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measured(**settings)
