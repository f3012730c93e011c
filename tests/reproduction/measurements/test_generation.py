import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from qrnn_circuits.network import QRNNOutput
from qrnn_circuits.reproduction.measurements import generation
from qrnn_circuits.tasks import Digits
from qrnn_circuits.training import RunConfig, TrainedRun

SMALL: dict[str, Any] = {"workspace": 2, "stages": 1, "degree": 2, "steps": 2}


def measured(folder: Path, run: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:  # noqa: ANN401
    options = {"task_options": {"data": "embedded"}}
    asked = {"recipe": None, "run": SMALL | options | (run or {}), "samples": 5} | settings
    return generation.measure(asked, 0, folder, lambda doing: None)


def draws_test_digits(run: TrainedRun, swapped: bool) -> tuple[torch.Tensor, QRNNOutput]:
    """What a network would draw that knows the test digits, right or with labels swapped."""
    test = run.task.test()
    nothing = torch.zeros(len(test), dtype=torch.float64)
    output = QRNNOutput(nothing, nothing, test.outcomes, nothing)
    labels = test.inputs[:, 0]
    return 1 - labels if swapped else labels, output


@pytest.mark.parametrize("swapped", [False, True])
def test_real_digits_are_recognised_as_well_as_the_classifier_does(
    swapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        generation, "draw", lambda run, count, generator: draws_test_digits(run, swapped)
    )
    found = measured(tmp_path, references=200, neighbours=1)
    assert found["classifier_error"] < 0.05
    right = found["classifier_error"] if swapped else 1 - found["classifier_error"]
    assert found["recognised"] == pytest.approx(right)


def test_a_unitary_network_draws_without_losing_a_run_and_a_postselected_one_does_not(
    tmp_path: Path,
) -> None:
    unitary = measured(tmp_path / "unitary", {"semantics": "unitary"})
    assert unitary["log10_acceptance"] == pytest.approx(0, abs=1e-3)
    postselected = measured(tmp_path / "postselected", {"semantics": "postselected"})
    assert postselected["log10_acceptance"] < -1
    share = postselected["recognised"]
    assert postselected["recognised_error"] == pytest.approx(sqrt(share * (1 - share) / 10))
    json.dumps(postselected, allow_nan=False)


def test_the_sheet_is_a_picture_of_black_and_white(tmp_path: Path) -> None:
    found = measured(tmp_path)
    levels = np.unique(imread(tmp_path / found["sheet"])[:, :, :3].round(2))
    assert {0.0, 1.0} <= set(levels.tolist())


def test_drawn_labels_take_turns() -> None:
    config = RunConfig.resolve("digits", SMALL | {"task_options": {"generate": True}})
    task, model = config.build_task(), config.build_model()
    run: Any = TrainedRun(config, task, model, step=0)
    assert isinstance(task, Digits)
    labels, output = generation.draw(run, 5, torch.Generator().manual_seed(0))
    assert labels.tolist() == [0, 1, 0, 1, 0]
    assert task.images(output.outcomes).shape == (5, 8, 8)


def test_the_recipe_of_the_paper_is_its_network(tmp_path: Path) -> None:
    options = {"generate": True, "data": str(tmp_path)}
    config = RunConfig.resolve("digits", {"task_options": options}, recipe="paper")
    sizes = config.workspace, config.lane, config.stages, config.order, config.degree
    assert sizes == (10, 2, 2, 2, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"run": {"task_options": {"generate": False}}}, "generate must be True to draw digits"),
        ({"run": {"task_options": {"labels": "even-odd"}}}, "labels must be 'digit' to draw"),
        ({"neighbours": 0}, "neighbours must be at least 1, got 0"),
        ({"references": 3}, "references must be at least 5, got 3"),
    ],
)
def test_settings_by_which_no_digit_is_drawn_are_refused(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        generation.measure(settings, 0, tmp_path, lambda doing: None)
