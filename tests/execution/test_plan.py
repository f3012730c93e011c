import json
from typing import Any

import pytest

from qrnn_circuits.execution import Plan, plan_run
from qrnn_circuits.training import TrainedRun


def test_a_plan_without_its_tapes_comes_back_from_json(unitary_run: TrainedRun) -> None:
    plan = plan_run(unitary_run, sequences=2, shots=100, mitigation="m3")
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.tapes == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wires", 0),
        ("wires", "4"),
        ("shots", 0.5),
        ("task", 5),
        ("task", "\x1b[2J"),
        ("class_names", ["a\x1b[2J"]),
        ("encoding", "x"),
        ("tolerance", None),
        ("right", 8),
        ("step", -1),
        ("exact", ["a"] * 8),
        ("predicted_share", "1"),
        ("predicted_share", 9.0),
        ("distribution_bound", 1e300),
        ("exact", [0.0] * 8),
        ("exact", [1e308] * 8),
        ("circuits", []),
    ],
)
def test_a_plan_with_a_value_of_another_kind_is_refused(
    unitary_run: TrainedRun, name: str, value: object
) -> None:
    data: dict[str, Any] = json.loads(json.dumps(plan_run(unitary_run, shots=100).to_json()))
    (data if name in data else data["circuits"][0])[name] = value
    with pytest.raises(ValueError, match="must be"):
        Plan.from_json(data)


@pytest.mark.parametrize("data", [{}, {"circuits": [{}]}, {"circuits": [], "speed": 3}])
def test_what_is_no_plan_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no plan of a run"):
        Plan.from_json(data)
